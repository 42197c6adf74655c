//! `gen404 man`: man pages, made from the command tree.

use std::path::Path;

use clap::{Command, CommandFactory};

use crate::base::error::{Context as _, Result};
use crate::base::files;
use crate::cli::{Cli, Global, ManArgs};
use crate::ui::Report;

pub(super) fn run(global: &Global, args: &ManArgs, report: &mut Report) -> Result<()> {
    let command = Cli::command();
    match &args.out {
        Some(folder) => {
            let mut command = command.disable_help_subcommand(true);
            command.build();
            write(global, &command, folder, report)?;
        }
        None => {
            let page = page(&clap_mangen::Man::new(command))?;
            report.text = Some(String::from_utf8_lossy(&page).trim_end().to_owned());
        }
    }
    Ok(())
}

/// Writes the pages of a command and of all its subcommands.
fn write(global: &Global, command: &Command, folder: &Path, report: &mut Report) -> Result<()> {
    let mut below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below.try_for_each(|below| write(global, below, folder, report))?;
    let man = clap_mangen::Man::new(command.clone());
    let path = folder.join(man.get_filename());
    if !global.dry_run {
        files::write(&path, &page(&man)?, files::Readers::All)?;
    }
    report.note_files([path.display().to_string()]);
    Ok(())
}

fn page(man: &clap_mangen::Man) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render(&mut page).failed(|| "cannot render the man page".to_owned())?;
    Ok(page)
}
