//! What every file type can do, and which file a path of the competition names.

use std::io::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::format::Format;
use super::ids::{Player, RoundNumber};
use super::record::{ParseError, parse_json};
use super::*;

/// A file of the competition: parsed strictly, written in the one layout that its format has.
pub trait RepoFile: Sized {
    /// Reads the file's bytes (without a final newline: see [`split_newline`]).
    ///
    /// # Errors
    /// What is wrong, and where.
    fn parse(format: Format, bytes: &[u8]) -> Result<Self, ParseError>;

    /// As [`RepoFile::parse`], with the first line (from 1) in which writing it again gives other bytes.
    ///
    /// # Errors
    /// What is wrong, and where.
    fn read(format: Format, bytes: &[u8]) -> Result<(Self, Option<usize>), ParseError> {
        let value = Self::parse(format, bytes)?;
        let differs = differs(bytes, |out| value.write(out));
        Ok((value, differs))
    }

    /// Writes the file's bytes, with no newline at the end.
    ///
    /// # Errors
    /// `out` fails.
    fn write(&self, out: impl Write) -> std::io::Result<()>;

    /// The file's bytes, with no newline at the end.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory has no way to fail, and our types serialise whatever they hold.
        let _ = self.write(&mut bytes);
        bytes
    }
}

/// Implements [`RepoFile`] for a type that is two-space JSON.
macro_rules! json_file {
    ($Type:ty) => {
        impl $crate::model::file::RepoFile for $Type {
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
}
pub(crate) use json_file;

/// Splits off one final newline. Editors add one to files that are edited by hand; it carries no
/// meaning, and is kept when the file is written again.
#[must_use]
pub fn split_newline(bytes: &[u8]) -> (&[u8], bool) {
    match bytes {
        [body @ .., b'\n'] => (body, true),
        _ => (bytes, false),
    }
}

/// How a file's bytes compare with what writing it again gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The same bytes.
    Exact,
    /// The same but for a newline at the end.
    FinalNewline,
    /// Other bytes from this line (from 1) on.
    Differs {
        /// The first line that differs.
        line: usize,
    },
}

/// Which file of a competition a path names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// `config.json`
    Config,
    /// `state.json`
    State,
    /// `leader.json`
    Leader,
    /// `prompts.txt`: the pool
    Pool,
    /// A file of a round's folder
    Round(RoundNumber, RoundFile),
    /// A file of a player's folder within a round
    Player(RoundNumber, Player, PlayerFile),
}

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
    pub const ALL: [RoundFile; 10] = [
        RoundFile::Schedule,
        RoundFile::Submissions,
        RoundFile::Seed,
        RoundFile::Prompts,
        RoundFile::Builds,
        RoundFile::Matrix,
        RoundFile::RequireAudit,
        RoundFile::GenerationAudits,
        RoundFile::SourceAudit,
        RoundFile::Winner,
    ];

    /// The file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RoundFile::Schedule => "schedule.json",
            RoundFile::Submissions => "submissions.json",
            RoundFile::Seed => "seed.json",
            RoundFile::Prompts => "prompts.txt",
            RoundFile::Builds => "builds.json",
            RoundFile::Matrix => "matches_matrix.csv",
            RoundFile::RequireAudit => "require_audit.json",
            RoundFile::GenerationAudits => "generation_audits.json",
            RoundFile::SourceAudit => "source_audit.json",
            RoundFile::Winner => "winner.json",
        }
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
    /// `SHA256SUMS`
    Sums,
    /// `duels_<left>.json`, by its full name
    Report(String),
}

impl PlayerFile {
    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            PlayerFile::Submitted => "submitted.json",
            PlayerFile::Generated => "generated.json",
            PlayerFile::PodStats => "pod_stats.json",
            PlayerFile::Sums => "SHA256SUMS",
            PlayerFile::Report(name) => name,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        match name {
            "submitted.json" => Some(PlayerFile::Submitted),
            "generated.json" => Some(PlayerFile::Generated),
            "pod_stats.json" => Some(PlayerFile::PodStats),
            "SHA256SUMS" => Some(PlayerFile::Sums),
            _ if name.starts_with("duels_") && name.ends_with(".json") => Some(PlayerFile::Report(name.to_owned())),
            _ => None,
        }
    }
}

impl FileKind {
    /// The kind of the file at `path` (from the competition's folder, with `/`); `None` for files
    /// that are no part of a competition.
    #[must_use]
    pub fn of_path(path: &str) -> Option<FileKind> {
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["config.json"] => Some(FileKind::Config),
            ["state.json"] => Some(FileKind::State),
            ["leader.json"] => Some(FileKind::Leader),
            ["prompts.txt"] => Some(FileKind::Pool),
            ["rounds", round, name] => FileKind::in_round(round.parse().ok()?, name),
            ["rounds", round, player, name] => FileKind::of_player(round.parse().ok()?, &player.parse().ok()?, name),
            _ => None,
        }
    }

    /// The file of this name in a round's folder; `None` where a competition has none.
    #[must_use]
    pub fn in_round(round: RoundNumber, name: &str) -> Option<FileKind> {
        let file = RoundFile::ALL.into_iter().find(|file| file.name() == name)?;
        Some(FileKind::Round(round, file))
    }

    /// The file of this name in a player's folder; `None` where a competition has none.
    #[must_use]
    pub fn of_player(round: RoundNumber, player: &Player, name: &str) -> Option<FileKind> {
        Some(FileKind::Player(round, player.clone(), PlayerFile::of_name(name)?))
    }

    /// The path of this file, from the competition's folder.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            FileKind::Config => "config.json".to_owned(),
            FileKind::State => "state.json".to_owned(),
            FileKind::Leader => "leader.json".to_owned(),
            FileKind::Pool => "prompts.txt".to_owned(),
            FileKind::Round(round, file) => format!("rounds/{round}/{}", file.name()),
            FileKind::Player(round, player, file) => format!("rounds/{round}/{player}/{}", file.name()),
        }
    }

    /// The round whose folder the file lies in.
    #[must_use]
    pub fn round(&self) -> Option<RoundNumber> {
        match self {
            FileKind::Round(round, _) | FileKind::Player(round, ..) => Some(*round),
            _ => None,
        }
    }

    /// Files that people write: they keep the layout that they have.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        matches!(self, FileKind::Config | FileKind::Pool | FileKind::Round(_, RoundFile::SourceAudit))
    }
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
    /// `SHA256SUMS`
    Sums(sums::Sums),
    /// `duels_<left>.json`
    Report(report::MatchReport),
}

impl Content {
    /// Parses the bytes of a file of `kind`, and says how they compare with writing it again.
    ///
    /// # Errors
    /// The file does not parse, or holds more than such a file can.
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
            FileKind::Round(_, RoundFile::Matrix) => by(bytes, Content::Matrix),
            FileKind::Round(_, RoundFile::RequireAudit) => by(bytes, Content::RequireAudit),
            FileKind::Round(_, RoundFile::GenerationAudits) => by(bytes, Content::GenerationAudits),
            FileKind::Round(_, RoundFile::SourceAudit) => by(bytes, Content::SourceAudit),
            FileKind::Round(_, RoundFile::Winner) => by(bytes, Content::Winner),
            FileKind::Player(_, _, PlayerFile::Submitted | PlayerFile::Generated) => by(bytes, Content::Outputs),
            FileKind::Player(_, _, PlayerFile::PodStats) => by(bytes, Content::PodStats),
            FileKind::Player(_, _, PlayerFile::Sums) => by(bytes, Content::Sums),
            FileKind::Player(_, _, PlayerFile::Report(_)) => by(bytes, Content::Report),
        }
    }
}

/// As [`read`], for a file of this kind.
///
/// # Errors
/// The file does not parse, or holds more than such a file can.
pub fn read_as<T: RepoFile>(format: Format, kind: &FileKind, bytes: &[u8]) -> Result<(T, Layout), ParseError> {
    kind.check(bytes)?;
    read(format, bytes)
}

/// Parses a file, and says how its bytes compare with writing it again.
///
/// # Errors
/// The file does not parse.
pub fn read<T: RepoFile>(format: Format, bytes: &[u8]) -> Result<(T, Layout), ParseError> {
    let (body, newline) = split_newline(bytes);
    let (value, differs) = T::read(format, body)?;
    let layout = match (differs, newline) {
        (None, false) => Layout::Exact,
        (None, true) => Layout::FinalNewline,
        (Some(line), _) => Layout::Differs { line },
    };
    Ok((value, layout))
}

/// [`RepoFile::read`] by a record that is two-space JSON; `make` makes of it what the rules see.
pub(crate) fn read_record<R, T>(bytes: &[u8], make: impl Fn(R) -> T) -> Result<(T, Option<usize>), ParseError>
where
    R: Serialize + DeserializeOwned,
{
    let record: R = parse_json(bytes)?;
    let differs = differs(bytes, |out| Ok(serde_json::to_writer_pretty(out, &record)?));
    Ok((make(record), differs))
}

/// The first line, from 1, in which what is written differs from these bytes.
pub(crate) fn differs(bytes: &[u8], write: impl Fn(&mut dyn Write) -> std::io::Result<()>) -> Option<usize> {
    let mut rest = Expected { rest: bytes };
    if write(&mut rest).is_ok() && rest.rest.is_empty() {
        return None;
    }
    let mut written = Vec::new();
    // Writing to memory has no way to fail.
    let _ = write(&mut written);
    Some(first_difference(bytes, &written))
}

/// A writer that fails at the first byte that is not the expected one: a file is compared with
/// itself written again without keeping the second copy.
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
