//! What each stage of a judge in stages said of a duel, for people: left and right instead of A and B.

use serde::Serialize;

use super::text::{clean, shortened};
use crate::model::threejs::detail::{
    Checklist, Choice, Match, PenaltyPair, SideVerdict, SideViews, Stage1, Stage2, Stage3, Stage4, Stages,
};

/// Most angles and features shown: a judge has four angles and asks for a handful of features.
const MOST_ROWS: usize = 24;

/// Longest name of an angle or a feature, in characters.
const LONGEST_NAME: usize = 120;

/// A judge's stages, as far as they ran.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Evidence {
    /// Which stage decided, in the judge's words.
    decided: String,
    first: FirstStage,
    second: Option<SecondStage>,
    /// What stage 3 did, in words.
    third: Option<&'static str>,
    fourth: Option<SideGuard>,
    /// Its key among the filters.
    #[serde(skip)]
    stage: Option<&'static str>,
}

/// A row of two values, and the side that is better by it.
#[derive(Debug, Clone, Serialize)]
struct Compared {
    what: String,
    left: String,
    right: String,
    /// `left`, `right` or `draw`.
    better: &'static str,
}

/// Stage 1: four angles, each asked in both orders.
#[derive(Debug, Clone, Serialize)]
struct FirstStage {
    choice: &'static str,
    angles: Vec<Compared>,
    more: usize,
    /// How many angles counted.
    consistent: u32,
    total: u32,
}

/// Stage 2: three votes.
#[derive(Debug, Clone, Serialize)]
struct SecondStage {
    choice: &'static str,
    /// How they came to it, in words.
    how: String,
    votes: Vec<Compared>,
    /// What there was nothing to vote by, in words.
    without: Vec<&'static str>,
    checklist: Option<Features>,
}

/// The checklist, feature by feature.
#[derive(Debug, Clone, Serialize)]
struct Features {
    /// Feature, left and right.
    rows: Vec<(String, &'static str, &'static str)>,
    more: usize,
}

/// Stage 4: the other views, side by side.
#[derive(Debug, Clone, Serialize)]
struct SideGuard {
    choice: &'static str,
    /// View, left and right.
    views: Vec<(&'static str, &'static str, &'static str)>,
    left: &'static str,
    right: &'static str,
}

impl Evidence {
    /// The evidence of these stages.
    pub(super) fn of(stages: &Stages<'_>) -> Evidence {
        let stage = ["S1", "S2", "S3", "S4"].iter().position(|name| stages.decided_by.starts_with(name));
        Evidence {
            decided: clean(stages.decided_by),
            first: first(stages.s1),
            second: stages.s2.map(second),
            third: stages.s3.map(third),
            fourth: stages.s4.map(fourth),
            stage: stage.and_then(|at| ["s1", "s2", "s3", "s4"].get(at).copied()),
        }
    }

    /// The key of the stage that decided.
    pub(super) fn stage(&self) -> Option<&'static str> {
        self.stage
    }
}

fn side(choice: Choice) -> &'static str {
    match choice {
        Choice::A => "left",
        Choice::B => "right",
        Choice::Draw => "draw",
    }
}

/// Penalties: the lower one is better.
fn penalties(what: &str, a: f64, b: f64) -> Compared {
    let better = match a.partial_cmp(&b) {
        Some(std::cmp::Ordering::Less) => "left",
        Some(std::cmp::Ordering::Greater) => "right",
        _ => "draw",
    };
    let number = |value: f64| format!("{}", (value * 100.0).round() / 100.0);
    Compared { what: shortened(what, LONGEST_NAME), left: number(a), right: number(b), better }
}

fn first(s1: &Stage1) -> FirstStage {
    let row = |angle: &crate::model::threejs::detail::Angle| {
        penalties(&angle.label.replace('_', " "), angle.pen_a, angle.pen_b)
    };
    FirstStage {
        choice: side(s1.choice),
        angles: s1.angles.iter().take(MOST_ROWS).map(row).collect(),
        more: s1.angles.len().saturating_sub(MOST_ROWS),
        consistent: s1.n_consistent,
        total: s1.n_total,
    }
}

fn second(s2: &Stage2) -> SecondStage {
    let pair = |what: &str, pair: &PenaltyPair| penalties(what, pair.penalty_a, pair.penalty_b);
    let mut votes = Vec::new();
    votes.extend(s2.best_view.as_ref().map(|view| pair("penalty in the best view", view)));
    votes.extend(s2.artifact_compare.as_ref().map(|artifacts| pair("penalty for artifacts", artifacts)));
    votes.extend(s2.checklist.as_ref().map(scores));
    let missing = [
        (s2.best_view.is_none(), "no best view: embeddings are missing"),
        (s2.artifact_compare.is_none(), "artifacts were not compared"),
        (s2.checklist.is_none(), "no checklist"),
        (matches!(s2.checklist, Some(Checklist::Failed(_))), "the prompt could not be taken apart into features"),
    ];
    SecondStage {
        choice: side(s2.choice),
        how: match s2.source.as_str() {
            "strong_voter" => "one strong vote".to_owned(),
            "consensus_3" => "two votes of three".to_owned(),
            other => shortened(other, LONGEST_NAME),
        },
        votes,
        without: missing.into_iter().filter_map(|(missing, words)| missing.then_some(words)).collect(),
        checklist: s2.checklist.as_ref().and_then(features),
    }
}

/// Scores of the checklist: the higher one is better.
fn scores(list: &Checklist) -> Compared {
    let (a, b) = list.scores();
    let better = match a.cmp(&b) {
        std::cmp::Ordering::Greater => "left",
        std::cmp::Ordering::Less => "right",
        std::cmp::Ordering::Equal => "draw",
    };
    Compared { what: "checklist score".to_owned(), left: a.to_string(), right: b.to_string(), better }
}

fn features(list: &Checklist) -> Option<Features> {
    let Checklist::Checked(list) = list else { return None };
    let found = |found: Option<Match>| match found {
        Some(Match::Yes) => "yes",
        Some(Match::Partial) => "partial",
        Some(Match::No) => "no",
        None => "unknown",
    };
    let is = |is: Option<bool>| found(is.map(|is| if is { Match::Yes } else { Match::No }));
    let mut rows = Vec::new();
    if let Some(object) = &list.main_object {
        let what = format!("main object: {}", shortened(object, LONGEST_NAME));
        rows.push((what, is(list.main_object_correct_a), is(list.main_object_correct_b)));
    }
    let all = list.features.as_deref().unwrap_or_default();
    let row = |feature: &crate::model::threejs::detail::Feature| {
        (shortened(&feature.feature, LONGEST_NAME), found(feature.side_a), found(feature.side_b))
    };
    rows.extend(all.iter().take(MOST_ROWS).map(row));
    (!rows.is_empty()).then(|| Features { rows, more: all.len().saturating_sub(MOST_ROWS) })
}

fn third(s3: &Stage3) -> &'static str {
    match (s3.fired, s3.choice) {
        (false, _) => "Not needed: the models are not pale and grey.",
        (true, Some(Choice::A)) => "Both models are pale; on grey, the defender is better.",
        (true, Some(Choice::B)) => "Both models are pale; on grey, the challenger is better.",
        (true, _) => "Both models are pale; on grey, neither is better.",
    }
}

fn fourth(s4: &Stage4) -> SideGuard {
    let names = ["right", "back", "left", "top"];
    let word = |verdict: SideVerdict| if verdict == SideVerdict::Ok { "ok" } else { "garbage" };
    let of = |views: &SideViews| views.all().map(word);
    let views = names.into_iter().zip(of(&s4.per_angle.a)).zip(of(&s4.per_angle.b));
    SideGuard {
        choice: side(s4.choice),
        views: views.map(|((name, left), right)| (name, left, right)).collect(),
        left: word(s4.side_verdicts.a),
        right: word(s4.side_verdicts.b),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::threejs::detail::{Detail, Told};

    #[test]
    fn stages_are_told_by_sides() {
        let views = |last: &str| json!({"right": "ok", "back": last, "left": last, "top_down": last});
        let features: Vec<_> =
            (0..30).map(|at| json!({"feature": format!("f{at}"), "side_a": "yes", "side_b": null})).collect();
        let detail: Detail = serde_json::from_value(json!({
            "s1": {"choice": "draw", "n_total": 1, "n_consistent": 0, "angles": [{"label": "front_left", "pen_a": 2.125, "pen_b": 4.0}]},
            "s2": {"choice": "draw", "source": "consensus_3", "best_view": null,
                "artifact_compare": {"penalty_a": 5.0, "penalty_b": 5.0},
                "checklist": {"main_object": "cup", "main_object_correct_a": true, "main_object_correct_b": false,
                    "features": features, "score_a": 3, "score_b": 4}},
            "s3": {"fired": true, "choice": "B"},
            "s4": {"choice": "draw", "side_verdicts": {"a": "ok", "b": "garbage"},
                "per_angle": {"a": views("ok"), "b": views("garbage")}},
            "decided_by": "S4 step-down (was B)", "issues": "",
        }))
        .unwrap();
        let Told::Judged(stages) = detail.told() else { panic!("no stages") };
        let evidence = Evidence::of(&stages);
        assert_eq!(evidence.stage(), Some("s4"));
        let angle = &evidence.first.angles[0];
        assert_eq!((angle.what.as_str(), angle.left.as_str(), angle.better), ("front left", "2.13", "left"));
        let second = evidence.second.unwrap();
        let better: Vec<_> = second.votes.iter().map(|vote| vote.better).collect();
        assert_eq!((better.as_slice(), second.how.as_str()), (&["draw", "right"][..], "two votes of three"));
        assert_eq!(second.without, ["no best view: embeddings are missing"]);
        let list = second.checklist.unwrap();
        assert_eq!((list.rows.len(), list.more), (25, 6));
        assert_eq!(list.rows[0], ("main object: cup".to_owned(), "yes", "no"));
        assert_eq!(list.rows[1].2, "unknown");
        assert_eq!(evidence.third, Some("Both models are pale; on grey, the challenger is better."));
        let guard = evidence.fourth.unwrap();
        assert_eq!((guard.views[1], guard.right), (("back", "ok", "garbage"), "garbage"));
    }
}
