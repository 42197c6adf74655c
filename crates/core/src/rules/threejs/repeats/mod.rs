//! The repeats of a program on batch pods: which batch is next, when pods are replaced, and what the files say of it.
//!
//! All of it follows from the marks of a journal, so that a run that was killed goes on where it was.

pub mod marks;
pub mod record;
mod told;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use self::marks::{Answered, PodEnd, RepeatMark, StoredModule};
use super::known::LEFT_OUT;
use super::reports::{MOST_SECONDS, violations};
use crate::model::ids::{Hotkey, PromptStem, Seed};
use crate::model::record::Extra;
use crate::model::threejs::outputs::{Module, Modules};
use crate::model::threejs::reports::Repeat;

/// Prompts of a batch.
pub const BATCH: usize = 32;

/// How often a pod may be replaced, over all repeats.
pub const REPLACEMENTS: u32 = 3;

/// How many pods are ordered for a program that never took a batch.
pub const FIRST_DEPLOYS: u32 = 2;

/// The longest reason of a miner that is recorded, in characters.
const LONGEST_REASON: usize = 500;

/// Whose program runs, and why.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the line of a variant says what its fields are")]
pub enum Purpose {
    /// The leader's, once: nothing is reported, and a repeat has no time limit.
    Baseline,
    /// A requested miner's: the prompts that it submitted a module for.
    Audit { hotkey: Hotkey, submitted: HashSet<PromptStem> },
}

/// What comes next for a program.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the line of a variant says what its fields are")]
pub enum Work {
    /// This batch, whose prompts are these places of the list.
    Batch { repeat: u32, batch: usize, stems: Vec<PromptStem> },
    /// Nothing: all repeats are done, or the program is rejected.
    Nothing,
}

/// A finished batch.
#[derive(Debug, Clone, PartialEq)]
struct Batch {
    pod: String,
    seconds: f64,
    answers: Vec<(PromptStem, Answered)>,
}

/// A batch that was cut off, because its repeat had no time left.
#[derive(Debug, Clone, PartialEq)]
struct CutOff {
    pod: String,
    seconds: f64,
}

/// A batch that a pod has been given.
#[derive(Debug, Clone, PartialEq)]
struct Given {
    pod: String,
    repeat: u32,
    batch: usize,
    /// For how many seconds it was seen at work on it.
    seconds: f64,
}

/// A program's repeats so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeats {
    stems: Vec<PromptStem>,
    purpose: Purpose,
    repeats: u32,
    begun: Option<(String, Seed)>,
    /// The pods in the order in which they were ordered, with their providers.
    pods: Vec<(String, String)>,
    /// Pods that never took a batch, before any did.
    first_failed: u32,
    /// Has a pod been ready? Then the image runs.
    taken: bool,
    /// Pods since then that had to be replaced.
    swapped: u32,
    batches: BTreeMap<(u32, usize), Batch>,
    overtime: BTreeMap<u32, CutOff>,
    stored: HashMap<(u32, PromptStem), StoredModule>,
    /// How a pod's part in a repeat ended, and what its program said.
    ends: BTreeMap<(u32, String), (PodEnd, Option<Value>)>,
    /// The pod that was ordered last, unless it has ended.
    open_pod: Option<String>,
    /// The batch that a pod has been given, until it is finished.
    given: Option<Given>,
}

impl Repeats {
    /// Nothing has happened yet. `stems` are the round's prompts in order, `repeats` is how often the program runs.
    #[must_use]
    pub fn new(mut stems: Vec<PromptStem>, purpose: Purpose, repeats: u32) -> Repeats {
        let mut seen = HashSet::new();
        stems.retain(|stem| seen.insert(stem.clone()));
        Repeats {
            stems,
            purpose,
            repeats,
            begun: None,
            pods: Vec::new(),
            first_failed: 0,
            taken: false,
            swapped: 0,
            batches: BTreeMap::new(),
            overtime: BTreeMap::new(),
            stored: HashMap::new(),
            ends: BTreeMap::new(),
            open_pod: None,
            given: None,
        }
    }

    /// Did these repeats begin with this image and seed?
    #[must_use]
    pub fn has_begun(&self, image: &str, seed: Seed) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.0 == image && begun.1 == seed)
    }

    /// Takes a mark.
    pub fn take(&mut self, mark: RepeatMark) {
        match mark {
            RepeatMark::Begun { image, seed } => {
                let fresh = Repeats::new(std::mem::take(&mut self.stems), self.purpose.clone(), self.repeats);
                *self = Repeats { begun: Some((image, seed)), ..fresh };
            }
            RepeatMark::Pod { pod, provider } => {
                self.open_pod = Some(pod.clone());
                if !self.pods.iter().any(|(known, _)| *known == pod) {
                    self.pods.push((pod, provider));
                }
            }
            RepeatMark::NeverReady { .. } => {
                *(if self.taken { &mut self.swapped } else { &mut self.first_failed }) += 1;
                self.close_pod();
            }
            RepeatMark::NotReached { .. } => self.close_pod(),
            RepeatMark::AtWork { repeat, batch, pod, seconds } => {
                self.given = Some(Given { pod, repeat, batch, seconds });
            }
            RepeatMark::Batch { repeat, batch, pod, seconds, answers } => {
                (self.taken, self.given) = (true, None);
                self.batches.insert((repeat, batch), Batch { pod: pod.clone(), seconds, answers });
                if self.is_generated(repeat) {
                    self.ends.insert((repeat, pod), (PodEnd::Completed, None));
                }
            }
            RepeatMark::Lost { repeat, batch } => drop(self.batches.remove(&(repeat, batch))),
            RepeatMark::Overtime { repeat, pod, seconds } => {
                self.overtime.insert(repeat, CutOff { pod, seconds });
            }
            RepeatMark::Stored { repeat, stem, module } => {
                self.stored.insert((repeat, stem), module);
            }
            RepeatMark::PodEnded { repeat, pod, end, payload } => {
                self.taken = true;
                let overtime = self.overtime.contains_key(&repeat);
                self.swapped += u32::from(end != PodEnd::Completed && !overtime);
                self.ends.insert((repeat, pod), (end, payload));
                self.close_pod();
            }
            RepeatMark::Reopened => (self.first_failed, self.swapped) = (0, 0),
        }
    }

    fn close_pod(&mut self) {
        (self.open_pod, self.given) = (None, None);
    }

    /// The pod that was ordered last, unless it has ended: of a run that was killed it may still be there.
    #[must_use]
    pub fn open_pod(&self) -> Option<&str> {
        self.open_pod.as_deref()
    }

    /// For how many seconds this pod was seen at work on this batch; `None` if it has not been given it.
    #[must_use]
    pub fn at_work(&self, repeat: u32, batch: usize, pod: &str) -> Option<f64> {
        let given = self.given.as_ref()?;
        (given.pod == pod && (given.repeat, given.batch) == (repeat, batch)).then_some(given.seconds)
    }

    /// The name of the next pod: `prefix` and a number. An endpoint of the operator's is the same pod in every run.
    #[must_use]
    pub fn next_pod(&self, prefix: &str, provider: &str) -> String {
        let number = if provider == "endpoint" { 0 } else { self.pods.len() };
        format!("{prefix}{number}")
    }

    /// How often a pod may still be replaced.
    #[must_use]
    pub fn replacements_remaining(&self) -> u32 {
        REPLACEMENTS.saturating_sub(self.swapped)
    }

    /// May another pod be ordered? Until one has taken a batch, only [`FIRST_DEPLOYS`] are tried.
    #[must_use]
    pub fn may_order(&self) -> bool {
        // The first pod that takes a batch costs no replacement.
        if self.taken { self.swapped <= REPLACEMENTS } else { self.first_failed < FIRST_DEPLOYS }
    }

    /// Was the program never there at all?
    #[must_use]
    fn never_deployed(&self) -> bool {
        !self.taken && self.first_failed >= FIRST_DEPLOYS
    }

    /// The stems of a batch; empty after the last.
    fn batch(&self, batch: usize) -> &[PromptStem] {
        let from = batch.saturating_mul(BATCH);
        let to = from.saturating_add(BATCH).min(self.stems.len());
        self.stems.get(from..to).unwrap_or_default()
    }

    fn batch_count(&self) -> usize {
        self.stems.len().div_ceil(BATCH)
    }

    /// What is to be generated next.
    #[must_use]
    pub fn work(&self) -> Work {
        for repeat in 1..=self.repeats {
            if self.is_rejected_by(repeat) {
                return Work::Nothing;
            }
            let missing = (0..self.batch_count()).find(|batch| !self.batches.contains_key(&(repeat, *batch)));
            if let Some(batch) = missing {
                return Work::Batch { repeat, batch, stems: self.batch(batch).to_vec() };
            }
        }
        Work::Nothing
    }

    /// The seconds that a repeat has left; `None` if it has no limit.
    #[must_use]
    pub fn seconds_left(&self, repeat: u32) -> Option<f64> {
        let limited = matches!(self.purpose, Purpose::Audit { .. });
        limited.then(|| (MOST_SECONDS - self.seconds(repeat).unwrap_or(0.0)).max(0.0))
    }

    /// The seconds of a repeat's batches together; `None` if there were none.
    fn seconds(&self, repeat: u32) -> Option<f64> {
        // Summed in the order of `pod_stats.json`.
        let times: Vec<f64> = self.pods.iter().flat_map(|(pod, _)| self.times(repeat, pod)).collect();
        (!times.is_empty()).then(|| times.iter().sum())
    }

    /// The seconds of the batches that a pod made for a repeat.
    fn times(&self, repeat: u32, pod: &str) -> Vec<f64> {
        let batches = self.batches.range((repeat, 0)..=(repeat, usize::MAX)).map(|(_, batch)| batch);
        let made = batches.filter(|batch| batch.pod == pod).map(|batch| batch.seconds);
        let cut = self.overtime.get(&repeat).filter(|cut| cut.pod == pod).map(|cut| cut.seconds);
        made.chain(cut).collect()
    }

    /// Does a repeat break a limit already, whatever is still to come of it?
    fn is_rejected_by(&self, repeat: u32) -> bool {
        matches!(self.purpose, Purpose::Audit { .. }) && !violations(&[self.repeat_so_far(repeat)]).is_empty()
    }

    /// A repeat with the failures that are certain: prompts that have no answer yet count for neither.
    fn repeat_so_far(&self, repeat: u32) -> Repeat {
        let failed = self.answers(repeat).filter(|(_, answer)| **answer != Answered::Module);
        let failed = failed.filter(|(stem, _)| self.counts(stem)).count() as u64;
        let generated_prompts = 0;
        let extra = Extra::default();
        let generation_time = self.seconds(repeat);
        Repeat { repeat_index: repeat, generated_prompts, failed_prompts: failed, generation_time, extra }
    }

    fn answers(&self, repeat: u32) -> impl Iterator<Item = (&PromptStem, &Answered)> {
        let batches = self.batches.range((repeat, 0)..=(repeat, usize::MAX));
        batches.flat_map(|(_, batch)| batch.answers.iter().map(|(stem, answer)| (stem, answer)))
    }

    /// Is this prompt counted in the report?
    fn counts(&self, stem: &PromptStem) -> bool {
        match &self.purpose {
            Purpose::Baseline => true,
            Purpose::Audit { submitted, .. } => submitted.contains(stem),
        }
    }

    /// Modules that arrived and are not stored yet, by repeat and batch.
    #[must_use]
    pub fn unstored(&self) -> Vec<(u32, usize, Vec<PromptStem>)> {
        let of = |((repeat, batch), done): (&(u32, usize), &Batch)| {
            let open = done.answers.iter().filter(|(_, answer)| *answer == Answered::Module);
            let open = open.map(|(stem, _)| stem).filter(|stem| !self.is_stored(*repeat, stem));
            (*repeat, *batch, open.cloned().collect::<Vec<_>>())
        };
        self.batches.iter().map(of).filter(|(.., stems)| !stems.is_empty()).collect()
    }

    fn is_stored(&self, repeat: u32, stem: &PromptStem) -> bool {
        self.stored.contains_key(&(repeat, stem.clone()))
    }

    /// `generated_R.json`: what was generated and stored so far, in the order of the prompts. Of a miner's program,
    /// prompts to which there will be no answer have failed; the leader's can still be made.
    #[must_use]
    pub fn generated(&self, repeat: u32) -> Modules {
        let answers: HashMap<&PromptStem, &Answered> = self.answers(repeat).collect();
        let left_out = Answered::Failed(LEFT_OUT.to_owned());
        let no_answer = Some(&left_out).filter(|_| self.purpose != Purpose::Baseline && self.is_settled(repeat));
        let entry = |stem: &PromptStem| {
            let module = match answers.get(stem).copied().or(no_answer)? {
                Answered::Module => {
                    let stored = self.stored.get(&(repeat, stem.clone()))?;
                    let (js, views) = (Some(stored.js.clone()), stored.views.clone());
                    Module { js, views, failure_reason: None, size: stored.size, extra: Extra::default() }
                }
                Answered::Failed(reason) => {
                    let failure_reason = Some(reason.clone());
                    Module { js: None, views: None, failure_reason, size: 0, extra: Extra::default() }
                }
            };
            Some((stem.clone(), module))
        };
        self.stems.iter().filter_map(entry).collect()
    }

    /// SHA-256 of the files stored for a repeat, by their paths below the player's folder.
    pub fn sums(&self, repeat: u32) -> impl Iterator<Item = &(String, String)> {
        self.stored.iter().filter(move |((of, _), _)| *of == repeat).flat_map(|(_, module)| &module.sums)
    }

    /// Is everything of this repeat stored that will ever be?
    fn is_settled(&self, repeat: u32) -> bool {
        let open = self.unstored().into_iter().any(|(of, ..)| of == repeat);
        !open && (self.is_generated(repeat) || self.is_rejected_by(repeat) || !self.may_order())
    }

    fn is_generated(&self, repeat: u32) -> bool {
        (0..self.batch_count()).all(|batch| self.batches.contains_key(&(repeat, batch)))
    }

    /// What a program answered about the prompts of a batch: those with a reason failed, even if there is a module;
    /// those with neither were left out. Other stems count for nothing.
    #[must_use]
    pub fn answers_of(
        stems: &[PromptStem],
        modules: &HashSet<String>,
        failed: &HashMap<String, String>,
    ) -> Vec<(PromptStem, Answered)> {
        let answer = |stem: &PromptStem| match failed.get(stem.as_str()) {
            Some(reason) => Answered::Failed(reason.chars().take(LONGEST_REASON).collect()),
            None if modules.contains(stem.as_str()) => Answered::Module,
            None => Answered::Failed(LEFT_OUT.to_owned()),
        };
        stems.iter().map(|stem| (stem.clone(), answer(stem))).collect()
    }

    /// Whose repeats these are.
    #[must_use]
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// Batches that are finished, and all that the repeats have.
    #[must_use]
    pub fn counts_of_batches(&self) -> (usize, usize) {
        (self.batches.len(), self.batch_count() * self.repeats as usize)
    }
}

#[cfg(test)]
mod tests;
