//! `submissions.rules`.

use indexmap::IndexMap;

use super::in_force::ClaimTerms;
use super::{Claim, Sink, VerifyFacts};
use crate::base::url::HttpUrl;
use crate::model::file::RoundFile;
use crate::model::ids::{CommitSha, Hotkey, RepoName, RoundNumber};
use crate::model::snapshot::RoundFiles;
use crate::model::submissions::Submission;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(submissions) = files.submissions.get() else { return };
    let terms = facts.terms(round, RoundFile::Submissions);
    sink.claim("submissions.rules", round, format!("rounds/{round}/submissions.json"), |claim| {
        let mut last = None;
        for (hotkey, submission) in submissions.iter() {
            let block = submission.revealed_at_block;
            if last.is_some_and(|last| block < last) {
                claim.fail(format!("{hotkey}: revealed_at_block {block} comes after {}", last.unwrap_or(block)));
            }
            last = Some(block);
            window(claim, files, hotkey, submission);
        }
        claim.part(None, |claim| {
            submissions.iter().for_each(|entry| one(claim, facts, &terms, round, entry));
            terms.judge(claim);
        });
    });
    shared(round, submissions.iter().map(|(hotkey, of)| (hotkey, &of.repo, &of.commit)), sink);
}

fn window(claim: &mut Claim, files: &RoundFiles, hotkey: &Hotkey, submission: &Submission) {
    let block = submission.revealed_at_block;
    if let Some(schedule) = files.schedule.get() {
        let (earliest, latest) = (schedule.earliest_reveal_block, schedule.latest_reveal_block);
        if block < earliest || block > latest {
            claim.fail(format!("{hotkey}: revealed_at_block {block} is outside [{earliest}, {latest}]"));
        }
    }
}

fn one(
    claim: &mut Claim,
    facts: &VerifyFacts<'_>,
    terms: &ClaimTerms<'_>,
    round: RoundNumber,
    (hotkey, submission): (&Hotkey, &Submission),
) {
    if let Some(settings) = terms.settings {
        claim.same(&format!("{hotkey}: round"), &submission.round, &format!("{}-{round}", settings.name));
    }
    let allow_private = terms.limits.allow_private_cdn || facts.allow_private_cdn;
    if let Err(why) = crate::base::url::check_cdn_url(&submission.cdn_url, allow_private) {
        claim.fail(format!("{hotkey}: cdn_url {:?}: {why}", submission.cdn_url));
    } else if submission.cdn_url.ends_with('/') && !is_bare_host(&submission.cdn_url) {
        claim.fail(format!("{hotkey}: cdn_url {:?} ends in a slash", submission.cdn_url));
    }
}

/// A host followed by nothing but a slash, as the deployed services write it.
fn is_bare_host(url: &str) -> bool {
    HttpUrl::parse(url).is_ok_and(|url| url.rest == "/")
}

/// Warns of programs that more than one miner submitted: allowed, but a matter for the judge.
pub(super) fn shared<'a>(
    round: RoundNumber,
    submissions: impl Iterator<Item = (&'a Hotkey, &'a RepoName, &'a CommitSha)>,
    sink: &mut Sink,
) {
    let mut by_program: IndexMap<_, Vec<&Hotkey>> = IndexMap::new();
    for (hotkey, repo, commit) in submissions {
        by_program.entry((repo, commit)).or_default().push(hotkey);
    }
    for ((repo, commit), miners) in by_program.iter().filter(|(_, miners)| miners.len() > 1) {
        let names: Vec<_> = miners.iter().map(|hotkey| hotkey.short()).collect();
        let subject = format!("rounds/{round}/submissions.json {repo} at {}", commit.short());
        sink.claim("submissions.rules", round, subject, |claim| {
            claim.warn(format!("submitted by {} hotkeys: {}", names.len(), names.join(", ")));
        });
    }
}
