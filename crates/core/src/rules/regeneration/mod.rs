//! DESIGN 4.6: regenerating a player's outputs: which prompts, with how many attempts, on which pods, and
//! what is recorded.
//!
//! [`Progress`] holds all that is known about one player. It is built from the [`RegenerationMark`]s in the
//! operator's journal: the same marks always give the same files, so a killed run can be resumed.

pub mod pods;
pub mod record;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use self::pods::{PodEnd, PodRule, PodTally};
use super::Thresholds;
use super::audit::mismatched;
use crate::model::builds::{BuildStatus, Builds};
use crate::model::format::{Format, noted};
use crate::model::ids::{Hotkey, PromptStem, Seed};
use crate::model::leader::{LeaderEntry, leader_at};
use crate::model::objects::StoredObject;
use crate::model::outputs::{Output, Outputs};
use crate::model::prompts::PromptList;
use crate::model::record::Extra;
use crate::model::schedule::Schedule;
use crate::model::snapshot::RoundFiles;

/// The image that an audit runs, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageToRun {
    /// Run this image.
    Built(String),
    /// There is none, and there never will be.
    Never,
    /// Not known yet: what is awaited, in words.
    Awaited(String),
}

/// The image of a miner's program, by its build.
#[must_use]
pub fn image_of(builds: Option<&Builds>, hotkey: &Hotkey) -> ImageToRun {
    let Some(build) = builds.and_then(|builds| builds.get(hotkey)) else {
        return ImageToRun::Awaited(format!("the build of {hotkey} is not in builds.json yet"));
    };
    match (build.status, &build.docker_image) {
        (BuildStatus::Success, Some(image)) => ImageToRun::Built(image.clone()),
        (BuildStatus::Success, None) => {
            ImageToRun::Awaited(format!("the build of {hotkey} succeeded, but names no image"))
        }
        (BuildStatus::Pending | BuildStatus::InProgress, _) => {
            ImageToRun::Awaited(format!("the build of {hotkey} is not done yet"))
        }
        (BuildStatus::Failure | BuildStatus::TimedOut | BuildStatus::NotFound, _) => ImageToRun::Never,
    }
}

/// The leader whose outputs are a round's baseline: the one in force at latest_reveal_block.
#[must_use]
pub fn baseline_leader<'a>(leaders: &'a [LeaderEntry], schedule: &Schedule) -> Option<&'a LeaderEntry> {
    leader_at(leaders, schedule.latest_reveal_block)
}

/// The prompts without an entry in the leader's baseline.
#[must_use]
pub fn baseline_outstanding<'a>(files: &'a RoundFiles, prompts: &'a PromptList) -> Vec<&'a PromptStem> {
    let leader = files.players.get(&crate::model::ids::Player::Leader);
    let made = leader.and_then(|own| own.generated.get());
    prompts.stems().filter(|stem| made.is_none_or(|made| !made.contains_key(*stem))).collect()
}

/// The retry budget of a regeneration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryBudget {
    /// Attempts per prompt, over all pods.
    pub attempts: u32,
    /// When to give up a pod.
    pub pods: PodRule,
}

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget { attempts: 3, pods: PodRule::default() }
    }
}

/// Why outputs are regenerated.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// To compare them with what the miner submitted.
    Audit {
        /// The critical prompts: those on which the miner's lead rests.
        critical: Vec<PromptStem>,
        /// The submitted outputs.
        submitted: Outputs,
    },
    /// To get the leader's outputs for this round.
    Baseline,
}

/// The outcome of one attempt at a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the line of a variant says what its fields are")]
pub enum AttemptOutcome {
    /// Generated, rendered and stored.
    Made {
        /// Seconds from the request to the headers of the answer.
        seconds: f64,
        /// The model, as stored.
        #[serde(flatten, with = "noted")]
        model: StoredObject,
        /// Its preview.
        png: StoredObject,
        /// Distance of its preview to the submitted one; `None` if it could not be measured.
        distance: Option<f64>,
    },
    /// The program returned a model that cannot be rendered.
    Refused {
        /// Seconds from the request to the headers of the answer.
        seconds: f64,
        /// The model, as stored.
        #[serde(flatten, with = "noted")]
        model: StoredObject,
        /// Why it cannot be rendered.
        reason: String,
    },
    /// The program failed.
    Failed {
        /// Seconds from the request to the failure.
        seconds: f64,
        /// Why, for people.
        reason: String,
    },
    /// The request or the answer was lost in transit: not the program's fault.
    Lost { reason: String },
}

/// A line of the operator's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the line of a variant says what its fields are")]
pub enum RegenerationMark {
    /// Work begins with this image and seed; outputs made with others do not count.
    Begun { image: String, seed: Seed },
    /// An entry of `generated.json` that this journal does not explain.
    Recorded {
        stem: PromptStem,
        #[serde(with = "noted::output")]
        output: Output,
    },
    /// A pod was ordered.
    Pod {
        /// Its name in the files.
        pod: String,
    },
    /// A pod never became ready.
    NeverReady { pod: String, reason: String },
    /// A pod was never reached, for a reason that is not its program's.
    NotReached { pod: String },
    /// A pod ended.
    PodEnded { pod: String, end: PodEnd },
    /// An answer has arrived in full, and is to be rendered and stored.
    Arrived(Arrival),
    /// An attempt has ended.
    Tried {
        number: u32,
        stem: PromptStem,
        pod: String,
        #[serde(flatten)]
        outcome: AttemptOutcome,
    },
    /// A distance that could not be measured earlier.
    Measured {
        /// The attempt.
        number: u32,
        stem: PromptStem,
        distance: f64,
    },
    /// Prompts without a complete output get a fresh retry budget.
    Reopened,
}

/// An answer that has arrived in full.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// The attempt.
    pub number: u32,
    /// The prompt.
    pub stem: PromptStem,
    /// The pod that sent it.
    pub pod: String,
    /// Seconds from the request to the headers of the answer.
    pub seconds: f64,
    /// Size of the model in bytes.
    pub size: u64,
    /// SHA-256 of the model, in lower-case hex.
    pub sha256: String,
}

/// One finished attempt.
#[derive(Debug, Clone, PartialEq)]
struct Try {
    number: u32,
    pod: String,
    outcome: AttemptOutcome,
    /// It ended before the last [`RegenerationMark::Reopened`].
    old: bool,
}

/// All that is known about one prompt.
#[derive(Debug, Clone, Default, PartialEq)]
struct PromptProgress {
    recorded: Option<Output>,
    recorded_is_old: bool,
    tries: Vec<Try>,
}

/// A preview whose distance is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmeasured {
    /// The attempt.
    pub number: u32,
    /// The prompt.
    pub stem: PromptStem,
    /// The preview, as stored.
    pub png: StoredObject,
}

/// The standing of a player's regeneration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobStanding {
    /// Everything that the files need is known.
    Complete,
    /// This many prompts are still to be made.
    Open(usize),
    /// Everything is made, but the distances of these prompts are unknown.
    Unmeasured(Vec<PromptStem>),
}

/// All that is known about one player's regeneration.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The format of the player's files.
    format: Format,
    purpose: Purpose,
    limits: Thresholds,
    budget: RetryBudget,
    /// The prompts to make, in the round's order.
    stems: Vec<PromptStem>,
    prompts: IndexMap<PromptStem, PromptProgress>,
    pods: IndexMap<String, PodTally>,
    arrived: BTreeMap<u32, Arrival>,
    begun: Option<(String, Seed)>,
    next_number: u32,
    /// No pod is left to make the rest.
    exhausted: bool,
}

impl Progress {
    /// Progress with nothing known yet. An audit covers the prompts that were submitted completely, a
    /// baseline all prompts.
    #[must_use]
    pub fn new(
        format: Format,
        purpose: Purpose,
        prompts: &PromptList,
        limits: &Thresholds,
        budget: RetryBudget,
    ) -> Self {
        let wanted = |stem: &&PromptStem| match &purpose {
            Purpose::Audit { submitted, .. } => submitted.get(*stem).is_some_and(Output::is_complete),
            Purpose::Baseline => true,
        };
        let stems = prompts.stems().filter(wanted).cloned().collect();
        Progress {
            format,
            purpose,
            limits: *limits,
            budget,
            stems,
            prompts: IndexMap::new(),
            pods: IndexMap::new(),
            arrived: BTreeMap::new(),
            begun: None,
            next_number: 1,
            exhausted: false,
        }
    }

    /// Applies a mark.
    pub fn take(&mut self, mark: RegenerationMark) {
        match mark {
            RegenerationMark::Begun { image, seed } => self.begin(image, seed),
            RegenerationMark::Recorded { stem, output } => self.prompt(stem).recorded = Some(output),
            RegenerationMark::Pod { pod } => {
                // A pod of the same name may have ended in an earlier run.
                self.pods.entry(pod).or_default().end = None;
            }
            RegenerationMark::NeverReady { pod, .. } => self.pods.entry(pod).or_default().end = Some(PodEnd::NotReady),
            RegenerationMark::NotReached { pod } => self.forget_pod(&pod),
            RegenerationMark::PodEnded { pod, end } => self.pods.entry(pod).or_default().end = Some(end),
            RegenerationMark::Arrived(arrival) => {
                // Numbers are never reused, even if a killed run only journaled the arrival.
                self.next_number = self.next_number.max(arrival.number.saturating_add(1));
                self.arrived.insert(arrival.number, arrival);
            }
            RegenerationMark::Tried { number, stem, pod, outcome } => {
                self.next_number = self.next_number.max(number.saturating_add(1));
                self.arrived.remove(&number);
                self.pods.entry(pod.clone()).or_default().count(&outcome, &self.limits);
                self.prompt(stem).tries.push(Try { number, pod, outcome, old: false });
            }
            RegenerationMark::Measured { number, stem, distance } => self.measured(number, stem, distance),
            RegenerationMark::Reopened => self.reopen(),
        }
    }

    /// A pod that did nothing is left out of the figures.
    fn forget_pod(&mut self, pod: &str) {
        if self.pods.get(pod).is_some_and(PodTally::is_empty) {
            self.pods.shift_remove(pod);
        } else if let Some(tally) = self.pods.get_mut(pod) {
            tally.end = Some(PodEnd::Stopped);
        }
    }

    fn begin(&mut self, image: String, seed: Seed) {
        let begun = Some((image, seed));
        // What another image or seed made says nothing about this one.
        if self.begun.is_some() && self.begun != begun {
            self.prompts.clear();
            self.pods.clear();
            self.arrived.clear();
        }
        self.begun = begun;
    }

    fn prompt(&mut self, stem: PromptStem) -> &mut PromptProgress {
        self.prompts.entry(stem).or_default()
    }

    fn measured(&mut self, number: u32, stem: PromptStem, measured: f64) {
        for attempt in self.prompt(stem).tries.iter_mut().filter(|attempt| attempt.number == number) {
            if let AttemptOutcome::Made { distance, .. } = &mut attempt.outcome {
                *distance = Some(measured);
            }
        }
    }

    fn reopen(&mut self) {
        for prompt in self.prompts.values_mut() {
            prompt.recorded_is_old = true;
            prompt.tries.iter_mut().for_each(|attempt| attempt.old = true);
        }
    }

    /// Has work begun with this image and seed?
    #[must_use]
    pub fn has_begun(&self, image: &str, seed: Seed) -> bool {
        self.begun.as_ref().is_some_and(|(begun, with)| begun == image && *with == seed)
    }

    /// Marks for the journal: the entries of `generated.json` about which it knows nothing.
    #[must_use]
    pub fn unknown(&self, recorded: &Outputs) -> Vec<RegenerationMark> {
        let unknown = self.stems.iter().filter(|stem| !self.prompts.contains_key(*stem));
        let mark = |stem: &PromptStem| {
            let output = recorded.get(stem)?.clone();
            Some(RegenerationMark::Recorded { stem: stem.clone(), output })
        };
        unknown.filter_map(mark).collect()
    }

    /// Takes the number of the next attempt; no number is given twice.
    pub fn number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        number
    }

    /// The next pod's name in the files: pods are numbered, because the provider's names change from run
    /// to run.
    #[must_use]
    pub fn next_pod(&self, provider: &str) -> String {
        let free = |number: &usize| !self.pods.contains_key(&format!("{provider}-{number}"));
        let number = (self.pods.len() + 1..).find(free).unwrap_or_default();
        format!("{provider}-{number}")
    }

    /// Answers that have arrived but are not rendered and stored yet.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrived.values().cloned().collect()
    }

    /// The prompts to make, in order.
    #[must_use]
    pub fn stems(&self) -> &[PromptStem] {
        &self.stems
    }

    /// The prompts that need an attempt, in order.
    #[must_use]
    pub fn open(&self) -> Vec<PromptStem> {
        self.stems.iter().filter(|stem| self.is_open(stem)).cloned().collect()
    }

    /// Does a prompt need another attempt? An output made in time is final, as in the deployed services,
    /// even if it is far from the submitted one.
    #[must_use]
    pub fn is_open(&self, stem: &PromptStem) -> bool {
        let Some(prompt) = self.prompts.get(stem) else { return true };
        let in_time = |seconds: f64| seconds <= self.limits.generation_seconds;
        let tried = |attempt: &Try| matches!(attempt.outcome, AttemptOutcome::Made { seconds, .. } if in_time(seconds));
        let recorded = |output: &Output| output.is_complete() && in_time(output.generation_time);
        if prompt.recorded.as_ref().is_some_and(recorded) || prompt.tries.iter().any(tried) {
            return false;
        }
        let counted = prompt.tries.iter().filter(|attempt| !attempt.old && attempt.is_counted()).count();
        let recorded = prompt.recorded.as_ref().filter(|_| !prompt.recorded_is_old);
        let spent = counted.saturating_add(recorded.map_or(0, |output| output.attempts.max(1) as usize));
        spent < self.budget.attempts as usize && !self.is_given_up(prompt)
    }

    /// In an audit, a prompt lost on as many pods as the budget has attempts is given up: otherwise a
    /// prompt that brings every pod down would hold up the competition.
    fn is_given_up(&self, prompt: &PromptProgress) -> bool {
        let lost = prompt.tries.iter().filter(|attempt| !attempt.old && !attempt.is_counted());
        let mut pods: Vec<&str> = lost.map(|attempt| attempt.pod.as_str()).collect();
        pods.sort_unstable();
        pods.dedup();
        self.is_audit() && pods.len() >= self.budget.attempts as usize
    }

    fn is_audit(&self) -> bool {
        matches!(self.purpose, Purpose::Audit { .. })
    }

    /// The outputs made for a prompt so far, complete or not.
    fn candidates(&self, prompt: &PromptProgress) -> Vec<Output> {
        let made = |attempt: &Try| attempt.output(!self.is_audit());
        prompt.recorded.iter().cloned().chain(prompt.tries.iter().filter_map(made)).collect()
    }

    /// Previews whose distance is unknown.
    #[must_use]
    pub fn unmeasured(&self) -> Vec<Unmeasured> {
        let mut unmeasured = Vec::new();
        for stem in self.stems.iter().filter(|_| self.is_audit()) {
            for attempt in self.prompts.get(stem).into_iter().flat_map(|prompt| &prompt.tries) {
                if let AttemptOutcome::Made { png, distance: None, .. } = &attempt.outcome {
                    unmeasured.push(Unmeasured { number: attempt.number, stem: stem.clone(), png: png.clone() });
                }
            }
        }
        unmeasured
    }

    /// Notes that no pod is left to make the rest.
    pub fn exhaust(&mut self) {
        self.exhausted = true;
    }

    /// Was any attempt made?
    #[must_use]
    pub fn was_tried(&self) -> bool {
        self.prompts.values().any(|prompt| prompt.recorded.is_some() || !prompt.tries.is_empty())
    }

    /// Is the verdict certain, whatever the remaining prompts give? An audit ends early at twice the
    /// tolerated mismatches, not at the first one too many, so that its files show clear evidence.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        let Purpose::Audit { critical, .. } = &self.purpose else { return false };
        let (mut failed, mut failed_critical) = (0, 0);
        for stem in self.stems.iter().filter(|stem| !self.is_open(stem)) {
            let mismatch = !self.has_unmeasured(stem) && mismatched(self.best(stem).as_ref(), &self.limits);
            match (mismatch, critical.contains(stem)) {
                (true, true) => failed_critical += 1,
                (true, false) => failed += 1,
                (false, _) => {}
            }
        }
        let limits = &self.limits;
        let rejected = failed > limits.mismatches || failed_critical > limits.critical_mismatches;
        rejected && failed + failed_critical >= limits.mismatches.saturating_mul(2)
    }

    fn has_unmeasured(&self, stem: &PromptStem) -> bool {
        let tries = self.prompts.get(stem).into_iter().flat_map(|prompt| &prompt.tries);
        self.is_audit()
            && tries.into_iter().any(|attempt| matches!(&attempt.outcome, AttemptOutcome::Made { distance: None, .. }))
    }

    /// The current standing.
    #[must_use]
    pub fn standing(&self) -> JobStanding {
        let unmeasured = self.unmeasured();
        let open = self.open().len();
        let over = open == 0 || self.is_decided() || (self.exhausted && self.is_audit());
        match (over, unmeasured.is_empty()) {
            (false, _) => JobStanding::Open(open),
            (true, true) => JobStanding::Complete,
            (true, false) => JobStanding::Unmeasured(unmeasured.into_iter().map(|one| one.stem).collect()),
        }
    }

    /// The best output made for a prompt: complete before incomplete, then in time before over time, then
    /// the smaller distance, then the faster, then the earlier one.
    fn best(&self, stem: &PromptStem) -> Option<Output> {
        let prompt = self.prompts.get(stem)?;
        let late = |output: &Output| output.generation_time > self.limits.generation_seconds;
        let better = |a: &Output, b: &Output| {
            let complete = b.is_complete().cmp(&a.is_complete());
            let in_time = || late(a).cmp(&late(b));
            let near = || a.distance.total_cmp(&b.distance);
            complete.then_with(in_time).then_with(near).then_with(|| a.generation_time.total_cmp(&b.generation_time))
        };
        if self.has_unmeasured(stem) {
            return None;
        }
        let best = self.candidates(prompt).into_iter().min_by(better);
        let attempts = prompt.attempts();
        let given_up = || (!self.is_open(stem) && attempts > 0).then(nothing);
        best.or_else(given_up).map(|output| Output { attempts, ..output })
    }

    /// `generated.json` so far: without entries for prompts that were not tried or whose distance is
    /// unknown.
    #[must_use]
    pub fn outputs(&self) -> Outputs {
        let entry = |stem: &PromptStem| Some((stem.clone(), self.best(stem)?));
        Outputs::of(self.format, self.stems.iter().filter_map(entry))
    }

    /// Why the last attempt at a prompt brought no complete output; `None` if it did, or there was none.
    #[must_use]
    pub fn trouble_with(&self, stem: &PromptStem) -> Option<&str> {
        match &self.prompts.get(stem)?.tries.last()?.outcome {
            AttemptOutcome::Made { .. } => None,
            AttemptOutcome::Refused { reason, .. }
            | AttemptOutcome::Failed { reason, .. }
            | AttemptOutcome::Lost { reason } => Some(reason),
        }
    }

    /// How many prompts are settled, and how many there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.stems.len() - self.open().len(), self.stems.len())
    }
}

/// The entry of a prompt for which nothing was made.
fn nothing() -> Output {
    Output {
        model: None,
        png: None,
        generation_time: 0.0,
        size: 0,
        attempts: 0,
        distance: 0.0,
        extra: Extra::default(),
    }
}

impl PromptProgress {
    /// Attempts made. Lost ones count only if there are no others.
    fn attempts(&self) -> u32 {
        let count = |counted: bool| self.tries.iter().filter(|attempt| attempt.is_counted() == counted).count();
        let own = if count(true) > 0 { count(true) } else { count(false) };
        let own = u32::try_from(own).unwrap_or(u32::MAX);
        own.saturating_add(self.recorded.as_ref().map_or(0, |output| output.attempts))
    }
}

impl Try {
    fn is_counted(&self) -> bool {
        !matches!(self.outcome, AttemptOutcome::Lost { .. })
    }

    /// The attempt as an entry of `generated.json`; `None` if it brought nothing.
    fn output(&self, needs_no_distance: bool) -> Option<Output> {
        match &self.outcome {
            AttemptOutcome::Made { seconds, model, png, distance } => Some(Output {
                model: Some(model.url.clone()),
                png: Some(png.url.clone()),
                generation_time: *seconds,
                size: model.size,
                distance: distance.or(needs_no_distance.then_some(0.0))?,
                ..nothing()
            }),
            AttemptOutcome::Refused { seconds, model, .. } => Some(Output {
                model: Some(model.url.clone()),
                generation_time: *seconds,
                size: model.size,
                ..nothing()
            }),
            AttemptOutcome::Failed { .. } | AttemptOutcome::Lost { .. } => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "what is kept is kept to the bit")]
mod tests;
