//! `history.append_only`, `history.stage`, `history.writer`: what each commit did to the files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::{Claim, Sink};
use crate::base::error::{Error, Result};
use crate::model::file::{Content, FileKind, PlayerFile, RoundFile};
use crate::model::history::{BlobId, Change, Commit};
use crate::model::ids::{Player, RoundNumber};
use crate::model::matrix::Matrix;
use crate::model::record::ParseError;
use crate::model::stage::{CompetitionState, Stage};
use crate::rules::stages::is_arrow;

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
    /// About how many bytes it takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        const EACH: usize = 64;
        let texts = |texts: &[String]| texts.iter().map(|text| text.len() + EACH).sum();
        match self {
            Trace::Keys(entries) | Trace::List(entries) => texts(entries),
            Trace::Rows(matrix) => matrix.0.len() * 4 * EACH,
            _ => 4 * EACH,
        }
    }

    /// What these checks need of parsed contents.
    #[must_use]
    pub fn of(parsed: std::result::Result<Content, ParseError>) -> Trace {
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

/// Contents by file and blob.
pub type Traces = HashMap<(FileKind, BlobId), Trace>;

/// Reads the contents that are asked for.
pub type Load<'a> = dyn FnMut(&[(FileKind, BlobId)]) -> Result<Traces> + 'a;

/// The contents of so many changes are in memory at once.
const WINDOW: usize = 512;

/// Contents of so many bytes are kept from one window for the next: more of them are read again.
const MOST_KEPT: usize = 64 << 20;

/// So many rounds are copied where the history branches: no competition has that many branches.
const MOST_COPIED: usize = 20_000_000;

/// What holds at a commit, as far as later commits are judged by it. Branches share it until they change it.
#[derive(Debug, Clone, Default)]
struct KnownAtCommit {
    state: Option<Rc<CompetitionState>>,
    /// Rounds whose seed is there.
    seeds: Rc<BTreeSet<RoundNumber>>,
    /// The matrix of each round, by its blob.
    matrices: Rc<BTreeMap<RoundNumber, BlobId>>,
}

impl KnownAtCommit {
    /// The competition has started: nothing is prepared by hand any longer.
    fn started(&self) -> bool {
        self.seeds.contains(&RoundNumber(0))
    }

    /// Takes over what a commit did to the files.
    fn take_over(&mut self, commit: &Commit, copied: &mut usize) {
        for change in &commit.changes {
            match (&change.file, &change.after) {
                (FileKind::Round(round, RoundFile::Seed), after) => {
                    let seeds = own(&mut self.seeds, BTreeSet::len, copied);
                    let _ = if after.is_some() { seeds.insert(*round) } else { seeds.remove(round) };
                }
                (FileKind::Round(round, RoundFile::Matrix), after) => {
                    let matrices = own(&mut self.matrices, BTreeMap::len, copied);
                    let _ = match after {
                        Some(blob) => matrices.insert(*round, *blob),
                        None => matrices.remove(round),
                    };
                }
                _ => {}
            }
        }
    }
}

/// What is about to be changed, as a copy of its own where others share it; copies are counted.
fn own<'a, T: Clone>(shared: &'a mut Rc<T>, size: fn(&T) -> usize, copied: &mut usize) -> &'a mut T {
    if Rc::strong_count(shared) > 1 {
        *copied = copied.saturating_add(size(shared));
    }
    Rc::make_mut(shared)
}

/// What is known at each commit that others still have to be judged by.
struct PendingCommits {
    known: HashMap<usize, KnownAtCommit>,
    /// How many commits go on from each one.
    waiting: HashMap<usize, usize>,
    copied: usize,
}

impl PendingCommits {
    fn of(commits: &[Commit]) -> PendingCommits {
        let mut waiting = HashMap::new();
        for parent in commits.iter().filter_map(|commit| commit.parent) {
            *waiting.entry(parent).or_default() += 1;
        }
        PendingCommits { known: HashMap::new(), waiting, copied: 0 }
    }

    /// What holds before a commit: the last that goes on from its parent takes it along.
    fn before(&mut self, commit: &Commit) -> KnownAtCommit {
        let Some(parent) = commit.parent else { return KnownAtCommit::default() };
        let waiting = self.waiting.entry(parent).or_default();
        *waiting = waiting.saturating_sub(1);
        let known = if *waiting == 0 { self.known.remove(&parent) } else { self.known.get(&parent).cloned() };
        known.unwrap_or_default()
    }

    fn keep(&mut self, at: usize, known: KnownAtCommit) {
        if self.waiting.contains_key(&at) {
            self.known.insert(at, known);
        }
    }

    /// The contents by which these commits are judged: those they name, and the matrices that stood before.
    fn wanted(&self, commits: &[Commit]) -> Vec<(FileKind, BlobId)> {
        let changes = || commits.iter().flat_map(|commit| &commit.changes);
        let mut wanted: Vec<_> = changes()
            .flat_map(|change| {
                [change.before, change.after].into_iter().flatten().map(|blob| (change.file.clone(), blob))
            })
            .collect();
        // A report that is changed is judged by its row.
        let judged: BTreeSet<RoundNumber> = changes()
            .filter(|change| matches!(change.file, FileKind::Player(_, _, PlayerFile::Report(_))))
            .filter_map(|change| change.before.and(change.file.round()))
            .collect();
        for round in judged {
            let matrices = self.known.values().filter_map(|known| known.matrices.get(&round));
            wanted.extend(matrices.map(|blob| (FileKind::Round(round, RoundFile::Matrix), *blob)));
        }
        wanted.sort();
        wanted.dedup();
        wanted
    }
}

/// Checks every commit; `only` limits the findings to one round's files. Contents are asked for as they are
/// needed, so that a long history takes no more memory than a short one.
///
/// # Errors
/// Contents cannot be read, or the history branches as no competition's does.
pub fn check(commits: &[Commit], load: &mut Load<'_>, only: Option<RoundNumber>, sink: &mut Sink) -> Result<()> {
    let (mut line, mut traces, mut from) = (PendingCommits::of(commits), Traces::new(), 0);
    while let Some(window) = commits.get(from..).map(window).filter(|window| !window.is_empty()) {
        let wanted = line.wanted(window);
        keep(&mut traces, &wanted);
        let unread: Vec<_> = wanted.into_iter().filter(|wanted| !traces.contains_key(wanted)).collect();
        traces.extend(load(&unread)?);
        for (at, commit) in (from..).zip(window) {
            let mut known = line.before(commit);
            let after = state_after(&traces, &known, commit);
            let judged = Judged { traces: &traces, commit, before: &known, after: after.as_deref() };
            for change in &commit.changes {
                let wanted = only.is_none() || change.file.round().is_none() || change.file.round() == only;
                if wanted {
                    judged.change(change, sink);
                }
            }
            known.state = after;
            known.take_over(commit, &mut line.copied);
            if line.copied > MOST_COPIED {
                return Err(Error::failed("the history is not checked to its end: it branches too often"));
            }
            line.keep(at, known);
        }
        from += window.len();
    }
    Ok(())
}

/// Of what was read for one window, the next one often wants a part: what stands before and after.
fn keep(traces: &mut Traces, wanted: &[(FileKind, BlobId)]) {
    traces.retain(|read, _| wanted.binary_search(read).is_ok());
    if traces.values().map(Trace::weight).fold(0, usize::saturating_add) > MOST_KEPT {
        traces.clear();
    }
}

/// The first of these commits, up to so many changes.
fn window(commits: &[Commit]) -> &[Commit] {
    let mut changes = 0;
    let many = |commit: &&Commit| {
        let before = changes;
        changes += commit.changes.len() + 1;
        before == 0 || changes <= WINDOW
    };
    let length = commits.iter().take_while(many).count();
    commits.get(..length).unwrap_or(commits)
}

/// Lets the claims on the whole history pass where no commit spoke against them; where a part of it is
/// `missing_history`, they are left open.
pub fn conclude(commits: &[Commit], missing_history: Option<&str>, sink: &mut Sink) {
    let subject = format!("{} commits", commits.len());
    for id in ["history.append_only", "history.stage", "history.writer"] {
        match missing_history {
            Some(missing_history) => sink.claim(id, None, subject.clone(), |claim| claim.skip(missing_history)),
            None => sink.claim_unless_objected(id, &subject),
        }
    }
}

/// The state after a commit.
fn state_after(traces: &Traces, before: &KnownAtCommit, commit: &Commit) -> Option<Rc<CompetitionState>> {
    let mut state = before.state.clone();
    for change in commit.changes.iter().filter(|change| change.file == FileKind::State) {
        state = match trace(traces, &change.file, change.after.as_ref()) {
            Some(Trace::State(state)) => Some(Rc::new(state.clone())),
            // A broken state is reported as such; later stages are judged by the last good one.
            Some(_) => state,
            None => None,
        };
    }
    state
}

fn trace<'a>(traces: &'a Traces, file: &FileKind, blob: Option<&BlobId>) -> Option<&'a Trace> {
    traces.get(&(file.clone(), *blob?))
}

/// One commit with what held before and after it.
struct Judged<'a> {
    traces: &'a Traces,
    commit: &'a Commit,
    before: &'a KnownAtCommit,
    after: Option<&'a CompetitionState>,
}

impl Judged<'_> {
    fn trace(&self, file: &FileKind, blob: Option<&BlobId>) -> Option<&Trace> {
        trace(self.traces, file, blob)
    }

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
        if let Some(Trace::Broken(error)) = self.trace(&change.file, change.after.as_ref()) {
            let detail = format!("broken in this commit: {error}{said}");
            sink.claim("file.parse", round, subject, |claim| claim.warn(detail));
        }
    }

    /// What the commit changed or removed that only ever grows or stays.
    fn lost(&self, change: &Change) -> Vec<String> {
        let Some(before) = self.trace(&change.file, change.before.as_ref()) else { return Vec::new() };
        let after = self.trace(&change.file, change.after.as_ref());
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
        match self.trace(&file, self.before.matrices.get(&round)) {
            Some(Trace::Rows(matrix)) => matrix.margin(left, right).is_some(),
            _ => false,
        }
    }

    fn stage(&self, change: &Change) -> Option<String> {
        let before = self.before.state.as_deref()?;
        let Some(after) = self.after else { return Some("state.json was removed".to_owned()) };
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
        let before = self.before.state.as_deref().filter(|_| self.commit.parent.is_some())?;
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
        if fits(before) || self.after.is_some_and(fits) {
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
