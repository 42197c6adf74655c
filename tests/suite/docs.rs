//! What is written down agrees with the program: man pages, completions, README.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use clap::Parser as _;
use gen404::cli::Cli;

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

/// Names of the environment in this text that hold a secret.
fn secrets(text: &str) -> BTreeSet<String> {
    let ends = ["_KEY", "_KEY_ID", "_TOKEN", "_SECRET", "_PASSWORD", "CLIENT_ID"];
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let names = text.split('"').filter(|name| is_name(name) && ends.iter().any(|end| name.ends_with(end)));
    names.map(str::to_owned).collect()
}

#[test]
fn the_readme_names_every_secret() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut named = BTreeSet::new();
    for (path, bytes) in tree(&root().join("src")) {
        let text = String::from_utf8(bytes).unwrap();
        for name in secrets(text.split("#[cfg(test)]").next().unwrap()) {
            assert!(readme.contains(&format!("`{name}`")), "{}: {name} is not in the README", path.display());
            named.insert(name);
        }
    }
    assert!(named.len() >= 10, "{named:?}");
    assert!(readme.contains("`_FILE`"));
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

/// The fenced blocks of the README, each with its kind.
fn blocks(readme: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = readme.split("```").collect();
    parts.iter().skip(1).step_by(2).filter_map(|block| block.split_once('\n')).collect()
}

#[test]
fn every_block_of_the_readme_is_run_somewhere_or_read_here() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    // Who runs a block of shell lines: this test looks for a line of each.
    let run_elsewhere = ["cargo run -- sandbox", "gen404 --commit reveal-seed", "scripts/libtorch"];
    let mut kinds = BTreeSet::new();
    for (kind, text) in blocks(&readme) {
        kinds.insert(kind);
        match kind {
            // By the test above.
            "console" => assert!(text.lines().all(|line| line.starts_with("$ gen404 ")), "{text}"),
            "toml" => drop(gen404::settings::Config::parse(text).unwrap()),
            "crontab" => {
                let command = text.trim().strip_prefix("* * * * * ").unwrap();
                Cli::try_parse_from(command.split_whitespace()).unwrap();
            }
            // By .ci/run, and by the sandbox's test.
            "sh" => assert!(run_elsewhere.iter().any(|line| text.contains(line)), "nobody runs:\n{text}"),
            other => panic!("a block of {other:?}"),
        }
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["console", "crontab", "sh", "toml"]);
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

/// The keys that the program knows in a section, as its own complaint about an unknown one lists
/// them; `None` where the section is no table.
fn known_keys(section: &str) -> Option<Vec<String>> {
    let header = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
    let why = gen404::settings::Config::parse(&format!("{header}no-such-key = 1\n")).unwrap_err().to_string();
    let expected = why.split("unknown field `no-such-key`, expected").nth(1)?;
    Some(expected.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

fn collect_known(section: &str, found: &mut BTreeSet<String>) {
    for key in known_keys(section).unwrap_or_default() {
        let path = if section.is_empty() { key } else { format!("{section}.{key}") };
        if known_keys(&path).is_some() {
            collect_known(&path, found);
        } else {
            found.insert(path);
        }
    }
}

fn collect_given(prefix: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => collect_given(&path, inner, found),
            _ => {
                found.insert(path);
            }
        }
    }
}

#[test]
fn the_example_settings_explain_every_key() {
    let text = std::fs::read_to_string(root().join("examples/gen404.toml")).unwrap();
    gen404::settings::Config::parse(&text).unwrap();
    // `#key = value` and `#[section]` are optional: what they would say has to be right as well.
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])).unwrap_or(line))
        .collect();
    let uncommented = uncommented.join("\n");
    gen404::settings::Config::parse(&uncommented).unwrap();
    let (mut known, mut given) = (BTreeSet::new(), BTreeSet::new());
    collect_known("", &mut known);
    collect_given("", &toml::from_str(&uncommented).unwrap(), &mut given);
    assert!(known.len() > 60, "{known:?}");
    assert_eq!(given, known);
    for line in uncommented.lines().filter(|line| line.contains(" = ") && !line.trim_start().starts_with('#')) {
        assert!(line.contains("  # "), "not explained: {line}");
    }
}
