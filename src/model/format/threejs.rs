//! three.js: models are modules of JavaScript. gen404 reads these competitions and does not run them.

use super::model_format::Facts;
use super::{DuelKeys, Previewed};
use crate::base::files;

pub(super) const FACTS: Facts = Facts {
    name: "JavaScript",
    extension: "js",
    media_type: "text/javascript",
    key: "js",
    duel_keys: DuelKeys { left: "left_js", right: "right_js" },
    largest: files::MODEL,
    // Any text may be a module.
    check: |head, _| if head.contains(&0) { Err("not a JavaScript file".to_owned()) } else { Ok(()) },
    previewed: Previewed::Elsewhere,
};
