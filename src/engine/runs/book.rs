//! The file of the record: `runs.jsonl` in the operator's own folder, and `runs.1.jsonl`, the one before it.
//!
//! A run appends a line when it begins, after each step, and when it ends; the last line of an id counts. In between, a
//! line for each commit adds to it. A line is one write, so a kill leaves at most half a line, which the next writer
//! ends and the reader skips. While a run is at work it holds a lock on a file of its own, by which a reader tells it
//! from one that was killed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::record::{Outcome, RunRecord};
use crate::base::error::{Context as _, Result};
use crate::base::files;
use crate::model::ids::RoundNumber;
use crate::world::usage::Usage;

/// The file is put aside once it is this long.
const LARGEST: u64 = 4 << 20;

/// A longer file is not ours: a line is far shorter than this.
const MOST_READ: u64 = LARGEST + (4 << 20);

/// A longer line is not written: the run did more than is worth keeping.
const LONGEST_LINE: usize = 1 << 20;

/// The rounds whose use is carried over, the newest ones.
const MOST_ROUNDS: usize = 8;

const FILE: &str = "runs.jsonl";
const OLDER: &str = "runs.1.jsonl";

/// The folder of the files that runs at work hold a lock on.
const AT_WORK: &str = "running";

/// The record in an operator's own folder.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    own: PathBuf,
}

/// What was read of it.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// The runs, oldest first.
    pub(crate) runs: Vec<RunRecord>,
    /// How many lines could not be read.
    pub(crate) damaged: usize,
    /// Warns of an older file that could not be read.
    pub(crate) unread: Option<String>,
    /// What was used by runs that are no longer on record, by round.
    carried: Vec<(RoundNumber, Usage)>,
}

/// What a run at work has done since its last whole line: a kill must not hide it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Commits, each with the first line of its message.
    pub(crate) commits: Vec<(String, String)>,
    /// What happened, each in a few words.
    pub(crate) facts: Vec<String>,
}

/// The line of a run's progress.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'a> {
    id: Cow<'a, str>,
    progress: Cow<'a, Progress>,
}

/// The first line of a file: what was used by the runs of all files that are gone, by round.
#[derive(Debug, Serialize, Deserialize)]
struct Carried {
    carried: Vec<(RoundNumber, Usage)>,
}

impl Pages {
    /// Takes in the lines of a file.
    fn take(&mut self, bytes: &[u8], runs: &mut IndexMap<String, RunRecord>) {
        // A last line without an end may be one that is just being written.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
        for line in lines.filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<RunRecord>(line) {
                Ok(run) if !run.id.is_empty() && run.started.is_some() => _ = runs.insert(run.id.clone(), run),
                _ => self.take_other(line, runs),
            }
        }
    }

    /// Takes in a line that is no run's.
    fn take_other(&mut self, line: &[u8], runs: &mut IndexMap<String, RunRecord>) {
        if let Ok(Line { id, progress }) = serde_json::from_slice::<Line<'_>>(line) {
            // Without its run it says too little: that line may have been lost.
            if let Some(run) = runs.get_mut(id.as_ref()) {
                run.go_on(progress.into_owned());
            }
            return;
        }
        match serde_json::from_slice::<Carried>(line) {
            // That of the newer file covers that of the older one.
            Ok(carried) => self.carried = carried.carried,
            Err(_) => self.damaged += 1,
        }
    }

    /// What was used in a round, also by runs that were killed or are still at work, or are no longer on record.
    pub(crate) fn used_in(&self, round: RoundNumber) -> Usage {
        let mut used = Usage::default();
        self.carried.iter().filter(|(carried, _)| *carried == round).for_each(|(_, part)| used.add(part));
        self.runs.iter().for_each(|run| used.add(&run.used_in(round)));
        used
    }
}

impl Book {
    /// The record in this folder, which need not exist.
    pub(crate) fn at(own: &Path) -> Book {
        Book { own: own.to_owned() }
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        files::below(&self.own, Path::new(name))
    }

    /// Reads all runs.
    ///
    /// # Errors
    /// The newer file cannot be read, or is too large to be ours. The older one is then left out.
    pub(crate) fn read(&self) -> Result<Pages> {
        let (mut pages, mut runs) = (Pages::default(), IndexMap::new());
        match self.bytes(OLDER) {
            Ok(bytes) => pages.take(&bytes, &mut runs),
            Err(error) => pages.unread = Some(format!("{error}; it is left out of the record: remove it")),
        }
        let newer = self.bytes(FILE).map_err(|error| error.hint("remove it: the next run begins a new record"))?;
        pages.take(&newer, &mut runs);
        pages.runs = runs.into_values().collect();
        for run in pages.runs.iter_mut().filter(|run| !run.has_ended()) {
            run.outcome = if self.is_at_work(&run.id) { Outcome::Begun } else { Outcome::Killed };
        }
        Ok(pages)
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        Ok(files::read_own(&self.path(name)?, MOST_READ)?.unwrap_or_default())
    }

    /// What was used in a round, also by runs that were killed or are still at work.
    ///
    /// # Errors
    /// As [`Book::read`].
    pub(crate) fn used_in(&self, round: RoundNumber) -> Result<Usage> {
        Ok(self.read()?.used_in(round))
    }

    /// Appends a run as it stands now; `lasting` makes sure that it survives a power cut.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn append(&self, run: &RunRecord, lasting: bool) -> Result<()> {
        let cannot = || self.cannot();
        let mut line = serde_json::to_vec(run).failed(cannot)?;
        if line.len() > LONGEST_LINE {
            let (steps, commits, facts) = (Vec::new(), Vec::new(), Vec::new());
            line = serde_json::to_vec(&RunRecord { steps, commits, facts, ..run.clone() }).failed(cannot)?;
        }
        self.put(line, run, lasting)
    }

    /// Appends what a run has done since its last line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn append_progress(&self, run: &RunRecord, progress: &Progress) -> Result<()> {
        let line = Line { id: Cow::Borrowed(&run.id), progress: Cow::Borrowed(progress) };
        self.put(serde_json::to_vec(&line).failed(|| self.cannot())?, run, false)
    }

    fn cannot(&self) -> String {
        format!("{}: cannot write", self.own.join(FILE).display())
    }

    /// Appends a line of this run.
    fn put(&self, mut line: Vec<u8>, run: &RunRecord, lasting: bool) -> Result<()> {
        let cannot = || self.cannot();
        files::make_folder(&self.own)?;
        line.push(b'\n');
        // Only for the moment of a rotation and a write.
        let turn = files::update(&self.path("runs.lock")?)?;
        turn.lock().failed(cannot)?;
        let mut file = files::append(&self.path(FILE)?)?;
        let mut length = file.metadata().failed(cannot)?.len();
        if length > LARGEST {
            self.rotate(run)?;
            file = files::append(&self.path(FILE)?)?;
            length = file.metadata().failed(cannot)?.len();
        }
        if length > 0 && !ends_a_line(&mut file).failed(cannot)? {
            line.insert(0, b'\n');
        }
        file.write_all(&line).failed(cannot)?;
        if lasting { file.sync_data().failed(cannot) } else { Ok(()) }
    }

    /// Puts the file aside. What the one that is dropped says of a round's use goes into the new one.
    fn rotate(&self, run: &RunRecord) -> Result<()> {
        let (mut dropped, mut runs) = (Pages::default(), IndexMap::new());
        dropped.take(&self.bytes(OLDER).unwrap_or_default(), &mut runs);
        let (mut kept, mut later) = (Pages::default(), IndexMap::new());
        kept.take(&self.bytes(FILE).unwrap_or_default(), &mut later);
        if kept.carried.is_empty() {
            kept.carried = dropped.carried;
        }
        // A run may have lines in both files: the last one counts.
        runs.retain(|id, _| *id != run.id && !later.contains_key(id));
        let mut rounds: BTreeMap<RoundNumber, Usage> = kept.carried.into_iter().collect();
        for run in runs.values() {
            let in_rounds = run.round.into_iter().chain(run.later_rounds.iter().map(|(round, _)| *round));
            for round in in_rounds.collect::<BTreeSet<_>>() {
                rounds.entry(round).or_default().add(&run.used_in(round));
            }
        }
        let carried = rounds.into_iter().rev().take(MOST_ROUNDS).collect();
        let cannot = || self.cannot();
        let mut line = serde_json::to_vec(&Carried { carried }).failed(cannot)?;
        line.push(b'\n');
        // Written before anything is dropped.
        let next = files::prepare(&self.path(FILE)?, &line, files::Readers::Own)?;
        std::fs::rename(self.path(FILE)?, self.path(OLDER)?).failed(cannot)?;
        next.publish()
    }

    /// Holds the file that shows that this run is at work, and removes those of runs that are gone.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn begin_work(&self, id: &str) -> Result<AtWork> {
        files::make_folder(&self.own)?;
        let folder = files::folder_below(&self.own, Path::new(AT_WORK))?;
        for entry in files::list(&folder)? {
            // One that cannot be opened or locked is left alone.
            if let Ok(Some(file)) = files::open(&entry.path(), false)
                && file.try_lock().is_ok()
            {
                files::remove(&entry.path())?;
            }
        }
        let path = folder.join(id);
        let file = files::update(&path)?;
        file.lock().failed(|| format!("{}: cannot lock", path.display()))?;
        Ok(AtWork { path, _file: file })
    }

    fn is_at_work(&self, id: &str) -> bool {
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let path = self.path(AT_WORK).map(|folder| folder.join(id));
        let file = path.ok().filter(|_| plain).and_then(|path| files::open(&path, false).ok().flatten());
        file.is_some_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

fn ends_a_line(file: &mut File) -> std::io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Shows that a run is at work, for as long as it lives.
#[derive(Debug)]
pub(crate) struct AtWork {
    path: PathBuf,
    _file: File,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        // One that is left is removed by the next run.
        let _ = files::remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, ended: bool) -> RunRecord {
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        let ended = if ended { Some("2026-01-01T00:00:05Z".parse().unwrap()) } else { None };
        let outcome = if ended.is_some() { Outcome::Idle } else { Outcome::Begun };
        RunRecord { id: id.to_owned(), started: Some(at), ended, outcome, ..RunRecord::default() }
    }

    #[test]
    fn a_run_without_an_end_is_at_work_or_was_killed() {
        let own = tempfile::tempdir().unwrap();
        let book = Book::at(own.path());
        let work = book.begin_work("a").unwrap();
        book.append(&run("a", false), false).unwrap();
        book.append(&run("b", false), false).unwrap();
        let outcomes = || book.read().unwrap().runs.iter().map(|run| run.outcome).collect::<Vec<_>>();
        assert_eq!(outcomes(), [Outcome::Begun, Outcome::Killed]);
        drop(work);
        assert_eq!(outcomes(), [Outcome::Killed, Outcome::Killed]);
        book.append(&run("a", true), true).unwrap();
        assert_eq!(outcomes(), [Outcome::Idle, Outcome::Killed]);
    }

    #[test]
    fn a_cut_at_any_byte_costs_one_line_and_not_the_next() {
        let own = tempfile::tempdir().unwrap();
        let book = Book::at(own.path());
        book.append(&run("a", true), false).unwrap();
        book.append(&run("b", true), false).unwrap();
        let whole = std::fs::read(own.path().join(FILE)).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
        for cut in first + 2..whole.len() {
            std::fs::write(own.path().join(FILE), &whole[..cut]).unwrap();
            book.append(&run("c", true), false).unwrap();
            let pages = book.read().unwrap();
            let ids: Vec<_> = pages.runs.iter().map(|run| run.id.as_str()).collect();
            let expected: &[&str] = if cut == whole.len() - 1 { &["a", "b", "c"] } else { &["a", "c"] };
            assert_eq!((ids.as_slice(), pages.damaged), (expected, 3 - expected.len()), "cut at {cut}");
        }
    }

    #[test]
    fn a_long_record_is_put_aside_and_both_are_read() {
        let own = tempfile::tempdir().unwrap();
        let book = Book::at(own.path());
        book.append(&run("a", true), false).unwrap();
        let file = File::options().append(true).open(own.path().join(FILE)).unwrap();
        (&file).write_all(&[b"x".repeat(usize::try_from(LARGEST).unwrap()), b"\n".to_vec()].concat()).unwrap();
        book.append(&run("b", true), false).unwrap();
        let pages = book.read().unwrap();
        assert_eq!((pages.runs.len(), pages.damaged), (2, 1));
        assert!(std::fs::metadata(own.path().join(FILE)).unwrap().len() < 1000);
    }

    #[test]
    fn what_a_round_used_outlasts_every_rotation() {
        use crate::world::usage::{Service, ServiceUse};
        let own = tempfile::tempdir().unwrap();
        let book = Book::at(own.path());
        let used = |id: &str, round: u32| {
            let used = ServiceUse { calls: 10, ..ServiceUse::default() };
            let usage = Usage([(Service::Judge.as_str().to_owned(), used)].into());
            RunRecord { usage, round: Some(RoundNumber(round)), ..run(id, true) }
        };
        let calls = |round| book.used_in(RoundNumber(round)).unwrap().of(Service::Judge).calls;
        let fill = || {
            let file = File::options().append(true).open(own.path().join(FILE)).unwrap();
            (&file).write_all(&[b"x".repeat(usize::try_from(LARGEST).unwrap()), b"\n".to_vec()].concat()).unwrap();
        };
        book.append(&used("0", 6), false).unwrap();
        for rotation in 1..=4_u64 {
            // Lines of one run lie before and after each rotation.
            book.append(&used(&format!("{rotation}"), 7), false).unwrap();
            fill();
            book.append(&used(&format!("{rotation}"), 7), false).unwrap();
            assert_eq!((calls(6), calls(7)), (10, rotation * 10), "rotation {rotation}");
        }
        assert_eq!(book.read().unwrap().damaged, 1, "only what the newer-but-one holds");
    }

    #[test]
    fn an_older_file_that_is_not_ours_is_left_out_and_said() {
        let own = tempfile::tempdir().unwrap();
        let book = Book::at(own.path());
        book.append(&run("a", true), false).unwrap();
        std::fs::create_dir(own.path().join(OLDER)).unwrap();
        let pages = book.read().unwrap();
        assert_eq!(pages.runs.len(), 1);
        assert!(pages.unread.is_some_and(|warning| warning.contains(OLDER) && warning.ends_with("remove it")));
    }

    #[test]
    fn writers_at_once_lose_no_line() {
        let own = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let book = Book::at(own.path());
                scope.spawn(move || {
                    (0..25).for_each(|n| book.append(&run(&format!("{thread}-{n}"), true), false).unwrap());
                });
            }
        });
        assert_eq!(Book::at(own.path()).read().unwrap().runs.len(), 100);
    }
}
