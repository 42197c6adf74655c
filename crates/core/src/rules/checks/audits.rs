//! `audit.request`, `audit.critical`, `audit.verdict`.

use std::collections::{HashMap, HashSet};

use super::in_force::ClaimTerms;
use super::{Claim, RequestView, Sink, Then, VerifyFacts};
use crate::model::builds::BuildStatus;
use crate::model::file::{FileKind, RoundFile};
use crate::model::generation_audits::{AuditOutcome, GenerationAudit};
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber};
use crate::model::require_audit::AuditRequest;
use crate::model::snapshot::RoundFiles;
use crate::rules::audit::verdict;
use crate::rules::tournament::{AuditStanding, Candidate, Field, TournamentOutcome, critical_prompts, replay};

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    requests(facts, round, files, sink);
    let Some(audits) = files.generation_audits.get() else { return };
    let mut asked = HashMap::new();
    for request in files.require_audit.get().into_iter().flatten() {
        asked.entry(&request.hotkey).or_insert(request);
    }
    for (hotkey, audit) in audits.iter() {
        let subject = format!("rounds/{round}/generation_audits.json {hotkey}");
        let file = FileKind::Round(round, RoundFile::GenerationAudits);
        let terms = facts.rules.terms(file, Some(hotkey.to_string()));
        let request = asked.get(hotkey).copied();
        sink.claim("audit.verdict", round, subject, |claim| {
            check_verdict(claim, &terms, files, request, (hotkey, audit));
        });
    }
}

fn requests(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let file = format!("rounds/{round}/require_audit.json");
    let settings = facts.rules.settings.as_deref();
    let own = std::cell::LazyCell::new(|| settings.map(|settings| here(settings.clone(), files)));
    // By the current files; a miner listed twice is looked up once.
    let mut known: HashMap<&Hotkey, Option<RequestBasis>> = HashMap::new();
    for request in files.require_audit.get().into_iter().flatten() {
        let subject = format!("{file} {}", request.hotkey);
        let (basis, strict, place) = match facts.requests.get(&(round, request.hotkey.clone())) {
            Some(Then::At(commit, basis)) => (Some(basis), true, format!(" in {commit}")),
            Some(Then::Unknown) if facts.rules.shallow.is_some() => {
                for id in ["audit.request", "audit.critical"] {
                    let missing_history = facts.rules.missing_history().unwrap_or_default();
                    sink.claim(id, round, subject.clone(), |claim| claim.skip(missing_history));
                }
                continue;
            }
            _ => (None, false, String::new()),
        };
        let by_own = || own.as_ref().map(|view| RequestBasis::of(view, &request.hotkey));
        let Some(basis) = basis.or_else(|| known.entry(&request.hotkey).or_insert_with(by_own).as_ref()) else {
            sink.claim("audit.request", round, subject, |claim| claim.skip("config.json cannot be read"));
            continue;
        };
        let object = |claim: &mut Claim, detail: String| {
            if strict { claim.fail(detail + &place) } else { claim.warn(detail + ", judged by the current files") }
        };
        sink.claim("audit.request", round, subject.clone(), |claim| {
            if basis.0.is_none() {
                object(claim, "neither the first to qualify nor took the lead".to_owned());
            }
        });
        sink.claim("audit.critical", round, subject, |claim| match &basis.0 {
            None => claim.skip("no match supports this request"),
            Some((beaten, follows)) => {
                if let Some(objection) = critical(request, beaten, follows) {
                    object(claim, objection);
                }
            }
        });
    }
    sink.claim("audit.request", round, file, |claim| all_requested(claim, facts, round, files));
}

/// What an audit request rests on: the player that the miner had beaten, and what follows from that match. Nothing, if no
/// match supports the request.
#[derive(Debug, Clone)]
pub struct RequestBasis(Option<(Player, Follows)>);

/// The critical prompts that follow from a match, with its margin; or what is missing for them.
type Follows = Result<(Vec<PromptStem>, f64), String>;

impl RequestBasis {
    /// What the request of an audit of this miner rests on.
    #[must_use]
    pub fn of(view: &RequestView, hotkey: &Hotkey) -> Self {
        RequestBasis(reason(view, hotkey).map(|beaten| {
            let follows = follows(view, hotkey, &beaten);
            (beaten, follows)
        }))
    }
}

/// The current files, for want of the commit.
fn here(settings: crate::model::config::Settings, files: &RoundFiles) -> RequestView {
    RequestView { settings, files: std::sync::Arc::new(files.clone()), earlier: Vec::new() }
}

/// The player that the miner had beaten when it was put on the list, by the audits of that commit or of
/// an earlier one: the writer may not have seen the newest audits.
fn reason(view: &RequestView, hotkey: &Hotkey) -> Option<Player> {
    let limits = view.settings.limits();
    let mut field = Field::of(&view.files, view.settings.win_margin, &limits)?;
    let standing = |files: &RoundFiles| {
        let sources = files.source_audit.get().map(Vec::as_slice);
        AuditStanding::of(files.generation_audits.get(), sources, &limits)
    };
    std::iter::once(&view.files).chain(&view.earlier).map(|files| standing(files)).find_map(|mut standing| {
        // A miner's own verdict came after its request, so it does not count here.
        standing.rejected.remove(hotkey);
        field.standing = standing;
        let candidates = replay(&field).candidates;
        let own = |candidate: Candidate| (candidate.hotkey == *hotkey).then_some(candidate.beaten);
        candidates.into_iter().find_map(own)
    })
}

fn follows(view: &RequestView, hotkey: &Hotkey, beaten: &Player) -> Follows {
    let right = Player::Miner(hotkey.clone());
    let report = view.files.players.get(&right).and_then(|own| own.report_against(beaten));
    let Some((_, report)) = report else { return Err(format!("no report of the match against {beaten}")) };
    let Some(seed) = view.files.seed.get() else { return Err("no seed".to_owned()) };
    let prompts = critical_prompts(report, view.settings.win_margin, seed.seed, &view.settings.limits());
    Ok((prompts, report.margin))
}

/// The objection to a request's critical prompts, if any.
fn critical(request: &AuditRequest, beaten: &Player, follows: &Follows) -> Option<String> {
    let (expected, margin) = match follows {
        Ok(follows) => follows,
        Err(missing) => return Some(missing.clone()),
    };
    if *expected == request.critical_prompts {
        return None;
    }
    let list = |stems: &[PromptStem]| {
        let stems: Vec<_> = stems.iter().map(PromptStem::as_str).collect();
        format!("{} [{}]", stems.len(), stems.join(", "))
    };
    Some(format!(
        "critical_prompts are {}, but the match against {beaten} (margin {margin}) gives {}",
        list(&request.critical_prompts),
        list(expected)
    ))
}

/// Checks that once a round is over, everyone on its timeline who had to be audited is on the list.
fn all_requested(claim: &mut Claim, facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles) {
    if !facts.is_over(round) {
        return;
    }
    let terms = facts.terms(round, RoundFile::Winner);
    let field = terms.settings.and_then(|settings| Field::of(files, settings.win_margin, &terms.limits));
    let Some(field) = field else { return claim.skip("config.json or submissions.json cannot be read") };
    let replay = replay(&field);
    if matches!(replay.outcome, TournamentOutcome::Matches(_)) {
        return claim.skip("the tournament cannot be replayed");
    }
    let asked: HashSet<_> = files.require_audit.get().into_iter().flatten().map(|request| &request.hotkey).collect();
    for candidate in replay.candidates.iter().filter(|candidate| !asked.contains(&candidate.hotkey)) {
        claim.fail(format!("{} took the lead against {}, but is not on the list", candidate.hotkey, candidate.beaten));
    }
    terms.judge(claim);
}

fn check_verdict(
    claim: &mut Claim,
    terms: &ClaimTerms<'_>,
    files: &RoundFiles,
    request: Option<&AuditRequest>,
    (hotkey, audit): (&Hotkey, &GenerationAudit),
) {
    claim.same("hotkey", &audit.hotkey.as_str(), &hotkey.as_str());
    let Some(request) = request else {
        return claim.fail("audited, but not on require_audit.json");
    };
    if audit.outcome == AuditOutcome::Pending {
        return;
    }
    let own = files.players.get(&Player::Miner(hotkey.clone()));
    let Some(submitted) = own.and_then(|own| own.submitted.get()) else {
        return claim.fail(format!("{}, but there is no submitted.json", audit.outcome.as_str()));
    };
    match own.and_then(|own| own.generated.get()) {
        None => without_outputs(claim, files, hotkey, audit),
        Some(generated) => {
            let expected = verdict(submitted, generated, &request.critical_prompts, &terms.limits);
            // The number of checked prompts depends on no rule: if even that is wrong, unknown rules are no excuse.
            let counted = audit.checked_prompts == expected.checked;
            claim.part(None, |claim| {
                claim.same("outcome", &audit.outcome.as_str(), &expected.outcome.as_str());
                claim.same("checked_prompts", &audit.checked_prompts, &expected.checked);
                claim.same("failed_prompts", &audit.failed_prompts, &expected.failed);
                claim.same("failed_critical", &audit.failed_critical, &expected.failed_critical);
                claim.same("generation_time", &audit.generation_time, &expected.median);
                claim.same("reason", &audit.reason, &expected.reason);
                if counted {
                    terms.judge(claim);
                }
            });
        }
    }
}

/// Nothing was regenerated: the miner must be rejected for want of an image or a healthy pod, with a reason.
fn without_outputs(claim: &mut Claim, files: &RoundFiles, hotkey: &Hotkey, audit: &GenerationAudit) {
    claim.same("outcome without generated.json", &audit.outcome.as_str(), &AuditOutcome::Rejected.as_str());
    claim.same("checked_prompts", &audit.checked_prompts, &0);
    claim.same("failed_prompts", &audit.failed_prompts, &0);
    claim.same("failed_critical", &audit.failed_critical, &0);
    claim.same("generation_time", &audit.generation_time, &None);
    if audit.reason.is_empty() {
        claim.fail("rejected without a reason");
    }
    let built = files.builds.get().and_then(|builds| builds.get(hotkey)).map(|build| build.status);
    if audit.reason.contains("build") && built == Some(BuildStatus::Success) {
        claim.fail(format!("reason reads {:?}, but builds.json has an image", audit.reason));
    }
}
