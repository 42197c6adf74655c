//! `file.parse`, `file.bytes`, `state.files`.

use super::{Sink, VerifyFacts};
use crate::base::text::counted;
use crate::model::file::{FileKind, Layout, PlayerFile};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::snapshot::{Problem, RoundFiles, Trouble};
use crate::model::stage::Stage;
use crate::rules::stage_table::{Required, last_of_round, opens_next, reached};

pub(super) fn check(facts: &VerifyFacts<'_>, sink: &mut Sink) {
    let snapshot = facts.snapshot;
    as_files(&snapshot.problems, snapshot.files, sink);
    top([snapshot.config.is_missing(), snapshot.state.is_missing(), snapshot.leaders.is_missing()], sink);
    for (round, files) in &snapshot.rounds {
        round_files(facts, *round, files, sink);
    }
    let current = snapshot.state.get().map_or(0, |state| state.current_round.0);
    rounds(snapshot.rounds.keys().copied(), Some(RoundNumber(current)), sink);
}

/// `file.parse`, `file.bytes`.
pub(super) fn as_files(problems: &[Problem], files: usize, sink: &mut Sink) {
    for problem in problems {
        report(problem, sink);
    }
    let broken = problems.iter().filter(|problem| !matches!(problem.what, Trouble::Layout { .. })).count();
    if broken == 0 {
        sink.claim("file.parse", None, counted(files, "file", "files"), |_| ());
    }
    if problems.len() == broken {
        sink.claim("file.bytes", None, counted(files, "file", "files"), |_| ());
    }
}

fn report(problem: &Problem, sink: &mut Sink) {
    let id = if matches!(problem.what, Trouble::Layout { .. }) { "file.bytes" } else { "file.parse" };
    sink.claim(id, problem.round, problem.path.clone(), |claim| match &problem.what {
        Trouble::Parse(error) => claim.fail(error.to_string()),
        Trouble::Unreadable(why) => claim.fail(why.clone()),
        Trouble::Stray(why) => claim.fail(format!("does not belong here: {why}")),
        Trouble::Layout { layout: Layout::FinalNewline, .. } => {
            claim.warn("a final newline, which its writer does not write");
        }
        Trouble::Layout { layout: Layout::Differs { line }, by_hand } => {
            let detail = format!("rewriting it gives different bytes from line {line} on");
            if *by_hand { claim.warn(detail) } else { claim.fail(detail) }
        }
        Trouble::Layout { layout: Layout::Exact, .. } => {}
    });
}

/// `state.files`: config.json, state.json and leader.json are there.
pub(super) fn top(missing: [bool; 3], sink: &mut Sink) {
    for (file, missing) in [FileKind::Config, FileKind::State, FileKind::Leader].into_iter().zip(missing) {
        sink.claim("state.files", None, file.path(), |claim| {
            if missing {
                claim.fail("missing");
            }
        });
    }
}

/// Checks that the rounds' folders go from 0 to the current round (`None`: no round has begun) without gaps. Round
/// numbers are hostile input, so gaps are kept as ranges and never counted through.
pub(super) fn rounds(there: impl Iterator<Item = RoundNumber>, current: Option<RoundNumber>, sink: &mut Sink) {
    let there: Vec<u32> = there.map(|round| round.0).collect();
    let mut gaps = Vec::new();
    let mut next = Some(0);
    for round in &there {
        gaps.extend(next.filter(|next| next < round).map(|next| (next, round - 1)));
        next = round.checked_add(1);
    }
    let last = next.zip(current).filter(|(next, current)| *next <= current.0);
    gaps.extend(last.map(|(next, current)| (next, current.0)));
    if gaps.is_empty() {
        return;
    }
    let round = match gaps.as_slice() {
        [(first, last)] if first == last => Some(RoundNumber(*first)),
        _ => None,
    };
    let subject = round.map_or_else(|| "rounds".to_owned(), |round| format!("rounds/{round}"));
    sink.claim("state.files", round, subject, |claim| match round {
        Some(_) => claim.fail("the round's folder is missing"),
        None => {
            let there = if there.is_empty() { "none".to_owned() } else { spans(&there) };
            let more = gaps.iter().map(|(first, last)| span(*first, *last)).take(SHOWN).collect::<Vec<_>>().join(", ");
            let and = if gaps.len() > SHOWN { format!(" and {} more", gaps.len() - SHOWN) } else { String::new() };
            claim.fail(format!("the folders of rounds {more}{and} are missing; present: {there}"));
        }
    });
}

/// The most ranges of rounds that a message names.
const SHOWN: usize = 6;

/// Sorted numbers as ranges: `0 to 3, 5`.
fn spans(numbers: &[u32]) -> String {
    let runs: Vec<&[u32]> = numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b)).collect();
    let name = |run: &&[u32]| Some(span(*run.first()?, *run.last()?));
    let shown = runs.iter().filter_map(name).take(SHOWN).collect::<Vec<_>>().join(", ");
    if runs.len() > SHOWN { format!("{shown} and others") } else { shown }
}

fn span(first: u32, last: u32) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

fn round_files(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let subject = format!("rounds/{round}");
    sink.claim("state.files", round, subject, |claim| {
        let Some(state) = facts.snapshot.state.get() else {
            return claim.skip("state.json cannot be read");
        };
        if round > state.current_round {
            let opening = round == state.current_round.next() && opens_next(state.stage);
            if !opening {
                claim.fail(format!("state.json says that round {} is the current one", state.current_round));
            }
            return;
        }
        let stage = if round < state.current_round { last_of_round() } else { state.stage };
        for missing in missing(files, stage) {
            claim.fail(format!(
                "{missing} is missing ({})",
                if facts.is_over(round) { "the round is over" } else { stage.as_str() }
            ));
        }
    });
}

/// The required files that a round in this stage lacks.
fn missing(files: &RoundFiles, stage: Stage) -> Vec<String> {
    let rows = reached(stage);
    let always = rows.iter().flat_map(|row| row.requires).map(|file| Required::Round(*file));
    let with_miners = rows.iter().flat_map(|row| row.requires_with_miners).copied();
    let no_miners = files.submissions.get().is_some_and(|submissions| submissions.is_empty());
    let required = always.chain(with_miners.filter(|_| !no_miners));
    required.flat_map(|required| absent(files, required)).collect()
}

/// The missing files of one requirement.
fn absent(files: &RoundFiles, required: Required) -> Vec<String> {
    let file = match required {
        Required::Round(file) => return files.is_missing(file).then(|| file.name().to_owned()).into_iter().collect(),
        Required::Submitted => PlayerFile::Submitted,
    };
    let is_there = |hotkey: &Hotkey| {
        files.players.get(&Player::Miner(hotkey.clone())).is_some_and(|player| !player.submitted.is_missing())
    };
    let miners = files.submissions.get().into_iter().flat_map(|submissions| submissions.keys());
    miners.filter(|hotkey| !is_there(hotkey)).map(|hotkey| format!("{hotkey}/{}", file.name())).collect()
}
