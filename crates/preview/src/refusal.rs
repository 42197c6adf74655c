//! Why a model gets no preview: a stable code, the place in the file, and a sentence.

use std::borrow::Cow;
use std::fmt;

/// The reason of a refusal. The text form ([`RefusalCode::as_str`]) is stable: tools may match on it.
///
/// The part before the dot is the group: what kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefusalCode {
    /// Shorter than a GLB header and its first chunk header, or empty.
    ContainerHeader,
    /// The first four bytes are not `glTF`.
    ContainerMagic,
    /// A container version other than 2.
    ContainerVersion,
    /// A chunk of the wrong type, or one that is cut short.
    ContainerChunk,
    /// The JSON chunk is no JSON object.
    ContainerJson,
    /// A required extension that this renderer does not read.
    ExtensionRequired,
    /// Not exactly one drawable object.
    SceneObjectCount,
    /// The one object is made of points or lines.
    SceneNotTriangles,
    /// The object has no triangle at all.
    SceneEmpty,
    /// A node, scene or camera entry that cannot be followed.
    SceneNodes,
    /// A vertex in use lies outside the cube of 0.6 around the origin, or is no number.
    BoundsExceeded,
    /// A part of the JSON that has the wrong shape, or a missing key.
    DataShape,
    /// A buffer that is not in the file.
    DataExternalBuffer,
    /// A buffer view that does not fit its buffer.
    DataBufferView,
    /// An accessor that does not fit its buffer view.
    DataAccessor,
    /// An index beyond the vertices.
    DataIndex,
    /// A material index beyond the materials.
    DataMaterialIndex,
    /// A material value outside its range.
    DataMaterialValue,
    /// More triangles than the limit.
    DataTriangles,
    /// More bytes than the limits: of the file, its JSON, or the memory that drawing it takes.
    DataTooLarge,
    /// More work than the limit.
    DataWork,
    /// A texture of a pixel layout that cannot be drawn.
    TextureMode,
    /// A texture whose picture data breaks off or is damaged.
    TextureDamaged,
    /// A texture of a size that cannot be drawn.
    TextureSize,
    /// A texture in a coding that this renderer does not decode.
    TextureCoding,
    /// A texture, but no texture coordinates (or not one for each vertex).
    TextureCoordinates,
}

impl RefusalCode {
    /// Every code, for documents and tests.
    pub const ALL: [Self; 26] = [
        Self::ContainerHeader,
        Self::ContainerMagic,
        Self::ContainerVersion,
        Self::ContainerChunk,
        Self::ContainerJson,
        Self::ExtensionRequired,
        Self::SceneObjectCount,
        Self::SceneNotTriangles,
        Self::SceneEmpty,
        Self::SceneNodes,
        Self::BoundsExceeded,
        Self::DataShape,
        Self::DataExternalBuffer,
        Self::DataBufferView,
        Self::DataAccessor,
        Self::DataIndex,
        Self::DataMaterialIndex,
        Self::DataMaterialValue,
        Self::DataTriangles,
        Self::DataTooLarge,
        Self::DataWork,
        Self::TextureMode,
        Self::TextureDamaged,
        Self::TextureSize,
        Self::TextureCoding,
        Self::TextureCoordinates,
    ];

    /// The stable text of the code, such as `container.magic`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContainerHeader => "container.header",
            Self::ContainerMagic => "container.magic",
            Self::ContainerVersion => "container.version",
            Self::ContainerChunk => "container.chunk",
            Self::ContainerJson => "container.json",
            Self::ExtensionRequired => "extension.required",
            Self::SceneObjectCount => "scene.object-count",
            Self::SceneNotTriangles => "scene.not-triangles",
            Self::SceneEmpty => "scene.empty",
            Self::SceneNodes => "scene.nodes",
            Self::BoundsExceeded => "bounds.exceeded",
            Self::DataShape => "data.shape",
            Self::DataExternalBuffer => "data.external-buffer",
            Self::DataBufferView => "data.buffer-view",
            Self::DataAccessor => "data.accessor",
            Self::DataIndex => "data.index",
            Self::DataMaterialIndex => "data.material-index",
            Self::DataMaterialValue => "data.material-value",
            Self::DataTriangles => "data.triangles",
            Self::DataTooLarge => "data.too-large",
            Self::DataWork => "data.work",
            Self::TextureMode => "texture.mode",
            Self::TextureDamaged => "texture.damaged",
            Self::TextureSize => "texture.size",
            Self::TextureCoding => "texture.coding",
            Self::TextureCoordinates => "texture.coordinates",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A model that is not drawn, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable reason.
    pub code: RefusalCode,
    /// Where in the file, such as `accessors[3]` or `header`.
    pub place: String,
    /// One sentence for people, without a full stop.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal at a place of the file.
    pub fn new(code: RefusalCode, place: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, place: shortened(place.into().into()).into_owned(), message: shortened(message.into()) }
    }

    /// A file of more bytes than the limit: nobody needs to read it to know.
    pub fn too_long(bytes: u64) -> Self {
        let message = format!("{bytes} bytes (at most {})", super::limits::MAX_FILE_BYTES);
        Self::new(RefusalCode::DataTooLarge, "file", message)
    }

    /// A missing or misshapen JSON part: the commonest refusal of the loader.
    pub(crate) fn shape(place: impl Into<String>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalCode::DataShape, place, message)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.message, self.code)
    }
}

impl std::error::Error for Refusal {}

/// The result of a loading step.
pub(crate) type Checked<T> = Result<T, Refusal>;

/// What a refusal quotes of a file may be as long as the file.
fn shortened(text: Cow<'static, str>) -> Cow<'static, str> {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_grouped() {
        let texts: HashSet<_> = RefusalCode::ALL.iter().map(|c| c.as_str()).collect();
        assert_eq!(texts.len(), RefusalCode::ALL.len());
        let groups = ["container", "extension", "scene", "bounds", "data", "texture"];
        for text in texts {
            let (group, rest) = text.split_once('.').expect("a group and a name");
            assert!(groups.contains(&group) && !rest.is_empty(), "{text}");
        }
    }
}
