//! Requests that may be carried out at most once, such as messages to people: what is known of each afterwards.

use std::time::Duration;

use ureq::Timeout;

use super::Client;
use super::heed::Stopped;
use super::message::{Request, said};
use super::passing::asked;
use super::retry::failure;
use crate::stop::STOPPED;

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was answered.
    Answered {
        /// The answer's status.
        status: u16,
        /// The beginning of what the server says, fit to be shown.
        said: String,
        /// How long the server asks to be left alone.
        after: Option<Duration>,
    },
    /// It certainly did not arrive, for this reason: sending it again is safe.
    Unsent(String),
    /// It may have arrived: no answer came, for this reason.
    Unknown(String),
}

impl Client {
    /// Sends a request once. Redirects are answers, whatever the client does otherwise.
    #[must_use]
    pub fn deliver(&self, request: &Request<'_>) -> Delivery {
        if self.stop().is_wanted() {
            return Delivery::Unsent(STOPPED.to_owned());
        }
        let built = match request.build() {
            Ok(built) => built,
            Err(failure) => return Delivery::Unsent(self.failed(failure, request).reason().to_owned()),
        };
        match self.agent.run(built) {
            Ok(mut answer) => Delivery::Answered {
                status: answer.status().as_u16(),
                after: asked(answer.headers()),
                said: said(request, answer.body_mut()),
            },
            Err(error) => {
                let reason = self.failed(failure(&error), request).reason().to_owned();
                if is_before_sending(&error) { Delivery::Unsent(reason) } else { Delivery::Unknown(reason) }
            }
        }
    }
}

/// Did this happen before anything of the request was sent?
fn is_before_sending(error: &ureq::Error) -> bool {
    use std::io::ErrorKind;
    match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::BadUri(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_)
        | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        // While connecting; a request in flight ends with its connection instead.
        ureq::Error::Other(other) => other.is::<Stopped>(),
        ureq::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::AddrNotAvailable
                // A handshake that fails: a certificate that is not trusted, a server without TLS.
                | ErrorKind::InvalidData
                | ErrorKind::InvalidInput
        ),
        _ => false,
    }
}
