//! `gen404 config show`: the settings as resolved, each with its origin.

use serde_json::{Value, json};

use crate::base::error::Result;
use crate::cli::{ConfigArgs, ConfigCommand, Global};
use crate::engine::context::source_here;
use crate::settings::flags::{DriverArgs, env};
use crate::settings::origins::{Origin, SecretState, Shown, all, secrets};
use crate::settings::{Config, SettingsSource};
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &ConfigArgs, report: &mut Report) -> Result<()> {
    let ConfigCommand::Show(drivers) = &args.what;
    show(&source_here(global, ui)?, drivers, report)
}

fn show(source: &SettingsSource, drivers: &DriverArgs, report: &mut Report) -> Result<()> {
    let config = Config::load(source)?;
    let file = source.path().map(|path| path.display().to_string());
    report.basis.settings.clone_from(&file);
    let (settings, secrets) = (all(source, &config, drivers, &env)?, secrets(&env));
    report.say(match &file {
        Some(file) => format!("# settings: {file}"),
        None => "# settings: no file".to_owned(),
    });
    let mut section = "";
    // A key without a table comes before the first one.
    let (top, others): (Vec<&Shown>, Vec<&Shown>) = settings.iter().partition(|setting| !setting.key.contains('.'));
    for setting in top.into_iter().chain(others) {
        let (of, key) = setting.key.rsplit_once('.').unwrap_or(("", &setting.key));
        if of != section {
            report.say("");
            report.say(match of.split_once('[') {
                Some((name, _)) => format!("[[{name}]]"),
                None => format!("[{of}]"),
            });
            section = of;
        }
        report.say(line(key, setting));
    }
    report.say("");
    report.say("# secrets");
    secrets.iter().for_each(|(name, state)| report.say(format!("# {name}: {}", said(state))));
    report.detail(json!({
        "file": file,
        "settings": settings.iter().map(as_json).collect::<Vec<_>>(),
        "secrets": secrets.iter().map(|(name, state)| secret_json(name, state)).collect::<Vec<_>>(),
    }));
    Ok(())
}

/// A setting as a line of TOML.
fn line(key: &str, setting: &Shown) -> String {
    let origin = match setting.origin {
        Origin::Default if setting.value.is_null() => return format!("#{key} =  # not set"),
        Origin::Default => "default".to_owned(),
        Origin::File(line) => format!("line {line}"),
        Origin::Environment(name) => name.to_owned(),
        Origin::Flag(flag) => flag.to_owned(),
    };
    match setting.value.is_null() {
        true => format!("#{key} =  # not set: {origin}"),
        false => format!("{key} = {}  # {origin}", setting.value),
    }
}

fn as_json(Shown { key, value, origin }: &Shown) -> Value {
    let (origin, from) = match origin {
        Origin::Default => ("default", Value::Null),
        Origin::File(line) => ("file", json!(line)),
        Origin::Environment(name) => ("environment", json!(name)),
        Origin::Flag(flag) => ("flag", json!(flag)),
    };
    json!({ "key": key, "value": value, "origin": origin, "from": from })
}

fn said(state: &SecretState) -> String {
    match state {
        Ok(Some(by)) => format!("set, by {by}"),
        Ok(None) => "not set".to_owned(),
        Err(why) => format!("not readable: {why}"),
    }
}

fn secret_json(name: &str, state: &SecretState) -> Value {
    let by = state.as_ref().ok().and_then(Option::as_ref);
    let problem = state.as_ref().err().map(ToString::to_string);
    json!({ "name": name, "set": by.is_some(), "from": by, "problem": problem })
}
