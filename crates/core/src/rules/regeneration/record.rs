//! What a regeneration writes: the player's files and the verdict.

use std::collections::BTreeMap;

use super::super::Plan;
use super::super::Thresholds;
use super::super::audit::{told, verdict};
use super::{AttemptOutcome, Progress, Purpose};
use crate::base::text::cut;
use crate::model::file::{FileKind, PlayerFile, RoundFile};
use crate::model::format::AuditBy;
use crate::model::generation_audits::{AuditOutcome, GenerationAudit, GenerationAudits};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::outputs::Outputs;
use crate::model::record::Extra;
use crate::model::require_audit::AuditRequests;
use crate::model::snapshot::{PlayerFiles, RoundFiles};
use crate::model::store::FileWrite;
use crate::model::sums::Sums;

/// Recorded reasons are cut to this many characters.
const LONGEST_REASON: usize = 2000;

/// Why a miner without an image is rejected, in the words of the deployed services.
pub const NO_IMAGE: &str = "Failed to build a docker image";

/// Why a miner is rejected if none of its pods became ready, in the words of the deployed services.
pub const NO_POD: &str = "Failed to deploy a docker image";

impl Progress {
    /// `generated.json`, with the unknown keys of the recorded entries kept.
    fn outputs_over(&self, recorded: Option<&Outputs>) -> Outputs {
        let mut outputs = self.outputs();
        for (stem, output) in outputs.iter_mut() {
            if let Some(old) = recorded.and_then(|recorded| recorded.get(stem)) {
                output.extra = old.extra.clone();
            }
        }
        // Append-only (`history.append_only`): entries may be replaced, but never removed.
        for (stem, old) in recorded.into_iter().flat_map(|recorded| recorded.iter()) {
            if !outputs.contains_key(stem) {
                outputs.insert(stem.clone(), old.clone());
            }
        }
        outputs
    }

    /// `SHA256SUMS`: the recorded lines, updated with what is stored now.
    fn sums_over(&self, recorded: Option<&Sums>) -> Sums {
        let mut sums: BTreeMap<String, String> = recorded.map(|sums| sums.0.clone()).unwrap_or_default();
        for attempt in self.prompts.values().flat_map(|prompt| &prompt.tries) {
            let objects = match &attempt.outcome {
                AttemptOutcome::Made { model, png, .. } => vec![model, png],
                AttemptOutcome::Refused { model, .. } => vec![model],
                AttemptOutcome::Failed { .. } | AttemptOutcome::Lost { .. } => Vec::new(),
            };
            sums.extend(objects.into_iter().map(|object| (object.path.clone(), object.sha256.clone())));
        }
        Sums(sums)
    }

    /// The plan that saves a player's outputs, sums and pod figures so far.
    #[must_use]
    pub fn saved(&self, round: RoundNumber, player: &Player, own: Option<&PlayerFiles>) -> Plan {
        let outputs = self.outputs_over(own.and_then(|own| own.generated.get()));
        let sums = self.sums_over(own.and_then(|own| own.sums.get()));
        let stats = self.pod_stats();
        let file = |file| FileKind::Player(round, player.clone(), file);
        let mut writes = Vec::new();
        if !outputs.is_empty() {
            writes.push(FileWrite::new(file(PlayerFile::Generated), &outputs));
            writes.push(FileWrite::new(file(PlayerFile::Sums), &sums));
        }
        if !stats.is_empty() {
            writes.push(FileWrite::new(file(PlayerFile::PodStats), &stats));
        }
        Plan { writes, message: generated_line(round, player), says: Vec::new() }
    }

    /// The verdict on these generated outputs; `None` for a baseline, and where audits go by something else.
    #[must_use]
    pub fn judged(&self, hotkey: &Hotkey, generated: &Outputs, limits: &Thresholds) -> Option<GenerationAudit> {
        let Purpose::Audit { critical, submitted } = &self.purpose else { return None };
        match generated.format.audit() {
            AuditBy::Distance => Some(verdict(submitted, generated, critical, limits).of(hotkey.clone())),
            AuditBy::Nothing | AuditBy::Duels => None,
        }
    }

    /// The plan that saves a miner's outputs together with its verdict.
    #[must_use]
    pub fn concluded(&self, round: RoundNumber, hotkey: &Hotkey, files: &RoundFiles, limits: &Thresholds) -> Plan {
        let player = Player::Miner(hotkey.clone());
        let own = files.players.get(&player);
        // No pod ever ran the program, so there are no mismatches to count.
        if !self.was_tried() && !self.stems().is_empty() {
            let plan = rejected(round, hotkey, NO_POD, files);
            let stats = self.saved(round, &player, own).writes.into_iter();
            return Plan { writes: plan.writes.into_iter().chain(stats).collect(), ..plan };
        }
        let mut plan = self.saved(round, &player, own);
        let outputs = self.outputs_over(own.and_then(|own| own.generated.get()));
        let Some(audit) = self.judged(hotkey, &outputs, limits) else { return plan };
        plan.says.push(says(&audit));
        plan.message = message(round, files, &audit, format!("{}\n{}", plan.message, audits_line(round)));
        plan.writes.push(with_audit(round, files, audit));
        plan
    }
}

/// The plan that rejects a miner for which nothing can be regenerated.
#[must_use]
pub fn rejected(round: RoundNumber, hotkey: &Hotkey, reason: &str, files: &RoundFiles) -> Plan {
    let audit = GenerationAudit {
        hotkey: hotkey.clone(),
        outcome: AuditOutcome::Rejected,
        checked_prompts: 0,
        failed_prompts: 0,
        failed_critical: 0,
        generation_time: None,
        reason: cut(reason, LONGEST_REASON),
        extra: Extra::default(),
    };
    let (says, message) = (vec![says(&audit)], message(round, files, &audit, audits_line(round)));
    Plan { says, writes: vec![with_audit(round, files, audit)], message }
}

/// `generation_audits.json` with this verdict, in the order of the requests.
fn with_audit(round: RoundNumber, files: &RoundFiles, mut audit: GenerationAudit) -> FileWrite {
    let none = (GenerationAudits::default(), AuditRequests::default());
    let recorded = files.generation_audits.get().unwrap_or(&none.0);
    let requests = files.require_audit.get().unwrap_or(&none.1);
    let mut audits = recorded.clone();
    if let Some(old) = audits.get(&audit.hotkey) {
        audit.extra = old.extra.clone();
    }
    audits.insert(audit.hotkey.clone(), audit);
    let place = |hotkey: &Hotkey| {
        let place = requests.iter().position(|request| request.hotkey == *hotkey);
        place.unwrap_or(requests.len())
    };
    audits.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
    FileWrite::new(FileKind::Round(round, RoundFile::GenerationAudits), &audits)
}

/// A verdict as one line.
fn says(audit: &GenerationAudit) -> String {
    format!("{} {}", audit.hotkey, told(audit))
}

/// The first line of a commit that audits a miner again: `verify` tells by it why a verdict was replaced.
#[must_use]
pub fn again_line(round: RoundNumber, short: &str) -> String {
    format!("Audit again for round {round}, miner {short}")
}

/// The message of a verdict's commit; if there was a verdict before, it begins by saying so.
fn message(round: RoundNumber, files: &RoundFiles, audit: &GenerationAudit, rest: String) -> String {
    let old = files.generation_audits.get().and_then(|audits| audits.get(&audit.hotkey));
    match old.filter(|old| old.outcome != AuditOutcome::Pending) {
        Some(old) => {
            let line = again_line(round, audit.hotkey.short());
            format!("{line}: {}, now {}\n{rest}", old.outcome.as_str(), audit.outcome.as_str())
        }
        None => rest,
    }
}

fn generated_line(round: RoundNumber, player: &Player) -> String {
    format!("Update generated for round {round}, miner {}", player.short())
}

fn audits_line(round: RoundNumber) -> String {
    format!("Update generation audits for round {round}")
}
