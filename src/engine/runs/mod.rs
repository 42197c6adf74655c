//! The record of runs: what each recorded run did, how it ended, and what it used. It lies in the operator's own
//! folder, is never published, and carries times of the wall clock.

pub(crate) mod book;
pub(crate) mod estimates;
pub(crate) mod limits;
pub(crate) mod place;
pub(crate) mod record;
pub(crate) mod recorder;
pub(crate) mod streak;
pub(crate) mod summary;
