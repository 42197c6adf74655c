//! `audit`: sorts the requests, runs programs again, and reports on each repeat.

use std::collections::HashSet;

use serde_json::json;

use super::journal::RepeatsJob;
use super::{open, release_all, resume, run_all};
use crate::base::error::{Error, Kind, Result};
use crate::base::text::counted;
use crate::engine::common::{not_due, require_intact};
use crate::engine::context::Context;
use crate::engine::leases::{Announced, HeldLease};
use crate::engine::regenerating::Records;
use crate::engine::regenerating::audits::Requested;
use crate::engine::runs::estimates::foresee_pods;
use crate::engine::threejs::standing::ThreejsStanding;
use crate::model::builds::BuildStatus;
use crate::model::ids::{Hotkey, Player, PromptStem};
use crate::model::stage::Stage;
use crate::model::threejs::file::{ThreejsFile, ThreejsRoundFile};
use crate::rules::builds::is_final;
use crate::rules::stage_table::is_for;
use crate::rules::threejs::due::open_requests;
use crate::rules::threejs::repeats::record::never_built;
use crate::rules::threejs::repeats::{Purpose, Repeats};
use crate::rules::threejs::reports::NO_PROGRAM;
use crate::settings::flags::StoreArgs;
use crate::ui::Report;
use crate::world::pods::Hardware;

/// A program to run, and what it is measured by.
type Order = (RepeatsJob, Purpose);

/// The requests, sorted by what to do about them.
#[derive(Default)]
struct Orders {
    /// Miners that will never have an image.
    hopeless: Vec<Hotkey>,
    /// Builds that are awaited, in words.
    awaited: Vec<String>,
    /// What other hosts do, in words.
    held: Vec<String>,
    orders: Vec<Order>,
}

/// Runs the programs of the miners on `require_audit.json` again. The lock is held; the stage is not checked yet.
///
/// # Errors
/// The pods or the files fail: then audits stay open.
pub(crate) fn audit(
    context: &Context<'_>,
    standing: &ThreejsStanding,
    wanted: &Requested<'_>,
    store: &StoreArgs,
    report: &mut Report,
) -> Result<()> {
    let (round, stage) = (standing.state.current_round, standing.state.stage);
    let none = |report: &mut Report| report.say(format!("round {round}: no audit is awaited"));
    if !is_for("audit", stage) {
        if stage == Stage::Finalizing {
            none(report);
            return release_all(context);
        }
        return Err(not_due(context, standing, "audit", None));
    }
    require_intact(standing)?;
    let mut orders = Orders::of(standing, wanted)?;
    if orders.hopeless.is_empty() && orders.awaited.is_empty() && orders.orders.is_empty() {
        none(report);
        return release_all(context);
    }
    if context.options.dry_run {
        return orders.foresee(context, standing, report);
    }
    let miners = orders.miners();
    // Without a program to run, no pod is rented, and nothing is announced.
    let announced = if miners.is_empty() { Announced::NotAsked } else { context.announce("audit", round, &miners)? };
    let (lease, others) = match announced {
        Announced::NotAsked => (None, None),
        Announced::Ours(lease, others) => (Some(lease), Some(others)),
        Announced::Theirs(others) => (None, Some(others)),
    };
    if let Some(others) = others {
        let ours: &[Hotkey] = lease.as_ref().map(|lease| lease.hotkeys.as_slice()).unwrap_or_default();
        let before = orders.orders.len();
        orders.orders.retain(|(job, _)| job.player.hotkey().is_some_and(|hotkey| ours.contains(hotkey)));
        if orders.orders.len() < before {
            orders.held.extend(others.iter().map(|lease| context.elsewhere(lease)));
        }
    }
    let answered = orders.answer(context, standing, (store, lease.as_deref()), report);
    HeldLease::conclude(lease, answered)
}

impl Orders {
    fn of(standing: &ThreejsStanding, wanted: &Requested<'_>) -> Result<Orders> {
        let (files, round) = (&standing.files, standing.state.current_round);
        let mut orders = Orders::default();
        for hotkey in requested(standing, wanted)? {
            let build = files.builds.get().and_then(|builds| builds.get(&hotkey));
            let image =
                build.filter(|build| build.status == BuildStatus::Success).and_then(|build| build.docker_image.clone());
            match (build, image) {
                (Some(build), Some(image)) => {
                    let player = Player::Miner(hotkey.clone());
                    let submitted = files.players.get(&player).and_then(|own| own.submitted.get());
                    let submitted = submitted
                        .ok_or_else(|| Error::failed(format!("rounds/{round}/{player}/submitted.json: missing")))?;
                    let submitted: HashSet<PromptStem> = submitted
                        .iter()
                        .filter(|(_, module)| module.js.is_some())
                        .map(|(stem, _)| stem.clone())
                        .collect();
                    let hardware = Hardware::of(build.hardware.as_deref().unwrap_or_default());
                    let job = RepeatsJob { player, image, hardware, retry: wanted.retry };
                    orders.orders.push((job, Purpose::Audit { hotkey, submitted }));
                }
                (Some(build), None) if is_final(build.status) => orders.hopeless.push(hotkey),
                _ => orders.awaited.push(format!("the build of {hotkey} is not finished")),
            }
        }
        Ok(orders)
    }

    /// The miners whose programs are to run.
    fn miners(&self) -> Vec<Hotkey> {
        self.orders.iter().filter_map(|(job, _)| job.player.hotkey().cloned()).collect()
    }

    /// `--dry-run`: shows what would be done, and the files that would be written.
    fn foresee(self, context: &Context<'_>, standing: &ThreejsStanding, report: &mut Report) -> Result<()> {
        let round = standing.state.current_round;
        let [not_built, _] = NO_PROGRAM;
        for hotkey in &self.hopeless {
            report.say(format!("would reject {hotkey}: {not_built}"));
        }
        let repeats = standing.config.audit_repeats;
        for (job, _) in &self.orders {
            let times = counted(repeats as usize, "time", "times");
            report.say(format!("would run {} {times} with {}", job.player, job.image));
        }
        if !self.orders.is_empty() {
            let prompts = standing.files.prompts.get().map_or(0, |prompts| prompts.0.len());
            foresee_pods(context, round, (self.orders.len() * prompts * repeats as usize) as u64, report)?;
        }
        if !self.hopeless.is_empty() || !self.orders.is_empty() {
            report.note_files([ThreejsFile::Round(round, ThreejsRoundFile::GenerationReports).path()]);
        }
        self.awaited.iter().for_each(|line| report.say(format!("waits: {line}")));
        Ok(())
    }

    fn answer(
        self,
        context: &Context<'_>,
        standing: &ThreejsStanding,
        (store, lease): (&StoreArgs, Option<&HeldLease>),
        report: &mut Report,
    ) -> Result<()> {
        let Orders { hopeless, awaited, held, orders } = self;
        let mut records = Records::new(context, report);
        for hotkey in &hopeless {
            let now = context.threejs_standing()?;
            records.carry_out(&never_built(standing.state.current_round, hotkey, &now.files))?;
        }
        let ended = match orders.is_empty() {
            true => Ok(Vec::new()),
            false => run_orders(context, standing, (store, lease), orders, &mut records),
        };
        records.end();
        let open = ended?;
        let pending: Vec<_> = open.iter().map(ToString::to_string).collect();
        report.detail(json!({"pending": pending, "awaited": awaited}));
        if let Some(error) = failed(open) {
            return Err(error);
        }
        report.waits.extend(held.iter().map(|line| format!("audit waits: {line}")));
        report.waits.extend(awaited.iter().map(|line| format!("audit waits: {line}; `gen404 builds` follows it")));
        Ok(())
    }
}

/// Runs the programs. Returns an error for each audit that stays open.
fn run_orders(
    context: &Context<'_>,
    standing: &ThreejsStanding,
    (store, lease): (&StoreArgs, Option<&HeldLease>),
    orders: Vec<Order>,
    records: &mut Records<'_>,
) -> Result<Vec<Error>> {
    let run = open(context, standing, store, lease.map(|lease| lease.watch.clone()))?;
    let repeats = standing.config.audit_repeats;
    let all = orders.into_iter().map(|(job, purpose)| resume(&run, standing, job, purpose, repeats));
    let all = all.collect::<Result<Vec<_>>>()?;
    let stopped = run_all(context, &run, &all, records)?;
    let open = |(place, error): (usize, Error)| {
        let running = all.get(place)?;
        let (done, of) = running.look(Repeats::counts_of_batches);
        let player = &running.job.player;
        let open = Error::new(error.kind(), format!("the audit of {player} is open at {done} of {of} batches"));
        let hinted = error.hints().iter().cloned().fold(open, Error::hint);
        Some(hinted.because(error))
    };
    Ok(stopped.into_iter().filter_map(open).collect())
}

/// Combines the open audits into one error.
fn failed(mut open: Vec<Error>) -> Option<Error> {
    const AGAIN: &str = "run `gen404 audit` again to continue: what was made is kept";
    if open.len() < 2 {
        return open.pop().map(|error| error.hint(AGAIN));
    }
    let kind = [Kind::Failed, Kind::Usage].into_iter().find(|kind| open.iter().any(|error| error.kind() == *kind));
    let each = |error: &Error| std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ");
    let lines: Vec<String> = open.iter().map(each).collect();
    let message = format!("{} audits are open: {}", open.len(), lines.join("; "));
    let error = Error::new(kind.unwrap_or(Kind::Outside), message);
    Some(error.of_service(open.iter().find_map(Error::service)).hint(AGAIN))
}

/// The requested miners that this run handles: the winners whose repeats are not done, and whoever is named with
/// `--retry`.
fn requested(standing: &ThreejsStanding, wanted: &Requested<'_>) -> Result<Vec<Hotkey>> {
    let files = &standing.files;
    let requests = files.require_audit.get().map(Vec::as_slice).unwrap_or_default();
    if let Some(only) = wanted.only.filter(|only| !requests.iter().any(|request| request.hotkey == **only)) {
        let round = standing.state.current_round;
        return Err(Error::failed(format!("{only} is not on require_audit.json of round {round}")));
    }
    let mut open = open_requests(files, standing.config.settings.win_margin, standing.config.audit_repeats);
    if let Some(only) = wanted.only {
        let again = wanted.retry || open.contains(only);
        open = if again { vec![only.clone()] } else { Vec::new() };
    }
    Ok(open)
}
