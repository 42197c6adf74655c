//! The long jobs: fetching, judging, regenerating, and gathering what `verify` judges. Each takes facts and settings,
//! shows its progress through a [`Ui`](crate::ui::Ui), and adds what it did to the command's
//! [`Report`](crate::ui::Report).

pub(crate) mod checking;
pub(crate) mod common;
pub(crate) mod context;
pub(crate) mod fetching;
pub(crate) mod formats;
pub(crate) mod judging;
pub(crate) mod leases;
pub(crate) mod moment;
pub(crate) mod notify;
pub(crate) mod pausing;
mod plans;
pub(crate) mod regenerating;
pub(crate) mod runs;
pub(crate) mod stands;
pub(crate) mod threejs;
pub(crate) mod verification;
