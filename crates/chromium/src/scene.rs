//! What is to be drawn: a module as a function, and the views of it.

use serde_json::{Value, json};

/// Places in a module that may be its default export, and are tried.
const MOST_PLACES: usize = 64;

/// The bodies of a function that a module may stand for, one for each place that reads `export default`: what it exports
/// is returned. At most one of them compiles, since `export` stands in no function, and the other places are within
/// comments and literals. As in the render service, what is declared as `const`, `let` or `class` after the export is
/// never reached.
pub(crate) fn function_bodies(module: &str) -> impl Iterator<Item = String> {
    let places = module.match_indices("export").filter_map(|(start, word)| {
        let end = start + word.len();
        let rest = module.get(end..)?;
        let default = past_blanks(rest);
        let after = default.strip_prefix("default")?;
        (default.len() < rest.len()).then_some((start, after))
    });
    // No line break after `return` may end the statement.
    places
        .take(MOST_PLACES)
        .filter_map(|(start, after)| Some(format!("{}return void 0, {after}", module.get(..start)?)))
}

/// What follows white space and comments.
fn past_blanks(mut text: &str) -> &str {
    loop {
        let trimmed = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let after = if let Some(comment) = trimmed.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, after)| after)
        } else if let Some(comment) = trimmed.strip_prefix("//") {
            comment.split_once(['\n', '\r', '\u{2028}', '\u{2029}']).map(|(_, after)| after)
        } else {
            None
        };
        match after {
            Some(after) => text = after,
            None => return trimmed,
        }
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
    fn each_place_that_may_be_the_export_becomes_a_return() {
        let bodies = |module: &str| function_bodies(module).collect::<Vec<_>>();
        assert_eq!(bodies("const a = 1; export  default\n(T) => a;"), ["const a = 1; return void 0, \n(T) => a;"]);
        assert_eq!(bodies("export /* a */ // b\n default f"), ["return void 0,  f"]);
        let twice = bodies("// export default\nexport default 1");
        assert_eq!(twice, ["// return void 0, \nexport default 1", "// export default\nreturn void 0,  1"]);
        for none in ["", "exportdefault 1", "export { a as default }", "export /* default", "export //default"] {
            assert!(bodies(none).is_empty(), "{none}");
        }
        assert_eq!(bodies(&"export default ".repeat(99)).len(), MOST_PLACES);
    }
}
