//! What a judge that works in stages is asked for in a call, and its answer, read strictly: anything but what was asked
//! for counts as no answer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::detail::{Match, SideVerdict};
use crate::base::text;
use crate::model::answers::WORST_PENALTY;
use crate::model::record::shortened;

/// How many features a prompt is taken apart into, at least and at most.
pub const FEATURES: (usize, usize) = (4, 7);

/// How many characters of the issues are kept: they are committed to git with every duel.
const LONGEST_ISSUES: usize = 2000;

/// How many characters of a note or a reason are kept.
const LONGEST_NOTE: usize = 300;

/// How many characters the name of an object or a feature has at most: it is repeated to the judge as it is.
const LONGEST_NAME: usize = 300;

/// What is asked in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// How faithful both models are, seen from one side.
    PromptMatch,
    /// How faithful both are, each seen from its best side.
    BestView,
    /// How well both are made.
    Artifacts,
    /// What there is to look for in the prompt.
    Decompose,
    /// Whether a model has it.
    Verify,
    /// As `PromptMatch`, on grey.
    Gray,
    /// Whether a view of a model is garbage.
    Guard,
    /// What is wrong with both.
    Explain,
}

/// The form of the answer that a call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A penalty of each of two models.
    Penalties,
    /// The features of the prompt.
    Features,
    /// Which of these features a model has.
    Checks(Vec<String>),
    /// Whether a view of a model is garbage.
    Verdict,
    /// What is wrong with two models, in words.
    Issues,
}

/// The penalties of two models, in the order in which they were shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PenaltyAnswer {
    /// The first model's, 0 (faultless) to 10.
    pub penalty_1: u8,
    /// The second model's.
    pub penalty_2: u8,
    /// Their faults.
    pub issues: String,
}

/// What kind of thing a feature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// How many there are.
    Count,
    /// What shape it has.
    Shape,
    /// That it is there.
    Presence,
    /// Of what material or colour it is.
    MaterialColor,
}

/// A feature of the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptFeature {
    /// In words.
    pub description: String,
    /// Of what kind.
    pub category: Category,
}

/// The prompt, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureAnswer {
    /// What it shows.
    pub main_object: String,
    /// What can be looked for.
    pub features: Vec<PromptFeature>,
}

/// Whether a model has a feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The feature.
    pub feature: String,
    /// Is it there?
    #[serde(rename = "match")]
    pub found: Match,
    /// Why.
    pub note: String,
}

/// Which features a model has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckAnswer {
    /// Feature by feature.
    pub checks: Vec<Check>,
    /// Is it what the prompt shows?
    pub main_object_correct: bool,
}

/// What a view of a model is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictAnswer {
    /// Garbage, or not.
    pub verdict: SideVerdict,
    /// Why.
    pub reason: String,
}

/// What is wrong with two models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuesAnswer {
    /// In words; `null` if no attempt at an answer was one. No winner depends on it.
    pub issues: Option<String>,
}

/// An answer. Its form is known by its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StageAnswer {
    /// To [`Form::Penalties`].
    Penalties(PenaltyAnswer),
    /// To [`Form::Features`].
    Features(FeatureAnswer),
    /// To [`Form::Checks`].
    Checks(CheckAnswer),
    /// To [`Form::Verdict`].
    Verdict(VerdictAnswer),
    /// To [`Form::Issues`].
    Issues(IssuesAnswer),
}

/// Why a text is not the answer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Unasked {
    #[error("not an object")]
    NoObject,
    #[error("{0}")]
    OtherJson(String),
    #[error("the penalty {0} is not in 0 to {worst}", worst = WORST_PENALTY)]
    Penalty(u8),
    #[error("{0} features: {least} to {most} were asked for", least = FEATURES.0, most = FEATURES.1)]
    Features(usize),
    #[error("a name of an object or feature is empty or longer than {most} characters", most = LONGEST_NAME)]
    Name,
    #[error("the feature {0:?} is there twice")]
    Twice(String),
    #[error("the feature {0:?} was not asked about")]
    OtherFeature(String),
    #[error("{0} checks of {1} features")]
    Checks(usize, usize),
    #[error("no issues")]
    NoIssues,
}

impl Form {
    /// Reads an answer: a JSON object with what was asked for, and nothing else. Long texts are cut.
    ///
    /// # Errors
    /// It is another one.
    pub fn read(&self, said: &str) -> Result<StageAnswer, Unasked> {
        match self.recall(said)? {
            StageAnswer::Issues(IssuesAnswer { issues: None }) => Err(Unasked::NoIssues),
            answer => Ok(answer),
        }
    }

    /// Reads an answer that was kept, as it was written; issues may be lacking.
    ///
    /// # Errors
    /// It is another one.
    pub fn recall(&self, kept: &str) -> Result<StageAnswer, Unasked> {
        // serde would also accept a list of the values.
        if !kept.trim_start().starts_with('{') {
            return Err(Unasked::NoObject);
        }
        match self {
            Form::Penalties => penalties(parse(kept)?).map(StageAnswer::Penalties),
            Form::Features => features(parse(kept)?).map(StageAnswer::Features),
            Form::Checks(asked) => checks(asked, parse(kept)?).map(StageAnswer::Checks),
            Form::Verdict => {
                let VerdictAnswer { verdict, reason } = parse(kept)?;
                Ok(StageAnswer::Verdict(VerdictAnswer { verdict, reason: text::cut(&reason, LONGEST_NOTE) }))
            }
            Form::Issues => {
                let IssuesAnswer { issues } = parse(kept)?;
                let issues = issues.map(|issues| text::cut(&issues, LONGEST_ISSUES));
                Ok(StageAnswer::Issues(IssuesAnswer { issues }))
            }
        }
    }

    /// The answer where none of the attempts brought one; only what decides nothing has it.
    #[must_use]
    pub fn without_answer(&self) -> Option<StageAnswer> {
        matches!(self, Form::Issues).then_some(StageAnswer::Issues(IssuesAnswer { issues: None }))
    }
}

fn parse<'t, T: Deserialize<'t>>(said: &'t str) -> Result<T, Unasked> {
    serde_json::from_str(said).map_err(|error| Unasked::OtherJson(shortened(&error.to_string())))
}

fn penalties(said: PenaltyAnswer) -> Result<PenaltyAnswer, Unasked> {
    let PenaltyAnswer { penalty_1, penalty_2, issues } = said;
    match [penalty_1, penalty_2].into_iter().find(|penalty| *penalty > WORST_PENALTY) {
        Some(wrong) => Err(Unasked::Penalty(wrong)),
        None => Ok(PenaltyAnswer { penalty_1, penalty_2, issues: text::cut(&issues, LONGEST_ISSUES) }),
    }
}

/// Names without white space around them: they are repeated to the judge, which seldom repeats that.
fn features(said: FeatureAnswer) -> Result<FeatureAnswer, Unasked> {
    let (least, most) = FEATURES;
    if !(least..=most).contains(&said.features.len()) {
        return Err(Unasked::Features(said.features.len()));
    }
    let main_object = name(&said.main_object)?;
    let mut seen = BTreeSet::new();
    let mut features = Vec::new();
    for PromptFeature { description, category } in said.features {
        let description = name(&description)?;
        if !seen.insert(description.clone()) {
            return Err(Unasked::Twice(shortened(&description)));
        }
        features.push(PromptFeature { description, category });
    }
    Ok(FeatureAnswer { main_object, features })
}

fn name(said: &str) -> Result<String, Unasked> {
    let name = said.trim();
    let fits = !name.is_empty() && name.chars().count() <= LONGEST_NAME;
    if fits { Ok(name.to_owned()) } else { Err(Unasked::Name) }
}

/// Every feature once, in the order asked, whatever the answer's: otherwise a feature that was renamed, left out or
/// repeated would count for one side only.
fn checks(asked: &[String], said: CheckAnswer) -> Result<CheckAnswer, Unasked> {
    if said.checks.len() != asked.len() {
        return Err(Unasked::Checks(said.checks.len(), asked.len()));
    }
    let mut checks = said.checks;
    for check in &mut checks {
        check.feature = check.feature.trim().to_owned();
        check.note = text::cut(&check.note, LONGEST_NOTE);
        if !asked.contains(&check.feature) {
            return Err(Unasked::OtherFeature(shortened(&check.feature)));
        }
    }
    checks.sort_by_key(|check| asked.iter().position(|feature| *feature == check.feature));
    match checks.iter().zip(asked).find(|(check, feature)| check.feature != **feature) {
        Some((check, _)) => Err(Unasked::Twice(shortened(&check.feature))),
        None => Ok(CheckAnswer { checks, main_object_correct: said.main_object_correct }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(form: &Form, said: &Value) -> Result<StageAnswer, Unasked> {
        form.read(&said.to_string())
    }

    fn feature(description: &str) -> Value {
        json!({"description": description, "category": "material_color"})
    }

    fn parts(names: &[&str]) -> Value {
        json!({"main_object": "cup", "features": names.iter().map(|name| feature(name)).collect::<Vec<_>>()})
    }

    #[test]
    fn penalties_are_whole_and_in_range() {
        let said = |one: Value, two: Value| {
            read(&Form::Penalties, &json!({"penalty_1": one, "penalty_2": two, "issues": "x"}))
        };
        assert!(said(json!(0), json!(10)).is_ok());
        assert_eq!(said(json!(0), json!(11)), Err(Unasked::Penalty(11)));
        for odd in [json!(-1), json!(4.5), json!(5.0), json!("5"), json!(null), json!(300)] {
            assert!(said(odd.clone(), json!(1)).is_err(), "{odd}");
        }
        for odd in ["[1, 2, \"\"]", "", "Sure! {\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": \"\"}"] {
            assert_eq!(Form::Penalties.read(odd), Err(Unasked::NoObject), "{odd}");
        }
        let twice = "{\"penalty_1\": 1, \"penalty_1\": 2, \"penalty_2\": 2, \"issues\": \"\"}";
        assert!(Form::Penalties.read(twice).is_err());
        assert!(Form::Penalties.read("{\"penalty_1\": 1, \"penalty_2\": 2, \"issues\": \"\"} so").is_err());
    }

    #[test]
    fn a_prompt_has_four_to_seven_features_of_different_names() {
        assert!(read(&Form::Features, &parts(&["a", "b", " c ", "d"])).is_ok());
        assert_eq!(read(&Form::Features, &parts(&["a", "b", "c"])), Err(Unasked::Features(3)));
        assert_eq!(read(&Form::Features, &parts(&["a"; 8])), Err(Unasked::Features(8)));
        assert_eq!(read(&Form::Features, &parts(&["a", "b", "c", " a"])), Err(Unasked::Twice("a".to_owned())));
        assert_eq!(read(&Form::Features, &parts(&["a", "b", "c", " "])), Err(Unasked::Name));
        assert_eq!(read(&Form::Features, &parts(&["a", "b", "c", &"x".repeat(301)])), Err(Unasked::Name));
        let mut other = parts(&["a", "b", "c", "d"]);
        other["features"][0]["category"] = json!("style");
        assert!(matches!(read(&Form::Features, &other), Err(Unasked::OtherJson(_))));
    }

    #[test]
    fn each_feature_is_checked_once() {
        let form = Form::Checks(["a", "b"].map(str::to_owned).to_vec());
        let check = |feature: &str, found: &str| json!({"feature": feature, "match": found, "note": ""});
        let said = |checks: Vec<Value>| read(&form, &json!({"checks": checks, "main_object_correct": true}));
        let Ok(StageAnswer::Checks(read)) = said(vec![check(" b", "no"), check("a", "partial")]) else { panic!() };
        let told: Vec<_> = read.checks.iter().map(|check| (check.feature.as_str(), check.found)).collect();
        assert_eq!(told, [("a", Match::Partial), ("b", Match::No)]);
        assert_eq!(said(vec![check("a", "yes")]), Err(Unasked::Checks(1, 2)));
        assert_eq!(said(vec![check("a", "yes"); 3]), Err(Unasked::Checks(3, 2)));
        assert_eq!(said(vec![check("a", "yes"), check("a", "no")]), Err(Unasked::Twice("a".to_owned())));
        assert_eq!(said(vec![check("a", "yes"), check("B", "no")]), Err(Unasked::OtherFeature("B".to_owned())));
        assert!(said(vec![check("a", "maybe"), check("b", "no")]).is_err());
    }

    #[test]
    fn what_is_kept_is_read_again_and_has_a_bound() {
        let long = "é".repeat(100_000);
        let checks = json!({"checks": [{"feature": "a", "match": "yes", "note": long}], "main_object_correct": false});
        for (form, said) in [
            (Form::Penalties, json!({"penalty_1": 1, "penalty_2": 2, "issues": long})),
            (Form::Features, parts(&["a", "b", "c", "d"])),
            (Form::Checks(vec!["a".to_owned()]), checks),
            (Form::Verdict, json!({"verdict": "garbage", "reason": long})),
            (Form::Issues, json!({"issues": long})),
        ] {
            let answer = read(&form, &said).unwrap();
            let kept = serde_json::to_string(&answer).unwrap();
            assert!(kept.len() < 5000, "{form:?}");
            assert_eq!(form.recall(&kept), Ok(answer));
        }
    }

    #[test]
    fn only_issues_may_stay_without_an_answer() {
        let none = Form::Issues.without_answer().unwrap();
        let kept = serde_json::to_string(&none).unwrap();
        assert_eq!(Form::Issues.recall(&kept), Ok(none));
        assert_eq!(Form::Issues.read(&kept), Err(Unasked::NoIssues), "a judge does not say so itself");
        assert_eq!(Form::Verdict.without_answer(), None);
    }
}
