//! Whether this machine's own network works: the services of the settings are asked.

use super::queue::host;
use crate::base::error::Error;
use crate::base::text::counted;
use crate::base::url::check_public_url;
use crate::engine::context::Context;
use crate::rules::download::{Silence, own_network_is_down};
use crate::settings::flags::{DriverArgs, env};
use crate::settings::origins::resolved;
use crate::settings::servers::addresses;
use crate::world::probe;

/// What errors call it, and how it fails.
const OWN_NETWORK: &str = "own network";
const DOWN: &str = "down";

/// The error of a download whose last failures are due to our own network, as far as can be told.
pub(super) fn is_down(context: &Context<'_>, silence: &Silence, local: bool) -> Option<Error> {
    if silence.hosts() == 0 {
        return None;
    }
    let config = resolved(&context.config, &DriverArgs::default(), &env).unwrap_or_else(|_| context.config.clone());
    // One on this machine or beside it says nothing of the way to miners, unless they are there as well.
    let mut services = addresses(&config);
    services.retain(|url| local || check_public_url(url).is_ok());
    let answers: Vec<bool> = std::thread::scope(|scope| {
        let asked: Vec<_> = services.iter().map(|url| scope.spawn(|| probe::ahead_of(url).is_ok())).collect();
        asked.into_iter().map(|thread| thread.join().unwrap_or(true)).collect()
    });
    if !own_network_is_down(silence.hosts(), &answers) {
        return None;
    }
    let servers = counted(silence.hosts(), "miner's server", "miners' servers");
    let asked: Vec<String> = services.iter().map(|url| host(url)).collect();
    let down = Error::outside(format!(
        "this machine's own network is down: {servers} gave no answer, and none of {} does",
        asked.join(", ")
    ));
    let down = down.of_service(Some(OWN_NETWORK)).of_manner(Some(DOWN));
    Some(down.hint("nothing of this is held against a miner: run it again once the network is back"))
}
