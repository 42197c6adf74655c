//! The words in which a judge that works in stages is asked: data, so that an organiser can replace them.

use serde::{Deserialize, Serialize};

use super::asked::{Form, Topic};
use super::view::View;

/// The version of the keys below.
pub const VERSION: u32 = 1;

/// What stands in the words for the view.
const VIEW: &str = "{view}";
/// What stands in the words for the list of features.
const FEATURES: &str = "{features}";

/// All words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageWords {
    /// Which keys there are.
    pub version: u32,
    /// Who the judge is.
    pub system: String,
    /// What stands before an image.
    pub captions: Captions,
    /// Where a model is seen from.
    pub views: ViewWords,
    /// What is asked.
    pub tasks: Tasks,
}

/// What stands before an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captions {
    /// The prompt's.
    pub prompt: String,
    /// The first of two models.
    pub first: String,
    /// The second one.
    pub second: String,
    /// The only one.
    pub model: String,
    /// The only one's front.
    pub front: String,
    /// Its view from another side.
    pub view: String,
}

/// Where a model is seen from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "named after the views")]
pub struct ViewWords {
    pub front_left: String,
    pub front_right: String,
    pub front_below: String,
    pub front_above: String,
    pub right: String,
    pub back: String,
    pub left: String,
    pub top_down: String,
}

/// What is asked, by topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "named after the topics")]
pub struct Tasks {
    pub prompt_match: String,
    pub best_view: String,
    pub artifacts: String,
    pub decompose: String,
    pub verify: String,
    pub gray: String,
    pub guard: String,
    pub explain: String,
}

/// The words of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallWords {
    /// Before each image, in order.
    pub captions: Vec<String>,
    /// After the last one.
    pub task: String,
}

/// Why words cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum WordsError {
    #[error("version is {0}, and this program knows {VERSION}")]
    Version(u32),
    #[error("tasks.{task} does not contain {placeholder}")]
    Without { task: &'static str, placeholder: &'static str },
}

impl StageWords {
    /// Can every call be worded?
    ///
    /// # Errors
    /// It is another version, or a place to fill in is missing.
    pub fn check(&self) -> Result<(), WordsError> {
        if self.version != VERSION {
            return Err(WordsError::Version(self.version));
        }
        let tasks = &self.tasks;
        for (task, text, placeholder) in [
            ("prompt_match", &tasks.prompt_match, VIEW),
            ("guard", &tasks.guard, VIEW),
            ("verify", &tasks.verify, FEATURES),
        ] {
            if !text.contains(placeholder) {
                return Err(WordsError::Without { task, placeholder });
            }
        }
        Ok(())
    }

    /// The words of a call.
    #[must_use]
    pub fn of(&self, topic: Topic, view: Option<View>, form: &Form) -> CallWords {
        let Captions { prompt, first, second, model, front, view: other } = &self.captions;
        let captions: &[&String] = match topic {
            Topic::Decompose => &[prompt],
            Topic::Verify => &[prompt, model],
            Topic::Guard => &[front, other],
            _ => &[prompt, first, second],
        };
        let tasks = &self.tasks;
        let task = match topic {
            Topic::PromptMatch => &tasks.prompt_match,
            Topic::BestView => &tasks.best_view,
            Topic::Artifacts => &tasks.artifacts,
            Topic::Decompose => &tasks.decompose,
            Topic::Verify => &tasks.verify,
            Topic::Gray => &tasks.gray,
            Topic::Guard => &tasks.guard,
            Topic::Explain => &tasks.explain,
        };
        let filled = |text: &String| match view {
            Some(view) => text.replace(VIEW, self.views.of(view)),
            None => text.clone(),
        };
        let task = match form {
            // Not filled in twice: a feature's text may look like a place to fill in.
            Form::Checks(features) => {
                let list: Vec<String> = features.iter().map(|feature| format!("- {feature}")).collect();
                task.replacen(FEATURES, &list.join("\n"), 1)
            }
            _ => filled(task),
        };
        CallWords { captions: captions.iter().map(|caption| filled(caption)).collect(), task }
    }
}

impl ViewWords {
    fn of(&self, view: View) -> &str {
        match view {
            View::FrontLeft => &self.front_left,
            View::FrontRight => &self.front_right,
            View::FrontBelow => &self.front_below,
            View::FrontAbove => &self.front_above,
            View::Right => &self.right,
            View::Back => &self.back,
            View::Left => &self.left,
            View::TopDown => &self.top_down,
        }
    }
}
