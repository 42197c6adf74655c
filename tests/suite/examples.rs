//! The operators' examples: the command lines in them are ones that the program takes.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use gen404::cli::Cli;

/// The files with command lines, and how many there are at least in each.
const FILES: [(&str, usize); 5] = [
    ("examples/crontab", 2),
    ("examples/systemd/gen404-advance.service", 1),
    ("examples/github-actions/verify.yml", 3),
    ("examples/github-actions/pages.yml", 2),
    ("examples/kubernetes/indexed-job.yaml", 1),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The command lines in a text: from the program's name to the end of the command.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let is_program =
        |word: &str| word == "gen404" || word.ends_with("/bin/gen404") || word == "ExecStart=/usr/local/bin/gen404";
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for command in line.split("&&").flat_map(|part| part.split("||")) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let Some(at) = words.iter().position(|word| is_program(word)) else { continue };
            let known = |word: &&str| {
                let shard = word.replace("$JOB_COMPLETION_INDEX", "3").replace("$SHARDS", "4");
                shard.replace("\"$EXPECTED_COMMIT\"", "0123456")
            };
            let args: Vec<String> = words[at + 1..].iter().map(known).collect();
            if args.first().is_some_and(|word| word.starts_with("--")) {
                found.push(args);
            }
        }
    }
    found
}

#[test]
fn every_command_line_of_the_examples_is_taken() {
    for (file, least) in FILES {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        let lines = command_lines(&text);
        assert!(lines.len() >= least, "{file}: {lines:?}");
        for args in lines {
            let parsed = Cli::try_parse_from(std::iter::once("gen404".to_owned()).chain(args.iter().cloned()));
            parsed.unwrap_or_else(|e| panic!("{file}: gen404 {}\n{e}", args.join(" ")));
        }
    }
}

/// What a step of a workflow runs, by the step's name.
fn step(workflow: &str, name: &str) -> String {
    let step = workflow.split(&format!("- name: {name}\n")).nth(1).expect("the step");
    let lines = step.split("run: |\n").nth(1).expect("its script").lines();
    lines.take_while(|line| line.starts_with("          ")).map(|line| format!("{}\n", line.trim_start())).collect()
}

#[test]
#[cfg(unix)]
fn a_workflow_without_the_sum_of_its_program_says_so() {
    for file in ["verify.yml", "pages.yml"] {
        let text = std::fs::read_to_string(root().join("examples/github-actions").join(file)).unwrap();
        // Nothing else is run: there is no program to fetch anything with.
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-e", "-c", &step(&text, "Install gen404")]).env_clear();
        shell.envs([("PATH", "/nowhere"), ("GEN404_VERSION", "0.1.0"), ("GEN404_SHA256", "")]);
        let run = shell.output().unwrap();
        let said = String::from_utf8(run.stdout).unwrap();
        assert_eq!((run.status.code(), run.stderr.as_slice()), (Some(1), b"".as_slice()), "{file}: {said}");
        let one = "::error::GEN404_SHA256 in this workflow is empty: fill in the sum of gen404-0.1.0-x86_64-unknown-linux-musl";
        assert!(said.starts_with(one) && said.lines().count() == 1, "{file}: {said}");
    }
}

#[test]
fn man_pages_and_completions_are_installed_where_they_are_looked_for() {
    let prefix = tempfile::tempdir().unwrap();
    let install = std::process::Command::new(root().join("scripts/install-docs")).arg(prefix.path()).output().unwrap();
    assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
    for file in [
        "share/man/man1/gen404-verify.1",
        "share/bash-completion/completions/gen404",
        "share/zsh/site-functions/_gen404",
        "share/fish/vendor_completions.d/gen404.fish",
    ] {
        assert!(Path::new(prefix.path()).join(file).is_file(), "{file}");
    }
}
