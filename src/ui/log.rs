//! Lines of output: plain, or for logs with a UTC time, as text or as JSON.

use std::io::Write as _;

use chrono::Utc;
use serde_json::{Map, Value, json};

/// How lines are written to logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// The same lines, each after its time.
    Text,
    /// A JSON object a line.
    Json,
}

/// How this command's lines are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// Without one, lines carry no time.
    pub(super) format: Option<LogFormat>,
    /// The command's name.
    pub(super) command: String,
}

impl Log {
    /// Writes a line: `mark` is a word before it, such as `warning: `, and `level` says the same in JSON.
    pub(super) fn line(&self, level: &str, mark: &str, text: &str) {
        self.entry(level, &format!("{mark}{text}"), &json!({ "message": text }));
    }

    /// Writes the lines of one event on stderr: as text, or as these members of a JSON object.
    pub(super) fn entry(&self, level: &str, text: &str, members: &Value) {
        // One write a line, so that the lines of two processes do not mix.
        let _ = std::io::stderr().write_all(self.written(level, text, members).as_bytes());
    }

    /// The lines of one event, each with its end.
    pub(super) fn written(&self, level: &str, text: &str, members: &Value) -> String {
        let now = || Utc::now().format("%FT%TZ");
        match self.format {
            None => format!("{text}\n"),
            Some(LogFormat::Text) => {
                let now = now();
                text.lines().map(|line| format!("{now} {line}\n")).collect()
            }
            Some(LogFormat::Json) => {
                let mut line = Map::new();
                line.insert("time".to_owned(), json!(now().to_string()));
                line.insert("level".to_owned(), json!(level));
                line.insert("command".to_owned(), json!(self.command));
                line.extend(members.as_object().cloned().unwrap_or_default());
                format!("{}\n", Value::Object(line))
            }
        }
    }
}
