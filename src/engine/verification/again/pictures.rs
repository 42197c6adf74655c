//! Fetches the pictures of recorded duels, under the rules for miners' URLs, for a judge of the reader's own.

use super::Trouble;
use crate::base::url::check_public_url;
use crate::engine::verification::objects::{Sources, hint_on};
use crate::model::answers::Digest;
use crate::rules::checks::objects::Found;
use crate::rules::rejudge::{Comparison, RecordedImage};
use crate::world::http::shown_url;
use crate::world::judge::images::{DuelImage, LoadedImage};

/// Pictures larger than this are not shown to a judge: several are held at once.
pub(super) const LARGEST: u64 = 8 << 20;

/// Where pictures come from, and how they are handed over.
pub(crate) struct Pictures<'a> {
    pub(super) sources: &'a Sources,
    /// Send the pictures themselves.
    pub(super) inline: bool,
    pub(super) allow_private: bool,
}

/// Is this an address that a judge's server could fetch?
pub(super) fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

impl Pictures<'_> {
    /// A picture, called `what`: by its URL, checked against its digest where one is recorded; or with its bytes.
    ///
    /// # Errors
    /// It has changed, or cannot be had.
    pub(super) fn image(&self, what: &str, image: &RecordedImage) -> Result<DuelImage, Trouble> {
        let by_url = !self.inline && is_web(&image.url);
        if by_url && image.sha256.is_none() {
            self.check(what, &image.url)?;
            return Ok(DuelImage { url: image.url.clone(), sha256: None });
        }
        let bytes = self.file(what, image, LARGEST)?.ok_or_else(|| {
            Trouble::Picture(Comparison::Failed, format!("{what}: {}: there is no such object", shown_url(&image.url)))
        })?;
        let loaded = LoadedImage::of(&bytes).ok_or_else(|| {
            let shown = shown_url(&image.url);
            Trouble::Picture(Comparison::Failed, format!("{what}: {shown}: not a PNG, JPEG or WebP image"))
        })?;
        let url = if by_url { image.url.clone() } else { loaded.data_url };
        Ok(DuelImage { url, sha256: Some(loaded.sha256) })
    }

    /// A file of at most `most` bytes, checked against its digest where one is recorded; `None` if there is none.
    ///
    /// # Errors
    /// It has changed, or cannot be had.
    pub(super) fn file(&self, what: &str, file: &RecordedImage, most: u64) -> Result<Option<Vec<u8>>, Trouble> {
        self.check(what, &file.url)?;
        let failed = |why: String| Trouble::Picture(Comparison::Failed, format!("{what}: {why}"));
        let large = || failed(format!("{}: larger than {most} bytes", shown_url(&file.url)));
        let found = self.sources.fetch(&file.url, most).ok_or_else(large)?;
        let bytes = match (found.bytes, found.found) {
            (Some(bytes), _) => bytes,
            (None, Found::Unknown(why)) => return Err(failed(why)),
            (None, _) => return Ok(None),
        };
        if bytes.len() as u64 > most {
            return Err(large());
        }
        let now = Digest::of(&bytes);
        match file.sha256.filter(|recorded| *recorded != now) {
            Some(recorded) => {
                let changed = format!("{what} has changed: its SHA-256 is {now}, recorded is {recorded}");
                Err(Trouble::Picture(Comparison::Changed, changed))
            }
            None => Ok(Some(bytes)),
        }
    }

    /// Only the reader's own store may be at an address that is not public.
    fn check(&self, what: &str, url: &str) -> Result<(), Trouble> {
        if self.sources.owns(url) || self.allow_private {
            return Ok(());
        }
        let hint = hint_on(url).map(|hint| format!("; {hint}")).unwrap_or_default();
        let failed = |why| Trouble::Picture(Comparison::Failed, format!("{what}: {}: {why}{hint}", shown_url(url)));
        check_public_url(url).map(drop).map_err(failed)
    }
}
