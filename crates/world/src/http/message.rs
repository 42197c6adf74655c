//! Requests and answers.

use std::borrow::Cow;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use ureq::http::{self, HeaderMap, Method};

use super::blanks::{Blanks, SHOWN_BYTES};
use super::passing::ServerKind;
use super::retry::Failure;
use super::secret::{Secret, shown_text, shown_url};
use crate::base::error::{Error, Result, plainly};
use gen404_blanks::percent_decoded;

/// A request, with what may be shown of it.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    method: Method,
    url: Cow<'a, str>,
    headers: Vec<(&'a str, Secret)>,
    body: Cow<'a, [u8]>,
    name: Option<String>,
    /// Secrets elsewhere than in headers or the URL's query.
    secrets: Vec<Secret>,
    pub(super) repeatable: bool,
}

/// Headers whose values are not secret.
pub(super) const OPEN_HEADERS: [&str; 8] = [
    "accept",
    "content-length",
    "content-md5",
    "content-type",
    "if-match",
    "if-none-match",
    "user-agent",
    "x-github-api-version",
];

/// The public words of a signature.
const OPEN_WORDS: [&str; 3] = ["AWS4-HMAC-SHA256", "SignedHeaders", "aws4_request"];

/// Parts of query names that suggest a secret.
const SECRET_NAMES: [&str; 7] = ["token", "key", "secret", "sig", "pass", "auth", "credential"];

impl<'a> Request<'a> {
    /// A request with this method. GET, HEAD, PUT and DELETE may be sent again after any transient failure;
    /// others only if the server certainly did nothing yet, unless [`Request::repeatable`] allows more.
    pub fn new(method: Method, url: impl Into<Cow<'a, str>>) -> Self {
        let repeatable = method.is_idempotent();
        let (headers, secrets) = (Vec::new(), Vec::new());
        Request { method, url: url.into(), headers, body: Cow::Borrowed(&[]), name: None, secrets, repeatable }
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

    /// Sets what messages call this request, if method and URL say too little or too much.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Names a secret that the body, the address or part of a header's value may contain: it is blanked in
    /// everything shown. Secrets in headers and in the URL's query are known anyway.
    #[must_use]
    pub fn secret(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    /// Declares that running the request twice does no harm.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// The bytes of the body.
    pub(super) fn length(&self) -> u64 {
        self.body.len() as u64
    }

    /// Is it a PUT?
    #[must_use]
    pub fn is_put(&self) -> bool {
        self.method == Method::PUT
    }

    /// What messages call this request: its name, or method and URL without tokens.
    #[must_use]
    pub fn shown(&self) -> String {
        let shown = || format!("{} {}", self.method, self.named_blanks().hide(&shown_url(&self.url)));
        self.name.clone().unwrap_or_else(shown)
    }

    fn named_blanks(&self) -> Blanks {
        let mut blanks = Blanks::of(&self.secrets);
        self.secrets.iter().for_each(|secret| blanks.add_credential(secret.expose()));
        blanks
    }

    /// What is blanked in an answer to this request.
    pub(super) fn blanks(&self) -> Blanks {
        let mut blanks = self.named_blanks();
        for (name, value) in &self.headers {
            let name = name.to_ascii_lowercase();
            let signed = name.starts_with("x-amz-") && name != "x-amz-security-token";
            if !signed && !OPEN_HEADERS.contains(&name.as_str()) {
                blank_header(&mut blanks, value.expose());
            }
        }
        blank_url(&mut blanks, &self.url);
        blanks
    }

    pub(super) fn build(&self) -> std::result::Result<http::Request<&[u8]>, Failure> {
        // http's own errors quote no values.
        self.head()?.body(self.body.as_ref()).map_err(|e| Failure::Permanent(e.to_string()))
    }

    /// The request with a body of `length` bytes that is streamed.
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

impl Blanks {
    /// Blanks a header's credential: `SCHEME VALUE`, or the value alone.
    pub fn add_credential(&mut self, value: &str) {
        blank_header(self, value);
    }

    /// Blanks what a URL has before its host and after its path.
    pub fn add_url(&mut self, url: &str) {
        blank_url(self, url);
    }
}

fn blank_header(blanks: &mut Blanks, value: &str) {
    let Some((scheme, rest)) = value.split_once(' ') else { return blanks.add(value) };
    blanks.add(rest);
    let pair = STANDARD.decode(rest.trim()).ok().and_then(|pair| String::from_utf8(pair).ok());
    if let Some(pair) = pair.filter(|_| scheme.eq_ignore_ascii_case("basic")) {
        blanks.add(&pair);
        blanks.add(pair.split_once(':').map_or("", |(_, password)| password));
    }
    // A signature's key id, and the signature itself.
    let parts = rest.split([' ', ',', '=', '/']).filter(|part| part.len() >= 10 && !OPEN_WORDS.contains(part));
    parts.for_each(|part| blanks.add_whole(part));
}

fn blank_url(blanks: &mut Blanks, url: &str) {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let (authority, _) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
    if let Some((user, _)) = authority.rsplit_once('@') {
        blanks.add(user);
        blanks.add(user.split_once(':').map_or("", |(_, password)| password));
    }
    let query = after.split_once('?').map_or("", |(_, query)| query);
    for pair in query.split(['&', '#']) {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let name = name.to_ascii_lowercase();
        if SECRET_NAMES.iter().any(|word| name.contains(word)) {
            [value, &percent_decoded(value)].into_iter().for_each(|value| blanks.add(value));
        }
    }
}

/// Why a body is not the expected JSON, fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoJson(String);

/// A final answer: 2xx, a 3xx that is not followed, or a 4xx other than 429.
///
/// Its text is read by [`Response::json`] and [`Response::text`] or shown by [`Response::shown_body`], always
/// without the secrets of its request, which servers like to echo. The raw bytes are for files.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers as received: show them only through [`Response::hide`].
    pub headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) blanks: Blanks,
    pub(super) what: String,
}

impl Response {
    /// A header's value as received, if it is present and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A text of this answer without the secrets of its request.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        self.blanks.hide(text).into_owned()
    }

    /// The body as text, without the secrets of its request.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match String::from_utf8_lossy(&self.body) {
            Cow::Borrowed(text) => self.blanks.hide(text),
            Cow::Owned(text) => Cow::Owned(self.hide(&text)),
        }
    }

    /// The body as JSON, without the secrets of its request.
    ///
    /// # Errors
    /// What is wrong with it, fit to be shown.
    pub fn json<T: DeserializeOwned>(&self) -> std::result::Result<T, NoJson> {
        let read = if self.blanks.is_empty() {
            serde_json::from_slice(&self.body)
        } else {
            serde_json::from_slice(&self.body).and_then(|mut value| {
                self.blanks.hide_in(&mut value);
                serde_json::from_value(value)
            })
        };
        read.map_err(|e| NoJson(plainly(&shown_text(&e.to_string(), 200))))
    }

    /// The body as JSON that contains new secrets and may contain those of its request, such as a granted
    /// token. `None` if it is anything else; the reason is not given, as it might quote a secret.
    #[must_use]
    pub fn granted<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as received, for files: never for a message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.body
    }

    /// Does the body begin with these bytes?
    #[must_use]
    pub fn begins_with(&self, bytes: &[u8]) -> bool {
        self.body.starts_with(bytes)
    }

    /// The body as received, to be parsed: none of it is shown before [`Response::hide`].
    pub(crate) fn raw(&self) -> &[u8] {
        &self.body
    }

    /// The beginning of the body as text, without the secrets of its request.
    #[must_use]
    pub fn beginning(&self) -> String {
        self.hide(&String::from_utf8_lossy(self.body.get(..SHOWN_BYTES).unwrap_or(&self.body)))
    }

    /// Status and beginning of the body, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        with_status(self.status, &self.shown_body())
    }

    /// The beginning of the body, for messages.
    #[must_use]
    pub fn shown_body(&self) -> String {
        shown_beginning(&self.body, &self.blanks)
    }

    /// The requested file. Only status 200 is one: 206 is a part, and 204 is nothing.
    ///
    /// # Errors
    /// Any other status, with the beginning of what the server says.
    pub fn file(self) -> Result<Vec<u8>> {
        if self.status == 200 { Ok(self.body) } else { Err(self.refused()) }
    }

    /// This response, if it is a 2xx.
    ///
    /// # Errors
    /// Any other status, with the beginning of what the server says.
    pub fn success(self) -> Result<Response> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(self.refused()) }
    }

    /// This refusal as a failed attempt, with the server's text.
    pub(crate) fn failure(&self, server: ServerKind) -> Failure {
        server.failure(self.status, &self.headers, self.shown())
    }

    fn refused(&self) -> Error {
        Error::outside(format!("{}: {}", self.what, self.shown()))
    }
}

/// A status with what the server says.
pub(super) fn with_status(status: u16, said: &str) -> String {
    if said.is_empty() { format!("status {status}") } else { format!("status {status}: {said}") }
}

/// The beginning of an answer that is not read further, for messages; a failure leaves out the rest.
pub(super) fn said(request: &Request<'_>, body: &mut ureq::Body) -> String {
    let mut bytes = Vec::new();
    // Whatever arrived before a failure is the text.
    let _ = body.as_reader().take(SHOWN_BYTES as u64).read_to_end(&mut bytes);
    shown_beginning(&bytes, &request.blanks())
}

/// The beginning of a body, for messages.
pub(super) fn shown_beginning(body: &[u8], blanks: &Blanks) -> String {
    blanks.shown(body, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_knows_its_secrets() {
        let request = Request::get("https://me:pass%20word@x.org/v1/pathkey77?api_key=k3y!&page=3")
            .header("authorization", "Basic bWU6aHVudGVyMg==")
            .header("x-api-key", "plainkey")
            .header("accept", "application/json")
            .secret(&Secret::new("pathkey77"));
        let text = "bWU6aHVudGVyMg hunter2 me:hunter2 plainkey k3y! pathkey77 pass%20word application/json 3";
        assert_eq!(request.blanks().hide(text), "*** *** *** *** *** *** *** application/json 3");
        let signed = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7/20261128/auto/s3/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=0123456789abcdef";
        let request = Request::get("https://x.org/a").header("Authorization", signed);
        let shown =
            request.blanks().hide("<AWSAccessKeyId>AKIAIOSFODNN7</AWSAccessKeyId> 0123456789abcdef").into_owned();
        assert_eq!(shown, "<AWSAccessKeyId>***</AWSAccessKeyId> ***");
    }
}
