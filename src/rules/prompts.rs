//! DESIGN 4.3: a round's prompts, from the round before and from the pool.

use super::python_random::PythonRandom;
use crate::state::config::Settings;
use crate::state::ids::Seed;
use crate::state::prompts::Prompt;

/// A round's prompts by where they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Prompts of the round before, which come first.
    pub carried: Vec<Prompt>,
    /// Prompts of the pool. The pool may hold a carried prompt too, as with the deployed collector.
    pub fresh: Vec<Prompt>,
}

/// Draws a round's prompts: `carryover_prompts` of `previous` (empty in round 0), then from `pool`
/// up to `prompts_per_round`, both from one generator in that order.
#[must_use]
pub fn select(settings: &Settings, seed: Seed, previous: &[Prompt], pool: &[Prompt]) -> Selection {
    let mut random = PythonRandom::new(u64::from(seed.0));
    let carried = random.sample(previous, settings.carryover_prompts);
    let fresh = random.sample(pool, settings.prompts_per_round.saturating_sub(carried.len()));
    Selection { carried, fresh }
}
