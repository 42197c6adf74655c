//! What is said of a module, in the render service's words.

use serde::{Deserialize, Serialize};

/// One rule that a module breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When it was found: `execution`, `post_validation` or `render`.
    pub stage: String,
    /// The rule's name.
    pub rule: String,
    /// What was found.
    pub detail: String,
}

impl Failure {
    pub(crate) fn new(stage: &str, rule: &str, detail: impl Into<String>) -> Self {
        Failure { stage: stage.to_owned(), rule: rule.to_owned(), detail: detail.into() }
    }

    pub(crate) fn execution(rule: &str, detail: impl Into<String>) -> Self {
        Failure::new("execution", rule, detail)
    }

    /// It runs, but cannot be drawn.
    pub(crate) fn render(detail: impl Into<String>) -> Self {
        Failure::new("render", "RENDER_RUN_FAILED", detail)
    }
}

/// What a module's scene holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Vertices of all meshes, lines and points.
    pub vertices: u64,
    /// Meshes, lines and points.
    pub draw_calls: u64,
    /// Levels below the root.
    pub depth: u64,
    /// Instances of all instanced meshes.
    pub instances: u64,
    /// Bytes of its data textures.
    pub texture_bytes: u64,
    /// Its box, unless it is empty.
    pub bbox: Option<Bounds>,
}

/// A box along the axes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Its lowest corner.
    pub min: Corner,
    /// Its highest corner.
    pub max: Corner,
}

/// A point; a coordinate that is no finite number is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Corner {
    /// To the right.
    pub x: Option<f64>,
    /// Up.
    pub y: Option<f64>,
    /// To the viewer.
    pub z: Option<f64>,
}

/// Why there are no pictures.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// The module is at fault: another try says the same.
    #[error("the module is refused: {}", said(.failures))]
    Refused {
        /// The rules that it breaks.
        failures: Vec<Failure>,
        /// What its scene holds, if it came to a scene.
        metrics: Option<Box<Metrics>>,
    },
    /// The browser is at fault, or the machine: nothing is said of the module.
    #[error("{0}")]
    Failed(String),
    /// A stop was requested.
    #[error("stopped")]
    Stopped,
}

impl RenderError {
    pub(crate) fn refused(failure: Failure) -> Self {
        RenderError::Refused { failures: vec![failure], metrics: None }
    }
}

fn said(failures: &[Failure]) -> String {
    failures.iter().map(|f| format!("{}: {}", f.rule, f.detail)).collect::<Vec<_>>().join("; ")
}
