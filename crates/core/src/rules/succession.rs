//! DESIGN 4.8: the next round's blocks, its leader and the leader's weight.

use chrono::{DateTime, Duration, NaiveDate, Utc};

use super::Plan;
use super::lead::{Lead, shown};
use crate::base::text::time;
use crate::model::config::Settings;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Block, Player};
use crate::model::leader::{LeaderEntry, Leaders, leader_at};
use crate::model::record::Extra;
use crate::model::schedule::Schedule;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::FileWrite;
use crate::model::winner::Winner;

/// Seconds from one block to the next.
pub const BLOCK_SECONDS: i64 = 12;

/// A point in time, by chain and clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The chain's block.
    pub block: Block,
    /// The time at that block.
    pub now: DateTime<Utc>,
}

impl Moment {
    /// The block expected at `time` (rounded towards now).
    #[must_use]
    pub fn block_at(&self, time: DateTime<Utc>) -> Block {
        // Truncates towards zero, like Python's int(seconds / 12) in the deployed services.
        let blocks = (time - self.now).num_milliseconds() / (BLOCK_SECONDS * 1000);
        Block(self.block.0.saturating_add_signed(blocks))
    }

    /// The time expected at `block`.
    #[must_use]
    pub fn time_of(&self, block: Block) -> Option<DateTime<Utc>> {
        let blocks = i64::try_from(i128::from(block.0) - i128::from(self.block.0)).ok()?;
        let away = Duration::try_seconds(blocks.checked_mul(BLOCK_SECONDS)?)?;
        self.now.checked_add_signed(away)
    }
}

/// When the next round's seed is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextStart {
    /// The time.
    pub at: DateTime<Utc>,
    /// The block expected then: the round's `latest_reveal_block`.
    pub block: Block,
    /// It is after `last_competition_date`: there is no such round.
    pub past_end: bool,
}

/// When the round after the one with this `previous` schedule (`None` for the first round) starts.
/// `None` if the dates leave the calendar.
#[must_use]
pub fn next_start(settings: &Settings, previous: Option<&Schedule>, moment: Moment) -> Option<NextStart> {
    let start_of = |day: NaiveDate| day.and_time(settings.start_time()).and_utc();
    let day = match previous {
        Some(schedule) => {
            let began = moment.time_of(schedule.latest_reveal_block)?.date_naive();
            began.checked_add_days(chrono::Days::new(u64::from(settings.duration_days())))?
        }
        None => moment.now.date_naive(),
    };
    let at = after_buffer(start_of(day), moment.now, settings.buffer_hours())?;
    let at = at.max(start_of(settings.first_evaluation_date));
    let past_end = at.date_naive() > settings.last_competition_date;
    Some(NextStart { at, block: moment.block_at(at), past_end })
}

/// The first time that is `start` or whole days later, and at least `hours` after `now`.
#[allow(clippy::cast_possible_truncation, reason = "settings bound the hours to a year")]
fn after_buffer(start: DateTime<Utc>, now: DateTime<Utc>, hours: f64) -> Option<DateTime<Utc>> {
    // Rounded up, so that at least `hours` remain.
    let buffer = Duration::try_milliseconds((hours * 3_600_000.0).ceil() as i64)?;
    let short = (now.checked_add_signed(buffer)? - start).num_milliseconds().max(0);
    let day = 86_400_000;
    let days = short.checked_add(day - 1)? / day;
    start.checked_add_signed(Duration::try_days(days)?)
}

/// The schedule of the round that starts at `start`.
#[must_use]
pub fn next_schedule(settings: &Settings, previous: Option<&Schedule>, start: &NextStart) -> Schedule {
    let earliest = previous.map_or(0, |schedule| schedule.latest_reveal_block.0.saturating_add(1));
    Schedule {
        earliest_reveal_block: Block(earliest),
        latest_reveal_block: start.block,
        generation_deadline_block: deadline(settings, start.block),
        extra: Extra::default(),
    }
}

/// The generation deadline of a round whose seed is drawn after `latest`.
#[must_use]
pub fn deadline(settings: &Settings, latest: Block) -> Block {
    let seconds = u64::from(settings.generation_stage_minutes) * 60;
    Block(latest.0.saturating_add(seconds / BLOCK_SECONDS.unsigned_abs()))
}

/// The entry that a finished round adds to `leader.json`, if any: a new leader with weight 1.0, or the
/// current one with its weight decayed, unless it is already at the floor. Weights have ten digits.
#[must_use]
pub fn transition(settings: &Settings, current: &LeaderEntry, winner: &Winner, from: Block) -> Option<LeaderEntry> {
    next_entry(settings, current, winner, from, ten_digits)
}

/// As [`transition`], with the weight not rounded, as the deployed services wrote it until March 2026.
#[must_use]
pub fn raw_transition(settings: &Settings, current: &LeaderEntry, winner: &Winner, from: Block) -> Option<LeaderEntry> {
    next_entry(settings, current, winner, from, |weight| weight)
}

fn next_entry(
    settings: &Settings,
    current: &LeaderEntry,
    winner: &Winner,
    from: Block,
    rounded: fn(f64) -> f64,
) -> Option<LeaderEntry> {
    if let Player::Miner(hotkey) = winner.player()
        && (winner.repo != current.repo || winner.commit != current.commit)
    {
        return Some(LeaderEntry {
            hotkey: hotkey.clone(),
            repo: winner.repo.clone(),
            commit: winner.commit.clone(),
            docker: winner.docker_image.clone(),
            weight: 1.0,
            effective_block: from,
            extra: Extra::default(),
        });
    }
    let floor = rounded(settings.weight_floor);
    if rounded(current.weight) <= floor {
        return None;
    }
    let weight = rounded(floor.max(current.weight - settings.weight_decay));
    Some(LeaderEntry { weight, effective_block: from, ..current.clone() })
}

/// Rounds to ten decimal digits as Python's `round(x, 10)` does: to the nearest decimal of the exact value,
/// then to the nearest float. Multiplying by 1e10 would round twice.
fn ten_digits(number: f64) -> f64 {
    format!("{number:.10}").parse().unwrap_or(number)
}

/// The facts that `finalize` needs.
#[derive(Debug, Clone)]
pub struct Finished<'a> {
    /// `config.json`
    pub settings: &'a Settings,
    /// `state.json`, in the finalizing stage.
    pub state: &'a CompetitionState,
    /// The finished round's `schedule.json`, if any.
    pub schedule: Option<&'a Schedule>,
    /// `leader.json`
    pub leaders: &'a Leaders,
    /// The finished round's `winner.json`.
    pub winner: &'a Winner,
}

/// Why a round cannot be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum FinalizeError {
    #[error("the next round's date leaves the calendar")]
    Calendar,
    #[error("leader.json is empty: a leader is needed")]
    NoLeader,
}

/// Closes a round: adds the leader's entry, then opens the next round or ends the competition.
///
/// # Errors
/// There is no leader, or the dates leave the calendar.
pub fn finalize(finished: &Finished<'_>, moment: Moment) -> Result<Plan, FinalizeError> {
    close(finished, moment, |kept, entry| {
        let leaders: Leaders = finished.leaders.iter().take(kept).cloned().chain([entry]).collect();
        FileWrite::new(FileKind::Leader, &leaders)
    })
}

/// As [`finalize`]; `leaders_file` makes `leader.json`, given how many entries are kept and the one that follows them.
pub(super) fn close(
    finished: &Finished<'_>,
    moment: Moment,
    leaders_file: impl FnOnce(usize, LeaderEntry) -> FileWrite,
) -> Result<Plan, FinalizeError> {
    let Finished { settings, state, schedule, leaders, winner } = finished;
    let start = next_start(settings, *schedule, moment).ok_or(FinalizeError::Calendar)?;
    let leaders = before_finalizing(settings, leaders, *schedule, winner);
    let current = leaders.last().ok_or(FinalizeError::NoLeader)?;
    let now = Lead::of(&leaders, Some(moment.block)).leader;
    let until_then = now.map_or_else(
        || "until then there is no leader".to_owned(),
        |leader| format!("until then {} leads with weight {}", leader.hotkey, shown(leader.weight)),
    );
    let added = transition(settings, current, winner, start.block);

    let (round, stage) = match start.past_end {
        true => (state.current_round, Stage::Finished),
        false => (state.current_round.next(), Stage::Open),
    };
    let (mut writes, mut parts, mut says) = (Vec::new(), vec![format!("state ({stage})")], Vec::new());
    if start.past_end {
        says.push(format!("the competition is over: {} is past its last day", start.at.date_naive()));
    } else {
        let schedule = next_schedule(settings, *schedule, &start);
        says.push(format!("round {round} is open until block {}, about {}", start.block, time(start.at)));
        writes.push(FileWrite::new(FileKind::Round(round, RoundFile::Schedule), &schedule));
        parts.push("schedule".to_owned());
    }
    if let Some(entry) = added {
        let (next, weight) = (&entry.hotkey, shown(entry.weight));
        says.push(format!("{next} comes next with weight {weight}, in force from block {} on", entry.effective_block));
        says.push(until_then);
        writes.push(leaders_file(leaders.len(), entry));
        parts.push("leader".to_owned());
    } else {
        says.push(format!("{} keeps the lead with weight {}", current.hotkey, shown(current.weight)));
    }
    let state = CompetitionState { current_round: round, ..state.moved(stage, (!start.past_end).then_some(start.at)) };
    writes.push(FileWrite::new(FileKind::State, &state));
    Ok(Plan { writes, message: format!("Update {} for round {round}", parts.join(", ")), says })
}

/// The leaders without the entry of a finalization that was cut short. Such an entry follows the one that led
/// in the finished round, and is exactly what finalizing adds; without this a rerun would decay the weight twice.
fn before_finalizing(settings: &Settings, leaders: &Leaders, schedule: Option<&Schedule>, winner: &Winner) -> Leaders {
    let mut leaders = leaders.clone();
    let adds = |current: &LeaderEntry, last: &LeaderEntry| {
        let forms = [transition, raw_transition].map(|form| form(settings, current, winner, last.effective_block));
        forms.iter().flatten().any(|entry| entry == last)
    };
    if let (Some(schedule), [.., current, last]) = (schedule, leaders.as_slice())
        && leader_at(&leaders, schedule.latest_reveal_block) == Some(current)
        && adds(current, last)
    {
        leaders.pop();
    }
    leaders
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values are Python's `round(x, 10)`.
    #[test]
    fn weights_are_rounded_as_python_does() {
        for (number, rounded) in [
            (0.849_999_999_999_999_9, 0.85),
            (0.600_000_000_000_000_1, 0.6),
            (1.0 - 0.123_456_789_012, 0.876_543_211),
            (0.300_000_000_04, 0.3),
            (0.300_000_000_06, 0.300_000_000_1),
            // Exact halves round to the even digit.
            (0.000_488_281_25, 0.000_488_281_2),
            (0.001_464_843_75, 0.001_464_843_8),
            (0.0, 0.0),
            (1.0, 1.0),
        ] {
            assert_eq!(ten_digits(number).to_bits(), f64::to_bits(rounded), "{number}");
        }
    }
}
