//! What is written down agrees with the program: man pages, completions, README.

use std::path::Path;
use std::process::Command;

use crate::support::{gen404, tree};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn man_pages_are_those_of_the_command_tree() {
    let folder = tempfile::tempdir().unwrap();
    gen404(folder.path(), &["man", "--out", "man"]).ends(0);
    let (made, kept) = (tree(&folder.path().join("man")), tree(&root().join("man")));
    assert!(made == kept, "run scripts/generate");
}

#[test]
fn completions_are_those_of_the_command_tree() {
    for (shell, file) in [("bash", "gen404.bash"), ("zsh", "_gen404"), ("fish", "gen404.fish")] {
        let made = gen404(root(), &["completions", shell]).ends(0).out;
        let kept = std::fs::read_to_string(root().join("completions").join(file)).unwrap();
        assert!(made == kept, "{file}: run scripts/generate");
    }
}

#[test]
fn every_command_of_the_readme_runs() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut ran = 0;
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines().filter_map(|line| line.strip_prefix("$ gen404 ")) {
            let args: Vec<&str> = line.split_whitespace().collect();
            let run = Command::new(env!("CARGO_BIN_EXE_gen404")).args(&args).current_dir(root()).output().unwrap();
            assert!(run.status.success(), "gen404 {line}: {}", String::from_utf8_lossy(&run.stderr));
            ran += 1;
        }
    }
    assert!(ran >= 3, "only {ran} commands in the README");
}

#[test]
fn the_readme_knows_every_command_and_check() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let help = gen404(root(), &["--help"]).ends(0).out;
    let commands = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    for command in commands.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        assert!(readme.contains(&format!("`{command}`")), "README.md does not speak of `{command}`");
    }
    for (id, claim) in gen404::rules::checks::IDS {
        assert!(readme.contains(&format!("`{id}`")), "README.md does not speak of {id} ({claim})");
    }
}
