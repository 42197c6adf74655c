//! The play: the chain moves to what is due next, and `gen404 advance` does it, until the competition
//! is finished. Where it stands is read from its files each time, so a run that was killed is taken
//! up where it broke off.

use std::sync::Arc;

use super::cast::{Cast, Role};
use super::folder::Folder;
use super::site::Site;
use super::tie;
use crate::error::{Error, Result};
use crate::state::file::{FileKind, RoundFile};
use crate::state::ids::{Block, RoundNumber};
use crate::state::schedule::Schedule;
use crate::state::stage::{CompetitionState, Stage};
use crate::state::store::Store;
use crate::ui::Ui;

/// So many blocks after the window of a round its seed is drawn: what was revealed late is on chain.
const AFTER_WINDOW: u64 = 25;

/// Plays the competition.
pub(super) struct Play<'a> {
    /// What is told.
    pub(super) ui: &'a Ui,
    /// The competition's folder.
    pub(super) folder: &'a Folder,
    /// Who plays.
    pub(super) cast: &'a Cast,
    /// The servers.
    pub(super) site: &'a Arc<Site>,
    /// The competition's files.
    pub(super) store: Store,
}

impl Play<'_> {
    /// Plays until the competition is finished.
    ///
    /// # Errors
    /// A command fails, or nothing happens where something is due.
    pub(super) fn run(&self) -> Result<()> {
        loop {
            let state = self.state()?;
            let round = state.current_round;
            let schedule = self.reveal_all(round)?;
            if state.stage == Stage::Finished {
                self.site.change_chain(|node| node.advance(schedule.generation_deadline_block));
                return Ok(());
            }
            self.builds(round)?;
            let (first, last) = (schedule.earliest_reveal_block.0, schedule.latest_reveal_block.0);
            let drawn = Block(last + AFTER_WINDOW);
            match state.stage {
                Stage::Open => {
                    // Some have revealed by then, others have not.
                    self.advance(Block(first + (last - first.min(last)) * 3 / 4), &[])?;
                    self.advance(drawn, &[])?;
                }
                Stage::MinerGeneration => {
                    self.advance(drawn, &[])?;
                    self.advance(schedule.generation_deadline_block, &["--until", "open"])?;
                }
                Stage::Downloading | Stage::Duels | Stage::Finalizing => {
                    self.advance(schedule.generation_deadline_block, &["--until", "open"])?;
                }
                Stage::Paused => {
                    let held = Error::failed(format!("{}: the competition is paused", self.folder.root.display()));
                    return Err(held.hint("gen404 --commit resume"));
                }
                Stage::Finished => return Ok(()),
            }
            let now = self.state()?;
            if (now.stage, now.current_round) == (state.stage, round) {
                let stuck = Error::failed(format!("round {round} stays in {}, though its time has come", state.stage));
                return Err(stuck.hint("`gen404 status` in the sandbox says what is missing"));
            }
        }
    }

    fn state(&self) -> Result<CompetitionState> {
        self.store.need(&FileKind::State)
    }

    /// Puts on chain all that miners reveal up to this round; the round's schedule.
    ///
    /// # Errors
    /// A schedule is missing.
    pub(super) fn reveal_all(&self, current: RoundNumber) -> Result<Schedule> {
        let mut reveals = Vec::new();
        for round in (0..=current.0).map(RoundNumber) {
            let schedule = self.store.need::<Schedule>(&FileKind::Round(round, RoundFile::Schedule))?;
            for (miner, block) in self.cast.reveals(round, &schedule) {
                reveals.push((miner.hotkey.clone(), block, self.cast.reveal_text(miner, round)?));
            }
        }
        self.site.change_chain(|node| {
            node.reveals.clear();
            reveals.into_iter().for_each(|(hotkey, block, text)| node.reveal(hotkey, block, &text));
        });
        self.store.need(&FileKind::Round(current, RoundFile::Schedule))
    }

    /// What the build service says of a round's programs.
    fn builds(&self, round: RoundNumber) -> Result<()> {
        let mut builds = serde_json::Map::new();
        for (miner, _) in self.cast.players(round) {
            // Not even its image can be built.
            let status = if miner.role == Role::Broken { "failure" } else { "success" };
            builds.insert(miner.hotkey.to_string(), serde_json::json!({"status": status}));
        }
        let text = format!("{:#}\n", serde_json::Value::Object(builds));
        self.folder.write(&self.folder.own("builds.json"), text.as_bytes())
    }

    /// Time passes until `block`, and what is due by then is done.
    fn advance(&self, block: Block, more: &[&str]) -> Result<()> {
        self.site.change_chain(|node| node.advance(block));
        self.ui.detail(&format!("block {block}"));
        let mut command = self.folder.command(block)?;
        command.args(["--commit", "advance"]).args(more);
        let (code, out, err) = tie::outcome(command, "advance")?;
        for line in out.lines() {
            self.ui.status(&format!("block {block}: {line}"));
        }
        err.lines().for_each(|line| self.ui.detail(line));
        if code == Some(0) {
            return Ok(());
        }
        let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        let failed = Error::failed(format!("gen404 advance ended with {code}"));
        let said = err.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" | ");
        Err(failed.because(anyhow::anyhow!(said)).hint("run the sandbox again to go on"))
    }
}
