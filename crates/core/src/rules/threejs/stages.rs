//! What follows from a duel's recorded stages (`judge.detail`): stage 2's votes and consensus, stage 4's step-down,
//! which stage decided, and the winner.
//!
//! Stage 1 is recorded in part: each angle's penalties are averages of two orders, and an angle whose orders contradict
//! each other is dropped without a trace. Only the number of those kept is recorded, so the choice is compared with
//! every way to keep that many: [`stage1_choices`].

use std::collections::BTreeSet;

use super::thresholds::DEPLOYED;
use crate::model::report::DuelWinner;
use crate::model::threejs::detail::{Angle, Choice, PenaltyPair, SideVerdict, SideVerdicts, SideViews, Stage2, Stages};

/// No honest record has more angles than this: 2^n ways would have to be tried.
const MOST_ANGLES: usize = 12;

/// Stage 1's choice from the angles that were kept.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "small counts")]
pub fn stage1_choice(kept: &[&Angle]) -> Choice {
    if kept.is_empty() {
        return Choice::Draw;
    }
    let count = kept.len() as f64;
    let (sum_a, sum_b) = kept.iter().fold((0.0, 0.0), |(a, b), angle| (a + angle.pen_a, b + angle.pen_b));
    // Means first, as the judge rounds: the difference of two means of thirds may lie just beyond a limit that the exact
    // one meets.
    let (mean_a, mean_b) = (sum_a / count, sum_b / count);
    let difference: f64 = mean_a - mean_b;
    let bad = f64::midpoint(mean_a, mean_b) >= DEPLOYED.both_bad && difference.abs() <= DEPLOYED.both_bad_draw;
    if bad || difference.abs() <= DEPLOYED.draw {
        return Choice::Draw;
    }
    let better = |wins: fn(&Angle) -> bool| kept.iter().filter(|angle| wins(angle)).count();
    let (for_a, for_b) = (better(|angle| angle.pen_a < angle.pen_b), better(|angle| angle.pen_b < angle.pen_a));
    let signed = for_a + for_b;
    if signed >= DEPLOYED.signed && (for_a.abs_diff(for_b) as f64) < DEPLOYED.consistency * signed as f64 {
        return Choice::Draw;
    }
    lower(mean_a, mean_b)
}

/// Every choice that stage 1 may have made if it kept this many of the angles.
#[must_use]
pub fn stage1_choices(angles: &[Angle], kept: usize) -> BTreeSet<Choice> {
    if angles.len() > MOST_ANGLES {
        return BTreeSet::new();
    }
    let ways = (0..1_u32 << angles.len()).filter(|way| way.count_ones() as usize == kept);
    ways.map(|way| {
        let of_way = angles.iter().enumerate().filter(|(at, _)| way & (1 << at) != 0).map(|(_, angle)| angle);
        stage1_choice(&of_way.collect::<Vec<_>>())
    })
    .collect()
}

/// The side with the lower penalty.
fn lower(a: f64, b: f64) -> Choice {
    if a < b {
        Choice::A
    } else if b < a {
        Choice::B
    } else {
        Choice::Draw
    }
}

/// The better side if the penalties differ by at least this much; otherwise a draw.
fn apart(pair: Option<&PenaltyPair>, least: f64) -> Choice {
    match pair {
        Some(pair) if (pair.penalty_a - pair.penalty_b).abs() >= least => lower(pair.penalty_a, pair.penalty_b),
        _ => Choice::Draw,
    }
}

/// The side with the higher score if the scores differ by at least this much; otherwise a draw.
fn ahead((a, b): (i64, i64), least: i64) -> Choice {
    match a.saturating_sub(b) {
        gap if gap >= least => Choice::A,
        gap if gap <= -least => Choice::B,
        _ => Choice::Draw,
    }
}

/// The result of stage 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// The side that it chooses.
    pub choice: Choice,
    /// `strong_voter` or `consensus_3`.
    pub source: &'static str,
    /// The text of `decided_by` if it chooses a side.
    pub decided_by: String,
}

/// Stage 2: the best view, how well both are drawn, and the checklist have a vote each. A strong view or checklist
/// decides alone, unless the other is strong for the other side; otherwise two of three.
#[must_use]
pub fn stage2(s2: &Stage2) -> Ballot {
    let scores = s2.checklist.as_ref().map_or((0, 0), crate::model::threejs::detail::Checklist::scores);
    let strong = [apart(s2.best_view.as_ref(), DEPLOYED.strong_view), ahead(scores, DEPLOYED.strong_checklist)];
    match strong {
        [Choice::A, Choice::B] | [Choice::B, Choice::A] | [Choice::Draw, Choice::Draw] => {}
        [view, list] => {
            let choice = if view == Choice::Draw { list } else { view };
            return Ballot { choice, source: "strong_voter", decided_by: strong_words(s2, scores, strong) };
        }
    }
    let votes = [
        apart(s2.best_view.as_ref(), DEPLOYED.vote),
        apart(s2.artifact_compare.as_ref(), DEPLOYED.vote),
        ahead(scores, DEPLOYED.checklist_vote),
    ];
    let two = |choice| votes.iter().filter(|vote| **vote == choice).count() >= 2;
    let choice = [Choice::A, Choice::B].into_iter().find(|choice| two(*choice)).unwrap_or(Choice::Draw);
    Ballot { choice, source: "consensus_3", decided_by: "S2 consensus".to_owned() }
}

/// `S2 strong_voter [bv|-2.5|+cl|+7|]`: the parts that were strong, A's less B's.
fn strong_words(s2: &Stage2, (a, b): (i64, i64), [view, list]: [Choice; 2]) -> String {
    let mut parts = Vec::new();
    if let Some(pair) = s2.best_view.as_ref().filter(|_| view != Choice::Draw) {
        parts.push(format!("bv|{:+.1}|", pair.penalty_a - pair.penalty_b));
    }
    if list != Choice::Draw {
        parts.push(format!("cl|{:+}|", a.saturating_sub(b)));
    }
    format!("S2 strong_voter [{}]", parts.join("+"))
}

/// Is a side garbage? Three of its four views have to be.
#[must_use]
pub fn side(views: &SideViews) -> SideVerdict {
    let garbage = views.all().into_iter().filter(|view| *view == SideVerdict::Garbage).count();
    if garbage >= DEPLOYED.garbage_views { SideVerdict::Garbage } else { SideVerdict::Ok }
}

/// Stage 4: a side that alone is garbage steps down, to a draw; a draw goes to the other side.
#[must_use]
pub fn step_down(before: Choice, sides: &SideVerdicts) -> Choice {
    let bad = match (sides.a, sides.b) {
        (SideVerdict::Garbage, SideVerdict::Ok) => Choice::A,
        (SideVerdict::Ok, SideVerdict::Garbage) => Choice::B,
        _ => return before,
    };
    match before {
        Choice::Draw => bad.other(),
        won if won == bad => Choice::Draw,
        won => won,
    }
}

/// The text of `decided_by` where stage 1 decides.
pub(super) const BY_STAGE_1: &str = "S1";

/// What stage 3 makes of a draw in stage 2, and the text of `decided_by`.
#[must_use]
pub(super) fn by_gray(choice: Option<Choice>) -> (Choice, &'static str) {
    match choice {
        Some(choice @ (Choice::A | Choice::B)) => (choice, "S3 gray-rescue"),
        // The text is the same if it fired in vain.
        _ => (Choice::Draw, "S3 (gate did not fire) → draw"),
    }
}

/// Stage 4's choice, and which stage decided in the end.
#[must_use]
pub(super) fn guarded(before: Choice, decided_by: String, sides: &SideVerdicts) -> (Choice, String) {
    let choice = step_down(before, sides);
    if choice == before { (choice, decided_by) } else { (choice, format!("S4 step-down (was {before})")) }
}

/// What does not follow from a duel's stages, one line each.
#[must_use]
pub fn objections(stages: &Stages<'_>, winner: DuelWinner) -> Vec<String> {
    let mut wrong = Vec::new();
    first(stages, &mut wrong);
    let (choice, decided_by) = match stages.s1.choice {
        Choice::Draw => later(stages, &mut wrong),
        decided => {
            if stages.s2.is_some() || stages.s3.is_some() || stages.s4.is_some() {
                wrong.push("stage 1 decided, but there are later stages".to_owned());
            }
            (decided, BY_STAGE_1.to_owned())
        }
    };
    same(&mut wrong, "decided_by", stages.decided_by, &decided_by);
    if winner != DuelWinner::from(choice) {
        let expected = DuelWinner::from(choice).as_str();
        wrong.push(format!("winner is {:?}, expected {expected:?} by the stages", winner.as_str()));
    }
    wrong
}

fn same(wrong: &mut Vec<String>, what: &str, found: &str, expected: &str) {
    if found != expected {
        wrong.push(format!("{what} is {found:?}, expected {expected:?}"));
    }
}

fn first(stages: &Stages<'_>, wrong: &mut Vec<String>) {
    let s1 = stages.s1;
    if s1.n_total as usize != s1.angles.len() || s1.n_consistent > s1.n_total {
        let (total, kept) = (s1.n_total, s1.n_consistent);
        wrong.push(format!("s1: n_total {total} and n_consistent {kept} of {} angles", s1.angles.len()));
        return;
    }
    let choices = stage1_choices(&s1.angles, s1.n_consistent as usize);
    if !choices.contains(&s1.choice) {
        let possible: Vec<_> = choices.iter().map(|choice| choice.as_str()).collect();
        let kept = s1.n_consistent;
        wrong.push(format!(
            "s1: choice is {}, expected {} by {kept} of these angles",
            s1.choice,
            possible.join(" or ")
        ));
    }
}

/// Stages 2 to 4: the side that they choose, and which stage decides.
fn later(stages: &Stages<'_>, wrong: &mut Vec<String>) -> (Choice, String) {
    let (Some(s2), Some(s4)) = (stages.s2, stages.s4) else {
        wrong.push("stage 1 was a draw, but stage 2 or 4 is missing".to_owned());
        return (Choice::Draw, stages.decided_by.to_owned());
    };
    let ballot = stage2(s2);
    same(wrong, "s2: choice", s2.choice.as_str(), ballot.choice.as_str());
    same(wrong, "s2: source", &s2.source, ballot.source);
    let (before, decided_by) = match (ballot.choice, stages.s3) {
        (Choice::Draw, None) => {
            wrong.push("stage 2 was a draw, but stage 3 is missing".to_owned());
            (Choice::Draw, stages.decided_by.to_owned())
        }
        (Choice::Draw, Some(s3)) => {
            let (choice, decided_by) = by_gray(s3.choice);
            if choice != Choice::Draw && !s3.fired {
                wrong.push(format!("s3: choice is {choice}, but it did not fire"));
            }
            (choice, decided_by.to_owned())
        }
        (choice, None) => (choice, ballot.decided_by),
        (choice, Some(_)) => {
            wrong.push("stage 2 decided, but there is a stage 3".to_owned());
            (choice, ballot.decided_by)
        }
    };
    let word = |verdict| if verdict == SideVerdict::Ok { "ok" } else { "garbage" };
    let sides = &s4.side_verdicts;
    same(wrong, "s4: side_verdicts.a", word(sides.a), word(side(&s4.per_angle.a)));
    same(wrong, "s4: side_verdicts.b", word(sides.b), word(side(&s4.per_angle.b)));
    let (choice, decided_by) = guarded(before, decided_by, sides);
    same(wrong, "s4: choice", s4.choice.as_str(), choice.as_str());
    (choice, decided_by)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::threejs::detail::{Detail, Told};

    fn angles(pairs: &[(f64, f64)]) -> Vec<Angle> {
        let angle = |(a, b): &(f64, f64)| json!({"label": "front_left", "pen_a": a, "pen_b": b});
        pairs.iter().map(|pair| serde_json::from_value(angle(pair)).unwrap()).collect()
    }

    fn stage1(pairs: &[(f64, f64)]) -> Choice {
        stage1_choice(&angles(pairs).iter().collect::<Vec<_>>())
    }

    #[test]
    fn stage_1_wants_a_clear_difference() {
        assert_eq!(stage1(&[]), Choice::Draw);
        assert_eq!(stage1(&[(3.0, 5.0); 4]), Choice::A);
        assert_eq!(stage1(&[(3.0, 3.5); 4]), Choice::Draw);
        assert_eq!(stage1(&[(4.0, 3.0), (4.0, 3.0), (3.0, 3.0)]), Choice::Draw, "2/3 is below 0.7");
        assert_eq!(stage1(&[(7.5, 8.5)]), Choice::Draw, "both bad");
        assert_eq!(stage1(&[(7.5, 8.4)]), Choice::A);
        assert_eq!(stage1(&[(7.0, 9.0)]), Choice::A);
        // Sums that differ by 1.5 times 3 exactly, but means by a little more.
        assert_eq!(stage1(&[(5.5, 8.0), (8.5, 10.0), (8.0, 8.5)]), Choice::A);
        for split in [[1.0, 1.0, -9.0], [9.0, 9.0, -1.0]] {
            assert_eq!(stage1(&split.map(|by: f64| (5.0 + by.max(0.0) / 2.0, 5.0 - by.min(0.0) / 2.0))), Choice::Draw);
        }
        assert_eq!(stage1(&[(9.0, 1.0), (9.0, 1.0), (9.0, 1.0), (1.0, 3.0)]), Choice::Draw, "3:1");
        assert_eq!(stage1(&[(9.0, 1.0), (1.0, 2.0)]), Choice::B, "two signed angles are not asked to agree");
    }

    #[test]
    fn stage_1_is_held_against_every_way_to_keep_its_angles() {
        let mixed = angles(&[(3.0, 5.0), (5.0, 3.0), (4.0, 4.0)]);
        let of = |kept| stage1_choices(&mixed, kept).into_iter().collect::<Vec<_>>();
        assert_eq!(of(0), [Choice::Draw]);
        assert_eq!(of(1), [Choice::A, Choice::B, Choice::Draw]);
        assert_eq!(of(3), [Choice::Draw]);
        assert_eq!(of(4), []);
        assert_eq!(stage1_choices(&angles(&[(1.0, 2.0); 30]), 15), BTreeSet::new());
    }

    fn ballot(view: Option<(f64, f64)>, artifacts: (f64, f64), scores: (i64, i64)) -> (Choice, String) {
        let pair = |(a, b): (f64, f64)| json!({"penalty_a": a, "penalty_b": b});
        let s2: Stage2 = serde_json::from_value(json!({
            "choice": "draw", "source": "", "best_view": view.map(pair), "artifact_compare": pair(artifacts),
            "checklist": {"main_object": null, "main_object_correct_a": null, "main_object_correct_b": null,
                "features": null, "score_a": scores.0, "score_b": scores.1},
        }))
        .unwrap();
        let Ballot { choice, decided_by, .. } = stage2(&s2);
        (choice, decided_by)
    }

    #[test]
    fn stage_2_has_three_votes_and_two_strong_ones() {
        let even = Some((4.0, 4.0));
        assert_eq!(ballot(even, (5.0, 4.0), (4, 4)).0, Choice::Draw, "one vote");
        assert_eq!(ballot(even, (5.0, 4.0), (4, 6)), (Choice::B, "S2 consensus".to_owned()));
        assert_eq!(ballot(Some((3.0, 4.0)), (5.0, 4.0), (6, 4)).0, Choice::A);
        assert_eq!(ballot(None, (5.0, 4.0), (4, 5)).0, Choice::Draw);
        assert_eq!(ballot(Some((3.0, 5.5)), (9.0, 4.0), (4, 9)).1, "S2 strong_voter [bv|-2.5|]");
        assert_eq!(ballot(Some((3.0, 5.5)), (9.0, 4.0), (11, 4)).1, "S2 strong_voter [bv|-2.5|+cl|+7|]");
        assert_eq!(ballot(even, (9.0, 4.0), (10, 4)), (Choice::A, "S2 strong_voter [cl|+6|]".to_owned()));
        assert_eq!(ballot(Some((3.0, 5.0)), (5.0, 4.0), (0, 6)).0, Choice::B, "strong ones cancel; two of three");
    }

    #[test]
    fn stage_4_lets_one_bad_side_step_down() {
        let sides = |a: &str, b: &str| serde_json::from_value(json!({"a": a, "b": b})).unwrap();
        for (before, a, b, after) in [
            (Choice::A, "garbage", "ok", Choice::Draw),
            (Choice::B, "garbage", "ok", Choice::B),
            (Choice::Draw, "garbage", "ok", Choice::B),
            (Choice::Draw, "ok", "garbage", Choice::A),
            (Choice::B, "garbage", "garbage", Choice::B),
            (Choice::A, "ok", "ok", Choice::A),
        ] {
            assert_eq!(step_down(before, &sides(a, b)), after, "{before} {a} {b}");
        }
    }

    /// A duel that ran through all stages.
    fn whole() -> Value {
        let views = |garbage: usize| {
            let of = |at: usize| if at < garbage { "garbage" } else { "ok" };
            json!({"right": of(0), "back": of(1), "left": of(2), "top_down": of(3)})
        };
        json!({
            "s1": {"choice": "draw", "n_total": 1, "n_consistent": 0, "angles": [{"label": "x", "pen_a": 4.0, "pen_b": 4.0}]},
            "s2": {"choice": "draw", "source": "consensus_3", "best_view": null,
                "artifact_compare": {"penalty_a": 5.0, "penalty_b": 5.0},
                "checklist": {"decompose_failed": true, "score_a": 0, "score_b": 0, "gap": 0, "choice": "draw"}},
            "s3": {"fired": true, "choice": "B"},
            "s4": {"choice": "draw", "side_verdicts": {"a": "ok", "b": "garbage"},
                "per_angle": {"a": views(2), "b": views(3)}},
            "decided_by": "S4 step-down (was B)",
            "issues": "",
        })
    }

    fn told(detail: &Value, winner: DuelWinner) -> Vec<String> {
        let detail: Detail = serde_json::from_value(detail.clone()).unwrap();
        let Told::Judged(stages) = detail.told() else { panic!("no stages") };
        objections(&stages, winner)
    }

    #[test]
    fn each_lie_about_a_stage_is_named() {
        assert_eq!(told(&whole(), DuelWinner::Draw), [""; 0]);
        let lie = |pointer: &str, value: Value| {
            let mut detail = whole();
            *detail.pointer_mut(pointer).unwrap() = value;
            told(&detail, DuelWinner::Draw).join("; ")
        };
        for (pointer, value, part) in [
            ("/s1/choice", json!("A"), "s1: choice is A"),
            ("/s1/n_total", json!(2), "s1: n_total 2"),
            ("/s2/choice", json!("A"), "s2: choice"),
            ("/s2/source", json!("strong_voter"), "s2: source"),
            ("/s2/artifact_compare/penalty_a", json!(9.0), ""),
            ("/s3/fired", json!(false), "did not fire"),
            ("/s3/choice", json!("A"), "s4: choice is \"draw\", expected \"A\""),
            ("/s4/side_verdicts/b", json!("ok"), "s4: side_verdicts.b"),
            ("/s4/per_angle/a/left", json!("garbage"), "s4: side_verdicts.a"),
            ("/s4/choice", json!("B"), "s4: choice"),
            ("/decided_by", json!("S1"), "decided_by"),
        ] {
            assert!(lie(pointer, value).contains(part), "{pointer}");
        }
        assert!(told(&whole(), DuelWinner::Left)[0].starts_with("winner is \"left\", expected \"draw\" by the stages"));
        for missing in ["s2", "s3", "s4"] {
            let mut detail = whole();
            detail.as_object_mut().unwrap().remove(missing);
            assert!(told(&detail, DuelWinner::Draw).join(";").contains("missing"), "{missing}");
        }
    }
}
