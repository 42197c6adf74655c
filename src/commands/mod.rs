//! Top floor: one file per subcommand. Each gathers facts, calls a rule or an engine, applies the plan, and adds what
//! it did to its one [`Report`], which [`Ui`] prints as text or JSON.

mod advance;
mod audit;
mod baseline;
mod builds;
mod check;
mod completions;
mod config;
mod distance;
mod doctor;
mod download;
mod duel;
mod finalize;
mod init;
mod judge;
mod leader;
mod lease;
mod log;
mod man;
mod metrics;
mod open;
mod pause;
mod render;
mod report;
mod reveal_seed;
mod sandbox;
mod status;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use serde_json::json;

use crate::base::error::{Error, Kind, Result};
use crate::cli::{self, Cli, Command, Global};
use crate::engine::context::Options;
use crate::engine::runs::recorder::Recorder;
use crate::ui::{Ended, Failed, Report, Ui, Verbosity};

impl From<&Global> for Options {
    fn from(global: &Global) -> Self {
        let Global { repo, config, dry_run, commit, push, wait_lock, meter, witness, metrics, .. } = global;
        let (repo, config, meter, metrics) = (repo.clone(), config.clone(), meter.clone(), metrics.clone());
        let (dry_run, commit, push, wait_lock, witness) = (*dry_run, *commit, *push, *wait_lock, witness.clone());
        Options { repo, config, dry_run, commit, push, wait_lock, meter, witness, metrics, no_metrics: false }
    }
}

/// Runs the program with these arguments (the program's name first).
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(code) = completed(&args) {
        return ExitCode::from(code);
    }
    crate::sandbox::child_guard::end_with_sandbox();
    let mut tree = cli::tree();
    let parsed = tree.try_get_matches_from_mut(&args).and_then(|matches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        Cli::from_arg_matches(&matches).map(|cli| (name, cli)).map_err(|error| error.format(&mut tree))
    });
    ExitCode::from(match parsed {
        Ok((name, Cli { global, command })) => {
            let ui = Ui::new(global.verbosity(), global.json, global.no_progress).of(&name).logging(global.log_format);
            ui.finish(recorded(&global, &ui, &name, &command))
        }
        Err(refused) => no_command(&args, &refused),
    })
}

/// Answers a shell that asks, by `COMPLETE`, how a line may go on. First of all: it changes the environment, which only a
/// process of one thread may do.
fn completed(args: &[OsString]) -> Option<u8> {
    if args.is_empty() {
        return None;
    }
    let here = std::env::current_dir().ok();
    match clap_complete::CompleteEnv::with_factory(cli::tree).try_complete(args, here.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(0),
        Err(error) => {
            let failed = Error::usage(format!("COMPLETE: {error}"));
            Ui::new(Verbosity::Normal, false, true).failure(None, &failed);
            Some(Kind::Usage.exit_code())
        }
    }
}

/// Handles help and version, which succeed, and command-line errors. With `--json`, help alone is printed as text.
fn no_command(args: &[OsString], refused: &clap::Error) -> u8 {
    let json = args.iter().any(|arg| arg == "--json");
    if json && refused.kind() == ErrorKind::DisplayVersion {
        return Ui::new(Verbosity::Normal, true, true).of("version").finish(Ok(version()));
    }
    let json = json && refused.use_stderr();
    let ui = Ui::new(Verbosity::Normal, json, true).of("error");
    let printed = refused.print().and_then(|()| std::io::stdout().flush());
    if !refused.use_stderr() {
        ui.printed(printed);
        return ui.finish(Ok(Report::default()));
    }
    if json {
        let text = refused.to_string();
        let what: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let error = Error::usage(what.join(" ").trim_start_matches("error: "));
        ui.answer(Report::default(), Some(&error));
    }
    Kind::Usage.exit_code()
}

/// What this program was built from.
fn version() -> Report {
    let commit = Some(env!("GEN404_COMMIT")).filter(|commit| !commit.is_empty());
    let features: &[&str] = if cfg!(feature = "dinov3") { &["dinov3"] } else { &[] };
    let mut report = Report::default();
    report.say(concat!("gen404 ", env!("CARGO_PKG_VERSION")));
    report.detail(json!({"built_from": commit, "features": features, "target": env!("GEN404_TARGET")}));
    report
}

/// Most retries after losing a push race.
const MOST_CONFLICTS: usize = 5;

/// Runs a command and, if it may change the competition, keeps a record of the run.
fn recorded(global: &Global, ui: &Ui, name: &str, command: &Command) -> Ended {
    let refused = |error| Box::new(Failed { error, report: Report::new(global.dry_run) });
    // clap's `requires` misses a global flag on the other side of the subcommand's name. A wrong line is no run.
    if global.push && !global.commit {
        return Err(refused(Error::usage("--push pushes what is committed: it needs --commit")));
    }
    if global.dry_run || !command.is_recorded() {
        return run(global, ui, command, None);
    }
    let options = metrics::settled(global.into(), ui).map_err(refused)?;
    let skipped = if let Command::Advance(args) = command { args.skip.as_slice() } else { &[] };
    let recorder = Recorder::new(&options, ui, name, skipped);
    recorder.begin();
    if command.is_partial() {
        recorder.partial();
    }
    let ended = run(global, ui, command, Some(&recorder));
    match &ended {
        Ok(report) => recorder.conclude(report, None),
        Err(failed) => recorder.conclude(&failed.report, Some(&failed.error)),
    };
    ended
}

/// Runs a command, and runs it again from the new state if another writer's commit came first.
fn run(global: &Global, ui: &Ui, command: &Command, recorder: Option<&Recorder>) -> Ended {
    let mut report = Report::new(global.dry_run);
    let mut conflicts = 0;
    let ended = loop {
        match once(global, ui, command, recorder, &mut report) {
            Err(error) if error.kind() == Kind::Conflict && conflicts < MOST_CONFLICTS => {
                conflicts += 1;
                ui.status(&format!("{error}; trying again"));
            }
            ended => break ended,
        }
    };
    report.warnings.extend(ui.warnings());
    match ended {
        Ok(()) => Ok(report),
        // A command that is not due has not failed: its result is what is due instead.
        Err(error) if error.kind() == Kind::NotDue => {
            report.waits.push(error.to_string());
            report.hints.extend_from_slice(error.hints());
            Ok(report)
        }
        Err(error) => Err(Box::new(Failed { error, report })),
    }
}

/// Runs a command once. The report holds what it did, even if it fails.
fn once(global: &Global, ui: &Ui, command: &Command, recorder: Option<&Recorder>, report: &mut Report) -> Result<()> {
    match command {
        Command::Init(args) => init::run(global, ui, args, report),
        Command::Status(args) => status::run(global, ui, args, report),
        Command::Doctor(args) => doctor::run(global, ui, args, report),
        Command::Config(args) => config::run(global, ui, args, report),
        Command::Log(args) => log::run(global, ui, args, report),
        Command::Open(args) => open::run(global, ui, args, report),
        Command::RevealSeed(args) => reveal_seed::run(global, ui, args, report),
        Command::Builds(args) => builds::run(global, ui, args, report),
        Command::Duel(args) => duel::run(global, ui, args, report),
        Command::Judge(args) => judge::run(global, ui, args, report),
        Command::Download(args) => download::run(global, ui, args, report),
        Command::Baseline(args) => baseline::run(global, ui, args, report),
        Command::Audit(args) => audit::run(global, ui, args, report),
        Command::Finalize(args) => finalize::run(global, ui, args, report),
        Command::Advance(args) => advance::run(global, ui, args, recorder, report),
        Command::Pause(args) => pause::pause(global, ui, args, report),
        Command::Resume(args) => pause::resume(global, ui, args, report),
        Command::Leader(args) => leader::run(global, ui, args, report),
        Command::Lease(args) => lease::run(global, ui, args, report),
        Command::Report(args) => report::run(global, ui, args, report),
        Command::Verify(args) => verify::run(global, ui, args, report),
        Command::Check(args) => check::run(global, ui, args, report),
        Command::Distance(args) => distance::run(global, ui, args, report),
        Command::Render(args) => render::run(global, ui, args, report),
        Command::Sandbox(args) => sandbox::run(global, ui, args, report),
        Command::Completions(args) => {
            completions::run(args, report);
            Ok(())
        }
        Command::Man(args) => man::run(global, args, report),
    }
}
