//! `copies.bytes`, `copies.programs`, `copies.previews`: what miners have in common with each other, and with whoever
//! led in earlier rounds. No rule forbids it, so these are warnings for people to judge.

mod bytes;
pub mod previews;
mod programs;

use self::bytes::{Alike, FilesByOwner};
pub(super) use self::programs::Programs;
use super::{Sink, VerifyFacts};
use crate::model::ids::{Block, Player, RoundNumber};
use crate::model::leader::{LeaderEntry, leader_at};
use crate::model::neutral::{BuildView, SubmissionView};
use crate::model::snapshot::{RoundFiles, Snapshot};
use crate::model::winner::Winner;

/// Most names in one objection; the rest are counted.
const MOST_NAMES: usize = 8;

pub(super) fn check(facts: &VerifyFacts<'_>, sink: &mut Sink) {
    let snapshot = facts.snapshot;
    let leaders = snapshot.leaders.get().map(Vec::as_slice).unwrap_or_default();
    let mut earlier = FilesByOwner::default();
    for (round, files) in &snapshot.rounds {
        let alike = bytes::check(snapshot, (*round, files), &mut earlier, sink);
        programs_of(leaders, (*round, files), &alike, sink);
    }
}

fn programs_of(
    leaders: &[LeaderEntry],
    (round, files): (RoundNumber, &RoundFiles),
    alike: &[Alike<'_>],
    sink: &mut Sink,
) {
    let Some(submissions) = files.submissions.get() else { return };
    let submissions = submissions.iter().map(|(hotkey, of)| (hotkey, SubmissionView::from(of)));
    let builds = files.builds.get().into_iter().flat_map(|builds| builds.iter());
    let builds = builds.map(|(hotkey, build)| (hotkey, BuildView::from(build)));
    let leaders = led(leaders, files.schedule.get().map(|schedule| schedule.latest_reveal_block));
    Programs { round, submissions: submissions.collect(), builds: builds.collect(), leaders, alike }.check(sink);
}

/// The entries of leader.json that were in force up to a round's last block of reveals.
pub(super) fn led(leaders: &[LeaderEntry], latest: Option<Block>) -> &[LeaderEntry] {
    let end = latest.map_or(0, |latest| leaders.partition_point(|entry| entry.effective_block <= latest));
    leaders.get(..end).unwrap_or_default()
}

/// Whose files are in a player's folder: those of `leader` are of whoever led then; `leader` itself if unknown.
fn owner<'a>(snapshot: &'a Snapshot, files: &RoundFiles, player: &'a Player) -> &'a str {
    let leader = || {
        let latest = files.schedule.get()?.latest_reveal_block;
        leader_at(snapshot.leaders.get()?, latest).map(|entry| entry.hotkey.as_str())
    };
    match player {
        Player::Miner(hotkey) => hotkey.as_str(),
        Player::Leader => leader().unwrap_or("leader"),
    }
}

/// The players of a round whose files later ones are compared with: the leader, and the winner.
fn led_from<'a>(files: &'a RoundFiles) -> impl Fn(&Player) -> bool + 'a {
    let winner = files.winner.get().map(Winner::player);
    move |player| *player == Player::Leader || winner == Some(player)
}

/// `5Grw... and 5FHn...`, with full names; the rest are counted.
fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let shown: Vec<&str> = names.take(MOST_NAMES).collect();
    match (shown.split_last(), more) {
        (Some((last, rest)), 0) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        (_, 0) => shown.concat(),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}
