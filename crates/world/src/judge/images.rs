//! The images of a duel: passed by URL, or fetched and sent inline.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::error::{Context as _, Error, Kind, Result};
use crate::base::files;
use crate::http::{Client, Request, shown_url};
use crate::model::answers::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An image of a duel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DuelImage {
    /// Its location: an http(s) or file URL.
    pub url: String,
    /// The SHA-256 of its bytes, if it is on record.
    pub sha256: Option<Digest>,
}

/// An image with its bytes.
#[derive(Debug)]
pub struct LoadedImage {
    /// As a data URL.
    pub data_url: String,
    /// The SHA-256 of its bytes.
    pub sha256: Digest,
}

impl LoadedImage {
    /// Of these bytes; `None` if they are no PNG, JPEG or WebP image.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<LoadedImage> {
        let kind = kind_of(bytes)?;
        let data_url = format!("data:image/{kind};base64,{}", STANDARD.encode(bytes));
        Some(LoadedImage { data_url, sha256: Digest::of(bytes) })
    }
}

/// Images larger than this are not sent to a judge.
const LARGEST: u64 = 32 << 20;

/// How many bytes of data URLs are cached for further duels.
const KEPT: usize = 256 << 20;

/// Fetches images and caches the latest ones.
#[derive(Debug)]
pub struct Images {
    client: Client,
    kept: Mutex<ImageCache>,
}

#[derive(Debug, Default)]
struct ImageCache {
    images: HashMap<String, Arc<LoadedImage>>,
    oldest: VecDeque<String>,
    bytes: usize,
}

impl Images {
    /// Fetches with this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Images { client, kept: Mutex::default() }
    }

    /// Fetches an image, or takes it from the cache.
    ///
    /// # Errors
    /// It cannot be fetched, is not an image, or is not the one on record.
    pub fn fetch(&self, image: &DuelImage) -> Result<Arc<LoadedImage>> {
        if let Some(kept) = self.lock().images.get(&image.url) {
            return Ok(kept.clone());
        }
        let shown = shown_url(&image.url);
        let bytes = match image.url.strip_prefix("file://") {
            Some(path) => read(Path::new(path))?,
            None => self.client.send(&Request::get(image.url.as_str()))?.file()?,
        };
        let loaded = LoadedImage::of(&bytes).ok_or_else(|| {
            let what = "not a PNG, JPEG or WebP image";
            match image.url.strip_prefix("file://") {
                Some(path) => Error::file(Path::new(path), what),
                None => Error::outside(format!("{shown}: {what}")),
            }
        })?;
        let sha256 = loaded.sha256;
        if let Some(recorded) = image.sha256.filter(|recorded| *recorded != sha256) {
            let changed = format!("{shown}: its SHA-256 is {sha256}, but SHA256SUMS has {recorded}");
            return Err(Error::outside(changed).hint("the store holds another file than the one that was recorded"));
        }
        let fetched = Arc::new(loaded);
        self.keep(&image.url, &fetched);
        Ok(fetched)
    }

    /// The digest of an image, if it is on record or the image itself is sent.
    ///
    /// # Errors
    /// It has to be fetched and cannot be.
    pub(super) fn digest(&self, image: &DuelImage, inline: bool) -> Result<Option<Digest>> {
        match image.sha256 {
            Some(digest) => Ok(Some(digest)),
            None if sends(image, inline) => Ok(Some(self.fetch(image)?.sha256)),
            None => Ok(None),
        }
    }

    /// The image in the form that the judge gets.
    ///
    /// # Errors
    /// It has to be fetched and cannot be.
    pub fn shown(&self, image: &DuelImage, inline: bool) -> Result<String> {
        if sends(image, inline) { Ok(self.fetch(image)?.data_url.clone()) } else { Ok(image.url.clone()) }
    }

    /// A file beside the images, of at most `most` bytes; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be fetched, or is larger.
    pub fn file(&self, url: &str, most: usize) -> Result<Option<Vec<u8>>> {
        let large = || Error::outside(format!("{}: larger than {most} bytes", shown_url(url)));
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        if let Some(path) = url.strip_prefix("file://") {
            let path = Path::new(path);
            return files::read_own(path, most).context(Kind::Outside, || format!("{}: cannot read", path.display()));
        }
        let response = self.client.send_up_to(&Request::get(url), most)?.ok_or_else(large)?;
        match response.status {
            404 | 410 => Ok(None),
            _ => response.file().map(Some),
        }
    }

    fn keep(&self, url: &str, fetched: &Arc<LoadedImage>) {
        let mut kept = self.lock();
        if kept.images.insert(url.to_owned(), fetched.clone()).is_some() {
            return;
        }
        kept.oldest.push_back(url.to_owned());
        kept.bytes += fetched.data_url.len();
        while kept.bytes > KEPT {
            let Some(oldest) = kept.oldest.pop_front() else { break };
            if let Some(gone) = kept.images.remove(&oldest) {
                kept.bytes -= gone.data_url.len();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ImageCache> {
        // The cache has no state that a panic elsewhere could leave half updated.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is this image sent inline? A file of a folder store always is: no judge could fetch it.
fn sends(image: &DuelImage, inline: bool) -> bool {
    inline || image.url.starts_with("file://")
}

/// Reads an image file of a folder store.
fn read(path: &Path) -> Result<Vec<u8>> {
    let cannot = || format!("{}: cannot read", path.display());
    let bytes = files::read_own(path, LARGEST).context(Kind::Outside, cannot)?;
    bytes.ok_or_else(|| Error::outside(format!("{}: missing", path.display())))
}

/// The kind of an image by its first bytes.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("png"),
        [0xff, 0xd8, 0xff, ..] => Some("jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HttpLimits, Retry};

    #[test]
    fn only_images_are_read_and_only_those_on_record() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            DuelImage { url: format!("file://{}", path.display()), sha256: None }
        };
        let images = Images::new(Client::new(HttpLimits::default(), Retry::ONCE));
        let png = put("a.png", b"\x89PNG\r\n\x1a\nrest");
        let fetched = images.fetch(&png).unwrap();
        assert!(fetched.data_url.starts_with("data:image/png;base64,iVBORw0KGgpyZXN0"));
        let known = DuelImage { sha256: Some(Digest([0; 32])), ..put("b.png", b"\x89PNG\r\n\x1a\nrest") };
        assert!(images.fetch(&known).unwrap_err().to_string().contains("SHA256SUMS"));
        let secret = put("passwd.png", b"root:x:0:0");
        assert!(images.fetch(&secret).unwrap_err().to_string().contains("not a PNG"));
        let missing = DuelImage { url: "file:///nowhere.png".to_owned(), sha256: None };
        assert_eq!(images.fetch(&missing).unwrap_err().kind(), Kind::Outside);
    }
}
