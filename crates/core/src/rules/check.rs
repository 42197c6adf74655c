//! What `check` foretells a miner: of its files, in the terms of `download`, and of what it revealed, by the intake.

use std::collections::{BTreeMap, HashSet};

use indexmap::IndexMap;

use super::download::FetchOutcome;
use super::payload;
use super::submissions::{SubmissionTerms, intake};
use crate::base::text::cut;
use crate::model::format::ModelFormat;
use crate::model::ids::{Block, Hotkey, PromptStem};
use crate::model::refusals::{MISSING, TOO_LARGE};
use crate::model::reveal::Reveal;
use crate::model::submissions::Submission;

/// Longest payload shown, in characters.
const LONGEST_PAYLOAD: usize = 1000;

/// Most file names that are compared with the prompts' names.
pub const MOST_UNASKED: usize = 200;

/// A prompt's file, and what `download` would record of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedFile {
    /// The prompt.
    pub stem: PromptStem,
    /// What `download` would record.
    pub outcome: FetchOutcome,
    /// What arrived, stored or not.
    pub arrived: Option<ArrivedFile>,
    /// How it arrived.
    pub fetch: Option<TimedFetch>,
    /// Seconds that its preview took.
    pub draw_seconds: Option<f64>,
}

/// The attempt in which a file arrived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimedFetch {
    /// How long it took.
    pub seconds: f64,
    /// The failed attempts before it.
    pub retries: u32,
}

/// A file that arrived whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivedFile {
    /// In bytes.
    pub size: u64,
    /// In lower-case hex.
    pub sha256: String,
}

impl CheckedFile {
    /// Is it not there?
    pub fn is_missing(&self) -> bool {
        matches!(&self.outcome, FetchOutcome::Failed { code, .. } if code == MISSING)
    }

    /// Is it larger than a file may be?
    pub fn is_too_large(&self) -> bool {
        matches!(&self.outcome, FetchOutcome::Failed { code, .. } if code == TOO_LARGE)
    }

    /// How bad its outcome is, the worst first.
    fn rank(&self) -> u8 {
        match &self.outcome {
            FetchOutcome::Failed { .. } => 0,
            FetchOutcome::Refused { .. } if self.outcome.model().is_none() => 1,
            FetchOutcome::Refused { .. } => 2,
            FetchOutcome::Stored { .. } => 3,
        }
    }
}

/// Sorts the files, the worst first, else in the order of the prompts.
pub fn worst_first(files: &mut [CheckedFile]) {
    files.sort_by_key(CheckedFile::rank);
}

/// The prompts whose files have the same bytes.
#[must_use]
pub fn duplicates(files: &[CheckedFile]) -> Vec<Vec<&PromptStem>> {
    let mut by_sum: IndexMap<&str, Vec<&PromptStem>> = IndexMap::new();
    for file in files {
        if let Some(arrived) = &file.arrived {
            by_sum.entry(&arrived.sha256).or_default().push(&file.stem);
        }
    }
    by_sum.into_values().filter(|stems| stems.len() > 1).collect()
}

/// A file that no prompt asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unasked {
    /// Its name.
    pub name: String,
    /// A prompt without a file, whose name is near.
    pub near: Option<PromptStem>,
}

/// The name of a prompt's file.
#[must_use]
pub fn file_name(stem: &PromptStem, format: ModelFormat) -> String {
    format!("{stem}.{}", format.extension())
}

/// The names in a miner's folder that are not the file of a prompt, and how many more than [`MOST_UNASKED`] there are.
#[must_use]
pub fn unasked(names: &[String], wanted: &[&PromptStem], format: ModelFormat) -> (Vec<Unasked>, usize) {
    let there: HashSet<&str> = names.iter().map(String::as_str).collect();
    let expected: HashSet<String> = wanted.iter().map(|stem| file_name(stem, format)).collect();
    let lacking: Vec<&PromptStem> =
        wanted.iter().filter(|stem| !there.contains(file_name(stem, format).as_str())).copied().collect();
    let others: Vec<&String> = names.iter().filter(|name| !expected.contains(*name)).collect();
    let one = |name: &&String| Unasked { name: (*name).clone(), near: nearest(name, &lacking).cloned() };
    (others.iter().take(MOST_UNASKED).map(one).collect(), others.len().saturating_sub(MOST_UNASKED))
}

/// The names without the pictures that stand beside a model of the same name, and how many of these there are: `render`
/// writes them, and they are never fetched.
#[must_use]
pub fn without_pictures(names: Vec<String>, format: ModelFormat) -> (Vec<String>, usize) {
    let all: HashSet<String> = names.iter().cloned().collect();
    let is_beside = |name: &String| {
        let stem = name.strip_suffix(".png");
        stem.is_some_and(|stem| all.contains(&format!("{stem}.{}", format.extension())))
    };
    let (pictures, rest): (Vec<_>, Vec<_>) = names.into_iter().partition(is_beside);
    (rest, pictures.len())
}

/// The stem that a file's name may be meant for: the same in another case, with more after it, or a few letters off.
fn nearest<'a>(name: &str, stems: &[&'a PromptStem]) -> Option<&'a PromptStem> {
    let name = name.to_lowercase();
    let own = name.rsplit_once('.').map_or(name.as_str(), |(own, _)| own);
    let far = |stem: &PromptStem| {
        let stem = stem.as_str().to_lowercase();
        let most = (stem.len() / 4).max(1).min(stem.len().saturating_sub(1));
        let more = name.strip_prefix(&stem).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
        match more {
            true => Some(0),
            // Cheap first: the distance is at least the difference of the lengths.
            false if own.len().abs_diff(stem.len()) > 4 * most => None,
            false => Some(strsim::osa_distance(own, &stem)).filter(|far| *far <= most),
        }
    };
    stems.iter().filter_map(|stem| Some((far(stem)?, *stem))).min_by_key(|(far, _)| *far).map(|(_, stem)| stem)
}

/// What a hotkey revealed, and whether a round takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct PayloadCheck {
    /// All that it revealed, in the order of the chain.
    pub reveals: Vec<SeenReveal>,
    /// Does the round take one of them?
    pub verdict: PayloadVerdict,
    /// Payloads and fields that are ignored, one line each.
    pub notes: Vec<String>,
}

/// A reveal, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenReveal {
    /// The block that it was revealed at.
    pub block: Block,
    /// Is the block within the round's window?
    pub counts: bool,
    /// What the bytes say, or why they are not text.
    pub text: String,
}

/// What the round makes of the reveals.
#[derive(Debug, Clone, PartialEq)]
pub enum PayloadVerdict {
    /// It takes part with this.
    Taken(Box<Submission>),
    /// It is refused, with the reason.
    Refused(String),
    /// Nothing was revealed within the window.
    Outside,
}

impl PayloadCheck {
    /// The submission that is taken, if one is.
    #[must_use]
    pub fn in_force(&self) -> Option<&Submission> {
        match &self.verdict {
            PayloadVerdict::Taken(submission) => Some(submission),
            PayloadVerdict::Refused(_) | PayloadVerdict::Outside => None,
        }
    }
}

/// Judges what one hotkey revealed, by the rules of the intake.
#[must_use]
pub fn judge_payload(hotkey: &Hotkey, reveals: &[Reveal], terms: &SubmissionTerms<'_>) -> PayloadCheck {
    let seen = reveals.iter().map(|reveal| SeenReveal {
        block: reveal.block,
        counts: (terms.earliest..=terms.latest).contains(&reveal.block),
        text: match payload::text(&reveal.raw, terms.compat) {
            Ok(text) => cut(&text, LONGEST_PAYLOAD),
            Err(why) => why.to_string(),
        },
    });
    let mut intake = intake(&BTreeMap::from([(hotkey.clone(), reveals.to_vec())]), terms);
    let (verdict, notes) = match (intake.accepted.shift_remove(hotkey), intake.refused.remove(hotkey)) {
        (Some(submission), _) => {
            (PayloadVerdict::Taken(Box::new(submission)), intake.notes.remove(hotkey).unwrap_or_default())
        }
        (None, Some(refusal)) => (PayloadVerdict::Refused(refusal.reason), refusal.notes),
        (None, None) => (PayloadVerdict::Outside, Vec::new()),
    };
    PayloadCheck { reveals: seen.collect(), verdict, notes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::format::Format;

    fn stems(names: &[&str]) -> Vec<PromptStem> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn near(name: &str, wanted: &[&str]) -> Option<String> {
        let wanted = stems(wanted);
        let (unasked, more) = unasked(&[name.to_owned()], &wanted.iter().collect::<Vec<_>>(), Format::Mesh.model());
        assert_eq!((unasked.len(), more), (1, 0));
        unasked.into_iter().next().unwrap().near.map(|stem| stem.to_string())
    }

    #[test]
    fn a_wrong_name_finds_the_prompt_that_it_may_be_meant_for() {
        for name in
            ["Chair-01.glb", "chair-01.gltf", "chair-01.glb.glb", "chair-01 (1).glb", "chair_01.glb", "chiar-01.glb"]
        {
            assert_eq!(near(name, &["table-02", "chair-01"]).as_deref(), Some("chair-01"), "{name}");
        }
        assert_eq!(near("notes.txt", &["table-02", "chair-01"]), None);
        assert_eq!((near("", &["a"]), near("b.glb", &["a"])), (None, None), "one letter says nothing");
        assert_eq!(near("x.glb", &[]), None);
    }

    #[test]
    fn a_picture_beside_its_model_is_none_of_the_files() {
        let names = ["a.glb", "a.png", "b.png", "c.glb"].map(str::to_owned).to_vec();
        let (rest, pictures) = without_pictures(names, Format::Mesh.model());
        assert_eq!((rest, pictures), (["a.glb", "b.png", "c.glb"].map(str::to_owned).to_vec(), 1));
    }

    #[test]
    fn a_prompt_that_has_its_file_is_no_suggestion_and_the_list_is_bounded() {
        let wanted = stems(&["a", "b"]);
        let wanted: Vec<&PromptStem> = wanted.iter().collect();
        let names = ["a.glb", "a(1).glb"].map(str::to_owned);
        let found = unasked(&names, &wanted, Format::Mesh.model());
        assert_eq!(found, (vec![Unasked { name: "a(1).glb".to_owned(), near: None }], 0));
        let many: Vec<String> = (0..500).map(|n| format!("unrelated-{n}.txt")).collect();
        let (unasked, more) = unasked(&many, &wanted, Format::Mesh.model());
        assert_eq!((unasked.len(), more), (MOST_UNASKED, 300));
    }
}
