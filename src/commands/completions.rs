//! `gen404 completions`: shell completions, made from the command tree.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::ui::Report;

pub(super) fn run(args: &CompletionsArgs, report: &mut Report) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gen404", &mut script);
    report.text = Some(String::from_utf8_lossy(&script).trim_end().to_owned());
}
