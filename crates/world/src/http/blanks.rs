//! Blanks the secrets of requests out of the texts of answers: servers echo what they were sent.

use std::borrow::Cow;

use super::Secret;
use super::secret::shown_text;

/// How many bytes of a text that is only shown are scanned: far more than are shown.
pub(super) const SHOWN_BYTES: usize = 4096;

/// What must not be shown, in every spelling that a server may use.
#[derive(Debug, Clone, Default)]
pub struct Blanks(gen404_blanks::Blanks);

impl Blanks {
    /// Blanks these secrets.
    #[must_use]
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut blanks = Blanks::default();
        secrets.into_iter().for_each(|secret| blanks.add(secret.expose()));
        blanks
    }

    /// Adds a secret, and the forms it takes when a server has encoded it.
    pub fn add(&mut self, secret: &str) {
        self.0.add(secret);
    }

    /// Adds a text that may be a secret: it is blanked only as a whole.
    pub fn add_whole(&mut self, text: &str) {
        self.0.add_whole(text);
    }

    /// Is there nothing to blank?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with all secrets blanked.
    #[must_use]
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.0.hide(text)
    }

    /// The beginning of a server's or a program's output for messages: one line, at most `longest` characters.
    #[must_use]
    pub fn shown(&self, bytes: &[u8], longest: usize) -> String {
        let text = String::from_utf8_lossy(bytes.get(..SHOWN_BYTES).unwrap_or(bytes));
        // Blank first, then cut: a cut would leave the beginning of a secret.
        shown_text(&self.hide(&text), longest)
    }

    /// Blanks every text in a JSON value.
    pub(super) fn hide_in(&self, value: &mut serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::String(text) => {
                if let Cow::Owned(hidden) = self.hide(text) {
                    *text = hidden;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(members) => {
                let hidden = std::mem::take(members).into_iter().map(|(name, mut value)| {
                    self.hide_in(&mut value);
                    (self.hide(&name).into_owned(), value)
                });
                *members = hidden.collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_blanked_after_its_escapes_are_read() {
        let mut value = serde_json::json!({"a": ["x", {"hunter2!!": "say hunter2!!"}], "n": 1});
        Blanks::of([&Secret::new("hunter2!!")]).hide_in(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["x", {"***": "say ***"}], "n": 1}));
    }
}
