//! `gen404 log`: what the runs on this machine did.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
use crate::base::text::{counted, time};
use crate::cli::{Global, LogArgs};
use crate::engine::runs::book::Book;
use crate::engine::runs::place::Place;
use crate::engine::runs::record::{ErrorRecord, Outcome, RunRecord};
use crate::engine::runs::streak::{Faults, Streak};
use crate::engine::runs::summary::fault_json;
use crate::model::stage::Stage;
use crate::model::stage::{Timestamp, during, round_in};
use crate::ui::{Report, Ui};

pub(super) fn run(global: &Global, ui: &Ui, args: &LogArgs, report: &mut Report) -> Result<()> {
    let place = Place::find(global.repo.as_deref())?.ok_or_else(|| {
        let none = Error::failed("no competition here: state.json is missing");
        none.hint("name its folder with --repo DIR")
    })?;
    let pages = Book::at(&place.own).read()?;
    pages.unread.iter().for_each(|warning| ui.warn(warning));
    if pages.damaged > 0 {
        let lines = counted(pages.damaged, "line", "lines");
        ui.warn(&format!("{}: {lines} could not be read, and are left out", place.own.join("runs.jsonl").display()));
    }
    let shown = entries(pages.runs, args, global.verbose);
    report.detail(json!({"runs": shown.iter().map(Entry::json).collect::<Vec<_>>()}));
    if shown.is_empty() {
        report.say(if args.failed { "no failed runs on record" } else { "no runs are on record" });
    }
    shown.iter().for_each(|entry| entry.say(report));
    Ok(())
}

/// A run, and those after it that are no different.
struct Entry {
    run: RunRecord,
    /// Faults that this run showed to be over.
    over: Vec<(Streak, Timestamp)>,
    /// How many further runs were the same.
    same: u64,
    /// How many of them failed for another reason.
    otherwise: u64,
    /// The start of the last of them.
    until: Option<Timestamp>,
}

/// The entries that are asked for, oldest first.
fn entries(runs: Vec<RunRecord>, args: &LogArgs, each: bool) -> Vec<Entry> {
    let (mut faults, mut entries) = (Faults::default(), Vec::<Entry>::new());
    let since = args.since.map(|since| since.before(Utc::now()));
    for run in runs {
        faults.follow(&run);
        let over: Vec<_> = faults.over.drain(..).collect();
        if !is_in(&run, args, since) {
            continue;
        }
        match entries.last_mut() {
            Some(last) if !each && over.is_empty() && is_same(&last.run, &run) => {
                last.same += 1;
                last.otherwise += u64::from(reasons(&last.run) != reasons(&run));
                last.until.clone_from(&run.started);
            }
            _ => entries.push(Entry { run, over, same: 0, otherwise: 0, until: None }),
        }
    }
    // Last: what lies between two failures keeps them apart.
    entries.retain(|entry| !args.failed || entry.run.outcome == Outcome::Failed || entry.run.is_cut_off());
    entries.drain(..entries.len().saturating_sub(args.last));
    entries
}

fn is_in(run: &RunRecord, args: &LogArgs, since: Option<DateTime<Utc>>) -> bool {
    let started = run.started.as_ref().map(Timestamp::at);
    let in_time = since.is_none_or(|since| started.is_some_and(|started| started >= since));
    let in_round = args.round.is_none_or(|round| [run.round, run.round_after].contains(&Some(round)));
    in_time && in_round
}

/// Why the steps of a run failed.
fn reasons(run: &RunRecord) -> Vec<String> {
    run.errors().map(ErrorRecord::reason).collect()
}

/// Does a run tell nothing that the one before it did not?
fn is_same(before: &RunRecord, run: &RunRecord) -> bool {
    let keys = |run: &RunRecord| run.errors().chain(run.troubles()).map(|error| error.key.clone()).collect::<Vec<_>>();
    let alike = (&before.command, before.outcome, before.round, before.stage, before.exit)
        == (&run.command, run.outcome, run.round, run.stage, run.exit);
    let nothing = run.files == 0 && run.commits.is_empty() && run.facts.is_empty() && run.outcome != Outcome::Begun;
    let quiet = matches!(run.outcome, Outcome::Idle) || keys(before) == keys(run) && before.waits == run.waits;
    let stays = run.stage_after == before.stage_after && run.round_after == before.round_after;
    let ended = (before.cut_short, &before.stopped) == (run.cut_short, &run.stopped);
    alike && nothing && before.files == 0 && quiet && stays && ended
}

impl Entry {
    fn json(&self) -> Value {
        let over: Vec<Value> = self
            .over
            .iter()
            .map(|(fault, until)| {
                let mut fault = fault_json(fault);
                fault["until"] = json!(until);
                fault
            })
            .collect();
        json!({"run": self.run, "over": over, "same": self.same, "until": self.until})
    }

    fn say(&self, report: &mut Report) {
        let run = &self.run;
        let Some(started) = &run.started else { return };
        let exit = if run.exit == 0 { String::new() } else { format!(", exit {}", run.exit) };
        let took = run.ended.as_ref().map(|ended| format!(" in {}", span(started.at(), ended.at())));
        let stands = run.round.zip(run.stage).map(|(round, stage)| format!("; began {}", during(round, stage)));
        let block = run.block.map(|block| format!("; newest block {block}")).unwrap_or_default();
        let outcome = outcome(run);
        let (took, stands) = (took.unwrap_or_default(), stands.unwrap_or_default());
        report.say(format!("{} {}: {outcome}{exit}{took}{stands}{block}", time(started.at()), run.command));
        self.details().into_iter().for_each(|line| report.say(format!("    {line}")));
        if let Some(until) = &self.until {
            let runs = counted(self.same, "more run", "more runs");
            let alike = if run.outcome == Outcome::Idle && !run.cut_short { "with nothing to do" } else { "alike" };
            let alike = match self.otherwise {
                0 => format!(" {alike}"),
                otherwise => format!(", of which {otherwise} failed otherwise (-v shows each)"),
            };
            report.say(format!("  … {runs}{alike}, the last at {}", time(until.at())));
        }
    }

    /// What the run did, and what failed.
    fn details(&self) -> Vec<String> {
        let run = &self.run;
        let mut lines = Vec::new();
        let done = run.steps.iter().filter(|step| step.outcome == Outcome::Done && run.command == "advance");
        let done: Vec<&str> = done.map(|step| step.command.as_str()).collect();
        if !done.is_empty() {
            lines.push(format!("did: {}", done.join(", ")));
        }
        lines.extend(told_facts(run));
        lines.extend(commits(run));
        if let (Some(round), Some(stage)) = (run.round_after, run.stage_after)
            && (Some(round), Some(stage)) != (run.round, run.stage)
        {
            lines.push(format!("now {}", round_in(round, stage)));
        }
        for error in run.errors() {
            lines.push(format!("failed: {}: {}", error.step, error.message));
            lines.extend(error.causes.iter().map(|cause| format!("  caused by: {cause}")));
            lines.extend(error.hints.iter().map(|hint| format!("  hint: {hint}")));
        }
        for trouble in run.troubles() {
            lines.push(format!("{}: {}", trouble.title, trouble.message));
            lines.extend(trouble.hints.iter().map(|hint| format!("  hint: {hint}")));
        }
        // One that was cut short names the run in its way.
        let says_why = run.outcome != Outcome::Idle || run.cut_short;
        lines.extend(run.waits.iter().map(|waits| format!("waits: {waits}")).filter(|_| says_why));
        let goes_on = run.outcome == Outcome::Done && run.stage_after != Some(Stage::Finished);
        lines.extend(run.then.iter().map(|then| format!("then: {then}")).filter(|_| goes_on));
        if run.stopped.is_some() {
            lines.push("what it had done is kept: run it again to go on".to_owned());
        }
        if run.outcome == Outcome::Killed {
            lines.push("its process ended without a word: was it killed, or the machine shut down?".to_owned());
        }
        for (fault, until) in &self.over {
            let (from, to) = (time(fault.since.at()), time(until.at()));
            let runs = format!(", {}", counted(fault.runs, "failed run", "failed runs"));
            let runs = if fault.error.is_trouble() { "" } else { runs.as_str() };
            lines.push(format!("over: {}, from {from} to {to}{runs}", fault.name()));
        }
        lines
    }
}

/// What happened in a run, but for what other lines tell: its last move, and pushes of its own commits.
fn told_facts(run: &RunRecord) -> Vec<String> {
    let last = run.stage_after.map(|stage| format!(" -> {stage}"));
    let moved_last = |fact: &str| fact.starts_with("round ") && last.as_ref().is_some_and(|last| fact.ends_with(last));
    let own = |fact: &str| run.commits.iter().any(|(id, _)| is_pushed(fact, id));
    run.facts.iter().filter(|fact| !moved_last(fact) && !own(fact)).cloned().collect()
}

/// Is this the fact that the commit was pushed?
fn is_pushed(fact: &str, id: &str) -> bool {
    fact.strip_prefix("pushed ").is_some_and(|rest| rest.split(' ').next() == Some(id.get(..10).unwrap_or(id)))
}

/// What a run wrote, committed and pushed.
fn commits(run: &RunRecord) -> Vec<String> {
    let of_each = |(id, message): &(String, String)| {
        let pushed = if run.facts.iter().any(|fact| is_pushed(fact, id)) { " and pushed" } else { "" };
        format!("committed{pushed} {} ({message})", id.get(..10).unwrap_or(id))
    };
    let mut lines: Vec<String> = run.commits.iter().map(of_each).collect();
    if run.files > 0 && run.commits.is_empty() {
        lines.push(format!("wrote {}", counted(run.files, "file", "files")));
    }
    // Older versions noted only how many.
    if run.pushed > 0 && !run.facts.iter().any(|fact| fact.starts_with("pushed ")) {
        lines.push(format!("pushed {}", counted(run.pushed, "commit", "commits")));
    }
    lines
}

/// How a run ended, in the words of its line.
fn outcome(run: &RunRecord) -> String {
    match (&run.stopped, run.outcome) {
        (Some(signal), _) => format!("stopped by {signal}"),
        (None, Outcome::Idle) if run.cut_short => "cut short".to_owned(),
        (None, Outcome::Idle) => "nothing to do".to_owned(),
        // It did something, and waits for the rest.
        (None, Outcome::Done) if run.exit == Kind::NotDue.exit_code() => Outcome::Waits.as_str().to_owned(),
        (None, outcome) => outcome.as_str().to_owned(),
    }
}

/// `33 s`, `12 min`, `5 h`.
fn span(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    match to.signed_duration_since(from).num_seconds().max(0) {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
