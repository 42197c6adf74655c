//! `duel.answers`, `judge.question`, `judge.bias` of a competition of three.js modules: the stages of each duel, its winner among
//! them, follow from the judge's recorded answers, which are to the round's question and about the stored pictures.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::super::answers::{AnswersOf, absent, answer_it, late, withheld};
use super::super::{Claim, Reported, Sink, bias};
use super::threejs::Round;
use crate::base::text::{counted, cut};
use crate::model::answers::{Digest, DuelEvidence};
use crate::model::ids::{Player, RoundNumber};
use crate::model::snapshot::Slot;
use crate::model::sums::Sums;
use crate::model::threejs::answers::{StagedAnswers, StagedJudgment};
use crate::model::threejs::audit_matrix::Opponent;
use crate::model::threejs::calls::SideOf;
use crate::model::threejs::detail::Told;
use crate::model::threejs::duels::{StagedDuel, StagedMatch};
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile, answers_name, report_of};
use crate::model::threejs::snapshot::{ThreejsRound, ThreejsSnapshot};
use crate::model::threejs::view::GRID;
use crate::rules::certainty::orders::BothOrders;
use crate::rules::checks::answers::Recorded;
use crate::rules::duel::below_player;
use crate::rules::threejs::staged::{Decided, Followed, follow, shown_of};

/// How many characters of a value are shown.
const SHOWN: usize = 120;

/// The first round of a competition with a question, or with answers.
#[must_use]
pub fn recorded_since(snapshot: &ThreejsSnapshot) -> Option<RoundNumber> {
    let answered = |files: &ThreejsRound| files.players.values().any(|own| !own.answers.is_empty());
    let mut rounds = snapshot.rounds.iter();
    rounds.find(|(_, files)| !files.question.is_missing() || answered(files)).map(|(round, _)| *round)
}

/// The match reports of a round, each with whether there are answers beside it.
pub fn reported(files: &ThreejsRound) -> impl Iterator<Item = (&Player, &String, bool)> {
    files.players.iter().flat_map(|(right, own)| {
        own.reports().map(move |(name, _)| (right, name, !own.answers_beside(name).is_missing()))
    })
}

pub(super) fn check(round: &Round<'_>, sink: &mut Sink) {
    let (number, files, recorded) = (round.round, round.files, &round.facts.recorded);
    let mut seen = Seen::default();
    for (right, own) in &files.players {
        let path = |name: &str| answers_path(number, right, name);
        for (name, answers) in own.answers.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
            let (path, report) = (path(name), report_of(name));
            sink.claim("duel.answers", number, path.clone(), |claim| {
                let told = report.as_ref().and_then(|name| recorded.get(&(number, right.clone(), name.clone())));
                if let Some(Recorded::Later(commit)) = told {
                    claim.warn(format!("first recorded in {commit}, later than the report that has to follow from it"));
                }
                match report.and_then(|report| own.report(&report)) {
                    Some(Slot::Ok(report)) => beside_report(claim, (&path, right), (files, report), answers, &mut seen),
                    Some(_) => claim.skip("the report beside it cannot be read"),
                    None => claim.warn("there is no report beside it: a run was cut short, or it was removed"),
                }
            });
        }
        if files.question.is_missing() {
            continue;
        }
        for (name, _) in own.reports().filter(|(name, _)| own.answers_beside(name).is_missing()) {
            let told = recorded.get(&(number, right.clone(), name.clone()));
            let known = (recorded_since(round.snapshot), round.facts.rules.no_history);
            sink.claim("duel.answers", number, path(&answers_name(name)), |claim| absent(claim, number, told, known));
        }
    }
    seen.tell(round, sink);
    question(round, sink);
    let answers = files.players.values().flat_map(|own| own.answers.values()).filter_map(Slot::get);
    let angles: Vec<BothOrders> =
        answers.flat_map(|answers| answers.judged().flat_map(BothOrders::of_first_stage)).collect();
    bias::of(number, &angles, "angles", sink);
}

fn answers_path(round: RoundNumber, right: &Player, name: &str) -> String {
    ThreejsFile::Player(round, right.clone(), ThreejsPlayerFile::Answers(name.to_owned())).path()
}

/// What a round was judged by.
#[derive(Default)]
struct Seen<'a> {
    /// The first digest of each prompt's picture, by URL, and the file that says so.
    prompts: HashMap<&'a str, (Digest, String)>,
    /// How many digests of a side's pictures were compared with sums.
    compared: usize,
    /// How many have no sums to be compared with, by player.
    alone: BTreeMap<&'a Player, usize>,
}

impl Seen<'_> {
    /// Says how many digests prove nothing, for want of sums.
    fn tell(&self, round: &Round<'_>, sink: &mut Sink) {
        let alone: usize = self.alone.values().sum();
        if alone == 0 {
            return;
        }
        let players = self.alone.len();
        sink.claim("duel.answers", round.round, round.path("views"), |claim| {
            let of = counted(alone + self.compared, "digest of views", "digests of views");
            let whose = counted(players, "player", "players");
            claim.skip(format!("{alone} of {of} compared with nothing: no SHA256SUMS has them ({whose})"));
        });
    }
}

/// The answers of a match against its report.
fn beside_report<'a>(
    claim: &mut Claim,
    (path, right): (&str, &'a Player),
    (files, report): (&'a ThreejsRound, &'a StagedMatch),
    answers: &StagedAnswers,
    seen: &mut Seen<'a>,
) {
    if answers.0.len() != report.duels.len() {
        let (lines, duels) = (counted(answers.0.len(), "line", "lines"), counted(report.duels.len(), "duel", "duels"));
        claim.fail(format!("{lines} for {duels} of the report"));
    }
    let left = match &report.left {
        Opponent::Holder(player) => player,
        Opponent::Submitted => right,
    };
    let sides = [(SideOf::A, left), (SideOf::B, right)].map(|(side, player)| {
        let sums = files.players.get(player).and_then(|own| own.sums.get());
        (side, player, sums)
    });
    for (evidence, duel) in answers.0.iter().zip(&report.duels) {
        if evidence.name() != &duel.name {
            return claim.fail(format!("{} stands where the report has {}", evidence.name(), duel.name));
        }
        match evidence {
            DuelEvidence::Unjudged(unjudged) => without_judge(claim, duel, &unjudged.without_judge),
            DuelEvidence::Judged(judged) => {
                follows(claim, duel, judged);
                prompt(claim, path, duel, judged, seen);
                for (side, player, sums) in sides {
                    pictures(claim, duel, judged, (side, player, sums), seen);
                }
            }
        }
    }
}

/// A duel without a judge: the report says the same. That it is a reason is for `match.rules` to check.
fn without_judge(claim: &mut Claim, duel: &StagedDuel, why: &str) {
    let reason = duel.detail.as_ref().map(|detail| match detail.told() {
        Told::Unjudged(reason) => reason,
        Told::Judged(_) => "judged",
    });
    if reason != Some(why) {
        let found = reason.unwrap_or("no detail");
        claim.fail(format!("{}: without_judge is {why:?}, but the report's detail is {found:?}", duel.name));
    }
}

/// A duel with answers: winner and stages follow from them.
fn follows(claim: &mut Claim, duel: &StagedDuel, judged: &StagedJudgment) {
    let name = &duel.name;
    let has_views = [&duel.left_png, &duel.right_png].map(Option::is_some);
    let Followed { decided, missing, unasked, needless } = follow(has_views, judged);
    for (call, why) in unasked {
        claim.fail(format!("{name}: {call}: not an answer to it: {why}"));
    }
    if let Some(first) = needless.first() {
        let answers = counted(needless.len(), "answer", "answers");
        claim.fail(format!("{name}: {answers} that the others leave no call for, {first} first"));
    }
    let Some(Decided { winner, detail }) = decided else {
        let lacks = counted(missing.len(), "answer is", "answers are");
        let first = missing.first().map(String::as_str).unwrap_or_default();
        return claim.fail(format!("{name}: {lacks} missing, {first} first"));
    };
    if duel.winner != winner {
        let (found, expected) = (duel.winner.as_str(), winner.as_str());
        claim.fail(format!("{name}: the winner is {found}, but by the judge's answers it is {expected}"));
    }
    let told = |detail: &Option<_>| serde_json::to_value(detail).unwrap_or(Value::Null);
    let (found, expected) = (told(&duel.detail), told(&Some(detail)));
    for key in KEYS {
        let (found, expected) = (found.get(key), expected.get(key));
        if found != expected {
            let show =
                |value: Option<&Value>| value.map_or("missing".to_owned(), |value| cut(&value.to_string(), SHOWN));
            let (found, expected) = (show(found), show(expected));
            claim.fail(format!("{name}: {key} is {found}, but by the judge's answers it is {expected}"));
        }
    }
}

/// The keys of a detail.
const KEYS: [&str; 7] = ["reason", "s1", "s2", "s3", "s4", "decided_by", "issues"];

/// A prompt's picture has one digest in all of a round.
fn prompt<'a>(claim: &mut Claim, path: &str, duel: &'a StagedDuel, judged: &StagedJudgment, seen: &mut Seen<'a>) {
    let Some(digest) = judged.images.prompt else { return };
    let (first, place) = seen.prompts.entry(&duel.prompt).or_insert_with(|| (digest, path.to_owned()));
    if *first != digest {
        claim.fail(format!("{}: judged by {digest} here, and by {first} in {place}", duel.prompt));
    }
}

/// The digest of a side's pictures is that of the pictures on record which its calls show.
fn pictures<'a>(
    claim: &mut Claim,
    duel: &StagedDuel,
    judged: &StagedJudgment,
    (side, player, sums): (SideOf, &'a Player, Option<&Sums>),
    seen: &mut Seen<'a>,
) {
    let (grid, found) = match side {
        SideOf::A => (&duel.left_png, judged.images.left),
        SideOf::B => (&duel.right_png, judged.images.right),
    };
    let folder = grid.as_deref().and_then(|grid| below_player(grid, player)?.strip_suffix(GRID));
    let on_record = folder.zip(sums).and_then(|(folder, sums)| {
        let sum = |path: &str| sums.0.get(&format!("{folder}{path}"))?.parse().ok();
        shown_of(side, judged.calls.keys().copied(), judged.best_views, sum)
    });
    match (found, on_record) {
        (Some(found), Some(expected)) => {
            seen.compared += 1;
            if found != expected {
                claim.fail(format!(
                    "{}: {player}'s pictures have the digest {found}, but by SHA256SUMS it is {expected}",
                    duel.name
                ));
            }
        }
        (None, Some(_)) => {
            claim.warn(format!("{}: {player}'s pictures are in SHA256SUMS, without a digest here", duel.name));
        }
        (Some(_), None) => *seen.alone.entry(player).or_default() += 1,
        (None, None) => {}
    }
}

/// Did a judge decide a duel of this report?
fn judged(report: &StagedMatch) -> bool {
    report.duels.iter().filter_map(|duel| duel.detail.as_ref()).any(|detail| matches!(detail.told(), Told::Judged(_)))
}

/// The reports of a round that the judge decided a duel of.
fn of_judge(round: &Round<'_>) -> impl Iterator<Item = Reported> {
    round.files.players.iter().flat_map(move |(right, own)| {
        let judged = own.reports().filter(|(_, slot)| slot.get().is_some_and(judged));
        judged.map(move |(name, _)| (round.round, right.clone(), name.clone()))
    })
}

/// `judge.question`: the question is published, with the first report that it covers, and the answers name it.
fn question(round: &Round<'_>, sink: &mut Sink) {
    let (number, files) = (round.round, round.files);
    let all =
        files.players.iter().flat_map(|(right, own)| own.answers.iter().map(move |(name, slot)| (right, name, slot)));
    let answered: Vec<AnswersOf<'_>> = all
        .filter_map(|(right, name, slot)| {
            let answers = slot.get().filter(|answers| answers.judged().next().is_some())?;
            let questions = answers.judged().map(|judged| judged.question).collect();
            let models = answers.judged().flat_map(StagedJudgment::models).collect();
            Some(AnswersOf { path: answers_path(number, right, name), questions, models })
        })
        .collect();
    let path = ThreejsFile::Round(number, ThreejsRoundFile::Question).path();
    if files.question.is_missing() && answered.is_empty() {
        let since = recorded_since(round.snapshot).filter(|since| *since <= number);
        if let Some(since) = since.filter(|_| of_judge(round).next().is_some()) {
            sink.claim("judge.question", number, path, |claim| withheld(claim, number, since));
        }
        return;
    }
    sink.claim("judge.question", number, path, |claim| {
        late(claim, of_judge(round), &round.facts.recorded);
        let published = files.question.get().map(|published| (published.digest, published.asked.model.as_str()));
        answer_it(claim, published, files.question.is_missing(), &answered);
    });
}

#[cfg(test)]
mod tests;
