//! The rounds of a miner of meshes, as its page shows them.

use std::collections::{BTreeSet, HashMap};

use super::audits::{AuditView, audits};
use super::heat::{StandingRow, standings};
use super::miners::{
    self, ByMiner, Ended, Entered, Files, MOST_FILES, Made, Matched, MinerPage, MinerRound, addresses, by_player,
};
use super::round::pairs;
use super::site::Site;
use super::text::{LONGEST_ADDRESS, Links, Who, clean, shortened};
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber};
use crate::model::outputs::Output;
use crate::model::refusals::meaning;
use crate::model::report::MatchReport;
use crate::model::snapshot::{PlayerFiles, RoundFiles, Snapshot};
use crate::model::source_audit::SourceVerdict;
use crate::model::winner::Winner;

/// Every miner with something to show in these rounds, or that led.
pub(crate) fn miners(snapshot: &Snapshot, wanted: impl Fn(RoundNumber) -> bool) -> BTreeSet<&Hotkey> {
    let leaders = snapshot.leaders.get().into_iter().flatten().map(|entry| &entry.hotkey);
    let rounds = snapshot.rounds.iter().filter(|(round, _)| wanted(**round));
    rounds.flat_map(|(_, files)| of_round(files)).chain(leaders).collect()
}

/// The miners of a round.
pub(super) fn of_round(files: &RoundFiles) -> impl Iterator<Item = &Hotkey> {
    let submitted = files.submissions.get().into_iter().flat_map(|submissions| submissions.keys());
    let audited = files.generation_audits.get().into_iter().flat_map(|audits| audits.keys());
    submitted.chain(audited).chain(files.players.keys().filter_map(Player::hotkey))
}

/// The competition, sorted by miner.
pub(super) struct MeshMiners<'a> {
    site: &'a Site<'a>,
    rounds: Vec<RoundByMiner<'a>>,
}

struct RoundByMiner<'a> {
    number: RoundNumber,
    files: &'a RoundFiles,
    standings: HashMap<String, StandingRow>,
    /// How many miners have a rank.
    ranked: usize,
    /// The addresses of the prompts' pictures.
    prompts: HashMap<&'a PromptStem, &'a str>,
    audits: HashMap<String, AuditView>,
    matches: HashMap<&'a Player, Vec<Matched<'a>>>,
}

impl<'a> MeshMiners<'a> {
    /// Sorts the rounds, newest first.
    pub(super) fn of(site: &'a Site<'a>) -> Self {
        let by_name = |who: &Who| who.full.clone();
        let round = |(number, files): (&RoundNumber, &'a RoundFiles)| {
            let standings = standings(site, *number, files);
            RoundByMiner {
                number: *number,
                files,
                ranked: standings.iter().filter(|row| row.rank.is_some()).count(),
                standings: standings.into_iter().map(|row| (by_name(&row.who), row)).collect(),
                prompts: files.prompts.get().map(addresses).unwrap_or_default(),
                audits: audits(site, files).into_iter().map(|audit| (by_name(&audit.who), audit)).collect(),
                matches: by_player(matches(site, *number, files)),
            }
        };
        MeshMiners { site, rounds: site.snapshot.rounds.iter().rev().map(round).collect() }
    }
}

impl ByMiner for MeshMiners<'_> {
    fn page(&self, hotkey: &Hotkey, links: &Links<'_>) -> MinerPage {
        let player = Player::Miner(hotkey.clone());
        let mut room = MOST_FILES;
        let round = |round: &RoundByMiner<'_>| round.view(self.site, (hotkey, &player), links, &mut room);
        let rounds: Vec<MinerRound> = self.rounds.iter().filter_map(round).collect();
        let leaders = self.site.snapshot.leaders.get().map(Vec::as_slice).unwrap_or_default();
        miners::page(self.site.name(), hotkey, leaders, rounds)
    }
}

/// The matches of a round: those of the matrix, and reports that are not in it.
fn matches<'a>(site: &Site<'_>, round: RoundNumber, files: &'a RoundFiles) -> Vec<Matched<'a>> {
    let mut reports: HashMap<(&Player, &Player), &MatchReport> = HashMap::new();
    for (left, right, report) in pairs(files) {
        reports.entry((left, right)).or_insert(report);
    }
    let linked = site.verdicts.linked.contains(&round);
    let matched = |(left, right): (&'a Player, &'a Player), margin, report: Option<&MatchReport>| Matched {
        left,
        right,
        margin,
        counts: report.map(|report| miners::counts(report.duels.iter().map(|duel| duel.winner))),
        linked: linked && report.is_some(),
    };
    let rows = files.matrix.get().into_iter().flat_map(|matrix| &matrix.0);
    let mut all: Vec<Matched<'_>> =
        rows.map(|((left, right), margin)| matched((left, right), *margin, reports.remove(&(left, right)))).collect();
    all.extend(reports.into_iter().map(|(sides, report)| matched(sides, report.margin, Some(report))));
    all
}

impl RoundByMiner<'_> {
    /// The miner's round; `None` if it was not in it.
    fn view(
        &self,
        site: &Site<'_>,
        (hotkey, player): (&Hotkey, &Player),
        links: &Links<'_>,
        room: &mut usize,
    ) -> Option<MinerRound> {
        let submission = self.files.submissions.get().and_then(|submissions| submissions.get(hotkey));
        let own = self.files.players.get(player);
        let matches = self.matches.get(player).map(Vec::as_slice).unwrap_or_default();
        let audit = self.audits.get(hotkey.as_str());
        if submission.is_none() && own.is_none() && matches.is_empty() && audit.is_none() {
            return None;
        }
        let read = self.files.source_audit.get().into_iter().flatten().filter(|one| one.hotkey == *hotkey);
        let verdict = |verdict| if verdict == SourceVerdict::Failed { "failed" } else { "passed" };
        let folder = format!("rounds/{}/{hotkey}", self.number);
        Some(MinerRound {
            number: self.number,
            href: site.verdicts.page(Some(self.number)),
            ended: Ended::by(self.files.winner.get().map(Winner::player)),
            entry: self.standings.get(hotkey.as_str()).map(|row| entered(row, self.ranked)),
            cdn: submission.map(|own| (shortened(&own.cdn_url, LONGEST_ADDRESS), links.to(&own.cdn_url))),
            files: own.and_then(|own| files(own, &self.prompts, links, room)),
            matches: matches.iter().map(|one| one.played(player, self.number, site.win_margin())).collect(),
            audit: audit.cloned(),
            runs: None,
            readings: read.map(|one| (verdict(one.verdict), clean(&one.reason))).collect(),
            sources: ["submitted.json", "refusals.json", "generated.json", "SHA256SUMS"]
                .map(|name| format!("{folder}/{name}"))
                .into(),
        })
    }
}

/// What a miner entered, by its row of the standings, in which so many miners have a rank.
fn entered(row: &StandingRow, ranked: usize) -> Entered {
    Entered {
        rank: row.rank.map(|rank| (rank, ranked)),
        tag: row.tag,
        repo: row.repo.clone(),
        source: row.source.clone(),
        commit: row.commit.clone(),
        build: row.build,
        hardware: String::new(),
        block: row.block.1.clone(),
    }
}

/// The files of `submitted.json`.
fn files(
    own: &PlayerFiles,
    prompts: &HashMap<&PromptStem, &str>,
    links: &Links<'_>,
    room: &mut usize,
) -> Option<Files> {
    let outputs = own.submitted.get()?;
    let made = outputs.iter().map(|(stem, output): (_, &Output)| {
        let refused = own.refusals.get().and_then(|refusals| refusals.get(stem));
        Made {
            stem,
            prompt: prompts.get(stem).copied(),
            model: output.model.as_deref(),
            preview: output.png.as_deref().map(Into::into),
            size: output.size,
            refused: refused.map(|refused| (refused.code.as_str(), refused.reason.as_str())),
            meaning: refused.and_then(|refused| meaning(&refused.code)).unwrap_or_default(),
        }
    });
    Some(miners::files(made, ("submitted.json", true), links, room))
}
