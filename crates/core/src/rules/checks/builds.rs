//! `builds.rules`.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::in_force::ClaimTerms;
use super::{Claim, Sink, VerifyFacts};
use crate::model::builds::BuildStatus;
use crate::model::file::RoundFile;
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::neutral::{BuildView, SubmissionView};
use crate::model::snapshot::RoundFiles;
use crate::rules::builds::word;

/// The names of the miners' images.
type Names = HashSet<String>;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(builds) = files.builds.get() else { return };
    let submissions = files.submissions.get();
    let submissions = submissions.map(|all| all.iter().map(|(hotkey, of)| (hotkey, SubmissionView::from(of))));
    let builds = builds.iter().map(|(hotkey, build)| (hotkey, BuildView::from(build)));
    all(&facts.terms(round, RoundFile::Builds), round, builds, submissions, sink);
}

/// `builds.rules`, of builds and submissions.
pub(super) fn all<'a>(
    terms: &ClaimTerms<'_>,
    round: RoundNumber,
    builds: impl Iterator<Item = (&'a Hotkey, BuildView<'a>)>,
    submissions: Option<impl Iterator<Item = (&'a Hotkey, SubmissionView<'a>)>>,
    sink: &mut Sink,
) {
    sink.claim("builds.rules", round, format!("rounds/{round}/builds.json"), |claim| {
        let Some(submissions) = submissions else {
            return claim.skip("submissions.json cannot be read");
        };
        let submissions: IndexMap<_, _> = submissions.collect();
        let names = submissions.keys().map(|hotkey| hotkey.short().to_lowercase()).collect();
        let mut built = HashSet::new();
        for (hotkey, build) in builds {
            built.insert(hotkey);
            match submissions.get(hotkey) {
                Some(submission) => one(claim, terms, round, (submission, &names), hotkey, &build),
                None => claim.fail(format!("{hotkey}: has a build, but did not submit")),
            }
        }
        for hotkey in submissions.keys().filter(|hotkey| !built.contains(*hotkey)) {
            claim.fail(format!("{hotkey}: submitted, but has no build"));
        }
    });
}

fn one(
    claim: &mut Claim,
    terms: &ClaimTerms<'_>,
    round: RoundNumber,
    (submission, names): (&SubmissionView<'_>, &Names),
    hotkey: &Hotkey,
    build: &BuildView<'_>,
) {
    claim.same(format_args!("{hotkey}: repo"), &build.repo.as_str(), &submission.repo.as_str());
    claim.same(format_args!("{hotkey}: commit"), &build.commit.as_str(), &submission.commit.as_str());
    claim.same(
        format_args!("{hotkey}: revealed_at_block"),
        &build.revealed_at_block.0,
        &submission.revealed_at_block.0,
    );
    claim.same(format_args!("{hotkey}: hardware"), &build.hardware, &submission.hardware);
    if let Some(settings) = terms.settings {
        let tag = format!("{}-{}-{round}", build.commit.short(), settings.name);
        claim.part(None, |claim| {
            claim.same(format_args!("{hotkey}: tag"), &build.tag, &tag.as_str());
            terms.judge(claim);
        });
    }
    match (build.image, build.status) {
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
fn check_image(claim: &mut Claim, names: &Names, hotkey: &Hotkey, build: &BuildView<'_>, image: &str) {
    let (path, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    // Image names are lower-cased, tag included.
    if tag != build.tag.to_lowercase() {
        claim.same(format_args!("{hotkey}: the tag of docker_image"), &tag, &build.tag);
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let own = hotkey.short().to_lowercase();
    if name != own && names.contains(name) {
        claim.fail(format!("{hotkey}: docker_image {image:?} is another miner's"));
    }
}
