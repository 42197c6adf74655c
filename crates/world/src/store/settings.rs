//! Which object store to use: `[store]` of `gen404.toml`, and the environment.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ObjectStore;
use super::dir::DirStore;
use super::r2::{Bucket, R2Store};
use crate::base::error::{Error, Result};
use crate::base::url::HttpUrl;
use crate::http::{HttpLimits, Retry, Secret, shown_url};
use crate::usage::{Meter, Service};

/// The bucket and the domain of the deployed competition.
const BUCKET: &str = "404-gen";
const CDN: &str = "https://subnet404.xyz";

/// Size limit of an object that is read back, a miner's file or a preview.
const LARGEST_OBJECT: u64 = 1 << 30;

/// The settings of the object store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// A folder instead of a bucket.
    pub dir: Option<PathBuf>,
    /// The S3 endpoint.
    pub endpoint: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The base of public URLs.
    pub cdn_url: Option<String>,
    /// Attempts per request.
    pub attempts: u32,
    /// Seconds per attempt.
    pub timeout_seconds: u64,
    /// Nothing is to be stored, so a missing folder is not created.
    #[serde(skip)]
    pub dry_run: bool,
    /// Counts what is asked.
    #[serde(skip)]
    pub meter: Meter,
}

impl Default for StoreSettings {
    fn default() -> Self {
        let (bucket, region) = (BUCKET.to_owned(), "auto".to_owned());
        let (dir, endpoint, cdn_url) = (None, None, None);
        let (attempts, timeout_seconds, meter) = (5, 300, Meter::default());
        StoreSettings { dir, endpoint, bucket, region, cdn_url, attempts, timeout_seconds, dry_run: false, meter }
    }
}

impl StoreSettings {
    /// Applies the environment over these settings: `R2_ENDPOINT`, `R2_BUCKET`, `CDN_URL`.
    #[must_use]
    pub fn with_env(mut self, env: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name| env(name).filter(|value| !value.trim().is_empty());
        if let Some(endpoint) = given("R2_ENDPOINT") {
            self.endpoint = Some(endpoint);
        }
        if let Some(bucket) = given("R2_BUCKET") {
            self.bucket = bucket;
        }
        if let Some(cdn) = given("CDN_URL") {
            self.cdn_url = Some(cdn);
        }
        self
    }

    /// Opens the store; `None` if none is named.
    ///
    /// # Errors
    /// The folder cannot be created, or the bucket's keys are not in the environment.
    pub fn open(&self, env: impl Fn(&str) -> Option<String>) -> Result<Option<Box<dyn ObjectStore>>> {
        if let Some(dir) = &self.dir {
            let open = if self.dry_run { DirStore::unmade } else { DirStore::open };
            return Ok(Some(Box::new(open(dir, self.cdn_url.as_deref())?)));
        }
        let Some(endpoint) = &self.endpoint else { return Ok(None) };
        let secret = |name: &str| {
            let missing = || {
                let unset = Error::usage(format!("{name} is not set"));
                unset.hint(format!("a key of the bucket at R2_ENDPOINT; {name}_FILE may name a file that holds it"))
            };
            Secret::from_env(&env, name)?.ok_or_else(missing)
        };
        let bucket = Bucket {
            endpoint: endpoint.trim().to_owned(),
            name: self.bucket.clone(),
            region: self.region.clone(),
            cdn: self.cdn_url.clone().unwrap_or_else(|| CDN.to_owned()),
        };
        for (name, url) in [("R2_ENDPOINT", &bucket.endpoint), ("CDN_URL", &bucket.cdn)] {
            HttpUrl::parse(url).map_err(|why| Error::usage(format!("{name}: {}: {why}", shown_url(url))))?;
        }
        let whole = Duration::from_secs(self.timeout_seconds.max(1));
        let limits = HttpLimits { idle: whole, whole, body: LARGEST_OBJECT, ..HttpLimits::default() };
        let retry = Retry { attempts: self.attempts, ..Retry::default() };
        let (id, key) = (secret("R2_ACCESS_KEY_ID")?, secret("R2_SECRET_ACCESS_KEY")?);
        let store = R2Store::new(bucket, &id, &key, limits, retry).metered(self.meter.of(Service::Store));
        Ok(Some(Box::new(store)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_beats_the_file_and_keys_are_needed() {
        let env = |name: &str| match name {
            "R2_ENDPOINT" => Some("https://a.r2.cloudflarestorage.com".to_owned()),
            "CDN_URL" => Some("https://cdn.example".to_owned()),
            "R2_ACCESS_KEY_ID" => Some("id".to_owned()),
            _ => None,
        };
        let file = StoreSettings { endpoint: Some("https://other".to_owned()), ..StoreSettings::default() };
        let settings = file.with_env(env);
        assert_eq!(settings.endpoint.as_deref(), Some("https://a.r2.cloudflarestorage.com"));
        let missing = settings.open(env).unwrap_err();
        assert_eq!(missing.to_string(), "R2_SECRET_ACCESS_KEY is not set");
        let both = |name: &str| env(name).or_else(|| Some("hunter2".to_owned()));
        assert!(settings.open(both).unwrap().unwrap().name().contains("404-gen"));
        assert!(StoreSettings::default().open(env).unwrap().is_none());
    }
}
