//! `submissions.rules`.

use super::in_force::ClaimTerms;
use super::{Claim, Sink, VerifyFacts};
use crate::base::url::HttpUrl;
use crate::model::file::RoundFile;
use crate::model::ids::{Block, Hotkey, RoundNumber};
use crate::model::neutral::SubmissionView;
use crate::model::snapshot::RoundFiles;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(submissions) = files.submissions.get() else { return };
    let terms = facts.terms(round, RoundFile::Submissions);
    let window = files.schedule.get().map(|schedule| (schedule.earliest_reveal_block, schedule.latest_reveal_block));
    let views = submissions.iter().map(|(hotkey, of)| (hotkey, SubmissionView::from(of)));
    all(&terms, round, (views, window), facts.allow_private_cdn, sink);
}

/// `submissions.rules`, of submissions in the file's order and the round's window.
pub(super) fn all<'a>(
    terms: &ClaimTerms<'_>,
    round: RoundNumber,
    (submissions, blocks): (impl Iterator<Item = (&'a Hotkey, SubmissionView<'a>)> + Clone, Option<(Block, Block)>),
    allow_private_cdn: bool,
    sink: &mut Sink,
) {
    sink.claim("submissions.rules", round, format!("rounds/{round}/submissions.json"), |claim| {
        let mut last = None;
        for (hotkey, submission) in submissions.clone() {
            let block = submission.revealed_at_block;
            if last.is_some_and(|last| block < last) {
                claim.fail(format!("{hotkey}: revealed_at_block {block} comes after {}", last.unwrap_or(block)));
            }
            last = Some(block);
            window(claim, blocks, hotkey, block);
        }
        claim.part(None, |claim| {
            submissions.clone().for_each(|entry| one(claim, terms, round, entry, allow_private_cdn));
            terms.judge(claim);
        });
    });
}

fn window(claim: &mut Claim, blocks: Option<(Block, Block)>, hotkey: &Hotkey, block: Block) {
    if let Some((earliest, latest)) = blocks.filter(|(earliest, latest)| block < *earliest || block > *latest) {
        claim.fail(format!("{hotkey}: revealed_at_block {block} is outside [{earliest}, {latest}]"));
    }
}

fn one(
    claim: &mut Claim,
    terms: &ClaimTerms<'_>,
    round: RoundNumber,
    (hotkey, submission): (&Hotkey, SubmissionView<'_>),
    allow_private_cdn: bool,
) {
    if let Some(settings) = terms.settings {
        let expected = format!("{}-{round}", settings.name);
        claim.same(format_args!("{hotkey}: round"), &submission.round, &expected.as_str());
    }
    let Some(url) = submission.cdn_url else { return };
    if let Err(why) = crate::base::url::check_cdn_url(url, terms.limits.allow_private_cdn || allow_private_cdn) {
        claim.fail(format!("{hotkey}: cdn_url {url:?}: {why}"));
    } else if url.ends_with('/') && !is_bare_host(url) {
        claim.fail(format!("{hotkey}: cdn_url {url:?} ends in a slash"));
    }
}

/// A host followed by nothing but a slash, as the deployed services write it.
fn is_bare_host(url: &str) -> bool {
    HttpUrl::parse(url).is_ok_and(|url| url.rest == "/")
}
