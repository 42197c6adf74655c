//! Plays a competition: moves the chain to the next due block and runs `gen404 advance`, until the competition is
//! finished. Its state is read from its files each time, so a killed run resumes where it stopped.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::child_guard::{self, CapturedOutput, called};
use super::clock::{RoundStage, amid_reveals, drawing, reveal_all, schedule};
use super::folder::SandboxFolder;
use super::judge::JudgeMode;
use super::lie;
use super::participants::Participants;
use super::site::SandboxSite;
use super::threejs;
use crate::base::error::{Error, Result};
use crate::base::text::{counted, in_shell};
use crate::model::file::FileKind;
use crate::model::format::Format;
use crate::model::ids::{Block, RoundNumber};
use crate::model::record::Extra;
use crate::model::snapshot::Source as _;
use crate::model::source_audit::{SourceAudit, SourceAudits, SourceVerdict};
use crate::model::stage::{CompetitionState, Stage, round_in};
use crate::model::store::{FileWrite, Store};
use crate::model::threejs::audits::{DuelAuditRequest, DuelAuditRequests};
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::rules::stage_table::{End, row};
use crate::ui::Ui;
use crate::world::git::Git;
use crate::world::stop::Stop;

/// How often the files are checked for changes made by hand.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Plays the competition.
pub(crate) struct Runner<'a> {
    /// The terminal.
    pub(crate) ui: &'a Ui,
    /// The competition's folder.
    pub(crate) folder: &'a SandboxFolder,
    /// The participants.
    pub(crate) participants: &'a Participants,
    /// The servers.
    pub(crate) site: &'a Arc<SandboxSite>,
    /// The competition's files.
    pub(crate) store: Store,
}

impl Runner<'_> {
    /// Plays until the competition is finished.
    ///
    /// # Errors
    /// A command fails, or the competition does not move when something is due.
    pub(crate) fn run(&self) -> Result<()> {
        loop {
            let state = self.state()?;
            let round = state.current_round;
            let schedule = schedule(&self.store, round)?;
            self.site.change_chain(|node| reveal_all(&self.store, self.participants, round, node))?;
            let end = row(state.stage).end;
            if end == End::Never {
                self.site.change_chain(|node| node.advance(schedule.generation_deadline_block));
                return Ok(());
            }
            let drawn = drawing(&schedule);
            match end {
                End::Reveals => {
                    self.advance(amid_reveals(&schedule), &[])?;
                    self.advance(drawn, &[])?;
                }
                End::Deadline if self.lies_in(round) => {
                    self.advance(drawn, &[])?;
                    self.advance(schedule.generation_deadline_block, &["--until", "duels"])?;
                }
                End::Work if self.lies_in(round) && state.stage == Stage::Duels && !self.has_matches(round)? => {
                    self.lie(schedule.generation_deadline_block, round)?;
                    self.advance(schedule.generation_deadline_block, &["--until", "open"])?;
                }
                End::Deadline => {
                    self.advance(drawn, &[])?;
                    self.advance(schedule.generation_deadline_block, &["--until", "open"])?;
                }
                End::Work => {
                    self.advance(schedule.generation_deadline_block, &["--until", "open"])?;
                }
                End::Hand => {
                    let held = Error::failed(format!("{}: the competition is paused", self.folder.root.display()));
                    return Err(held.hint("gen404 --commit resume"));
                }
                End::Never => return Ok(()),
            }
            let now = self.state()?;
            if (now.stage, now.current_round) == (state.stage, round) {
                if self.read_sources(schedule.generation_deadline_block, round)? {
                    continue;
                }
                let stuck = Error::failed(format!("round {round} is stuck in {}, although more is due", state.stage));
                return Err(stuck.hint("`gen404 status` in the sandbox says what is missing"));
            }
        }
    }

    /// Leaves the commands to the user and reports each change of stage, until a stop signal.
    ///
    /// # Errors
    /// The competition's files cannot be read.
    pub(crate) fn follow(&self, stop: &Stop) -> Result<()> {
        let (place, program) = (in_shell(&self.folder.root.display().to_string()), called());
        self.ui.status(&format!("now in another terminal: cd {place}; {program} status (here, Ctrl-C ends it)"));
        let mut told = None;
        while !stop.is_wanted() {
            let now = match RoundStage::of(&self.store) {
                Ok(now) => Some(now),
                // It may be written by hand: what was last read goes on until it can be read again.
                Err(error) => {
                    self.ui.warn_once(&format!("{error}; the sandbox goes on as before until it can be read"));
                    stop.sleep(LOOK_AGAIN);
                    continue;
                }
            };
            if let Some(RoundStage { round, stage, block, waits_for }) = now.as_ref().filter(|_| told != now) {
                let block = block.map_or(String::new(), |block| format!(", block {block}"));
                let waits = waits_for.map_or(String::new(), |deadline| {
                    format!("; the deadline, block {deadline}, comes once `{program} baseline` has run")
                });
                self.ui.status(&format!("{}{block}{waits}", round_in(*round, *stage)));
            }
            told = now;
            stop.sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Runs a command to its end, and shows what the servers answer meanwhile.
    fn watched(&self, command: Command) -> Result<CapturedOutput> {
        let mut display = self.ui.activity();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| child_guard::outcome(command, "advance"));
            while !running.is_finished() {
                // Its files may be half a step behind: a display can do without them.
                let place = RoundStage::of(&self.store).map(|now| format!("round {}, {}: ", now.round, now.stage));
                display.tick(&format!("{}{}", place.unwrap_or_default(), self.site.traffic()));
                std::thread::sleep(LOOK_AGAIN);
            }
            running.join().unwrap_or_else(|_| Err(Error::failed("the thread that runs `advance` panicked")))
        })
    }

    /// Reads the sources of the miners of modules whose win needs it, as the operator does by hand: all pass. Returns
    /// whether there were any.
    fn read_sources(&self, block: Block, round: RoundNumber) -> Result<bool> {
        if self.participants.params.format != Format::Threejs {
            return Ok(false);
        }
        let of_round = |file| ThreejsFile::Round(round, file);
        let file = of_round(ThreejsRoundFile::SourceAudit);
        let mut sources: SourceAudits = self.store.load(&file)?.unwrap_or_default();
        let requests: DuelAuditRequests =
            self.store.load(&of_round(ThreejsRoundFile::RequireAudit))?.unwrap_or_default();
        let known = sources.len();
        for DuelAuditRequest { hotkey, .. } in requests {
            if !sources.iter().any(|source| source.hotkey == hotkey) {
                let (verdict, reason) = (SourceVerdict::Passed, "read in the sandbox".to_owned());
                sources.push(SourceAudit { hotkey, verdict, reason, extra: Extra::default() });
            }
        }
        // A sandbox may have been killed before it committed what it wrote.
        if sources.len() == known && self.is_committed(&file)? {
            return Ok(false);
        }
        self.store.apply(&[FileWrite::new(file.clone(), &sources)], &mut |_, _| Ok(()))?;
        self.folder.commit(block, &file.path(), &format!("Source audits for round {round}"))?;
        let read = counted(sources.len(), "program", "programs");
        self.ui.status(&format!("block {block}: the operator has read {read}: passed"));
        Ok(true)
    }

    /// Are matches of this round committed?
    fn has_matches(&self, round: RoundNumber) -> Result<bool> {
        let matrix = ThreejsFile::Round(round, ThreejsRoundFile::Matrix);
        Ok(self.store.read_file(&matrix)?.is_some() && self.is_committed(&matrix)?)
    }

    /// Is a file as in the last commit?
    fn is_committed(&self, file: &ThreejsFile) -> Result<bool> {
        let Some(git) = Git::open(&self.folder.root)? else { return Ok(true) };
        let Some(head) = git.head()? else { return Ok(false) };
        Ok(git.tree(&head.to_string())?.read(&file.path())? == self.store.read_file(file)?)
    }

    /// Does the operator lie in this round? Once is enough, and in the first one somebody always has to be audited.
    fn lies_in(&self, round: RoundNumber) -> bool {
        self.participants.params.judge == JudgeMode::Lies && round == RoundNumber(0)
    }

    /// Plays the matches up to the first audit, changes a result before it is committed, and commits all. Only once: what
    /// the matches decide later is committed with them.
    fn lie(&self, block: Block, round: RoundNumber) -> Result<()> {
        self.run_one(block, &["duel"], "duel")?;
        match self.participants.params.format {
            Format::Threejs => threejs::lie::tell(&self.store, round)?,
            _ => lie::tell(&self.store, round)?,
        }
        self.run_one(block, &["--commit", "duel"], "duel")
    }

    fn state(&self) -> Result<CompetitionState> {
        self.store.need(&FileKind::State)
    }

    /// Moves the chain to `block`, and does what is due by then.
    fn advance(&self, block: Block, more: &[&str]) -> Result<()> {
        self.site.change_chain(|node| node.advance(block));
        self.ui.detail(&format!("block {block}"));
        let args: Vec<&str> = ["--commit", "advance"].into_iter().chain(more.iter().copied()).collect();
        self.run_one(block, &args, "advance")
    }

    /// Runs a command. A stage command may have to wait.
    fn run_one(&self, block: Block, args: &[&str], name: &str) -> Result<()> {
        let mut command = self.folder.command(block)?;
        command.args(args);
        let CapturedOutput { code, out, err } = self.watched(command)?;
        for line in out.lines() {
            self.ui.status(&format!("block {block}: {line}"));
        }
        err.lines().for_each(|line| self.ui.detail(line));
        if code == Some(0) || (code == Some(3) && name != "advance") {
            return Ok(());
        }
        let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
        let failed = Error::failed(format!("gen404 {name} ended with {code}"));
        let said = err.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" | ");
        Err(failed.because(anyhow::anyhow!(said)).hint("run the sandbox again to continue"))
    }
}
