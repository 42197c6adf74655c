//! The chain and drand: are they there, are they the right ones, and do they go on?

use chrono::Utc;

use super::clock;
use super::finding::Finding;
use super::services::Desk;
use crate::base::error::{Error, Result};
use crate::engine::moment::STALE_SECONDS;
use crate::model::beacon::{Pulse, QUICKNET_GENESIS, QUICKNET_PERIOD, published_at};
use crate::world::chain::settings::Clock;
use crate::world::chain::{Chain, Head};
use crate::world::drand;
use crate::world::http::shown_url;
use crate::world::probe::Probed;

/// A head older than this is late.
const LATE_SECONDS: i64 = 60;

/// Seconds from one block to the next.
const BLOCK_SECONDS: u64 = 12;

/// Finality further behind than this is odd.
const MOST_UNFINAL: u64 = 50;

/// How old the newest drand round may be.
const LATE_ROUNDS: u64 = 40;

impl Desk {
    pub(super) fn chain(&self) -> Result<Finding> {
        const NAME: &str = "chain";
        let chain = self.config.chain.open()?.ok_or_else(|| Error::usage("no chain is named"))?;
        let (mut best, mut archives, mut odd, mut errors) = (None, 0, Vec::new(), Vec::new());
        for node in chain.probe() {
            let looked = node.head.and_then(|head| {
                let head_of = HeadOf { name: &node.name, url: node.url.as_deref(), head };
                self.head(&head_of, chain.is_real())
            });
            match looked {
                Ok(_) if node.archive => archives += 1,
                Ok((said, doubt)) => {
                    odd.extend(doubt);
                    best = best.or(Some(said));
                }
                Err(error) if node.archive => odd.push(format!("archive: {error}")),
                Err(error) => errors.push(error.to_string()),
            }
        }
        let Some(said) = best else {
            let down = Error::outside(errors.join("; "));
            return Ok(Finding::fail(NAME, &down.hint("name other nodes in [chain] network, in order of preference")));
        };
        odd.extend(errors);
        if let Some((block, hash)) = self.known {
            match chain.block_hash(block) {
                Ok(found) if found == hash => {}
                Ok(found) => {
                    let other = format!("block {block} is recorded with hash {hash}, but here it has {found}");
                    let other = Error::failed(format!("{}: another chain: {other}", chain.name()));
                    return Ok(Finding::fail(NAME, &other.hint("[chain] network names the competition's chain")));
                }
                Err(error) => odd.push(error.to_string()),
            }
        }
        let said = if archives > 0 { format!("{said}; archives that answer: {archives}") } else { said };
        Ok(match odd.is_empty() {
            true => Finding::ok(NAME, said),
            false => {
                Finding::warn(NAME, format!("{said}; but {}", odd.join("; ")), "the others are asked in its place")
            }
        })
    }

    /// What a node's newest blocks say, with a doubt.
    fn head(&self, of: &HeadOf<'_>, real: bool) -> Result<(String, Option<String>)> {
        let HeadOf { name, head, .. } = of;
        if let Some(newest) = self.newest.filter(|newest| *newest > head.best) {
            let before =
                format!("{name}: its newest block is {}, but the competition records block {newest}", head.best);
            return Err(Error::failed(format!("{before}: another chain, or a node that is still syncing")));
        }
        let behind = head.best.0.saturating_sub(head.finalized.0);
        let unfinal = (behind > MOST_UNFINAL).then(|| format!("{name}: finality is {behind} blocks behind"));
        let said = format!("{name}: block {}", head.best);
        let Some(seconds) = head.seconds.filter(|_| real && self.config.chain.clock == Clock::System) else {
            return Ok((said, unfinal));
        };
        let made = i64::try_from(seconds.saturating_add(behind.saturating_mul(BLOCK_SECONDS))).unwrap_or(i64::MAX);
        let mut age = Utc::now().timestamp().saturating_sub(made);
        // Is it this machine's clock that is wrong? The server's own says.
        if age.abs() > LATE_SECONDS
            && let Some(ahead) = of.url.and_then(clock::ahead_of)
        {
            age = age.saturating_sub(ahead);
        }
        match age {
            age if age.abs() > STALE_SECONDS => Err(Error::outside(format!(
                "{name}: its newest block, {}, is {} old: it does not follow the chain",
                head.best,
                span(age)
            ))),
            age if age > LATE_SECONDS => Ok((said, Some(format!("{name}: its newest block is {} old", span(age))))),
            age => Ok((format!("{said}, {} old", span(age.max(0))), unfinal)),
        }
    }

    pub(super) fn drand(&self) -> Result<Probed> {
        let due = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
        let due = due.saturating_sub(QUICKNET_GENESIS) / QUICKNET_PERIOD;
        let chain = self.config.chain.open()?;
        let is_genuine = |pulse: &Pulse, of: &str| {
            let forged = |why: &dyn std::fmt::Display| Error::outside(format!("{of}: {why}"));
            pulse.verify().map(drop).map_err(|why| forged(&why))
        };
        let Some(url) = &self.config.seed.drand_url else {
            // Some rounds back: the chain takes them up block by block.
            let on_chain = chain.as_deref().map(|chain| recent(chain, due)).transpose()?.flatten();
            let Some(pulse) = on_chain else {
                return Ok(Probed::doubtful(
                    "the chain has no recent round",
                    "[seed] drand_url = \"https://api.drand.sh\" in gen404.toml is asked in its place",
                ));
            };
            is_genuine(&pulse, "the chain's drand round")?;
            return Ok(Probed::fine(format!("round {} is on the chain, and genuine", pulse.round)));
        };
        drand::check_url(url)?;
        let pulse = drand::newest(&self.config.chain.drand_client(), url)?;
        let shown = shown_url(url);
        is_genuine(&pulse, &shown)?;
        let said = format!("{shown}: round {}, genuine", pulse.round);
        Ok(match due.saturating_sub(pulse.round) {
            late if late > LATE_ROUNDS => {
                let at = i64::try_from(published_at(pulse.round)).unwrap_or(i64::MAX);
                let age = span(Utc::now().timestamp().saturating_sub(at));
                Probed::doubtful(format!("{said}, {age} old"), "it may be late, or this machine's clock may be wrong")
            }
            _ => Probed::fine(said),
        })
    }
}

/// A node's newest blocks.
struct HeadOf<'a> {
    name: &'a str,
    url: Option<&'a str>,
    head: Head,
}

/// A recent drand round that the chain has.
fn recent(chain: &dyn Chain, due: u64) -> Result<Option<Pulse>> {
    for back in [20, 60] {
        if let Some(pulse) = chain.drand_pulse(due.saturating_sub(back))? {
            return Ok(Some(pulse));
        }
    }
    Ok(None)
}

/// A time span in the largest fitting unit.
fn span(seconds: i64) -> String {
    match seconds.abs() {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
