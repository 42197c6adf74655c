//! GLB, the model format of mesh competitions.

use crate::base::files;
use crate::model::format::model_format::Facts;
use crate::model::format::{DuelKeys, ModelFileError, Previewed};

pub(in crate::model::format) const FACTS: Facts = Facts {
    name: "GLB",
    extension: "glb",
    media_type: "model/gltf-binary",
    key: "glb",
    duel_keys: DuelKeys { left: "left_glb", right: "right_glb" },
    largest: files::MODEL,
    check,
    previewed: Previewed::FourViews { path: "render_glb", file: "content.glb" },
};

/// Size of the header in bytes: magic, version, length.
pub(in crate::model::format) const HEADER: usize = 12;

fn check(head: &[u8], size: u64) -> Result<(), ModelFileError> {
    let name = FACTS.name;
    let Some((&magic, rest)) = head.split_first_chunk::<4>() else { return Err(ModelFileError::Short { name, size }) };
    if magic != *b"glTF" {
        return Err(ModelFileError::other(name, &magic));
    }
    let word = |at: usize| rest.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    match (word(0), word(4)) {
        (Some(2), Some(stated)) if u64::from(stated) == size => Ok(()),
        (Some(2), Some(stated)) => Err(ModelFileError::Length { name, stated, size }),
        (Some(version), Some(_)) => Err(ModelFileError::Version { name, version, known: 2 }),
        _ => Err(ModelFileError::Short { name, size }),
    }
}

/// The GLB file of a JSON document and a binary chunk whose length is a multiple of four bytes.
#[must_use]
pub fn container(mut document: Vec<u8>, binary: &[u8]) -> Vec<u8> {
    document.resize(document.len().next_multiple_of(4), b' ');
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = b"glTF\x02\0\0\0".to_vec();
    out.extend(length(28 + document.len() + binary.len()));
    out.extend(length(document.len()));
    out.extend(b"JSON");
    out.extend(document);
    out.extend(length(binary.len()));
    out.extend(b"BIN\0");
    out.extend(binary);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_glb_is_said() {
        let head = |version: u32, length: u32| [*b"glTF", version.to_le_bytes(), length.to_le_bytes()].concat();
        assert_eq!(check(&head(2, 100), 100), Ok(()));
        for (bytes, size, why) in [
            (head(2, 100), 99, "100 bytes by its header, but 99 arrived"),
            (head(1, 100), 100, "version 1"),
            (b"<html><body>".to_vec(), 12, "begins with \"<htm\""),
            (b"glTF".to_vec(), 4, "4 bytes"),
            (Vec::new(), 0, "0 bytes"),
        ] {
            assert!(check(&bytes, size).unwrap_err().to_string().contains(why), "{why}");
        }
    }

    #[test]
    fn a_container_is_a_file_of_its_format() {
        let file = container(br#"{"asset":{"version":"2.0"}}"#.to_vec(), &[0; 8]);
        assert_eq!(check(file.get(..HEADER).unwrap(), file.len() as u64), Ok(()));
    }
}
