//! Pictures as the reference's image library reads them: `scripts/picture_vectors` writes them and what it sees.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    pictures: Vec<Vector>,
}

/// A file, and what the reference reads in it.
#[derive(Deserialize)]
struct Vector {
    name: String,
    data: String,
    /// Where it fails: "open" before the pixels, "load" in them.
    fails: Option<String>,
    mode: Option<String>,
    size: Option<[u32; 2]>,
    pixels: Option<String>,
    /// Of a picture with a palette, each pixel as RGBA.
    colors: Option<String>,
    /// The data is packed once more.
    #[serde(default)]
    packed: bool,
    /// Refused here on purpose, by this name.
    refused_here: Option<String>,
    /// A known mistake.
    differs: Option<String>,
}

/// What became of a file: the words of `Vector`, and the picture.
fn seen(bytes: &[u8]) -> Result<Picture, String> {
    let plan = plan(Cow::Borrowed(bytes)).ok_or("open")?;
    let picture = plan.decode("images[0]", Watch::NONE).map_err(|refusal| match refusal.code {
        RefusalCode::TextureDamaged => "load".to_owned(),
        _ => refusal.to_string(),
    })?;
    assert_eq!((picture.width, picture.height), plan.size());
    Ok(picture)
}

/// What is not as the reference has it.
fn difference(vector: &Vector) -> Option<String> {
    let bytes = STANDARD.decode(&vector.data).unwrap();
    let bytes = if vector.packed { miniz_oxide::inflate::decompress_to_vec_zlib(&bytes).unwrap() } else { bytes };
    let found = seen(&bytes);
    if let Some(name) = &vector.refused_here {
        assert!(vector.fails.as_deref() != Some("open"), "{}: the reference does not open it", vector.name);
        let told = matches!(&found, Err(refusal) if refusal.contains("not decoded here") && refusal.contains(name));
        return (!told).then(|| format!("not refused as {name}, but {:?}", found.map(|_| "read")));
    }
    let picture = match (found, vector.fails.as_deref()) {
        (Err(fault), Some(expected)) if fault == expected => return None,
        (Err(fault), expected) => return Some(format!("{fault}, not {expected:?}")),
        (Ok(_), Some(expected)) => return Some(format!("read, not {expected}")),
        (Ok(picture), None) => picture,
    };
    if Some([picture.width, picture.height]) != vector.size {
        return Some(format!("{} by {}, not {:?}", picture.width, picture.height, vector.size));
    }
    let hex = |text: &Option<String>| -> Vec<u8> {
        let digits = text.as_deref().unwrap_or_default();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    };
    let mode = vector.mode.as_deref().unwrap_or_default();
    let layout = match (&picture.pixels, picture.kind) {
        (Pixels::Bits, Kind::Plain) => &["1"][..],
        (Pixels::Palette(..), Kind::Plain) => &["P"],
        (Pixels::Channels(1, _), Kind::Plain) => &["L"],
        (Pixels::Channels(1, _), Kind::Wide) => &["I;16", "I;16B"],
        (Pixels::Channels(2, _), Kind::Plain) => &["LA"],
        (Pixels::Channels(3, _), Kind::Plain) => &["RGB"],
        (Pixels::Channels(4, _), Kind::Plain) => &["RGBA"],
        (Pixels::Channels(4, _), Kind::Inks) => &["CMYK"],
        _ => &[],
    };
    if !layout.contains(&mode) {
        return Some(format!("{layout:?}, not {mode}"));
    }
    let colors = match &picture.pixels {
        Pixels::Palette(data, palette) => data.iter().flat_map(|index| palette[usize::from(*index)]).collect(),
        _ => Vec::new(),
    };
    // Colours of half the size are enlarged by sums in another order.
    let near = match vector.name.as_str() {
        name if name.contains("halves") => 6,
        name if name.starts_with("jpeg") => 2,
        _ => 0,
    };
    let far = |ours: &[u8], theirs: &[u8]| {
        let at = ours.iter().zip(theirs).position(|(a, b)| a.abs_diff(*b) > near);
        let short = (ours.len() != theirs.len()).then(|| format!("{} bytes, not {}", ours.len(), theirs.len()));
        short.or_else(|| at.map(|at| format!("byte {at} is {}, not {}", ours[at], theirs[at])))
    };
    match &picture.pixels {
        Pixels::Bits => None,
        Pixels::Palette(data, _) => far(data, &hex(&vector.pixels)).or_else(|| far(&colors, &hex(&vector.colors))),
        Pixels::Channels(_, data) => far(data, &hex(&vector.pixels)),
    }
}

#[test]
fn strangers_and_broken_headers_are_dropped() {
    let heads: [&[u8]; 5] = [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"];
    for bytes in heads {
        assert!(plan(Cow::Borrowed(bytes)).is_none(), "{bytes:?}");
    }
}

#[test]
fn pictures_are_read_as_the_reference_reads_them() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../../../tests/fixtures/pictures.json")).unwrap();
    assert!(vectors.pictures.len() > 150);
    let mut wrong = Vec::new();
    for vector in &vectors.pictures {
        match (difference(vector), &vector.differs) {
            (Some(what), None) => wrong.push(format!("{}: {what}", vector.name)),
            (None, Some(_)) => wrong.push(format!("{}: it no longer differs", vector.name)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), vectors.pictures.len(), wrong.join("\n"));
}
