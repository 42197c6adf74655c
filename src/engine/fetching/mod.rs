//! Fetching miners' files: a queue that is fair to miners, a pipeline that draws and stores, a spool that survives a
//! killed run.

mod network;
pub(crate) mod pipeline;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod spool;
