//! Numbers for a monitor, in Prometheus' text format: one file, replaced as a whole after each run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::outbox::FOLDER;
use super::seen::name_in;
use crate::base::error::{Context as _, Result};
use crate::base::files;
use crate::base::text::{cut, line};
use crate::engine::context::Context;
use crate::engine::runs::record::{Outcome, RunRecord};
use crate::engine::runs::streak::Faults;
use crate::model::file::FileKind;
use crate::model::stage::{CompetitionState, Stage, Timestamp};
use crate::world::usage::{ServiceUse, Usage};

/// Most characters of a label's value.
const LONGEST_LABEL: usize = 200;

/// The most faults named.
const MOST_FAULTS: usize = 20;

/// What is counted over all runs since the file was first asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Totals {
    /// The newest run that is counted.
    newest: String,
    /// The newest run that was killed and is counted.
    newest_killed: String,
    last_run: Option<DateTime<Utc>>,
    last_success: Option<DateTime<Utc>>,
    failed: bool,
    /// Failed runs since the last success.
    failures: u64,
    block: Option<u64>,
    runs: BTreeMap<String, u64>,
    usage: Usage,
}

impl Totals {
    fn path(own: &Path) -> Result<PathBuf> {
        files::below(own, &Path::new(FOLDER).join("totals.json"))
    }

    /// The totals so far. The second value warns of a file that cannot be read: they begin anew.
    fn load(own: &Path) -> Result<(Totals, Option<String>)> {
        let path = Totals::path(own)?;
        let Some(bytes) = files::read_own(&path, files::SMALL)? else { return Ok(Default::default()) };
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(|totals| (totals, None)).or_else(|why| {
            let warning = format!("{}: does not parse ({why}); the numbers count from now on", path.display());
            Ok((Totals::default(), Some(warning)))
        })
    }

    fn save(&self, own: &Path) -> Result<()> {
        let path = Totals::path(own)?;
        let bytes = serde_json::to_vec(self).failed(|| format!("{}: cannot write", path.display()))?;
        files::write(&path, &bytes, files::Readers::Own)
    }

    /// Counts a run, once.
    fn count(&mut self, run: &RunRecord) {
        let killed = run.outcome == Outcome::Killed;
        // Ids begin with the time.
        if run.id == self.newest || killed && run.id <= self.newest_killed {
            return;
        }
        let newest = if killed { &mut self.newest_killed } else { &mut self.newest };
        newest.clone_from(&run.id);
        let ended = run.ended.as_ref().map(Timestamp::at);
        let failed = killed || run.outcome == Outcome::Failed || run.is_stopped();
        (self.last_run, self.failed) = (ended.or(self.last_run), failed);
        match run.outcome {
            _ if failed => self.failures = self.failures.saturating_add(1),
            // It found another run at work, which says nothing about success.
            _ if run.cut_short => {}
            _ => (self.last_success, self.failures) = (ended.or(self.last_success), 0),
        }
        self.block = run.block.map(|block| block.0).or(self.block);
        let outcome = if run.is_stopped() { "stopped" } else { run.outcome.as_str() };
        let runs = self.runs.entry(outcome.to_owned()).or_default();
        *runs = runs.saturating_add(1);
        self.usage.add(&run.usage);
    }
}

/// Everything that the file says.
#[derive(Debug, Default)]
struct Facts<'a> {
    competition: String,
    standing: Option<(u32, Stage)>,
    matches_left: Option<u64>,
    /// Messages that wait, and that may not have been delivered.
    outbox: (u64, u64),
    faults: Option<&'a Faults>,
    totals: Totals,
}

/// Counts the runs and writes the file.
pub(super) fn write(
    context: &Context<'_>,
    file: &Path,
    runs: &[&RunRecord],
    faults: &Faults,
    outbox: (u64, u64),
) -> Result<()> {
    let own = context.own_folder()?;
    let (mut totals, damaged) = Totals::load(&own)?;
    damaged.iter().for_each(|warning| context.ui.warn(&format!("metrics: {warning}")));
    runs.iter().for_each(|run| totals.count(run));
    // A monitor is told of this run even if no total can be kept.
    let saved = totals.save(&own);
    let mut facts = Facts { outbox, faults: Some(faults), totals, ..Facts::default() };
    // What cannot be read is left out: the run itself has failed over it.
    let state: Option<CompetitionState> = context.store.load(&FileKind::State).ok().flatten();
    facts.competition = name_in(&context.store).map(|name| cut(&line(&name), LONGEST_LABEL)).unwrap_or_default();
    facts.standing = state.map(|state| (state.current_round.0, state.stage));
    facts.matches_left = facts.standing.filter(|(_, stage)| *stage == Stage::Duels).and_then(|_| matches_left(context));
    files::write(file, page(&facts).as_bytes(), files::Readers::All)?;
    saved
}

/// How many matches the tournament needs next.
fn matches_left(context: &Context<'_>) -> Option<u64> {
    context.stands().ok()?.matches_left()
}

/// The file's text.
fn page(facts: &Facts<'_>) -> String {
    let Facts { competition, standing, matches_left, outbox, faults, totals } = facts;
    let mut page = Page { text: String::new(), competition };
    let seconds = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp().to_string());
    let one = |value: Option<String>| value.map(|value| (Vec::new(), value)).into_iter().collect::<Vec<_>>();
    let version = vec![(vec![("version", env!("CARGO_PKG_VERSION"))], "1".to_owned())];
    page.family("gen404_info", "gauge", "The program that wrote this file.", version);
    let stage = |stage: Stage| {
        let now = standing.is_some_and(|(_, now)| now == stage);
        (vec![("stage", stage.as_str())], u8::from(now).to_string())
    };
    let stages = if standing.is_some() { Stage::ALL.map(stage).to_vec() } else { Vec::new() };
    page.family("gen404_stage", "gauge", "1 for the stage of the current round.", stages);
    page.family("gen404_round", "gauge", "The current round.", one(standing.map(|(round, _)| round.to_string())));
    let block = totals.block.map(|block| block.to_string());
    page.family("gen404_block", "gauge", "The chain's block when a run last asked for it.", one(block));
    let left = matches_left.map(|left| left.to_string());
    page.family("gen404_matches_left", "gauge", "Matches that the tournament needs next.", one(left));
    let at = seconds(totals.last_run);
    page.family("gen404_last_run_timestamp_seconds", "gauge", "When the last run ended.", one(at));
    let failed = Some(u8::from(totals.failed).to_string());
    page.family("gen404_last_run_failed", "gauge", "1 if the last run failed.", one(failed));
    let at = seconds(totals.last_success);
    page.family("gen404_last_success_timestamp_seconds", "gauge", "When a run last succeeded.", one(at));
    let failures = Some(totals.failures.to_string());
    page.family("gen404_failures_since_success", "gauge", "Failed runs since the last success.", one(failures));
    let open = || faults.iter().flat_map(|faults| faults.open.iter().take(MOST_FAULTS));
    let labels = |key| vec![("fault", key)];
    let since = open().map(|fault| (labels(fault.error.key.as_str()), fault.since.at().timestamp().to_string()));
    page.family("gen404_fault_since_timestamp_seconds", "gauge", "When a fault that lasts began.", since.collect());
    let runs = open().map(|fault| (labels(fault.error.key.as_str()), fault.runs.to_string()));
    page.family("gen404_fault_runs", "gauge", "Runs that failed by a fault that lasts.", runs.collect());
    let runs = totals.runs.iter().map(|(outcome, count)| (vec![("outcome", outcome.as_str())], count.to_string()));
    page.family("gen404_runs_total", "counter", "Runs by their outcome.", runs.collect());
    page.usage(&totals.usage);
    let (waiting, unsure) = outbox;
    let outbox = [("waiting", waiting), ("unsure", unsure)];
    let outbox = outbox.map(|(state, count)| (vec![("state", state)], count.to_string()));
    page.family("gen404_outbox_messages", "gauge", "Messages that were not delivered.", outbox.to_vec());
    page.text
}

/// A sample: its labels and its value.
type Sample<'a> = (Vec<(&'a str, &'a str)>, String);

/// The file as it grows.
struct Page<'a> {
    text: String,
    /// A label of each sample: files of several competitions lie in one folder.
    competition: &'a str,
}

impl Page<'_> {
    /// Adds a metric, unless it has no value.
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: Vec<Sample<'_>>) {
        if samples.is_empty() {
            return;
        }
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in samples {
            let labels = [("competition", self.competition)].into_iter().chain(labels);
            let labels: Vec<String> = labels.map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
            let _ = writeln!(self.text, "{name}{{{}}} {value}", labels.join(","));
        }
    }

    /// Adds what was used of each service.
    fn usage(&mut self, usage: &Usage) {
        let mut of = |name: &str, help: &str, value: fn(&ServiceUse) -> Option<String>| {
            let services =
                usage.0.iter().filter_map(|(service, used)| Some((vec![("service", service.as_str())], value(used)?)));
            self.family(name, "counter", help, services.collect());
        };
        of("gen404_calls_total", "Requests by service.", |used| Some(used.calls.to_string()));
        of("gen404_bytes_total", "Bytes of bodies by service.", |used| Some(used.bytes.to_string()));
        of("gen404_tokens_total", "Tokens by service.", |used| (used.tokens > 0).then(|| used.tokens.to_string()));
        of("gen404_pod_seconds_total", "Seconds of rented pods.", |used| {
            (used.pod_seconds > 0.0).then(|| used.pod_seconds.to_string())
        });
    }
}

/// A label's value, as the format wants it.
fn escaped(text: &str) -> String {
    cut(text, LONGEST_LABEL).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_its_text_does() {
        assert_eq!(escaped("a\"} 1\n\\"), r#"a\"} 1\n\\"#);
        let text = page(&Facts { competition: "a\nb".to_owned(), ..Facts::default() });
        assert!(text.contains("gen404_last_run_failed{competition=\"a\\nb\"} 0\n"), "{text}");
        assert!(
            !text.contains("gen404_block") && !text.contains("gen404_stage"),
            "what is unknown is left out: {text}"
        );
    }
}
