//! The output at the end of a run: the standings, and what comes next.

use serde_json::{Value, json};

use super::round::DuelRound;
use crate::base::text::counted;
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::{Hotkey, Player};
use crate::model::source_audit;
use crate::rules::tournament::{Field, Pair, Replay, TournamentOutcome};
use crate::rules::waits::audit_of;
use crate::ui::Report;

/// How a run ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// The round is decided.
    Winner(Player),
    /// These holders' audits are awaited.
    Audits(Vec<Hotkey>),
    /// These matches are for other shards to play.
    Matches(Vec<Pair>),
    /// The judge failed; the error says more.
    Failed,
}

impl From<TournamentOutcome> for Ending {
    fn from(outcome: TournamentOutcome) -> Self {
        match outcome {
            TournamentOutcome::Winner(winner) => Ending::Winner(winner),
            TournamentOutcome::Audits(holders) => Ending::Audits(holders),
            TournamentOutcome::Matches(missing) => Ending::Matches(missing),
        }
    }
}

/// Reports the tournament's standings, and what is awaited.
pub(super) fn show(report: &mut Report, round: &DuelRound, field: &Field, replay: &Replay, ending: &Ending) {
    let number = round.number();
    report.detail(json!({
        "round": number,
        "winner": if let Ending::Winner(winner) = ending { Some(winner) } else { None },
        "awaited": if let Ending::Audits(holders) = ending { holders.clone() } else { Vec::new() },
        "standings": standings(round, field, replay),
    }));
    let (played, miners) = (field.matrix.0.len(), field.order.len());
    let played = counted(played, "match", "matches");
    report.say(format!("round {number}: {played}, {} of {miners} qualified", replay.qualified.len()));
    for hotkey in &replay.qualified {
        report.say(format!("  {}", line(round, field, replay, hotkey)));
    }
    if let Ending::Winner(winner) = ending {
        report.say(format!("round {number}: {winner} wins"));
    }
    report.waits.extend(waits_for(round, ending));
    sources_hint(round, ending).into_iter().for_each(|hint| report.say_next(hint));
}

/// What is awaited, in words.
pub(super) fn waits_for(round: &DuelRound, ending: &Ending) -> Option<String> {
    match ending {
        Ending::Audits(holders) => {
            let awaited: Vec<_> = holders.iter().map(|hotkey| audit_of(&round.files, hotkey)).collect();
            Some(format!("duel waits for {}", awaited.join(", ")))
        }
        Ending::Matches(missing) => {
            let matches: Vec<_> = missing.iter().map(|(left, right)| format!("{right} against {left}")).collect();
            Some(format!("duel waits for other shards' matches: {}", matches.join(", ")))
        }
        Ending::Winner(_) | Ending::Failed => None,
    }
}

/// What to do where nothing but a person's reading is missing of an audit.
pub(super) fn sources_hint(round: &DuelRound, ending: &Ending) -> Option<String> {
    let Ending::Audits(holders) = ending else { return None };
    let passed = holders.iter().any(|hotkey| audit(round, hotkey) == Some(AuditOutcome::Passed));
    passed.then(|| source_audit::hint(round.number()))
}

fn audit(round: &DuelRound, hotkey: &Hotkey) -> Option<AuditOutcome> {
    round.files.generation_audits.get().and_then(|audits| audits.get(hotkey)).map(|audit| audit.outcome)
}

/// The player that a miner took the lead from in the current timeline, if it did.
fn beaten<'a>(replay: &'a Replay, hotkey: &Hotkey) -> Option<&'a Player> {
    replay.timeline.iter().find(|step| step.taken && step.challenger == *hotkey).map(|step| &step.holder)
}

fn line(round: &DuelRound, field: &Field, replay: &Replay, hotkey: &Hotkey) -> String {
    let margin = field.matrix.margin(&Player::Leader, &Player::Miner(hotkey.clone())).unwrap_or_default();
    let lead = beaten(replay, hotkey).map(|holder| format!(", took the lead from {}", holder.short()));
    let audit = audit(round, hotkey).map(|outcome| format!(", audit {}", outcome.as_str()));
    format!("{hotkey} {margin:+.4} against leader{}{}", lead.unwrap_or_default(), audit.unwrap_or_default())
}

fn standings(round: &DuelRound, field: &Field, replay: &Replay) -> Vec<Value> {
    let standing = |hotkey: &Hotkey| {
        json!({
            "hotkey": hotkey,
            "margin": field.matrix.margin(&Player::Leader, &Player::Miner(hotkey.clone())),
            "qualified": replay.qualified.contains(hotkey),
            "rejected": field.standing.rejected.contains(hotkey),
            "took_lead_from": beaten(replay, hotkey),
            "audit": audit(round, hotkey),
        })
    };
    field.order.iter().map(standing).collect()
}
