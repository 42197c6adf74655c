//! What measures distances: `[distance]` of `gen404.toml`, and the environment.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Distance;
use super::http::DistanceService;
use super::pixels::Pixels;
use crate::base::error::{Error, Result};
use crate::base::setting::{SettingError, ValueError, check_counts, check_range};
use crate::http::Retry;
use crate::usage::{Meter, Service};

/// What measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DistanceDriver {
    /// The embedding model, in this process.
    Dinov3,
    /// A service.
    Http,
    /// Plain pixels: for sandboxes only.
    Pixels,
}

impl FromStr for DistanceDriver {
    type Err = ValueError;

    fn from_str(text: &str) -> std::result::Result<Self, ValueError> {
        match text {
            "dinov3" => Ok(DistanceDriver::Dinov3),
            "http" => Ok(DistanceDriver::Http),
            "pixels" => Ok(DistanceDriver::Pixels),
            _ => Err(ValueError::of(text, "a distance driver (dinov3, http, pixels)")),
        }
    }
}

/// The settings of distances.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DistanceSettings {
    /// The driver; by default the service at `url`, else the model in `weights`.
    pub driver: Option<DistanceDriver>,
    /// The service.
    pub url: Option<String>,
    /// Attempts per pair at the service.
    pub attempts: u32,
    /// Seconds per attempt.
    pub timeout_seconds: u64,
    /// Requests to the service in flight.
    pub connections: usize,
    /// The model's weights.
    pub weights: Option<PathBuf>,
    /// Their required SHA-256, in hex.
    pub weights_sha256: Option<String>,
    /// Where the model runs: `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// Pictures per batch of the model.
    pub batch: usize,
    /// Threads of the model; 0 means one per core.
    pub threads: usize,
    /// Counts what is asked.
    #[serde(skip)]
    pub meter: Meter,
}

impl Default for DistanceSettings {
    fn default() -> Self {
        DistanceSettings {
            driver: None,
            url: None,
            attempts: 3,
            timeout_seconds: 90,
            connections: 4,
            weights: None,
            weights_sha256: None,
            device: "cpu".to_owned(),
            batch: 8,
            threads: 0,
            meter: Meter::default(),
        }
    }
}

impl DistanceSettings {
    /// Applies the environment over these settings: `IMAGE_DISTANCE_SERVICE_URL`.
    #[must_use]
    pub fn with_env(mut self, env: impl Fn(&str) -> Option<String>) -> Self {
        if let Some(url) = env("IMAGE_DISTANCE_SERVICE_URL").filter(|value| !value.trim().is_empty()) {
            self.url = Some(url);
        }
        self
    }

    /// The driver that these settings choose; never plain pixels unless named.
    #[must_use]
    pub fn chosen(&self) -> Option<DistanceDriver> {
        let service = self.url.as_ref().map(|_| DistanceDriver::Http);
        self.driver.or(service).or(self.weights.as_ref().map(|_| DistanceDriver::Dinov3))
    }

    /// Opens the driver, with the environment applied; `None` if none is named.
    ///
    /// # Errors
    /// The settings make no sense, or the model cannot be loaded.
    pub fn open(&self, env: impl Fn(&str) -> Option<String>) -> Result<Option<Box<dyn Distance>>> {
        let settings = self.clone().with_env(env);
        settings.check().map_err(Error::usage)?;
        Ok(match settings.chosen() {
            None => None,
            Some(DistanceDriver::Pixels) => Some(Box::new(Pixels)),
            Some(DistanceDriver::Http) => Some(Box::new(settings.service()?)),
            Some(DistanceDriver::Dinov3) => Some(settings.model()?),
        })
    }

    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting is named.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        check_counts("distance", 1..=256, &[("connections", self.connections as u64)])?;
        check_counts("distance", 1..=1024, &[("batch", self.batch as u64)])?;
        check_counts("distance", 1..=100, &[("attempts", self.attempts.into())])?;
        check_range("distance.timeout_seconds", 1..=3600, self.timeout_seconds)?;
        check_range("distance.threads", 0..=1024, self.threads as u64)?;
        let hex = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !self.weights_sha256.as_ref().is_none_or(hex) {
            return Err(SettingError::Other("distance.weights_sha256 is not a SHA-256 in hex".to_owned()));
        }
        Ok(())
    }

    fn service(&self) -> Result<DistanceService> {
        let url = self.url.as_deref().ok_or_else(|| {
            let unknown = Error::usage("no distance service is named");
            unknown.hint("give IMAGE_DISTANCE_SERVICE_URL, --distance-url, or [distance] url in gen404.toml")
        })?;
        let retry = Retry { attempts: self.attempts, first_pause: Duration::from_secs(1), ..Retry::default() };
        let service = DistanceService::new(url, Duration::from_secs(self.timeout_seconds), retry, self.connections)?;
        Ok(service.metered(self.meter.of(Service::Distance)))
    }

    #[cfg(feature = "dinov3")]
    fn model(&self) -> Result<Box<dyn Distance>> {
        Ok(Box::new(super::dinov3::Dinov3::open(self)?))
    }

    #[cfg(not(feature = "dinov3"))]
    #[allow(clippy::unused_self, reason = "with the feature, it is used")]
    fn model(&self) -> Result<Box<dyn Distance>> {
        let without = Error::usage("distances by dinov3: this gen404 was built without the feature dinov3");
        Err(without.hint(
            "cargo build --release --features dinov3 (it needs libtorch 2.13: see docs/distances.md), or ask a service",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> DistanceSettings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_environment_beats_the_file_and_pixels_are_never_chosen_silently() {
        let env = |name: &str| (name == "IMAGE_DISTANCE_SERVICE_URL").then(|| "http://here:8001/".to_owned());
        assert!(of("").open(|_| None).unwrap().is_none());
        assert_eq!(of("").open(env).unwrap().unwrap().name(), "http");
        assert_eq!(of("url = 'http://there'").with_env(env).url.unwrap(), "http://here:8001/");
        assert_eq!(of("driver = 'pixels'").open(env).unwrap().unwrap().name(), "pixels");
        assert_eq!(of("weights = 'w'").chosen(), Some(DistanceDriver::Dinov3));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let refused = |text: &str| of(text).open(|_| None).unwrap_err().to_string();
        assert!(refused("driver = 'http'").contains("no distance service is named"));
        assert!(refused("url = 'here:8001'").contains("not an http(s) URL"));
        assert!(refused("driver = 'pixels'\nbatch = 0").contains("distance.batch"));
        assert!(refused("weights_sha256 = 'abc'").contains("weights_sha256"));
        assert!(refused("driver = 'dinov3'").contains("dinov3"));
        assert!(toml::from_str::<DistanceSettings>("driver = 'dino'").is_err());
    }
}
