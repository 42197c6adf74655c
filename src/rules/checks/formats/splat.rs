//! A competition of splats.

use indexmap::IndexMap;

use super::super::{Claim, Sink};
use super::common::{self, Draw, Over, Weights};
use crate::base::text::counted;
use crate::model::config::Settings;
use crate::model::ids::{Block, Player, PromptStem, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::neutral::{BuildView, DuelView, OutputView, SubmissionView};
use crate::model::snapshot::Slot;
use crate::model::splat::duels::SplatMatch;
use crate::model::splat::generations::Generations;
use crate::model::splat::schedule::SplatSchedule;
use crate::model::splat::snapshot::{SplatRound, SplatSnapshot};
use crate::model::splat::state::SplatStage;
use crate::model::winner::Winner;
use crate::rules::prompts::select;
use crate::rules::splat::duel::{INTERNAL_ERROR, claims_no_judge, fits, without_judge};
use crate::rules::splat::walk::{of_round, outcome, report};
use crate::rules::succession::raw_transition;

/// Runs every check on the files.
#[must_use]
pub fn run(snapshot: &SplatSnapshot) -> Sink {
    let mut sink = Sink::default();
    common::files(&snapshot.problems, snapshot.files, &mut sink);
    needed(snapshot, &mut sink);
    let settings = snapshot.config.get().map(|config| config.settings.shared());
    for (round, files) in &snapshot.rounds {
        of_a_round(snapshot, *round, files, settings.as_ref(), &mut sink);
    }
    if let Some((leaders, settings)) = snapshot.leaders.get().zip(settings.as_ref()) {
        let first = snapshot.rounds.get(&RoundNumber(0)).and_then(|files| files.schedule.get());
        let first = first.map(|schedule| schedule.latest_reveal_block);
        let weights = Weights { settings, next: raw_transition, decay_unknown: false };
        common::leaders(leaders.entries(), first, &over(snapshot), weights, &mut sink);
    }
    sink
}

/// Is a round past the stage in which matches are judged?
fn is_over(snapshot: &SplatSnapshot, round: RoundNumber) -> bool {
    snapshot.state.get().is_some_and(|state| {
        let past = state.round().is_some_and(|current| round < current);
        past || (state.round() == Some(round) && matches!(state.stage, SplatStage::Finalizing | SplatStage::Finished))
    })
}

fn needed(snapshot: &SplatSnapshot, sink: &mut Sink) {
    let top = [
        ("config.json", !snapshot.config.is_missing()),
        ("state.json", !snapshot.state.is_missing()),
        ("leader.json", !snapshot.leaders.is_missing()),
    ];
    common::needed(None, &top, sink);
    let current = snapshot.state.get().and_then(crate::model::splat::state::SplatState::round);
    for (round, files) in &snapshot.rounds {
        let some = files.submissions.get().is_some_and(|submissions| !submissions.is_empty());
        let over = is_over(snapshot, *round);
        let played = over && some;
        let all = [
            ("schedule.json", !files.schedule.is_missing()),
            ("submissions.json", !over || !files.submissions.is_missing()),
            ("seed.json", !played || !files.seed.is_missing()),
            ("prompts.txt", !played || !files.prompts.is_missing()),
            ("builds.json", !played || !files.builds.is_missing()),
            ("judge_progress.json", !played || !files.progress.is_missing()),
        ];
        common::needed(Some(*round), &all, sink);
    }
    if let Some(current) = current {
        common::needed_rounds(current, |round| snapshot.rounds.contains_key(&round), sink);
    }
}

fn of_a_round(
    snapshot: &SplatSnapshot,
    round: RoundNumber,
    files: &SplatRound,
    settings: Option<&Settings>,
    sink: &mut Sink,
) {
    let before = round.previous().and_then(|before| snapshot.rounds.get(&before));
    let latest = |schedule: &SplatSchedule| schedule.latest_reveal_block;
    if let Some(schedule) = files.schedule.get() {
        let before = before.and_then(|files| files.schedule.get()).map(latest);
        sink.claim("schedule.blocks", round, format!("rounds/{round}/schedule.json"), |claim| {
            common::schedule(claim, schedule.earliest_reveal_block, schedule.latest_reveal_block, before);
        });
    }
    let submissions = files.submissions.get().map(|all| {
        all.iter().map(|(hotkey, submission)| (hotkey, SubmissionView::from(submission))).collect::<IndexMap<_, _>>()
    });
    if let Some(submissions) = &submissions {
        let window =
            files.schedule.get().map(|schedule| (schedule.earliest_reveal_block, schedule.latest_reveal_block));
        common::submissions(round, submissions, window, settings, sink);
    }
    common::seed(round, files.seed.get(), sink);
    if let Some(prompts) = files.prompts.get() {
        let previous = match round.previous() {
            None => Some(&[][..]),
            Some(_) => before.and_then(|files| files.prompts.get()).map(|prompts| prompts.0.as_slice()),
        };
        let (seed, pool) = (files.seed.get(), snapshot.pool.get());
        common::prompts(&Draw { round, settings, seed, previous, pool, ways: &[select] }, prompts, sink);
    }
    if let Some(builds) = files.builds.get() {
        let builds = builds.iter().map(|(hotkey, build)| (hotkey, BuildView::from(build))).collect();
        common::builds(round, &builds, submissions.as_ref(), settings, sink);
    }
    outputs(round, files, sink);
    if let Some(settings) = settings {
        matches(snapshot, round, files, settings.win_margin, sink);
    }
}

fn outputs(round: RoundNumber, files: &SplatRound, sink: &mut Sink) {
    for (player, own) in &files.players {
        let Some(generations) = own.generations.get() else { continue };
        sink.claim("outputs.rules", round, format!("rounds/{round}/{player}/generations.json"), |claim| {
            stranger(claim, files, player);
            common::stems(claim, generations.keys(), files.prompts.get(), false);
            for (stem, generation) in generations.iter() {
                let path = |extension: &str| format!("rounds/{round}/{player}/{stem}.{extension}");
                common::output(claim, stem, &OutputView::from(generation), &path("ply"), &path("png"));
            }
        });
    }
}

fn stranger(claim: &mut Claim, files: &SplatRound, player: &Player) {
    let (Some(hotkey), Some(submissions)) = (player.hotkey(), files.submissions.get()) else { return };
    if !submissions.contains_key(hotkey) {
        claim.fail("this hotkey did not submit in this round");
    }
}

fn matches(snapshot: &SplatSnapshot, round: RoundNumber, files: &SplatRound, win_margin: f64, sink: &mut Sink) {
    for (player, own) in &files.players {
        let Some(report) = own.duels.get() else { continue };
        let file = format!("rounds/{round}/{player}/duels.json");
        let duels: Vec<DuelView<'_>> = report.duels.iter().map(DuelView::from).collect();
        sink.claim("match.score", round, file.clone(), |claim| {
            common::score(claim, (report.score, report.margin), &duels);
            claim.same("outcome", &report.outcome, &outcome(report.margin, win_margin));
        });
        sink.claim("match.urls", round, file.clone(), |claim| {
            if *player != Player::Miner(report.hotkey.clone()) {
                claim.fail(format!("hotkey is {}, but the folder is {player}'s", report.hotkey));
            }
            stranger(claim, files, player);
            let right = Player::Miner(report.hotkey.clone());
            let side = |player: &Player| files.players.get(player).and_then(|own| own.generations.get());
            let (left, right) = (side(&report.leader), side(&right));
            common::urls(claim, &duels, files.prompts.get(), [&|stem| of(left, stem), &|stem| of(right, stem)]);
        });
        sink.claim("match.rules", round, file, |claim| outcomes(claim, report));
    }
    progress(snapshot, round, files, win_margin, sink);
}

fn of<'a>(outputs: Option<&'a Generations>, stem: &PromptStem) -> Option<(Option<&'a str>, Option<String>)> {
    let output = outputs?.get(stem)?;
    Some((output.ply.as_deref(), output.png.clone()))
}

fn outcomes(claim: &mut Claim, report: &SplatMatch) {
    let mut failed = 0;
    for duel in &report.duels {
        let (left, right) = (duel.leader_png.is_some(), duel.miner_png.is_some());
        let view = DuelView::from(duel);
        match without_judge(left, right) {
            Some(winner) => {
                claim.same(&format!("{}: winner", duel.name), &view.winner, &winner);
                if !fits(&duel.issues, &duel.name, left, right) {
                    claim.fail(format!("{}: issues read {:?}, where a preview is missing", duel.name, duel.issues));
                }
            }
            None if claims_no_judge(&duel.issues) => {
                claim.fail(format!("{}: issues read {:?}, but both previews are there", duel.name, duel.issues));
            }
            None if duel.issues == INTERNAL_ERROR => failed += 1,
            None => {}
        }
    }
    if failed > 0 {
        let duels = counted(failed, "duel", "duels");
        claim.warn(format!("{INTERNAL_ERROR:?} in {duels}: the judge failed, which counts as a draw"));
    }
}

/// `judge.progress`: the walk by the reports gives the holders, the order and the leader at the end.
fn progress(snapshot: &SplatSnapshot, round: RoundNumber, files: &SplatRound, win_margin: f64, sink: &mut Sink) {
    let Some(walk) = of_round(files, win_margin) else { return };
    if files.progress.is_missing() && walk.steps.is_empty() {
        return;
    }
    sink.claim("judge.progress", round, format!("rounds/{round}/judge_progress.json"), |claim| {
        for step in &walk.steps {
            let left = report(files, step.challenger).map(|report| report.leader.as_str()).unwrap_or_default();
            claim.same(&format!("{}: whom it challenged", step.challenger), &left, &step.holder.as_str());
        }
        let Some(progress) = files.progress.get() else { return };
        let played = walk.steps.iter().map(|step| step.challenger.as_str());
        let found = progress.completed_hotkeys.iter().map(crate::model::ids::Hotkey::as_str);
        let (played, found): (Vec<_>, Vec<_>) = (played.collect(), found.collect());
        if is_over(snapshot, round) {
            if let Some(missing) = walk.missing {
                claim.fail(format!("{missing}: the round is over, but it has no match"));
            }
            claim.same("leader", &progress.leader.as_str(), &walk.holder.as_str());
            claim.same("completed_hotkeys", &found, &played);
        } else if !played.starts_with(&found) {
            claim.fail("completed_hotkeys are not the first to play");
        }
    });
}

/// The rounds that were finalized.
fn over(snapshot: &SplatSnapshot) -> Vec<Over> {
    let opened = |round: RoundNumber| {
        snapshot
            .state
            .get()
            .and_then(crate::model::splat::state::SplatState::round)
            .is_none_or(|current| round < current)
    };
    let from = |round: RoundNumber| {
        let next = snapshot.rounds.get(&round.next())?;
        next.schedule.get().map(|schedule| schedule.latest_reveal_block)
    };
    let rounds = snapshot.rounds.iter().filter(|(round, _)| opened(**round));
    rounds
        .filter_map(|(round, files)| Some((*round, from(*round)?, files)))
        .map(|(round, from, files)| Over { round, from, winner: winner(snapshot, files, from) })
        .collect()
}

/// Who won a round, with the program that leads from then on; without a progress file nobody was judged.
fn winner(snapshot: &SplatSnapshot, files: &SplatRound, from: Block) -> Option<Winner> {
    let leader = match &files.progress {
        Slot::Ok(progress) => &progress.leader,
        Slot::Missing => &Player::Leader,
        Slot::Broken => return None,
    };
    let Player::Miner(hotkey) = leader else {
        let before = |entry: &&LeaderEntry| entry.effective_block < from;
        let current = snapshot.leaders.get()?.entries().iter().rfind(before)?;
        let (repo, commit, docker) = (current.repo.clone(), current.commit.clone(), current.docker.clone());
        return Some(Winner::new(Player::Leader, repo, commit, docker));
    };
    let build = files.builds.get()?.get(hotkey)?;
    let image = build.docker_image.clone()?;
    Some(Winner::new(leader.clone(), build.repo.clone(), build.commit.clone(), image))
}
