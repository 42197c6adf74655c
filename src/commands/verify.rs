//! `gen404 verify`: recomputes every claim from the files and the history.

use serde_json::json;

use crate::base::error::{Error, Kind, Result};
use crate::cli::{Global, VerifyArgs};
use crate::engine::common::is_here;
use crate::engine::context::Context;
use crate::engine::verification::commits;
use crate::engine::verification::eras::{self, Era, Past};
use crate::engine::verification::facts;
use crate::engine::verification::formats::{self, OtherSnapshot};
use crate::engine::verification::objects;
use crate::model::file::FileKind;
use crate::model::format::detect::Detected;
use crate::model::history::BlobId;
use crate::model::snapshot::Snapshot;
use crate::rules::checks::{self, CheckStatus, Finding, Sink, VerifySummary, history, summary};
use crate::ui::{Report, Ui};
use crate::world::git::Git;

pub(super) fn run(global: &Global, ui: &Ui, args: &VerifyArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    if let Some(from) = &args.from {
        return past(&context, global.quiet, args, from, report);
    }
    let detected = context.detected()?;
    let tree = context.tree()?;
    if let Some(mut sink) = formats::check(&tree, &detected, &asked(args))? {
        match (&context.git, args.history) {
            (Some(git), true) => formats::check_history(git, &detected, &mut sink)?,
            (None, true) => return Err(no_history(&context)),
            (_, false) => {}
        }
        other_format(global.quiet, ui, args, &detected, sink, report);
        return Ok(());
    }
    // A round's claims depend on other rounds' shared files, but never on other rounds' player files.
    let wanted = |file: &FileKind| match (args.round, file) {
        (Some(wanted), FileKind::Player(round, ..)) => wanted == *round,
        _ => true,
    };
    // Reading the history takes one thread, so the files are loaded in parallel with it.
    let (snapshot, checkout) = rayon::join(
        || Snapshot::load_some(detected.format, &tree, wanted),
        || commits::Checkout::of(&context, detected.format, &tree),
    );
    let (snapshot, checkout) = (snapshot?, checkout?);
    if let Some(round) = args.round {
        is_here(&snapshot.rounds, round)?;
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
        let format = detected.json();
        report.detail(
            json!({ "format": format, "checks": findings, "summary": counts, "rules": now, "rules_past": past }),
        );
    }
    if counts.fail > 0 {
        report.fails(Kind::Failed);
    }
    Ok(())
}

/// Checks the competition that a commit belongs to: its files as they stood in its last commit, and its commits from
/// that one on.
fn past(context: &Context<'_>, quiet: bool, args: &VerifyArgs, from: &str, report: &mut Report) -> Result<()> {
    let git = context.git.as_ref().ok_or_else(|| no_history(context))?;
    let past = Past::of(git)?;
    let (era, window) = past.from(from)?;
    let Some(last) = era.end.checked_sub(1).and_then(|at| past.commits.get(at)) else {
        return Err(Error::failed("the history has no commits"));
    };
    let tree = eras::tree(git, &last.id)?;
    report.basis.commit = Some(last.id.clone());
    let mut sink = match OtherSnapshot::load(&tree, era.detected.format)? {
        Some(snapshot) => {
            let mut sink = snapshot.check(&era.detected);
            let format = era.detected.format;
            let read = &mut |blob: &BlobId| past.reader.blob(blob);
            checks::formats::history::check(format, &past.commits, &window, read, &mut sink)?;
            sink
        }
        None => {
            let mut sink = past_of_meshes(context, git, era, window.first)?;
            if let Some(earlier) = window.earlier {
                sink.claim("history.stage", None, "the beginning", |claim| claim.skip(earlier));
            }
            sink
        }
    };
    past.say_shallow(&mut sink);
    let short = last.id.get(..10).unwrap_or(&last.id);
    report.say(format!("as of {short} ({} of {} commits of the history)", era.end - era.start, past.commits.len()));
    other_format(quiet, context.ui, args, &era.detected, sink, report);
    Ok(())
}

/// Checks a competition of meshes that is past.
fn past_of_meshes(context: &Context<'_>, git: &Git, era: &Era, first: usize) -> Result<Sink> {
    let checkout = commits::Checkout::within(git, era.detected.format, era.start..era.end)?;
    let tree = checkout.head().map(|head| git.tree(head)).transpose()?;
    let tree = tree.ok_or_else(|| Error::failed("the history has no commits"))?;
    let snapshot = Snapshot::load_some(era.detected.format, &tree, |_| true)?;
    let facts = facts::gather(context, &snapshot, Some(&checkout))?;
    let mut sink = checks::run(&facts);
    let history = checkout.since(first.saturating_sub(era.start))?;
    history.check(None, &mut sink)?;
    history::conclude(&history.commits, None, &mut sink);
    Ok(sink)
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

/// Tells what was found in a competition that is past, or not of meshes.
fn other_format(quiet: bool, ui: &Ui, args: &VerifyArgs, detected: &Detected, sink: Sink, report: &mut Report) {
    let mut findings = sink.finish();
    findings.retain(|finding| args.round.is_none_or(|round| finding.round.is_none_or(|of| of == round)));
    let counts = summary(&findings);
    say(quiet, detected, &findings, counts, report);
    if ui.json() {
        report.detail(json!({ "format": detected.json(), "checks": findings, "summary": counts }));
    }
    if counts.fail > 0 {
        report.fails(Kind::Failed);
    }
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
