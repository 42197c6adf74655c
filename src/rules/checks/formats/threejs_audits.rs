//! Requests, runs and verdicts of a competition of three.js modules.

use std::collections::{HashMap, HashSet};

use super::super::{Claim, Sink};
use super::threejs::{Round, generated};
use crate::model::ids::{Hotkey, Player};
use crate::model::matrix::Matrix;
use crate::model::source_audit::SourceVerdict;
use crate::model::threejs::audit_matrix::AuditMatrix;
use crate::model::threejs::pod_stats::{PodRunEntry, PodRuns};
use crate::model::threejs::reports::{GenerationReport, GenerationReports, Repeat, RepeatedReport};
use crate::rules::threejs::chain::{Chain, ChainFacts, Fate, Link, by_miner, derive, order, repeats_of};
use crate::rules::threejs::reports::{counted, objections, runs, same_seconds, seconds};

pub(super) fn check(round: &Round<'_>, sink: &mut Sink) {
    requests(round, sink);
    reports(round, sink);
    pods(round, sink);
    verdicts(round, sink);
    sources(round, sink);
}

/// The chain that the files give; `None` where submissions or margins cannot be read, or where audits were none by
/// duels yet.
pub(super) fn chain<'a>(round: &Round<'a>) -> Option<Chain<'a>> {
    let (files, config) = (round.files, round.config?);
    let (no_audits, no_reports) = (AuditMatrix::default(), GenerationReports::default());
    if !files.verification_audits.is_missing() {
        return None;
    }
    let sources = by_miner(files.source_audit.get().map(Vec::as_slice).unwrap_or_default());
    let order = order(files.submissions.get()?);
    let facts = ChainFacts {
        order: &order,
        win_margin: config.settings.win_margin,
        repeats: repeats_of(files, config.audit_repeats),
        matrix: files.matrix.get()?,
        audits: files.audit_matrix.get().unwrap_or(&no_audits),
        reports: files.generation_reports.get().unwrap_or(&no_reports),
        sources: &sources,
    };
    Some(derive(&facts))
}

/// Why a place in the chain is not settled; `None` where it is.
pub(super) fn open(fate: &Fate) -> Option<&'static str> {
    match fate {
        Fate::Pending => Some("its match against the holder is missing"),
        Fate::Won { verified: false, .. } => Some("it won, but what has to verify that is not complete"),
        _ => None,
    }
}

/// `audit.request`: whoever won has a request with the holder that it beat. Requests of those who lost in the end stay.
fn requests(round: &Round<'_>, sink: &mut Sink) {
    if round.files.require_audit.is_missing() && round.files.matrix.is_missing() {
        return;
    }
    sink.claim("audit.request", round.round, round.path("require_audit.json"), |claim| {
        let empty = Vec::new();
        let requests = match round.files.require_audit.get() {
            Some(requests) => requests,
            None if round.files.require_audit.is_missing() => &empty,
            None => return,
        };
        let mut seen = HashSet::new();
        for request in requests {
            if !round.submitted(&request.hotkey) {
                claim.fail(format!("{}: did not submit in this round", request.hotkey));
            }
            if !seen.insert(&request.hotkey) {
                claim.fail(format!("{}: is requested twice", request.hotkey));
            }
            if !qualified(round, &request.hotkey) {
                claim.fail(format!("{}: is requested, but did not beat the leader by the margin", request.hotkey));
            }
        }
        let defenders: HashMap<_, _> = requests.iter().map(|request| (&request.hotkey, request)).collect();
        let Some(chain) = chain(round) else { return };
        for link in chain.links.iter().filter(|link| matches!(link.fate, Fate::Won { .. })) {
            let Some(request) = defenders.get(link.hotkey) else {
                claim.fail(format!("{}: won against {}, but is not requested", link.hotkey, link.holder));
                continue;
            };
            if let Some(defender) = &request.latest_defender {
                claim.same(&format!("{}: latest_defender", link.hotkey), &defender.as_str(), &link.holder.as_str());
            }
        }
    });
}

/// Did it beat the leader by the margin? Where that cannot be read, it did.
fn qualified(round: &Round<'_>, hotkey: &Hotkey) -> bool {
    let (Some(matrix), Some(settings)) = (round.files.matrix.get(), round.settings()) else { return true };
    let margin = |matrix: &Matrix| matrix.margin(&Player::Leader, &Player::Miner(hotkey.clone()));
    margin(matrix).is_some_and(|margin| margin >= settings.win_margin)
}

/// The miners that are requested; `None` where that cannot be read.
fn requested<'a>(round: &Round<'a>) -> Option<HashSet<&'a Hotkey>> {
    let requests = round.files.require_audit.get()?;
    Some(requests.iter().map(|request| &request.hotkey).collect())
}

/// `audit.report`: the runs of requested miners.
fn reports(round: &Round<'_>, sink: &mut Sink) {
    let Some(reports) = round.files.generation_reports.get() else { return };
    let requested = requested(round);
    for (hotkey, report) in reports.iter() {
        let subject = format!("{} {hotkey}", round.path("generation_reports.json"));
        sink.claim("audit.report", round.round, subject, |claim| {
            claim.same("hotkey", &report.hotkey().as_str(), &hotkey.as_str());
            if requested.as_ref().is_some_and(|requested| !requested.contains(hotkey)) {
                claim.warn("there is no request for it");
            }
            if let (GenerationReport::Repeated(report), Some(config)) = (report, round.config) {
                let repeats = repeats_of(round.files, config.audit_repeats);
                objections(report, repeats).into_iter().for_each(|objection| claim.fail(objection));
                of_files(claim, round, report);
            }
        });
    }
}

/// A report against the files of its runs, where these are there.
fn of_files(claim: &mut Claim, round: &Round<'_>, report: &RepeatedReport) {
    let player = Player::Miner(report.hotkey.clone());
    let Some(own) = round.files.players.get(&player) else { return };
    for repeat in &report.repeats {
        let number = repeat.repeat_index;
        if let (Some(submitted), Some(generated)) = (own.submitted.get(), generated(round.files, &player, number)) {
            let (made, failed) = counted(submitted, generated);
            claim.same(&format!("repeat {number}: generated_prompts"), &repeat.generated_prompts, &made);
            claim.same(&format!("repeat {number}: failed_prompts"), &repeat.failed_prompts, &failed);
        }
        if let Some(stats) = own.pod_stats.get() {
            time(claim, repeat, stats);
        }
    }
}

/// A run's time is the sum of its batches. Where several pods took part, some of them may have been lost.
fn time(claim: &mut Claim, repeat: &Repeat, stats: &PodRuns) {
    let number = repeat.repeat_index;
    let Some(sum) = seconds(stats, number) else { return };
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
            for (key, entry) in stats.iter() {
                let PodRunEntry::Run(run) = entry else { continue };
                claim.same("key", &key.as_str(), &format!("{}-r{}", run.pod_id, run.repeat_index).as_str());
                let sum: f64 = run.batch_times.iter().sum();
                if !same_seconds(sum, run.total_generation_time) {
                    let total = run.total_generation_time;
                    claim.fail(format!("{key}: total_generation_time is {total}, its batches take {sum}"));
                }
            }
        });
    }
}

/// `audit.verdict`: requested miners that the chain rejects have failed, with its reason; verified winners have passed.
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
                Some(Fate::Lost(_)) => claim.warn("it lost by the chain as it is, which comes to no verdict on it"),
                _ if round.is_over() => claim.fail("the chain comes to no verdict on it"),
                _ => claim.warn("the chain comes to no verdict on it yet"),
            }
        });
    }
    if !round.is_over() {
        return;
    }
    for link in &chain.links {
        let due = matches!(link.fate, Fate::Rejected(_) | Fate::Won { verified: true, .. });
        if asked(link.hotkey) && due && !verdicts.contains_key(link.hotkey) {
            let subject = format!("{} {}", round.path("generation_audits.json"), link.hotkey);
            sink.claim("audit.verdict", round.round, subject, |claim| claim.fail("requested, but there is no verdict"));
        }
    }
}

/// `audit.source`: readings are of miners of the round, one each.
fn sources(round: &Round<'_>, sink: &mut Sink) {
    let Some(sources) = round.files.source_audit.get() else { return };
    sink.claim("audit.source", round.round, round.path("source_audit.json"), |claim| {
        let mut seen = HashSet::new();
        for source in sources {
            if !round.submitted(&source.hotkey) {
                claim.fail(format!("{}: did not submit in this round", source.hotkey));
            }
            if !seen.insert(&source.hotkey) {
                claim.fail(format!("{}: is read twice", source.hotkey));
            }
        }
    });
}
