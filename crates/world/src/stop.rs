//! A request to stop, by SIGINT or SIGTERM, checked between steps of work.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::base::error::{Context as _, Error, Result};

/// How often a sleeping thread checks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long work in progress may take to finish once a stop was requested.
pub const GRACE: Duration = Duration::from_secs(1);

/// The message of a stop.
pub const STOPPED: &str = "stopped by a signal";

/// Interrupts work in progress: a request, for example, by closing its connection.
pub type Cut = dyn Fn() + Send + Sync;

/// A flag that is set once and seen by all clones.
#[derive(Clone, Default)]
pub struct Stop {
    wanted: Arc<AtomicBool>,
    /// The number of the signal that asked for it; 0 if none did.
    signal: Arc<AtomicUsize>,
    cuts: Arc<Mutex<Vec<Weak<Cut>>>>,
    /// The stop that also ends this one.
    outer: Option<Box<Stop>>,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.is_wanted()).finish()
    }
}

impl Stop {
    /// The process's own stop: SIGINT and SIGTERM set it once a command listens for them. Whatever waits uses
    /// this one unless it was given another, so that no wait is overlooked.
    #[must_use]
    pub fn of_process() -> Stop {
        static OF_PROCESS: OnceLock<Stop> = OnceLock::new();
        OF_PROCESS.get_or_init(Stop::default).clone()
    }

    /// The process's own stop, listening from now on; a second signal ends the process at once.
    ///
    /// # Errors
    /// A signal handler cannot be installed.
    pub fn on_signals() -> Result<Stop> {
        // A command that runs as a step of another one must see a signal that arrived before it began.
        static LISTENS: OnceLock<()> = OnceLock::new();
        let stop = Stop::of_process();
        if LISTENS.get().is_some() {
            return Ok(stop);
        }
        let cannot = || "cannot listen for SIGINT and SIGTERM".to_owned();
        for signal in [SIGINT, SIGTERM] {
            // The order matters: at the first signal the flag is still unset, so the shutdown is skipped and
            // the flag set.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, stop.wanted.clone())
                .failed(cannot)?;
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, stop.signal.clone(), number).failed(cannot)?;
            signal_hook::flag::register(signal, stop.wanted.clone()).failed(cannot)?;
        }
        let watching = stop.clone();
        let watch = move || {
            while !watching.is_wanted() {
                std::thread::sleep(LOOK_EVERY);
            }
            std::thread::sleep(GRACE);
            watching.cut();
        };
        std::thread::Builder::new().name("stop".to_owned()).spawn(watch).failed(cannot)?;
        LISTENS.get_or_init(|| ());
        Ok(stop)
    }

    /// A stop of a part of the work: it is wanted with this one, or by itself.
    #[must_use]
    pub fn part(&self) -> Stop {
        Stop { outer: Some(Box::new(self.clone())), ..Stop::default() }
    }

    /// Registers `cut`, which is called when the grace period after a stop request has passed, for as long as
    /// the caller keeps it.
    pub fn when_over(&self, cut: &Arc<Cut>) {
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        cuts.retain(|cut| cut.strong_count() > 0);
        cuts.push(Arc::downgrade(cut));
        drop(cuts);
        if let Some(outer) = &self.outer {
            outer.when_over(cut);
        }
    }

    /// Interrupts what is still in progress.
    pub fn cut(&self) {
        // Cloned, so that the lock is not held while a cut runs.
        let cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        cuts.iter().filter_map(Weak::upgrade).for_each(|cut| cut());
    }

    /// Was a stop requested?
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) || self.outer.as_ref().is_some_and(|outer| outer.is_wanted())
    }

    /// The name of the signal that requested it, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<&'static str> {
        match i32::try_from(self.signal.load(Ordering::SeqCst)).unwrap_or_default() {
            SIGINT => Some("SIGINT"),
            SIGTERM => Some("SIGTERM"),
            _ => None,
        }
    }

    /// Requests a stop.
    pub fn ask(&self) {
        self.wanted.store(true, Ordering::SeqCst);
    }

    /// Sleeps this long, or until a stop is requested.
    pub fn sleep(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_wanted() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }

    /// Succeeds unless a stop was requested.
    ///
    /// # Errors
    /// A stop was requested.
    pub fn check(&self) -> Result<()> {
        if self.is_wanted() { Err(stopped()) } else { Ok(()) }
    }
}

/// The error with which a stopped command ends.
#[must_use]
pub fn stopped() -> Error {
    Error::outside(STOPPED).hint("run it again to go on")
}
