//! One gen404 at a time on a repository.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::base::error::{Context, Error, Kind, Result};
use crate::base::files;

/// The lock, held until dropped. The operating system releases it when the process ends, even by a kill.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// What to do when another process holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contended {
    /// Wait until it is free.
    Wait,
    /// Fail at once, naming the holder.
    Fail,
}

impl Lock {
    /// Takes the lock in `own`, the operator's own folder of the repository, for `command`. While another
    /// process holds it, `waiting` is called with the holder before each new try; it should pause.
    ///
    /// # Errors
    /// Another process holds it (with [`Contended::Fail`]), the folder cannot be written, or a pause
    /// ends the wait.
    pub fn take(
        own: &Path,
        command: &str,
        contended: Contended,
        mut waiting: impl FnMut(&str) -> Result<()>,
    ) -> Result<Lock> {
        files::make_folder(own)?;
        let path: PathBuf = own.join("lock");
        let cannot = || format!("{}: cannot lock", path.display());
        let mut file = files::update(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(e)) => return Err(Error::failed(cannot()).because(e)),
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut file);
                if contended == Contended::Fail {
                    let busy = Error::new(Kind::Busy, format!("{}: held by {holder}", path.display()));
                    return Err(busy.hint("wait for it with --wait-lock, or try again later"));
                }
                loop {
                    waiting(&holder)?;
                    match file.try_lock() {
                        Ok(()) => break,
                        Err(TryLockError::WouldBlock) => {}
                        Err(TryLockError::Error(e)) => return Err(Error::failed(cannot()).because(e)),
                    }
                }
            }
        }
        let note = format!("{} {command}\n", std::process::id());
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(note.as_bytes())).failed(cannot)?;
        Ok(Lock { file })
    }
}

impl Lock {
    /// Who holds the lock in `own`; `None` if it is free. Nothing is written.
    ///
    /// # Errors
    /// It cannot be inspected.
    pub fn held_by(own: &Path) -> Result<Option<String>> {
        let path = own.join("lock");
        let Some(mut file) = files::open(&path, false)? else { return Ok(None) };
        // A shared lock, so that two who look do not see each other.
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut file))),
            Err(TryLockError::Error(e)) => Err(Error::failed(format!("{}: cannot lock", path.display())).because(e)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The note is only read while the lock is held, so a failure does no harm.
        let _ = self.file.set_len(0);
    }
}

/// Who holds the lock, by the note inside.
fn holder(file: &mut File) -> String {
    let mut note = String::new();
    let read = file.rewind().and_then(|()| file.take(200).read_to_string(&mut note));
    match (read, note.trim().split_once(' ')) {
        (Ok(_), Some((pid, command))) => format!("pid {pid} (gen404 {command})"),
        _ => "another gen404 that is just starting".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_told_who_holds_it() {
        let own = tempfile::tempdir().unwrap();
        let first = Lock::take(own.path(), "finalize", Contended::Fail, |_| Ok(())).unwrap();
        let refused = Lock::take(own.path(), "open", Contended::Fail, |_| Ok(())).unwrap_err().to_string();
        assert!(refused.contains(&format!("held by pid {} (gen404 finalize)", std::process::id())), "{refused}");
        assert!(Lock::held_by(own.path()).unwrap().unwrap().ends_with("(gen404 finalize)"));
        drop(first);
        assert_eq!(Lock::held_by(own.path()).unwrap(), None);
        assert_eq!(Lock::held_by(&own.path().join("none")).unwrap(), None);
        Lock::take(own.path(), "open", Contended::Fail, |_| Ok(())).unwrap();
    }

    #[test]
    fn a_waiter_gets_it_when_the_holder_is_done() {
        let own = tempfile::tempdir().unwrap();
        let first = Lock::take(own.path(), "finalize", Contended::Fail, |_| Ok(())).unwrap();
        let (told, hears) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                Lock::take(own.path(), "open", Contended::Wait, |holder| {
                    // The receiver is gone once the lock is free.
                    let _ = told.send(holder.to_owned());
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    Ok(())
                })
            });
            assert!(hears.recv().unwrap().contains("finalize"));
            drop(first);
            waiter.join().unwrap().unwrap();
        });
        let _held = Lock::take(own.path(), "finalize", Contended::Fail, |_| Ok(())).unwrap();
        let ended = Lock::take(own.path(), "open", Contended::Wait, |_| Err(Error::outside("stopped")));
        assert_eq!(ended.unwrap_err().to_string(), "stopped");
    }
}
