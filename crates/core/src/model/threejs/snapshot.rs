//! A whole competition of three.js modules in memory.

use std::collections::BTreeMap;

use super::answers::StagedAnswers;
use super::audit_matrix::AuditMatrix;
use super::audits::{DuelAuditRequests, DuelAuditVerdicts, VerificationAudits};
use super::config::ThreejsConfig;
use super::duels::StagedMatch;
use super::file::{
    RoundWords, ThreejsContent as Content, ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile, answers_name,
};
use super::outputs::Modules;
use super::pod_stats::PodRuns;
use super::programs::{ThreejsBuilds, ThreejsLeaders, ThreejsSubmissions, ThreejsWinner};
use super::reports::GenerationReports;
use crate::base::error::Result;
use crate::model::file::Layout;
use crate::model::format::Format;
use crate::model::ids::{Player, RoundNumber};
use crate::model::limits::Budget;
use crate::model::matrix::Matrix;
use crate::model::prompts::PromptList;
use crate::model::record::ParseError;
use crate::model::refusals::Refusals;
use crate::model::schedule::Schedule;
use crate::model::seed::SeedFile;
use crate::model::snapshot::{Problem, Slot, Source};
use crate::model::source_audit::SourceAudits;
use crate::model::stage::CompetitionState;
use crate::model::sums::Sums;
use crate::model::tree::{FileSet, load, put};

/// The files of a competition of three.js modules.
pub struct ThreejsFiles;

impl FileSet for ThreejsFiles {
    const FORMAT: Format = Format::Threejs;
    type File = ThreejsFile;
    type Content = Content;

    fn of_path(path: &str) -> Option<ThreejsFile> {
        ThreejsFile::of_path(path)
    }
    fn parse(file: &ThreejsFile, bytes: &[u8]) -> std::result::Result<(Content, Layout), ParseError> {
        Content::parse(file, bytes)
    }
    fn by_hand(file: &ThreejsFile) -> bool {
        file.by_hand()
    }
    fn may_end_in_newline(file: &ThreejsFile) -> bool {
        file.by_hand()
    }
    fn round(file: &ThreejsFile) -> Option<RoundNumber> {
        file.round()
    }
    fn weight(content: &Content, bytes: usize) -> u64 {
        content.weight(bytes)
    }
}

/// What a player's folder holds.
#[derive(Debug, Clone, Default)]
pub struct ThreejsPlayer {
    /// `submitted.json`
    pub submitted: Slot<Modules>,
    /// `generated_R.json` by run; `generated.json` of the first rounds counts as run 1.
    pub generated: BTreeMap<u32, Slot<Modules>>,
    /// `pod_stats.json`
    pub pod_stats: Slot<PodRuns>,
    /// `refusals.json`
    pub refusals: Slot<Refusals>,
    /// `SHA256SUMS`
    pub sums: Slot<Sums>,
    /// `duels_*.json` by file name
    pub duels: BTreeMap<String, Slot<StagedMatch>>,
    /// `audit_*.json` by file name
    pub audits: BTreeMap<String, Slot<StagedMatch>>,
    /// `answers_*.jsonl` by file name
    pub answers: BTreeMap<String, Slot<StagedAnswers>>,
}

/// What a round's folder holds.
#[derive(Debug, Clone, Default)]
pub struct ThreejsRound {
    /// `schedule.json`
    pub schedule: Slot<Schedule>,
    /// `submissions.json`
    pub submissions: Slot<ThreejsSubmissions>,
    /// `seed.json`
    pub seed: Slot<SeedFile>,
    /// `prompts.txt`
    pub prompts: Slot<PromptList>,
    /// `builds.json`
    pub builds: Slot<ThreejsBuilds>,
    /// `question.toml`
    pub question: Slot<Box<RoundWords>>,
    /// `matches_matrix.csv`
    pub matrix: Slot<Matrix>,
    /// `audit_matrix.csv`
    pub audit_matrix: Slot<AuditMatrix>,
    /// `require_audit.json`
    pub require_audit: Slot<DuelAuditRequests>,
    /// `generation_reports.json`
    pub generation_reports: Slot<GenerationReports>,
    /// `generation_audits.json`
    pub generation_audits: Slot<DuelAuditVerdicts>,
    /// `verification_audits.json`
    pub verification_audits: Slot<VerificationAudits>,
    /// `source_audit.json`
    pub source_audit: Slot<SourceAudits>,
    /// `winner.json`
    pub winner: Slot<ThreejsWinner>,
    /// The players' folders.
    pub players: BTreeMap<Player, ThreejsPlayer>,
}

/// A whole competition.
#[derive(Debug, Clone, Default)]
pub struct ThreejsSnapshot {
    /// `config.json`
    pub config: Slot<ThreejsConfig>,
    /// `state.json`
    pub state: Slot<CompetitionState>,
    /// `leader.json`
    pub leaders: Slot<ThreejsLeaders>,
    /// `prompts.txt`: the pool
    pub pool: Slot<PromptList>,
    /// The rounds' folders.
    pub rounds: BTreeMap<RoundNumber, ThreejsRound>,
    /// What is wrong with files as files, by path.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files: usize,
}

impl ThreejsSnapshot {
    /// Reads every file of the competition that `wanted` lets through.
    ///
    /// # Errors
    /// The source cannot be listed or is outside the competition, or its files are too large together.
    pub fn load_some(source: &dyn Source, wanted: impl Fn(&ThreejsFile) -> bool + Sync) -> Result<ThreejsSnapshot> {
        let loaded = load::<ThreejsFiles>(source, wanted, &Budget::of_files())?;
        let files = loaded.files.len();
        let mut snapshot = ThreejsSnapshot { problems: loaded.problems, files, ..ThreejsSnapshot::default() };
        loaded.files.into_iter().for_each(|(file, content)| snapshot.place(file, content));
        Ok(snapshot)
    }

    fn place(&mut self, file: ThreejsFile, content: Option<Content>) {
        match file {
            ThreejsFile::Config => put!(self.config, content, Content::Config),
            ThreejsFile::State => put!(self.state, content, Content::State),
            ThreejsFile::Leader => put!(self.leaders, content, Content::Leader),
            ThreejsFile::Pool => put!(self.pool, content, Content::Prompts),
            ThreejsFile::Round(round, file) => self.rounds.entry(round).or_default().place(file, content),
            ThreejsFile::Player(round, player, file) => {
                self.rounds.entry(round).or_default().players.entry(player).or_default().place(file, content);
            }
        }
    }
}

impl ThreejsRound {
    /// The broken files among those that decide a round: the single list of what must be intact. `pod_stats.json`,
    /// `refusals.json` and the judge's answers are not on it, because nothing depends on them.
    #[must_use]
    pub fn broken(&self, round: RoundNumber) -> Vec<ThreejsFile> {
        fn broken<T>(slot: &Slot<T>) -> bool {
            matches!(slot, Slot::Broken)
        }
        let own = [
            (ThreejsRoundFile::Schedule, broken(&self.schedule)),
            (ThreejsRoundFile::Submissions, broken(&self.submissions)),
            (ThreejsRoundFile::Seed, broken(&self.seed)),
            (ThreejsRoundFile::Prompts, broken(&self.prompts)),
            (ThreejsRoundFile::Builds, broken(&self.builds)),
            (ThreejsRoundFile::Question, broken(&self.question)),
            (ThreejsRoundFile::Matrix, broken(&self.matrix)),
            (ThreejsRoundFile::AuditMatrix, broken(&self.audit_matrix)),
            (ThreejsRoundFile::RequireAudit, broken(&self.require_audit)),
            (ThreejsRoundFile::GenerationReports, broken(&self.generation_reports)),
            (ThreejsRoundFile::GenerationAudits, broken(&self.generation_audits)),
            (ThreejsRoundFile::SourceAudit, broken(&self.source_audit)),
            (ThreejsRoundFile::Winner, broken(&self.winner)),
        ];
        let own = own.into_iter().map(|(file, broken)| (ThreejsFile::Round(round, file), broken));
        let players = self.players.iter().flat_map(|(player, files)| {
            let named = [
                (ThreejsPlayerFile::Submitted, broken(&files.submitted)),
                (ThreejsPlayerFile::Sums, broken(&files.sums)),
            ];
            let generated =
                files.generated.iter().map(|(run, slot)| (ThreejsPlayerFile::Generated(Some(*run)), broken(slot)));
            let duels = files.duels.iter().map(|(name, slot)| (ThreejsPlayerFile::Duels(name.clone()), broken(slot)));
            let audits = files.audits.iter().map(|(name, slot)| (ThreejsPlayerFile::Audit(name.clone()), broken(slot)));
            let files = named.into_iter().chain(generated).chain(duels).chain(audits);
            files.map(|(file, broken)| (ThreejsFile::Player(round, player.clone(), file), broken)).collect::<Vec<_>>()
        });
        own.chain(players).filter(|(_, broken)| *broken).map(|(file, _)| file).collect()
    }

    fn place(&mut self, file: ThreejsRoundFile, content: Option<Content>) {
        match file {
            ThreejsRoundFile::Schedule => put!(self.schedule, content, Content::Schedule),
            ThreejsRoundFile::Submissions => put!(self.submissions, content, Content::Submissions),
            ThreejsRoundFile::Seed => put!(self.seed, content, Content::Seed),
            ThreejsRoundFile::Prompts => put!(self.prompts, content, Content::Prompts),
            ThreejsRoundFile::Builds => put!(self.builds, content, Content::Builds),
            ThreejsRoundFile::Question => put!(self.question, content, Content::Question),
            ThreejsRoundFile::Matrix => put!(self.matrix, content, Content::Matrix),
            ThreejsRoundFile::AuditMatrix => put!(self.audit_matrix, content, Content::AuditMatrix),
            ThreejsRoundFile::RequireAudit => put!(self.require_audit, content, Content::RequireAudit),
            ThreejsRoundFile::GenerationReports => put!(self.generation_reports, content, Content::GenerationReports),
            ThreejsRoundFile::GenerationAudits => put!(self.generation_audits, content, Content::GenerationAudits),
            ThreejsRoundFile::VerificationAudits => {
                put!(self.verification_audits, content, Content::VerificationAudits);
            }
            ThreejsRoundFile::SourceAudit => put!(self.source_audit, content, Content::SourceAudit),
            ThreejsRoundFile::Winner => put!(self.winner, content, Content::Winner),
        }
    }
}

impl ThreejsPlayer {
    /// All match reports by file name, those of audit duels included.
    pub fn reports(&self) -> impl Iterator<Item = (&String, &Slot<StagedMatch>)> {
        self.duels.iter().chain(&self.audits)
    }

    /// The report of this name.
    #[must_use]
    pub fn report(&self, name: &str) -> Option<&Slot<StagedMatch>> {
        self.duels.get(name).or_else(|| self.audits.get(name))
    }

    /// The answers file beside the report of this name.
    #[must_use]
    pub fn answers_beside(&self, report: &str) -> &Slot<StagedAnswers> {
        self.answers.get(&answers_name(report)).unwrap_or(&Slot::Missing)
    }

    fn place(&mut self, file: ThreejsPlayerFile, content: Option<Content>) {
        match file {
            ThreejsPlayerFile::Submitted => put!(self.submitted, content, Content::Modules),
            ThreejsPlayerFile::PodStats => put!(self.pod_stats, content, Content::PodStats),
            ThreejsPlayerFile::Refusals => put!(self.refusals, content, Content::Refusals),
            ThreejsPlayerFile::Sums => put!(self.sums, content, Content::Sums),
            ThreejsPlayerFile::Generated(repeat) => {
                let slot;
                put!(slot, content, Content::Modules);
                self.generated.insert(repeat.unwrap_or(1), slot);
            }
            ThreejsPlayerFile::Duels(name) => {
                let slot;
                put!(slot, content, Content::Duels);
                self.duels.insert(name, slot);
            }
            ThreejsPlayerFile::Audit(name) => {
                let slot;
                put!(slot, content, Content::Duels);
                self.audits.insert(name, slot);
            }
            ThreejsPlayerFile::Answers(name) => {
                let slot;
                put!(slot, content, Content::Answers);
                self.answers.insert(name, slot);
            }
        }
    }
}
