//! The table of stages: one row each, with its arrows, commands and required files. Together with the table of
//! file kinds it says in which stages a file is written.

use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::Block;
use crate::model::kinds::Writers;
use crate::model::schedule::Schedule;
use crate::model::stage::Stage;

/// What ends a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The last block whose reveals count.
    Reveals,
    /// The block by which miners' files are due.
    Deadline,
    /// Its work is done.
    Work,
    /// A person ends it.
    Hand,
    /// It does not end.
    Never,
}

impl End {
    /// The block of the schedule from which the stage can end.
    #[must_use]
    pub fn block(self, schedule: &Schedule) -> Option<Block> {
        match self {
            End::Reveals => Some(schedule.latest_reveal_block),
            End::Deadline => Some(schedule.generation_deadline_block),
            End::Work | End::Hand | End::Never => None,
        }
    }
}

/// A required file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// A file of the round.
    Round(RoundFile),
    /// `submitted.json` of each miner.
    Submitted,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct StageRow {
    /// The stage.
    pub stage: Stage,
    /// Its name for readers.
    pub label: &'static str,
    /// The stages that follow it; `paused` may follow any.
    pub arrows: &'static [Stage],
    /// What ends it.
    pub end: End,
    /// The commands that may be due in it and write their files in it.
    pub commands: &'static [&'static str],
    /// The command that is due at its end, and moves to the next stage before it writes anything else.
    pub leaves_by: Option<&'static str>,
    /// Files of the round that must exist once the stage is reached.
    pub requires: &'static [RoundFile],
    /// Files that must exist, too, if there is a submission.
    pub requires_with_miners: &'static [Required],
}

impl StageRow {
    /// Is it one of the stages that every round goes through, in order?
    #[must_use]
    pub fn is_of_a_round(&self) -> bool {
        matches!(self.end, End::Reveals | End::Deadline | End::Work)
    }
}

/// The row of a stage.
#[must_use]
pub const fn row(stage: Stage) -> StageRow {
    let (label, end) = match stage {
        Stage::Open => ("open", End::Reveals),
        Stage::MinerGeneration => ("miner generation", End::Deadline),
        Stage::Downloading => ("downloading", End::Work),
        Stage::Duels => ("duels", End::Work),
        Stage::Finalizing => ("finalizing", End::Work),
        Stage::Finished => ("finished", End::Never),
        Stage::Paused => ("paused", End::Hand),
    };
    let none = StageRow {
        stage,
        label,
        end,
        arrows: &[],
        commands: &[],
        leaves_by: None,
        requires: &[],
        requires_with_miners: &[],
    };
    match stage {
        Stage::Open => StageRow {
            // No valid submission: the leader wins at once.
            arrows: &[Stage::MinerGeneration, Stage::Finalizing],
            commands: &["open", "reveal-seed"],
            requires: &[RoundFile::Schedule],
            ..none
        },
        Stage::MinerGeneration => StageRow {
            arrows: &[Stage::Downloading],
            commands: &["builds", "baseline"],
            leaves_by: Some("download"),
            requires: &[RoundFile::Submissions],
            requires_with_miners: &[Required::Round(RoundFile::Seed), Required::Round(RoundFile::Prompts)],
            ..none
        },
        Stage::Downloading => {
            StageRow { arrows: &[Stage::Duels], commands: &["download", "builds", "baseline"], ..none }
        }
        Stage::Duels => StageRow {
            arrows: &[Stage::Finalizing],
            commands: &["builds", "baseline", "duel", "audit"],
            requires_with_miners: &[Required::Submitted],
            ..none
        },
        Stage::Finalizing => StageRow {
            arrows: &[Stage::Open, Stage::Finished],
            commands: &["finalize"],
            requires: &[RoundFile::Winner],
            requires_with_miners: &[Required::Round(RoundFile::Matrix)],
            ..none
        },
        Stage::Finished | Stage::Paused => none,
    }
}

/// The stage commands, in the order of a round.
#[must_use]
pub fn commands() -> Vec<&'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    for row in Stage::ALL.map(row) {
        let new: Vec<_> =
            row.commands.iter().copied().chain(row.leaves_by).filter(|name| !all.contains(name)).collect();
        all.extend(new);
    }
    all
}

/// What stage commands use besides the competition's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The chain.
    Chain,
    /// Drand, if seeds come from there.
    Drand,
    /// The source of image builds.
    Builds,
    /// Pods.
    Pods,
    /// The object store.
    Store,
    /// The judge.
    Judge,
    /// The measure of distances.
    Distance,
}

impl Service {
    /// Every service, in the order of a round.
    pub const ALL: [Service; 7] = [
        Service::Chain,
        Service::Drand,
        Service::Builds,
        Service::Pods,
        Service::Store,
        Service::Judge,
        Service::Distance,
    ];
}

/// The services that a stage command asks.
#[must_use]
pub fn asks(command: &str) -> &'static [Service] {
    match command {
        "open" | "finalize" => &[Service::Chain],
        "reveal-seed" => &[Service::Chain, Service::Drand],
        "builds" => &[Service::Builds],
        "baseline" => &[Service::Pods, Service::Store],
        "download" => &[Service::Chain, Service::Store],
        "duel" => &[Service::Judge],
        "audit" => &[Service::Pods, Service::Store, Service::Distance],
        _ => &[],
    }
}

/// The commands of a stage, with the one that leaves it.
#[must_use]
pub fn commands_of(stage: Stage) -> Vec<&'static str> {
    let row = row(stage);
    row.commands.iter().copied().chain(row.leaves_by).collect()
}

/// The stages of a round, then the stage commands whose names are not those of a stage.
#[must_use]
pub fn stages_and_commands() -> Vec<&'static str> {
    let stages = Stage::ALL.into_iter().filter(|stage| row(*stage).is_of_a_round());
    let mut names: Vec<&'static str> = stages.map(Stage::as_str).collect();
    let further: Vec<_> = commands().into_iter().filter(|name| !names.contains(name)).collect();
    names.extend(further);
    names
}

/// May this command do its work in this stage?
#[must_use]
pub fn is_for(command: &str, stage: Stage) -> bool {
    let row = row(stage);
    row.commands.contains(&command) || row.leaves_by == Some(command)
}

/// Has a round in this stage come as far as another one? A paused round counts as opened only.
#[must_use]
pub fn has_reached(stage: Stage, other: Stage) -> bool {
    reached(stage).iter().any(|row| row.stage == other)
}

/// Is a round in this stage decided: can nothing be done but open the next one?
#[must_use]
pub fn is_over(stage: Stage) -> bool {
    has_reached(stage, last_of_round())
}

/// The last stage of a round.
#[must_use]
pub fn last_of_round() -> Stage {
    Stage::ALL.into_iter().rfind(|stage| row(*stage).is_of_a_round()).unwrap_or(Stage::Finalizing)
}

/// Does this stage end with the opening of the next round?
#[must_use]
pub fn opens_next(stage: Stage) -> bool {
    row(stage).arrows.contains(&Stage::Open)
}

/// The stages that a round in this one has reached. A paused round counts as opened only.
#[must_use]
pub fn reached(stage: Stage) -> Vec<StageRow> {
    let last = if stage == Stage::Paused { Stage::Open } else { stage };
    let place = Stage::ALL.iter().position(|known| *known == last).unwrap_or_default();
    Stage::ALL.into_iter().take(place + 1).map(row).collect()
}

/// The stages in which a file is written; `None` if it may change at any time.
#[must_use]
pub fn writing_stages(file: &FileKind) -> Option<Vec<Stage>> {
    let commands = match file.row().writers {
        Writers::Commands(commands) => commands,
        Writers::PeopleAtFirst => &[],
        Writers::EveryMove | Writers::People => return None,
    };
    let mut stages = Vec::new();
    for command in commands {
        let of_command = Stage::ALL.into_iter().filter(|stage| row(*stage).commands.contains(command));
        let new: Vec<_> = of_command.filter(|stage| !stages.contains(stage)).collect();
        stages.extend(new);
    }
    Some(stages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{Player, RoundNumber};

    #[test]
    fn the_commands_are_in_the_order_of_a_round() {
        let order = ["open", "reveal-seed", "builds", "baseline", "download", "duel", "audit", "finalize"];
        assert_eq!(commands(), order);
        assert!(is_for("download", Stage::MinerGeneration) && !is_for("duel", Stage::MinerGeneration));
    }

    #[test]
    fn every_command_asks_something() {
        assert!(commands().into_iter().all(|command| !asks(command).is_empty()));
        assert!(
            Service::ALL.iter().all(|service| commands().into_iter().any(|command| asks(command).contains(service)))
        );
        assert_eq!(commands_of(Stage::MinerGeneration), ["builds", "baseline", "download"]);
        let names = stages_and_commands().join(" ");
        let commands = "reveal-seed builds baseline download duel audit finalize";
        assert_eq!(names, format!("open miner_generation downloading duels finalizing {commands}"));
    }

    #[test]
    fn every_writer_of_a_file_has_its_stages() {
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY".parse().unwrap();
        let mut table = Vec::new();
        for player in [Player::Miner(hotkey), Player::Leader] {
            for file in FileKind::every(RoundNumber(1), &player) {
                let Writers::Commands(commands) = file.row().writers else { continue };
                let known = |name: &&str| *name == "init" || super::commands().contains(name);
                assert!(commands.iter().all(known), "{file:?}");
                let stages = writing_stages(&file).unwrap();
                let names: Vec<_> = stages.iter().map(|stage| stage.as_str()).collect();
                table.push((file.row().name, names.join(" ")));
            }
        }
        let judged = "miner_generation downloading duels";
        let expected = [
            ("leader.json", "finalizing"),
            ("schedule.json", "finalizing"),
            ("submissions.json", "open"),
            ("seed.json", "open"),
            ("prompts.txt", "open"),
            ("builds.json", judged),
            ("question.toml", "duels"),
            ("matches_matrix.csv", "duels"),
            ("require_audit.json", "duels"),
            ("generation_audits.json", "duels"),
            ("winner.json", "duels open"),
        ];
        let of_miner = ["downloading", "downloading", "duels", "duels", "downloading duels", "duels", "duels"];
        let names = [
            "submitted.json",
            "refusals.json",
            "generated.json",
            "pod_stats.json",
            "SHA256SUMS",
            "duels_LEFT.json",
            "answers_LEFT.jsonl",
        ];
        let miner = names.into_iter().zip(of_miner);
        let expected = expected.into_iter().chain(miner).chain(expected).chain(names.map(|name| (name, judged)));
        let expected: Vec<_> = expected.map(|(name, stages)| (name, stages.to_owned())).collect();
        assert_eq!(table, expected);
        assert_eq!(writing_stages(&FileKind::Config), Some(Vec::new()));
        assert_eq!(writing_stages(&FileKind::State), None);
    }

    #[test]
    fn a_stage_has_reached_those_before_it() {
        let names = |stage| reached(stage).iter().map(|row| row.stage.as_str()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(Stage::Paused), "open");
        assert_eq!(names(Stage::Downloading), "open miner_generation downloading");
        assert!(names(Stage::Finished).ends_with("finalizing finished"));
        let over = |stage| (is_over(stage), has_reached(stage, Stage::Duels), opens_next(stage));
        let expected = [false, false, false, false, true, true, false];
        let played = [false, false, false, true, true, true, false];
        for ((stage, expected), played) in Stage::ALL.into_iter().zip(expected).zip(played) {
            assert_eq!(over(stage), (expected, played, stage == Stage::Finalizing), "{stage}");
        }
    }
}
