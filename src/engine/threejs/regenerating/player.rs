//! One player's pods, one after the other, until its repeats are done or there may be no more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::journal::Running;
use super::pod::{Pod, PodExit};
use super::run::RepeatsRun;
use super::storing::store_all;
use crate::base::error::{Error, Result};
use crate::rules::threejs::repeats::marks::RepeatMark;
use crate::rules::threejs::repeats::{Repeats, Work};
use crate::settings::audit::AuditSettings;
use crate::world::pods::PodName;
use crate::world::pods::lease::Keeper;

/// Runs a program's repeats as far as possible, and stores what it makes.
///
/// # Errors
/// Something failed that says nothing about the program.
pub(super) fn run(run: &RepeatsRun<'_>, running: &Running) -> Result<()> {
    find_lost(run, running)?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let storing = scope.spawn(|| store_all(run, running, || done.load(Ordering::SeqCst)));
        let pods = {
            let _done = Done(&done);
            pods(run, running)
        };
        let panicked = |_| Err(Error::failed("a worker thread panicked: this is a bug in gen404"));
        pods.and(storing.join().unwrap_or_else(panicked))
    })
}

/// Says that the pods are done, even if their thread panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Batches whose results did not survive are made again.
fn find_lost(run: &RepeatsRun<'_>, running: &Running) -> Result<()> {
    for (repeat, batch, _) in running.look(Repeats::unstored) {
        if running.folder.kept(repeat, batch, run.policy.archive)?.is_none() {
            running.note(RepeatMark::Lost { repeat, batch })?;
        }
    }
    Ok(())
}

/// Is there more to make, and may pods be ordered for it?
fn has_more(running: &Running) -> bool {
    running.look(|repeats| repeats.work() != Work::Nothing && repeats.may_order())
}

/// The pod with which a run that was killed left work undone. It may be gone.
pub(super) fn pod_left(running: &Running) -> Option<PodName> {
    let open = running.look(|repeats| repeats.open_pod().map(PodName::of_batches));
    open.filter(|_| has_more(running))
}

/// A program's pods, one after the other.
fn pods(run: &RepeatsRun<'_>, running: &Running) -> Result<()> {
    let report = |error: &Error| run.ui.error_line(&error.to_string());
    let keeper = Keeper::new(run.provider.as_ref(), &run.own, &report).metered(&run.meter);
    let prefix = PodName::batch_prefix(run.round, &running.job.player);
    let sweep = |except: Option<&PodName>| -> Result<()> {
        for name in keeper.sweep_named(&prefix, except)? {
            run.ui.status(&format!("released pod {name}, left by an earlier run"));
        }
        Ok(())
    };
    if !has_more(running) {
        return run.check();
    }
    let left = pod_left(running);
    sweep(left.as_ref())?;
    if run.is_stopping() || !run.is_wanted(&running.job.player)? {
        sweep(None)?;
        return run.check();
    }
    if let Some(left) = left {
        let player = &running.job.player;
        // Gone, or there are two of its name.
        let Some(lease) = keeper.adopt(&left)? else {
            sweep(None)?;
            return one_after_the_other(run, running, &keeper);
        };
        run.ui.status(&format!("{player}: goes on with pod {left}, left by an earlier run"));
        let pod = Pod { run, running, keeper: &keeper };
        match pod.go_on(lease)? {
            PodExit::Done => return run.check(),
            PodExit::Replace(why) | PodExit::NeverReady(why) | PodExit::NoCapacity(why) => {
                run.ui.status(&format!("{player}: lost a pod: {why}"));
            }
        }
    }
    one_after_the_other(run, running, &keeper)
}

/// Orders pods until nothing is left to make, or no pod may be ordered any more.
fn one_after_the_other(run: &RepeatsRun<'_>, running: &Running, keeper: &Keeper<'_>) -> Result<()> {
    let player = &running.job.player;
    let mut without: Option<Instant> = None;
    while has_more(running) && !run.is_stopping() && run.is_wanted(player)? {
        let pod = Pod { run, running, keeper };
        match pod.run()? {
            PodExit::Done => return run.check(),
            PodExit::Replace(why) => run.ui.status(&format!("{player}: lost a pod: {why}")),
            PodExit::NeverReady(why) => run.ui.status(&format!("{player}: a pod did not become ready: {why}")),
            PodExit::NoCapacity(why) => {
                let since = *without.get_or_insert_with(Instant::now);
                let seconds = run.settings.capacity_seconds;
                if since.elapsed() > AuditSettings::time(seconds) {
                    return Err(Error::outside(format!("{player}: no pod for {seconds:.0} s: {why}")));
                }
                run.pause(AuditSettings::time(run.settings.order_seconds).max(Duration::from_millis(10)));
                continue;
            }
        }
        without = None;
    }
    run.check()
}
