//! Where a competition stands, in any format that gen404 runs: what commands need that look at both.

use super::context::{Context, Standing};
use super::threejs::standing::ThreejsStanding;
use crate::base::error::Result;
use crate::model::config::Settings;
use crate::model::file::FileIn;
use crate::model::format::Format;
use crate::model::ids::{Block, Hotkey, Player, RoundNumber};
use crate::model::prompts::PromptList;
use crate::model::refusals::Refusals;
use crate::model::schedule::Schedule;
use crate::model::seed::SeedFile;
use crate::model::snapshot::Slot;
use crate::model::stage::{CompetitionState, Stage};
use crate::rules::stages::{self, Due, RoundWork as _, due, due_in};
use crate::rules::tournament::{Field, TournamentOutcome, replay};
use crate::rules::{outstanding, threejs, waits};

/// What the files of a competition of one format say of where it stands.
pub(crate) trait Stands {
    /// `config.json`, as far as the formats share it.
    fn settings(&self) -> &Settings;
    /// `state.json`
    fn state(&self) -> &CompetitionState;
    /// The current round's `schedule.json`, if it can be read.
    fn schedule(&self) -> Option<&Schedule>;
    /// The current round's `seed.json`.
    fn seed(&self) -> &Slot<SeedFile>;
    /// The current round's `prompts.txt`, if it can be read.
    fn prompts(&self) -> Option<&PromptList>;
    /// The current round's miners, with the block that revealed each; `None` before `submissions.json`.
    fn miners(&self) -> Option<Vec<(Hotkey, Block)>>;
    /// A miner's `refusals.json`, if it can be read.
    fn refusals(&self, hotkey: &Hotkey) -> Option<&Refusals>;
    /// How many matches the tournament needs next; `None` before its files are there.
    fn matches_left(&self) -> Option<u64>;
    /// The files that decide the round and do not parse, by path.
    fn broken(&self) -> Vec<String>;
    /// The stage that the round's files show.
    fn shown_by(&self) -> Option<Stage>;
    /// What is due, in the order in which it should be done.
    fn due(&self, block: Option<Block>) -> Vec<Due>;
    /// The miners whose audit can run now.
    fn audits(&self) -> Vec<Hotkey>;
    /// What is outstanding in the stage, one line each.
    fn outstanding(&self) -> Vec<String>;

    /// The current round.
    fn round(&self) -> RoundNumber {
        self.state().current_round
    }
    /// The current stage.
    fn stage(&self) -> Stage {
        self.state().stage
    }
}

/// What the files of either format say in the same way.
macro_rules! in_either_format {
    () => {
        fn settings(&self) -> &Settings {
            &self.config.settings
        }
        fn state(&self) -> &CompetitionState {
            &self.state
        }
        fn schedule(&self) -> Option<&Schedule> {
            self.files.schedule.get()
        }
        fn seed(&self) -> &Slot<SeedFile> {
            &self.files.seed
        }
        fn prompts(&self) -> Option<&PromptList> {
            self.files.prompts.get()
        }
        fn miners(&self) -> Option<Vec<(Hotkey, Block)>> {
            let submissions = self.files.submissions.get()?;
            Some(submissions.iter().map(|(hotkey, one)| (hotkey.clone(), one.revealed_at_block)).collect())
        }
        fn refusals(&self, hotkey: &Hotkey) -> Option<&Refusals> {
            self.files.players.get(&Player::Miner(hotkey.clone()))?.refusals.get()
        }
        fn broken(&self) -> Vec<String> {
            self.files.broken(self.round()).iter().map(FileIn::path).collect()
        }
    };
}

impl Stands for Standing {
    in_either_format!();

    fn matches_left(&self) -> Option<u64> {
        let field = Field::of(&self.files, self.settings().win_margin, &self.settings().limits())?;
        Some(match replay(&field).outcome {
            TournamentOutcome::Matches(missing) => missing.len() as u64,
            _ => 0,
        })
    }
    fn shown_by(&self) -> Option<Stage> {
        stages::shown_by(&self.files)
    }
    fn due(&self, block: Option<Block>) -> Vec<Due> {
        due(&self.facts(block))
    }
    fn audits(&self) -> Vec<Hotkey> {
        waits::audits(&self.files).0
    }
    fn outstanding(&self) -> Vec<String> {
        let settings = self.settings();
        outstanding::outstanding(&self.files, self.stage(), settings.win_margin, &settings.limits())
    }
}

impl Stands for ThreejsStanding {
    in_either_format!();

    fn matches_left(&self) -> Option<u64> {
        self.work().matches_left()
    }
    fn shown_by(&self) -> Option<Stage> {
        threejs::due::shown_by(&self.files)
    }
    fn due(&self, block: Option<Block>) -> Vec<Due> {
        due_in(&self.state, block, &self.work())
    }
    fn audits(&self) -> Vec<Hotkey> {
        self.work().audits().0
    }
    fn outstanding(&self) -> Vec<String> {
        let (win_margin, repeats) = (self.settings().win_margin, self.config.audit_repeats);
        threejs::outstanding::outstanding(&self.files, self.stage(), win_margin, repeats)
    }
}

/// The standing of a competition of a format that gen404 runs.
#[derive(Debug)]
pub(crate) enum AnyStanding {
    /// Meshes.
    Mesh(Standing),
    /// three.js modules.
    Threejs(ThreejsStanding),
}

impl std::ops::Deref for AnyStanding {
    type Target = dyn Stands;

    fn deref(&self) -> &(dyn Stands + 'static) {
        match self {
            AnyStanding::Mesh(standing) => standing,
            AnyStanding::Threejs(standing) => standing,
        }
    }
}

impl Context<'_> {
    /// Reads the settings, the state and the current round's files, in either format. A command that is the same in
    /// both needs no more; the others match on it.
    ///
    /// # Errors
    /// A file that every competition has is missing or broken, or the files cannot be read.
    pub(crate) fn stands(&self) -> Result<AnyStanding> {
        match self.this_format()? {
            Format::Threejs => self.threejs_standing().map(AnyStanding::Threejs),
            _ => self.standing().map(AnyStanding::Mesh),
        }
    }

    /// The competition's format: as it was decided, or else as the files show it now.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub(crate) fn this_format(&self) -> Result<Format> {
        match self.format.get() {
            Some(format) => Ok(*format),
            None => Ok(self.detected()?.format),
        }
    }
}
