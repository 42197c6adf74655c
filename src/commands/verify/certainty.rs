//! How sure the results are: all figures with `--json`, a line each with `-v`.

use serde_json::json;

use crate::base::text::counted;
use crate::model::report::DuelWinner;
use crate::rules::certainty::orders::{Bias, Orders};
use crate::rules::certainty::rounds::{JudgedRound, Match, SureMatch, Sureness};
use crate::ui::{Report, Ui};

/// Works out how sure the results are, if anyone will see it.
pub(super) fn work_out(ui: &Ui, matches: impl FnOnce() -> Vec<Match>) -> Option<Sureness> {
    let seen = ui.json() || ui.is_verbose();
    seen.then(|| Sureness::of(&matches()))
}

/// Reports how sure the results are.
pub(super) fn tell(ui: &Ui, sureness: Option<&Sureness>, report: &mut Report) {
    let Some(Sureness { matches, rounds }) = sureness else { return };
    if ui.is_verbose() {
        matches.iter().for_each(|one| report.say(match_line(one)));
        rounds.iter().for_each(|round| report.say(round_line(round)));
    }
    if ui.json() {
        report.detail(json!({ "certainty": { "matches": matches, "rounds": rounds } }));
    }
}

fn match_line(one: &SureMatch) -> String {
    let [low, high] = one.certainty.interval;
    let mut parts = vec![match one.duels.only() {
        Some(only) => format!("{}: margin {:+.4}: {}, so the interval has no width", one.file, one.margin, alike(only)),
        None => format!(
            "{}: margin {:+.4}, 95 % interval {low:+.4} to {high:+.4}; {:.1} % of resamples reach {}",
            one.file,
            one.margin,
            100.0 * one.certainty.reaches,
            one.win_margin
        ),
    }];
    if one.certainty.left_out > 0 && one.duels.only().is_none() {
        let left_out = counted(one.certainty.left_out, "prompt", "prompts");
        parts.push(match one.certainty.survives {
            true => format!("the decision is the same whichever {left_out} one leaves out"),
            false => format!("leaving out {left_out} can change the decision"),
        });
    }
    parts.extend(one.orders.map(contradicting));
    parts.join("; ")
}

/// That all duels ended alike, in words.
fn alike(only: DuelWinner) -> &'static str {
    match only {
        DuelWinner::Left => "left won every duel",
        DuelWinner::Right => "right won every duel",
        DuelWinner::Draw | DuelWinner::Skipped => "no prompt decided it",
    }
}

fn round_line(round: &JudgedRound) -> String {
    let judged = counted(round.judged, "duel", "duels");
    let mut parts = vec![format!("round {}: {judged} judged, {} drawn", round.round, round.draws)];
    parts.extend(round.orders.map(contradicting));
    parts.extend(round.bias.as_ref().map(preference));
    parts.join("; ")
}

fn contradicting(orders: Orders) -> String {
    format!("the two orders contradict each other in {} of {}", orders.contradicting, orders.compared)
}

fn preference(bias: &Bias) -> String {
    let interval = bias.interval.map_or(String::new(), |[low, high]| format!(" ({low:+.2} to {high:+.2})"));
    format!(
        "first minus second penalty {:+.2}{interval}; of {} calls, {} prefer the first model, {} the second",
        bias.mean, bias.calls, bias.first, bias.second
    )
}
