//! Base64 of data URIs, as lenient as the reference loader: ASCII outside the alphabet is skipped.

/// The bytes behind the first `base64,` of a URI, or `None` where there is none or it is broken.
pub(crate) fn from_data_uri(uri: &str) -> Option<Vec<u8>> {
    let (_, text) = uri.split_once("base64,")?;
    text.is_ascii().then(|| decode(text.as_bytes()))?
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut have, mut padding) = (0_u32, 0_u32, 0_u32);
    for &byte in text {
        if byte == b'=' {
            padding += 1;
            if have >= 2 && have + padding >= 4 {
                break;
            }
            continue;
        }
        let Some(value) = sextet(byte) else { continue };
        padding = 0;
        bits = bits << 6 | u32::from(value);
        have += 1;
        if have == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, have) = (0, 0);
        }
    }
    match (have, padding) {
        (0, _) => {}
        (2, 2..) => out.push((bits >> 4) as u8),
        (3, 1..) => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => return None,
    }
    Some(out)
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_padded_groups() {
        assert_eq!(decode(b"AQID").unwrap(), [1, 2, 3]);
        assert_eq!(decode(b"AQI=").unwrap(), [1, 2]);
        assert_eq!(decode(b"AQ==").unwrap(), [1]);
        assert_eq!(decode(b"").unwrap(), [0_u8; 0]);
    }

    #[test]
    fn strangers_are_skipped_and_loose_ends_refused() {
        assert_eq!(decode(b"A\nQ I-D").unwrap(), [1, 2, 3]);
        assert!(decode(b"AQI").is_none());
        assert!(decode(b"A").is_none());
        assert!(from_data_uri("file.bin").is_none());
        assert!(from_data_uri("data:;base64,/wé==").is_none());
        assert_eq!(from_data_uri("data:;base64,/w==").unwrap(), [255]);
    }
}
