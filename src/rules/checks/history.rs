//! `history.append_only`, `history.stage`, `history.writer`: what each commit did to the files.

use std::collections::{BTreeMap, HashMap};

use super::{Claim, Sink};
use crate::rules::stages::is_arrow;
use crate::state::file::{Content, FileKind, PlayerFile, RoundFile};
use crate::state::ids::{Player, RoundNumber};
use crate::state::matrix::Matrix;
use crate::state::record::ParseError;
use crate::state::stage::{CompetitionState, Stage};

/// The id of a file's contents in git.
pub type BlobId = String;

/// The id that stands for files as they are on disk.
pub const WORKING_TREE: &str = "working tree";

/// A commit, or the working tree where it differs from the last one.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its id in hex, or [`WORKING_TREE`].
    pub id: String,
    /// The first line of its message.
    pub summary: String,
    /// Its first parent's place in the list; every parent stands before its children.
    pub parent: Option<usize>,
    /// The competition's files that differ from every parent.
    pub changes: Vec<Change>,
}

/// A file that a commit added, changed or removed.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which file.
    pub file: FileKind,
    /// Its contents in the first parent.
    pub before: Option<BlobId>,
    /// Its contents in the commit.
    pub after: Option<BlobId>,
}

/// What these checks need to know of a file's contents.
#[derive(Debug, Clone)]
pub enum Trace {
    /// `state.json`
    State(CompetitionState),
    /// A file whose entries may be replaced, but not removed: their keys.
    Keys(Vec<String>),
    /// A list that only grows: its entries.
    List(Vec<String>),
    /// `matches_matrix.csv`
    Rows(Matrix),
    /// A match report: its left.
    Report(Player),
    /// Any other file that parses.
    Other,
    /// A file that does not parse.
    Broken(ParseError),
}

impl Trace {
    /// What these checks need of parsed contents.
    #[must_use]
    pub fn of(parsed: Result<Content, ParseError>) -> Trace {
        fn keys<K: ToString, V>(entries: &indexmap::IndexMap<K, V>) -> Trace {
            Trace::Keys(entries.keys().map(ToString::to_string).collect())
        }
        fn list<T: serde::Serialize>(entries: &[T]) -> Trace {
            let text = |entry| serde_json::to_string(entry).unwrap_or_default();
            Trace::List(entries.iter().map(text).collect())
        }
        match parsed {
            Err(error) => Trace::Broken(error),
            Ok(Content::State(state)) => Trace::State(state),
            Ok(Content::Leader(leaders)) => list(&leaders),
            Ok(Content::RequireAudit(requests)) => list(&requests),
            Ok(Content::Matrix(matrix)) => Trace::Rows(matrix),
            Ok(Content::Report(report)) => Trace::Report(report.left),
            Ok(Content::Outputs(outputs)) => keys(&outputs),
            Ok(Content::Builds(builds)) => keys(&builds),
            Ok(Content::GenerationAudits(audits)) => keys(&audits),
            Ok(_) => Trace::Other,
        }
    }
}

/// A history with the contents that its changes name.
#[derive(Debug, Default)]
pub struct History {
    /// The commits, parents first.
    pub commits: Vec<Commit>,
    /// The contents by file and blob.
    pub traces: HashMap<(FileKind, BlobId), Trace>,
}

/// What holds at a commit, as far as later commits are judged by it.
#[derive(Debug, Clone, Default)]
struct Known {
    state: Option<CompetitionState>,
    /// Rounds whose seed is there.
    seeds: std::collections::BTreeSet<RoundNumber>,
    /// The matrix of each round, by its blob.
    matrices: BTreeMap<RoundNumber, BlobId>,
}

impl Known {
    /// The competition has started: nothing is prepared by hand any longer.
    fn started(&self) -> bool {
        self.seeds.contains(&RoundNumber(0))
    }
}

/// Checks every commit; `only` limits the findings to one round's files.
pub fn check(history: &History, only: Option<RoundNumber>, sink: &mut Sink) {
    let mut known: Vec<Known> = Vec::with_capacity(history.commits.len());
    for commit in &history.commits {
        let before = commit.parent.and_then(|parent| known.get(parent)).cloned().unwrap_or_default();
        let after = step(history, &before, commit);
        let judged = Judged { history, commit, before: &before, after: &after };
        for change in &commit.changes {
            let wanted = only.is_none() || change.file.round().is_none() || change.file.round() == only;
            if wanted {
                judged.change(change, sink);
            }
        }
        known.push(after);
    }
}

/// Lets the claims on the whole history pass where no commit spoke against them.
pub fn conclude(history: &History, sink: &mut Sink) {
    let subject = format!("{} commits", history.commits.len());
    for id in ["history.append_only", "history.stage", "history.writer"] {
        sink.claim_unless_objected(id, &subject);
    }
}

/// What holds after a commit.
fn step(history: &History, before: &Known, commit: &Commit) -> Known {
    let mut known = before.clone();
    for change in &commit.changes {
        match &change.file {
            FileKind::State => {
                known.state = match history.trace(&change.file, change.after.as_ref()) {
                    Some(Trace::State(state)) => Some(state.clone()),
                    // A broken state is reported as such; later stages are judged by the last good one.
                    Some(_) => known.state,
                    None => None,
                };
            }
            FileKind::Round(round, RoundFile::Seed) => {
                if change.after.is_some() {
                    known.seeds.insert(*round);
                } else {
                    known.seeds.remove(round);
                }
            }
            FileKind::Round(round, RoundFile::Matrix) => match &change.after {
                Some(blob) => drop(known.matrices.insert(*round, blob.clone())),
                None => drop(known.matrices.remove(round)),
            },
            _ => {}
        }
    }
    known
}

impl History {
    fn trace(&self, file: &FileKind, blob: Option<&BlobId>) -> Option<&Trace> {
        self.traces.get(&(file.clone(), blob?.clone()))
    }
}

/// One commit with what held before and after it.
struct Judged<'a> {
    history: &'a History,
    commit: &'a Commit,
    before: &'a Known,
    after: &'a Known,
}

impl Judged<'_> {
    fn change(&self, change: &Change, sink: &mut Sink) {
        let path = change.file.path();
        let place = self.commit.id.get(..10).filter(|_| self.commit.id.len() >= 40).unwrap_or(&self.commit.id);
        let (subject, round) = (format!("{place} {path}"), change.file.round());
        let said = if self.commit.summary.is_empty() {
            String::new()
        } else {
            format!(" ({:?})", self.commit.summary.chars().take(80).collect::<String>())
        };
        let mut object = |id, objections: Vec<String>| {
            if !objections.is_empty() {
                sink.claim(id, round, subject.clone(), |claim: &mut Claim| {
                    objections.into_iter().for_each(|objection| claim.fail(objection + &said));
                });
            }
        };
        object("history.append_only", self.lost(change));
        if change.file == FileKind::State {
            object("history.stage", self.stage(change).into_iter().collect());
        }
        object("history.writer", self.writer(change).into_iter().collect());
        if let Some(Trace::Broken(error)) = self.history.trace(&change.file, change.after.as_ref()) {
            let detail = format!("broken in this commit: {error}{said}");
            sink.claim("file.parse", round, subject, |claim| claim.warn(detail));
        }
    }

    /// What the commit changed or removed that only ever grows or stays.
    fn lost(&self, change: &Change) -> Vec<String> {
        let Some(before) = self.history.trace(&change.file, change.before.as_ref()) else { return Vec::new() };
        let after = self.history.trace(&change.file, change.after.as_ref());
        if matches!(after, Some(Trace::Broken(_))) || (!self.before.started() && prepared_by_hand(&change.file)) {
            return Vec::new();
        }
        let gone = change.after.is_none();
        match (&change.file, before) {
            (FileKind::Leader | FileKind::Round(_, RoundFile::RequireAudit), Trace::List(old)) => {
                let new = if let Some(Trace::List(new)) = after { new.as_slice() } else { &[] };
                shortened(old, new)
            }
            (_, Trace::Keys(old)) => {
                let new = if let Some(Trace::Keys(new)) = after { new.as_slice() } else { &[] };
                let kept: std::collections::HashSet<_> = new.iter().collect();
                let gone: Vec<_> = old.iter().filter(|key| !kept.contains(key)).cloned().collect();
                removed("entries", &gone, old.len())
            }
            (_, Trace::Rows(old)) => {
                let empty = Matrix::default();
                rows_lost(old, if let Some(Trace::Rows(new)) = after { new } else { &empty })
            }
            (FileKind::Player(round, right, PlayerFile::Report(_)), Trace::Report(left)) => {
                if self.had_row(*round, left, right) {
                    vec![format!("the report was {}, though its row stood in the matrix", verb(gone))]
                } else {
                    Vec::new()
                }
            }
            (FileKind::Round(round, RoundFile::Submissions), _) => {
                let fixed = self.before.seeds.contains(round);
                if fixed { vec![format!("{} after the seed was revealed", verb(gone))] } else { Vec::new() }
            }
            (FileKind::Round(_, RoundFile::Seed | RoundFile::Prompts | RoundFile::Schedule | RoundFile::Winner), _) => {
                vec![format!("{} once it was there", verb(gone))]
            }
            _ => Vec::new(),
        }
    }

    fn had_row(&self, round: RoundNumber, left: &Player, right: &Player) -> bool {
        let file = FileKind::Round(round, RoundFile::Matrix);
        match self.history.trace(&file, self.before.matrices.get(&round)) {
            Some(Trace::Rows(matrix)) => matrix.margin(left, right).is_some(),
            _ => false,
        }
    }

    fn stage(&self, change: &Change) -> Option<String> {
        let before = self.before.state.as_ref()?;
        let Some(after) = &self.after.state else { return Some("state.json was removed".to_owned()) };
        if change.before == change.after || is_arrow(before, after) {
            return None;
        }
        let name = |state: &CompetitionState| format!("{} of round {}", state.stage, state.current_round);
        Some(format!("from {} to {} is no arrow of the stage machine", name(before), name(after)))
    }

    /// Was the file changed in a stage whose command writes it? The commit of a command that moves
    /// the stage holds both, so the stage before and the stage after count.
    fn writer(&self, change: &Change) -> Option<String> {
        // The first commit brings whatever there was.
        let before = self.before.state.as_ref().filter(|_| self.commit.parent.is_some())?;
        let stages = writing_stages(&change.file)?;
        if !self.before.started() && prepared_by_hand(&change.file) {
            return None;
        }
        let fits = |state: &CompetitionState| {
            let opened =
                matches!(change.file, FileKind::Round(_, RoundFile::Schedule)) && state.stage == Stage::Finalizing;
            let due = if opened { state.current_round.next() } else { state.current_round };
            stages.contains(&state.stage) && change.file.round().is_none_or(|round| round == due)
        };
        if fits(before) || self.after.state.as_ref().is_some_and(fits) {
            return None;
        }
        let (stage, round) = (before.stage, before.current_round);
        let when = if stages.is_empty() {
            "only before the start".to_owned()
        } else {
            let names: Vec<_> = stages.iter().map(|stage| stage.as_str()).collect();
            format!("only in {} of its own round", names.join(", "))
        };
        Some(format!("{} in {stage} of round {round}; it is written {when}", verb(change.after.is_none())))
    }
}

fn verb(gone: bool) -> &'static str {
    if gone { "removed" } else { "changed" }
}

/// Files that are put there by hand before the first round starts.
fn prepared_by_hand(file: &FileKind) -> bool {
    matches!(file, FileKind::Config | FileKind::Leader | FileKind::Round(RoundNumber(0), RoundFile::Schedule))
}

/// The stages whose commands write a file; `None` for files that may change at any time.
fn writing_stages(file: &FileKind) -> Option<&'static [Stage]> {
    const WHILE_JUDGED: &[Stage] = &[Stage::MinerGeneration, Stage::Downloading, Stage::Duels];
    match file {
        FileKind::State | FileKind::Pool | FileKind::Round(_, RoundFile::SourceAudit) => None,
        FileKind::Config => Some(&[]),
        FileKind::Leader | FileKind::Round(_, RoundFile::Schedule) => Some(&[Stage::Finalizing]),
        FileKind::Round(_, RoundFile::Submissions | RoundFile::Seed | RoundFile::Prompts) => Some(&[Stage::Open]),
        FileKind::Round(_, RoundFile::Builds) => Some(WHILE_JUDGED),
        // With no valid submission, `reveal-seed` writes the winner.
        FileKind::Round(_, RoundFile::Winner) => Some(&[Stage::Duels, Stage::Open]),
        FileKind::Round(_, RoundFile::Matrix | RoundFile::RequireAudit | RoundFile::GenerationAudits) => {
            Some(&[Stage::Duels])
        }
        FileKind::Player(_, Player::Leader, _) => Some(WHILE_JUDGED),
        FileKind::Player(_, Player::Miner(_), PlayerFile::Submitted) => Some(&[Stage::Downloading]),
        FileKind::Player(_, Player::Miner(_), PlayerFile::Sums) => Some(&[Stage::Downloading, Stage::Duels]),
        FileKind::Player(_, Player::Miner(_), _) => Some(&[Stage::Duels]),
    }
}

/// A list that only grows must begin with what it was.
fn shortened(old: &[String], new: &[String]) -> Vec<String> {
    let kept = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    match (old.get(kept), new.get(kept)) {
        (None, _) => Vec::new(),
        (Some(was), None) => vec![format!("{} of {} entries were removed, first {was}", old.len() - kept, old.len())],
        (Some(was), Some(is)) => vec![format!("entry {} was {was}, and is now {is}", kept + 1)],
    }
}

fn rows_lost(old: &Matrix, new: &Matrix) -> Vec<String> {
    let mut lost = Vec::new();
    let mut gone = Vec::new();
    for ((left, right), was) in &old.0 {
        match new.margin(left, right) {
            Some(is) if is.to_bits() == was.to_bits() => {}
            Some(is) => lost.push(format!("the margin of {left},{right} was {was}, and is now {is}")),
            None => gone.push(format!("{left},{right},{was}")),
        }
    }
    lost.extend(removed("rows", &gone, old.0.len()));
    lost
}

fn removed(what: &str, gone: &[String], of: usize) -> Vec<String> {
    match gone.first() {
        None => Vec::new(),
        Some(first) => vec![format!("{} of {of} {what} were removed, first {first}", gone.len())],
    }
}
