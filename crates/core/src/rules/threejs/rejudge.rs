//! Judging recorded duels of three.js modules again: which ones are drawn, and how new answers compare with the record.

use std::collections::{BTreeMap, HashMap};

use crate::model::answers::{Answers, Digest};
use crate::model::ids::{Player, PromptStem, RoundNumber, Seed};
use crate::model::report::DuelWinner;
use crate::model::threejs::answers::StagedJudgment;
use crate::model::threejs::audit_matrix::Opponent;
use crate::model::threejs::calls::{CallId, SideOf};
use crate::model::threejs::detail::{Stages, Told};
use crate::model::threejs::duels::{StagedDuel, StagedMatch};
use crate::model::threejs::snapshot::{ThreejsPlayer, ThreejsRound, ThreejsSnapshot};
use crate::model::threejs::view::{EMBEDDINGS, GRID};
use crate::rules::duel::below_player;
use crate::rules::rejudge::{Comparison, Drawn, JudgedAgain, Lot};
use crate::rules::threejs::staged::Picture;

/// A duel that a judge decided in stages, as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedStages {
    /// The round.
    pub round: RoundNumber,
    /// The round's seed, which goes with each question.
    pub seed: Seed,
    /// The match report.
    pub file: String,
    /// The prompt's stem.
    pub name: PromptStem,
    /// Who won.
    pub winner: DuelWinner,
    /// The prompt's picture.
    pub prompt: String,
    /// The folders of left's and right's views, without a slash at their ends.
    pub views: [String; 2],
    /// The digests of these files that are on record, by URL.
    pub sums: HashMap<String, Digest>,
    /// How many calls were made.
    pub calls: usize,
    /// The answers, if they are recorded.
    pub answers: Option<StagedJudgment>,
}

impl RecordedStages {
    /// Compares new answers with the record.
    #[must_use]
    pub fn compare(&self, now: DuelWinner, answers: &StagedJudgment) -> JudgedAgain {
        let then = self.answers.as_ref().map(penalties);
        let new = penalties(answers);
        let apart = |then: BTreeMap<CallId, (u8, u8)>| {
            let both = then.iter().filter_map(|(id, then)| Some((then, new.get(id)?)));
            both.map(|(then, now)| then.0.abs_diff(now.0).max(then.1.abs_diff(now.1))).max()
        };
        let difference = then.and_then(apart);
        JudgedAgain { now: Some(now), difference, ..self.without(Comparison::of(self.winner, now), "") }
    }

    /// The duel without new answers.
    #[must_use]
    pub fn without(&self, outcome: Comparison, why: &str) -> JudgedAgain {
        JudgedAgain::without(self.round, (self.file.clone(), self.name.clone(), self.winner), outcome, why)
    }
}

fn penalties(answers: &StagedJudgment) -> BTreeMap<CallId, (u8, u8)> {
    answers.calls.iter().filter_map(|(id, given)| Some((*id, given.penalties()?))).collect()
}

/// A duel with the files that tell of it.
#[derive(Clone, Copy)]
struct Recorded<'a> {
    round: RoundNumber,
    files: &'a ThreejsRound,
    player: &'a Player,
    own: &'a ThreejsPlayer,
    name: &'a String,
    report: &'a StagedMatch,
    duel: &'a StagedDuel,
    stages: Stages<'a>,
}

/// Draws from the duels that a judge decided, audit duels among them.
#[must_use]
pub fn of_modules(snapshot: &ThreejsSnapshot, lot: Lot) -> Drawn<RecordedStages> {
    let all = || {
        let rounds = snapshot.rounds.iter().filter(move |(round, _)| lot.has(**round));
        let players = rounds.flat_map(|(round, files)| files.players.iter().map(move |of| (*round, files, of)));
        let reports = players.flat_map(|(round, files, (player, own))| {
            let reports = own.reports().filter_map(|(name, slot)| Some((name, slot.get()?)));
            reports.map(move |(name, report)| (round, files, player, own, name, report))
        });
        reports.flat_map(|(round, files, player, own, name, report)| {
            let judged = report.duels.iter().filter_map(|duel| Some((duel, stages(duel)?)));
            judged.map(move |(duel, stages)| Recorded { round, files, player, own, name, report, duel, stages })
        })
    };
    lot.draw(all, Recorded::record)
}

fn stages(duel: &StagedDuel) -> Option<Stages<'_>> {
    match duel.detail.as_ref()?.told() {
        Told::Judged(stages) => Some(stages),
        Told::Unjudged(_) => None,
    }
}

impl Recorded<'_> {
    fn record(self) -> Option<RecordedStages> {
        let Recorded { round, files, player, own, name, report, duel, stages } = self;
        let answers = own.answers_beside(name).get().into_iter().flat_map(Answers::judged);
        let answers = answers.into_iter().find(|line| line.name == duel.name);
        let left = match &report.left {
            Opponent::Holder(left) => left,
            Opponent::Submitted => player,
        };
        let folder = |grid: &Option<String>| Some(grid.as_ref()?.strip_suffix(GRID)?.strip_suffix('/')?.to_owned());
        let views = [folder(&duel.left_png)?, folder(&duel.right_png)?];
        let mut sums = HashMap::new();
        for (side, player, folder) in [(SideOf::A, left, &views[0]), (SideOf::B, player, &views[1])] {
            add_sums(&mut sums, files, (side, player), folder);
        }
        Some(RecordedStages {
            round,
            seed: files.seed.get().map_or(Seed(0), |seed| seed.seed),
            file: format!("rounds/{round}/{player}/{name}"),
            name: duel.name.clone(),
            winner: duel.winner,
            prompt: duel.prompt.clone(),
            views,
            sums,
            calls: answers.map_or_else(|| calls(&stages), |answers| answers.calls.len()),
            answers: answers.cloned(),
        })
    }
}

/// Adds the sums of a side's pictures and embeddings that are on record.
fn add_sums(sums: &mut HashMap<String, Digest>, files: &ThreejsRound, (side, player): (SideOf, &Player), folder: &str) {
    let known = files.players.get(player).and_then(|own| own.sums.get());
    let Some((known, below)) = known.zip(below_player(folder, player)) else { return };
    let pictures = CallId::all().flat_map(|call| call.pictures(None)).filter_map(Picture::place);
    // Every view may be a side's best one, and is drawn on white.
    let pictures = pictures.filter(|(of, _)| *of == side).map(|(_, path)| path);
    for path in pictures.chain([EMBEDDINGS.to_owned()]) {
        let sum = known.0.get(&format!("{below}/{path}")).and_then(|sum| sum.parse().ok());
        sums.extend(sum.map(|sum| (format!("{folder}/{path}"), sum)));
    }
}

/// How many calls lead to these stages.
fn calls(stages: &Stages<'_>) -> usize {
    // The first stage in both orders, and the words.
    let first = 2 * stages.s1.n_total as usize + 1;
    let second = stages.s2.map_or(0, |s2| 2 * usize::from(s2.best_view.is_some()) + 2 + 3);
    let third = stages.s3.map_or(0, |s3| 2 * usize::from(s3.fired));
    let fourth = stages.s4.map_or(0, |_| 8);
    first + second + third + fourth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Slot;
    use crate::model::threejs::view::View;

    const HOTKEY: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    fn snapshot() -> ThreejsSnapshot {
        let url = |who: &str| format!("https://s.example/rounds/0/{who}/car/grid.png");
        let stage = r#""s1":{"choice":"A","n_total":4,"n_consistent":4,"angles":[]},"decided_by":"S1","issues":""#;
        let report = format!(
            r#"{{"left":"leader","right":"{HOTKEY}","score":-1,"margin":-1.0,"duels":[{{"name":"car","prompt":"https://p.example/car.png","left_js":null,"left_png":"{}","right_js":null,"right_png":"{}","winner":"left","detail":{{{stage}"}}}}]}}"#,
            url("leader/generated_1"),
            url(&format!("{HOTKEY}/submitted"))
        );
        let (mut snapshot, mut files) = (ThreejsSnapshot::default(), ThreejsRound::default());
        let mut own = ThreejsPlayer::default();
        own.duels.insert("duels_leader.json".to_owned(), Slot::Ok(serde_json::from_str(&report).unwrap()));
        let sums = [("submitted/car/white/back.png", b"b"), ("submitted/car/grid.png", b"g")];
        let sums = sums.map(|(path, bytes)| (path.to_owned(), Digest::of(bytes).to_string()));
        own.sums = Slot::Ok(crate::model::sums::Sums(sums.into_iter().collect()));
        files.players.insert(HOTKEY.parse().unwrap(), own);
        snapshot.rounds.insert(RoundNumber(0), files);
        snapshot
    }

    #[test]
    fn a_drawn_duel_has_what_is_on_record() {
        let drawn = of_modules(&snapshot(), Lot { round: None, count: 5, seed: 0 });
        let [duel] = drawn.duels.as_slice() else { panic!("{drawn:?}") };
        let right = format!("https://s.example/rounds/0/{HOTKEY}/submitted/car");
        assert_eq!((duel.calls, drawn.of, duel.views[1].as_str()), (9, 1, right.as_str()));
        assert_eq!(duel.file, format!("rounds/0/{HOTKEY}/duels_leader.json"));
        assert_eq!(duel.sums.len(), 2);
        assert_eq!(duel.sums[&format!("{right}/{}", View::Back.white())], Digest::of(b"b"));
        assert!(of_modules(&snapshot(), Lot { round: Some(RoundNumber(1)), count: 5, seed: 0 }).duels.is_empty());
        let failed = duel.without(Comparison::Failed, "why");
        assert_eq!(
            (failed.recorded, failed.outcome, failed.detail.as_str()),
            (DuelWinner::Left, Comparison::Failed, "why")
        );
    }
}
