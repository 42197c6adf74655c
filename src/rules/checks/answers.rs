//! `duel.answers`, `judge.question`: the judge's recorded answers give the reports' winners, and answer the round's
//! question.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Claim, Sink, VerifyFacts};
use crate::base::text::counted;
use crate::model::answers::{Answers, Digest, DuelEvidence, GivenAnswer, JudgedDuel};
use crate::model::file::{FileKind, PlayerFile, RoundFile, answers_name, report_of};
use crate::model::ids::{Player, RoundNumber};
use crate::model::report::{Duel, DuelWinner, MatchReport};
use crate::model::snapshot::{PlayerFiles, RoundFiles, Slot};
use crate::rules::duel::{below_player, by_both_orders, claims_no_judge};

/// Whether a report may lack answers in a round that has a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It was recorded before the question: by a version, or a service, that keeps none.
    Before,
    /// The history that would tell is not here.
    Unknown,
}

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let mut seen = Seen::default();
    for (right, own) in &files.players {
        let path = |name: &str| FileKind::Player(round, right.clone(), PlayerFile::Answers(name.to_owned())).path();
        for (name, answers) in own.answers.iter().filter_map(|(name, slot)| Some((name, slot.get()?))) {
            let path = path(name);
            sink.claim("duel.answers", round, path.clone(), |claim| {
                match report_of(name).and_then(|report| own.reports.get(&report)) {
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
            let report = (round, right.clone(), name.clone());
            let absent = format!("missing, though the round has a {}", RoundFile::Question.name());
            sink.claim("duel.answers", round, path(&answers_name(name)), |claim| match facts.unanswered.get(&report) {
                Some(Unanswered::Before) => claim.note("none: the report is older than the round's question"),
                Some(Unanswered::Unknown) => claim.warn(format!("{absent}: whether it came first is not known here")),
                None if facts.rules.no_history => claim.warn(format!("{absent}: without history it is unknown why")),
                None => claim.fail(absent),
            });
        }
    }
    question(round, files, sink);
}

/// The digest under which each image was judged first in the round, by URL, and the file that says so.
#[derive(Default)]
struct Seen<'a>(HashMap<&'a str, (Digest, String)>);

impl<'a> Seen<'a> {
    /// Warns of an image that was judged by other bytes before.
    fn take(&mut self, claim: &mut Claim, path: &str, url: &'a str, digest: Option<Digest>) {
        let Some(digest) = digest else { return };
        let (first, place) = self.0.entry(url).or_insert_with(|| (digest, path.to_owned()));
        if *first != digest {
            claim.warn(format!("{url}: judged by {digest} here, and by {first} in {place}"));
        }
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
                        Some(recorded) => without_digest += preview(claim, duel, (player, digest), recorded),
                        None => seen.take(claim, path, url, digest),
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
pub(crate) fn winner(judged: &JudgedDuel) -> DuelWinner {
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

/// `judge.question`: the question is published, and the answers name it.
fn question(round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let all =
        files.players.iter().flat_map(|(right, own)| own.answers.iter().map(move |(name, slot)| (right, name, slot)));
    let answered: Vec<_> = all
        .filter_map(|(right, name, slot)| {
            let answers = slot.get().filter(|answers| answers.judged().next().is_some())?;
            Some((FileKind::Player(round, right.clone(), PlayerFile::Answers(name.clone())), answers))
        })
        .collect();
    let first = answered.first();
    if files.question.is_missing() && first.is_none() {
        return;
    }
    sink.claim("judge.question", round, FileKind::Round(round, RoundFile::Question).path(), |claim| {
        let published = match (&files.question, first) {
            (Slot::Ok(published), _) => published,
            (Slot::Missing, Some((file, _))) => return claim.fail(format!("missing, but {} names it", file.path())),
            _ => return claim.skip("the file cannot be read"),
        };
        let mut models = BTreeSet::new();
        for (file, answers) in &answered {
            let mut others = BTreeMap::new();
            for judged in answers.judged() {
                if judged.question != published.digest {
                    *others.entry(judged.question).or_insert(0) += 1;
                }
                models.extend(&judged.model);
                models.extend([&judged.left_first.model, &judged.right_first.model].into_iter().flatten());
            }
            for (other, count) in others {
                let (lines, expected) = (counted(count, "line", "lines"), published.digest);
                claim.fail(format!("{}: {lines} with question {other}, expected {expected}", file.path()));
            }
        }
        say_models(claim, &published.asked.model, &models);
    });
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
