//! `gen404 verify`: recompute every claim from the files and the history.

use serde_json::{Value, json};

use crate::base::error::{Error, Result};
use crate::cli::{Global, VerifyArgs};
use crate::engine::common::is_here;
use crate::engine::context::Context;
use crate::engine::verification::commits;
use crate::engine::verification::facts;
use crate::engine::verification::formats;
use crate::engine::verification::objects;
use crate::model::file::FileKind;
use crate::model::format::detect::Detected;
use crate::model::snapshot::Snapshot;
use crate::rules::checks::{self, CheckStatus, Finding, Sink, VerifySummary, history, summary};
use crate::ui::Ui;

pub(super) fn run(global: &Global, ui: &Ui, args: &VerifyArgs) -> Result<u8> {
    let context = Context::open(global, ui)?;
    let detected = formats::recognise(&context.store)?;
    if let Some(mut sink) = formats::check(&context.store, &detected, &asked(args))? {
        match (&context.git, args.history) {
            (Some(git), true) => formats::check_history(git, &detected, &mut sink)?,
            (None, true) => return Err(no_history(&context)),
            (_, false) => {}
        }
        return Ok(other_format(global, ui, args, &detected, sink));
    }
    // The history is read by one thread; the files' own threads have room beside it.
    let store = &context.store;
    // Of other rounds, a round's claims go by the files of the whole round alone: not by those of single players.
    let wanted = |file: &FileKind| match (args.round, file) {
        (Some(wanted), FileKind::Player(round, ..)) => wanted == *round,
        _ => true,
    };
    let (snapshot, checkout) = rayon::join(|| Snapshot::load_some(store, wanted), || commits::Checkout::of(&context));
    let (snapshot, checkout) = (snapshot?, checkout?);
    if let Some(round) = args.round {
        is_here(&snapshot, round)?;
    }
    // What has been read, whatever is committed meanwhile.
    if let Some(head) = checkout.as_ref().and_then(commits::Checkout::head) {
        ui.stands_at(Some(head.to_owned()));
    }
    let mut facts = facts::gather(&context, &snapshot, checkout.as_ref())?;
    if args.chain {
        facts.blocks = facts::on_chain(&snapshot, context.need_chain(&args.source)?.as_ref())?;
    }
    let mut sink = checks::run(&facts);
    match (checkout, args.history) {
        (Some(checkout), true) => {
            let history = checkout.history();
            history.check(args.round, &mut sink)?;
            history::conclude(&history.commits, facts.rules.missing_history().as_deref(), &mut sink);
        }
        (Some(checkout), false) => {
            if let Some(history) = checkout.working_tree()? {
                history.check(args.round, &mut sink)?;
            }
        }
        (None, true) => return Err(no_history(&context)),
        (None, false) => {}
    }
    if args.objects {
        let wanted = objects::ObjectSelection {
            round: args.round,
            sample: args.sample,
            store: &args.store,
            allow_private_cdn: args.allow_private_cdn,
        };
        let fetched = objects::fetch(&context, &snapshot, &wanted)?;
        checks::objects::check(&fetched, &mut sink);
    }
    let mut findings = sink.finish();
    let rules = facts.rules;
    // The process ends soon; giving back a million small strings first would take a sixth of its time.
    std::mem::forget(snapshot);
    if let Some(round) = args.round {
        findings.retain(|finding| finding.round.is_none_or(|of| of == round));
    }
    let counts = summary(&findings);
    if ui.json() {
        let (now, past) = rules.json();
        let format = format_json(&detected);
        ui.own(json!({ "format": format, "checks": findings, "summary": counts, "rules": now, "rules_past": past }));
    } else {
        print(ui, global.quiet, &findings, counts);
        ui.result(&format!("format: {detected}"));
        rules.lines().iter().for_each(|line| ui.result(line));
    }
    Ok(u8::from(counts.fail > 0))
}

fn no_history(context: &Context<'_>) -> Error {
    let here = context.store.root().display();
    Error::usage(format!("{here}: no git checkout, so there is no history to check"))
}

/// What is asked for beyond the files, and cannot be answered for every format.
fn asked(args: &VerifyArgs) -> Vec<&'static str> {
    let all = [("--chain", args.chain), ("--objects", args.objects)];
    all.into_iter().filter(|(_, asked)| *asked).map(|(flag, _)| flag).collect()
}

/// Tells what was found in a competition that is not of meshes.
fn other_format(global: &Global, ui: &Ui, args: &VerifyArgs, detected: &Detected, sink: Sink) -> u8 {
    let mut findings = sink.finish();
    findings.retain(|finding| args.round.is_none_or(|round| finding.round.is_none_or(|of| of == round)));
    let counts = summary(&findings);
    if ui.json() {
        ui.own(json!({ "format": format_json(detected), "checks": findings, "summary": counts }));
    } else {
        print(ui, global.quiet, &findings, counts);
        ui.result(&format!("format: {detected}"));
    }
    u8::from(counts.fail > 0)
}

fn format_json(detected: &Detected) -> Value {
    json!({ "name": detected.format.as_str(), "sign": detected.sign })
}

/// One line a finding that is no pass, and the counts. What matters most comes last, where a terminal shows it;
/// `-q` leaves the rest out.
fn print(ui: &Ui, quiet: bool, findings: &[Finding], counts: VerifySummary) {
    let marks =
        [(CheckStatus::Skip, "2", "skip"), (CheckStatus::Warn, "33", "warn"), (CheckStatus::Fail, "31;1", "fail")];
    for (status, colour, word) in marks.into_iter().filter(|(status, ..)| !quiet || *status == CheckStatus::Fail) {
        for finding in findings.iter().filter(|finding| finding.status == status) {
            let line = format!("  {:18} {}: {}", finding.id, finding.subject, finding.detail);
            ui.marked_result(colour, word, &line);
        }
    }
    let VerifySummary { pass, fail, warn, skip } = counts;
    let verdict = if fail == 0 { "every claim that can be checked here holds" } else { "not every claim holds" };
    ui.result(&format!("{verdict}: {pass} pass, {fail} fail, {warn} warn, {skip} skip"));
}
