//! `builds.rules`.

use std::collections::HashSet;

use super::in_force::ClaimTerms;
use super::{Claim, Sink, VerifyFacts};
use crate::model::builds::{Build, BuildStatus};
use crate::model::file::RoundFile;
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::snapshot::RoundFiles;
use crate::model::submissions::Submissions;
use crate::rules::builds::word;

/// The names of the miners' images.
type Names = HashSet<String>;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(builds) = files.builds.get() else { return };
    sink.claim("builds.rules", round, format!("rounds/{round}/builds.json"), |claim| {
        let Some(submissions) = files.submissions.get() else {
            return claim.skip("submissions.json cannot be read");
        };
        let names = submissions.keys().map(|hotkey| hotkey.short().to_lowercase()).collect();
        let terms = facts.terms(round, RoundFile::Builds);
        for (hotkey, build) in builds.iter() {
            one(claim, &terms, round, (submissions, &names), hotkey, build);
        }
        for hotkey in submissions.keys().filter(|hotkey| !builds.contains_key(*hotkey)) {
            claim.fail(format!("{hotkey}: submitted, but has no build"));
        }
    });
}

fn one(
    claim: &mut Claim,
    terms: &ClaimTerms<'_>,
    round: RoundNumber,
    (submissions, names): (&Submissions, &Names),
    hotkey: &Hotkey,
    build: &Build,
) {
    let Some(submission) = submissions.get(hotkey) else {
        return claim.fail(format!("{hotkey}: has a build, but did not submit"));
    };
    claim.same(&format!("{hotkey}: repo"), &build.repo.as_str(), &submission.repo.as_str());
    claim.same(&format!("{hotkey}: commit"), &build.commit.as_str(), &submission.commit.as_str());
    claim.same(&format!("{hotkey}: revealed_at_block"), &build.revealed_at_block.0, &submission.revealed_at_block.0);
    if let Some(settings) = terms.settings {
        let tag = format!("{}-{}-{round}", build.commit.short(), settings.name);
        claim.part(None, |claim| {
            claim.same(&format!("{hotkey}: tag"), &build.tag, &tag);
            terms.judge(claim);
        });
    }
    match (&build.docker_image, build.status) {
        (Some(image), BuildStatus::Success) => check_image(claim, names, hotkey, build, image),
        (None, BuildStatus::Success) => claim.fail(format!("{hotkey}: built, but docker_image is null")),
        (Some(image), status) => {
            let status = word(status);
            claim.fail(format!("{hotkey}: docker_image is {image:?}, but status is {status}"));
        }
        (None, _) => {}
    }
}

/// Checks that an image has the build's tag and is not named after another miner.
fn check_image(claim: &mut Claim, names: &Names, hotkey: &Hotkey, build: &Build, image: &str) {
    let (path, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    // Image names are lower-cased, tag included.
    if tag != build.tag.to_lowercase() {
        claim.same(&format!("{hotkey}: the tag of docker_image"), &tag, &build.tag.as_str());
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let own = hotkey.short().to_lowercase();
    if name != own && names.contains(name) {
        claim.fail(format!("{hotkey}: docker_image {image:?} is another miner's"));
    }
}
