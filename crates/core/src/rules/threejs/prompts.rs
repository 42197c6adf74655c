//! A round's prompts: as in other formats, but since 17 June 2026 the new ones are drawn from those not carried over.

use std::collections::HashSet;

use crate::model::config::Settings;
use crate::model::ids::Seed;
use crate::model::prompts::Prompt;
use crate::rules::prompts::Selection;
use crate::rules::python_random::PythonRandom;

/// Draws a round's prompts, the new ones disjoint from the carried ones.
#[must_use]
pub fn select_disjoint(settings: &Settings, seed: Seed, previous: &[Prompt], pool: &[Prompt]) -> Selection {
    let mut random = PythonRandom::new(u64::from(seed.0));
    let carried = random.sample(previous, settings.carryover_prompts);
    let taken: HashSet<&str> = carried.iter().map(Prompt::url).collect();
    let rest: Vec<&Prompt> = pool.iter().filter(|prompt| !taken.contains(prompt.url())).collect();
    let fresh = random.sample(&rest, settings.prompts_per_round.saturating_sub(carried.len()));
    Selection { fresh: fresh.into_iter().cloned().collect(), carried }
}
