//! What a check found.

use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
use crate::settings::flags::env;
use crate::world::http::{Blanks, shown_url};
use crate::world::probe::Probed;

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Warn,
    Fail,
}

impl Status {
    /// In JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
        }
    }

    /// In text: its colour, and the word as wide as the others.
    pub(super) fn mark(self) -> (&'static str, &'static str) {
        match self {
            Status::Ok => ("32", "ok  "),
            Status::Warn => ("33", "warn"),
            Status::Fail => ("31;1", "fail"),
        }
    }
}

/// A line of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was checked: a part, or one thing of it after a dot.
    pub(super) name: &'static str,
    pub(super) status: Status,
    /// What was found.
    pub(super) what: String,
    /// What to do.
    pub(super) hints: Vec<String>,
}

impl Finding {
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Finding { name, status: Status::Ok, what: what.into(), hints: Vec::new() }
    }

    pub(super) fn warn(name: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Finding { name, status: Status::Warn, what: what.into(), hints: vec![hint.into()] }
    }

    pub(super) fn fail(name: &'static str, error: &Error) -> Self {
        let causes = error.causes().into_iter();
        let what = std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ");
        let mut hints = error.hints().to_vec();
        if hints.is_empty() {
            hints.push(remedy(name, error));
        }
        hints.extend(proxy(name, error, env));
        Finding { name, status: Status::Fail, what, hints }
    }

    /// What a driver's probe found.
    pub(super) fn probed(name: &'static str, probed: Result<Probed>) -> Self {
        match probed {
            Ok(Probed { said, doubt: None }) => Finding::ok(name, said),
            Ok(Probed { said, doubt: Some(doubt) }) => Finding::warn(name, said, doubt),
            Err(error) => Finding::fail(name, &error),
        }
    }

    /// The same, but no more than a warning.
    pub(super) fn tolerated(self) -> Self {
        let status = if self.status == Status::Fail { Status::Warn } else { self.status };
        Finding { status, ..self }
    }

    /// The same, without these texts.
    pub(super) fn without(self, blanks: &Blanks) -> Self {
        let hide = |text: &str| blanks.hide(text).into_owned();
        let hints = self.hints.iter().map(|hint| hide(hint)).collect();
        Finding { what: hide(&self.what), hints, ..self }
    }

    pub(super) fn json(&self) -> Value {
        let part = part(self.name);
        let hint = (!self.hints.is_empty()).then(|| self.hints.join("; "));
        json!({ "name": self.name, "part": part, "status": self.status.word(), "what": self.what, "hint": hint })
    }
}

/// The part that a line is about.
fn part(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// What to do about a part whose error does not say.
fn remedy(name: &str, error: &Error) -> String {
    let part = part(name);
    match part {
        "settings" if error.to_string().contains("line ") => {
            "mend that line; docs/settings.md explains every key".to_owned()
        }
        "settings" => "mend it: `gen404 config show` prints each setting with its origin".to_owned(),
        "files" | "pool" => "`gen404 verify` shows what is wrong with the competition's files".to_owned(),
        "lock" | "disk" | "record" => {
            "this user has to be able to write there: who owns it, and is its disk in order?".to_owned()
        }
        "git" => "`git status` and `git remote -v` in the competition's folder show more".to_owned(),
        // Nothing outside was asked: it is what was set that is wrong.
        _ if error.kind() != Kind::Outside => {
            format!("set in [{part}] of gen404.toml, by a flag or in the environment: `gen404 config show` says where")
        }
        "drand" => "[seed] drand_url in gen404.toml names another server; is this machine's network up?".to_owned(),
        "render" => "--render-service or RENDER_URL names it: is it up? without one, this machine draws".to_owned(),
        _ => format!("is it up, and this machine's network? [{part}] in gen404.toml says where it is"),
    }
}

/// The variables that name a proxy, in the order in which they count.
const PROXIES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Names the proxy between this machine and a service that cannot be reached: it may be what is down.
fn proxy(name: &str, error: &Error, env: impl Fn(&str) -> Option<String>) -> Option<String> {
    if error.kind() != Kind::Outside || ["git", "files", "disk", "lock"].contains(&part(name)) {
        return None;
    }
    let set = |name: &'static str| env(name).filter(|value| !value.trim().is_empty()).map(|value| (name, value));
    let (variable, value) = PROXIES.into_iter().find_map(set)?;
    // Without a scheme, what stands before an @ would not be told from a path.
    let value = if value.contains("://") { value } else { format!("http://{value}") };
    let shown = shown_url(value.trim());
    Some(format!("{variable} sends it through the proxy {shown}, unless NO_PROXY excepts it: is that one up?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_about_the_part_that_is_wrong() {
        let hint = |name, error: &Error| Finding::fail(name, error).hints.join("; ");
        let outside = Error::outside("no answer");
        assert!(hint("judge.models", &outside).contains("is it up") && hint("judge", &outside).contains("[judge]"));
        let wrong = hint("judge", &Error::usage("base_url: it holds credentials"));
        assert!(wrong.contains("config show") && !wrong.contains("is it up"), "{wrong}");
        assert!(hint("settings", &Error::usage("gen404.toml: line 3: unknown key `x`")).starts_with("mend that line"));
        let through = |name, error| proxy(name, error, |key| (key == "HTTP_PROXY").then(|| "me:pw@p.example:1".into()));
        let said = through("judge", &outside).unwrap();
        assert!(
            said.starts_with("HTTP_PROXY") && said.contains("http://p.example:1") && !said.contains("pw"),
            "{said}"
        );
        assert_eq!((through("git.remote", &outside), through("judge", &Error::usage("no"))), (None, None));
        assert_eq!(proxy("judge", &outside, |_| None), None);
    }
}
