//! The rule for miners' URLs at connection level (DESIGN 4.7).
//!
//! ureq asks this resolver for the addresses of every URL before it connects, redirects included, and connects
//! to exactly these: a name is looked up once, so it cannot be public when checked and private when used (DNS
//! rebinding).

use std::fmt;
use std::net::IpAddr;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::heed::{Heed, System};
use crate::base::url::{Host, HttpUrl, UrlError, is_public};

/// As many addresses per name as ureq keeps.
const MOST_ADDRESSES: usize = 16;

/// A name look-up: the system's, or a table in tests.
pub trait Lookup: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a host name; empty if there is no such host.
    fn addresses(&self, name: &str) -> Vec<IpAddr>;
}

/// Resolves only addresses that may be connected to on behalf of a miner.
#[derive(Debug, Default)]
pub(super) struct PublicResolver {
    system: System,
    lookup: Option<Box<dyn Lookup>>,
    allow_private: bool,
}

impl PublicResolver {
    pub(super) fn new(heed: &Heed, allow_private: bool) -> Self {
        PublicResolver { system: System::new(heed), allow_private, ..PublicResolver::default() }
    }

    pub(super) fn by(lookup: impl Lookup, allow_private: bool) -> Self {
        PublicResolver { lookup: Some(Box::new(lookup)), allow_private, ..PublicResolver::default() }
    }

    fn look_up(
        &self,
        url: &HttpUrl<'_>,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = match (&url.host, &self.lookup) {
            // The system's resolver runs in a thread of its own, which an IP address does not need.
            (Host::Ip(ip), _) => vec![*ip],
            (Host::Name(name), Some(lookup)) => lookup.addresses(name),
            (Host::Name(_), None) => return self.system.resolve(uri, config, timeout),
        };
        let mut found = self.empty();
        for ip in addresses.into_iter().take(MOST_ADDRESSES) {
            found.push((ip, url.port).into());
        }
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

/// A URL or address that the rule refuses.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("refused: {0}")]
    Url(UrlError),
    #[error("refused: {host} resolves to {ip}, which is not a public address")]
    Address { host: String, ip: IpAddr },
}

impl From<Refused> for ureq::Error {
    fn from(refused: Refused) -> Self {
        ureq::Error::Other(Box::new(refused))
    }
}

impl Resolver for PublicResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let text = uri.to_string();
        let url = HttpUrl::parse(&text).map_err(Refused::Url)?;
        url.check_port().map_err(Refused::Url)?;
        if !self.allow_private {
            url.check_public().map_err(Refused::Url)?;
        }
        let found = self.look_up(&url, uri, config, timeout)?;
        // One private address among public ones is no accident, so the whole name is refused.
        let private = found.iter().map(std::net::SocketAddr::ip).find(|ip| !is_public(*ip));
        match private {
            Some(ip) if !self.allow_private => {
                let host = uri.host().unwrap_or_default().to_owned();
                Err(Refused::Address { host, ip }.into())
            }
            _ => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn resolve(url: &str, allow_private: bool) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let timeout = NextTimeout {
            after: ureq::unversioned::transport::time::Duration::Exact(Duration::from_secs(5)),
            reason: ureq::Timeout::Resolve,
            per_read: None,
            per_write: None,
        };
        PublicResolver::new(&Heed::default(), allow_private).resolve(&url.parse().unwrap(), &Config::default(), timeout)
    }

    #[test]
    fn what_a_name_resolves_to_decides() {
        for url in ["http://127.0.0.1/", "http://localhost:8080/", "https://[::1]/", "http://[::ffff:10.0.0.1]/"] {
            let error = resolve(url, false).unwrap_err();
            assert!(error.to_string().contains("refused"), "{url}: {error}");
        }
        assert_eq!(resolve("http://127.0.0.1:8081/", true).unwrap()[0], "127.0.0.1:8081".parse().unwrap());
        for url in ["http://127.0.0.1:22/", "https://8.8.8.8:25/"] {
            assert!(resolve(url, true).unwrap_err().to_string().contains("refused: port"), "{url}");
        }
        assert_eq!(resolve("https://8.8.8.8/", false).unwrap()[0], "8.8.8.8:443".parse().unwrap());
    }
}
