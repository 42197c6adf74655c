//! `duel.answers`, `judge.question`: the judge's recorded answers give the reports' winners, and answer the round's
//! question.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Claim, Reported, Sink, VerifyFacts};
use crate::base::text::counted;
use crate::model::answers::{Answers, Digest, DuelEvidence, GivenAnswer, JudgedDuel};
use crate::model::file::{FileKind, PlayerFile, RoundFile, answers_name, report_of};
use crate::model::ids::{Player, RoundNumber};
use crate::model::report::{Duel, DuelWinner, MatchReport};
use crate::model::snapshot::{PlayerFiles, RoundFiles, Slot, Snapshot};
use crate::rules::duel::{INTERNAL_ERROR, below_player, by_both_orders, claims_no_judge};

/// When a report's answers were recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The report is older than its round's question: from before the answers were kept, or the question was held back.
    BeforeQuestion,
    /// The history that would tell is not here.
    Unknown,
    /// They came in this commit, and the report in an earlier one.
    Later(String),
}

/// The first round of a competition with a question, or with answers.
pub(super) fn recorded_since(snapshot: &Snapshot) -> Option<RoundNumber> {
    let answered = |files: &RoundFiles| files.players.values().any(|own| !own.answers.is_empty());
    let mut rounds = snapshot.rounds.iter();
    rounds.find(|(_, files)| !files.question.is_missing() || answered(files)).map(|(round, _)| *round)
}

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let mut seen = Seen::default();
    for (right, own) in &files.players {
        let path = |name: &str| FileKind::Player(round, right.clone(), PlayerFile::Answers(name.to_owned())).path();
        for (name, answers) in own.answers.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
            let (path, report) = (path(name), report_of(name));
            sink.claim("duel.answers", round, path.clone(), |claim| {
                let recorded =
                    report.as_ref().and_then(|name| facts.recorded.get(&(round, right.clone(), name.clone())));
                if let Some(Recorded::Later(commit)) = recorded {
                    claim.warn(format!("first recorded in {commit}, later than the report that has to follow from it"));
                }
                match report.and_then(|report| own.reports.get(&report)) {
                    Some(Slot::Ok(report)) => beside_report(claim, &path, (files, report), answers, &mut seen),
                    Some(_) => claim.skip("the report beside it cannot be read"),
                    None => claim.warn("there is no report beside it: a run was cut short, or it was removed"),
                }
            });
        }
        if files.question.is_missing() {
            continue;
        }
        for name in own.reports.keys().filter(|name| own.answers_beside(name).is_missing()) {
            let recorded = facts.recorded.get(&(round, right.clone(), name.clone()));
            let (since, no_history) = (facts.recorded_since, facts.rules.no_history);
            sink.claim("duel.answers", round, path(&answers_name(name)), |claim| {
                absent(claim, round, recorded, (since, no_history));
            });
        }
    }
    seen.tell(round, files, sink);
    question(facts, round, files, sink);
}

/// A report without answers in a round that has a question. Answers are kept since the round `since`.
pub(super) fn absent(
    claim: &mut Claim,
    round: RoundNumber,
    recorded: Option<&Recorded>,
    (since, no_history): (Option<RoundNumber>, bool),
) {
    let question = RoundFile::Question.name();
    let absent = format!("missing, though the round has a {question}");
    match (recorded, since.filter(|first| *first < round)) {
        (Some(Recorded::BeforeQuestion), Some(first)) => claim.warn(format!(
            "none: the report is older than the {question} of round {round}, though answers are kept since round {first}"
        )),
        (Some(Recorded::BeforeQuestion), None) => claim.skip("none: the report is older than the round's question"),
        (Some(Recorded::Unknown), _) => claim.warn(format!("{absent}: whether it came first is not known here")),
        _ if no_history => claim.warn(format!("{absent}: without history it is unknown why")),
        _ => claim.fail(absent),
    }
}

/// Did a judge decide a duel of this report?
fn judged(report: &MatchReport) -> bool {
    let by_judge = |duel: &Duel| {
        duel.winner != DuelWinner::Skipped && !claims_no_judge(&duel.issues) && duel.issues != INTERNAL_ERROR
    };
    report.duels.iter().any(by_judge)
}

/// The digests of the images that a round was judged by.
#[derive(Default)]
struct Seen<'a> {
    /// The first one of each image that no sum is on record of, by URL, and the file that says so.
    first: HashMap<&'a str, (Digest, String)>,
    /// How many previews' digests were compared with a sum.
    compared: usize,
    /// How many have no sum to be compared with, by player.
    alone: BTreeMap<&'a Player, usize>,
}

impl<'a> Seen<'a> {
    /// An image has one digest in all of a round: what is stored never changes.
    fn take(&mut self, claim: &mut Claim, path: &str, url: &'a str, digest: Option<Digest>) {
        let Some(digest) = digest else { return };
        let (first, place) = self.first.entry(url).or_insert_with(|| (digest, path.to_owned()));
        if *first != digest {
            claim.fail(format!("{url}: judged by {digest} here, and by {first} in {place}"));
        }
    }

    /// Says how many digests prove nothing, for want of sums.
    fn tell(&self, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
        let alone: usize = self.alone.values().sum();
        if alone == 0 {
            return;
        }
        let with_sums = files.players.values().filter(|own| own.sums.get().is_some()).count();
        sink.claim("duel.answers", round, format!("rounds/{round}: previews"), |claim| {
            let of = counted(alone + self.compared, "preview's digest", "previews' digests");
            let whose: Vec<String> =
                self.alone.iter().take(3).map(|(player, count)| format!("{player} {count}")).collect();
            let more = if self.alone.len() > 3 { ", and others" } else { "" };
            let detail =
                format!("{alone} of {of} compared with nothing: no SHA256SUMS has them ({}{more})", whose.join(", "));
            match with_sums {
                0 => claim.skip(detail),
                _ => claim.warn(format!(
                    "{detail}, though {} of the round {} one",
                    counted(with_sums, "player", "players"),
                    if with_sums == 1 { "has" } else { "have" }
                )),
            }
        });
    }
}

/// The answers of a match against its report.
fn beside_report<'a>(
    claim: &mut Claim,
    path: &str,
    (files, report): (&RoundFiles, &'a MatchReport),
    answers: &Answers,
    seen: &mut Seen<'a>,
) {
    if answers.0.len() != report.duels.len() {
        let (lines, duels) = (counted(answers.0.len(), "line", "lines"), counted(report.duels.len(), "duel", "duels"));
        claim.fail(format!("{lines} for {duels} of the report"));
    }
    let sides = [&report.left, &report.right].map(|player| (player, files.players.get(player)));
    let mut without_digest = 0;
    for (evidence, duel) in answers.0.iter().zip(&report.duels) {
        if evidence.name() != &duel.name {
            return claim.fail(format!("{} stands where the report has {}", evidence.name(), duel.name));
        }
        match evidence {
            DuelEvidence::Unjudged(unjudged) => without_judge(claim, duel, &unjudged.without_judge),
            DuelEvidence::Judged(judged) => {
                follows(claim, duel, judged);
                seen.take(claim, path, &duel.prompt, judged.images.prompt);
                let shown = [(&duel.left_png, judged.images.left), (&duel.right_png, judged.images.right)];
                for ((url, digest), (player, own)) in shown.into_iter().zip(sides) {
                    let Some(url) = url else { continue };
                    match recorded(own, player, url) {
                        Some(recorded) => {
                            seen.compared += usize::from(digest.is_some());
                            without_digest += preview(claim, duel, (player, digest), recorded);
                        }
                        None => {
                            if digest.is_some() {
                                *seen.alone.entry(player).or_default() += 1;
                            }
                            seen.take(claim, path, url, digest);
                        }
                    }
                }
            }
        }
    }
    if without_digest > 0 {
        claim.warn(format!("{} in SHA256SUMS without a digest here", counted(without_digest, "preview", "previews")));
    }
}

/// A duel without a judge: the report says the same, and it is a reason for asking none.
fn without_judge(claim: &mut Claim, duel: &Duel, why: &str) {
    if why != duel.issues {
        claim.fail(format!("{}: without_judge is {why:?}, but the report's issues are {:?}", duel.name, duel.issues));
    } else if !claims_no_judge(why) {
        claim.fail(format!("{}: {why:?} is no reason to ask no judge", duel.name));
    }
}

/// A duel with answers: winner and issues follow from them.
fn follows(claim: &mut Claim, duel: &Duel, judged: &JudgedDuel) {
    if claims_no_judge(&duel.issues) {
        return claim.fail(format!("{}: the judge answered, but the report reads {:?}", duel.name, duel.issues));
    }
    let JudgedDuel { left_first, right_first, .. } = judged;
    let winner = winner(judged);
    if duel.winner != winner {
        let told = |answer: &GivenAnswer| format!("{} and {}", answer.penalty_1, answer.penalty_2);
        claim.fail(format!(
            "{}: the winner is {}, but by the penalties ({} with left first, {} with right first) it is {}",
            duel.name,
            duel.winner.as_str(),
            told(left_first),
            told(right_first),
            winner.as_str()
        ));
    }
    if duel.issues != left_first.issues {
        let (found, expected) = (&duel.issues, &left_first.issues);
        claim.fail(format!("{}: the report's issues are {found:?}, but the judge said {expected:?}", duel.name));
    }
}

/// The winner by a duel's recorded answers.
#[must_use]
pub fn winner(judged: &JudgedDuel) -> DuelWinner {
    let pair = |answer: &GivenAnswer| (answer.penalty_1, answer.penalty_2);
    by_both_orders(pair(&judged.left_first), pair(&judged.right_first))
}

/// A preview's digest in its player's `SHA256SUMS`.
fn recorded<'f>(own: Option<&'f PlayerFiles>, player: &Player, url: &str) -> Option<&'f String> {
    own?.sums.get()?.0.get(below_player(url, player)?)
}

/// Checks a preview's digest against the recorded one; returns 1 if the line has none.
fn preview(claim: &mut Claim, duel: &Duel, (player, found): (&Player, Option<Digest>), recorded: &str) -> usize {
    match found.map(|found| found.to_string()) {
        None => 1,
        Some(found) if found == recorded => 0,
        Some(found) => {
            claim.fail(format!("{}: {player}'s preview is {found}, but SHA256SUMS has {recorded}", duel.name));
            0
        }
    }
}

/// `judge.question`: the question is published, with the first report that it covers, and the answers name it.
fn question(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let all =
        files.players.iter().flat_map(|(right, own)| own.answers.iter().map(move |(name, slot)| (right, name, slot)));
    let answered: Vec<_> = all
        .filter_map(|(right, name, slot)| {
            let answers = slot.get().filter(|answers| answers.judged().next().is_some())?;
            let path = FileKind::Player(round, right.clone(), PlayerFile::Answers(name.clone())).path();
            let models = answers.judged().flat_map(|judged| {
                [&judged.model, &judged.left_first.model, &judged.right_first.model].into_iter().flatten()
            });
            let questions = answers.judged().map(|judged| judged.question).collect();
            Some(AnswersOf { path, questions, models: models.collect() })
        })
        .collect();
    let path = FileKind::Round(round, RoundFile::Question).path();
    if files.question.is_missing() && answered.is_empty() {
        if let Some(since) = facts.recorded_since.filter(|since| *since <= round && of_judge(files) > 0) {
            sink.claim("judge.question", round, path, |claim| withheld(claim, round, since));
        }
        return;
    }
    sink.claim("judge.question", round, path, |claim| {
        let reports =
            files.players.iter().flat_map(|(right, own)| own.reports.iter().map(move |(name, of)| (right, name, of)));
        let judged = reports.filter(|(.., slot)| slot.get().is_some_and(|report| judged(report)));
        late(claim, judged.map(|(right, name, _)| (round, right.clone(), name.clone())), &facts.recorded);
        let published = files.question.get().map(|published| (published.digest, published.asked.model.as_str()));
        answer_it(claim, published, files.question.is_missing(), &answered);
    });
}

/// What the answers in a file say of the question and of who answered.
pub(super) struct AnswersOf<'a> {
    /// The file.
    pub(super) path: String,
    /// The question that each answered duel names.
    pub(super) questions: Vec<Digest>,
    /// The models that answered, as the server names them.
    pub(super) models: Vec<&'a String>,
}

/// The answers name the question that is published, which is given by its digest and the model that is asked.
pub(super) fn answer_it(
    claim: &mut Claim,
    published: Option<(Digest, &str)>,
    missing: bool,
    answered: &[AnswersOf<'_>],
) {
    let (expected, model) = match (published, answered.first()) {
        (Some(published), _) => published,
        (None, Some(first)) if missing => return claim.fail(format!("missing, but {} names it", first.path)),
        _ => return claim.skip("the file cannot be read"),
    };
    let mut models = BTreeSet::new();
    for file in answered {
        let mut others = BTreeMap::new();
        for question in file.questions.iter().filter(|question| **question != expected) {
            *others.entry(*question).or_insert(0) += 1;
        }
        models.extend(file.models.iter().copied());
        for (other, count) in others {
            let lines = counted(count, "line", "lines");
            claim.fail(format!("{}: {lines} with question {other}, expected {expected}", file.path));
        }
    }
    say_models(claim, model, &models);
}

/// How many of a round's reports the judge decided a duel of.
fn of_judge(files: &RoundFiles) -> usize {
    let reports = files.players.values().flat_map(|own| own.reports.values());
    reports.filter(|slot| slot.get().is_some_and(|report| judged(report))).count()
}

/// A round that the judge decided, and that says nothing of its answers.
pub(super) fn withheld(claim: &mut Claim, round: RoundNumber, since: RoundNumber) {
    let what = format!("missing: nothing shows what the judge of round {round} was asked and answered");
    match since == round {
        true => claim.warn(format!("{what}, though some of its reports have answers beside them")),
        false => claim.warn(format!("{what}, though answers are kept since round {since}")),
    }
}

/// Warns of a question that came later than reports that it should cover, which the judge decided.
pub(super) fn late(claim: &mut Claim, judged: impl Iterator<Item = Reported>, recorded: &BTreeMap<Reported, Recorded>) {
    let older: Vec<_> = judged.filter(|report| recorded.get(report) == Some(&Recorded::BeforeQuestion)).collect();
    if let Some((round, right, name)) = older.first() {
        let first = FileKind::Player(*round, right.clone(), PlayerFile::Report(name.clone())).path();
        let (reports, them) = (counted(older.len(), "report", "reports"), if older.len() == 1 { "it" } else { "them" });
        claim.warn(format!(
            "committed later than {reports} that the judge decided, {first} first: was it asked for {them}?"
        ));
    }
}

/// Notes which model answered; several in one round are odd.
fn say_models(claim: &mut Claim, asked: &str, models: &BTreeSet<&String>) {
    let shown: Vec<String> = models.iter().take(MODELS_SHOWN).map(|model| format!("{model:?}")).collect();
    match models.len() {
        0 => claim.note(format!("model {asked:?}, which the answers do not name")),
        1 => claim.note(format!("model {asked:?}, answered by {}", shown.concat())),
        more => claim.warn(format!("{more} models answered: {}", shown.join(", "))),
    }
}

/// How many models' names are shown.
const MODELS_SHOWN: usize = 6;
