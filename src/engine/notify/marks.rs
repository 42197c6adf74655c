//! What was announced already, and what is new. Everything is derived from the competition's files and the record of
//! runs, so that a kill loses nothing, and what another host committed is announced as well.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::seen::{RoundSeen, Seen, VerdictSeen};
use crate::base::text::{counted, cut, line, time};
use crate::engine::runs::streak::{Faults, Streak};
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::Player;
use crate::model::stage::{Stage, Timestamp, during, round_in};
use crate::world::http::Blanks;
use crate::world::notify::EventKind;

/// The most that is announced at once; the rest is counted.
const MOST_NEWS: usize = 40;

/// The most faults that are followed at once.
const MOST_FAULTS: usize = 100;

/// Most characters of a title, of one line of a text, and of a text.
const LONGEST_TITLE: usize = 200;
const LONGEST_LINE: usize = 500;
const LONGEST_TEXT: usize = 3000;

/// What was announced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Marks {
    round: u32,
    stage: Stage,
    /// Of the current round, and of none before it.
    rounds: BTreeMap<u32, RoundMarks>,
    /// The faults that are known to last, by their keys.
    faults: BTreeMap<String, FaultMark>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct RoundMarks {
    asked: BTreeSet<String>,
    /// The outcome by hotkey: a repeated audit may decide otherwise.
    verdicts: BTreeMap<String, String>,
    winner: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct FaultMark {
    step: String,
    title: String,
    since: String,
    /// Did it fail no step?
    #[serde(default)]
    trouble: bool,
    /// Is it a service's, whichever step has met it?
    #[serde(default)]
    service: bool,
}

impl FaultMark {
    fn of(fault: &Streak) -> FaultMark {
        let (step, title) = (fault.error.step.clone(), fault.title.clone());
        let (trouble, service) = (fault.error.is_trouble(), fault.error.service.is_some());
        FaultMark { step, title, since: fault.since.to_string(), trouble, service }
    }
}

/// Something to announce.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct News {
    pub(super) event: EventKind,
    pub(super) round: Option<u32>,
    pub(super) title: String,
    /// The same in a few words, without the competition's name.
    fact: String,
    pub(super) text: String,
    pub(super) details: Value,
}

impl Marks {
    /// Everything that the files show counts as announced.
    pub(super) fn beginning(seen: &Seen) -> Marks {
        let mut marks =
            Marks { round: seen.round.0, stage: seen.stage, rounds: BTreeMap::new(), faults: BTreeMap::new() };
        marks.take(seen);
        marks
    }

    /// These faults count as announced.
    pub(super) fn know(&mut self, faults: &Faults) {
        for fault in faults.open.iter().take(MOST_FAULTS) {
            self.faults.insert(fault.error.key.clone(), FaultMark::of(fault));
        }
    }

    /// The first round that may have news.
    pub(super) fn round(&self) -> u32 {
        self.round
    }

    /// What is new; it counts as announced from now on. Texts of miners and servers are freed of secrets.
    pub(super) fn news(&mut self, seen: Option<&Seen>, faults: &Faults, blanks: &Blanks) -> Vec<News> {
        let say = Say { blanks, name: seen.map_or("", |seen| &seen.name) };
        let mut news = Vec::new();
        if let Some(seen) = seen {
            // A competition that was set back has no news: it was announced when it came here first.
            if seen.round.0 >= self.round {
                for (round, shown) in seen.rounds.range(self.round..) {
                    let known = self.rounds.remove(round).unwrap_or_default();
                    news.extend(of_round(*round, shown, &known, &say));
                }
                news.extend(self.moves(seen, &say));
            }
            self.take(seen);
        }
        news.extend(self.of_faults(faults, &say));
        fold(news, &say)
    }

    /// Marks all of it as announced.
    pub(super) fn take(&mut self, seen: &Seen) {
        (self.round, self.stage) = (seen.round.0, seen.stage);
        self.rounds = seen.rounds.iter().filter(|(round, _)| **round == seen.round.0).map(marked).collect();
    }

    fn moves(&self, seen: &Seen, say: &Say<'_>) -> Vec<News> {
        let (round, stage) = (seen.round.0, seen.stage);
        if (self.round, self.stage) == (round, stage) {
            return Vec::new();
        }
        let details =
            json!({"from": {"round": self.round, "stage": self.stage}, "to": {"round": round, "stage": stage}});
        let before = if self.round == round { String::new() } else { format!(" in round {}", self.round) };
        let text = vec![format!("It was {}{before} before.", self.stage)];
        let moved = say.news(EventKind::StageMoved, Some(round), &round_in(seen.round, stage), &text, details);
        let over = || {
            let text = vec![format!("Its last round is round {round}.")];
            say.news(EventKind::Finished, Some(round), "the competition is over", &text, json!({"last_round": round}))
        };
        [moved].into_iter().chain((stage == Stage::Finished).then(over)).collect()
    }

    fn of_faults(&mut self, faults: &Faults, say: &Say<'_>) -> Vec<News> {
        let mut news = Vec::new();
        let lasts = |key: &String| faults.open.iter().any(|fault| fault.error.key == *key);
        let over: Vec<String> = self.faults.keys().filter(|key| !lasts(key)).cloned().collect();
        for key in over {
            let Some(mark) = self.faults.remove(&key) else { continue };
            let ended = faults.over.iter().rev().find(|(fault, _)| fault.error.key == key);
            let otherwise = faults.open.iter().find(|fault| fault.error.step == mark.step);
            news.push(failure_over(&key, &mark, ended, otherwise, say));
        }
        for fault in faults.open.iter().take(MOST_FAULTS) {
            if self.faults.contains_key(&fault.error.key) {
                continue;
            }
            self.faults.insert(fault.error.key.clone(), FaultMark::of(fault));
            news.push(failure(fault, say));
        }
        news
    }
}

fn marked((round, shown): (&u32, &RoundSeen)) -> (u32, RoundMarks) {
    let outcome = |audit: &VerdictSeen| (audit.hotkey.to_string(), audit.outcome.as_str().to_owned());
    let marks = RoundMarks {
        asked: shown.asked.iter().map(ToString::to_string).collect(),
        verdicts: shown.verdicts.iter().map(outcome).collect(),
        winner: shown.winner.as_ref().map(ToString::to_string),
    };
    (*round, marks)
}

fn of_round(round: u32, shown: &RoundSeen, known: &RoundMarks, say: &Say<'_>) -> Vec<News> {
    let mut news = Vec::new();
    for hotkey in shown.asked.iter().filter(|hotkey| !known.asked.contains(hotkey.as_str())) {
        let text = vec![format!("Its win in round {round} counts once its audit has passed.")];
        let details = json!({"hotkey": hotkey});
        news.push(say.news(EventKind::AuditAsked, Some(round), &format!("audit asked of {hotkey}"), &text, details));
    }
    for audit in &shown.verdicts {
        let outcome = audit.outcome.as_str();
        if known.verdicts.get(audit.hotkey.as_str()).is_none_or(|before| before != outcome) {
            news.push(verdict(round, audit, say));
        }
    }
    if let Some(winner) = &shown.winner
        && known.winner.as_deref() != Some(winner.to_string().as_str())
    {
        let title = match winner {
            Player::Leader => format!("round {round}: the leader holds"),
            Player::Miner(hotkey) => format!("round {round}: {hotkey} wins"),
        };
        let text = vec!["The leader is recorded when the round is closed.".to_owned()];
        news.push(say.news(EventKind::Winner, Some(round), &title, &text, json!({"winner": winner})));
    }
    news
}

fn verdict(round: u32, audit: &VerdictSeen, say: &Say<'_>) -> News {
    let VerdictSeen { hotkey, outcome, counts, reason } = audit;
    let (mut text, mut details) = (Vec::new(), json!({"hotkey": hotkey, "outcome": outcome}));
    if let Some([checked, failed, critical]) = counts {
        let (of, mismatches) = (counted(*checked, "prompt", "prompts"), counted(*failed, "mismatch", "mismatches"));
        text.push(format!("Round {round}: {of} checked, {mismatches}, {critical} on critical prompts."));
        details["checked_prompts"] = json!(checked);
        details["failed_prompts"] = json!(failed);
        details["failed_critical"] = json!(critical);
    } else {
        let how = if *outcome == AuditOutcome::Passed { "holds" } else { "does not hold" };
        text.push(format!("Round {round}: what its program makes {how} against what it submitted and the holder."));
    }
    if !reason.is_empty() {
        text.push(format!("Reason: {}", say.clean(reason, LONGEST_LINE)));
    }
    details["reason"] = json!(say.clean(reason, LONGEST_LINE));
    let title = format!("audit of {hotkey}: {}", outcome.as_str());
    say.news(EventKind::Verdict, Some(round), &title, &text, details)
}

fn failure(fault: &Streak, say: &Say<'_>) -> News {
    let Streak { error, title, since, runs, round, stage, .. } = fault;
    let cleaned = |texts: &[String]| texts.iter().map(|text| say.clean(text, LONGEST_LINE)).collect::<Vec<_>>();
    let (message, causes, hints) =
        (say.clean(&error.message, LONGEST_LINE), cleaned(&error.causes), cleaned(&error.hints));
    let place = round.zip(*stage).map(|(round, stage)| format!(", {}", during(round, stage))).unwrap_or_default();
    let mut text = vec![format!("Since {}{place}.", time(since.at())), message.clone()];
    text.extend(causes.iter().map(|cause| format!("caused by: {cause}")));
    text.extend(hints.iter().map(|hint| format!("hint: {hint}")));
    let details = json!({
        "key": say.clean(&error.key, LONGEST_TITLE),
        "step": error.step,
        "fault": say.clean(title, LONGEST_TITLE),
        "kind": error.kind,
        "since": since.to_string(),
        "runs": runs,
        "stage": stage,
        "message": message,
        "causes": causes,
        "hints": hints,
    });
    let title = match error.is_trouble() || error.service.is_some() {
        true => title.clone(),
        false => format!("{} fails: {title}", error.step),
    };
    say.news(EventKind::FailureFirstSeen, round.map(|round| round.0), &title, &text, details)
}

fn failure_over(
    key: &str,
    mark: &FaultMark,
    ended: Option<&(Streak, Timestamp)>,
    otherwise: Option<&Streak>,
    say: &Say<'_>,
) -> News {
    let shown = |text: &str| text.parse::<Timestamp>().map_or_else(|_| text.to_owned(), |at| time(at.at()));
    let until = ended.map(|(_, at)| format!(" until {}", time(at.at()))).unwrap_or_default();
    let runs =
        ended.map(|(fault, _)| format!(", {}", counted(fault.runs, "failed run", "failed runs"))).unwrap_or_default();
    let mut text = vec![format!("It lasted from {}{until}{runs}.", shown(&mark.since))];
    if mark.trouble {
        text.push("It answers again, or its files are not wanted any more: the round is over.".to_owned());
    } else if let Some(fault) = otherwise {
        text.push(format!("{} now fails otherwise: {}", mark.step, say.clean(&fault.title, LONGEST_LINE)));
    }
    let details = json!({
        "key": say.clean(key, LONGEST_TITLE),
        "step": mark.step,
        "fault": say.clean(&mark.title, LONGEST_TITLE),
        "since": mark.since,
        "until": ended.map(|(_, at)| at.to_string()),
        "runs": ended.map(|(fault, _)| fault.runs),
    });
    let title = match mark.trouble || mark.service {
        true => format!("over: {}", mark.title),
        false => format!("over: {}: {}", mark.step, mark.title),
    };
    say.news(EventKind::FailureOver, None, &title, &text, details)
}

/// What changed in the files between two looks, each in a few words, for the record of runs. Nothing here leaves the
/// machine.
pub(crate) fn changes(before: &Seen, now: &Seen) -> Vec<String> {
    let news = Marks::beginning(before).news(Some(now), &Faults::default(), &Blanks::default());
    let fact = |news: News| match news.event {
        EventKind::StageMoved if before.round == now.round => {
            format!("round {}: stage {} -> {}", now.round, before.stage, now.stage)
        }
        EventKind::Winner => {
            let winner = news.details["winner"].as_str().unwrap_or_default();
            format!("round {}: winner {winner}", news.round.unwrap_or_default())
        }
        EventKind::Verdict => match news.details["reason"].as_str() {
            Some(reason) if !reason.is_empty() => format!("{}: {reason}", news.fact),
            _ => news.fact,
        },
        _ => news.fact,
    };
    news.into_iter().map(fact).collect()
}

/// Puts news into words that may be shown.
struct Say<'a> {
    blanks: &'a Blanks,
    /// The competition's name.
    name: &'a str,
}

impl Say<'_> {
    /// A text of others: on one line, without secrets, cut.
    fn clean(&self, text: &str, longest: usize) -> String {
        // Cut last: a cut would leave the beginning of a secret.
        cut(&line(&self.blanks.hide(&cut(text, 20 * longest))), longest)
    }

    fn news(&self, event: EventKind, round: Option<u32>, title: &str, text: &[String], details: Value) -> News {
        let name = if self.name.is_empty() { "gen404" } else { self.name };
        let fact = self.clean(title, LONGEST_TITLE);
        let title = self.clean(&format!("{name}: {title}"), LONGEST_TITLE);
        let text: Vec<String> = text.iter().map(|text| line(text)).collect();
        News { event, round, title, fact, text: cut(&text.join("\n"), LONGEST_TEXT), details }
    }
}

/// Counts what is too much to be announced one by one.
fn fold(mut news: Vec<News>, say: &Say<'_>) -> Vec<News> {
    if news.len() > MOST_NEWS {
        let rest = news.split_off(MOST_NEWS);
        if let Some(first) = rest.first() {
            let title = format!("and {}", counted(rest.len(), "more event", "more events"));
            let text = vec!["`gen404 status` and `gen404 log` show them.".to_owned()];
            news.push(say.news(first.event, first.round, &title, &text, json!({"more": rest.len()})));
        }
    }
    news
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;
    use crate::engine::runs::record::ErrorRecord;
    use crate::model::ids::{Hotkey, RoundNumber};
    use crate::world::http::Secret;

    fn seen(round: u32, stage: Stage) -> Seen {
        let rounds = (0..=round).map(|round| (round, RoundSeen::default())).collect();
        Seen { name: "demo".to_owned(), round: RoundNumber(round), stage, rounds }
    }

    fn hotkey() -> Hotkey {
        Hotkey::from_str("5F31TZJFYnRqwQVskA6aXnvrTSRW4rXQbX3cK89DzV7cKanp").unwrap()
    }

    fn audit(outcome: AuditOutcome, reason: &str) -> VerdictSeen {
        VerdictSeen { hotkey: hotkey(), outcome, counts: Some([3, 1, 0]), reason: reason.to_owned() }
    }

    fn fault(title: &str, message: &str) -> Streak {
        let error = ErrorRecord {
            step: "duel".to_owned(),
            kind: "outside".to_owned(),
            service: None,
            key: format!("duel: {title}"),
            title: title.to_owned(),
            message: message.to_owned(),
            causes: Vec::new(),
            hints: vec!["run it again".to_owned()],
            since: None,
            runs: 1,
        };
        let at: Timestamp = "2026-03-01T02:14:00Z".parse().unwrap();
        let title = title.to_owned();
        Streak {
            error,
            title,
            steps: BTreeSet::from(["duel".to_owned()]),
            since: at.clone(),
            last: at,
            runs: 1,
            round: Some(RoundNumber(1)),
            stage: Some(Stage::Duels),
        }
    }

    fn events(news: &[News]) -> Vec<&'static str> {
        news.iter().map(|news| news.event.as_str()).collect()
    }

    #[test]
    fn each_change_of_the_files_is_announced_once() {
        let (none, blanks) = (Faults::default(), Blanks::default());
        let mut old = seen(0, Stage::Duels);
        old.rounds.get_mut(&0).unwrap().asked = vec![hotkey()];
        let mut marks = Marks::beginning(&old);
        assert_eq!(marks.news(Some(&old), &none, &blanks), [], "nothing old is announced");
        let mut now = old.clone();
        now.rounds.get_mut(&0).unwrap().verdicts = vec![audit(AuditOutcome::Rejected, "too slow\n@everyone")];
        let news = marks.news(Some(&now), &none, &blanks);
        assert_eq!(events(&news), ["verdict"]);
        assert!(news[0].text.ends_with("Reason: too slow @everyone"), "{news:?}");
        assert_eq!(marks.news(Some(&now), &none, &blanks), []);
        // Another host closed the round and asked for an audit in the next one.
        let mut next = seen(1, Stage::Duels);
        next.rounds.insert(0, now.rounds[&0].clone());
        next.rounds.get_mut(&0).unwrap().winner = Some(Player::Leader);
        next.rounds.get_mut(&1).unwrap().asked = vec![hotkey()];
        let news = marks.news(Some(&next), &none, &blanks);
        assert_eq!(events(&news), ["winner", "audit_asked", "stage_moved"]);
        assert_eq!(news[2].details["from"], json!({"round": 0, "stage": "duels"}));
        next.stage = Stage::Finished;
        assert_eq!(events(&marks.news(Some(&next), &none, &blanks)), ["stage_moved", "finished"]);
        assert_eq!(marks.news(Some(&seen(0, Stage::Open)), &none, &blanks), [], "set back");
        assert_eq!(marks.news(None, &none, &blanks), [], "files that cannot be read");
    }

    #[test]
    fn a_fault_has_one_beginning_and_one_end() {
        let (shown, blanks) = (seen(1, Stage::Duels), Blanks::of([&Secret::new("sk-hunter2-xyz")]));
        let mut marks = Marks::beginning(&shown);
        let lasting = |fault: Streak| Faults { open: vec![fault], ..Faults::default() };
        let dead = lasting(fault("judge unreachable", "https://j: refused sk-hunter2-xyz"));
        let news = marks.news(Some(&shown), &dead, &blanks);
        assert_eq!(events(&news), ["failure_first_seen"]);
        let said = format!("{news:?}");
        assert!(!said.contains("hunter2") && said.contains("2026-03-01 02:14:00 UTC, in duels of round 1"), "{said}");
        for _ in 0..9 {
            assert_eq!(marks.news(Some(&shown), &dead, &blanks), []);
        }
        // The same step fails in another way: that is another fault.
        let news = marks.news(Some(&shown), &lasting(fault("judge refuses", "status 401")), &blanks);
        assert_eq!(events(&news), ["failure_over", "failure_first_seen"]);
        assert!(news[0].text.contains("duel now fails otherwise: judge refuses"), "{news:?}");
        let mut ended = fault("judge refuses", "status 401");
        ended.runs = 10;
        let over = vec![(ended, "2026-03-01T03:00:00Z".parse().unwrap())];
        let over = Faults { over, ..Faults::default() };
        let news = marks.news(Some(&shown), &over, &blanks);
        assert_eq!(events(&news), ["failure_over"]);
        assert!(news[0].text.contains("until 2026-03-01 03:00:00 UTC, 10 failed runs"), "{news:?}");
        assert_eq!(marks.news(Some(&shown), &over, &blanks), []);
    }

    #[test]
    fn a_flood_is_counted() {
        let mut marks = Marks::beginning(&seen(0, Stage::Duels));
        let mut now = seen(0, Stage::Duels);
        now.rounds.get_mut(&0).unwrap().verdicts = vec![audit(AuditOutcome::Passed, ""); 100];
        let news = marks.news(Some(&now), &Faults::default(), &Blanks::default());
        assert_eq!(news.len(), MOST_NEWS + 1);
        assert!(news.last().unwrap().title.contains("and 60 more events"), "{:?}", news.last());
    }
}
