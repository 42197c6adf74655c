//! What is on this machine: settings, files, lock, disk.

use std::path::{Path, PathBuf};

use super::finding::{Finding, Status};
use super::jobs::Job;
use super::metrics;
use super::wanted::Scope;
use crate::base::error::{Error, Result};
use crate::base::files::{self, Room};
use crate::base::text::counted;
use crate::engine::common::{pool, previous_prompts, require_intact};
use crate::engine::context::Context;
use crate::engine::notify;
use crate::engine::runs::book::Book;
use crate::engine::stands::{AnyStanding, Stands};
use crate::model::file::FileKind;
use crate::model::leader::Leaders;
use crate::model::lock::Lock;
use crate::model::stage::{Stage, round_in};
use crate::rules::prompts::enough;
use crate::settings::{Config, FILE_NAME, SettingsSource};
use crate::world::notify::Target;

/// Less room than this on a disk is too little, and less than the second is soon.
const LEAST_BYTES: u64 = 256 << 20;
const FEW_BYTES: u64 = 2 << 30;

/// As for bytes: files that may still be made.
const LEAST_FILES: u64 = 1_000;
const FEW_FILES: u64 = 20_000;

/// Which settings are followed, if they can be.
pub(super) fn settings(context: &Context<'_>, source: &SettingsSource, read: &Result<()>) -> Finding {
    const NAME: &str = "settings";
    match (read, source) {
        (Err(error), _) => Finding::fail(NAME, error),
        (Ok(()), SettingsSource::Defaults(None)) => Finding::ok(NAME, "no file: defaults, environment and flags alone"),
        (Ok(()), SettingsSource::Defaults(Some(why))) => {
            let untracked = format!("git rm --cached {FILE_NAME}, commit, and list it in .git/info/exclude");
            Finding { name: NAME, status: Status::Fail, what: why.clone(), hints: vec![untracked] }
        }
        (Ok(()), SettingsSource::Named(path)) => file(path, "named by --config or GEN404_CONFIG"),
        (Ok(()), SettingsSource::Own(root)) => {
            let tracked = if context.git.is_some() { "git does not track it" } else { "no git" };
            file(&root.join(FILE_NAME), tracked)
        }
    }
}

/// A settings file that parses: who else may write to it?
fn file(path: &Path, how: &str) -> Finding {
    const NAME: &str = "settings";
    let what = format!("{}: parses; {how}", path.display());
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
        if mode & 0o022 != 0 {
            let who = format!("{what}; others than its owner may write to it (mode {:o})", mode & 0o777);
            return Finding::warn(NAME, who, format!("they could name other hosts: chmod go-w {}", path.display()));
        }
    }
    Finding::ok(NAME, what)
}

/// The files of the competition and of its current round.
pub(super) fn competition(context: &Context<'_>, standing: &Result<AnyStanding>) -> Finding {
    const NAME: &str = "files";
    let looked = || {
        let detected = context.detected()?;
        if !detected.format.is_run() {
            return Ok(Finding::warn(
                NAME,
                format!("format: {detected}"),
                "gen404 reads and checks competitions of this format, and does not run them",
            ));
        }
        let standing = match standing {
            Ok(standing) => standing,
            Err(error) => return Ok(Finding::fail(NAME, error)),
        };
        let (round, stage) = (standing.round(), standing.stage());
        require_intact(&**standing)?;
        let leaders: Leaders = context.store.need(&FileKind::Leader)?;
        let leaders = counted(leaders.len(), "leader", "leaders");
        let name = &standing.settings().name;
        Ok(Finding::ok(NAME, format!("{name}: {}; {leaders} on record; format: {detected}", round_in(round, stage))))
    };
    looked().unwrap_or_else(|error: Error| Finding::fail(NAME, &error))
}

/// The pool: every line usable, and enough of them for the next round.
pub(super) fn prompts(context: &Context<'_>, standing: &dyn Stands) -> Finding {
    const NAME: &str = "pool";
    let looked = || {
        let given = pool(context)?.map_or(0, |pool| pool.0.len());
        let open = standing.stage() == Stage::Open;
        let previous = match open {
            true => previous_prompts(context, standing)?.0.len(),
            false => standing.prompts().map_or(0, |prompts| prompts.0.len()),
        };
        let said = counted(given, "prompt", "prompts");
        Ok(match enough(standing.settings(), previous, given) {
            Ok(()) => Finding::ok(NAME, format!("{}: {said}, enough for a round", FileKind::Pool.path())),
            Err(few) => {
                let finding = Finding::fail(NAME, &Error::failed(few).hint("add more before the next seed is drawn"));
                if open { finding } else { finding.tolerated() }
            }
        })
    };
    looked().unwrap_or_else(|error: Error| Finding::fail(NAME, &error))
}

/// Is another run at work?
pub(super) fn lock(own: &Path) -> Finding {
    const NAME: &str = "lock";
    match Lock::held_by(own) {
        Ok(None) => Finding::ok(NAME, "free"),
        Ok(Some(holder)) => Finding::warn(
            NAME,
            format!("held by {holder}"),
            "a run is at work; if it is stuck, end that process: the lock goes with it",
        ),
        Err(error) => Finding::fail(NAME, &error),
    }
}

/// The room where files are written.
pub(super) fn disk(context: &Context<'_>, own: &Path, store: Option<&PathBuf>, scope: &Scope) -> Finding {
    const NAME: &str = "disk";
    let temporary = std::env::temp_dir();
    let stores = ["baseline", "download", "audit"].into_iter().any(|command| scope.has(command));
    let places = [Some(own.to_owned()), store.filter(|_| stores).cloned(), Some(temporary)];
    let (mut said, mut worst, mut hints) = (Vec::new(), Status::Ok, Vec::new());
    for place in places.into_iter().flatten() {
        let (status, what) = match room(&place, context.options.dry_run) {
            Ok(None) => continue,
            Ok(Some((status, what))) => (status, what),
            Err(error) => return Finding::fail(NAME, &error),
        };
        said.push(what);
        if status != Status::Ok {
            hints = vec!["models of a round take a few GiB: make room, or set TMPDIR or [store] dir".to_owned()];
            worst = if worst == Status::Fail { worst } else { status };
        }
    }
    Finding { name: NAME, status: worst, what: said.join("; "), hints }
}

/// What is kept of runs: can it be read?
pub(super) fn record(own: &Path) -> Finding {
    const NAME: &str = "record";
    let looked = || -> Result<Finding> {
        let pages = Book::at(own).read()?;
        let lost = notify::damaged(own)?;
        let said = counted(pages.runs.len(), "run on record", "runs on record");
        Ok(match pages.unread.or(lost) {
            Some(damaged) => {
                Finding::warn(NAME, damaged, format!("move it aside: {} holds what runs keep", own.display()))
            }
            None if pages.damaged > 0 => {
                Finding::ok(NAME, format!("{said}; {} cut short", counted(pages.damaged, "line is", "lines are")))
            }
            None => Finding::ok(NAME, said),
        })
    };
    looked().unwrap_or_else(|error| Finding::fail(NAME, &error))
}

/// The file of numbers, if one is asked for: can a run replace it?
pub(super) fn metrics(context: &Context<'_>) -> Option<Finding> {
    const NAME: &str = "metrics";
    let (file, name) = metrics::asked(context)?;
    let looked = || {
        metrics::stays_apart(context, file, name)?;
        match file.parent().filter(|folder| folder.is_dir() && !context.options.dry_run) {
            Some(folder) => files::try_to_write(folder),
            None => Ok(()),
        }
    };
    Some(match looked() {
        Ok(()) => Finding::ok(NAME, format!("{}: can be replaced", file.display())),
        Err(error) => Finding::fail(NAME, &error),
    })
}

/// An endpoint in words, with its target, or why it cannot be named.
type Opened = Result<(String, Target)>;

/// Who is told of runs: can each endpoint be named, with its variables, and does its server answer? No message is sent.
pub(super) fn told(config: &Config, env: impl Fn(&str) -> Option<String>, offline: bool) -> Vec<Job> {
    let (endpoints, mut jobs) = (&config.notify.0, Vec::new());
    if !endpoints.is_empty() {
        let key = |at: usize| if endpoints.len() > 1 { format!("notify[{at}].url") } else { "notify.url".to_owned() };
        let opened = endpoints.iter().zip(1..).map(|(endpoint, at)| -> Opened {
            let target = endpoint.url.open(&key(at), &env)?;
            Ok((format!("{} at {}", endpoint.kind.as_str(), target.host()), target))
        });
        let opened: Vec<Opened> = opened.collect();
        jobs.push(Job::new("notify", move || vec![listed("notify", opened, offline)]));
    }
    if let Some(url) = &config.heartbeat.url {
        let opened = url.open("heartbeat.url", &env).map(|target| (target.host().to_owned(), target));
        jobs.push(Job::new("heartbeat", move || vec![listed("heartbeat", vec![opened], offline)]));
    }
    jobs
}

/// The endpoints that can be named and reached, or what is wrong with the others.
fn listed(name: &'static str, opened: Vec<Opened>, offline: bool) -> Finding {
    let (mut said, mut wrong, mut hints, mut targets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for endpoint in opened {
        match endpoint {
            Ok((endpoint, target)) => {
                said.push(endpoint.clone());
                targets.push((endpoint, target));
            }
            Err(error) => {
                wrong.push(error.to_string());
                hints.extend_from_slice(error.hints());
            }
        }
    }
    if !wrong.is_empty() {
        hints.push("set it where the runs are started, or give NAME_FILE".to_owned());
        return Finding { name, status: Status::Fail, what: wrong.join("; "), hints };
    }
    if offline {
        return Finding::ok(name, format!("{}; not asked (--offline)", said.join(", ")));
    }
    let silent = unreached(&targets);
    if silent.is_empty() {
        return Finding::ok(name, format!("{}; reached, no message was sent", said.join(", ")));
    }
    let told = silent.iter().map(|(endpoint, error)| format!("{endpoint}: {error}")).collect::<Vec<_>>().join("; ");
    let finding = silent.first().map(|(_, error)| Finding::fail(name, error).tolerated());
    Finding { what: told, ..finding.unwrap_or_else(|| Finding::ok(name, "")) }
}

/// The endpoints whose servers do not answer.
fn unreached(targets: &[(String, Target)]) -> Vec<(&str, Error)> {
    let asked = |(endpoint, target): &(String, Target)| target.reach().map_err(|error| (endpoint.clone(), error));
    let errors: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = targets.iter().map(|target| scope.spawn(move || asked(target))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Ok(()))).collect()
    });
    let silent = targets.iter().zip(errors).filter_map(|((name, _), answer)| Some((name.as_str(), answer.err()?.1)));
    silent.collect()
}

fn room(place: &Path, dry_run: bool) -> Result<Option<(Status, String)>> {
    let Some(Room { bytes, files: count, read_only }) = files::room(place)? else { return Ok(None) };
    let shown = place.display();
    if read_only {
        return Ok(Some((Status::Fail, format!("{shown} is on a disk that is mounted read only"))));
    }
    if !dry_run && place.is_dir() {
        files::try_to_write(place)?;
    }
    let status = match (bytes, count.unwrap_or(u64::MAX)) {
        (..LEAST_BYTES, _) | (_, ..LEAST_FILES) => Status::Fail,
        (..FEW_BYTES, _) | (_, ..FEW_FILES) => Status::Warn,
        _ => Status::Ok,
    };
    let left = match count.filter(|count| *count < FEW_FILES) {
        Some(count) => format!(" and {}", counted(count, "file", "files")),
        None => String::new(),
    };
    Ok(Some((status, format!("{} MiB{left} left in {shown}", bytes >> 20))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_is_named_without_sending_anything() {
        let text = "[[notify]]\nurl = 'https://a.example/${HOOK}'\n[[notify]]\nkind = 'slack'\n\
                    url = 'https://b.example/${OTHER}'\n[heartbeat]\nurl = 'https://c.example/${BEAT}'\n";
        let config = Config::parse(text).unwrap();
        let told = |config: &Config, env: fn(&str) -> Option<String>| -> Vec<Finding> {
            told(config, env, true).into_iter().flat_map(|job| (job.run)()).collect()
        };
        let all = told(&config, |_| Some("hunter2".to_owned()));
        let said = "json at a.example, slack at b.example; not asked (--offline)";
        assert_eq!(all, [Finding::ok("notify", said), Finding::ok("heartbeat", "c.example; not asked (--offline)")]);
        let some = told(&config, |name| (name == "HOOK").then(|| "hunter2".to_owned()));
        let [notify, heartbeat] = some.as_slice() else { unreachable!("{some:?}") };
        assert_eq!((notify.status, notify.what.as_str()), (Status::Fail, "notify[2].url: OTHER is not set"));
        assert_eq!((heartbeat.status, heartbeat.what.as_str()), (Status::Fail, "heartbeat.url: BEAT is not set"));
        assert_eq!(told(&Config::default(), |_| None), []);
    }
}
