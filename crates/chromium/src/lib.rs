//! Runs a three.js module in a headless Chromium and draws it, as the render service of a competition does.
//!
//! A module is hostile. The browser has no network, no window and no key of ours; it is bounded in CPU time, memory and
//! wall time; and it is killed with its process group whenever something is amiss. What is counted in the module's
//! scene is counted in a realm that the module cannot reach ([`Pool::render`]; `page/check.js`).
//!
//! The browser is driven over its debugging pipe. No part of this reads the network or a clock for what it returns: the
//! same module gives the same bytes.

mod connection;
mod names;
mod page;
mod picture;
mod pipe;
mod pool;
mod process;
mod scene;
mod settings;
mod usage;
mod verdict;

pub use connection::Stopped;
pub use picture::{Picture, grid};
pub use pool::{Pool, Rendered};
pub use scene::{Lighting, Sheet, View};
pub use settings::{Limits, NOBODY, SceneLimits, Settings, THREE_SHA256, THREE_VERSION};
pub use usage::is_alive;
pub use verdict::{Bounds, Corner, Failure, Metrics, RenderError};
