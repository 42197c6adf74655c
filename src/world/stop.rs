//! A wish to stop, from SIGINT or SIGTERM: looked at between two steps of work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::error::{Context as _, Error, Result};

/// How often a sleeper looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Told once, seen by all clones.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// The process's one that SIGINT and SIGTERM set; a second signal ends the process at once.
    ///
    /// # Errors
    /// The system takes no handler.
    pub fn on_signals() -> Result<Stop> {
        // A command that is a step of another one sees a signal that came before it began.
        static OF_PROCESS: OnceLock<Stop> = OnceLock::new();
        if let Some(stop) = OF_PROCESS.get() {
            return Ok(stop.clone());
        }
        let stop = Stop::default();
        let cannot = || "cannot listen for SIGINT and SIGTERM".to_owned();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, and only sets it.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, stop.0.clone()).failed(cannot)?;
            signal_hook::flag::register(signal, stop.0.clone()).failed(cannot)?;
        }
        Ok(OF_PROCESS.get_or_init(|| stop).clone())
    }

    /// Has somebody asked to stop?
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
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
        if self.is_wanted() {
            return Err(Error::outside("stopped by a signal").hint("run it again to go on"));
        }
        Ok(())
    }
}
