//! Answers kept with their ETag, so that asking again costs nothing if nothing has changed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::error::{Context as _, Result};
use crate::base::files;
use crate::base::hex;
use crate::model::ids::RoundNumber;

/// The kept answers of one round, in the operator's own folder.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// A kept answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CachedAnswer {
    pub(super) url: String,
    pub(super) etag: String,
    /// Its `Link` header, which a 304 need not repeat.
    pub(super) link: Option<String>,
    pub(super) body: String,
}

impl Cache {
    /// Opens the round's answers and removes those of other rounds.
    pub(super) fn open(own: &Path, round: RoundNumber) -> Result<Self> {
        let (all, name) = (own.join("builds"), round.to_string());
        let what = || format!("{}: cannot use this folder", all.display());
        let folder = files::folder_below(own, &Path::new("builds").join(&name))?;
        files::remove_temporaries(&folder)?;
        for entry in files::list(&all)? {
            if entry.file_name().to_str() != Some(&name) && entry.file_type().failed(what)?.is_dir() {
                std::fs::remove_dir_all(entry.path()).failed(what)?;
            }
        }
        Ok(Cache { folder })
    }

    fn path(&self, url: &str) -> PathBuf {
        let sum = hex::encode(Sha256::digest(url.as_bytes()));
        self.folder.join(format!("{}.json", sum.get(..32).unwrap_or(&sum)))
    }

    /// The kept answer for this URL. An unreadable one counts as missing: the URL is asked again.
    pub(super) fn load(&self, url: &str) -> Option<CachedAnswer> {
        let kept: CachedAnswer = serde_json::from_slice(&files::read_own(&self.path(url), files::OWN).ok()??).ok()?;
        (kept.url == url).then_some(kept)
    }

    /// Keeps an answer.
    pub(super) fn save(&self, kept: &CachedAnswer) -> Result<()> {
        let path = self.path(&kept.url);
        let bytes = serde_json::to_vec(kept).failed(|| format!("{}: cannot write", path.display()))?;
        files::write(&path, &bytes, files::Readers::Own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_for_one_round() {
        let own = tempfile::tempdir().unwrap();
        let cache = Cache::open(own.path(), RoundNumber(3)).unwrap();
        let text = |text: &str| text.to_owned();
        let kept = CachedAnswer { url: text("https://x.org/a"), etag: text("\"1\""), link: None, body: text("{}") };
        cache.save(&kept).unwrap();
        assert_eq!(cache.load("https://x.org/a").unwrap().etag, "\"1\"");
        assert!(cache.load("https://x.org/b").is_none());
        std::fs::write(cache.path("https://x.org/a"), "{\"url\":").unwrap();
        assert!(cache.load("https://x.org/a").is_none(), "one that was cut off");
        Cache::open(own.path(), RoundNumber(4)).unwrap();
        assert!(!cache.folder.exists());
    }
}
