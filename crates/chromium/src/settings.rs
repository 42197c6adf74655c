//! What a browser is started with, and the bounds of a module.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

/// The release of three.js that modules are written for.
pub const THREE_VERSION: &str = "0.183.2";

/// SHA-256 of `build/three.cjs` of [`THREE_VERSION`], in lower hex: the one build that is a single file.
pub const THREE_SHA256: &str = "284f4cdcf395356830e2ed2972b4fbec8eb7061bd920c54488c1ca7081c91641";

/// The user and group that a browser runs as where this process is root: `nobody`. Chromium has no sandbox as root.
pub const NOBODY: u32 = 65534;

/// What a browser is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The browser: a path, or a name that is looked for in PATH.
    pub program: PathBuf,
    /// three.js as one CommonJS file, `build/three.cjs` of its package.
    pub three: PathBuf,
    /// Its SHA-256 in lower hex.
    pub three_sha256: String,
    /// The user, and group, to run as where this process is root.
    pub user: u32,
    /// Is Chromium's own sandbox on? Without it, a fault in V8 is a way to all that the user may do.
    pub sandbox: bool,
    /// The bounds of a module.
    pub limits: Limits,
}

impl Settings {
    /// A browser and three.js, with the bounds of the competition.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, three: impl Into<PathBuf>) -> Self {
        Settings {
            program: program.into(),
            three: three.into(),
            three_sha256: THREE_SHA256.to_owned(),
            user: NOBODY,
            sandbox: true,
            limits: Limits::default(),
        }
    }
}

/// The bounds of a module. Those of time are of CPU time, so that a module is not refused because the machine is busy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// CPU time to compile, run and inspect a module.
    pub run: Duration,
    /// CPU time of all processes of the browser to draw all its pictures.
    pub draw: Duration,
    /// Wall time of the browser's start, of running a module, and of drawing it, each. More says nothing about the module.
    pub wall: Duration,
    /// V8's old generation, in MiB.
    pub heap_mib: u32,
    /// Memory of all processes of the browser that they share with nothing else, in bytes.
    pub memory: u64,
    /// What is counted in the scene.
    pub scene: SceneLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            run: Duration::from_secs(5),
            draw: Duration::from_secs(120),
            wall: Duration::from_secs(300),
            heap_mib: 256,
            memory: 2 << 30,
            scene: SceneLimits::default(),
        }
    }
}

/// The most of each that a scene may hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SceneLimits {
    /// Vertices.
    pub vertices: u32,
    /// Meshes, lines and points.
    pub draw_calls: u32,
    /// Levels below the root.
    pub depth: u32,
    /// Instances of all instanced meshes.
    pub instances: u32,
    /// Bytes of data textures.
    pub texture_bytes: u32,
    /// The farthest coordinate from the origin, on each axis.
    pub r#box: f64,
    /// Characters of a failure's detail.
    pub detail: u32,
}

impl Default for SceneLimits {
    fn default() -> Self {
        SceneLimits {
            vertices: 250_000,
            draw_calls: 200,
            depth: 32,
            instances: 50_000,
            texture_bytes: 4_194_304,
            r#box: 0.5,
            detail: 500,
        }
    }
}
