//! `[lease]` of `gen404.toml`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::setting::SettingError;

/// `[lease]` of `gen404.toml`: whether this host announces the steps that rent pods, for competitions that more than
/// one host runs.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseSettings {
    /// Are steps announced?
    pub enabled: bool,
    /// Minutes after which an announcement that is not renewed expires.
    pub minutes: f64,
    /// Seconds that hosts' clocks may differ by.
    pub skew_seconds: f64,
    /// The name shown to other hosts; by default the machine's.
    pub host: Option<String>,
}

impl Default for LeaseSettings {
    fn default() -> Self {
        LeaseSettings { enabled: false, minutes: 15.0, skew_seconds: 120.0, host: None }
    }
}

/// The longest name of a host, in characters.
const LONGEST_HOST: usize = 64;

impl LeaseSettings {
    /// # Errors
    /// A value makes no sense.
    pub(super) fn check(&self) -> Result<(), SettingError> {
        let (minutes, skew) = (self.minutes, self.skew_seconds);
        if !(0.01..=1440.0).contains(&minutes) {
            return Err(SettingError::Other(format!("[lease] minutes is {minutes}: it must be up to a day, 1440")));
        }
        if !(0.0..=3600.0).contains(&skew) {
            return Err(SettingError::Other(format!("[lease] skew_seconds is {skew}: it must be up to an hour, 3600")));
        }
        if self.host.as_ref().is_some_and(|host| host.trim().is_empty() || host.chars().count() > LONGEST_HOST) {
            let range = format!("[lease] host: 1 to {LONGEST_HOST} characters are needed");
            return Err(SettingError::Other(range));
        }
        Ok(())
    }

    /// How long an announcement holds.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }

    /// How long other hosts go on respecting one that has expired.
    #[must_use]
    pub fn skew(&self) -> Duration {
        Duration::from_secs_f64(self.skew_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senseless_values_are_named() {
        let wrong = |text: &str| crate::settings::Config::parse(text).unwrap_err().to_string();
        assert!(wrong("[lease]\nminutes = 0\n").contains("[lease] minutes is 0"));
        assert!(wrong("[lease]\nminutes = nan\n").contains("minutes"));
        assert!(wrong("[lease]\nskew_seconds = -1\n").contains("skew_seconds is -1"));
        assert!(wrong("[lease]\nhost = ' '\n").contains("1 to 64 characters"));
        let short = LeaseSettings { minutes: 0.5, ..LeaseSettings::default() };
        assert_eq!((short.length(), short.skew()), (Duration::from_secs(30), Duration::from_secs(120)));
    }
}
