//! `match.score`, `match.matrix`, `match.urls`, `match.rules`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Claim, Facts, Sink};
use crate::rules::Thresholds;
use crate::rules::duel::{
    INTERNAL_ERROR, Lateness, claims_no_judge, margin, outputs_of, score, walkover, without_judge,
};
use crate::rules::tournament::order;
use crate::state::file::{FileKind, PlayerFile};
use crate::state::ids::{Hotkey, Player, PromptStem, RoundNumber};
use crate::state::outputs::{Output, Outputs};
use crate::state::prompts::Prompt;
use crate::state::report::{Duel, DuelWinner, MatchReport};
use crate::state::snapshot::RoundFiles;

pub(super) fn check(facts: &Facts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let table = Table::of(facts, files);
    for (player, own) in &files.players {
        let reports = own.reports.iter().filter_map(|(name, slot)| Some((name, slot.get()?)));
        for (name, report) in reports {
            let file = FileKind::Player(round, player.clone(), PlayerFile::Report(name.clone()));
            let (limits, whose) = facts.rules.of(&(file.clone(), None));
            let file = file.path();
            sink.claim("match.score", round, file.clone(), |claim| check_score(claim, report));
            sink.claim("match.urls", round, file.clone(), |claim| {
                check_urls(claim, (files, &table), player, name, report);
            });
            sink.claim("match.rules", round, file, |claim| {
                check_outcomes(claim, &limits, (files, &table), report);
                claim.by(&whose);
            });
        }
    }
    check_matrix(facts, round, (files, &table), sink);
}

/// What every report and row of a round is held against, made once.
struct Table<'a> {
    /// The prompts, sorted by stem; `None` where they cannot be read.
    prompts: Option<Vec<&'a Prompt>>,
    /// Who is late on which prompts; `None` where they cannot be read.
    lateness: Option<Lateness<'a>>,
    /// The rules that most reports go by, and the prompts on which each player is late by them.
    usual: Thresholds,
    late: BTreeMap<&'a Player, BTreeSet<PromptStem>>,
    /// Each miner's place in the order in which they play.
    places: HashMap<Hotkey, usize>,
}

impl<'a> Table<'a> {
    fn of(facts: &Facts<'_>, files: &'a RoundFiles) -> Self {
        let prompts = files.prompts.get();
        let mut sorted: Option<Vec<_>> = prompts.map(|prompts| prompts.0.iter().collect());
        sorted.iter_mut().for_each(|prompts| prompts.sort_by(|a, b| a.stem().cmp(b.stem())));
        let lateness = prompts.map(|prompts| Lateness::of(&prompts.0));
        let usual = facts.rules.now;
        let late = |player: &'a Player| {
            let late = lateness.as_ref()?.over_time(outputs(files, player)?, &usual);
            (!late.is_empty()).then_some((player, late))
        };
        let order = files.submissions.get().map(order).unwrap_or_default();
        Table {
            prompts: sorted,
            late: files.players.keys().filter_map(late).collect(),
            lateness,
            usual,
            places: order.into_iter().enumerate().map(|(at, hotkey)| (hotkey, at)).collect(),
        }
    }

    /// The prompts on which a player is late by these rules.
    fn late(&self, files: &RoundFiles, player: &Player, limits: &Thresholds) -> Cow<'_, BTreeSet<PromptStem>> {
        if *limits == self.usual {
            return self.late.get(player).map(Cow::Borrowed).unwrap_or_default();
        }
        let late = self.lateness.as_ref().zip(outputs(files, player));
        Cow::Owned(late.map(|(lateness, outputs)| lateness.over_time(outputs, limits)).unwrap_or_default())
    }
}

fn outputs<'a>(files: &'a RoundFiles, player: &Player) -> Option<&'a Outputs> {
    outputs_of(files, player).get()
}

fn check_score(claim: &mut Claim, report: &MatchReport) {
    let expected = score(&report.duels);
    claim.same("score", &report.score, &expected);
    let expected = margin(expected, report.duels.len());
    claim.same("margin", &report.margin, &expected);
}

fn check_urls(
    claim: &mut Claim,
    (files, table): (&RoundFiles, &Table<'_>),
    folder: &Player,
    name: &str,
    report: &MatchReport,
) {
    if report.right != *folder {
        claim.fail(format!("right is {}, but the folder is {folder}'s", report.right));
    }
    let left = report.left.as_str();
    let named = name.strip_prefix("duels_").and_then(|name| name.strip_suffix(".json")).unwrap_or(name);
    if !left.starts_with(named) || named.len() < report.left.short().len() {
        claim.fail(format!("left is {left}, but the file is named after {named}"));
    }
    let Some(expected) = &table.prompts else { return claim.skip("prompts.txt cannot be read") };
    if expected.len() != report.duels.len() {
        claim.fail(format!("{} duels for {} prompts", report.duels.len(), expected.len()));
    }
    for (duel, prompt) in report.duels.iter().zip(expected) {
        if duel.name != *prompt.stem() {
            return claim.fail(format!(
                "{} stands where {} belongs: duels are sorted by name",
                duel.name,
                prompt.stem()
            ));
        }
        claim.same(&format!("{}: prompt", duel.name), &duel.prompt.as_str(), &prompt.url());
    }
    for duel in &report.duels {
        let sides = [
            ("left", &report.left, &duel.left_glb, &duel.left_png),
            ("right", &report.right, &duel.right_glb, &duel.right_png),
        ];
        for (side, player, glb, png) in sides {
            let output = outputs(files, player).and_then(|outputs| outputs.get(&duel.name));
            let of = |url: fn(&Output) -> &Option<String>| output.and_then(|output| url(output).clone());
            claim.same(&format!("{}: {side}_glb", duel.name), glb, &of(|output| &output.glb));
            claim.same(&format!("{}: {side}_png", duel.name), png, &of(|output| &output.png));
        }
    }
}

fn check_outcomes(
    claim: &mut Claim,
    limits: &Thresholds,
    (files, table): (&RoundFiles, &Table<'_>),
    report: &MatchReport,
) {
    if table.prompts.is_none() {
        return claim.skip("prompts.txt cannot be read");
    }
    let (left, right) = (outputs(files, &report.left), outputs(files, &report.right));
    let late_left = table.late(files, &report.left, limits);
    let late_right = table.late(files, &report.right, limits);
    let mut failed = 0;
    for duel in &report.duels {
        let of = |outputs: Option<&Outputs>| outputs.and_then(|outputs| outputs.get(&duel.name).cloned());
        let late = (late_left.contains(&duel.name), late_right.contains(&duel.name));
        match without_judge(&duel.name, of(left).as_ref(), of(right).as_ref(), late) {
            Some((winner, issues)) => {
                claim.same(&format!("{}: winner", duel.name), &duel.winner, &winner);
                claim.same(&format!("{}: issues", duel.name), &duel.issues, &issues);
            }
            None => failed += judged(claim, duel),
        }
    }
    if failed > 0 {
        claim.warn(format!("{failed} duel(s) read {INTERNAL_ERROR:?}: the judge failed, and they count as draws"));
    }
}

/// A duel that a judge decided; 1 if the judge failed.
fn judged(claim: &mut Claim, duel: &Duel) -> usize {
    if claims_no_judge(&duel.issues) {
        claim.fail(format!("{}: issues read {:?}, but both sides are there and in time", duel.name, duel.issues));
    }
    if duel.issues == INTERNAL_ERROR {
        claim.same(&format!("{}: winner where the judge failed", duel.name), &duel.winner, &DuelWinner::Draw);
        return 1;
    }
    if duel.winner == DuelWinner::Skipped {
        claim.warn(format!("{}: skipped, though both sides are there", duel.name));
    }
    0
}

fn check_matrix(facts: &Facts<'_>, round: RoundNumber, (files, table): (&RoundFiles, &Table<'_>), sink: &mut Sink) {
    if files.matrix.is_missing() && files.players.values().all(|own| own.reports.is_empty()) {
        return;
    }
    sink.claim("match.matrix", round, format!("rounds/{round}/matches_matrix.csv"), |claim| {
        let Some(matrix) = files.matrix.get() else {
            if files.matrix.is_missing() && facts.is_over(round) {
                claim.fail("there are match reports, but no matrix");
            }
            return;
        };
        for ((left, right), found) in &matrix.0 {
            row(claim, round, files, left, right, *found);
            asked_for(claim, facts, (files, table), left, right);
        }
        if facts.is_over(round) {
            for report in files.players.values().flat_map(|own| own.reports.values()).filter_map(|slot| slot.get()) {
                if matrix.margin(&report.left, &report.right).is_none() {
                    claim.fail(format!(
                        "{} against {}: a report (margin {}) without a row",
                        report.left, report.right, report.margin
                    ));
                }
            }
        }
    });
}

fn row(claim: &mut Claim, round: RoundNumber, files: &RoundFiles, left: &Player, right: &Player, found: f64) {
    for player in [left, right].into_iter().filter_map(Player::hotkey) {
        if files.submissions.get().is_some_and(|submissions| !submissions.contains_key(player)) {
            claim.fail(format!("{left},{right}: {player} did not submit in this round"));
        }
    }
    let has = |player: &Player| outputs(files, player).is_some_and(|outputs| !outputs.is_empty());
    match (files.report(round, left, right), walkover(has(left), has(right))) {
        (Some((_, report)), _) => claim.same(&format!("{left},{right}: margin"), &found, &report.margin),
        (None, Some(expected)) => claim.same(&format!("{left},{right}: margin without generations"), &found, &expected),
        (None, None) => claim.fail(format!("{left},{right}: margin {found} has no match report")),
    }
}

/// A match between two miners is played only if both qualified, and the earlier one defends.
fn asked_for(
    claim: &mut Claim,
    facts: &Facts<'_>,
    (files, table): (&RoundFiles, &Table<'_>),
    left: &Player,
    right: &Player,
) {
    let (Player::Miner(left), Player::Miner(right)) = (left, right) else { return };
    let (Some(matrix), Some(settings), Some(_)) = (files.matrix.get(), facts.settings(), files.submissions.get())
    else {
        return;
    };
    for player in [left, right] {
        let margin = matrix.margin(&Player::Leader, &Player::Miner(player.clone()));
        if margin.is_none_or(|margin| margin < settings.win_margin) {
            let margin = margin.map_or("no margin".to_owned(), |margin| format!("margin {margin}"));
            claim.warn(format!("{left},{right}: {player} did not qualify ({margin} against leader)"));
        }
    }
    if table.places.get(left) > table.places.get(right) {
        claim.warn(format!("{left},{right}: the later submission defends"));
    }
}
