//! `gen404 leader`: who leads at a block, and the weights that validators set.

use serde_json::json;

use super::context::Context;
use crate::cli::{Global, LeaderArgs};
use crate::error::{Error, Result};
use crate::state::file::FileKind;
use crate::state::ids::Block;
use crate::state::leader::{Leaders, leader_at};
use crate::ui::Ui;

pub(super) fn run(global: &Global, ui: &Ui, args: &LeaderArgs) -> Result<()> {
    let context = Context::open(global, ui)?;
    let leaders = context.store.need::<Leaders>(&FileKind::Leader)?;
    let entry = match args.block {
        Some(block) => leader_at(&leaders, Block(block)),
        None => leaders.last(),
    };
    let entry = entry.ok_or_else(|| match args.block {
        Some(block) => Error::failed(format!("leader.json: nobody leads at block {block}")),
        None => Error::failed("leader.json: nobody leads: the list is empty"),
    })?;
    let rest = 1.0 - entry.weight;
    if ui.json() {
        ui.result_json(&json!({ "leader": entry, "weights": { entry.hotkey.as_str(): entry.weight, "burn": rest } }));
        return Ok(());
    }
    ui.result(&format!("{} leads from block {}", entry.hotkey, entry.effective_block));
    ui.result(&format!("  program  {} at {}", entry.repo, entry.commit));
    ui.result(&format!("  image    {}", entry.docker));
    ui.result(&format!("  weight   {} (the other {} is burnt)", rounded(entry.weight), rounded(rest)));
    Ok(())
}

/// A weight for people: without the dust of binary fractions.
fn rounded(weight: f64) -> f64 {
    (weight * 1e9).round() / 1e9
}
