//! What a check found.

use serde_json::{Value, json};

use crate::base::error::{Error, Result};
use crate::world::http::Blanks;
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
        let hints = error.hints().to_vec();
        let hints = if hints.is_empty() { vec![remedy(name)] } else { hints };
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
        let part = self.name.split('.').next();
        let hint = (!self.hints.is_empty()).then(|| self.hints.join("; "));
        json!({ "name": self.name, "part": part, "status": self.status.word(), "what": self.what, "hint": hint })
    }
}

/// What to do about a part whose error does not say.
fn remedy(name: &str) -> String {
    let part = name.split('.').next().unwrap_or(name);
    match part {
        "settings" => "mend it: `gen404 config show` prints each setting with its origin".to_owned(),
        "files" | "pool" => "`gen404 verify` shows what is wrong with the competition's files".to_owned(),
        "lock" | "disk" => "this user has to be able to write there: who owns it, and is its disk in order?".to_owned(),
        "git" => "`git status` and `git remote -v` in the competition's folder show more".to_owned(),
        "drand" => "[seed] drand_url in gen404.toml names another server; is this machine's network up?".to_owned(),
        "render" => "--render-service or RENDER_URL names it: is it up? without one, this machine draws".to_owned(),
        _ => format!("is it up, and this machine's network? [{part}] in gen404.toml says where it is"),
    }
}
