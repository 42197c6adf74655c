//! What `gen404.toml` of a sandbox of three.js modules has besides.

use std::path::Path;

use serde::Deserialize;

use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::sandbox::participants::Participants;
use crate::world::views::settings::ViewSettings;

/// The settings of every sandbox, with those of modules.
pub(crate) fn of_modules(shared: &str, participants: &Participants) -> String {
    let base = participants.base();
    let miners = "[miners]\n";
    let open = "[miners]\n# Nobody has locked anything here.\nrequired_lock_alpha = 0\n";
    let stand_in = || {
        format!(
            "[views]\nurl = \"{base}/renderer\"\n# It knows the shapes of these modules and no others.\nattempts = 2\n\
             workers = 2\n"
        )
    };
    let views = participants.params.views.clone().unwrap_or_else(stand_in);
    shared.replace(miners, open)
        + &format!(
            r#"
[audit.batch]
# A batch is done here as soon as a pod has it.
warm_up_seconds = 60.0
seconds = 60.0
poll_seconds = 0.05
pause_seconds = 0.2

{views}
[embeddings]
# No model looks at the pictures here: they are embedded by their colours.
driver = "pixels"
"#
        )
}

/// A settings file, of which only what draws modules counts here.
#[derive(Deserialize)]
struct Chosen {
    views: Option<toml::Table>,
}

/// The `[views]` of this settings file, as TOML.
///
/// # Errors
/// It cannot be read, or names nothing that draws.
pub(crate) fn views_of(path: &Path) -> Result<String> {
    let shown = path.display();
    let bytes = files::read_own(path, files::SMALL)?.ok_or_else(|| Error::usage(format!("{shown}: no such file")))?;
    let text = String::from_utf8(bytes).failed(|| format!("{shown}: not UTF-8"))?;
    let chosen: Chosen = toml::from_str(&text).failed(|| format!("{shown}: not a gen404.toml"))?;
    let table = chosen.views.ok_or_else(|| Error::usage(format!("{shown}: there is no [views] in it")))?;
    let settings: ViewSettings = table.clone().try_into().failed(|| format!("{shown}: [views]"))?;
    settings.check().map_err(Error::usage)?;
    if settings.chosen().is_none() {
        return Err(Error::usage(format!("{shown}: [views] names nothing that draws")));
    }
    let whole = toml::Table::from_iter([("views".to_owned(), toml::Value::Table(table))]);
    toml::to_string(&whole).failed(|| format!("{shown}: [views]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_draws_is_taken_from_a_settings_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gen404.toml");
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            views_of(&path).map_err(|error| error.to_string())
        };
        let text = "[judge]\nmodel = 'x'\n[views]\ndriver = 'chromium'\n[views.chromium]\nthree = '/three.cjs'\n";
        let views = "[views]\ndriver = \"chromium\"\n\n[views.chromium]\nthree = \"/three.cjs\"\n";
        assert_eq!(of(text).unwrap(), views);
        assert!(of("[judge]").unwrap_err().contains("no [views]"));
        assert!(of("[views]\nworkers = 2").unwrap_err().contains("nothing that draws"));
        assert!(of("[views]\ncolour = 2").is_err());
    }
}
