//! Ground floor: errors, guarded files, text from outside, URLs. Knows nothing of competitions.

pub mod error;
pub(crate) mod files;
pub(crate) mod github;
pub mod hex;
pub(crate) mod json;
pub(crate) mod semaphore;
pub(crate) mod setting;
pub(crate) mod text;
pub mod url;
