//! `gen404 builds`: follows the miners' image builds.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use serde_json::{Map, Value, json};

use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::cli::{BuildsArgs, Global};
use crate::engine::common::not_due;
use crate::engine::context::{Context, Standing};
use crate::engine::stands::{AnyStanding, Stands};
use crate::engine::threejs::standing::ThreejsStanding;
use crate::model::builds::{Build, BuildStatus, Builds};
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::snapshot::Slot;
use crate::model::stage::Stage;
use crate::model::submissions::{Submission, Submissions};
use crate::rules::builds::{BuildTerms, BuildsOutcome, all_built, is_final, settle, tag, tally, word};
use crate::rules::stage_table::is_for;
use crate::rules::threejs;
use crate::settings::Config;
use crate::settings::flags::env;
use crate::ui::{Report, Ui};
use crate::world::builds::WantedBuilds;
use crate::world::builds::settings::{BuildSettings, BuildsDriver};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &BuildsArgs, report: &mut Report) -> Result<()> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui, report)? };
    let settings = settings(&context.config, args);
    let mut looks = Looks::default();
    loop {
        let open = session(&context, &settings, args, &mut looks, report)?;
        if open == 0 || !args.wait || global.dry_run {
            report.detail(json!({ "miners": looks.miners, "oddities": looks.oddities }));
            return Ok(());
        }
        ui.tell(report);
        // Not holding the lock while sleeping lets other commands run.
        let open = counted(open, "build", "builds");
        ui.status(&format!("{open} still open; checking again in {} s", settings.poll_seconds));
        context.stop.sleep(Duration::from_secs(settings.poll_seconds.max(1)));
        context.stop.check()?;
    }
}

/// The settings, overridden by the flags.
fn settings(config: &Config, args: &BuildsArgs) -> BuildSettings {
    let mut settings = config.builds.clone();
    if let Some(file) = &args.file {
        (settings.driver, settings.file) = (Some(BuildsDriver::File), Some(file.clone()));
    }
    settings
}

/// Looks once and records the result. Returns the number of builds still open.
fn session(
    context: &Context<'_>,
    settings: &BuildSettings,
    args: &BuildsArgs,
    looks: &mut Looks,
    report: &mut Report,
) -> Result<usize> {
    let _lock = context.lock("builds", report)?;
    let standing = context.stands()?;
    let round = standing.round();
    let Recorded { submissions, builds } = Recorded::of(&standing)?;
    let builds = builds.as_ref();
    if !is_for("builds", standing.stage()) {
        untimely(context, &*standing, builds)?;
        return Ok(looks.unchanged(round, builds, report));
    }
    let submissions = &submissions.ok_or_else(|| {
        let path = FileKind::Round(round, RoundFile::Submissions).path();
        Error::failed(format!("{path}: missing")).hint("`gen404 verify` lists everything that is missing")
    })?;
    if all_built(submissions, builds) {
        return Ok(looks.unchanged(round, builds, report));
    }
    let source = settings.open(env, &context.own_folder()?, args.run, &context.stop)?;
    let wanted = wanted(context, round, settings, submissions, builds)?;
    context.ui.detail(&format!("asking {}", source.name()));
    let observation = source.look(&wanted)?;
    let terms = BuildTerms {
        round,
        submissions,
        recorded: builds,
        image: &settings.image,
        limit_seconds: settings.timeout_seconds,
        pushed: wanted.pushed.as_ref().map(|pushed| pushed.at),
        now: Utc::now(),
    };
    let settled = settle(&terms, &observation).map_err(|why| Error::failed(format!("{}: {why}", source.name())))?;
    let outcome = match &standing {
        AnyStanding::Mesh(_) => settled,
        AnyStanding::Threejs(standing) => with_hardware(standing, settled),
    };
    looks.take(context, round, outcome, report)
}

/// `submissions.json` and `builds.json`, if they are there, as all formats share them.
struct Recorded {
    submissions: Option<Submissions>,
    builds: Option<Builds>,
}

impl Recorded {
    fn of(standing: &AnyStanding) -> Result<Recorded> {
        let path = |file| FileKind::Round(standing.round(), file).path();
        let (builds, submissions) = (path(RoundFile::Builds), path(RoundFile::Submissions));
        Ok(match standing {
            AnyStanding::Mesh(Standing { files, .. }) => Recorded {
                builds: intact(&files.builds, &builds)?.cloned(),
                submissions: intact(&files.submissions, &submissions)?.cloned(),
            },
            AnyStanding::Threejs(ThreejsStanding { files, .. }) => Recorded {
                builds: intact(&files.builds, &builds)?.map(threejs::builds::shared_builds),
                submissions: intact(&files.submissions, &submissions)?.map(threejs::builds::shared_submissions),
            },
        })
    }
}

fn intact<'s, T>(slot: &'s Slot<T>, path: &str) -> Result<Option<&'s T>> {
    match slot {
        Slot::Broken => {
            Err(Error::failed(format!("{path}: does not parse")).hint("`gen404 verify` shows where; fix or remove it"))
        }
        slot => Ok(slot.get()),
    }
}

/// The outcome, with each program's hardware in the file.
fn with_hardware(standing: &ThreejsStanding, outcome: BuildsOutcome) -> BuildsOutcome {
    let (round, files) = (standing.state.current_round, &standing.files);
    let Some(submissions) = files.submissions.get() else { return outcome };
    let BuildsOutcome { builds, plan, reasons, oddities } = outcome;
    let recorded = files.builds.get();
    let plan = plan.map(|plan| threejs::builds::with_hardware(plan, round, &builds, submissions, recorded));
    BuildsOutcome { builds, plan, reasons, oddities }
}

/// Refuses a stage that is not for this command, unless it comes right after and all builds are settled.
fn untimely(context: &Context<'_>, standing: &dyn Stands, builds: Option<&Builds>) -> Result<()> {
    let settled = builds.is_some_and(|builds| builds.values().all(|build| is_final(build.status)));
    if settled && standing.stage() == Stage::Finalizing {
        return Ok(());
    }
    Err(not_due(context, standing, "builds", None))
}

/// The builds to ask about.
fn wanted(
    context: &Context<'_>,
    round: RoundNumber,
    settings: &BuildSettings,
    submissions: &Submissions,
    builds: Option<&Builds>,
) -> Result<WantedBuilds> {
    let built = |hotkey: &Hotkey| {
        builds.and_then(|builds| builds.get(hotkey)).is_some_and(|build| build.status == BuildStatus::Success)
    };
    let image =
        |(hotkey, submission): (&Hotkey, &Submission)| (hotkey.clone(), settings.image.of(hotkey, &tag(submission)));
    let file = FileKind::Round(round, RoundFile::Submissions);
    Ok(WantedBuilds {
        round,
        pushed: context.git.as_ref().map(|git| git.last_change(&file)).transpose()?.flatten(),
        unbuilt: submissions.iter().filter(|(hotkey, _)| !built(hotkey)).map(image).collect(),
    })
}

/// The result so far, over all looks of a run.
#[derive(Debug, Default)]
struct Looks {
    miners: Map<String, Value>,
    oddities: Vec<String>,
}

impl Looks {
    /// Reports the recorded builds when there is nothing left to ask.
    fn unchanged(&mut self, round: RoundNumber, builds: Option<&Builds>, report: &mut Report) -> usize {
        let builds = builds.cloned().unwrap_or_default();
        report.say(format!("round {round}: {}, as already recorded", tally(&builds)));
        self.miners = miners(&builds, &BTreeMap::new());
        0
    }

    /// Records and reports the outcome of a look. Returns the number of builds still open.
    fn take(
        &mut self,
        context: &Context<'_>,
        round: RoundNumber,
        outcome: BuildsOutcome,
        report: &mut Report,
    ) -> Result<usize> {
        for odd in outcome.oddities.iter().filter(|odd| !self.oddities.contains(odd)) {
            context.ui.warn(odd);
        }
        for (hotkey, reason) in &outcome.reasons {
            context.ui.detail(&format!("{hotkey}: {reason}"));
        }
        self.miners = miners(&outcome.builds, &outcome.reasons);
        self.oddities = outcome.oddities;
        if let Some(plan) = &outcome.plan {
            context.apply(plan, report)?;
        }
        report.say(format!("round {round}: {}", tally(&outcome.builds)));
        Ok(outcome.builds.values().filter(|build| !is_final(build.status)).count())
    }
}

/// Each miner's build, as JSON.
fn miners(builds: &Builds, reasons: &BTreeMap<Hotkey, String>) -> Map<String, Value> {
    let entry = |(hotkey, build): (&Hotkey, &Build)| {
        let known = json!({"status": word(build.status), "image": build.docker_image, "reason": reasons.get(hotkey)});
        (hotkey.to_string(), known)
    };
    builds.iter().map(entry).collect()
}
