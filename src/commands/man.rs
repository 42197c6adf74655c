//! `gen404 man`: man pages, made from the command tree.

use clap::CommandFactory;

use crate::cli::{Cli, ManArgs};
use crate::error::{Context as _, Result};
use crate::ui::Ui;

pub(super) fn run(ui: &Ui, args: &ManArgs) -> Result<()> {
    let command = Cli::command();
    match &args.out {
        Some(folder) => {
            let cannot = || format!("{}: cannot write man pages", folder.display());
            std::fs::create_dir_all(folder).failed(cannot)?;
            clap_mangen::generate_to(command, folder).failed(cannot)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).failed(|| "the man page cannot be made".to_owned())?;
            ui.result(String::from_utf8_lossy(&page).trim_end());
        }
    }
    Ok(())
}
