//! `audit` and `baseline` of three.js modules: programs that make whole batches run again on pods, as often as the
//! settings say.

mod archive;
mod baseline;
mod journal;
#[cfg(test)]
mod killed;
mod modules;
mod orders;
mod player;
mod pod;
mod run;
#[cfg(test)]
mod stand_in;
mod storing;
#[cfg(test)]
mod tests;
mod workdir;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::journal::{RepeatsJob, Running};
use self::modules::StoredModules;
use self::run::{RepeatsEvent, RepeatsRun};
use self::workdir::RepeatsFolder;
use super::standing::ThreejsStanding;
use crate::base::error::{Error, Result};
use crate::base::semaphore::Semaphore;
use crate::engine::context::Context;
use crate::engine::leases::LeaseWatch;
use crate::engine::regenerating::Records;
use crate::engine::runs::limits::limit_pods;
use crate::model::objects::check_stem;
use crate::model::threejs::file::ThreejsRoundFile;
use crate::rules::threejs::repeats::record::saved;
use crate::rules::threejs::repeats::{Purpose, Repeats};
use crate::settings::flags::{StoreArgs, env};
use crate::world::pods::batch::BatchPolicy;
use crate::world::pods::lease::{Keeper, noted};

pub(crate) use self::baseline::baseline;
pub(crate) use self::orders::audit;

/// Opens what flags, environment and settings name.
fn open<'a>(
    context: &'a Context<'a>,
    standing: &ThreejsStanding,
    store: &StoreArgs,
    lease: Option<Arc<LeaseWatch>>,
) -> Result<RepeatsRun<'a>> {
    let missing = |what: &str, hint: &str| Error::usage(format!("no {what} is named")).hint(hint);
    let (config, round) = (&context.config, standing.state.current_round);
    let provider = config.pods.open(env)?.ok_or_else(|| missing("pod provider", "[pods] provider in gen404.toml"))?;
    let objects = context.object_store(store)?.ok_or_else(|| {
        missing("object store", "give --store-dir DIR, R2_ENDPOINT with its keys, or [store] in gen404.toml")
    })?;
    limit_pods(context, round)?;
    let prompts = standing.need(&standing.files.prompts, ThreejsRoundFile::Prompts)?;
    let seed = standing.need(&standing.files.seed, ThreejsRoundFile::Seed)?.seed;
    prompts.stems().try_for_each(check_stem).map_err(Error::failed)?;
    let (settings, batch) = (config.audit, config.audit.batch);
    let policy = BatchPolicy {
        attempts: batch.attempts,
        pause: Duration::try_from_secs_f64(batch.pause_seconds).unwrap_or_default(),
        reported_times: config.pods.reported_times,
        ..BatchPolicy::default()
    };
    let modules = StoredModules { store: objects, maker: context.view_maker()?, round };
    Ok(RepeatsRun {
        ui: context.ui,
        stop: context.stop.part(),
        meter: context.options.meter.clone(),
        own: context.own_folder()?,
        round,
        seed,
        prompts: prompts.0.iter().map(|prompt| (prompt.stem().clone(), prompt.url().to_owned())).collect(),
        settings,
        policy,
        provider,
        modules: Box::new(modules),
        drawing: Semaphore::new(settings.drawers().max(1) as u64),
        store: context.store.clone(),
        lease,
        pod_hours: config.limits.pod_hours.unwrap_or_default(),
        limited: AtomicBool::new(false),
        broken: AtomicBool::new(false),
        steps: Mutex::new(None),
    })
}

/// Nothing is left to do for pods and leases: releases those of runs that were killed.
fn release_all(context: &Context<'_>) -> Result<()> {
    let own = context.own_folder()?;
    if !context.options.dry_run
        && !noted(&own)?.is_empty()
        && let Some(provider) = context.config.pods.open(env)?
    {
        let report = |error: &Error| context.ui.error_line(&error.to_string());
        for name in Keeper::new(provider.as_ref(), &own, &report).metered(&context.options.meter).sweep_notes(&[])? {
            context.ui.status(&format!("released pod {name}, left by an earlier run"));
        }
    }
    context.release_left()
}

/// The repeats of a program, as far as the journal has them.
fn resume(
    run: &RepeatsRun<'_>,
    standing: &ThreejsStanding,
    job: RepeatsJob,
    purpose: Purpose,
    repeats: u32,
) -> Result<Running> {
    let prompts = standing.files.prompts.get();
    let stems = prompts.into_iter().flat_map(|prompts| prompts.stems().cloned()).collect();
    let folder = RepeatsFolder::new(&run.own, run.round, &job.player);
    Running::open(folder, job, run.seed, Repeats::new(stems, purpose, repeats))
}

/// Records what is new of a program's repeats, step by step.
fn record(context: &Context<'_>, running: &Running, records: &mut Records<'_>) -> Result<()> {
    let mut last = Vec::new();
    loop {
        let standing = context.threejs_standing()?;
        let player = &running.job.player;
        let plan = running.look(|repeats| saved(standing.state.current_round, player, repeats, &standing.files));
        if plan.writes.is_empty() || plan.writes == last {
            return Ok(());
        }
        records.carry_out(&plan)?;
        last = plan.writes;
    }
}

/// Runs the programs, and records each as it goes on. Returns the errors of those that were stopped.
fn run_all(
    context: &Context<'_>,
    run: &RepeatsRun<'_>,
    all: &[Running],
    records: &mut Records<'_>,
) -> Result<Vec<(usize, Error)>> {
    let mut stopped = Vec::new();
    // What an earlier run finished, but was killed before it recorded it.
    for running in all {
        record(context, running, records)?;
    }
    run.run(all, |event| match event {
        RepeatsEvent::Save(running) => record(context, running, records),
        RepeatsEvent::Ended(running, error) => {
            let place = all.iter().position(|other| std::ptr::eq(other, running)).unwrap_or_default();
            stopped.extend(error.map(|error| (place, error)));
            record(context, running, records)
        }
    })?;
    stopped.sort_by_key(|(place, _)| *place);
    Ok(stopped)
}
