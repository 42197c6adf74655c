//! `gen404 man`: man pages, made from the command tree.

use std::path::Path;

use clap::{Command, CommandFactory};

use crate::cli::{Cli, ManArgs};
use crate::error::{Context as _, Result};
use crate::files;
use crate::ui::Ui;

pub(super) fn run(ui: &Ui, args: &ManArgs) -> Result<()> {
    let command = Cli::command();
    match &args.out {
        Some(folder) => {
            let mut command = command.disable_help_subcommand(true);
            command.build();
            write(&command, folder)?;
        }
        None => ui.text(String::from_utf8_lossy(&page(&clap_mangen::Man::new(command))?).trim_end()),
    }
    Ok(())
}

/// Writes the pages of a command and of all below it.
fn write(command: &Command, folder: &Path) -> Result<()> {
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| write(below, folder))?;
    let man = clap_mangen::Man::new(command.clone());
    files::write(&folder.join(man.get_filename()), &page(&man)?, files::Readers::All)
}

fn page(man: &clap_mangen::Man) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render(&mut page).failed(|| "the man page cannot be made".to_owned())?;
    Ok(page)
}
