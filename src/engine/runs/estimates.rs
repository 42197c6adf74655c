//! What a dry run foresees of a command's cost, by the averages of past runs.

use serde_json::json;

use super::book::Book;
use super::record::RunRecord;
use crate::base::error::Result;
use crate::base::text::{self, counted};
use crate::engine::context::Context;
use crate::model::ids::RoundNumber;
use crate::ui::Report;
use crate::world::usage::{Service, Usage};

/// Reports what these calls of the judge will take.
///
/// # Errors
/// The record cannot be read.
pub(crate) fn foresee_calls(context: &Context<'_>, round: RoundNumber, calls: u64, report: &mut Report) -> Result<()> {
    let pages = Book::at(&context.own_folder()?).read()?;
    let used = pages.used_in(round).of(Service::Judge).calls;
    let tokens = average(&pages.runs, tokens_an_answer).map(|each| (each * calls as f64).round());
    let about = match tokens {
        Some(tokens) => format!("about {tokens} tokens, by the answers so far"),
        None => "an unknown number of tokens: no answer has named its tokens yet".to_owned(),
    };
    let calls_said = counted(calls, "judge call", "judge calls");
    report.say(format!("would take up to {calls_said} for these matches, {about}; later matches depend on results"));
    if let Some(limit) = context.config.limits.calls {
        let left = limit.saturating_sub(used);
        let enough = if left >= calls { "" } else { ": it stops before that, with code 3" };
        report.say(format!("[limits] calls leaves this round {left} of {}{enough}", counted(limit, "call", "calls")));
    }
    report.detail(json!({"estimate": {"calls": calls, "tokens": tokens, "pod_hours": null}}));
    Ok(())
}

/// Reports what generating this many outputs will take of pods.
///
/// # Errors
/// The record cannot be read.
pub(crate) fn foresee_pods(context: &Context<'_>, round: RoundNumber, outputs: u64, report: &mut Report) -> Result<()> {
    let pages = Book::at(&context.own_folder()?).read()?;
    let used = pages.used_in(round).of(Service::Provider).pod_seconds / 3600.0;
    let hours = average(&pages.runs, seconds_a_generation).map(|each| each * outputs as f64 / 3600.0);
    let about = match hours {
        Some(hours) => format!("{} pod hours, by the pods so far", about_hours(hours)),
        None => "an unknown number of pod hours: no pod has made an output for this machine yet".to_owned(),
    };
    report.say(format!("would generate {}: {about}", counted(outputs, "output", "outputs")));
    if let Some(limit) = context.config.limits.pod_hours {
        let left = (limit - used).max(0.0);
        let enough = if hours.is_none_or(|hours| hours <= left) { "" } else { ": it stops before that, with code 3" };
        let said = text::hours(left);
        report.say(format!("[limits] pod_hours leaves this round {said} of {limit} pod hours{enough}"));
    }
    report.detail(json!({"estimate": {"calls": outputs, "tokens": null, "pod_hours": hours}}));
    Ok(())
}

/// `about 1.20`, or `less than 0.01`.
fn about_hours(hours: f64) -> String {
    let said = text::hours(hours);
    if said.starts_with(|c: char| c.is_ascii_digit()) { format!("about {said}") } else { said }
}

/// The tokens of a call of the judge, on average over the answers so far; `None` if none has named its tokens.
///
/// # Errors
/// The record cannot be read.
pub(crate) fn tokens_per_call(context: &Context<'_>) -> Result<Option<f64>> {
    Ok(average(&Book::at(&context.own_folder()?).read()?.runs, tokens_an_answer))
}

/// A sum of something, and of what it is divided by.
fn tokens_an_answer(used: &Usage) -> (f64, u64) {
    let judge = used.of(Service::Judge);
    (judge.tokens as f64, judge.token_answers)
}

fn seconds_a_generation(used: &Usage) -> (f64, u64) {
    (used.of(Service::Provider).pod_seconds, used.of(Service::Program).calls)
}

fn average(runs: &[RunRecord], of: impl Fn(&Usage) -> (f64, u64)) -> Option<f64> {
    let mut all = Usage::default();
    runs.iter().for_each(|run| all.add(&run.usage));
    let (sum, count) = of(&all);
    (count > 0 && sum > 0.0).then(|| sum / count as f64)
}
