//! Cloudflare R2 and other S3-compatible stores: requests and signatures by rusoto, sent by our HTTP module.
//!
//! Path style, region `auto`, and only headers that R2 accepts: no ACL, no tagging, none of the checksum
//! headers of newer SDKs. A put states its length and its MD5, so that a body damaged in transit is refused,
//! and is conditional on a free key, so that no object is replaced.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};
use rusoto_core::credential::{AwsCredentials, StaticProvider};
use rusoto_core::{ByteStream, Region};
use rusoto_s3::{DeleteObjectRequest, GetObjectRequest, HeadObjectRequest, PutObjectRequest, S3, S3Client};

use super::dispatch::{DispatchError, Dispatcher, pieces};
use super::{Bytes, NewObject, ObjectStore, Put, key_below, sha256_of, trial};
use crate::base::error::{Context as _, Error, Kind, Result};
use crate::http::{Client, Failure, HttpLimits, Retry, Secret, shown_text, shown_url};
use crate::model::objects::ObjectKey;
use crate::probe::Probed;
use crate::usage::Meter;

/// The metadata key under which an object's SHA-256 is kept.
const SHA256: &str = "sha256";

/// The location of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The account's endpoint, `https://<account>.r2.cloudflarestorage.com`.
    pub endpoint: String,
    /// The bucket's name.
    pub name: String,
    /// The region; `auto` for R2.
    pub region: String,
    /// The base of public URLs.
    pub cdn: String,
}

/// A bucket.
pub struct R2Store {
    bucket: Bucket,
    region: Region,
    credentials: AwsCredentials,
    client: Client,
    retry: Retry,
}

impl fmt::Debug for R2Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("R2Store").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl R2Store {
    /// A bucket with these keys.
    #[must_use]
    pub fn new(bucket: Bucket, key_id: &Secret, key: &Secret, limits: HttpLimits, retry: Retry) -> Self {
        let endpoint = bucket.endpoint.trim_end_matches('/').to_owned();
        let region = Region::Custom { name: bucket.region.clone(), endpoint };
        let credentials = AwsCredentials::new(key_id.expose(), key.expose(), None, None);
        R2Store { bucket, region, credentials, client: Client::new(limits, Retry::ONCE).unredirected(), retry }
    }

    /// The same store, which counts in this meter.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        R2Store { client: self.client.metered(meter), ..self }
    }

    fn what(&self, method: &str, key: &ObjectKey) -> String {
        format!("{method} {key} of bucket {} at {}", self.bucket.name, shown_url(&self.bucket.endpoint))
    }

    /// Runs one operation, with retries; `None` if the server answers that the object does not exist, or (for a
    /// put) that it already does.
    fn run<T>(
        &self,
        method: &str,
        key: &ObjectKey,
        mut operation: impl FnMut(&S3Client) -> std::result::Result<T, OperationError>,
    ) -> Result<OperationAnswer<T>> {
        let what = self.what(method, key);
        let mut hint = None;
        let outcome = self.retry.attempts(self.client.stop(), &what, true, || {
            let dispatcher = Dispatcher::new(&self.client, &self.credentials, method == "PUT");
            let keys = StaticProvider::from(self.credentials.clone());
            let result = operation(&S3Client::new_with(dispatcher.clone(), keys, self.region.clone()));
            match (result, dispatcher.heard()) {
                (Ok(value), None) => Ok(OperationAnswer::Done(value)),
                (_, Some(DispatchError::Failed(failure))) => Err(failure),
                (_, Some(DispatchError::Refused(refusal, after))) => match (method, refusal.status) {
                    ("GET" | "HEAD", 404) if refusal.code != "NoSuchBucket" => Ok(OperationAnswer::Missing),
                    ("PUT", 412) => Ok(OperationAnswer::Taken),
                    _ => {
                        hint = refusal.hint();
                        let reason = refusal.reason();
                        Err(match refusal.passes() {
                            true => Failure::Transient { reason, after, unsent: false },
                            false => Failure::Permanent(reason),
                        })
                    }
                },
                (Err(OperationError(why)), None) => Err(Failure::Permanent(why)),
            }
        });
        outcome.map_err(|error| hint.into_iter().fold(self.client.blamed(error), Error::hint))
    }

    /// The SHA-256 of an existing object: the one that its writer recorded, or else that of its bytes.
    fn sum_of(&self, key: &ObjectKey) -> Result<Option<String>> {
        let request = || HeadObjectRequest {
            bucket: self.bucket.name.clone(),
            key: key.to_string(),
            ..HeadObjectRequest::default()
        };
        let answer = self.run("HEAD", key, |client| block_on(client.head_object(request())))?;
        let OperationAnswer::Done(head) = answer else { return Ok(None) };
        if let Some(sum) = head.metadata.and_then(|mut metadata| metadata.remove(SHA256)) {
            return Ok(Some(sum));
        }
        let bytes = self.get(key)?;
        bytes.map(|bytes| sha256_of(bytes.as_slice())).transpose().failed(|| self.what("GET", key))
    }
}

/// rusoto's error of a failed operation.
#[derive(Debug)]
struct OperationError(String);

/// The outcome of an operation.
enum OperationAnswer<T> {
    Done(T),
    /// There is no such object.
    Missing,
    /// There is one already.
    Taken,
}

fn block_on<T, E: fmt::Display>(
    operation: impl Future<Output = std::result::Result<T, E>>,
) -> std::result::Result<T, OperationError> {
    futures_executor::block_on(operation).map_err(|e| OperationError(shown_text(&e.to_string(), 200)))
}

impl ObjectStore for R2Store {
    fn name(&self) -> String {
        format!("bucket {} at {}", self.bucket.name, shown_url(&self.bucket.endpoint))
    }

    fn url_of(&self, key: &ObjectKey) -> String {
        format!("{}/{key}", self.bucket.cdn.trim_end_matches('/'))
    }

    fn key_of(&self, url: &str) -> Option<ObjectKey> {
        key_below(self.bucket.cdn.trim_end_matches('/'), url)
    }

    fn put(&self, key: &ObjectKey, object: &NewObject<'_>) -> Result<Put> {
        let unreadable = || format!("{key}: cannot read what is to be stored");
        let md5 = object.bytes.open().and_then(md5_of).failed(unreadable)?;
        let size = usize::try_from(object.size).failed(unreadable)?;
        let answer = self.run("PUT", key, |client| {
            let reader: Box<dyn Read + Send> = match object.bytes {
                Bytes::Memory(bytes) => Box::new(io::Cursor::new(bytes.to_vec())),
                Bytes::File(path) => {
                    let unread = |e| OperationError(format!("{}: {e}", path.display()));
                    Box::new(super::opened(path).map_err(unread)?)
                }
            };
            block_on(client.put_object(PutObjectRequest {
                bucket: self.bucket.name.clone(),
                key: key.to_string(),
                body: Some(ByteStream::new_with_size(pieces(reader), size)),
                content_length: i64::try_from(size).ok(),
                content_md5: Some(md5.clone()),
                content_type: Some(object.kind.content_type().to_owned()),
                metadata: Some(HashMap::from([(SHA256.to_owned(), object.sha256.to_owned())])),
                ..PutObjectRequest::default()
            }))
        })?;
        match answer {
            OperationAnswer::Done(_) => Ok(Put::Stored),
            _ => match self.sum_of(key)? {
                Some(found) if found == object.sha256 => Ok(Put::Same),
                Some(_) => Ok(Put::Taken),
                None => Err(Error::new(
                    Kind::Outside,
                    format!("{}: it was reported as existing, but then not found", self.what("PUT", key)),
                )),
            },
        }
    }

    fn get(&self, key: &ObjectKey) -> Result<Option<Vec<u8>>> {
        let request = || GetObjectRequest {
            bucket: self.bucket.name.clone(),
            key: key.to_string(),
            ..GetObjectRequest::default()
        };
        let answer = self.run("GET", key, |client| {
            let mut body = block_on(client.get_object(request()))?.body.unwrap_or_else(|| Vec::new().into());
            let mut bytes = Vec::new();
            while let Some(piece) = futures_executor::block_on(futures_util::StreamExt::next(&mut body)) {
                bytes.extend_from_slice(&piece.map_err(|e| OperationError(e.to_string()))?);
            }
            Ok(bytes)
        })?;
        Ok(match answer {
            OperationAnswer::Done(bytes) => Some(bytes),
            _ => None,
        })
    }

    fn probe(&self, writes: bool) -> Result<Probed> {
        trial::run(self, writes, |key| {
            let request = || DeleteObjectRequest {
                bucket: self.bucket.name.clone(),
                key: key.to_string(),
                ..DeleteObjectRequest::default()
            };
            self.run("DELETE", key, |client| block_on(client.delete_object(request()))).map(drop)
        })
    }
}

/// MD5 in base64, as `Content-MD5` has it.
fn md5_of(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Md5::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(BASE64_STANDARD.encode(hasher.finalize())),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_md5_is_base64_of_the_digest() {
        assert_eq!(md5_of(&b""[..]).unwrap(), "1B2M2Y8AsgTpgAmY7PhCfg==");
    }

    #[test]
    fn keys_are_never_shown() {
        let bucket = Bucket {
            endpoint: "https://a.r2.cloudflarestorage.com".to_owned(),
            name: "404-gen".to_owned(),
            region: "auto".to_owned(),
            cdn: "https://cdn.example".to_owned(),
        };
        let store =
            R2Store::new(bucket, &Secret::new("id"), &Secret::new("hunter2"), HttpLimits::default(), Retry::ONCE);
        assert!(!format!("{store:?} {}", store.name()).contains("hunter2"));
    }
}
