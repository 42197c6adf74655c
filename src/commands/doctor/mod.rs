//! `gen404 doctor`: is all that a round needs there, and does it work?
//!
//! What is on this machine is looked at first (`local`), then everything outside side by side (`jobs`): the checkout
//! and its remote (`checkout`), the clock, and each service by its own client's probe (`services`, `chain`).

mod chain;
mod checkout;
mod clock;
mod finding;
mod jobs;
mod local;
mod services;
mod wanted;

use serde_json::json;

use self::finding::{Finding, Status};
use self::jobs::Job;
use self::services::Desk;
use self::wanted::Scope;
use super::metrics;
use crate::base::error::{Kind, Result};
use crate::base::text::counted;
use crate::cli::{DoctorArgs, Global};
use crate::engine::context::Context;
use crate::engine::stands::Stands;
use crate::model::beacon::BlockHash;
use crate::model::file::FileKind;
use crate::model::ids::{Block, Hotkey};
use crate::model::leader::Leaders;
use crate::model::prompts::PromptList;
use crate::settings::flags::env;
use crate::settings::origins::{keys_in_paths, resolved};
use crate::settings::servers::addresses;
use crate::settings::{Config, SettingsSource};
use crate::ui::{Report, Ui, Verbosity};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &DoctorArgs, report: &mut Report) -> Result<()> {
    let stop = Stop::on_signals()?;
    let (context, source, read) = Context::to_examine(global, ui, report)?;
    let standing = context.stands();
    let scope = Scope::of(args, standing.as_ref().ok().map(|standing| standing.stage()));
    let own = context.own_folder()?;
    let config = resolved(&context.config, &args.drivers, &env)?;
    let mut found = vec![local::settings(&context, &source, &read), local::competition(&context, &standing)];
    if let Some(standing) = standing.as_ref().ok().filter(|_| scope.has("reveal-seed")) {
        found.push(local::prompts(&context, &**standing));
    }
    found.push(local::lock(&own));
    found.push(local::disk(&context, &own, config.store.dir.as_ref(), &scope));
    found.push(local::record(&own));
    found.extend(local::metrics(&context));
    let keys = keys_in_paths(&config, args.drivers.render_service.as_deref());
    let mut jobs = local::told(&config, env, args.offline);
    if !args.offline {
        let addresses = addresses(&config);
        jobs.push(Job::new("clock", move || clock::check(&addresses).into_iter().collect()));
    }
    jobs.extend(checkout::jobs(context.git.as_ref(), args.offline, global.push));
    // Without settings that are followed, nothing is known of what they name.
    if read.is_ok() && !matches!(source, SettingsSource::Defaults(Some(_))) {
        jobs.extend(services::jobs(
            &desk(&context, args, config, standing.as_ref().ok().map(|standing| &**standing))?,
            &scope,
        ));
    }
    found.extend(jobs::run(jobs, &stop)?.into_iter().map(|finding| finding.without(&keys)));
    conclude(global.verbosity() == Verbosity::Quiet, args.stage.as_deref(), &found, report);
    Ok(())
}

/// What the checks of services need to know.
fn desk(context: &Context<'_>, args: &DoctorArgs, mut config: Config, standing: Option<&dyn Stands>) -> Result<Desk> {
    config.store.dry_run = context.options.dry_run;
    let leaders = context.store.load::<Leaders>(&FileKind::Leader).ok().flatten().unwrap_or_default();
    let leader = leaders.last();
    let miner = leader.map_or_else(Hotkey::placeholder, |leader| leader.hotkey.clone());
    let pool = context.store.load::<PromptList>(&FileKind::Pool).ok().flatten().unwrap_or_default();
    let given = standing.and_then(|standing| standing.prompts());
    let picture =
        given.into_iter().chain([&pool]).flat_map(|list| &list.0).next().map(|prompt| prompt.url().to_owned());
    let render_service = args.drivers.render_service.clone().filter(|url| !url.trim().is_empty());
    Ok(Desk {
        format: context.this_format().unwrap_or_default(),
        miners_image: config.builds.image.of(&miner, "0000000-doctor"),
        image: leader.map(|leader| leader.docker.clone()),
        config: services::impatient(config),
        render_service,
        offline: args.offline,
        writes: !context.options.dry_run,
        asks: !args.no_ask && !context.options.dry_run,
        own: context.own_folder()?,
        picture,
        newest: standing.and_then(newest),
        known: standing.and_then(known),
    })
}

/// The newest block that the round's files record as past.
fn newest(standing: &dyn Stands) -> Option<Block> {
    let revealed = standing.miners().into_iter().flatten().map(|(_, block)| block);
    revealed.chain(standing.seed().get().and_then(|seed| seed.block)).max()
}

/// The block whose hash gave the round's seed.
fn known(standing: &dyn Stands) -> Option<(Block, BlockHash)> {
    let seed = standing.seed().get()?;
    Some((seed.block?, seed.block_hash.as_ref()?.parse().ok()?))
}

/// Says every line, with `-q` the failures alone, and the counts.
fn conclude(quiet: bool, stage: Option<&str>, found: &[Finding], report: &mut Report) {
    for finding in found.iter().filter(|finding| !quiet || finding.status == Status::Fail) {
        let (colour, mark) = finding.status.mark();
        report.say_marked(colour, mark, format!("  {:15}{}", finding.name, finding.what));
        finding.hints.iter().for_each(|hint| report.say(format!("{:21}-> {hint}", "")));
    }
    let count = |status| found.iter().filter(|finding| finding.status == status).count();
    let (ok, warn, fail) = (count(Status::Ok), count(Status::Warn), count(Status::Fail));
    if !quiet || fail > 0 {
        let (warned, failed) = (counted(warn, "warning", "warnings"), counted(fail, "failure", "failures"));
        report.say(format!("{ok} ok, {warned}, {failed}"));
    }
    report.detail(json!({
        "stage": stage,
        "checks": found.iter().map(Finding::json).collect::<Vec<_>>(),
        "summary": {"ok": ok, "warn": warn, "fail": fail},
    }));
    if fail > 0 {
        report.fails(Kind::Failed);
    }
}
