//! Texts as each service must be given them: those of miners and of servers may hold its markup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Keeps `@everyone` and its kin apart: a space of no width.
const APART: char = '\u{200b}';

/// The text with each character written by `escape`, cut before it exceeds `most` characters.
fn escaped(text: &str, most: usize, escape: impl Fn(char, &mut String)) -> String {
    let (mut out, mut count) = (String::new(), 0);
    for c in text.chars() {
        let before = out.len();
        escape(c, &mut out);
        count += out.get(before..).unwrap_or_default().chars().count();
        // Room for the ellipsis is kept.
        if count >= most && out.len() > before {
            out.truncate(before);
            out.push('…');
            break;
        }
    }
    out
}

/// For Discord's markdown: every mark is literal, and no address becomes a link.
pub(super) fn discord(text: &str, most: usize) -> String {
    escaped(text, most, |c, out| {
        if matches!(
            c,
            '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | ':' | '-' | '+' | '@'
        ) {
            out.push('\\');
        }
        out.push(c);
        if c == '@' {
            out.push(APART);
        }
    })
}

/// For Slack: its three control characters, and mentions as services read them that take Slack's messages.
pub(super) fn slack(text: &str, most: usize) -> String {
    escaped(text, most, |c, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '@' => out.extend(['@', APART]),
        c => out.push(c),
    })
}

/// The longest piece of a text in one encoded word of a header, in bytes: with its frame, 75 characters (RFC 2047).
const WORD_BYTES: usize = 45;

/// A header's value: printable ASCII, or encoded words (RFC 2047).
pub(super) fn header(text: &str, most: usize) -> String {
    let text = crate::base::text::cut(text, most);
    // A text that looks like an encoded word would be decoded.
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) && !text.contains("=?") {
        return text.trim().to_owned();
    }
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD_BYTES => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect::<Vec<_>>().join(" ")
}

/// The text cut to so many bytes, at a character.
pub(super) fn bytes(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<!everyone> <@U1> @everyone **b** [x](https://evil.example) `c` ~s~ ||h|| &amp; \\ # t";

    #[test]
    fn no_markup_survives() {
        let plain = discord(HOSTILE, 999);
        assert!(!plain.contains("@everyone") && !plain.contains("https://") && plain.contains("\\<\\@\u{200b}U1\\>"));
        let unescaped = |text: &str, mark: char| {
            let chars: Vec<char> = text.chars().collect();
            (0..chars.len()).any(|at| chars[at] == mark && (at == 0 || chars[at - 1] != '\\'))
        };
        for mark in ['*', '_', '~', '`', '|', '[', ']', '<', '>', '@', ':', '#'] {
            assert!(!unescaped(&plain, mark), "{mark}: {plain}");
        }
        let plain = slack(HOSTILE, 999);
        assert!(!plain.contains(['<', '>']) && !plain.contains("@everyone") && plain.contains("&amp;amp;"), "{plain}");
    }

    #[test]
    fn a_cut_never_splits_an_escape() {
        for most in 1..60 {
            for (text, whole) in
                [(discord("a*@<b", most), "a\\*\\@\u{200b}\\<b"), (slack("a<&@b", most), "a&lt;&amp;@\u{200b}b")]
            {
                assert!(text.chars().count() <= most, "{most}: {text}");
                let kept = text.strip_suffix('…').unwrap_or(&text);
                assert!(whole.starts_with(kept) && (text.ends_with('…') || text == whole), "{most}: {text}");
                assert!(!kept.ends_with('\\') && !kept.ends_with("&l") && !kept.ends_with("&am"), "{most}: {text}");
            }
        }
        assert_eq!((bytes("äöü", 6).as_str(), bytes("äöü", 5).as_str()), ("äöü", "ä…"));
    }

    #[test]
    fn headers_are_ascii_and_decode_to_the_text() {
        assert_eq!(header("a round", 99), "a round");
        for text in ["Größe: 3 → 4", "=?UTF-8?Q?x?=", &"ü→".repeat(60), "a\r\nInjected: yes"] {
            let value = header(text, 999);
            assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{value}");
            let mut decoded = Vec::new();
            for word in value.split(' ') {
                assert!(word.len() <= 75, "{word}");
                let inner = word.strip_prefix("=?UTF-8?B?").and_then(|rest| rest.strip_suffix("?=")).unwrap();
                decoded.extend(STANDARD.decode(inner).unwrap());
            }
            assert_eq!(String::from_utf8(decoded).unwrap(), text);
        }
    }
}
