//! `gen404 audit`: make again what those on the list submitted, and judge it.

use serde_json::json;

use crate::base::error::{Error, Kind, Result};
use crate::cli::{AuditArgs, Global};
use crate::engine::common::{not_due, require_intact};
use crate::engine::context::{Context, Standing};
use crate::engine::regenerating::{Records, RegenerationEvent, RegenerationJob, RegenerationRun, Tools, files_of};
use crate::model::file::{FileKind, RoundFile};
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::require_audit::AuditRequest;
use crate::model::stage::Stage;
use crate::rules::regeneration::record::{NO_IMAGE, rejected};
use crate::rules::regeneration::{ImageToRun, JobStanding, Progress, Purpose, image_of};
use crate::rules::stages::unanswered;
use crate::ui::Ui;
use crate::world::stop::Stop;

/// What is to be done about the requests.
#[derive(Default)]
struct Orders {
    /// Miners without an image, now and for ever.
    hopeless: Vec<Hotkey>,
    /// What is awaited of the others' builds.
    awaited: Vec<String>,
    /// Requests that nothing can come of.
    groundless: Vec<Error>,
    jobs: Vec<RegenerationJob>,
}

impl Orders {
    fn is_empty(&self) -> bool {
        self.hopeless.is_empty() && self.awaited.is_empty() && self.groundless.is_empty() && self.jobs.is_empty()
    }
}

pub(super) fn run(global: &Global, ui: &Ui, args: &AuditArgs) -> Result<u8> {
    let mut context = Context::open(global, ui)?;
    context.stop = Stop::on_signals()?;
    let _lock = context.lock("audit")?;
    let standing = context.standing()?;
    if standing.state.stage != Stage::Duels {
        if standing.state.stage == Stage::Finalizing && unanswered(&standing.files).is_empty() {
            ui.result(&format!("round {}: no audit is awaited", standing.state.current_round));
            return Ok(0);
        }
        return Err(not_due(&context, &standing, "audit", None));
    }
    require_intact(standing.state.current_round, &standing.files)?;
    let orders = orders(&standing, args)?;
    if orders.is_empty() {
        ui.result(&format!("round {}: no audit is awaited", standing.state.current_round));
        return Ok(0);
    }
    if global.dry_run {
        say_only(&context, standing.state.current_round, &orders);
        return failed(orders.groundless).map_or(Ok(0), Err);
    }
    answer(&context, &standing, args, orders)
}

/// Answers the requests as far as it goes.
fn answer(context: &Context<'_>, standing: &Standing, args: &AuditArgs, orders: Orders) -> Result<u8> {
    let Orders { hopeless, awaited, groundless, jobs } = orders;
    let mut records = Records::new(context);
    for hotkey in &hopeless {
        let plan = rejected(standing.state.current_round, hotkey, NO_IMAGE, &context.standing()?.files);
        records.carry_out(&plan)?;
    }
    let mut open = groundless;
    let ended =
        if jobs.is_empty() { Ok(()) } else { regenerate(context, standing, args, jobs, &mut records, &mut open) };
    let pending: Vec<_> = open.iter().map(ToString::to_string).collect();
    records.say();
    context.ui.own(json!({"pending": pending, "awaited": awaited}));
    ended?;
    if let Some(error) = failed(open) {
        return Err(error);
    }
    if awaited.is_empty() {
        return Ok(0);
    }
    awaited.iter().for_each(|line| context.ui.result(&format!("audit waits: {line}; `gen404 builds` follows it")));
    Ok(Kind::NotDue.exit_code())
}

fn regenerate(
    context: &Context<'_>,
    standing: &Standing,
    args: &AuditArgs,
    jobs: Vec<RegenerationJob>,
    records: &mut Records<'_>,
    open: &mut Vec<Error>,
) -> Result<()> {
    let tools = Tools { store: &args.store, render_service: args.render_service.as_deref(), measures: true };
    let run = RegenerationRun::open(context, standing, &tools)?;
    let round = standing.state.current_round;
    run.run(standing, jobs, |event| match event {
        RegenerationEvent::Save(job, progress) => {
            let files = context.standing()?.files;
            records.write(&progress.saved(round, &job.player, files.players.get(&job.player)))
        }
        RegenerationEvent::Ended(job, progress, stands, trouble) => {
            let files = context.standing()?.files;
            let concluded = stands == JobStanding::Complete && trouble.is_none();
            match job.player.hotkey().filter(|_| concluded) {
                Some(hotkey) => {
                    records.carry_out(&progress.concluded(round, hotkey, &files, &standing.config.settings.limits()))
                }
                None => {
                    records.carry_out(&progress.saved(round, &job.player, files.players.get(&job.player)))?;
                    open.push(why_open(&job.player, progress, &stands, trouble));
                    Ok(())
                }
            }
        }
    })
}

/// Why an audit has no verdict yet.
fn why_open(player: &Player, progress: &Progress, stands: &JobStanding, trouble: Option<Error>) -> Error {
    let (done, all) = progress.counts();
    if let Some(error) = trouble {
        let open = Error::new(error.kind(), format!("the audit of {player} is open at {done} of {all} prompts"));
        let hinted = error.hints().iter().cloned().fold(open, Error::hint);
        return hinted.because(error);
    }
    match stands {
        JobStanding::Unmeasured(stems) => {
            let stems: Vec<_> = stems.iter().map(ToString::to_string).collect();
            Error::outside(format!("the audit of {player} waits for {} distance(s): {}", stems.len(), stems.join(", ")))
        }
        _ => Error::outside(format!("the audit of {player} is open at {done} of {all} prompts")),
    }
}

/// One error for all audits that are open.
fn failed(mut open: Vec<Error>) -> Option<Error> {
    if open.len() < 2 {
        return open.pop().map(|error| error.hint("run `gen404 audit` again to go on: what was made is kept"));
    }
    let worst = |kind: Kind| open.iter().any(|error| error.kind() == kind);
    let kind = [Kind::Failed, Kind::Usage].into_iter().find(|kind| worst(*kind)).unwrap_or(Kind::Outside);
    let each = |error: &Error| std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ");
    let lines: Vec<String> = open.iter().map(each).collect();
    let error = Error::new(kind, format!("{} audits are open: {}", open.len(), lines.join("; ")));
    Some(error.hint("run `gen404 audit` again to go on: what was made is kept"))
}

/// Sorts out the requests that this run is about.
fn orders(standing: &Standing, args: &AuditArgs) -> Result<Orders> {
    let files = &standing.files;
    let mut orders = Orders::default();
    for request in wanted(standing, args)? {
        if files.submissions.get().is_none_or(|submissions| !submissions.contains_key(&request.hotkey)) {
            orders.groundless.push(groundless(standing.state.current_round, &request.hotkey));
            continue;
        }
        match image_of(files.builds.get(), &request.hotkey) {
            ImageToRun::Never => orders.hopeless.push(request.hotkey.clone()),
            ImageToRun::Awaited(what) => orders.awaited.push(what),
            ImageToRun::Built(image) => {
                let player = Player::Miner(request.hotkey.clone());
                let submitted = files.players.get(&player).and_then(|own| own.submitted.get()).cloned();
                let round = standing.state.current_round;
                let submitted = submitted
                    .ok_or_else(|| Error::failed(format!("rounds/{round}/{player}/submitted.json: missing")))?;
                let purpose = Purpose::Audit { critical: request.critical_prompts.clone(), submitted };
                orders.jobs.push(RegenerationJob::new(player, image, purpose, args.retry));
            }
        }
    }
    Ok(orders)
}

/// A request for a miner who is not in the round: no build of it will ever come.
fn groundless(round: RoundNumber, hotkey: &Hotkey) -> Error {
    let asked = format!("rounds/{round}/require_audit.json: {hotkey} is not in submissions.json");
    Error::failed(asked).hint("`gen404 verify` says who belongs on the list; take it off")
}

/// The requests that this run is about: those without a verdict; and one that was rejected, where it is
/// named and to be tried again.
fn wanted<'a>(standing: &'a Standing, args: &AuditArgs) -> Result<Vec<&'a AuditRequest>> {
    let files = &standing.files;
    let requests: Vec<&AuditRequest> = files.require_audit.get().into_iter().flatten().collect();
    if let Some(only) = args.only.as_ref().filter(|only| !requests.iter().any(|request| request.hotkey == **only)) {
        let round = standing.state.current_round;
        return Err(Error::failed(format!("{only} is not on require_audit.json of round {round}")));
    }
    let open = unanswered(files);
    let rejected = |hotkey: &Hotkey| {
        let audit = files.generation_audits.get().and_then(|audits| audits.get(hotkey));
        audit.is_some_and(|audit| audit.outcome == AuditOutcome::Rejected)
    };
    let is_wanted = |request: &&AuditRequest| {
        let hotkey = &request.hotkey;
        let named = args.only.as_ref() == Some(hotkey);
        let here = args.shard.has(hotkey, files.submissions.get());
        let again = args.retry && named && rejected(hotkey);
        here && (named || args.only.is_none()) && (open.contains(hotkey) || again)
    };
    Ok(requests.into_iter().filter(is_wanted).collect())
}

/// `--dry-run`: what would be done, and the files of that.
fn say_only(context: &Context<'_>, round: RoundNumber, orders: &Orders) {
    let ui = context.ui;
    for hotkey in &orders.hopeless {
        ui.result(&format!("would reject {hotkey}: {NO_IMAGE}"));
    }
    for job in &orders.jobs {
        ui.result(&format!("would audit {} with {}", job.player, job.image));
        ui.note_files(files_of(round, &job.player));
    }
    if !orders.hopeless.is_empty() || !orders.jobs.is_empty() {
        ui.note_files([FileKind::Round(round, RoundFile::GenerationAudits).path()]);
    }
    for line in &orders.awaited {
        ui.result(&format!("waits: {line}"));
    }
}
