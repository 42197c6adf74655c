//! What is known of a history from outside of it: the head that this reader verified last, and the commit that it expects.

use std::collections::BTreeMap;
use std::path::Path;

use super::heads::{Branch, Heads};
use crate::base::error::{Error, Result};
use crate::model::history::{WORKING_TREE, shallow_clone};
use crate::rules::checks::continues::{Continuity, Since};
use crate::world::git::Git;
use crate::world::git::upstream::{Followed, Origin, Upstream};

/// The commits of a history that was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lineage {
    /// Their ids, parents first.
    pub(crate) ids: Vec<String>,
    /// Why the first ones are missing, if they are.
    pub(crate) shallow: Option<String>,
    /// How many of the competition's files differ from the last commit.
    pub(crate) uncommitted: usize,
}

/// What the reader asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Where heads are remembered, if named.
    pub(crate) heads: Option<&'a Path>,
    /// A commit, or its first digits, that has to be there.
    pub(crate) expect: Option<&'a str>,
    /// Accept a history that does not contain the head that was verified last.
    pub(crate) accept: bool,
    /// Are the commits checked too?
    pub(crate) history: bool,
}

/// A head that is to be remembered, now that it was verified.
#[derive(Debug)]
pub(crate) struct Verified<'a> {
    git: &'a Git,
    heads: Heads,
    of: Branch,
    /// The newest commit that is checked out and that the remote has.
    head: String,
    /// The head that this one may take the place of although it does not contain it.
    instead_of: Option<String>,
}

impl Lineage {
    /// The commits of this history; `shallow` tells that the first ones are missing.
    pub(crate) fn new<'a>(ids: impl Iterator<Item = &'a str>, shallow: bool, uncommitted: usize) -> Lineage {
        let ids: Vec<String> = ids.filter(|id| *id != WORKING_TREE).map(str::to_owned).collect();
        let shallow = shallow.then(|| shallow_clone(ids.len()));
        Lineage { ids, shallow, uncommitted }
    }

    /// The commit that is checked out.
    pub(crate) fn head(&self) -> Option<&str> {
        self.ids.last().map(String::as_str)
    }

    fn has(&self, commit: &str) -> bool {
        self.ids.iter().any(|id| id == commit)
    }

    /// Is a commit that begins like this here?
    fn has_like(&self, wanted: &str) -> Result<bool> {
        let lower = wanted.to_ascii_lowercase();
        match self.ids.iter().filter(|id| id.starts_with(&lower)).count() {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::usage(format!("--expect {wanted}: several commits begin like this"))),
        }
    }
}

/// Compares a history with what is remembered and expected; and the head that may be remembered afterwards.
///
/// # Errors
/// A ref or a commit cannot be read, or what is expected names several commits.
pub(crate) fn gather<'a>(
    git: &'a Git,
    lineage: &Lineage,
    asked: Asked<'_>,
) -> Result<Option<(Continuity, Option<Verified<'a>>)>> {
    let Some(head) = lineage.head() else { return Ok(None) };
    let expected = asked.expect.map(|wanted| Ok((wanted.to_owned(), lineage.has_like(wanted)?))).transpose()?;
    let (of, written, since, verified) = match followed(git, asked.heads)? {
        // Without a remote there is nothing to go by; it is said where the history is asked for.
        Err(why) => (None, None, asked.history.then_some(Since::Unknown(why)), None),
        Ok((Followed::Branch(upstream), heads)) => {
            let Origin { address, written, .. } = upstream.origin.clone();
            let shown = format!("{address} {}", upstream.branch);
            let (since, verified) = compared(git, lineage, upstream, heads, asked.accept)?;
            (Some(shown), written, Some(since), verified)
        }
        Ok((Followed::Commit(origin, tips), heads)) => {
            let Origin { address, written, .. } = origin.clone();
            let (branch, since, verified) = without_a_branch(git, lineage, (origin, tips), heads, asked.accept)?;
            let shown = branch.map_or_else(|| address.clone(), |branch| format!("{address} {branch}"));
            (Some(shown), written, Some(since), verified)
        }
    };
    let known = Continuity {
        head: head.to_owned(),
        of,
        written,
        since,
        shallow: lineage.shallow.clone(),
        accept: asked.accept,
        expected,
        stood_in_for: git.stood_in_for()?,
    };
    Ok(Some((known, verified)))
}

/// What is followed and the file of heads, or why there is none.
fn followed(git: &Git, heads: Option<&Path>) -> Result<std::result::Result<(Followed, Heads), String>> {
    if heads.is_some_and(|named| named.as_os_str().is_empty()) {
        return Ok(Err("--heads names no file".to_owned()));
    }
    let upstream = match git.upstream()? {
        Ok(upstream) => upstream,
        Err(why) => return Ok(Err(why)),
    };
    Ok(Heads::at(heads).map(|heads| (upstream, heads)).map_err(|error| error.to_string()))
}

/// Compares with the head that is remembered.
fn compared<'a>(
    git: &'a Git,
    lineage: &Lineage,
    upstream: Upstream,
    heads: Heads,
    accept: bool,
) -> Result<(Since, Option<Verified<'a>>)> {
    let known = match remembered(&heads, &upstream.origin) {
        Ok(known) => known,
        Err(error) => return Ok((Since::Unreadable(error.to_string()), None)),
    };
    let last = known.get(&upstream.branch).cloned();
    let since = match &last {
        Some(last) => since(git, lineage, &upstream, last)?,
        None if lineage.shallow.is_some() || known.values().any(|head| lineage.has(head)) => Since::First(Vec::new()),
        None => Since::First(known.into_iter().collect()),
    };
    let instead_of = last.filter(|_| accept && matches!(since, Since::Lacks { .. }));
    // The default branch may have been renamed, to begin anew: that stays a warning until the reader says otherwise.
    let apart = matches!(&since, Since::First(others) if !others.is_empty());
    let head = if apart && !accept { None } else { newest_of_the_remote(git, lineage, &upstream.tip)? };
    let of = Branch { address: upstream.origin.address, name: upstream.branch };
    Ok((since, head.map(|head| Verified { git, heads, of, head, instead_of })))
}

/// The heads that are remembered of a remote: by its address as git resolves it, or else, as of older versions, by the
/// one that is written down.
fn remembered(heads: &Heads, origin: &Origin) -> Result<BTreeMap<String, String>> {
    let known = heads.of(&origin.address)?;
    match &origin.written {
        Some(written) if known.is_empty() => heads.of(written),
        _ => Ok(known),
    }
}

/// How many branches of the remote are searched for a commit that is checked out by itself.
const MOST_SEARCHED: usize = 16;

/// Compares a commit that is checked out by itself: with the branch of the remote that it is in, rather one of which a
/// head is remembered; otherwise with all heads that are remembered of the remote.
fn without_a_branch<'a>(
    git: &'a Git,
    lineage: &Lineage,
    (origin, tips): (Origin, Vec<(String, String)>),
    heads: Heads,
    accept: bool,
) -> Result<(Option<String>, Since, Option<Verified<'a>>)> {
    let known = match remembered(&heads, &origin) {
        Ok(known) => known,
        Err(error) => return Ok((None, Since::Unreadable(error.to_string()), None)),
    };
    let Some(head) = lineage.head().map(str::to_owned) else { return Ok((None, Since::First(Vec::new()), None)) };
    let mut tips = tips;
    tips.sort_by_key(|(branch, _)| !known.contains_key(branch));
    for (branch, tip) in tips.iter().take(MOST_SEARCHED) {
        if git.reached(tip, &head)? {
            let upstream = Upstream { origin, branch: branch.clone(), tip: tip.clone() };
            let (since, verified) = compared(git, lineage, upstream, heads, accept)?;
            return Ok((Some(branch.clone()), since, verified));
        }
    }
    Ok((None, by_itself(git, lineage, (&origin.remote, &head), &tips, &known)?, None))
}

/// How a commit that no branch of the remote has stands to the heads that are remembered of it.
fn by_itself(
    git: &Git,
    lineage: &Lineage,
    (remote, head): (&str, &str),
    tips: &[(String, String)],
    known: &BTreeMap<String, String>,
) -> Result<Since> {
    let Some(last) = known.values().find(|last| lineage.has(last)).or(known.values().next()).cloned() else {
        return Ok(Since::First(Vec::new()));
    };
    if lineage.has(&last) {
        return Ok(Since::Contains(last));
    }
    // A head that is not here cannot be asked.
    if let Some(newer) = known.values().find(|last| git.reached(last, head).unwrap_or(false)) {
        return Ok(Since::Older(newer.clone()));
    }
    for (branch, tip) in tips.iter().take(MOST_SEARCHED) {
        if let Some(last) = known.get(branch)
            && git.reached(tip, last)?
        {
            return Ok(Since::Beside(last.clone()));
        }
    }
    Ok(Since::Lacks { last, tip: head.to_owned(), remote: remote.to_owned() })
}

fn since(git: &Git, lineage: &Lineage, upstream: &Upstream, last: &str) -> Result<Since> {
    let (tip, here) = (upstream.tip.as_str(), lineage.has(last));
    let there = if lineage.head() == Some(tip) { here } else { git.reached(tip, last)? };
    let last = last.to_owned();
    if !there {
        return Ok(Since::Lacks { last, tip: tip.to_owned(), remote: upstream.origin.remote.clone() });
    }
    Ok(match lineage.head() {
        Some(head) if !here && git.reached(tip, head)? => Since::Older(last),
        _ if !here => Since::Beside(last),
        _ => Since::Contains(last),
    })
}

/// The newest commit that is both checked out and the remote's: commits that were not pushed may still change. `None`
/// if the two have gone apart.
fn newest_of_the_remote(git: &Git, lineage: &Lineage, tip: &str) -> Result<Option<String>> {
    let Some(head) = lineage.head() else { return Ok(None) };
    if lineage.has(tip) {
        return Ok(Some(tip.to_owned()));
    }
    Ok(git.reached(tip, head)?.then(|| head.to_owned()))
}

impl Verified<'_> {
    /// Remembers the head, unless a newer one is remembered by now, or one that it does not contain.
    ///
    /// # Errors
    /// The file of heads cannot be read or written.
    pub(crate) fn remember(&self) -> Result<()> {
        // Where it cannot be told, nothing is replaced.
        let contains = |known: &str| self.git.reached(&self.head, known).unwrap_or(false);
        let may_replace = |known: &str| self.instead_of.as_deref() == Some(known) || contains(known);
        self.heads.remember(&self.of, &self.head, may_replace)
    }
}
