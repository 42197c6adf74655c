//! Redirects, followed hop by hop.
//!
//! Only requests that change nothing are redirected: a POST that arrived elsewhere as a GET would be another
//! request. The target is resolved as browsers do ([`resolve`]), and each hop must pass the same rules as the
//! first URL.

use std::io::Read as _;
use std::time::Instant;

use ureq::http::{self, Method, header};

use super::message::OPEN_HEADERS;
use super::retry::{Failure, failure};
use super::secret::shown_url;
use super::{Client, Request};
use crate::base::url::resolve;

/// How much of a redirect's own body is read, so that its connection can be reused.
const BODY: u64 = 16 << 10;

impl Client {
    /// Sends a request and follows redirects; returns the first answer that is not one.
    pub(super) fn follow(&self, request: &Request<'_>) -> Result<http::Response<ureq::Body>, Failure> {
        let begun = Instant::now();
        let mut next = request.build()?;
        let mut hops = 0;
        loop {
            let sent = next.clone();
            let answer = if hops == 0 {
                self.agent.run(sent)
            } else {
                let left = self.limits.whole.saturating_sub(begun.elapsed());
                self.agent.run(self.agent.configure_request(sent).timeout_global(Some(left)).build())
            };
            let mut answer = answer.map_err(|e| failure(&e))?;
            let Some(to) = self.leads_to(request, &next, &answer)? else { return Ok(answer) };
            if hops == self.redirects {
                return Err(Failure::Permanent("too many redirects".to_owned()));
            }
            // A longer or missing body only costs the connection.
            let _ = answer.body_mut().as_reader().take(BODY).read_to_end(&mut Vec::new());
            next = further(&next, to)?;
            hops += 1;
        }
    }

    /// Where an answer redirects to, if that is to be followed.
    fn leads_to(
        &self,
        request: &Request<'_>,
        sent: &http::Request<&[u8]>,
        answer: &http::Response<ureq::Body>,
    ) -> Result<Option<String>, Failure> {
        let status = answer.status().as_u16();
        if self.redirects == 0 || !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        // The last one counts, as everywhere.
        let location = answer.headers().get_all(header::LOCATION).into_iter().next_back();
        let Some(location) = location else {
            return Err(Failure::Permanent(format!(
                "status {status} without a Location header: it does not say where to"
            )));
        };
        let shown = || {
            let text = String::from_utf8_lossy(location.as_bytes());
            // An empty one, or a fragment, which is not shown.
            match shown_url(&request.blanks().hide(&text)) {
                url if url.is_empty() => "nowhere".to_owned(),
                url => format!("to {url}"),
            }
        };
        if !matches!(*sent.method(), Method::GET | Method::HEAD) {
            let method = sent.method();
            return Err(Failure::Permanent(format!(
                "status {status}: a {method} is not sent on by a redirect, here {}; name that address",
                shown()
            )));
        }
        let to = resolve(&sent.uri().to_string(), location.as_bytes());
        to.map(Some).map_err(|why| Failure::Permanent(format!("redirected {}: {why}", shown())))
    }
}

/// The same request for another address, without anything that may be a key.
fn further<'b>(sent: &http::Request<&'b [u8]>, to: String) -> Result<http::Request<&'b [u8]>, Failure> {
    let mut next = http::Request::builder().method(sent.method()).uri(to);
    for (name, value) in sent.headers().iter().filter(|(name, _)| OPEN_HEADERS.contains(&name.as_str())) {
        next = next.header(name, value);
    }
    next.body(*sent.body()).map_err(|e| Failure::Permanent(format!("redirected to no URL: {e}")))
}
