//! Makes the pages: the index, one per round, one per match, one per miner.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;

use super::data::{
    self, AuditData, Head, JudgeData, LeaderData, MinerData, RoundData, RoundParts, ScheduleData, StandingsData,
    StatusData,
};
use super::feed;
use super::folder::Folder;
use super::heat;
use super::index::{self, Index};
use super::miner_rounds::MeshMiners;
use super::miners::{ByMiner, FOLDER, miner_page};
use super::pages::Pages;
use super::{matches, round, site, text};
use crate::base::error::{Error, Result};
use crate::model::ids::{Block, Hotkey, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::snapshot::RoundFiles;
use crate::rules::certainty::rounds::of_meshes;

/// Most pages made at a time: 50 rounds of 1,000 matches, or fewer with their miners.
const MOST_PAGES: usize = 50_000;

/// Fails if there are too many pages. A page takes about 30 kB, so a hostile competition could fill the disk.
/// `rounds` has each round's number of reports of matches; `miners` have a page each.
pub(crate) fn few_pages(
    rounds: &BTreeMap<RoundNumber, usize>,
    wanted: &BTreeSet<RoundNumber>,
    miners: usize,
) -> Result<()> {
    let matches: usize = wanted.iter().filter_map(|round| rounds.get(round)).sum();
    let pages = matches + wanted.len() + miners;
    if pages <= MOST_PAGES {
        return Ok(());
    }
    let many = Error::failed(format!("a report of {pages} pages: at most {MOST_PAGES} are made at a time"));
    Err(many.hint("--only ROUND makes one round's"))
}

/// Makes the pages of a report.
pub(crate) struct Maker<'a> {
    /// The contents.
    pub(crate) site: &'a site::Site<'a>,
    /// The templates.
    pub(crate) pages: &'a Pages,
    /// The target folder.
    pub(crate) out: &'a Folder,
    /// The operator's object folder on this machine.
    pub(crate) own: Option<&'a text::OwnFolder>,
}

/// Everything that the pages show.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    competition: Index,
    rounds: Vec<round::RoundPage>,
}

impl Maker<'_> {
    /// Writes the index, the pages of the wanted rounds and those of these miners, calling `seen` after each round. Returns the files written,
    /// and with `keep` also what they show.
    pub(crate) fn all(
        &self,
        wanted: &BTreeSet<RoundNumber>,
        miners: &BTreeSet<&Hotkey>,
        keep: bool,
        seen: impl Fn(),
    ) -> Result<(Vec<String>, Shown)> {
        let competition = index::index(self.site);
        let page = self.pages.page("index.html", "", "'none'", &competition)?;
        let mut files = vec![self.out.write("index.html", page.as_bytes())?];
        files.extend(self.data(&competition)?);
        let mut rounds = Vec::new();
        for round in wanted {
            let (view, made) = self.round(*round)?;
            files.extend(made);
            if let Some(row) = competition.rounds.iter().find(|row| row.number == *round) {
                files.push(self.round_data(row, &view)?);
            }
            // Without `keep`, drop the view to save memory.
            rounds.extend(keep.then_some(view));
            seen();
        }
        files.extend(write_miners((self.pages, self.out, self.own), miners, || MeshMiners::of(self.site))?);
        Ok((files, Shown { competition, rounds }))
    }

    /// Writes the competition's facts as data. Returns the files.
    fn data(&self, index: &Index) -> Result<Vec<String>> {
        let entries = self.site.snapshot.leaders.get().map(Vec::as_slice).unwrap_or_default();
        let has_miners = |(_, files): &(_, &RoundFiles)| files.submissions.get().is_some_and(|all| !all.is_empty());
        let newest = self.site.snapshot.rounds.iter().rev().find(has_miners);
        let rows = newest.map(|(round, files)| heat::standings(self.site, *round, files)).unwrap_or_default();
        let standings = rows.iter().map(|row| MinerData::of_meshes(row, self.pages)).collect();
        let standings = (newest.map(|(round, _)| *round), standings);
        write_data((self.pages, self.out), index, (self.site.block, entries), standings)
    }

    /// Writes a round's facts as data. Returns the file.
    fn round_data(&self, row: &index::RoundRow, view: &round::RoundPage) -> Result<String> {
        let files = self.site.snapshot.rounds.get(&row.number);
        let schedule = files.and_then(|files| files.schedule.get()).map(|schedule| ScheduleData {
            earliest_reveal_block: schedule.earliest_reveal_block,
            latest_reveal_block: schedule.latest_reveal_block,
            generation_deadline_block: Some(schedule.generation_deadline_block),
        });
        let audits = view.audits.iter().filter(|audit| audit.outcome != "baseline");
        let parts = RoundParts {
            prompts: view.prompts,
            win_margin: self.site.win_margin(),
            schedule,
            seed: files.and_then(|files| files.seed.get()).map(|seed| seed.seed.0),
            standings: view.standings.iter().map(|row| MinerData::of_meshes(row, self.pages)).collect(),
            played: view.matches.iter().map(Into::into).collect(),
            judge: JudgeData::of(&of_meshes(self.site.snapshot, self.site.rules, Some(row.number))),
            audits: audits.map(|audit| AuditData::of(&audit.who.full, audit.outcome, &audit.reason)).collect(),
            verify: self.site.verdicts.counts(row.number),
        };
        let head = Head::of(&self.site.name(), &self.pages.basis);
        self.out.write(&site::round_data(row.number), &data::bytes(&RoundData::of(head, row, parts))?)
    }

    /// Writes a round's page and those of its matches. Returns the round's view and the files.
    fn round(&self, number: RoundNumber) -> Result<(round::RoundPage, Vec<String>)> {
        let none = RoundFiles::default();
        let files = self.site.snapshot.rounds.get(&number).unwrap_or(&none);
        let links = text::Links::from(&self.out.path, self.own);
        let view = round::round(self.site, number, files, &links);
        let page = self.pages.page("round.html", "", &links.sources(), &view)?;
        let own = self.out.write(&site::round_page(number), page.as_bytes())?;
        let pairs = round::pairs(files);
        if !pairs.is_empty() {
            self.out.make(&format!("round-{number}"))?;
        }
        let folder = self.out.path.join(format!("round-{number}"));
        let page = |at: usize| -> Result<Option<String>> {
            let links = text::Links::from(&folder, self.own);
            let Some(view) = matches::view(self.site, number, (&pairs, at), &links) else { return Ok(None) };
            let Some((left, right, _)) = pairs.get(at) else { return Ok(None) };
            let page = self.pages.page("match.html", "../", &links.sources(), &view)?;
            self.out.write(&site::match_page(number, left, right), page.as_bytes()).map(Some)
        };
        let made: Vec<Option<String>> = (0..pairs.len()).into_par_iter().map(page).collect::<Result<_>>()?;
        Ok((view, std::iter::once(own).chain(made.into_iter().flatten()).collect()))
    }
}

/// Writes the pages of these miners; `sorted` sorts the competition by miner, once there are any. Returns the files.
pub(super) fn write_miners<M: ByMiner>(
    (pages, out, own): (&Pages, &Folder, Option<&text::OwnFolder>),
    miners: &BTreeSet<&Hotkey>,
    sorted: impl FnOnce() -> M,
) -> Result<Vec<String>> {
    if miners.is_empty() {
        return Ok(Vec::new());
    }
    out.make(FOLDER)?;
    let (folder, by_miner) = (out.path.join(FOLDER), sorted());
    let page = |hotkey: &&Hotkey| {
        let links = text::Links::from(&folder, own);
        let view = by_miner.page(hotkey, &links);
        let page = pages.page("miner.html", "../", &links.sources(), &view)?;
        out.write(&miner_page(hotkey.as_str()), page.as_bytes())
    };
    miners.par_iter().map(page).collect()
}

/// Writes the facts of a competition as data: where it stands, who leads, the standings of its newest round with miners,
/// and what happened. Returns the files.
pub(super) fn write_data(
    (pages, out): (&Pages, &Folder),
    index: &Index,
    (block, leaders): (Option<Block>, &[LeaderEntry]),
    (round, standings): (Option<RoundNumber>, Vec<MinerData>),
) -> Result<Vec<String>> {
    let head = Head::of(&index.name, &pages.basis);
    let status = StatusData::of(head.clone(), index, &pages.basis);
    let leader = LeaderData::of(head.clone(), block, leaders, &index.leaders);
    let mut files = vec![
        out.write("status.json", &data::bytes(&status)?)?,
        out.write("leader.json", &data::bytes(&leader)?)?,
        out.write("standings.json", &data::bytes(&StandingsData { head, round, standings })?)?,
    ];
    if let Some(feed) = feed::feed(index, &pages.basis)? {
        files.push(out.write("feed.xml", &feed)?);
    }
    Ok(files)
}
