//! The files that a tournament is played on, read and checked once.

use std::collections::HashMap;

use super::super::common::require_intact;
use super::super::context::{Context, Standing};
use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::model::answers::Digest;
use crate::model::file::{FileKind, PlayerFile, RoundFile};
use crate::model::ids::{Player, RoundNumber, Seed};
use crate::model::leader::Leaders;
use crate::model::prompts::{Prompt, PromptList};
use crate::model::question::{Asked, QuestionFile, Words};
use crate::model::seed::SeedFile;
use crate::model::snapshot::RoundFiles;
use crate::model::stage::CompetitionState;
use crate::rules::Thresholds;
use crate::rules::duel::{below_player, outputs_of};
use crate::rules::match_in_progress::{Inquiry, MatchInProgress, ViewingOrder};
use crate::rules::regeneration::baseline_outstanding;
use crate::rules::results::RecordTerms;
use crate::rules::shard::Shard;
use crate::rules::tournament::{Field, Pair};
use crate::world::http::shown_text;
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
    /// What the judge is asked.
    pub(crate) question: QuestionFile,
    /// SHA-256 of stored files, by player and path below its folder.
    sums: HashMap<(Player, String), Digest>,
}

impl DuelRound {
    /// Takes the round's files, unless one of them is broken or the round asks something else.
    pub(crate) fn gather(context: &Context<'_>, standing: Standing, asked: Asked) -> Result<DuelRound> {
        require_intact(&standing)?;
        let Standing { config, state, files } = standing;
        let round = state.current_round;
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
        let question = agreed_question(&need(RoundFile::Question).path(), files.question.get(), asked)?;
        let prompts = prompts.0;
        let players = files.players.iter().filter_map(|(player, own)| Some((player, own.sums.get()?)));
        let sums = players
            .flat_map(|(player, sums)| sums.0.iter().map(|(path, sum)| ((player.clone(), path.clone()), sum.parse())));
        // Digests of another form are not in the file: it would not parse.
        let sums = sums.filter_map(|(place, sum)| Some((place, sum.ok()?))).collect();
        let (leaders, limits) = (context.store.need(&FileKind::Leader)?, config.settings.limits());
        let win_margin = config.settings.win_margin;
        Ok(DuelRound { state, seed, prompts, files, leaders, win_margin, limits, question, sums })
    }

    pub(crate) fn number(&self) -> RoundNumber {
        self.state.current_round
    }

    pub(crate) fn terms(&self) -> RecordTerms<'_> {
        let (round, question) = (self.number(), &self.question);
        RecordTerms { round, seed: self.seed, win_margin: self.win_margin, limits: &self.limits, question }
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
    fn sum(&self, player: &Player, url: &str) -> Option<Digest> {
        self.sums.get(&(player.clone(), below_player(url, player)?.to_owned())).copied()
    }

    /// Sets up a match.
    pub(crate) fn begin(&self, pair: &Pair) -> MatchInProgress {
        MatchInProgress::new(&self.files, &self.prompts, &self.limits, self.question.digest, pair)
    }
}

/// The question of the round: the published one, which is at this path, or ours if none is published yet. All matches of
/// a round are judged by the same question and model.
pub(crate) fn agreed_question<W: Words + Clone>(
    path: &str,
    published: Option<&QuestionFile<W>>,
    asked: Asked<W>,
) -> Result<QuestionFile<W>> {
    let Some(published) = published else { return Ok(QuestionFile::new(asked)) };
    let differing = published.asked.differing(&asked);
    if differing.is_empty() {
        return Ok(published.clone());
    }
    let what = differing.join(", ");
    let model = (differing.contains(&"model")).then(|| {
        format!(
            " (model {:?}, the round's is {:?})",
            shown_text(&asked.model, 80),
            shown_text(&published.asked.model, 80)
        )
    });
    let other =
        Error::failed(format!("{path}: the settings ask another question in {what}{}", model.unwrap_or_default()));
    let same = "a round's matches are all judged by one question and model: set [judge] model and send_temperature in \
                gen404.toml as in that file";
    Err(other.hint(same).hint(format!("`gen404 duel --question {path}` asks its words")))
}

/// A judge call, and where its answer goes.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) pair: Pair,
    pub(crate) duel: usize,
    pub(crate) order: ViewingOrder,
    pub(crate) images: [DuelImage; 3],
}
