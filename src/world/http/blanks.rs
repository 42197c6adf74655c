//! Texts of answers without the secrets of their requests: servers send back what they were sent.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::Secret;

/// What stands in a secret's place.
const BLANK: &str = "***";

/// Shorter texts are no secrets: they stand in every other word.
const SHORTEST: usize = 4;

/// So much of a secret's beginning is a secret of its own: a server may cut it off.
const BEGINNING: usize = 8;

/// What must not be shown, in every spelling that a server may give it.
#[derive(Debug, Clone, Default)]
pub struct Blanks {
    needles: Vec<Needle>,
}

#[derive(Clone, PartialEq, Eq)]
struct Needle {
    text: String,
    /// So many bytes of its beginning are blanked alone, too; none where it is 0.
    beginning: usize,
}

impl std::fmt::Debug for Needle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(BLANK)
    }
}

impl Blanks {
    /// Blanks these.
    #[must_use]
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut blanks = Blanks::default();
        secrets.into_iter().for_each(|secret| blanks.add(secret.expose()));
        blanks
    }

    /// One more secret, and what it looks like when a server has worked on it.
    pub fn add(&mut self, secret: &str) {
        self.add_needles(secret, secret.len() >= BEGINNING);
    }

    /// One more text that may be a secret: blanked where it stands as a whole.
    pub(super) fn add_whole(&mut self, text: &str) {
        self.add_needles(text, false);
    }

    fn add_needles(&mut self, secret: &str, beginning: bool) {
        if secret.len() < SHORTEST {
            return;
        }
        let short = |text: &String| if text.len() >= BEGINNING { BEGINNING } else { 0 };
        let spelt = spellings(secret).into_iter().map(|text| (short(&text), text));
        // As much of the secret in each.
        let spread = |text: &String| text.len() * BEGINNING / secret.len();
        let spelt = spelt.chain(byte_by_byte(secret).map(|text| (spread(&text), text)));
        for (length, text) in spelt.filter(|(_, text)| text.len() >= SHORTEST) {
            let needle = Needle { beginning: if beginning { length } else { 0 }, text };
            if !self.needles.contains(&needle) {
                self.needles.push(needle);
            }
        }
    }

    /// Is there nothing to blank?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// A text without them.
    #[must_use]
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found: Vec<Range<usize>> = self.needles.iter().flat_map(|needle| needle.places(text)).collect();
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        // One spelling may end where another one goes on.
        found.sort_by_key(|place| (place.start, place.end));
        let (mut hidden, mut shown_to) = (String::with_capacity(text.len()), 0);
        for place in found {
            if place.start >= shown_to {
                hidden.push_str(text.get(shown_to..place.start).unwrap_or_default());
                hidden.push_str(BLANK);
            }
            shown_to = shown_to.max(place.end);
        }
        hidden.push_str(text.get(shown_to..).unwrap_or_default());
        Cow::Owned(hidden)
    }

    /// The same in every text of a JSON value.
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

impl Needle {
    /// Where this stands in a text, or as much of its beginning as is there.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let sought = if self.beginning > 0 { self.beginning() } else { &self.text };
        let place = |start| {
            let after = text.get(start..).unwrap_or_default();
            let same = after.chars().zip(self.text.chars()).take_while(|(a, b)| a == b);
            start..start + same.map(|(c, _)| c.len_utf8()).sum::<usize>()
        };
        // Answers are long and spellings are many: this search is fast in every build.
        memchr::memmem::find_iter(text.as_bytes(), sought.as_bytes()).map(place).collect()
    }

    fn beginning(&self) -> &str {
        let end = (self.beginning..=self.text.len()).find(|end| self.text.is_char_boundary(*end));
        self.text.get(..end.unwrap_or(self.text.len())).unwrap_or(&self.text)
    }
}

/// A secret as it is, in the other case or backwards, escaped as JSON, HTML, URLs or programs escape it (what needs
/// it, or every byte), in base64, in hex and as numbers.
fn spellings(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap_or_default().trim_matches('"').to_owned();
    let percent = |format: fn(u8) -> String| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        secret.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format(byte) }).collect()
    };
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut all = vec![
        secret.to_owned(),
        json.replace('/', "\\/"),
        json,
        percent(|byte| format!("%{byte:02X}")),
        percent(|byte| format!("%{byte:02x}")),
        html.replace('"', "&quot;").replace('\'', "&#39;"),
        crate::base::hex::encode(secret.as_bytes()),
        crate::base::hex::encode(secret.as_bytes()).to_ascii_uppercase(),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
    ];
    all.extend([secret.to_ascii_lowercase(), secret.to_ascii_uppercase(), secret.chars().rev().collect()]);
    all.extend([percent(|byte| format!("%25{byte:02X}")), percent(|byte| format!("%25{byte:02x}"))]);
    for offset in 0..3 {
        let bytes = padded(secret, offset);
        let both = [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)];
        all.extend(both.map(|text| inner(&text, secret.len(), offset)));
    }
    all
}

/// Spellings in which every byte of a secret is a number.
fn byte_by_byte(secret: &str) -> impl Iterator<Item = String> {
    type Spell = fn(u8) -> String;
    const SPELLINGS: [(&str, Spell); 18] = [
        ("", |byte| format!("%{byte:02X}")),
        ("", |byte| format!("%{byte:02x}")),
        ("", |byte| format!("%25{byte:02x}")),
        ("", |byte| format!("\\x{byte:02x}")),
        ("", |byte| format!("\\x{byte:02X}")),
        ("", |byte| format!("\\u{byte:04x}")),
        ("", |byte| format!("\\u{byte:04X}")),
        ("", |byte| format!("\\{byte:03o}")),
        ("", |byte| format!("={byte:02X}")),
        ("", |byte| format!("&#{byte};")),
        ("", |byte| format!("&#x{byte:x};")),
        ("", |byte| format!("&#x{byte:X};")),
        (" ", |byte| format!("{byte:02x}")),
        (" ", |byte| format!("{byte:02X}")),
        (":", |byte| format!("{byte:02x}")),
        (":", |byte| format!("{byte:02X}")),
        (", ", |byte| byte.to_string()),
        (",", |byte| byte.to_string()),
    ];
    let spell = move |(between, spell): (&str, Spell)| secret.bytes().map(spell).collect::<Vec<_>>().join(between);
    SPELLINGS.into_iter().map(spell)
}

/// The secret with `offset` bytes before it: base64 has three spellings of a text inside another one.
fn padded(secret: &str, offset: usize) -> Vec<u8> {
    [&vec![0; offset], secret.as_bytes()].concat()
}

/// The characters of base64 that stand for the secret alone, and not for its neighbours.
fn inner(encoded: &str, length: usize, offset: usize) -> String {
    let (from, to) = ((offset * 8).div_ceil(6), (offset + length) * 8 / 6);
    encoded.get(from..to).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-proj/Äb+c\"d&e=f0123456789";

    fn blanks() -> Blanks {
        Blanks::of([&Secret::new(KEY)])
    }

    #[test]
    fn a_secret_is_blanked_in_every_spelling() {
        let json = serde_json::to_string(KEY).unwrap();
        let percent = "sk-proj%2F%C3%84b%2Bc%22d%26e%3Df0123456789";
        let mut spelt = vec![
            KEY.to_owned(),
            json.replace('/', "\\/"),
            json,
            percent.to_owned(),
            percent.to_lowercase(),
            KEY.replace('&', "&amp;").replace('"', "&quot;"),
            crate::base::hex::encode(KEY.as_bytes()),
        ];
        spelt.extend([KEY.to_ascii_uppercase(), KEY.chars().rev().collect(), percent.replace('%', "%25")]);
        let each = |spell: fn(u8) -> String, between: &str| KEY.bytes().map(spell).collect::<Vec<_>>().join(between);
        spelt.extend([
            each(|b| format!("%{b:02x}"), ""),
            each(|b| format!("&#{b};"), ""),
            each(|b| format!("{b:02X}"), ":"),
        ]);
        spelt.extend([each(|b| b.to_string(), ", "), each(|b| format!("\\u{b:04x}"), "")]);
        for neighbours in ["", "a", "ab", "me:", "user:"] {
            spelt.push(STANDARD.encode(format!("{neighbours}{KEY}{neighbours}")));
            spelt.push(URL_SAFE.encode(format!("{neighbours}{KEY}")));
        }
        for text in spelt {
            let shown = blanks().hide(&format!("you sent <{text}>, and <{text}>")).into_owned();
            assert_eq!(shown.matches(BLANK).count(), 2, "{text}: {shown}");
            for length in BEGINNING..12 {
                let part: String = text.chars().skip(2).take(length).collect();
                assert!(!shown.contains(&part), "{text}: {shown}");
            }
        }
    }

    #[test]
    fn a_secret_that_was_cut_off_is_blanked_and_nothing_else() {
        assert_eq!(blanks().hide("key sk-proj/Äb…, key sk-proj, sk"), "key ***…, key sk-proj, sk");
        assert_eq!(blanks().hide("status 401"), "status 401");
        assert_eq!(Blanks::of([&Secret::new("pw")]).hide("pwd"), "pwd", "too short to be told from a word");
        assert_eq!(Blanks::of([&Secret::new("hunter2")]).hide("hunter2 hunter"), "*** hunter");
        assert!(!format!("{:?}", blanks()).contains("proj"));
    }

    #[test]
    fn json_is_blanked_after_its_escapes_are_read() {
        let mut value = serde_json::json!({"a": ["x", {"hunter2!!": "say hunter2!!"}], "n": 1});
        Blanks::of([&Secret::new("hunter2!!")]).hide_in(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["x", {"***": "say ***"}], "n": 1}));
    }
}
