//! `audit` and `baseline` of three.js modules: programs run again on batch pods.

use crate::base::error::{Error, Result};
use crate::engine::context::Context;
use crate::engine::regenerating::audits::Requested;
use crate::engine::threejs::standing::ThreejsStanding;
use crate::settings::flags::StoreArgs;
use crate::ui::Report;

/// Runs the programs of the miners on `require_audit.json` again. The lock is held; the stage is not checked yet.
///
/// # Errors
/// The pods or the files fail.
pub(crate) fn audit(
    _context: &Context<'_>,
    _standing: &ThreejsStanding,
    _wanted: &Requested<'_>,
    _store: &StoreArgs,
    _report: &mut Report,
) -> Result<()> {
    Err(Error::failed("programs that make three.js modules are not run yet"))
}

/// Makes the leader's modules for the round's prompts. The lock is held, and the stage is the right one.
///
/// # Errors
/// The pods or the files fail.
pub(crate) fn baseline(
    _context: &Context<'_>,
    _standing: &ThreejsStanding,
    _retry: bool,
    _store: &StoreArgs,
    _report: &mut Report,
) -> Result<()> {
    Err(Error::failed("programs that make three.js modules are not run yet"))
}
