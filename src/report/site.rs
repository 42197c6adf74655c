//! What all pages are made from, the pages' names, and findings in readable form.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::data::Objections;
use super::index;
use super::text::{clean, counted, shortened};
use crate::model::config::Settings;
use crate::model::ids::{Block, Player, RoundNumber};
use crate::model::leader::{LeaderEntry, leader_at};
use crate::model::snapshot::{Problem, Slot, Snapshot, Trouble};
use crate::rules::Thresholds;
use crate::rules::checks::in_force::InForce;
use crate::rules::checks::{CheckStatus, Finding, IDS};

/// Longest detail of a finding, in characters; `gen404 verify` shows the rest.
const LONGEST_DETAIL: usize = 700;

/// Most findings or files listed on a page; `gen404 verify` shows the rest.
const MOST_LISTED: usize = 1000;

/// A competition with the findings of `verify`.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    /// The files.
    pub(crate) snapshot: &'a Snapshot,
    /// The rules in force for each claim.
    pub(crate) rules: &'a InForce,
    /// The chain's block, if given.
    pub(crate) block: Option<Block>,
    /// What `verify` found.
    pub(crate) verdicts: Verdicts<'a>,
}

/// What `verify` found, by round.
#[derive(Debug)]
pub(crate) struct Verdicts<'a> {
    /// Every finding, passes included.
    pub(crate) findings: &'a [Finding],
    /// Each round's findings that are not passes.
    of_round: BTreeMap<RoundNumber, Vec<&'a Finding>>,
    /// Broken or misplaced files.
    all_problems: &'a [Problem],
    /// Each round's.
    problems: BTreeMap<RoundNumber, Vec<&'a Problem>>,
    /// The rounds with pages; others are shown without a link.
    pub(crate) linked: BTreeSet<RoundNumber>,
}

impl<'a> Site<'a> {
    /// The current limits of the rules.
    pub(crate) fn limits(&self) -> &'a Thresholds {
        &self.rules.now
    }

    /// The settings, if they can be read.
    pub(crate) fn settings(&self) -> Option<&'a Settings> {
        self.snapshot.config.get().map(|config| &config.settings)
    }

    /// The competition's name.
    pub(crate) fn name(&self) -> String {
        self.settings().map_or_else(|| "A competition without settings".to_owned(), |settings| clean(&settings.name))
    }

    /// The margin needed to win; the default if config.json cannot be read.
    pub(crate) fn win_margin(&self) -> f64 {
        self.settings().map_or(0.05, |settings| settings.win_margin)
    }

    /// The rules in force, in words.
    pub(crate) fn rules_in_force(&self) -> Vec<String> {
        index::rules(self)
    }

    /// Who led when this round began: the defender called `leader`.
    pub(crate) fn leader_of(&self, round: RoundNumber) -> Option<&'a LeaderEntry> {
        let latest = self.snapshot.rounds.get(&round)?.schedule.get()?.latest_reveal_block;
        self.leader_from(latest)
    }

    fn leader_from(&self, block: Block) -> Option<&'a LeaderEntry> {
        leader_at(self.snapshot.leaders.get()?, block)
    }

    /// As [`Verdicts::damage`]; of the competition, what is missing as well.
    pub(crate) fn damage(&self, round: Option<RoundNumber>) -> Vec<Damage> {
        let mut damage = self.verdicts.damage(round);
        if round.is_none() {
            damage.extend(self.missing());
        }
        damage
    }

    /// Missing files without which there is little to show.
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
        missing(files)
    }
}

/// Which of these files are missing.
pub(crate) fn missing(files: [(&'static str, bool); 3]) -> impl Iterator<Item = Damage> {
    let missing =
        |(path, gone): (&str, bool)| gone.then(|| Damage { path: path.to_owned(), what: "is missing".to_owned() });
    files.into_iter().filter_map(missing)
}

impl<'a> Verdicts<'a> {
    /// Sorts findings and problems by round.
    pub(crate) fn of(findings: &'a [Finding], problems: &'a [Problem], linked: BTreeSet<RoundNumber>) -> Self {
        let objections = findings.iter().filter(|finding| finding.status != CheckStatus::Pass);
        Verdicts {
            findings,
            of_round: by_round(objections, |finding| finding.round),
            all_problems: problems,
            problems: by_round(problems, |problem| problem.round),
            linked,
        }
    }

    /// The page of a round, if there is one.
    pub(crate) fn page(&self, round: Option<RoundNumber>) -> Option<String> {
        round.filter(|round| self.linked.contains(round)).map(round_page)
    }

    /// The findings that are not passes, fails first; only one round's if given.
    pub(crate) fn objections(&self, round: Option<RoundNumber>) -> Vec<FindingView> {
        let mut objections: Vec<&Finding> = match round {
            Some(round) => self.of_round.get(&round).cloned().unwrap_or_default(),
            None => self.findings.iter().filter(|finding| finding.status != CheckStatus::Pass).collect(),
        };
        objections.sort_by_key(|finding| (finding.status, finding.round));
        let more = objections.len().saturating_sub(MOST_LISTED);
        let mut listed: Vec<_> =
            objections.into_iter().take(MOST_LISTED).map(|finding| self.finding(finding)).collect();
        listed.extend((more > 0).then(|| FindingView {
            status: listed.last().map_or("fail", |last| last.status),
            id: "",
            claim: "",
            round,
            href: None,
            subject: format!("{more} more"),
            detail: "gen404 verify has them all".to_owned(),
        }));
        listed
    }

    /// The number of a round's claims that fail.
    pub(crate) fn fails(&self, round: RoundNumber) -> usize {
        let findings = self.of_round.get(&round).into_iter().flatten();
        findings.filter(|finding| finding.status == CheckStatus::Fail).count()
    }

    /// How many findings of a round are of each status but a pass.
    pub(super) fn counts(&self, round: RoundNumber) -> Objections {
        let mut counts = Objections::default();
        for finding in self.of_round.get(&round).into_iter().flatten() {
            match finding.status {
                CheckStatus::Fail => counts.fail += 1,
                CheckStatus::Warn => counts.warn += 1,
                CheckStatus::Skip => counts.skip += 1,
                CheckStatus::Pass => {}
            }
        }
        counts
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

    /// Files that are unreadable, broken or misplaced; only one round's if given.
    pub(crate) fn damage(&self, round: Option<RoundNumber>) -> Vec<Damage> {
        let problems: Vec<&Problem> = match round {
            Some(round) => self.problems.get(&round).cloned().unwrap_or_default(),
            None => self.all_problems.iter().collect(),
        };
        problems
            .into_iter()
            .filter_map(|problem| {
                let what = match &problem.what {
                    Trouble::Parse(error) => format!("does not parse: {error}"),
                    Trouble::Unreadable(why) => format!("cannot be read: {why}"),
                    Trouble::Stray(why) => format!("does not belong here: {why}"),
                    Trouble::Layout { .. } => return None,
                };
                Some(Damage { path: clean(&problem.path), what: clean(&what) })
            })
            .take(MOST_LISTED)
            .collect()
    }
}

/// Groups items by round.
fn by_round<'a, T>(
    all: impl IntoIterator<Item = &'a T>,
    round: impl Fn(&T) -> Option<RoundNumber>,
) -> BTreeMap<RoundNumber, Vec<&'a T>> {
    let mut sorted: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in all {
        if let Some(round) = round(one) {
            sorted.entry(round).or_default().push(one);
        }
    }
    sorted
}

/// A finding as a page shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FindingView {
    /// `fail`, `warn`, `skip`.
    pub(crate) status: &'static str,
    /// The check.
    pub(crate) id: &'static str,
    /// What it claims.
    pub(crate) claim: &'static str,
    /// The round concerned.
    pub(crate) round: Option<RoundNumber>,
    /// The round's page, relative to the index.
    pub(crate) href: Option<String>,
    /// The file or name concerned.
    pub(crate) subject: String,
    /// What was found and what was expected.
    pub(crate) detail: String,
}

/// A damaged or missing file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Damage {
    /// Its path.
    pub(crate) path: String,
    /// The problem.
    pub(crate) what: String,
}

/// A name and a value of a page's facts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fact {
    /// What it is.
    pub(crate) label: &'static str,
    /// How much or which.
    pub(crate) value: String,
}

/// A fact.
pub(crate) fn fact(label: &'static str, value: impl Into<String>) -> Fact {
    Fact { label, value: value.into() }
}

fn status_name(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "pass",
        CheckStatus::Fail => "fail",
        CheckStatus::Warn => "warn",
        CheckStatus::Skip => "skip",
    }
}

/// A round's page, relative to the index.
pub(crate) fn round_page(round: RoundNumber) -> String {
    format!("round-{round}.html")
}

/// A round's facts as data, relative to the index.
pub(crate) fn round_data(round: RoundNumber) -> String {
    format!("round-{round}.json")
}

/// A match's page, relative to the index. Both names are validated identifiers, so they are safe in a path.
pub(crate) fn match_page(round: RoundNumber, left: &Player, right: &Player) -> String {
    format!("round-{round}/{left}_{right}.html")
}

/// `3 passed, 1 rejected`, omitting zero counts.
pub(crate) fn tally(parts: &[(usize, &str)], none: &str) -> String {
    let there: Vec<_> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(*count, what, what)).collect();
    if there.is_empty() { none.to_owned() } else { there.join(", ") }
}
