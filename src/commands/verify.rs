//! `gen404 verify`: recomputes every claim from the files and the history.

use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
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
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &VerifyArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let detected = formats::recognise(&context.store)?;
    if let Some(mut sink) = formats::check(&context.store, &detected, &asked(args))? {
        match (&context.git, args.history) {
            (Some(git), true) => formats::check_history(git, &detected, &mut sink)?,
            (None, true) => return Err(no_history(&context)),
            (_, false) => {}
        }
        other_format(global, ui, args, &detected, sink, report);
        return Ok(());
    }
    // Reading the history takes one thread, so the files are loaded in parallel with it.
    let store = &context.store;
    // A round's claims depend on other rounds' shared files, but never on other rounds' player files.
    let wanted = |file: &FileKind| match (args.round, file) {
        (Some(wanted), FileKind::Player(round, ..)) => wanted == *round,
        _ => true,
    };
    let (snapshot, checkout) = rayon::join(|| Snapshot::load_some(store, wanted), || commits::Checkout::of(&context));
    let (snapshot, checkout) = (snapshot?, checkout?);
    if let Some(round) = args.round {
        is_here(&snapshot, round)?;
    }
    // Report the commit that was read, even if others are committed meanwhile.
    if let Some(head) = checkout.as_ref().and_then(commits::Checkout::head) {
        report.basis.commit = Some(head.to_owned());
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
    // The process is about to exit; freeing a million small strings would take a sixth of its run time.
    std::mem::forget(snapshot);
    if let Some(round) = args.round {
        findings.retain(|finding| finding.round.is_none_or(|of| of == round));
    }
    let counts = summary(&findings);
    say(global.quiet, &detected, &findings, counts, report);
    rules.lines().into_iter().for_each(|line| report.say(line));
    // Converting a million findings to JSON is slow, so do it only if asked for.
    if ui.json() {
        let (now, past) = rules.json();
        let format = format_json(&detected);
        report.detail(
            json!({ "format": format, "checks": findings, "summary": counts, "rules": now, "rules_past": past }),
        );
    }
    if counts.fail > 0 {
        report.fails(Kind::Failed);
    }
    Ok(())
}

fn no_history(context: &Context<'_>) -> Error {
    let here = context.store.root().display();
    Error::usage(format!("{here}: not a git checkout, so there is no history to check"))
}

/// What is asked for beyond the files, and cannot be answered for every format.
fn asked(args: &VerifyArgs) -> Vec<&'static str> {
    let all = [("--chain", args.chain), ("--objects", args.objects)];
    all.into_iter().filter(|(_, asked)| *asked).map(|(flag, _)| flag).collect()
}

/// Tells what was found in a competition that is not of meshes.
fn other_format(global: &Global, ui: &Ui, args: &VerifyArgs, detected: &Detected, sink: Sink, report: &mut Report) {
    let mut findings = sink.finish();
    findings.retain(|finding| args.round.is_none_or(|round| finding.round.is_none_or(|of| of == round)));
    let counts = summary(&findings);
    say(global.quiet, detected, &findings, counts, report);
    if ui.json() {
        report.detail(json!({ "format": format_json(detected), "checks": findings, "summary": counts }));
    }
    if counts.fail > 0 {
        report.fails(Kind::Failed);
    }
}

fn format_json(detected: &Detected) -> Value {
    json!({ "name": detected.format.as_str(), "sign": detected.sign })
}

/// Prints the format, one line for each finding that is not a pass, and the counts. Failures come last, where a terminal shows
/// them; `-q` prints only these.
fn say(quiet: bool, detected: &Detected, findings: &[Finding], counts: VerifySummary, report: &mut Report) {
    if !quiet {
        report.say(format!("format: {detected}"));
    }
    let marks =
        [(CheckStatus::Skip, "2", "skip"), (CheckStatus::Warn, "33", "warn"), (CheckStatus::Fail, "31;1", "fail")];
    for (status, colour, word) in marks.into_iter().filter(|(status, ..)| !quiet || *status == CheckStatus::Fail) {
        for finding in findings.iter().filter(|finding| finding.status == status) {
            let line = format!("  {:18} {}: {}", finding.id, finding.subject, finding.detail);
            report.say_marked(colour, word, line);
        }
    }
    let VerifySummary { pass, fail, warn, skip } = counts;
    let verdict = if fail == 0 { "every claim that can be checked here holds" } else { "not every claim holds" };
    report.say(format!("{verdict}: {pass} pass, {fail} fail, {warn} warn, {skip} skip"));
}
