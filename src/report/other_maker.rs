//! Makes the pages of a competition of splats or of three.js modules: the index, one per round, match and miner.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::Serialize;

use super::data::{self, AuditData, Head, JudgeData, MinerData, RoundData, RoundParts};
use super::folder::Folder;
use super::formats::{Competition, OtherSite, match_view};
use super::index::{Index, RoundRow};
use super::maker::{write_data, write_miners};
use super::other_miners::OtherMiners;
use super::pages::Pages;
use super::site::{round_data, round_page};
use super::text::{Links, OwnFolder};
use super::{splat, threejs};
use crate::base::error::Result;
use crate::model::ids::{Hotkey, RoundNumber};

/// A round's page.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum RoundView {
    Walk(splat::WalkPage),
    Chain(threejs::ChainPage),
}

/// Everything that the pages show.
#[derive(Debug, Serialize)]
pub(crate) struct OtherShown {
    competition: Index,
    rounds: Vec<RoundView>,
}

/// Makes the pages of a report.
pub(crate) struct OtherMaker<'a> {
    /// The contents.
    pub(crate) site: &'a OtherSite<'a>,
    /// The templates.
    pub(crate) pages: &'a Pages,
    /// The target folder.
    pub(crate) out: &'a Folder,
    /// The operator's object folder on this machine.
    pub(crate) own: Option<&'a OwnFolder>,
}

impl OtherMaker<'_> {
    /// Writes the index and the pages of the wanted rounds, calling `seen` after each round. Returns the files written,
    /// and with `keep` also what they show.
    ///
    /// # Errors
    /// A page cannot be made or written.
    pub(crate) fn all(
        &self,
        wanted: &BTreeSet<RoundNumber>,
        miners: &BTreeSet<&Hotkey>,
        keep: bool,
        seen: impl Fn(),
    ) -> Result<(Vec<String>, OtherShown)> {
        let competition = self.site.index();
        let page = self.pages.page("index.html", "", "'none'", &competition)?;
        let mut files = vec![self.out.write("index.html", page.as_bytes())?];
        files.extend(self.data(&competition)?);
        let mut rounds = Vec::new();
        for round in wanted {
            let (view, made) = self.round(*round)?;
            files.extend(made);
            if let Some((row, view)) = competition.rounds.iter().find(|row| row.number == *round).zip(view.as_ref()) {
                files.push(self.round_data(row, view)?);
            }
            rounds.extend(view.filter(|_| keep));
            seen();
        }
        files.extend(write_miners((self.pages, self.out, self.own), miners, || OtherMiners::of(self.site))?);
        Ok((files, OtherShown { competition, rounds }))
    }

    /// Writes the competition's facts as data. Returns the files.
    fn data(&self, index: &Index) -> Result<Vec<String>> {
        let newest = index.rounds.iter().find(|row| row.miners.is_some_and(|miners| miners > 0)).map(|row| row.number);
        let rows = newest.map(|round| self.site.miner_rows(round)).unwrap_or_default();
        let standings = rows.iter().map(|row| MinerData::of_others(row, self.pages)).collect();
        write_data((self.pages, self.out), index, (self.site.block, &self.site.leaders), (newest, standings))
    }

    /// Writes a round's facts as data. Returns the file.
    fn round_data(&self, row: &RoundRow, view: &RoundView) -> Result<String> {
        let (schedule, seed) = self.site.blocks_and_seed(row.number);
        let (prompts, miners, matches, audits) = match view {
            RoundView::Walk(page) => (page.prompts, &page.miners, &page.matches, &[][..]),
            RoundView::Chain(page) => (page.prompts, &page.miners, &page.matches, page.audits.as_slice()),
        };
        let parts = RoundParts {
            prompts,
            win_margin: self.site.win_margin(),
            schedule,
            seed,
            standings: miners.iter().map(|row| MinerData::of_others(row, self.pages)).collect(),
            played: matches.iter().map(Into::into).collect(),
            judge: JudgeData::of(&self.site.played(row.number)),
            audits: audits.iter().map(|audit| AuditData::of(&audit.who.full, audit.outcome, &audit.reason)).collect(),
            verify: self.site.verdicts.counts(row.number),
        };
        let head = Head::of(&self.site.name(), &self.pages.basis);
        self.out.write(&round_data(row.number), &data::bytes(&RoundData::of(head, row, parts))?)
    }

    fn round(&self, number: RoundNumber) -> Result<(Option<RoundView>, Vec<String>)> {
        let links = Links::from(&self.out.path, self.own);
        let (view, template, all) = match self.site.files {
            Competition::Splat(of) => {
                let Some(files) = of.rounds.get(&number) else { return Ok((None, Vec::new())) };
                let all = splat::encounters(number, files);
                let view = RoundView::Walk(splat::page(self.site, of, (number, files), &all));
                (view, "walk.html", all)
            }
            Competition::Threejs(of) => {
                let Some(files) = of.rounds.get(&number) else { return Ok((None, Vec::new())) };
                let all = threejs::encounters(self.site, number, files);
                let view = RoundView::Chain(threejs::page(self.site, of, (number, files), &all));
                (view, "chain.html", all)
            }
        };
        let page = self.pages.page(template, "", &links.sources(), &view)?;
        let mut files = vec![self.out.write(&round_page(number), page.as_bytes())?];
        if !all.is_empty() {
            self.out.make(&format!("round-{number}"))?;
        }
        let folder = self.out.path.join(format!("round-{number}"));
        let one = |at: usize| -> Result<Option<String>> {
            let links = Links::from(&folder, self.own);
            let (Some(one), Some(view)) = (all.get(at), match_view(self.site, number, (&all, at), &links)) else {
                return Ok(None);
            };
            let page = self.pages.page("match.html", "../", &links.sources(), &view)?;
            self.out.write(&one.page, page.as_bytes()).map(Some)
        };
        let made: Vec<Option<String>> = (0..all.len()).into_par_iter().map(one).collect::<Result<_>>()?;
        files.extend(made.into_iter().flatten());
        Ok((Some(view), files))
    }
}
