//! Top floor: one file a subcommand. Each gathers facts, calls a rule, applies its plan, and says
//! what happened.

mod advance;
mod audit;
mod baseline;
mod builds;
mod completions;
mod distance;
mod download;
mod duel;
mod finalize;
mod init;
mod judge;
mod leader;
mod man;
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

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::base::error::{Error, Kind, Result};
use crate::cli::{Cli, Command, Global};
use crate::engine::context::Options;
use crate::ui::{Ui, Verbosity};

impl From<&Global> for Options {
    fn from(global: &Global) -> Self {
        let Global { repo, config, dry_run, commit, push, wait_lock, .. } = global;
        let (repo, config) = (repo.clone(), config.clone());
        Options { repo, config, dry_run: *dry_run, commit: *commit, push: *push, wait_lock: *wait_lock }
    }
}

/// Runs the program with these arguments (the program's name first).
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    crate::sandbox::child_guard::end_with_sandbox();
    let args: Vec<OsString> = args.into_iter().collect();
    let mut tree = Cli::command();
    let parsed = tree.try_get_matches_from_mut(&args).and_then(|matches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        Cli::from_arg_matches(&matches).map(|cli| (name, cli)).map_err(|error| error.format(&mut tree))
    });
    ExitCode::from(match parsed {
        Ok((name, Cli { global, command })) => {
            let ui = Ui::new(global.verbosity(), global.json, global.no_progress).of(&name, global.dry_run);
            ui.finish(&run(&global, &ui, &command))
        }
        Err(refused) => no_command(&args, &refused),
    })
}

/// Help and version, which are no errors, and command lines that are: with `--json`, these as JSON, too.
fn no_command(args: &[OsString], refused: &clap::Error) -> u8 {
    let json = refused.use_stderr() && args.iter().any(|arg| arg == "--json");
    let ui = Ui::new(Verbosity::Normal, json, true).of("error", false);
    let printed = refused.print().and_then(|()| std::io::stdout().flush());
    if !refused.use_stderr() {
        ui.printed(printed);
        return ui.finish(&Ok(0));
    }
    let exit = Kind::Usage.exit_code();
    if json {
        let text = refused.to_string();
        let what: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        ui.answer(Some(&Error::usage(what.join(" ").trim_start_matches("error: "))), exit);
    }
    exit
}

/// Retries after a lost push race.
const MOST_CONFLICTS: usize = 5;

/// Runs a command; again, from what is there now, where another writer's commit came before its own.
fn run(global: &Global, ui: &Ui, command: &Command) -> Result<u8> {
    for _ in 0..MOST_CONFLICTS {
        match once(global, ui, command) {
            Err(error) if error.kind() == Kind::Conflict => ui.status(&format!("{error}; looking again")),
            ended => return ended,
        }
    }
    once(global, ui, command)
}

fn once(global: &Global, ui: &Ui, command: &Command) -> Result<u8> {
    // Not by clap: it misses a global flag on the other side of the command's name.
    if global.push && !global.commit {
        return Err(Error::usage("--push pushes what is committed: it needs --commit"));
    }
    match command {
        Command::Init(args) => init::run(global, ui, args)?,
        Command::Status(args) => status::run(global, ui, args)?,
        Command::Open(args) => open::run(global, ui, args)?,
        Command::RevealSeed(args) => reveal_seed::run(global, ui, args)?,
        Command::Builds(args) => builds::run(global, ui, args)?,
        Command::Duel(args) => return duel::run(global, ui, args),
        Command::Judge(args) => judge::run(global, ui, args)?,
        Command::Download(args) => download::run(global, ui, args)?,
        Command::Baseline(args) => baseline::run(global, ui, args)?,
        Command::Audit(args) => return audit::run(global, ui, args),
        Command::Finalize(args) => finalize::run(global, ui, args)?,
        Command::Advance(args) => return advance::run(global, ui, args),
        Command::Pause => pause::pause(global, ui)?,
        Command::Resume(args) => pause::resume(global, ui, args)?,
        Command::Leader(args) => leader::run(global, ui, args)?,
        Command::Report(args) => report::run(global, ui, args)?,
        Command::Verify(args) => return verify::run(global, ui, args),
        Command::Distance(args) => distance::run(global, ui, args)?,
        Command::Render(args) => return render::run(global, ui, args),
        Command::Sandbox(args) => sandbox::run(global, ui, args)?,
        Command::Completions(args) => completions::run(ui, args),
        Command::Man(args) => man::run(global, ui, args)?,
    }
    Ok(0)
}
