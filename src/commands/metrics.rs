//! The file of numbers for a monitor. Each run replaces it, so it has to stay apart from the competition's own files,
//! and from what is no file.

use std::path::Path;

use crate::base::error::{Error, Result};
use crate::engine::context::{Context, Options};
use crate::report::folder;
use crate::ui::Ui;

/// What names the file in the settings.
const KEY: &str = "[metrics] file";

/// The file that is asked for, and what asks for it: the flag beats the settings.
pub(super) fn asked<'c>(context: &'c Context<'_>) -> Option<(&'c Path, &'static str)> {
    let (flag, key) = (context.options.metrics.as_deref(), context.config.metrics.file.as_deref());
    flag.map(|file| (file, "--metrics")).or(key.map(|file| (file, KEY)))
}

/// The options of a run whose file can be replaced. A wrong flag stops the command; a wrong setting stops no run, which
/// then goes on without the file.
pub(super) fn settled(options: Options, ui: &Ui) -> Result<Options> {
    // Without a competition the command itself fails.
    let Ok(context) = Context::to_tell(options.clone(), ui) else { return Ok(options) };
    let Some((file, name)) = asked(&context) else { return Ok(options) };
    match stays_apart(&context, file, name) {
        Err(error) if name == KEY => {
            ui.warn(&format!("{error}; no numbers are written: {}", error.hints().join("; ")));
            Ok(Options { no_metrics: true, ..options })
        }
        looked => looked.map(|()| options),
    }
}

/// Refuses a file that no run may replace, or whose folder is missing.
pub(super) fn stays_apart(context: &Context<'_>, file: &Path, name: &str) -> Result<()> {
    let refused = |why: &str, hint: String| Err(Error::usage(format!("{name}: {}: {why}", file.display())).hint(hint));
    if file.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return refused("not a plain file", format!("give {name} a file, which is replaced after each run"));
    }
    let (root, own, real) = (context.store.root(), context.own_folder()?, folder::resolved(file)?);
    if [&root.join(".gen404"), &own].iter().any(|own| real.starts_with(own)) {
        return Ok(());
    }
    if folder::outside(file, root, name).is_err() {
        let elsewhere = format!("give {name} a file outside of it, or in {}", own.display());
        return refused("inside the competition's folder", elsewhere);
    }
    match real.parent().filter(|folder| !folder.is_dir()) {
        Some(folder) => refused("its folder does not exist", format!("mkdir -p {}, or name another", folder.display())),
        None => Ok(()),
    }
}
