//! The open stage of a round of three.js modules: as for meshes, but submissions name their hardware, and new prompts
//! are drawn from those not carried over.

use std::collections::BTreeMap;

use super::leader::leader_at;
use super::prompts::select_disjoint;
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::record::Extra;
use crate::model::store::FileWrite;
use crate::model::submissions::Submission;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::model::threejs::programs::{ThreejsLeader, ThreejsSubmission, ThreejsSubmissions, ThreejsWinner};
use crate::rules::Plan;
use crate::rules::opening::{Beginning, OpeningError, drawn, nobody, prompts_of, revealed, starts_builds, summary};
use crate::rules::prompts::TooFewPrompts;
use crate::rules::submissions::Intake;

/// The hardware that each program can run on, first choice first.
pub type HardwareByMiner = BTreeMap<Hotkey, Vec<String>>;

/// Who takes part, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Admitted<'a> {
    /// What was revealed, of those who may take part.
    pub intake: &'a Intake,
    /// What their programs can run on.
    pub hardware: &'a HardwareByMiner,
    /// The current file, if any.
    pub recorded: Option<&'a ThreejsSubmissions>,
}

impl Admitted<'_> {
    fn submissions(&self) -> ThreejsSubmissions {
        self.intake.accepted.iter().map(|(hotkey, one)| (hotkey.clone(), self.submission(hotkey, one))).collect()
    }

    fn submission(&self, hotkey: &Hotkey, one: &Submission) -> ThreejsSubmission {
        let Submission { repo, commit, cdn_url, revealed_at_block, round, .. } = one.clone();
        let hardware = self.hardware.get(hotkey).cloned();
        let known = self.recorded.and_then(|recorded| recorded.get(hotkey));
        let extra = known.map_or_else(Extra::default, |known| known.extra.clone());
        ThreejsSubmission { repo, commit, cdn_url: with_path(cdn_url), revealed_at_block, round, hardware, extra }
    }
}

/// A bare host ends in a slash, as the deployed services write it.
fn with_path(url: String) -> String {
    let bare = url.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']));
    if bare { url + "/" } else { url }
}

/// Records the submissions so far; the file is left alone if nothing changed, and not created while there are none.
#[must_use]
pub fn open(round: RoundNumber, admitted: &Admitted<'_>) -> Plan {
    let submissions = admitted.submissions();
    let changed = admitted.recorded.map_or(!submissions.is_empty(), |recorded| *recorded != submissions);
    let file = ThreejsFile::Round(round, ThreejsRoundFile::Submissions);
    let mut says = vec![summary(round, admitted.intake)];
    let mut writes = Vec::new();
    if changed {
        says.push(starts_builds(&file.path(), submissions.len()));
        writes.push(FileWrite::new(file, &submissions));
    }
    Plan { writes, message: format!("Update submissions for round {round}"), says }
}

/// Fixes the submissions, the seed and the prompts, and moves to the next stage. The same facts give the same bytes.
///
/// # Errors
/// There are too few prompts, or neither a submission nor a leader.
pub fn reveal(
    begins: &Beginning<'_>,
    admitted: &Admitted<'_>,
    leaders: &[ThreejsLeader],
) -> Result<Plan, OpeningError> {
    let (round, settings) = (begins.state.current_round, begins.settings);
    let selection = select_disjoint(settings, begins.seed.seed, begins.previous, begins.pool);
    let mut says = vec![summary(round, admitted.intake)];
    says.extend(drawn(begins.seed, &selection));
    let (needed, carried) = (settings.prompts_per_round, selection.carried.len());
    if carried + selection.fresh.len() < needed {
        let pool = selection.fresh.len();
        prompts_of(selection)?;
        return Err(TooFewPrompts::of(needed, pool, carried).into());
    }
    let prompts = prompts_of(selection)?;
    let at = |file| ThreejsFile::Round(round, file);
    let submissions = admitted.submissions();
    let mut writes = vec![
        FileWrite::new(at(ThreejsRoundFile::Submissions), &submissions),
        FileWrite::new(at(ThreejsRoundFile::Seed), begins.seed),
        FileWrite::new(at(ThreejsRoundFile::Prompts), &prompts),
    ];
    if submissions.is_empty() {
        let latest = begins.schedule.latest_reveal_block;
        let leader = leader_at(leaders, latest).ok_or(OpeningError::NoLeader(latest))?;
        says.push(nobody(&leader.repo));
        writes.push(FileWrite::new(at(ThreejsRoundFile::Winner), &leader_holds(leader)));
    }
    writes.push(FileWrite::new(ThreejsFile::State, &begins.next_state(submissions.is_empty())));
    Ok(Plan { writes, message: revealed(round), says })
}

/// The `winner.json` of a round that the leader holds.
#[must_use]
pub fn leader_holds(leader: &ThreejsLeader) -> ThreejsWinner {
    ThreejsWinner {
        winner_hotkey: Player::Leader,
        repo: leader.repo.clone(),
        commit: leader.commit.clone(),
        docker_image: leader.docker.clone(),
        hardware: leader.hardware.clone(),
        extra: Extra::default(),
    }
}
