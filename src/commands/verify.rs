//! `gen404 verify`: recomputes every claim from the files and the history.

mod again;
mod certainty;
mod ending;

use serde_json::json;

use self::ending::{Ending, Judged, PastEra};
use crate::base::error::{Error, Kind, Result};
use crate::cli::{Global, VerifyArgs};
use crate::engine::common::is_here;
use crate::engine::context::Context;
use crate::engine::verification::commits;
use crate::engine::verification::eras::{self, Era, Past};
use crate::engine::verification::facts;
use crate::engine::verification::formats::OtherSnapshot;
use crate::engine::verification::objects;
use crate::model::file::FileKind;
use crate::model::format::Format;
use crate::model::format::detect::Detected;
use crate::model::ids::RoundNumber;
use crate::model::seed::SeedFile;
use crate::model::snapshot::Snapshot;
use crate::rules::certainty::rounds::{Sureness, of_meshes};
use crate::rules::checks::formats::window::Window;
use crate::rules::checks::in_force::InForce;
use crate::rules::checks::{self, CheckStatus, Finding, Sink, VerifySummary, history, summary};
use crate::ui::{Report, Ui};
use crate::world::git::Git;

pub(super) fn run(global: &Global, ui: &Ui, args: &VerifyArgs, report: &mut Report) -> Result<()> {
    let context = Context::open(global, ui, report)?;
    let ending = Ending::of(&context, global.quiet, args)?;
    let args = &ending.args;
    if let Some(from) = &args.from {
        return past(&context, &ending, from, report);
    }
    let detected = context.detected()?;
    let tree = context.tree()?;
    if let Some(snapshot) = OtherSnapshot::load(&tree, detected.format)? {
        return other_format(&context, &ending, (&snapshot, &detected), report);
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
        facts.blocks = facts::on_chain(facts::seeds(&snapshot), context.need_chain(&args.source)?.as_ref())?;
    }
    let mut sink = checks::run(&facts);
    let lineage = checkout.as_ref().map(commits::Checkout::lineage).unwrap_or_default();
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
    let sureness = certainty::work_out(ui, || of_meshes(&snapshot, &facts.rules, args.round));
    let drawn = again::drawn(args, &snapshot);
    let rules = facts.rules;
    // The process is about to exit; freeing a million small strings would take a sixth of its run time.
    std::mem::forget(snapshot);
    let judged = Judged { detected: &detected, rules: &rules, lineage, ended: None };
    ending.end(&context, &judged, sink, report)?;
    certainty::tell(ui, sureness.as_ref(), report);
    drawn.map_or(Ok(()), |drawn| drawn.judge(&context, args, report))
}

/// Reports the findings.
fn conclude(quiet: bool, ui: &Ui, (detected, rules): (&Detected, &InForce), findings: &[Finding], report: &mut Report) {
    let counts = summary(findings);
    say(quiet, detected, findings, counts, report);
    if !quiet || counts.fail > 0 {
        rules.lines().into_iter().for_each(|line| report.say(line));
    }
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
}

/// Checks a competition of splats or of three.js modules.
fn other_format(
    context: &Context<'_>,
    ending: &Ending,
    (snapshot, detected): (&OtherSnapshot, &Detected),
    report: &mut Report,
) -> Result<()> {
    let args = &ending.args;
    if let Some(round) = args.round {
        is_here(&snapshot.rounds().into_iter().map(|round| (round, ())).collect(), round)?;
    }
    let past = context.git.as_ref().map(|git| Past::here(context, git)).transpose()?;
    if let Some(head) = past.as_ref().and_then(Past::head) {
        report.basis.commit = Some(head.to_owned());
    }
    let mut facts = snapshot.facts_here(context, past.as_ref())?;
    let asks = |(_, seed, _): &(_, &SeedFile, _)| seed.drand_round.is_some() || seed.block.is_some();
    if args.chain && snapshot.seeds().iter().any(asks) {
        facts.blocks = facts::on_chain(snapshot.seeds(), context.need_chain(&args.source)?.as_ref())?;
    }
    let mut sink = snapshot.check(&facts);
    let format = detected.format;
    match (&past, args.history) {
        (Some(past), true) => {
            history_of(past, format, &past.newest(), &mut sink)?;
            past.say_shallow(&mut sink);
        }
        (Some(past), false) => {
            if let Some(window) = past.working_tree() {
                let mut changed = Sink::default();
                history_of(past, format, &window, &mut changed)?;
                sink.take_objections(changed);
            }
        }
        (None, true) => return Err(no_history(context)),
        (None, false) => {}
    }
    unchecked(args, format, &mut sink);
    let lineage = past.as_ref().map(Past::lineage).unwrap_or_default();
    let judged = Judged { detected, rules: &facts.rules, lineage, ended: None };
    ending.end(context, &judged, sink, report)?;
    let sureness = certainty::work_out(context.ui, || snapshot.matches(&facts.rules, args.round));
    certainty::tell(context.ui, sureness.as_ref(), report);
    again::drawn_of(args, snapshot).map_or(Ok(()), |drawn| drawn.judge(context, args, report))
}

fn history_of(past: &Past, format: Format, window: &Window, sink: &mut Sink) -> Result<()> {
    checks::formats::history::check(format, &past.commits, window, &mut |blob| past.blob(blob), sink)
}

/// Says what --chain and --objects cannot check in these formats, and why.
fn unchecked(args: &VerifyArgs, format: Format, sink: &mut Sink) {
    if args.chain {
        sink.claim("submissions.rules", None, "--chain", |claim| {
            claim.skip(
                "reveals are not compared: a node keeps a hotkey's last ten, and services drop submissions for reasons that \
                 no file records (unregistered hotkeys, locked alpha)",
            );
        });
    }
    if args.objects {
        sink.claim("object.sha256", None, "--objects", |claim| {
            claim
                .skip(format!("a {format} competition has no SHA256SUMS, so there is nothing to compare objects with"));
        });
        sink.claim("object.preview", None, "--objects", |claim| {
            claim.skip(format!("the previews of a {format} competition are drawn by its own render service"));
        });
    }
}

/// With --round, only that round's findings, and those of no round.
fn of_round(args: &VerifyArgs, mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| args.round.is_none_or(|round| finding.round.is_none_or(|of| of == round)));
    findings
}

/// Checks the competition that a commit belongs to: its files as they stood in its last commit, and its commits from
/// that one on.
fn past(context: &Context<'_>, ending: &Ending, from: &str, report: &mut Report) -> Result<()> {
    let git = context.git.as_ref().ok_or_else(|| no_history(context))?;
    let past = Past::of(git)?;
    let (era, window) = past.from(from)?;
    let Some(last) = era.end.checked_sub(1).and_then(|at| past.commits.get(at)) else {
        return Err(Error::failed("the history has no commits"));
    };
    let tree = eras::tree(git, &last.id)?;
    report.basis.commit = Some(last.id.clone());
    let round = ending.args.round;
    let (mut sink, rules, sureness) = match OtherSnapshot::load(&tree, era.detected.format)? {
        Some(snapshot) => {
            let facts = snapshot.facts(&tree, git, &past, era.start..era.end)?;
            let mut sink = snapshot.check(&facts);
            history_of(&past, era.detected.format, &window, &mut sink)?;
            let sureness = certainty::work_out(context.ui, || snapshot.matches(&facts.rules, round));
            (sink, facts.rules, sureness)
        }
        None => {
            let (mut sink, rules, sureness) = past_of_meshes(context, round, git, era, window.first)?;
            if let Some(earlier) = window.earlier {
                sink.claim("history.stage", None, "the beginning", |claim| claim.skip(earlier));
            }
            (sink, rules, sureness)
        }
    };
    past.say_shallow(&mut sink);
    let short = last.id.get(..10).unwrap_or(&last.id);
    report.say(format!("as of {short} ({} of {} commits of the history)", era.end - era.start, past.commits.len()));
    let ended = Some(PastEra { from: past.full_id(from)?, last: last.id.clone() });
    let judged = Judged { detected: &era.detected, rules: &rules, lineage: past.lineage(), ended };
    ending.end(context, &judged, sink, report)?;
    certainty::tell(context.ui, sureness.as_ref(), report);
    Ok(())
}

/// Checks a competition of meshes that is past.
fn past_of_meshes(
    context: &Context<'_>,
    round: Option<RoundNumber>,
    git: &Git,
    era: &Era,
    first: usize,
) -> Result<(Sink, InForce, Option<Sureness>)> {
    let checkout = commits::Checkout::within(git, era.detected.format, era.start..era.end)?;
    let tree = checkout.head().map(|head| git.tree(head)).transpose()?;
    let tree = tree.ok_or_else(|| Error::failed("the history has no commits"))?;
    let snapshot = Snapshot::load_some(era.detected.format, &tree, |_| true)?;
    let facts = facts::gather(context, &snapshot, Some(&checkout))?;
    let mut sink = checks::run(&facts);
    let history = checkout.since(first.saturating_sub(era.start))?;
    history.check(None, &mut sink)?;
    history::conclude(&history.commits, None, &mut sink);
    let sureness = certainty::work_out(context.ui, || of_meshes(&snapshot, &facts.rules, round));
    Ok((sink, facts.rules, sureness))
}

fn no_history(context: &Context<'_>) -> Error {
    let here = context.store.root().display();
    Error::usage(format!("{here}: not a git checkout, so there is no history to check"))
}

/// Prints the format, one line for each finding that is not a pass, and the counts. Failures come last, where a terminal shows
/// them; `-q` prints only these, and nothing if there are none.
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
    if quiet && fail == 0 {
        return;
    }
    let verdict = if fail == 0 { "every claim that can be checked here holds" } else { "not every claim holds" };
    report.say(format!("{verdict}: {pass} pass, {fail} fail, {warn} warn, {skip} skip"));
}
