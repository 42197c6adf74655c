//! `gen404.toml`: which drivers to use. Settings are the operator's own: those that a repository brings along
//! are never followed. The rules of a competition are public, and are in its `config.json`.
//!
//! Flags override the environment, which overrides this file. Relative paths in it start at the file's own
//! folder.

pub(crate) mod audit;
pub(crate) mod flags;
pub mod lease;
pub(crate) mod limits;
pub(crate) mod origins;
pub(crate) mod salvage;
pub(crate) mod servers;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::audit::AuditSettings;
use self::lease::LeaseSettings;
use self::limits::RoundLimits;
use crate::base::error::{Error, Result, plainly};
use crate::base::files;
use crate::base::setting::SettingError;
use crate::rules::seed::SeedSource;
use crate::world::builds::settings::BuildSettings;
use crate::world::chain::settings::ChainSettings;
use crate::world::distance::settings::DistanceSettings;
use crate::world::embeddings::settings::EmbeddingSettings;
use crate::world::fetch::DownloadSettings;
use crate::world::git::Git;
use crate::world::judge::settings::JudgeSettings;
use crate::world::notify::{Endpoints, HeartbeatSettings, OutboxSettings};
use crate::world::pods::settings::PodSettings;
use crate::world::store::settings::StoreSettings;
use crate::world::usage::Meter;
use crate::world::views::settings::ViewSettings;

/// The contents of `gen404.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the chain is.
    pub chain: ChainSettings,
    /// What is recorded while reveals are still accepted.
    pub open: OpenConfig,
    /// Where seeds come from.
    pub seed: SeedConfig,
    /// What miners may name.
    pub miners: MinersConfig,
    /// The judge.
    pub judge: JudgeSettings,
    /// How miners' files are fetched.
    pub download: DownloadSettings,
    /// Where objects are stored.
    pub store: StoreSettings,
    /// How outputs are regenerated.
    pub audit: AuditSettings,
    /// How distances between previews are measured.
    pub distance: DistanceSettings,
    /// What draws three.js modules.
    pub views: ViewSettings,
    /// What embeds their views.
    pub embeddings: EmbeddingSettings,
    /// Where miners' programs run.
    pub pods: PodSettings,
    /// Where the state of miners' image builds is known.
    pub builds: BuildSettings,
    /// Who is told of what happens.
    pub notify: Endpoints,
    /// What is pinged by each run.
    pub heartbeat: HeartbeatSettings,
    /// How messages are sent.
    pub outbox: OutboxSettings,
    /// Numbers for a monitor.
    pub metrics: MetricsConfig,
    /// How much a round may use.
    pub limits: RoundLimits,
    /// Whether steps are announced to other hosts.
    pub lease: LeaseSettings,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// The file that each run writes, in Prometheus' text format.
    pub file: Option<PathBuf>,
}

/// `[miners]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinersConfig {
    /// Accept URLs on hosts that are not public (sandbox, tests).
    pub allow_private_cdn: bool,
    /// Three.js: what an owner has to have locked for each of its submissions, in alpha; 0 admits every submission.
    pub required_lock_alpha: u64,
    /// Three.js: read each miner's `hardware.json` from its repository.
    pub hardware: bool,
    /// Three.js: where from.
    pub hardware_url: String,
}

impl Default for MinersConfig {
    fn default() -> Self {
        MinersConfig {
            allow_private_cdn: false,
            required_lock_alpha: 100,
            hardware: false,
            hardware_url: "https://api.github.com".to_owned(),
        }
    }
}

/// `[open]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenConfig {
    /// `advance` also records submissions before the window ends.
    pub early: bool,
}

/// `[seed]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedConfig {
    /// Where seeds come from; by default `drand` with a real chain, else `block`.
    pub source: Option<SeedSource>,
    /// A drand HTTP endpoint, asked for rounds that are not on the chain.
    pub drand_url: Option<String>,
}

/// What errors call the settings that cannot be followed, whatever file they are in, and how they fail.
pub(crate) const SETTINGS: &str = "settings";
const UNUSABLE: &str = "unusable";

/// The default name of the settings file.
pub const FILE_NAME: &str = "gen404.toml";

/// Which settings are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingsSource {
    /// The file that the operator named.
    Named(PathBuf),
    /// The one in the competition's folder, which is the operator's own: git does not track it.
    Own(PathBuf),
    /// No file: there is none, or it may be someone else's, as this line says.
    Defaults(Option<String>),
}

impl SettingsSource {
    /// Finds the settings of the competition at `root`.
    #[must_use]
    pub fn of(named: Option<&Path>, root: &Path, git: Option<&Git>) -> SettingsSource {
        if let Some(named) = named.filter(|named| !named.as_os_str().is_empty()) {
            return SettingsSource::Named(named.to_owned());
        }
        if root.join(FILE_NAME).symlink_metadata().is_err() {
            return SettingsSource::Defaults(None);
        }
        let why = match git.map(|git| git.tracks(FILE_NAME)) {
            Some(Ok(false)) => return SettingsSource::Own(root.to_owned()),
            Some(Ok(true)) => "git tracks it, so it may be someone else's".to_owned(),
            Some(Err(error)) => format!("cannot tell whether git tracks it ({error})"),
            None => "without git its origin is unknown".to_owned(),
        };
        let here = std::env::current_dir().and_then(|here| here.canonicalize()).is_ok_and(|here| here == root);
        let file = if here { PathBuf::from(FILE_NAME) } else { root.join(FILE_NAME) };
        SettingsSource::Defaults(Some(format!(
            "{FILE_NAME} is not followed: {why}; to follow it on purpose: --config {}",
            file.display()
        )))
    }
}

impl SettingsSource {
    /// The file that is followed, if any.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            SettingsSource::Named(path) => Some(path.clone()),
            SettingsSource::Own(root) => Some(root.join(FILE_NAME)),
            SettingsSource::Defaults(_) => None,
        }
    }

    /// The file that is followed and its text; `None` if there is none.
    ///
    /// # Errors
    /// A named file is missing, or the file cannot be read.
    pub(crate) fn read(&self) -> Result<Option<(PathBuf, String)>> {
        let usage = |error: Error| Error::usage(error.to_string());
        let (path, bytes) = match self {
            SettingsSource::Defaults(_) => return Ok(None),
            // A named file may be a link: mounted settings are.
            SettingsSource::Named(path) => (path.clone(), files::read(path, files::SMALL).map_err(usage)?),
            SettingsSource::Own(root) => {
                let read = files::read_below(root, Path::new(FILE_NAME), files::SMALL);
                let hinted = |error| usage(error).hint(format!("to follow it anyway: --config {FILE_NAME}"));
                (root.join(FILE_NAME), read.map_err(hinted)?)
            }
        };
        let bytes = bytes.ok_or_else(|| Error::usage(format!("{}: no such file", path.display())))?;
        let text = String::from_utf8(bytes).map_err(|_| Error::usage(format!("{}: not UTF-8", path.display())))?;
        Ok(Some((path, text)))
    }
}

/// Why a text is not valid settings.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ConfigError {
    #[error("{place}[rules] is not a setting: the rules of a competition are in its config.json")]
    Rules { place: String },
    #[error("{place}{why}")]
    Toml { place: String, why: String },
    #[error(transparent)]
    Setting(#[from] SettingError),
}

impl Config {
    /// Reads the settings; without a file, they are the defaults.
    ///
    /// # Errors
    /// A named file is missing, the file cannot be read, or it contains an unknown key or a bad value.
    pub fn load(source: &SettingsSource) -> Result<Config> {
        Config::of(source).map_err(|error| error.of_service(Some(SETTINGS)).of_manner(Some(UNUSABLE)))
    }

    fn of(source: &SettingsSource) -> Result<Config> {
        let Some((path, text)) = source.read()? else { return Ok(Config::default()) };
        let wrong = |why: &dyn std::fmt::Display| Error::usage(format!("{}: {why}", path.display()));
        let mut config = Config::parse(&text).map_err(|why| match has_rules(&text) {
            true => wrong(&why).hint("rules are public: move them to \"rules\" in config.json, and commit that"),
            false => wrong(&why),
        })?;
        config.start_at(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// The same settings, whose clients count in this meter.
    #[must_use]
    pub(crate) fn metered(mut self, meter: &Meter) -> Config {
        let meters = [
            &mut self.chain.meter,
            &mut self.judge.meter,
            &mut self.store.meter,
            &mut self.distance.meter,
            &mut self.views.meter,
            &mut self.embeddings.meter,
            &mut self.pods.meter,
            &mut self.builds.meter,
        ];
        meters.into_iter().for_each(|own| *own = meter.clone());
        self
    }

    /// Makes relative paths start at this folder.
    fn start_at(&mut self, folder: &Path) {
        let paths = [
            &mut self.chain.file,
            &mut self.judge.question,
            &mut self.distance.weights,
            &mut self.builds.file,
            &mut self.store.dir,
            &mut self.metrics.file,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&path);
        }
    }

    /// Parses the text of a settings file.
    ///
    /// # Errors
    /// What is wrong and where, on one line.
    pub fn parse(text: &str) -> std::result::Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|e| {
            let line = e.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            match e.message().starts_with("unknown field `rules`") && has_rules(text) {
                true => ConfigError::Rules { place },
                false => ConfigError::Toml { place, why: plainly(&e.message().replace('\n', " ")) },
            }
        })?;
        config.chain.check().map_err(|why| {
            ConfigError::Setting(SettingError::Other(format!("{}{why}", place_of(text, "chain", why.key))))
        })?;
        config.download.check()?;
        config.audit.check()?;
        config.distance.check()?;
        config.views.check()?;
        config.embeddings.check()?;
        config.pods.check()?;
        config.notify.check()?;
        config.heartbeat.check()?;
        config.outbox.check()?;
        config.limits.check()?;
        config.lease.check()?;
        Ok(config)
    }
}

/// "line N: ", for the key of a table; empty where the key is written in another way.
fn place_of(text: &str, table: &str, key: &str) -> String {
    let mut lines = text.lines().map(str::trim).enumerate();
    let is_key = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='));
    let begun = lines.any(|(_, line)| line.starts_with(&format!("[{table}]")));
    let found = lines.take_while(|(_, line)| begun && !line.starts_with('[')).find(|(_, line)| is_key(line));
    found.map(|(at, _)| format!("line {}: ", at + 1)).unwrap_or_default()
}

/// A settings file to start from: every key with its meaning, all commented out but the chain's `network` or `file`, if
/// it is known.
#[must_use]
pub fn beginning(chain: Option<(&str, &str)>) -> String {
    let mut chain = chain.map(|(key, value)| (key, format!("{key} = {}", toml::Value::from(value))));
    let has_chain = chain.is_some();
    let mut line = |line: &str| {
        let key = line.trim_start_matches('#').split_once(" = ").map(|(key, _)| key);
        match chain.take_if(|(wanted, _)| key == Some(*wanted)) {
            Some((_, given)) => given,
            None if has_chain && line.starts_with("[chain]") => line.to_owned(),
            None if line.is_empty() || line.starts_with('#') => line.to_owned(),
            None => format!("#{line}"),
        }
    };
    include_str!("../../examples/gen404.toml").lines().map(|text| line(text) + "\n").collect()
}

/// Does the file contain the rules of a competition, as older settings could?
fn has_rules(text: &str) -> bool {
    toml::from_str::<toml::Table>(text).is_ok_and(|settings| settings.contains_key("rules"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::pods::docker::DockerSettings;
    use crate::world::pods::endpoint::EndpointSettings;

    #[test]
    fn unknown_keys_and_senseless_values_are_named() {
        let wrong = |text: &str| Config::parse(text).unwrap_err().to_string();
        assert!(wrong("[judge]\nmodle = 'x'\n").starts_with("line 2: unknown key `modle`"));
        assert!(wrong("[download]\nconnect_seconds = nan\n").contains("connect_seconds"));
        assert!(wrong("chain = 3").starts_with("line 1:"));
        let chain = wrong("[miners]\n[chain]\nnetuid = 3\nnetwork = 'ftp://x'\n");
        assert!(chain.starts_with("line 4: [chain] network: ") && chain.contains("ftp"), "{chain}");
        assert!(wrong("chain.archive = ['a b']").starts_with("[chain] archive: "));
        assert!(wrong("\n[rules]\ntrim = 3\n").starts_with("line 2: [rules] is not a setting"));
        assert!(wrong("[judge]\nrules = 3\n").contains("unknown key `rules`, expected"));
    }

    #[test]
    fn settings_to_begin_with_say_nothing_but_the_chain() {
        assert_eq!(Config::parse(&beginning(None)).unwrap(), Config::default());
        let begun = |key, value| Config::parse(&beginning(Some((key, value)))).unwrap();
        let on_network = begun("network", "wss://a.example/x'y");
        assert_eq!(on_network.chain.network.as_ref().unwrap().list(), ["wss://a.example/x'y"]);
        let from_file = begun("file", "/a b/chain.json");
        assert_eq!(from_file.chain.file.as_deref(), Some(Path::new("/a b/chain.json")));
        for config in [on_network, from_file] {
            let chain = ChainSettings { network: None, file: None, ..config.chain.clone() };
            assert_eq!(Config { chain, ..config }, Config::default());
        }
    }

    #[test]
    fn the_short_file_of_the_docs_parses() {
        let page = include_str!("../../docs/settings.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert!(Config::parse(example).unwrap().chain.network.is_some());
    }

    #[test]
    fn the_examples_commented_lines_are_the_defaults() {
        // `#key = value` is a setting, `# text` is a comment.
        let setting =
            |line: &'static str| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])).unwrap_or(line);
        let lines: Vec<&str> = include_str!("../../examples/gen404.toml").lines().map(setting).collect();
        let config = Config::parse(&lines.join("\n")).unwrap();
        assert_eq!((config.seed.source, config.open), (Some(SeedSource::Drand), OpenConfig::default()));
        assert_eq!(
            ChainSettings { network: None, archive: None, file: None, ..config.chain },
            ChainSettings::default()
        );
        assert_eq!(config.download, DownloadSettings::default());
        assert_eq!(BuildSettings { driver: None, repo: None, file: None, ..config.builds }, BuildSettings::default());
        assert_eq!(config.audit, AuditSettings::default());
        assert_eq!(LeaseSettings { host: None, ..config.lease }, LeaseSettings::default());
        assert_eq!(
            DistanceSettings { driver: None, url: None, weights: None, weights_sha256: None, ..config.distance },
            DistanceSettings::default()
        );
        assert_eq!(
            StoreSettings { dir: None, endpoint: None, cdn_url: None, ..config.store },
            StoreSettings::default()
        );
        assert_eq!(
            PodSettings {
                provider: None,
                endpoint: EndpointSettings::default(),
                docker: DockerSettings::default(),
                ..config.pods
            },
            PodSettings::default()
        );
    }
}
