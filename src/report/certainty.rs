//! How sure a margin is, in words for pages.

use super::site::{Fact, fact};
use super::text::{counted, margin, number, share};
use crate::model::report::DuelWinner;
use crate::rules::certainty::orders::{Bias, Orders};
use crate::rules::certainty::rounds::{Match, judged_round};
use crate::rules::certainty::{Certainty, Tally};

/// Beside a margin in a list: its interval, and whether few prompts carry the decision.
pub(super) fn short(tally: Tally, win_margin: f64) -> Option<String> {
    let certainty = Certainty::of(tally, win_margin)?;
    if let Some(only) = tally.only() {
        return Some(format!("an interval without width: {}", alike(only)));
    }
    let interval = interval(&certainty);
    Some(match certainty.survives {
        true => format!("95 % interval {interval}"),
        false => format!("95 % interval {interval}; leaving out {} can change the result", prompts(&certainty)),
    })
}

/// On a match's own page.
pub(super) fn sentence(tally: Tally, win_margin: f64, orders: Option<Orders>) -> Option<String> {
    let certainty = Certainty::of(tally, win_margin)?;
    let mut sentences = vec![match tally.only() {
        Some(only) => format!(
            "The margin\u{2019}s interval has no width: {}. The same prompts drawn again cannot give another margin; other \
             prompts may.",
            alike(only)
        ),
        None => format!(
            "The margin\u{2019}s 95 % interval is {}: were the prompts drawn again from these, it would reach +{} in {} of all cases.",
            interval(&certainty),
            share(win_margin),
            share(certainty.reaches)
        ),
    }];
    if certainty.left_out > 0 && tally.only().is_none() {
        let left_out = prompts(&certainty);
        sentences.push(match certainty.survives {
            true => format!("The result is the same whichever {left_out} one leaves out."),
            false => format!("Leaving out {left_out} can change the result."),
        });
    }
    let compared = orders.filter(|orders| orders.compared > 0);
    sentences.extend(compared.map(|orders| format!("The two orders contradict each other in {}.", parts(orders))));
    Some(sentences.join(" "))
}

/// That all duels ended alike, in words.
fn alike(only: DuelWinner) -> &'static str {
    match only {
        DuelWinner::Left => "the defender won every duel",
        DuelWinner::Right => "the challenger won every duel",
        DuelWinner::Draw | DuelWinner::Skipped => "every duel is a draw, so no prompt decided it",
    }
}

fn interval(certainty: &Certainty) -> String {
    let [low, high] = certainty.interval.map(margin);
    format!("{low} to {high}")
}

fn prompts(certainty: &Certainty) -> String {
    counted(certainty.left_out, "prompt", "prompts")
}

fn parts(orders: Orders) -> String {
    format!("{} of {}", number(orders.contradicting as u64), number(orders.compared as u64))
}

/// How the judge behaved in the round of these matches.
pub(super) fn facts(matches: &[Match]) -> Vec<Fact> {
    let Some(round) = judged_round(matches) else { return Vec::new() };
    let draws = format!("{} of {} judged", number(round.draws as u64), number(round.judged as u64));
    let mut facts = vec![fact("draws by the judge", draws)];
    facts.extend(round.orders.map(|orders| fact("duels where the two orders disagree", parts(orders))));
    facts.extend(
        round.bias.as_ref().map(|bias| fact("penalty of the image shown first, less the other", preference(bias))),
    );
    facts
}

fn preference(bias: &Bias) -> String {
    let signed = |value: f64| format!("{value:+.2}").replace('-', "\u{2212}");
    match bias.interval {
        Some([low, high]) => format!("{} ({} to {})", signed(bias.mean), signed(low), signed(high)),
        None => signed(bias.mean),
    }
}
