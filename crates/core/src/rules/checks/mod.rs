//! The claims that `verify` checks (DESIGN section 6): each check is a function from facts to findings.
//!
//! A check tests one claim (an id) about one subject (a round, a file or a name). It passes without
//! objections; otherwise its objections of each status become one finding, each with both values.

pub mod answers;
mod audits;
mod bias;
mod builds;
pub mod continues;
pub mod copies;
mod files;
pub mod formats;
pub mod history;
pub mod in_force;
mod leader;
pub mod lines;
mod matches;
pub mod objects;
pub mod odd;
mod outputs;
mod prompts;
mod refusals;
mod replaced;
mod schedule;
mod seed;
pub mod signed;
mod submissions;
mod winner;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

use self::answers::Recorded;
pub use self::audits::RequestBasis;
use self::in_force::{ClaimTerms, InForce};
use super::seed::OnChain;
use super::stage_table::{has_reached, last_of_round};
use crate::model::config::Settings;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::outputs::Outputs;
use crate::model::prompts::PromptList;
use crate::model::snapshot::{RoundFiles, Snapshot};
use crate::model::stage::{CompetitionState, Stage};

/// The status of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// The claim holds.
    Pass,
    /// The claim does not hold.
    Fail,
    /// Odd, not wrong.
    Warn,
    /// The claim cannot be checked here.
    Skip,
}

/// One result: a claim that holds, or the objections to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The claim, such as `match.score`.
    pub id: &'static str,
    /// The round concerned.
    pub round: Option<RoundNumber>,
    /// The file, commit or name concerned.
    pub subject: String,
    /// The status.
    pub status: CheckStatus,
    /// What was found and what was expected; on a pass, a note or nothing.
    pub detail: String,
}

/// Every id that a finding may have, with the claim in short.
pub const IDS: [(&str, &str); 40] = [
    ("file.parse", "every known file parses strictly"),
    ("file.bytes", "writing a file back gives the same bytes"),
    ("state.files", "the files of the stage are there"),
    ("schedule.blocks", "earliest, deadline and effective blocks follow the rule"),
    ("submissions.rules", "submissions are in the window, in order and well formed"),
    ("seed.derived", "the seed follows from the source beside it"),
    ("prompts.carryover", "the first prompts are drawn from the round before"),
    ("prompts.new", "the other prompts are drawn from the pool"),
    ("prompts.count", "there are as many prompts as the settings say"),
    ("builds.rules", "builds have the submission's values, tag and image"),
    ("outputs.rules", "outputs have known stems, sizes and URLs"),
    ("outputs.refusals", "refusals.json gives a reason for each file without a model or a preview, and for no other"),
    ("match.score", "a report's score and margin are those of its duels"),
    ("match.matrix", "matrix rows and reports agree"),
    ("match.urls", "a report's URLs are those of the players' outputs"),
    ("match.rules", "duels that need no judge follow the rule"),
    ("duel.answers", "each duel's winner follows from the judge's recorded answers"),
    ("judge.question", "the recorded answers are to the question that the round publishes"),
    ("audit.request", "require_audit.json lists exactly the miners that it should"),
    ("audit.critical", "critical prompts follow from the match"),
    ("audit.matrix", "rows of the audit matrix and audit reports agree"),
    ("audit.report", "a generation report follows from its runs"),
    ("audit.source", "sources that were read are those of miners of the round"),
    ("judge.detail", "decision and winner follow from the judge's recorded stages"),
    ("judge.bias", "the judge prefers neither the model shown first nor the one shown second"),
    ("judge.progress", "the walk by the reports gives the holders and the leader at the end"),
    ("audit.verdict", "a verdict follows from the regenerated outputs"),
    ("winner.replay", "the tournament gives this winner"),
    ("winner.source", "the winner's repo, commit and image are its build's or the leader's"),
    ("leader.transition", "each leader entry follows from the round before it"),
    ("history.append_only", "recorded content is not changed or removed"),
    ("history.stage", "each stage change is an arrow of the stage machine"),
    ("history.writer", "each file changes only in a stage whose command writes it"),
    ("history.continues", "the history contains the head that was verified last"),
    ("history.signed", "commits are signed by the signers that were named"),
    ("copies.bytes", "no two miners have the same file, nor one of an earlier leader or winner"),
    ("copies.programs", "no two hotkeys submitted one program, nor that of whoever led before"),
    ("copies.previews", "no two miners have nearly the same preview for a prompt"),
    ("object.sha256", "stored bytes match SHA256SUMS"),
    ("object.preview", "a stored preview is what the renderer draws of its model"),
];

/// Counts of findings by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct VerifySummary {
    /// Claims that hold.
    pub pass: usize,
    /// Objections.
    pub fail: usize,
    /// Oddities.
    pub warn: usize,
    /// What could not be checked.
    pub skip: usize,
}

/// Collects findings.
#[derive(Debug, Default)]
pub struct Sink {
    findings: Vec<Finding>,
}

/// One claim being checked.
#[derive(Debug)]
pub struct Claim {
    id: &'static str,
    round: Option<RoundNumber>,
    subject: String,
    objections: BTreeMap<CheckStatus, Objections>,
    note: String,
}

/// The objections to a claim of one status: the first few, and how many there are.
#[derive(Debug, Default)]
struct Objections {
    shown: Vec<String>,
    count: usize,
}

/// How many objections of a status are shown.
const SHOWN: usize = 6;

/// An objection is cut to this many characters: it quotes file contents of any length.
const LONGEST: usize = 1000;

#[allow(clippy::needless_pass_by_value, reason = "callers hand over texts and errors alike")]
impl Claim {
    /// Sets the note on a pass: what it rests on, or leaves open.
    pub fn note(&mut self, note: impl Into<String>) {
        self.note = note.into();
    }

    /// Objects that the claim does not hold: what was found, and what was expected.
    pub fn fail(&mut self, detail: impl Display) {
        self.object(CheckStatus::Fail, 1, [detail.to_string()]);
    }

    /// Objects to something odd that is not wrong.
    pub fn warn(&mut self, detail: impl Display) {
        self.object(CheckStatus::Warn, 1, [detail.to_string()]);
    }

    /// Notes why the claim cannot be checked here.
    pub fn skip(&mut self, why: impl Display) {
        self.object(CheckStatus::Skip, 1, [why.to_string()]);
    }

    /// The claim fails `count` times; details are made only for the objections shown.
    fn fail_often(&mut self, count: usize, details: impl IntoIterator<Item = String>) {
        if count > 0 {
            self.object(CheckStatus::Fail, count, details);
        }
    }

    fn object(&mut self, status: CheckStatus, count: usize, details: impl IntoIterator<Item = String>) {
        let objections = self.objections.entry(status).or_default();
        objections.count += count;
        let room = SHOWN.saturating_sub(objections.shown.len());
        objections.shown.extend(details.into_iter().take(room).map(shortened));
    }

    /// Appends to each objection what it is judged by.
    fn by(&mut self, what: &str) {
        let shown = self.objections.values_mut().flat_map(|objections| &mut objections.shown);
        shown.for_each(|objection| objection.push_str(what));
    }

    /// Downgrades failures to this status, for this reason.
    fn instead(&mut self, status: CheckStatus, why: &str) {
        let Some(Objections { mut shown, count }) = self.objections.remove(&CheckStatus::Fail) else { return };
        if let Some(last) = shown.last_mut() {
            last.push_str(why);
        }
        self.object(status, count, shown);
    }

    /// Checks a part of the claim; with a reason in `odd`, its failures are only warnings.
    fn part(&mut self, odd: Option<&str>, check: impl FnOnce(&mut Claim)) {
        let before = std::mem::take(&mut self.objections);
        check(self);
        if let Some(why) = odd {
            self.instead(CheckStatus::Warn, why);
        }
        for (status, Objections { shown, count }) in before {
            let after = std::mem::take(self.objections.entry(status).or_default());
            self.object(status, count, shown);
            self.object(status, after.count, after.shown);
        }
    }

    /// Objects unless two values are the same, naming both as JSON.
    pub fn same<T: PartialEq + Serialize>(&mut self, what: impl Display, found: &T, expected: &T) {
        if found != expected {
            let text = |value| serde_json::to_string(value).unwrap_or_default();
            self.fail(format!("{what} is {}, expected {}", text(found), text(expected)));
        }
    }
}

impl Sink {
    /// Checks one claim: `check` raises the objections; without any it passes.
    pub fn claim(
        &mut self,
        id: &'static str,
        round: impl Into<Option<RoundNumber>>,
        subject: impl Into<String>,
        check: impl FnOnce(&mut Claim),
    ) {
        let (objections, note) = (BTreeMap::new(), String::new());
        let mut claim = Claim { id, round: round.into(), subject: subject.into(), objections, note };
        check(&mut claim);
        let Claim { id, round, subject, objections, note } = claim;
        let mut finding = |status, detail| {
            self.findings.push(Finding { id, round, subject: subject.clone(), status, detail });
        };
        if objections.is_empty() {
            finding(CheckStatus::Pass, note);
        }
        for (status, objections) in objections {
            finding(status, joined(&objections));
        }
    }

    /// Takes over what another sink objects to, without its passes.
    pub fn take_objections(&mut self, other: Sink) {
        self.findings.extend(other.findings.into_iter().filter(|finding| finding.status != CheckStatus::Pass));
    }

    /// Adds to each failure of this claim which commit last changed what it is about; `changed` is by subject.
    fn name_commits(&mut self, id: &str, changed: &HashMap<String, String>) {
        let failed = self.findings.iter_mut().filter(|found| found.id == id && found.status == CheckStatus::Fail);
        for found in failed {
            if let Some(commit) = changed.get(&found.subject) {
                found.detail = format!("{} (last changed in {commit})", found.detail);
            }
        }
    }

    /// Adds a pass about `subject` unless this id has a finding.
    fn claim_unless_objected(&mut self, id: &'static str, subject: &str) {
        if !self.findings.iter().any(|finding| finding.id == id) {
            self.claim(id, None, subject, |_| ());
        }
    }

    /// The findings, sorted by claim (as in [`IDS`]), then by round; otherwise in the order made.
    #[must_use]
    pub fn finish(mut self) -> Vec<Finding> {
        let rank = |finding: &Finding| IDS.iter().position(|(id, _)| *id == finding.id);
        self.findings.sort_by_key(|finding| (rank(finding), finding.round));
        self.findings
    }
}

/// The objections on one line: the first few, and how many more there are.
fn joined(objections: &Objections) -> String {
    let shown = objections.shown.join("; ");
    match objections.count.saturating_sub(objections.shown.len()) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

/// Cuts an objection to [`LONGEST`].
fn shortened(mut detail: String) -> String {
    if let Some((at, _)) = detail.char_indices().nth(LONGEST) {
        detail.truncate(at);
        detail.push('…');
    }
    detail
}

/// Counts findings by status.
#[must_use]
pub fn summary<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> VerifySummary {
    let mut counts = VerifySummary::default();
    for finding in findings {
        match finding.status {
            CheckStatus::Pass => counts.pass += 1,
            CheckStatus::Fail => counts.fail += 1,
            CheckStatus::Warn => counts.warn += 1,
            CheckStatus::Skip => counts.skip += 1,
        }
    }
    counts
}

/// Something as it stood in a past commit.
#[derive(Debug, Clone)]
pub enum Then<T> {
    /// Found in this commit (short id, or `working tree`).
    At(String, T),
    /// Unknown: there is no history here, or it is cut off before that commit.
    Unknown,
}

/// The files on which a match was played, if they have changed since.
#[derive(Debug, Clone, Default)]
pub struct MatchView {
    /// The round's prompts.
    pub prompts: Was<PromptList>,
    /// The left side's outputs.
    pub left: Was<Outputs>,
    /// The right side's outputs.
    pub right: Was<Outputs>,
}

/// A file as it was.
#[derive(Debug, Clone, Default)]
pub enum Was<T> {
    /// The same as now.
    #[default]
    Same,
    /// A different one; `None` if it could not be read.
    Other(Option<Arc<T>>),
}

impl<T> Was<T> {
    /// The earlier contents, if different; the inner `None` if they could not be read.
    #[allow(clippy::option_option, reason = "a different one that could not be read")]
    fn other(&self) -> Option<Option<&T>> {
        match self {
            Was::Same => None,
            Was::Other(other) => Some(other.as_deref()),
        }
    }
}

/// A match report: its round, its right side, and the file's name.
pub type Reported = (RoundNumber, Player, String);

/// A round as it stood when an audit request was made.
#[derive(Debug, Clone)]
pub struct RequestView {
    /// The competition's settings.
    pub settings: Settings,
    /// The round's files (reports: those of the requested miner).
    pub files: Arc<RoundFiles>,
    /// The audits after each earlier commit, newest first: the writer may not have seen the newest.
    pub earlier: Vec<Arc<RoundFiles>>,
}

/// All facts that the checks use.
#[derive(Debug)]
pub struct VerifyFacts<'a> {
    /// The files.
    pub snapshot: &'a Snapshot,
    /// The settings in force for each claim.
    pub rules: InForce,
    /// What each audit request rests on, by the files of the commit that added it.
    pub requests: BTreeMap<(RoundNumber, Hotkey), Then<RequestBasis>>,
    /// For match reports whose inputs have changed since, or may have: those inputs as they were.
    pub matches: BTreeMap<Reported, Then<MatchView>>,
    /// Files replaced after matches were played on them, with the last commit that did so.
    pub replaced: BTreeMap<FileKind, String>,
    /// What the history says of the answers beside match reports, where it says anything.
    pub recorded: BTreeMap<Reported, Recorded>,
    /// The first round with a question, or with answers: whoever keeps them once can keep them always.
    pub recorded_since: Option<RoundNumber>,
    /// For each round, the pool in the commit that wrote its seed; `None` if it had none.
    pub pools: BTreeMap<RoundNumber, Then<Option<Arc<PromptList>>>>,
    /// What the chain says about each round's latest_reveal_block, if asked.
    pub blocks: BTreeMap<RoundNumber, OnChain>,
    /// Accept a `cdn_url` on a host that is not public (sandbox, tests).
    pub allow_private_cdn: bool,
}

impl<'a> VerifyFacts<'a> {
    /// The files alone, with nothing known of history or chain.
    #[must_use]
    pub fn of_files(snapshot: &'a Snapshot) -> Self {
        let (requests, matches, replaced) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (recorded, pools, blocks, allow_private_cdn) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), false);
        let recorded_since = answers::recorded_since(snapshot);
        let rules = InForce::of(snapshot);
        VerifyFacts {
            snapshot,
            rules,
            requests,
            matches,
            replaced,
            recorded,
            recorded_since,
            pools,
            blocks,
            allow_private_cdn,
        }
    }

    /// The terms for the claims of a round's file.
    fn terms(&self, round: RoundNumber, file: RoundFile) -> ClaimTerms<'_> {
        self.rules.terms(FileKind::Round(round, file), None)
    }

    /// Is this round over: before the current one, or the current one once it is decided?
    fn is_over(&self, round: RoundNumber) -> bool {
        self.has_reached(round, last_of_round())
    }

    /// Is this a round before the current one, or the current one in this stage or a later one?
    fn has_reached(&self, round: RoundNumber, stage: Stage) -> bool {
        self.snapshot.state.get().is_some_and(|state| round_has_reached(state, round, stage))
    }
}

/// Is this a round before the current one, or the current one in this stage or a later one?
fn round_has_reached(state: &CompetitionState, round: RoundNumber, stage: Stage) -> bool {
    round < state.current_round || (round == state.current_round && has_reached(state.stage, stage))
}

/// A check of one round.
type OfARound = fn(&VerifyFacts<'_>, RoundNumber, &RoundFiles, &mut Sink);

/// The checks of a round, in the order of their findings.
const OF_A_ROUND: [OfARound; 12] = [
    schedule::check,
    submissions::check,
    seed::check,
    prompts::check,
    builds::check,
    outputs::check,
    refusals::check,
    matches::check,
    answers::check,
    bias::check,
    audits::check,
    winner::check,
];

/// Runs every check on the files: those of the rounds in parallel. Findings are collected in a fixed order,
/// so the result is the same at any thread count.
#[must_use]
pub fn run(facts: &VerifyFacts<'_>) -> Sink {
    let mut sink = Sink::default();
    files::check(facts, &mut sink);
    let rounds = facts.snapshot.rounds.iter();
    let work: Vec<_> = rounds.flat_map(|(round, files)| OF_A_ROUND.map(|check| (*round, files, check))).collect();
    let told: Vec<Sink> = work
        .par_iter()
        .map(|(round, files, check)| {
            let mut told = Sink::default();
            check(facts, *round, files, &mut told);
            told
        })
        .collect();
    sink.findings.extend(told.into_iter().flat_map(|told| told.findings));
    leader::check(facts, &mut sink);
    copies::check(facts, &mut sink);
    sink
}
