//! Telling people and monitors outside: messages to chat services, and pings that say that a schedule is alive.
//!
//! Only the operator's own settings choose where anything goes. A message is never sent twice: what may have arrived
//! counts as sent ([`Sent::Unknown`]).

mod bodies;
mod escapes;
pub mod settings;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::settings::{Endpoints, HeartbeatSettings, NotifySettings, OutboxSettings};
use crate::base::error::Error;
use crate::base::url::{Host, HttpUrl};
use crate::http::{Blanks, Client, Delivery, HttpLimits, Request, Retry, Secret};
use crate::probe;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The competition moved to another stage or round.
    StageMoved,
    /// A miner has to be audited.
    AuditAsked,
    /// A miner's audit was decided.
    Verdict,
    /// A round has its winner.
    Winner,
    /// The competition is over.
    Finished,
    /// A step failed that did not fail so before.
    FailureFirstSeen,
    /// Such a failure is over.
    FailureOver,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 7] = [
        EventKind::StageMoved,
        EventKind::AuditAsked,
        EventKind::Verdict,
        EventKind::Winner,
        EventKind::Finished,
        EventKind::FailureFirstSeen,
        EventKind::FailureOver,
    ];

    /// Its name in settings and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::StageMoved => "stage_moved",
            EventKind::AuditAsked => "audit_asked",
            EventKind::Verdict => "verdict",
            EventKind::Winner => "winner",
            EventKind::Finished => "finished",
            EventKind::FailureFirstSeen => "failure_first_seen",
            EventKind::FailureOver => "failure_over",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A message. Its texts are fit to be shown: on one line each, cut, and without secrets. Each service escapes them in
/// its own way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Unique.
    pub id: String,
    /// What it is about.
    pub event: EventKind,
    /// When it was noticed (UTC, RFC 3339).
    pub time: String,
    /// The competition's name.
    pub competition: String,
    /// The round that it is about.
    pub round: Option<u32>,
    /// The headline.
    pub title: String,
    /// The message.
    pub text: String,
    /// The same as data.
    pub details: Map<String, Value>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The service took it.
    Taken,
    /// The service does not take this message; others may pass.
    Refused(String),
    /// It did not arrive, and others will not either for now.
    Failed {
        /// Why.
        reason: String,
        /// How long the service asks to be left alone.
        after: Option<Duration>,
    },
    /// It may have arrived, or not: no answer came.
    Unknown(String),
}

/// Statuses with which a server refuses one message, not all of them.
const OF_THE_MESSAGE: [u16; 5] = [400, 406, 413, 415, 422];

/// Parts of a URL that are longer are no words, but keys.
const LONGEST_WORD: usize = 12;

/// How much of an answer is read.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Where messages or pings go.
#[derive(Clone)]
pub struct Target {
    url: Secret,
    /// Its host, for messages: the rest may be secret.
    host: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.host).finish()
    }
}

impl Target {
    /// The target at this URL; the error does not quote it.
    ///
    /// # Errors
    /// It is not an http(s) URL.
    fn new(url: Secret) -> Result<Target, String> {
        let host = match HttpUrl::parse(url.expose()) {
            Ok(HttpUrl { host: Host::Name(name), .. }) => name.to_owned(),
            Ok(HttpUrl { host: Host::Ip(ip), .. }) => ip.to_string(),
            Err(_) => return Err("it is not an http(s) URL without user and fragment".to_owned()),
        };
        Ok(Target { url, host })
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The parts of the URL after its host that have so many characters: webhooks' paths and topics' names are keys.
    fn parts(&self, least: usize) -> Vec<Secret> {
        let rest = HttpUrl::parse(self.url.expose()).map(|url| url.rest).unwrap_or_default();
        let parts = rest.split(['/', '?', '&', '=', '#']).filter(|part| part.len() >= least);
        parts.map(Secret::new).collect()
    }

    /// Adds what no message may show of it. Shorter parts are words.
    pub fn hide_in(&self, blanks: &mut Blanks) {
        self.parts(LONGEST_WORD).iter().for_each(|part| blanks.add_whole(part.expose()));
    }

    /// Sends a message within this time.
    #[must_use]
    pub fn send(&self, kind: settings::Service, notice: &Notice, within: Duration) -> Sent {
        self.ask(bodies::request(kind, self.url.expose(), notice), within)
    }

    /// Sends a ping of this kind within this time.
    #[must_use]
    pub fn ping(&self, ping: Ping, within: Duration) -> Sent {
        self.ask(Request::get(ping.url(self.url.expose())), within)
    }

    /// Asks the server for its first page, to see whether it answers: no message and no key is sent.
    ///
    /// # Errors
    /// It does not answer.
    pub fn reach(&self) -> Result<(), Error> {
        let url = self.url.expose();
        let rest = HttpUrl::parse(url).map_or(0, |url| url.rest.len());
        probe::ahead_of(&format!("{}/", url.get(..url.len() - rest).unwrap_or_default())).map(drop)
    }

    fn ask(&self, request: Request<'_>, within: Duration) -> Sent {
        // A connection takes at most half of the time, so that its failure is told from that of an answer.
        let limits = HttpLimits {
            connect: within / 2,
            idle: within,
            whole: within,
            body: LONGEST_ANSWER,
            min_rate: 0,
            rate_grace: Duration::ZERO,
        };
        let request = self.parts(1).iter().fold(request, Request::secret);
        match Client::unkept(limits, Retry::ONCE).deliver(&request) {
            Delivery::Answered { status: 200..=299, .. } => Sent::Taken,
            Delivery::Answered { status: status @ 300..=399, .. } => Sent::Failed {
                reason: format!("status {status}: redirects are not followed; name the address itself"),
                after: None,
            },
            Delivery::Answered { status, said, after } => {
                let reason =
                    if said.is_empty() { format!("status {status}") } else { format!("status {status}: {said}") };
                if OF_THE_MESSAGE.contains(&status) { Sent::Refused(reason) } else { Sent::Failed { reason, after } }
            }
            Delivery::Unsent(reason) => Sent::Failed { reason, after: None },
            Delivery::Unknown(reason) => Sent::Unknown(reason),
        }
    }
}

/// A ping, as healthchecks.io and its kin take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    /// A run begins.
    Start,
    /// A run succeeded.
    Success,
    /// A run failed.
    Fail,
}

impl Ping {
    /// The URL that says so: a last segment of the path, before any query.
    fn url(self, url: &str) -> String {
        let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
        let path = path.trim_end_matches('/');
        match self {
            Ping::Success => url.to_owned(),
            Ping::Start => format!("{path}/start{query}"),
            Ping::Fail => format!("{path}/fail{query}"),
        }
    }

    /// Its name in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Ping::Start => "start",
            Ping::Success => "success",
            Ping::Fail => "fail",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_are_told_by_the_end_of_the_path() {
        for (url, start, fail) in [
            ("https://hc.example/a", "https://hc.example/a/start", "https://hc.example/a/fail"),
            (
                "https://hc.example/a/?rid=1/2",
                "https://hc.example/a/start?rid=1/2",
                "https://hc.example/a/fail?rid=1/2",
            ),
        ] {
            assert_eq!((Ping::Start.url(url).as_str(), Ping::Fail.url(url).as_str()), (start, fail));
            assert_eq!(Ping::Success.url(url), url);
        }
    }

    #[test]
    fn nothing_of_a_url_but_its_host_is_shown() {
        let target = Target::new(Secret::new("https://hooks.example/services/B0123456789ab?auth=hunter2")).unwrap();
        assert_eq!(format!("{target:?}"), "Target(\"hooks.example\")");
        let mut blanks = Blanks::default();
        target.hide_in(&mut blanks);
        let shown = blanks.hide("the services at https://other.example: B0123456789ab").into_owned();
        assert_eq!(shown, "the services at https://other.example: ***");
        assert!(Target::new(Secret::new("ftp://hunter2/")).unwrap_err().contains("http(s)"));
    }
}
