//! A wish to stop, from SIGINT or SIGTERM: looked at between two steps of work.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::base::error::{Context as _, Error, Result};

/// How often a sleeper looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is under way when somebody asks to stop has so long to come to its end by itself.
pub const GRACE: Duration = Duration::from_secs(1);

/// What is said of a stop.
pub const STOPPED: &str = "stopped by a signal";

/// What ends something that is under way: a request, say, by closing its connection.
pub type Cut = dyn Fn() + Send + Sync;

/// Told once, seen by all clones.
#[derive(Clone, Default)]
pub struct Stop {
    wanted: Arc<AtomicBool>,
    cuts: Arc<Mutex<Vec<Weak<Cut>>>>,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.is_wanted()).finish()
    }
}

impl Stop {
    /// The process's one: SIGINT and SIGTERM set it once a command listens for them. Whatever waits
    /// does so on this one, where it is given no other: so no wait is forgotten.
    #[must_use]
    pub fn of_process() -> Stop {
        static OF_PROCESS: OnceLock<Stop> = OnceLock::new();
        OF_PROCESS.get_or_init(Stop::default).clone()
    }

    /// The process's one, listening from now on; a second signal ends the process at once.
    ///
    /// # Errors
    /// The system takes no handler.
    pub fn on_signals() -> Result<Stop> {
        // A command that is a step of another one sees a signal that came before it began.
        static LISTENS: OnceLock<()> = OnceLock::new();
        let stop = Stop::of_process();
        if LISTENS.get().is_some() {
            return Ok(stop);
        }
        let cannot = || "cannot listen for SIGINT and SIGTERM".to_owned();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, and only sets it.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, stop.wanted.clone())
                .failed(cannot)?;
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

    /// Has `cut` called when a grace period has passed since somebody asked to stop, for as long as the
    /// caller keeps it.
    pub fn when_over(&self, cut: &Arc<Cut>) {
        let mut cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner);
        cuts.retain(|cut| cut.strong_count() > 0);
        cuts.push(Arc::downgrade(cut));
    }

    /// Ends what is still under way.
    pub fn cut(&self) {
        let cuts = self.cuts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        cuts.iter().filter_map(Weak::upgrade).for_each(|cut| cut());
    }

    /// Has somebody asked to stop?
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    /// Asks to stop.
    pub fn ask(&self) {
        self.wanted.store(true, Ordering::SeqCst);
    }

    /// Waits so long, or until somebody asks to stop.
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

    /// Goes on, unless somebody asked to stop.
    ///
    /// # Errors
    /// Somebody did.
    pub fn check(&self) -> Result<()> {
        if self.is_wanted() { Err(stopped()) } else { Ok(()) }
    }
}

/// What a command ends with that somebody asked to stop.
#[must_use]
pub fn stopped() -> Error {
    Error::outside(STOPPED).hint("run it again to go on")
}
