//! What a miner can still do in a round: whether it is over, whether the window for reveals is, and whether the miner is
//! in it.

use std::cmp::Ordering;

use super::check::{PayloadCheck, PayloadVerdict};
use crate::model::ids::{Block, Hotkey, RoundNumber};
use crate::model::schedule::Schedule;
use crate::model::snapshot::RoundFiles;
use crate::model::stage::{CompetitionState, Stage};

/// How far a round is, by `state.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// It has not opened.
    ToCome,
    /// Payloads or files are awaited.
    Open,
    /// The files are being fetched, or have been.
    Fetched,
    /// It is over.
    Over,
}

impl Course {
    /// The course of this round.
    #[must_use]
    pub fn of(round: RoundNumber, state: &CompetitionState, files: &RoundFiles) -> Course {
        match (round.cmp(&state.current_round), state.stage) {
            (Ordering::Less, _) | (Ordering::Equal, Stage::Finalizing | Stage::Finished) => Course::Over,
            (Ordering::Greater, _) => Course::ToCome,
            (Ordering::Equal, Stage::Open | Stage::MinerGeneration) => Course::Open,
            (Ordering::Equal, Stage::Downloading | Stage::Duels) => Course::Fetched,
            // What was paused is seen by the files.
            (Ordering::Equal, Stage::Paused) if !files.winner.is_missing() => Course::Over,
            (Ordering::Equal, Stage::Paused) if is_fetched(files) => Course::Fetched,
            (Ordering::Equal, Stage::Paused) => Course::Open,
        }
    }

    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Course::ToCome => "to_come",
            Course::Open => "open",
            Course::Fetched => "fetched",
            Course::Over => "over",
        }
    }
}

fn is_fetched(files: &RoundFiles) -> bool {
    files.players.values().any(|own| !own.submitted.is_missing())
}

/// Where a miner stands in a round.
#[derive(Debug, Clone, Copy)]
pub struct Chances<'a> {
    /// The tournament's course.
    pub course: Course,
    /// The round's files.
    pub files: &'a RoundFiles,
    /// The chain's block, if it is known.
    pub now: Option<Block>,
    /// The miner, if it is known, and what it revealed, if that is.
    pub miner: Option<(&'a Hotkey, Option<&'a PayloadCheck>)>,
}

impl Chances<'_> {
    /// Can nothing that is revealed from now on count?
    #[must_use]
    pub fn window_is_over(&self) -> bool {
        let latest = self.files.schedule.get().map(|schedule| schedule.latest_reveal_block);
        let passed = || self.now.zip(latest).is_some_and(|(now, latest)| now > latest);
        matches!(self.course, Course::Fetched | Course::Over) || !self.files.seed.is_missing() || passed()
    }

    /// Does the miner take part, as far as is known? Once the seed is drawn, what is recorded counts, whatever was
    /// revealed.
    #[must_use]
    pub fn is_in(&self) -> bool {
        let Some((hotkey, revealed)) = self.miner else { return true };
        match self.files.seed.is_missing() {
            true => revealed.is_none_or(|check| matches!(check.verdict, PayloadVerdict::Taken(_))),
            false => self.files.submissions.get().is_some_and(|all| all.contains_key(hotkey)),
        }
    }

    /// Is the miner not in the round, for good?
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.window_is_over() && !self.is_in()
    }

    /// The schedule, if payloads or files are still awaited and the miner is not out.
    #[must_use]
    pub fn awaited(&self) -> Option<&Schedule> {
        let schedule = self.files.schedule.get()?;
        (self.course == Course::Open && !self.is_out()).then_some(schedule)
    }

    /// Has the deadline for the files passed?
    #[must_use]
    pub fn deadline_has_passed(&self) -> Option<bool> {
        Some(self.now? >= self.files.schedule.get()?.generation_deadline_block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Extra;
    use crate::model::snapshot::Slot;

    fn files() -> RoundFiles {
        let schedule = Schedule {
            earliest_reveal_block: Block(100),
            latest_reveal_block: Block(200),
            generation_deadline_block: Block(800),
            extra: Extra::default(),
        };
        RoundFiles { schedule: Slot::Ok(schedule), ..RoundFiles::default() }
    }

    fn outside() -> PayloadCheck {
        PayloadCheck { reveals: Vec::new(), verdict: PayloadVerdict::Outside, notes: Vec::new() }
    }

    #[test]
    fn state_json_says_how_far_a_round_is() {
        let course = |round: u32, stage: Stage| {
            let state =
                serde_json::from_value(serde_json::json!({"current_round": 3, "stage": stage, "next_stage_eta": null}))
                    .unwrap();
            Course::of(RoundNumber(round), &state, &files())
        };
        for stage in Stage::ALL {
            assert_eq!((course(2, stage), course(4, stage)), (Course::Over, Course::ToCome), "{stage}");
        }
        let now = Stage::ALL.map(|stage| course(3, stage));
        let (open, fetched, over) = (Course::Open, Course::Fetched, Course::Over);
        assert_eq!(now, [open, open, fetched, fetched, over, over, open]);
    }

    #[test]
    fn after_the_window_a_miner_without_a_payload_is_out() {
        let (files, hotkey, none) = (files(), Hotkey::placeholder(), outside());
        let at = |now: u64, course: Course, revealed: Option<&PayloadCheck>| {
            let miner = Some((&hotkey, revealed));
            let chances = Chances { course, files: &files, now: Some(Block(now)), miner };
            (chances.window_is_over(), chances.is_out(), chances.awaited().is_some())
        };
        assert_eq!(at(200, Course::Open, Some(&none)), (false, false, true));
        assert_eq!(at(201, Course::Open, Some(&none)), (true, true, false));
        assert_eq!(at(201, Course::Open, None), (true, false, true), "what it revealed is not known");
        assert_eq!(at(201, Course::Over, None), (true, false, false));
        assert_eq!(at(150, Course::ToCome, None), (false, false, false));
        let unknown = Chances { course: Course::Open, files: &files, now: Some(Block(201)), miner: None };
        assert!(!unknown.is_out(), "nobody was named");
    }
}
