//! The settings as resolved, each with where it comes from. Nothing here lists the keys: they are those that the
//! settings are written with.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::flags::{DriverArgs, Env, chain_settings, distance_settings_by, judge_settings_by, store_settings};
use super::{Config, SettingsSource};
use crate::base::error::{Error, Result};
use crate::world::http::{Blanks, Secret, shown_text, shown_url};

/// The variables that beat a key of the file.
const ENVIRONMENT: [(&str, &str); 9] = [
    ("SUBTENSOR_NETWORK", "chain.network"),
    ("NETUID", "chain.netuid"),
    ("OPENAI_BASE_URL", "judge.base_url"),
    ("R2_ENDPOINT", "store.endpoint"),
    ("R2_BUCKET", "store.bucket"),
    ("CDN_URL", "store.cdn_url"),
    ("GITHUB_REPO", "builds.repo"),
    ("IMAGE_DISTANCE_SERVICE_URL", "distance.url"),
    ("RENDER_URL", RENDERER),
];

/// The variables that hold a secret, or name a file that does with `_FILE` appended.
pub(crate) const SECRETS: [&str; 14] = [
    "OPENAI_API_KEY",
    "R2_ACCESS_KEY_ID",
    "R2_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "REGISTRY_TOKEN",
    "REGISTRY_PASSWORD",
    "TARGON_API_KEY",
    "RUNPOD_API_KEY",
    "VERDA_CLIENT_ID",
    "VERDA_CLIENT_SECRET",
    "VERDA_INFERENCE_KEY",
    "HF_TOKEN",
    "RENDER_API_KEY",
    "EMBEDDINGS_API_KEY",
];

/// The one setting without a key in the file: a flag and a variable.
const RENDERER: &str = "render_service";

/// Sections whose URLs may hold a key in their path: only the host is shown.
const SECRET_PATHS: [&str; 3] = ["chain.", "heartbeat.", "notify["];

/// URLs of services that a gateway may stand before: their path is shown only if it is plain.
const PLAIN_PATHS: [&str; 9] = [
    "judge.base_url",
    "distance.url",
    "views.url",
    "embeddings.url",
    "seed.drand_url",
    "store.endpoint",
    "builds.api_url",
    "miners.hardware_url",
    RENDERER,
];

/// The longest word of a plain path.
const LONGEST_WORD: usize = 8;

/// The longest text that is shown.
const LONGEST: usize = 400;

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nothing names it.
    Default,
    /// The file, in this line.
    File(usize),
    /// This variable.
    Environment(&'static str),
    /// This flag.
    Flag(&'static str),
}

/// A setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    /// Its key, after its section.
    pub(crate) key: String,
    /// Its value, without secrets.
    pub(crate) value: Value,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// A secret: set by which variable, if at all, or why it cannot be read.
pub(crate) type SecretState = Result<Option<String>>;

/// The settings with flags and environment applied.
///
/// # Errors
/// A variable has a senseless value.
pub(crate) fn resolved(config: &Config, args: &DriverArgs, env: Env<'_>) -> Result<Config> {
    Ok(Config {
        chain: chain_settings(&config.chain, &args.chain, env)?,
        store: store_settings(&config.store, &args.store, env),
        judge: judge_settings_by(&config.judge, &args.judge, env),
        distance: distance_settings_by(&config.distance, &args.distance, env),
        builds: config.builds.clone().with_env(env),
        ..config.clone()
    })
}

/// Every setting, in the order of the sections.
///
/// # Errors
/// A variable has a senseless value, or the file cannot be read.
pub(crate) fn all(source: &SettingsSource, config: &Config, args: &DriverArgs, env: Env<'_>) -> Result<Vec<Shown>> {
    let (none, without) = (DriverArgs::default(), |_: &str| None);
    let kept = flat(config, &none, &without)?;
    let by_env = flat(config, &none, env)?;
    let given = flat(config, args, env)?;
    let flags = flags_given(args);
    let mut by_variable = Vec::new();
    for (name, key) in ENVIRONMENT {
        let alone = |wanted: &str| env(wanted).filter(|value| wanted == name && !value.trim().is_empty());
        if alone(name).is_some() {
            by_variable.push((name, key, flat(config, &none, &alone)?));
        }
    }
    let lines = lines(source)?;
    let origin = |key: &str, value: &Value| {
        let flag = flags.iter().find(|(of, _)| *of == key);
        if flag.is_some() || by_env.get(key) != Some(value) {
            // A flag may decide other keys of its section, too.
            let section = |key: &str| key.split('.').next().map(str::to_owned);
            let flag = flag.or_else(|| flags.iter().find(|(of, _)| section(of) == section(key)));
            return Origin::Flag(flag.map_or("a flag", |(_, flag)| flag));
        }
        let variable = by_variable.iter().find(|(_, of, alone)| {
            let own = *of == key && alone.get(key) == Some(value);
            own || alone.get(key) != kept.get(key)
        });
        // What may be several tables may be a single one, without a number.
        let line = lines.get(key).or_else(|| lines.get(&key.replace("[1]", "")));
        match (variable, line) {
            (Some((name, ..)), _) => Origin::Environment(name),
            (None, Some(line)) => Origin::File(*line),
            (None, None) => Origin::Default,
        }
    };
    let shown = given.iter().map(|(key, value)| Shown {
        key: key.clone(),
        value: without_secrets(key, value),
        origin: origin(key, value),
    });
    Ok(shown.collect())
}

/// Each secret, and where it is set.
pub(crate) fn secrets(env: Env<'_>) -> Vec<(&'static str, SecretState)> {
    let given = |name: &str| env(name).is_some_and(|value| !value.trim().is_empty());
    let of = |name| {
        let by = if given(name) { name.to_owned() } else { format!("{name}_FILE") };
        Secret::from_env(env, name).map(|secret| secret.map(|_| by))
    };
    SECRETS.into_iter().map(|name| (name, of(name))).collect()
}

/// The keys that flags give, each with its flag.
fn flags_given(args: &DriverArgs) -> Vec<(&'static str, &'static str)> {
    let DriverArgs { chain, store, judge, distance, render_service } = args;
    let all = [
        (chain.chain_file.is_some(), "chain.file", "--chain-file"),
        (chain.network.is_some(), "chain.network", "--network"),
        (chain.archive.is_some(), "chain.archive", "--archive"),
        (chain.netuid.is_some(), "chain.netuid", "--netuid"),
        (store.store_dir.is_some(), "store.dir", "--store-dir"),
        (store.cdn_url.is_some(), "store.cdn_url", "--cdn-url"),
        (judge.judge_url.is_some(), "judge.base_url", "--judge-url"),
        (judge.model.is_some(), "judge.model", "--model"),
        (judge.question.is_some(), "judge.question", "--question"),
        (judge.inline_images, "judge.inline_images", "--inline-images"),
        (distance.driver.is_some(), "distance.driver", "--distance"),
        (distance.distance_url.is_some(), "distance.url", "--distance-url"),
        (distance.weights.is_some(), "distance.weights", "--weights"),
        (distance.device.is_some(), "distance.device", "--device"),
        // clap gives the variable's value as the flag's: which of them it was decides the command line.
        (render_service.is_some() && is_on_the_command_line("--render-service"), RENDERER, "--render-service"),
    ];
    all.into_iter().filter(|(given, ..)| *given).map(|(_, key, flag)| (key, flag)).collect()
}

fn is_on_the_command_line(flag: &str) -> bool {
    std::env::args_os().any(|arg| arg.to_string_lossy().split('=').next() == Some(flag))
}

/// The settings by key, with flags and environment applied.
fn flat(config: &Config, args: &DriverArgs, env: Env<'_>) -> Result<Map<String, Value>> {
    let written = serde_json::to_value(resolved(config, args, env)?);
    let written = written.map_err(|why| Error::failed("the settings cannot be written").because(why))?;
    let renderer = args.render_service.clone().or_else(|| env("RENDER_URL"));
    let renderer = renderer.filter(|url| !url.trim().is_empty());
    let mut found = Map::from_iter([(RENDERER.to_owned(), Value::from(renderer))]);
    collect("", &written, &mut found);
    Ok(found)
}

fn collect(prefix: &str, value: &Value, found: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            let dot = if prefix.is_empty() { "" } else { "." };
            members.iter().for_each(|(key, value)| collect(&format!("{prefix}{dot}{key}"), value, found));
        }
        Value::Array(tables) if tables.iter().any(Value::is_object) => {
            tables.iter().zip(1..).for_each(|(table, at)| collect(&numbered(prefix, at), table, found));
        }
        value => drop(found.insert(prefix.to_owned(), value.clone())),
    }
}

/// The name of the table at this place, counted from 1, among several of one name.
fn numbered(name: &str, at: usize) -> String {
    format!("{name}[{at}]")
}

/// The line of each key in the file.
fn lines(source: &SettingsSource) -> Result<BTreeMap<String, usize>> {
    let mut found = BTreeMap::new();
    // A text that does not parse was refused before.
    if let Some((_, text)) = source.read()?
        && let Ok(table) = DeTable::parse(&text)
    {
        collect_lines("", &text, table.get_ref(), &mut found);
    }
    Ok(found)
}

fn collect_lines(prefix: &str, text: &str, table: &DeTable<'_>, found: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let dot = if prefix.is_empty() { "" } else { "." };
        let path = format!("{prefix}{dot}{}", key.get_ref());
        let before = text.get(..key.span().start).unwrap_or_default();
        match value.get_ref() {
            DeValue::Table(inner) => collect_lines(&path, text, inner, found),
            DeValue::Array(values) if values.iter().any(|value| value.get_ref().is_table()) => {
                for (value, at) in values.iter().zip(1..) {
                    if let DeValue::Table(inner) = value.get_ref() {
                        collect_lines(&numbered(&path, at), text, inner, found);
                    }
                }
            }
            _ => drop(found.insert(path, before.matches('\n').count() + 1)),
        }
    }
}

/// A value as it may be shown.
fn without_secrets(key: &str, value: &Value) -> Value {
    match value {
        Value::Array(values) => {
            let texts = values.iter().enumerate().map(|(at, value)| {
                let before = at.checked_sub(1).and_then(|at| values.get(at)).and_then(Value::as_str);
                match (value.as_str(), before) {
                    (Some(text), _) if text.starts_with("--env=") => Value::from(without_value(text, 2)),
                    (Some(text), Some("-e" | "--env")) => Value::from(without_value(text, 1)),
                    _ => without_secrets(key, value),
                }
            });
            Value::Array(texts.collect())
        }
        Value::String(text) => {
            let parts: Vec<String> = text.split(',').map(|part| shown(key, part)).collect();
            Value::String(shown_text(&parts.join(","), LONGEST))
        }
        other => other.clone(),
    }
}

/// An argument of docker that sets a variable, without what it is set to.
fn without_value(text: &str, parts: usize) -> String {
    let kept: Vec<&str> = text.split('=').take(parts).collect();
    let rest = if text.split('=').count() > parts { "=***" } else { "" };
    shown_text(&format!("{}{rest}", kept.join("=")), LONGEST)
}

fn shown(key: &str, text: &str) -> String {
    if !text.contains("://") && !text.contains('@') {
        return text.to_owned();
    }
    let url = shown_url(text);
    let host_only = SECRET_PATHS.iter().any(|section| key.starts_with(section));
    let path = url.split_once("://").and_then(|(scheme, rest)| Some(scheme.len() + 3 + rest.find('/')?));
    let hides = |at: usize| host_only || (PLAIN_PATHS.contains(&key) && !is_plain(url.get(at..).unwrap_or_default()));
    match path.filter(|at| url.len() > at + 1 && hides(*at)) {
        Some(at) => format!("{}/…", url.get(..at).unwrap_or_default()),
        None => url,
    }
}

/// A path of short words, such as `/api/v1`, which no key is.
fn is_plain(path: &str) -> bool {
    path.split('/').all(is_word)
}

fn is_word(part: &str) -> bool {
    part.len() <= LONGEST_WORD && part.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The parts of services' URLs that may be keys: they are blanked where a service's answer is shown.
pub(crate) fn keys_in_paths(config: &Config, renderer: Option<&str>) -> Blanks {
    let Config { judge, distance, views, embeddings, seed, store, builds, pods, .. } = config;
    let urls = [
        judge.base_url.as_deref(),
        distance.url.as_deref(),
        views.url.as_deref(),
        embeddings.url.as_deref(),
        seed.drand_url.as_deref(),
        store.endpoint.as_deref(),
        Some(builds.api_url.as_str()),
        pods.endpoint.url.as_deref(),
        renderer,
    ];
    let mut blanks = Blanks::default();
    for url in urls.into_iter().flatten() {
        let shown = shown_url(url);
        let path = shown.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        // What stands in braces is filled in.
        let keys = path.split('/').filter(|part| !is_word(part) && !part.contains('{'));
        keys.for_each(|key| blanks.add_whole(key));
    }
    blanks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(text: &str, args: &DriverArgs, env: Env<'_>) -> BTreeMap<String, Origin> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.toml");
        std::fs::write(&path, text).unwrap();
        let source = SettingsSource::Named(path);
        let config = Config::load(&source).unwrap();
        let all = all(&source, &config, args, env).unwrap();
        all.into_iter().map(|shown| (shown.key, shown.origin)).collect()
    }

    #[test]
    fn each_variable_beats_its_key_and_no_other() {
        let none = origins("", &DriverArgs::default(), &|_| None);
        assert!(none.len() > 90 && none.values().all(|origin| *origin == Origin::Default), "{none:#?}");
        for (name, key) in ENVIRONMENT {
            let value = if name == "NETUID" { "3" } else { "https://a.example" };
            let one = |wanted: &str| (wanted == name).then(|| value.to_owned());
            let found = origins("", &DriverArgs::default(), &one);
            let changed: Vec<_> = found.iter().filter(|(_, origin)| **origin != Origin::Default).collect();
            assert_eq!(changed, [(&key.to_owned(), &Origin::Environment(name))]);
        }
    }

    #[test]
    fn a_flag_beats_a_variable_which_beats_the_file() {
        let text = "[chain]\nnetwork = 'finney'\n\n[judge]\nmodel = 'm'\n[pods.docker]\nat_once = 2\n";
        let env = |name: &str| match name {
            "SUBTENSOR_NETWORK" => Some("test".to_owned()),
            // The same as by default is given all the same.
            "NETUID" => Some("17".to_owned()),
            _ => None,
        };
        let mut args = DriverArgs::default();
        args.distance.distance_url = Some("http://d.example".to_owned());
        let found = origins(text, &args, &env);
        assert_eq!(found["chain.network"], Origin::Environment("SUBTENSOR_NETWORK"));
        assert_eq!(found["chain.netuid"], Origin::Environment("NETUID"));
        assert_eq!((&found["judge.model"], &found["pods.docker.at_once"]), (&Origin::File(5), &Origin::File(7)));
        // It also chooses the driver.
        assert_eq!(
            (&found["distance.url"], &found["distance.driver"]),
            (&Origin::Flag("--distance-url"), &Origin::Flag("--distance-url"))
        );
        args.chain.network = Some("local".to_owned());
        assert_eq!(origins(text, &args, &env)["chain.network"], Origin::Flag("--network"));
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = |key: &str, value: Value| without_secrets(key, &value).to_string();
        assert_eq!(shown("judge.base_url", "https://me:pw@x.org/v1?key=k".into()), "\"https://x.org/v1\"");
        assert_eq!(shown("chain.network", "wss://x.org/hunter2,finney".into()), "\"wss://x.org/…,finney\"");
        assert_eq!(shown("chain.network", "wss://x.org:443".into()), "\"wss://x.org:443\"");
        for (url, expected) in [
            ("https://x.org/sk-hunter2/v1", "https://x.org/…"),
            ("https://x.org/0123456789abcdef", "https://x.org/…"),
            ("https://x.org/openai/v1/", "https://x.org/openai/v1/"),
            ("https://x.org/", "https://x.org/"),
        ] {
            assert_eq!(shown("judge.base_url", url.into()), format!("\"{expected}\""));
        }
        assert_eq!(shown("store.cdn_url", "https://x.org/competition".into()), "\"https://x.org/competition\"");
        let args = serde_json::json!(["-e", "A=hunter2", "--env=B=hunter2", "--env", "C", "--shm-size=8g"]);
        let plain = r#"["-e","A=***","--env=B=***","--env","C","--shm-size=8g"]"#;
        assert_eq!(shown("pods.docker.args", args), plain);
    }
}
