//! `file.parse`, `file.bytes`, `state.files`.

use super::{Facts, Sink};
use crate::state::file::{FileKind, Layout, RoundFile};
use crate::state::ids::{Player, RoundNumber};
use crate::state::snapshot::{Problem, RoundFiles, Trouble};
use crate::state::stage::Stage;

pub(super) fn check(facts: &Facts<'_>, sink: &mut Sink) {
    let problems = &facts.snapshot.problems;
    for problem in problems {
        report(problem, sink);
    }
    let broken = problems.iter().filter(|problem| !matches!(problem.what, Trouble::Layout { .. })).count();
    if broken == 0 {
        sink.claim("file.parse", None, format!("{} files", facts.snapshot.files), |_| ());
    }
    if problems.len() == broken {
        sink.claim("file.bytes", None, format!("{} files", facts.snapshot.files), |_| ());
    }
    top_files(facts, sink);
    for round in rounds_expected(facts) {
        round_files(facts, round, sink);
    }
}

fn report(problem: &Problem, sink: &mut Sink) {
    let id = if matches!(problem.what, Trouble::Layout { .. }) { "file.bytes" } else { "file.parse" };
    sink.claim(id, problem.round, problem.path.clone(), |claim| match &problem.what {
        Trouble::Parse(error) => claim.fail(error.to_string()),
        Trouble::Unreadable(why) => claim.fail(why.clone()),
        Trouble::Stray(why) => claim.fail(format!("does not belong here: {why}")),
        Trouble::Layout { layout: Layout::FinalNewline, .. } => {
            claim.warn("a newline at the end, which its writer does not write");
        }
        Trouble::Layout { layout: Layout::Differs { line }, by_hand } => {
            let detail = format!("writing it again gives other bytes from line {line} on");
            if *by_hand { claim.warn(detail) } else { claim.fail(detail) }
        }
        Trouble::Layout { layout: Layout::Exact, .. } => {}
    });
}

fn top_files(facts: &Facts<'_>, sink: &mut Sink) {
    let snapshot = facts.snapshot;
    let top = [
        (FileKind::Config, snapshot.config.is_missing()),
        (FileKind::State, snapshot.state.is_missing()),
        (FileKind::Leader, snapshot.leaders.is_missing()),
    ];
    for (file, missing) in top {
        sink.claim("state.files", None, file.path(), |claim| {
            if missing {
                claim.fail("missing");
            }
        });
    }
}

/// Every round from 0 to the current one, and any beyond that has a folder.
fn rounds_expected(facts: &Facts<'_>) -> Vec<RoundNumber> {
    let current = facts.snapshot.state.get().map(|state| state.current_round);
    let last_folder = facts.snapshot.rounds.keys().next_back().copied();
    // A damaged number must not make a list of billions: no competition leaves such a gap.
    let most = last_folder.map_or(0, |round| round.0).saturating_add(8);
    let last = current.max(last_folder).map_or(0, |round| round.0.min(most));
    (0..=last).map(RoundNumber).collect()
}

fn round_files(facts: &Facts<'_>, round: RoundNumber, sink: &mut Sink) {
    let subject = format!("rounds/{round}");
    sink.claim("state.files", round, subject, |claim| {
        let Some(files) = facts.snapshot.rounds.get(&round) else {
            return claim.fail("the round's folder is missing");
        };
        let Some(state) = facts.snapshot.state.get() else {
            return claim.skip("state.json cannot be read");
        };
        if round > state.current_round {
            let opening = round == state.current_round.next() && state.stage == Stage::Finalizing;
            if !opening {
                claim.fail(format!("state.json says that round {} is the current one", state.current_round));
            }
            return;
        }
        let stage = if round < state.current_round { Stage::Finalizing } else { state.stage };
        for missing in missing(files, stage) {
            claim.fail(format!(
                "{missing} is missing ({})",
                if facts.is_over(round) { "the round is over" } else { stage.as_str() }
            ));
        }
    });
}

/// The files that a round has to have once it is in this stage.
fn missing(files: &RoundFiles, stage: Stage) -> Vec<String> {
    let reached = |at: Stage| {
        let rank = |stage| {
            [Stage::Open, Stage::MinerGeneration, Stage::Downloading, Stage::Duels, Stage::Finalizing]
                .iter()
                .position(|known| *known == stage)
        };
        match stage {
            Stage::Finished => true,
            Stage::Paused => at == Stage::Open,
            _ => rank(stage) >= rank(at),
        }
    };
    let mut missing = Vec::new();
    let mut need = |there: bool, name: &str| {
        if !there {
            missing.push(name.to_owned());
        }
    };
    need(!files.schedule.is_missing(), RoundFile::Schedule.name());
    if reached(Stage::MinerGeneration) {
        need(!files.submissions.is_missing(), RoundFile::Submissions.name());
    }
    if reached(Stage::Finalizing) {
        need(!files.winner.is_missing(), RoundFile::Winner.name());
    }
    let nobody = files.submissions.get().is_some_and(|submissions| submissions.is_empty());
    if nobody {
        return missing;
    }
    if reached(Stage::MinerGeneration) {
        need(!files.seed.is_missing(), RoundFile::Seed.name());
        need(!files.prompts.is_missing(), RoundFile::Prompts.name());
    }
    if reached(Stage::Duels) {
        for hotkey in files.submissions.get().into_iter().flat_map(|submissions| submissions.keys()) {
            let player = files.players.get(&Player::Miner(hotkey.clone()));
            let there = player.is_some_and(|player| !player.submitted.is_missing());
            need(there, &format!("{hotkey}/submitted.json"));
        }
    }
    if reached(Stage::Finalizing) {
        need(!files.matrix.is_missing(), RoundFile::Matrix.name());
    }
    missing
}
