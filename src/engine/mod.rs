//! The long jobs: fetching, judging, regenerating, and gathering what `verify` judges. Each takes facts and settings,
//! reports progress to a [`Ui`](crate::ui::Ui), and returns what came of it; commands call them.

pub(crate) mod common;
pub(crate) mod context;
pub(crate) mod fetching;
pub(crate) mod judging;
pub(crate) mod regenerating;
pub(crate) mod verification;
