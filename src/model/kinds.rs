//! The table of file kinds: one row for each, with its name, its form, who writes it, what of it has to stay, and how
//! much it can hold. Limits, the checks of the history and `docs/design.md` (2.7) read it.
//!
//! A competition has at most 1,024 miners a round and 4,096 prompts. Sizes come from there, with room for long
//! values (the largest real ones: 1.2 KiB a duel, 0.5 KiB an output, 0.4 KiB a miner's entry), and counts with
//! room for a newer writer's keys: 32 values an entry, where no entry of ours has more than 9.

use super::file::{FileKind, PlayerFile, RoundFile};
use super::ids::{Player, RoundNumber};
use super::limits::{Limits, PROMPTS};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The most miners of a round.
const MINERS: usize = 1024;

/// Values of one entry, unknown keys included.
const VALUES: usize = 32;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// JSON, its values counted.
    Json,
    /// Comma-separated values, its lines counted.
    Csv,
    /// One entry a line, its lines counted.
    Lines,
}

/// Who writes a file, and with that when.
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

/// What of a file has to stay as it is in later commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: it may change and go.
    Nothing,
    /// All of it, once it is there.
    All,
    /// All of it, once the round's seed is there.
    AllOnceSeeded,
    /// All of it, once its row stands in the matrix.
    AllOnceInMatrix,
    /// A list only grows: each entry keeps its value and place.
    Entries,
    /// Keys are not removed; what is under them may be replaced.
    Keys,
    /// Rows are neither changed nor removed.
    Rows,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct KindRow {
    /// The file's name.
    pub name: &'static str,
    /// Its form.
    pub syntax: Syntax,
    /// The type that it is read into.
    pub record: &'static str,
    /// Who writes it.
    pub writers: Writers,
    /// What of it has to stay.
    pub keeps: Keeps,
    /// How much it can hold.
    pub limits: Limits,
    /// What that is enough for.
    pub room: &'static str,
}

/// How much, and what for.
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
        use Syntax::{Csv, Json, Lines};
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
            // With no valid submission, `reveal-seed` writes the winner.
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
        use Syntax::{Json, Lines};
        use Writers::Commands;
        match self {
            PlayerFile::Submitted => row("submitted.json", Json, "Outputs", Commands(&["download"]), Keys, OF_OUTPUTS),
            PlayerFile::Generated => row("generated.json", Json, "Outputs", Commands(&["audit"]), Keys, OF_OUTPUTS),
            PlayerFile::PodStats => row("pod_stats.json", Json, "PodStats", Commands(&["audit"]), Nothing, OF_MINERS),
            PlayerFile::Sums => {
                let room = (8 * MIB, 8 * PROMPTS, "a model and a preview, submitted and generated, twice over");
                row("SHA256SUMS", Lines, "Sums", Commands(&["download", "audit"]), Nothing, room)
            }
            PlayerFile::Report(_) => {
                let room = (16 * MIB, PROMPTS * VALUES, "4,096 duels of 4 KiB");
                row("duels_LEFT.json", Json, "MatchReport", Commands(&["duel"]), AllOnceInMatrix, room)
            }
        }
    }
}

impl FileKind {
    /// The row of this file. Files of the leader's folder are all `baseline`'s.
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

    /// Is this a file that is there before the first round starts, by hand or by `init`?
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        let prepared = match self.row().writers {
            Writers::PeopleAtFirst => true,
            Writers::Commands(commands) => commands.contains(&"init"),
            Writers::EveryMove | Writers::People => false,
        };
        prepared && self.round().is_none_or(|round| round == RoundNumber(0))
    }

    /// Files that people write: they keep the layout that they have.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        matches!(self.row().writers, Writers::People | Writers::PeopleAtFirst)
    }

    /// A file of every kind, those of this round and player among them.
    #[must_use]
    pub fn every(round: RoundNumber, player: &Player) -> Vec<FileKind> {
        let of_round = RoundFile::ALL.map(|file| FileKind::Round(round, file));
        let report = PlayerFile::Report("duels_LEFT.json".to_owned());
        let of_player = PlayerFile::NAMED.into_iter().chain([report]);
        let of_player = of_player.map(|file| FileKind::Player(round, player.clone(), file));
        FileKind::TOP.into_iter().chain(of_round).chain(of_player).collect()
    }
}
