//! `builds.json` of three.js modules: as for meshes, with the hardware that each program asks for.

use crate::model::builds::{Build, Builds};
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::store::FileWrite;
use crate::model::submissions::{Submission, Submissions};
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::programs::{ThreejsBuild, ThreejsBuilds, ThreejsSubmission, ThreejsSubmissions};
use crate::rules::Plan;

/// The submissions without their hardware, as the shared rules know them.
#[must_use]
pub fn shared_submissions(submissions: &ThreejsSubmissions) -> Submissions {
    submissions.iter().map(|(hotkey, one)| (hotkey.clone(), shared_submission(one))).collect()
}

/// A submission without its hardware.
#[must_use]
pub fn shared_submission(one: &ThreejsSubmission) -> Submission {
    let ThreejsSubmission { repo, commit, cdn_url, revealed_at_block, round, extra, .. } = one.clone();
    Submission { repo, commit, cdn_url, revealed_at_block, round, extra }
}

/// The builds without their hardware, as the shared rules know them.
#[must_use]
pub fn shared_builds(builds: &ThreejsBuilds) -> Builds {
    let shared = |one: &ThreejsBuild| {
        let ThreejsBuild { repo, commit, revealed_at_block, tag, status, docker_image, extra, .. } = one.clone();
        Build { repo, commit, revealed_at_block, tag, status, docker_image, extra }
    };
    builds.iter().map(|(hotkey, one)| (hotkey.clone(), shared(one))).collect()
}

/// The shared rules' plan, with the file as this format has it: each build has the hardware of its submission.
#[must_use]
pub fn with_hardware(
    plan: Plan,
    round: RoundNumber,
    builds: &Builds,
    submissions: &ThreejsSubmissions,
    recorded: Option<&ThreejsBuilds>,
) -> Plan {
    let entry = |(hotkey, build): (&Hotkey, &Build)| {
        let Build { repo, commit, revealed_at_block, tag, status, docker_image, extra } = build.clone();
        let submitted = submissions.get(hotkey).map(|submission| &submission.hardware);
        let hardware = submitted.or(recorded.and_then(|recorded| recorded.get(hotkey)).map(|build| &build.hardware));
        let hardware = hardware.cloned().flatten();
        let one = ThreejsBuild { repo, commit, revealed_at_block, hardware, tag, status, docker_image, extra };
        (hotkey.clone(), one)
    };
    let builds: ThreejsBuilds = builds.iter().map(entry).collect();
    let file = ThreejsFile::Round(round, ThreejsRoundFile::Builds);
    Plan { writes: vec![FileWrite::new(file, &builds)], ..plan }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_build_runs_on_what_its_submission_names() {
        let miner = Hotkey::from_account(&[1; 32]);
        let submission = json!({"repo": "a/b", "commit": "0a".repeat(20), "cdn_url": "https://x.org/", "revealed_at_block": 1,
            "round": "x-0", "hardware": ["4xRTX6000Pro"]});
        let submissions: ThreejsSubmissions = serde_json::from_value(json!({miner.as_str(): submission})).unwrap();
        assert_eq!(shared_submissions(&submissions).len(), 1);
        let build = json!({"repo": "a/b", "commit": "0a".repeat(20), "revealed_at_block": 1, "tag": "t",
            "status": "success", "docker_image": "x:t"});
        let builds: Builds = serde_json::from_value(json!({miner.as_str(): build})).unwrap();
        let plan = with_hardware(Plan::default(), RoundNumber(0), &builds, &submissions, None);
        let text = String::from_utf8(plan.writes[0].bytes.clone()).unwrap();
        assert!(
            text.contains(
                "\"revealed_at_block\": 1,\n    \"hardware\": [\n      \"4xRTX6000Pro\"\n    ],\n    \"tag\""
            )
        );
        let back: ThreejsBuilds = serde_json::from_str(&text).unwrap();
        assert_eq!(shared_builds(&back), builds);
    }
}
