//! `gen404 reveal-seed`: fixes the round's submissions, draws its seed, chooses its prompts.

use chrono::{DateTime, Utc};

use crate::base::error::{Error, Kind, Result};
use crate::base::text::{counted, time};
use crate::cli::{Global, RevealSeedArgs};
use crate::engine::common::{miners, not_due, pool, previous_prompts, read_intake, recorded, schedule};
use crate::engine::context::Context;
use crate::engine::moment::time_of;
use crate::engine::stands::{AnyStanding, Stands};
use crate::engine::threejs;
use crate::model::beacon::Pulse;
use crate::model::beacon::published_at;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Block, Seed};
use crate::model::leader::Leaders;
use crate::model::prompts::PromptList;
use crate::model::schedule::Schedule;
use crate::model::seed::SeedFile;
use crate::model::snapshot::Slot;
use crate::model::stage::Stage;
use crate::rules::opening::{self, Beginning, RevealFacts};
use crate::rules::seed::{self, SeedSource};
use crate::rules::stage_table::is_for;
use crate::rules::succession::Moment;
use crate::ui::{Report, Ui};
use crate::world::chain::Chain;
use crate::world::chain::settings::Clock;
use crate::world::drand;

pub(super) fn run(global: &Global, ui: &Ui, args: &RevealSeedArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let _lock = context.lock("reveal-seed", report)?;
    let standing = context.stands()?;
    let round = standing.round();
    if let Some(seed) = done_already(&*standing) {
        report.say(format!("round {round} already has its seed: {seed}"));
        return Ok(());
    }
    if !is_for("reveal-seed", standing.stage()) {
        return Err(not_due(&context, &*standing, "reveal-seed", None));
    }
    let pool = pool(&context)?;
    let schedule = schedule(&context, &*standing)?;
    let chain = context.need_chain(&args.chain)?;
    let latest = schedule.latest_reveal_block;
    wait_for(chain.as_ref(), context.config.chain.clock, latest)?;
    // Read the state at the window's last block: the chain keeps ten reveals per miner, so later ones would push out
    // those that count.
    let mut intake = read_intake(&context, &*standing, &schedule, chain.as_ref(), latest, &args.intake)?;
    if matches!(standing, AnyStanding::Threejs(_)) {
        intake = threejs::opening::admitted(&context, intake, chain.as_ref(), latest)?;
    }
    let seed = seed_file(&context, &*standing, chain.as_ref(), &schedule, args)?;
    let previous = previous_prompts(&context, &*standing)?.0;
    let pool = pool.map_or_else(|| context.store.need::<PromptList>(&FileKind::Pool), Ok)?.0;
    let block_time = block_time(chain.as_ref(), latest)?;
    let begins = Beginning {
        settings: standing.settings(),
        state: standing.state(),
        schedule: &schedule,
        seed: &seed,
        previous: &previous,
        pool: &pool,
        block_time,
    };
    let mut plan = match &standing {
        AnyStanding::Mesh(standing) => {
            let leaders = context.store.need::<Leaders>(&FileKind::Leader)?;
            let facts = RevealFacts { begins, leaders: &leaders, recorded: recorded(standing)?, intake: &intake };
            opening::reveal(&facts).map_err(Error::failed)?
        }
        AnyStanding::Threejs(standing) => threejs::opening::reveal(&context, standing, begins, &intake)?,
    };
    plan.says.extend(miners(&context, &intake));
    context.apply(&plan, report)
}

/// The seed, if the round's stage is the one right after this command.
fn done_already(standing: &dyn Stands) -> Option<Seed> {
    let seed = standing.seed().get()?.seed;
    let nobody = standing.miners().is_some_and(|miners| miners.is_empty());
    let behind = match standing.stage() {
        Stage::MinerGeneration => true,
        Stage::Finalizing => nobody,
        _ => false,
    };
    behind.then_some(seed)
}

/// Fails with the time left unless the last reveal block is finalized.
fn wait_for(chain: &dyn Chain, clock: Clock, latest: Block) -> Result<()> {
    let finalized = chain.finalized_block()?;
    if finalized >= latest {
        return Ok(());
    }
    if chain.best_block()? >= latest {
        let text = format!("reveal-seed waits: block {latest} exists, but only block {finalized} is finalized");
        return Err(Error::not_due(text));
    }
    let blocks = latest.0.saturating_sub(finalized.0);
    let expected = match clock {
        Clock::Block => time_of(chain, latest).ok(),
        Clock::System => Moment { block: finalized, now: Utc::now() }.time_of(latest),
    };
    let about = expected.filter(|_| chain.is_real()).map(|at| format!(", about {}", time(at)));
    let minutes = blocks.div_ceil(5);
    Err(Error::not_due(format!(
        "reveal-seed is not due: block {finalized} is finalized, and reveals count until block {latest}, \
         in {}, {}{}",
        counted(blocks, "block", "blocks"),
        counted(minutes, "minute", "minutes"),
        about.unwrap_or_default()
    )))
}

/// The seed recorded by an interrupted run, or a new one.
fn seed_file(
    context: &Context<'_>,
    standing: &dyn Stands,
    chain: &dyn Chain,
    schedule: &Schedule,
    args: &RevealSeedArgs,
) -> Result<SeedFile> {
    let (name, round) = (&standing.settings().name, standing.round());
    let latest = schedule.latest_reveal_block;
    if let Some(recorded) = recorded_seed(standing, latest, args)? {
        return Ok(recorded);
    }
    if let Some(seed) = args.seed {
        return Ok(SeedFile::plain(seed));
    }
    let default = if chain.is_real() { SeedSource::Drand } else { SeedSource::Block };
    match args.seed_source.or(context.config.seed.source).unwrap_or(default) {
        SeedSource::Drand => {
            let drand_round = seed::drand_round(chain.block_time(latest)?).map_err(Error::failed)?;
            let pulse = pulse(context, chain, drand_round, args)?;
            // `pulse` has verified the signature; `from_drand` verifies it again so that no caller can forget to.
            seed::from_drand(name, round, &pulse).map_err(Error::outside)
        }
        SeedSource::Block => Ok(seed::from_block(name, round, latest, chain.block_hash(latest)?)),
        SeedSource::Random => {
            let drawn = getrandom::u32();
            drawn.map(|seed| SeedFile::plain(Seed(seed))).map_err(|e| {
                Error::failed("the operating system provides no random numbers").because(anyhow::anyhow!("{e}"))
            })
        }
    }
}

/// The recorded seed. A written seed never changes, and one that its own source does not prove is refused.
fn recorded_seed(standing: &dyn Stands, latest: Block, args: &RevealSeedArgs) -> Result<Option<SeedFile>> {
    let round = standing.round();
    let path = FileKind::Round(round, RoundFile::Seed).path();
    let file = match standing.seed() {
        Slot::Missing => return Ok(None),
        Slot::Broken => return Err(Error::failed(format!("{path}: does not parse"))),
        Slot::Ok(file) => file,
    };
    if args.seed.is_some_and(|seed| seed != file.seed) {
        return Err(Error::failed(format!("{path}: the seed is already {}, and never changes", file.seed)));
    }
    let proof = seed::prove(file, &standing.settings().name, round, latest);
    proof.map_err(|why| Error::failed(format!("{path}: {why}")))?;
    Ok(Some(file.clone()))
}

/// A drand round with a valid signature, from the chain or else from the drand endpoint.
fn pulse(context: &Context<'_>, chain: &dyn Chain, round: u64, args: &RevealSeedArgs) -> Result<Pulse> {
    let endpoint = args.drand_url.as_ref().or(context.config.seed.drand_url.as_ref());
    if let Some(endpoint) = endpoint {
        drand::check_url(endpoint)?;
    }
    let mut forged = None;
    if let Some(pulse) = chain.drand_pulse(round)? {
        match pulse.verify() {
            Ok(_) => return Ok(pulse),
            Err(why) => forged = Some(format!("{}: {why}", chain.name())),
        }
    }
    if let Some(endpoint) = endpoint
        && let Some(pulse) = drand::fetch(&context.config.chain.drand_client(), endpoint, round)?
    {
        match pulse.verify() {
            Ok(_) => return Ok(pulse),
            Err(why) => forged = Some(format!("{}: {why}", crate::world::http::shown_url(endpoint))),
        }
    }
    match forged {
        Some(why) => Err(Error::outside(why).hint("try another drand endpoint: --drand-url https://api.drand.sh")),
        None => Err(no_pulse_yet(round)),
    }
}

fn no_pulse_yet(round: u64) -> Error {
    let published = i64::try_from(published_at(round)).ok().and_then(|at| DateTime::from_timestamp(at, 0));
    let Some(published) = published else { return Error::failed(format!("drand round {round} is out of range")) };
    let left = (published - Utc::now()).num_seconds();
    let when = if left > 0 {
        format!("it is published in {left} s, at {}", time(published))
    } else {
        let at = time(published);
        format!("it was published at {at}; a drand endpoint may have it: --drand-url https://api.drand.sh")
    };
    Error::not_due(format!("reveal-seed waits: drand round {round} is not on the chain yet; {when}"))
}

/// The time of a block; `None` if a chain file does not have it.
fn block_time(chain: &dyn Chain, block: Block) -> Result<Option<DateTime<Utc>>> {
    match chain.block_time(block) {
        Ok(seconds) => Ok(i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0))),
        Err(error) if error.kind() == Kind::Failed && !chain.is_real() => Ok(None),
        Err(error) => Err(error),
    }
}
