//! `gen404 verify`: recomputes every claim from the files and the history.

mod again;
mod certainty;
mod ending;

use std::collections::BTreeMap;

use serde_json::json;

use self::ending::{Ending, Judged, PastEra};
use crate::base::error::{Error, Kind, Result};
use crate::base::text::counted;
use crate::cli::{Global, VerifyArgs};
use crate::engine::common::is_here;
use crate::engine::context::Context;
use crate::engine::verification::commits::{self, no_history};
use crate::engine::verification::eras::{self, Era, Past};
use crate::engine::verification::facts;
use crate::engine::verification::formats::OtherSnapshot;
use crate::engine::verification::{module_objects, objects};
use crate::model::file::{FileKind, PlayerFile};
use crate::model::format::Format;
use crate::model::format::detect::Detected;
use crate::model::ids::{Block, RoundNumber};
use crate::model::seed::SeedFile;
use crate::model::snapshot::{ListedSource, Snapshot, Source as _};
use crate::rules::certainty::rounds::{Sureness, of_meshes};
use crate::rules::checks::in_force::InForce;
use crate::rules::checks::{self, CheckStatus, Finding, Sink, VerifySummary, history, summary};
use crate::rules::seed::OnChain;
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
    is_checked_out(&context, &tree)?;
    if let Some(snapshot) = OtherSnapshot::load(&tree, detected.format)? {
        return other_format(&context, &ending, (&snapshot, &detected), report);
    }
    // A round's claims depend on other rounds' shared files; of their players' files, only on the sums, for copies.
    let wanted = |file: &FileKind| match (args.round, file) {
        (Some(wanted), FileKind::Player(round, _, file)) => wanted == *round || *file == PlayerFile::Sums,
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
    facts.allow_private_cdn = ending.allows_private_cdn(&context);
    if args.chain {
        facts.blocks = on_chain(&context, args, facts::seeds(&snapshot))?;
    }
    let mut sink = checks::run(&facts);
    let lineage = checkout.as_ref().map(commits::Checkout::lineage).unwrap_or_default();
    match checkout {
        Some(checkout) => checkout.judge(args.history, args.round, &facts.rules, &mut sink)?,
        None if args.history => return Err(no_history(&context)),
        None => {}
    }
    if args.objects {
        let fetched = objects::fetch(&context, &snapshot, &selection(args))?;
        checks::objects::check(&fetched, &mut sink);
        checks::copies::previews::check(&snapshot, &fetched, &mut sink);
    }
    let sureness = certainty::work_out(ui, || of_meshes(&snapshot, &facts.rules, args.round));
    let drawn = again::drawn(args, &snapshot);
    let rules = facts.rules;
    // The process is about to exit; freeing a million small strings would take a sixth of its run time.
    std::mem::forget(snapshot);
    let judged = Judged { detected: &detected, rules: &rules, lineage, ended: None, sureness: sureness.as_ref() };
    ending.end(&context, &judged, sink, report)?;
    drawn.map_or(Ok(()), |drawn| drawn.judge(&context, args, report))
}

/// Fails in a clone of which nothing is checked out: its files would be reported as missing, one by one.
fn is_checked_out(context: &Context<'_>, tree: &ListedSource<'_>) -> Result<()> {
    let Some(git) = &context.git else { return Ok(()) };
    if git.head()?.is_some() || tree.list()?.iter().any(|path| FileKind::of_path(path).is_some()) {
        return Ok(());
    }
    let root = context.store.root().display();
    let none = Error::failed(format!("{root}: no commit is checked out, and there are no files of a competition"));
    Err(none.hint("`git branch -r` lists the branches of a clone; `git switch BRANCH` checks one out"))
}

/// What the chain says of these seeds' blocks.
fn on_chain<'a>(
    context: &Context<'_>,
    args: &VerifyArgs,
    seeds: impl IntoIterator<Item = (RoundNumber, &'a SeedFile, Block)>,
) -> Result<BTreeMap<RoundNumber, OnChain>> {
    let chain = context.need_chain(&args.source)?;
    facts::on_chain(seeds, chain.as_ref()).map_err(|error| {
        if error.kind() != Kind::Outside {
            return error;
        }
        let local = std::iter::once(error.to_string()).chain(error.causes()).any(|text| text.contains("127.0.0.1"));
        let error = if local {
            error.hint("a sandbox's chain is there while `gen404 sandbox --keep-serving` runs")
        } else {
            error
        };
        error.hint("[chain] network in gen404.toml, or --network, names another node; without --chain none is asked")
    })
}

/// Reports the findings; `unjudged` if the commits were not judged, though there are some.
fn conclude((quiet, unjudged): (bool, bool), ui: &Ui, judged: &Judged<'_>, findings: &[Finding], report: &mut Report) {
    let Judged { detected, rules, sureness, .. } = *judged;
    let counts = summary(findings);
    if !quiet {
        report.say(format!("format: {detected}"));
    }
    // Before the findings: what does not hold comes last, where a terminal shows it.
    certainty::tell(ui, sureness, report);
    if ui.is_verbose() {
        say_passed(findings, report);
    }
    say((quiet, unjudged), findings, counts, report);
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
    facts.allow_private_cdn = ending.allows_private_cdn(context);
    let asks = |(_, seed, _): &(_, &SeedFile, _)| seed.drand_round.is_some() || seed.block.is_some();
    if args.chain && snapshot.seeds().iter().any(asks) {
        facts.blocks = on_chain(context, args, snapshot.seeds())?;
    }
    let mut sink = snapshot.check(&facts);
    past.iter().for_each(|past| past.check_lines(&mut sink));
    let format = detected.format;
    match (&past, args.history) {
        (Some(past), true) => {
            past.check(format, &past.newest(), &mut sink)?;
            past.say_shallow(&mut sink);
        }
        (Some(past), false) => {
            if let Some(window) = past.working_tree() {
                let mut changed = Sink::default();
                past.check(format, &window, &mut changed)?;
                sink.take_objections(changed);
            }
        }
        (None, true) => return Err(no_history(context)),
        (None, false) => {}
    }
    unchecked(args, format, &mut sink);
    if args.objects {
        stored_modules(context, args, snapshot, &mut sink)?;
    }
    let lineage = past.as_ref().map(Past::lineage).unwrap_or_default();
    let sureness = certainty::work_out(context.ui, || snapshot.matches(&facts.rules, args.round));
    let judged = Judged { detected, rules: &facts.rules, lineage, ended: None, sureness: sureness.as_ref() };
    ending.end(context, &judged, sink, report)?;
    again::drawn_of(args, snapshot).map_or(Ok(()), |drawn| drawn.judge(context, args, report))
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
        sink.claim("copies.previews", None, "--objects", |claim| {
            claim.skip(format!("previews of a {format} competition are not compared"));
        });
        sink.claim("object.preview", None, "--objects", |claim| {
            claim.skip(format!("the previews of a {format} competition are drawn by its own render service"));
        });
    }
}

/// With --objects: fetches what is stored where its sums are recorded. The deployed services record none.
fn stored_modules(context: &Context<'_>, args: &VerifyArgs, snapshot: &OtherSnapshot, sink: &mut Sink) -> Result<()> {
    let fetched = match snapshot {
        OtherSnapshot::Threejs(snapshot) => module_objects::fetch_modules(context, snapshot, &selection(args))?,
        OtherSnapshot::Splat(_) => Vec::new(),
    };
    if fetched.is_empty() {
        sink.claim("object.sha256", None, "--objects", |claim| {
            claim.skip("there is no SHA256SUMS, so there is nothing to compare objects with");
        });
    }
    checks::objects::check(&fetched, sink);
    Ok(())
}

/// Which objects --objects fetches.
fn selection(args: &VerifyArgs) -> objects::ObjectSelection<'_> {
    objects::ObjectSelection {
        round: args.round,
        sample: args.sample,
        store: &args.store,
        allow_private_cdn: args.allow_private_cdn,
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
            past.check_lines(&mut sink);
            past.check(era.detected.format, &window, &mut sink)?;
            let sureness = certainty::work_out(context.ui, || snapshot.matches(&facts.rules, round));
            (sink, facts.rules, sureness)
        }
        None => {
            let (mut sink, rules, sureness) = past_of_meshes(context, ending, git, era, window.first)?;
            if let Some(earlier) = window.earlier {
                sink.claim("history.stage", None, "the beginning", |claim| claim.skip(earlier));
            }
            (sink, rules, sureness)
        }
    };
    past.say_shallow(&mut sink);
    let short = last.id.get(..10).unwrap_or(&last.id);
    let all = counted(past.commits.len(), "commit", "commits");
    report.say(format!("as of {short} ({} of {all} of the history)", era.end - era.start));
    let ended = Some(PastEra { from: past.full_id(from)?, last: last.id.clone() });
    let (detected, lineage) = (&era.detected, past.lineage());
    let judged = Judged { detected, rules: &rules, lineage, ended, sureness: sureness.as_ref() };
    ending.end(context, &judged, sink, report)
}

/// Checks a competition of meshes that is past.
fn past_of_meshes(
    context: &Context<'_>,
    ending: &Ending,
    git: &Git,
    era: &Era,
    first: usize,
) -> Result<(Sink, InForce, Option<Sureness>)> {
    let checkout = commits::Checkout::within(git, era.detected.format, era.start..era.end)?;
    let tree = checkout.head().map(|head| git.tree(head)).transpose()?;
    let tree = tree.ok_or_else(|| Error::failed("the history has no commits"))?;
    let snapshot = Snapshot::load_some(era.detected.format, &tree, |_| true)?;
    let mut facts = facts::gather(context, &snapshot, Some(&checkout))?;
    facts.allow_private_cdn = ending.allows_private_cdn(context);
    let mut sink = checks::run(&facts);
    let history = checkout.since(first.saturating_sub(era.start))?;
    history.check(None, &mut sink)?;
    history::conclude(&history.commits, None, &mut sink);
    let sureness = certainty::work_out(context.ui, || of_meshes(&snapshot, &facts.rules, ending.args.round));
    Ok((sink, facts.rules, sureness))
}

/// The claims that the reader asks about by name, or that depend on what the reader saw before.
const ASKED: [&str; 2] = ["history.continues", "history.signed"];

/// Prints one line for each of these that holds: with `--expect` or `--signers`, silence would not say whether it was
/// checked.
fn say_passed(findings: &[Finding], report: &mut Report) {
    let passed = |finding: &&Finding| finding.status == CheckStatus::Pass && ASKED.contains(&finding.id);
    for finding in findings.iter().filter(passed) {
        report.say_marked("32", "pass", line(finding));
    }
}

fn line(finding: &Finding) -> String {
    let line = format!("  {:18} {}", finding.id, finding.subject);
    if finding.detail.is_empty() { line } else { format!("{line}: {}", finding.detail) }
}

/// Prints one line for each finding that is not a pass, and the counts. Failures come last, where a terminal shows them; `-q`
/// prints only these, and warnings of what was asked for or remembered: a history that could not be compared with the
/// one verified before must not pass for one that was.
fn say((quiet, unjudged): (bool, bool), findings: &[Finding], counts: VerifySummary, report: &mut Report) {
    let marks =
        [(CheckStatus::Skip, "2", "skip"), (CheckStatus::Warn, "33", "warn"), (CheckStatus::Fail, "31;1", "fail")];
    let is_told = |finding: &&Finding| match finding.status {
        CheckStatus::Fail => true,
        CheckStatus::Warn => !quiet || ASKED.contains(&finding.id),
        _ => !quiet,
    };
    for (status, colour, word) in marks {
        for finding in findings.iter().filter(|finding| finding.status == status).filter(is_told) {
            report.say_marked(colour, word, line(finding));
        }
    }
    let VerifySummary { pass, fail, warn, skip } = counts;
    if quiet && fail == 0 {
        return;
    }
    let verdict = if fail == 0 { "every claim that can be checked here holds" } else { "not every claim holds" };
    let rest = if unjudged { " (commits not judged: add --history)" } else { "" };
    report.say(format!("{verdict}: {pass} pass, {fail} fail, {warn} warn, {skip} skip{rest}"));
}
