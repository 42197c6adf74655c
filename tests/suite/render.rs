//! `gen404 render` as it is typed.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::models;

fn gen404(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gen404")).args(args).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.glb"), models::coloured()).unwrap();
    std::fs::write(folder.path().join("b.glb"), models::glassy()).unwrap();
    std::fs::write(folder.path().join("bad.glb"), b"no model").unwrap();
    folder
}

#[test]
fn one_model_goes_beside_itself_or_where_it_is_told() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let out = gen404(folder.path(), &["render", "a.glb", "--size", "32"]);
    assert_eq!((out.status.code(), text(&out.stdout), text(&out.stderr)), (Some(0), "a.png\n".into(), String::new()));
    let out = gen404(folder.path(), &["render", "a.glb", "--size", "32", "-o", "new/x.png"]);
    assert!(out.status.success());
    assert_eq!(std::fs::read(at("a.png")).unwrap(), std::fs::read(at("new/x.png")).unwrap());
}

#[test]
fn many_models_go_on_past_a_bad_one() {
    let folder = folder();
    let out = gen404(
        folder.path(),
        &["render", "a.glb", "bad.glb", "b.glb", "gone.glb", "--size", "32", "-o", "out", "--json"],
    );
    assert_eq!(out.status.code(), Some(2), "one of them is not there");
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(said["details"]["summary"]["drawn"], 2);
    assert_eq!(said["details"]["previews"][1]["refusal"]["code"], "container.header");
    assert!(said["details"]["previews"][3]["error"].as_str().unwrap().starts_with("gone.glb: cannot read"));
    assert!(text(&out.stderr).contains("bad.glb: header: shorter than a GLB header (container.header)"));
    assert!(folder.path().join("out/a.png").is_file() && folder.path().join("out/b.png").is_file());
}

#[test]
fn nothing_is_overwritten_by_mistake() {
    let folder = folder();
    let usage = |args: &[&str]| assert_eq!(gen404(folder.path(), args).status.code(), Some(2), "{args:?}");
    usage(&["render", "a.glb", "a.glb"]);
    usage(&["render", "a.glb", "-o", "a.glb"]);
    usage(&["render", "a.glb", "b.glb", "-o", "bad.glb"]);
    usage(&["render"]);
    usage(&["render", "a.glb", "--size", "7"]);
    let out = gen404(folder.path(), &["render", "a.glb", "--dry-run", "--size", "32"]);
    assert_eq!(text(&out.stdout), "would write a.png\n");
    assert!(!folder.path().join("a.png").exists());
}
