//! What is to be drawn: a module, and the views of it.

use std::ops::Range;

use serde_json::{Value, json};

/// A module, and where its default export is declared.
#[derive(Debug, Clone)]
pub struct Module<'a> {
    source: &'a str,
    export: Range<usize>,
}

impl<'a> Module<'a> {
    /// A module with the bytes of `export default` in it, from the `e` of the one to the `t` of the other; `None` if
    /// they are not within it. A function, or an expression, has to follow.
    #[must_use]
    pub fn new(source: &'a str, export: Range<usize>) -> Option<Self> {
        let within =
            source.get(export.clone()).is_some_and(|text| text.starts_with("export") && text.ends_with("default"));
        within.then_some(Module { source, export })
    }

    /// The module as the body of a function that returns what it exports. What is declared as `const`, `let` or `class`
    /// after the export is never reached, as in the render service.
    pub(crate) fn as_function_body(&self) -> String {
        let (before, rest) = self.source.split_at_checked(self.export.start).unwrap_or((self.source, ""));
        let after = rest.get(self.export.len()..).unwrap_or_default();
        format!("{before}return {after}")
    }
}

/// How a scene is lit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lighting {
    /// By a light that follows the camera.
    Follow,
    /// By three lights that stand still.
    Studio,
}

/// A view of the origin, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Around the vertical axis: 0 sees the side of +Z, 90 that of +X.
    pub theta: f64,
    /// Negative sees it from above, positive from below.
    pub phi: f64,
}

/// Views that are drawn alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Pixels a side.
    pub size: u32,
    /// Red, green and blue of the background.
    pub background: [u8; 3],
    /// The lights.
    pub lighting: Lighting,
    /// The camera's distance from the origin.
    pub radius: f64,
    /// The camera's vertical field of view, in degrees.
    pub fov: f64,
    /// The views.
    pub views: Vec<View>,
}

impl Sheet {
    /// What the render service draws by default, from these views.
    #[must_use]
    pub fn new(size: u32, background: [u8; 3], lighting: Lighting, views: &[View]) -> Self {
        Sheet { size, background, lighting, radius: 2.0, fov: 49.1, views: views.to_vec() }
    }

    pub(crate) fn as_json(&self, view: View) -> Value {
        let [red, green, blue] = self.background;
        json!({
            "size": self.size,
            "background": format!("#{red:02x}{green:02x}{blue:02x}"),
            "lighting": match self.lighting {
                Lighting::Follow => "follow",
                Lighting::Studio => "studio",
            },
            "theta": view.theta,
            "phi": view.phi,
            "radius": self.radius,
            "fov": self.fov,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_export_becomes_a_return() {
        let source = "const a = 1; export  default (THREE) => a;";
        let module = Module::new(source, 13..28).unwrap();
        assert_eq!(module.as_function_body(), "const a = 1; return  (THREE) => a;");
        let no: [Range<usize>; 3] = [0..4, 13..99, 14..28];
        assert!(no.into_iter().all(|range| Module::new(source, range).is_none()));
        assert!(Module::new("é export default 1", 1..3).is_none());
    }
}
