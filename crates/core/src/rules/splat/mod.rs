//! What is different in competitions of splats: a walk of challengers instead of a tournament, and no audits.

pub mod duel;
pub mod outstanding;
pub mod walk;
