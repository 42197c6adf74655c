//! The words in which a judge that works in stages is asked: data, so that an organiser can replace them.

use serde::{Deserialize, Serialize};

use super::asked::{Form, Topic};
use super::view::View;
use crate::model::question::Words;

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

impl Words for StageWords {
    fn parts(&self) -> Vec<(&'static str, &str)> {
        let StageWords { captions, views, tasks, .. } = self;
        vec![
            ("system", &self.system),
            ("captions.prompt", &captions.prompt),
            ("captions.first", &captions.first),
            ("captions.second", &captions.second),
            ("captions.model", &captions.model),
            ("captions.front", &captions.front),
            ("captions.view", &captions.view),
            ("views.front_left", &views.front_left),
            ("views.front_right", &views.front_right),
            ("views.front_below", &views.front_below),
            ("views.front_above", &views.front_above),
            ("views.right", &views.right),
            ("views.back", &views.back),
            ("views.left", &views.left),
            ("views.top_down", &views.top_down),
            ("tasks.prompt_match", &tasks.prompt_match),
            ("tasks.best_view", &tasks.best_view),
            ("tasks.artifacts", &tasks.artifacts),
            ("tasks.decompose", &tasks.decompose),
            ("tasks.verify", &tasks.verify),
            ("tasks.gray", &tasks.gray),
            ("tasks.guard", &tasks.guard),
            ("tasks.explain", &tasks.explain),
        ]
    }

    fn check(&self) -> Result<(), String> {
        StageWords::check(self).map_err(|why| why.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::{Layout, RepoFile as _, read};
    use crate::model::format::Format;
    use crate::model::question::{Asked, ImageForm, QuestionFile};

    fn asked() -> Asked<StageWords> {
        let words = toml::from_str(include_str!("../../../../world/src/judge/staged/words.toml")).unwrap();
        Asked { model: "m".to_owned(), temperature: Some(0.0), images: ImageForm::Urls, question: words }
    }

    #[test]
    fn a_rounds_question_is_written_as_it_was_read() {
        let file = QuestionFile::new(asked());
        let (read, layout) = read::<QuestionFile<StageWords>>(Format::Threejs, &file.to_bytes()).unwrap();
        assert_eq!((&read, layout), (&file, Layout::Exact));
        let text = String::from_utf8(file.to_bytes()).unwrap();
        let keys =
            ["\nmodel = ", "\ntemperature = ", "\nversion = 1\n", "\n[captions]\n", "\n[views]\n", "\n[tasks]\n"];
        let places: Vec<_> =
            keys.iter().map(|key| text.find(key).unwrap_or_else(|| panic!("{key} in {text}"))).collect();
        assert!(places.is_sorted(), "{text}");
        // A question without the place for the view cannot be asked.
        let reason =
            |text: &str| <QuestionFile<StageWords>>::parse(Format::Threejs, text.as_bytes()).unwrap_err().to_string();
        assert!(reason(&text.replace("{view}", "")).contains("tasks.prompt_match"));
        assert!(reason(&text.replace("[views]", "[sights]")).contains("views"));
    }

    #[test]
    fn each_word_counts() {
        let ours = asked();
        assert_eq!(ours.question.parts().len(), 23);
        assert!(ours.question.parts().iter().all(|(_, words)| !words.is_empty()));
        let mut other = asked();
        other.question.views.top_down.push('!');
        other.question.tasks.guard.push('!');
        assert_eq!(ours.differing(&other), ["views.top_down", "tasks.guard"]);
    }
}
