//! `gen404 status --watch`: looks again and again. A terminal is redrawn; elsewhere, what has changed is printed.

use std::time::Duration;

use chrono::Utc;

use super::look;
use crate::base::error::{Error, Kind, Result};
use crate::base::text::time;
use crate::cli::{Global, StatusArgs};
use crate::ui::{Report, Screen, Ui, Verbosity};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &StatusArgs, seconds: u64, report: &mut Report) -> Result<()> {
    if global.json {
        return Err(Error::usage("--watch prints lines: --json goes with a single look"));
    }
    let stop = Stop::on_signals()?;
    let screen = Screen::open();
    let (mut before, mut first): (Vec<String>, bool) = (Vec::new(), true);
    while !stop.is_wanted() {
        let now = view(global, args, first, report)?;
        let drawn = [now.clone(), vec![format!("looked at {}, again every {seconds} s", time(Utc::now()))]].concat();
        match &screen {
            Some(screen) => screen.show(ui, &drawn, is_failing),
            None if changes(&before, &now, first).iter().all(|line| ui.tell_line(line)) => {}
            None => return Ok(()),
        }
        (before, first) = (now, false);
        let pause = Duration::from_secs(seconds);
        match &screen {
            Some(screen) => {
                screen.rest(ui, (&drawn, is_failing), pause, &|time| stop.sleep(time), &|| stop.is_wanted());
            }
            None => stop.sleep(pause),
        }
    }
    Ok(())
}

/// What `status` says now. After the first look, a failure is shown like everything else, and looked at again.
fn view(global: &Global, args: &StatusArgs, first: bool, ended: &mut Report) -> Result<Vec<String>> {
    // Warnings are shown among the lines: on stderr they would be repeated with each look.
    let quiet = Ui::new(Verbosity::Quiet, false, true).of("status");
    let mut report = Report::default();
    let looked = look(global, &quiet, args, &mut report);
    ended.exit = report.exit.or(ended.exit);
    let mut lines: Vec<String> = report.did.iter().map(crate::ui::Line::plain).collect();
    lines.extend(quiet.warnings().iter().map(|warning| format!("warning: {warning}")));
    match looked {
        Err(error) if first || error.kind() == Kind::Usage => return Err(error),
        Err(error) => lines.push(format!("error: {error}")),
        Ok(()) => {}
    }
    Ok(lines)
}

/// The lines that are new since the last look, and those that are gone; all at first.
fn changes(before: &[String], now: &[String], first: bool) -> Vec<String> {
    if first {
        return now.to_vec();
    }
    let is_in = |line: &String, lines: &[String]| lines.iter().any(|other| lasting(other) == lasting(line));
    let new = now.iter().filter(|line| !lasting(line).is_empty() && !is_in(line, before)).cloned();
    let gone = before.iter().filter(|line| !lasting(line).is_empty() && !is_in(line, now));
    let gone = gone.map(|line| format!("no longer: {line}"));
    let at = time(Utc::now());
    gone.chain(new).map(|line| format!("{at}  {line}")).collect()
}

/// The part of a line that says something new if it changes: blocks pass all the time.
fn lasting(line: &str) -> &str {
    match line {
        line if line.starts_with("block ") && !line.starts_with("block unknown") => "",
        line if line.starts_with("later: ") => line.split(", in ").next().unwrap_or(line),
        line if is_failing(line) => without_count(line),
        line => line,
    }
}

/// Is it about a fault that lasts? On a terminal it is shown to its end.
fn is_failing(line: &str) -> bool {
    line.starts_with("failing: ")
}

/// A fault up to its number of runs, which grows while it lasts.
fn without_count(line: &str) -> &str {
    let is_count = |rest: &str| {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        after.len() < rest.len() && (after.starts_with(" run:") || after.starts_with(" runs:"))
    };
    let ends = line.match_indices(", ").find(|(at, _)| is_count(line.get(at + 2..).unwrap_or_default()));
    ends.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn only_what_has_changed_is_said() {
        let before = lines(&["a: round 0 is open", "later: gen404 x, from block 9 on, in 5 blocks", "block 4 at T"]);
        let passing = lines(&["a: round 0 is open", "later: gen404 x, from block 9 on, in 4 blocks", "block 5 at T"]);
        assert_eq!(changes(&[], &before, true), before);
        assert!(changes(&before, &passing, false).is_empty());
        let moved = lines(&["a: round 0 is open", "due now: gen404 x (y)", "block 9 at T"]);
        let said = changes(&passing, &moved, false);
        assert_eq!(said.len(), 2, "{said:?}");
        let failing =
            |runs: &str, left: u32| lines(&[&format!("failing: duel: a, b since T, {runs}: {left} matches left")]);
        assert!(changes(&failing("1 run", 12), &failing("2 runs", 11), false).is_empty(), "it still fails");
        assert_eq!(changes(&failing("1 run", 12), &moved, false).len(), 3, "it is over");
        assert!(said[0].contains("no longer: later: gen404 x") && said[1].ends_with("  due now: gen404 x (y)"));
    }
}
