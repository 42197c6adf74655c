//! What of the competition is announced, as its files show it now.

use std::collections::BTreeMap;

use crate::base::text::{cut, line};
use crate::model::config::ConfigFile;
use crate::model::file::{FileKind, RepoFile, RoundFile};
use crate::model::generation_audits::{AuditOutcome, GenerationAudit, GenerationAudits};
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::require_audit::AuditRequests;
use crate::model::source_audit::SourceVerdict;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::Store;
use crate::model::threejs::audits::{DuelAuditRequests, DuelAuditVerdict, DuelAuditVerdicts};
use crate::model::threejs::config::ThreejsConfig;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::programs::{ThreejsLeaders, ThreejsWinner};
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
    pub(super) verdicts: Vec<VerdictSeen>,
    pub(super) winner: Option<Player>,
}

/// A decided audit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VerdictSeen {
    pub(super) hotkey: Hotkey,
    pub(super) outcome: AuditOutcome,
    /// Of meshes: prompts that were checked, mismatches, and those among them on critical prompts.
    pub(super) counts: Option<[usize; 3]>,
    /// Why it was rejected; empty if it was not.
    pub(super) reason: String,
}

impl From<&GenerationAudit> for VerdictSeen {
    fn from(audit: &GenerationAudit) -> Self {
        let GenerationAudit { hotkey, outcome, checked_prompts, failed_prompts, failed_critical, reason, .. } = audit;
        let counts = Some([*checked_prompts, *failed_prompts, *failed_critical]);
        VerdictSeen { hotkey: hotkey.clone(), outcome: *outcome, counts, reason: reason.clone() }
    }
}

impl From<&DuelAuditVerdict> for VerdictSeen {
    fn from(verdict: &DuelAuditVerdict) -> Self {
        let outcome = match verdict.verdict {
            SourceVerdict::Passed => AuditOutcome::Passed,
            SourceVerdict::Failed => AuditOutcome::Rejected,
        };
        VerdictSeen { hotkey: verdict.hotkey.clone(), outcome, counts: None, reason: verdict.reason.clone() }
    }
}

impl Seen {
    /// Reads what the files show of the rounds from `from` to the current one; `None` if they do not show where the
    /// competition stands.
    pub(crate) fn read(store: &Store, from: Option<u32>) -> Option<Seen> {
        let state: CompetitionState = store.load(&FileKind::State).ok().flatten()?;
        let (name, read) = named(store)?;
        let last = state.current_round.0;
        let first = from.unwrap_or(last).min(last).max(last.saturating_sub(MOST_ROUNDS - 1));
        let rounds = (first..=last).map(|round| (round, read(store, RoundNumber(round)))).collect();
        let name = cut(&line(&name), LONGEST_NAME);
        Some(Seen { name, round: state.current_round, stage: state.stage, rounds })
    }
}

/// The competition's name, in any format that gen404 runs; `None` where `config.json` does not say it.
pub(super) fn name_in(store: &Store) -> Option<String> {
    named(store).map(|(name, _)| name)
}

/// How a round is read.
type Read = fn(&Store, RoundNumber) -> RoundSeen;

/// The competition's name, and how its rounds are read.
fn named(store: &Store) -> Option<(String, Read)> {
    let (mesh, modules): (Read, Read) = (RoundSeen::read, RoundSeen::read_modules);
    if let Some(config) = store.load::<ConfigFile>(&FileKind::Config).ok().flatten() {
        // Without the key `format`, the settings fit both.
        return Some((config.settings.name, if is_of_modules(store) { modules } else { mesh }));
    }
    let config = store.load::<ThreejsConfig>(&ThreejsFile::Config).ok().flatten()?;
    Some((config.settings.name, modules))
}

/// Does the first leader run on hardware, as only programs of three.js modules do?
fn is_of_modules(store: &Store) -> bool {
    let leaders: Option<ThreejsLeaders> = store.load(&ThreejsFile::Leader).ok().flatten();
    leaders.is_some_and(|leaders| leaders.iter().any(|leader| leader.hardware.is_some()))
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
            verdicts: audits.iter().flat_map(|audits| audits.values()).filter(decided).map(VerdictSeen::from).collect(),
            winner: winner.map(|winner| winner.player().clone()),
        }
    }

    /// As [`RoundSeen::read`], of three.js modules.
    fn read_modules(store: &Store, round: RoundNumber) -> RoundSeen {
        fn load<T: RepoFile>(store: &Store, round: RoundNumber, file: ThreejsRoundFile) -> Option<T> {
            store.load(&ThreejsFile::Round(round, file)).ok().flatten()
        }
        let asked: Option<DuelAuditRequests> = load(store, round, ThreejsRoundFile::RequireAudit);
        let verdicts: Option<DuelAuditVerdicts> = load(store, round, ThreejsRoundFile::GenerationAudits);
        let winner: Option<ThreejsWinner> = load(store, round, ThreejsRoundFile::Winner);
        RoundSeen {
            asked: asked.into_iter().flatten().map(|request| request.hotkey).collect(),
            verdicts: verdicts.iter().flat_map(|verdicts| verdicts.values()).map(VerdictSeen::from).collect(),
            winner: winner.map(|winner| winner.winner_hotkey),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOTKEY: &str = "5F31TZJFYnRqwQVskA6aXnvrTSRW4rXQbX3cK89DzV7cKanp";

    #[test]
    fn what_is_announced_of_modules_is_read_from_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, value: serde_json::Value| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, serde_json::to_string_pretty(&value).unwrap()).unwrap();
        };
        let commit = "0a".repeat(20);
        put("state.json", serde_json::json!({"current_round": 1, "stage": "duels", "next_stage_eta": null}));
        let config = serde_json::json!({"name": "t", "description": "", "first_evaluation_date": "2026-01-05",
            "last_competition_date": "2026-02-05", "generation_stage_minutes": 240, "win_margin": 0.07,
            "weight_decay": 0.2, "weight_floor": 0.2, "prompts_per_round": 8, "carryover_prompts": 2});
        put("config.json", config.clone());
        put(
            "leader.json",
            serde_json::json!([{"hotkey": HOTKEY, "repo": "a/b", "commit": commit, "docker": "x",
            "hardware": ["4xH200"], "weight": 1.0, "effective_block": 0}]),
        );
        put("rounds/1/require_audit.json", serde_json::json!([{"hotkey": HOTKEY, "latest_defender": "leader"}]));
        let verdict = serde_json::json!({"hotkey": HOTKEY, "verdict": "failed", "reason": "submitted vs generated"});
        put("rounds/1/generation_audits.json", serde_json::json!({HOTKEY: verdict}));
        let store = Store::open(folder.path()).unwrap();
        let shown = |seen: &Seen| seen.rounds[&1].clone();
        let seen = Seen::read(&store, None).unwrap();
        assert_eq!((seen.name.as_str(), shown(&seen).asked.len(), shown(&seen).winner), ("t", 1, None));
        let verdict = &shown(&seen).verdicts[0];
        assert_eq!((verdict.outcome, verdict.counts), (AuditOutcome::Rejected, None));
        assert_eq!(verdict.reason, "submitted vs generated");
        // The same with the format in config.json.
        let mut named = config;
        named["format"] = "threejs".into();
        put("config.json", named);
        assert_eq!(Seen::read(&store, None).unwrap(), seen);
    }
}
