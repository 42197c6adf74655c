//! The branch's remote: followed and pushed to by the git program, which knows every transport.
//!
//! Nothing is ever forced. If another writer pushed first, our commits are made again on top of theirs,
//! provided that the two do not conflict; otherwise ours are dropped, and the command that made them decides
//! again. Uncommitted files are never touched.

use std::collections::HashSet;
use std::process::Output;

use gix::ObjectId;
use gix::objs::tree::EntryKind;

use super::Git;
use super::walk::{Differing, Walker};
use crate::base::error::{Context as _, Error, Result};
use crate::child;
use crate::http::{Blanks, shown_text, shown_url};
use crate::stop::{STOPPED, Stop};

/// How often a lost push race is retried before it is left to the next run.
const MOST_TRIES: usize = 10;

/// What errors call the remote, whatever its name.
pub const GIT_REMOTE: &str = "git remote";

const ASK: &str = "`gen404 doctor` asks the remote";

/// How a service fails that answers and does not do it.
pub const REFUSES: &str = "refuses";

/// Gives up on a remote that sends nothing for this many seconds.
const SILENCE: &str = "http.lowSpeedTime=60";

/// The remote branch that the checked-out one tracks.
#[derive(Debug)]
pub struct Remote<'a> {
    pub(super) git: &'a Git,
    /// The remote's name; its URL may contain a secret and is never shown.
    pub(super) name: String,
    /// What is blanked in git's output.
    blanks: Blanks,
    /// The full name of the remote branch.
    pub(super) branch: String,
    /// Finds the path by which our files conflict with others' changes.
    collision: Collision,
}

/// Given the paths that we wrote and those that others changed: one that conflicts, if any.
pub type Collision = fn(written: &[String], changed: &[String]) -> Option<String>;

/// How the two branches were brought to the same commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The number of commits pushed.
    pub pushed: usize,
    /// Were others' commits taken over?
    pub moved: bool,
    /// Commits of ours were dropped, and why: what they decided has to be decided again.
    pub conflict: Option<String>,
}

impl<'a> Remote<'a> {
    /// The remote of the checked-out branch.
    ///
    /// # Errors
    /// git refuses to work here, no branch is checked out, or it tracks none.
    pub fn of(git: &'a Git, collision: Collision) -> Result<Remote<'a>> {
        let (name, branch, blanks) = (String::new(), String::new(), Blanks::default());
        let mut remote = Remote { git, name, branch, blanks, collision };
        let works = remote.run(&["rev-parse", "--git-dir"])?;
        if !works.status.success() {
            return Err(Error::failed(git.cannot(&format!("--push: {}", said(&works)))));
        }
        let here = remote.config(&["symbolic-ref", "--quiet", "--short", "HEAD"])?;
        let here = here
            .ok_or_else(|| Error::failed(git.cannot("--push: no branch is checked out")).hint("git switch BRANCH"))?;
        let name = remote.config(&["config", "--get", &format!("branch.{here}.remote")])?;
        let branch = remote.config(&["config", "--get", &format!("branch.{here}.merge")])?;
        let (Some(name), Some(branch)) = (name.filter(|name| name != "."), branch) else {
            let nowhere = Error::usage(git.cannot(&format!("--push: branch {here} does not track a remote branch")));
            let remotes = remote.config(&["remote"])?.unwrap_or_default();
            let add = if remotes.is_empty() { "git remote add origin URL && " } else { "" };
            let name = remotes.lines().next().unwrap_or("origin");
            return Err(nowhere.hint(format!("{add}git push -u {name} {here}")));
        };
        remote.blanks = remote.secrets(&name)?;
        (remote.name, remote.branch) = (name, branch);
        Ok(remote)
    }

    /// What to blank: the credentials in the remote's URLs and headers.
    fn secrets(&self, name: &str) -> Result<Blanks> {
        let mut blanks = Blanks::default();
        let urls = [
            Some(name.to_owned()),
            self.config(&["remote", "get-url", "--all", name])?,
            self.config(&["remote", "get-url", "--push", "--all", name])?,
        ];
        urls.iter().flatten().flat_map(|urls| urls.lines()).for_each(|url| blanks.add_url(url));
        let headers = self.config(&["config", "--get-regexp", r"^http\..*extraheader$"])?.unwrap_or_default();
        for value in headers.lines().filter_map(|line| line.split_once(": ")) {
            blanks.add_credential(value.1);
        }
        Ok(blanks)
    }

    /// The remote's name in messages.
    pub fn shown(&self) -> String {
        if self.name.contains("://") { shown_url(&self.name) } else { self.blanks.hide(&self.name).into_owned() }
    }

    /// git's output without secrets.
    pub(super) fn said(&self, run: &Output) -> String {
        said_without(run, &self.blanks)
    }

    /// Brings this branch and the remote one together, whichever is behind.
    ///
    /// # Errors
    /// The remote cannot be reached or refuses; there are local commits that are not ours while others pushed
    /// first; or uncommitted files are in the way. Nothing is lost.
    pub fn settle(&self) -> Result<Settled> {
        let mut settled = Settled::default();
        let mut refused: Option<(Option<ObjectId>, String)> = None;
        for _ in 0..MOST_TRIES {
            let (there, here) = (self.fetch()?, self.git.head()?);
            if there == here {
                self.git.keep_notes(&[])?;
                return Ok(settled);
            }
            let base = self.base(here, there)?;
            if base == there {
                // Ours continues theirs: push.
                // Refused although the remote has not moved: this is not a race, and a retry would not help.
                if let Some((_, why)) = refused.as_ref().filter(|(then, _)| *then == there) {
                    return Err(self.outside("push", why).hint(ASK).hint("the commit is kept: the next run pushes it"));
                }
                let ours = self.between(base, here)?;
                if let Some(foreign) = self.foreign(&ours)? {
                    return Err(foreign.hint("`git push` publishes it; `git log @{u}..` lists all that is only here"));
                }
                match self.push(here)? {
                    None => {
                        self.git.keep_notes(&[])?;
                        settled.pushed += ours.len();
                        return Ok(settled);
                    }
                    Some(why) => refused = Some((there, why)),
                }
                continue;
            }
            refused = None;
            settled.moved = true;
            if base == here {
                self.go_to(there)?;
            } else if let Some(why) = self.join(base, here, there)? {
                settled.conflict = Some(why);
                return Ok(settled);
            }
        }
        let busy = format!("{}: others push faster than we do", self.shown());
        Err(Error::outside(busy).hint("the commit is kept: the next run pushes it"))
    }

    /// Both sides have new commits: ours are made again on top of theirs, or are dropped.
    fn join(&self, base: Option<ObjectId>, here: Option<ObjectId>, there: Option<ObjectId>) -> Result<Option<String>> {
        let ours = self.between(base, here)?;
        if let Some(foreign) = self.foreign(&ours)? {
            return Err(foreign.hint("others have pushed meanwhile: `git pull --rebase && git push`, then again"));
        }
        let (written, changed) = (self.paths(base, here)?, self.paths(base, there)?);
        if let Some(path) = (self.collision)(&written, &changed) {
            self.go_to(there)?;
            let given: Vec<&str> = ours.iter().map(|commit| short(commit)).collect();
            let (given, theirs) = (given.join(", "), there.map(|id| id.to_string()).unwrap_or_default());
            let theirs = short(&theirs);
            return Ok(Some(format!("commit {given} gives way to {}'s {theirs}, which changed {path}", self.shown())));
        }
        let Some(mut top) = there else { return Ok(None) };
        let mut again = Vec::new();
        for commit in &ours {
            top = self.again(commit, top)?;
            again.push(top.to_string());
        }
        // The note comes first: a run that is killed in between finds both commits noted.
        self.git.keep_notes(&[ours, again].concat())?;
        self.go_to(Some(top))?;
        Ok(None)
    }

    /// Only commits that we made are pushed, moved or dropped: returns the error for the first one that is not
    /// ours.
    pub(super) fn foreign(&self, commits: &[String]) -> Result<Option<Error>> {
        let noted: HashSet<String> = self.git.noted()?.into_iter().collect();
        let mut unknown = commits.iter().filter(|commit| !noted.contains(*commit)).peekable();
        if unknown.peek().is_none() {
            return Ok(None);
        }
        // A commit of ours that a person rebased has another id, but the same substance.
        let made = noted.iter().map(|commit| self.substance(commit)).collect::<Result<HashSet<_>>>()?;
        let mut foreign = None;
        for commit in unknown {
            let substance = self.substance(commit)?;
            if substance.is_none() || !made.contains(&substance) {
                foreign = Some(commit);
                break;
            }
        }
        let Some(foreign) = foreign else { return Ok(None) };
        let run = self.run(&["show", "--no-patch", "--no-show-signature", "--format=%s", foreign])?;
        let subject = shown_text(String::from_utf8_lossy(&run.stdout).trim(), 80);
        let (name, commit) = (self.shown(), short(foreign));
        let unpushed = format!("{name}: commit {commit} ({subject}) is only here, and was made by hand");
        Ok(Some(Error::failed(unpushed)))
    }

    /// A commit apart from its position: author, time, message, and each file that it changed with its old and
    /// new blob. `None` if git cannot tell, as for a commit that is gone.
    fn substance(&self, commit: &str) -> Result<Option<Vec<u8>>> {
        let run = self.run(&[
            "show",
            "--no-show-signature",
            "--format=%an%n%ae%n%at%n%B",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            commit,
        ])?;
        Ok(run.status.success().then_some(run.stdout))
    }

    /// Makes a commit again on top of another one, with the same files and message.
    fn again(&self, commit: &str, top: ObjectId) -> Result<ObjectId> {
        let what = || self.git.cannot(&format!("make commit {} again", short(commit)));
        let (repo, reader) = (self.git.writer()?, self.git.reader());
        let id = ObjectId::from_hex(commit.as_bytes()).failed(what)?;
        let old = reader.commit(id)?;
        let before = old.parents.first().map(|parent| reader.commit(*parent)).transpose()?.map(|parent| parent.tree);
        let mut editor = repo.edit_tree(reader.commit(top)?.tree).failed(what)?;
        for Differing { path, after, .. } in Walker::new(&reader, 1).diff(before, Some(old.tree))? {
            match after {
                Some(blob) => editor.upsert(path.as_str(), EntryKind::Blob, blob).failed(what)?,
                None => editor.remove(path.as_str()).failed(what)?,
            };
        }
        let tree = editor.write().failed(what)?.detach();
        self.git.object(&repo, &old.message, tree, Some(top))
    }

    /// The files of the competition in which two commits differ.
    fn paths(&self, from: Option<ObjectId>, to: Option<ObjectId>) -> Result<Vec<String>> {
        let reader = self.git.reader();
        let tree = |id: Option<ObjectId>| -> Result<Option<ObjectId>> {
            Ok(id.map(|id| reader.commit(id)).transpose()?.map(|commit| commit.tree))
        };
        let (from, Some(to)) = (tree(from)?, tree(to)?) else { return Ok(Vec::new()) };
        Ok(Walker::new(&reader, 1).diff(from, Some(to))?.into_iter().map(|differing| differing.path).collect())
    }

    /// Moves branch, index and files to a commit; refuses if uncommitted files are in the way.
    fn go_to(&self, to: Option<ObjectId>) -> Result<()> {
        let Some(to) = to else { return Ok(()) };
        let to = to.to_string();
        self.git.wait_for_index()?;
        // A file with other times but the same contents, as after a restore, is in nobody's way. Those that do differ are
        // told of below.
        self.run(&["update-index", "-q", "--refresh"])?;
        // Without a first commit there is nothing to reset.
        let command = if self.git.head()?.is_some() {
            ["reset", "--quiet", "--keep", &to]
        } else {
            ["merge", "--quiet", "--ff-only", &to]
        };
        let run = self.run(&command)?;
        if run.status.success() {
            return Ok(());
        }
        let (name, why) = (self.shown(), self.said(&run));
        let blocked = Error::failed(format!("{name}: commit {} cannot be checked out here: {why}", short(&to)));
        Err(blocked.hint("files that are not committed are in the way: commit them, or move them aside"))
    }

    /// The newest common ancestor.
    pub(super) fn base(&self, here: Option<ObjectId>, there: Option<ObjectId>) -> Result<Option<ObjectId>> {
        let (Some(here), Some(there)) = (here, there) else { return Ok(None) };
        let run = self.run(&["merge-base", &here.to_string(), &there.to_string()])?;
        match run.status.code() {
            Some(0) => self.id(&run).map(Some),
            Some(1) => Err(Error::failed(format!("{}: it has an unrelated history", self.shown()))),
            _ => Err(Error::failed(self.git.cannot(&format!("compare with {}: {}", self.shown(), self.said(&run))))),
        }
    }

    /// The commits after `base` up to `tip`, parents first.
    pub(super) fn between(&self, base: Option<ObjectId>, tip: Option<ObjectId>) -> Result<Vec<String>> {
        let Some(tip) = tip else { return Ok(Vec::new()) };
        let range = base.map_or_else(|| tip.to_string(), |base| format!("{base}..{tip}"));
        let run = self.run(&["rev-list", "--reverse", &range])?;
        if !run.status.success() {
            return Err(Error::failed(self.git.cannot(&format!("list commits: {}", self.said(&run)))));
        }
        Ok(String::from_utf8_lossy(&run.stdout).lines().map(str::to_owned).collect())
    }

    /// The tip of the remote branch; `None` if it does not exist yet.
    fn fetch(&self) -> Result<Option<ObjectId>> {
        let run = self.run(&["fetch", "--quiet", "--no-tags", &self.name, &self.branch])?;
        if run.status.success() {
            return self.id(&self.run(&["rev-parse", "--verify", "FETCH_HEAD"])?).map(Some);
        }
        // Exit code 2: the remote answers, but has no such branch.
        match self.run(&["ls-remote", "--quiet", "--exit-code", &self.name, &self.branch])?.status.code() {
            Some(2) => Ok(None),
            _ => Err(self.outside("fetch", &self.said(&run)).hint(ASK)),
        }
    }

    /// Pushes; returns git's message if the push was refused.
    fn push(&self, tip: Option<ObjectId>) -> Result<Option<String>> {
        let Some(tip) = tip else { return Ok(None) };
        let run = self.run(&["push", "--quiet", "--no-follow-tags", &self.name, &format!("{tip}:{}", self.branch)])?;
        Ok(if run.status.success() { None } else { Some(self.said(&run)) })
    }

    pub(super) fn outside(&self, what: &str, why: &str) -> Error {
        let error = Error::outside(format!("{}: cannot {what}: {why}", self.shown()));
        error.of_service(Some(GIT_REMOTE)).of_manner(refusal(why))
    }

    fn id(&self, run: &Output) -> Result<ObjectId> {
        let text = String::from_utf8_lossy(&run.stdout);
        ObjectId::from_hex(text.trim().as_bytes())
            .failed(|| self.git.cannot(&format!("read a commit: {}", self.said(run))))
    }

    fn config(&self, args: &[&str]) -> Result<Option<String>> {
        let run = self.run(args)?;
        let text = String::from_utf8_lossy(&run.stdout).trim().to_owned();
        Ok(Some(text).filter(|text| run.status.success() && !text.is_empty()))
    }

    pub(super) fn run(&self, args: &[&str]) -> Result<Output> {
        let mut command = self.git.program();
        command.args(["-c", "http.lowSpeedLimit=1", "-c", SILENCE]).args(args);
        match child::output(&mut command, &Stop::of_process()) {
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {
                Err(self.outside("talk to it", STOPPED).hint("commits are kept: the next run pushes them"))
            }
            run => run.failed(|| "--push needs the git program, which cannot be run".to_owned()),
        }
    }
}

/// Does git say that the remote refuses? Its own words alone count, not the server's.
fn refusal(why: &str) -> Option<&'static str> {
    let own = || why.split("; ").filter(|line| !line.starts_with("remote:"));
    let refused = |line: &str| line.starts_with("! [remote rejected]") || line.contains("returned error: 403");
    own().any(refused).then_some(REFUSES)
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// git's output on one line, without credentials in URLs.
pub(super) fn said(run: &Output) -> String {
    said_without(run, &Blanks::default())
}

fn said_without(run: &Output, blanks: &Blanks) -> String {
    let text = String::from_utf8_lossy(&run.stderr);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    // git's own words first: the server's may be long, and are cut.
    let (own, theirs): (Vec<&str>, Vec<&str>) = lines.partition(|line| !line.starts_with("remote:"));
    let lines = [own, theirs].concat();
    let text = shown_text(&redacted(&blanks.hide(&lines.join("; "))), 400);
    if text.is_empty() { format!("git ended with {}", run.status) } else { text }
}

fn redacted(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(['/', ' ', '\'', '"', '\n']).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        shown.push_str(authority.rsplit_once('@').map_or(authority, |(_, host)| host));
        rest = tail;
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::{REFUSES, redacted, refusal};

    #[test]
    fn a_urls_secrets_are_not_shown() {
        let text = "fatal: unable to access 'https://me:ghp_s3cret@git.example/a.git/': no https://x@y.example";
        let shown = "fatal: unable to access 'https://git.example/a.git/': no https://y.example";
        assert_eq!(redacted(text), shown);
        assert_eq!(redacted("nothing here"), "nothing here");
    }

    #[test]
    fn only_gits_own_words_say_that_the_remote_refuses() {
        let rejected = "To /srv/a.git; ! [remote rejected] main -> main (pre-receive hook declined); remote: at 12:03";
        assert_eq!(refusal(rejected), Some(REFUSES));
        assert_eq!(
            refusal("fatal: unable to access 'https://x/': The requested URL returned error: 403"),
            Some(REFUSES)
        );
        assert_eq!(refusal("fatal: Could not read from remote repository.; remote: ! [remote rejected]"), None);
    }
}
