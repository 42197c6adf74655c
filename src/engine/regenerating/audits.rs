//! The work of `audit`: sorts the requests, regenerates what can be regenerated, and records each verdict.

use serde_json::json;

use super::{Records, RegenerationEvent, RegenerationJob, RegenerationRun, Tools, files_of};
use crate::base::error::{Error, Kind, Result};
use crate::base::text::counted;
use crate::engine::context::{Context, Standing};
use crate::engine::runs::estimates::foresee_pods;
use crate::model::file::{FileKind, RoundFile};
use crate::model::generation_audits::AuditOutcome;
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::leases::StepLease;
use crate::model::require_audit::AuditRequest;
use crate::rules::regeneration::record::{NO_IMAGE, rejected};
use crate::rules::regeneration::{ImageToRun, JobStanding, Progress, Purpose, image_of};
use crate::rules::shard::Shard;
use crate::rules::stages::unanswered;
use crate::ui::Report;

/// Which requests a run handles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requested<'a> {
    /// Only this miner's.
    pub(crate) only: Option<&'a Hotkey>,
    /// Only this shard's.
    pub(crate) shard: Shard,
    /// Retry prompts without a complete output.
    pub(crate) retry: bool,
}

/// The requests, sorted by what to do about them.
#[derive(Default)]
pub(crate) struct Orders {
    /// Miners that will never have an image.
    hopeless: Vec<Hotkey>,
    /// Builds that are awaited, in words.
    awaited: Vec<String>,
    /// What other hosts do, in words.
    held: Vec<String>,
    /// Requests that can never be fulfilled.
    groundless: Vec<Error>,
    jobs: Vec<RegenerationJob>,
}

impl Orders {
    pub(crate) fn is_empty(&self) -> bool {
        self.hopeless.is_empty() && self.awaited.is_empty() && self.groundless.is_empty() && self.jobs.is_empty()
    }

    /// Sorts the requests that this run handles.
    pub(crate) fn of(standing: &Standing, wanted: &Requested<'_>) -> Result<Orders> {
        let files = &standing.files;
        let mut orders = Orders::default();
        for request in requests(standing, wanted)? {
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
                    orders.jobs.push(RegenerationJob::new(player, image, purpose, wanted.retry));
                }
            }
        }
        Ok(orders)
    }

    /// The miners whose programs are to run.
    pub(crate) fn miners(&self) -> Vec<Hotkey> {
        self.jobs.iter().filter_map(|job| job.player.hotkey().cloned()).collect()
    }

    /// Leaves the miners that are not `ours` to the hosts that have announced them.
    pub(crate) fn leave_to(&mut self, context: &Context<'_>, ours: &[Hotkey], others: &[StepLease]) {
        let before = self.jobs.len();
        self.jobs.retain(|job| job.player.hotkey().is_some_and(|hotkey| ours.contains(hotkey)));
        if self.jobs.len() < before {
            self.held.extend(others.iter().map(|lease| context.elsewhere(lease)));
        }
    }

    /// `--dry-run`: shows what would be done, and the files that would be written.
    ///
    /// # Errors
    /// A request can never be fulfilled.
    pub(crate) fn foresee(self, context: &Context<'_>, standing: &Standing, report: &mut Report) -> Result<()> {
        let round = standing.state.current_round;
        for hotkey in &self.hopeless {
            report.say(format!("would reject {hotkey}: {NO_IMAGE}"));
        }
        for job in &self.jobs {
            report.say(format!("would audit {} with {}", job.player, job.image));
            report.note_files(files_of(round, &job.player));
        }
        if !self.jobs.is_empty() {
            let prompts = standing.files.prompts.get().map_or(0, |prompts| prompts.0.len());
            foresee_pods(context, round, (self.jobs.len() * prompts) as u64, report)?;
        }
        if !self.hopeless.is_empty() || !self.jobs.is_empty() {
            report.note_files([FileKind::Round(round, RoundFile::GenerationAudits).path()]);
        }
        for line in &self.awaited {
            report.say(format!("waits: {line}"));
        }
        failed(self.groundless).map_or(Ok(()), Err)
    }

    /// Answers the requests as far as possible; what is awaited goes into the report.
    ///
    /// # Errors
    /// An audit stays open.
    pub(crate) fn answer(
        self,
        context: &Context<'_>,
        standing: &Standing,
        tools: &Tools<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let Orders { hopeless, awaited, held, groundless: mut open, jobs } = self;
        let mut records = Records::new(context, report);
        for hotkey in &hopeless {
            let plan = rejected(standing.state.current_round, hotkey, NO_IMAGE, &context.standing()?.files);
            records.carry_out(&plan)?;
        }
        let ended =
            if jobs.is_empty() { Ok(()) } else { regenerate(context, standing, tools, jobs, &mut records, &mut open) };
        let pending: Vec<_> = open.iter().map(ToString::to_string).collect();
        records.end();
        report.detail(json!({"pending": pending, "awaited": awaited}));
        ended?;
        if let Some(error) = failed(open) {
            return Err(error);
        }
        report.waits.extend(held.iter().map(|line| format!("audit waits: {line}")));
        report.waits.extend(awaited.iter().map(|line| format!("audit waits: {line}; `gen404 builds` follows it")));
        Ok(())
    }
}

/// Regenerates what was submitted, and records each job's outcome.
fn regenerate(
    context: &Context<'_>,
    standing: &Standing,
    tools: &Tools<'_>,
    jobs: Vec<RegenerationJob>,
    records: &mut Records<'_>,
    open: &mut Vec<Error>,
) -> Result<()> {
    let run = RegenerationRun::open(context, standing, tools)?;
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
            let distances = counted(stems.len(), "distance", "distances");
            Error::outside(format!("the audit of {player} waits for {distances}: {}", stems.join(", ")))
        }
        _ => Error::outside(format!("the audit of {player} is open at {done} of {all} prompts")),
    }
}

/// Combines the open audits into one error.
fn failed(mut open: Vec<Error>) -> Option<Error> {
    if open.len() < 2 {
        return open.pop().map(|error| error.hint("run `gen404 audit` again to continue: what was made is kept"));
    }
    let worst = |kind: Kind| open.iter().any(|error| error.kind() == kind);
    let kind = [Kind::Failed, Kind::Usage].into_iter().find(|kind| worst(*kind)).unwrap_or(Kind::Outside);
    let each = |error: &Error| std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ");
    let lines: Vec<String> = open.iter().map(each).collect();
    let error = Error::new(kind, format!("{} audits are open: {}", open.len(), lines.join("; ")));
    let error = error.of_service(open.iter().find_map(Error::service));
    Some(error.hint("run `gen404 audit` again to continue: what was made is kept"))
}

/// The error for a miner that is not in the round, and so will never have a build.
fn groundless(round: RoundNumber, hotkey: &Hotkey) -> Error {
    let asked = format!("rounds/{round}/require_audit.json: {hotkey} is not in submissions.json");
    Error::failed(asked).hint("`gen404 verify` says who belongs on the list; remove this entry")
}

/// The requests that this run handles: those without a verdict, and a rejected one if it is named together with
/// `--retry`.
fn requests<'a>(standing: &'a Standing, wanted: &Requested<'_>) -> Result<Vec<&'a AuditRequest>> {
    let files = &standing.files;
    let requests: Vec<&AuditRequest> = files.require_audit.get().into_iter().flatten().collect();
    if let Some(only) = wanted.only.filter(|only| !requests.iter().any(|request| request.hotkey == **only)) {
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
        let named = wanted.only == Some(hotkey);
        let here = wanted.shard.has(hotkey, files.submissions.get());
        let again = wanted.retry && named && rejected(hotkey);
        here && (named || wanted.only.is_none()) && (open.contains(hotkey) || again)
    };
    Ok(requests.into_iter().filter(is_wanted).collect())
}
