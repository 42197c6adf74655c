//! Every JSON output is as `docs/schemas/` says: one file a command, draft 2020-12.
//!
//! The checker knows the keywords that these schemas use, and stops at any other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::models;
use crate::support::{example, gen404, git, skipped};

type Names = BTreeSet<String>;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

fn load(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(file)).unwrap()).unwrap()
}

/// What every output has, however the command ended.
const KEYS: [&str; 17] = [
    "schema",
    "version",
    "commit",
    "settings",
    "dry_run",
    "did",
    "files",
    "possible_files",
    "commits",
    "waits",
    "warnings",
    "next",
    "details",
    "error",
    "causes",
    "hints",
    "exit",
];

/// The output of a command is as its schema says, and names that schema.
#[track_caller]
pub fn check(command: &str, output: &Value) {
    let file = format!("{command}.json");
    let schema = load(&file);
    assert_eq!(output["schema"], format!("gen404/{command}/2"), "{output:#}");
    let keys: Vec<&str> = output.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, KEYS, "one shape for all: {output:#}");
    if let Err(why) = valid(&file, &schema, output, command) {
        panic!("{why}\n{output:#}");
    }
}

/// A file of the report is as its schema says.
#[track_caller]
pub fn check_file(schema: &str, data: &Value) {
    let file = format!("report/{schema}.json");
    if let Err(why) = valid(&file, &load(&file), data, schema) {
        panic!("{why}\n{data:#}");
    }
}

/// A receipt is as its schema says.
#[track_caller]
pub fn check_receipt(receipt: &Value) {
    if let Err(why) = valid("receipt.json", &load("receipt.json"), receipt, "receipt") {
        panic!("{why}\n{receipt:#}");
    }
}

/// The properties of an object that a schema has looked at; what is wrong where it does not hold.
fn valid(file: &str, schema: &Value, value: &Value, at: &str) -> Result<Names, String> {
    let mut seen = Names::new();
    let fails = |what: &str| Err(format!("{at}: {what}: {value}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "then" | "unevaluatedProperties" => true,
            "$ref" => {
                let (other, pointer) = rule.as_str().unwrap().split_once('#').unwrap_or((rule.as_str().unwrap(), ""));
                let other = match (other, file.rsplit_once('/')) {
                    ("", _) => file.to_owned(),
                    (other, Some((folder, _))) => format!("{folder}/{other}"),
                    (other, None) => other.to_owned(),
                };
                let (other, whole) = (other.as_str(), load(&other));
                seen.extend(valid(other, whole.pointer(pointer).expect("a definition"), value, at)?);
                true
            }
            "allOf" => {
                for part in rule.as_array().unwrap() {
                    seen.extend(valid(file, part, value, at)?);
                }
                true
            }
            "anyOf" => rule.as_array().unwrap().iter().any(|part| valid(file, part, value, at).is_ok()),
            "not" => valid(file, rule, value, at).is_err(),
            "if" => {
                if let Ok(names) = valid(file, rule, value, at) {
                    seen.extend(names);
                    seen.extend(valid(file, &schema["then"], value, at)?);
                }
                true
            }
            "type" => types(rule).any(|name| is_of(value, name)),
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= rule.as_u64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap()),
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "dependentRequired" => rule.as_object().unwrap().iter().all(|(name, needs)| {
                let needed = needs.as_array().unwrap().iter();
                value.get(name).is_none() || needed.clone().all(|other| value.get(other.as_str().unwrap()).is_some())
            }),
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    valid(file, rule, item, &format!("{at}[{place}]"))?;
                }
                true
            }
            "properties" => {
                for (name, part) in rule.as_object().unwrap() {
                    if let Some(item) = value.get(name) {
                        valid(file, part, item, &format!("{at}.{name}"))?;
                        seen.insert(name.clone());
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (name, item) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(name)) {
                        continue;
                    }
                    if rule == &json!(false) {
                        return fails(&format!("{name:?} is not known"));
                    }
                    valid(file, rule, item, &format!("{at}.{name}"))?;
                }
                true
            }
            other => panic!("{file}: the keyword {other:?} is not known to this checker"),
        };
        if !holds {
            return fails(&format!("not as {keyword} {rule} says"));
        }
    }
    if schema.get("unevaluatedProperties") == Some(&json!(false)) {
        let unknown: Vec<_> = value.as_object().unwrap().keys().filter(|name| !seen.contains(*name)).collect();
        if !unknown.is_empty() {
            return fails(&format!("not known: {unknown:?}"));
        }
    }
    Ok(seen)
}

fn types(rule: &Value) -> impl Iterator<Item = &str> {
    let list = rule.as_array().map(Vec::as_slice).unwrap_or(std::slice::from_ref(rule));
    list.iter().map(|name| name.as_str().unwrap())
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("the type {other:?} is not known to this checker"),
    }
}

#[test]
fn the_checker_refuses_what_is_not_as_the_schema_says() {
    let folder = example(false);
    let good = gen404(folder.path(), &["leader", "--json", "--block", "714400"]).ends(0).json();
    check("leader", &good);
    let schema = load("leader.json");
    let refused = |change: fn(&mut Value)| {
        let mut bad = good.clone();
        change(&mut bad);
        valid("leader.json", &schema, &bad, "leader").unwrap_err()
    };
    assert!(refused(|bad| bad["odd"] = json!(1)).contains("not known: [\"odd\"]"));
    assert!(refused(|bad| drop(bad.as_object_mut().unwrap().remove("commit"))).contains("required"));
    assert!(refused(|bad| drop(bad["details"].as_object_mut().unwrap().remove("weights"))).contains("required"));
    assert!(refused(|bad| bad["details"]["block"] = json!("714400")).contains("leader.details.block"));
    assert!(
        refused(|bad| bad["details"]["newest_entry"]["hotkey"] = json!("short"))
            .contains("leader.details.newest_entry")
    );
    assert!(refused(|bad| bad["exit"] = json!(11)).contains("maximum"));
    assert!(refused(|bad| drop(bad.as_object_mut().unwrap().remove("waits"))).contains("required"));
    assert!(refused(|bad| bad["error"] = json!(1)).contains("leader.error"));
}

#[test]
fn there_is_a_schema_for_every_command() {
    let mut commands: BTreeSet<String> = <gen404::cli::Cli as clap::CommandFactory>::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    commands.extend(["common", "error", "receipt", "version"].map(str::to_owned));
    // The folder in it has those of the report's files.
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file());
    let files = files.map(|entry| entry.file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.map(|name| name.strip_suffix(".json").unwrap().to_owned()).collect();
    assert_eq!(files, commands);
    for name in files {
        assert_eq!(load(&format!("{name}.json"))["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).unwrap();
    assert!(page.contains("(schemas)") || page.contains("(schemas/)"), "docs/json.md links them");
}

#[test]
fn the_version_says_what_the_program_was_built_from() {
    let folder = tempfile::tempdir().unwrap();
    for args in [["--version", "--json"], ["--json", "-V"]] {
        let output = gen404(folder.path(), &args).ends(0).json();
        check("version", &output);
        assert_eq!(output["version"], env!("CARGO_PKG_VERSION"));
        let target = output["details"]["target"].as_str().unwrap();
        assert!(target.contains(std::env::consts::ARCH) && target.contains(std::env::consts::OS), "{target}");
        let features = output["details"]["features"].as_array().unwrap();
        assert_eq!(features.iter().any(|feature| feature == "dinov3"), cfg!(feature = "dinov3"));
    }
    assert_eq!(gen404(folder.path(), &["--version"]).ends(0).out.trim(), concat!("gen404 ", env!("CARGO_PKG_VERSION")));
}

/// The stage commands are checked where the sandbox is played: see `dry_runs`.
#[test]
fn what_needs_no_round_answers_as_its_schema_says() {
    let folder = example(false);
    let here = folder.path();
    std::fs::write(here.join("a.glb"), models::coloured()).unwrap();
    std::fs::write(here.join("bad.glb"), b"no model").unwrap();
    std::fs::write(here.join("pool.txt"), "https://p.example.org/1.png\n").unwrap();
    let ran = |code: i32, args: &[&str]| {
        let output = gen404(here, &[&["--json"], args].concat()).ends(code).json();
        assert_eq!(output["exit"], code, "{output:#}");
        check(args[0], &output);
        output
    };
    ran(0, &["status"]);
    ran(0, &["status", "--block", "714400", "--now", "2026-03-04T08:00:00Z"]);
    ran(2, &["leader"]);
    ran(0, &["leader", "--block", "714400"]);
    assert_eq!(ran(0, &["verify"])["commit"], Value::Null);
    ran(0, &["man"]);
    assert!(ran(0, &["completions", "bash"])["details"]["text"].as_str().unwrap().contains("_gen404"));
    let drawn = ran(2, &["render", "a.glb", "bad.glb", "gone.glb", "--size", "32", "-o", "out"]);
    assert_eq!(drawn["files"], json!(["out/a.png"]));
    ran(0, &["distance", "out/a.png", "out/a.png", "--distance", "pixels"]);
    let dry =
        ran(0, &["judge", "out/a.png", "out/a.png", "out/a.png", "--judge-url", "http://127.0.0.1:9/v1", "--dry-run"]);
    assert!(dry["did"][0].as_str().unwrap().starts_with("would ask "), "{dry}");
    assert_eq!(ran(0, &["pause"])["files"], json!(["state.json"]));
    ran(0, &["resume"]);
    ran(0, &["resume"]);
    assert_eq!(ran(0, &["log"])["details"]["runs"].as_array().unwrap().len(), 3);
    // Failures: of every kind, and before there is a command.
    assert_eq!(ran(2, &["verify", "--round", "77"])["error"], "round 77 is not here: rounds are 0 to 2");
    let early = ran(3, &["duel"]);
    assert_eq!((&early["error"], early["waits"].as_array().unwrap().len()), (&Value::Null, 1), "{early:#}");
    ran(3, &["baseline"]);
    ran(2, &["status", "--repo", "nowhere"]);
    check("error", &gen404(here, &["--json", "nonsense"]).ends(2).json());
    check("error", &gen404(here, &["status", "--json", "--block", "x"]).ends(2).json());
}

#[test]
fn an_answer_names_the_commit_and_the_settings_that_it_rests_on() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    let folder = example(true);
    let here = folder.path();
    let head = git(here, &["rev-parse", "HEAD"]);
    let verified = gen404(here, &["verify", "--json"]).ends(0).json();
    let [commit, settings] = ["commit", "settings"].map(|key| verified[key].clone());
    assert_eq!((commit, settings, &verified["version"]), (json!(head), Value::Null, &json!(env!("CARGO_PKG_VERSION"))));
    std::fs::write(here.join("gen404.toml"), "").unwrap();
    let own = here.canonicalize().unwrap().join("gen404.toml");
    assert_eq!(gen404(here, &["verify", "--json"]).ends(0).json()["settings"], json!(own));
    std::fs::write(here.join(".git/other.toml"), "").unwrap();
    let named = gen404(here, &["status", "--json", "--config", ".git/other.toml"]).ends(0).json();
    assert_eq!(named["settings"], ".git/other.toml");
    // What a command commits is what is checked out after it.
    let mut pause = crate::support::command(here);
    crate::support::as_somebody(&mut pause);
    let paused = pause.args(["pause", "--commit", "--json"]).output().unwrap();
    let paused: Value = serde_json::from_slice(&paused.stdout).unwrap();
    check("pause", &paused);
    assert_eq!(
        (&paused["commit"], &paused["commits"]),
        (&json!(git(here, &["rev-parse", "HEAD"])), &json!([paused["commit"]]))
    );
}

/// How often each command has been seen to succeed, by name.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<String, usize>);

impl Coverage {
    /// Checks an output, and counts it.
    #[track_caller]
    pub fn check(&mut self, command: &str, output: &Value) {
        check(command, output);
        let told = output["error"].is_null() && output["waits"] == json!([]);
        if told && output["dry_run"] == json!(false) {
            *self.0.entry(command.to_owned()).or_default() += 1;
        }
    }

    pub fn covers(&self, commands: &[&str]) {
        let missing: Vec<_> = commands.iter().filter(|command| !self.0.contains_key(**command)).collect();
        assert!(missing.is_empty(), "no output was checked of {missing:?}");
    }
}
