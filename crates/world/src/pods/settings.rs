//! Which pods to use: `[pods]` of `gen404.toml`, and the environment.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::docker::{Docker, DockerSettings};
use super::endpoint::{EndpointProvider, EndpointSettings};
use super::program::ProgramLimits;
use super::runpod::{Runpod, RunpodSettings};
use super::targon::{Targon, TargonSettings};
use super::verda::{Verda, VerdaKeys, VerdaSettings};
use super::{ApiPolicy, Provider};
use crate::base::error::{Error, Result};
use crate::base::setting::{SettingError, check_counts, check_seconds};
use crate::http::Secret;
use crate::usage::Meter;

/// The providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderName {
    /// A program that is already running.
    Endpoint,
    /// This host's docker.
    Docker,
    /// Targon.
    Targon,
    /// Verda.
    Verda,
    /// RunPod.
    Runpod,
}

/// The settings of the pods.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PodSettings {
    /// The provider.
    pub provider: Option<ProviderName>,
    /// Take generation times from the answers instead of the clock: for sandboxes, whose runs must be
    /// reproducible, and only with `endpoint`.
    pub reported_times: bool,
    /// Time limit in seconds for a connection.
    pub connect_seconds: f64,
    /// Time limit in seconds for an answer's headers.
    pub answer_seconds: f64,
    /// Time limit in seconds from then for its body.
    pub body_seconds: f64,
    /// Size limit of a model in MiB.
    pub file_mib: u64,
    /// Time limit in seconds of each `/health` request.
    pub health_seconds: f64,
    /// Attempts per call to a provider, if it may be repeated.
    pub attempts: u32,
    /// Seconds per attempt.
    pub timeout_seconds: f64,
    /// Seconds after a failed attempt, and between two polls.
    pub pause_seconds: f64,
    /// Seconds that a deleted pod may take to disappear.
    pub delete_seconds: f64,
    /// Counts what is asked.
    #[serde(skip)]
    pub meter: Meter,
    /// A program that is already running.
    pub endpoint: EndpointSettings,
    /// This host's docker.
    pub docker: DockerSettings,
    /// Targon.
    pub targon: TargonSettings,
    /// Verda.
    pub verda: VerdaSettings,
    /// RunPod.
    pub runpod: RunpodSettings,
}

impl Default for PodSettings {
    fn default() -> Self {
        let (limits, policy) = (ProgramLimits::default(), ApiPolicy::default());
        PodSettings {
            provider: None,
            reported_times: false,
            connect_seconds: limits.connect.as_secs_f64(),
            answer_seconds: limits.headers.as_secs_f64(),
            body_seconds: limits.body.as_secs_f64(),
            file_mib: limits.bytes >> 20,
            health_seconds: limits.health.as_secs_f64(),
            attempts: policy.attempts,
            timeout_seconds: policy.timeout.as_secs_f64(),
            pause_seconds: policy.pause.as_secs_f64(),
            delete_seconds: policy.patience.as_secs_f64(),
            meter: Meter::default(),
            endpoint: EndpointSettings::default(),
            docker: DockerSettings::default(),
            targon: TargonSettings::default(),
            verda: VerdaSettings::default(),
            runpod: RunpodSettings::default(),
        }
    }
}

impl PodSettings {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first such setting is named.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        let seconds = [
            ("connect_seconds", self.connect_seconds),
            ("answer_seconds", self.answer_seconds),
            ("body_seconds", self.body_seconds),
            ("health_seconds", self.health_seconds),
            ("timeout_seconds", self.timeout_seconds),
            ("pause_seconds", self.pause_seconds),
            ("delete_seconds", self.delete_seconds),
        ];
        check_seconds("pods", 0.001, &seconds)?;
        check_counts("pods", 1..=4095, &[("file_mib", self.file_mib)])?;
        if self.reported_times && self.provider != Some(ProviderName::Endpoint) {
            let why = "pods.reported_times is only for provider = \"endpoint\": rented pods are timed";
            return Err(SettingError::Other(why.to_owned()));
        }
        Ok(())
    }

    /// The limits of requests to a program.
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

    /// Opens the provider; `None` if none is named. Nothing is asked yet. Keys come from the environment.
    ///
    /// # Errors
    /// The settings make no sense, or a key is missing.
    pub fn open(&self, env: impl Fn(&str) -> Option<String>) -> Result<Option<Box<dyn Provider>>> {
        self.check().map_err(Error::usage)?;
        let Some(provider) = self.provider else { return Ok(None) };
        let need = |name: &str| {
            let missing = || {
                let unset = Error::usage(format!("{name} is not set"));
                unset.hint(format!("the key is read from {name}, or from the file that {name}_FILE names"))
            };
            Secret::from_env(&env, name)?.ok_or_else(missing)
        };
        let hf_token = Secret::from_env(&env, "HF_TOKEN")?;
        let policy = self.policy();
        Ok(Some(match provider {
            ProviderName::Endpoint => Box::new(EndpointProvider::new(&self.endpoint)?),
            ProviderName::Docker => Box::new(Docker::new(&self.docker, hf_token)),
            ProviderName::Targon => Box::new(Targon::new(&self.targon, policy, need("TARGON_API_KEY")?, hf_token)?),
            ProviderName::Verda => {
                let (client_id, client_secret) = (need("VERDA_CLIENT_ID")?, need("VERDA_CLIENT_SECRET")?);
                let keys = VerdaKeys { client_id, client_secret, inference: need("VERDA_INFERENCE_KEY")? };
                Box::new(Verda::new(&self.verda, policy, keys, hf_token)?)
            }
            ProviderName::Runpod => Box::new(Runpod::new(&self.runpod, policy, need("RUNPOD_API_KEY")?, hf_token)?),
        }))
    }

    fn policy(&self) -> ApiPolicy {
        ApiPolicy {
            attempts: self.attempts.max(1),
            timeout: Duration::from_secs_f64(self.timeout_seconds),
            pause: Duration::from_secs_f64(self.pause_seconds),
            patience: Duration::from_secs_f64(self.delete_seconds),
            meter: self.meter.clone(),
        }
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
        for (provider, key) in
            [("targon", "TARGON_API_KEY"), ("runpod", "RUNPOD_API_KEY"), ("verda", "VERDA_CLIENT_ID")]
        {
            let settings = read(&format!("provider = '{provider}'")).unwrap();
            assert_eq!(settings.open(|_| None).unwrap_err().to_string(), format!("{key} is not set"));
            assert_eq!(settings.open(|_| Some("hunter2".to_owned())).unwrap().unwrap().name(), provider);
        }
    }

    #[test]
    fn a_key_may_lie_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "hunter2\n").unwrap();
        let env = |name: &str| (name == "K_FILE").then(|| file.display().to_string());
        assert_eq!(Secret::from_env(env, "K").unwrap(), Some(Secret::new("hunter2")));
        assert_eq!(Secret::from_env(env, "L").unwrap(), None);
        let missing = |name: &str| (name == "K_FILE").then(|| "/nowhere".to_owned());
        assert!(Secret::from_env(missing, "K").unwrap_err().to_string().contains("K_FILE=/nowhere"));
    }
}
