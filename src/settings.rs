//! `gen404.toml`: which drivers to use, and the limits of the rules.
//!
//! Flags beat the environment, which beats this file. Relative paths in it start at its own folder.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Context, Error, Kind, Result};
use crate::rules::Thresholds;
use crate::rules::seed::SeedSource;
use crate::world::builds::settings::BuildSettings;
use crate::world::chain::settings::ChainSettings;
use crate::world::distance::settings::DistanceSettings;
use crate::world::fetch::DownloadSettings;
use crate::world::judge::settings::JudgeSettings;
use crate::world::pods::settings::PodSettings;
use crate::world::regeneration::AuditSettings;
use crate::world::store::settings::StoreSettings;

/// Everything that `gen404.toml` may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The limits of the rules.
    pub rules: Thresholds,
    /// Where the chain is.
    pub chain: ChainSettings,
    /// Where seeds come from.
    pub seed: SeedConfig,
    /// What miners may name.
    pub miners: MinersConfig,
    /// Who judges.
    pub judge: JudgeSettings,
    /// How miners' files are fetched.
    pub download: DownloadSettings,
    /// Where objects are stored.
    pub store: StoreSettings,
    /// How outputs are made again.
    pub audit: AuditSettings,
    /// How far apart previews are measured to be.
    pub distance: DistanceSettings,
    /// Where miners' programs run.
    pub pods: PodSettings,
    /// Who knows of miners' image builds.
    pub builds: BuildSettings,
}

/// `[miners]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinersConfig {
    /// Take URLs on hosts that are not public (sandbox, tests).
    pub allow_private_cdn: bool,
}

/// `[seed]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeedConfig {
    /// Where seeds come from: `drand` where the chain is real, else `block`, where not given.
    pub source: Option<SeedSource>,
    /// A drand HTTP endpoint, asked for a round that the chain does not have.
    pub drand_url: Option<String>,
}

/// The name that the settings have where no other is given.
pub const FILE_NAME: &str = "gen404.toml";

impl Config {
    /// Reads the settings: the file given, or `gen404.toml` in the competition's folder, or the
    /// defaults where there is neither.
    ///
    /// # Errors
    /// The file cannot be read, or says something that nobody knows.
    pub fn load(given: Option<&Path>, root: &Path) -> Result<Config> {
        let path = match given {
            Some(path) => path.to_owned(),
            None => root.join(FILE_NAME),
        };
        if given.is_none() && !path.exists() {
            return Ok(Config::default());
        }
        let text =
            std::fs::read_to_string(&path).context(Kind::Usage, || format!("{}: cannot read", path.display()))?;
        let mut config = Config::parse(&text).map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.chain.file = config.chain.file.map(|file| folder.join(file));
        config.judge.question = config.judge.question.map(|file| folder.join(file));
        config.distance.weights = config.distance.weights.map(|file| folder.join(file));
        config.builds.file = config.builds.file.map(|file| folder.join(file));
        config.store.dir = config.store.dir.map(|dir| folder.join(dir));
        Ok(config)
    }

    /// Parses the text of a settings file.
    ///
    /// # Errors
    /// What is wrong, and where, on one line.
    pub fn parse(text: &str) -> std::result::Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|e| {
            let line = e.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
            let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            format!("{place}{}", e.message().replace('\n', " "))
        })?;
        config.rules.check()?;
        config.download.check()?;
        config.audit.check()?;
        config.distance.check()?;
        config.pods.check()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::pods::docker::DockerSettings;
    use crate::world::pods::endpoint::EndpointSettings;

    #[test]
    fn unknown_keys_and_senseless_values_are_named() {
        let wrong = |text: &str| Config::parse(text).unwrap_err();
        assert!(wrong("[rules]\ndistanse = 0.1\n").starts_with("line 2: unknown field `distanse`"));
        assert!(wrong("[rules]\nmedian_seconds = nan\n").contains("median_seconds"));
        assert!(wrong("rules = 3").starts_with("line 1:"));
        assert_eq!(Config::parse("[rules]\ntrim = 3\n").unwrap().rules.trim, 3);
    }

    #[test]
    fn the_readmes_settings_parse() {
        let readme = include_str!("../README.md");
        let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert!(Config::parse(example).unwrap().chain.network.is_some());
    }

    #[test]
    fn the_examples_commented_lines_are_the_defaults() {
        // `#key = value` is a setting, `# text` is none.
        let setting =
            |line: &'static str| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])).unwrap_or(line);
        let lines: Vec<&str> = include_str!("../examples/gen404.toml").lines().map(setting).collect();
        let config = Config::parse(&lines.join("\n")).unwrap();
        assert_eq!(config.seed.source, Some(SeedSource::Drand));
        assert_eq!(
            ChainSettings { network: None, archive: None, file: None, ..config.chain },
            ChainSettings::default()
        );
        assert_eq!(config.download, DownloadSettings::default());
        assert_eq!(BuildSettings { driver: None, repo: None, file: None, ..config.builds }, BuildSettings::default());
        assert_eq!(config.audit, AuditSettings::default());
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
