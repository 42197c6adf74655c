//! A request to send and the answer to it.

use std::borrow::Cow;
use std::io::Read;

use ureq::http::{self, HeaderMap, Method};

use super::retry::Failure;
use super::secret::{Secret, shown_text, shown_url};
use crate::error::{Error, Result};

/// A request, with what may be said about it.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    method: Method,
    url: Cow<'a, str>,
    headers: Vec<(&'a str, Secret)>,
    body: Cow<'a, [u8]>,
    name: Option<String>,
    pub(super) repeatable: bool,
}

impl<'a> Request<'a> {
    /// A request of this method. GET, HEAD, PUT and DELETE may be sent again after any transient
    /// failure; others only where the server certainly did nothing yet, unless
    /// [`Request::repeatable`] says more.
    pub fn new(method: Method, url: impl Into<Cow<'a, str>>) -> Self {
        let repeatable = method.is_idempotent();
        Request { method, url: url.into(), headers: Vec::new(), body: Cow::Borrowed(&[]), name: None, repeatable }
    }

    /// A GET.
    pub fn get(url: impl Into<Cow<'a, str>>) -> Self {
        Request::new(Method::GET, url)
    }

    /// A POST of JSON.
    pub fn post_json(url: impl Into<Cow<'a, str>>, json: impl Into<Cow<'a, [u8]>>) -> Self {
        Request::new(Method::POST, url).header("content-type", "application/json").body(json)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: &str) -> Self {
        self.headers.push((name, Secret::new(value)));
        self
    }

    /// Adds `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        self.header("authorization", &format!("Bearer {}", token.expose()))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Cow<'a, [u8]>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets what messages call this request, where method and URL do not tell, or tell too much.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says that running twice does no harm.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// What messages call this request: the name given to it, or method and URL without tokens.
    #[must_use]
    pub fn shown(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("{} {}", self.method, shown_url(&self.url)))
    }

    pub(super) fn build(&self) -> std::result::Result<http::Request<&[u8]>, Failure> {
        // http's own errors quote no values.
        self.head()?.body(self.body.as_ref()).map_err(|e| Failure::Permanent(e.to_string()))
    }

    /// The request with a body of `length` bytes that is read while it is sent.
    pub(super) fn build_streamed<'r>(
        &self,
        body: &'r mut dyn Read,
        length: u64,
    ) -> std::result::Result<http::Request<ureq::SendBody<'r>>, Failure> {
        let head = self.head()?.header("content-length", length);
        head.body(ureq::SendBody::from_reader(body)).map_err(|e| Failure::Permanent(e.to_string()))
    }

    fn head(&self) -> std::result::Result<http::request::Builder, Failure> {
        let mut builder = http::Request::builder().method(&self.method).uri(self.url.as_ref());
        for (name, value) in &self.headers {
            let mut header = http::HeaderValue::from_str(value.expose()).map_err(|_| {
                Failure::Permanent(format!("the value of header {name} holds characters that cannot be sent"))
            })?;
            header.set_sensitive(true);
            builder = builder.header(*name, header);
        }
        Ok(builder)
    }
}

/// A final answer: 2xx, 3xx that is not followed, or a 4xx other than 429.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Vec<u8>,
    pub(super) what: String,
}

impl Response {
    /// A header's value, where it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The beginning of the body as messages show it.
    #[must_use]
    pub fn shown_body(&self) -> String {
        shown_text(&String::from_utf8_lossy(self.body.get(..800).unwrap_or(&self.body)), 200)
    }

    /// This response, if it is a 2xx.
    ///
    /// # Errors
    /// Any other status, with the beginning of what the server says.
    pub fn success(self) -> Result<Response> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        Err(Error::outside(format!("{}: status {}: {}", self.what, self.status, self.shown_body())))
    }
}
