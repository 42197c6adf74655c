//! The reference's models, pictures and verdicts, where they are at hand.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A model of the reference's manifest.
pub struct Model {
    pub name: String,
    pub kind: String,
    pub accepted: bool,
    /// Its picture has a known fault of the reference.
    pub ungated: bool,
    pub path: PathBuf,
    pub golden: Option<PathBuf>,
}

/// All models of the manifest; `None`, and a line that says so, where there is no manifest.
pub fn models() -> Option<Vec<Model>> {
    models_of(&folder())
}

/// The models of what other people's tools really write, in a manifest of their own.
pub fn more() -> Option<Vec<Model>> {
    models_of(&folder().join("more"))
}

fn models_of(folder: &Path) -> Option<Vec<Model>> {
    if !folder.join("manifest.json").is_file() {
        println!("SKIPPED: no {}: nothing to compare with", folder.join("manifest.json").display());
        return None;
    }
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    Some(manifest["models"].as_array().unwrap().iter().map(|entry| model(folder, entry)).collect())
}

fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("GEN404_SHARED").map_or(beside, PathBuf::from).join("render")
}

fn model(folder: &Path, entry: &Value) -> Model {
    let text = |key: &str| entry[key].as_str().map(str::to_owned);
    Model {
        name: text("name").unwrap(),
        kind: text("kind").unwrap_or_default(),
        accepted: text("reference_verdict").unwrap() == "accepted",
        ungated: entry.get("do_not_gate").is_some(),
        path: folder.join(text("file").unwrap()),
        golden: text("golden").map(|golden| folder.join(golden)),
    }
}
