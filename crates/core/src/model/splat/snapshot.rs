//! A whole competition of splats in memory.

use std::collections::BTreeMap;

use super::config::SplatConfig;
use super::duels::SplatMatch;
use super::file::{SplatContent, SplatFile, SplatPlayerFile, SplatRoundFile};
use super::generations::Generations;
use super::leader::SplatLeaders;
use super::progress::JudgeProgress;
use super::schedule::SplatSchedule;
use super::state::SplatState;
use super::submissions::SplatSubmissions;
use crate::base::error::Result;
use crate::model::builds::Builds;
use crate::model::file::Layout;
use crate::model::format::Format;
use crate::model::ids::{Player, RoundNumber};
use crate::model::limits::Budget;
use crate::model::prompts::PromptList;
use crate::model::record::ParseError;
use crate::model::seed::SeedFile;
use crate::model::snapshot::{Problem, Slot, Source};
use crate::model::tree::{FileSet, load, put};

/// The files of a competition of splats.
pub struct SplatFiles;

impl FileSet for SplatFiles {
    const FORMAT: Format = Format::Splat;
    type File = SplatFile;
    type Content = SplatContent;

    fn of_path(path: &str) -> Option<SplatFile> {
        SplatFile::of_path(path)
    }
    fn parse(file: &SplatFile, bytes: &[u8]) -> std::result::Result<(SplatContent, Layout), ParseError> {
        SplatContent::parse(file, bytes)
    }
    fn by_hand(file: &SplatFile) -> bool {
        file.by_hand()
    }
    // Two files of the one real competition do: `verify` warns about them.
    fn may_end_in_newline(_: &SplatFile) -> bool {
        false
    }
    fn round(file: &SplatFile) -> Option<RoundNumber> {
        file.round()
    }
}

/// What a player's folder holds.
#[derive(Debug, Clone, Default)]
pub struct SplatPlayer {
    /// `generations.json`
    pub generations: Slot<Generations>,
    /// `duels.json`
    pub duels: Slot<SplatMatch>,
}

/// What a round's folder holds.
#[derive(Debug, Clone, Default)]
pub struct SplatRound {
    /// `schedule.json`
    pub schedule: Slot<SplatSchedule>,
    /// `submissions.json`
    pub submissions: Slot<SplatSubmissions>,
    /// `seed.json`
    pub seed: Slot<SeedFile>,
    /// `prompts.txt`
    pub prompts: Slot<PromptList>,
    /// `builds.json`
    pub builds: Slot<Builds>,
    /// `judge_progress.json`
    pub progress: Slot<JudgeProgress>,
    /// The players' folders.
    pub players: BTreeMap<Player, SplatPlayer>,
}

/// A whole competition.
#[derive(Debug, Clone, Default)]
pub struct SplatSnapshot {
    /// `config.json`
    pub config: Slot<SplatConfig>,
    /// `state.json`
    pub state: Slot<SplatState>,
    /// `leader.json`
    pub leaders: Slot<SplatLeaders>,
    /// `prompts.txt`: the pool
    pub pool: Slot<PromptList>,
    /// The rounds' folders.
    pub rounds: BTreeMap<RoundNumber, SplatRound>,
    /// What is wrong with files as files, by path.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files: usize,
}

impl SplatSnapshot {
    /// Reads every file of the competition that `wanted` lets through.
    ///
    /// # Errors
    /// The source cannot be listed or is outside the competition, or its files are too large together.
    pub fn load_some(source: &dyn Source, wanted: impl Fn(&SplatFile) -> bool + Sync) -> Result<SplatSnapshot> {
        let loaded = load::<SplatFiles>(source, wanted, &Budget::of_files())?;
        let files = loaded.files.len();
        let mut snapshot = SplatSnapshot { problems: loaded.problems, files, ..SplatSnapshot::default() };
        loaded.files.into_iter().for_each(|(file, content)| snapshot.place(&file, content));
        Ok(snapshot)
    }

    /// Puts a file's contents in their slot; `None` marks it as broken.
    fn place(&mut self, file: &SplatFile, content: Option<SplatContent>) {
        match file {
            SplatFile::Config => put!(self.config, content, SplatContent::Config),
            SplatFile::State => put!(self.state, content, SplatContent::State),
            SplatFile::Leader => put!(self.leaders, content, SplatContent::Leader),
            SplatFile::Pool => put!(self.pool, content, SplatContent::Prompts),
            SplatFile::Round(round, file) => {
                let files = self.rounds.entry(*round).or_default();
                match file {
                    SplatRoundFile::Schedule => put!(files.schedule, content, SplatContent::Schedule),
                    SplatRoundFile::Submissions => put!(files.submissions, content, SplatContent::Submissions),
                    SplatRoundFile::Seed => put!(files.seed, content, SplatContent::Seed),
                    SplatRoundFile::Prompts => put!(files.prompts, content, SplatContent::Prompts),
                    SplatRoundFile::Builds => put!(files.builds, content, SplatContent::Builds),
                    SplatRoundFile::Progress => put!(files.progress, content, SplatContent::Progress),
                }
            }
            SplatFile::Player(round, player, file) => {
                let own = self.rounds.entry(*round).or_default().players.entry(player.clone()).or_default();
                match file {
                    SplatPlayerFile::Generations => put!(own.generations, content, SplatContent::Generations),
                    SplatPlayerFile::Duels => put!(own.duels, content, SplatContent::Duels),
                }
            }
        }
    }
}
