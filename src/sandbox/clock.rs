//! The contents and the current block of the sandbox's chain; both follow from the competition's files.

use super::participants::Participants;
use crate::base::error::Result;
use crate::model::file::{FileKind, PlayerFile, RoundFile};
use crate::model::ids::{Block, Player, RoundNumber};
use crate::model::schedule::Schedule;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::Store;
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile};
use crate::rules::stage_table::{End, row};
use crate::world::chain::stand_in::StandInNode;

/// A round's seed is drawn this many blocks after its window, so that late reveals are on chain by then.
const AFTER_WINDOW: u64 = 25;

/// A competition's current round, stage and block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoundStage {
    pub(crate) round: RoundNumber,
    pub(crate) stage: Stage,
    /// The block at which the stage's work can be done; `None` while paused. Miners generate from the draw of the seed
    /// until the baseline is recorded: what can be done before the deadline is then to be done.
    pub(crate) block: Option<Block>,
    /// The deadline for the miners' files, while the chain waits before it.
    pub(crate) waits_for: Option<Block>,
}

impl RoundStage {
    /// Reads it from the files.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn of(store: &Store) -> Result<RoundStage> {
        let state = store.need::<CompetitionState>(&FileKind::State)?;
        let (round, stage) = (state.current_round, state.stage);
        let opened = store.root().join(FileKind::Round(round, RoundFile::Submissions).path()).exists();
        let baseline = FileKind::Player(round, Player::Leader, PlayerFile::Generated);
        let of_modules = ThreejsFile::Player(round, Player::Leader, ThreejsPlayerFile::Generated(Some(1)));
        let is_baseline = [baseline.path(), of_modules.path()].iter().any(|path| store.root().join(path).exists());
        let schedule = schedule(store, round)?;
        // Until the leader's outputs are there, it is as for a miner that generates.
        let waits_for = (row(stage).end == End::Deadline && !is_baseline).then_some(schedule.generation_deadline_block);
        let block = match waits_for {
            Some(_) => Some(drawing(&schedule)),
            None => time_for(stage, opened, &schedule),
        };
        Ok(RoundStage { round, stage, block, waits_for })
    }
}

/// A block within a round's window at which only some miners have revealed.
pub(crate) fn amid_reveals(schedule: &Schedule) -> Block {
    let (first, last) = (schedule.earliest_reveal_block.0, schedule.latest_reveal_block.0);
    Block(first + last.saturating_sub(first) * 3 / 4)
}

/// The block at which a round's seed is drawn.
pub(crate) fn drawing(schedule: &Schedule) -> Block {
    Block(schedule.latest_reveal_block.0 + AFTER_WINDOW)
}

/// The block at which a stage's work can be done; `opened` once submissions are on record.
fn time_for(stage: Stage, opened: bool, schedule: &Schedule) -> Option<Block> {
    match row(stage).end {
        End::Reveals if !opened => Some(amid_reveals(schedule)),
        End::Reveals => Some(drawing(schedule)),
        End::Hand => None,
        End::Deadline | End::Work | End::Never => Some(schedule.generation_deadline_block),
    }
}

/// A round's schedule.
///
/// # Errors
/// It cannot be read.
pub(crate) fn schedule(store: &Store, round: RoundNumber) -> Result<Schedule> {
    store.need(&FileKind::Round(round, RoundFile::Schedule))
}

/// Puts all reveals up to this round on chain.
///
/// # Errors
/// A schedule is missing.
pub(crate) fn reveal_all(
    store: &Store,
    participants: &Participants,
    current: RoundNumber,
    node: &mut StandInNode,
) -> Result<()> {
    let mut reveals = Vec::new();
    for round in (0..=current.0).map(RoundNumber) {
        for (miner, block) in participants.reveals(round, &schedule(store, round)?) {
            reveals.push((miner.hotkey.clone(), block, participants.reveal_text(miner, round)?));
        }
    }
    node.reveals.clear();
    reveals.into_iter().for_each(|(hotkey, block, text)| node.reveal(hotkey, block, &text));
    Ok(())
}
