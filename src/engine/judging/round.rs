//! The files that a tournament is played on, read and checked once.

use std::collections::HashMap;

use super::super::common::require_intact;
use super::super::context::{Context, Standing};
use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::model::file::{FileKind, PlayerFile, RoundFile};
use crate::model::ids::{Player, RoundNumber, Seed};
use crate::model::leader::Leaders;
use crate::model::prompts::{Prompt, PromptList};
use crate::model::seed::SeedFile;
use crate::model::snapshot::RoundFiles;
use crate::model::stage::CompetitionState;
use crate::rules::Thresholds;
use crate::rules::duel::outputs_of;
use crate::rules::match_in_progress::{Inquiry, ViewingOrder};
use crate::rules::regeneration::baseline_outstanding;
use crate::rules::results::RecordTerms;
use crate::rules::shard::Shard;
use crate::rules::tournament::{Field, Pair};
use crate::world::judge::images::DuelImage;

/// A round whose matches are played.
#[derive(Debug)]
pub(crate) struct DuelRound {
    pub(crate) state: CompetitionState,
    pub(crate) seed: Seed,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) files: RoundFiles,
    pub(crate) leaders: Leaders,
    win_margin: f64,
    limits: Thresholds,
    /// SHA-256 of stored files, by player and path below its folder.
    sums: HashMap<(Player, String), String>,
}

impl DuelRound {
    /// Takes the round's files, unless one of them is broken.
    pub(crate) fn gather(context: &Context<'_>, standing: Standing) -> Result<DuelRound> {
        let Standing { config, state, files } = standing;
        let round = state.current_round;
        require_intact(round, &files)?;
        let need = |file| FileKind::Round(round, file);
        let seed = context.store.need::<SeedFile>(&need(RoundFile::Seed))?.seed;
        let prompts = context.store.need::<PromptList>(&need(RoundFile::Prompts))?;
        if files.submissions.is_missing() {
            return Err(Error::failed(format!("{}: missing", need(RoundFile::Submissions).path())));
        }
        if outputs_of(&files, &Player::Leader).is_missing() {
            let baseline = FileKind::Player(round, Player::Leader, PlayerFile::Generated).path();
            let waits = format!("duel waits: {baseline}, the leader's baseline, does not exist yet");
            return Err(Error::not_due(waits).hint("`gen404 baseline` makes it"));
        }
        // Outputs that are not generated yet would lose to every challenger.
        let outstanding = baseline_outstanding(&files, &prompts).len();
        if outstanding > 0 {
            let lacks = counted(outstanding, "output", "outputs");
            let waits = format!("duel waits: the leader's baseline still lacks {lacks}");
            return Err(Error::not_due(waits).hint("`gen404 baseline` completes it"));
        }
        let prompts = prompts.0;
        let players = files.players.iter().filter_map(|(player, own)| Some((player, own.sums.get()?)));
        let sums = players
            .flat_map(|(player, sums)| sums.0.iter().map(|(path, sum)| ((player.clone(), path.clone()), sum.clone())));
        let sums = sums.collect();
        let (leaders, limits) = (context.store.need(&FileKind::Leader)?, config.settings.limits());
        Ok(DuelRound { state, seed, prompts, files, leaders, win_margin: config.settings.win_margin, limits, sums })
    }

    pub(crate) fn number(&self) -> RoundNumber {
        self.state.current_round
    }

    pub(crate) fn terms(&self) -> RecordTerms<'_> {
        RecordTerms { round: self.number(), seed: self.seed, win_margin: self.win_margin, limits: &self.limits }
    }

    pub(crate) fn limits(&self) -> &Thresholds {
        &self.limits
    }

    /// Is this match one of this shard's?
    pub(crate) fn is_in(&self, shard: Shard, pair: &Pair) -> bool {
        pair.1.hotkey().is_some_and(|hotkey| shard.has(hotkey, self.files.submissions.get()))
    }

    /// The tournament as it is on record.
    pub(crate) fn field(&self) -> Result<Field> {
        let field = self.terms().field(&self.files);
        field.ok_or_else(|| Error::failed(format!("rounds/{}/submissions.json cannot be read", self.number())))
    }

    /// The images of a judge call, with their recorded digests.
    pub(crate) fn images(&self, inquiry: &Inquiry) -> [DuelImage; 3] {
        let preview = |(player, url): &(Player, String)| DuelImage { url: url.clone(), sha256: self.sum(player, url) };
        [DuelImage { url: inquiry.prompt.clone(), sha256: None }, preview(&inquiry.first), preview(&inquiry.second)]
    }

    /// The recorded SHA-256 of a player's file; `SHA256SUMS` lists paths below the player's folder.
    fn sum(&self, player: &Player, url: &str) -> Option<String> {
        let (_, below) = url.rsplit_once(&format!("/{player}/"))?;
        self.sums.get(&(player.clone(), below.to_owned())).cloned()
    }
}

/// A judge call, and where its answer goes.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) pair: Pair,
    pub(crate) duel: usize,
    pub(crate) order: ViewingOrder,
    pub(crate) images: [DuelImage; 3],
}
