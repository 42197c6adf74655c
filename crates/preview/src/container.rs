//! The GLB container: header, JSON chunk, binary chunks, and buffers given as data URIs.

use std::borrow::Cow;

use super::base64;
use super::json::Object;
use super::limits::{Budget, MAX_JSON_BYTES, MAX_JSON_VALUES, VALUE_BYTES};
use super::refusal::{Checked, Refusal, RefusalCode};
use python_json::Value;

const MAGIC: u32 = u32::from_le_bytes(*b"glTF");
const CHUNK_JSON: u32 = u32::from_le_bytes(*b"JSON");
const CHUNK_BIN: u32 = u32::from_le_bytes(*b"BIN\0");
/// Its place in messages.
const JSON_CHUNK: &str = "JSON chunk";

/// What a GLB holds before anything in it is understood.
#[derive(Debug)]
pub(crate) struct Container<'a> {
    /// The JSON document.
    pub(crate) document: Value,
    /// The buffers in the order in which the document counts them.
    pub(crate) buffers: Vec<Cow<'a, [u8]>>,
}

impl<'a> Container<'a> {
    /// Splits `glb` as the reference loader does. The total length of the header only decides how
    /// many chunks are looked for: a wrong one is no error, bytes after the last chunk are.
    pub(crate) fn split(glb: &'a [u8], budget: &mut Budget) -> Checked<Self> {
        /// A buffer in the list of them, which grows by doubling.
        const BUFFER: u64 = 3 * size_of::<Cow<'_, [u8]>>() as u64;
        let (total, json_length) = header(glb)?;
        let rest = glb.get(20..).unwrap_or_default();
        let (text, rest) = rest.split_at(rest.len().min(json_length));
        let document = read_json(text, budget)?;
        let mut uris = buffer_uris(&document)?.into_iter();
        let mut buffers = Vec::new();
        let mut at = 0_usize;
        while (at as u64) < u64::from(total) {
            if let Some(Some(uri)) = uris.next() {
                buffers.push(Cow::Owned(inline_buffer(uri, buffers.len())?));
                continue;
            }
            let Some((chunk, next)) = binary_chunk(rest, at)? else { break };
            budget.take(BUFFER, "BIN chunk")?;
            buffers.push(Cow::Borrowed(chunk));
            at = next;
        }
        Ok(Self { document, buffers })
    }
}

/// Checks the 20 bytes of header and first chunk header: total length, JSON length.
fn header(glb: &[u8]) -> Checked<(u32, usize)> {
    let fail = |code, message: &'static str| Err(Refusal::new(code, "header", message));
    let word = |at: usize| glb.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let (Some(magic), Some(version), Some(total), Some(length), Some(kind)) =
        (word(0), word(4), word(8), word(12), word(16))
    else {
        return fail(RefusalCode::ContainerHeader, "shorter than a GLB header");
    };
    if magic != MAGIC {
        return fail(RefusalCode::ContainerMagic, "does not begin with glTF");
    }
    if version != 2 {
        return fail(RefusalCode::ContainerVersion, "only GLB version 2 is read");
    }
    if kind != CHUNK_JSON {
        return fail(RefusalCode::ContainerChunk, "the first chunk is not JSON");
    }
    Ok((total, length as usize))
}

/// Reads the JSON chunk, in the first coding in which it is JSON.
fn read_json(bytes: &[u8], budget: &mut Budget) -> Checked<Value> {
    let fail = |code, message: String| Err(Refusal::new(code, JSON_CHUNK, message));
    if bytes.len() > MAX_JSON_BYTES {
        return fail(RefusalCode::DataTooLarge, format!("{} bytes (at most {MAX_JSON_BYTES})", bytes.len()));
    }
    let copy = if std::str::from_utf8(bytes).is_ok() { 0 } else { 2 * bytes.len() as u64 };
    budget.take(copy, JSON_CHUNK)?;
    let mut fault = None;
    for coding in python_json::codings(bytes) {
        let text = python_json::decode(bytes, *coding);
        let taken = charge_json(&text, budget)?;
        match python_json::read(&text) {
            Ok(value @ Value::Object(_)) => {
                budget.give_back(copy);
                return Ok(value);
            }
            Ok(_) => return fail(RefusalCode::ContainerJson, "not a JSON object".to_owned()),
            Err(why) => {
                budget.give_back(taken);
                fault.get_or_insert(why);
            }
        }
    }
    fail(RefusalCode::ContainerJson, fault.unwrap_or_default())
}

/// Counts what the JSON will take before it is parsed: a parsed value takes up to a hundred times its text.
fn charge_json(text: &str, budget: &mut Budget) -> Checked<u64> {
    let values = most_values(text.as_bytes());
    if values > MAX_JSON_VALUES {
        let message = format!("over {MAX_JSON_VALUES} values");
        return Err(Refusal::new(RefusalCode::DataTooLarge, JSON_CHUNK, message));
    }
    // The texts twice: as they are, and with its strings taken out of base64.
    let bytes = 2 * text.len() as u64 + VALUE_BYTES * values as u64;
    budget.take(bytes, JSON_CHUNK)?;
    Ok(bytes)
}

/// At least as many as there are values in the JSON `text`: a list or an object has one more than commas.
fn most_values(text: &[u8]) -> usize {
    let (mut quoted, mut escaped, mut values) = (false, false, 1);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => values += 1,
            _ => {}
        }
    }
    values
}

/// The `uri` of each entry of `buffers`.
fn buffer_uris(document: &Value) -> Checked<Vec<Option<&Value>>> {
    let entries = Object::of(document, "document")?.list("buffers", "")?;
    let uri = |(i, entry)| Ok(Object::of(entry, &format!("buffers[{i}]"))?.get("uri"));
    entries.iter().enumerate().map(uri).collect()
}

fn inline_buffer(uri: &Value, index: usize) -> Checked<Vec<u8>> {
    uri.as_str().and_then(base64::from_data_uri).ok_or_else(|| {
        Refusal::new(
            RefusalCode::DataExternalBuffer,
            format!("buffers[{index}].uri"),
            "neither in the file nor base64 data",
        )
    })
}

/// The binary chunk at `at` and where the next begins; `None` where no chunk header fits.
fn binary_chunk(rest: &[u8], at: usize) -> Checked<Option<(&[u8], usize)>> {
    let fail = |message| Refusal::new(RefusalCode::ContainerChunk, "BIN chunk", message);
    let Some(head) = rest.get(at..at + 8) else { return Ok(None) };
    let (length, kind) = head.split_at(4);
    if kind != CHUNK_BIN.to_le_bytes() {
        return Err(fail("a chunk after the first is not BIN"));
    }
    let length = length.try_into().map_or(0, u32::from_le_bytes) as usize;
    let end = (at + 8).checked_add(length);
    let chunk = end.and_then(|end| Some((rest.get(at + 8..end)?, end)));
    chunk.map(Some).ok_or_else(|| fail("a chunk is cut short"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glb(json: impl AsRef<[u8]>, bin: &[u8], extra: &[u8]) -> Vec<u8> {
        let json = json.as_ref();
        let mut out = b"glTF\x02\0\0\0".to_vec();
        let total = 12 + 8 + json.len() + 8 + bin.len() + extra.len();
        out.extend((total as u32).to_le_bytes());
        out.extend((json.len() as u32).to_le_bytes());
        out.extend(b"JSON");
        out.extend(json);
        out.extend((bin.len() as u32).to_le_bytes());
        out.extend(b"BIN\0");
        out.extend(bin);
        out.extend(extra);
        out
    }

    fn split(bytes: &[u8]) -> Checked<Container<'_>> {
        Container::split(bytes, &mut Budget::default())
    }

    fn code(bytes: &[u8]) -> RefusalCode {
        split(bytes).unwrap_err().code
    }

    #[test]
    fn a_sound_file_splits() {
        let bytes = glb("{\"a\":1}", &[1, 2, 3], &[]);
        let c = split(&bytes).unwrap();
        assert_eq!(c.document.get("a"), Some(&Value::Int(1)));
        assert_eq!(c.buffers, [Cow::Borrowed(&[1_u8, 2, 3][..])]);
    }

    #[test]
    fn data_uris_come_before_chunks() {
        let json = r#"{"buffers":[{"uri":"data:x;base64,AQI="},{}]}"#;
        let bytes = glb(json, &[9], &[]);
        let c = split(&bytes).unwrap();
        assert_eq!(c.buffers, [Cow::Borrowed(&[1_u8, 2][..]), Cow::Borrowed(&[9][..])]);
    }

    #[test]
    fn each_fault_has_its_code() {
        let good = glb("{}", &[1, 2, 3, 4], &[]);
        assert_eq!(code(&[]), RefusalCode::ContainerHeader);
        assert_eq!(code(&good[..19]), RefusalCode::ContainerHeader);
        let with = |at: usize, byte: u8| {
            let mut b = good.clone();
            b[at] = byte;
            b
        };
        assert_eq!(code(&with(0, b'X')), RefusalCode::ContainerMagic);
        assert_eq!(code(&with(4, 1)), RefusalCode::ContainerVersion);
        assert_eq!(code(&with(16, b'B')), RefusalCode::ContainerChunk);
        assert_eq!(code(&with(20, b'[')), RefusalCode::ContainerJson);
        assert_eq!(code(&good[..good.len() - 1]), RefusalCode::ContainerChunk);
        assert_eq!(code(&glb("{}", &[], &[0; 64])), RefusalCode::ContainerChunk);
        assert_eq!(code(&glb("[]", &[], &[])), RefusalCode::ContainerJson);
    }

    #[test]
    fn the_chunk_is_read_as_python_reads_it() {
        let number = |text: &str| split(&glb(text, &[], &[])).unwrap().document.get("a").cloned();
        assert_eq!(number(r#"{"a":1,"b":[NaN,"\ud800"],"a":-1e400}"#), Some(Value::Float(f64::NEG_INFINITY)));
        // Shift JIS: the second byte of the name looks like a backslash.
        let name = [&br#"{"name":""#[..], &[0x95, 0x5c], br#"","a":7}"#].concat();
        assert_eq!(split(&glb(name, &[], &[])).unwrap().document.get("a"), Some(&Value::Int(7)));
        assert_eq!(code(&glb("\u{feff}{}", &[], &[])), RefusalCode::ContainerJson);
        assert_eq!(code(&glb([b'{', 0xff, b'}'], &[], &[])), RefusalCode::ContainerJson);
    }

    #[test]
    fn what_is_not_utf8_takes_no_more_memory_than_is_counted() {
        let wide = [&br#"{"a":""#[..], &vec![0xe9; MAX_JSON_BYTES - 8], br#""}"#].concat();
        let (mut roomy, mut tight) = (Budget::of(6 * wide.len() as u64 + 2000), Budget::of(6 * wide.len() as u64 - 9));
        let file = glb(wide, &[], &[]);
        assert!(Container::split(&file, &mut roomy).is_ok());
        assert_eq!(Container::split(&file, &mut tight).unwrap_err().code, RefusalCode::DataTooLarge);
    }

    #[test]
    fn no_document_has_more_values_than_are_counted() {
        for (text, least) in [
            ("1", 1),
            ("[]", 1),
            ("[[],[[]]]", 4),
            (r#"{"a":[1,2,{"b":"x,[{\"\\,"}],"c\\":{}}"#, 7),
            (r#"{"a":"\\","b":[",",0]}"#, 5),
        ] {
            let given = most_values(text.as_bytes());
            assert!((least..=2 * least).contains(&given), "{text}: {given}");
        }
    }

    #[test]
    fn json_is_bounded_before_it_is_parsed() {
        let zeros = |n: usize| format!(r#"{{"extras":[0{}]}}"#, ",0".repeat(n));
        assert!(split(&glb(zeros(MAX_JSON_VALUES - 4), &[], &[])).is_ok());
        for text in [zeros(MAX_JSON_VALUES), format!("{{{}}}", " ".repeat(MAX_JSON_BYTES)), "[".repeat(300_000)] {
            assert_eq!(code(&glb(text, &[], &[])), RefusalCode::DataTooLarge);
        }
        // Empty chunks cost eight bytes each in the file, and more than that in the list.
        assert_eq!(code(&glb("{}", &[], &b"\0\0\0\0BIN\0".repeat(9_000_000))), RefusalCode::DataTooLarge);
    }

    #[test]
    fn the_total_length_hardly_matters() {
        for total in [100_u32, u32::MAX] {
            let mut bytes = glb("{}", &[1; 200], &[]);
            bytes[8..12].copy_from_slice(&total.to_le_bytes());
            assert!(split(&bytes).is_ok(), "{total}");
        }
        // Up to seven stray bytes are too few for a chunk header.
        assert!(split(&glb("{}", &[1], &[0; 7])).is_ok());
    }
}
