//! Storing the modules of finished batches, with their views, while the pod works on the next batch.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::archive::BatchResults;
use super::journal::Running;
use super::run::RepeatsRun;
use crate::base::error::{Error, Result};
use crate::model::ids::PromptStem;
use crate::rules::threejs::repeats::Repeats;
use crate::rules::threejs::repeats::marks::RepeatMark;

/// How often it is looked whether a batch has been finished.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Stores modules as batches are finished, until the pods are done (`is_last`) and nothing is left.
///
/// # Errors
/// A module could not be stored: nothing is held against its program.
pub(super) fn store_all(run: &RepeatsRun<'_>, running: &Running, is_last: impl Fn() -> bool) -> Result<()> {
    let mut tried = BTreeSet::new();
    let mut failed = None;
    loop {
        // Asked first: what is finished after this look is found by the next.
        let last = is_last();
        let open = running.look(Repeats::unstored);
        let next = open.into_iter().find(|(repeat, batch, _)| !tried.contains(&(*repeat, *batch)));
        match next {
            _ if run.is_stopping() => return run.check(),
            Some((repeat, batch, stems)) => {
                tried.insert((repeat, batch));
                if let Err(error) = store(run, running, (repeat, batch), &stems) {
                    failed.get_or_insert(error);
                }
                run.tell_saved(running);
            }
            None if last => return failed.map_or(Ok(()), Err),
            None => std::thread::sleep(LOOK_AGAIN),
        }
    }
}

/// Stores the modules of a batch that are not stored yet.
fn store(run: &RepeatsRun<'_>, running: &Running, (repeat, batch): (u32, usize), stems: &[PromptStem]) -> Result<()> {
    let kept = running.folder.kept(repeat, batch, run.policy.archive)?;
    let Some(results) = kept.and_then(|archive| BatchResults::read(&archive, stems).ok()) else {
        // After a power failure the note may have survived without the bytes.
        return running.note(RepeatMark::Lost { repeat, batch });
    };
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..run.settings.bodies.min(stems.len()) {
            scope.spawn(|| {
                while let Some(stem) = stems.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if run.is_stopping() {
                        return;
                    }
                    let stored = results.module(stem).map(|source| one(run, running, repeat, stem, source));
                    if let Some(Err(error)) = stored {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let whole = running.look(|repeats| !repeats.unstored().iter().any(|(r, b, _)| (*r, *b) == (repeat, batch)));
    if whole { running.folder.drop_kept(repeat, batch) } else { run.check() }
}

fn one(run: &RepeatsRun<'_>, running: &Running, repeat: u32, stem: &PromptStem, source: &[u8]) -> Result<()> {
    let prompt = run.prompt(stem).ok_or_else(|| Error::failed(format!("{stem} is not a prompt of this round")))?;
    let _permit = run.drawing.acquire(1, &|| run.is_stopping());
    run.check()?;
    let folder = format!("generated_{repeat}");
    let module = run.modules.put(&running.job.player, &folder, (stem, &prompt), source, &run.stop)?;
    running.note(RepeatMark::Stored { repeat, stem: stem.clone(), module })
}
