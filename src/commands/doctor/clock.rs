//! This machine's clock, compared with those of the servers that are asked anyway.

use super::finding::{Finding, Status};
use crate::settings::Config;
use crate::world::builds::settings::BuildsDriver;
use crate::world::chain::endpoints::{Endpoints, NodeUrl};
use crate::world::chain::settings::Networks;
use crate::world::pods::settings::ProviderName;
use crate::world::probe;

/// A clock that is further off than this is wrong, and further than the second is odd: signatures of requests to a
/// bucket are refused at 15 minutes.
const WRONG_SECONDS: i64 = 120;
const ODD_SECONDS: i64 = 15;

/// No more servers than this are asked.
const MOST: usize = 8;

/// By how many seconds this machine is ahead of a server; `None` if that is unknown.
pub(super) fn ahead_of(url: &str) -> Option<i64> {
    probe::ahead_of(url).ok().flatten()
}

/// The addresses of the servers that are configured.
pub(super) fn addresses(config: &Config) -> Vec<String> {
    let Config { chain, seed, judge, store, distance, builds, pods, .. } = config;
    let networks = chain.network.as_ref().filter(|_| chain.file.is_none()).map(Networks::list).unwrap_or_default();
    let nodes = Endpoints::of(&networks, &[]).map(|endpoints| endpoints.nodes).unwrap_or_default();
    let mut found: Vec<String> = nodes.iter().take(3).map(NodeUrl::url).map(str::to_owned).collect();
    let bucket = store.endpoint.as_ref().filter(|_| store.dir.is_none());
    found.extend(
        [judge.base_url.as_ref(), bucket, distance.url.as_ref(), seed.drand_url.as_ref()]
            .into_iter()
            .flatten()
            .cloned(),
    );
    found.extend((builds.chosen() == Some(BuildsDriver::Github)).then(|| builds.api_url.clone()));
    found.extend(match pods.provider {
        Some(ProviderName::Targon) => Some(pods.targon.url.clone()),
        Some(ProviderName::Verda) => Some(pods.verda.url.clone()),
        Some(ProviderName::Runpod) => Some(pods.runpod.url.clone()),
        _ => None,
    });
    found.truncate(MOST);
    found
}

/// Compares this machine's clock with what most of these servers say.
pub(super) fn check(addresses: &[String]) -> Option<Finding> {
    const NAME: &str = "clock";
    let mut ahead: Vec<i64> = std::thread::scope(|scope| {
        let asked: Vec<_> = addresses.iter().map(|url| scope.spawn(|| ahead_of(url))).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    });
    if addresses.is_empty() {
        return None;
    }
    ahead.sort_unstable();
    let Some(middle) = ahead.get(ahead.len() / 2).copied() else {
        return Some(Finding::warn(
            NAME,
            "no server said what time it is",
            "`timedatectl` says whether it is synchronized",
        ));
    };
    let count = ahead.len();
    let way = if middle < 0 { "behind" } else { "ahead of" };
    let said = format!("{} s {way} the clocks of servers ({count} asked)", middle.abs());
    let status = match middle.abs() {
        off if off > WRONG_SECONDS => Status::Fail,
        off if off > ODD_SECONDS => Status::Warn,
        _ => return Some(Finding::ok(NAME, said)),
    };
    let hints = vec!["set this machine's clock: `timedatectl set-ntp true`".to_owned()];
    Some(Finding { name: NAME, status, what: said, hints })
}
