//! Top floor: one file a subcommand. Each gathers facts, calls a rule, applies its plan, and says
//! what happened.

mod advance;
mod audit;
mod baseline;
mod builds;
mod commits;
mod common;
mod completions;
mod context;
mod distance;
mod download;
mod duel;
mod facts;
mod finalize;
mod in_force;
mod init;
mod judge;
mod leader;
mod man;
mod objects;
mod open;
mod pause;
mod played;
mod regenerate;
mod render;
mod report;
mod reveal_seed;
mod sandbox;
mod status;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, Global};
use crate::error::{Kind, Result};
use crate::ui::Ui;

/// Runs the program with these arguments (the program's name first).
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    sandbox::end_with_sandbox();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(refused) => {
            // Help and version are no errors; a closed pipe is none either.
            let _ = refused.print();
            return if refused.use_stderr() { ExitCode::from(Kind::Usage.exit_code()) } else { ExitCode::SUCCESS };
        }
    };
    let ui = Ui::new(cli.global.verbosity(), cli.global.json, cli.global.no_progress);
    match run(&cli.global, &ui, &cli.command) {
        Ok(code) => code,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Others may come before us so often.
const MOST_OVERTAKEN: usize = 5;

/// Runs a command; again, from what is there now, where another writer's commit came before its own.
fn run(global: &Global, ui: &Ui, command: &Command) -> Result<ExitCode> {
    for _ in 0..MOST_OVERTAKEN {
        match once(global, ui, command) {
            Err(error) if error.kind() == Kind::Overtaken => ui.status(&format!("{error}; looking again")),
            ended => return ended,
        }
    }
    once(global, ui, command)
}

fn once(global: &Global, ui: &Ui, command: &Command) -> Result<ExitCode> {
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
        Command::Man(args) => man::run(ui, args)?,
    }
    Ok(ExitCode::SUCCESS)
}
