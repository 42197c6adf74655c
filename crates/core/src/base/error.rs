//! The program's one error type: what kind of failure it is, what failed, why, and what to do about it.
//!
//! The kind decides the exit code (see the table in docs/json.md and in `gen404 --help`), so that a script can
//! tell "wait" from "broken" from "the network was down" without parsing text.

use std::fmt;
use std::path::Path;

use crate::base::text::cut;

/// The longest message kept of a cause, in characters.
const LONGEST_CAUSE: usize = 2000;

/// The kind of a failure, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command could not do what it was asked to do: a broken file, a held lock, a refused input.
    Failed,
    /// The command line or `gen404.toml` asks for something that makes no sense.
    Usage,
    /// A stage command is not due yet, or waits for someone else's work.
    NotDue,
    /// An external server failed after all retries. Nothing is left half done; running again is safe.
    Outside,
    /// The repository is damaged: objects are missing or unreadable. That says nothing about the claims in it.
    Damaged,
    /// Another gen404 is working on the repository.
    Busy,
    /// Another writer committed first: the command has to look again.
    Conflict,
    /// A limit under `[limits]` of `gen404.toml` would be passed.
    Limit,
}

impl Kind {
    /// The process exit code for this kind.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed | Kind::Damaged | Kind::Busy => 1,
            Kind::Usage => 2,
            Kind::NotDue | Kind::Limit => 3,
            Kind::Outside | Kind::Conflict => 4,
        }
    }
}

/// A failure: one line saying what went wrong and where, its causes, and hints for the reader.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    cause: Option<anyhow::Error>,
    hints: Vec<String>,
    /// The service that failed, if the client knew it.
    service: Option<&'static str>,
    /// How the service fails, if the client knew it.
    manner: Option<&'static str>,
}

/// `std::result::Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` with a one-line message that names the file, URL or key concerned.
    pub fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Error {
            kind,
            message: plainly(&message.to_string()),
            cause: None,
            hints: Vec::new(),
            service: None,
            manner: None,
        }
    }

    /// [`Kind::Failed`] with a message.
    pub fn failed(message: impl fmt::Display) -> Self {
        Error::new(Kind::Failed, message)
    }

    /// [`Kind::Usage`] with a message.
    pub fn usage(message: impl fmt::Display) -> Self {
        Error::new(Kind::Usage, message)
    }

    /// [`Kind::NotDue`] with a message.
    pub fn not_due(message: impl fmt::Display) -> Self {
        Error::new(Kind::NotDue, message)
    }

    /// [`Kind::Outside`] with a message.
    pub fn outside(message: impl fmt::Display) -> Self {
        Error::new(Kind::Outside, message)
    }

    /// [`Kind::Failed`] on a file: the path, then what is wrong.
    pub fn file(path: &Path, what: impl fmt::Display) -> Self {
        Error::failed(format!("{}: {what}", path.display()))
    }

    /// Adds the underlying error; it is printed with its own causes, as a chain.
    #[must_use]
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds a line of advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Names the service that failed.
    #[must_use]
    pub fn of_service(mut self, service: Option<&'static str>) -> Self {
        self.service = service.or(self.service);
        self
    }

    /// Says how the service fails, such as "refuses".
    #[must_use]
    pub fn of_manner(self, manner: Option<&'static str>) -> Self {
        Error { manner: manner.or(self.manner), ..self }
    }

    /// How the service fails, by this error or its causes, if the client knew it.
    #[must_use]
    pub fn manner(&self) -> Option<&'static str> {
        let mut causes = self.cause.iter().flat_map(anyhow::Error::chain);
        self.manner.or_else(|| causes.find_map(|cause| cause.downcast_ref::<Error>()?.manner))
    }

    /// The service that failed, by this error or its causes.
    #[must_use]
    pub fn service(&self) -> Option<&'static str> {
        let mut causes = self.cause.iter().flat_map(anyhow::Error::chain);
        self.service.or_else(|| causes.find_map(|cause| cause.downcast_ref::<Error>()?.service))
    }

    /// The kind of this failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The lines of advice, in the order they were added.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The messages of the causes, outermost first. They are cut, since a library may quote a whole line of a
    /// hostile file.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let causes = self.cause.iter().flat_map(anyhow::Error::chain);
        causes.map(|error| plainly(&cut(&error.to_string(), LONGEST_CAUSE))).collect()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}

/// Adds to a failed `Result` what was being done.
pub trait Context<T> {
    /// Turns the error into an [`Error`] of `kind` with `message()` on top.
    ///
    /// # Errors
    /// The same failure, wrapped.
    fn context(self, kind: Kind, message: impl FnOnce() -> String) -> Result<T>;

    /// As [`Context::context`] with [`Kind::Failed`].
    ///
    /// # Errors
    /// The same failure, wrapped.
    fn failed(self, message: impl FnOnce() -> String) -> Result<T>
    where
        Self: Sized,
    {
        self.context(Kind::Failed, message)
    }
}

impl<T, E: Into<anyhow::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, kind: Kind, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::new(kind, message()).because(cause))
    }
}

/// A parser's message in plain words: Rust's types, and our own, mean nothing to a reader.
#[must_use]
pub fn plainly(message: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("trailing characters", "more text after the end"),
        ("unknown field `", "unknown key `"),
        ("missing field `", "missing key `"),
        ("duplicate field `", "duplicate key `"),
        ("unknown variant `", "unknown value `"),
        ("there are no fields", "there are no keys"),
        ("EOF while parsing ", "the text ends within "),
        ("expected ident", "expected true, false or null"),
    ];
    let text = turned(message).unwrap_or_else(|| message.to_owned());
    WORDS.iter().fold(without_types(text), |text, (said, plain)| text.replace(said, plain))
}

/// `expected WANTED, found FOUND`, for serde's `invalid type: FOUND, expected WANTED`.
fn turned(message: &str) -> Option<String> {
    let (before, after) =
        ["invalid type: ", "invalid value: "].into_iter().find_map(|said| message.split_once(said))?;
    let (found, wanted) = after.rsplit_once(", expected ")?;
    let (wanted, place) = wanted.split_at(wanted.find(" at line ").unwrap_or(wanted.len()));
    let wanted = match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        other => other.strip_prefix("a nonzero ").map_or(other, |_| "a whole number, 1 or more"),
    };
    let found = match found {
        "sequence" => "a list",
        "map" => "an object",
        "unit value" => "null",
        other => {
            let value =
                ["integer ", "floating point ", "boolean ", "string "].iter().find_map(|kind| other.strip_prefix(kind));
            value.unwrap_or(other).trim_matches('`')
        }
    };
    Some(format!("{before}expected {wanted}, found {found}{place}"))
}

fn without_types(mut text: String) -> String {
    const NAMED: [(&str, &str); 4] = [
        ("expected struct ", "expected an object"),
        ("expected tuple struct ", "expected a list"),
        ("expected enum ", "expected one of a few words"),
        ("data did not match any variant of untagged enum ", "not a known form"),
    ];
    for (before, words) in NAMED {
        while let Some(at) = text.find(before) {
            let rest = text.get(at + before.len()..).unwrap_or_default();
            let name = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            text.replace_range(at..at + before.len() + name, words);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_types_are_not_named() {
        for (said, plain) in [
            ("invalid type: integer `3`, expected struct Config at line 1", "expected an object, found 3 at line 1"),
            ("x: data did not match any variant of untagged enum Networks", "x: not a known form"),
            ("expected struct A, expected struct B_2", "expected an object, expected an object"),
            (
                "x: invalid type: string \"a, b\", expected u32",
                "x: expected a whole number from 0 to 4294967295, found \"a, b\"",
            ),
            ("invalid value: integer `-1`, expected usize", "expected a whole number, 0 or more, found -1"),
            (
                "invalid type: floating point `1.5`, expected a nonzero u8",
                "expected a whole number, 1 or more, found 1.5",
            ),
            ("invalid type: boolean `true`, expected f64", "expected a number, found true"),
            ("invalid type: null, expected a boolean", "expected true or false, found null"),
            ("invalid type: sequence, expected a map", "expected an object, found a list"),
            ("unknown variant `a`, expected `b` or `c`", "unknown value `a`, expected `b` or `c`"),
            ("unknown field `a`, there are no fields", "unknown key `a`, there are no keys"),
            ("missing field `a` at line 1 column 2", "missing key `a` at line 1 column 2"),
            ("EOF while parsing a list", "the text ends within a list"),
        ] {
            assert_eq!(plainly(said), plain);
            assert_eq!(Error::failed(said).because(anyhow::anyhow!("{said}")).causes(), [plain]);
        }
    }

    #[test]
    fn kinds_have_the_documented_exit_codes() {
        let kinds = [Kind::Failed, Kind::Usage, Kind::NotDue, Kind::Outside, Kind::Damaged, Kind::Busy, Kind::Conflict];
        assert_eq!(kinds.map(Kind::exit_code), [1, 2, 3, 4, 1, 1, 4]);
    }

    #[test]
    fn causes_come_outermost_first() {
        let low = std::io::Error::other("disk on fire");
        let error = Error::failed("rounds/1/seed.json: cannot read")
            .because(anyhow::Error::new(low).context("while opening"))
            .hint("try another disk");
        assert_eq!(error.causes(), ["while opening", "disk on fire"]);
        assert_eq!(error.hints(), ["try another disk"]);
        assert_eq!(error.to_string(), "rounds/1/seed.json: cannot read");
    }
}
