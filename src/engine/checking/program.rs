//! The miner's program: run on the prompts as an audit does it, and judged by the same rules.

use super::CheckJob;
use super::fetched::CheckedFiles;
use crate::base::error::{Error, Result};
use crate::engine::context::Standing;
use crate::engine::regenerating::{RegenerationEvent, RegenerationJob, RegenerationRun, Workshop, image_limits};
use crate::model::generation_audits::GenerationAudit;
use crate::model::ids::{Player, PromptStem, Seed};
use crate::model::outputs::Output;
use crate::model::snapshot::{PlayerFiles, RoundFiles, Slot};
use crate::rules::audit::mismatched;
use crate::rules::regeneration::{JobStanding, Progress, Purpose};
use crate::settings::audit::AuditSettings;
use crate::settings::flags::{DistanceArgs, distance_settings};
use crate::world::distance::Distance;
use crate::world::distance::settings::DistanceDriver;
use crate::world::http::{Client, Retry, shown_url};
use crate::world::pods::Endpoint;
use crate::world::pods::endpoint::{EndpointProvider, EndpointSettings};
use crate::world::pods::program::{Health, Program, ProgramLimits};
use crate::world::store::sha256_of;

/// What an audit would find.
pub(crate) struct ForetoldAudit {
    pub(crate) verdict: GenerationAudit,
    /// Are the critical prompts known, from a request for an audit?
    pub(crate) knows_critical: bool,
    /// What measured the distances.
    pub(crate) driver: &'static str,
    /// What was found for each prompt, in their order.
    pub(crate) prompts: Vec<AuditedPrompt>,
    /// Prompts that were left out because the verdict was certain.
    pub(crate) left_out: usize,
}

/// What an audit would find for a prompt.
pub(crate) struct AuditedPrompt {
    pub(crate) stem: PromptStem,
    pub(crate) output: Output,
    pub(crate) mismatch: bool,
    pub(crate) critical: bool,
    /// Why its last attempt brought no complete output.
    pub(crate) trouble: Option<String>,
}

/// What measures the distances: the driver that flags, environment or settings name. A service cannot see the previews of
/// this machine.
///
/// # Errors
/// None is named, or a service, or it cannot be opened.
pub(crate) fn driver(job: &CheckJob<'_>, args: &DistanceArgs) -> Result<Box<dyn Distance>> {
    let settings = distance_settings(&job.context.config.distance, args);
    if settings.chosen() == Some(DistanceDriver::Http) {
        let service = Error::usage("a distance service fetches pictures itself, and cannot see those of this machine");
        return Err(service.hint("--distance dinov3 --weights FILE measures as audits do, --distance pixels roughly"));
    }
    settings.open(|_| None)?.ok_or_else(|| {
        let unknown = Error::usage("no way to measure distances is named");
        unknown.hint("--distance dinov3 --weights FILE measures as audits do, --distance pixels roughly")
    })
}

impl CheckJob<'_> {
    /// Runs the program at this URL, and judges what it makes.
    ///
    /// # Errors
    /// The program is not ready, the run was stopped, or a distance cannot be measured.
    pub(crate) fn audit(
        &self,
        url: &str,
        distance: Box<dyn Distance>,
        checked: &CheckedFiles,
    ) -> Result<ForetoldAudit> {
        let seed = self.seed.ok_or_else(|| Error::usage("the round has no seed yet: --pod needs --seed N"))?;
        let standing = self.as_downloaded(checked);
        let driver = distance.name();
        let workshop = self.workshop(url, distance, checked, seed)?;
        self.is_ready(url, &standing)?;
        let run = RegenerationRun::within(self.context, &standing, workshop)?;
        let (critical, knows_critical) = self.critical();
        let purpose = Purpose::Audit { critical: critical.clone(), submitted: checked.outputs.clone() };
        let job = RegenerationJob::new(self.player(), image(url, checked)?, purpose, false);
        let mut ended = None;
        run.run(&standing, vec![job], |event| {
            if let RegenerationEvent::Ended(_, progress, stands, trouble) = event {
                ended = Some((progress.clone(), stands, trouble));
            }
            Ok(())
        })?;
        let (progress, stands, trouble) = ended.ok_or_else(|| Error::failed("the program's run did not end"))?;
        if let Some(error) = trouble {
            return Err(error);
        }
        self.is_whole(&progress, stands, url)?;
        self.judge(&progress, &critical, knows_critical, driver)
    }

    fn player(&self) -> Player {
        Player::Miner(self.owner())
    }

    /// The round as `download` would leave it for this miner.
    fn as_downloaded(&self, checked: &CheckedFiles) -> Standing {
        let submitted = Slot::Ok(checked.outputs.clone());
        let own = PlayerFiles { submitted, sums: Slot::Ok(checked.sums.clone()), ..PlayerFiles::default() };
        let players = [(self.player(), own)].into_iter().collect();
        let files = RoundFiles { players, ..RoundFiles::of(self.standing.files.format) };
        Standing { config: self.standing.config.clone(), state: self.standing.state.clone(), files }
    }

    /// One program, asked for one prompt after the other, within the limits of an audit.
    fn workshop<'a>(
        &'a self,
        url: &str,
        distance: Box<dyn Distance>,
        checked: &CheckedFiles,
        seed: Seed,
    ) -> Result<Workshop<'a>> {
        let endpoint = EndpointSettings { url: Some(url.to_owned()), at_once: 1 };
        let config = &self.context.config;
        let (pods, order_seconds) = (1, 0.0);
        let poll_seconds = config.audit.poll_seconds.min(1.0);
        let settings = AuditSettings { pods, first_pods: 1, order_seconds, poll_seconds, ..config.audit };
        let allow_private = self.allow_private || config.miners.allow_private_cdn;
        Ok(Workshop {
            own: self.work.to_owned(),
            settings,
            provider: Box::new(EndpointProvider::new(&endpoint)?),
            store: Box::new(checked.store.clone()),
            distance: Some(distance),
            render_service: self.render_service,
            // The prompts' URLs are the competition's, not the miner's.
            client: Client::for_miners(image_limits(), Retry::default(), allow_private),
            list: self.prompts.clone(),
            seed,
            lease: None,
        })
    }

    /// Fails unless the program is ready: an audit waits for an hour, a miner should not.
    fn is_ready(&self, url: &str, standing: &Standing) -> Result<()> {
        let limits = self.context.config.pods.limits();
        let limits = ProgramLimits { format: standing.files.format.model(), ..limits };
        let endpoint = Endpoint { url: url.trim_end_matches('/').to_owned(), key: None };
        match Program::new(endpoint, limits).health() {
            Health::Ready => Ok(()),
            Health::NotYet(why) | Health::Refused(why) => Err(not_ready(url, &why)),
        }
    }

    /// The prompts on which the lead rests, if an audit is requested; else none is known.
    fn critical(&self) -> (Vec<PromptStem>, bool) {
        let mut requests = self.standing.files.require_audit.get().into_iter().flatten();
        let request = requests.find(|request| Some(&request.hotkey) == self.hotkey);
        let critical = request.map(|request| request.critical_prompts.clone());
        (critical.clone().unwrap_or_default(), critical.is_some())
    }

    /// Fails unless a verdict follows from what was made.
    fn is_whole(&self, progress: &Progress, stands: JobStanding, url: &str) -> Result<()> {
        match stands {
            JobStanding::Complete if progress.was_tried() || progress.stems().is_empty() => Ok(()),
            JobStanding::Complete | JobStanding::Open(_) => Err(not_ready(url, "it went away")),
            JobStanding::Unmeasured(stems) => {
                let stems: Vec<String> = stems.iter().map(ToString::to_string).collect();
                Err(Error::failed(format!("distances cannot be measured: {}", stems.join(", "))))
            }
        }
    }

    fn judge(
        &self,
        progress: &Progress,
        critical: &[PromptStem],
        knows_critical: bool,
        driver: &'static str,
    ) -> Result<ForetoldAudit> {
        let limits = self.standing.config.settings.limits();
        let outputs = progress.outputs();
        let verdict = progress.judged(&self.owner(), &outputs, &limits);
        let verdict = verdict.ok_or_else(|| Error::failed("audits of this format go by something else"))?;
        let prompt = |(stem, output): (&PromptStem, &Output)| AuditedPrompt {
            stem: stem.clone(),
            output: output.clone(),
            mismatch: mismatched(Some(output), &limits),
            critical: critical.contains(stem),
            trouble: progress.trouble_with(stem).map(str::to_owned),
        };
        let prompts: Vec<_> = outputs.iter().map(prompt).collect();
        let left_out = progress.stems().len().saturating_sub(prompts.len());
        Ok(ForetoldAudit { verdict, knows_critical, driver, prompts, left_out })
    }
}

fn not_ready(url: &str, why: &str) -> Error {
    let error = Error::outside(format!("{}: the program is not ready: {why}", shown_url(url)));
    error.hint("start it, and wait until GET /health answers with status 200")
}

/// The name under which the work goes on: another program, or other submitted files, begin anew.
fn image(url: &str, checked: &CheckedFiles) -> Result<String> {
    let lines: Vec<String> = checked.sums.0.iter().map(|(path, sum)| format!("{sum}  {path}\n")).collect();
    let sum = sha256_of(lines.concat().as_bytes()).map_err(|e| Error::failed("no digest").because(e))?;
    Ok(format!("{url} {}", sum.get(..16).unwrap_or(&sum)))
}
