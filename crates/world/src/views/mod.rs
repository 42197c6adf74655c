//! What draws three.js modules: a trait, and one file per driver.

pub mod chromium;
pub mod http;
pub mod settings;

use std::fmt;

use crate::base::error::Error;
use crate::stop::Stop;

/// The white views, by name, in the order in which they are drawn: horizontal and vertical angle in degrees.
pub const WHITE: [(&str, i32, i32); 8] = [
    ("front_left", 30, 0),
    ("front_right", 330, 0),
    ("front_below", 0, 15),
    ("front_above", 0, -30),
    ("right", 90, 0),
    ("back", 180, 0),
    ("left", 270, 0),
    ("top_down", 0, -90),
];

/// How many of [`WHITE`], from the first on, are drawn on gray, too.
pub const GRAYS: usize = 4;

/// Width and height of a view, in pixels.
pub const VIEW_SIZE: u32 = 1024;

/// The colours behind white and gray views, in hex.
pub const BACKGROUNDS: [&str; 2] = ["ffffff", "808080"];

/// A module that every renderer can draw: when another one fails, it tells whose fault that is.
pub const BOX: &str = "export default function (THREE) {\n  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, \
                              0.5), new THREE.MeshStandardMaterial());\n}\n";

/// The pictures of a module, as PNG files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Views {
    /// On white, in the order of [`WHITE`].
    pub white: [Vec<u8>; 8],
    /// On gray, the first [`GRAYS`] of [`WHITE`].
    pub gray: [Vec<u8>; GRAYS],
    /// Four views from around, in one picture.
    pub grid: Vec<u8>,
}

/// Why a module has no views.
#[derive(Debug)]
pub enum ViewError {
    /// The module breaks the rules: the first of its failures, as `stage: RULE: detail`. Final.
    Refused(String),
    /// The renderer failed: nothing is known of the module. Worth another try.
    Failed(Error),
}

/// Draws modules.
pub trait ViewRenderer: fmt::Debug + Send + Sync {
    /// The driver's name in settings and messages.
    fn name(&self) -> &'static str;

    /// Draws all views of a module, given its source. Called from several threads.
    ///
    /// # Errors
    /// The module is refused, or could not be drawn.
    fn render(&self, source: &str, stop: &Stop) -> Result<Views, ViewError>;
}
