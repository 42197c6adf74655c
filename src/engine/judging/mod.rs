//! Playing a tournament: calls by urgency, results in the tournament's order.

pub(crate) mod call_queue;
mod play;
pub(crate) mod round;
pub(crate) mod session;
mod standings;
