//! What a sandbox of three.js modules serves beside the chain, the prompts and the miners' files: modules, a render
//! service, a judge that asks in stages, and pods that generate in batches. Without sockets, as [`super::site`].

pub(crate) mod judge;
pub(crate) mod lie;
pub(crate) mod module;
pub(crate) mod pods;
pub(crate) mod renderer;
pub(crate) mod settings;
pub(crate) mod summary;
