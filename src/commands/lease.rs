//! `gen404 lease`: which hosts have announced steps, and takes announcements away.

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::json;

use crate::base::error::Result;
use crate::base::text::time;
use crate::cli::{Global, LeaseArgs};
use crate::engine::context::Context;
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
    let (gone, left) = context.release_leases(host)?;
    gone.iter().for_each(|lease| report.say(format!("released: {}, {}", named(lease), context.held(lease))));
    if gone.is_empty() {
        report.say(host.map_or_else(|| "no lease is left".to_owned(), |host| none_of(host, &left)));
    }
    report.detail(json!({ "leases": gone }));
    Ok(())
}

/// Says that a host has announced nothing, and which hosts have.
fn none_of(host: &str, all: &[StepLease]) -> String {
    let hosts: BTreeSet<String> = all.iter().map(StepLease::shown_host).collect();
    match hosts.into_iter().collect::<Vec<_>>().join(", ") {
        hosts if hosts.is_empty() => format!("nothing to release: no host has announced a step, {host:?} neither"),
        hosts => format!("nothing to release: {host:?} has announced no step; those of {hosts} are there"),
    }
}

/// Shows them; with `release`, those that would be taken away.
fn show(context: &Context<'_>, release: Option<Option<&str>>, report: &mut Report) -> Result<()> {
    let all = context.all_leases()?.leases;
    let wanted = |lease: &StepLease| release.flatten().is_none_or(|host| lease.shown_host() == host);
    let (leases, others): (Vec<StepLease>, Vec<StepLease>) = all.into_iter().partition(wanted);
    let settings = &context.config.lease;
    for lease in &leases {
        let (would, taken) = (if release.is_some() { "would release " } else { "" }, time(lease.taken.at()));
        let state = if lease.holds(Utc::now(), context.lease_skew()) { "" } else { ": expired" };
        report.say(format!("{would}{}: {}, since {taken}{state}", named(lease), context.elsewhere(lease)));
    }
    if leases.is_empty() {
        let none = || "no host has announced a step".to_owned();
        report.say(release.flatten().map_or_else(none, |host| none_of(host, &others)));
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
