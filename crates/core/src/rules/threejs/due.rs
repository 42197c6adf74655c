//! What the files of a round of three.js modules say of the work in its stages.

use super::chain::{Fate, Link, repeats_of};
use super::course::{Next, next};
use super::outstanding::of_round;
use super::requests::requests as asked;
use super::results::Terms;
use super::verdicts::verdicts;
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::prompts::PromptList;
use crate::model::schedule::Schedule;
use crate::model::snapshot::Slot;
use crate::model::stage::Stage;
use crate::model::threejs::reports::{GenerationReport, ReportOutcome};
use crate::model::threejs::snapshot::ThreejsRound;
use crate::rules::builds::is_final;
use crate::rules::stages::{RoundShows, RoundWork};

/// A round's files, with the settings that decide about them.
#[derive(Debug, Clone, Copy)]
pub struct ThreejsWork<'a> {
    /// The round's files.
    pub files: &'a ThreejsRound,
    /// The margin that a win needs.
    pub win_margin: f64,
    /// How often a winner's program is run again.
    pub audit_repeats: u32,
}

impl RoundWork for ThreejsWork<'_> {
    fn schedule(&self) -> Option<&Schedule> {
        self.files.schedule.get()
    }

    fn all_built(&self) -> bool {
        self.files.submissions.get().is_some_and(|submissions| submissions.keys().all(|hotkey| self.is_built(hotkey)))
    }

    fn has_baseline(&self) -> bool {
        self.files.prompts.get().is_some_and(|prompts| baseline_is_whole(self.files, prompts))
    }

    fn duel_waits(&self) -> Option<String> {
        if !self.has_baseline() {
            return Some("for the leader's modules".to_owned());
        }
        let requests = self.files.require_audit.get().map(Vec::as_slice).unwrap_or_default();
        let known = self.files.generation_audits.get();
        let terms = Terms { round: RoundNumber(0), win_margin: self.win_margin, repeats: self.audit_repeats };
        let awaited = terms.look(self.files, |chain, facts| {
            // What follows from reports and readings of sources is still to be written.
            let behind = asked(chain, requests) != requests
                || known.map_or_else(Default::default, Clone::clone) != verdicts(chain, requests, known);
            match next(chain, facts, requests) {
                Next::Wait(awaited) if !behind => Some(awaited),
                _ => None,
            }
        });
        let awaited = awaited.ok()??;
        let words: Vec<String> = awaited.iter().map(ToString::to_string).collect();
        Some(format!("for {}", words.join(", ")))
    }

    fn audits(&self) -> (Vec<Hotkey>, Vec<String>) {
        let (mut ready, mut awaited) = (Vec::new(), Vec::new());
        for hotkey in open_requests(self.files, self.win_margin, self.audit_repeats) {
            match self.is_built(&hotkey) {
                true => ready.push(hotkey),
                false => awaited.push(format!("the build of {hotkey}")),
            }
        }
        (ready, awaited)
    }
}

impl ThreejsWork<'_> {
    fn is_built(&self, hotkey: &Hotkey) -> bool {
        self.files.builds.get().and_then(|builds| builds.get(hotkey)).is_some_and(|build| is_final(build.status))
    }

    /// How many matches of the tournament can be played now.
    pub fn matches_left(&self) -> Option<u64> {
        of_round(self.files, self.win_margin, self.audit_repeats, |chain| {
            let pending = chain.links.iter().filter(|link| link.fate == Fate::Pending).count();
            (chain.unplayed.len() + pending) as u64
        })
    }
}

fn is_unverified(link: &Link<'_>) -> bool {
    matches!(link.fate, Fate::Won { verified: false, .. })
}

/// Does the leader have a record for each prompt?
#[must_use]
pub fn baseline_is_whole(files: &ThreejsRound, prompts: &PromptList) -> bool {
    let modules = files.players.get(&Player::Leader).and_then(|own| own.generated.get(&1)).and_then(Slot::get);
    modules.is_some_and(|modules| prompts.stems().all(|stem| modules.contains_key(stem)))
}

/// The winners on `require_audit.json` whose program has not been run often enough: those that have been beaten or
/// rejected meanwhile need no more runs.
#[must_use]
pub fn open_requests(files: &ThreejsRound, win_margin: f64, audit_repeats: u32) -> Vec<Hotkey> {
    let repeats = repeats_of(files, audit_repeats);
    let winners: Vec<Hotkey> = of_round(files, win_margin, audit_repeats, |chain| {
        chain.links.iter().filter(|link| is_unverified(link)).map(|link| link.hotkey.clone()).collect()
    })
    .unwrap_or_default();
    let is_open = |hotkey: &Hotkey| match files.generation_reports.get().and_then(|reports| reports.get(hotkey)) {
        None => true,
        Some(GenerationReport::Repeated(report)) => {
            report.outcome == ReportOutcome::Pending && report.repeats.len() < repeats as usize
        }
        Some(report) => report.outcome() == ReportOutcome::Pending,
    };
    let requests = files.require_audit.get().into_iter().flatten().map(|request| &request.hotkey);
    requests.filter(|hotkey| winners.contains(hotkey) && is_open(hotkey)).cloned().collect()
}

/// The stage that a round's files show: where `resume` continues.
#[must_use]
pub fn shown_by(files: &ThreejsRound) -> Option<Stage> {
    RoundShows {
        opened: matches!(files.schedule, Slot::Ok(_)),
        seeded: !files.seed.is_missing(),
        fetched: files.players.values().filter(|player| !player.submitted.is_missing()).count(),
        expected: files.submissions.get().map(|submissions| submissions.len()),
        played: !files.matrix.is_missing() || !files.require_audit.is_missing(),
        won: !files.winner.is_missing(),
    }
    .stage()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::matrix::Matrix;

    fn of<T: serde::de::DeserializeOwned>(value: Value) -> Slot<T> {
        Slot::Ok(serde_json::from_value(value).unwrap())
    }

    /// A round of one miner and one prompt, with the leader's module there.
    fn round(miner: &Hotkey) -> ThreejsRound {
        let key = miner.as_str();
        let submission = json!({"repo": "a/b", "commit": "0a".repeat(20), "cdn_url": "https://x.org/", "revealed_at_block": 1, "round": "x-0"});
        let module = json!({"js": "https://x.org/car.js", "views": null, "failure_reason": null, "size": 1});
        let mut files = ThreejsRound { submissions: of(json!({key: submission})), ..ThreejsRound::default() };
        files.prompts = Slot::Ok(crate::rules::prompts::pool(b"https://p.example/car.png").unwrap());
        let leader = files.players.entry(Player::Leader).or_default();
        leader.generated.insert(1, of(json!({"car": module})));
        files
    }

    #[test]
    fn duel_and_audit_wait_for_each_other_in_turn() {
        let miner = Hotkey::from_account(&[1; 32]);
        let mut files = round(&miner);
        let waits = |files: &ThreejsRound| {
            let work = ThreejsWork { files, win_margin: 0.07, audit_repeats: 1 };
            (work.duel_waits(), work.audits())
        };
        let nothing = (Vec::new(), Vec::new());
        assert_eq!(waits(&files), (None, nothing.clone()), "the qualification is still to be played");
        let mut matrix = Matrix::default();
        matrix.0.insert((Player::Leader, Player::Miner(miner.clone())), 0.5);
        files.matrix = Slot::Ok(matrix);
        assert_eq!(waits(&files), (None, nothing.clone()), "the audit is still to be asked for");
        files.require_audit = of(json!([{"hotkey": miner, "latest_defender": "leader"}]));
        let audit = Some(format!("for the audit of {miner}, the source audit of {miner}"));
        assert_eq!(waits(&files), (audit.clone(), (Vec::new(), vec![format!("the build of {miner}")])));
        files.builds = of(json!({miner.as_str(): {"repo": "a/b", "commit": "0a".repeat(20), "revealed_at_block": 1,
            "tag": "t", "status": "success", "docker_image": "x"}}));
        assert_eq!(waits(&files), (audit, (vec![miner.clone()], Vec::new())));
        let repeat = json!({"repeat_index": 1, "generated_prompts": 1, "failed_prompts": 0, "generation_time": 1.0});
        files.generation_reports =
            of(json!({miner.as_str(): {"hotkey": miner, "outcome": "completed", "repeats": [repeat], "reason": ""}}));
        assert_eq!(waits(&files), (None, nothing.clone()), "the audit duels are still to be played");
        files.players.clear();
        assert_eq!(waits(&files).0.as_deref(), Some("for the leader's modules"));
    }

    #[test]
    fn the_files_show_the_stage() {
        let miner = Hotkey::from_account(&[1; 32]);
        let mut files = round(&miner);
        assert_eq!(shown_by(&files), None);
        files.schedule =
            of(json!({"earliest_reveal_block": 1, "latest_reveal_block": 2, "generation_deadline_block": 3}));
        assert_eq!(shown_by(&files), Some(Stage::Open));
        files.seed = of(json!({"seed": 1}));
        assert_eq!(shown_by(&files), Some(Stage::MinerGeneration));
        files.players.entry(Player::Miner(miner)).or_default().submitted = of(json!({}));
        assert_eq!(shown_by(&files), Some(Stage::Duels));
    }
}
