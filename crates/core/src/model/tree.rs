//! Reads every file of a tree, for any format with files that are known by their paths.

use rayon::prelude::*;

use super::file::Layout;
use super::format::Format;
use super::format::detect::other_format;
use super::ids::{Player, RoundNumber};
use super::limits::Budget;
use super::record::ParseError;
use super::snapshot::{Problem, Source, Trouble};
use crate::base::error::{Kind, Result};

/// Puts a file's contents in their slot; `None` marks it as broken.
macro_rules! put {
    ($slot:expr, $content:expr, $Content:ident::$Variant:ident) => {
        $slot = match $content {
            Some($Content::$Variant(value)) => $crate::model::snapshot::Slot::Ok(value),
            _ => $crate::model::snapshot::Slot::Broken,
        }
    };
}
pub(crate) use put;

/// The files of a format.
pub trait FileSet {
    /// The format.
    const FORMAT: Format;
    /// A file, by its path.
    type File: Send + Sync;
    /// What it holds.
    type Content: Send;

    /// The file at a path; `None` if it is not part of such a competition.
    fn of_path(path: &str) -> Option<Self::File>;
    /// Parses a file, and compares its bytes with rewriting it.
    fn parse(file: &Self::File, bytes: &[u8]) -> std::result::Result<(Self::Content, Layout), ParseError>;
    /// Is it written by hand?
    fn by_hand(file: &Self::File) -> bool;
    /// May it end in a newline?
    fn may_end_in_newline(file: &Self::File) -> bool;
    /// The round whose folder contains it.
    fn round(file: &Self::File) -> Option<RoundNumber>;
    /// The approximate memory in bytes of contents parsed from `bytes` bytes.
    fn weight(_content: &Self::Content, bytes: usize) -> u64 {
        // Records with their texts take about three times the bytes of the file.
        3 * bytes as u64
    }
}

/// What was read: each file with its contents (`None` if it does not parse), and what is wrong with files as files.
pub struct Loaded<S: FileSet> {
    /// Each file with its contents.
    pub files: Vec<(S::File, Option<S::Content>)>,
    /// What is wrong with files as files.
    pub problems: Vec<Problem>,
}

/// Reads every file that `wanted` lets through.
///
/// # Errors
/// The source cannot be listed or is outside the competition, or its files are too large together.
pub fn load<S: FileSet>(
    source: &dyn Source,
    wanted: impl Fn(&S::File) -> bool + Sync,
    budget: &Budget,
) -> Result<Loaded<S>> {
    let (mut known, mut problems) = (Vec::new(), Vec::new());
    for path in source.list()? {
        match S::of_path(&path) {
            Some(file) if wanted(&file) => known.push((path, file)),
            Some(_) => {}
            None => problems.extend(stray(&path, S::FORMAT)),
        }
    }
    let read: Vec<_> =
        known.par_iter().map(|(path, file)| read::<S>(source, path, file, budget)).collect::<Result<_>>()?;
    budget.check()?;
    let mut files = Vec::new();
    for ((path, file), read) in known.into_iter().zip(read) {
        let trouble = |what| Problem { path: path.clone(), round: S::round(&file), what };
        let content = match read {
            Ok((content, layout)) => {
                let by_hand = S::by_hand(&file);
                if layout != Layout::Exact && !(layout == Layout::FinalNewline && S::may_end_in_newline(&file)) {
                    problems.push(trouble(Trouble::Layout { layout, by_hand }));
                }
                Some(content)
            }
            Err(what) => {
                problems.push(trouble(what));
                None
            }
        };
        files.push((file, content));
    }
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Loaded { files, problems })
}

type Read<C> = std::result::Result<(C, Layout), Trouble>;

/// Reads a file. What is wrong with it is reported as such; it is an error if the source lacks it, as a partial or damaged
/// clone may.
fn read<S: FileSet>(source: &dyn Source, path: &str, file: &S::File, budget: &Budget) -> Result<Read<S::Content>> {
    if budget.check().is_err() {
        return Ok(Err(Trouble::Unreadable("not read any more".to_owned())));
    }
    let bytes = match source.read(path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Err(Trouble::Unreadable("it vanished while being read".to_owned()))),
        Err(error) if matches!(error.kind(), Kind::Outside | Kind::Damaged) => return Err(error),
        Err(error) => return Ok(Err(Trouble::unreadable(&error, path))),
    };
    let parsed = S::parse(file, &bytes);
    if let Ok((content, _)) = &parsed {
        budget.take(S::weight(content, bytes.len()));
    }
    Ok(parsed.map_err(|error| Trouble::of(error, &bytes, S::FORMAT)))
}

/// A file in `rounds/` that does not belong there: of another format, or in a folder that is not a round's or a player's,
/// most likely a mistyped hotkey. Other unknown files in valid folders belong to others, and are ignored.
pub fn stray(path: &str, format: Format) -> Option<Problem> {
    let parts: Vec<&str> = path.split('/').collect();
    let ["rounds", round, rest @ ..] = parts.as_slice() else { return None };
    let number = round.parse::<RoundNumber>();
    let what = match (&number, rest) {
        (Err(wrong), [_, ..]) => wrong.to_string(),
        (Ok(_), [player, _, ..]) if player.parse::<Player>().is_err() => player.parse::<Player>().err()?.to_string(),
        _ => format!("a file of a {} competition, but this one is {format}", other_format(path, format)?),
    };
    Some(Problem { path: path.to_owned(), round: number.ok(), what: Trouble::Stray(what) })
}
