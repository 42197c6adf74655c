//! A whole competition in memory, read from a folder or a commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::file::{Content, FileKind, Layout, PlayerFile, RoundFile, answers_name};
use super::format::Format;
use super::format::detect::{Detected, detect, written_for};
use super::ids::{Player, RoundNumber};
use super::limits::Budget;
use super::record::ParseError;
use super::tree::{put, stray};
use super::*;
use crate::base::error::{Error, Kind, Result};

/// A place to read files from: a folder, or the tree of a commit.
pub trait Source: Sync {
    /// The sorted paths of all files, relative to the competition's folder, with `/`.
    ///
    /// # Errors
    /// The source cannot be read.
    fn list(&self) -> Result<Vec<String>>;

    /// The bytes of one file; `None` if there is no such file.
    ///
    /// # Errors
    /// The source cannot be read, or the path is not a plain file.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>>;
}

/// A source with its paths, which are listed once for all that need them.
pub struct ListedSource<'a> {
    source: &'a dyn Source,
    paths: Vec<String>,
}

impl<'a> ListedSource<'a> {
    /// Lists a source.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn of(source: &'a dyn Source) -> Result<Self> {
        Ok(ListedSource::with(source, source.list()?))
    }

    /// A source that was listed before.
    #[must_use]
    pub fn with(source: &'a dyn Source, paths: Vec<String>) -> Self {
        ListedSource { source, paths }
    }

    /// Decides the format. Unreadable files are no sign: the checks of files report them.
    #[must_use]
    pub fn detected(&self) -> Detected {
        detect(self.paths.iter().map(String::as_str), |path| self.source.read(path).ok().flatten())
    }

    /// The paths.
    #[must_use]
    pub fn into_paths(self) -> Vec<String> {
        self.paths
    }
}

impl Source for ListedSource<'_> {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.paths.clone())
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.source.read(path)
    }
}

/// A file that may be missing or broken.
#[derive(Debug, Clone, Default)]
pub enum Slot<T> {
    /// It does not exist.
    #[default]
    Missing,
    /// It exists but does not parse: a [`Problem`] says why.
    Broken,
    /// Its contents.
    Ok(T),
}

impl<T> Slot<T> {
    /// The contents, if they could be read.
    pub fn get(&self) -> Option<&T> {
        match self {
            Slot::Ok(value) => Some(value),
            _ => None,
        }
    }

    /// Is the file missing?
    pub fn is_missing(&self) -> bool {
        matches!(self, Slot::Missing)
    }
}

/// A problem with a file itself, apart from what its contents claim.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The file's path, relative to the competition's folder.
    pub path: String,
    /// The round whose folder contains it.
    pub round: Option<RoundNumber>,
    /// The problem.
    pub what: Trouble,
}

/// The kinds of problems with a file itself.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// It does not parse.
    Parse(ParseError),
    /// It cannot be read (a link, a folder in its place, no permission).
    Unreadable(String),
    /// Rewriting it gives different bytes; `by_hand` files may have a layout of their own.
    Layout {
        /// How the bytes differ.
        layout: Layout,
        /// People write this file.
        by_hand: bool,
    },
    /// It is below `rounds/`, but in a folder that is not a round's or a player's.
    Stray(String),
}

impl Trouble {
    /// Why a file cannot be read. Whoever shows it names the file's path, so the message leaves it out.
    pub fn unreadable(error: &Error, path: &str) -> Trouble {
        let text = error.to_string();
        let rest = text.split_once(&format!("{path}: ")).filter(|(before, _)| !before.contains(": "));
        Trouble::Unreadable(rest.map_or_else(|| text.clone(), |(_, rest)| rest.to_owned()))
    }

    /// What is wrong with a file that cannot be read as one of this format: another format's has one name for both.
    pub fn of(error: ParseError, bytes: &[u8], format: Format) -> Trouble {
        match written_for(bytes, format) {
            Some(other) => Trouble::Stray(format!("a file of a {other} competition, but this one is {format}")),
            None => Trouble::Parse(error),
        }
    }
}

/// The files in a player's folder.
#[derive(Debug, Clone, Default)]
pub struct PlayerFiles {
    /// `submitted.json`
    pub submitted: Slot<outputs::Outputs>,
    /// `refusals.json`
    pub refusals: Slot<refusals::Refusals>,
    /// `generated.json`
    pub generated: Slot<outputs::Outputs>,
    /// `pod_stats.json`
    pub pod_stats: Slot<pod_stats::PodStats>,
    /// `SHA256SUMS`
    pub sums: Slot<sums::Sums>,
    /// `duels_*.json`
    pub reports: Reports,
    /// `answers_*.jsonl`, by file name
    pub answers: BTreeMap<String, Slot<answers::Answers>>,
}

/// Match reports by file name, with a lookup by the left side named inside; dereferences to the map. Copies share the
/// reports: they are most of a competition.
#[derive(Debug, Clone, Default)]
pub struct Reports {
    by_name: BTreeMap<String, Slot<Arc<report::MatchReport>>>,
    /// The first file name for each left side.
    by_left: HashMap<Player, String>,
}

impl Reports {
    /// Adds a report.
    pub fn insert(&mut self, name: String, report: Slot<report::MatchReport>) {
        self.put(
            name,
            match report {
                Slot::Ok(report) => Slot::Ok(Arc::new(report)),
                Slot::Broken => Slot::Broken,
                Slot::Missing => Slot::Missing,
            },
        );
    }

    /// Adds a report that others have, too.
    pub fn share(&mut self, name: &str, others: &Reports) {
        if let Some(report) = others.by_name.get(name) {
            self.put(name.to_owned(), report.clone());
        }
    }

    fn put(&mut self, name: String, report: Slot<Arc<report::MatchReport>>) {
        if let Some(report) = report.get() {
            let first = self.by_left.entry(report.left.clone()).or_insert_with(|| name.clone());
            if name < *first {
                first.clone_from(&name);
            }
        }
        self.by_name.insert(name, report);
    }

    /// The report of the match against `left`, with its file name.
    #[must_use]
    pub fn against(&self, left: &Player) -> Option<(&str, &report::MatchReport)> {
        let (name, slot) = self.by_name.get_key_value(self.by_left.get(left)?)?;
        // The file may since have been replaced by a report against another player.
        Some((name.as_str(), slot.get().filter(|report| report.left == *left)?))
    }
}

impl std::ops::Deref for Reports {
    type Target = BTreeMap<String, Slot<Arc<report::MatchReport>>>;
    fn deref(&self) -> &Self::Target {
        &self.by_name
    }
}

impl PlayerFiles {
    /// The report of the match against `left`, with its file name: see [`Reports::against`].
    #[must_use]
    pub fn report_against(&self, left: &Player) -> Option<(&str, &report::MatchReport)> {
        self.reports.against(left)
    }

    /// The answers file beside the report of this name.
    #[must_use]
    pub fn answers_beside(&self, report: &str) -> &Slot<answers::Answers> {
        self.answers.get(&answers_name(report)).unwrap_or(&Slot::Missing)
    }
}

/// The files in a round's folder.
#[derive(Debug, Clone, Default)]
pub struct RoundFiles {
    /// The competition's format.
    pub format: Format,
    /// `schedule.json`
    pub schedule: Slot<schedule::Schedule>,
    /// `submissions.json`
    pub submissions: Slot<submissions::Submissions>,
    /// `seed.json`
    pub seed: Slot<seed::SeedFile>,
    /// `prompts.txt`
    pub prompts: Slot<prompts::PromptList>,
    /// `builds.json`
    pub builds: Slot<builds::Builds>,
    /// `question.toml`
    pub question: Slot<question::QuestionFile>,
    /// `matches_matrix.csv`
    pub matrix: Slot<matrix::Matrix>,
    /// `require_audit.json`
    pub require_audit: Slot<require_audit::AuditRequests>,
    /// `generation_audits.json`
    pub generation_audits: Slot<generation_audits::GenerationAudits>,
    /// `source_audit.json`
    pub source_audit: Slot<source_audit::SourceAudits>,
    /// `winner.json`
    pub winner: Slot<winner::Winner>,
    /// The players' folders.
    pub players: BTreeMap<Player, PlayerFiles>,
}

impl RoundFiles {
    /// A round without files, in a competition of this format.
    #[must_use]
    pub fn of(format: Format) -> Self {
        RoundFiles { format, ..RoundFiles::default() }
    }

    /// Is this file of the round missing?
    #[must_use]
    pub fn is_missing(&self, file: RoundFile) -> bool {
        match file {
            RoundFile::Schedule => self.schedule.is_missing(),
            RoundFile::Submissions => self.submissions.is_missing(),
            RoundFile::Seed => self.seed.is_missing(),
            RoundFile::Prompts => self.prompts.is_missing(),
            RoundFile::Builds => self.builds.is_missing(),
            RoundFile::Question => self.question.is_missing(),
            RoundFile::Matrix => self.matrix.is_missing(),
            RoundFile::RequireAudit => self.require_audit.is_missing(),
            RoundFile::GenerationAudits => self.generation_audits.is_missing(),
            RoundFile::SourceAudit => self.source_audit.is_missing(),
            RoundFile::Winner => self.winner.is_missing(),
        }
    }

    /// The broken files among those that decide a round: the single list of what must be intact. `pod_stats.json`,
    /// `refusals.json` and the judge's answers are not on it, because nothing depends on them.
    #[must_use]
    pub fn broken(&self, round: RoundNumber) -> Vec<FileKind> {
        fn broken<T>(slot: &Slot<T>) -> bool {
            matches!(slot, Slot::Broken)
        }
        let own = [
            (RoundFile::Schedule, broken(&self.schedule)),
            (RoundFile::Submissions, broken(&self.submissions)),
            (RoundFile::Seed, broken(&self.seed)),
            (RoundFile::Prompts, broken(&self.prompts)),
            (RoundFile::Builds, broken(&self.builds)),
            (RoundFile::Question, broken(&self.question)),
            (RoundFile::Matrix, broken(&self.matrix)),
            (RoundFile::RequireAudit, broken(&self.require_audit)),
            (RoundFile::GenerationAudits, broken(&self.generation_audits)),
            (RoundFile::SourceAudit, broken(&self.source_audit)),
            (RoundFile::Winner, broken(&self.winner)),
        ];
        let own = own.into_iter().map(|(file, broken)| (FileKind::Round(round, file), broken));
        let players = self.players.iter().flat_map(|(player, files)| {
            let outputs = [
                (PlayerFile::Submitted, broken(&files.submitted)),
                (PlayerFile::Generated, broken(&files.generated)),
                (PlayerFile::Sums, broken(&files.sums)),
            ];
            let report = |(name, slot): (&String, _)| (PlayerFile::Report(name.clone()), broken(slot));
            let files = outputs.into_iter().chain(files.reports.iter().map(report));
            files.map(|(file, broken)| (FileKind::Player(round, player.clone(), file), broken)).collect::<Vec<_>>()
        });
        own.chain(players).filter(|(_, broken)| *broken).map(|(file, _)| file).collect()
    }

    /// The match report of right against left, with its path.
    #[must_use]
    pub fn report(&self, round: RoundNumber, left: &Player, right: &Player) -> Option<(String, &report::MatchReport)> {
        let (name, report) = self.players.get(right)?.report_against(left)?;
        Some((format!("rounds/{round}/{right}/{name}"), report))
    }
}

/// A whole competition.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Its format.
    pub format: Format,
    /// `config.json`
    pub config: Slot<config::ConfigFile>,
    /// `state.json`
    pub state: Slot<stage::CompetitionState>,
    /// `leader.json`
    pub leaders: Slot<leader::Leaders>,
    /// `prompts.txt`: the pool
    pub pool: Slot<prompts::PromptList>,
    /// The rounds' folders.
    pub rounds: BTreeMap<RoundNumber, RoundFiles>,
    /// Problems with the files themselves, by path.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files: usize,
}

impl Snapshot {
    /// Reads every file of a competition of this format that `wanted` accepts.
    ///
    /// # Errors
    /// The source cannot be listed or lacks a file, or its files together are too large. Problems with single
    /// files are in [`Snapshot::problems`].
    pub fn load_some(format: Format, source: &dyn Source, wanted: impl Fn(&FileKind) -> bool) -> Result<Snapshot> {
        Snapshot::load_within(format, source, wanted, &Budget::of_files())
    }

    /// As [`Snapshot::load_some`], within what is left of `budget`.
    ///
    /// # Errors
    /// As [`Snapshot::load_some`].
    pub fn load_within(
        format: Format,
        source: &dyn Source,
        wanted: impl Fn(&FileKind) -> bool,
        budget: &Budget,
    ) -> Result<Snapshot> {
        let mut snapshot = Snapshot { format, ..Snapshot::default() };
        let mut kinds = Vec::new();
        for path in source.list()? {
            match FileKind::of_path(&path) {
                Some(kind) if wanted(&kind) => kinds.push(kind),
                Some(_) => {}
                None => snapshot.problems.extend(stray(&path, Format::Mesh)),
            }
        }
        let loaded: Vec<_> = kinds.par_iter().map(|kind| load(source, format, kind, budget)).collect::<Result<_>>()?;
        budget.check()?;
        snapshot.files = loaded.len();
        for (kind, loaded) in kinds.into_iter().zip(loaded) {
            snapshot.take(&kind, loaded);
        }
        snapshot.problems.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(snapshot)
    }

    /// Reads every file of a competition in the default format.
    ///
    /// # Errors
    /// As [`Snapshot::load_some`].
    pub fn load(source: &dyn Source) -> Result<Snapshot> {
        Snapshot::load_some(Format::default(), source, |_| true)
    }

    /// The round that `state.json` names.
    #[must_use]
    pub fn current(&self) -> Option<(RoundNumber, &RoundFiles)> {
        let number = self.state.get()?.current_round;
        self.rounds.get(&number).map(|files| (number, files))
    }

    fn take(&mut self, kind: &FileKind, loaded: Loaded) {
        let mut trouble = |what| self.problems.push(Problem { path: kind.path(), round: kind.round(), what });
        match loaded {
            Ok((content, layout)) => {
                let by_hand = kind.by_hand();
                if layout != Layout::Exact && !(by_hand && layout == Layout::FinalNewline) {
                    trouble(Trouble::Layout { layout, by_hand });
                }
                self.place(kind, Some(content));
            }
            Err(what) => {
                trouble(what);
                self.place(kind, None);
            }
        }
    }

    /// Stores a file's contents in its slot; `None` marks the slot as broken.
    fn place(&mut self, kind: &FileKind, content: Option<Content>) {
        match kind {
            FileKind::Config => put!(self.config, content, Content::Config),
            FileKind::State => put!(self.state, content, Content::State),
            FileKind::Leader => put!(self.leaders, content, Content::Leader),
            FileKind::Pool => put!(self.pool, content, Content::Prompts),
            FileKind::Round(round, file) => {
                let files = self.rounds.entry(*round).or_insert_with(|| RoundFiles::of(self.format));
                match file {
                    RoundFile::Schedule => put!(files.schedule, content, Content::Schedule),
                    RoundFile::Submissions => put!(files.submissions, content, Content::Submissions),
                    RoundFile::Seed => put!(files.seed, content, Content::Seed),
                    RoundFile::Prompts => put!(files.prompts, content, Content::Prompts),
                    RoundFile::Builds => put!(files.builds, content, Content::Builds),
                    RoundFile::Question => put!(files.question, content, Content::Question),
                    RoundFile::Matrix => put!(files.matrix, content, Content::Matrix),
                    RoundFile::RequireAudit => put!(files.require_audit, content, Content::RequireAudit),
                    RoundFile::GenerationAudits => put!(files.generation_audits, content, Content::GenerationAudits),
                    RoundFile::SourceAudit => put!(files.source_audit, content, Content::SourceAudit),
                    RoundFile::Winner => put!(files.winner, content, Content::Winner),
                }
            }
            FileKind::Player(round, player, file) => {
                let files = self.rounds.entry(*round).or_insert_with(|| RoundFiles::of(self.format));
                let files = files.players.entry(player.clone()).or_default();
                match file {
                    PlayerFile::Submitted => put!(files.submitted, content, Content::Outputs),
                    PlayerFile::Refusals => put!(files.refusals, content, Content::Refusals),
                    PlayerFile::Generated => put!(files.generated, content, Content::Outputs),
                    PlayerFile::PodStats => put!(files.pod_stats, content, Content::PodStats),
                    PlayerFile::Sums => put!(files.sums, content, Content::Sums),
                    PlayerFile::Report(name) => {
                        let slot;
                        put!(slot, content, Content::Report);
                        files.reports.insert(name.clone(), slot);
                    }
                    PlayerFile::Answers(name) => {
                        let slot;
                        put!(slot, content, Content::Answers);
                        files.answers.insert(name.clone(), slot);
                    }
                }
            }
        }
    }
}

type Loaded = std::result::Result<(Content, Layout), Trouble>;

/// Reads a file. A problem with the file itself is part of the result; it is an error if the source fails, as a
/// partial or damaged clone does.
fn load(source: &dyn Source, format: Format, kind: &FileKind, budget: &Budget) -> Result<Loaded> {
    // Files are read in parallel: once one exceeds the budget, the others stop early.
    if budget.check().is_err() {
        return Ok(Err(Trouble::Unreadable("not read: the memory limit is reached".to_owned())));
    }
    let bytes = match source.read(&kind.path()) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Err(Trouble::Unreadable("it disappeared while being read".to_owned()))),
        // The source failed, not the file: no verdict on the competition.
        Err(error) if matches!(error.kind(), Kind::Outside | Kind::Damaged) => return Err(error),
        Err(error) => return Ok(Err(Trouble::unreadable(&error, &kind.path()))),
    };
    let parsed = Content::parse(format, kind, &bytes).map_err(|error| Trouble::of(error, &bytes, format));
    if let Ok((content, _)) = &parsed {
        budget.take(content.weight(bytes.len()));
    }
    Ok(parsed)
}
