//! What the record of runs tells `status`: what fails since when, and what the round has used.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::base::text::{self, counted};
use crate::engine::context::Context;
use crate::engine::runs::book::Book;
use crate::engine::runs::record::Outcome;
use crate::engine::runs::streak::{Faults, Streak};
use crate::model::ids::RoundNumber;
use crate::model::stage::Timestamp;
use crate::settings::limits::RoundLimits;
use crate::ui::Report;
use crate::world::usage::{Service, Usage};

/// The record, as far as it concerns a round.
pub(crate) struct Record {
    faults: Vec<Streak>,
    /// Since when a run is at work.
    at_work: Option<DateTime<Utc>>,
    used: Usage,
    limits: RoundLimits,
}

impl Record {
    /// Reads it; if it cannot be read, warns and knows nothing.
    pub(crate) fn of(context: &Context<'_>, round: RoundNumber) -> Record {
        let limits = context.config.limits;
        let pages = context.own_folder().and_then(|own| Book::at(&own).read()).unwrap_or_else(|error| {
            context.ui.warn(&error.to_string());
            Default::default()
        });
        pages.unread.iter().for_each(|warning| context.ui.warn(warning));
        let at_work = pages.runs.iter().find(|run| run.outcome == Outcome::Begun);
        let at_work = at_work.and_then(|run| run.started.as_ref()).map(Timestamp::at);
        Record { faults: Faults::of(&pages.runs).open, at_work, used: pages.used_in(round), limits }
    }

    /// Is a run at work?
    pub(crate) fn is_at_work(&self) -> bool {
        self.at_work.is_some()
    }

    /// Whether a run is at work; what fails, since when, and what to do about it.
    pub(crate) fn say_faults(&self, report: &mut Report) {
        if let Some(since) = self.at_work {
            report.say(format!("a run is at work since {}", minute(since)));
        }
        for fault in &self.faults {
            let (runs, error) = (counted(fault.runs, "run", "runs"), &fault.error);
            let name = if error.is_named_by_its_message() { error.step.clone() } else { fault.name_now() };
            report.say(format!("failing: {name} since {}, {runs}: {}", minute(fault.since.at()), error.message));
            error.causes.iter().for_each(|cause| report.say(format!("  caused by: {cause}")));
            error.hints.iter().for_each(|hint| report.say(format!("  hint: {hint}")));
        }
    }

    /// What the round has used.
    pub(crate) fn say_use(&self, report: &mut Report) {
        let (judge, pods) = (self.used.of(Service::Judge), self.used.of(Service::Provider));
        let limits = &self.limits;
        if judge.calls == 0 && pods.pod_seconds <= 0.0 && *limits == RoundLimits::default() {
            return;
        }
        let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let calls = match limits.calls {
            Some(limit) => format!("{} of {}", judge.calls, counted(limit, "judge call", "judge calls")),
            None => counted(judge.calls, "judge call", "judge calls"),
        };
        let tokens = if judge.tokens > 0 { format!(" ({} tokens)", judge.tokens) } else { String::new() };
        let hours = of(limits.pod_hours.map(|hours| hours.to_string()));
        report.say(format!(
            "used by this round on this machine: {calls}{tokens}, {}{hours} pod hours",
            text::hours(pods.pod_seconds / 3600.0)
        ));
    }

    /// Both as JSON.
    pub(crate) fn json(&self) -> (Value, Value) {
        let failing: Vec<Value> = self.faults.iter().map(fault_json).collect();
        let services = self.used.0.iter().map(|(service, used)| {
            let all = json!({
                "calls": used.calls, "bytes": used.bytes, "tokens": used.tokens, "pod_seconds": used.pod_seconds,
            });
            (service.clone(), all)
        });
        (json!(failing), Value::Object(services.collect::<Map<_, _>>()))
    }
}

/// `2026-05-31 02:14 UTC`.
fn minute(at: DateTime<Utc>) -> String {
    at.format("%F %R UTC").to_string()
}

/// A fault as JSON, for `log` and `status`.
pub(crate) fn fault_json(fault: &Streak) -> Value {
    json!({
        "key": fault.error.key, "command": fault.error.step, "title": fault.error.title,
        "since": fault.since, "last": fault.last, "runs": fault.runs,
        "error": fault.error.message, "causes": fault.error.causes, "hints": fault.error.hints,
    })
}
