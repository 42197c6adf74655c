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
use crate::model::ids::{Block, Player, RepoName, RoundNumber};
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
pub fn open(round: RoundNumber, recorded: Option<&Submissions>, intake: &Intake) -> Plan {
    let submissions = keeping_extra(&intake.accepted, recorded);
    let changed = recorded.map_or(!submissions.is_empty(), |recorded| *recorded != submissions);
    let file = FileKind::Round(round, RoundFile::Submissions);
    let writes = if changed { vec![FileWrite::new(file.clone(), &submissions)] } else { Vec::new() };
    let mut says = vec![summary(round, intake)];
    if changed {
        says.push(starts_builds(&file.path(), submissions.len()));
    }
    Plan { writes, message: format!("Update submissions for round {round}"), says }
}

/// What a round begins with, in any format.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'a> {
    /// `config.json`
    pub settings: &'a Settings,
    /// `state.json`, in the open stage.
    pub state: &'a CompetitionState,
    /// The round's `schedule.json`.
    pub schedule: &'a Schedule,
    /// The seed: the recorded one if an earlier run was cut short.
    pub seed: &'a SeedFile,
    /// The previous round's prompts (none in round 0).
    pub previous: &'a [Prompt],
    /// The pool.
    pub pool: &'a [Prompt],
    /// The time of latest_reveal_block, if the chain gives it.
    pub block_time: Option<DateTime<Utc>>,
}

/// The facts that `reveal-seed` needs.
#[derive(Debug, Clone)]
pub struct RevealFacts<'a> {
    /// What the round begins with.
    pub begins: Beginning<'a>,
    /// `leader.json`
    pub leaders: &'a Leaders,
    /// The round's `submissions.json` as `open` left it, if any.
    pub recorded: Option<&'a Submissions>,
    /// The submissions as of latest_reveal_block.
    pub intake: &'a Intake,
}

/// Why a round cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum OpeningError {
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
pub fn reveal(facts: &RevealFacts<'_>) -> Result<Plan, OpeningError> {
    let begins = &facts.begins;
    let (round, settings) = (begins.state.current_round, begins.settings);
    let selection = select(settings, begins.seed.seed, begins.previous, begins.pool);
    let mut says = vec![summary(round, facts.intake)];
    says.extend(drawn(begins.seed, &selection));
    let prompts = prompts_of(selection)?;
    enough(settings, begins.previous.len(), begins.pool.len())?;
    let at = |file| FileKind::Round(round, file);
    let submissions = keeping_extra(&facts.intake.accepted, facts.recorded);
    let mut writes = vec![
        FileWrite::new(at(RoundFile::Submissions), &submissions),
        FileWrite::new(at(RoundFile::Seed), begins.seed),
        FileWrite::new(at(RoundFile::Prompts), &prompts),
    ];
    if submissions.is_empty() {
        let winner = leader_wins(facts)?;
        says.push(nobody(&winner.repo));
        writes.push(FileWrite::new(at(RoundFile::Winner), &winner));
    }
    writes.push(FileWrite::new(FileKind::State, &begins.next_state(submissions.is_empty())));
    Ok(Plan { writes, message: revealed(round), says })
}

/// The `winner.json` of a round without a valid submission.
fn leader_wins(facts: &RevealFacts<'_>) -> Result<Winner, OpeningError> {
    let latest = facts.begins.schedule.latest_reveal_block;
    let leader = leader_at(facts.leaders, latest).ok_or(OpeningError::NoLeader(latest))?;
    Ok(Winner::new(Player::Leader, leader.repo.clone(), leader.commit.clone(), leader.docker.clone()))
}

impl Beginning<'_> {
    /// `state.json` once the seed is there: without a submission, the round is over.
    pub fn next_state(&self, nobody: bool) -> CompetitionState {
        if nobody {
            return self.state.moved(Stage::Finalizing, None);
        }
        self.state.moved(Stage::MinerGeneration, self.deadline())
    }

    /// The expected time of the generation deadline, from the time of latest_reveal_block and the block time.
    fn deadline(&self) -> Option<DateTime<Utc>> {
        let Schedule { latest_reveal_block: Block(from), generation_deadline_block: Block(to), .. } = self.schedule;
        let blocks = i64::try_from(to.saturating_sub(*from)).ok()?;
        self.block_time?.checked_add_signed(Duration::try_seconds(blocks.checked_mul(BLOCK_SECONDS)?)?)
    }
}

/// The round's prompts: those carried over first.
///
/// # Errors
/// There are none.
pub fn prompts_of(selection: Selection) -> Result<PromptList, OpeningError> {
    let Selection { carried, fresh } = selection;
    let prompts = PromptList(carried.into_iter().chain(fresh).collect());
    if prompts.0.is_empty() { Err(OpeningError::EmptyPool) } else { Ok(prompts) }
}

/// What was drawn, for people.
pub fn drawn(seed: &SeedFile, selection: &Selection) -> [String; 2] {
    let (carried, fresh) = (selection.carried.len(), selection.fresh.len());
    let prompts = counted(carried + fresh, "prompt", "prompts");
    [format!("seed {}{}", seed.seed, source(seed)), format!("{prompts}: {carried} carried over, {fresh} from the pool")]
}

/// The line for a round without a valid submission.
pub fn nobody(repo: &RepoName) -> String {
    format!("no valid submission: the leader ({repo}) wins")
}

/// The message of the commit that fixes a round.
pub fn revealed(round: RoundNumber) -> String {
    format!("Seed, prompts and submissions for round {round}")
}

/// What to know before `submissions.json` is pushed.
pub fn starts_builds(path: &str, submissions: usize) -> String {
    format!(
        "pushing {path} starts {} if a workflow builds on it, as the deployed one \
         does; the push after reveal-seed starts them again",
        counted(submissions, "image build", "image builds")
    )
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

/// An intake in a line: how many submissions, and how many are none.
pub fn summary(round: RoundNumber, intake: &Intake) -> String {
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
