//! The operator's lie of `--judge lies`: a recorded winner that the judge's recorded answers do not give. Everything else
//! agrees with it, so that only `duel.answers` can find it.

use crate::base::error::{Error, Result};
use crate::model::answers::Answers;
use crate::model::file::{FileKind, PlayerFile, RoundFile};
use crate::model::ids::{Player, RoundNumber};
use crate::model::report::{Duel, DuelWinner, MatchReport};
use crate::model::snapshot::{RoundFiles, Snapshot};
use crate::model::store::{FileWrite, Store};
use crate::rules::checks::answers::winner;
use crate::rules::duel::{margin, score};

/// A match report with the answers beside it.
struct Match<'a> {
    file: FileKind,
    report: &'a MatchReport,
    answers: &'a Answers,
}

/// Records another winner in a duel of the round, where the match ends all the same: nothing that follows from it changes.
/// Does nothing but complete it if there is such a lie already.
///
/// # Errors
/// No match is fit for it, or a file cannot be read or written.
pub(crate) fn tell(store: &Store, round: RoundNumber) -> Result<()> {
    let snapshot = Snapshot::load(store)?;
    let unfit = |why: &str| Error::failed(format!("{}: no match to lie about: {why}", store.root().display()));
    let files = snapshot.rounds.get(&round).ok_or_else(|| unfit("the round has no files"))?;
    let config = snapshot.config.get().ok_or_else(|| unfit("config.json cannot be read"))?;
    let matches = matches(round, files);
    let told = matches.iter().find(|one| one.told()).map(|one| (&one.file, one.report.clone()));
    let lie = told.or_else(|| matches.iter().find_map(|one| Some((&one.file, one.lie(config.settings.win_margin)?))));
    let (file, report) = lie.ok_or_else(|| unfit("more miners or prompts may give one"))?;
    let mut matrix = files.matrix.get().cloned().ok_or_else(|| unfit("the matrix cannot be read"))?;
    matrix.0.insert((report.left.clone(), report.right.clone()), report.margin);
    let rows = FileKind::Round(round, RoundFile::Matrix);
    let writes = [FileWrite::new(file.clone(), &report), FileWrite::new(rows, &matrix)];
    store.apply(&writes, &mut |_, _| Ok(())).map(drop)
}

/// The matches from which nothing follows: of miners without an audit. The worst come first.
fn matches(round: RoundNumber, files: &RoundFiles) -> Vec<Match<'_>> {
    let audited = |player: &Player| {
        let requests = files.require_audit.get().into_iter().flatten();
        requests.into_iter().any(|request| Some(&request.hotkey) == player.hotkey())
    };
    let players = files.players.iter().filter(|(right, _)| !audited(right));
    let mut matches: Vec<_> = players
        .flat_map(|(right, own)| own.reports.iter().map(move |(name, slot)| (right, own, name, slot)))
        .filter_map(|(right, own, name, slot)| {
            let file = FileKind::Player(round, right.clone(), PlayerFile::Report(name.clone()));
            Some(Match { file, report: slot.get()?, answers: own.answers_beside(name).get()? })
        })
        .collect();
    matches.sort_by(|a, b| a.report.margin.total_cmp(&b.report.margin));
    matches
}

impl Match<'_> {
    /// The duels that the judge decided, by their index, with the winner that its answers give.
    fn judged(&self) -> impl Iterator<Item = (usize, &Duel, DuelWinner)> {
        let duels = self.report.duels.iter().zip(&self.answers.0).enumerate();
        duels.filter_map(|(at, (duel, evidence))| Some((at, duel, winner(evidence.judged()?))))
    }

    /// Does it have another winner than its answers give?
    fn told(&self) -> bool {
        self.judged().any(|(_, duel, winner)| duel.winner != winner)
    }

    /// The report with another winner in one duel, if right then wins or loses the match as before.
    fn lie(&self, win_margin: f64) -> Option<MatchReport> {
        let wins = |margin: f64| margin >= win_margin;
        let lies = self.judged().flat_map(|(at, duel, _)| {
            let others = [DuelWinner::Right, DuelWinner::Draw, DuelWinner::Left].into_iter();
            others.filter(|to| *to != duel.winner).map(move |to| self.with(at, to))
        });
        lies.into_iter().find(|report| wins(report.margin) == wins(self.report.margin))
    }

    /// The report with this winner in the duel at an index.
    fn with(&self, at: usize, winner: DuelWinner) -> MatchReport {
        let mut report = self.report.clone();
        report.duels.iter_mut().skip(at).take(1).for_each(|duel| duel.winner = winner);
        report.score = score(&report.duels);
        report.margin = margin(report.score, report.duels.len());
        report
    }
}
