//! `gen404 builds`: follow the miners' image builds.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use serde_json::{Map, Value, json};

use crate::base::error::{Error, Result};
use crate::cli::{BuildsArgs, Global};
use crate::engine::common::{not_due, recorded};
use crate::engine::context::{Context, Standing};
use crate::model::builds::{Build, BuildStatus, Builds};
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::snapshot::Slot;
use crate::model::stage::Stage;
use crate::model::submissions::{Submission, Submissions};
use crate::rules::builds::{BuildTerms, BuildsOutcome, all_built, is_final, settle, tag, tally, word};
use crate::settings::Config;
use crate::settings::flags::env;
use crate::ui::Ui;
use crate::world::builds::WantedBuilds;
use crate::world::builds::settings::{BuildSettings, BuildsDriver};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &BuildsArgs) -> Result<()> {
    let context = Context { stop: Stop::on_signals()?, ..Context::open(global, ui)? };
    let settings = settings(&context.config, args);
    let mut report = Report::default();
    loop {
        let open = session(&context, &settings, args, &mut report)?;
        if open == 0 || !args.wait || global.dry_run {
            ui.own(json!({ "miners": report.miners, "oddities": report.oddities }));
            return Ok(());
        }
        ui.tell();
        // The lock is free meanwhile: other commands run beside this one.
        ui.status(&format!("{open} build(s) still open; looking again in {} s", settings.poll_seconds));
        context.stop.sleep(Duration::from_secs(settings.poll_seconds.max(1)));
        context.stop.check()?;
    }
}

/// The settings with what the flags say over them.
fn settings(config: &Config, args: &BuildsArgs) -> BuildSettings {
    let mut settings = config.builds.clone();
    if let Some(file) = &args.file {
        (settings.driver, settings.file) = (Some(BuildsDriver::File), Some(file.clone()));
    }
    settings
}

/// Looks once, and records what there is to: how many builds are open still.
fn session(context: &Context<'_>, settings: &BuildSettings, args: &BuildsArgs, report: &mut Report) -> Result<usize> {
    let _lock = context.lock("builds")?;
    let standing = context.standing()?;
    let round = standing.state.current_round;
    let builds = on_record(&standing)?;
    if !matches!(standing.state.stage, Stage::MinerGeneration | Stage::Downloading | Stage::Duels) {
        untimely(context, &standing, builds)?;
        return Ok(report.unchanged(context.ui, round, builds));
    }
    let submissions = recorded(&standing)?.ok_or_else(|| {
        let path = FileKind::Round(round, RoundFile::Submissions).path();
        Error::failed(format!("{path}: missing")).hint("`gen404 verify` says what else is")
    })?;
    if all_built(submissions, builds) {
        return Ok(report.unchanged(context.ui, round, builds));
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
    let outcome = settle(&terms, &observation).map_err(|why| Error::failed(format!("{}: {why}", source.name())))?;
    report.take(context, round, outcome)
}

/// `builds.json` as it stands.
fn on_record(standing: &Standing) -> Result<Option<&Builds>> {
    match &standing.files.builds {
        Slot::Broken => {
            let path = FileKind::Round(standing.state.current_round, RoundFile::Builds).path();
            Err(Error::failed(format!("{path}: does not parse")).hint("`gen404 verify` says where; mend or remove it"))
        }
        slot => Ok(slot.get()),
    }
}

/// A stage that is not for this: no matter right behind it, with all builds settled.
fn untimely(context: &Context<'_>, standing: &Standing, builds: Option<&Builds>) -> Result<()> {
    let settled = builds.is_some_and(|builds| builds.values().all(|build| is_final(build.status)));
    if settled && standing.state.stage == Stage::Finalizing {
        return Ok(());
    }
    Err(not_due(context, standing, "builds", None))
}

/// What to ask about.
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

/// What a run did, over all of its looks.
#[derive(Debug, Default)]
struct Report {
    miners: Map<String, Value>,
    oddities: Vec<String>,
}

impl Report {
    /// There was nothing to ask.
    fn unchanged(&mut self, ui: &Ui, round: RoundNumber, builds: Option<&Builds>) -> usize {
        let builds = builds.cloned().unwrap_or_default();
        ui.result(&format!("round {round}: {}, as recorded already", tally(&builds)));
        self.miners = miners(&builds, &BTreeMap::new());
        0
    }

    /// Records what came out of a look, and says so: how many builds are open still.
    fn take(&mut self, context: &Context<'_>, round: RoundNumber, outcome: BuildsOutcome) -> Result<usize> {
        for odd in outcome.oddities.iter().filter(|odd| !self.oddities.contains(odd)) {
            context.ui.warn(odd);
        }
        for (hotkey, reason) in &outcome.reasons {
            context.ui.detail(&format!("{hotkey}: {reason}"));
        }
        self.miners = miners(&outcome.builds, &outcome.reasons);
        self.oddities = outcome.oddities;
        if let Some(plan) = &outcome.plan {
            context.apply(plan)?;
        }
        context.ui.result(&format!("round {round}: {}", tally(&outcome.builds)));
        Ok(outcome.builds.values().filter(|build| !is_final(build.status)).count())
    }
}

/// What is known of each miner's build.
fn miners(builds: &Builds, reasons: &BTreeMap<Hotkey, String>) -> Map<String, Value> {
    let entry = |(hotkey, build): (&Hotkey, &Build)| {
        let known = json!({"status": word(build.status), "image": build.docker_image, "reason": reasons.get(hotkey)});
        (hotkey.to_string(), known)
    };
    builds.iter().map(entry).collect()
}
