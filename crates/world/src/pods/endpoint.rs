//! A program that is already running somewhere: "renting" a pod only records its use.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::program::{Health, Program, ProgramLimits};
use super::{Deployed, Endpoint, Listed, PodId, PodOrder, PodState, Provider};
use crate::base::error::{Error, Result};
use crate::base::url::HttpUrl;
use crate::http::shown_url;
use crate::probe::{PATIENCE, Probed};

/// `[pods.endpoint]` of `gen404.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointSettings {
    /// The URL of a pod's program: `{player}`, `{image}`, `{tag}` and `{number}` stand for the miner's hotkey
    /// (or `leader`), the image, its tag, and the pod's number in its run.
    pub url: Option<String>,
    /// Pods that may share a URL: how many prompts the program behind it handles at the same time.
    pub at_once: usize,
}

impl Default for EndpointSettings {
    fn default() -> Self {
        EndpointSettings { url: None, at_once: 1 }
    }
}

/// The driver.
#[derive(Debug)]
pub struct EndpointProvider {
    template: String,
    at_once: usize,
    /// The URLs of the pods in use, by pod name.
    book: Mutex<BTreeMap<String, String>>,
}

impl EndpointProvider {
    /// Pods at the URLs that the settings' template makes.
    ///
    /// # Errors
    /// There is no template, or it does not yield a URL.
    pub fn new(settings: &EndpointSettings) -> Result<Self> {
        let Some(template) = &settings.url else {
            let missing = Error::usage("[pods.endpoint] url is not given");
            return Err(missing.hint("a running program's URL: http://host:10006, or http://host/{player}"));
        };
        let sample = template.replace("{number}", "0").replace(['{', '}'], "");
        HttpUrl::parse(&sample)
            .map_err(|why| Error::usage(format!("[pods.endpoint] url {}: {why}", shown_url(template))))?;
        let book = Mutex::default();
        Ok(EndpointProvider { template: template.clone(), at_once: settings.at_once.max(1), book })
    }

    fn url(&self, order: &PodOrder) -> String {
        let number = order.name.as_str().rsplit('-').next().unwrap_or_default();
        let url = self.template.replace("{player}", order.player.as_str()).replace("{number}", number);
        let url = url.replace("{tag}", &in_path(tag(&order.image))).replace("{image}", &in_path(&order.image));
        url.trim_end_matches('/').to_owned()
    }

    fn book(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Provider for EndpointProvider {
    fn name(&self) -> &'static str {
        "endpoint"
    }

    fn deploy(&self, order: &PodOrder) -> Result<Deployed> {
        let (url, name) = (self.url(order), order.name.as_str());
        let mut book = self.book();
        if book.iter().filter(|(other, used)| *other != name && **used == url).count() >= self.at_once {
            return Ok(Deployed::NoCapacity(format!("{} is in use", shown_url(&url))));
        }
        book.insert(name.to_owned(), url);
        Ok(Deployed::Pod(PodId(name.to_owned())))
    }

    fn look(&self, pod: &PodId) -> Result<PodState> {
        Ok(match self.book().get(&pod.0) {
            Some(url) => PodState::Reachable(Endpoint { url: url.clone(), key: None }),
            None => PodState::Failed("it was released".to_owned()),
        })
    }

    fn release(&self, pod: &PodId) -> Result<()> {
        self.book().remove(&pod.0);
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let book = self.book();
        let ours = book.keys().filter(|name| name.starts_with(prefix));
        Ok(ours.map(|name| Listed { id: PodId(name.clone()), name: name.clone() }).collect())
    }

    fn is_the_operators(&self) -> bool {
        true
    }

    fn probe(&self, order: &PodOrder) -> Result<Probed> {
        let (url, limits) = (self.url(order), ProgramLimits { health: PATIENCE, ..ProgramLimits::default() });
        let (shown, endpoint) = (shown_url(&url), Endpoint { url, key: None });
        match Program::new(endpoint, limits).health() {
            Health::Ready => Ok(Probed::fine(format!("endpoint: {shown} is ready"))),
            Health::NotYet(why) | Health::Refused(why) => Err(Error::outside(format!("{shown}: {why}"))
                .hint("[pods.endpoint] url in gen404.toml names a program that is already running")),
        }
    }
}

/// An image's tag; empty if it has none.
fn tag(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split('@').next().and_then(|name| name.split_once(':')).map_or("", |(_, tag)| tag)
}

/// Percent-encodes a text as a path segment.
pub(super) fn in_path(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{Player, RoundNumber};
    use crate::pods::PodName;

    fn order(number: usize) -> PodOrder {
        let name = PodName::new(RoundNumber(3), &Player::Leader, "ab12", number);
        PodOrder {
            name,
            player: Player::Leader,
            image: "ghcr.io:443/a/b:0a1b2c3-mesh-3".to_owned(),
            hardware: Default::default(),
        }
    }

    fn provider(url: &str) -> Result<EndpointProvider> {
        EndpointProvider::new(&EndpointSettings { url: Some(url.to_owned()), ..EndpointSettings::default() })
    }

    #[test]
    fn a_template_is_filled_in() {
        for (template, url) in [
            ("http://h:1/{player}/", "http://h:1/leader"),
            ("http://h:1/{tag}", "http://h:1/0a1b2c3-mesh-3"),
            ("http://h:1/{image}", "http://h:1/ghcr.io%3A443%2Fa%2Fb%3A0a1b2c3-mesh-3"),
            ("http://h:800{number}", "http://h:8007"),
        ] {
            assert_eq!(provider(template).unwrap().url(&order(7)), url);
        }
        assert!(provider("host:1/{player}").is_err());
        assert!(EndpointProvider::new(&EndpointSettings::default()).is_err());
        assert_eq!((tag("a/b"), tag("a:1/b"), tag("b:t@sha256:0")), ("", "", "t"));
    }

    #[test]
    fn one_program_is_not_used_twice_at_the_same_time() {
        let provider = provider("http://h:1").unwrap();
        let Deployed::Pod(first) = provider.deploy(&order(0)).unwrap() else { panic!("in use") };
        assert!(matches!(provider.deploy(&order(1)).unwrap(), Deployed::NoCapacity(_)));
        assert_eq!(provider.list("g404-3-leader-").unwrap().len(), 1);
        provider.release(&first).unwrap();
        assert!(matches!(provider.look(&first).unwrap(), PodState::Failed(_)));
        assert!(matches!(provider.deploy(&order(1)).unwrap(), Deployed::Pod(_)));
    }
}
