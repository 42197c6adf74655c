//! A competition of three.js modules.

use indexmap::IndexMap;

use super::super::{Claim, Sink, round_has_reached};
use super::common::{self, Draw, Over, Way, Weights};
use super::{threejs_audits, threejs_matches};
use crate::model::config::Settings;
use crate::model::ids::{Block, Hotkey, Player, PromptStem, RoundNumber};
use crate::model::neutral::{BuildView, Hardware, OutputView, SubmissionView};
use crate::model::snapshot::Slot;
use crate::model::stage::Stage;
use crate::model::threejs::config::ThreejsConfig;
use crate::model::threejs::outputs::Modules;
use crate::model::threejs::snapshot::{ThreejsRound, ThreejsSnapshot};
use crate::rules::prompts::select;
use crate::rules::stage_table::{is_over, last_of_round};
use crate::rules::succession::{deadline, transition};
use crate::rules::threejs::leader::{leader_at, shared, shared_winner};
use crate::rules::threejs::prompts::select_disjoint;

/// What the checks of one round go by.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) snapshot: &'a ThreejsSnapshot,
    pub(super) round: RoundNumber,
    pub(super) files: &'a ThreejsRound,
    pub(super) config: Option<&'a ThreejsConfig>,
}

impl Round<'_> {
    /// The settings; `None` where config.json cannot be read.
    pub(super) fn settings(&self) -> Option<&Settings> {
        self.config.map(|config| &config.settings)
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

    /// Did this hotkey submit? Where that cannot be read, it did.
    pub(super) fn submitted(&self, hotkey: &Hotkey) -> bool {
        self.files.submissions.get().is_none_or(|submissions| submissions.contains_key(hotkey))
    }
}

/// What a player's matches are played on: what a miner submitted, what the leader's program made.
pub(super) fn outputs_of<'a>(files: &'a ThreejsRound, player: &Player) -> Option<&'a Modules> {
    let own = files.players.get(player)?;
    match player {
        Player::Leader => generated(files, player, 1),
        Player::Miner(_) => own.submitted.get(),
    }
}

/// What a run of a player's program made.
pub(super) fn generated<'a>(files: &'a ThreejsRound, player: &Player, repeat: u32) -> Option<&'a Modules> {
    files.players.get(player)?.generated.get(&repeat).and_then(Slot::get)
}

/// Runs every check on the files.
#[must_use]
pub fn run(snapshot: &ThreejsSnapshot) -> Sink {
    let mut sink = Sink::default();
    common::files(&snapshot.problems, snapshot.files, &mut sink);
    needed(snapshot, &mut sink);
    let config = snapshot.config.get();
    for (round, files) in &snapshot.rounds {
        let round = Round { snapshot, round: *round, files, config };
        of_a_round(&round, &mut sink);
        outputs(&round, &mut sink);
        threejs_matches::check(&round, &mut sink);
        threejs_audits::check(&round, &mut sink);
        winner(&round, &mut sink);
    }
    leaders(snapshot, &mut sink);
    sink
}

fn needed(snapshot: &ThreejsSnapshot, sink: &mut Sink) {
    let top = [
        ("config.json", !snapshot.config.is_missing()),
        ("state.json", !snapshot.state.is_missing()),
        ("leader.json", !snapshot.leaders.is_missing()),
    ];
    common::needed(None, &top, sink);
    let Some(state) = snapshot.state.get() else { return };
    for (round, files) in &snapshot.rounds {
        let over = *round < state.current_round || is_over(state.stage);
        let some = files.submissions.get().is_some_and(|submissions| !submissions.is_empty());
        let played = over && some;
        let all = [
            ("schedule.json", !files.schedule.is_missing()),
            ("submissions.json", !over || !files.submissions.is_missing()),
            ("seed.json", !played || !files.seed.is_missing()),
            ("prompts.txt", !played || !files.prompts.is_missing()),
            ("builds.json", !played || !files.builds.is_missing()),
            ("matches_matrix.csv", !played || !files.matrix.is_missing()),
            ("winner.json", !played || !files.winner.is_missing()),
        ];
        common::needed(Some(*round), &all, sink);
    }
    common::needed_rounds(state.current_round, |round| snapshot.rounds.contains_key(&round), sink);
}

fn of_a_round(round: &Round<'_>, sink: &mut Sink) {
    let (files, settings) = (round.files, round.settings());
    let before = round.round.previous().and_then(|before| round.snapshot.rounds.get(&before));
    if let Some(schedule) = files.schedule.get() {
        let before = before.and_then(|files| files.schedule.get()).map(|schedule| schedule.latest_reveal_block);
        sink.claim("schedule.blocks", round.round, round.path("schedule.json"), |claim| {
            common::schedule(claim, schedule.earliest_reveal_block, schedule.latest_reveal_block, before);
            let Some(settings) = settings else { return claim.skip("config.json cannot be read") };
            let expected = deadline(settings, schedule.latest_reveal_block);
            claim.same("generation_deadline_block", &schedule.generation_deadline_block.0, &expected.0);
        });
    }
    let submissions = files.submissions.get().map(|all| {
        all.iter().map(|(hotkey, submission)| (hotkey, SubmissionView::from(submission))).collect::<IndexMap<_, _>>()
    });
    if let Some(submissions) = &submissions {
        let window =
            files.schedule.get().map(|schedule| (schedule.earliest_reveal_block, schedule.latest_reveal_block));
        common::submissions(round.round, submissions, window, settings, sink);
    }
    common::seed(round.round, files.seed.get(), sink);
    if let Some(prompts) = files.prompts.get() {
        let previous = match round.round.previous() {
            None => Some(&[][..]),
            Some(_) => before.and_then(|files| files.prompts.get()).map(|prompts| prompts.0.as_slice()),
        };
        let (seed, pool) = (files.seed.get(), round.snapshot.pool.get());
        let ways: &[Way] = &[select_disjoint, select];
        common::prompts(&Draw { round: round.round, settings, seed, previous, pool, ways }, prompts, sink);
    }
    if let Some(builds) = files.builds.get() {
        let builds = builds.iter().map(|(hotkey, build)| (hotkey, BuildView::from(build))).collect();
        common::builds(round.round, &builds, submissions.as_ref(), settings, sink);
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
        let runs = own.generated.iter().filter_map(|(repeat, slot)| Some((repeat, slot.get()?)));
        for (repeat, generated) in runs {
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
    common::stems(claim, modules.keys(), round.files.prompts.get(), all);
    for (stem, module) in modules.iter() {
        let path = |stem: &PromptStem| format!("rounds/{}/{player}/{folder}/{stem}", round.round);
        common::output(claim, stem, &OutputView::from(module), &format!("{}.js", path(stem)), &path(stem));
        if folder == "submitted" && module.views.is_none() && module.failure_reason.is_none() {
            claim.fail(format!("{stem}: no views, and no failure_reason"));
        }
        if module.views.is_some() && module.failure_reason.is_some() {
            claim.fail(format!("{stem}: views and a failure_reason {:?}", module.failure_reason));
        }
    }
}

/// `winner.replay`, `winner.source`.
fn winner(round: &Round<'_>, sink: &mut Sink) {
    let Some(winner) = round.files.winner.get() else { return };
    sink.claim("winner.replay", round.round, round.path("winner.json"), |claim| {
        let Some(chain) = threejs_audits::chain(round) else {
            return claim.skip("the round's submissions or margins are not there, or are of before the audit duels");
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
                    return claim.fail(format!("no leader at block {block}"));
                };
                // Entries from before there was hardware were filled in later.
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

fn leaders(snapshot: &ThreejsSnapshot, sink: &mut Sink) {
    let (Some(leaders), Some(config)) = (snapshot.leaders.get(), snapshot.config.get()) else { return };
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
        .map(|(round, from, files)| Over { round, from, winner: files.winner.get().map(shared_winner) })
        .collect();
    let entries: Vec<_> = leaders.iter().map(shared).collect();
    let weights = Weights { settings: &config.settings, next: transition, decay_unknown: true };
    common::leaders(&entries, latest(RoundNumber(0)), &over, weights, sink);
    for Over { round, from, .. } in &over {
        hardware(snapshot, *round, *from, sink);
    }
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
