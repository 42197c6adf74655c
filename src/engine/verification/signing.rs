//! The list of signers that the reader named, and what git says of the commits by it.

use std::path::Path;

use crate::base::error::{Error, Result};
use crate::base::files;
use crate::engine::context::Context;
use crate::model::history::shallow_clone;
use crate::model::signing::Signers;
use crate::rules::checks::signed::Signing;
use crate::world::git::Git;

/// Reads a list of signers, and one of revoked keys.
///
/// # Errors
/// A file cannot be read, or the list makes no sense.
pub(crate) fn signers(list: &Path, revoked: Option<&Path>) -> Result<Signers> {
    let revoked = revoked.map(|path| files::named(path, files::SMALL)).transpose()?;
    let bytes = files::named(list, files::SMALL)?;
    Signers::parse(bytes, revoked).map_err(|why| {
        let refused = Error::usage(format!("--signers {}: {why}", list.display()));
        refused.hint("git's form, one signer a line: NAME ssh-ed25519 AAAA... (man ssh-keygen, ALLOWED SIGNERS)")
    })
}

/// Has git check the commits. `from` is the first one that has to be signed, if the reader named it.
///
/// # Errors
/// The history cannot be read, or git cannot be run.
pub(crate) fn gather(
    context: &Context<'_>,
    git: &Git,
    (list, signers): (&Path, &Signers),
    from: Option<&str>,
) -> Result<Signing> {
    context.ui.status("git checks the commits' signatures");
    let (commits, shallow) = git.signed_commits(signers, &context.stop)?;
    let shallow = shallow.then(|| shallow_clone(commits.len()));
    let from = from.and_then(|from| commits.iter().position(|commit| commit.id == from));
    let theirs = is_theirs(list, context.store.root(), git)?;
    Ok(Signing { commits, from, start: signers.start, shallow, theirs })
}

/// Is this file, or the folder that it is in, one that git tracks?
fn is_theirs(list: &Path, root: &Path, git: &Git) -> Result<bool> {
    let Ok(real) = list.canonicalize() else { return Ok(false) };
    let top = real.strip_prefix(root).ok().and_then(|below| below.components().next());
    top.map_or(Ok(false), |top| git.tracks(&top.as_os_str().to_string_lossy()))
}
