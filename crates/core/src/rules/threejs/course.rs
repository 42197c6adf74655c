//! The course of a round of duels: what is played next, by the files so far.
//!
//! Results are recorded one at a time, in the order that follows from the files, whichever match is finished first. So a
//! run that was killed goes on where it was, and the files do not depend on how many matches are played at once.

use std::fmt;

use super::audit_duels::{AuditDuel, at_once, open};
use super::chain::{Chain, ChainFacts, Fate};
use crate::model::ids::{Hotkey, Player};
use crate::model::source_audit::SourceVerdict;
use crate::model::threejs::audits::DuelAuditRequest;
use crate::model::threejs::reports::GenerationReport;

/// Something that is played.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// A match: right challenges left.
    Match(Player, Hotkey),
    /// An audit duel.
    Audit(AuditDuel),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::Match(left, right) => write!(f, "{right} against {left}"),
            Unit::Audit(duel) => write!(f, "repeat {} of {} against {}", duel.repeat, duel.right, duel.opponent),
        }
    }
}

impl Unit {
    /// The challenger.
    #[must_use]
    pub fn right(&self) -> &Hotkey {
        match self {
            Unit::Match(_, right) => right,
            Unit::Audit(duel) => &duel.right,
        }
    }
}

/// What a winner still needs that no duel gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The repeats of its program.
    Repeats(Hotkey),
    /// The reading of its source.
    Source(Hotkey),
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Awaited::Repeats(hotkey) => write!(f, "the audit of {hotkey}"),
            Awaited::Source(hotkey) => write!(f, "the source audit of {hotkey}"),
        }
    }
}

impl Awaited {
    /// The miner.
    #[must_use]
    pub fn hotkey(&self) -> &Hotkey {
        match self {
            Awaited::Repeats(hotkey) | Awaited::Source(hotkey) => hotkey,
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// To be played.
    Play {
        /// What is needed now. It is recorded in this order, and after each it is asked anew what comes next.
        turn: Vec<Unit>,
        /// What will be needed after it, as far as that can be told: it may be played at the same time.
        ahead: Vec<Unit>,
    },
    /// The round is decided.
    Finish(Player),
    /// There is nothing to play until these are there.
    Wait(Vec<Awaited>),
}

/// What comes next: the rest of the qualification; then, unless the round is decided, open audit duels, the first match
/// that a challenger still has to play against its holder, and matches that may be needed if a winner is rejected.
#[must_use]
pub fn next(chain: &Chain<'_>, facts: &ChainFacts<'_, '_>, requests: &[DuelAuditRequest]) -> Next {
    let alone = |turn: Vec<Unit>| Next::Play { turn, ahead: Vec::new() };
    if !chain.unplayed.is_empty() {
        let against = |hotkey: &&Hotkey| Unit::Match(Player::Leader, (*hotkey).clone());
        return alone(chain.unplayed.iter().map(against).collect());
    }
    if chain.finalized {
        return Next::Finish(chain.holder.clone());
    }
    let audits = open(chain, facts, requests);
    if let Some((first, _)) = audits.split_first() {
        let ahead = at_once(&audits).into_iter().filter(|duel| duel != first).map(Unit::Audit).collect();
        return Next::Play { turn: vec![Unit::Audit(first.clone())], ahead };
    }
    let awaited = awaited(chain, facts);
    let exploratory = exploratory(chain, facts);
    if let Some(link) = chain.links.iter().find(|link| link.fate == Fate::Pending) {
        let turn = Unit::Match(link.holder.clone(), link.hotkey.clone());
        // As long as a winner waits for others, these are played in any case.
        let ahead = exploratory.into_iter().filter(|unit| *unit != turn && !awaited.is_empty()).collect();
        return Next::Play { turn: vec![turn], ahead };
    }
    if exploratory.is_empty() { Next::Wait(awaited) } else { alone(exploratory) }
}

/// What the winners still need that no duel gives, in the order of the chain.
fn awaited(chain: &Chain<'_>, facts: &ChainFacts<'_, '_>) -> Vec<Awaited> {
    let mut awaited = Vec::new();
    for link in chain.links.iter().filter(|link| matches!(link.fate, Fate::Won { verified: false, .. })) {
        let repeats = facts.reports.get(link.hotkey).map(GenerationReport::repeats).unwrap_or_default();
        let whole = (1..=facts.repeats).all(|repeat| repeats.iter().any(|own| own.repeat_index == repeat));
        if !whole {
            awaited.push(Awaited::Repeats(link.hotkey.clone()));
        }
        let read = facts.sources.get(link.hotkey).is_some_and(|source| source.verdict == SourceVerdict::Passed);
        if !read {
            awaited.push(Awaited::Source(link.hotkey.clone()));
        }
    }
    awaited
}

/// The missing matches among the miners of the chain that are not rejected, each against all later ones.
fn exploratory(chain: &Chain<'_>, facts: &ChainFacts<'_, '_>) -> Vec<Unit> {
    let rejected = |fate: &Fate| matches!(fate, Fate::Rejected(_));
    let own: Vec<&Hotkey> = chain.links.iter().filter(|link| !rejected(&link.fate)).map(|link| link.hotkey).collect();
    let mut missing = Vec::new();
    for (at, left) in own.iter().enumerate() {
        let left = Player::Miner((*left).clone());
        for right in own.iter().skip(at + 1) {
            if facts.matrix.margin(&left, &Player::Miner((*right).clone())).is_none() {
                missing.push(Unit::Match(left.clone(), (*right).clone()));
            }
        }
    }
    missing
}
