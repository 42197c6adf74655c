//! DESIGN 4.4: the outcome of a duel, and the score and margin of a match.

use std::collections::{BTreeSet, HashMap};

use super::Thresholds;
use crate::model::ids::{Player, PromptStem};
use crate::model::outputs::{Output, Outputs};
use crate::model::penalties::Penalties;
use crate::model::prompts::Prompt;
use crate::model::report::{Duel, DuelWinner};
use crate::model::snapshot::{RoundFiles, Slot};

/// Mean penalties that differ by at most this are a draw.
pub const DRAW_WITHIN: f64 = 1.0;

/// The outcome from two answers, the second with the sides swapped: a side's penalty is the mean of its
/// two; the `issues` text is the first answer's.
#[must_use]
pub fn by_answers(left_first: &Penalties, right_first: &Penalties) -> (DuelWinner, String) {
    let pair = |answer: &Penalties| (answer.first, answer.second);
    (by_both_orders(pair(left_first), pair(right_first)), left_first.issues.clone())
}

/// The winner by the penalties of two answers, each for the model shown first and the one shown second: left's first in
/// the one, right's in the other.
#[must_use]
pub fn by_both_orders(left_first: (u8, u8), right_first: (u8, u8)) -> DuelWinner {
    let mean = |a: u8, b: u8| f64::from(u16::from(a) + u16::from(b)) / 2.0;
    by_penalties(mean(left_first.0, right_first.1), mean(left_first.1, right_first.0))
}

/// The outputs that a player's matches use: the leader's baseline, or what a miner submitted.
#[must_use]
pub fn outputs_of<'a>(files: &'a RoundFiles, player: &Player) -> &'a Slot<Outputs> {
    match (files.players.get(player), player) {
        (None, _) => &Slot::Missing,
        (Some(own), Player::Leader) => &own.generated,
        (Some(own), Player::Miner(_)) => &own.submitted,
    }
}

/// The path of a stored file below its player's folder, as `SHA256SUMS` has it.
#[must_use]
pub fn below_player<'u>(url: &'u str, player: &Player) -> Option<&'u str> {
    url.rsplit_once(&format!("/{player}/")).map(|(_, below)| below)
}

/// The winner by the two sides' mean penalties (0 to 10, lower is better).
#[must_use]
pub fn by_penalties(left: f64, right: f64) -> DuelWinner {
    if (left - right).abs() <= DRAW_WITHIN {
        DuelWinner::Draw
    } else if left < right {
        DuelWinner::Left
    } else {
        DuelWinner::Right
    }
}

/// The prompts on which a player is over time and not forgiven: see [`Lateness`].
#[must_use]
pub fn over_time(prompts: &[Prompt], outputs: &Outputs, limits: &Thresholds) -> BTreeSet<PromptStem> {
    Lateness::of(prompts).over_time(outputs, limits)
}

/// A round's prompts, to find those on which a player is late: slower than the limit, after the first
/// floor(tolerance x prompts) such prompts, in the round's order, are forgiven.
#[derive(Debug)]
pub struct Lateness<'a> {
    /// The positions of each stem in the list: several if it is listed more than once.
    places: HashMap<&'a PromptStem, Vec<usize>>,
    prompts: usize,
}

impl<'a> Lateness<'a> {
    /// Indexes these prompts.
    #[must_use]
    pub fn of(prompts: &'a [Prompt]) -> Self {
        let mut places: HashMap<_, Vec<usize>> = HashMap::with_capacity(prompts.len());
        for (at, prompt) in prompts.iter().enumerate() {
            places.entry(prompt.stem()).or_default().push(at);
        }
        Lateness { places, prompts: prompts.len() }
    }

    /// The prompts on which the player with these outputs is over time and not forgiven.
    #[must_use]
    pub fn over_time(&self, outputs: &Outputs, limits: &Thresholds) -> BTreeSet<PromptStem> {
        let slow = outputs.iter().filter(|(_, output)| output.generation_time > limits.generation_seconds);
        let places = |stem| self.places.get(stem).into_iter().flatten();
        let mut slow: Vec<(usize, &PromptStem)> =
            slow.flat_map(|(stem, _)| places(stem).map(move |at| (*at, stem))).collect();
        slow.sort_unstable();
        let forgiven = floor_of(self.prompts, limits.overtime_tolerance);
        slow.into_iter().skip(forgiven).map(|(_, stem)| stem.clone()).collect()
    }
}

/// floor(count x ratio).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small counts")]
fn floor_of(count: usize, ratio: f64) -> usize {
    (count as f64 * ratio).max(0.0) as usize
}

/// The outcome of a duel that needs no judge (a preview is missing, or a side is over time), with its
/// `issues` text. `None` if a judge has to decide.
#[must_use]
pub fn without_judge(
    stem: &PromptStem,
    left: Option<&Output>,
    right: Option<&Output>,
    late: (bool, bool),
) -> Option<(DuelWinner, String)> {
    let has = |output: Option<&Output>| output.is_some_and(|output| output.png.is_some());
    match (has(left), has(right)) {
        (false, false) => return Some((DuelWinner::Draw, format!("No previews for {stem}"))),
        (false, true) => return Some((DuelWinner::Right, format!("No preview for {stem} from left"))),
        (true, false) => return Some((DuelWinner::Left, format!("No preview for {stem} from right"))),
        (true, true) => {}
    }
    match late {
        (true, true) => Some((DuelWinner::Draw, "Generation time exceeded for both".to_owned())),
        (true, false) => Some((DuelWinner::Right, "Generation time exceeded for left".to_owned())),
        (false, true) => Some((DuelWinner::Left, "Generation time exceeded for right".to_owned())),
        (false, false) => None,
    }
}

/// Does an `issues` text claim that no judge was asked?
#[must_use]
pub fn claims_no_judge(issues: &str) -> bool {
    issues.starts_with("No preview for ")
        || issues.starts_with("No previews for ")
        || issues.starts_with("Generation time exceeded for ")
}

/// The text that past services wrote when the judge had failed for good.
pub const INTERNAL_ERROR: &str = "Internal error";

/// A match's score: duels won by right minus duels won by left.
#[must_use]
pub fn score(duels: &[Duel]) -> i64 {
    duels.iter().map(|duel| duel.winner.points()).sum()
}

/// A match's margin: its score divided by the number of duels; 0.0 without duels.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "duels are far fewer than 2^52")]
pub fn margin(score: i64, duels: usize) -> f64 {
    if duels == 0 { 0.0 } else { score as f64 / duels as f64 }
}

/// The margin of a match in which a side has no generations at all; such a match has no report.
/// `None` if both sides have some.
#[must_use]
pub fn walkover(left_has: bool, right_has: bool) -> Option<f64> {
    match (left_has, right_has) {
        (true, true) => None,
        (false, true) => Some(100.0),
        (true, false) => Some(-100.0),
        (false, false) => Some(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_that_differ_by_one_are_a_draw() {
        assert_eq!(by_penalties(3.0, 4.0), DuelWinner::Draw);
        assert_eq!(by_penalties(3.0, 4.5), DuelWinner::Left);
        assert_eq!(by_penalties(9.5, 0.0), DuelWinner::Right);
    }

    #[test]
    fn each_side_has_the_mean_of_its_two_penalties() {
        let answer = |first, second, issues: &str| Penalties { first, second, issues: issues.to_owned() };
        let (winner, issues) = by_answers(&answer(2, 6, "a"), &answer(5, 4, "b"));
        assert_eq!((winner, issues.as_str()), (DuelWinner::Left, "a"), "3 against 5.5");
        let (winner, _) = by_answers(&answer(2, 3, ""), &answer(2, 1, ""));
        assert_eq!(winner, DuelWinner::Draw, "1.5 against 2.5");
    }

    #[test]
    fn the_first_five_percent_over_time_are_forgiven() {
        let prompts: Vec<_> = (0..40).map(|i| Prompt::new(&format!("https://x.org/{i}.png")).unwrap()).collect();
        let slow = |i: usize| if i.is_multiple_of(10) { 180.5 } else { 180.0 };
        let output = |time| Output {
            model: Some(String::new()),
            png: Some(String::new()),
            generation_time: time,
            size: 1,
            attempts: 1,
            distance: 0.0,
            extra: crate::model::record::Extra::default(),
        };
        let entries = prompts.iter().enumerate().map(|(i, prompt)| (prompt.stem().clone(), output(slow(i))));
        let outputs = Outputs::of(crate::model::format::Format::Mesh, entries);
        let late = over_time(&prompts, &outputs, &Thresholds::default());
        let late: Vec<_> = late.iter().map(PromptStem::as_str).collect();
        assert_eq!(late, ["20", "30"], "of 0, 10, 20, 30 the first two (5 % of 40) are forgiven");
    }

    #[test]
    fn a_missing_preview_comes_before_lateness() {
        let stem: PromptStem = "car".parse().unwrap();
        let (winner, issues) = without_judge(&stem, None, None, (true, false)).unwrap();
        assert_eq!((winner, issues.as_str()), (DuelWinner::Draw, "No previews for car"));
    }
}
