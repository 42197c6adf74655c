//! What the files tell of a program's repeats: the report, the pods, and in which steps both are written.
//!
//! Each step is a prefix of the repeats. It follows from the marks alone, so that the commits are the same however soon
//! after each mark the files are written.

use std::collections::HashSet;

use serde_json::Value;

use super::marks::{Answered, PodEnd};
use super::{Purpose, Repeats, Work};
use crate::model::ids::PromptStem;
use crate::model::record::Extra;
use crate::model::threejs::pod_stats::{Payload, PodRun, PodRunEntry, PodRuns};
use crate::model::threejs::reports::{Repeat, RepeatedReport, ReportOutcome};
use crate::rules::threejs::reports::{NO_PROGRAM, violations};

impl Repeats {
    /// The steps in which the files are written, each as the number of the last repeat that it covers: a step for every
    /// repeat that was made, and one for all the rest if they never will be. 0 is the step of a program that never ran.
    #[must_use]
    pub fn steps(&self) -> Vec<u32> {
        if self.never_deployed() {
            return vec![0];
        }
        let mut steps = Vec::new();
        for number in 1..=self.repeats {
            if !self.is_settled(number) {
                break;
            }
            let is_the_last = self.is_rejected_by(number);
            if !self.is_generated(number) && !is_the_last {
                // There will be no more pods.
                steps.push(self.repeats);
                break;
            }
            steps.push(number);
            if is_the_last {
                break;
            }
        }
        steps
    }

    /// The repeats up to this one whose modules are all stored, and of which there is something to record.
    #[must_use]
    pub fn recordable(&self, through: u32) -> Vec<u32> {
        if self.never_deployed() {
            return Vec::new();
        }
        (1..=self.repeats.min(through)).filter(|repeat| self.is_settled(*repeat)).collect()
    }

    /// `pod_stats.json`, of the repeats up to this one to which nothing will be added; empty if no pod took part in one.
    #[must_use]
    pub fn stats(&self, through: u32) -> PodRuns {
        let mut stats = PodRuns::default();
        for repeat in (1..=self.repeats.min(through)).filter(|repeat| self.is_settled(*repeat)) {
            for (pod, provider) in &self.pods {
                let (batch_times, end) = (self.times(repeat, pod), self.ends.get(&(repeat, pod.clone())));
                if batch_times.is_empty() && end.is_none() {
                    continue;
                }
                let was_cut_off = self.overtime.get(&repeat).is_some_and(|cut| cut.pod == *pod);
                // A run that was killed had no chance to note the end; services that are cancelled leave the same word.
                let without = if was_cut_off { PodEnd::BatchTimeLimit } else { PodEnd::Unreachable };
                let (end, payload) = end.cloned().unwrap_or((without, None));
                let run = PodRun {
                    pod_id: pod.clone(),
                    repeat_index: repeat,
                    provider: provider.clone(),
                    // `sum()` of an empty list is -0.0.
                    total_generation_time: batch_times.iter().sum::<f64>() + 0.0,
                    batch_times,
                    termination_reason: end.word().to_owned(),
                    payload: Payload(payload.unwrap_or(Value::Null)),
                    extra: Extra::default(),
                };
                stats.insert(format!("{pod}-r{repeat}"), PodRunEntry::Run(run));
            }
        }
        stats
    }

    /// The report on the repeats up to this one; `None` before there is anything to report, and for the leader.
    #[must_use]
    pub fn report(&self, through: u32) -> Option<RepeatedReport> {
        let Purpose::Audit { hotkey, .. } = &self.purpose else { return None };
        let report = |outcome, repeats, reason: String| {
            Some(RepeatedReport { hotkey: hotkey.clone(), outcome, repeats, reason, extra: Extra::default() })
        };
        if self.never_deployed() {
            let [_, not_deployed] = NO_PROGRAM;
            return report(ReportOutcome::Rejected, Vec::new(), not_deployed.to_owned());
        }
        let spent = !self.may_order() && self.work() != Work::Nothing;
        let mut repeats = Vec::new();
        for number in 1..=self.repeats.min(through) {
            if !self.is_settled(number) {
                break;
            }
            repeats.push(self.repeat(number));
            // Without pods, all repeats are summed up as they are.
            if !spent && !violations(&repeats).is_empty() {
                break;
            }
        }
        let reason = violations(&repeats).join("; ");
        let whole = u32::try_from(repeats.len()).is_ok_and(|count| count >= self.repeats);
        match (reason.is_empty(), whole) {
            (false, _) => report(ReportOutcome::Rejected, repeats, reason),
            (true, true) => report(ReportOutcome::Completed, repeats, reason),
            (true, false) if repeats.is_empty() => None,
            (true, false) => report(ReportOutcome::Pending, repeats, reason),
        }
    }

    /// A repeat as the report counts it: prompts without an answer have failed.
    fn repeat(&self, number: u32) -> Repeat {
        let made: HashSet<&PromptStem> =
            self.answers(number).filter(|(_, answer)| **answer == Answered::Module).map(|(stem, _)| stem).collect();
        let asked: HashSet<&PromptStem> = match &self.purpose {
            Purpose::Baseline => self.stems.iter().collect(),
            Purpose::Audit { submitted, .. } => submitted.iter().collect(),
        };
        let generated_prompts = asked.iter().filter(|stem| made.contains(*stem)).count() as u64;
        Repeat {
            repeat_index: number,
            generated_prompts,
            failed_prompts: asked.len() as u64 - generated_prompts,
            generation_time: self.seconds(number),
            extra: Extra::default(),
        }
    }
}
