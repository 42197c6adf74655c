//! The chain: in order of reveal, each qualified miner challenges the holder of the lead. A winner's program has to generate
//! its outputs again, and these have to hold against what was submitted and against the holder that it beat.
//!
//! Everything is derived anew from margins, reports and readings of sources. Rows against holders that were beaten or
//! rejected stay in the files, and count for nothing.

use std::collections::HashMap;

use crate::model::ids::{Hotkey, Player};
use crate::model::matrix::Matrix;
use crate::model::source_audit::{SourceAudit, SourceVerdict};
use crate::model::threejs::audit_matrix::{AuditMatrix, Opponent};
use crate::model::threejs::programs::ThreejsSubmissions;
use crate::model::threejs::reports::{GenerationReport, GenerationReports, ReportOutcome};
use crate::model::threejs::snapshot::ThreejsRound;

/// How many characters of another reason are quoted.
const QUOTED: usize = 64;

/// What a chain is derived from.
#[derive(Debug, Clone, Copy)]
pub struct ChainFacts<'f, 'a> {
    /// The miners, in the order in which they play.
    pub order: &'f [&'a Hotkey],
    /// The margin that a win needs; regenerated outputs may lose by less.
    pub win_margin: f64,
    /// How often a program is run again.
    pub repeats: u32,
    /// The margins that are known.
    pub matrix: &'f Matrix,
    /// The audit duels that are known.
    pub audits: &'f AuditMatrix,
    /// The generation reports.
    pub reports: &'f GenerationReports,
    /// The source audits.
    pub sources: &'f HashMap<&'f Hotkey, &'f SourceAudit>,
}

/// The source audits by miner: the first of each.
#[must_use]
pub fn by_miner(sources: &[SourceAudit]) -> HashMap<&Hotkey, &SourceAudit> {
    sources.iter().rev().map(|source| (&source.hotkey, source)).collect()
}

/// The fate of a qualified miner.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Rejected: it takes part in nothing.
    Rejected(String),
    /// Its match against the holder is missing.
    Pending,
    /// It did not beat the holder.
    Lost(f64),
    /// It beat the holder; verified, or not yet.
    Won {
        /// By how much.
        margin: f64,
        /// Everything that a win needs is there.
        verified: bool,
    },
}

/// A qualified miner's place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Link<'a> {
    /// The miner.
    pub hotkey: &'a Hotkey,
    /// Who held the lead when it was its turn.
    pub holder: Player,
    /// Its fate.
    pub fate: Fate,
    /// The audit duel that it was rejected for, if any: against what, and which repeat.
    pub lost: Option<(Opponent, u32)>,
}

/// A chain, as far as it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain<'a> {
    /// The qualified miners, in order.
    pub links: Vec<Link<'a>>,
    /// Who holds the lead after them.
    pub holder: Player,
    /// Nothing is pending, and every winner is verified.
    pub finalized: bool,
    /// Miners whose match against the leader is missing.
    pub unplayed: Vec<&'a Hotkey>,
}

/// The miners in the order in which they play: by `revealed_at_block`, then in the file's order.
#[must_use]
pub fn order(submissions: &ThreejsSubmissions) -> Vec<&Hotkey> {
    let mut miners: Vec<_> = submissions.iter().collect();
    miners.sort_by_key(|(_, submission)| submission.revealed_at_block);
    miners.into_iter().map(|(hotkey, _)| hotkey).collect()
}

/// How often programs were run again in a round: once before there were repeats, then as the settings say.
#[must_use]
pub fn repeats_of(files: &ThreejsRound, audit_repeats: u32) -> u32 {
    let flat = |report: &GenerationReport| matches!(report, GenerationReport::Flat(_));
    let reports = files.generation_reports.get().is_some_and(|reports| reports.values().any(flat));
    let rows = files.audit_matrix.get().is_some_and(|matrix| matrix.0.keys().any(|(left, _)| left.repeat.is_none()));
    if reports || rows { 1 } else { audit_repeats }
}

/// Derives the chain.
#[must_use]
pub fn derive<'a>(facts: &ChainFacts<'_, 'a>) -> Chain<'a> {
    let leader = Player::Leader;
    let mut chain = Chain { links: Vec::new(), holder: leader.clone(), finalized: true, unplayed: Vec::new() };
    let mut holder_verified = true;
    for hotkey in facts.order.iter().copied() {
        let right = Player::Miner(hotkey.clone());
        match facts.matrix.margin(&leader, &right) {
            Some(margin) if margin >= facts.win_margin => {}
            Some(_) => continue,
            None => {
                // Who failed before it could be matched need not be.
                if early_rejection(facts, hotkey).is_none() {
                    chain.unplayed.push(hotkey);
                    chain.finalized = false;
                }
                continue;
            }
        }
        let holder = chain.holder.clone();
        let (fate, lost) = fate(facts, hotkey, &holder, holder_verified);
        match fate {
            Fate::Pending => chain.finalized = false,
            Fate::Won { verified, .. } => {
                chain.holder = right;
                chain.finalized &= verified;
                holder_verified = verified;
            }
            Fate::Rejected(_) | Fate::Lost(_) => {}
        }
        chain.links.push(Link { hotkey, holder, fate, lost });
    }
    chain
}

/// An audit duel: against what, and which run of the program.
type AuditDuel = (Opponent, u32);

fn fate(
    facts: &ChainFacts<'_, '_>,
    hotkey: &Hotkey,
    holder: &Player,
    holder_verified: bool,
) -> (Fate, Option<AuditDuel>) {
    if let Some((reason, lost)) = rejection(facts, hotkey, holder, holder_verified) {
        return (Fate::Rejected(reason), lost);
    }
    let Some(margin) = facts.matrix.margin(holder, &Player::Miner(hotkey.clone())) else {
        return (Fate::Pending, None);
    };
    if margin < facts.win_margin {
        return (Fate::Lost(margin), None);
    }
    let source = facts.sources.get(hotkey).is_some_and(|source| source.verdict == SourceVerdict::Passed);
    let stands = |repeat| {
        let against = |opponent: &Opponent| facts.audits.margin(opponent, repeat, hotkey);
        against(&Opponent::Submitted).is_some_and(|margin| margin >= -facts.win_margin)
            && against(&Opponent::Holder(holder.clone())).is_some_and(|margin| margin >= facts.win_margin)
    };
    (Fate::Won { margin, verified: holder_verified && source && (1..=facts.repeats).all(stands) }, None)
}

/// Why a miner is rejected regardless of the holder: its report, or its source.
fn early_rejection(facts: &ChainFacts<'_, '_>, hotkey: &Hotkey) -> Option<String> {
    if let Some(report) = facts.reports.get(hotkey).filter(|report| report.outcome() == ReportOutcome::Rejected) {
        return Some(format!("generation report: {}", quoted(report.reason())));
    }
    let source = facts.sources.get(hotkey).filter(|source| source.verdict == SourceVerdict::Failed)?;
    let reason = quoted(&source.reason);
    Some(if reason.is_empty() { "source audit".to_owned() } else { format!("source audit: {reason}") })
}

/// The first reason to reject a miner.
fn rejection(
    facts: &ChainFacts<'_, '_>,
    hotkey: &Hotkey,
    holder: &Player,
    holder_verified: bool,
) -> Option<(String, Option<AuditDuel>)> {
    let duel = |opponent: Opponent, name: &str, least: f64| {
        let mut margins =
            (1..=facts.repeats).filter_map(|repeat| Some((repeat, facts.audits.margin(&opponent, repeat, hotkey)?)));
        let (repeat, margin) = margins.find(|(_, margin)| *margin < least)?;
        let reason = format!("{name} vs generated #{repeat}: {:+.2}%", margin * 100.0);
        Some((reason, Some((opponent, repeat))))
    };
    let early = early_rejection(facts, hotkey).map(|reason| (reason, None));
    early.or_else(|| duel(Opponent::Submitted, "submitted", -facts.win_margin)).or_else(|| {
        let opponent = Opponent::Holder(holder.clone());
        if holder_verified { duel(opponent, holder.short(), facts.win_margin) } else { None }
    })
}

fn quoted(reason: &str) -> String {
    reason.chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::threejs::audit_matrix::AuditLeft;

    fn miner(at: u8) -> Hotkey {
        Hotkey::from_account(&[at; 32])
    }

    fn player(at: u8) -> Player {
        if at == 0 { Player::Leader } else { Player::Miner(miner(at)) }
    }

    /// Matches by left and right, audits by left (`None`: submitted), right and margins, reports, sources.
    struct Case<'a> {
        matches: &'a [(u8, u8, f64)],
        audits: &'a [(Option<u8>, u8, &'a [f64])],
        reports: &'a [(u8, &'a str)],
        sources: &'a [(u8, bool)],
    }

    fn chain(case: &Case<'_>) -> (Vec<(u8, Fate)>, u8, bool, usize) {
        let miners: Vec<Hotkey> = (1..=4).map(miner).collect();
        let order: Vec<&Hotkey> = miners.iter().collect();
        let matrix = Matrix(case.matches.iter().map(|(l, r, margin)| ((player(*l), player(*r)), *margin)).collect());
        let mut audits = AuditMatrix::default();
        for (left, right, margins) in case.audits {
            let opponent = left.map_or(Opponent::Submitted, |left| Opponent::Holder(player(left)));
            for (at, margin) in margins.iter().enumerate() {
                let repeat = Some(u32::try_from(at).unwrap() + 1);
                audits.0.insert((AuditLeft { opponent: opponent.clone(), repeat }, miner(*right)), *margin);
            }
        }
        let report = |(at, reason): &(u8, &str)| {
            let outcome = if reason.is_empty() { "completed" } else { "rejected" };
            let value = serde_json::json!({"hotkey": miner(*at), "outcome": outcome, "repeats": [], "reason": reason});
            (miner(*at), serde_json::from_value(value).unwrap())
        };
        let source = |(at, passed): &(u8, bool)| {
            let verdict = if *passed { "passed" } else { "failed" };
            serde_json::from_value(serde_json::json!({"hotkey": miner(*at), "verdict": verdict, "reason": ""})).unwrap()
        };
        let reports = case.reports.iter().map(report).collect();
        let sources: Vec<SourceAudit> = case.sources.iter().map(source).collect();
        let sources = by_miner(&sources);
        let facts = ChainFacts {
            order: &order,
            win_margin: 0.07,
            repeats: 2,
            matrix: &matrix,
            audits: &audits,
            reports: &reports,
            sources: &sources,
        };
        let chain = derive(&facts);
        let at = |hotkey: &Hotkey| u8::try_from(miners.iter().position(|other| other == hotkey).unwrap()).unwrap() + 1;
        let links = chain.links.iter().map(|link| (at(link.hotkey), link.fate.clone())).collect();
        (links, chain.holder.hotkey().map_or(0, at), chain.finalized, chain.unplayed.len())
    }

    const NOBODY: Case<'_> = Case {
        matches: &[(0, 1, -1.0), (0, 2, 0.069), (0, 3, 0.0), (0, 4, -0.5)],
        audits: &[],
        reports: &[],
        sources: &[],
    };

    #[test]
    fn without_anybody_qualified_the_leader_holds() {
        assert_eq!(chain(&NOBODY), (vec![], 0, true, 0));
        let (_, _, finalized, unplayed) = chain(&Case { matches: &[(0, 1, -1.0)], ..NOBODY });
        assert_eq!((finalized, unplayed), (false, 3));
        // Whoever is rejected already is not matched any more.
        let early = Case { matches: &NOBODY.matches[..3], reports: &[(4, "Failed to build a docker image")], ..NOBODY };
        assert_eq!((chain(&early).2, chain(&early).3), (true, 0));
    }

    const TWO: &[(u8, u8, f64)] = &[(0, 1, 0.2), (0, 2, 0.3), (0, 3, 0.0), (0, 4, 0.0), (1, 2, 0.1)];

    #[test]
    fn a_winner_counts_once_its_repeats_and_its_source_stand() {
        let won = |margin, verified| Fate::Won { margin, verified };
        let case = Case { matches: TWO, ..NOBODY };
        assert_eq!(chain(&case), (vec![(1, won(0.2, false)), (2, won(0.1, false))], 2, false, 0));
        let all: &[(Option<u8>, u8, &[f64])] =
            &[(None, 1, &[-0.07, 0.0]), (Some(0), 1, &[0.07, 0.5]), (None, 2, &[0.0, 0.1]), (Some(1), 2, &[0.2, 0.08])];
        let sources: &[(u8, bool)] = &[(1, true), (2, true)];
        let full = Case { audits: all, sources, ..case };
        assert_eq!(chain(&full), (vec![(1, won(0.2, true)), (2, won(0.1, true))], 2, true, 0));
        // Against a holder that is not verified itself, nobody is.
        let unread = chain(&Case { matches: TWO, audits: all, sources: &sources[1..], reports: &[] });
        assert_eq!(unread.0[1].1, won(0.1, false));
        let missing = chain(&Case { matches: &TWO[..4], audits: all, sources, reports: &[] });
        assert_eq!(missing, (vec![(1, won(0.2, true)), (2, Fate::Pending)], 1, false, 0));
    }

    #[test]
    fn each_way_to_be_rejected_has_its_words() {
        let reason = |case: &Case<'_>| match &chain(case).0[0].1 {
            Fate::Rejected(reason) => reason.clone(),
            other => format!("{other:?}"),
        };
        let case = Case { matches: TWO, ..NOBODY };
        let long = "x".repeat(100);
        let of_report = Case { reports: &[(1, &long)], sources: &[(1, false)], ..case };
        assert_eq!(reason(&of_report), format!("generation report: {}", "x".repeat(64)));
        // The next one challenges the leader instead.
        assert_eq!(chain(&of_report).0[1].1, Fate::Won { margin: 0.3, verified: false });
        assert_eq!(reason(&Case { sources: &[(1, false)], ..case }), "source audit");
        let audits: &[(Option<u8>, u8, &[f64])] = &[(None, 1, &[0.0, -0.125]), (Some(0), 1, &[0.0390625])];
        assert_eq!(reason(&Case { audits, ..case }), "submitted vs generated #2: -12.50%");
        assert_eq!(reason(&Case { audits: &audits[1..], ..case }), "leader vs generated #1: +3.91%");
        // Not against a holder that is not verified.
        let second = chain(&Case { matches: TWO, audits: &[(Some(1), 2, &[0.0])], reports: &[], sources: &[] });
        assert_eq!(second.0[1].1, Fate::Won { margin: 0.1, verified: false });
    }
}
