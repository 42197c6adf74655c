//! `gen404 lease`: which hosts have announced steps, and takes announcements away.

use chrono::Utc;
use serde_json::json;

use crate::base::error::Result;
use crate::base::text::time;
use crate::cli::{Global, LeaseArgs};
use crate::engine::context::Context;
use crate::engine::leases::elsewhere;
use crate::model::leases::StepLease;
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &LeaseArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    match &args.release {
        Some(host) if !global.dry_run => release(&context, host.as_deref(), report),
        release => show(&context, release.as_ref().map(Option::as_deref), report),
    }
}

fn release(context: &Context<'_>, host: Option<&str>, report: &mut Report) -> Result<()> {
    let gone = context.release_leases(host)?;
    gone.iter().for_each(|lease| report.say(format!("released {}: {}", lease.command, elsewhere(lease))));
    if gone.is_empty() {
        report.say(if host.is_some() { "nothing to release" } else { "no lease is left" });
    }
    report.detail(json!({ "leases": gone }));
    Ok(())
}

/// Shows them; with `release`, those that would be taken away.
fn show(context: &Context<'_>, release: Option<Option<&str>>, report: &mut Report) -> Result<()> {
    let mut leases = context.all_leases()?.leases;
    if let Some(Some(host)) = release {
        leases.retain(|lease| lease.shown_host() == host);
    }
    let settings = &context.config.lease;
    let skew = chrono::TimeDelta::from_std(settings.skew()).unwrap_or_default();
    for lease in &leases {
        let (would, taken) = (if release.is_some() { "would release " } else { "" }, time(lease.taken.at()));
        let state = if lease.holds(Utc::now(), skew) { "" } else { ": expired" };
        report.say(format!("{would}{}: {}, since {taken}{state}", named(lease), elsewhere(lease)));
    }
    if leases.is_empty() {
        report.say("no host has announced a step");
    }
    if !settings.enabled {
        report.say("this host announces nothing: [lease] is not enabled in its settings");
    }
    report.detail(json!({ "leases": leases, "enabled": settings.enabled }));
    Ok(())
}

fn named(lease: &StepLease) -> String {
    format!("{} of round {}", lease.command, lease.round)
}
