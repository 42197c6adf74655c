//! `gen404 completions`: shell completions, made from the command tree.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::ui::Ui;

pub(super) fn run(ui: &Ui, args: &CompletionsArgs) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gen404", &mut script);
    ui.text(String::from_utf8_lossy(&script).trim_end());
}
