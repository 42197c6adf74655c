//! What `gen404 doctor` learns from a driver by its cheapest call. Each client has its probe beside it and sends it
//! through the same code as its work, so that what is said of it holds for a round.

use std::time::{Duration, SystemTime};

use crate::base::error::Result;
use crate::http::{Client, HttpLimits, Request, Retry};

/// Time limit of a probe's request, where the client has none of its own.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A driver that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What it said, in a line.
    pub said: String,
    /// What to do about it, if it works but something is odd.
    pub doubt: Option<String>,
}

impl Probed {
    /// All is well.
    #[must_use]
    pub fn fine(said: impl Into<String>) -> Self {
        Probed { said: said.into(), doubt: None }
    }

    /// It works, but something should be looked at.
    #[must_use]
    pub fn doubtful(said: impl Into<String>, doubt: impl Into<String>) -> Self {
        Probed { said: said.into(), doubt: Some(doubt.into()) }
    }
}

/// A client for single requests of probes.
#[must_use]
pub fn client() -> Client {
    let (connect, body) = (PATIENCE / 2, 1 << 20);
    let limits = HttpLimits { connect, idle: PATIENCE, whole: PATIENCE, body, ..HttpLimits::default() };
    Client::unkept(limits, Retry::ONCE).hearing_all()
}

/// By how many seconds this machine's clock is ahead of a server's, which says its time with any answer; `None` if it
/// does not.
///
/// # Errors
/// It does not answer.
pub fn ahead_of(url: &str) -> Result<Option<i64>> {
    let asked = SystemTime::now();
    let response = client().unredirected().send(&Request::get(url))?;
    // The time is that of the answer: half of the exchange lies behind it.
    let now = asked + asked.elapsed().unwrap_or_default() / 2;
    let date = response.header("date").and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
    Ok(date.map(|date| chrono::DateTime::<chrono::Utc>::from(now).timestamp() - date.timestamp()))
}
