//! `judge.bias`: does the judge prefer the model that is shown first, or second?

use super::{Sink, VerifyFacts};
use crate::model::ids::RoundNumber;
use crate::model::snapshot::{RoundFiles, Slot};
use crate::rules::certainty::orders::{BIAS, Bias, BothOrders, Orders};

pub(super) fn check(_: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let answers = files.players.values().flat_map(|own| own.answers.values()).filter_map(Slot::get);
    let duels: Vec<BothOrders> = answers.flat_map(|answers| answers.judged().map(BothOrders::from)).collect();
    of(round, &duels, "duels", sink);
}

/// The claim about a round whose judge compared these in both orders: `what` they are.
pub(super) fn of(round: RoundNumber, compared: &[BothOrders], what: &str, sink: &mut Sink) {
    let Some(bias) = Bias::of(compared) else { return };
    sink.claim("judge.bias", round, format!("rounds/{round}"), |claim| {
        let found = words(&bias);
        match bias.matters() {
            true => claim.warn(format!("{found}; below {BIAS} either way is usual")),
            false => claim.note(found),
        }
        let orders = Orders::of(compared.iter().copied());
        if orders.matter() {
            claim.warn(format!(
                "in {} of {} {what} the two orders contradict each other, as if by chance",
                orders.contradicting, orders.compared
            ));
        }
    });
}

fn words(bias: &Bias) -> String {
    // By how much less the preferred one gets: the words say which one it is, so the interval is turned with them.
    let (which, interval) = match bias.interval {
        Some([low, high]) if bias.mean < 0.0 => ("first", Some([0.0 - high, 0.0 - low])),
        interval => (if bias.mean < 0.0 { "first" } else { "second" }, interval),
    };
    let interval = interval.map_or(String::new(), |[low, high]| format!(" (95 % interval {low:.2} to {high:.2})"));
    format!(
        "the model shown {which} gets {:.2} points of penalty less than the other one{interval}; of {} calls, {} prefer the \
         first and {} the second",
        bias.mean.abs(),
        bias.calls,
        bias.first,
        bias.second
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::answers::{Answers, DuelEvidence};
    use crate::model::ids::{Hotkey, Player};
    use crate::model::snapshot::Snapshot;
    use crate::rules::checks::{CheckStatus, Finding};

    /// The finding about a round whose answers are these pairs, the same in both orders.
    fn found(pairs: &[(u8, u8)]) -> Vec<Finding> {
        let given = |(one, two): (u8, u8)| {
            json!({"penalty_1": one, "penalty_2": two, "issues": "", "attempts": 1, "prompt_tokens": null,
                "completion_tokens": null})
        };
        let duel = |(at, pair): (usize, &(u8, u8))| {
            let line = json!({"name": format!("d{at}"), "model": null, "question": "0a".repeat(32),
                "images": {"prompt": null, "left": null, "right": null}, "left_first": given(*pair),
                "right_first": given(*pair)});
            DuelEvidence::Judged(Box::new(serde_json::from_value(line).unwrap()))
        };
        let answers = Answers(pairs.iter().enumerate().map(duel).collect());
        let mut files = RoundFiles::default();
        let own = files.players.entry(Player::Miner(Hotkey::from_account(&[1; 32]))).or_default();
        own.answers.insert("answers_leader.jsonl".to_owned(), Slot::Ok(answers));
        let snapshot = Snapshot::default();
        let mut sink = Sink::default();
        check(&VerifyFacts::of_files(&snapshot), RoundNumber(3), &files, &mut sink);
        sink.finish()
    }

    #[test]
    fn a_preference_for_a_place_is_a_warning() {
        let first = found(&[(2, 5), (3, 6), (2, 4), (1, 5), (2, 5), (3, 6), (2, 4), (1, 5), (4, 7), (2, 5)]);
        let [first] = first.as_slice() else { panic!("{first:?}") };
        assert_eq!(first.status, CheckStatus::Warn);
        let sign_said_once =
            "the model shown first gets 3.00 points of penalty less than the other one (95 % interval 2.";
        assert!(first.detail.starts_with(sign_said_once), "{}", first.detail);
        let second = found(&[(6, 2); 10]);
        let same = "shown second gets 4.00 points of penalty less than the other one (95 % interval 4.00 to 4.00);";
        assert!(second[0].detail.contains(same), "{}", second[0].detail);
        // An interval that includes zero has a sign of its own.
        let unclear = found(&[(0, 9), (0, 9), (0, 9), (9, 0), (9, 0), (5, 5)]);
        assert!(unclear[0].detail.contains("gets 1.50 points of penalty less"), "{}", unclear[0].detail);
        assert!(unclear[0].detail.contains("(95 % interval -"), "{}", unclear[0].detail);
    }

    #[test]
    fn a_small_or_uncertain_preference_is_none() {
        let small = found(&[[(5, 5); 8].as_slice(), &[(5, 6); 2]].concat());
        assert_eq!(small[0].status, CheckStatus::Pass, "{}", small[0].detail);
    }

    #[test]
    fn orders_that_contradict_each_other_are_a_warning() {
        let random = found(&[(0, 9), (9, 0)].repeat(20));
        assert_eq!(random[0].status, CheckStatus::Warn);
        assert!(random[0].detail.contains("in 40 of 40 duels the two orders contradict"), "{}", random[0].detail);
        assert_eq!(found(&[(0, 9); 9])[0].status, CheckStatus::Pass, "too few");
        assert_eq!(found(&[]), []);
    }
}
