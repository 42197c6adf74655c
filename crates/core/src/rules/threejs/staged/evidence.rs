//! What a duel's recorded answers make of it, and which pictures they are about.

use std::collections::BTreeMap;

use super::calls::{CallId, SideOf, StageCall};
use super::duel::{BestViews, Decided, Known, Next, next};
use crate::model::answers::Digest;
use crate::model::ids::Seed;
use crate::model::threejs::answers::{StageGiven, StagedJudgment, digest_of_pictures};
use crate::model::threejs::asked::StageAnswer;
use crate::model::threejs::view::View;

/// A duel, followed through the stages by its recorded answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Followed {
    /// What they make of it; `None` if some are missing.
    pub decided: Option<Decided>,
    /// What is missing, by name.
    pub missing: Vec<String>,
    /// Answers that are otherwise than asked: the call, and why.
    pub unasked: Vec<(CallId, String)>,
    /// Answers to calls that the duel has no need of.
    pub needless: Vec<CallId>,
}

/// Follows a duel by its answers, as the judge was asked: which calls come next depends on the answers before.
#[must_use]
pub fn follow(has_views: [bool; 2], recorded: &StagedJudgment) -> Followed {
    let best = recorded.best_views.map_or(BestViews::None, |[a, b]| BestViews::Of(a, b));
    let known = Known { has_views, best: Some(best), gray: recorded.gray };
    let mut left: BTreeMap<CallId, &StageGiven> = recorded.calls.iter().map(|(id, given)| (*id, given)).collect();
    let (mut followed, mut answers) = (Followed::default(), BTreeMap::<CallId, StageAnswer>::new());
    loop {
        // The seed is the same in all calls, and decides nothing here.
        match next(Seed(0), &known, &answers) {
            Next::Done(decided) => {
                followed.decided = Some(*decided);
                followed.needless = left.into_keys().collect();
                return followed;
            }
            Next::Open { calls, looks } => {
                let before = answers.len();
                for (call, given) in calls.iter().filter_map(|call| Some((call, left.remove(&call.id)?))) {
                    followed.unasked.extend(otherwise(call, &given.answer).map(|why| (call.id, why)));
                    answers.insert(call.id, given.answer.clone());
                }
                if answers.len() == before {
                    followed.missing.extend(calls.iter().map(|call| call.id.to_string()));
                    followed.missing.extend(looks.iter().map(|look| format!("{look:?}").to_lowercase()));
                    return followed;
                }
            }
        }
    }
}

/// Why this is not an answer to the call, if it is none.
fn otherwise(call: &StageCall, answer: &StageAnswer) -> Option<String> {
    let kept = serde_json::to_string(answer).unwrap_or_default();
    match call.form.recall(&kept) {
        Ok(read) if read == *answer => None,
        Ok(_) => Some("it would not be kept like this".to_owned()),
        Err(why) => Some(why.to_string()),
    }
}

/// The digest of a side's pictures that these calls show; `None` if they show none, or the digest of one is unknown.
pub fn shown_of(
    side: SideOf,
    calls: impl Iterator<Item = CallId>,
    best: Option<[View; 2]>,
    sum: impl Fn(&str) -> Option<Digest>,
) -> Option<Digest> {
    let pictures = calls.flat_map(|call| call.pictures(best));
    let places = pictures.filter_map(|picture| picture.place().filter(|(of, _)| *of == side).map(|(_, path)| path));
    let mut paths: Vec<String> = places.collect();
    paths.sort_unstable();
    paths.dedup();
    let sums: Option<Vec<(&str, Digest)>> = paths.iter().map(|path| Some((path.as_str(), sum(path)?))).collect();
    sums.filter(|sums| !sums.is_empty()).map(digest_of_pictures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{Entries, Extra};
    use crate::model::report::DuelWinner;
    use crate::model::threejs::asked::{IssuesAnswer, PenaltyAnswer};
    use crate::rules::threejs::staged::Order;

    fn given(answer: StageAnswer) -> StageGiven {
        StageGiven {
            answer,
            model: None,
            attempts: Some(1),
            prompt_tokens: None,
            completion_tokens: None,
            extra: Extra::default(),
        }
    }

    fn penalties(penalty_1: u8, penalty_2: u8) -> StageGiven {
        given(StageAnswer::Penalties(PenaltyAnswer { penalty_1, penalty_2, issues: String::new() }))
    }

    /// A duel that left wins in stage 1, unless a front view says otherwise.
    fn recorded() -> StagedJudgment {
        let front = |view| {
            [(Order::Ab, (1, 8)), (Order::Ba, (8, 1))]
                .map(|(order, (one, two))| (CallId::PromptMatch(view, order), penalties(one, two)))
        };
        let words = given(StageAnswer::Issues(IssuesAnswer { issues: Some("w".to_owned()) }));
        let calls = View::FRONT.into_iter().flat_map(front).chain([(CallId::Explain, words)]);
        let text = format!(
            r#"{{"name":"car","model":null,"question":"{}","images":{{"prompt":null,"left":null,"right":null}},"best_views":null,"gray":null,"calls":{{}}}}"#,
            "0a".repeat(32)
        );
        let empty: StagedJudgment = serde_json::from_str(&text).unwrap();
        StagedJudgment { calls: calls.collect::<Entries<_, _>>(), ..empty }
    }

    #[test]
    fn answers_lead_to_what_they_say() {
        let followed = follow([true, true], &recorded());
        let decided = followed.decided.unwrap();
        assert_eq!((decided.winner, followed.missing.len(), followed.needless.len()), (DuelWinner::Left, 0, 0));
        assert!(followed.unasked.is_empty());
        let unviewed = follow([true, false], &recorded());
        assert_eq!((unviewed.decided.unwrap().winner, unviewed.needless.len()), (DuelWinner::Left, 9));
    }

    #[test]
    fn what_is_missing_or_needless_or_otherwise_is_named() {
        let without = |id: CallId| {
            let mut all = recorded();
            all.calls.shift_remove(&id);
            follow([true, true], &all)
        };
        let lacks = without(CallId::PromptMatch(View::FrontBelow, Order::Ba));
        assert_eq!((lacks.decided, lacks.missing), (None, vec!["s1_prompt_match/front_below/ba".to_owned()]));
        assert_eq!(without(CallId::Explain).missing, ["explain"]);
        let mut more = recorded();
        more.calls.insert(CallId::BestView(Order::Ab), penalties(0, 10));
        assert_eq!(follow([true, true], &more).needless, [CallId::BestView(Order::Ab)]);
        let mut other = recorded();
        other.calls.insert(CallId::Explain, penalties(1, 2));
        let other = follow([true, true], &other);
        assert_eq!((other.decided, other.missing), (None, vec!["explain".to_owned()]));
        assert_eq!(other.unasked.len(), 1);
        // A draw in stage 1: everything after it is asked for.
        let mut drawn = recorded();
        for view in View::FRONT {
            drawn.calls.insert(CallId::PromptMatch(view, Order::Ab), penalties(5, 5));
            drawn.calls.insert(CallId::PromptMatch(view, Order::Ba), penalties(5, 5));
        }
        let open = follow([true, true], &drawn);
        assert!(open.decided.is_none() && open.missing.len() == 2 + 1 + 8, "{:?}", open.missing);
    }

    #[test]
    fn pictures_of_a_side_have_one_digest() {
        let sums = |path: &str| Some(Digest::of(path.as_bytes()));
        let calls = || [CallId::PromptMatch(View::FrontLeft, Order::Ab), CallId::BestView(Order::Ba)].into_iter();
        let best = Some([View::FrontLeft, View::Back]);
        let digest =
            |paths: &[&str]| Some(digest_of_pictures(paths.iter().map(|path| (*path, Digest::of(path.as_bytes())))));
        assert_eq!(shown_of(SideOf::A, calls(), best, sums), digest(&["white/front_left.png"]));
        assert_eq!(shown_of(SideOf::B, calls(), best, sums), digest(&["white/back.png", "white/front_left.png"]));
        assert_eq!(shown_of(SideOf::B, calls(), best, |path| sums(path).filter(|_| path != "white/back.png")), None);
        assert_eq!(shown_of(SideOf::B, [CallId::Decompose].into_iter(), best, sums), None);
    }
}
