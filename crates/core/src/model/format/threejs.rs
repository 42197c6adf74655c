//! three.js: models are modules of JavaScript. what they show is drawn elsewhere (`world::views`).

use super::model_format::Facts;
use super::{DuelKeys, ModelFileError, Previewed};
use crate::base::files;

pub(super) const FACTS: Facts = Facts {
    name: "JavaScript",
    extension: "js",
    media_type: "text/javascript",
    key: "js",
    duel_keys: DuelKeys { left: "left_js", right: "right_js" },
    largest: files::MODEL,
    check,
    previewed: Previewed::Elsewhere,
};

/// Any text may be a module.
fn check(head: &[u8], _size: u64) -> Result<(), ModelFileError> {
    if head.contains(&0) { Err(ModelFileError::other(FACTS.name, head)) } else { Ok(()) }
}
