//! Whoever wants to know at once of each commit: a command may be killed before it can report.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Is told a commit's id and message.
pub type Told = dyn Fn(&str, &str) + Send + Sync;

/// Passes each commit on. Clones pass on to the same listener.
#[derive(Clone, Default)]
pub struct Witness(Arc<Mutex<Option<Arc<Told>>>>);

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Witness").finish()
    }
}

impl Witness {
    /// From now on `told` hears of each commit.
    pub fn tell(&self, told: Arc<Told>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }

    /// A commit was made.
    pub fn committed(&self, id: &str, message: &str) {
        // Cloned, so that the lock is not held while someone listens.
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(told) = told {
            told(id, message);
        }
    }
}
