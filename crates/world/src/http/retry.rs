//! Which failures are retried, when, and how often.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, SystemTime};

use ureq::Timeout;

use super::heed::Stopped;
use super::secret::shown_text;
use crate::base::error::{Error, Result};
use crate::stop::{STOPPED, Stop, stopped};

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A retry cannot help: the reason.
    Permanent(String),
    /// A retry may help.
    Transient {
        /// The reason.
        reason: String,
        /// How long the server asks to be left alone.
        after: Option<Duration>,
        /// Was the request refused before anything was done with it? Then even a request that must not run
        /// twice may be sent again.
        unsent: bool,
    },
    /// A stop was requested: nothing was wrong.
    Stopped,
}

impl Failure {
    /// A failure that may go away by itself.
    pub fn transient(reason: impl fmt::Display) -> Self {
        Failure::Transient { reason: reason.to_string(), after: None, unsent: false }
    }

    /// A body of more than `most` bytes.
    pub(crate) fn too_long(most: u64) -> Self {
        Failure::Permanent(format!("the body is longer than {most} bytes"))
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Failure::Permanent(reason) | Failure::Transient { reason, .. } => reason,
            Failure::Stopped => STOPPED,
        }
    }
}

/// How often and how patiently to retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// The pause after the first failure; it doubles each time.
    pub first_pause: Duration,
    /// No pause is longer, whatever a server asks for.
    pub longest_pause: Duration,
}

impl Default for Retry {
    /// Four attempts over about four seconds, or as the server asks, up to a minute each.
    fn default() -> Self {
        let (first_pause, longest_pause) = (Duration::from_millis(500), Duration::from_secs(60));
        Retry { attempts: 4, first_pause, longest_pause }
    }
}

impl Retry {
    /// A single attempt.
    pub const ONCE: Retry = Retry { attempts: 1, first_pause: Duration::ZERO, longest_pause: Duration::ZERO };

    /// The pause after failed attempt `attempt` (from 1): what the server asks for, or the doubled pause plus
    /// up to a quarter. The jitter is derived from `what`: the same in each run, but different between
    /// requests, so that they are not all repeated at the same moment.
    #[must_use]
    pub fn pause(&self, attempt: u32, after: Option<Duration>, what: &str) -> Duration {
        let doubled = self.first_pause.saturating_mul(1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
        let mut hasher = DefaultHasher::new();
        (what, attempt).hash(&mut hasher);
        let quarters = u32::from(hasher.finish().to_be_bytes()[0]);
        let pause = doubled.saturating_add(doubled.saturating_mul(quarters) / 1024);
        after.unwrap_or(pause).min(self.longest_pause)
    }

    /// Attempts `what` until it succeeds, no attempt is left, or a stop is requested. An attempt that may have
    /// been carried out is repeated only if that is harmless (`repeatable`).
    ///
    /// # Errors
    /// The last failure, with the number of attempts.
    pub fn attempts<T>(
        &self,
        stop: &Stop,
        what: &str,
        repeatable: bool,
        attempt: impl FnMut() -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let pause = |time| {
            stop.sleep(time);
            !stop.is_wanted()
        };
        self.attempts_pausing(pause, what, repeatable, attempt)
    }

    /// As [`Retry::attempts`], for callers that pause themselves: `pause` says whether there may be another
    /// attempt.
    ///
    /// # Errors
    /// The last failure, with the number of attempts.
    pub fn attempts_pausing<T>(
        &self,
        mut pause: impl FnMut(Duration) -> bool,
        what: &str,
        repeatable: bool,
        mut attempt: impl FnMut() -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let most = self.attempts.max(1);
        let mut count = 1;
        loop {
            let failure = match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            match failure {
                Failure::Transient { after, unsent, .. } if count < most && (unsent || repeatable) => {
                    if !pause(self.pause(count, after, what)) {
                        return Err(stopped());
                    }
                    count += 1;
                }
                Failure::Transient { reason, .. } if count > 1 => {
                    return Err(Error::outside(format!("{what}: {reason} ({count} attempts)")));
                }
                Failure::Stopped => return Err(stopped()),
                failure => return Err(Error::outside(format!("{what}: {}", failure.reason()))),
            }
        }
    }
}

/// Parses a `Retry-After` header: seconds, or an HTTP date.
#[must_use]
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(SystemTime::from(date).duration_since(now).unwrap_or_default())
}

/// Classifies an error of ureq: is it worth a retry, and did it happen before the request was sent?
pub(super) fn failure(error: &ureq::Error) -> Failure {
    let unsent = |reason: String| Failure::Transient { reason, after: None, unsent: true };
    match error {
        ureq::Error::Io(error) => io_failure(error),
        ureq::Error::HostNotFound => unsent("no such host".to_owned()),
        ureq::Error::ConnectionFailed => unsent("cannot connect".to_owned()),
        ureq::Error::Timeout(when @ (Timeout::Resolve | Timeout::Connect)) => {
            unsent(format!("no connection in time ({when})"))
        }
        ureq::Error::Timeout(when) => Failure::transient(format!("no answer in time ({when})")),
        ureq::Error::Protocol(error) if is_header(error) => Failure::Permanent(not_http(error)),
        ureq::Error::Protocol(error) => Failure::transient(not_http(error)),
        ureq::Error::BodyStalled => Failure::transient("the body stopped"),
        ureq::Error::Other(other) if other.is::<Stopped>() => Failure::Stopped,
        other => Failure::Permanent(other_reason(other)),
    }
}

/// Is a header malformed? The server would send the same again. Other nonsense may be due to the connection: an
/// invalid status line may be left over from the previous answer.
fn is_header(error: &impl fmt::Display) -> bool {
    error.to_string().contains("header")
}

/// In what way an answer is not HTTP.
pub(super) fn not_http(error: &impl fmt::Display) -> String {
    format!("not HTTP as it should be: {}", shown_text(&error.to_string(), 200))
}

/// Any other error of ureq; errors of our own parts keep their text.
pub(super) fn other_reason(error: &ureq::Error) -> String {
    let said = match error {
        ureq::Error::Other(own) => own.to_string(),
        other => other.to_string(),
    };
    shown_text(&said, 200)
}

/// An I/O error; ureq's own errors arrive wrapped in one while a body is read.
pub(super) fn io_failure(error: &std::io::Error) -> Failure {
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        return failure(inner);
    }
    let reason = shown_text(&error.to_string(), 200);
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => Failure::Transient { reason, after: None, unsent: true },
        // Invalid certificates and the like.
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => Failure::Permanent(reason),
        _ => Failure::transient(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_stay_below_the_longest_and_are_the_same_on_each_run() {
        let retry = Retry::default();
        let pause = |attempt| retry.pause(attempt, None, "GET https://x.org").as_millis();
        assert!((500..=625).contains(&pause(1)) && (1000..=1250).contains(&pause(2)), "{} {}", pause(1), pause(2));
        assert_eq!(pause(3), pause(3));
        assert_eq!(pause(40), 60_000);
        assert_eq!(retry.pause(1, Some(Duration::from_secs(7)), ""), Duration::from_secs(7));
        assert_eq!(retry.pause(1, Some(Duration::from_secs(99_999)), ""), Duration::from_secs(60));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 5);
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("0.5", now), Some(Duration::from_millis(500)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(5)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now), Some(Duration::ZERO));
        for odd in ["", "soon", "-1", "NaN", "inf"] {
            assert_eq!(retry_after(odd, now), None, "{odd:?}");
        }
    }
}
