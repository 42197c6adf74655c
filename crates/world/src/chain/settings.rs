//! Which chain to read: `[chain]` of `gen404.toml`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Chain;
use super::endpoints::{Endpoints, NodeUrl};
use super::file::FileChain;
use super::subtensor::Subtensor;
use crate::base::error::{Error, Result};
use crate::http::{Client, HttpLimits, Retry};
use crate::model::reveal::Compat;
use crate::usage::{Meter, Service};

/// The subnet of 404-GEN.
const NETUID: u16 = 17;

/// One network or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Networks {
    /// A name or URL, or a comma-separated list.
    One(String),
    /// Names or URLs, in order of preference.
    Several(Vec<String>),
}

impl Networks {
    /// The names and URLs, in order of preference.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        match self {
            Networks::One(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            Networks::Several(list) => list.clone(),
        }
    }

    /// The same for messages: URLs without their paths, which may hold keys.
    #[must_use]
    pub fn shown(&self) -> String {
        let shown = |text: String| NodeUrl::parse(&text).map_or(text, |url| url.to_string());
        self.list().into_iter().filter(|text| !text.is_empty()).map(shown).collect::<Vec<_>>().join(", ")
    }
}

/// The source of the current time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// This machine's clock.
    #[default]
    System,
    /// The chain: what is written then depends on the chain alone (sandboxes, reproductions).
    Block,
}

/// The settings of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainSettings {
    /// A JSON file to read instead of a real chain.
    pub file: Option<PathBuf>,
    /// `finney`, `test`, `local`, `archive`, or nodes' URLs. `file` overrides it.
    pub network: Option<Networks>,
    /// URLs of archive nodes, asked for state that the others have discarded.
    pub archive: Option<Networks>,
    /// The subnet.
    pub netuid: u16,
    /// How stored commitments are decoded: `strict`, or `sdk10` as the deployed validator does it.
    pub compat: Compat,
    /// The source of the current time: the `system` clock, or the newest `block`'s own time.
    pub clock: Clock,
    /// Attempts per call at each endpoint.
    pub attempts: u32,
    /// Seconds per attempt.
    pub timeout_seconds: u64,
    /// Keys per page, up to 1000.
    pub keys_a_page: usize,
    /// Counts what is asked.
    #[serde(skip)]
    pub meter: Meter,
}

impl Default for ChainSettings {
    fn default() -> Self {
        ChainSettings {
            file: None,
            network: None,
            archive: None,
            netuid: NETUID,
            compat: Compat::Strict,
            clock: Clock::System,
            attempts: Retry::default().attempts,
            timeout_seconds: HttpLimits::default().whole.as_secs(),
            keys_a_page: 1000,
            meter: Meter::default(),
        }
    }
}

/// A key of `[chain]` that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[chain] {key}: {why}")]
pub struct ChainMistake {
    /// The key.
    pub key: &'static str,
    why: String,
}

impl ChainSettings {
    /// The HTTP client for nodes.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client_of(Service::Chain)
    }

    /// The HTTP client for drand endpoints.
    #[must_use]
    pub fn drand_client(&self) -> Client {
        self.client_of(Service::Drand)
    }

    fn client_of(&self, service: Service) -> Client {
        let limits = HttpLimits::default();
        let whole = Duration::from_secs(self.timeout_seconds.max(1));
        let limits = HttpLimits { whole, connect: limits.connect.min(whole), idle: limits.idle.min(whole), ..limits };
        let retry = Retry { attempts: self.attempts.max(1), ..Retry::default() };
        Client::new(limits, retry).metered(self.meter.of(service))
    }

    /// Checks what can be checked without a node.
    ///
    /// # Errors
    /// A network is neither a known name nor a URL.
    pub fn check(&self) -> std::result::Result<(), ChainMistake> {
        let mistake = |key: &'static str| {
            move |error: Error| {
                let hints: Vec<String> = error.hints().iter().map(|hint| format!("; {hint}")).collect();
                ChainMistake { key, why: format!("{error}{}", hints.concat()) }
            }
        };
        let list = |networks: &Option<Networks>| networks.as_ref().map(Networks::list).unwrap_or_default();
        let (networks, archives) = (list(&self.network), list(&self.archive));
        if self.network.is_some() {
            Endpoints::of(&networks, &[]).map_err(mistake("network"))?;
        }
        if self.archive.is_some() {
            Endpoints::of(&["finney".to_owned()], &archives).map_err(mistake("archive"))?;
        }
        Ok(())
    }

    /// The same for a quick look: nodes on this machine are asked once, since one that is not there stays away.
    #[must_use]
    pub fn at_a_glance(self) -> Self {
        if self.is_local() { ChainSettings { attempts: 1, ..self } } else { self }
    }

    /// Are all its nodes on this machine?
    #[must_use]
    pub fn is_local(&self) -> bool {
        let networks = self.network.as_ref().map(Networks::list).unwrap_or_default();
        Endpoints::of(&networks, &[]).is_ok_and(|found| found.nodes.iter().all(NodeUrl::is_local))
    }

    /// Opens the chain; `None` if none is named. No node is asked yet.
    ///
    /// # Errors
    /// The settings make no sense, or the chain file cannot be read.
    pub fn open(&self) -> Result<Option<Box<dyn Chain>>> {
        if let Some(file) = &self.file {
            return Ok(Some(Box::new(FileChain::open(file)?)));
        }
        let Some(network) = &self.network else { return Ok(None) };
        if !(1..=1000).contains(&self.keys_a_page) {
            return Err(Error::usage(format!("[chain] keys_a_page = {}: it must be from 1 to 1000", self.keys_a_page)));
        }
        let archives = self.archive.as_ref().map(Networks::list).unwrap_or_default();
        let endpoints = Endpoints::of(&network.list(), &archives)?;
        Ok(Some(Box::new(Subtensor::new(endpoints, self.netuid, self.client()).keys_a_page(self.keys_a_page))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_refuse_what_they_do_not_know() {
        let settings: ChainSettings = toml::from_str("").unwrap();
        assert_eq!(settings, ChainSettings::default());
        assert!(settings.open().unwrap().is_none());
        let several: ChainSettings =
            toml::from_str("network = ['wss://a.example', 'finney']\nnetuid = 3\ncompat = 'sdk10'").unwrap();
        assert_eq!((several.netuid, several.compat), (3, Compat::Sdk10));
        assert!(several.open().unwrap().unwrap().name().starts_with("https://a.example, https://entry"));
        for bad in ["networks = 'finney'", "netuid = 70000", "compat = 'sdk11'"] {
            assert!(toml::from_str::<ChainSettings>(bad).is_err(), "{bad}");
        }
    }
}
