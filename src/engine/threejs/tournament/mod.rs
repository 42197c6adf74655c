//! `duel` of three.js modules: qualification, the chain, and the audit duels.

use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::engine::judging::session::Calls;
use crate::engine::threejs::standing::ThreejsStanding;
use crate::ui::Report;

/// Plays what is needed next; `report.waits` says what the rest waits for. The lock is held.
///
/// # Errors
/// The judge or the files fail.
pub(crate) fn duel(
    _context: &Context<'_>,
    _standing: ThreejsStanding,
    _calls: &Calls<'_>,
    _report: &mut Report,
) -> Result<()> {
    Err(Error::failed("matches of three.js modules are not played yet"))
}
