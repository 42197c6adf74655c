//! Decodes the bytes of a revealed commitment into the text that the miner wrote.
//!
//! SDKs put the SCALE length before the text, other writers store plain text. The chain does not say
//! which, so a rule ([`Compat`]) decides.

use parity_scale_codec::{Compact, Decode as _};

use crate::model::reveal::Compat;

/// Why a commitment's bytes are not a submission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum PayloadError {
    #[error("not UTF-8 from byte {0}")]
    NotUtf8(usize),
    #[error("no bytes")]
    Empty,
    #[error("not JSON ({0})")]
    NoJson(String),
    #[error("JSON, but not an object")]
    NoObject,
}

/// The text of a commitment's bytes.
///
/// # Errors
/// The bytes are not text under this rule.
pub fn text(raw: &[u8], compat: Compat) -> Result<String, PayloadError> {
    match compat {
        Compat::Strict => {
            let payload = strip_length(raw);
            String::from_utf8(payload.to_vec()).map_err(|e| PayloadError::NotUtf8(e.utf8_error().valid_up_to()))
        }
        Compat::Sdk10 => {
            let first = raw.first().ok_or(PayloadError::Empty)?;
            let dropped = match first & 0b11 {
                0 => 1,
                1 => 2,
                _ => 4,
            };
            let rest = raw.get(dropped..).unwrap_or_default();
            Ok(rest.utf8_chunks().map(|chunk| chunk.valid()).collect())
        }
    }
}

/// Strips the SCALE length from bytes that are exactly one SCALE byte vector: the length is in its
/// shortest form and counts every byte after it. Other bytes are returned unchanged.
#[must_use]
pub fn strip_length(raw: &[u8]) -> &[u8] {
    let mut rest = raw;
    match Compact::<u32>::decode(&mut rest) {
        Ok(Compact(length)) if usize::try_from(length) == Ok(rest.len()) => rest,
        _ => raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_taken_off_only_where_it_is_exact() {
        for (raw, payload) in [
            (&b"\x14hello"[..], &b"hello"[..]),
            (b"\x18hello", b"\x18hello"),
            (b"\x10hello", b"\x10hello"),
            (b"{\"a\":1}", b"{\"a\":1}"),
            (b"\0", b""),
            (b"", b""),
            // Five in two bytes: not the shortest form, so not a length.
            (b"\x15\0hello", b"\x15\0hello"),
            (b"\xff\xff\xff\xff\xff", b"\xff\xff\xff\xff\xff"),
        ] {
            assert_eq!(strip_length(raw), payload, "{raw:?}");
        }
    }

    #[test]
    fn the_deployed_rule_drops_bytes_blindly() {
        let deployed = |raw: &[u8]| text(raw, Compat::Sdk10);
        assert_eq!(deployed(b"\x14hello").as_deref(), Ok("hello"));
        assert_eq!(deployed(b"{\"repo\":1}").as_deref(), Ok("po\":1}"));
        assert_eq!(deployed(b"\x18ok\xff\xfeend").as_deref(), Ok("okend"));
        assert_eq!(deployed(b"\x02a").as_deref(), Ok(""));
        assert!(deployed(b"").is_err());
        assert!(text(b"\x0cab\xff", Compat::Strict).is_err());
    }
}
