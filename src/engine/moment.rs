//! The chain, and the moment on it, that flags, environment and settings name.

use chrono::{DateTime, Utc};

use super::context::Context;
use crate::base::error::{Error, Kind, Result};
use crate::base::text::{in_shell, time};
use crate::model::ids::Block;
use crate::model::stage::Timestamp;
use crate::rules::succession::Moment;
use crate::settings::Config;
use crate::settings::flags::{ChainArgs, MomentArgs, chain_settings, env};
use crate::world::chain::Chain;
use crate::world::chain::settings::{ChainSettings, Clock};

/// A moment that only shows state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighted {
    pub(crate) moment: Moment,
    /// Is the time that of this machine, and the block from the command line? Then they may not belong together.
    pub(crate) is_estimated: bool,
}

impl Context<'_> {
    /// The chain's block and time, from the flags, a chain file or the configured chain; `None` if no chain is known. For
    /// commands that only show state: if the chain cannot be reached, just the block is unknown. Also returns a text for
    /// that case, which says what to do.
    pub(crate) fn sighted(&self, args: &MomentArgs) -> Result<(Option<Moment>, String)> {
        match moment_of(&self.config, args, ChainSettings::at_a_glance) {
            Err(error) if error.kind() == Kind::Outside => {
                let parts: Vec<String> = std::iter::once(error.to_string()).chain(error.hints().to_vec()).collect();
                self.ui.warn(&parts.join("; "));
                // A node's URL may hold a key.
                let named = args.chain.network.as_deref().filter(|network| !network.contains("://"));
                let network = named.map(|network| format!(" --network {}", in_shell(network)));
                let doctor = format!("gen404 doctor{}", network.unwrap_or_default());
                Ok((None, format!("the chain cannot be read; `{doctor}` asks each of its nodes")))
            }
            moment => Ok((
                moment?,
                "name a chain in [chain] of gen404.toml, by SUBTENSOR_NETWORK or --network, or give --block N"
                    .to_owned(),
            )),
        }
    }

    /// As [`Context::sighted`], after saying which chain is asked. The time at a block from the command line is the
    /// chain's, if it answers.
    pub(crate) fn sighted_by_chain(&self, args: &MomentArgs) -> Result<(Option<Sighted>, String)> {
        self.say_asked(args);
        let (moment, unknown) = self.sighted(args)?;
        let Some(moment) = moment else { return Ok((None, unknown)) };
        if args.block.is_none() || args.now.is_some() {
            return Ok((Some(Sighted { moment, is_estimated: false }), unknown));
        }
        let timed = self.time_on_chain(moment.block, &args.chain)?;
        let now = timed.unwrap_or(moment.now);
        Ok((Some(Sighted { moment: Moment { now, ..moment }, is_estimated: timed.is_none() }), unknown))
    }

    /// Says which chain is asked: one that is not on this machine may take a while to answer, and longer not to.
    pub(crate) fn say_asked(&self, args: &MomentArgs) {
        let asked = asking(&self.config, args).filter(|_| !is_on_this_machine(&self.config, &args.chain));
        asked.iter().for_each(|line| self.ui.status(line));
    }

    /// Do flags, environment or settings name a chain?
    pub(crate) fn names_chain(&self, args: &ChainArgs) -> bool {
        let settings = chain_settings(&self.config.chain, args, &env);
        settings.is_ok_and(|settings| settings.file.is_some() || settings.network.is_some())
    }

    /// The time of a block by the chain's newest one; `None` if no chain is named, or it does not say.
    fn time_on_chain(&self, block: Block, args: &ChainArgs) -> Result<Option<DateTime<Utc>>> {
        let settings = chain_settings(&self.config.chain, args, &env)?.at_a_glance();
        let Some(chain) = settings.open()? else { return Ok(None) };
        match newest(chain.as_ref(), Clock::Block) {
            Ok(newest) => Ok(newest.time_of(block)),
            Err(error) => {
                self.ui.detail(&format!("the time at block {block} is estimated: {error}"));
                Ok(None)
            }
        }
    }

    /// The chain that flags, environment or settings name, in this order, if any.
    pub(crate) fn chain(&self, args: &ChainArgs) -> Result<Option<Box<dyn Chain>>> {
        chain_of(&self.config, args)
    }

    /// As [`Context::chain`], for commands that need a chain.
    pub(crate) fn need_chain(&self, args: &ChainArgs) -> Result<Box<dyn Chain>> {
        self.chain(args)?.ok_or_else(|| {
            let unknown = Error::usage("no chain is named");
            unknown.hint("name it in [chain] of gen404.toml or by SUBTENSOR_NETWORK=finney; `gen404 COMMAND --help` lists the flags")
        })
    }

    /// The chain's block and time, for commands that need them.
    pub(crate) fn need_moment(&self, args: &MomentArgs) -> Result<Moment> {
        need_moment(&self.config, args)
    }

    /// As [`current_moment`], with the settings of this competition.
    pub(crate) fn current_moment(&self, args: &MomentArgs) -> Result<Moment> {
        current_moment(&self.config, args)
    }
}

/// The block and time that the flags name, or those of the chain, with its settings changed so.
fn moment_of(config: &Config, args: &MomentArgs, change: fn(ChainSettings) -> ChainSettings) -> Result<Option<Moment>> {
    if let Some(block) = args.block {
        let now = args.now.as_deref().map(parse_time).transpose()?.unwrap_or_else(Utc::now);
        return Ok(Some(Moment { block: Block(block), now }));
    }
    let settings = change(chain_settings(&config.chain, &args.chain, &env)?);
    let Some(chain) = settings.open()? else { return Ok(None) };
    newest(chain.as_ref(), settings.clock).map(Some)
}

/// The newest block of a chain, and the time by this clock.
fn newest(chain: &dyn Chain, clock: Clock) -> Result<Moment> {
    let block = chain.best_block()?;
    let now = match clock {
        Clock::Block => time_of(chain, block)?,
        Clock::System if chain.is_real() => Utc::now(),
        // A chain file without block times must not fail the command.
        Clock::System => time_of(chain, block).unwrap_or_else(|_| Utc::now()),
    };
    Ok(Moment { block, now })
}

/// Is the chain that they name a node on this machine, as a sandbox's is?
fn is_on_this_machine(config: &Config, args: &ChainArgs) -> bool {
    chain_settings(&config.chain, args, &env).is_ok_and(|settings| settings.is_local())
}

/// As [`Context::need_moment`], with these settings.
pub(crate) fn need_moment(config: &Config, args: &MomentArgs) -> Result<Moment> {
    moment_of(config, args, |settings| settings)?.ok_or_else(|| {
        let unknown = Error::usage("the chain's block is not known");
        unknown.hint("give --block N --now TIME, --network finney, --chain-file FILE, or [chain] in gen404.toml")
    })
}

/// As [`need_moment`], for what turns a time into a block: the block has to be that of now. A node that lags behind or
/// stands still would put the next round's window too early.
///
/// # Errors
/// As [`need_moment`]; the newest block of a real chain is not from about now.
pub(crate) fn current_moment(config: &Config, args: &MomentArgs) -> Result<Moment> {
    let settings = chain_settings(&config.chain, &args.chain, &env)?;
    let asked = args.block.is_none() && settings.clock == Clock::System;
    let chain = if asked { settings.open()?.filter(|chain| chain.is_real()) } else { None };
    let Some(chain) = chain else { return need_moment(config, args) };
    let moment = newest(chain.as_ref(), settings.clock)?;
    let made = time_of(chain.as_ref(), moment.block)?;
    let age = moment.now.signed_duration_since(made);
    if age.num_seconds().abs() <= STALE_SECONDS {
        return Ok(moment);
    }
    let from = format!("{}: its newest block, {}, is from {}", chain.name(), moment.block, time(made));
    let wrong = Error::outside(format!("{from}, but this machine's clock says {}", time(moment.now)));
    Err(wrong.hint("name a node that follows the chain in [chain] network, or set this machine's clock; `gen404 doctor` asks each node"))
}

/// A newest block that is further from now than this is not followed any more, in seconds.
pub(crate) const STALE_SECONDS: i64 = 300;

/// What to say while [`need_moment`] asks a real chain, which may take a while; `None` where none is asked.
pub(crate) fn asking(config: &Config, args: &MomentArgs) -> Option<String> {
    let settings = chain_settings(&config.chain, &args.chain, &env).ok()?;
    // A chain that cannot be opened is not asked.
    let is_asked = args.block.is_none() && settings.file.is_none() && settings.open().is_ok();
    let network = settings.network.filter(|_| is_asked)?;
    Some(format!("asking {} for its newest block ...", network.shown()))
}

/// The chain that flags, environment or these settings name, in this order, if any.
pub(crate) fn chain_of(config: &Config, args: &ChainArgs) -> Result<Option<Box<dyn Chain>>> {
    chain_settings(&config.chain, args, &env)?.open()
}

/// The time of a chain's newest block, extrapolated from its finalized one.
pub(crate) fn time_of(chain: &dyn Chain, best: Block) -> Result<DateTime<Utc>> {
    let finalized = chain.finalized_block()?;
    let seconds = chain.block_time(finalized)?;
    let now = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let time = now.and_then(|now| Moment { block: finalized, now }.time_of(best));
    time.ok_or_else(|| Error::failed(format!("{}: block {finalized} at {seconds} s is out of range", chain.name())))
}

/// A UTC time from the command line.
fn parse_time(text: &str) -> Result<DateTime<Utc>> {
    text.parse::<Timestamp>().map(|time| time.at()).map_err(|why| Error::usage(format!("--now: {why}")))
}
