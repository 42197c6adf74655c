//! A duel before a judge that works in stages: which calls come next, and what the answers make of it.
//!
//! [`next`] is a pure function of what is known of the duel and of the answers so far. It names every call whose answer
//! is needed whatever the open ones bring, so that those are made together: stage 4 along with stage 2, and the words
//! about both models along with stage 1. A call is a value ([`StageCall`]); the table of calls is in `calls`, that of
//! thresholds in [`thresholds`](super::thresholds).
//!
//! There are no neutral answers: a call that failed has none, and the duel waits for it.

mod calls;
mod duel;
mod evidence;
mod gray;

pub use self::calls::{CallId, Height, Order, Picture, SideOf, StageCall};
pub use self::duel::{BestViews, Decided, Known, Look, Next, next};
pub use self::evidence::{Followed, follow, shown_of};
pub use self::gray::{GrayMeasure, sampled};
