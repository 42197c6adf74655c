//! Audit requests, generation reports and verdicts of a competition of three.js modules.

use std::collections::{HashMap, HashSet};

use super::super::{Claim, Sink};
use super::threejs::{Round, generated};
use crate::model::builds::BuildStatus;
use crate::model::ids::{Hotkey, Player, PromptStem};
use crate::model::snapshot::Slot;
use crate::model::source_audit::SourceVerdict;
use crate::model::threejs::audit_matrix::{AuditMatrix, Opponent};
use crate::model::threejs::config::audit_repeats;
use crate::model::threejs::pod_stats::{PodRun, PodRunEntry, PodRuns};
use crate::model::threejs::reports::{GenerationReport, GenerationReports, Repeat, RepeatedReport, ReportOutcome};
use crate::rules::regeneration::record::NO_IMAGE;
use crate::rules::threejs::chain::{Chain, ChainFacts, Fate, Link, by_miner, derive, order, repeats_of};
use crate::rules::threejs::known::{COMPLETED, TERMINATIONS};
use crate::rules::threejs::reports::{counted, is_early, objections, runs, same_seconds, seconds, unanswered};

pub(super) fn check(round: &Round<'_>, sink: &mut Sink) {
    requests(round, sink);
    reports(round, sink);
    pods(round, sink);
    verdicts(round, sink);
    sources(round, sink);
}

/// The chain that the files give; `None` if submissions or margins cannot be read, or in rounds from before audits by
/// duels.
pub(super) fn chain<'a>(round: &Round<'a>) -> Option<Chain<'a>> {
    let (files, terms) = (round.files, round.terms());
    let settings = terms.settings?;
    let (no_audits, no_reports) = (AuditMatrix::default(), GenerationReports::default());
    if !files.verification_audits.is_missing() {
        return None;
    }
    let sources = by_miner(files.source_audit.get().map(Vec::as_slice).unwrap_or_default());
    let order = order(files.submissions.get()?);
    let facts = ChainFacts {
        order: &order,
        win_margin: settings.win_margin,
        repeats: repeats_of(files, audit_repeats(settings)),
        matrix: files.matrix.get()?,
        audits: files.audit_matrix.get().unwrap_or(&no_audits),
        reports: files.generation_reports.get().unwrap_or(&no_reports),
        sources: &sources,
    };
    Some(derive(&facts))
}

/// Why a place in the chain is not settled; `None` if it is.
pub(super) fn open(fate: &Fate) -> Option<&'static str> {
    match fate {
        Fate::Pending => Some("its match against the holder is missing"),
        Fate::Won { verified: false, .. } => Some("it won, but its audits are not complete"),
        _ => None,
    }
}

/// The requested miners on whom a round that is over must have a verdict: the rejected, and the verified winners.
pub(super) fn due<'a>(round: &Round<'a>) -> Vec<&'a Hotkey> {
    let (Some(requested), Some(chain), true) = (requested(round), chain(round), round.is_over()) else {
        return Vec::new();
    };
    let settled = |link: &&Link<'_>| matches!(link.fate, Fate::Rejected(_) | Fate::Won { verified: true, .. });
    let links = chain.links.iter().filter(settled);
    links.map(|link| link.hotkey).filter(|hotkey| requested.contains(hotkey)).collect()
}

/// `audit.request`: each winner has a request that names the holder it beat, and no miner was audited without a request.
/// Requests of miners that lost in the end stay.
fn requests(round: &Round<'_>, sink: &mut Sink) {
    if round.files.require_audit.is_missing() && round.files.matrix.is_missing() {
        return;
    }
    sink.claim("audit.request", round.round, round.path("require_audit.json"), |claim| {
        let empty = Vec::new();
        let requests = match &round.files.require_audit {
            Slot::Ok(requests) => requests,
            Slot::Missing => &empty,
            Slot::Broken => return,
        };
        let mut seen = HashSet::new();
        for request in requests {
            if !round.submitted(&request.hotkey) {
                claim.fail(format!("{}: did not submit in this round", request.hotkey));
            }
            if !seen.insert(&request.hotkey) {
                claim.fail(format!("{}: is requested twice", request.hotkey));
            }
            let leader = Player::Leader;
            let defender = request.latest_defender.as_ref().filter(|defender| **defender != leader);
            if !beat(round, &leader, &request.hotkey) {
                claim.fail(format!("{}: is requested, but did not beat the leader by the margin", request.hotkey));
            }
            // It is requested when it beats a holder, whatever becomes of either.
            if let Some(defender) = defender.filter(|defender| !beat(round, defender, &request.hotkey)) {
                let hotkey = &request.hotkey;
                claim.fail(format!("{hotkey}: latest_defender is {defender}, which it did not beat by the margin"));
            }
        }
        let Some(chain) = chain(round) else { return };
        let defenders: HashMap<_, _> = requests.iter().map(|request| (&request.hotkey, request)).collect();
        for link in &chain.links {
            match defenders.get(link.hotkey) {
                Some(request) => defender(claim, link, request.latest_defender.as_ref()),
                None => unrequested(claim, round, link),
            }
        }
        round.terms().judge(claim);
    });
}

/// A winner's request names the holder that it beat. The request of a miner that lost an audit duel to a holder names
/// that one, or a later holder that was rejected in the meantime.
fn defender(claim: &mut Claim, link: &Link<'_>, found: Option<&Player>) {
    let (Some(found), (hotkey, holder)) = (found, (link.hotkey, &link.holder)) else { return };
    match (&link.fate, &link.lost) {
        (Fate::Won { .. }, _) => {
            claim.same(format_args!("{hotkey}: latest_defender"), &found.as_str(), &holder.as_str());
        }
        (Fate::Rejected(_), Some((Opponent::Holder(_), _))) if found != holder => {
            claim.warn(format!("{hotkey}: latest_defender is {found}, but it was rejected against {holder}"));
        }
        _ => {}
    }
}

fn unrequested(claim: &mut Claim, round: &Round<'_>, link: &Link<'_>) {
    let hotkey = link.hotkey;
    let reported = round.files.generation_reports.get().is_some_and(|reports| reports.contains_key(hotkey));
    match &link.fate {
        Fate::Won { .. } => claim.fail(format!("{hotkey}: won against {}, but is not requested", link.holder)),
        Fate::Rejected(reason) if reported || link.lost.is_some() => {
            claim.fail(format!("{hotkey}: was audited and rejected ({reason}), but is not requested"));
        }
        _ => {}
    }
}

/// Did it beat this holder by the margin? If that cannot be read, it is taken to have.
fn beat(round: &Round<'_>, holder: &Player, hotkey: &Hotkey) -> bool {
    let (Some(matrix), Some(settings)) = (round.files.matrix.get(), round.terms().settings) else { return true };
    let margin = matrix.margin(holder, &Player::Miner(hotkey.clone()));
    margin.is_some_and(|margin| margin >= settings.win_margin)
}

/// The miners that are requested; `None` if that cannot be read.
fn requested<'a>(round: &Round<'a>) -> Option<HashSet<&'a Hotkey>> {
    let requests = round.files.require_audit.get()?;
    Some(requests.iter().map(|request| &request.hotkey).collect())
}

/// `audit.report`: what each repeat of the requested miners' programs came to.
fn reports(round: &Round<'_>, sink: &mut Sink) {
    let Some(reports) = round.files.generation_reports.get() else { return };
    of_winners(round, reports, sink);
    let requested = requested(round);
    for (hotkey, report) in reports.iter() {
        let subject = format!("{} {hotkey}", round.path("generation_reports.json"));
        sink.claim("audit.report", round.round, subject, |claim| {
            claim.same("hotkey", &report.hotkey().as_str(), &hotkey.as_str());
            if requested.as_ref().is_some_and(|requested| !requested.contains(hotkey)) {
                claim.warn("there is no request for it");
            }
            let terms = round.terms();
            if let (GenerationReport::Repeated(report), Some(settings)) = (report, terms.settings) {
                let repeats = repeats_of(round.files, audit_repeats(settings));
                claim.part(None, |claim| {
                    objections(report, repeats).into_iter().for_each(|objection| claim.fail(objection));
                    terms.judge(claim);
                });
                built(claim, round, report);
                of_files(claim, round, report);
            }
        });
    }
}

/// A miner whose image was built is not rejected for want of one: audits begin once builds are settled.
fn built(claim: &mut Claim, round: &Round<'_>, report: &RepeatedReport) {
    let build = round.files.builds.get().and_then(|builds| builds.get(&report.hotkey));
    let built = build.is_some_and(|build| build.status == BuildStatus::Success);
    if built && is_early(report) && report.reason.contains(NO_IMAGE) {
        claim.fail(format!("reason reads {:?}, but builds.json has an image", report.reason));
    }
}

/// The program of a verified winner was run as often as it takes, so there is a complete report on it. One that lost an
/// audit duel may have none any more: the services have dropped such reports.
fn of_winners(round: &Round<'_>, reports: &GenerationReports, sink: &mut Sink) {
    let chain = chain(round).filter(|_| round.is_over());
    let won = |link: &&Link<'_>| matches!(link.fate, Fate::Won { verified: true, .. });
    for link in chain.iter().flat_map(|chain| &chain.links).filter(won) {
        let report = reports.get(link.hotkey);
        if report.is_some_and(|report| report.outcome() == ReportOutcome::Completed) {
            // That it has all repeats is a claim about the report itself.
            continue;
        }
        let subject = format!("{} {}", round.path("generation_reports.json"), link.hotkey);
        sink.claim("audit.report", round.round, subject, |claim| match report {
            Some(report) => claim.fail(format!("verified, but its report is {:?}", report.outcome())),
            // Those of one run are not complete: round 3 of the real competition has none of its winner.
            None if reports.values().any(|report| matches!(report, GenerationReport::Flat(_))) => {
                claim.warn("verified, but there is no report");
            }
            None => claim.fail("verified, but there is no report"),
        });
    }
}

/// Compares a report with the files of its repeats, as far as they are there.
fn of_files(claim: &mut Claim, round: &Round<'_>, report: &RepeatedReport) {
    let player = Player::Miner(report.hotkey.clone());
    let Some(own) = round.files.players.get(&player) else { return };
    for repeat in &report.repeats {
        let number = repeat.repeat_index;
        if let (Some(submitted), Some(generated)) = (own.submitted.get(), generated(round.files, &player, number)) {
            let (made, failed) = counted(submitted, generated);
            claim.same(format_args!("repeat {number}: generated_prompts"), &repeat.generated_prompts, &made);
            claim.same(format_args!("repeat {number}: failed_prompts"), &repeat.failed_prompts, &failed);
            // Without pods, a repeat ends early.
            if report.outcome != ReportOutcome::Rejected {
                left_out(claim, round, number, unanswered(submitted, generated));
            }
        }
        if let Some(stats) = own.pod_stats.get() {
            time(claim, repeat, stats);
            ended(claim, repeat, stats);
        }
    }
}

/// A repeat has an entry for each submitted prompt, generated or failed; but prompts whose images cannot be fetched are
/// left out, and the leader's run lacks them as well.
fn left_out<'s>(claim: &mut Claim, round: &Round<'_>, number: u32, stems: impl Iterator<Item = &'s PromptStem>) {
    let leader = generated(round.files, &Player::Leader, 1);
    for stem in stems {
        let detail = format!("{stem}: submitted, but generated_{number}.json has no entry");
        let also = leader.is_some_and(|leader| !leader.contains_key(stem));
        if also { claim.warn(detail) } else { claim.fail(detail) }
    }
}

/// A repeat without a failure was finished by a pod.
fn ended(claim: &mut Claim, repeat: &Repeat, stats: &PodRuns) {
    let mut pods = runs(stats, repeat.repeat_index).peekable();
    let started = pods.peek().is_some();
    if started && repeat.failed_prompts == 0 && pods.all(|(_, run)| run.termination_reason != COMPLETED) {
        claim
            .warn(format!("repeat {}: nothing failed, but no pod in pod_stats.json completed it", repeat.repeat_index));
    }
}

/// The time of a repeat is the sum of its batches. If several pods took part, some batches may have been lost.
fn time(claim: &mut Claim, repeat: &Repeat, stats: &PodRuns) {
    let number = repeat.repeat_index;
    let Some(sum) = seconds(stats, number) else {
        if repeat.generation_time.is_some() {
            claim.fail(format!("repeat {number}: pod_stats.json has no pod that ran it"));
        }
        return;
    };
    let found = repeat.generation_time.unwrap_or(0.0);
    if same_seconds(found, sum) {
        return;
    }
    let detail = format!("repeat {number}: generation_time is {found}, the batches in pod_stats.json take {sum}");
    if found < sum && runs(stats, number).count() > 1 { claim.warn(detail) } else { claim.fail(detail) }
}

/// `outputs.rules`: each pod's total is the sum of its batches.
fn pods(round: &Round<'_>, sink: &mut Sink) {
    for (player, own) in &round.files.players {
        let Some(stats) = own.pod_stats.get() else { continue };
        sink.claim("outputs.rules", round.round, round.path(&format!("{player}/pod_stats.json")), |claim| {
            if stats.is_empty() {
                claim.fail("no pod is recorded");
            }
            for (key, entry) in stats.iter() {
                let PodRunEntry::Run(run) = entry else { continue };
                claim.same("key", &key.as_str(), &format!("{}-r{}", run.pod_id, run.repeat_index).as_str());
                if let Some(odd) = run.batch_times.iter().find(|time| !(0.0..f64::INFINITY).contains(*time)) {
                    claim.fail(format!("{key}: a batch took {odd} s"));
                }
                let sum: f64 = run.batch_times.iter().sum();
                if !same_seconds(sum, run.total_generation_time) {
                    let total = run.total_generation_time;
                    claim.fail(format!("{key}: total_generation_time is {total}, its batches take {sum}"));
                }
                termination(claim, key, run);
            }
        });
    }
}

/// How a pod's work on a run ended is one of the ways that there are, and fits the rest.
fn termination(claim: &mut Claim, key: &str, run: &PodRun) {
    let reason = run.termination_reason.as_str();
    if !TERMINATIONS.contains(&reason) {
        claim.warn(format!("{key}: termination_reason {reason:?} is unknown"));
    }
    if reason == COMPLETED && run.batch_times.is_empty() {
        claim.fail(format!("{key}: termination_reason is {reason:?}, but there are no batches"));
    }
}

/// `audit.verdict`: a requested miner that the chain rejects has failed, for the same reason; a verified winner has passed.
fn verdicts(round: &Round<'_>, sink: &mut Sink) {
    let (Some(verdicts), Some(chain)) = (round.files.generation_audits.get(), chain(round)) else { return };
    let links: HashMap<&Hotkey, &Link<'_>> = chain.links.iter().map(|link| (link.hotkey, link)).collect();
    let requested = requested(round);
    let asked = |hotkey: &Hotkey| requested.as_ref().is_some_and(|requested| requested.contains(hotkey));
    for (hotkey, verdict) in verdicts.iter() {
        let subject = format!("{} {hotkey}", round.path("generation_audits.json"));
        sink.claim("audit.verdict", round.round, subject, |claim| {
            claim.same("hotkey", &verdict.hotkey.as_str(), &hotkey.as_str());
            if requested.is_some() && !asked(hotkey) {
                claim.fail("there is no request for it");
            }
            match links.get(hotkey).map(|link| &link.fate) {
                Some(Fate::Rejected(reason)) => {
                    claim.same("verdict", &verdict.verdict, &SourceVerdict::Failed);
                    claim.same("reason", &verdict.reason.as_str(), &reason.as_str());
                }
                Some(Fate::Won { verified: true, .. }) => {
                    claim.same("verdict", &verdict.verdict, &SourceVerdict::Passed);
                    claim.same("reason", &verdict.reason.as_str(), &"");
                }
                // It may have been published before another took the lead.
                Some(Fate::Lost(_)) => claim.warn("a verdict on a miner that lost to the holder"),
                _ if round.is_over() => claim.fail("a verdict, but nothing in the round decides it"),
                _ => claim.warn("a verdict, though the round has not decided it yet"),
            }
        });
    }
    for hotkey in due(round).into_iter().filter(|hotkey| !verdicts.contains_key(*hotkey)) {
        let subject = format!("{} {hotkey}", round.path("generation_audits.json"));
        sink.claim("audit.verdict", round.round, subject, |claim| claim.fail("requested, but there is no verdict"));
    }
}

/// `audit.source`: the sources that were read are those of miners of the round, each once.
fn sources(round: &Round<'_>, sink: &mut Sink) {
    let Some(sources) = round.files.source_audit.get() else { return };
    sink.claim("audit.source", round.round, round.path("source_audit.json"), |claim| {
        let mut seen = HashSet::new();
        for source in sources {
            if !round.submitted(&source.hotkey) {
                claim.fail(format!("{}: did not submit in this round", source.hotkey));
            }
            if !seen.insert(&source.hotkey) {
                claim.fail(format!("{}: was read twice", source.hotkey));
            }
        }
    });
}
