//! Claims that both formats make, on neutral views of their records.

use std::collections::HashSet;

use indexmap::{IndexMap, IndexSet};

use super::super::{Claim, Sink};
use crate::model::builds::BuildStatus;
use crate::model::config::Settings;
use crate::model::ids::{Block, Hotkey, PromptStem, RoundNumber, Seed};
use crate::model::leader::LeaderEntry;
use crate::model::neutral::{BuildView, DuelView, OutputView, SubmissionView};
use crate::model::prompts::{Prompt, PromptList};
use crate::model::seed::SeedFile;
use crate::model::snapshot::{Problem, Trouble};
use crate::model::winner::Winner;
use crate::rules::builds::word;
use crate::rules::duel::margin;
use crate::rules::prompts::Selection;

/// What config.json said when a claim was made is not known here: only what it says now.
pub(super) const AS_IT_IS: &str = " (by config.json as it is)";

/// `file.parse`, `file.bytes`.
pub(super) fn files(problems: &[Problem], files: usize, sink: &mut Sink) {
    problems.iter().for_each(|problem| super::super::files::report(problem, sink));
    let broken = problems.iter().filter(|problem| !matches!(problem.what, Trouble::Layout { .. })).count();
    if broken == 0 {
        sink.claim("file.parse", None, format!("{files} files"), |_| ());
    }
    if problems.len() == broken {
        sink.claim("file.bytes", None, format!("{files} files"), |_| ());
    }
}

/// `state.files`: these have to be there.
pub(super) fn needed(round: Option<RoundNumber>, files: &[(&str, bool)], sink: &mut Sink) {
    let subject = round.map_or_else(|| "the competition".to_owned(), |round| format!("rounds/{round}"));
    sink.claim("state.files", round, subject, |claim| {
        for (name, _) in files.iter().filter(|(_, there)| !there) {
            claim.fail(format!("{name} is missing"));
        }
    });
}

/// `state.files`: the first round up to the current one without a folder.
pub(super) fn needed_rounds(current: RoundNumber, has: impl Fn(RoundNumber) -> bool, sink: &mut Sink) {
    if let Some(gap) = (0..=current.0).map(RoundNumber).find(|round| !has(*round)) {
        needed(Some(gap), &[("the round's folder", false)], sink);
    }
}

/// `schedule.blocks`, but for a deadline.
pub(super) fn schedule(claim: &mut Claim, earliest: Block, latest: Block, before: Option<Block>) {
    if earliest > latest {
        claim.fail(format!("earliest_reveal_block is {earliest}, after latest_reveal_block {latest}"));
    }
    if let Some(before) = before {
        claim.same("earliest_reveal_block", &earliest.0, &before.0.saturating_add(1));
    }
}

/// `submissions.rules`.
pub(super) fn submissions(
    round: RoundNumber,
    submissions: &IndexMap<&Hotkey, SubmissionView<'_>>,
    window: Option<(Block, Block)>,
    settings: Option<&Settings>,
    sink: &mut Sink,
) {
    let file = format!("rounds/{round}/submissions.json");
    sink.claim("submissions.rules", round, file.clone(), |claim| {
        let mut last = Block(0);
        for (hotkey, submission) in submissions {
            let block = submission.revealed_at_block;
            if block < last {
                claim.fail(format!("{hotkey}: revealed_at_block {block} stands after {last}"));
            }
            last = block;
            if let Some((earliest, latest)) = window.filter(|(earliest, latest)| block < *earliest || block > *latest) {
                claim.fail(format!("{hotkey}: revealed_at_block {block} is outside [{earliest}, {latest}]"));
            }
            if let Some(settings) = settings {
                let expected = format!("{}-{round}", settings.name);
                claim.same(&format!("{hotkey}: round"), &submission.round, &expected.as_str());
            }
            if let Some(why) = submission.cdn_url.and_then(|url| crate::base::url::check_cdn_url(url, false).err()) {
                claim.fail(format!("{hotkey}: cdn_url {:?}: {why}", submission.cdn_url.unwrap_or_default()));
            }
        }
    });
    let programs = submissions.iter().map(|(hotkey, of)| (*hotkey, of.repo, of.commit));
    super::super::submissions::shared(round, programs, sink);
}

/// `seed.derived`: the deployed services draw the seed without a proof.
pub(super) fn seed(round: RoundNumber, seed: Option<&SeedFile>, sink: &mut Sink) {
    if let Some(seed) = seed {
        sink.claim("seed.derived", round, format!("rounds/{round}/seed.json"), |claim| {
            claim.skip(format!("the seed {} names no source: it cannot be proved", seed.seed));
        });
    }
}

/// A way to draw a round's prompts: settings, seed, the prompts of the round before, the pool.
pub(super) type Way = fn(&Settings, Seed, &[Prompt], &[Prompt]) -> Selection;

/// What a round's prompts are held against.
pub(super) struct Draw<'a> {
    pub(super) round: RoundNumber,
    pub(super) settings: Option<&'a Settings>,
    pub(super) seed: Option<&'a SeedFile>,
    /// Those of the round before; empty before round 0.
    pub(super) previous: Option<&'a [Prompt]>,
    pub(super) pool: Option<&'a PromptList>,
    /// The ways in which the new ones may have been drawn.
    pub(super) ways: &'a [Way],
}

/// `prompts.carryover`, `prompts.new`, `prompts.count`.
pub(super) fn prompts(draw: &Draw<'_>, prompts: &PromptList, sink: &mut Sink) {
    let round = draw.round;
    let subject = format!("rounds/{round}/prompts.txt");
    let known = draw.settings.zip(draw.seed).zip(draw.previous);
    sink.claim("prompts.carryover", round, subject.clone(), |claim| {
        let Some(((settings, seed), previous)) = known else {
            return claim.skip("config.json, seed.json or the prompts of the round before cannot be read");
        };
        let expected = draw.ways.first().map(|way| way(settings, seed.seed, previous, &[]).carried).unwrap_or_default();
        let found = prompts.0.get(..expected.len()).unwrap_or(&prompts.0);
        let wrong = found.iter().zip(&expected).position(|(found, expected)| found != expected);
        if let Some((found, expected)) = wrong.and_then(|at| found.get(at).zip(expected.get(at))) {
            let line = wrong.unwrap_or_default() + 1;
            claim.fail(format!("line {line} is {}, by the rule it is {}{AS_IT_IS}", found.url(), expected.url()));
        }
        if found.len() < expected.len() {
            claim.fail(format!("{} prompts, of which {} should be carried over", found.len(), expected.len()));
        }
    });
    sink.claim("prompts.new", round, subject.clone(), |claim| {
        let Some(((settings, seed), previous)) = known else {
            return claim.skip("config.json, seed.json or the prompts of the round before cannot be read");
        };
        let Some(pool) = draw.pool else { return claim.skip("there is no pool (prompts.txt)") };
        let drawn = |way: &Way| {
            let selection = way(settings, seed.seed, previous, &pool.0);
            prompts.0.get(selection.carried.len()..).is_some_and(|found| found == selection.fresh)
        };
        if !draw.ways.iter().any(drawn) {
            claim.warn("they are not what the pool of today gives; the pool of then may have been another");
        }
    });
    sink.claim("prompts.count", round, subject, |claim| {
        let Some(settings) = draw.settings else { return claim.skip("config.json cannot be read") };
        let mut expected = settings.prompts_per_round;
        if let Some((pool, previous)) = draw.pool.zip(draw.previous) {
            expected = expected.min(previous.len().min(settings.carryover_prompts) + pool.0.len());
        }
        claim.same("the number of prompts", &prompts.0.len(), &expected);
        let mut seen = HashSet::new();
        for prompt in prompts.0.iter().filter(|prompt| !seen.insert(prompt.stem())) {
            claim.warn(format!("the stem {} stands twice", prompt.stem()));
        }
    });
}

/// `builds.rules`.
pub(super) fn builds(
    round: RoundNumber,
    builds: &IndexMap<&Hotkey, BuildView<'_>>,
    submissions: Option<&IndexMap<&Hotkey, SubmissionView<'_>>>,
    settings: Option<&Settings>,
    sink: &mut Sink,
) {
    sink.claim("builds.rules", round, format!("rounds/{round}/builds.json"), |claim| {
        let Some(submissions) = submissions else { return claim.skip("submissions.json cannot be read") };
        let names: HashSet<String> = submissions.keys().map(|hotkey| hotkey.short().to_lowercase()).collect();
        for (hotkey, build) in builds {
            let Some(submission) = submissions.get(hotkey) else {
                claim.fail(format!("{hotkey}: has a build, but did not submit"));
                continue;
            };
            claim.same(&format!("{hotkey}: repo"), &build.repo.as_str(), &submission.repo.as_str());
            claim.same(&format!("{hotkey}: commit"), &build.commit.as_str(), &submission.commit.as_str());
            let (block, submitted) = (build.revealed_at_block, submission.revealed_at_block);
            claim.same(&format!("{hotkey}: revealed_at_block"), &block.0, &submitted.0);
            claim.same(&format!("{hotkey}: hardware"), &build.hardware, &submission.hardware);
            if let Some(settings) = settings {
                let tag = format!("{}-{}-{round}", build.commit.short(), settings.name);
                claim.same(&format!("{hotkey}: tag"), &build.tag, &tag.as_str());
            }
            image(claim, hotkey, build, &names);
        }
        for hotkey in submissions.keys().filter(|hotkey| !builds.contains_key(*hotkey)) {
            claim.fail(format!("{hotkey}: submitted, but has no build"));
        }
    });
}

fn image(claim: &mut Claim, hotkey: &Hotkey, build: &BuildView<'_>, names: &HashSet<String>) {
    let image = match (build.image, build.status) {
        (Some(image), BuildStatus::Success) => image,
        (None, BuildStatus::Success) => return claim.fail(format!("{hotkey}: built, but docker_image is null")),
        (Some(image), status) => {
            let status = word(status);
            return claim.fail(format!("{hotkey}: docker_image is {image:?}, but status is {status}"));
        }
        (None, _) => return,
    };
    let (path, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    // Images are lower-cased as a whole.
    claim.same(&format!("{hotkey}: the tag of docker_image"), &tag, &build.tag.to_lowercase().as_str());
    let name = path.rsplit('/').next().unwrap_or(path);
    if name != hotkey.short().to_lowercase() && names.contains(name) {
        claim.fail(format!("{hotkey}: docker_image {image:?} is another miner's"));
    }
}

/// `outputs.rules`: the stems are prompts of the round; where `all`, every prompt has an entry.
pub(super) fn stems<'a>(
    claim: &mut Claim,
    found: impl Iterator<Item = &'a PromptStem>,
    prompts: Option<&PromptList>,
    all: bool,
) {
    let Some(prompts) = prompts else { return };
    let stems: IndexSet<&PromptStem> = prompts.stems().collect();
    let found: IndexSet<&PromptStem> = found.collect();
    for stem in found.difference(&stems) {
        claim.fail(format!("{stem}: no prompt of this round"));
    }
    let missing: Vec<_> = stems.difference(&found).collect();
    if all {
        let details = missing.iter().map(|stem| format!("{stem}: a prompt of this round without an entry"));
        claim.fail_often(missing.len(), details);
    }
}

/// `outputs.rules`: an output's parts belong together. Each URL ends in a path that belongs to it.
pub(super) fn output(claim: &mut Claim, stem: &PromptStem, output: &OutputView<'_>, model: &str, preview: &str) {
    match (output.model, output.size) {
        (None, 0) | (Some(_), 1..) => {}
        (None, size) => claim.fail(format!("{stem}: size is {size}, but there is no model")),
        (Some(url), size) => claim.fail(format!("{stem}: size is {size}, but the model is {url:?}")),
    }
    if output.model.is_none() && output.preview.is_some() {
        claim.fail(format!("{stem}: a preview without a model"));
    }
    for (url, path) in [(output.model, model), (output.preview, preview)] {
        let ends = |url: &str| url.strip_suffix(path).is_some_and(|base| base.ends_with('/'));
        if let Some(url) = url.filter(|url| !ends(url)) {
            claim.fail(format!("{stem}: {url:?} is no URL of {path}"));
        }
    }
    if output.seconds.is_some_and(|seconds| seconds < 0.0) {
        claim.fail(format!("{stem}: generation_time is below 0"));
    }
}

/// `match.score`.
pub(super) fn score(claim: &mut Claim, found: (i64, f64), duels: &[DuelView<'_>]) {
    let expected: i64 = duels.iter().map(|duel| duel.winner.points()).sum();
    claim.same("score", &found.0, &expected);
    claim.same("margin", &found.1, &margin(expected, duels.len()));
}

/// The URLs of a side's model and preview for a prompt.
pub(super) type SideUrls<'f, 'a> = &'f dyn Fn(&PromptStem) -> Option<(Option<&'a str>, Option<String>)>;

/// `match.urls`: the duels are the round's prompts, sorted by name, and each side's URLs are its outputs'.
pub(super) fn urls<'a>(
    claim: &mut Claim,
    duels: &[DuelView<'_>],
    prompts: Option<&PromptList>,
    sides: [SideUrls<'_, 'a>; 2],
) {
    let Some(prompts) = prompts else { return claim.skip("prompts.txt cannot be read") };
    let mut sorted: Vec<&Prompt> = prompts.0.iter().collect();
    sorted.sort_by(|a, b| a.stem().cmp(b.stem()));
    // A prompt that was drawn twice has one output; whether it has two duels, its writer knows.
    if sorted.len() != duels.len() {
        sorted.dedup_by(|a, b| a.stem() == b.stem());
    }
    if sorted.len() != duels.len() {
        claim.fail(format!("{} duels for {} prompts", duels.len(), sorted.len()));
    }
    for (duel, prompt) in duels.iter().zip(&sorted) {
        if duel.name != prompt.stem() {
            let (found, expected) = (duel.name, prompt.stem());
            return claim.fail(format!("{found} stands where {expected} belongs: duels are sorted by name"));
        }
        claim.same(&format!("{}: prompt", duel.name), &duel.prompt, &prompt.url());
    }
    for duel in duels {
        let found = [
            ("left", duel.left_model, duel.left_preview, sides[0]),
            ("right", duel.right_model, duel.right_preview, sides[1]),
        ];
        for (side, model, preview, of) in found {
            let (expected_model, expected_preview) = of(duel.name).unwrap_or_default();
            claim.same(&format!("{}: {side}'s model", duel.name), &model, &expected_model);
            claim.same(&format!("{}: {side}'s preview", duel.name), &preview, &expected_preview.as_deref());
        }
    }
}

/// A round that is over: who won it, and from which block on.
pub(super) struct Over {
    pub(super) round: RoundNumber,
    pub(super) from: Block,
    pub(super) winner: Option<Winner>,
}

/// How weights are written, and what is known of the settings.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) settings: &'a Settings,
    /// The entry that a round adds.
    pub(super) next: fn(&Settings, &LeaderEntry, &Winner, Block) -> Option<LeaderEntry>,
    /// A leader that held may have no entry: in some rounds, other settings were in force.
    pub(super) decay_unknown: bool,
}

/// `leader.transition`.
pub(super) fn leaders(
    entries: &[LeaderEntry],
    first: Option<Block>,
    over: &[Over],
    weights: Weights<'_>,
    sink: &mut Sink,
) {
    sink.claim("leader.transition", None, "leader.json", |claim| {
        if entries.is_empty() {
            claim.fail("no leader: the list is empty");
        }
        for pair in entries.windows(2) {
            if let [before, after] = pair
                && after.effective_block < before.effective_block
            {
                let (block, last) = (after.effective_block, before.effective_block);
                claim.fail(format!("effective_block {block} stands after {last}"));
            }
        }
    });
    for over in over {
        let round = over.round;
        sink.claim("leader.transition", round, format!("leader.json after round {round}"), |claim| {
            transition(claim, entries, over, weights);
        });
    }
    // Entries from before the first round were made by hand.
    let by_hand = |entry: &LeaderEntry| first.is_some_and(|first| entry.effective_block <= first);
    let of_round = |entry: &LeaderEntry| over.iter().any(|over| over.from == entry.effective_block);
    let complete = first.is_some() && over.iter().enumerate().all(|(at, over)| over.round.0 as usize == at);
    let initial = entries.first().map(|entry| entry.effective_block);
    for entry in entries.iter().filter(|entry| complete && !by_hand(entry) && !of_round(entry)) {
        if initial == Some(entry.effective_block) {
            continue;
        }
        sink.claim("leader.transition", None, "leader.json", |claim| {
            let (hotkey, block) = (&entry.hotkey, entry.effective_block);
            claim.fail(format!("the entry of {hotkey} at block {block} follows from no round"));
        });
    }
}

fn transition(claim: &mut Claim, entries: &[LeaderEntry], over: &Over, weights: Weights<'_>) {
    let found = entries.iter().find(|entry| entry.effective_block == over.from);
    let before = entries.iter().rfind(|entry| entry.effective_block < over.from);
    let (Some(winner), Some(before)) = (&over.winner, before) else {
        return claim.skip("who won, or who led before, cannot be read");
    };
    match ((weights.next)(weights.settings, before, winner, over.from), found) {
        (None, None) => {}
        (None, Some(found)) => {
            claim.fail(format!("an entry of {} with weight {}, by the rule there is none", found.hotkey, found.weight));
        }
        (Some(expected), None) if weights.decay_unknown && expected.hotkey == before.hotkey => {
            let weight = expected.weight;
            claim.skip(format!("no entry; by config.json as it is, the leader goes on with weight {weight}: whether that was in force is unknown"));
        }
        (Some(expected), None) => {
            let (hotkey, weight) = (&expected.hotkey, expected.weight);
            claim.fail(format!("no entry, by the rule {hotkey} leads from block {} with weight {weight}", over.from));
        }
        (Some(expected), Some(found)) => {
            claim.same("hotkey", &found.hotkey.as_str(), &expected.hotkey.as_str());
            claim.same("repo", &found.repo.as_str(), &expected.repo.as_str());
            claim.same("commit", &found.commit.as_str(), &expected.commit.as_str());
            claim.same("docker", &found.docker, &expected.docker);
            claim.same("weight", &found.weight, &expected.weight);
        }
    }
}
