//! `[embeddings]` of `gen404.toml`: what embeds the views of three.js modules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Embedder;
use super::http::{EmbeddingService, unnamed};
use super::pixels::PixelEmbedder;
use crate::base::error::{Error, Result};
use crate::base::setting::{SettingError, check_counts, check_range};
use crate::distance::settings::DistanceSettings;
use crate::http::{Retry, Secret};
use crate::usage::{Meter, Service};

/// The environment variable with the embedding service's key.
pub const EMBEDDINGS_KEY: &str = "EMBEDDINGS_API_KEY";

/// What embeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbeddingDriver {
    /// The model in this process, with the weights of `[distance]`.
    Dinov3,
    /// A service.
    Http,
    /// Plain pixels: for sandboxes only.
    Pixels,
    /// Nothing: views are stored without embeddings.
    None,
}

/// The settings of embeddings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingSettings {
    /// The driver; by default the service at `url`.
    pub driver: Option<EmbeddingDriver>,
    /// The service.
    pub url: Option<String>,
    /// Attempts per module at the service.
    pub attempts: u32,
    /// Seconds per attempt.
    pub timeout_seconds: u64,
    /// Counts what is asked.
    #[serde(skip)]
    pub meter: Meter,
}

impl Default for EmbeddingSettings {
    fn default() -> Self {
        EmbeddingSettings { driver: None, url: None, attempts: 5, timeout_seconds: 60, meter: Meter::default() }
    }
}

impl EmbeddingSettings {
    /// Opens the driver; `None` if views are stored without embeddings. `weights` are the settings of the model in this
    /// process.
    ///
    /// # Errors
    /// None is named, or the settings make no sense.
    pub fn open(
        &self,
        weights: &DistanceSettings,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Box<dyn Embedder>>> {
        self.check().map_err(Error::usage)?;
        let service = self.url.as_ref().map(|_| EmbeddingDriver::Http);
        Ok(match self.driver.or(service).ok_or_else(unnamed)? {
            EmbeddingDriver::None => None,
            EmbeddingDriver::Pixels => Some(Box::new(PixelEmbedder)),
            EmbeddingDriver::Dinov3 => Some(model(weights)?),
            EmbeddingDriver::Http => {
                let url = self.url.as_deref().ok_or_else(unnamed)?;
                let (first_pause, longest_pause) = (Duration::from_secs(2), Duration::from_secs(60));
                let retry = Retry { attempts: self.attempts, first_pause, longest_pause };
                let timeout = Duration::from_secs(self.timeout_seconds);
                let service = EmbeddingService::new(url, Secret::from_env(env, EMBEDDINGS_KEY)?, timeout, retry)?;
                Some(Box::new(service.metered(self.meter.of(Service::Distance))))
            }
        })
    }

    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting is named.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        check_counts("embeddings", 1..=100, &[("attempts", self.attempts.into())])?;
        check_range("embeddings.timeout_seconds", 1..=3600, self.timeout_seconds)
    }
}

#[cfg(feature = "dinov3")]
fn model(weights: &DistanceSettings) -> Result<Box<dyn Embedder>> {
    Ok(Box::new(crate::distance::dinov3::Dinov3::open(weights)?))
}

#[cfg(not(feature = "dinov3"))]
fn model(_: &DistanceSettings) -> Result<Box<dyn Embedder>> {
    let without = Error::usage("embeddings by dinov3: this gen404 was built without the feature dinov3");
    Err(without.hint(
        "cargo build --release --features dinov3 (it needs libtorch 2.13: see docs/distances.md), or ask a service",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_has_to_be_named_even_if_it_is_none() {
        let of = |text: &str| {
            let settings = toml::from_str::<EmbeddingSettings>(text).unwrap();
            let opened = settings.open(&DistanceSettings::default(), |_| None);
            opened.map(|driver| driver.map(|driver| driver.name())).map_err(|error| error.to_string())
        };
        assert!(of("").unwrap_err().contains("nothing is named that embeds"));
        assert_eq!(of("driver = 'none'"), Ok(None));
        assert_eq!(of("driver = 'pixels'"), Ok(Some("pixels")));
        assert_eq!(of("url = 'http://here:1'"), Ok(Some("http")));
        assert!(of("driver = 'http'").is_err() && of("url = 'x'\nattempts = 0").is_err());
    }
}
