//! `scripts/bench`: its rows, and the slopes that it finds.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{installed, skipped};

fn python(words: &[&str], folder: &Path) -> Option<Output> {
    let Some(python) = installed("python3") else {
        skipped("no python3 for scripts/bench");
        return None;
    };
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    Some(Command::new(python).args(words).current_dir(scripts).arg(folder).output().unwrap())
}

#[test]
fn a_bench_tells_machine_versions_commands_and_every_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_gen404");
    let Some(run) = python(&["bench", "startup", "--quick", "--program", program, "--out"], folder.path()) else {
        return;
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let found: Value = serde_json::from_slice(&std::fs::read(folder.path().join("results.json")).unwrap()).unwrap();
    assert!(found["machine"]["cores"].as_u64() >= Some(1) && found["versions"]["gen404"].is_string(), "{found}");
    let rows = found["rows"].as_array().unwrap();
    assert!(rows.len() >= 2, "{found}");
    for row in rows {
        assert_eq!(row["runs"].as_array().unwrap().len(), 11, "{row}");
        assert!(row["command"].as_str().is_some_and(|command| !command.is_empty()), "{row}");
        let is_ours = row["program"].as_str().unwrap().starts_with("gen404");
        assert_eq!(row["ratio"].is_null(), is_ours, "{row}");
    }
}

#[test]
fn an_unknown_bench_and_a_program_that_fails_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let Some(run) = python(&["bench", "starting", "--out"], folder.path()) else { return };
    assert_eq!(run.status.code(), Some(2));
    let Some(failing) = installed("false") else { return };
    let words = ["bench", "startup", "--quick", "--program", failing.to_str().unwrap(), "--out"];
    let run = python(&words, folder.path()).unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&run.stderr).contains("FAILED startup"), "{run:?}");
}

#[test]
fn a_slope_is_the_exponent_and_a_plot_the_same_each_time() {
    let check = r#"
from benches import plot
import sys
points = [(x, 3 * x**1.5) for x in (1, 10, 70, 900)]
assert abs(plot.slope(points) - 1.5) < 1e-9, plot.slope(points)
curves = [("a <b>", points), ("b", [(x, x / 7) for x, _ in points])]
picture = plot.drawn("title", "miners", "CPU seconds", curves)
assert picture == plot.drawn("title", "miners", "CPU seconds", curves)
assert "a &lt;b&gt; (slope 1.50)" in picture and "prefers-color-scheme:dark" in picture
"#;
    let folder = tempfile::tempdir().unwrap();
    let Some(run) = python(&["-Bc", check], folder.path()) else { return };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
