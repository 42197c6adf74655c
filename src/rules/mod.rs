//! First floor: the rules. Pure functions of the files: no disk, network, clock or randomness.
//!
//! A command gathers facts, calls a rule here, and applies the plan that comes back; `verify` calls
//! the same rules on what was recorded. [`stages`] is the stage machine; the others are named after
//! what they decide; [`checks`] are the claims that `verify` tests.

pub mod audit;
pub mod bout;
pub mod builds;
pub mod checks;
pub mod conclusion;
pub mod download;
pub mod duel;
pub mod hex;
pub mod image;
pub mod lacking;
pub mod objects;
pub mod opening;
pub mod overtaking;
pub mod payload;
pub mod programme;
pub mod prompts;
pub mod python_random;
pub mod regeneration;
pub mod seed;
pub mod shard;
pub mod ssim;
pub mod stages;
pub mod submissions;
pub mod succession;
pub mod tournament;
pub mod url;

use serde::Deserialize;

use crate::state::store::FileWrite;

/// What a command will do to the files: returned by a rule, applied in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The files to write; `state.json` is written last whatever its place here.
    pub writes: Vec<FileWrite>,
    /// The message of the commit that records them.
    pub message: String,
    /// What happens, for the reader.
    pub says: Vec<String>,
}

/// The limits of the rules: the defaults of `[rules]` in `gen404.toml` (DESIGN 4.4 to 4.6).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Seconds; a generation that took longer is over time.
    pub generation_seconds: f64,
    /// The part of a round's prompts on which being over time is forgiven in matches.
    pub overtime_tolerance: f64,
    /// The margin beyond `win_margin` from which an audit has no critical prompts.
    pub mismatch_margin: f64,
    /// The largest distance between a regenerated and a submitted preview that is a match.
    pub distance: f64,
    /// Mismatches tolerated among prompts that are not critical.
    pub mismatches: usize,
    /// Mismatches tolerated among the critical prompts.
    pub critical_mismatches: usize,
    /// Seconds; the largest trimmed median of the generation times.
    pub median_seconds: f64,
    /// Times cut from each end before the median.
    pub trim: usize,
    /// Does a win also need a source audit that passed?
    pub require_source_audit: bool,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            generation_seconds: 180.0,
            overtime_tolerance: 0.05,
            mismatch_margin: 0.05,
            distance: 0.1,
            mismatches: 6,
            critical_mismatches: 1,
            median_seconds: 90.0,
            trim: 6,
            require_source_audit: false,
        }
    }
}

impl Thresholds {
    /// Refuses limits that make no sense.
    ///
    /// # Errors
    /// The first such limit.
    pub fn check(&self) -> Result<(), String> {
        let limits = [
            ("generation_seconds", self.generation_seconds, f64::MAX),
            ("overtime_tolerance", self.overtime_tolerance, 1.0),
            ("mismatch_margin", self.mismatch_margin, 1.0),
            ("distance", self.distance, 2.0),
            ("median_seconds", self.median_seconds, f64::MAX),
        ];
        for (name, value, most) in limits {
            if !(0.0..=most).contains(&value) {
                return Err(format!("rules.{name} is {value}: a number from 0 to {most} is needed"));
            }
        }
        Ok(())
    }
}
