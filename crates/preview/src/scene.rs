//! Which primitive is drawn, and whether the scene around it can be followed.
//!
//! The reference draws the file's only primitive, in its own coordinates: nodes decide nothing, but
//! the loader walks them, so an entry that cannot be followed is refused all the same.

use std::collections::HashSet;

use super::json::{Object, wrap_index};
use super::lens;
use super::limits::MAX_NODE_STEPS;
use super::numbers::{array, number_of};
use super::refusal::{Checked, Refusal, RefusalCode};
use python_json::Value;

/// How the vertices of a primitive make triangles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    Triangles,
    Strip,
}

/// The one primitive that the file holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Primitive<'a> {
    pub(crate) topology: Topology,
    /// All of it, as it stands in the file.
    pub(crate) entry: Object<'a>,
    pub(crate) attributes: Object<'a>,
    pub(crate) indices: Option<i64>,
    pub(crate) material: Option<i64>,
}

/// Finds the one drawable primitive. Points and lines count as objects; primitives of other modes
/// are passed over; whether a node uses the mesh does not matter.
pub(crate) fn only_primitive<'a>(document: Object<'a>) -> Checked<Primitive<'a>> {
    let mut objects = 0_usize;
    let mut found = None;
    for (i, mesh) in document.list("meshes", "")?.iter().enumerate() {
        let place = format!("meshes[{i}]");
        let mesh = Object::of(mesh, &place)?;
        if mesh.get("primitives").is_none() {
            return Err(Refusal::shape(place, "no primitives"));
        }
        let primitives = mesh.list("primitives", &place)?;
        if !primitives.is_empty() {
            mesh.check_name(&place)?;
        }
        for (j, entry) in primitives.iter().enumerate() {
            let place = format!("{place}.primitives[{j}]");
            let primitive = read_primitive(entry, &place)?;
            if !matches!(primitive, Kind::Skipped) {
                objects += 1;
                found.get_or_insert((primitive, place));
            }
        }
    }
    match found {
        Some((Kind::Triangles(primitive), _)) if objects == 1 => Ok(primitive),
        Some((_, place)) if objects == 1 => {
            let message = "made of points or lines, not of triangles";
            Err(Refusal::new(RefusalCode::SceneNotTriangles, place, message))
        }
        _ => {
            let message = format!("{objects} objects (expected 1)");
            Err(Refusal::new(RefusalCode::SceneObjectCount, "meshes", message))
        }
    }
}

enum Kind<'a> {
    Triangles(Primitive<'a>),
    Other,
    Skipped,
}

fn read_primitive<'a>(entry: &'a Value, place: &str) -> Checked<Kind<'a>> {
    let entry = Object::of(entry, place)?;
    let attributes = entry.object("attributes", place)?.ok_or_else(|| Refusal::shape(place, "no attributes"))?;
    let topology = match entry.get("mode").map(Value::as_f64) {
        None => Topology::Triangles,
        Some(Some(4.0)) => Topology::Triangles,
        Some(Some(5.0)) => Topology::Strip,
        Some(Some(0.0 | 1.0)) => {
            attributes.need_int("POSITION", place)?;
            return Ok(Kind::Other);
        }
        _ => return Ok(Kind::Skipped),
    };
    attributes.need_int("POSITION", place)?;
    let indices = entry.int("indices", place)?;
    let material = entry.int("material", place)?;
    Ok(Kind::Triangles(Primitive { topology, entry, attributes, indices, material }))
}

/// Walks the scene as the reference loader does and refuses where it would stumble. Cycles are fine.
pub(crate) fn check_nodes(document: Object<'_>) -> Checked<()> {
    let nodes = document.list("nodes", "")?;
    for (i, node) in nodes.iter().enumerate() {
        let place = format!("nodes[{i}]");
        Object::of(node, &place)?.check_name(&place)?;
    }
    let mut queue = scene_roots(document)?;
    let mut walked = HashSet::new();
    let mut camera_found = false;
    let mut steps = queue.len();
    while let Some((parent, child)) = queue.pop() {
        if !walked.insert((parent, child)) {
            continue;
        }
        let place = format!("nodes[{child}]");
        let index = wrap_index(child, nodes.len()).filter(|_| child >= 0);
        let Some(node) = index.and_then(|i| nodes.get(i)) else {
            return Err(broken(place, "no such node"));
        };
        let node = Object::of(node, &place)?;
        let children = node.list("children", &place)?;
        steps += children.len();
        if steps > MAX_NODE_STEPS {
            return Err(Refusal::new(RefusalCode::DataWork, place, "too many ways through the nodes"));
        }
        for next in children {
            queue.push((Some(child), node_index(next, &place)?));
        }
        check_transform(node, &place)?;
        if let Some(camera) = node.get("camera").filter(|_| !camera_found) {
            // Such a node is nothing else.
            camera_found = lens::make(document, camera, &place)?;
        } else if matches!(node.get("mesh"), Some(Value::Array(_) | Value::Object(_))) {
            return Err(broken(format!("{place}.mesh"), "not a number"));
        }
    }
    Ok(())
}

/// The edges from the world to the root nodes of the scene in force.
fn scene_roots(document: Object<'_>) -> Checked<Vec<(Option<i64>, i64)>> {
    if document.get("scenes").is_none() {
        return Ok(Vec::new());
    }
    let scenes = document.list("scenes", "")?;
    let index = document.int("scene", "")?.unwrap_or(0);
    let scene = wrap_index(index, scenes.len()).and_then(|i| scenes.get(i));
    let scene = scene.ok_or_else(|| broken("scene", "no such scene"))?;
    let roots = Object::of(scene, "scenes")?.list("nodes", "scenes")?;
    roots.iter().map(|root| Ok((None, node_index(root, "scenes")?))).collect()
}

fn node_index(value: &Value, place: &str) -> Checked<i64> {
    value.as_i64().ok_or_else(|| broken(place, "a node index that is not a whole number"))
}

/// The parts of a transform must have their numbers, though they are not used.
fn check_transform(node: Object<'_>, place: &str) -> Checked<()> {
    // A matrix and a rotation are given their shape; the others have to have it. A scale is multiplied as it is.
    let count = |value: &Value| array(value).map(|array| array.values.len());
    let row = |value: &Value| array(value).is_some_and(|array| array.shape == [3]);
    let numbers = |value: &Value| value.as_array().is_some_and(|items| items.iter().all(Value::is_number));
    let sound = |key: &str, value: &Value| match key {
        "matrix" => count(value) == Some(16),
        "rotation" => count(value) == Some(4),
        "scale" => numbers(value) && row(value),
        // A text of three characters is one number for all axes.
        "translation" if matches!(value, Value::String(_)) => {
            value.as_str().is_some_and(|text| text.chars().count() == 3) && number_of(value).is_some()
        }
        _ => row(value),
    };
    for key in ["matrix", "translation", "rotation", "scale"] {
        if node.get(key).is_some_and(|value| !sound(key, value)) {
            return Err(broken(format!("{place}.{key}"), "not the right count of numbers"));
        }
    }
    Ok(())
}

fn broken(place: impl Into<String>, message: &'static str) -> Refusal {
    Refusal::new(RefusalCode::SceneNodes, place, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn primitive(document: &Value) -> Checked<Topology> {
        let document = super::Value::from(document);
        only_primitive(Object::of(&document, "").unwrap()).map(|p| p.topology)
    }

    fn with_modes(modes: &[i64]) -> Value {
        let of = |m: &i64| json!({"attributes": {"POSITION": 0}, "mode": m});
        json!({"meshes": [{"primitives": modes.iter().map(of).collect::<Vec<_>>()}]})
    }

    #[test]
    fn exactly_one_object() {
        assert_eq!(primitive(&with_modes(&[4])).unwrap(), Topology::Triangles);
        assert_eq!(primitive(&with_modes(&[6, 5, 2])).unwrap(), Topology::Strip);
        let code = |modes: &[i64]| primitive(&with_modes(modes)).unwrap_err().code;
        assert_eq!(code(&[]), RefusalCode::SceneObjectCount);
        assert_eq!(code(&[6]), RefusalCode::SceneObjectCount);
        assert_eq!(code(&[4, 4]), RefusalCode::SceneObjectCount);
        assert_eq!(code(&[4, 0]), RefusalCode::SceneObjectCount);
        assert_eq!(code(&[0]), RefusalCode::SceneNotTriangles);
        assert_eq!(code(&[1, 6]), RefusalCode::SceneNotTriangles);
    }

    fn nodes(document: &Value) -> Checked<()> {
        let document = super::Value::from(document);
        check_nodes(Object::of(&document, "").unwrap())
    }

    #[test]
    fn cycles_pass_and_dangling_nodes_do_not() {
        let cycle = json!({"nodes": [{"children": [0]}], "scenes": [{"nodes": [0]}]});
        assert!(nodes(&cycle).is_ok());
        let dangling = json!({"nodes": [{"children": [1]}], "scenes": [{"nodes": [0]}]});
        assert_eq!(nodes(&dangling).unwrap_err().code, RefusalCode::SceneNodes);
        let unreached = json!({"nodes": [{"children": [1]}], "scenes": [{"nodes": []}]});
        assert!(nodes(&unreached).is_ok());
        let no_scene = json!({"scenes": [{}], "scene": 3});
        assert_eq!(nodes(&no_scene).unwrap_err().code, RefusalCode::SceneNodes);
        // Each of 2,000 parents leads to the same 2,000 children.
        let children: Vec<usize> = (2001..4001).collect();
        let parent = |i: usize| if i < 2000 { json!({"children": [2000]}) } else { json!({}) };
        let mut many: Vec<Value> = (0..4001).map(parent).collect();
        many[2000] = json!({"children": children});
        let roots: Vec<usize> = (0..2000).collect();
        let many = json!({"nodes": many, "scenes": [{"nodes": roots}]});
        assert_eq!(nodes(&many).unwrap_err().code, RefusalCode::DataWork);
        for odd in [json!({"name": 7}), json!({"mesh": []}), json!({"matrix": vec![json!("x"); 16]})] {
            assert!(nodes(&json!({"nodes": [odd], "scenes": [{"nodes": [0]}]})).is_err(), "{odd}");
        }
        let texts = |numbers: &[i32]| json!(numbers.iter().map(ToString::to_string).collect::<Vec<_>>());
        let rows = json!([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]);
        // By the reference's own verdicts.
        for (key, value, sound) in [
            ("matrix", texts(&[1; 16]), true),
            ("matrix", rows, true),
            ("matrix", json!([null, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]), true),
            ("matrix", json!(null), false),
            ("matrix", json!(vec![1; 15]), false),
            ("translation", texts(&[0; 3]), true),
            ("translation", json!([null, 0, 0]), true),
            ("translation", json!([[0, 0, 0]]), false),
            ("translation", json!([0, 0, 0, 0]), false),
            ("translation", json!(5), false),
            ("translation", json!(" 1 "), true),
            ("translation", json!("0.5"), true),
            ("translation", json!("1"), false),
            ("translation", json!("1000"), false),
            ("translation", json!("abc"), false),
            ("rotation", json!([[0, 0, 0, 1]]), true),
            ("rotation", json!([0, 0, 1]), false),
            ("scale", json!([true, 1, 1]), true),
            ("scale", texts(&[1; 3]), false),
            ("scale", json!([null, 1, 1]), false),
            ("scale", json!(2), false),
        ] {
            let found = nodes(&json!({"nodes": [{key: value}], "scenes": [{"nodes": [0]}]}));
            assert_eq!(found.is_ok(), sound, "{key}: {value}");
        }
        let camera = |index: i64| json!({"nodes": [{"camera": index}], "scenes": [{"nodes": [0]}], "cameras": [{}]});
        assert!(nodes(&camera(0)).is_ok() && nodes(&camera(-1)).is_ok());
        assert_eq!(nodes(&camera(1)).unwrap_err().place, "nodes[0].camera");
        let both = json!({"nodes": [{"camera": 0, "mesh": []}], "scenes": [{"nodes": [0]}]});
        assert!(nodes(&both).is_ok(), "a camera is no mesh");
        let short = json!({"nodes": [{"scale": [1, 1]}], "scenes": [{"nodes": [0]}]});
        assert_eq!(nodes(&short).unwrap_err().place, "nodes[0].scale");
    }
}
