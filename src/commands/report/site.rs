//! What every page is made from, how pages are called, and findings made readable.

use std::collections::BTreeSet;

use serde::Serialize;

use super::text::{clean, counted, shortened};
use crate::rules::Thresholds;
use crate::rules::checks::{Finding, IDS, Status};
use crate::state::config::Settings;
use crate::state::ids::{Block, Player, RoundNumber};
use crate::state::leader::{LeaderEntry, leader_at};
use crate::state::snapshot::{Slot, Snapshot, Trouble};

/// Findings are told in this many characters; `gen404 verify` has the rest.
const LONGEST_DETAIL: usize = 700;

/// A competition with what `verify` says of it.
#[derive(Debug)]
pub(super) struct Site<'a> {
    /// The files.
    pub(super) snapshot: &'a Snapshot,
    /// The limits of the rules.
    pub(super) limits: &'a Thresholds,
    /// What `verify` found, passes included.
    pub(super) findings: &'a [Finding],
    /// The rounds that have pages; others are named without a link.
    pub(super) linked: BTreeSet<RoundNumber>,
}

impl<'a> Site<'a> {
    /// The settings, where they can be read.
    pub(super) fn settings(&self) -> Option<&'a Settings> {
        self.snapshot.config.get().map(|config| &config.settings)
    }

    /// The competition's name.
    pub(super) fn name(&self) -> String {
        self.settings().map_or_else(|| "A competition without settings".to_owned(), |settings| clean(&settings.name))
    }

    /// The margin that a win needs; the usual one where config.json cannot be read.
    pub(super) fn win_margin(&self) -> f64 {
        self.settings().map_or(0.05, |settings| settings.win_margin)
    }

    /// Who led when this round began: the defender called `leader`.
    pub(super) fn leader_of(&self, round: RoundNumber) -> Option<&'a LeaderEntry> {
        let latest = self.snapshot.rounds.get(&round)?.schedule.get()?.latest_reveal_block;
        self.leader_from(latest)
    }

    fn leader_from(&self, block: Block) -> Option<&'a LeaderEntry> {
        leader_at(self.snapshot.leaders.get()?, block)
    }

    /// The findings that are no pass, fails first; of one round where given.
    pub(super) fn objections(&self, round: Option<RoundNumber>) -> Vec<FindingView> {
        let wanted = |finding: &&Finding| finding.status != Status::Pass && (round.is_none() || finding.round == round);
        let mut objections: Vec<_> = self.findings.iter().filter(wanted).collect();
        objections.sort_by_key(|finding| (finding.status, finding.round));
        objections.into_iter().map(|finding| self.finding(finding)).collect()
    }

    fn finding(&self, finding: &Finding) -> FindingView {
        let linked = finding.round.filter(|round| self.linked.contains(round));
        let claim = IDS.iter().find(|(id, _)| *id == finding.id).map_or("", |(_, claim)| claim);
        FindingView {
            status: status_name(finding.status),
            id: finding.id,
            claim,
            round: finding.round,
            href: linked.map(round_page),
            subject: clean(&finding.subject),
            detail: shortened(&finding.detail, LONGEST_DETAIL),
        }
    }

    /// What is wrong with files as files: unreadable, broken, misplaced; of one round where given.
    pub(super) fn damage(&self, round: Option<RoundNumber>) -> Vec<Damage> {
        let problems = self.snapshot.problems.iter().filter(|problem| round.is_none() || problem.round == round);
        let mut damage: Vec<Damage> = problems
            .filter_map(|problem| {
                let what = match &problem.what {
                    Trouble::Parse(error) => format!("does not parse: {error}"),
                    Trouble::Unreadable(why) => format!("cannot be read: {why}"),
                    Trouble::Stray(why) => format!("does not belong here: {why}"),
                    Trouble::Layout { .. } => return None,
                };
                Some(Damage { path: clean(&problem.path), what: clean(&what) })
            })
            .collect();
        if round.is_none() {
            damage.extend(self.missing());
        }
        damage
    }

    /// Files without which there is little to show.
    fn missing(&self) -> impl Iterator<Item = Damage> {
        fn gone<T>(slot: &Slot<T>) -> bool {
            slot.is_missing()
        }
        let snapshot = self.snapshot;
        let files = [
            ("config.json", gone(&snapshot.config)),
            ("state.json", gone(&snapshot.state)),
            ("leader.json", gone(&snapshot.leaders)),
        ];
        let missing =
            |(path, gone): (&str, bool)| gone.then(|| Damage { path: path.to_owned(), what: "is missing".to_owned() });
        files.into_iter().filter_map(missing)
    }
}

/// A finding as a page shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FindingView {
    /// `fail`, `warn`, `skip`.
    pub(super) status: &'static str,
    /// The check.
    pub(super) id: &'static str,
    /// What it claims.
    pub(super) claim: &'static str,
    /// The round concerned.
    pub(super) round: Option<RoundNumber>,
    /// The round's page, seen from the index.
    pub(super) href: Option<String>,
    /// The file or name concerned.
    pub(super) subject: String,
    /// What was found and what was expected.
    pub(super) detail: String,
}

/// A file that is not what it should be.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Damage {
    /// Which.
    pub(super) path: String,
    /// What is wrong with it.
    pub(super) what: String,
}

/// A name and a value of a page's facts.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Fact {
    /// What it is.
    pub(super) label: &'static str,
    /// How much or which.
    pub(super) value: String,
}

/// A fact.
pub(super) fn fact(label: &'static str, value: impl Into<String>) -> Fact {
    Fact { label, value: value.into() }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Pass => "pass",
        Status::Fail => "fail",
        Status::Warn => "warn",
        Status::Skip => "skip",
    }
}

/// A round's page, seen from the index.
pub(super) fn round_page(round: RoundNumber) -> String {
    format!("round-{round}.html")
}

/// A match's page, seen from the index. Both names are checked identifiers: letters and digits.
pub(super) fn match_page(round: RoundNumber, left: &Player, right: &Player) -> String {
    format!("round-{round}/{left}_{right}.html")
}

/// `3 passed, 1 rejected`, leaving out what there is none of.
pub(super) fn tally(parts: &[(usize, &str)], none: &str) -> String {
    let there: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what, what)).collect();
    if there.is_empty() { none.to_owned() } else { there.join(", ") }
}
