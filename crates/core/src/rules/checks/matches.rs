//! `match.score`, `match.matrix`, `match.urls`, `match.rules`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Claim, MatchView, Sink, Then, VerifyFacts, Was};
use crate::base::text::counted;
use crate::model::config::Settings;
use crate::model::file::{FileKind, PlayerFile};
use crate::model::ids::{Hotkey, Player, PromptStem, RoundNumber};
use crate::model::neutral::DuelView;
use crate::model::outputs::{Output, Outputs};
use crate::model::prompts::{Prompt, PromptList};
use crate::model::report::{Duel, DuelWinner, MatchReport};
use crate::model::snapshot::RoundFiles;
use crate::rules::Thresholds;
use crate::rules::duel::{INTERNAL_ERROR, Lateness, claims_no_judge, margin, outputs_of, walkover, without_judge};
use crate::rules::tournament::order;

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let table = Table::of(facts, files);
    for (player, own) in &files.players {
        let reports = own.reports.iter().filter_map(|(name, slot)| Some((name, slot.get()?)));
        for (name, report) in reports {
            let file = FileKind::Player(round, player.clone(), PlayerFile::Report(name.clone()));
            let terms = facts.rules.terms(file.clone(), None);
            let (file, then) = (file.path(), facts.matches.get(&(round, player.clone(), name.clone())));
            let played = table.played(facts, files, report, then, &terms.limits);
            sink.claim("match.score", round, file.clone(), |claim| {
                check_score(claim, (report.score, report.margin), report.duels.iter().map(|duel| duel.winner));
            });
            sink.claim("match.urls", round, file.clone(), |claim| {
                check_names(claim, player, name, report);
                claim.part(played.odd.as_deref(), |claim| check_urls(claim, &played, report));
                claim.by(&played.place);
            });
            sink.claim("match.rules", round, file, |claim| {
                claim.part(played.odd.as_deref(), |claim| check_outcomes(claim, &played, report));
                claim.by(&played.place);
                terms.judge(claim);
            });
        }
    }
    for (file, commit) in facts.replaced.iter().filter(|(file, _)| file.round() == Some(round)) {
        let told = format!("replaced after the matches, in {commit}");
        sink.claim("match.urls", round, file.path(), |claim| claim.warn(told));
    }
    check_matrix(facts, round, (files, &table), sink);
}

/// What every report and row of a round is checked against, computed once.
struct Table<'a> {
    /// The prompts; `None` if they cannot be read.
    prompts: Option<Sorted<'a>>,
    /// The current rules, and the prompts on which each player is late by them: what most reports are judged by.
    usual: Thresholds,
    late: BTreeMap<&'a Player, BTreeSet<PromptStem>>,
    /// Each miner's place in playing order.
    places: HashMap<Hotkey, usize>,
}

/// A round's prompts.
struct Sorted<'a> {
    by_stem: Vec<&'a Prompt>,
    lateness: Lateness<'a>,
}

impl<'a> Sorted<'a> {
    fn of(prompts: &'a PromptList) -> Self {
        let mut by_stem: Vec<_> = prompts.0.iter().collect();
        by_stem.sort_by(|a, b| a.stem().cmp(b.stem()));
        Sorted { by_stem, lateness: Lateness::of(&prompts.0) }
    }
}

/// The files on which one match was played.
struct PlayedOn<'a> {
    prompts: Option<Cow<'a, [&'a Prompt]>>,
    left: Option<&'a Outputs>,
    right: Option<&'a Outputs>,
    late_left: Cow<'a, BTreeSet<PromptStem>>,
    late_right: Cow<'a, BTreeSet<PromptStem>>,
    /// Why a difference may have been right at the time.
    odd: Option<String>,
    /// The commit whose files these are, if not the current ones, in words.
    place: String,
}

impl<'a> Table<'a> {
    fn of(facts: &VerifyFacts<'_>, files: &'a RoundFiles) -> Self {
        let prompts = files.prompts.get().map(Sorted::of);
        let usual = facts.rules.now;
        let late = |player: &'a Player| {
            let late = prompts.as_ref()?.lateness.over_time(outputs(files, player)?, &usual);
            (!late.is_empty()).then_some((player, late))
        };
        let order = files.submissions.get().map(order).unwrap_or_default();
        Table {
            late: files.players.keys().filter_map(late).collect(),
            prompts,
            usual,
            places: order.into_iter().enumerate().map(|(at, hotkey)| (hotkey, at)).collect(),
        }
    }

    /// The files on which a match was played: the current ones, or those of its commit.
    fn played<'b>(
        &'b self,
        facts: &VerifyFacts<'_>,
        files: &'b RoundFiles,
        report: &MatchReport,
        then: Option<&'b Then<MatchView>>,
        limits: &Thresholds,
    ) -> PlayedOn<'b> {
        let (view, place) = match then {
            Some(Then::At(commit, view)) => (Some(view), format!(" (by the files of commit {commit})")),
            _ => (None, String::new()),
        };
        let unknown = facts.rules.no_history || matches!(then, Some(Then::Unknown));
        let why = || {
            facts.rules.missing_history().unwrap_or_else(|| "without history the earlier ones are unknown".to_owned())
        };
        let other = view.and_then(|view| view.prompts.other()).map(|prompts| prompts.map(Sorted::of));
        let prompts = other.as_ref().map_or(self.prompts.as_ref(), Option::as_ref);
        let side = |player: &Player, was: Option<&'b Was<Outputs>>| {
            let was = was.and_then(Was::other);
            let now = was.is_none() && other.is_none() && *limits == self.usual;
            let outputs = was.unwrap_or_else(|| outputs(files, player));
            let late = match (now, prompts.zip(outputs)) {
                (true, _) => self.late.get(player).map(Cow::Borrowed).unwrap_or_default(),
                (false, late) => Cow::Owned(
                    late.map(|(prompts, outputs)| prompts.lateness.over_time(outputs, limits)).unwrap_or_default(),
                ),
            };
            (outputs, late)
        };
        let (left, late_left) = side(&report.left, view.map(|view| &view.left));
        let (right, late_right) = side(&report.right, view.map(|view| &view.right));
        let odd = unknown.then(|| format!(" (by the current files; {})", why()));
        let prompts = match other {
            Some(other) => other.map(|prompts| Cow::Owned(prompts.by_stem)),
            None => self.prompts.as_ref().map(|prompts| Cow::Borrowed(prompts.by_stem.as_slice())),
        };
        PlayedOn { prompts, left, right, late_left, late_right, odd, place }
    }
}

fn outputs<'a>(files: &'a RoundFiles, player: &Player) -> Option<&'a Outputs> {
    outputs_of(files, player).get()
}

/// A report's score and margin, from its duels' winners.
pub(super) fn check_score(claim: &mut Claim, found: (i64, f64), winners: impl ExactSizeIterator<Item = DuelWinner>) {
    let duels = winners.len();
    let expected = winners.map(DuelWinner::points).sum();
    claim.same("score", &found.0, &expected);
    claim.same("margin", &found.1, &margin(expected, duels));
}

fn check_names(claim: &mut Claim, folder: &Player, name: &str, report: &MatchReport) {
    if report.right != *folder {
        claim.fail(format!("right is {}, but the folder is {folder}'s", report.right));
    }
    let left = report.left.as_str();
    let named = name.strip_prefix("duels_").and_then(|name| name.strip_suffix(".json")).unwrap_or(name);
    if !left.starts_with(named) || named.len() < report.left.short().len() {
        claim.fail(format!("left is {left}, but the file is named after {named}"));
    }
}

fn check_urls(claim: &mut Claim, played: &PlayedOn<'_>, report: &MatchReport) {
    let keys = report.format.model().duel_keys();
    let left = Side { keys: [keys.left, "left_png"], urls: &|stem| urls_in(played.left, stem) };
    let right = Side { keys: [keys.right, "right_png"], urls: &|stem| urls_in(played.right, stem) };
    urls(claim, played.prompts.as_deref(), report.duels.iter().map(DuelView::from), [left, right]);
}

fn urls_in<'a>(outputs: Option<&'a Outputs>, stem: &PromptStem) -> ModelAndPicture<'a> {
    let output = outputs.and_then(|outputs| outputs.get(stem));
    let urls = |output: &'a Output| output.urls().map(|url| url.map(|url| Cow::Borrowed(url.as_str())));
    output.map(urls).unwrap_or_default()
}

/// The URLs of a model and of its picture.
pub(super) type ModelAndPicture<'a> = [Option<Cow<'a, str>>; 2];

/// The URLs of a side's model and preview for a prompt.
type Urls<'s> = dyn Fn(&PromptStem) -> ModelAndPicture<'s> + 's;

/// One side of a match: what its model and its preview are called in the report, and their URLs for a prompt.
pub(super) struct Side<'s> {
    pub(super) keys: [&'s str; 2],
    pub(super) urls: &'s Urls<'s>,
}

/// `match.urls`: the duels are the round's prompts, sorted by name, and each side's URLs are those of its outputs.
pub(super) fn urls<'a>(
    claim: &mut Claim,
    expected: Option<&[&Prompt]>,
    duels: impl ExactSizeIterator<Item = DuelView<'a>> + Clone,
    [left, right]: [Side<'_>; 2],
) {
    let Some(expected) = expected else { return claim.skip("prompts.txt cannot be read") };
    if expected.len() != duels.len() {
        let duels = counted(duels.len(), "duel", "duels");
        claim.fail(format!("{duels} for {}", counted(expected.len(), "prompt", "prompts")));
    }
    for (duel, prompt) in duels.clone().zip(expected) {
        if duel.name != prompt.stem() {
            return claim.fail(format!(
                "{} stands where {} belongs: duels are sorted by name",
                duel.name,
                prompt.stem()
            ));
        }
        claim.same(format_args!("{}: prompt", duel.name), &duel.prompt, &prompt.url());
    }
    for duel in duels {
        let sides = [(&left, duel.left_model, duel.left_preview), (&right, duel.right_model, duel.right_preview)];
        for (Side { keys: [model_key, preview_key], urls }, model, preview) in sides {
            let [expected_model, expected_preview] = urls(duel.name);
            claim.same(format_args!("{}: {model_key}", duel.name), &model, &expected_model.as_deref());
            claim.same(format_args!("{}: {preview_key}", duel.name), &preview, &expected_preview.as_deref());
        }
    }
}

fn check_outcomes(claim: &mut Claim, played: &PlayedOn<'_>, report: &MatchReport) {
    if played.prompts.is_none() {
        return claim.skip("prompts.txt cannot be read");
    }
    let mut failed = 0;
    for duel in &report.duels {
        let [left, right] = [played.left, played.right].map(|outputs| outputs.and_then(|of| of.get(&duel.name)));
        let late = (played.late_left.contains(&duel.name), played.late_right.contains(&duel.name));
        match without_judge(&duel.name, left, right, late) {
            Some((winner, issues)) => {
                claim.same(format_args!("{}: winner", duel.name), &duel.winner, &winner);
                claim.same(format_args!("{}: issues", duel.name), &duel.issues, &issues);
            }
            None => failed += judged(claim, duel),
        }
    }
    if failed > 0 {
        let duels = counted(failed, "duel", "duels");
        claim.warn(format!("{INTERNAL_ERROR:?} in {duels}: the judge failed, which counts as a draw"));
    }
}

/// Checks a duel that a judge decided; returns 1 if the judge failed.
fn judged(claim: &mut Claim, duel: &Duel) -> usize {
    if claims_no_judge(&duel.issues) {
        claim.fail(format!("{}: issues read {:?}, but both sides are there and in time", duel.name, duel.issues));
    }
    if duel.issues == INTERNAL_ERROR {
        claim.same(format_args!("{}: winner where the judge failed", duel.name), &duel.winner, &DuelWinner::Draw);
        return 1;
    }
    if duel.winner == DuelWinner::Skipped {
        claim.warn(format!("{}: skipped, though both sides are there", duel.name));
    }
    0
}

fn check_matrix(
    facts: &VerifyFacts<'_>,
    round: RoundNumber,
    (files, table): (&RoundFiles, &Table<'_>),
    sink: &mut Sink,
) {
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
            check_qualified(claim, facts, round, (files, table), left, right);
        }
        let mut reported = HashSet::new();
        for report in files.players.values().flat_map(|own| own.reports.values()).filter_map(|slot| slot.get()) {
            let (left, right, margin) = (&report.left, &report.right, report.margin);
            if !reported.insert((left, right)) {
                claim.fail(format!(
                    "{left} against {right}: two reports of one match (a margin of {margin} in this one)"
                ));
            } else if facts.is_over(round) && matrix.margin(left, right).is_none() {
                claim.fail(format!("{left} against {right}: a report (margin {margin}) without a row"));
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
        (Some((_, report)), _) => claim.same(format_args!("{left},{right}: margin"), &found, &report.margin),
        (None, Some(expected)) => {
            claim.same(format_args!("{left},{right}: margin without generations"), &found, &expected);
        }
        (None, None) => claim.fail(format!("{left},{right}: margin {found} has no match report")),
    }
}

/// A match between two miners is played only if both qualified; the earlier submission defends.
fn check_qualified(
    claim: &mut Claim,
    facts: &VerifyFacts<'_>,
    round: RoundNumber,
    (files, table): (&RoundFiles, &Table<'_>),
    left: &Player,
    right: &Player,
) {
    let (Player::Miner(left), Player::Miner(right)) = (left, right) else { return };
    let (Some(matrix), Some(_)) = (files.matrix.get(), files.submissions.get()) else { return };
    for player in [left, right] {
        let Some(settings) = settings_of(facts, round, files, player) else { return };
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

/// The settings by which a miner qualified: those of its match against the leader.
fn settings_of<'a>(
    facts: &'a VerifyFacts<'_>,
    round: RoundNumber,
    files: &RoundFiles,
    miner: &Hotkey,
) -> Option<&'a Settings> {
    let player = Player::Miner(miner.clone());
    let report = files.players.get(&player).and_then(|own| own.report_against(&Player::Leader));
    match report {
        Some((name, _)) => {
            facts
                .rules
                .terms(FileKind::Player(round, player.clone(), PlayerFile::Report(name.to_owned())), None)
                .settings
        }
        None => facts.rules.settings.as_deref(),
    }
}
