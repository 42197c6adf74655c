//! `history.append_only`, `history.stage`, `history.writer`: what each commit did to the files.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::CheckStatus;
use super::replaced::{self, Made, Objection, SumLines, failed, raise};
use super::{Claim, Sink};
use crate::base::error::{Error, Result};
use crate::base::hex;
use crate::base::text::counted;
use crate::model::builds::Builds;
use crate::model::file::{Content, FileKind, PlayerFile, RoundFile};
use crate::model::generation_audits::{AuditOutcome, GenerationAudits};
use crate::model::history::{BlobId, Change, Commit, WORKING_TREE};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::kinds::Keeps;
use crate::model::matrix::Matrix;
use crate::model::record::ParseError;
use crate::model::stage::{CompetitionState, Stage};
use crate::rules::regeneration::record::again_line;
use crate::rules::stage_table::{opens_next, writing_stages};
use crate::rules::stages::is_arrow;

/// The part of a file's contents that these checks need.
#[derive(Debug, Clone)]
pub enum Trace {
    /// `state.json`
    State(CompetitionState),
    /// The entries of a list that only grows.
    List(Vec<String>),
    /// `matches_matrix.csv`
    Rows(Matrix),
    /// The left side of a match report.
    Report(Player),
    /// `submitted.json` or `generated.json`
    Outputs(Vec<Made>),
    /// `builds.json`
    Builds(Builds),
    /// `generation_audits.json`
    Verdicts(GenerationAudits),
    /// `SHA256SUMS`
    Sums(SumLines),
    /// Any other file that parses.
    Other,
    /// A file that does not parse.
    Broken(ParseError),
}

impl Trace {
    /// Its approximate size in memory, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        const EACH: usize = 64;
        let texts = |texts: &[String]| texts.iter().map(|text| text.len() + EACH).sum();
        match self {
            Trace::List(entries) => texts(entries),
            Trace::Outputs(outputs) => outputs.iter().map(|made| made.stem().len() + EACH).sum(),
            Trace::Builds(builds) => builds.len() * 8 * EACH,
            Trace::Verdicts(audits) => audits.values().map(|audit| audit.reason.len() + 4 * EACH).sum(),
            Trace::Sums(lines) => lines.iter().map(|(path, _)| path.len() + EACH).sum(),
            Trace::Rows(matrix) => matrix.0.len() * 4 * EACH,
            _ => 4 * EACH,
        }
    }

    /// The trace of parsed contents.
    #[must_use]
    pub fn of(parsed: std::result::Result<Content, ParseError>) -> Trace {
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
            Ok(Content::Outputs(outputs)) => Trace::Outputs(Made::all(&outputs)),
            Ok(Content::Builds(builds)) => Trace::Builds(builds),
            Ok(Content::GenerationAudits(audits)) => Trace::Verdicts(audits),
            Ok(Content::Sums(sums)) => Trace::Sums(replaced::sum_lines(&sums)),
            Ok(_) => Trace::Other,
        }
    }

    /// The keys of entries that may be replaced, but not removed.
    fn keys(&self) -> Vec<&str> {
        match self {
            Trace::Outputs(outputs) => outputs.iter().map(Made::stem).collect(),
            Trace::Builds(builds) => builds.keys().map(Hotkey::as_str).collect(),
            Trace::Verdicts(audits) => audits.keys().map(Hotkey::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Contents by file and blob.
pub type Traces = HashMap<(FileKind, BlobId), Trace>;

/// Reads the requested contents.
pub type Load<'a> = dyn FnMut(&[(FileKind, BlobId)]) -> Result<Traces> + 'a;

/// What is added about a change that is not committed: steps without --commit look like this, and are no lie.
const ONE_CHANGE: &str = " (not committed: all that was done since the last commit counts as one change; steps of \
                          several stages have to be committed one by one, as --commit does)";

/// The number of changes whose contents are in memory at once.
const WINDOW: usize = 512;

/// The most bytes of contents kept from one window for the next; beyond that they are read again.
const MOST_KEPT: usize = 64 << 20;

/// The most rounds copied at branches of the history: no real competition branches that often.
const MOST_COPIED: usize = 20_000_000;

/// What is known at a commit and later commits are judged by. Branches share it, copy-on-write.
#[derive(Debug, Clone, Default)]
struct KnownAtCommit {
    state: Option<Rc<CompetitionState>>,
    /// Rounds that have a seed.
    seeds: Rc<BTreeSet<RoundNumber>>,
    /// What each round has.
    rounds: Rc<BTreeMap<RoundNumber, Rc<RoundAtCommit>>>,
}

/// The files of a round by which changes of others are judged.
#[derive(Debug, Clone, Default)]
struct RoundAtCommit {
    matrix: Option<BlobId>,
    audits: Option<BlobId>,
    sums: BTreeMap<Player, BlobId>,
}

impl KnownAtCommit {
    /// The competition has started: from now on nothing is prepared by hand.
    fn started(&self) -> bool {
        self.seeds.contains(&RoundNumber(0))
    }

    /// Applies a commit's changes.
    fn take_over(&mut self, commit: &Commit, copied: &mut usize) {
        for change in &commit.changes {
            match (&change.file, &change.after) {
                (FileKind::Round(round, RoundFile::Seed), after) => {
                    let seeds = own(&mut self.seeds, BTreeSet::len, copied);
                    let _ = if after.is_some() { seeds.insert(*round) } else { seeds.remove(round) };
                }
                (FileKind::Round(round, RoundFile::Matrix), after) => self.of(*round, copied).matrix = *after,
                (FileKind::Round(round, RoundFile::GenerationAudits), after) => self.of(*round, copied).audits = *after,
                (FileKind::Player(round, player, PlayerFile::Sums), after) => {
                    let sums = &mut self.of(*round, copied).sums;
                    let _ = match after {
                        Some(blob) => sums.insert(player.clone(), *blob),
                        None => sums.remove(player),
                    };
                }
                _ => {}
            }
        }
    }

    /// A round, to change it.
    fn of(&mut self, round: RoundNumber, copied: &mut usize) -> &mut RoundAtCommit {
        let rounds = own(&mut self.rounds, BTreeMap::len, copied);
        own(rounds.entry(round).or_default(), |round| round.sums.len() + 1, copied)
    }

    fn round(&self, round: RoundNumber) -> Option<&RoundAtCommit> {
        self.rounds.get(&round).map(Rc::as_ref)
    }
}

/// A mutable reference to shared data, copied first if others share it; copied items are counted.
fn own<'a, T: Clone>(shared: &'a mut Rc<T>, size: fn(&T) -> usize, copied: &mut usize) -> &'a mut T {
    if Rc::strong_count(shared) > 1 {
        *copied = copied.saturating_add(size(shared));
    }
    Rc::make_mut(shared)
}

/// What is known at each commit whose children are not checked yet.
struct PendingCommits {
    known: HashMap<usize, KnownAtCommit>,
    /// How many unchecked children each commit has.
    waiting: HashMap<usize, usize>,
    copied: usize,
}

impl PendingCommits {
    fn of(commits: &[Commit]) -> PendingCommits {
        let mut waiting = HashMap::new();
        let merged = commits.iter().flat_map(|commit| &commit.merged).map(|merged| merged.parent);
        for parent in commits.iter().filter_map(|commit| commit.parent).chain(merged) {
            *waiting.entry(parent).or_default() += 1;
        }
        PendingCommits { known: HashMap::new(), waiting, copied: 0 }
    }

    /// What is known before a commit.
    fn before(&mut self, commit: &Commit) -> KnownAtCommit {
        commit.parent.map(|parent| self.known_at(parent)).unwrap_or_default()
    }

    /// What is known at the parent of a commit. The last child of a parent takes it without a copy, so a linear history
    /// never copies.
    fn known_at(&mut self, parent: usize) -> KnownAtCommit {
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

    /// The contents needed to judge these commits: those they name, and what they are judged by.
    fn wanted<'a>(&self, commits: &'a [Commit]) -> Vec<(FileKind, BlobId)> {
        let merged = |commit: &'a Commit| commit.merged.iter().flat_map(|merged| &merged.changes);
        let changes = || commits.iter().flat_map(move |commit| commit.changes.iter().chain(merged(commit)));
        let mut wanted: Vec<_> = changes()
            .flat_map(|change| {
                [change.before, change.after].into_iter().flatten().map(|blob| (change.file.clone(), blob))
            })
            .collect();
        let judged: BTreeSet<&FileKind> =
            changes().filter(|change| change.before.is_some()).map(|change| &change.file).collect();
        for file in judged {
            let known = self.known.values().filter_map(|known| known.round(file.round()?));
            wanted.extend(known.flat_map(|round| judged_by(file, round)));
        }
        wanted.sort();
        wanted.dedup();
        wanted
    }
}

/// By which contents a changed file is judged: a report, or the answers beside it, by its row in the matrix; an output by
/// its miner's verdict and sums.
fn judged_by(file: &FileKind, known: &RoundAtCommit) -> Vec<(FileKind, BlobId)> {
    let of_round = |round: &RoundNumber, file, blob: Option<BlobId>| Some((FileKind::Round(*round, file), blob?));
    match file {
        FileKind::Player(round, player @ Player::Miner(_), PlayerFile::Generated) => {
            let sums = known.sums.get(player);
            let sums = sums.map(|blob| (FileKind::Player(*round, player.clone(), PlayerFile::Sums), *blob));
            of_round(round, RoundFile::GenerationAudits, known.audits).into_iter().chain(sums).collect()
        }
        FileKind::Player(round, ..) if file.row().keeps == Keeps::AllOnceInMatrix => {
            of_round(round, RoundFile::Matrix, known.matrix).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Checks every commit; `only` limits the findings to one round's files. Contents are loaded window by window,
/// so that a long history takes no more memory than a short one.
///
/// # Errors
/// Contents cannot be read, or the history branches too often.
pub fn check(commits: &[Commit], load: &mut Load<'_>, only: Option<RoundNumber>, sink: &mut Sink) -> Result<()> {
    let is_wanted = |change: &Change| only.is_none() || change.file.round().is_none() || change.file.round() == only;
    let (mut line, mut traces, mut from) = (PendingCommits::of(commits), Traces::new(), 0);
    let mut verdicts = HashMap::new();
    while let Some(window) = commits.get(from..).map(window).filter(|window| !window.is_empty()) {
        let wanted = line.wanted(window);
        keep(&mut traces, &wanted);
        let unread: Vec<_> = wanted.into_iter().filter(|wanted| !traces.contains_key(wanted)).collect();
        traces.extend(load(&unread)?);
        for (at, commit) in (from..).zip(window) {
            let mut known = line.before(commit);
            let after = state_after(&traces, &known, commit);
            let judged = Judged { traces: &traces, commit, before: &known, after: after.as_deref() };
            for change in commit.changes.iter().filter(|change| is_wanted(change)) {
                judged.change(change, sink);
                verdicts.extend(judged.verdicts(change));
            }
            for merged in &commit.merged {
                let before = line.known_at(merged.parent);
                let judged = Judged { before: &before, ..judged };
                let changes = merged.changes.iter().filter(|change| is_wanted(change));
                changes.for_each(|change| judged.kept_from_parent(change, sink));
            }
            known.state = after;
            known.take_over(commit, &mut line.copied);
            if line.copied > MOST_COPIED {
                return Err(Error::failed("the history was not checked to its end: it branches too often"));
            }
            line.keep(at, known);
        }
        from += window.len();
    }
    sink.name_commits("audit.verdict", &verdicts);
    Ok(())
}

/// Keeps the contents that the next window needs again: one commit's `after` is often the next one's `before`.
fn keep(traces: &mut Traces, wanted: &[(FileKind, BlobId)]) {
    traces.retain(|read, _| wanted.binary_search(read).is_ok());
    if traces.values().map(Trace::weight).fold(0, usize::saturating_add) > MOST_KEPT {
        traces.clear();
    }
}

/// The first of these commits, up to [`WINDOW`] changes, but at least one commit.
fn window(commits: &[Commit]) -> &[Commit] {
    let mut changes = 0;
    let many = |commit: &&Commit| {
        let before = changes;
        changes += commit.changes.len() + commit.merged.iter().map(|merged| merged.changes.len()).sum::<usize>() + 1;
        before == 0 || changes <= WINDOW
    };
    let length = commits.iter().take_while(many).count();
    commits.get(..length).unwrap_or(commits)
}

/// Concludes the claims on the whole history: each passes unless a commit objected to it; with
/// `missing_history` (what is missing), they are skipped.
pub fn conclude(commits: &[Commit], missing_history: Option<&str>, sink: &mut Sink) {
    let subject = counted(commits.len(), "commit", "commits");
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
            // A broken state is reported elsewhere; later stages are judged by the last good one.
            Some(_) => state,
            None => None,
        };
    }
    state
}

fn trace<'a>(traces: &'a Traces, file: &FileKind, blob: Option<&BlobId>) -> Option<&'a Trace> {
    traces.get(&(file.clone(), *blob?))
}

/// One commit, with what is known before it and the state after it.
#[derive(Clone, Copy)]
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

    /// The commit, in short.
    fn place(&self) -> &str {
        self.commit.id.get(..10).filter(|_| self.commit.id.len() >= 40).unwrap_or(&self.commit.id)
    }

    /// The commit and the file.
    fn subject(&self, change: &Change) -> String {
        format!("{} {}", self.place(), change.file.path())
    }

    /// The verdicts that a change gave, each as `audit.verdict` names it, with the commit.
    fn verdicts(&self, change: &Change) -> Vec<(String, String)> {
        let Some(Trace::Verdicts(new)) = self.trace(&change.file, change.after.as_ref()) else { return Vec::new() };
        let old = match self.trace(&change.file, change.before.as_ref()) {
            Some(Trace::Verdicts(old)) => Some(old),
            _ => None,
        };
        let given = new.iter().filter(|(hotkey, audit)| old.and_then(|old| old.get(*hotkey)) != Some(*audit));
        let path = change.file.path();
        given.map(|(hotkey, _)| (format!("{path} {hotkey}"), self.place().to_owned())).collect()
    }

    fn change(&self, change: &Change, sink: &mut Sink) {
        let (subject, round) = (self.subject(change), change.file.round());
        let said = if self.commit.summary.is_empty() {
            String::new()
        } else {
            format!(" ({:?})", self.commit.summary.chars().take(80).collect::<String>())
        };
        let uncommitted = self.commit.id == WORKING_TREE;
        let mut object = |id, objections: Vec<Objection>| {
            let said = if uncommitted && id != "history.append_only" { ONE_CHANGE } else { &said };
            if !objections.is_empty() {
                sink.claim(id, round, subject.clone(), |claim: &mut Claim| raise(claim, objections, said));
            }
        };
        object("history.append_only", self.lost(change).into_iter().map(failed).chain(self.replaced(change)).collect());
        if change.file == FileKind::State {
            object("history.stage", self.stage(change).into_iter().map(failed).collect());
        }
        object("history.writer", self.writer(change).into_iter().map(failed).collect());
        if let Some(Trace::Broken(error)) = self.trace(&change.file, change.after.as_ref()) {
            let detail = format!("broken in this commit: {error}{said}");
            sink.claim("file.parse", round, subject, |claim| claim.warn(detail));
        }
    }

    /// Objections to a change that alters or removes append-only content.
    fn lost(&self, change: &Change) -> Vec<String> {
        let Some(before) = self.trace(&change.file, change.before.as_ref()) else { return Vec::new() };
        if !self.before.started() && change.file.is_prepared() {
            return Vec::new();
        }
        let after = self.trace(&change.file, change.after.as_ref());
        let lost = self.lost_of(change, before, after);
        // A file that is broken and then mended could come back with other content: breaking it is a loss in itself.
        match after {
            Some(Trace::Broken(_)) if !lost.is_empty() => {
                vec!["it can no longer be read: what it held is lost".to_owned()]
            }
            _ => lost,
        }
    }

    /// A merge has to keep what each of its parents had, also where it is as another parent.
    fn kept_from_parent(&self, change: &Change, sink: &mut Sink) {
        let lost: Vec<_> = self.lost(change).into_iter().map(failed).chain(self.replaced(change)).collect();
        if !lost.is_empty() {
            sink.claim("history.append_only", change.file.round(), self.subject(change), |claim: &mut Claim| {
                raise(claim, lost, " (by a merge, against one of its parents)");
            });
        }
    }

    /// Objections to a change of what had counted already, though an operator may have reasons.
    fn replaced(&self, change: &Change) -> Vec<Objection> {
        let (before, after) = (change.before.as_ref(), change.after.as_ref());
        let (before, after) = (self.trace(&change.file, before), self.trace(&change.file, after));
        match (&change.file, before, after) {
            (FileKind::Round(round, _), Some(Trace::Verdicts(old)), Some(Trace::Verdicts(new))) => {
                replaced::verdicts(old, new, |short| self.commit.summary.starts_with(&again_line(*round, short)))
            }
            (FileKind::Round(round, _), Some(Trace::Builds(old)), Some(Trace::Builds(new)))
                if self.is_in_use(*round) =>
            {
                replaced::builds(old, new)
            }
            (
                FileKind::Player(round, player @ Player::Miner(hotkey), PlayerFile::Generated),
                Some(Trace::Outputs(old)),
                Some(Trace::Outputs(new)),
            ) if self.was_audited(*round, hotkey) => {
                let sums = self.sums(*round, player);
                replaced::outputs(old, new, |path| {
                    let [before, after] = sums.map(|lines| replaced::sum_of(lines?, path));
                    before.filter(|before| after == Some(*before)).map(hex::encode)
                })
            }
            // A judge that is asked until it says what was wanted leaves this behind.
            (file, Some(before), _) if file.row().keeps == Keeps::AllOnceInMatrix => {
                let (what, counted) = match before {
                    Trace::Report(left) => ("the report was", self.had_row(file, left)),
                    Trace::Other => ("the judge's answers were", self.had_row_of(file)),
                    _ => return Vec::new(),
                };
                let how = verb(change.after.is_none());
                let line =
                    format!("{what} {how} before the match's row was in the matrix: it may have been judged twice");
                if counted { Vec::new() } else { vec![(CheckStatus::Warn, line)] }
            }
            _ => Vec::new(),
        }
    }

    /// Were the round's images in use: had its duels begun, so that audits run them and a winner may have one?
    fn is_in_use(&self, round: RoundNumber) -> bool {
        let before = |stage| matches!(stage, Stage::Open | Stage::MinerGeneration | Stage::Downloading);
        let state = self.before.state.as_deref();
        state.is_some_and(|state| round < state.current_round || (round == state.current_round && !before(state.stage)))
    }

    /// Was there a verdict on a miner before the commit?
    fn was_audited(&self, round: RoundNumber, hotkey: &Hotkey) -> bool {
        let file = FileKind::Round(round, RoundFile::GenerationAudits);
        match self.trace(&file, self.before.round(round).and_then(|known| known.audits.as_ref())) {
            Some(Trace::Verdicts(audits)) => {
                audits.get(hotkey).is_some_and(|audit| audit.outcome != AuditOutcome::Pending)
            }
            _ => false,
        }
    }

    /// A player's sums before the commit, and after it.
    fn sums(&self, round: RoundNumber, player: &Player) -> [Option<&SumLines>; 2] {
        let file = FileKind::Player(round, player.clone(), PlayerFile::Sums);
        let before = self.before.round(round).and_then(|known| known.sums.get(player));
        let changed = self.commit.changes.iter().find(|change| change.file == file);
        let after = changed.map_or(before, |change| change.after.as_ref());
        [before, after].map(|blob| match self.trace(&file, blob) {
            Some(Trace::Sums(lines)) => Some(lines),
            _ => None,
        })
    }

    /// What a change takes from a file, by what that file has to keep.
    fn lost_of(&self, change: &Change, before: &Trace, after: Option<&Trace>) -> Vec<String> {
        let gone = change.after.is_none();
        match (change.file.row().keeps, before) {
            (Keeps::Entries, Trace::List(old)) => {
                let new = if let Some(Trace::List(new)) = after { new.as_slice() } else { &[] };
                shortened(old, new)
            }
            (Keeps::Keys, before) => {
                let kept: HashSet<_> = after.map(Trace::keys).unwrap_or_default().into_iter().collect();
                let old = before.keys();
                let gone: Vec<_> = old.iter().filter(|key| !kept.contains(*key)).map(ToString::to_string).collect();
                removed("entries", &gone, old.len())
            }
            (Keeps::Lines, Trace::Sums(old)) => {
                let none = SumLines::new();
                replaced::sums(old, if let Some(Trace::Sums(new)) = after { new } else { &none })
            }
            (Keeps::Rows, Trace::Rows(old)) => {
                let empty = Matrix::default();
                rows_lost(old, if let Some(Trace::Rows(new)) = after { new } else { &empty })
            }
            (Keeps::AllOnceInMatrix, Trace::Report(left)) if self.had_row(&change.file, left) => {
                vec![format!("the report was {}, though its row was in the matrix", verb(gone))]
            }
            (Keeps::AllOnceInMatrix, Trace::Other) if self.had_row_of(&change.file) => {
                vec![format!("the judge's answers were {}, though their match's row was in the matrix", verb(gone))]
            }
            (Keeps::AllOnceSeeded, _) if self.is_seeded(&change.file) => {
                vec![format!("{} after the seed was revealed", verb(gone))]
            }
            (Keeps::All, _) => vec![format!("{} after it was recorded", verb(gone))],
            _ => Vec::new(),
        }
    }

    fn is_seeded(&self, file: &FileKind) -> bool {
        file.round().is_some_and(|round| self.before.seeds.contains(&round))
    }

    /// The round's matrix before the commit.
    fn matrix(&self, round: RoundNumber) -> Option<&BlobId> {
        self.before.round(round)?.matrix.as_ref()
    }

    fn had_row(&self, report: &FileKind, left: &Player) -> bool {
        let FileKind::Player(round, right, _) = report else { return false };
        let file = FileKind::Round(*round, RoundFile::Matrix);
        match self.trace(&file, self.matrix(*round)) {
            Some(Trace::Rows(matrix)) => matrix.margin(left, right).is_some(),
            _ => false,
        }
    }

    /// Was the match of an answers file in the matrix? The file does not say who left is, but its name begins like it.
    fn had_row_of(&self, answers: &FileKind) -> bool {
        let FileKind::Player(round, right, PlayerFile::Answers(name)) = answers else { return false };
        let left = name.strip_prefix("answers_").and_then(|rest| rest.strip_suffix(".jsonl"));
        let file = FileKind::Round(*round, RoundFile::Matrix);
        match (self.trace(&file, self.matrix(*round)), left) {
            (Some(Trace::Rows(matrix)), Some(named)) => {
                matrix.0.keys().any(|(left, of)| of == right && left.as_str().starts_with(named))
            }
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
        Some(format!("from {} to {} is not an arrow of the stage machine", name(before), name(after)))
    }

    /// Objects if no command of the stage writes the file. A command that moves the stage commits both
    /// changes together, so the stage before and the stage after count.
    fn writer(&self, change: &Change) -> Option<String> {
        // The first commit may add any file.
        let before = self.before.state.as_deref().filter(|_| self.commit.parent.is_some())?;
        let stages = writing_stages(&change.file)?;
        if !self.before.started() && change.file.is_prepared() {
            return None;
        }
        let fits = |state: &CompetitionState| {
            let opened = matches!(change.file, FileKind::Round(_, RoundFile::Schedule)) && opens_next(state.stage);
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
        Some(format!("{} in {stage} of round {round}; it may be written {when}", verb(change.after.is_none())))
    }
}

fn verb(gone: bool) -> &'static str {
    if gone { "removed" } else { "changed" }
}

/// Objects unless the new list begins with the old one.
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
