//! Ground floor: errors, guarded files, text from outside, URLs. Knows nothing of competitions.

pub mod error;
pub mod files;
pub mod github;
pub mod hex;
pub mod json;
pub mod semaphore;
pub mod setting;
pub mod text;
pub mod url;
