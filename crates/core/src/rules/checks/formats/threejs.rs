//! A competition of three.js modules.

use indexmap::IndexSet;

use super::super::copies::{self, Programs};
use super::super::in_force::ClaimTerms;
use super::super::outputs::check_stems;
use super::super::prompts::{Draw, Way};
use super::super::{Claim, Sink, builds, files, prompts, round_has_reached, schedule, seed, submissions};
use super::common::{self, Over, Weights};
use super::{OtherFacts, threejs_answers, threejs_audits, threejs_files, threejs_matches, threejs_stored};
use crate::model::file::RoundFile;
use crate::model::ids::{Block, Hotkey, Player, PromptStem, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::neutral::{BuildView, Hardware, OutputView, SubmissionView};
use crate::model::prompts::Prompt;
use crate::model::snapshot::Slot;
use crate::model::stage::Stage;
use crate::model::threejs::outputs::Modules;
use crate::model::threejs::programs::ThreejsLeaders;
use crate::model::threejs::snapshot::{ThreejsRound, ThreejsSnapshot};
use crate::rules::prompts::select;
use crate::rules::stage_table::last_of_round;
use crate::rules::succession::transition;
use crate::rules::threejs::known::{HARDWARE, LEFT_OUT, MOST_BYTES, is_not_stored, is_submit_failure};
use crate::rules::threejs::leader::{leader_at, shared, shared_winner};
use crate::rules::threejs::prompts::select_disjoint;

/// A round, and what its checks use.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) facts: &'a OtherFacts,
    pub(super) snapshot: &'a ThreejsSnapshot,
    pub(super) round: RoundNumber,
    pub(super) files: &'a ThreejsRound,
}

impl<'a> Round<'a> {
    /// The terms by which the round's matches and audits are judged: those of the commit that wrote its winner.
    pub(super) fn terms(&self) -> ClaimTerms<'a> {
        self.facts.terms(self.round, RoundFile::Winner)
    }

    /// Is the round past the stage in which matches are judged?
    pub(super) fn is_over(&self) -> bool {
        self.has_reached(last_of_round())
    }

    /// Is this a round before the current one, or the current one in this stage or a later one?
    pub(super) fn has_reached(&self, stage: Stage) -> bool {
        self.snapshot.state.get().is_some_and(|state| round_has_reached(state, self.round, stage))
    }

    /// A file of the round's folder.
    pub(super) fn path(&self, name: &str) -> String {
        format!("rounds/{}/{name}", self.round)
    }

    /// Did this hotkey submit? If that cannot be read, it is taken to have.
    pub(super) fn submitted(&self, hotkey: &Hotkey) -> bool {
        self.files.submissions.get().is_none_or(|submissions| submissions.contains_key(hotkey))
    }
}

/// The last round of the real competition after which a leader that held got an entry.
const LAST_DECAY: RoundNumber = RoundNumber(28);

/// What a player's matches are played on: what a miner submitted, what the leader's program generated.
pub(super) fn outputs_of<'a>(files: &'a ThreejsRound, player: &Player) -> Option<&'a Modules> {
    let own = files.players.get(player)?;
    match player {
        Player::Leader => generated(files, player, 1),
        Player::Miner(_) => own.submitted.get(),
    }
}

/// What one repeat of a player's program generated.
pub(super) fn generated<'a>(files: &'a ThreejsRound, player: &Player, repeat: u32) -> Option<&'a Modules> {
    files.players.get(player)?.generated.get(&repeat).and_then(Slot::get)
}

/// Runs every check on the files.
#[must_use]
pub fn run(snapshot: &ThreejsSnapshot, facts: &OtherFacts) -> Sink {
    let mut sink = Sink::default();
    files::as_files(&snapshot.problems, snapshot.files, &mut sink);
    files::top([snapshot.config.is_missing(), snapshot.state.is_missing(), snapshot.leaders.is_missing()], &mut sink);
    for (round, files) in &snapshot.rounds {
        let round = Round { facts, snapshot, round: *round, files };
        threejs_files::check(&round, &mut sink);
        of_a_round(&round, &mut sink);
        outputs(&round, &mut sink);
        threejs_stored::check(&round, &mut sink);
        threejs_matches::check(&round, &mut sink);
        threejs_answers::check(&round, &mut sink);
        threejs_audits::check(&round, &mut sink);
        winner(&round, &mut sink);
    }
    if let Some(state) = snapshot.state.get() {
        files::rounds(snapshot.rounds.keys().copied(), Some(state.current_round), &mut sink);
    }
    leaders(snapshot, facts, &mut sink);
    sink
}

fn of_a_round(round: &Round<'_>, sink: &mut Sink) {
    let (number, files) = (round.round, round.files);
    let terms = |file| round.facts.terms(number, file);
    let before = number.previous().and_then(|before| round.snapshot.rounds.get(&before));
    let blocks = files.schedule.get();
    let window = blocks.map(|schedule| (schedule.earliest_reveal_block, schedule.latest_reveal_block));
    if let Some(blocks) = blocks {
        let before = before.and_then(|files| files.schedule.get()).map(|schedule| schedule.latest_reveal_block);
        sink.claim("schedule.blocks", number, round.path("schedule.json"), |claim| {
            let (earliest, latest) = (blocks.earliest_reveal_block, blocks.latest_reveal_block);
            schedule::window(claim, (earliest, latest), before);
            schedule::due(claim, &terms(RoundFile::Schedule), latest, blocks.generation_deadline_block);
        });
    }
    let submitted = files.submissions.get();
    let submitted = submitted.map(|all| all.iter().map(|(hotkey, of)| (hotkey, SubmissionView::from(of))));
    if let Some(submitted) = submitted.clone() {
        let private = round.facts.allow_private_cdn;
        submissions::all(&terms(RoundFile::Submissions), number, (submitted.clone(), window), private, sink);
        let builds = files.builds.get().into_iter().flat_map(|builds| builds.iter());
        let leaders: Vec<LeaderEntry> = round.snapshot.leaders.get().into_iter().flatten().map(shared).collect();
        let programs = Programs {
            round: number,
            submissions: submitted.clone().collect(),
            builds: builds.map(|(hotkey, build)| (hotkey, BuildView::from(build))).collect(),
            leaders: copies::led(&leaders, window.map(|(_, latest)| latest)),
            alike: &[],
        };
        programs.check(sink);
        sink.claim("submissions.rules", number, round.path("submissions.json: hardware"), |claim| {
            let recorded = submitted.filter_map(|(hotkey, of)| Some((hotkey, of.hardware?)));
            recorded.for_each(|(hotkey, hardware)| known_hardware(claim, hotkey.as_str(), hardware));
        });
    }
    if let Some(drawn) = files.seed.get() {
        let latest = window.map(|(_, latest)| latest);
        seed::claim(&terms(RoundFile::Seed), number, (drawn, latest), round.facts.blocks.get(&number), sink);
    }
    if let Some(list) = files.prompts.get() {
        let previous: Option<&[Prompt]> = match number.previous() {
            None => Some(&[]),
            Some(_) => before.and_then(|files| files.prompts.get()).map(|prompts| prompts.0.as_slice()),
        };
        let ways: &[Way] = &[select_disjoint, select];
        let draw = Draw {
            round: number,
            terms: terms(RoundFile::Seed),
            seed: files.seed.get().map(|seed| seed.seed),
            previous,
            pool: &round.snapshot.pool,
            then: round.facts.pools.get(&number),
            lacks: round.facts.rules.missing_history(),
            ways,
        };
        prompts::all(&draw, list, sink);
    }
    if let Some(all) = files.builds.get() {
        let all = all.iter().map(|(hotkey, build)| (hotkey, BuildView::from(build)));
        builds::all(&terms(RoundFile::Builds), number, all, submitted, sink);
    }
}

fn outputs(round: &Round<'_>, sink: &mut Sink) {
    // While files are still being fetched, a record may lack some.
    let fetched = round.has_reached(Stage::Duels);
    for (player, own) in &round.files.players {
        if let Some(submitted) = own.submitted.get() {
            sink.claim("outputs.rules", round.round, round.path(&format!("{player}/submitted.json")), |claim| {
                modules(claim, round, player, "submitted", submitted, fetched);
            });
        }
        let repeats = own.generated.iter().filter_map(|(repeat, slot)| Some((repeat, slot.get()?)));
        for (repeat, generated) in repeats {
            let folder = format!("generated_{repeat}");
            sink.claim("outputs.rules", round.round, round.path(&format!("{player}/{folder}.json")), |claim| {
                modules(claim, round, player, &folder, generated, false);
            });
        }
    }
}

fn modules(claim: &mut Claim, round: &Round<'_>, player: &Player, folder: &str, modules: &Modules, all: bool) {
    if player.hotkey().is_some_and(|hotkey| !round.submitted(hotkey)) {
        claim.fail("this hotkey did not submit in this round");
    }
    let stems: Option<IndexSet<&PromptStem>> = round.files.prompts.get().map(|prompts| prompts.stems().collect());
    check_stems(claim, modules, stems.as_ref(), all);
    let mut folders = vec![round.path(&format!("{player}/{folder}"))];
    // Before there were repeats, the folder had no number.
    folders.extend((folder == "generated_1").then(|| round.path(&format!("{player}/generated"))));
    for (stem, module) in modules.iter() {
        common::output(claim, stem, &OutputView::from(module), ("js", [".js", ""]), &folders);
        if folder == "submitted" && module.views.is_none() && module.failure_reason.is_none() {
            claim.fail(format!("{stem}: neither views nor a failure_reason"));
        }
        if module.views.is_some() && module.failure_reason.is_some() {
            claim.fail(format!("{stem}: views, but also a failure_reason: {:?}", module.failure_reason));
        }
        if module.js.is_some() && module.size > MOST_BYTES {
            let size = module.size;
            claim.fail(format!("{stem}: size is {size}, but a module of over {MOST_BYTES} bytes is refused"));
        }
        if let Some(reason) = &module.failure_reason {
            failure(claim, stem, module.js.is_some(), reason, folder == "submitted");
        }
    }
}

/// A reason of the services is one that they have, and fits what is there.
fn failure(claim: &mut Claim, stem: &PromptStem, has_module: bool, reason: &str, submitted: bool) {
    if submitted && !is_submit_failure(reason) {
        claim.warn(format!("{stem}: failure_reason {reason:?} is unknown"));
    }
    let never_there = if submitted { is_not_stored(reason) } else { reason == LEFT_OUT };
    if has_module && never_there {
        claim.fail(format!("{stem}: failure_reason is {reason:?}, but there is a js"));
    }
}

/// Hardware that the services know, each once: they drop everything else from a miner's list.
fn known_hardware(claim: &mut Claim, who: &str, hardware: &[String]) {
    if hardware.is_empty() {
        claim.fail(format!("{who}: hardware is empty"));
    }
    for (at, name) in hardware.iter().enumerate() {
        if hardware.iter().take(at).any(|other| other == name) {
            claim.fail(format!("{who}: hardware has {name:?} twice"));
        } else if !HARDWARE.contains(&name.as_str()) {
            claim.warn(format!("{who}: hardware {name:?} is unknown"));
        }
    }
}

/// `winner.replay`, `winner.source`.
fn winner(round: &Round<'_>, sink: &mut Sink) {
    let Some(winner) = round.files.winner.get() else { return };
    sink.claim("winner.replay", round.round, round.path("winner.json"), |claim| {
        let Some(chain) = threejs_audits::chain(round) else {
            return claim.skip("submissions or margins are missing, or the round is from before audits by duels");
        };
        claim.same("the winner", &winner.winner_hotkey.as_str(), &chain.holder.as_str());
        for hotkey in &chain.unplayed {
            claim.fail(format!("{hotkey}: no match against the leader"));
        }
        for link in &chain.links {
            if let Some(open) = threejs_audits::open(&link.fate) {
                claim.fail(format!("{}: {open}", link.hotkey));
            }
        }
        round.terms().judge(claim);
    });
    sink.claim("winner.source", round.round, round.path("winner.json"), |claim| {
        let (repo, commit, image, hardware) = match &winner.winner_hotkey {
            Player::Miner(hotkey) => {
                let Some(builds) = round.files.builds.get() else { return claim.skip("builds.json cannot be read") };
                let Some(build) = builds.get(hotkey) else {
                    return claim.fail(format!("{hotkey} won, but has no build"));
                };
                (&build.repo, &build.commit, build.docker_image.clone(), build.hardware())
            }
            Player::Leader => {
                let (leaders, schedule) = (round.snapshot.leaders.get(), round.files.schedule.get());
                let Some((leaders, schedule)) = leaders.zip(schedule) else {
                    return claim.skip("leader.json or schedule.json cannot be read");
                };
                let block = schedule.latest_reveal_block;
                let Some(leader) = leader_at(leaders, block) else {
                    return claim.fail(format!("there is no leader at block {block}"));
                };
                // In entries from before hardware was recorded, it was filled in later.
                let hardware = if winner.hardware.is_some() { leader.hardware() } else { None };
                (&leader.repo, &leader.commit, Some(leader.docker.clone()), hardware)
            }
        };
        claim.same("repo", &winner.repo.as_str(), &repo.as_str());
        claim.same("commit", &winner.commit.as_str(), &commit.as_str());
        claim.same("docker_image", &Some(winner.docker_image.clone()), &image);
        claim.same("hardware", &winner.hardware(), &hardware);
    });
}

fn leaders(snapshot: &ThreejsSnapshot, facts: &OtherFacts, sink: &mut Sink) {
    let Some(leaders) = snapshot.leaders.get() else { return };
    let latest = |round: RoundNumber| {
        let schedule = snapshot.rounds.get(&round)?.schedule.get()?;
        Some(schedule.latest_reveal_block)
    };
    let opened = |round: RoundNumber| snapshot.state.get().is_none_or(|state| round < state.current_round);
    let over: Vec<Over> = snapshot
        .rounds
        .iter()
        .filter(|(round, _)| opened(**round))
        .filter_map(|(round, files)| Some((*round, latest(round.next())?, files)))
        .chain(last_of_all(snapshot, leaders))
        .map(|(round, from, files)| Over { round, from, winner: files.winner.get().map(shared_winner) })
        .collect();
    let entries: Vec<_> = leaders.iter().map(shared).collect();
    let weights = Weights { facts, next: transition, last_decay: Some(LAST_DECAY) };
    common::leaders(&entries, latest(RoundNumber(0)), &over, weights, sink);
    for Over { round, from, .. } in &over {
        hardware(snapshot, *round, *from, sink);
    }
    sink.claim("leader.transition", None, "leader.json: hardware", |claim| {
        for (entry, hardware) in leaders.iter().filter_map(|entry| Some((entry, entry.hardware()?))) {
            known_hardware(claim, &format!("{} at block {}", entry.hotkey, entry.effective_block), hardware);
        }
    });
}

/// The round with which the competition ended, if it added an entry: no schedule says from which block on that is in force.
fn last_of_all<'s>(
    snapshot: &'s ThreejsSnapshot,
    leaders: &ThreejsLeaders,
) -> Option<(RoundNumber, Block, &'s ThreejsRound)> {
    let state = snapshot.state.get().filter(|state| state.stage == Stage::Finished)?;
    let files = snapshot.rounds.get(&state.current_round)?;
    let latest = files.schedule.get()?.latest_reveal_block;
    let entry = leaders.iter().find(|entry| entry.effective_block > latest)?;
    Some((state.current_round, entry.effective_block, files))
}

/// A new leader's hardware is the winner's.
fn hardware(snapshot: &ThreejsSnapshot, round: RoundNumber, from: Block, sink: &mut Sink) {
    let winner = snapshot.rounds.get(&round).and_then(|files| files.winner.get());
    let entry = snapshot.leaders.get().and_then(|leaders| leaders.iter().find(|entry| entry.effective_block == from));
    let (Some(winner), Some(entry)) = (winner, entry) else { return };
    if winner.hardware.is_some() {
        sink.claim("leader.transition", round, format!("leader.json after round {round}: hardware"), |claim| {
            claim.same("hardware", &entry.hardware(), &winner.hardware());
        });
    }
}
