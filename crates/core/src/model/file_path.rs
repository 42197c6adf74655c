//! A file of a competition of any format that gen404 runs, by its path.

use std::fmt;

use super::bounds::Bounds;
use super::file::{FileIn, FileKind, Named, RepoFile, read};
use super::format::Format;
use super::record::ParseError;
use super::threejs::file::ThreejsFile;

/// The path of a file that belongs to a competition, relative to its folder, with `/`. The formats share many paths;
/// whoever writes, commits or pushes a file needs no more than that.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilePath(String);

impl FilePath {
    /// The file at this path; `None` if no competition has such a file.
    #[must_use]
    pub fn of(path: &str) -> Option<FilePath> {
        let known = FileKind::of_path(path).is_some() || ThreejsFile::of_path(path).is_some();
        known.then(|| FilePath(path.to_owned()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The largest size in bytes that it may have in any format.
    #[must_use]
    pub fn largest(&self) -> u64 {
        largest(&self.0).unwrap_or(0)
    }
}

/// The largest size in bytes of a file at this path, in any format; `None` if no competition has such a file.
pub fn largest(path: &str) -> Option<u64> {
    let mesh = FileKind::of_path(path).map(|file| file.largest());
    let threejs = ThreejsFile::of_path(path).map(|file| file.bounds().largest());
    mesh.max(threejs)
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<R: Named, P: Named> From<FileIn<R, P>> for FilePath {
    fn from(file: FileIn<R, P>) -> FilePath {
        FilePath(file.path())
    }
}

impl<R: Named, P: Named> PartialEq<FileIn<R, P>> for FilePath {
    fn eq(&self, file: &FileIn<R, P>) -> bool {
        self.0 == file.path()
    }
}

/// A file whose kind sets limits.
pub trait BoundedFile {
    /// The path, relative to the competition's folder.
    fn path(&self) -> String;

    /// Refuses bytes that exceed the limits of this kind, before they are parsed.
    ///
    /// # Errors
    /// There are too many bytes, values or lines.
    fn check(&self, bytes: &[u8]) -> Result<(), ParseError>;

    /// Parses a file of this kind whose record is the same in all formats.
    ///
    /// # Errors
    /// The file does not parse, or exceeds the limits of its kind.
    fn parse<T: RepoFile>(&self, bytes: &[u8]) -> Result<T, ParseError> {
        self.check(bytes)?;
        read(Format::default(), bytes).map(|(value, _)| value)
    }
}

impl BoundedFile for FileKind {
    fn path(&self) -> String {
        FileKind::path(self)
    }
    fn check(&self, bytes: &[u8]) -> Result<(), ParseError> {
        FileKind::check(self, bytes)
    }
}

impl BoundedFile for ThreejsFile {
    fn path(&self) -> String {
        ThreejsFile::path(self)
    }
    fn check(&self, bytes: &[u8]) -> Result<(), ParseError> {
        let bounds: Bounds = self.bounds();
        bounds.check(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::RoundNumber;
    use crate::model::threejs::file::ThreejsRoundFile;

    #[test]
    fn a_path_belongs_to_a_competition_of_any_format_and_to_nothing_else() {
        for path in
            ["state.json", "rounds/3/question.toml", "rounds/3/audit_matrix.csv", "rounds/0/leader/generated_2.json"]
        {
            assert_eq!(FilePath::of(path).map(|file| file.as_str().to_owned()).as_deref(), Some(path));
        }
        for path in ["README.md", "../state.json", "rounds/0/judge_progress.json"] {
            assert_eq!(FilePath::of(path), None);
        }
        let matrix = ThreejsFile::Round(RoundNumber(3), ThreejsRoundFile::AuditMatrix);
        assert!(FilePath::from(FileKind::State) == ThreejsFile::State && FilePath::from(matrix) != FileKind::State);
    }

    #[test]
    fn a_file_may_be_as_large_as_in_the_format_that_allows_more() {
        let duels = "rounds/0/leader/audit_submitted_1.json";
        assert_eq!(largest(duels), ThreejsFile::of_path(duels).map(|file| file.bounds().largest()));
        assert!(largest("state.json") >= Some(FileKind::State.largest()) && largest("README.md").is_none());
    }
}
