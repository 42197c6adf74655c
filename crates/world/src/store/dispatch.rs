//! Sends the requests that rusoto makes and signs through our one HTTP module.

use std::future;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use http02::{HeaderMap, StatusCode};
use rusoto_core::credential::AwsCredentials;
use rusoto_core::request::{DispatchSignedRequest, DispatchSignedRequestFuture, HttpDispatchError, HttpResponse};
use rusoto_core::signature::{SignedRequest, SignedRequestPayload};

use super::refusals::StoreRefusal;
use super::said::Said;
use crate::http::{Client, Failure, Method, Request, Response, Secret, asked};

/// The server's answer, in more detail than rusoto passes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DispatchError {
    /// No answer.
    Failed(Failure),
    /// An unsuccessful answer, and how long it asks to be left alone.
    Refused(StoreRefusal, Option<Duration>),
}

impl DispatchError {
    fn reason(&self) -> String {
        match self {
            DispatchError::Failed(failure) => failure.reason().to_owned(),
            DispatchError::Refused(refusal, _) => refusal.reason(),
        }
    }
}

impl From<Failure> for DispatchError {
    fn from(failure: Failure) -> Self {
        DispatchError::Failed(failure)
    }
}

/// Sends the single request of an operation.
#[derive(Clone)]
pub(super) struct Dispatcher {
    client: Client,
    credentials: AwsCredentials,
    /// Refuse to replace an object.
    create_only: bool,
    heard: Arc<Mutex<Option<DispatchError>>>,
}

impl Dispatcher {
    pub(super) fn new(client: &Client, credentials: &AwsCredentials, create_only: bool) -> Self {
        let (client, credentials) = (client.clone(), credentials.clone());
        Dispatcher { client, credentials, create_only, heard: Arc::default() }
    }

    /// The server's answer, if it was unsuccessful.
    pub(super) fn heard(&self) -> Option<DispatchError> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn hear(&self, heard: DispatchError) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
    }

    fn send(&self, mut signed: SignedRequest) -> Result<HttpResponse, DispatchError> {
        if self.create_only {
            // rusoto does not know this header: add it here, and sign it with the others.
            signed.add_header("if-none-match", "*");
            signed.sign(&self.credentials);
        }
        let method = signed.method().parse::<Method>().map_err(|e| Failure::Permanent(e.to_string()))?;
        let url = format!("{}://{}{}", signed.scheme(), signed.hostname(), signed.canonical_path());
        let query = signed.canonical_query_string();
        let url = if query.is_empty() { url } else { format!("{url}?{query}") };
        let headers = sent_headers(&signed);
        let request = headers.iter().fold(Request::new(method, url), |request, (name, value)| {
            let request: Request<'_> = request;
            request.header(name, value)
        });
        // The key is never sent, but a server that is configured with it may echo it.
        let request = request.secret(&Secret::new(self.credentials.aws_secret_access_key()));
        let answer = match signed.payload {
            None => self.client.send_once(&request, None)?,
            Some(SignedRequestPayload::Buffer(buffer)) => {
                let length = buffer.len() as u64;
                self.client.send_once(&request, Some((&mut buffer.as_ref(), length)))?
            }
            Some(SignedRequestPayload::Stream(stream)) => {
                let length = content_length(&signed.headers)
                    .ok_or_else(|| Failure::Permanent("a body of unknown length".to_owned()))?;
                self.client.send_once(&request, Some((&mut StreamReader::new(stream), length)))?
            }
        };
        judge(&answer, request.is_put())?;
        Ok(into_rusoto(answer)?)
    }
}

/// Is the answer a success? Some servers notice an error only after they began to answer 200, and proxies and portals
/// answer a PUT with a page.
fn judge(answer: &Response, is_put: bool) -> Result<(), DispatchError> {
    // A part of an object is not the object.
    if answer.status == 206 {
        return Err(Failure::Permanent("status 206: only a part of the object".to_owned()).into());
    }
    let success = (200..300).contains(&answer.status);
    let said = Said::read(answer.raw(), is_put || !success);
    let refused = if is_put { said.names_an_error() } else { said.is_error() };
    if success && !refused {
        if !is_put || said.is_taken() {
            return Ok(());
        }
        let (status, body) = (answer.status, answer.shown_body());
        return Err(Failure::Permanent(format!("status {status}, but not an object store's answer: {body}")).into());
    }
    let refusal =
        StoreRefusal::of(answer.status, answer.header("x-amz-bucket-region"), &said, |text| answer.hide(text));
    Err(DispatchError::Refused(refusal, asked(&answer.headers)))
}

impl DispatchSignedRequest for Dispatcher {
    /// Sends on this thread, so the future is ready as soon as it is made.
    fn dispatch(&self, request: SignedRequest, _timeout: Option<Duration>) -> DispatchSignedRequestFuture {
        let answer = self.send(request).map_err(|heard| {
            let reason = heard.reason();
            self.hear(heard);
            HttpDispatchError::new(reason)
        });
        Box::pin(future::ready(answer))
    }
}

/// The headers to send, without those that the HTTP module derives from URL and body.
fn sent_headers(signed: &SignedRequest) -> Vec<(String, String)> {
    let own = ["host", "content-length", "user-agent"];
    let sent = signed.headers().iter().filter(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str()));
    let texts = sent.flat_map(|(name, values)| {
        values.iter().map(|value| (name.clone(), String::from_utf8_lossy(value).into_owned()))
    });
    texts.collect()
}

fn content_length(headers: &std::collections::BTreeMap<String, Vec<Vec<u8>>>) -> Option<u64> {
    let (_, values) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    std::str::from_utf8(values.first()?).ok()?.parse().ok()
}

fn into_rusoto(answer: Response) -> Result<HttpResponse, Failure> {
    let status = StatusCode::from_u16(answer.status).map_err(|e| Failure::Permanent(e.to_string()))?;
    let mut headers: HeaderMap<String> = HeaderMap::default();
    for (name, value) in &answer.headers {
        let name = http02::header::HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, value.to_str()) {
            headers.insert(name, value.to_owned());
        }
    }
    Ok(HttpResponse { status, headers, body: answer.into_bytes().into() })
}

/// Reads rusoto's body stream piece by piece.
struct StreamReader<S> {
    stream: S,
    piece: Bytes,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> StreamReader<S> {
    fn new(stream: S) -> Self {
        StreamReader { stream, piece: Bytes::new() }
    }
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Read for StreamReader<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            // Our streams read files, so they are always ready; blocking is not possible, as an executor is
            // already running.
            match self.stream.next().now_or_never() {
                Some(Some(piece)) => self.piece = piece?,
                Some(None) => return Ok(0),
                None => return Err(io::Error::other("the body is not ready")),
            }
        }
        let count = self.piece.len().min(into.len());
        let taken = self.piece.split_to(count);
        for (to, from) in into.iter_mut().zip(taken.iter()) {
            *to = *from;
        }
        Ok(count)
    }
}

/// Turns a reader into the stream that rusoto takes as a body.
pub(super) fn pieces(mut reader: impl Read + Send + 'static) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    const PIECE: usize = 256 << 10;
    let pieces = std::iter::from_fn(move || {
        let mut piece = vec![0; PIECE];
        match reader.read(&mut piece) {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some(Ok(Bytes::from(piece)))
            }
            Err(e) => Some(Err(e)),
        }
    });
    Pin::from(Box::new(futures_util::stream::iter(pieces)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streamed_body_is_read_whole() {
        let bytes: Vec<u8> = (0..700_000u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut read = Vec::new();
        StreamReader::new(pieces(io::Cursor::new(bytes.clone()))).read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
    }
}
