//! Connections that are not waited for once somebody asked to stop.
//!
//! ureq closes what is connected when it is told to ([`ureq::Agent::shutdown`]); the ways there, a
//! name's look-up and the making of a connection, are ours to cut short.

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

use crate::world::stop::{Cut, STOPPED, Stop};

/// So long is a connection waited for before it is begun again, as the system does with what was lost
/// on the way: in between it is looked whether somebody wants to stop.
const SLICE: Duration = Duration::from_millis(1500);

/// How often a look-up is looked after.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The stop that a client's connections heed: it may be given later than they are made.
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

/// Somebody asked to stop.
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
    /// Kept for as long as the client is: the stop has no hold of its own on it.
    _end: Arc<Cut>,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("stop", &self.stop).field("cut", &self.cut).finish_non_exhaustive()
    }
}

impl Connections {
    /// The connections of this agent, whose resolver and connector go by `heed`.
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

    /// Have the connections been closed, because somebody asked to stop?
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

/// The same connection, waited for no longer than this.
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

/// Looks names up by the system.
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
        // In a thread that is left behind where the answer does not come: nothing else ends a look-up.
        let look_up = move || {
            let unhurried = NextTimeout { after: time::Duration::NotHappening, ..timeout };
            // Nobody hears it where it comes too late.
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
