//! Counts of a miner's files.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{FetchOutcome, KnownFiles};
use crate::model::ids::Hotkey;
use crate::model::prompts::PromptList;
use crate::model::refusals::{Refusal, Refusals};

/// Counts of a miner's files by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Models stored with a preview.
    pub fetched: usize,
    /// Files that are not a model, or are stored without a preview.
    pub refused: usize,
    /// Files that could not be fetched.
    pub failed: usize,
    /// Total size of the stored models, in bytes.
    pub bytes: u64,
    /// How often each reason was given.
    pub reasons: BTreeMap<String, usize>,
}

/// Counts a miner's refused files as its `refusals.json` has them: what a machine without the journal knows.
#[must_use]
pub fn recorded_tally(refusals: &Refusals) -> Tally {
    let mut tally = Tally::default();
    for Refusal { code, reason, .. } in refusals.values() {
        let failed = code.starts_with("fetch.");
        *(if failed { &mut tally.failed } else { &mut tally.refused }) += 1;
        let said = if failed { reason.clone() } else { format!("{reason} ({code})") };
        *tally.reasons.entry(said).or_default() += 1;
    }
    tally
}

/// Counts a miner's files by outcome.
#[must_use]
pub fn tally(prompts: &PromptList, hotkey: &Hotkey, known: &KnownFiles) -> Tally {
    let mut tally = Tally::default();
    for outcome in prompts.stems().filter_map(|stem| known.get(hotkey, stem)) {
        match outcome {
            FetchOutcome::Stored { .. } => tally.fetched += 1,
            FetchOutcome::Refused { .. } => tally.refused += 1,
            FetchOutcome::Failed { .. } => tally.failed += 1,
        }
        if let Some(model) = outcome.model() {
            tally.bytes = tally.bytes.saturating_add(model.size);
        }
        if let Some(reason) = outcome.reason() {
            *tally.reasons.entry(reason).or_default() += 1;
        }
    }
    tally
}
