//! Connections whose waits end when a stop is requested.
//!
//! ureq closes open connections on request ([`ureq::Agent::shutdown`]); what comes before, looking up a name
//! and connecting, has to be interrupted here.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, unbounded};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Either, NextTimeout, TcpConnector, Transport};

use crate::stop::{Cut, STOPPED, Stop};

/// A connection attempt is restarted after this time, as TCP retransmits a lost SYN; in between the stop is
/// checked.
const SLICE: Duration = Duration::from_millis(1500);

/// How often a pending look-up is checked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The stop that a client's connections heed; it may be set after they are made.
#[derive(Debug, Clone, Default)]
pub(super) struct Heed(Arc<Mutex<Stop>>);

impl Heed {
    pub(super) fn set(&self, stop: &Stop) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = stop.clone();
    }

    fn check(&self) -> Result<(), ureq::Error> {
        let wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner).is_wanted();
        if wanted { Err(ureq::Error::Other(Box::new(Stopped))) } else { Ok(()) }
    }
}

/// A stop was requested.
#[derive(Debug)]
pub(super) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STOPPED)
    }
}

impl std::error::Error for Stopped {}

/// The connections of a client, which a stop closes. Clones share them.
#[derive(Clone)]
pub(super) struct Connections {
    stop: Stop,
    heed: Heed,
    cut: Arc<AtomicBool>,
    /// Kept as long as the client: the stop only has a weak reference to it.
    _end: Arc<Cut>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("stop", &self.stop).field("cut", &self.cut).finish_non_exhaustive()
    }
}

impl Connections {
    /// The connections of this agent, whose resolver and connector use `heed`.
    pub(super) fn new(agent: &ureq::Agent, heed: Heed, stop: &Stop) -> Self {
        let (cut, agent) = (Arc::new(AtomicBool::new(false)), agent.clone());
        let told = cut.clone();
        let end: Arc<Cut> = Arc::new(move || {
            told.store(true, Ordering::SeqCst);
            agent.clone().shutdown();
        });
        stop.when_over(&end);
        heed.set(stop);
        Connections { stop: stop.clone(), heed, cut, _end: end }
    }

    /// The same connections, closed by another stop.
    pub(super) fn heeding(&self, agent: &ureq::Agent, stop: &Stop) -> Self {
        Connections::new(agent, self.heed.clone(), stop)
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Were the connections closed because a stop was requested?
    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }
}

/// Makes TCP connections.
#[derive(Debug, Default)]
pub(super) struct Tcp {
    tcp: TcpConnector,
    heed: Heed,
}

impl Tcp {
    pub(super) fn new(heed: &Heed) -> Self {
        Tcp { tcp: TcpConnector::default(), heed: heed.clone() }
    }
}

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, <TcpConnector as Connector<In>>::Out>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let begun = Instant::now();
        loop {
            self.heed.check()?;
            let left = details.timeout.after.saturating_sub(begun.elapsed());
            let slice = part(details, left.min(SLICE));
            match Connector::<In>::connect(&self.tcp, &slice, None) {
                Err(ureq::Error::Timeout(_)) if left > SLICE => {}
                made => return Ok(made?.map(Either::B)),
            }
        }
    }
}

/// The same connection with a shorter timeout.
fn part<'a>(details: &ConnectionDetails<'a>, wait: Duration) -> ConnectionDetails<'a> {
    let mut addrs = details.resolver.empty();
    for address in &details.addrs {
        addrs.push(*address);
    }
    ConnectionDetails {
        uri: details.uri,
        addrs,
        config: details.config,
        request_level: details.request_level,
        resolver: details.resolver,
        now: (details.current_time)(),
        timeout: NextTimeout { after: time::Duration::Exact(wait), ..details.timeout },
        current_time: details.current_time.clone(),
        run_connector: details.run_connector.clone(),
        register_shutdown: details.register_shutdown.clone(),
    }
}

/// The system's name look-up.
#[derive(Debug, Default)]
pub(super) struct System {
    heed: Heed,
}

impl System {
    pub(super) fn new(heed: &Heed) -> Self {
        System { heed: heed.clone() }
    }
}

impl Resolver for System {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (tell, heard) = unbounded();
        let (asked, how) = (uri.clone(), config.clone());
        // In a thread that is abandoned if no answer comes: a look-up cannot be interrupted.
        let look_up = move || {
            let unhurried = NextTimeout { after: time::Duration::NotHappening, ..timeout };
            // The receiver is gone if the answer comes too late.
            let _ = tell.send(DefaultResolver::default().resolve(&asked, &how, unhurried));
        };
        std::thread::Builder::new().name("resolve".to_owned()).spawn(look_up)?;
        let begun = Instant::now();
        loop {
            self.heed.check()?;
            let left = timeout.after.saturating_sub(begun.elapsed());
            match heard.recv_timeout(left.min(LOOK_EVERY)) {
                Ok(found) => return found,
                Err(RecvTimeoutError::Timeout) if left > LOOK_EVERY => {}
                Err(RecvTimeoutError::Timeout) => return Err(ureq::Error::Timeout(timeout.reason)),
                Err(RecvTimeoutError::Disconnected) => return Err(ureq::Error::HostNotFound),
            }
        }
    }
}
