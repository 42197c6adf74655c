//! `judge.detail`: what each stage of the judge said of a duel. A is left, B is right; a penalty goes from 0 to 10, and
//! the lower one wins.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::either::either;
use crate::model::exact::{Exact, ExactText, exact_strings};
use crate::model::record::record;
use crate::model::report::DuelWinner;

/// Whom a stage chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Choice {
    /// Left.
    A,
    /// Right.
    B,
    /// Neither.
    #[serde(rename = "draw")]
    Draw,
}

impl Choice {
    /// The name that files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Choice::A => "A",
            Choice::B => "B",
            Choice::Draw => "draw",
        }
    }

    /// The other side; a draw stays one.
    #[must_use]
    pub fn other(self) -> Choice {
        match self {
            Choice::A => Choice::B,
            Choice::B => Choice::A,
            Choice::Draw => Choice::Draw,
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<Choice> for DuelWinner {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::A => DuelWinner::Left,
            Choice::B => DuelWinner::Right,
            Choice::Draw => DuelWinner::Draw,
        }
    }
}

record! {
    /// What stage 1 saw from one angle.
    pub struct Angle [exact] {
        /// From where.
        pub label: String,
        /// A's penalty, both orders averaged.
        pub pen_a: f64,
        /// B's.
        pub pen_b: f64,
    }
}

record! {
    /// Stage 1: the prompt against four views, each in both orders.
    pub struct Stage1 [exact] {
        /// Whom it chose; a draw goes on to the other stages.
        pub choice: Choice,
        /// Angles that there were.
        pub n_total: u32,
        /// Angles whose two orders did not contradict each other.
        pub n_consistent: u32,
        /// What each angle came to.
        pub angles: Vec<Angle>,
    }
}

record! {
    /// Penalties of both sides.
    pub struct PenaltyPair [exact] {
        /// A's.
        pub penalty_a: f64,
        /// B's.
        pub penalty_b: f64,
    }
}

/// Is a feature of the prompt there?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// It is.
    Yes,
    /// In part.
    Partial,
    /// It is not.
    No,
}

record! {
    /// A feature of the prompt, looked for on both sides.
    pub struct Feature [exact] {
        /// What it is.
        pub feature: String,
        /// On A's; `null` where the answer did not name it.
        pub side_a: Option<Match>,
        /// On B's.
        pub side_b: Option<Match>,
    }
}

record! {
    /// Stage 2's list of features, looked for on both sides.
    pub struct CheckedFeatures [exact] {
        /// What the prompt shows.
        pub main_object: Option<String>,
        /// Is A that?
        pub main_object_correct_a: Option<bool>,
        /// Is B?
        pub main_object_correct_b: Option<bool>,
        /// The features; `null` if they could not be checked.
        pub features: Option<Vec<Feature>>,
        /// A's score: 3 for the main object, 2 and 1 a feature.
        pub score_a: i64,
        /// B's.
        pub score_b: i64,
    }
}

record! {
    /// Stage 2's checklist if the prompt could not be decomposed.
    pub struct NoFeatures [exact] {
        /// Always true.
        pub decompose_failed: bool,
        /// Always 0.
        pub score_a: i64,
        /// Always 0.
        pub score_b: i64,
        /// Always 0.
        pub gap: i64,
        /// Always a draw.
        pub choice: Choice,
    }
}

either! {
    /// Stage 2's checklist.
    pub enum Checklist [exact] {
        /// The prompt could not be taken apart.
        "decompose_failed" => Failed(NoFeatures),
        /// It was.
        else => Checked(CheckedFeatures),
    }
}

impl Checklist {
    /// Both scores.
    #[must_use]
    pub fn scores(&self) -> (i64, i64) {
        match self {
            Checklist::Failed(list) => (list.score_a, list.score_b),
            Checklist::Checked(list) => (list.score_a, list.score_b),
        }
    }
}

record! {
    /// Stage 2: three votes.
    pub struct Stage2 [exact] {
        /// Whom they chose.
        pub choice: Choice,
        /// How: `strong_voter` or `consensus_3`.
        pub source: String,
        /// The view most like the prompt; `null` without embeddings.
        pub best_view: Option<PenaltyPair>,
        /// How well both are drawn; `null` where that could not be asked.
        pub artifact_compare: Option<PenaltyPair>,
        /// The features.
        pub checklist: Option<Checklist>,
    }
}

record! {
    /// Stage 3: pale grey models are compared on grey.
    pub struct Stage3 [exact] {
        /// Were they pale and grey enough?
        pub fired: bool,
        /// The side it chose, or `null` for neither.
        pub choice: Option<Choice>,
    }
}

/// What stage 4 thinks of a view, or of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SideVerdict {
    /// Nothing against it.
    Ok,
    /// It is flat, empty, or something else.
    Garbage,
}

record! {
    /// Both sides' verdicts.
    pub struct SideVerdicts [exact] {
        /// A's.
        pub a: SideVerdict,
        /// B's.
        pub b: SideVerdict,
    }
}

record! {
    /// One side's views.
    pub struct SideViews [exact] {
        /// From the right.
        pub right: SideVerdict,
        /// From behind.
        pub back: SideVerdict,
        /// From the left.
        pub left: SideVerdict,
        /// From above.
        pub top_down: SideVerdict,
    }
}

impl SideViews {
    /// All four.
    #[must_use]
    pub fn all(&self) -> [SideVerdict; 4] {
        [self.right, self.back, self.left, self.top_down]
    }
}

record! {
    /// Both sides' views.
    pub struct BothViews [exact] {
        /// A's.
        pub a: SideViews,
        /// B's.
        pub b: SideViews,
    }
}

record! {
    /// Stage 4: the views that no earlier stage judged.
    pub struct Stage4 [exact] {
        /// Whom the judge chooses in the end.
        pub choice: Choice,
        /// Is a side garbage?
        pub side_verdicts: SideVerdicts,
        /// View by view.
        pub per_angle: BothViews,
    }
}

record! {
    /// All keys that a detail can have.
    #[derive(Default)]
    pub struct DetailKeys [exact] {
        /// Why no judge was asked.
        pub reason [optional]: Option<String>,
        /// Stage 1.
        pub s1 [optional]: Option<Stage1>,
        /// Stage 2, if stage 1 was a draw.
        pub s2 [optional]: Option<Stage2>,
        /// Stage 3, if stage 2 was a draw as well.
        pub s3 [optional]: Option<Stage3>,
        /// Stage 4, if stage 1 was a draw.
        pub s4 [optional]: Option<Stage4>,
        /// Which stage decided, in the judge's words.
        pub decided_by [optional]: Option<String>,
        /// What the judge found wrong with both.
        pub issues [optional]: Option<String>,
    }
}

/// A duel's detail: a reason for asking no judge, or what the stages said.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail(DetailKeys);

/// What a detail tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told<'a> {
    /// No judge was asked, for this reason.
    Unjudged(&'a str),
    /// The judge's stages.
    Judged(Stages<'a>),
}

/// The judge's stages, as far as they ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stages<'a> {
    /// Stage 1.
    pub s1: &'a Stage1,
    /// Stage 2.
    pub s2: Option<&'a Stage2>,
    /// Stage 3.
    pub s3: Option<&'a Stage3>,
    /// Stage 4.
    pub s4: Option<&'a Stage4>,
    /// Which stage decided.
    pub decided_by: &'a str,
    /// What the judge found wrong with both.
    pub issues: &'a str,
}

impl Detail {
    /// Of a duel that no judge was asked about.
    #[must_use]
    pub fn unjudged(reason: &str) -> Detail {
        Detail(DetailKeys { reason: Some(reason.to_owned()), ..DetailKeys::default() })
    }

    /// Of a duel that stage 1 decided.
    #[must_use]
    pub fn by_first_stage(s1: Stage1, decided_by: String, issues: String) -> Detail {
        let (s1, decided_by, issues) = (Some(s1), Some(decided_by), Some(issues));
        Detail(DetailKeys { s1, decided_by, issues, ..DetailKeys::default() })
    }

    /// Of a duel that ran through the later stages; the third only if it was reached.
    #[must_use]
    pub fn by_all_stages(
        (s1, s2, s3, s4): (Stage1, Stage2, Option<Stage3>, Stage4),
        decided_by: String,
        issues: String,
    ) -> Detail {
        let later = DetailKeys { s2: Some(s2), s3, s4: Some(s4), ..DetailKeys::default() };
        Detail(DetailKeys { s1: Some(s1), decided_by: Some(decided_by), issues: Some(issues), ..later })
    }

    /// What it tells.
    #[must_use]
    pub fn told(&self) -> Told<'_> {
        let keys = &self.0;
        match &keys.s1 {
            Some(s1) => Told::Judged(Stages {
                s1,
                s2: keys.s2.as_ref(),
                s3: keys.s3.as_ref(),
                s4: keys.s4.as_ref(),
                decided_by: keys.decided_by.as_deref().unwrap_or_default(),
                issues: keys.issues.as_deref().unwrap_or_default(),
            }),
            None => Told::Unjudged(keys.reason.as_deref().unwrap_or_default()),
        }
    }
}

impl Serialize for Detail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Detail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Detail::of(DetailKeys::deserialize(deserializer)?)
    }
}

impl Exact for Detail {
    fn exact(text: &mut ExactText<'_>) -> Option<Self> {
        Detail::of::<serde::de::value::Error>(DetailKeys::exact(text)?).ok()
    }
}

impl Detail {
    /// The detail with these keys, if they go together.
    fn of<E: serde::de::Error>(keys: DetailKeys) -> Result<Self, E> {
        let others = keys.s1.is_some() || keys.s2.is_some() || keys.s3.is_some() || keys.s4.is_some();
        match (&keys.reason, &keys.s1) {
            (Some(_), _) if others || keys.decided_by.is_some() || keys.issues.is_some() => {
                Err(E::custom("a detail has either a reason or the judge's stages"))
            }
            (Some(_), _) => Ok(Detail(keys)),
            (None, None) => Err(E::missing_field("s1")),
            (None, Some(_)) if keys.decided_by.is_none() => Err(E::missing_field("decided_by")),
            (None, Some(_)) if keys.issues.is_none() => Err(E::missing_field("issues")),
            (None, Some(_)) => Ok(Detail(keys)),
        }
    }
}

exact_strings!(Choice, Match, SideVerdict);

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str) -> Result<String, String> {
        let detail: Detail = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok(serde_json::to_string(&detail).unwrap())
    }

    #[test]
    fn every_shape_of_a_checklist_is_written_back() {
        let s1 = r#""s1":{"choice":"draw","n_total":4,"n_consistent":0,"angles":[]}"#;
        for list in [
            r#"{"decompose_failed":true,"score_a":0,"score_b":0,"gap":0,"choice":"draw"}"#,
            r#"{"main_object":"cup","main_object_correct_a":null,"main_object_correct_b":true,"features":null,"score_a":0,"score_b":0}"#,
            r#"{"main_object":"cup","main_object_correct_a":false,"main_object_correct_b":true,"features":[{"feature":"handle","side_a":null,"side_b":"yes"}],"score_a":2,"score_b":5}"#,
            "null",
        ] {
            let s2 = format!(
                r#""s2":{{"choice":"draw","source":"consensus_3","best_view":null,"artifact_compare":null,"checklist":{list}}}"#
            );
            let text = format!(r#"{{{s1},{s2},"decided_by":"S2 consensus","issues":""}}"#);
            assert_eq!(round_trip(&text).unwrap(), text);
        }
    }

    #[test]
    fn a_detail_is_a_reason_or_stages() {
        assert_eq!(round_trip(r#"{"reason":"no previews on either side"}"#).unwrap().len(), 39);
        assert!(round_trip("{}").unwrap_err().contains("s1"));
        assert!(round_trip(r#"{"reason":"x","issues":""}"#).unwrap_err().contains("either"));
        let s1 = r#""s1":{"choice":"A","n_total":4,"n_consistent":4,"angles":[]}"#;
        assert!(round_trip(&format!("{{{s1}}}")).unwrap_err().contains("decided_by"));
        assert!(round_trip(&format!(r#"{{{s1},"decided_by":"S1"}}"#)).unwrap_err().contains("issues"));
    }
}
