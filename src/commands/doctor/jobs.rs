//! Runs the checks side by side, each within a time limit, and keeps their order.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::finding::Finding;
use crate::base::error::{Context as _, Error, Result};
use crate::world::stop::{GRACE, Stop};

/// Time limit of every check. Each request has a shorter one.
const LIMIT: Duration = Duration::from_secs(45);

/// A check that asks something outside of this process.
pub(super) struct Job {
    /// What it checks.
    pub(super) name: &'static str,
    /// Its work.
    pub(super) run: Box<dyn FnOnce() -> Vec<Finding> + Send>,
}

impl Job {
    pub(super) fn new(name: &'static str, run: impl FnOnce() -> Vec<Finding> + Send + 'static) -> Self {
        Job { name, run: Box::new(run) }
    }
}

/// The findings of all jobs, in the jobs' order.
///
/// # Errors
/// No thread can be started, or a stop was requested.
pub(super) fn run(jobs: Vec<Job>, stop: &Stop) -> Result<Vec<Finding>> {
    run_within(LIMIT, jobs, stop)
}

fn run_within(limit: Duration, jobs: Vec<Job>, stop: &Stop) -> Result<Vec<Finding>> {
    let (done, finished) = channel();
    let names: Vec<&'static str> = jobs.iter().map(|job| job.name).collect();
    for (at, job) in jobs.into_iter().enumerate() {
        let done = done.clone();
        let work = move || {
            // The receiver is gone once the limit has passed.
            let _ = done.send((at, (job.run)()));
        };
        let thread = std::thread::Builder::new().name(job.name.to_owned());
        thread.spawn(work).failed(|| "cannot start a thread".to_owned())?;
    }
    drop(done);
    let mut found: Vec<Option<Vec<Finding>>> = vec![None; names.len()];
    let until = Instant::now() + limit;
    let mut late = false;
    while found.iter().any(Option::is_none) {
        match finished.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok((at, findings)) => {
                if let Some(slot) = found.get_mut(at) {
                    *slot = Some(findings);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                late = true;
                break;
            }
        }
    }
    stop.check()?;
    if late {
        // Ends what is under way, programs of others among it. Nothing else runs in this process.
        stop.ask();
        std::thread::sleep(GRACE + GRACE / 2);
        stop.cut();
    }
    let missing = |name| {
        let why = if late { format!("no end after {} s", limit.as_secs()) } else { "the check broke off".to_owned() };
        vec![Finding::fail(name, &Error::outside(why))]
    };
    Ok(found.into_iter().zip(names).flat_map(|(found, name)| found.unwrap_or_else(|| missing(name))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Status;

    #[test]
    fn the_order_is_that_of_the_jobs_and_a_broken_one_is_told() {
        let slow = || {
            std::thread::sleep(Duration::from_millis(50));
            vec![Finding::ok("a", "first"), Finding::ok("a", "second")]
        };
        let jobs = vec![Job::new("a", slow), Job::new("b", Vec::new), Job::new("c", || std::panic::panic_any("gone"))];
        let found = run(jobs, &Stop::default()).unwrap();
        let told: Vec<_> = found.iter().map(|finding| (finding.name, finding.status)).collect();
        assert_eq!(told, [("a", Status::Ok), ("a", Status::Ok), ("c", Status::Fail)]);
        let stop = Stop::default();
        stop.ask();
        assert!(run(Vec::new(), &stop).is_err());
    }

    #[test]
    fn what_does_not_end_is_told_and_stopped() {
        let stop = Stop::default();
        let waits = stop.clone();
        let endless = move || {
            waits.sleep(Duration::from_secs(600));
            Vec::new()
        };
        let jobs = vec![Job::new("a", || vec![Finding::ok("a", "done")]), Job::new("b", endless)];
        let found = run_within(Duration::from_millis(20), jobs, &stop).unwrap();
        assert_eq!(found.iter().map(|finding| finding.status).collect::<Vec<_>>(), [Status::Ok, Status::Fail]);
        assert!(stop.is_wanted() && found[1].what == "no end after 0 s");
    }
}
