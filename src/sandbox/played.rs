//! How the rounds of a sandbox ended, and what was caught in them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::folder::FIRST_BLOCK;
use super::participants::{Participants, Role};
use crate::base::error::Result;
use crate::base::text::{counted, tallied};
use crate::engine::fetching::spool::FetchJournal;
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::{Block, Hotkey, Player, RoundNumber};
use crate::model::matrix::Matrix;
use crate::model::schedule::Schedule;
use crate::model::snapshot::{RoundFiles, Snapshot};
use crate::model::store::Store;
use crate::model::winner::Winner;
use crate::rules::download::{KnownFiles, Tally, tally};
use crate::rules::tournament::order;
use crate::world::git::Git;

/// How a round ended.
#[derive(Debug, Serialize)]
pub(crate) struct RoundSummary {
    pub(crate) round: RoundNumber,
    /// Its winner: a miner's name, or `leader`.
    pub(crate) winner: String,
    /// The miners, in order of reveal.
    pub(crate) standings: Vec<StandingsRow>,
}

/// A miner's line.
#[derive(Debug, Serialize)]
pub(crate) struct StandingsRow {
    pub(crate) name: String,
    pub(crate) hotkey: Hotkey,
    /// The margin of its match against the round's leader.
    pub(crate) margin: Option<f64>,
    /// The audit's outcome, if there was one.
    pub(crate) audit: Option<&'static str>,
}

/// A leader.
#[derive(Debug, Serialize)]
pub(crate) struct Leader {
    pub(crate) name: String,
    pub(crate) weight: f64,
    pub(crate) from_block: u64,
}

/// Something that was caught.
#[derive(Debug, Serialize)]
pub(crate) struct Caught {
    pub(crate) round: RoundNumber,
    pub(crate) name: String,
    pub(crate) hotkey: Hotkey,
    /// The recorded reason.
    pub(crate) reason: String,
}

/// How the rounds went.
pub(crate) struct Played {
    pub(crate) rounds: Vec<RoundSummary>,
    pub(crate) caught: Vec<Caught>,
    pub(crate) leaders: Vec<Leader>,
}

/// What a round's files tell, whatever the format.
pub(crate) struct RoundTold<'a> {
    pub(crate) number: RoundNumber,
    pub(crate) schedule: Option<&'a Schedule>,
    /// The miners in order of reveal; `None` before submissions are recorded.
    pub(crate) miners: Option<Vec<Hotkey>>,
    pub(crate) matrix: Option<&'a Matrix>,
    /// The outcome of each audit.
    pub(crate) audits: BTreeMap<Hotkey, &'static str>,
    pub(crate) winner: Option<&'a Player>,
    /// What was caught, apart from late reveals.
    pub(crate) caught: Vec<Caught>,
}

impl RoundTold<'_> {
    fn summary(&self, participants: &Participants) -> RoundSummary {
        let row = |hotkey: &Hotkey| {
            let player = Player::Miner(hotkey.clone());
            StandingsRow {
                name: name_of(participants, &player),
                margin: self.matrix.and_then(|matrix| matrix.margin(&Player::Leader, &player)),
                audit: self.audits.get(hotkey).copied(),
                hotkey: hotkey.clone(),
            }
        };
        let winner = self.winner.map_or_else(|| "nobody".to_owned(), |winner| name_of(participants, winner));
        let standings = self.miners.iter().flatten().map(row).collect();
        RoundSummary { round: self.number, winner, standings }
    }
}

impl Played {
    /// What the rounds tell, and these leaders: hotkey, weight, and the block from which on it leads.
    pub(crate) fn of(
        participants: &Participants,
        rounds: Vec<RoundTold<'_>>,
        leaders: impl Iterator<Item = (Hotkey, f64, Block)>,
    ) -> Played {
        let mut played = Played { rounds: Vec::new(), caught: Vec::new(), leaders: Vec::new() };
        for mut told in rounds {
            played.rounds.push(told.summary(participants));
            played.caught.append(&mut told.caught);
            played.caught.extend(left_out(participants, told.number, told.schedule, told.miners.as_deref()));
        }
        let leader = |(hotkey, weight, from): (Hotkey, f64, Block)| Leader {
            name: name_of(participants, &Player::Miner(hotkey)),
            weight,
            from_block: from.0,
        };
        played.leaders = leaders.map(leader).collect();
        played
    }
}

/// The rounds of a competition of meshes, what was caught, and the leaders.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn played(store: &Store, participants: &Participants, git: &Git) -> Result<Played> {
    let snapshot = Snapshot::load(store)?;
    let mut rounds = Vec::new();
    for (number, files) in &snapshot.rounds {
        let audits = files.generation_audits.get().into_iter().flat_map(|audits| audits.iter());
        rounds.push(RoundTold {
            number: *number,
            schedule: files.schedule.get(),
            miners: files.submissions.get().map(order),
            matrix: files.matrix.get(),
            audits: audits.map(|(hotkey, audit)| (hotkey.clone(), audit.outcome.as_str())).collect(),
            winner: files.winner.get().map(Winner::player),
            caught: caught_in(participants, *number, files, git)?,
        });
    }
    let leaders = snapshot.leaders.get().into_iter().flatten();
    let leaders = leaders.map(|entry| (entry.hotkey.clone(), entry.weight, entry.effective_block));
    Ok(Played::of(participants, rounds, leaders))
}

/// A player's name in the sandbox.
pub(crate) fn name_of(participants: &Participants, player: &Player) -> String {
    let Player::Miner(hotkey) = player else { return "leader".to_owned() };
    let miner = participants.miners.iter().find(|miner| miner.hotkey == *hotkey);
    match miner {
        Some(miner) => miner.name.clone(),
        None if *hotkey == participants.leader => "leader".to_owned(),
        None => hotkey.to_string(),
    }
}

/// What was caught in a round: rejected audits, refused files, late reveals.
fn caught_in(participants: &Participants, number: RoundNumber, files: &RoundFiles, git: &Git) -> Result<Vec<Caught>> {
    let mut caught = Vec::new();
    let mut add = |name: String, hotkey: &Hotkey, reason: String| {
        caught.push(Caught { round: number, name, hotkey: hotkey.clone(), reason });
    };
    for audit in files.generation_audits.get().into_iter().flat_map(|audits| audits.values()) {
        if audit.outcome == AuditOutcome::Rejected {
            let name = name_of(participants, &Player::Miner(audit.hotkey.clone()));
            add(name, &audit.hotkey, format!("audit rejected: {}", audit.reason));
        }
    }
    let mut known = KnownFiles::default();
    FetchJournal::read(&git.own_folder(), number)?.into_iter().for_each(|mark| known.add(mark));
    for (miner, _) in participants.players(number) {
        let Some(prompts) = files.prompts.get() else { continue };
        let Tally { refused, failed, reasons, .. } = tally(prompts, &miner.hotkey, &known);
        if refused + failed > 0 {
            let files = counted(refused + failed, "file", "files");
            let reason = format!("{files} without a model: {}", tallied(reasons, usize::MAX));
            add(miner.name.clone(), &miner.hotkey, reason);
        }
    }
    Ok(caught)
}

/// Miners that revealed too late for a round.
fn left_out(
    participants: &Participants,
    round: RoundNumber,
    schedule: Option<&Schedule>,
    submitted: Option<&[Hotkey]>,
) -> Vec<Caught> {
    let (Some(schedule), Some(submitted)) = (schedule, submitted) else { return Vec::new() };
    let last = schedule.latest_reveal_block;
    let late = participants.miners.iter().filter(|miner| miner.role == Role::Late);
    let left = late.filter(|miner| !submitted.contains(&miner.hotkey));
    let caught = left.filter_map(|miner| {
        let reveals = participants.reveals(round, schedule);
        let (_, block) = reveals.into_iter().find(|(of, _)| of.hotkey == miner.hotkey)?;
        let reason = format!("revealed in block {block}, after the last one, {last}: left out");
        let (name, hotkey) = (miner.name.clone(), miner.hotkey.clone());
        (block > last && last >= FIRST_BLOCK).then_some(Caught { round, name, hotkey, reason })
    });
    caught.collect()
}
