//! Keeps a round within `[limits]`: what was used is read from the record, and what is left goes into the meter.

use crate::base::error::{Error, Kind, Result};
use crate::base::text::counted;
use crate::engine::context::Context;
use crate::engine::runs::book::Book;
use crate::model::ids::RoundNumber;
use crate::world::usage::{Service, Usage};

/// Lets the judge be asked as often as the round's limit leaves room for.
///
/// # Errors
/// No room is left, or the record cannot be read.
pub(crate) fn limit_calls(context: &Context<'_>, round: RoundNumber) -> Result<()> {
    let Some(limit) = context.config.limits.calls else { return Ok(()) };
    let used = used(context, round)?.of(Service::Judge).calls;
    let left = limit.saturating_sub(used);
    context.options.meter.limit_calls(left);
    if left == 0 { Err(calls_are_over(limit, round)) } else { Ok(()) }
}

/// Lets pods run for as long as the round's limit leaves room for.
///
/// # Errors
/// No room is left, or the record cannot be read.
pub(crate) fn limit_pods(context: &Context<'_>, round: RoundNumber) -> Result<()> {
    let Some(hours) = context.config.limits.pod_hours else { return Ok(()) };
    let used = used(context, round)?.of(Service::Provider).pod_seconds;
    context.options.meter.limit_pods(hours * 3600.0 - used);
    if context.options.meter.pods_are_over() { Err(pods_are_over(hours, round)) } else { Ok(()) }
}

/// What was used in the round up to now, by this step too.
fn used(context: &Context<'_>, round: RoundNumber) -> Result<Usage> {
    let mut used = Book::at(&context.own_folder()?).used_in(round)?;
    used.add(&context.options.meter.read());
    Ok(used)
}

/// The error of a run that may not ask the judge any more.
pub(crate) fn calls_are_over(limit: u64, round: RoundNumber) -> Error {
    let calls = counted(limit, "judge call", "judge calls");
    over("calls", limit, &format!("round {round} may use {calls}, and all are used"))
}

/// The error of a run that may not rent pods any more.
pub(crate) fn pods_are_over(hours: f64, round: RoundNumber) -> Error {
    over("pod_hours", hours, &format!("round {round} may use {hours} pod hours, and has none left"))
}

fn over(key: &str, limit: impl std::fmt::Display, what: &str) -> Error {
    let error = Error::new(Kind::Limit, format!("the limit {key} is reached: {what}"));
    error.hint(format!(
        "raise {key} = {limit} under [limits] in gen404.toml: until then the round stands still; `gen404 status` shows \
         what was used. Nothing is lost: the same command continues where it stopped"
    ))
}
