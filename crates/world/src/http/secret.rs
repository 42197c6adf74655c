//! Keeps secrets out of everything that is printed.

use std::fmt;
use std::path::Path;

use crate::base::error::{Error, Result};
use crate::base::files;

/// A text that is never shown: an API key, a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret; surrounding white space (a key file's final newline) is dropped.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Secret(text.trim().to_owned())
    }

    /// The secret in the environment variable `name`, or in the file that the variable `name` with the suffix
    /// `_FILE` names.
    ///
    /// # Errors
    /// The file is missing, not a plain file, empty, or too large; or the secret is not a single line.
    pub fn from_env(env: impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<Secret>> {
        let given = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let one_line = |value: &str, source: &str| match value.trim() {
            "" => Err(Error::usage(format!("{source}: the file is empty"))),
            value if value.chars().any(char::is_control) => {
                Err(Error::usage(format!("{source}: more than one line, or characters that a key cannot contain")))
            }
            value => Ok(Some(Secret::new(value))),
        };
        if let Some(value) = given(name) {
            return one_line(&value, name);
        }
        let Some(file) = given(&format!("{name}_FILE")) else { return Ok(None) };
        let hint = || format!("{name}_FILE names a file that this user can read, with one line: the key");
        let hinted = |e: Error| e.hint(hint());
        let unread = |e: Error| hinted(Error::usage(format!("{name}_FILE={file}: cannot read")).because(e));
        let text = files::read_text(Path::new(&file), files::SECRET).map_err(unread)?;
        let text = text.ok_or_else(|| Error::usage(format!("{name}_FILE={file}: no such file")));
        let secret = text.and_then(|text| one_line(&text, &format!("{name}_FILE={file}")));
        secret.map_err(hinted)
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A URL for messages: without credentials, query and fragment, which may hold tokens, and no longer than a
/// line.
#[must_use]
pub fn shown_url(url: &str) -> String {
    const LONGEST: usize = 200;
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    // A redirect may omit the scheme.
    let begin = plain.split_once("//").filter(|(scheme, _)| scheme.is_empty() || scheme.ends_with(':'));
    let (scheme, rest) =
        begin.map_or(("", plain), |(scheme, rest)| (plain.get(..scheme.len() + 2).unwrap_or_default(), rest));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    shown_text(&format!("{scheme}{host}{path}"), LONGEST)
}

/// A server's text for messages: one line, printable, at most `longest` characters. Idempotent.
#[must_use]
pub fn shown_text(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(longest) {
        // Quotes and backslashes cannot harm a terminal, and those of an escape must not be escaped again.
        if matches!(c, '\'' | '"' | '\\') { shown.push(c) } else { shown.extend(c.escape_debug()) }
    }
    if text.chars().nth(longest).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_tokens_are_never_shown() {
        let secret = Secret::new("hunter2\n");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(shown_url("https://me:pw@x.org/a/b?token=hunter2#hunter2"), "https://x.org/a/b");
        assert_eq!(shown_url("https://x.org?token=hunter2"), "https://x.org");
        assert_eq!(shown_url("https://a@b@x.org/@c"), "https://x.org/@c");
        assert_eq!(shown_url("//me:pw@x.org/a"), "//x.org/a");
        assert_eq!(shown_url("me:pw@x.org/a"), "x.org/a");
        assert_eq!(shown_url("/a//b@c"), "/a//b@c");
        assert!(shown_url(&format!("https://x.org/{}", "a".repeat(999))).chars().count() <= 201);
        assert_eq!(shown_text("a\nb\u{1b}[31m", 3), "a\\nb…");
        let once = shown_text("\u{1b}[31m\u{202e}\n\\ \"'", 99);
        assert_eq!((once.as_str(), shown_text(&once, 99)), ("\\u{1b}[31m\\u{202e}\\n\\ \"'", once.clone()));
    }
}
