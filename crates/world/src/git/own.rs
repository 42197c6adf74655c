//! Which files next to the competition are the user's own: those that git does not track.

use std::path::Path;

use gix::bstr::ByteSlice as _;
use gix::objs::{Kind, TreeRefIter};

use super::{Git, objects};
use crate::base::error::{Context as _, Result};
use crate::base::files::{self, Readers};

/// git's list of what is ignored in this checkout only.
const EXCLUDE: &str = "info/exclude";

impl Git {
    /// Does git track a file of this name in the top folder, in the index or in the checked-out commit? Letter
    /// case is ignored, as some disks ignore it.
    ///
    /// # Errors
    /// The index or the commit cannot be read.
    pub fn tracks(&self, name: &str) -> Result<bool> {
        Ok(self.index_has(name)? || self.head_has(name)?)
    }

    fn index_has(&self, name: &str) -> Result<bool> {
        let repo = self.local();
        let what = || self.cannot("read the index");
        let Some(index) = repo.try_index().failed(what)? else { return Ok(false) };
        let top = |path: &[u8]| path.split(|byte| *byte == b'/').next().unwrap_or_default().to_owned();
        Ok(index.entries().iter().any(|entry| top(entry.path(&index)).eq_ignore_ascii_case(name.as_bytes())))
    }

    fn head_has(&self, name: &str) -> Result<bool> {
        let Some(head) = self.head()? else { return Ok(false) };
        let reader = self.reader();
        let bytes = reader.object(reader.commit(head)?.tree, Kind::Tree, objects::LARGEST_TREE)?;
        for entry in TreeRefIter::from_bytes(&bytes, reader.hash()) {
            let entry = entry.failed(|| self.cannot("read the top folder of the commit that is checked out"))?;
            if entry.filename.eq_ignore_ascii_case(name.as_bytes()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes git ignore these files in this checkout (`/name`, from the top folder); existing lines stay.
    ///
    /// # Errors
    /// The list cannot be read or written, or is a link.
    pub fn exclude(&self, lines: &[&str]) -> Result<()> {
        let repo = self.local();
        let (folder, file) = (repo.common_dir(), Path::new(EXCLUDE));
        let old = files::read_below(folder, file, files::SMALL)?.unwrap_or_default();
        let old = old.to_str_lossy();
        let missing: Vec<&str> =
            lines.iter().copied().filter(|line| !old.lines().any(|known| known == *line)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let begun = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
        let new = format!("{old}{begun}{}\n", missing.join("\n"));
        files::write_below(folder, file, new.as_bytes(), Readers::All)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_list_of_what_is_ignored_grows_once_and_a_link_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::init(folder.path()).unwrap();
        let list = folder.path().join(".git/info/exclude");
        fs::create_dir_all(list.parent().unwrap()).unwrap();
        fs::write(&list, "*.tmp").unwrap();
        git.exclude(&["/a", "/b"]).unwrap();
        git.exclude(&["/b", "/c"]).unwrap();
        assert_eq!(fs::read_to_string(&list).unwrap(), "*.tmp\n/a\n/b\n/c\n");
        fs::remove_dir_all(list.parent().unwrap()).unwrap();
        git.exclude(&["/a"]).unwrap();
        assert_eq!(fs::read_to_string(&list).unwrap(), "/a\n");
        #[cfg(unix)]
        {
            let outside = folder.path().join("outside");
            fs::write(&outside, "theirs").unwrap();
            fs::remove_file(&list).unwrap();
            std::os::unix::fs::symlink(&outside, &list).unwrap();
            assert!(git.exclude(&["/d"]).unwrap_err().to_string().contains("a link"));
            assert_eq!(fs::read_to_string(&outside).unwrap(), "theirs");
        }
    }
}
