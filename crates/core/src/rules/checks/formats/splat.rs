//! A competition of splats.

use std::borrow::Cow;

use indexmap::IndexSet;

use super::super::copies::{self, Programs};
use super::super::matches::{ModelAndPicture, Side, check_score, urls};
use super::super::outputs::check_stems;
use super::super::prompts::Draw;
use super::super::{Claim, Sink, builds, files, prompts, schedule, seed, submissions};
use super::OtherFacts;
use super::common::{self, Over, Weights};
use crate::base::text::counted;
use crate::model::file::RoundFile;
use crate::model::ids::{Block, Hotkey, Player, PromptStem, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::neutral::{BuildView, DuelView, OutputView, SubmissionView};
use crate::model::prompts::Prompt;
use crate::model::report::DuelWinner;
use crate::model::snapshot::Slot;
use crate::model::splat::duels::{SplatMatch, SplatWinner};
use crate::model::splat::generations::{Generation, Generations};
use crate::model::splat::leader::SplatLeaders;
use crate::model::splat::snapshot::{SplatRound, SplatSnapshot};
use crate::model::splat::state::{SplatStage, SplatState};
use crate::model::winner::Winner;
use crate::rules::prompts::select;
use crate::rules::splat::duel::{INTERNAL_ERROR, claims_no_judge, fits, without_judge};
use crate::rules::splat::walk::{Walk, of_round, outcome, report};
use crate::rules::succession::raw_transition;

/// A round, and what its checks use.
#[derive(Clone, Copy)]
struct Round<'a> {
    facts: &'a OtherFacts,
    snapshot: &'a SplatSnapshot,
    round: RoundNumber,
    files: &'a SplatRound,
}

impl Round<'_> {
    fn path(&self, name: &str) -> String {
        format!("rounds/{}/{name}", self.round)
    }

    /// The stage, if this is the current round.
    fn stage(&self) -> Option<SplatStage> {
        let state = self.snapshot.state.get()?;
        (state.round() == Some(self.round)).then_some(state.stage)
    }

    /// Have all of the round's matches been judged? A competition may end with a round that was not played.
    fn is_over(&self) -> bool {
        let current = self.snapshot.state.get().and_then(SplatState::round);
        current.is_some_and(|current| self.round < current) || self.stage() == Some(SplatStage::Finalizing)
    }

    /// Did the competition end with this round?
    fn is_last(&self) -> bool {
        self.stage() == Some(SplatStage::Finished)
    }

    fn stranger(&self, claim: &mut Claim, player: &Player) {
        let (Some(hotkey), Some(submissions)) = (player.hotkey(), self.files.submissions.get()) else { return };
        if !submissions.contains_key(hotkey) {
            claim.fail("this hotkey did not submit in this round");
        }
    }
}

/// Runs every check on the files.
#[must_use]
pub fn run(snapshot: &SplatSnapshot, facts: &OtherFacts) -> Sink {
    let mut sink = Sink::default();
    files::as_files(&snapshot.problems, snapshot.files, &mut sink);
    files::top([snapshot.config.is_missing(), snapshot.state.is_missing(), snapshot.leaders.is_missing()], &mut sink);
    for (round, files) in &snapshot.rounds {
        let round = Round { facts, snapshot, round: *round, files };
        needed(&round, &mut sink);
        of_a_round(&round, &mut sink);
        outputs(&round, &mut sink);
        matches(&round, &mut sink);
    }
    if let Some(state) = snapshot.state.get() {
        files::rounds(snapshot.rounds.keys().copied(), state.round(), &mut sink);
    }
    if let Some(leaders) = snapshot.leaders.get() {
        let first = snapshot.rounds.get(&RoundNumber(0)).and_then(|files| files.schedule.get());
        let first = first.map(|schedule| schedule.latest_reveal_block);
        let weights = Weights { facts, next: raw_transition, last_decay: None };
        common::leaders(leaders.entries(), first, &over(snapshot), weights, &mut sink);
    }
    sink
}

/// `state.files`: what a round must have.
fn needed(round: &Round<'_>, sink: &mut Sink) {
    let (files, over) = (round.files, round.is_over());
    let judged = !files.progress.is_missing() || files.players.values().any(|own| !own.duels.is_missing());
    let over = over || (round.is_last() && judged);
    let played = over && files.submissions.get().is_none_or(|submissions| !submissions.is_empty());
    let all = [
        ("schedule.json", true, files.schedule.is_missing()),
        ("submissions.json", over, files.submissions.is_missing()),
        ("seed.json", played, files.seed.is_missing()),
        ("prompts.txt", played, files.prompts.is_missing()),
        ("builds.json", played, files.builds.is_missing()),
        ("leader/generations.json", played, generations(files, &Player::Leader).is_missing()),
        ("judge_progress.json", played, files.progress.is_missing()),
    ];
    let missing = all.into_iter().filter(|(_, needed, missing)| *needed && *missing);
    common::needed(round.round, &missing.map(|(name, ..)| name.to_owned()).collect::<Vec<_>>(), sink);
}

fn generations<'a>(files: &'a SplatRound, player: &Player) -> &'a Slot<Generations> {
    files.players.get(player).map_or(&Slot::Missing, |own| &own.generations)
}

fn of_a_round(round: &Round<'_>, sink: &mut Sink) {
    let (number, files) = (round.round, round.files);
    let terms = |file| round.facts.terms(number, file);
    let before = number.previous().and_then(|before| round.snapshot.rounds.get(&before));
    let window = files.schedule.get().map(|schedule| (schedule.earliest_reveal_block, schedule.latest_reveal_block));
    if let Some(window) = window {
        let before = before.and_then(|files| files.schedule.get()).map(|schedule| schedule.latest_reveal_block);
        sink.claim("schedule.blocks", number, round.path("schedule.json"), |claim| {
            schedule::window(claim, window, before);
        });
    }
    let submitted = files.submissions.get();
    let submitted = submitted.map(|all| all.iter().map(|(hotkey, of)| (hotkey, SubmissionView::from(of))));
    if let Some(submitted) = submitted.clone() {
        submissions::all(&terms(RoundFile::Submissions), number, (submitted.clone(), window), false, sink);
        let builds = files.builds.get().into_iter().flat_map(|builds| builds.iter());
        let leaders = round.snapshot.leaders.get().map(SplatLeaders::entries).unwrap_or_default();
        let programs = Programs {
            round: number,
            submissions: submitted.collect(),
            builds: builds.map(|(hotkey, build)| (hotkey, BuildView::from(build))).collect(),
            leaders: copies::led(leaders, window.map(|(_, latest)| latest)),
            alike: &[],
        };
        programs.check(sink);
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
        let draw = Draw {
            round: number,
            terms: terms(RoundFile::Seed),
            seed: files.seed.get().map(|seed| seed.seed),
            previous,
            pool: &round.snapshot.pool,
            then: round.facts.pools.get(&number),
            lacks: round.facts.rules.missing_history(),
            ways: &[select],
        };
        prompts::all(&draw, list, sink);
    }
    if let Some(all) = files.builds.get() {
        let all = all.iter().map(|(hotkey, build)| (hotkey, BuildView::from(build)));
        builds::all(&terms(RoundFile::Builds), number, all, submitted, sink);
    }
}

fn outputs(round: &Round<'_>, sink: &mut Sink) {
    let stems: Option<IndexSet<&PromptStem>> = round.files.prompts.get().map(|prompts| prompts.stems().collect());
    for (player, own) in &round.files.players {
        let Some(generations) = own.generations.get() else { continue };
        sink.claim("outputs.rules", round.round, round.path(&format!("{player}/generations.json")), |claim| {
            round.stranger(claim, player);
            check_stems(claim, generations, stems.as_ref(), false);
            let folder = [round.path(player.as_str())];
            for (stem, generation) in generations.iter() {
                common::output(claim, stem, &OutputView::from(generation), ("ply", [".ply", ".png"]), &folder);
            }
        });
    }
}

fn matches(round: &Round<'_>, sink: &mut Sink) {
    let terms = round.facts.terms(round.round, RoundFile::Winner);
    let Some(win_margin) = terms.settings.map(|settings| settings.win_margin) else { return };
    for (player, own) in &round.files.players {
        let Some(report) = own.duels.get() else { continue };
        let file = round.path(&format!("{player}/duels.json"));
        sink.claim("match.score", round.round, file.clone(), |claim| {
            let winners = report.duels.iter().map(|duel| DuelWinner::from(duel.winner));
            check_score(claim, (report.score, report.margin), winners);
            claim.part(None, |claim| {
                claim.same("outcome", &report.outcome, &outcome(report.margin, win_margin));
                terms.judge(claim);
            });
        });
        sink.claim("match.urls", round.round, file.clone(), |claim| {
            if *player != Player::Miner(report.hotkey.clone()) {
                claim.fail(format!("hotkey is {}, but the folder is {player}'s", report.hotkey));
            }
            round.stranger(claim, player);
            match_urls(claim, round.files, player, report);
        });
        sink.claim("match.rules", round.round, file, |claim| outcomes(claim, report));
    }
    if let Some(walk) = of_round(round.files, win_margin) {
        progress(round, &walk, sink);
    }
}

fn match_urls(claim: &mut Claim, files: &SplatRound, player: &Player, report: &SplatMatch) {
    let sorted = files.prompts.get().map(|prompts| common::sorted(prompts, report.duels.len()));
    let left = Side { keys: ["leader_ply", "leader_png"], urls: &|stem| urls_of(files, &report.leader, stem) };
    let right = Side { keys: ["miner_ply", "miner_png"], urls: &|stem| urls_of(files, player, stem) };
    urls(claim, sorted.as_deref(), report.duels.iter().map(DuelView::from), [left, right]);
}

fn urls_of<'a>(files: &'a SplatRound, player: &Player, stem: &PromptStem) -> ModelAndPicture<'a> {
    let output = generations(files, player).get().and_then(|outputs| outputs.get(stem));
    let urls = |output: &'a Generation| [&output.ply, &output.png].map(|url| url.as_deref().map(Cow::Borrowed));
    output.map(urls).unwrap_or_default()
}

fn outcomes(claim: &mut Claim, report: &SplatMatch) {
    let mut failed = 0;
    for duel in &report.duels {
        let (left, right) = (duel.leader_png.is_some(), duel.miner_png.is_some());
        match without_judge(left, right) {
            Some(winner) => {
                let found = DuelWinner::from(duel.winner);
                claim.same(format_args!("{}: winner", duel.name), &found, &winner);
                if !fits(&duel.issues, &duel.name, left, right) {
                    claim.fail(format!("{}: issues read {:?}, but a preview is missing", duel.name, duel.issues));
                }
            }
            None if claims_no_judge(&duel.issues) => {
                claim.fail(format!("{}: issues read {:?}, but both previews are there", duel.name, duel.issues));
            }
            None if duel.issues == INTERNAL_ERROR => {
                claim.same(
                    format_args!("{}: winner where the judge failed", duel.name),
                    &duel.winner,
                    &SplatWinner::Draw,
                );
                failed += 1;
            }
            None if duel.winner == SplatWinner::Skipped => {
                claim.warn(format!("{}: skipped, though both previews are there", duel.name));
            }
            None => {}
        }
    }
    if failed > 0 {
        let duels = counted(failed, "duel", "duels");
        claim.warn(format!("{INTERNAL_ERROR:?} in {duels}: the judge failed, which counts as a draw"));
    }
}

/// `judge.progress`: the walk by the reports gives the holders, the order and the leader at the end.
fn progress(round: &Round<'_>, walk: &Walk<'_>, sink: &mut Sink) {
    if round.files.progress.is_missing() && walk.steps.is_empty() && !round.is_over() {
        return;
    }
    sink.claim("judge.progress", round.round, round.path("judge_progress.json"), |claim| {
        for step in &walk.steps {
            let left = report(round.files, step.challenger).map(|report| report.leader.as_str()).unwrap_or_default();
            claim.same(format_args!("{}: whom it challenged", step.challenger), &left, &step.holder.as_str());
        }
        beyond(claim, round, walk);
        let ended = round.is_last() && walk.missing.is_some();
        match walk.missing {
            Some(missing) if round.is_over() => {
                claim.fail(format!("{missing}: the round is over, but it has no match"));
            }
            Some(missing) if ended => {
                claim.warn(format!("the competition ended before every match was judged; the next was {missing}'s"));
            }
            _ => {}
        }
        let Some(progress) = round.files.progress.get() else { return };
        let played: Vec<&str> = walk.steps.iter().map(|step| step.challenger.as_str()).collect();
        let found: Vec<&str> = progress.completed_hotkeys.iter().map(Hotkey::as_str).collect();
        if round.is_over() || (round.is_last() && !ended) {
            claim.same("leader", &progress.leader.as_str(), &walk.holder.as_str());
            claim.same("completed_hotkeys", &found, &played);
        } else if !played.starts_with(&found) {
            claim.fail("completed_hotkeys are not the first that played");
        } else {
            let then = walk.steps.get(found.len()).map_or(&walk.holder, |step| &step.holder);
            claim.same("leader", &progress.leader.as_str(), &then.as_str());
        }
    });
}

/// Matches behind the first one that is missing.
fn beyond(claim: &mut Claim, round: &Round<'_>, walk: &Walk<'_>) {
    let Some(missing) = walk.missing else { return };
    let played = |hotkey: &&Hotkey| walk.steps.iter().any(|step| *step.challenger == **hotkey);
    let submissions = round.files.submissions.get().into_iter().flat_map(|submissions| submissions.keys());
    let later = submissions.filter(|hotkey| report(round.files, hotkey).is_some() && !played(hotkey));
    for hotkey in later {
        claim.fail(format!("{hotkey}: has a match, but {missing}, who plays before it, has none"));
    }
}

/// The rounds that were finalized.
fn over(snapshot: &SplatSnapshot) -> Vec<Over> {
    let current = snapshot.state.get().and_then(SplatState::round);
    let from = |round: RoundNumber| {
        let next = snapshot.rounds.get(&round.next())?;
        next.schedule.get().map(|schedule| schedule.latest_reveal_block)
    };
    let rounds = snapshot.rounds.iter().filter(|(round, _)| current.is_none_or(|current| **round < current));
    rounds
        .filter_map(|(round, files)| Some((*round, from(*round)?, files)))
        .map(|(round, from, files)| Over { round, from, winner: winner(snapshot, files, from) })
        .collect()
}

/// Who won a round, with the program that leads from then on; without a progress file no match was judged.
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
