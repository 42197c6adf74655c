//! Text from outside: cut to a length, and made safe for a terminal.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// `1 prompt`, `2 prompts`.
#[must_use]
pub fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How often each reason was given, the most frequent first: `3x status 404; no answer in 30 s`. Reasons that differ only
/// in a number of four digits or more, such as a size in bytes, count as one: `3x such as a file of 30756 bytes`. After
/// `most` of them, says how many more there are.
#[must_use]
pub fn tallied<R: AsRef<str>>(reasons: impl IntoIterator<Item = (R, usize)>, most: usize) -> String {
    let mut alike: BTreeMap<String, (R, usize, bool)> = BTreeMap::new();
    for (reason, count) in reasons {
        match alike.entry(without_large_numbers(reason.as_ref())) {
            Entry::Vacant(free) => _ = free.insert((reason, count, false)),
            Entry::Occupied(mut known) => {
                let (first, sum, differ) = known.get_mut();
                *differ |= (*first).as_ref() != reason.as_ref();
                *sum += count;
            }
        }
    }
    let mut sorted: Vec<_> = alike.into_values().collect();
    sorted.sort_by_key(|(_, count, _)| Reverse(*count));
    let more = sorted.len().saturating_sub(most);
    let mut said: Vec<String> = sorted
        .iter()
        .take(most)
        .map(|(reason, count, differ)| match (count, differ) {
            (1, _) => reason.as_ref().to_owned(),
            (count, false) => format!("{count}x {}", reason.as_ref()),
            (count, true) => format!("{count}x such as {}", reason.as_ref()),
        })
        .collect();
    said.extend((more > 0).then(|| format!("and {more} more")));
    said.join("; ")
}

/// The text with each number of four digits or more left out.
fn without_large_numbers(text: &str) -> String {
    let is_digit = |c: &char| c.is_ascii_digit();
    let mut rest = text;
    let mut form = String::with_capacity(text.len());
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let digits = from.chars().take_while(is_digit).count();
        let (number, after) = from.split_at(digits);
        form.push_str(before);
        form.push_str(if digits < 4 { number } else { "#" });
        rest = after;
    }
    form + rest
}

/// Hours with two digits, and never none where there were some.
#[must_use]
pub fn hours(hours: f64) -> String {
    match hours {
        some if some > 0.0 && some < 0.005 => "less than 0.01".to_owned(),
        hours => format!("{hours:.2}"),
    }
}

/// A time as every message shows it.
#[must_use]
pub fn time(at: DateTime<Utc>) -> String {
    at.format("%F %T UTC").to_string()
}

/// Reads a whole number. The standard library's own messages are not for users.
///
/// # Errors
/// What is wrong with it.
pub fn whole<N: FromStr<Err = ParseIntError>>(text: &str) -> Result<N, &'static str> {
    text.parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => "the number is too large",
        _ => "expected a whole number, 0 or more",
    })
}

/// As [`whole`], for any number.
pub fn number(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or("expected a number")
}

/// As [`whole`], for a day.
pub fn day(text: &str) -> Result<NaiveDate, &'static str> {
    text.parse().map_err(|_| "expected a day such as 2026-05-31")
}

/// A time given on the command line (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This time.
    At(DateTime<Utc>),
    /// This time of the day, when it was last.
    Last(NaiveTime),
}

impl Since {
    /// The time, as seen at `now`.
    pub fn before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Since::At(at) => at,
            Since::Last(time) => {
                let today = now.date_naive().and_time(time).and_utc();
                if today <= now { today } else { today - TimeDelta::days(1) }
            }
        }
    }
}

/// As [`whole`], for a UTC time, the beginning of a day, or a time of the day.
pub fn since(text: &str) -> Result<Since, &'static str> {
    let text = text.trim().trim_end_matches(" UTC");
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    // As `log` and `status` print it, with or without seconds.
    let printed = ["%F %T", "%F %R", "%FT%T", "%FT%R"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok().map(|time| time.and_utc()));
    let clock = ["%T", "%R"].iter().find_map(|form| NaiveTime::parse_from_str(text, form).ok());
    let at = time.or_else(day).or(printed).map(Since::At);
    at.or(clock.map(Since::Last))
        .ok_or("expected a time such as 17:48 or 2026-05-31T02:00:00Z, or a day such as 2026-05-31")
}

/// The text cut to at most `longest` characters; a cut text ends in an ellipsis.
#[must_use]
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Is this text somewhere in the bytes?
pub fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// The text with every character visible: control characters, bidirectional controls and zero-width characters
/// are escaped, as in `\u{202e}`. Line breaks stay.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    visible_but(text, |c| c == '\n')
}

/// As [`visible`], for pages, where line breaks and spaces of any width do no harm.
#[must_use]
pub fn visible_on_page(text: &str) -> Cow<'_, str> {
    visible_but(text, char::is_whitespace)
}

fn visible_but(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    let hidden = |c: char| is_unseen(c) && !stays(c);
    if !text.chars().any(hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !hidden(c) => shown.push(c),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// [`visible`], on one line.
#[must_use]
pub fn line(text: &str) -> String {
    visible(text).replace('\n', " ")
}

/// The same JSON with such characters escaped inside its strings.
#[must_use]
pub fn visible_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(|c| c != '\n' && is_unseen(c)) {
        return Cow::Borrowed(json);
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c == '\n' || !is_unseen(c) {
            shown.push(c);
        } else {
            let mut units = [0; 2];
            let escapes = c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}"));
            shown.extend(escapes);
        }
    }
    Cow::Owned(shown)
}

/// Control and format characters, separators other than the space, unassigned code points, and letters and
/// marks without a glyph.
fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    // The standard library's own table of printable characters, as `escape_debug` uses it.
    let printed = matches!(format!("a{c}").escape_debug().nth(1), Some('\\'));
    printed || is_shapeless(u32::from(c))
}

/// Characters that this table takes for printable: fillers, joiners, variation selectors.
fn is_shapeless(code: u32) -> bool {
    matches!(
        code,
        0x034f
            | 0x115f
            | 0x1160
            | 0x17b4
            | 0x17b5
            | 0x180b..=0x180f
            | 0x2800
            | 0x3164
            | 0xfe00..=0xfe0f
            | 0xffa0
            | 0x1_d159
            | 0xe_0000..=0xe_0fff
    )
}

/// A path as a word of a shell.
#[must_use]
pub fn in_shell(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,=".contains(c);
    if !path.is_empty() && path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind, and all bidirectional controls.
    const UNSEEN: &str = "\0\u{7}\u{8}\t\r\u{1b}\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{ad}\u{34f}\u{61c}\u{115f}\u{180e}\
        \u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\
        \u{2066}\u{2067}\u{2068}\u{2069}\u{206f}\u{2800}\u{3164}\u{e000}\u{fdd0}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\
        \u{1d173}\u{e0001}\u{e0041}\u{e0100}\u{10ffff}";

    #[test]
    fn reasons_are_counted_together() {
        let reasons = [("a file of 30756 bytes", 1), ("a file of 9912 bytes", 2), ("no answer", 1), ("status 404", 4)];
        assert_eq!(tallied(reasons, 9), "4x status 404; 3x such as a file of 30756 bytes; no answer");
        assert_eq!(tallied(reasons, 1), "4x status 404; and 2 more");
        let codes = [("status 404", 1), ("status 503", 1)];
        assert_eq!(tallied(codes, 9), "status 404; status 503", "a short number is a code, a position or a limit");
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (path, word) in
            [("/a/b-1.x", "/a/b-1.x"), ("/a b", "'/a b'"), ("it's", "'it'\\''s'"), ("", "''"), ("$x", "'$x'")]
        {
            assert_eq!(in_shell(path), word);
        }
    }

    #[test]
    fn what_is_not_seen_is_written_out() {
        for c in UNSEEN.chars() {
            let shown = visible(&format!("a{c}b")).into_owned();
            assert!(shown.starts_with("a\\") && shown.ends_with('b') && shown.is_ascii(), "{c:?}: {shown}");
        }
        let plain = "Größe: 3 → 4 … “quoted”\n日本語 русский עברית हिन्दी e\u{301} \\ ' \"";
        assert!(matches!(visible(plain), Cow::Borrowed(same) if same == plain));
        assert_eq!(visible("\u{202e}gnp"), "\\u{202e}gnp");
        assert_eq!(line("a\nb\u{1b}"), "a b\\u{1b}");
    }

    #[test]
    fn json_keeps_its_values() {
        let value = serde_json::json!({ UNSEEN: [UNSEEN, "ü", 1] });
        let text = format!("{value:#}");
        let shown = visible_json(&text);
        assert!(shown.chars().all(|c| c == '\n' || !is_unseen(c)));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        assert!(matches!(visible_json("{\n  \"a\": \"ü\"\n}"), Cow::Borrowed(_)));
    }

    #[test]
    fn counts_times_and_numbers_are_in_plain_words() {
        assert_eq!([0, 1, 2].map(|n: u64| counted(n, "match", "matches")), ["0 matches", "1 match", "2 matches"]);
        assert_eq!(time("2026-03-04T08:00:00.5Z".parse().unwrap()), "2026-03-04 08:00:00 UTC");
        assert_eq!((whole("7"), number("-0.5")), (Ok(7_u16), Ok(-0.5)));
        assert_eq!(whole::<u16>("70000"), Err("the number is too large"));
        for odd in ["", "x", "-1", "1.5", "0x1"] {
            assert_eq!(whole::<u64>(odd), Err("expected a whole number, 0 or more"), "{odd:?}");
        }
        assert!(["", "x", "nan", "inf"].iter().all(|odd| number(odd).is_err()));
        assert!(day("2026-02-29").is_err() && day("2026-02-28").is_ok());
    }

    #[test]
    fn a_cut_is_at_a_character() {
        assert_eq!((cut("äöü", 3).as_str(), cut("äöüß", 3).as_str(), cut("", 0).as_str()), ("äöü", "äö…", ""));
    }
}
