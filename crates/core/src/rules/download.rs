//! DESIGN 3, 4.7: which miners' files to fetch, and what is recorded about them.

mod outcome;
mod silence;
mod tally;

use std::collections::BTreeMap;

pub use self::outcome::{DownloadMark, FetchOutcome, KnownFiles, refusal};
pub use self::silence::{Silence, own_network_is_down};
pub use self::tally::{Tally, recorded_tally, tally};
use super::Plan;
use super::python_random::PythonRandom;
use super::shard::Shard;
use super::threejs::download::modules;
use crate::base::text::counted;
use crate::model::file::{FileKind, PlayerFile};
use crate::model::file_path::FilePath;
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber, Seed};
use crate::model::objects::{StemError, check_stem};
use crate::model::outputs::{Output, Outputs};
use crate::model::prompts::PromptList;
use crate::model::refusals::{self, Refusal, Refusals};
use crate::model::snapshot::{RoundFiles, Slot};
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::FileWrite;
use crate::model::submissions::Submissions;
use crate::model::sums::Sums;
use crate::model::threejs::snapshot::ThreejsRound;

/// What one run is asked to fetch.
#[derive(Debug, Clone)]
pub struct WantedMiners {
    /// This miner only.
    pub only: Option<Hotkey>,
    /// This shard of the miners.
    pub shard: Shard,
    /// Fetch again what failed or was refused before.
    pub retry_failed: bool,
}

/// A round whose files are fetched.
#[derive(Debug, Clone, Copy)]
pub struct DownloadRound<'a> {
    /// The competition's state.
    pub state: &'a CompetitionState,
    /// The round's files.
    pub files: &'a RoundFiles,
    /// The files as they are, in a round of three.js modules.
    pub modules: Option<&'a ThreejsRound>,
    /// Who takes part.
    pub submissions: &'a Submissions,
    /// What each miner has to have made.
    pub prompts: &'a PromptList,
    /// The round's seed.
    pub seed: Seed,
}

/// A miner's files to fetch, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinerFiles {
    /// The miner.
    pub hotkey: Hotkey,
    /// Prompt stem and URL of each file.
    pub files: Vec<(PromptStem, String)>,
}

/// Why a round's files cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum DownloadError {
    #[error("rounds/{round}/{name}: missing or does not parse")]
    NoFile { round: RoundNumber, name: &'static str },
    #[error("rounds/{round}/prompts.txt: {why}")]
    Prompts { round: RoundNumber, why: StemError },
    #[error("{hotkey} did not submit in round {round}")]
    NotSubmitted { hotkey: Hotkey, round: RoundNumber },
}

impl<'a> DownloadRound<'a> {
    /// Gathers the facts of the current round.
    ///
    /// # Errors
    /// A file is missing or broken, or a prompt name cannot name a file.
    pub fn new(
        state: &'a CompetitionState,
        files: &'a RoundFiles,
        modules: Option<&'a ThreejsRound>,
    ) -> Result<Self, DownloadError> {
        let round = state.current_round;
        let lacks = |name| DownloadError::NoFile { round, name };
        let submissions = files.submissions.get().ok_or_else(|| lacks("submissions.json"))?;
        let prompts = files.prompts.get().ok_or_else(|| lacks("prompts.txt"))?;
        let seed = files.seed.get().ok_or_else(|| lacks("seed.json"))?.seed;
        prompts.stems().try_for_each(check_stem).map_err(|why| DownloadError::Prompts { round, why })?;
        Ok(DownloadRound { state, files, modules, submissions, prompts, seed })
    }

    fn number(&self) -> RoundNumber {
        self.state.current_round
    }

    /// `submitted.json` of a miner.
    fn recorded(&self, hotkey: &Hotkey) -> Option<&'a Outputs> {
        self.files.players.get(&Player::Miner(hotkey.clone()))?.submitted.get()
    }

    /// The miners of this run, in order of submission.
    ///
    /// # Errors
    /// The requested miner did not submit.
    pub fn miners(&self, wanted: &WantedMiners) -> Result<Vec<&'a Hotkey>, DownloadError> {
        if let Some(only) = wanted.only.as_ref().filter(|only| !self.submissions.contains_key(*only)) {
            return Err(DownloadError::NotSubmitted { hotkey: only.clone(), round: self.number() });
        }
        let all = self.submissions.keys().enumerate();
        let asked = |hotkey: &Hotkey| wanted.only.as_ref().is_none_or(|only| only == hotkey);
        Ok(all
            .filter(|(place, hotkey)| wanted.shard.holds(*place) && asked(hotkey))
            .map(|(_, hotkey)| hotkey)
            .collect())
    }

    /// Does a file need no further work in this run?
    fn is_settled(&self, hotkey: &Hotkey, stem: &PromptStem, known: &KnownFiles, wanted: &WantedMiners) -> bool {
        let enough = |complete: bool| complete || !wanted.retry_failed;
        match (known.get(hotkey, stem), self.recorded(hotkey).and_then(|outputs| outputs.get(stem))) {
            (Some(outcome), _) => enough(outcome.is_complete()),
            (None, Some(output)) => enough(output.is_complete()),
            (None, None) => false,
        }
    }

    /// What to fetch, in an order drawn from the seed so that no miner is always first.
    ///
    /// # Errors
    /// As [`DownloadRound::miners`].
    pub fn lanes(&self, known: &KnownFiles, wanted: &WantedMiners) -> Result<Vec<MinerFiles>, DownloadError> {
        let mut random = PythonRandom::new(u64::from(self.seed.0));
        let mut lanes = Vec::new();
        for hotkey in self.miners(wanted)? {
            let Some(submission) = self.submissions.get(hotkey) else { continue };
            let open = self.prompts.stems().filter(|stem| !self.is_settled(hotkey, stem, known, wanted));
            let mut files: Vec<_> =
                open.map(|stem| (stem.clone(), submission.file_url(stem, self.files.format.model()))).collect();
            random.shuffle(&mut files);
            if !files.is_empty() {
                lanes.push(MinerFiles { hotkey: hotkey.clone(), files });
            }
        }
        random.shuffle(&mut lanes);
        Ok(lanes)
    }

    /// `submitted.json` of a miner; `None` until the outcome of every prompt is known.
    #[must_use]
    pub fn outputs(&self, hotkey: &Hotkey, known: &KnownFiles) -> Option<Outputs> {
        let recorded = self.recorded(hotkey);
        let entry = |stem: &PromptStem| {
            let old = recorded.and_then(|outputs| outputs.get(stem));
            let extra = || old.map(|output| output.extra.clone()).unwrap_or_default();
            let new = known.get(hotkey, stem).map(|outcome| Output { extra: extra(), ..outcome.output() });
            Some((stem.clone(), new.or_else(|| old.cloned())?))
        };
        let entries: Option<Vec<_>> = self.prompts.stems().map(entry).collect();
        Some(Outputs::of(self.files.format, entries?))
    }

    /// `refusals.json` of a miner whose outputs these are: the outputs that are not complete, in their order. A reason is
    /// the newest known, else the recorded one. `None` if nothing was ever refused.
    #[must_use]
    pub fn refusals(&self, hotkey: &Hotkey, outputs: &Outputs, known: &KnownFiles) -> Option<Refusals> {
        let recorded = self.files.players.get(&Player::Miner(hotkey.clone())).and_then(|own| own.refusals.get());
        let reason = |stem: &PromptStem| {
            let old = recorded.and_then(|refusals| refusals.get(stem));
            let extra = || old.map(|refusal| refusal.extra.clone()).unwrap_or_default();
            let new = known.get(hotkey, stem).and_then(refusal).map(|new| Refusal { extra: extra(), ..new });
            new.or_else(|| old.cloned())
        };
        let incomplete = outputs.iter().filter(|(_, output)| !output.is_complete());
        let reasons: Vec<_> = incomplete.map(|(stem, _)| (stem.clone(), reason(stem))).collect();
        // A version that kept no reasons has recorded these files.
        if recorded.is_none() && reasons.iter().all(|(_, reason)| reason.is_none()) {
            return None;
        }
        let unknown = || Refusal::new(refusals::UNKNOWN, "the reason was not recorded");
        Some(reasons.into_iter().map(|(stem, reason)| (stem, reason.unwrap_or_else(unknown))).collect())
    }

    /// `SHA256SUMS` of a miner: the recorded lines, updated with what is stored now.
    #[must_use]
    pub fn sums(&self, hotkey: &Hotkey, known: &KnownFiles) -> Sums {
        let recorded = self.files.players.get(&Player::Miner(hotkey.clone())).and_then(|own| own.sums.get());
        let mut sums: BTreeMap<String, String> = recorded.map(|sums| sums.0.clone()).unwrap_or_default();
        for outcome in self.prompts.stems().filter_map(|stem| known.get(hotkey, stem)) {
            for object in outcome.objects() {
                sums.insert(object.path.clone(), object.sha256.clone());
            }
        }
        Sums(sums)
    }
}

/// The plan that begins a download: it only moves the stage.
#[must_use]
pub fn begin(state: &CompetitionState) -> Plan {
    let round = state.current_round;
    Plan {
        writes: vec![FileWrite::new(FileKind::State, &state.moved(Stage::Downloading, None))],
        message: format!("Round {round}: downloading"),
        says: vec![format!("round {round} moves to downloading")],
    }
}

/// The plan that records every miner of `miners` whose files are all settled and, once no miner of
/// the round is left, moves to the next stage. `None` if there is nothing to record.
#[must_use]
pub fn record(round: &DownloadRound<'_>, miners: &[&Hotkey], known: &KnownFiles) -> Option<Plan> {
    let number = round.number();
    let (mut writes, mut lines, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for hotkey in miners {
        let Some(outputs) = round.outputs(hotkey, known) else { continue };
        settled.push(*hotkey);
        let player = Player::Miner((*hotkey).clone());
        let (sums, refusals) = (round.sums(hotkey, known), round.refusals(hotkey, &outputs, known));
        let own = round.files.players.get(&player);
        if own.and_then(|own| own.submitted.get()) == Some(&outputs)
            && own.and_then(|own| own.sums.get()) == Some(&sums)
            && own.and_then(|own| own.refusals.get()) == refusals.as_ref()
        {
            continue;
        }
        let file = |file| FileKind::Player(number, player.clone(), file);
        writes.push(match round.modules {
            None => FileWrite::new(file(PlayerFile::Submitted), &outputs),
            Some(files) => {
                let recorded = files.players.get(&player).and_then(|own| own.submitted.get());
                FileWrite::new(file(PlayerFile::Submitted), &modules(hotkey, &outputs, known, recorded))
            }
        });
        writes.extend(refusals.map(|refusals| FileWrite::new(file(PlayerFile::Refusals), &refusals)));
        writes.push(FileWrite::new(file(PlayerFile::Sums), &sums));
        lines.push(match round.modules {
            None => format!("Update submitted for round {number}, miner {}", hotkey.short()),
            Some(_) => format!("Update submitted.json for round {number}, miner {}", hotkey.short()),
        });
    }
    let is_left = |hotkey: &&Hotkey| !settled.contains(hotkey) && !is_recorded(round, hotkey);
    let left = round.submissions.keys().filter(is_left).count();
    let mut says = Vec::new();
    if !lines.is_empty() {
        says.push(format!("recorded the files of {} of round {number}", counted(lines.len(), "miner", "miners")));
    }
    if left == 0 && round.state.stage == Stage::Downloading {
        writes.push(FileWrite::new(FileKind::State, &round.state.moved(Stage::Duels, None)));
        // First, so that it is the commit's subject line.
        lines.insert(0, format!("Round {number}: duels"));
        says.push(format!("round {number} moves to duels"));
    } else if left > 0 {
        says.push(format!("the files of {} of round {number} are not complete yet", counted(left, "miner", "miners")));
    }
    (!writes.is_empty()).then(|| Plan { writes, message: lines.join("\n"), says })
}

/// The files that a run will write if it fetches these lanes completely, and those that it may write.
#[must_use]
pub fn foreseen(
    round: &DownloadRound<'_>,
    miners: &[&Hotkey],
    lanes: &[MinerFiles],
    known: &KnownFiles,
) -> (Vec<FilePath>, Vec<FilePath>) {
    let fetched = |hotkey: &Hotkey| lanes.iter().any(|lane| lane.hotkey == *hotkey);
    let now = record(round, miners, known).map(|plan| plan.writes).unwrap_or_default();
    let mut files: Vec<FilePath> = now.into_iter().map(|write| write.file).collect();
    let mut possible = Vec::new();
    for hotkey in miners.iter().filter(|hotkey| fetched(hotkey)) {
        let file = |file| FilePath::from(FileKind::Player(round.number(), Player::Miner((*hotkey).clone()), file));
        files.extend([file(PlayerFile::Submitted), file(PlayerFile::Sums)]);
        possible.push(file(PlayerFile::Refusals));
    }
    let settled = |hotkey: &&Hotkey| miners.contains(hotkey) || is_recorded(round, hotkey);
    let last = round.state.stage == Stage::Downloading && round.submissions.keys().all(|hotkey| settled(&hotkey));
    if last || round.state.stage == Stage::MinerGeneration {
        files.push(FileKind::State.into());
    }
    (files, possible)
}

/// Does a miner's `submitted.json` have an entry for every prompt?
fn is_recorded(round: &DownloadRound<'_>, hotkey: &Hotkey) -> bool {
    let own = round.files.players.get(&Player::Miner(hotkey.clone()));
    let Some(Slot::Ok(outputs)) = own.map(|own| &own.submitted) else { return false };
    round.prompts.stems().all(|stem| outputs.contains_key(stem))
}

/// Are the files of every miner of the round recorded?
#[must_use]
pub fn all_recorded(round: &DownloadRound<'_>) -> bool {
    round.submissions.keys().all(|hotkey| is_recorded(round, hotkey))
}

/// Whether a miner's server was there for the files that it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It answered for one of them at least.
    Yes,
    /// For none of them: the reason for the first one.
    No(String),
    /// Not all of them were tried.
    Unknown,
}

/// Whether a miner's server was there for these files.
#[must_use]
pub fn reached(asked: &MinerFiles, known: &KnownFiles) -> Reached {
    let outcomes: Vec<_> = asked.files.iter().map(|(stem, _)| known.get(&asked.hotkey, stem)).collect();
    if outcomes.iter().flatten().any(|outcome| !is_silence(outcome)) {
        return Reached::Yes;
    }
    match outcomes.first() {
        Some(Some(first)) if outcomes.iter().all(Option::is_some) => Reached::No(first.reason().unwrap_or_default()),
        _ => Reached::Unknown,
    }
}

/// Does it say that no server was there, or none that works?
fn is_silence(outcome: &FetchOutcome) -> bool {
    let FetchOutcome::Failed { code, reason } = outcome else { return false };
    match code.as_str() {
        refusals::CONNECTION | refusals::GIVEN_UP => true,
        refusals::SLOW => reason.starts_with("no answer in time"),
        refusals::STATUS => reason.starts_with("status 5"),
        _ => false,
    }
}
