//! Whose pods to use: `[pods]` of `gen404.toml`, and the environment.

use std::time::Duration;

use serde::Deserialize;

use super::Provider;
use super::endpoint::{EndpointProvider, EndpointSettings};
use super::program::ProgramLimits;
use crate::error::{Error, Result};

/// Who may rent out pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    /// A program that runs already.
    Endpoint,
}

/// The settings of the pods.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PodSettings {
    /// Who rents them out.
    pub provider: Option<ProviderName>,
    /// Take generation times from the answers instead of the clock: for sandboxes, where a run has
    /// to be reproducible, and only with `endpoint`.
    pub reported_times: bool,
    /// Seconds for a connection.
    pub connect_seconds: f64,
    /// Seconds for an answer's headers.
    pub answer_seconds: f64,
    /// Seconds from then for its body.
    pub body_seconds: f64,
    /// MiB of the largest model.
    pub file_mib: u64,
    /// Seconds for each look at `/health`.
    pub health_seconds: f64,
    /// A program that runs already.
    pub endpoint: EndpointSettings,
}

impl Default for PodSettings {
    fn default() -> Self {
        let limits = ProgramLimits::default();
        PodSettings {
            provider: None,
            reported_times: false,
            connect_seconds: limits.connect.as_secs_f64(),
            answer_seconds: limits.headers.as_secs_f64(),
            body_seconds: limits.body.as_secs_f64(),
            file_mib: limits.bytes >> 20,
            health_seconds: limits.health.as_secs_f64(),
            endpoint: EndpointSettings::default(),
        }
    }
}

impl PodSettings {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> std::result::Result<(), String> {
        for (name, value) in [
            ("connect_seconds", self.connect_seconds),
            ("answer_seconds", self.answer_seconds),
            ("body_seconds", self.body_seconds),
            ("health_seconds", self.health_seconds),
        ] {
            if !(0.001..=86_400.0).contains(&value) {
                return Err(format!("pods.{name} is {value}: seconds up to a day are needed"));
            }
        }
        if !(1..=4095).contains(&self.file_mib) {
            return Err(format!("pods.file_mib is {}: a number from 1 to 4095 is needed", self.file_mib));
        }
        if self.reported_times && self.provider != Some(ProviderName::Endpoint) {
            return Err("pods.reported_times is for provider = \"endpoint\" alone: rented pods are timed".to_owned());
        }
        Ok(())
    }

    /// The bounds of what is asked of a program.
    #[must_use]
    pub fn limits(&self) -> ProgramLimits {
        ProgramLimits {
            connect: Duration::from_secs_f64(self.connect_seconds),
            headers: Duration::from_secs_f64(self.answer_seconds),
            body: Duration::from_secs_f64(self.body_seconds),
            bytes: self.file_mib << 20,
            health: Duration::from_secs_f64(self.health_seconds),
            reported_times: self.reported_times,
            ..ProgramLimits::default()
        }
    }

    /// Opens the provider; `None` where none is named. Nothing is asked yet. Keys come from the
    /// environment.
    ///
    /// # Errors
    /// The settings make no sense, or a key is missing.
    pub fn open(&self, _env: impl Fn(&str) -> Option<String>) -> Result<Option<Box<dyn Provider>>> {
        self.check().map_err(Error::usage)?;
        let Some(provider) = self.provider else { return Ok(None) };
        Ok(Some(match provider {
            ProviderName::Endpoint => Box::new(EndpointProvider::new(&self.endpoint)?),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let read = |text: &str| toml::from_str::<PodSettings>(text);
        let settings = read("").unwrap();
        assert_eq!((settings.limits(), settings.check()), (ProgramLimits::default(), Ok(())));
        assert!(settings.open(|_| None).unwrap().is_none());
        assert!(read("answer_seconds = nan").unwrap().check().is_err());
        assert!(read("reported_times = true").unwrap().check().is_err());
        let endpoint = "provider = 'endpoint'\nreported_times = true\nendpoint.url = 'http://h:1/{player}'";
        assert_eq!(read(endpoint).unwrap().open(|_| None).unwrap().unwrap().name(), "endpoint");
        assert!(read("api_key = 'x'").is_err(), "keys come from the environment");
    }
}
