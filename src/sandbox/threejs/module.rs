//! The sandbox's modules: a shape as numbers, and the same few lines of three.js that build it. The stand-in for the render
//! service knows no JavaScript: it reads the numbers.

use crate::sandbox::models::Shape;

/// What the line with the shape begins with.
const MARK: &str = "const SHAPE = ";

/// Builds the shape's surface, coloured by its pattern.
const BODY: &str = r#"
export default function (THREE) {
  const RINGS = 18, AROUND = 36;
  const power = (value, roundness) => Math.sign(value) * Math.pow(Math.abs(value), roundness);
  const point = (u, v) => {
    const around = u * 2 * Math.PI, polar = v * Math.PI;
    const [wide, high] = SHAPE.roundness, [many, deep, height] = SHAPE.waves, [x, y, z] = SHAPE.extents;
    const ring = power(Math.sin(polar), high);
    const wave = Math.sin(many * around) * Math.sin(deep * polar);
    const at = [x * ring * power(Math.cos(around), wide), y * power(Math.cos(polar), high),
      -z * ring * power(Math.sin(around), wide)];
    return at.map((coordinate) => coordinate * (1 - height * (1 - wave) / 2));
  };
  const colour = (ring, step) => {
    const [across, down, kind] = SHAPE.fields;
    const column = Math.floor(step * across / AROUND), row = Math.floor(ring * down / RINGS);
    const odd = kind === 0 ? (column + row) % 2 : kind === 1 ? column % 2 : row % 2;
    return SHAPE.colours[odd].map((channel) => channel / 255);
  };
  const positions = [], colours = [];
  for (let ring = 0; ring < RINGS; ring++) {
    for (let step = 0; step < AROUND; step++) {
      const corners = [[0, 0], [1, 0], [0, 1], [0, 1], [1, 0], [1, 1]];
      for (const [down, right] of corners) {
        positions.push(...point((step + right) / AROUND, (ring + down) / RINGS));
        colours.push(...colour(ring, step));
      }
    }
  }
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.Float32BufferAttribute(positions, 3));
  geometry.setAttribute("color", new THREE.Float32BufferAttribute(colours, 3));
  geometry.computeVertexNormals();
  return new THREE.Mesh(geometry, new THREE.MeshStandardMaterial({ vertexColors: true, roughness: 0.9 }));
}
"#;

/// The module that builds a shape.
pub(crate) fn source(shape: &Shape) -> String {
    format!("{MARK}{};\n{BODY}", serde_json::json!(shape))
}

/// As [`source`], of a miner that reads the clock, which no module may.
pub(crate) fn against_the_rules(shape: &Shape) -> String {
    source(shape).replace("  const positions", "  const begun = Date.now();\n  const positions")
}

/// As [`source`], of a miner whose module does not end.
pub(crate) fn endless(shape: &Shape) -> String {
    source(shape).replace("  const positions", "  for (;;) {}\n  const positions")
}

/// The shape that a module builds; `None` for a text that is none of these modules.
pub(crate) fn shape_of(source: &str) -> Option<Shape> {
    let line = source.lines().find_map(|line| line.strip_prefix(MARK))?;
    serde_json::from_str(line.strip_suffix(';')?).ok()
}

/// Why the render service refuses a module: stage, rule and detail. `None` if it draws it.
pub(crate) fn failure(source: &str) -> Option<[&'static str; 3]> {
    if source.contains("Date") {
        return Some(["static_analysis", "FORBIDDEN_IDENTIFIER", "Date"]);
    }
    if source.contains("for (;;)") {
        return Some(["execution", "TIMEOUT_EXCEEDED", "it took longer than 5000 ms"]);
    }
    match shape_of(source) {
        Some(_) => None,
        None => Some(["parse", "PARSE_ERROR", "not a module of the sandbox"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_found_again_in_its_module() {
        let shape = Shape::of(&["test"]);
        assert_eq!(shape_of(&source(&shape)), Some(shape.clone()));
        assert_eq!(failure(&source(&shape)), None);
        assert_eq!(failure(&against_the_rules(&shape)).map(|[_, rule, _]| rule), Some("FORBIDDEN_IDENTIFIER"));
        assert_eq!(failure(&endless(&shape)).map(|[_, rule, _]| rule), Some("TIMEOUT_EXCEEDED"));
        assert_eq!(failure("<html>").map(|[stage, ..]| stage), Some("parse"));
    }
}
