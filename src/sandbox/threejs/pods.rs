//! The sandbox's pods: each generates a batch of prompts at once, and answers as batch pods do.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;

use crate::sandbox::site::Reply;

/// The batches that were asked for, by pod.
#[derive(Debug, Default)]
pub(crate) struct BatchPods {
    batches: Mutex<HashMap<String, Batch>>,
}

/// What a pod is asked to generate.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Batch {
    /// The prompts, in order.
    pub(crate) prompts: Vec<BatchPrompt>,
    /// The round's seed.
    pub(crate) seed: u32,
}

/// A prompt of a batch.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BatchPrompt {
    pub(crate) stem: String,
}

impl BatchPods {
    /// `GET status`.
    pub(crate) fn status(&self, pod: &str) -> Reply {
        let batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        let status = match batches.get(pod) {
            None => json!({"status": "ready", "progress": 0, "total": 0, "payload": null}),
            Some(batch) => {
                let count = batch.prompts.len();
                json!({"status": "complete", "progress": count, "total": count, "payload": null})
            }
        };
        Reply::ok("application/json", status.to_string().into_bytes())
    }

    /// `POST generate`.
    pub(crate) fn generate(&self, pod: &str, body: &[u8]) -> Reply {
        let Ok(batch) = serde_json::from_slice::<Batch>(body) else { return Reply::refused(422, "not a batch") };
        let accepted = json!({"accepted": batch.prompts.len()}).to_string().into_bytes();
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).insert(pod.to_owned(), batch);
        Reply::ok("application/json", accepted)
    }

    /// The batch that a pod was last asked for.
    pub(crate) fn batch(&self, pod: &str) -> Option<Batch> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).get(pod).cloned()
    }
}

/// `GET results`: the modules of a batch, and the seconds that they took.
pub(crate) fn results(modules: &[(String, String)], seconds: f64) -> Reply {
    let files: Vec<(String, &[u8])> =
        modules.iter().map(|(stem, source)| (format!("{stem}.js"), source.as_bytes())).collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, source)| (name.as_str(), *source)).collect();
    match gen404_zip::stored(&files) {
        Some(archive) => Reply::ok("application/zip", archive).with("X-Generation-Seconds", seconds.to_string()),
        None => Reply::refused(500, "too many modules for an archive"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_ready_and_then_complete() {
        let pods = BatchPods::default();
        let said = |reply: Reply| -> serde_json::Value { serde_json::from_slice(&reply.body.unwrap()).unwrap() };
        assert_eq!(said(pods.status("a"))["status"], "ready");
        let body = br#"{"prompts": [{"stem": "car", "image_url": "u"}], "seed": 7}"#;
        assert_eq!(said(pods.generate("a", body))["accepted"], 1);
        assert_eq!(said(pods.status("a"))["status"], "complete");
        assert_eq!(
            pods.batch("a").map(|batch| (batch.seed, batch.prompts[0].stem.clone())),
            Some((7, "car".to_owned()))
        );
        assert_eq!(pods.generate("b", b"{}").status, 422);
        assert_eq!(said(pods.status("b"))["status"], "ready");
    }
}
