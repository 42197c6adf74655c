//! Texts that were made to be read for long: within the bound on work they are read or blanked, and soon over.
//! `GEN404_WHOLE=1` tries longer ones.

#![allow(missing_docs, reason = "tests")]

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gen404_blanks::{BLANK, Blanks};

fn are_over(pieces: &[&str]) {
    let mut blanks = Blanks::default();
    blanks.add("sk-proj/Äb+c\"d&e=f0123456789");
    let size = if std::env::var_os("GEN404_WHOLE").is_some() { 1 << 18 } else { 1 << 16 };
    let begun = Instant::now();
    for piece in pieces {
        let text = piece.repeat(size / piece.len());
        let shown = blanks.hide(&text);
        assert!(shown == text || shown.contains(BLANK), "{piece:.20}");
    }
    assert!(begun.elapsed() < Duration::from_secs(100), "{:?}", begun.elapsed());
}

#[test]
fn texts_inside_texts_have_a_bound() {
    let base64 = (0..12).fold("%25&amp;\\\\".to_owned(), |text, _| STANDARD.encode(text));
    are_over(&[&base64, "x", "1,", "0x", "JSUlJSUlJSUl", "\\\\\\\\", "&amp;amp;", "%2525", "s\n\n\n", "3d"]);
}

#[test]
fn what_was_made_to_take_long_is_blanked_and_does_not() {
    are_over(&["%", "%25", "\\", "\\\\u005c", "&amp;", "&#38;", "=3d", "%\\&=+", "sk-proj", "s%6b-proj/"]);
}
