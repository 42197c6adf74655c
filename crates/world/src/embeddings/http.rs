//! An embedding service: `POST <url>/embeddings` with pictures, answered with a vector for each.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::{Embedder, LENGTH, normalised};
use crate::base::error::{Error, Result};
use crate::base::url::check_service_url;
use crate::http::{Client, Failure, HttpLimits, Request, Response, Retry, Secret, shown_url};
use crate::stop::Stop;
use crate::usage::Meter;

/// A client of the service.
#[derive(Debug, Clone)]
pub struct EmbeddingService {
    client: Client,
    url: String,
    key: Option<Secret>,
}

/// The service's answer.
#[derive(Deserialize)]
struct Embeddings {
    embeddings: Vec<Vec<f32>>,
}

impl EmbeddingService {
    /// The service at this base URL. Each attempt may take so long.
    ///
    /// # Errors
    /// The URL is not http(s).
    pub fn new(url: &str, key: Option<Secret>, timeout: Duration, retry: Retry) -> Result<Self> {
        let url = url.trim().trim_end_matches('/');
        check_service_url(url)
            .map_err(|why| Error::usage(format!("the embedding service's URL {}: {why}", shown_url(url))))?;
        let limits = HttpLimits { idle: timeout, whole: timeout, body: 1 << 20, ..HttpLimits::default() };
        Ok(EmbeddingService { client: Client::new(limits, retry), url: format!("{url}/embeddings"), key })
    }

    /// The same service, which counts in this meter.
    #[must_use]
    pub fn metered(self, meter: Meter) -> Self {
        EmbeddingService { client: self.client.metered(meter), ..self }
    }
}

impl Embedder for EmbeddingService {
    fn name(&self) -> &'static str {
        "http"
    }

    fn embed(&self, pictures: &[&[u8]], stop: &Stop) -> Result<Vec<Vec<f32>>> {
        let images: Vec<String> = pictures.iter().map(|picture| STANDARD.encode(picture)).collect();
        let body = json!({ "images": images }).to_string().into_bytes();
        let mut request = Request::post_json(self.url.as_str(), body).repeatable();
        if let Some(key) = &self.key {
            request = request.bearer(key);
        }
        let client = self.client.clone().heeding(stop);
        let embedded = client.send_checked(&request, |response| vectors(&response, pictures.len()))?;
        Ok(embedded.into_iter().map(normalised).collect())
    }
}

fn vectors(response: &Response, count: usize) -> std::result::Result<Vec<Vec<f32>>, Failure> {
    if response.status != 200 {
        return Err(Failure::Permanent(response.shown()));
    }
    let wrong = |what: &str| Failure::Permanent(format!("status 200, but {what}"));
    let answer: Embeddings = response.json().map_err(|why| wrong(&format!("no embeddings: {why}")))?;
    let sound = |vector: &Vec<f32>| vector.len() == LENGTH && vector.iter().all(|value| value.is_finite());
    if answer.embeddings.len() != count || !answer.embeddings.iter().all(sound) {
        return Err(wrong(&format!("not {count} vectors of {LENGTH} numbers")));
    }
    Ok(answer.embeddings)
}

/// An error that names the service's setting.
pub(super) fn unnamed() -> Error {
    let unknown = Error::usage("nothing is named that embeds the views of three.js modules");
    unknown.hint("give [embeddings] in gen404.toml; driver = \"none\" stores views without embeddings, so that no best view is judged")
}
