//! What of the competition is announced, as its files show it now.

use std::collections::BTreeMap;

use crate::base::text::{cut, line};
use crate::model::config::ConfigFile;
use crate::model::file::{FileKind, RepoFile, RoundFile};
use crate::model::generation_audits::{AuditOutcome, GenerationAudit, GenerationAudits};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::require_audit::AuditRequests;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::Store;
use crate::model::threejs::config::ThreejsConfig;
use crate::model::threejs::file::ThreejsFile;
use crate::model::winner::Winner;

/// The most rounds that are looked at: more pass only while nothing runs here.
const MOST_ROUNDS: u32 = 8;

/// Most characters of the competition's name.
const LONGEST_NAME: usize = 80;

/// Where the competition stands, and what is announced of its rounds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(super) name: String,
    pub(super) round: RoundNumber,
    pub(super) stage: Stage,
    pub(super) rounds: BTreeMap<u32, RoundSeen>,
}

/// What is announced of a round. A file that is missing or cannot be read shows nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RoundSeen {
    /// The miners to audit.
    pub(super) asked: Vec<Hotkey>,
    /// The audits that are decided.
    pub(super) verdicts: Vec<GenerationAudit>,
    pub(super) winner: Option<Player>,
}

impl Seen {
    /// Reads what the files show of the rounds from `from` to the current one; `None` if they do not show where the
    /// competition stands.
    pub(crate) fn read(store: &Store, from: Option<u32>) -> Option<Seen> {
        let state: CompetitionState = store.load(&FileKind::State).ok().flatten()?;
        let name = name_in(store)?;
        let last = state.current_round.0;
        let first = from.unwrap_or(last).min(last).max(last.saturating_sub(MOST_ROUNDS - 1));
        let rounds = (first..=last).map(|round| (round, RoundSeen::read(store, RoundNumber(round)))).collect();
        let name = cut(&line(&name), LONGEST_NAME);
        Some(Seen { name, round: state.current_round, stage: state.stage, rounds })
    }
}

/// The competition's name, in any format that gen404 runs; `None` where `config.json` does not say it.
pub(super) fn name_in(store: &Store) -> Option<String> {
    let mesh = || store.load::<ConfigFile>(&FileKind::Config).ok().flatten().map(|config| config.settings.name);
    let threejs =
        || store.load::<ThreejsConfig>(&ThreejsFile::Config).ok().flatten().map(|config| config.settings.name);
    mesh().or_else(threejs)
}

impl Seen {
    /// The current round and its stage.
    pub(crate) fn standing(&self) -> (RoundNumber, Stage) {
        (self.round, self.stage)
    }
}

impl RoundSeen {
    fn read(store: &Store, round: RoundNumber) -> RoundSeen {
        fn load<T: RepoFile>(store: &Store, round: RoundNumber, file: RoundFile) -> Option<T> {
            // A file that is broken is the commands' business, and shows nothing here.
            store.load(&FileKind::Round(round, file)).ok().flatten()
        }
        let asked: Option<AuditRequests> = load(store, round, RoundFile::RequireAudit);
        let audits: Option<GenerationAudits> = load(store, round, RoundFile::GenerationAudits);
        let winner: Option<Winner> = load(store, round, RoundFile::Winner);
        let decided = |audit: &&GenerationAudit| audit.outcome != AuditOutcome::Pending;
        RoundSeen {
            asked: asked.into_iter().flatten().map(|request| request.hotkey).collect(),
            verdicts: audits.iter().flat_map(|audits| audits.values()).filter(decided).cloned().collect(),
            winner: winner.map(|winner| winner.player().clone()),
        }
    }
}
