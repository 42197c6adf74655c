//! The journal of the judge's answers: an answered call is never made again.
//!
//! It is an append-only file of JSON lines, `{"key": "<hex>", "answer": "<the judge's text>"}`, with the answer's
//! model, attempts and tokens where known (older versions did not note them). An answer counts once it is on disk; many
//! share one sync. The next run drops a line cut off by a kill.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Answer, answer};
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::jsonl::each_line;
use crate::model::penalties::AnswerOrigin;

/// The journal's name.
const NAME: &str = "judge-journal.jsonl";

/// The key of an answer: the SHA-256 of everything that the judge is told and shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionKey(pub String);

#[derive(Debug, Serialize, Deserialize)]
struct JournalLine {
    key: QuestionKey,
    answer: String,
    #[serde(flatten)]
    origin: AnswerOrigin,
}

/// The journal of a competition.
#[derive(Debug)]
pub struct AnswerJournal {
    path: PathBuf,
    /// `None` if it is only read.
    file: Option<Mutex<File>>,
    table: Mutex<HashMap<QuestionKey, JournalEntry>>,
    changed: Condvar,
    written: AtomicU64,
    synced: Mutex<u64>,
}

#[derive(Debug)]
enum JournalEntry {
    /// A thread is asking.
    Asked,
    /// The judge's text, and how it was obtained.
    Answered(String, AnswerOrigin),
}

impl AnswerJournal {
    /// Opens the journal in the operator's own folder; it is created if missing.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(folder: &Path) -> Result<AnswerJournal> {
        AnswerJournal::open_with(folder, is_penalties)
    }

    /// As [`AnswerJournal::open`], for answers of other forms: `is_valid` tells which lines count.
    ///
    /// # Errors
    /// As [`AnswerJournal::open`].
    pub fn open_with(folder: &Path, is_valid: fn(&str) -> bool) -> Result<AnswerJournal> {
        files::make_folder(folder)?;
        let path = files::below(folder, Path::new(NAME))?;
        let cannot = || format!("{}: cannot open the judge's journal", path.display());
        let file = files::append(&path)?;
        let (table, whole) = parse(&path, &file, is_valid)?;
        // Cuts off an incomplete last line, or the next answer would be appended to it.
        file.set_len(whole).failed(cannot)?;
        // What an earlier run wrote but did not sync counts from here on.
        file.sync_all().failed(cannot)?;
        files::sync_folder(folder).failed(cannot)?;
        Ok(AnswerJournal::with(path, Some(file), table))
    }

    /// Reads the journal as it is, for a dry run: nothing is created or written, and no new answer can be added.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn look(folder: &Path) -> Result<AnswerJournal> {
        AnswerJournal::look_with(folder, is_penalties)
    }

    /// As [`AnswerJournal::look`], for answers of other forms: `is_valid` tells which lines count.
    ///
    /// # Errors
    /// As [`AnswerJournal::look`].
    pub fn look_with(folder: &Path, is_valid: fn(&str) -> bool) -> Result<AnswerJournal> {
        let path = files::below(folder, Path::new(NAME))?;
        let table = match files::open(&path, false)? {
            Some(file) => parse(&path, &file, is_valid)?.0,
            None => HashMap::new(),
        };
        Ok(AnswerJournal::with(path, None, table))
    }

    fn with(path: PathBuf, file: Option<File>, table: HashMap<QuestionKey, JournalEntry>) -> AnswerJournal {
        AnswerJournal {
            path,
            file: file.map(Mutex::new),
            table: Mutex::new(table),
            changed: Condvar::new(),
            written: AtomicU64::new(0),
            synced: Mutex::new(0),
        }
    }

    fn file(&self) -> Result<MutexGuard<'_, File>> {
        let file = self.file.as_ref().ok_or_else(|| Error::failed(self.cannot("write")).hint("it is only read"))?;
        Ok(lock(file))
    }

    /// The number of answers.
    #[must_use]
    pub fn len(&self) -> usize {
        let table = lock(&self.table);
        table.values().filter(|entry| matches!(entry, JournalEntry::Answered(..))).count()
    }

    /// Does it hold no answers?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Is this call already answered?
    #[must_use]
    pub fn has(&self, key: &QuestionKey) -> bool {
        matches!(lock(&self.table).get(key), Some(JournalEntry::Answered(..)))
    }

    /// The text of the answer under `key`, if there is one.
    #[must_use]
    pub fn kept(&self, key: &QuestionKey) -> Option<String> {
        match lock(&self.table).get(key) {
            Some(JournalEntry::Answered(raw, _)) => Some(raw.clone()),
            Some(JournalEntry::Asked) | None => None,
        }
    }

    /// The answer under `key`, or else that of `ask`, which is written first. Two threads that want the same
    /// answer ask once: the second one waits for the first. `read` parses the text of a kept one; one that it does not
    /// understand is asked for again.
    ///
    /// The answer counts after the next [`AnswerJournal::sync`].
    ///
    /// # Errors
    /// `ask` fails, or the answer cannot be written.
    pub fn answer<T>(
        &self,
        key: &QuestionKey,
        read: impl Fn(&str) -> Option<T>,
        ask: impl FnOnce() -> Result<Answer<T>>,
    ) -> Result<Answer<T>> {
        if let Some(known) = self.claim(key, read) {
            return Ok(known);
        }
        let outcome = ask().and_then(|answer| self.write(key, &answer).map(|()| answer));
        let mut table = lock(&self.table);
        match &outcome {
            Ok(answer) => table.insert(key.clone(), JournalEntry::Answered(answer.raw.clone(), answer.origin.clone())),
            // Withdraws the claim: a waiting thread asks in turn.
            Err(_) => table.remove(key),
        };
        self.changed.notify_all();
        outcome
    }

    /// The known answer, or `None` once this thread has claimed the key.
    fn claim<T>(&self, key: &QuestionKey, read: impl Fn(&str) -> Option<T>) -> Option<Answer<T>> {
        let mut table = lock(&self.table);
        loop {
            match table.get(key) {
                Some(JournalEntry::Asked) => {
                    table = self.changed.wait(table).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                Some(JournalEntry::Answered(raw, origin)) => {
                    if let Some(said) = read(raw) {
                        return Some(Answer { raw: raw.clone(), said, origin: origin.clone() });
                    }
                }
                None => {}
            }
            table.insert(key.clone(), JournalEntry::Asked);
            return None;
        }
    }

    fn write<T>(&self, key: &QuestionKey, answer: &Answer<T>) -> Result<()> {
        let line = JournalLine { key: key.clone(), answer: answer.raw.clone(), origin: answer.origin.clone() };
        let mut text = serde_json::to_vec(&line).failed(|| self.cannot("write"))?;
        text.push(b'\n');
        let mut file = self.file()?;
        file.write_all(&text).failed(|| self.cannot("write")).map_err(|e| e.hint("is the disk full?"))?;
        self.written.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Makes sure that everything written so far is on disk.
    ///
    /// # Errors
    /// The disk fails.
    pub fn sync(&self) -> Result<()> {
        // Read before the sync: answers written meanwhile may have missed it, and are not counted.
        let written = self.written.load(Ordering::Acquire);
        let mut synced = lock(&self.synced);
        if *synced >= written {
            return Ok(());
        }
        // A clone, so that writers need not wait for the disk.
        let file = self.file()?.try_clone().failed(|| self.cannot("sync"))?;
        file.sync_data().failed(|| self.cannot("sync"))?;
        *synced = written;
        Ok(())
    }

    fn cannot(&self, what: &str) -> String {
        format!("{}: cannot {what} the judge's journal", self.path.display())
    }
}

/// The answers in a journal, and the length of its complete part. A broken line is skipped: its call is made
/// again.
fn parse(path: &Path, file: &File, is_valid: fn(&str) -> bool) -> Result<(HashMap<QuestionKey, JournalEntry>, u64)> {
    let mut table = HashMap::new();
    let whole = each_line(path, file, |_, line| {
        if let Ok(line) = serde_json::from_slice::<JournalLine>(line)
            && is_valid(&line.answer)
        {
            table.insert(line.key, JournalEntry::Answered(line.answer, line.origin));
        }
        Ok(())
    })?;
    Ok((table, whole))
}

fn is_penalties(raw: &str) -> bool {
    answer::penalties(raw).is_ok()
}

/// The locked data is consistent at every moment, whichever thread panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::penalties::Penalties;

    fn given(first: u8) -> Answer {
        let raw = format!("{{\"penalty_1\": {first}, \"penalty_2\": 2, \"issues\": \"é\\n\"}}");
        let penalties = Penalties { first, second: 2, issues: "é\n".to_owned() };
        let origin = AnswerOrigin { attempts: Some(3), prompt_tokens: Some(9), ..AnswerOrigin::default() };
        Answer { raw, said: penalties, origin }
    }

    fn key(name: &str) -> QuestionKey {
        QuestionKey(name.to_owned())
    }

    fn read(raw: &str) -> Option<Penalties> {
        answer::penalties(raw).ok()
    }

    fn never() -> Result<Answer> {
        panic!("asked again")
    }

    #[test]
    fn an_answer_is_asked_for_once_and_found_by_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let journal = AnswerJournal::open(folder.path()).unwrap();
        assert_eq!(journal.answer(&key("a"), read, || Ok(given(3))).unwrap(), given(3));
        assert!(journal.answer(&key("b"), read, || Err(Error::outside("down"))).is_err());
        assert_eq!(journal.answer(&key("b"), read, || Ok(given(4))).unwrap(), given(4));
        journal.sync().unwrap();
        drop(journal);
        let journal = AnswerJournal::open(folder.path()).unwrap();
        assert_eq!(journal.answer(&key("a"), read, never).unwrap(), given(3));
        assert_eq!(journal.answer(&key("b"), read, never).unwrap(), given(4));
        assert_eq!(journal.len(), 2);
    }

    #[test]
    fn a_cut_at_any_byte_loses_only_the_last_answer() {
        let folder = tempfile::tempdir().unwrap();
        let journal = AnswerJournal::open(folder.path()).unwrap();
        for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
            journal.answer(&key(name), read, || Ok(given(u8::try_from(at).unwrap()))).unwrap();
        }
        drop(journal);
        let path = folder.path().join("judge-journal.jsonl");
        let whole = std::fs::read(&path).unwrap();
        let ends: Vec<usize> = (1..=whole.len()).filter(|end| whole[end - 1] == b'\n').collect();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let journal = AnswerJournal::open(folder.path()).unwrap();
            assert_eq!(journal.len(), ends.iter().filter(|end| **end <= cut).count(), "cut at {cut}");
            journal.answer(&key("d"), read, || Ok(given(9))).unwrap();
            drop(journal);
            assert!(AnswerJournal::open(folder.path()).unwrap().has(&key("d")), "cut at {cut}");
        }
    }

    #[test]
    fn a_look_finds_what_is_kept_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let looked = AnswerJournal::look(&folder.path().join("not/yet/here")).unwrap();
        assert!(looked.is_empty() && std::fs::read_dir(folder.path()).unwrap().next().is_none());
        let journal = AnswerJournal::open(folder.path()).unwrap();
        journal.answer(&key("a"), read, || Ok(given(3))).unwrap();
        // A line that is being written, as a look may find it.
        let path = folder.path().join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(b"{\"key\": \"b");
        std::fs::write(&path, &bytes).unwrap();
        let looked = AnswerJournal::look(folder.path()).unwrap();
        assert_eq!((looked.len(), looked.has(&key("a"))), (1, true));
        assert!(looked.answer(&key("c"), read, || Ok(given(4))).unwrap_err().to_string().contains("cannot write"));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn lines_of_older_versions_count() {
        let folder = tempfile::tempdir().unwrap();
        let line = serde_json::json!({"key": "a", "answer": given(3).raw}).to_string();
        std::fs::write(folder.path().join("judge-journal.jsonl"), line + "\n").unwrap();
        let journal = AnswerJournal::open(folder.path()).unwrap();
        let older = Answer { origin: AnswerOrigin::default(), ..given(3) };
        assert_eq!(journal.answer(&key("a"), read, never).unwrap(), older);
    }

    #[test]
    fn broken_lines_are_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judge-journal.jsonl");
        let bad = b"{\"key\": \"x\", \"answer\": \"{\\\"penalty_1\\\": 99}\"}\n\0\0\0\n\xff\n{}\n";
        std::fs::write(&path, bad).unwrap();
        let journal = AnswerJournal::open(folder.path()).unwrap();
        assert!(journal.is_empty());
        journal.answer(&key("x"), read, || Ok(given(1))).unwrap();
        assert!(AnswerJournal::open(folder.path()).unwrap().has(&key("x")));
    }

    #[test]
    fn an_answer_of_another_form_is_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let is_valid = |raw: &str| raw.starts_with('{');
        let journal = AnswerJournal::open_with(folder.path(), is_valid).unwrap();
        let said = |said| Answer { raw: "{}".to_owned(), said, origin: AnswerOrigin::default() };
        assert_eq!(journal.answer(&key("a"), |_| None, || Ok(said(1))).unwrap(), said(1));
        assert_eq!(journal.answer(&key("a"), |_| Some(2), || panic!("asked again")).unwrap(), said(2));
        assert_eq!(journal.answer(&key("a"), |_| None, || Ok(said(3))).unwrap(), said(3));
        drop(journal);
        assert_eq!(AnswerJournal::open_with(folder.path(), is_valid).unwrap().len(), 1);
        assert!(AnswerJournal::open(folder.path()).unwrap().is_empty(), "no penalties");
    }

    #[test]
    fn those_who_want_the_same_at_once_ask_once() {
        let folder = tempfile::tempdir().unwrap();
        let journal = AnswerJournal::open(folder.path()).unwrap();
        let asked = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let got = journal.answer(&key("a"), read, || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        Ok(given(5))
                    });
                    assert_eq!(got.unwrap(), given(5));
                });
            }
        });
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
