//! `[views]` of `gen404.toml`: what draws three.js modules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ViewRenderer;
use super::chromium::ChromiumSettings;
use super::http::ViewService;
use crate::base::error::{Error, Result};
use crate::base::setting::{SettingError, check_counts, check_range};
use crate::http::{Retry, Secret};
use crate::usage::{Meter, Service};

/// The environment variable with the render service's key.
pub const RENDER_KEY: &str = "RENDER_API_KEY";

/// What draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewDriver {
    /// A render service.
    Http,
    /// A browser on this machine.
    Chromium,
}

/// The settings of views.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ViewSettings {
    /// The driver; by default the service at `url`.
    pub driver: Option<ViewDriver>,
    /// The service.
    pub url: Option<String>,
    /// Attempts per request at the service.
    pub attempts: u32,
    /// Seconds per attempt.
    pub timeout_seconds: u64,
    /// Modules drawn at the same time.
    pub workers: usize,
    /// The browser.
    pub chromium: ChromiumSettings,
    /// Counts what is asked.
    #[serde(skip)]
    pub meter: Meter,
}

impl Default for ViewSettings {
    fn default() -> Self {
        let (attempts, timeout_seconds, workers) = (5, 60, 4);
        let (chromium, meter) = (ChromiumSettings::default(), Meter::default());
        ViewSettings { driver: None, url: None, attempts, timeout_seconds, workers, chromium, meter }
    }
}

impl ViewSettings {
    /// Applies the environment over these settings: `RENDER_URL`.
    #[must_use]
    pub fn with_env(mut self, env: impl Fn(&str) -> Option<String>) -> Self {
        if let Some(url) = env("RENDER_URL").filter(|value| !value.trim().is_empty()) {
            self.url = Some(url);
        }
        self
    }

    /// The driver that these settings choose, if any.
    #[must_use]
    pub fn chosen(&self) -> Option<ViewDriver> {
        self.driver.or(self.url.as_ref().map(|_| ViewDriver::Http))
    }

    /// Opens the driver, with the environment applied.
    ///
    /// # Errors
    /// None is named, or the settings make no sense.
    pub fn open(&self, env: impl Fn(&str) -> Option<String>) -> Result<Box<dyn ViewRenderer>> {
        let settings = self.clone().with_env(&env);
        settings.check().map_err(Error::usage)?;
        match settings.chosen() {
            Some(ViewDriver::Http) => Ok(Box::new(settings.service(env)?)),
            Some(ViewDriver::Chromium) => Ok(Box::new(settings.chromium.open()?)),
            None => Err(unnamed()),
        }
    }

    /// The render service that these settings name, with the environment applied.
    ///
    /// # Errors
    /// None is named, or its URL or key cannot be used.
    pub fn service(&self, env: impl Fn(&str) -> Option<String>) -> Result<ViewService> {
        let settings = self.clone().with_env(&env);
        let url = settings.url.as_deref().ok_or_else(unnamed)?;
        let (first_pause, longest_pause) = (Duration::from_secs(2), Duration::from_secs(60));
        let retry = Retry { attempts: settings.attempts, first_pause, longest_pause };
        let key = Secret::from_env(env, RENDER_KEY)?;
        let service = ViewService::new(url, key, Duration::from_secs(settings.timeout_seconds), retry)?;
        Ok(service.metered(settings.meter.of(Service::Render)))
    }

    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting is named.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        check_counts("views", 1..=100, &[("attempts", self.attempts.into())])?;
        check_counts("views", 1..=256, &[("workers", self.workers as u64)])?;
        check_range("views.timeout_seconds", 1..=3600, self.timeout_seconds)?;
        self.chromium.check()
    }
}

fn unnamed() -> Error {
    let unknown = Error::usage("nothing is named that draws three.js modules");
    unknown.hint("give RENDER_URL, or [views] in gen404.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_the_file_or_the_environment() {
        let of = |text: &str| toml::from_str::<ViewSettings>(text).unwrap();
        assert!(of("").open(|_| None).unwrap_err().to_string().contains("nothing is named"));
        assert_eq!(of("url = 'http://there:1'").open(|_| None).unwrap().name(), "http");
        let env = |name: &str| (name == "RENDER_URL").then(|| "http://here:1".to_owned());
        assert_eq!(of("url = 'http://there'").with_env(env).url.as_deref(), Some("http://here:1"));
        assert!(of("url = 'there'").open(|_| None).is_err());
        let browser = of("driver = 'chromium'\nurl = 'http://there'");
        assert_eq!(browser.chosen(), Some(ViewDriver::Chromium));
        assert!(browser.open(|_| None).unwrap_err().to_string().contains("three.js is not named"));
        assert!(of("workers = 0").open(env).unwrap_err().to_string().contains("views.workers"));
    }
}
