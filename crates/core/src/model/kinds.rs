//! The table of file kinds: one row each, with name, syntax, writers, append-only rule and limits. The limits, the
//! history checks and `docs/design.md` (2.7) follow it.
//!
//! The limits assume at most 1,024 miners and 4,096 prompts a round. Sizes leave room for long values (the largest
//! real ones: 1.2 KiB a duel, 0.5 KiB an output, 0.4 KiB a miner's entry), and counts leave room for a newer
//! writer's keys: 32 values an entry, while no entry of ours has more than 9 (64 for a duel's answers, which have 22).

use super::file::{FileKind, PlayerFile, RoundFile};
use super::ids::{Player, RoundNumber};
use super::limits::{Limits, PROMPTS};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The most miners in a round.
const MINERS: usize = 1024;

/// The most values in one entry, unknown keys included.
const VALUES: usize = 32;

/// The syntax of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// JSON; the limit counts values.
    Json,
    /// One JSON object a line; the limit counts values.
    JsonLines,
    /// Comma-separated values; the limit counts lines.
    Csv,
    /// One entry a line; the limit counts lines.
    Lines,
    /// TOML; the limit counts lines.
    Toml,
}

/// Who writes a file, and thereby when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// These commands, each in its own stages; `init` before the first seed.
    Commands(&'static [&'static str]),
    /// Every command that moves the stage.
    EveryMove,
    /// People, until the first seed is drawn.
    PeopleAtFirst,
    /// People, at any time.
    People,
}

/// Which part of a file must stay unchanged in later commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: the file may be changed and removed.
    Nothing,
    /// All of it, once it exists.
    All,
    /// All of it, once the round's seed exists.
    AllOnceSeeded,
    /// All of it, once its row is in the matrix.
    AllOnceInMatrix,
    /// The list only grows: each entry keeps its value and place.
    Entries,
    /// Keys are not removed; their values may be replaced.
    Keys,
    /// Rows are neither changed nor removed.
    Rows,
    /// Lines are neither changed nor removed.
    Lines,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct KindRow {
    /// The file's name.
    pub name: &'static str,
    /// Its syntax.
    pub syntax: Syntax,
    /// The type that it is parsed into.
    pub record: &'static str,
    /// Who writes it.
    pub writers: Writers,
    /// Which part of it must stay unchanged.
    pub keeps: Keeps,
    /// How much it can hold.
    pub limits: Limits,
    /// What the limits are enough for.
    pub room: &'static str,
}

/// Bytes, entries, and what they are enough for.
type Room = (u64, usize, &'static str);

const fn row(
    name: &'static str,
    syntax: Syntax,
    record: &'static str,
    writers: Writers,
    keeps: Keeps,
    (bytes, entries, room): Room,
) -> KindRow {
    KindRow { name, syntax, record, writers, keeps, limits: Limits { bytes, entries }, room }
}

const ONE_OBJECT: Room = (64 * KIB, 1024, "one object");
const OF_MINERS: Room = (4 * MIB, MINERS * VALUES, "1,024 entries of 4 KiB");
const OF_REASONS: Room = (8 * MIB, MINERS * VALUES, "1,024 entries, with reasons of up to 8 KiB");
const OF_OUTPUTS: Room = (8 * MIB, PROMPTS * VALUES, "4,096 outputs of 2 KiB");

impl RoundFile {
    /// The row of this file of a round's folder.
    #[must_use]
    pub const fn row(self) -> KindRow {
        use Keeps::{All, AllOnceSeeded, Entries, Keys, Nothing, Rows};
        use Syntax::{Csv, Json, Lines, Toml};
        use Writers::{Commands, People};
        match self {
            RoundFile::Schedule => {
                row("schedule.json", Json, "Schedule", Commands(&["finalize", "init"]), All, ONE_OBJECT)
            }
            RoundFile::Submissions => {
                let writers = Commands(&["open", "reveal-seed"]);
                row("submissions.json", Json, "Submissions", writers, AllOnceSeeded, OF_MINERS)
            }
            RoundFile::Seed => row("seed.json", Json, "SeedFile", Commands(&["reveal-seed"]), All, ONE_OBJECT),
            RoundFile::Prompts => {
                let room = (8 * MIB, PROMPTS, "4,096 URLs of 2 KiB");
                row("prompts.txt", Lines, "PromptList", Commands(&["reveal-seed"]), All, room)
            }
            RoundFile::Builds => row("builds.json", Json, "Builds", Commands(&["builds"]), Keys, OF_MINERS),
            RoundFile::Question => {
                let room = (512 * KIB, 4096, "a question of 64 KiB, each character written as an escape");
                row("question.toml", Toml, "QuestionFile", Commands(&["duel"]), All, room)
            }
            RoundFile::Matrix => {
                let room = (8 * MIB, 65_536, "1,024 qualifying matches, and all pairs of 350 qualified miners");
                row("matches_matrix.csv", Csv, "Matrix", Commands(&["duel"]), Rows, room)
            }
            RoundFile::RequireAudit => {
                let room =
                    (16 * MIB, MINERS * 256, "1,024 entries of 256 critical prompts (5 % of 4,096 prompts are 205)");
                row("require_audit.json", Json, "AuditRequests", Commands(&["duel"]), Entries, room)
            }
            RoundFile::GenerationAudits => {
                row("generation_audits.json", Json, "GenerationAudits", Commands(&["audit"]), Keys, OF_REASONS)
            }
            RoundFile::SourceAudit => row("source_audit.json", Json, "SourceAudits", People, Nothing, OF_REASONS),
            // Without a valid submission, `reveal-seed` writes the winner.
            RoundFile::Winner => {
                row("winner.json", Json, "Winner", Commands(&["duel", "reveal-seed"]), All, ONE_OBJECT)
            }
        }
    }
}

impl PlayerFile {
    /// The row of this file of a player's folder.
    #[must_use]
    pub const fn row(&self) -> KindRow {
        use Keeps::{AllOnceInMatrix, Keys, Nothing};
        use Syntax::{Json, JsonLines, Lines};
        use Writers::Commands;
        match self {
            PlayerFile::Submitted => row("submitted.json", Json, "Outputs", Commands(&["download"]), Keys, OF_OUTPUTS),
            PlayerFile::Refusals => {
                let room = (8 * MIB, PROMPTS * VALUES, "4,096 refusals of 2 KiB");
                row("refusals.json", Json, "Refusals", Commands(&["download"]), Nothing, room)
            }
            PlayerFile::Generated => row("generated.json", Json, "Outputs", Commands(&["audit"]), Keys, OF_OUTPUTS),
            PlayerFile::PodStats => row("pod_stats.json", Json, "PodStats", Commands(&["audit"]), Nothing, OF_MINERS),
            PlayerFile::Sums => {
                let room = (8 * MIB, 8 * PROMPTS, "a model and a preview, submitted and generated, twice over");
                row("SHA256SUMS", Lines, "Sums", Commands(&["download", "audit"]), Keeps::Lines, room)
            }
            PlayerFile::Report(_) => {
                let room = (16 * MIB, PROMPTS * VALUES, "4,096 duels of 4 KiB");
                row("duels_LEFT.json", Json, "MatchReport", Commands(&["duel"]), AllOnceInMatrix, room)
            }
            PlayerFile::Answers(_) => {
                let room = (32 * MIB, 2 * PROMPTS * VALUES, "4,096 duels of 8 KiB");
                row("answers_LEFT.jsonl", JsonLines, "Answers", Commands(&["duel"]), AllOnceInMatrix, room)
            }
        }
    }
}

impl FileKind {
    /// The row of this file. All files in the leader's folder are written by `baseline`.
    #[must_use]
    pub const fn row(&self) -> KindRow {
        match self {
            FileKind::Config => {
                let room = (MIB, 4096, "one object by hand");
                row("config.json", Syntax::Json, "ConfigFile", Writers::PeopleAtFirst, Keeps::Nothing, room)
            }
            FileKind::State => {
                row("state.json", Syntax::Json, "CompetitionState", Writers::EveryMove, Keeps::Nothing, ONE_OBJECT)
            }
            FileKind::Leader => {
                let (writers, room) = (
                    Writers::Commands(&["finalize", "init"]),
                    (16 * MIB, 16_384 * VALUES, "an entry a round, 16,384 of 1 KiB"),
                );
                row("leader.json", Syntax::Json, "Leaders", writers, Keeps::Entries, room)
            }
            FileKind::Pool => {
                let room = (32 * MIB, 64 * PROMPTS, "64 rounds' prompts, of 128 bytes");
                row("prompts.txt", Syntax::Lines, "PromptList", Writers::People, Keeps::Nothing, room)
            }
            FileKind::Round(_, file) => file.row(),
            FileKind::Player(_, Player::Leader, file) => {
                KindRow { writers: Writers::Commands(&["baseline"]), ..file.row() }
            }
            FileKind::Player(_, Player::Miner(_), file) => file.row(),
        }
    }

    /// Is this a file that exists before the first round starts, made by hand or by `init`?
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        let prepared = match self.row().writers {
            Writers::PeopleAtFirst => true,
            Writers::Commands(commands) => commands.contains(&"init"),
            Writers::EveryMove | Writers::People => false,
        };
        prepared && self.round().is_none_or(|round| round == RoundNumber(0))
    }

    /// Is this a file that people write? Such files keep their layout.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        matches!(self.row().writers, Writers::People | Writers::PeopleAtFirst)
    }

    /// One file of every kind, for this round and player.
    #[must_use]
    pub fn every(round: RoundNumber, player: &Player) -> Vec<FileKind> {
        let of_round = RoundFile::ALL.map(|file| FileKind::Round(round, file));
        let report = PlayerFile::Report("duels_LEFT.json".to_owned());
        let answers = PlayerFile::Answers("answers_LEFT.jsonl".to_owned());
        let of_player = PlayerFile::NAMED.into_iter().chain([report, answers]);
        let of_player = of_player.map(|file| FileKind::Player(round, player.clone(), file));
        FileKind::TOP.into_iter().chain(of_round).chain(of_player).collect()
    }
}
