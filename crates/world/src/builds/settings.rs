//! Where builds are looked up: `[builds]` of `gen404.toml`, and the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::github::GitHub;
use super::registry::Registry;
use super::web::{Credentials, Web};
use super::{BuildSource, FileBuilds};
use crate::base::error::{Error, Result};
use crate::base::url::{Host, HttpUrl};
use crate::http::{Secret, shown_url};
use crate::model::ids::RepoName;
use crate::model::image::ImageName;
use crate::stop::Stop;
use crate::usage::{Meter, Service};

/// The drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildsDriver {
    /// GitHub Actions.
    Github,
    /// The registry that the images are pushed to.
    Registry,
    /// A JSON file.
    File,
}

/// The settings of builds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuildSettings {
    /// The driver; by default the one that the other settings imply.
    pub driver: Option<BuildsDriver>,
    /// The repository whose pushes start the builds.
    pub repo: Option<String>,
    /// The file name of the workflow.
    pub workflow: String,
    /// The prefix of the names of miners' jobs; ` (HOTKEY)` follows.
    pub job: String,
    /// The name of the job that sets up the others.
    pub setup_job: String,
    /// GitHub's API.
    pub api_url: String,
    /// Also ask the registry for the images of finished jobs.
    pub check_images: bool,
    /// Ask registries over http (tests).
    pub insecure_registry: bool,
    /// The file, for the driver `file`.
    pub file: Option<PathBuf>,
    /// How images are named.
    pub image: ImageName,
    /// Seconds that a build may take, counted from its push or the last start of its run; 0 means no limit.
    pub timeout_seconds: u64,
    /// Seconds between two looks with `--wait`.
    pub poll_seconds: u64,
    /// Attempts per request.
    pub attempts: u32,
    /// The longest rate limit, in seconds, that is waited for.
    pub longest_pause_seconds: u64,
    /// Counts what is asked.
    #[serde(skip)]
    pub meter: Meter,
}

impl Default for BuildSettings {
    fn default() -> Self {
        BuildSettings {
            driver: None,
            repo: None,
            workflow: "build-and-push.yml".to_owned(),
            job: "Bake and push images to Google Cloud".to_owned(),
            setup_job: "setup".to_owned(),
            api_url: "https://api.github.com".to_owned(),
            check_images: false,
            insecure_registry: false,
            file: None,
            image: ImageName::default(),
            timeout_seconds: 10_800,
            poll_seconds: 120,
            attempts: 4,
            longest_pause_seconds: 60,
            meter: Meter::default(),
        }
    }
}

impl BuildSettings {
    /// Applies the environment over these settings: `GITHUB_REPO`.
    #[must_use]
    pub fn with_env(mut self, env: impl Fn(&str) -> Option<String>) -> Self {
        self.repo = env("GITHUB_REPO").filter(|value| !value.trim().is_empty()).or(self.repo);
        self
    }

    /// The driver that these settings choose.
    #[must_use]
    pub fn chosen(&self) -> Option<BuildsDriver> {
        let spoken_of = match (&self.file, &self.repo) {
            (Some(_), _) => Some(BuildsDriver::File),
            (None, Some(_)) => Some(BuildsDriver::Github),
            (None, None) => None,
        };
        self.driver.or(spoken_of)
    }

    /// Opens the driver without asking anything yet. `own` is the operator's own folder; `run` names a CI run
    /// to use instead of the push's.
    ///
    /// # Errors
    /// No driver is named, or something that it needs is missing.
    pub fn open(
        &self,
        env: impl Fn(&str) -> Option<String>,
        own: &Path,
        run: Option<u64>,
        stop: &Stop,
    ) -> Result<Box<dyn BuildSource>> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let settings = self.clone().with_env(env);
        let repo = settings.repo.clone();
        match settings.chosen() {
            Some(BuildsDriver::File) => {
                let path = self.file.as_ref().ok_or_else(|| {
                    Error::usage("no builds file is named").hint("give --file FILE, or [builds] file in gen404.toml")
                })?;
                Ok(Box::new(FileBuilds::new(path)))
            }
            Some(BuildsDriver::Registry) => Ok(Box::new(self.registry(env, stop)?)),
            Some(BuildsDriver::Github) => Ok(Box::new(self.github(env, repo, own, run, stop)?)),
            None => {
                let unknown = Error::usage("no source of builds is named");
                Err(unknown.hint("give GITHUB_REPO=owner/name, --file FILE, or [builds] in gen404.toml"))
            }
        }
    }

    fn web(&self, stop: &Stop) -> Web {
        let web = Web::new(self.attempts, Duration::from_secs(self.longest_pause_seconds), stop.clone());
        web.metered(self.meter.of(Service::Builds))
    }

    fn registry(&self, env: impl Fn(&str) -> Option<String>, stop: &Stop) -> Result<Registry> {
        let password = Secret::from_env(&env, "REGISTRY_PASSWORD")?;
        Ok(Registry {
            web: self.web(stop),
            insecure: self.insecure_registry,
            token: Secret::from_env(&env, "REGISTRY_TOKEN")?,
            login: env("REGISTRY_USER").map(|user| user.trim().to_owned()).zip(password),
        })
    }

    fn github(
        &self,
        env: impl Fn(&str) -> Option<String>,
        repo: Option<String>,
        own: &Path,
        run: Option<u64>,
        stop: &Stop,
    ) -> Result<GitHub> {
        let repo = repo.ok_or_else(|| {
            Error::usage("the repository with the builds is not named")
                .hint("give GITHUB_REPO=owner/name, or [builds] repo in gen404.toml")
        })?;
        let repo: RepoName = repo.trim().parse().map_err(|why| Error::usage(format!("GITHUB_REPO: {why}")))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if self.workflow.is_empty() || !self.workflow.chars().all(plain) {
            let wrong = format!("[builds] workflow = {:?}: not the file name of a workflow", self.workflow);
            return Err(Error::usage(wrong));
        }
        let api = self.api_url.trim_end_matches('/').to_owned();
        let token = Secret::from_env(&env, "GITHUB_TOKEN")?;
        check_api(&api, token.is_some())?;
        Ok(GitHub {
            web: self.web(stop),
            repo,
            workflow: self.workflow.clone(),
            job: self.job.clone(),
            setup_job: self.setup_job.clone(),
            credentials: token.map(|token| Credentials::bearer(&api, &token)).transpose()?,
            api,
            run,
            registry: if self.check_images { Some(self.registry(env, stop)?) } else { None },
            own: own.to_owned(),
        })
    }
}

/// A token is never sent unencrypted, except to this machine.
fn check_api(api: &str, with_token: bool) -> Result<()> {
    let wrong = |why: &dyn std::fmt::Display| Error::usage(format!("[builds] api_url {}: {why}", shown_url(api)));
    let url = HttpUrl::parse(api).map_err(|why| wrong(&why))?;
    let here = match url.host {
        Host::Ip(ip) => ip.is_loopback(),
        Host::Name(name) => name == "localhost",
    };
    if with_token && !url.https && !here {
        return Err(wrong(&"GITHUB_TOKEN is sent over https only"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_the_one_that_is_spoken_of() {
        let own = Path::new("/nowhere");
        let open = |text: &str, repo: Option<&str>| {
            let repo = repo.map(str::to_owned);
            let env = |name: &str| if name == "GITHUB_REPO" { repo.clone() } else { None };
            let source = toml::from_str::<BuildSettings>(text).unwrap().open(env, own, None, &Stop::default());
            source.map(|source| source.name()).map_err(|error| error.to_string())
        };
        assert!(open("", None).unwrap_err().contains("no source of builds"));
        assert!(open("repo = 'a/b'", None).unwrap().contains("build-and-push.yml of a/b"));
        assert!(open("repo = 'a/b'", Some("c/d")).unwrap().contains("of c/d"));
        assert_eq!(open("file = 'x.json'", Some("c/d")).unwrap(), "x.json");
        assert!(open("driver = 'registry'", None).unwrap().contains("registry"));
        for bad in ["driver = 'file'", "driver = 'github'", "repo = 'a'", "repo = 'a/b'\nworkflow = '../x'"] {
            assert!(open(bad, None).is_err(), "{bad}");
        }
        assert!(toml::from_str::<BuildSettings>("token = 'x'").is_err(), "tokens come from the environment");
    }

    #[test]
    fn a_token_is_not_sent_in_the_open() {
        assert!(check_api("http://github.example", true).is_err());
        for (api, with_token) in
            [("http://github.example", false), ("http://127.0.0.1:1", true), ("https://x.org", true)]
        {
            assert!(check_api(api, with_token).is_ok(), "{api}");
        }
    }
}
