//! `gen404 man`: man pages, made from the command tree.

use std::path::Path;

use clap::{Command, CommandFactory};

use crate::base::error::{Context as _, Result};
use crate::base::files;
use crate::cli::{Cli, Global, ManArgs};
use crate::ui::Ui;

pub(super) fn run(global: &Global, ui: &Ui, args: &ManArgs) -> Result<()> {
    let command = Cli::command();
    match &args.out {
        Some(folder) => {
            let mut command = command.disable_help_subcommand(true);
            command.build();
            write(global, ui, &command, folder)?;
        }
        None => ui.text(String::from_utf8_lossy(&page(&clap_mangen::Man::new(command))?).trim_end()),
    }
    Ok(())
}

/// Writes the pages of a command and of all below it.
fn write(global: &Global, ui: &Ui, command: &Command, folder: &Path) -> Result<()> {
    let mut below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below.try_for_each(|below| write(global, ui, below, folder))?;
    let man = clap_mangen::Man::new(command.clone());
    let path = folder.join(man.get_filename());
    if !global.dry_run {
        files::write(&path, &page(&man)?, files::Readers::All)?;
    }
    ui.note_files([path.display().to_string()]);
    Ok(())
}

fn page(man: &clap_mangen::Man) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render(&mut page).failed(|| "the man page cannot be made".to_owned())?;
    Ok(page)
}
