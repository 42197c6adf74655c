//! A drand HTTP endpoint, for rounds that are not on the chain.

use serde::Deserialize;
use serde_json::Value;

use crate::base::error::{Error, Result};
use crate::base::hex;
use crate::http::{Client, Failure, Request, shown_url};
use crate::model::beacon::{Pulse, QUICKNET_CHAIN};

/// The part of an answer that is used.
#[derive(Debug, Deserialize)]
struct RoundAnswer {
    round: u64,
    signature: String,
}

/// The most hex digits of a signature: quicknet's have 96.
const LONGEST_SIGNATURE: usize = 256;

/// Fetches a quicknet round from a drand endpoint such as `https://api.drand.sh`; `None` if the endpoint does
/// not have it yet. The signature is not verified here.
///
/// # Errors
/// The endpoint cannot be read, or its answer makes no sense.
pub fn fetch(client: &Client, endpoint: &str, round: u64) -> Result<Option<Pulse>> {
    ask(client, endpoint, Some(round))
}

/// The newest quicknet round of a drand endpoint, not verified.
///
/// # Errors
/// As [`fetch`], or it has none.
pub fn newest(client: &Client, endpoint: &str) -> Result<Pulse> {
    let none = || Error::outside(format!("drand endpoint {}: it has no newest round", shown_url(endpoint)));
    ask(client, endpoint, None)?.ok_or_else(|| none().hint("[seed] drand_url names one, such as https://api.drand.sh"))
}

/// Asks for a round, or the newest one.
fn ask(client: &Client, endpoint: &str, round: Option<u64>) -> Result<Option<Pulse>> {
    let base = endpoint.trim_end_matches('/');
    // The endpoint's URL may already contain the chain.
    let base = if base.ends_with(QUICKNET_CHAIN) { base.to_owned() } else { format!("{base}/{QUICKNET_CHAIN}") };
    let which = round.map_or("latest".to_owned(), |round| round.to_string());
    let request = Request::get(format!("{base}/public/{which}")).header("accept", "application/json");
    client.send_checked(&request, |response| {
        // 404 and 425: the round is in the future.
        if matches!(response.status, 404 | 425) {
            return Ok(None);
        }
        if response.status != 200 {
            return Err(Failure::Permanent(format!("status {}: {}", response.status, response.shown_body())));
        }
        let nonsense = |why: &dyn std::fmt::Display| {
            Failure::transient(format!("no drand round: {why}: {}", response.shown_body()))
        };
        let answer: Value = response.json().map_err(|why| nonsense(&why))?;
        let answer = RoundAnswer::deserialize(answer).map_err(|e| nonsense(&e))?;
        if let Some(round) = round.filter(|round| answer.round != *round) {
            return Err(nonsense(&format!("round {} instead of {round}", answer.round)));
        }
        if answer.signature.len() > LONGEST_SIGNATURE {
            return Err(nonsense(&"a malformed signature"));
        }
        let signature = hex::decode(&answer.signature).map_err(|why| nonsense(&why))?;
        Ok(Some(Pulse { round: answer.round, signature }))
    })
}

/// Checks the URL of a drand endpoint.
///
/// # Errors
/// It is not a valid http(s) URL.
pub fn check_url(endpoint: &str) -> Result<()> {
    let parsed = crate::base::url::HttpUrl::parse(endpoint);
    parsed.map(|_| ()).map_err(|why| Error::usage(format!("drand endpoint {}: {why}", shown_url(endpoint))))
}
