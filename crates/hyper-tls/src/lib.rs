//! What `rusoto_core` takes from hyper-tls, without OpenSSL: the name of the connector that its own
//! HTTP client is built on. gen404 gives rusoto a dispatcher of its own (`crates/world/src/store/dispatch.rs`),
//! so no request comes this way; one that did would be refused, never sent without TLS.

use std::future::{Ready, ready};
use std::io;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper::service::Service;
use tokio::net::TcpStream;

/// Refuses every connection.
#[derive(Debug, Clone, Default)]
pub struct HttpsConnector<T>(PhantomData<T>);

impl HttpsConnector<hyper::client::HttpConnector> {
    /// The one that `rusoto_core::HttpClient::new` makes.
    #[must_use]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Service<Uri> for HttpsConnector<T> {
    type Response = TcpStream;
    type Error = io::Error;
    type Future = Ready<io::Result<TcpStream>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        ready(Err(io::Error::new(io::ErrorKind::Unsupported, format!("{to}: built without rusoto's own HTTPS client"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent() {
        let mut connector = HttpsConnector::new();
        let refused = connector.call(Uri::from_static("https://example.org/")).into_inner();
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::Unsupported);
    }
}
