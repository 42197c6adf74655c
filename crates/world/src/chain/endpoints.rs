//! The nodes of a network: by its name, or by their URLs.

use std::fmt;

use crate::base::error::{Error, Result};
use crate::base::url::{Host, HttpUrl};
use crate::http::{Secret, shown_url};
use crate::model::beacon::BlockHash;

/// The genesis hash of the main network, by which it is recognized.
const FINNEY_GENESIS: &str = "0x2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03";

/// A named network: nodes with recent state and archive nodes, in order of preference.
struct Named {
    name: &'static str,
    nodes: &'static [&'static str],
    archives: &'static [&'static str],
    main: bool,
}

const ARCHIVES: &[&str] = &["https://archive.chain.opentensor.ai", "https://archive.sub.latent.to"];

/// The names that Bittensor's SDK knows (with https instead of wss: a node serves both on one port).
const NETWORKS: [Named; 6] = [
    Named {
        name: "finney",
        nodes: &[
            "https://entrypoint-finney.opentensor.ai",
            "https://lite.chain.opentensor.ai",
            "https://lite.sub.latent.to",
        ],
        archives: ARCHIVES,
        main: true,
    },
    Named { name: "archive", nodes: ARCHIVES, archives: &[], main: true },
    Named { name: "latent-lite", nodes: &["https://lite.sub.latent.to"], archives: ARCHIVES, main: true },
    Named { name: "test", nodes: &["https://test.finney.opentensor.ai"], archives: &[], main: false },
    Named { name: "devnet", nodes: &["https://dev.chain.opentensor.ai"], archives: &[], main: false },
    Named { name: "local", nodes: &["http://127.0.0.1:9944"], archives: &[], main: false },
];

/// Shorter path segments are not treated as keys.
const SHORTEST_KEY: usize = 6;

/// One node's URL.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeUrl(String);

impl NodeUrl {
    /// The URL to post to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0
    }

    /// The parts of its path and query that may be a key.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let after_host = self.0.splitn(4, '/').nth(3).unwrap_or_default();
        let parts = after_host.split(['/', '?', '&', '=', '#']);
        parts.filter(|part| part.len() >= SHORTEST_KEY).map(Secret::new).collect()
    }

    /// Is it on this machine?
    #[must_use]
    pub fn is_local(&self) -> bool {
        HttpUrl::parse(&self.0).is_ok_and(|url| match url.host {
            Host::Ip(ip) => ip.is_loopback(),
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        })
    }

    /// Parses an `http`, `https`, `ws` or `wss` URL; a WebSocket URL means the same node's HTTP.
    ///
    /// # Errors
    /// The text is not such a URL.
    pub fn parse(text: &str) -> Result<Self> {
        let url = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => format!("https://{rest}"),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => format!("http://{rest}"),
            _ => text.to_owned(),
        };
        match HttpUrl::parse(&url) {
            Ok(_) => Ok(NodeUrl(url)),
            Err(why) => Err(Error::usage(format!("chain endpoint {}: {why}", without_path(&shown_url(text))))),
        }
    }
}

impl fmt::Display for NodeUrl {
    /// Scheme and host only: gateways put their users' keys in the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(without_path(&self.0))
    }
}

/// Scheme and host of a URL.
fn without_path(url: &str) -> &str {
    let host_at = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(host_at..).unwrap_or_default();
    let end = rest.find(['/', '?']).map_or(url.len(), |at| host_at + at);
    url.get(..end).unwrap_or_default()
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The nodes to ask, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Nodes for everything recent.
    pub nodes: Vec<NodeUrl>,
    /// Archive nodes, for state that the others have discarded.
    pub archives: Vec<NodeUrl>,
    /// The genesis hash, if the network is a known one.
    pub genesis: Option<BlockHash>,
}

impl Endpoints {
    /// Parses the networks to ask, each a name or a URL, in order of preference, and further archive nodes
    /// besides those of the named networks.
    ///
    /// # Errors
    /// A text is neither a known name nor a URL, none is given, or the names belong to different chains.
    pub fn of(networks: &[String], archives: &[String]) -> Result<Self> {
        let mut found = Endpoints::default();
        let mut main = None;
        for network in networks.iter().map(|network| network.trim()).filter(|network| !network.is_empty()) {
            let named = NETWORKS.iter().find(|named| named.name == network);
            let nodes = named.map_or(std::slice::from_ref(&network), |named| named.nodes);
            push_all(&mut found.nodes, nodes)?;
            let Some(named) = named else { continue };
            push_all(&mut found.archives, named.archives)?;
            if main.is_some_and(|main| main != named.main) {
                return Err(Error::usage(format!("{} is a different chain from the networks before it", named.name)));
            }
            main = Some(named.main);
        }
        if found.nodes.is_empty() {
            return Err(Error::usage("no chain network is given").hint("name one: --network finney, or a node's URL"));
        }
        let own: Vec<&str> = archives.iter().map(String::as_str).collect();
        let theirs = std::mem::take(&mut found.archives);
        push_all(&mut found.archives, &own)?;
        found.archives.extend(theirs);
        found.genesis = if main == Some(true) { FINNEY_GENESIS.parse().ok() } else { None };
        Ok(found)
    }
}

fn push_all(endpoints: &mut Vec<NodeUrl>, urls: &[&str]) -> Result<()> {
    for url in urls {
        let endpoint = NodeUrl::parse(url).map_err(|error| {
            let names = NETWORKS.map(|named| named.name).join(", ");
            error.hint(format!("a network is {names}, or a URL such as https://host:9944"))
        })?;
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(networks: &[&str], archives: &[&str]) -> Result<Endpoints> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Endpoints::of(&owned(networks), &owned(archives))
    }

    #[test]
    fn names_and_urls_give_endpoints_in_order() {
        let finney = of(&["wss://my.node:9944/key", "finney"], &["https://old.example"]).unwrap();
        assert_eq!(finney.nodes[0].url(), "https://my.node:9944/key");
        assert_eq!(finney.nodes[1].url(), "https://entrypoint-finney.opentensor.ai");
        assert_eq!(finney.archives[0].url(), "https://old.example");
        assert_eq!(finney.archives.len(), 3);
        assert!(finney.genesis.is_some());
        assert_eq!(of(&["local"], &[]).unwrap().nodes[0].url(), "http://127.0.0.1:9944");
        assert_eq!(of(&["ws://localhost:1"], &[]).unwrap().genesis, None);
        for name in NETWORKS.map(|named| named.name) {
            assert!(of(&[name], &[]).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_no_network_is_a_usage_error_that_names_the_choices() {
        for bad in [&["fynney"][..], &[], &[""], &["ftp://x.org"], &["https://me:pw@x.org"], &["finney", "test"]] {
            let error = of(bad, &[]).unwrap_err();
            assert_eq!(error.kind(), crate::base::error::Kind::Usage);
            assert!(!error.to_string().contains("pw"), "{error}");
        }
    }

    #[test]
    fn keys_in_paths_are_not_shown() {
        for refused in ["http://u:p@gate.example/hunter2?key=hunter3", "http://gate.example:x/hunter2", "u:p@g/hunter2"]
        {
            let error = NodeUrl::parse(refused).unwrap_err().to_string();
            assert!(!error.contains("hunter") && !error.contains("u:p"), "{error}");
        }
        let error = NodeUrl::parse("http://u:p@gate.example/hunter2").unwrap_err().to_string();
        assert!(error.starts_with("chain endpoint http://gate.example: "), "{error}");
        let endpoint = NodeUrl::parse("wss://gate.example:443/v1/hunter2?k=hunter3").unwrap();
        assert_eq!(endpoint.to_string(), "https://gate.example:443");
        assert_eq!(endpoint.secrets(), [Secret::new("hunter2"), Secret::new("hunter3")]);
        assert!(!endpoint.is_local());
        for local in ["ws://127.0.0.1:9944", "http://localhost:1/chain", "http://[::1]:1"] {
            assert!(NodeUrl::parse(local).unwrap().is_local(), "{local}");
        }
    }
}
