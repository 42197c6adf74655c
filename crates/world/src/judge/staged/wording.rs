//! Reads the words that the judge is asked in.

use std::path::Path;

use crate::base::error::{Result, plainly};
use crate::judge::question::{IGNORED, read};
use crate::model::threejs::words::StageWords;

const OWN: &str = include_str!("words.toml");

/// Reads the words from a file, or returns the built-in ones.
///
/// # Errors
/// The file cannot be read, or lacks a key.
pub(in crate::judge) fn load(file: Option<&Path>) -> Result<StageWords> {
    read(file, OWN, parse, "the question to a judge of three.js modules has the tables captions, views and tasks")
}

fn parse(text: &str) -> std::result::Result<StageWords, String> {
    let wrong = |error: toml::de::Error| plainly(&error.message().replace('\n', " "));
    let mut keys: toml::Table = toml::from_str(text).map_err(wrong)?;
    // Of a round's question.toml: the settings name the model.
    IGNORED.iter().for_each(|key| drop(keys.remove(*key)));
    let words: StageWords = keys.try_into().map_err(wrong)?;
    words.check().map_err(|why| why.to_string())?;
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::threejs::asked::{Form, Topic};
    use crate::model::threejs::view::View;

    #[test]
    fn our_own_words_are_whole() {
        let words = load(None).unwrap();
        for topic in [
            Topic::PromptMatch,
            Topic::BestView,
            Topic::Artifacts,
            Topic::Decompose,
            Topic::Gray,
            Topic::Guard,
            Topic::Explain,
        ] {
            for view in View::ALL {
                let worded = words.of(topic, Some(view), &Form::Penalties);
                let all = format!("{}{}", worded.captions.concat(), worded.task);
                assert!(!all.contains("{view}") && !all.contains("\\\n") && worded.task.contains("JSON"), "{all}");
            }
        }
        let features = ["two {view} handles", "a {features} lid"].map(str::to_owned).to_vec();
        let worded = words.of(Topic::Verify, None, &Form::Checks(features));
        assert!(worded.task.contains("\n- two {view} handles\n- a {features} lid\n"), "{}", worded.task);
    }

    #[test]
    fn words_that_lack_something_are_refused() {
        assert!(parse("version = 1").unwrap_err().contains("system"));
        assert!(parse(&OWN.replace("version = 1", "version = 2")).unwrap_err().contains("version is 2"));
        assert!(parse(&OWN.replace("{features}", "")).unwrap_err().contains("tasks.verify"));
        assert!(parse(&OWN.replace("[tasks]", "[tasks]\nmore = ''")).unwrap_err().contains("more"));
        assert!(parse(&format!("models = 'm'\n{OWN}")).unwrap_err().contains("models"));
        assert!(parse(&format!("model = 'm'\nimages = 'urls'\n{OWN}")).is_ok(), "a round's question.toml");
    }
}
