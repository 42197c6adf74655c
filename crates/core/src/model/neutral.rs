//! What rules, checks and pages see of outputs, duels, audits and programs, whatever the competition's format.
//!
//! Each view borrows from the record of its format: nothing is copied.

use super::builds::{Build, BuildStatus};
use super::generation_audits::{AuditOutcome, GenerationAudit};
use super::ids::{Block, CommitSha, Hotkey, Player, PromptStem, RepoName};
use super::leader::LeaderEntry;
use super::outputs::Output;
use super::report::{Duel, DuelWinner};
use super::require_audit::AuditRequest;
use super::source_audit::SourceVerdict;
use super::splat::duels::SplatDuel;
use super::splat::generations::Generation;
use super::splat::submissions::SplatSubmission;
use super::submissions::Submission;
use super::threejs::audits::{DuelAuditRequest, DuelAuditVerdict};
use super::threejs::detail::{Detail, Told};
use super::threejs::duels::StagedDuel;
use super::threejs::outputs::Module;
use super::threejs::programs::{ThreejsBuild, ThreejsLeader, ThreejsSubmission, ThreejsWinner};

/// What a player has for one prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutputView<'a> {
    /// The model's URL.
    pub model: Option<&'a str>,
    /// The URL of the picture that judges see first.
    pub preview: Option<&'a str>,
    /// Seconds from request to answer, if the format records them.
    pub seconds: Option<f64>,
    /// Bytes of the model.
    pub size: u64,
    /// Why something is missing, if the format records it.
    pub failure: Option<&'a str>,
}

impl OutputView<'_> {
    /// Has it both a model and a preview?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.model.is_some() && self.preview.is_some()
    }
}

impl<'a> From<&'a Output> for OutputView<'a> {
    fn from(output: &'a Output) -> Self {
        let seconds = Some(output.generation_time);
        let (model, preview) = (output.model.as_deref(), output.png.as_deref());
        OutputView { model, preview, seconds, size: output.size, failure: None }
    }
}

impl<'a> From<&'a Generation> for OutputView<'a> {
    fn from(output: &'a Generation) -> Self {
        let seconds = Some(output.generation_time);
        let (model, preview) = (output.ply.as_deref(), output.png.as_deref());
        OutputView { model, preview, seconds, size: output.size, failure: None }
    }
}

impl<'a> From<&'a Module> for OutputView<'a> {
    fn from(output: &'a Module) -> Self {
        let (model, preview) = (output.js.as_deref(), output.views.as_deref());
        OutputView { model, preview, seconds: None, size: output.size, failure: output.failure_reason.as_deref() }
    }
}

/// A duel: left defends, right challenges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DuelView<'a> {
    /// The prompt's stem.
    pub name: &'a PromptStem,
    /// The prompt image's URL.
    pub prompt: &'a str,
    /// Left's model.
    pub left_model: Option<&'a str>,
    /// Left's picture.
    pub left_preview: Option<&'a str>,
    /// Right's model.
    pub right_model: Option<&'a str>,
    /// Right's picture.
    pub right_preview: Option<&'a str>,
    /// Who won.
    pub winner: DuelWinner,
    /// What was found wrong, or why no judge was asked; `None` if nothing was recorded.
    pub words: Option<&'a str>,
}

impl<'a> From<&'a Duel> for DuelView<'a> {
    fn from(duel: &'a Duel) -> Self {
        DuelView {
            name: &duel.name,
            prompt: &duel.prompt,
            left_model: duel.left_model.as_deref(),
            left_preview: duel.left_png.as_deref(),
            right_model: duel.right_model.as_deref(),
            right_preview: duel.right_png.as_deref(),
            winner: duel.winner,
            words: Some(&duel.issues),
        }
    }
}

impl<'a> From<&'a SplatDuel> for DuelView<'a> {
    fn from(duel: &'a SplatDuel) -> Self {
        DuelView {
            name: &duel.name,
            prompt: &duel.prompt,
            left_model: duel.leader_ply.as_deref(),
            left_preview: duel.leader_png.as_deref(),
            right_model: duel.miner_ply.as_deref(),
            right_preview: duel.miner_png.as_deref(),
            winner: duel.winner.into(),
            words: Some(&duel.issues),
        }
    }
}

impl<'a> From<&'a StagedDuel> for DuelView<'a> {
    fn from(duel: &'a StagedDuel) -> Self {
        let words = duel.detail.as_ref().map(Detail::told).map(|told| match told {
            Told::Unjudged(reason) => reason,
            Told::Judged(stages) => stages.issues,
        });
        DuelView {
            name: &duel.name,
            prompt: &duel.prompt,
            left_model: duel.left_js.as_deref(),
            left_preview: duel.left_png.as_deref(),
            right_model: duel.right_js.as_deref(),
            right_preview: duel.right_png.as_deref(),
            winner: duel.winner,
            words,
        }
    }
}

/// A call for an audit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequestView<'a> {
    /// The miner to audit.
    pub hotkey: &'a Hotkey,
    /// The prompts with the stricter tolerance (meshes).
    pub critical: &'a [PromptStem],
    /// The player that it has to beat again (three.js modules).
    pub defender: Option<&'a Player>,
}

impl<'a> From<&'a AuditRequest> for RequestView<'a> {
    fn from(request: &'a AuditRequest) -> Self {
        RequestView { hotkey: &request.hotkey, critical: &request.critical_prompts, defender: None }
    }
}

impl<'a> From<&'a DuelAuditRequest> for RequestView<'a> {
    fn from(request: &'a DuelAuditRequest) -> Self {
        RequestView { hotkey: &request.hotkey, critical: &[], defender: request.latest_defender.as_ref() }
    }
}

/// The outcome of an audit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VerdictView<'a> {
    /// The miner.
    pub hotkey: &'a Hotkey,
    /// The outcome.
    pub outcome: AuditOutcome,
    /// Why it was rejected; empty when it passed.
    pub reason: &'a str,
}

impl<'a> From<&'a GenerationAudit> for VerdictView<'a> {
    fn from(audit: &'a GenerationAudit) -> Self {
        VerdictView { hotkey: &audit.hotkey, outcome: audit.outcome, reason: &audit.reason }
    }
}

impl<'a> From<&'a DuelAuditVerdict> for VerdictView<'a> {
    fn from(verdict: &'a DuelAuditVerdict) -> Self {
        let outcome = match verdict.verdict {
            SourceVerdict::Passed => AuditOutcome::Passed,
            SourceVerdict::Failed => AuditOutcome::Rejected,
        };
        VerdictView { hotkey: &verdict.hotkey, outcome, reason: &verdict.reason }
    }
}

/// What a miner submitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubmissionView<'a> {
    /// The program's repository.
    pub repo: &'a RepoName,
    /// The program's commit.
    pub commit: &'a CommitSha,
    /// Where the miner uploads, if it does.
    pub cdn_url: Option<&'a str>,
    /// The block that revealed `commit`.
    pub revealed_at_block: Block,
    /// `<competition name>-<round>`
    pub round: &'a str,
    /// What the program can run on, if that is recorded.
    pub hardware: Option<&'a [String]>,
}

impl<'a> From<&'a Submission> for SubmissionView<'a> {
    fn from(of: &'a Submission) -> Self {
        let (repo, commit, round, cdn_url) = (&of.repo, &of.commit, of.round.as_str(), Some(of.cdn_url.as_str()));
        SubmissionView { repo, commit, cdn_url, revealed_at_block: of.revealed_at_block, round, hardware: None }
    }
}

impl<'a> From<&'a SplatSubmission> for SubmissionView<'a> {
    fn from(of: &'a SplatSubmission) -> Self {
        let (repo, commit, round) = (&of.repo, &of.commit, of.round.as_str());
        SubmissionView { repo, commit, cdn_url: None, revealed_at_block: of.revealed_at_block, round, hardware: None }
    }
}

impl<'a> From<&'a ThreejsSubmission> for SubmissionView<'a> {
    fn from(of: &'a ThreejsSubmission) -> Self {
        let (repo, commit, round, cdn_url) = (&of.repo, &of.commit, of.round.as_str(), Some(of.cdn_url.as_str()));
        let (revealed_at_block, hardware) = (of.revealed_at_block, of.hardware());
        SubmissionView { repo, commit, cdn_url, revealed_at_block, round, hardware }
    }
}

/// One miner's build.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BuildView<'a> {
    /// As submitted.
    pub repo: &'a RepoName,
    /// As submitted.
    pub commit: &'a CommitSha,
    /// As submitted.
    pub revealed_at_block: Block,
    /// `<first seven digits of commit>-<round name>`
    pub tag: &'a str,
    /// How far it has come.
    pub status: BuildStatus,
    /// The image, on success.
    pub image: Option<&'a str>,
    /// As submitted, if that is recorded.
    pub hardware: Option<&'a [String]>,
}

impl<'a> From<&'a Build> for BuildView<'a> {
    fn from(build: &'a Build) -> Self {
        BuildView {
            repo: &build.repo,
            commit: &build.commit,
            revealed_at_block: build.revealed_at_block,
            tag: &build.tag,
            status: build.status,
            image: build.docker_image.as_deref(),
            hardware: None,
        }
    }
}

impl<'a> From<&'a ThreejsBuild> for BuildView<'a> {
    fn from(build: &'a ThreejsBuild) -> Self {
        BuildView {
            repo: &build.repo,
            commit: &build.commit,
            revealed_at_block: build.revealed_at_block,
            tag: &build.tag,
            status: build.status,
            image: build.docker_image.as_deref(),
            hardware: build.hardware(),
        }
    }
}

/// A record with the hardware that a program asks for, at any of the three places that record it: submissions, builds,
/// and winners or leaders.
pub trait Hardware {
    /// The hardware, first choice first; `None` if it is not recorded.
    fn hardware(&self) -> Option<&[String]>;
}

macro_rules! hardware {
    ($($Type:ty),*) => {
        $(impl Hardware for $Type {
            fn hardware(&self) -> Option<&[String]> {
                self.hardware.as_deref()
            }
        })*
    };
}

hardware!(ThreejsSubmission, ThreejsBuild, ThreejsLeader, ThreejsWinner);

impl Hardware for LeaderEntry {
    fn hardware(&self) -> Option<&[String]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn outputs_and_duels_of_every_format_look_the_same() {
        let splat: Generation = of(json!({"ply": "m", "png": "p", "generation_time": 1.5, "size": 9}));
        let module: Module = of(json!({"js": "m", "views": "p", "failure_reason": null, "size": 9}));
        let (splat, module) = (OutputView::from(&splat), OutputView::from(&module));
        assert_eq!((splat.model, splat.preview, splat.size), (module.model, module.preview, module.size));
        assert_eq!((splat.seconds, module.seconds, splat.is_complete()), (Some(1.5), None, true));
        let splat: SplatDuel =
            of(json!({"name": "car", "prompt": "u", "leader_ply": "m", "leader_png": "p", "miner_ply": null,
            "miner_png": null, "winner": "leader", "issues": "no preview from right"}));
        let staged: StagedDuel =
            of(json!({"name": "car", "prompt": "u", "left_js": "m", "left_png": "p", "right_js": null,
            "right_png": null, "winner": "left", "detail": {"reason": "no preview from right"}}));
        assert_eq!(DuelView::from(&splat), DuelView::from(&staged));
    }

    #[test]
    fn requests_verdicts_and_hardware_have_one_shape() {
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let request: DuelAuditRequest = of(json!({"hotkey": hotkey, "latest_defender": "leader"}));
        assert_eq!(RequestView::from(&request).defender, Some(&Player::Leader));
        let verdict: DuelAuditVerdict = of(json!({"hotkey": hotkey, "verdict": "failed", "reason": "x"}));
        assert_eq!(VerdictView::from(&verdict).outcome, AuditOutcome::Rejected);
        let winner: ThreejsWinner = of(json!({"winner_hotkey": "leader", "repo": "a/b", "commit": "0a".repeat(20),
            "docker_image": "x", "hardware": ["4xH200"]}));
        assert_eq!(winner.hardware(), Some(&["4xH200".to_owned()][..]));
    }
}
