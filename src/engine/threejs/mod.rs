//! Competitions of three.js modules: what their commands do. Commands that both formats share match on
//! [`AnyStanding`](super::stands::AnyStanding) and call in here.

pub(crate) mod judging;
pub(crate) mod objects;
pub(crate) mod opening;
pub(crate) mod regenerating;
pub(crate) mod standing;
pub(crate) mod tournament;
