//! Splat: models are PLY files. gen404 reads these competitions and does not run them.

use super::model_format::Facts;
use super::{DuelKeys, ModelFileError, Previewed};
use crate::base::files;

pub(super) const FACTS: Facts = Facts {
    name: "PLY",
    extension: "ply",
    media_type: "application/octet-stream",
    key: "ply",
    duel_keys: DuelKeys { left: "leader_ply", right: "miner_ply" },
    largest: files::MODEL,
    check,
    previewed: Previewed::Elsewhere,
};

fn check(head: &[u8], _size: u64) -> Result<(), ModelFileError> {
    if head.starts_with(b"ply\n") { Ok(()) } else { Err(ModelFileError::other(FACTS.name, head)) }
}
