//! A whole competition on this machine, through the commands, drivers and HTTP of production. Everything external (the
//! chain, the miners' servers and pods, the judge) is served on one loopback port: see [`site`].

pub(crate) mod child_guard;
pub(crate) mod clock;
pub(crate) mod folder;
pub(crate) mod judge;
pub(crate) mod lie;
pub(crate) mod models;
pub(crate) mod participants;
pub(crate) mod played;
pub(crate) mod rng;
pub(crate) mod runner;
pub(crate) mod servers;
pub(crate) mod site;
pub(crate) mod summary;
pub(crate) mod threejs;
