//! The files of one commit.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use gix::ObjectId;
use gix::objs::{Kind, TreeRefIter};

use super::walk::Walker;
use super::{Git, GitReader, blob_of, objects};
use crate::base::error::{Context as _, Error, Result};
use crate::model::file::FileKind;
use crate::model::history::{BlobId, Contents};
use crate::model::snapshot::Source;

/// The files of a commit that a competition knows.
#[derive(Debug)]
pub struct TreeFiles {
    git: Git,
    commit: String,
    tree: ObjectId,
    /// The folders to list; `None` means all.
    folders: Option<Vec<String>>,
    /// Files of other formats that are listed as well, by their paths.
    others: Option<fn(&str) -> bool>,
    listed: OnceLock<BTreeMap<String, BlobId>>,
}

impl TreeFiles {
    pub(super) fn new(git: Git, commit: &str, tree: ObjectId) -> Self {
        TreeFiles { git, commit: commit.to_owned(), tree, folders: None, others: None, listed: OnceLock::new() }
    }

    /// The same commit, but listing only the files at the top and in these folders, such as `rounds/3`.
    #[must_use]
    pub fn within(mut self, folders: impl IntoIterator<Item = String>) -> Self {
        self.folders = Some(folders.into_iter().collect());
        self.listed = OnceLock::new();
        self
    }

    /// The same commit, but listing files of other formats (that `knows` tells) as well.
    #[must_use]
    pub fn telling(mut self, knows: fn(&str) -> bool) -> Self {
        self.others = Some(knows);
        self.listed = OnceLock::new();
        self
    }

    /// The commit's id in hex.
    #[must_use]
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// The competition's files with their blobs, by path.
    ///
    /// # Errors
    /// A tree cannot be read, or there are too many files.
    pub fn files(&self) -> Result<&BTreeMap<String, BlobId>> {
        if let Some(listed) = self.listed.get() {
            return Ok(listed);
        }
        let reader = self.git.reader();
        let enters = |folder: &str| match &self.folders {
            None => true,
            // A parent of a wanted folder, or one itself.
            Some(wanted) => wanted.iter().any(|wanted| format!("{wanted}/").starts_with(folder)),
        };
        let files = Walker::new(&reader, 1).telling(self.others).files(self.tree, enters)?;
        let files = files.into_iter().map(|(path, id)| (path, blob_of(&id))).collect();
        Ok(self.listed.get_or_init(|| files))
    }

    /// The blob of the file at this path.
    ///
    /// # Errors
    /// A tree along the path cannot be read.
    pub fn blob_id(&self, path: &str) -> Result<Option<BlobId>> {
        if let Some(listed) = self.listed.get().filter(|_| self.folders.is_none() && FileKind::of_path(path).is_some())
        {
            return Ok(listed.get(path).copied());
        }
        let reader = self.git.reader();
        let (mut at, mut names) = (self.tree, path.split('/').peekable());
        while let Some(name) = names.next() {
            let last = names.peek().is_none();
            match entry(&reader, at, name, last)? {
                Some(found) if last => return Ok(Some(blob_of(&found))),
                Some(found) => at = found,
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// The file or the folder of this name in a tree.
fn entry(reader: &GitReader, tree: ObjectId, name: &str, file: bool) -> Result<Option<ObjectId>> {
    let bytes = reader.object(tree, Kind::Tree, objects::LARGEST_TREE)?;
    for entry in TreeRefIter::from_bytes(&bytes, reader.hash()) {
        let entry = entry.failed(|| reader.cannot(&format!("read tree {tree}")))?;
        let fits = if file { entry.mode.is_blob() } else { entry.mode.is_tree() };
        if fits && entry.filename == name {
            return Ok(Some(entry.oid.to_owned()));
        }
    }
    Ok(None)
}

impl Source for TreeFiles {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.files()?.keys().cloned().collect())
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let Some(id) = self.blob_id(path)? else { return Ok(None) };
        let reader = self.git.reader();
        let contents = match FileKind::of_path(path) {
            Some(file) => reader.file(&file, &id)?,
            None => reader.any_file(&id)?,
        };
        match contents {
            Contents::Bytes(bytes) => Ok(Some(bytes)),
            Contents::Unfit(why) => Err(Error::failed(format!("{path}: {why}"))),
        }
    }
}
