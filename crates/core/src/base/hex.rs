//! Hexadecimal text, as chains, drand and checksums write it.

use ::hex::FromHexError;
pub use ::hex::encode;

/// Why a text is not the hex that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum HexError {
    #[error("an odd number of hex digits ({0})")]
    Odd(usize),
    #[error("something other than hex digits")]
    Other,
    #[error("{count} bytes instead of {needed}")]
    Length { count: usize, needed: usize },
}

/// Lower-case hex digits with the prefix `0x`.
#[must_use]
pub fn encode_0x(bytes: &[u8]) -> String {
    format!("0x{}", encode(bytes))
}

/// Decodes hex digits of either case, with or without `0x`.
///
/// # Errors
/// An odd number of digits, or a character that is not a hex digit.
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    ::hex::decode(digits).map_err(|error| match error {
        FromHexError::OddLength => HexError::Odd(digits.len()),
        _ => HexError::Other,
    })
}

/// Decodes exactly `N` bytes: see [`decode`].
///
/// # Errors
/// As [`decode`], or another number of bytes.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let bytes = decode(text)?;
    let count = bytes.len();
    bytes.try_into().map_err(|_| HexError::Length { count, needed: N })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_strictly_and_written_in_lower_case() {
        assert_eq!(decode("0x00FfA1"), Ok(vec![0, 255, 0xa1]));
        assert_eq!(decode(""), Ok(vec![]));
        assert_eq!(encode_0x(&[0, 255, 0xa1]), "0x00ffa1");
        assert_eq!(decode_array::<2>("0102"), Ok([1, 2]));
        for bad in ["0x0", "0x0g", "0X00", " 00", "0x0x00", "+0", "ä"] {
            assert!(decode(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(decode_array::<2>("010203"), Err(HexError::Length { count: 3, needed: 2 }));
    }
}
