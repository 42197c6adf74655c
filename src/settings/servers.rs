//! The servers that the settings name.

use super::Config;
use crate::world::builds::settings::BuildsDriver;
use crate::world::chain::endpoints::{Endpoints, NodeUrl};
use crate::world::chain::settings::Networks;
use crate::world::pods::settings::ProviderName;

/// No more servers than this are asked.
const MOST: usize = 8;

/// The addresses of the servers that are configured, but for those of miners.
pub(crate) fn addresses(config: &Config) -> Vec<String> {
    let Config { chain, seed, judge, store, distance, views, embeddings, builds, pods, .. } = config;
    let networks = chain.network.as_ref().filter(|_| chain.file.is_none()).map(Networks::list).unwrap_or_default();
    let nodes = Endpoints::of(&networks, &[]).map(|endpoints| endpoints.nodes).unwrap_or_default();
    let mut found: Vec<String> = nodes.iter().take(3).map(NodeUrl::url).map(str::to_owned).collect();
    let bucket = store.endpoint.as_ref().filter(|_| store.dir.is_none());
    found.extend(
        [&judge.base_url, &distance.url, &views.url, &embeddings.url, &seed.drand_url]
            .map(Option::as_ref)
            .into_iter()
            .chain([bucket])
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
