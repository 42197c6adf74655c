//! `[limits]` of `gen404.toml`: how much a round may use.

use serde::{Deserialize, Serialize};

use crate::base::setting::{SettingError, check_range};

/// How much a round may use on this machine; by default, without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoundLimits {
    /// Calls of the judge.
    pub calls: Option<u64>,
    /// Hours of pods, all together.
    pub pod_hours: Option<f64>,
}

impl RoundLimits {
    /// Refuses limits that make no sense.
    ///
    /// # Errors
    /// The first such limit is named.
    pub fn check(&self) -> Result<(), SettingError> {
        let hours = self.pod_hours.unwrap_or_default();
        if !(hours.is_finite() && (0.0..=1e6).contains(&hours)) {
            return Err(SettingError::Other(format!("limits.pod_hours = {hours}: it must be from 0 to 1000000")));
        }
        check_range("limits.calls", 0..=1 << 40, self.calls.unwrap_or_default())
    }
}
