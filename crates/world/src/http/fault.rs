//! The codes under which failures to fetch a miner's file are recorded.

use super::retry::Failure;
use crate::model::refusals::{ADDRESS, CONNECTION, ENCODED, MISSING, REDIRECT, SLOW, STATUS, TOO_LARGE};

/// How the reasons of this module begin, and their codes. What a server says never stands at the beginning.
const BEGINNINGS: [(&str, &str); 9] = [
    // No server has a file where a folder has none.
    (Failure::A_FOLDER, MISSING),
    (Failure::NO_FILE, MISSING),
    ("the body is longer than ", TOO_LARGE),
    ("slower than ", SLOW),
    ("no answer in time ", SLOW),
    ("the body is encoded", ENCODED),
    ("redirected ", REDIRECT),
    ("too many redirects", REDIRECT),
    ("refused: ", ADDRESS),
];

impl Failure {
    /// In a miner's own folder, a folder has the name of the file.
    pub(crate) const A_FOLDER: &str = "a folder, not a file";
    /// A pipe, a socket or a device has.
    pub(crate) const NO_FILE: &str = "a pipe, a socket or a device, not a file";

    /// The code of this failure to fetch a miner's file.
    #[must_use]
    pub fn code(&self) -> &'static str {
        let reason = self.reason();
        if let Some(rest) = reason.strip_prefix("status ") {
            return match rest {
                "404" | "410" => MISSING,
                // Without a Location header.
                status if status.starts_with('3') => REDIRECT,
                _ => STATUS,
            };
        }
        let known = BEGINNINGS.iter().find(|(beginning, _)| reason.starts_with(beginning));
        known.map_or(CONNECTION, |(_, code)| code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_choose_no_code() {
        let code = |reason: &str| Failure::Permanent(reason.to_owned()).code();
        assert_eq!([code("status 404"), code("status 410"), code("status 403")], [MISSING, MISSING, STATUS]);
        assert_eq!(code("status 301 without a Location header: it does not say where to"), REDIRECT);
        assert_eq!(code("not HTTP as it should be: status 404"), CONNECTION);
        assert_eq!(code("no such host"), CONNECTION);
    }
}
