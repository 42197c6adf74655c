//! Reading and writing of every file type, and the mapping between paths and files of the competition.

use std::borrow::Cow;
use std::io::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exact::{self, Exact};
use super::format::Format;
use super::ids::{Player, RoundNumber};
use super::record::{ParseError, parse_json};
use super::*;

/// A file of the competition: parsed strictly, written in the one layout of its format.
pub trait RepoFile: Sized {
    /// Is a final newline part of the file? Otherwise it is split off before parsing, see [`split_newline`].
    const OWN_NEWLINE: bool = false;

    /// Parses the file's bytes.
    ///
    /// # Errors
    /// The bytes are invalid; the error says what is wrong, and where.
    fn parse(format: Format, bytes: &[u8]) -> Result<Self, ParseError>;

    /// As [`RepoFile::parse`]; also returns the first line (from 1) that rewriting would change.
    ///
    /// # Errors
    /// As [`RepoFile::parse`].
    fn read(format: Format, bytes: &[u8]) -> Result<(Self, Option<usize>), ParseError> {
        read_strictly(format, bytes)
    }

    /// Writes the file's bytes, with no newline at the end unless it is [the file's own](Self::OWN_NEWLINE).
    ///
    /// # Errors
    /// `out` fails.
    fn write(&self, out: impl Write) -> std::io::Result<()>;

    /// The file's bytes, as [`RepoFile::write`] writes them.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory cannot fail, and our types serialise any value they hold.
        let _ = self.write(&mut bytes);
        bytes
    }
}

/// Implements [`RepoFile`] for a type that is two-space JSON; marked `[exact]`, for one that is
/// [`Exact`].
macro_rules! json_file {
    ($Type:ident $([$exact:ident])?) => {
        impl $crate::model::file::RepoFile for $Type {
            $crate::model::file::json_file! { @read $([$exact])? }
            fn parse(
                _: $crate::model::format::Format,
                bytes: &[u8],
            ) -> Result<Self, $crate::model::record::ParseError> {
                $crate::model::record::parse_json(bytes)
            }
            fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
                Ok(serde_json::to_writer_pretty(out, self)?)
            }
        }
    };
    (@read) => {};
    (@read [exact]) => {
        fn read(
            _: $crate::model::format::Format,
            bytes: &[u8],
        ) -> Result<(Self, Option<usize>), $crate::model::record::ParseError> {
            $crate::model::file::read_record(bytes, std::convert::identity)
        }
    };
}
pub(crate) use json_file;

/// Splits off one final newline. Editors add one to files edited by hand; it has no meaning, and is kept
/// when the file is rewritten.
#[must_use]
pub fn split_newline(bytes: &[u8]) -> (&[u8], bool) {
    match bytes {
        [body @ .., b'\n'] => (body, true),
        _ => (bytes, false),
    }
}

/// How a file's bytes compare with those that rewriting it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The same bytes.
    Exact,
    /// The same except for a final newline.
    FinalNewline,
    /// Different bytes from this line on.
    Differs {
        /// The first line that differs, from 1.
        line: usize,
    },
}

/// A file of a competition whose rounds' folders have the files `R`, and whose players' folders have the files `P`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileIn<R, P> {
    /// `config.json`
    Config,
    /// `state.json`
    State,
    /// `leader.json`
    Leader,
    /// `prompts.txt`: the pool
    Pool,
    /// A file of a round's folder
    Round(RoundNumber, R),
    /// A file of a player's folder within a round
    Player(RoundNumber, Player, P),
}

/// A file of a folder, by its name.
pub trait Named: Sized {
    /// The file of this name; `None` if a competition has no such file.
    fn named(name: &str) -> Option<Self>;

    /// The file's name.
    fn file_name(&self) -> Cow<'_, str>;
}

impl<R: Named, P: Named> FileIn<R, P> {
    /// The file at `path` (relative to the competition's folder, with `/`); `None` if it is not part of a
    /// competition.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["config.json"] => Some(FileIn::Config),
            ["state.json"] => Some(FileIn::State),
            ["leader.json"] => Some(FileIn::Leader),
            ["prompts.txt"] => Some(FileIn::Pool),
            ["rounds", round, name] => FileIn::in_round(round.parse().ok()?, name),
            ["rounds", round, player, name] => FileIn::of_player(round.parse().ok()?, &player.parse().ok()?, name),
            _ => None,
        }
    }

    /// The file of this name in a round's folder; `None` if a competition has no such file.
    #[must_use]
    pub fn in_round(round: RoundNumber, name: &str) -> Option<Self> {
        Some(FileIn::Round(round, R::named(name)?))
    }

    /// The file of this name in a player's folder; `None` if a competition has no such file.
    #[must_use]
    pub fn of_player(round: RoundNumber, player: &Player, name: &str) -> Option<Self> {
        Some(FileIn::Player(round, player.clone(), P::named(name)?))
    }

    /// The path of this file, relative to the competition's folder.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            FileIn::Config => "config.json".to_owned(),
            FileIn::State => "state.json".to_owned(),
            FileIn::Leader => "leader.json".to_owned(),
            FileIn::Pool => "prompts.txt".to_owned(),
            FileIn::Round(round, file) => format!("rounds/{round}/{}", file.file_name()),
            FileIn::Player(round, player, file) => format!("rounds/{round}/{player}/{}", file.file_name()),
        }
    }
}

impl<R, P> FileIn<R, P> {
    /// The round whose folder contains the file.
    #[must_use]
    pub fn round(&self) -> Option<RoundNumber> {
        match self {
            FileIn::Round(round, _) | FileIn::Player(round, ..) => Some(*round),
            _ => None,
        }
    }
}

/// A file of a competition of meshes.
pub type FileKind = FileIn<RoundFile, PlayerFile>;

/// The files of a round's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoundFile {
    /// `schedule.json`
    Schedule,
    /// `submissions.json`
    Submissions,
    /// `seed.json`
    Seed,
    /// `prompts.txt`
    Prompts,
    /// `builds.json`
    Builds,
    /// `question.toml`
    Question,
    /// `matches_matrix.csv`
    Matrix,
    /// `require_audit.json`
    RequireAudit,
    /// `generation_audits.json`
    GenerationAudits,
    /// `source_audit.json`
    SourceAudit,
    /// `winner.json`
    Winner,
}

impl RoundFile {
    /// Every file of a round's folder, in the order in which a round writes them.
    pub const ALL: [RoundFile; 11] = [
        RoundFile::Schedule,
        RoundFile::Submissions,
        RoundFile::Seed,
        RoundFile::Prompts,
        RoundFile::Builds,
        RoundFile::Question,
        RoundFile::Matrix,
        RoundFile::RequireAudit,
        RoundFile::GenerationAudits,
        RoundFile::SourceAudit,
        RoundFile::Winner,
    ];

    /// The file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

/// The files of a player's folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlayerFile {
    /// `submitted.json`
    Submitted,
    /// `generated.json`
    Generated,
    /// `pod_stats.json`
    PodStats,
    /// `refusals.json`
    Refusals,
    /// `SHA256SUMS`
    Sums,
    /// `duels_<left>.json`, by its full name
    Report(String),
    /// `answers_<left>.jsonl`, by its full name
    Answers(String),
}

impl PlayerFile {
    /// The files that have the same name in every folder.
    pub const NAMED: [PlayerFile; 5] =
        [PlayerFile::Submitted, PlayerFile::Refusals, PlayerFile::Generated, PlayerFile::PodStats, PlayerFile::Sums];

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            PlayerFile::Report(name) | PlayerFile::Answers(name) => name,
            file => file.row().name,
        }
    }
}

/// The name of the answers file beside a match report: `answers_X.jsonl` for `duels_X.json`.
#[must_use]
pub fn answers_name(report: &str) -> String {
    let left = report.strip_prefix("duels_").and_then(|rest| rest.strip_suffix(".json"));
    format!("answers_{}.jsonl", left.unwrap_or(report))
}

/// The name of the match report beside an answers file: `duels_X.json` for `answers_X.jsonl`; `None` for another file.
#[must_use]
pub fn report_of(answers: &str) -> Option<String> {
    let left = answers.strip_prefix("answers_")?.strip_suffix(".jsonl")?;
    Some(format!("duels_{left}.json"))
}

impl Named for RoundFile {
    fn named(name: &str) -> Option<Self> {
        RoundFile::ALL.into_iter().find(|file| file.name() == name)
    }
    fn file_name(&self) -> Cow<'_, str> {
        self.name().into()
    }
}

impl Named for PlayerFile {
    fn named(name: &str) -> Option<Self> {
        let is_report = name.starts_with("duels_") && name.ends_with(".json");
        let report = is_report.then(|| PlayerFile::Report(name.to_owned()));
        let answers = report_of(name).map(|_| PlayerFile::Answers(name.to_owned()));
        PlayerFile::NAMED.into_iter().find(|file| file.name() == name).or(report).or(answers)
    }
    fn file_name(&self) -> Cow<'_, str> {
        self.name().into()
    }
}

impl FileKind {
    /// The files of the competition's own folder.
    pub const TOP: [FileKind; 4] = [FileKind::Config, FileKind::State, FileKind::Leader, FileKind::Pool];
}

/// A file's contents, parsed by its kind.
#[derive(Debug, Clone)]
pub enum Content {
    /// `config.json`
    Config(config::ConfigFile),
    /// `state.json`
    State(stage::CompetitionState),
    /// `leader.json`
    Leader(leader::Leaders),
    /// `prompts.txt`, the pool's or a round's
    Prompts(prompts::PromptList),
    /// `schedule.json`
    Schedule(schedule::Schedule),
    /// `submissions.json`
    Submissions(submissions::Submissions),
    /// `seed.json`
    Seed(seed::SeedFile),
    /// `builds.json`
    Builds(builds::Builds),
    /// `question.toml`
    Question(question::QuestionFile),
    /// `matches_matrix.csv`
    Matrix(matrix::Matrix),
    /// `require_audit.json`
    RequireAudit(require_audit::AuditRequests),
    /// `generation_audits.json`
    GenerationAudits(generation_audits::GenerationAudits),
    /// `source_audit.json`
    SourceAudit(source_audit::SourceAudits),
    /// `winner.json`
    Winner(winner::Winner),
    /// `submitted.json` or `generated.json`
    Outputs(outputs::Outputs),
    /// `pod_stats.json`
    PodStats(pod_stats::PodStats),
    /// `refusals.json`
    Refusals(refusals::Refusals),
    /// `SHA256SUMS`
    Sums(sums::Sums),
    /// `duels_<left>.json`
    Report(report::MatchReport),
    /// `answers_<left>.jsonl`
    Answers(answers::Answers),
}

impl Content {
    /// Parses the bytes of a file of `kind`, and compares them with rewriting it.
    ///
    /// # Errors
    /// The file does not parse, or exceeds the limits of its kind.
    pub fn parse(format: Format, kind: &FileKind, bytes: &[u8]) -> Result<(Content, Layout), ParseError> {
        type Read = Result<(Content, Layout), ParseError>;
        fn by<T: RepoFile>((format, bytes): (Format, &[u8]), wrap: fn(T) -> Content) -> Read {
            read::<T>(format, bytes).map(|(value, layout)| (wrap(value), layout))
        }
        kind.check(bytes)?;
        let bytes = (format, bytes);
        match kind {
            FileKind::Config => by(bytes, Content::Config),
            FileKind::State => by(bytes, Content::State),
            FileKind::Leader => by(bytes, Content::Leader),
            FileKind::Pool | FileKind::Round(_, RoundFile::Prompts) => by(bytes, Content::Prompts),
            FileKind::Round(_, RoundFile::Schedule) => by(bytes, Content::Schedule),
            FileKind::Round(_, RoundFile::Submissions) => by(bytes, Content::Submissions),
            FileKind::Round(_, RoundFile::Seed) => by(bytes, Content::Seed),
            FileKind::Round(_, RoundFile::Builds) => by(bytes, Content::Builds),
            FileKind::Round(_, RoundFile::Question) => by(bytes, Content::Question),
            FileKind::Round(_, RoundFile::Matrix) => by(bytes, Content::Matrix),
            FileKind::Round(_, RoundFile::RequireAudit) => by(bytes, Content::RequireAudit),
            FileKind::Round(_, RoundFile::GenerationAudits) => by(bytes, Content::GenerationAudits),
            FileKind::Round(_, RoundFile::SourceAudit) => by(bytes, Content::SourceAudit),
            FileKind::Round(_, RoundFile::Winner) => by(bytes, Content::Winner),
            FileKind::Player(_, _, PlayerFile::Submitted | PlayerFile::Generated) => by(bytes, Content::Outputs),
            FileKind::Player(_, _, PlayerFile::PodStats) => by(bytes, Content::PodStats),
            FileKind::Player(_, _, PlayerFile::Refusals) => by(bytes, Content::Refusals),
            FileKind::Player(_, _, PlayerFile::Sums) => by(bytes, Content::Sums),
            FileKind::Player(_, _, PlayerFile::Report(_)) => by(bytes, Content::Report),
            FileKind::Player(_, _, PlayerFile::Answers(_)) => by(bytes, Content::Answers),
        }
    }
}

/// As [`read`], for a file of this kind.
///
/// # Errors
/// The file does not parse, or exceeds the limits of its kind.
pub fn read_as<T: RepoFile>(format: Format, kind: &FileKind, bytes: &[u8]) -> Result<(T, Layout), ParseError> {
    kind.check(bytes)?;
    read(format, bytes)
}

/// Parses a file, and compares its bytes with rewriting it.
///
/// # Errors
/// The file does not parse.
pub fn read<T: RepoFile>(format: Format, bytes: &[u8]) -> Result<(T, Layout), ParseError> {
    let (body, newline) = if T::OWN_NEWLINE { (bytes, false) } else { split_newline(bytes) };
    let (value, differs) = T::read(format, body)?;
    let layout = match (differs, newline) {
        (None, false) => Layout::Exact,
        (None, true) => Layout::FinalNewline,
        (Some(line), _) => Layout::Differs { line },
    };
    Ok((value, layout))
}

/// [`RepoFile::read`] by parsing a file, writing it again, and comparing.
pub fn read_strictly<T: RepoFile>(format: Format, bytes: &[u8]) -> Result<(T, Option<usize>), ParseError> {
    let value = T::parse(format, bytes)?;
    let differs = differs(bytes, |out| value.write(out));
    Ok((value, differs))
}

/// [`RepoFile::read`] through a record that is two-space JSON; `make` turns it into the type that the rules use.
pub fn read_record<R, T>(bytes: &[u8], make: impl Fn(R) -> T) -> Result<(T, Option<usize>), ParseError>
where
    R: Exact + Serialize + DeserializeOwned,
{
    let differs = |record: &R| differs(bytes, |out| Ok(serde_json::to_writer_pretty(out, record)?));
    if let Some(record) = exact::read::<R>(bytes) {
        debug_assert_eq!(differs(&record), None, "a file that is not exactly as it is written was read as if it were");
        return Ok((make(record), None));
    }
    let record: R = parse_json(bytes)?;
    let differs = differs(&record);
    Ok((make(record), differs))
}

/// The first line, from 1, in which the written bytes differ from these.
pub fn differs(bytes: &[u8], write: impl Fn(&mut dyn Write) -> std::io::Result<()>) -> Option<usize> {
    let mut rest = Expected { rest: bytes };
    if write(&mut rest).is_ok() && rest.rest.is_empty() {
        return None;
    }
    // Only a file that differs is written in full, to find the line. Writing to memory cannot fail.
    let mut written = Vec::new();
    let _ = write(&mut written);
    Some(first_difference(bytes, &written))
}

/// A writer that fails at the first unexpected byte: compares a file with its rewritten form without
/// keeping a second copy.
struct Expected<'a> {
    rest: &'a [u8],
}

impl Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => self.rest = rest,
            None => return Err(std::io::ErrorKind::InvalidData.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The first line, from 1, in which two texts differ.
fn first_difference(a: &[u8], b: &[u8]) -> usize {
    let same = a.iter().zip(b).take_while(|(x, y)| x == y);
    same.filter(|(x, _)| **x == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_its_kind_lead_to_each_other() {
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let paths = ["config.json", "state.json", "leader.json", "prompts.txt", "rounds/0/prompts.txt"];
        let more = ["leader/generated.json", "leader/SHA256SUMS", "seed.json"].map(|p| format!("rounds/12/{p}"));
        let report = format!("rounds/3/{hotkey}/duels_5DcQs3LcdM.json");
        for path in paths.into_iter().map(str::to_owned).chain(more).chain([report]) {
            assert_eq!(FileKind::of_path(&path).map(|kind| kind.path()), Some(path));
        }
        for other in [
            "README.md",
            "rounds/x/seed.json",
            "rounds/01/seed.json",
            "rounds/1/../2/seed.json",
            "rounds/1/5Bad/submitted.json",
        ] {
            assert_eq!(FileKind::of_path(other), None, "{other}");
        }
    }
}
