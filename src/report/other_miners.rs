//! The rounds of a miner of splats or of three.js modules, as its page shows them.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;

use super::formats::{Competition, MinerRow, OtherSite};
use super::miners::{
    self, ByMiner, Ended, Entered, Files, MOST_FILES, Made, Matched, MinerPage, MinerRound, addresses, by_player,
};
use super::text::{LONGEST_ADDRESS, Links, shortened};
use super::threejs_audits::DuelAudit;
use super::{splat, threejs};
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber};
use crate::model::matrix::Matrix;
use crate::model::neutral::{DuelView, SubmissionView};
use crate::model::prompts::PromptList;
use crate::model::refusals::meaning;
use crate::model::splat::leader::SplatLeaders;
use crate::model::splat::snapshot::{SplatPlayer, SplatRound};
use crate::model::threejs::audit_matrix::Opponent;
use crate::model::threejs::snapshot::ThreejsRound;

/// The files of a round, in its format.
#[derive(Clone, Copy)]
enum Round<'a> {
    Splat(&'a SplatRound),
    Threejs(&'a ThreejsRound),
}

impl<'a> Competition<'a> {
    fn of_rounds(self) -> Vec<(RoundNumber, Round<'a>)> {
        match self {
            Competition::Splat(of) => of.rounds.iter().map(|(round, files)| (*round, Round::Splat(files))).collect(),
            Competition::Threejs(of) => {
                of.rounds.iter().map(|(round, files)| (*round, Round::Threejs(files))).collect()
            }
        }
    }

    /// The rounds, and each one's miners.
    pub(super) fn by_round(self) -> Vec<(RoundNumber, BTreeSet<&'a Hotkey>)> {
        self.of_rounds().into_iter().map(|(round, files)| (round, files.miners())).collect()
    }

    /// Every miner with something to show in these rounds, or that led.
    pub(crate) fn miners(self, wanted: impl Fn(RoundNumber) -> bool) -> BTreeSet<&'a Hotkey> {
        let mut miners: BTreeSet<&Hotkey> = match self {
            Competition::Splat(of) => {
                of.leaders.get().into_iter().flat_map(SplatLeaders::entries).map(|entry| &entry.hotkey).collect()
            }
            Competition::Threejs(of) => of.leaders.get().into_iter().flatten().map(|entry| &entry.hotkey).collect(),
        };
        let rounds = self.by_round().into_iter().filter(|(round, _)| wanted(*round));
        miners.extend(rounds.flat_map(|(_, miners)| miners));
        miners
    }
}

impl<'a> Round<'a> {
    fn miners(self) -> BTreeSet<&'a Hotkey> {
        let mut miners = BTreeSet::new();
        match self {
            Round::Splat(files) => {
                miners.extend(files.submissions.get().into_iter().flat_map(|all| all.keys()));
                miners.extend(files.players.keys().filter_map(Player::hotkey));
            }
            Round::Threejs(files) => {
                miners.extend(files.submissions.get().into_iter().flat_map(|all| all.keys()));
                miners.extend(files.generation_audits.get().into_iter().flat_map(|all| all.keys()));
                miners.extend(files.players.keys().filter_map(Player::hotkey));
            }
        }
        miners
    }

    /// The address of a miner's files.
    fn cdn(self, hotkey: &Hotkey) -> Option<&'a str> {
        match self {
            Round::Splat(_) => None,
            Round::Threejs(files) => SubmissionView::from(files.submissions.get()?.get(hotkey)?).cdn_url,
        }
    }

    /// The matches with a report or a row of the matrix; with `linked`, those with a report have pages.
    fn matches(self, linked: bool) -> Vec<Matched<'a>> {
        match self {
            Round::Splat(files) => {
                let report = |(right, own): (&'a Player, &'a SplatPlayer)| {
                    let report = own.duels.get()?;
                    let winners = report.duels.iter().map(|duel| DuelView::from(duel).winner);
                    Some(Matched {
                        left: &report.leader,
                        right,
                        margin: report.margin,
                        counts: Some(miners::counts(winners)),
                        linked,
                    })
                };
                files.players.iter().filter_map(report).collect()
            }
            Round::Threejs(files) => of_threejs(linked, files),
        }
    }

    /// A miner's files.
    fn files(
        self,
        player: &Player,
        prompts: &HashMap<&PromptStem, &str>,
        links: &Links<'_>,
        room: &mut usize,
    ) -> Option<Files> {
        match self {
            Round::Splat(files) => {
                let made = files.players.get(player)?.generations.get()?.iter().map(|(stem, one)| Made {
                    stem,
                    prompt: prompts.get(stem).copied(),
                    model: one.ply.as_deref(),
                    preview: one.png.as_deref().map(Into::into),
                    size: one.size,
                    refused: None,
                    meaning: "",
                });
                Some(miners::files(made, ("generations.json", false), links, room))
            }
            Round::Threejs(files) => {
                let own = files.players.get(player)?;
                let refusals = own.refusals.get();
                let made = own.submitted.get()?.iter().map(|(stem, module)| {
                    // Ours says more than the services' word for it.
                    let refusal = refusals.and_then(|refusals| refusals.get(stem));
                    let told = refusal.map(|refusal| (refusal.code.as_str(), refusal.reason.as_str()));
                    Made {
                        stem,
                        prompt: prompts.get(stem).copied(),
                        model: module.js.as_deref(),
                        preview: module.views.as_deref().map(|views| threejs::grid(views).into()),
                        size: module.size,
                        refused: told.or_else(|| module.failure_reason.as_deref().map(|reason| ("", reason))),
                        meaning: refusal.and_then(|refusal| meaning(&refusal.code)).unwrap_or_default(),
                    }
                });
                Some(miners::files(made, ("submitted.json", refusals.is_some()), links, room))
            }
        }
    }

    /// The prompts, once they are known.
    fn prompts(self) -> Option<&'a PromptList> {
        match self {
            Round::Splat(files) => files.prompts.get(),
            Round::Threejs(files) => files.prompts.get(),
        }
    }

    /// How the round ended, if a miner with an entry has not won it.
    fn ended(self) -> Ended {
        match self {
            Round::Splat(_) => Ended::Unknown,
            Round::Threejs(files) if files.winner.is_missing() => Ended::NotYet,
            Round::Threejs(_) => Ended::Held,
        }
    }

    /// The names of the files in a miner's folder.
    fn names(self, player: &Player) -> Vec<String> {
        match self {
            Round::Splat(_) => vec!["generations.json".to_owned(), "duels.json".to_owned()],
            Round::Threejs(files) => {
                let runs = files.players.get(player).into_iter().flat_map(|own| own.generated.keys());
                let runs = runs.map(|run| format!("generated_{run}.json"));
                let first = ["submitted.json", "generated.json"].map(str::to_owned).into_iter();
                first.chain(runs).chain(["pod_stats.json".to_owned()]).collect()
            }
        }
    }
}

/// The matches of a round of three.js modules; of several reports on one match, the first counts.
fn of_threejs(linked: bool, files: &ThreejsRound) -> Vec<Matched<'_>> {
    let mut reports = HashMap::new();
    for (right, own) in &files.players {
        for report in own.duels.values().filter_map(|slot| slot.get()) {
            if let Opponent::Holder(left) = &report.left {
                reports.entry((left, right)).or_insert(report);
            }
        }
    }
    let mut all: Vec<Matched<'_>> = Vec::new();
    for ((left, right), margin) in files.matrix.get().into_iter().flat_map(|matrix: &Matrix| &matrix.0) {
        if !reports.contains_key(&(left, right)) {
            all.push(Matched { left, right, margin: *margin, counts: None, linked: false });
        }
    }
    all.extend(reports.into_iter().map(|((left, right), report)| Matched {
        left,
        right,
        margin: report.margin,
        counts: Some(miners::counts(report.duels.iter().map(|duel| duel.winner))),
        linked,
    }));
    all
}

/// The competition, sorted by miner.
pub(super) struct OtherMiners<'a> {
    site: &'a OtherSite<'a>,
    rounds: Vec<RoundByMiner<'a>>,
}

struct RoundByMiner<'a> {
    number: RoundNumber,
    files: Round<'a>,
    ended: Ended,
    /// The addresses of the prompts' pictures.
    prompts: HashMap<&'a PromptStem, &'a str>,
    entries: HashMap<String, Entered>,
    audits: HashMap<String, DuelAudit>,
    matches: HashMap<&'a Player, Vec<Matched<'a>>>,
}

impl<'a> OtherMiners<'a> {
    /// Sorts the rounds, newest first.
    pub(super) fn of(site: &'a OtherSite<'a>) -> Self {
        let mut rounds: Vec<_> = site.files.of_rounds();
        rounds.reverse();
        let round = |(number, files): (RoundNumber, Round<'a>)| {
            let (rows, audits) = match (site.files, files) {
                (Competition::Splat(of), Round::Splat(files)) => {
                    (splat::rows_of(site, of, (number, files)), Vec::new())
                }
                (Competition::Threejs(of), Round::Threejs(files)) => threejs::rows_of(site, of, (number, files)),
                _ => (Vec::new(), Vec::new()),
            };
            let linked = site.verdicts.linked.contains(&number);
            let audits = audits.into_iter().map(|audit| if linked { audit } else { audit.unlinked() });
            let is_taken = rows.iter().any(|row| row.tag == "winner");
            RoundByMiner {
                number,
                files,
                ended: if is_taken { Ended::Taken } else { files.ended() },
                prompts: files.prompts().map(addresses).unwrap_or_default(),
                entries: rows.iter().map(|row| (row.who.full.clone(), Entered::from(row))).collect(),
                audits: audits.map(|audit| (audit.who.full.clone(), audit)).collect(),
                matches: by_player(files.matches(linked)),
            }
        };
        OtherMiners { site, rounds: rounds.into_par_iter().map(round).collect() }
    }
}

impl ByMiner for OtherMiners<'_> {
    fn page(&self, hotkey: &Hotkey, links: &Links<'_>) -> MinerPage {
        let player = Player::Miner(hotkey.clone());
        let mut room = MOST_FILES;
        let round = |round: &RoundByMiner<'_>| round.view(self.site, (hotkey, &player), links, &mut room);
        let rounds: Vec<MinerRound> = self.rounds.iter().filter_map(round).collect();
        miners::page(self.site.name(), hotkey, &self.site.leaders, rounds)
    }
}

impl RoundByMiner<'_> {
    /// The miner's round; `None` if it was not in it.
    fn view(
        &self,
        site: &OtherSite<'_>,
        (hotkey, player): (&Hotkey, &Player),
        links: &Links<'_>,
        room: &mut usize,
    ) -> Option<MinerRound> {
        let entry = self.entries.get(hotkey.as_str()).cloned();
        let files = self.files.files(player, &self.prompts, links, room);
        let matches = self.matches.get(player).map(Vec::as_slice).unwrap_or_default();
        let runs = self.audits.get(hotkey.as_str()).cloned();
        if entry.is_none() && files.is_none() && matches.is_empty() && runs.is_none() {
            return None;
        }
        let cdn = self.files.cdn(hotkey).map(|url| (shortened(url, LONGEST_ADDRESS), links.to(url)));
        Some(MinerRound {
            number: self.number,
            href: site.verdicts.page(Some(self.number)),
            ended: self.ended,
            entry,
            cdn,
            files,
            matches: matches.iter().map(|one| one.played(player, self.number, site.win_margin())).collect(),
            audit: None,
            // The audit has the reading of the source.
            readings: Vec::new(),
            runs,
            sources: self
                .files
                .names(player)
                .iter()
                .map(|name| format!("rounds/{}/{hotkey}/{name}", self.number))
                .collect(),
        })
    }
}

impl From<&MinerRow> for Entered {
    fn from(row: &MinerRow) -> Entered {
        Entered {
            rank: None,
            tag: row.tag,
            repo: row.repo.clone(),
            source: row.source.clone(),
            commit: row.commit.clone(),
            build: row.build,
            hardware: row.hardware.clone(),
            block: row.block.1.clone(),
        }
    }
}
