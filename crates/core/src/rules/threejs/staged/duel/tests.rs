use super::super::Height;
use super::*;
use crate::model::threejs::asked::{Category, Check, IssuesAnswer, PromptFeature, VerdictAnswer};
use crate::model::threejs::detail::Told;
use crate::rules::threejs::stages::objections;

const SEED: Seed = Seed(7);

/// A judge that answers by these rules, and what it was asked, wave by wave.
struct Judged {
    decided: Decided,
    waves: Vec<Vec<CallId>>,
    looks: Vec<Look>,
}

type Answering<'a> = &'a dyn Fn(CallId) -> StageAnswer;

fn penalties(penalty_1: u8, penalty_2: u8) -> StageAnswer {
    StageAnswer::Penalties(PenaltyAnswer { penalty_1, penalty_2, issues: "seen".to_owned() })
}

/// Even everywhere: every stage is reached.
fn even(id: CallId) -> StageAnswer {
    match id {
        CallId::Decompose => {
            let feature = |name: &str| PromptFeature { description: name.to_owned(), category: Category::Shape };
            let features = ["lid", "handle", "spout", "foot"].map(feature).to_vec();
            StageAnswer::Features(FeatureAnswer { main_object: "pot".to_owned(), features })
        }
        CallId::Verify(_) => checks([Match::Yes; 4], true),
        CallId::Guard(..) => verdict(SideVerdict::Ok),
        CallId::Explain => StageAnswer::Issues(IssuesAnswer { issues: Some("both are fine".to_owned()) }),
        _ => penalties(4, 4),
    }
}

fn checks(found: [Match; 4], main_object_correct: bool) -> StageAnswer {
    let names = ["lid", "handle", "spout", "foot"].into_iter().zip(found);
    let check = |(name, found): (&str, Match)| Check { feature: name.to_owned(), found, note: String::new() };
    StageAnswer::Checks(CheckAnswer { checks: names.map(check).collect(), main_object_correct })
}

fn verdict(verdict: SideVerdict) -> StageAnswer {
    StageAnswer::Verdict(VerdictAnswer { verdict, reason: String::new() })
}

/// A's and B's penalties in either order.
fn of_pair(order: Order, a: u8, b: u8) -> StageAnswer {
    if order == Order::Ab { penalties(a, b) } else { penalties(b, a) }
}

fn play(gray: GrayMeasure, best: BestViews, answering: Answering<'_>) -> Judged {
    let (mut known, mut answers) = (Known { has_views: [true; 2], ..Known::default() }, BTreeMap::new());
    let (mut waves, mut all_looks) = (Vec::new(), Vec::new());
    loop {
        match next(SEED, &known, &answers) {
            Next::Done(decided) => {
                let Told::Judged(stages) = decided.detail.told() else { panic!("unjudged") };
                assert_eq!(objections(&stages, decided.winner), [""; 0], "{:?}", decided.detail);
                return Judged { decided: *decided, waves, looks: all_looks };
            }
            Next::Open { calls, looks } => {
                assert!(!calls.is_empty() || !looks.is_empty(), "it waits for nothing");
                for look in &looks {
                    match look {
                        Look::Embeddings => known.best = Some(best),
                        Look::Gray => known.gray = Some(gray),
                    }
                }
                answers.extend(calls.iter().map(|call| (call.id, answering(call.id))));
                waves.push(calls.iter().map(|call| call.id).collect());
                all_looks.extend(looks);
            }
        }
    }
}

const PALE: GrayMeasure = GrayMeasure { foreground: 10, pale: 10, grayish: 10 };
const BEST: BestViews = BestViews::Of(View::Back, View::Left);

fn text(judged: &Judged) -> (String, DuelWinner) {
    let value = serde_json::to_value(&judged.decided.detail).unwrap();
    (value["decided_by"].as_str().unwrap().to_owned(), judged.decided.winner)
}

#[test]
fn without_views_nobody_is_asked() {
    let done = |left, right| match next(SEED, &Known { has_views: [left, right], ..Known::default() }, &BTreeMap::new())
    {
        Next::Done(decided) => (decided.winner, serde_json::to_string(&decided.detail).unwrap()),
        Next::Open { .. } => panic!("open"),
    };
    assert_eq!(done(false, false), (DuelWinner::Draw, r#"{"reason":"no previews on either side"}"#.to_owned()));
    assert_eq!(done(true, false), (DuelWinner::Left, r#"{"reason":"no preview from right"}"#.to_owned()));
    assert_eq!(done(false, true), (DuelWinner::Right, r#"{"reason":"no preview from left"}"#.to_owned()));
}

#[test]
fn a_clear_first_stage_takes_nine_calls() {
    let judged = play(PALE, BEST, &|id| match id {
        CallId::PromptMatch(_, order) => of_pair(order, 5, 3),
        other => even(other),
    });
    assert_eq!(text(&judged), ("S1".to_owned(), DuelWinner::Right));
    assert_eq!((judged.waves.len(), judged.waves[0].len(), judged.looks.len()), (1, 9, 0));
    let angle = r#"{"label":"front_left","pen_a":5.0,"pen_b":3.0}"#;
    let angles =
        ["front_left", "front_right", "front_below", "front_above"].map(|view| angle.replace("front_left", view));
    let detail = format!(
        r#"{{"s1":{{"choice":"B","n_total":4,"n_consistent":4,"angles":[{}]}},"decided_by":"S1","issues":"both are fine"}}"#,
        angles.join(",")
    );
    assert_eq!(serde_json::to_string(&judged.decided.detail).unwrap(), detail);
}

#[test]
fn an_even_duel_takes_all_calls_in_four_waves() {
    let judged = play(PALE, BEST, &even);
    assert_eq!(text(&judged), ("S3 (gate did not fire) → draw".to_owned(), DuelWinner::Draw));
    let sizes: Vec<usize> = judged.waves.iter().map(Vec::len).collect();
    // The embeddings are known a wave later here; whoever looks at them does not wait for the calls.
    assert_eq!(sizes, [9, 11, 4, 0, 2], "{:?}", judged.waves);
    assert_eq!(judged.looks, [Look::Embeddings, Look::Gray]);
    let height = |ids: &[CallId]| ids.iter().map(|id| id.height()).max();
    let heights: Vec<_> = judged.waves.iter().filter_map(|wave| height(wave)).collect();
    assert_eq!(heights, [4, 3, 2, 1].map(Height));
    let dark = play(GrayMeasure { foreground: 10, pale: 0, grayish: 10 }, BEST, &even);
    assert_eq!(dark.waves.iter().map(Vec::len).sum::<usize>(), 24);
    assert_eq!(dark.decided.winner, DuelWinner::Draw);
}

#[test]
fn an_angle_whose_orders_contradict_each_other_does_not_count() {
    let judged = play(PALE, BEST, &|id| match id {
        // Whoever is first is worse by 9: means of 5 on both sides, which would make a draw.
        CallId::PromptMatch(View::FrontLeft | View::FrontRight, _) => penalties(10, 1),
        CallId::PromptMatch(_, order) => of_pair(order, 1, 4),
        other => even(other),
    });
    assert_eq!(text(&judged), ("S1".to_owned(), DuelWinner::Left));
    let value = serde_json::to_value(&judged.decided.detail).unwrap();
    assert_eq!((&value["s1"]["n_total"], &value["s1"]["n_consistent"]), (&4.into(), &2.into()));
    assert_eq!(value["s1"]["angles"].as_array().unwrap().len(), 4);
}

#[test]
fn without_embeddings_the_best_view_has_no_vote() {
    let judged = play(PALE, BestViews::None, &|id| match id {
        CallId::Verify(SideOf::A) => checks([Match::No, Match::Partial, Match::Yes, Match::Yes], true),
        CallId::Artifacts(order) => of_pair(order, 6, 5),
        other => even(other),
    });
    assert_eq!(text(&judged), ("S2 consensus".to_owned(), DuelWinner::Right));
    let value = serde_json::to_value(&judged.decided.detail).unwrap();
    assert!(value["s2"]["best_view"].is_null() && value.get("s3").is_none());
    assert_eq!((&value["s2"]["checklist"]["score_a"], &value["s2"]["checklist"]["score_b"]), (&8.into(), &11.into()));
    assert_eq!(value["s2"]["checklist"]["features"][1]["side_a"], "partial");
    assert!(!judged.waves.iter().flatten().any(|id| matches!(id, CallId::BestView(_))));
}

#[test]
fn a_strong_view_decides_and_garbage_steps_down() {
    let strong = |id| match id {
        CallId::BestView(order) => of_pair(order, 1, 6),
        other => even(other),
    };
    assert_eq!(text(&play(PALE, BEST, &strong)), ("S2 strong_voter [bv|-5.0|]".to_owned(), DuelWinner::Left));
    let garbage = |side: SideOf, least: usize| {
        move |id| match id {
            CallId::Guard(of, view) if of == side && View::AROUND[least..].contains(&view) => {
                verdict(SideVerdict::Garbage)
            }
            other => strong(other),
        }
    };
    let judged = play(PALE, BEST, &garbage(SideOf::A, 1));
    assert_eq!(text(&judged), ("S4 step-down (was A)".to_owned(), DuelWinner::Draw));
    assert_eq!(play(PALE, BEST, &garbage(SideOf::A, 2)).decided.winner, DuelWinner::Left, "two of four are not enough");
    assert_eq!(play(PALE, BEST, &garbage(SideOf::B, 0)).decided.winner, DuelWinner::Left);
}

#[test]
fn grey_rescues_if_both_orders_agree() {
    let gray = |first: (u8, u8), second: (u8, u8)| {
        play(PALE, BEST, &|id| match id {
            CallId::Gray(Order::Ab) => penalties(first.0, first.1),
            CallId::Gray(Order::Ba) => penalties(second.0, second.1),
            other => even(other),
        })
    };
    assert_eq!(text(&gray((2, 4), (4, 2))), ("S3 gray-rescue".to_owned(), DuelWinner::Left));
    assert_eq!(text(&gray((4, 2), (0, 2))).1, DuelWinner::Right);
    assert_eq!(text(&gray((2, 4), (4, 3))).1, DuelWinner::Draw, "1.5 apart");
    assert_eq!(text(&gray((0, 10), (3, 4))).1, DuelWinner::Draw, "5.5 - 2 apart, but they contradict each other");
}

#[test]
fn issues_that_nobody_could_word_hold_nothing_up() {
    let judged = play(PALE, BEST, &|id| match id {
        CallId::Explain => Form::Issues.without_answer().unwrap(),
        CallId::PromptMatch(_, order) => of_pair(order, 1, 9),
        other => even(other),
    });
    assert!(serde_json::to_string(&judged.decided.detail).unwrap().ends_with(r#""issues":""}"#));
}

#[test]
fn an_answer_of_another_form_is_none() {
    let known = Known { has_views: [true; 2], ..Known::default() };
    let answers = CallId::all().map(|id| (id, verdict(SideVerdict::Ok))).collect();
    let Next::Open { calls, .. } = next(SEED, &known, &answers) else { panic!("done") };
    assert_eq!(calls.len(), 9);
}
