//! Whether a three.js module is drawn at all: the static rules come first, and cost nothing.

use crate::module::check;

/// Why a module is not drawn; `None`: nothing is wrong statically, or it cannot be told, and the renderer decides.
#[must_use]
pub fn broken_rule(source: &[u8]) -> Option<String> {
    let failures = check(source).unwrap_or_default();
    let (first, more) = failures.split_first()?;
    Some(match more.len() {
        0 => first.to_string(),
        more => format!("{first}; {more} more"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_told() {
        let reason = |source: &str| broken_rule(source.as_bytes());
        assert_eq!(reason("export default () => 1"), None);
        assert_eq!(
            reason("export default () => fetch(foo)").as_deref(),
            Some("FORBIDDEN_IDENTIFIER: fetch at line 1, column 22; 1 more")
        );
        assert_eq!(broken_rule(b"\xff").as_deref(), Some("PARSE_ERROR: not UTF-8 at byte 0"));
    }
}
