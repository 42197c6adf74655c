//! A whole competition on this machine, through the commands, drivers and HTTP of production. What is outside of the
//! program elsewhere (the chain, the miners' servers and pods, the judge) is on one loopback port here: see [`site`].

pub(crate) mod child_guard;
pub(crate) mod clock;
pub(crate) mod folder;
pub(crate) mod judge;
pub(crate) mod models;
pub(crate) mod participants;
pub(crate) mod rng;
pub(crate) mod runner;
pub(crate) mod servers;
pub(crate) mod site;
pub(crate) mod summary;
