//! `rounds/N/{right}/answers_{left}.jsonl` and `answers_audit_{left}_{run}.jsonl` of three.js modules: what the judge
//! answered in one match, one line a duel in the order of the report beside it. The report's stages follow from them.

use serde::{Deserialize, Serialize};

use super::asked::{CheckAnswer, FeatureAnswer, IssuesAnswer, PenaltyAnswer, StageAnswer, VerdictAnswer};
use super::calls::CallId;
use super::view::View;
use crate::model::answers::{Answers, Digest, DuelEvidence, Judged, ShownImages, texts};
use crate::model::ids::PromptStem;
use crate::model::limits::weight;
use crate::model::penalties::AnswerOrigin;
use crate::model::record::{Entries, Extra, record};

record! {
    /// One answer of the judge.
    pub struct StageGiven {
        /// What was answered, in the form that was asked for.
        pub answer: StageAnswer,
        /// The model's name by the server, if it is another one than the line's.
        pub model [optional]: Option<String>,
        /// How often the question was put until it was answered.
        pub attempts: Option<u32>,
        /// The tokens of the question, if the server names them.
        pub prompt_tokens: Option<u64>,
        /// The tokens of the answer.
        pub completion_tokens: Option<u64>,
    }
}

/// What was counted in the pixels of both sides together, for stage 3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrayMeasure {
    /// Pixels that are not background.
    pub foreground: u64,
    /// Of these, the pale ones.
    pub pale: u64,
    /// Of these, the greyish ones.
    pub grayish: u64,
}

record! {
    /// A duel that the judge decided.
    pub struct StagedJudgment {
        /// The prompt's stem.
        pub name: PromptStem,
        /// The model as the server names it, if it does.
        pub model: Option<String>,
        /// The digest of the round's `question.toml`.
        pub question: Digest,
        /// What was shown: the prompt's picture, and the pictures of either side together ([`digest_of_pictures`]).
        pub images: ShownImages,
        /// The views of left and of right that are most like the prompt, by their embeddings; null if a side has none, or
        /// if stage 1 decided.
        pub best_views: Option<[View; 2]>,
        /// What stage 3 counted; null if it was not reached.
        pub gray: Option<GrayMeasure>,
        /// The answers, by the names of the calls.
        pub calls: Entries<CallId, StageGiven>,
    }
}

/// The answers of one match.
pub type StagedAnswers = Answers<StagedJudgment>;

/// The digest of a side's pictures: of the lines that `sha256sum` prints of them, by their paths below the side's folder
/// of views (`white/back.png`), in the order of these paths. Each picture counts once.
pub fn digest_of_pictures<'p>(pictures: impl IntoIterator<Item = (&'p str, Digest)>) -> Digest {
    let mut pictures: Vec<(&str, Digest)> = pictures.into_iter().collect();
    pictures.sort_unstable();
    pictures.dedup();
    let lines: Vec<String> = pictures.iter().map(|(path, sum)| format!("{sum}  {path}\n")).collect();
    Digest::of(lines.concat().as_bytes())
}

impl StageGiven {
    /// An answer with how it was obtained; `model` is the line's.
    #[must_use]
    pub fn new(answer: StageAnswer, origin: &AnswerOrigin, model: Option<&String>) -> StageGiven {
        let other = origin.model.as_ref().filter(|own| Some(*own) != model);
        StageGiven {
            answer,
            model: other.cloned(),
            attempts: origin.attempts,
            prompt_tokens: origin.prompt_tokens,
            completion_tokens: origin.completion_tokens,
            extra: Extra::default(),
        }
    }

    /// The penalties, if it was asked for them.
    #[must_use]
    pub fn penalties(&self) -> Option<(u8, u8)> {
        match &self.answer {
            StageAnswer::Penalties(given) => Some((given.penalty_1, given.penalty_2)),
            _ => None,
        }
    }
}

impl StagedJudgment {
    /// The tokens of all calls, if they are known.
    #[must_use]
    pub fn tokens(&self) -> Option<u64> {
        self.calls.values().try_fold(0_u64, |sum, given| {
            Some(sum.saturating_add(given.prompt_tokens?).saturating_add(given.completion_tokens?))
        })
    }

    /// The models that answered, as the server names them.
    pub fn models(&self) -> impl Iterator<Item = &String> {
        self.model.iter().chain(self.calls.values().filter_map(|given| given.model.as_ref()))
    }

    /// Drops the words that nothing follows from.
    fn drop_words(&mut self) {
        for given in self.calls.values_mut() {
            match &mut given.answer {
                StageAnswer::Penalties(PenaltyAnswer { issues, .. }) => *issues = String::new(),
                StageAnswer::Checks(CheckAnswer { checks, .. }) => {
                    checks.iter_mut().for_each(|check| check.note = String::new());
                }
                StageAnswer::Verdict(VerdictAnswer { reason, .. }) => *reason = String::new(),
                StageAnswer::Features(_) | StageAnswer::Issues(_) => {}
            }
        }
    }
}

impl StagedAnswers {
    /// The answers without the words that nothing follows from: they take about a third of the memory.
    #[must_use]
    pub fn without_words(mut self) -> StagedAnswers {
        for line in &mut self.0 {
            if let DuelEvidence::Judged(duel) = line {
                duel.drop_words();
            }
        }
        self
    }
}

impl Judged for StagedJudgment {
    fn name(&self) -> &PromptStem {
        &self.name
    }

    fn worst(&self) -> u8 {
        let penalties = self.calls.values().filter_map(StageGiven::penalties);
        penalties.map(|(one, other)| one.max(other)).max().unwrap_or(0)
    }

    /// Left to the strict parser: an answer's form is known by its keys.
    fn exact(_: &str) -> Option<StagedJudgment> {
        None
    }

    fn weight(&self) -> u64 {
        let model = self.model.as_deref().map_or(0, |model| texts(&[model]));
        let calls: u64 = self.calls.values().map(weight_of).sum();
        model + texts(&[self.name.as_str()]) + calls + weight([&self.extra, &self.images.extra].into_iter())
    }
}

/// The approximate memory of an answer in its map, in bytes.
fn weight_of(given: &StageGiven) -> u64 {
    // Its key and value, a hash and an index.
    const ENTRY: u64 = size_of::<(CallId, StageGiven)>() as u64 + 32;
    let below = match &given.answer {
        StageAnswer::Penalties(PenaltyAnswer { issues, .. }) => texts(&[issues]),
        StageAnswer::Verdict(VerdictAnswer { reason, .. }) => texts(&[reason]),
        StageAnswer::Issues(IssuesAnswer { issues }) => issues.as_deref().map_or(0, |issues| texts(&[issues])),
        StageAnswer::Features(FeatureAnswer { main_object, features }) => {
            let each = |text: &String| texts(&[text]) + 32;
            texts(&[main_object]) + features.iter().map(|feature| each(&feature.description)).sum::<u64>()
        }
        StageAnswer::Checks(CheckAnswer { checks, .. }) => {
            checks.iter().map(|check| texts(&[&check.feature, &check.note]) + 56).sum()
        }
    };
    let model = given.model.as_deref().map_or(0, |model| texts(&[model]));
    ENTRY + below + model + weight([&given.extra].into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::{Layout, RepoFile as _, read};
    use crate::model::format::Format;

    const REST: &str = r#""attempts":1,"prompt_tokens":1200,"completion_tokens":80"#;

    fn line() -> String {
        let sum = "0a".repeat(32);
        let penalties = format!(r#"{{"answer":{{"penalty_1":2,"penalty_2":6,"issues":"é"}},{REST}}}"#);
        let features = r#"{"main_object":"cup","features":[{"description":"a","category":"count"}]}"#;
        let checks = r#"{"checks":[{"feature":"a","match":"yes","note":"n"}],"main_object_correct":true}"#;
        let verdict = r#"{"verdict":"garbage","reason":"r"}"#;
        let others = [
            ("s2cl_decompose", features),
            ("s2cl_verify/a", checks),
            ("s4_per_angle/b/top_down", verdict),
            ("explain", r#"{"issues":null}"#),
        ];
        let others: Vec<String> =
            others.iter().map(|(id, answer)| format!(r#","{id}":{{"answer":{answer},{REST}}}"#)).collect();
        let calls = format!(r#"{{"s1_prompt_match/front_left/ab":{penalties}{}}}"#, others.concat());
        let images = format!(r#"{{"prompt":null,"left":"{sum}","right":null}}"#);
        let looks = r#""best_views":["front_left","back"],"gray":{"foreground":9,"pale":1,"grayish":2}"#;
        format!(r#"{{"name":"car","model":"m","question":"{sum}","images":{images},{looks},"calls":{calls}}}"#) + "\n"
    }

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let text = format!("{}{{\"name\":\"x\",\"without_judge\":\"no preview from left\"}}\n", line());
        let (answers, layout) = read::<StagedAnswers>(Format::Threejs, text.as_bytes()).unwrap();
        assert_eq!((String::from_utf8(answers.to_bytes()).unwrap(), layout), (text.clone(), Layout::Exact));
        let duel = answers.judged().next().unwrap();
        assert_eq!((duel.calls.len(), duel.tokens()), (5, Some(5 * 1280)));
        assert_eq!(duel.best_views, Some([View::FrontLeft, View::Back]));
        let slim = answers.clone().without_words();
        assert!(slim.weight() < answers.weight());
        assert_eq!(slim.judged().next().unwrap().calls.len(), 5);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let reason = |from: &str, to: &str| {
            let text = line().replacen(from, to, 1);
            assert_ne!(text, line(), "{from}");
            <StagedAnswers>::parse(Format::Threejs, text.as_bytes()).unwrap_err().to_string()
        };
        assert!(reason("\"penalty_2\":6", "\"penalty_2\":11").contains("the penalty 11 is not in 0 to 10"));
        assert!(reason("s1_prompt_match/front_left/ab", "s1_prompt_match/back/ab").contains("no call"));
        assert!(reason("\"explain\"", "\"s2cl_decompose\"").contains("given twice"));
        assert!(reason("front_left\",\"back", "front_left\",\"bottom").starts_with("line 1"));
        assert!(reason("\"garbage\"", "\"good\"").starts_with("line 1"));
        assert!(reason("\"gray\":", "\"grey\":").contains("gray"));
    }

    #[test]
    fn pictures_have_the_digest_of_what_sha256sum_prints() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let all = [("white/left.png", two), ("grid.png", one), ("grid.png", one)];
        let printed = format!("{one}  grid.png\n{two}  white/left.png\n");
        assert_eq!(digest_of_pictures(all), Digest::of(printed.as_bytes()));
    }
}
