//! The open stage: what `open` records while it lasts, and what `reveal-seed` fixes at its end.

use chrono::{DateTime, Duration, Utc};

use super::Plan;
use super::prompts::{Selection, TooFewPrompts, enough, select};
use super::submissions::Intake;
use super::succession::BLOCK_SECONDS;
use crate::base::text::{counted, time};
use crate::model::beacon::published_at;
use crate::model::config::Settings;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Block, Player, RoundNumber};
use crate::model::leader::{Leaders, leader_at};
use crate::model::prompts::{Prompt, PromptList};
use crate::model::schedule::Schedule;
use crate::model::seed::SeedFile;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::FileWrite;
use crate::model::submissions::Submissions;
use crate::model::winner::Winner;

/// Records the submissions so far. `recorded` is the current file; it is left alone if nothing
/// changed, and not created while there are no submissions.
#[must_use]
pub(crate) fn open(round: RoundNumber, recorded: Option<&Submissions>, intake: &Intake) -> Plan {
    let submissions = keeping_extra(&intake.accepted, recorded);
    let changed = recorded.map_or(!submissions.is_empty(), |recorded| *recorded != submissions);
    let file = FileKind::Round(round, RoundFile::Submissions);
    let writes = if changed { vec![FileWrite::new(file.clone(), &submissions)] } else { Vec::new() };
    let mut says = vec![summary(round, intake)];
    if changed {
        says.push(format!(
            "pushing {} starts {} if a workflow builds on it, as the deployed one \
             does; the push after reveal-seed starts them again",
            file.path(),
            counted(submissions.len(), "image build", "image builds")
        ));
    }
    Plan { writes, message: format!("Update submissions for round {round}"), says }
}

/// The facts that `reveal-seed` needs.
#[derive(Debug, Clone)]
pub(crate) struct RevealFacts<'a> {
    /// `config.json`
    pub settings: &'a Settings,
    /// `state.json`, in the open stage.
    pub state: &'a CompetitionState,
    /// The round's `schedule.json`.
    pub schedule: &'a Schedule,
    /// `leader.json`
    pub leaders: &'a Leaders,
    /// The round's `submissions.json` as `open` left it, if any.
    pub recorded: Option<&'a Submissions>,
    /// The submissions as of latest_reveal_block.
    pub intake: &'a Intake,
    /// The seed: the recorded one if an earlier run was cut short.
    pub seed: &'a SeedFile,
    /// The previous round's prompts (none in round 0).
    pub previous: &'a [Prompt],
    /// The pool.
    pub pool: &'a [Prompt],
    /// The time of latest_reveal_block, if the chain gives it.
    pub block_time: Option<DateTime<Utc>>,
}

/// Why a round cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(crate) enum OpeningError {
    #[error("prompts.txt: the pool is empty: no prompts to draw")]
    EmptyPool,
    #[error("{0}: add more")]
    TooFewPrompts(#[from] TooFewPrompts),
    #[error("leader.json: no leader at block {0}")]
    NoLeader(Block),
}

/// Fixes the submissions, the seed and the prompts, and moves to the next stage. The same facts give
/// the same bytes, so a run that was cut short can be repeated.
///
/// # Errors
/// There are too few prompts, or neither a submission nor a leader.
pub(crate) fn reveal(facts: &RevealFacts<'_>) -> Result<Plan, OpeningError> {
    let (round, seed) = (facts.state.current_round, facts.seed.seed);
    let Selection { carried, fresh } = select(facts.settings, seed, facts.previous, facts.pool);
    let mut says = vec![
        summary(round, facts.intake),
        format!("seed {seed}{}", source(facts.seed)),
        format!(
            "{}: {} carried over, {} from the pool",
            counted(carried.len() + fresh.len(), "prompt", "prompts"),
            carried.len(),
            fresh.len()
        ),
    ];
    let prompts = PromptList(carried.into_iter().chain(fresh).collect());
    if prompts.0.is_empty() {
        return Err(OpeningError::EmptyPool);
    }
    enough(facts.settings, facts.previous.len(), facts.pool.len())?;
    let at = |file| FileKind::Round(round, file);
    let submissions = keeping_extra(&facts.intake.accepted, facts.recorded);
    let mut writes = vec![
        FileWrite::new(at(RoundFile::Submissions), &submissions),
        FileWrite::new(at(RoundFile::Seed), facts.seed),
        FileWrite::new(at(RoundFile::Prompts), &prompts),
    ];
    let (stage, eta) = if submissions.is_empty() {
        let winner = leader_wins(facts)?;
        says.push(format!("no valid submission: the leader ({}) wins", winner.repo));
        writes.push(FileWrite::new(at(RoundFile::Winner), &winner));
        (Stage::Finalizing, None)
    } else {
        (Stage::MinerGeneration, deadline(facts))
    };
    writes.push(FileWrite::new(FileKind::State, &facts.state.moved(stage, eta)));
    Ok(Plan { writes, message: format!("Seed, prompts and submissions for round {round}"), says })
}

/// The `winner.json` of a round without a valid submission.
fn leader_wins(facts: &RevealFacts<'_>) -> Result<Winner, OpeningError> {
    let latest = facts.schedule.latest_reveal_block;
    let leader = leader_at(facts.leaders, latest).ok_or(OpeningError::NoLeader(latest))?;
    Ok(Winner::new(Player::Leader, leader.repo.clone(), leader.commit.clone(), leader.docker.clone()))
}

/// The expected time of the generation deadline, from the time of latest_reveal_block and the block time.
fn deadline(facts: &RevealFacts<'_>) -> Option<DateTime<Utc>> {
    let Schedule { latest_reveal_block: Block(from), generation_deadline_block: Block(to), .. } = facts.schedule;
    let blocks = i64::try_from(to.saturating_sub(*from)).ok()?;
    facts.block_time?.checked_add_signed(Duration::try_seconds(blocks.checked_mul(BLOCK_SECONDS)?)?)
}

/// The accepted submissions, with the unknown keys of the recorded entries kept.
fn keeping_extra(accepted: &Submissions, recorded: Option<&Submissions>) -> Submissions {
    let mut submissions = accepted.clone();
    for (hotkey, submission) in submissions.iter_mut() {
        if let Some(old) = recorded.and_then(|recorded| recorded.get(hotkey)) {
            submission.extra = old.extra.clone();
        }
    }
    submissions
}

fn summary(round: RoundNumber, intake: &Intake) -> String {
    let accepted = counted(intake.accepted.len(), "submission", "submissions");
    let (refused, outside) = (intake.refused.len(), counted(intake.outside, "hotkey", "hotkeys"));
    format!("round {round}: {accepted}, {refused} refused, {outside} with nothing in the window")
}

/// A seed's source, for people.
fn source(file: &SeedFile) -> String {
    match (file.drand_round, file.block) {
        (Some(drand_round), _) => format!(
            " from drand round {drand_round}, published at {}",
            DateTime::from_timestamp(i64::try_from(published_at(drand_round)).unwrap_or_default(), 0)
                .map_or_else(String::new, time)
        ),
        (None, Some(block)) => format!(" from the hash of block {block}"),
        (None, None) => " without a source: it cannot be proved".to_owned(),
    }
}
