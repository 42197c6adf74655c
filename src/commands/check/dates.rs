//! What is told of the round's course and dates.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::base::text::{counted, time};
use crate::engine::context::Standing;
use crate::engine::moment::Sighted;
use crate::model::ids::Block;
use crate::model::schedule::Schedule;
use crate::model::stage::{CompetitionState, round_in};
use crate::rules::chances::{Chances, Course};
use crate::ui::Report;

/// Tells what is awaited next and until when, or that nothing is; `now` is what `state.json` says.
pub(super) fn tell(
    standing: &Standing,
    now: &CompetitionState,
    chances: &Chances<'_>,
    sighted: Option<Sighted>,
    report: &mut Report,
) -> Value {
    let round = standing.state.current_round;
    let says = format!("state.json: {}", round_in(now.current_round, now.stage));
    match chances.course {
        Course::ToCome => report.say(format!("round {round} has not opened yet ({says}): nothing is awaited")),
        Course::Over => report.say(format!("round {round} is over ({says}): it takes no more files")),
        Course::Fetched => report.say(format!("the deadline has passed ({says}): later uploads may be too late")),
        Course::Open => {
            if let Some(schedule) = chances.awaited() {
                let dates = Dates { schedule, sighted };
                if !chances.window_is_over() {
                    report.say(dates.window());
                }
                report.say(dates.deadline());
            }
        }
    }
    let Some(schedule) = standing.files.schedule.get() else {
        return json!({ "course": chances.course.as_str(), "window": null, "deadline": null });
    };
    let block = schedule.generation_deadline_block;
    let left = chances.now.map(|now| block.0.saturating_sub(now.0));
    json!({
        "course": chances.course.as_str(),
        "window": {
            "from": schedule.earliest_reveal_block,
            "to": schedule.latest_reveal_block,
            "over": chances.window_is_over(),
        },
        "deadline": {"block": block, "now": chances.now, "passed": chances.deadline_has_passed(), "left": left},
    })
}

struct Dates<'a> {
    schedule: &'a Schedule,
    sighted: Option<Sighted>,
}

impl Dates<'_> {
    /// The window for reveals, and how far its next end is.
    fn window(&self) -> String {
        let (from, to) = (self.schedule.earliest_reveal_block, self.schedule.latest_reveal_block);
        match self.sighted.map(|sighted| sighted.moment.block) {
            Some(now) if now < from => {
                format!(
                    "payloads count that are revealed within blocks {from} to {to}: from block {from} on{}",
                    self.to(from)
                )
            }
            Some(_) => format!("payloads count that are revealed by block {to}{}", self.to(to)),
            None => format!("payloads count that are revealed within blocks {from} to {to}"),
        }
    }

    /// The deadline for the files, and how far it is.
    fn deadline(&self) -> String {
        let block = self.schedule.generation_deadline_block;
        match self.sighted.map(|sighted| sighted.moment.block) {
            Some(now) if now >= block => {
                format!("the deadline, block {block}, has passed: later uploads may be too late")
            }
            _ => format!("files are due by block {block}{}", self.to(block)),
        }
    }

    /// How far a block is; empty if the chain's block is not known.
    fn to(&self, block: Block) -> String {
        let Some(Sighted { moment, is_estimated }) = self.sighted else { return String::new() };
        let left = counted(block.0.saturating_sub(moment.block.0), "block", "blocks");
        let Some(at) = moment.time_of(block) else { return format!(", in {left}") };
        let estimated = if is_estimated { "; estimated by this machine's clock" } else { "" };
        format!(", in {left} (about {}, in {}{estimated})", time(at), until(at - moment.now))
    }
}

/// `2 h 30 min`.
fn until(time: TimeDelta) -> String {
    let minutes = time.num_minutes().max(0);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_hours_and_minutes() {
        let said = [0, 12, 60, 150, -3].map(|minutes| until(TimeDelta::minutes(minutes)));
        assert_eq!(said, ["0 min", "12 min", "1 h", "2 h 30 min", "0 min"]);
    }
}
