//! The sandbox's pods: each generates a batch of prompts at once, and answers as batch pods do.
//!
//! What a pod was given is kept in a file, because pods outlive a sandbox that is killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::error::{Context as _, Result};
use crate::base::files;
use crate::sandbox::site::Reply;

/// Where the pods' files are, below the sandbox's folder.
const FOLDER: &str = "sandbox/pods";

/// The pods of a sandbox.
#[derive(Debug)]
pub(crate) struct BatchPods {
    /// The sandbox's folder.
    root: PathBuf,
    /// Held while a pod's file is read and written.
    turn: Mutex<()>,
}

/// A pod.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Pod {
    /// How often it was given each batch, by seed and first prompt.
    runs: BTreeMap<String, u32>,
    /// The batch that it has.
    batch: Option<Batch>,
}

/// A batch that a pod has been given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Batch {
    /// The prompts, in order.
    pub(crate) stems: Vec<String>,
    /// The round's seed.
    pub(crate) seed: u32,
    /// Which run of the program on these prompts it is, from 1.
    pub(crate) run: u32,
    /// Have its results been fetched? Then the same prompts are another run.
    fetched: bool,
}

/// What a pod is asked to generate.
#[derive(Deserialize)]
struct Asked {
    prompts: Vec<AskedPrompt>,
    seed: u32,
}

#[derive(Deserialize)]
struct AskedPrompt {
    stem: String,
}

impl BatchPods {
    /// The pods of the sandbox in this folder.
    pub(crate) fn new(root: &Path) -> BatchPods {
        BatchPods { root: root.to_owned(), turn: Mutex::default() }
    }

    /// `GET status`.
    pub(crate) fn status(&self, pod: &str) -> Reply {
        let (status, count) = match self.of(pod, |pod| pod.batch.clone()) {
            Ok(None) => ("ready", 0),
            Ok(Some(batch)) => ("complete", batch.stems.len()),
            Err(error) => return Reply::refused(500, &error.to_string()),
        };
        let status = json!({"status": status, "progress": count, "total": count, "payload": null});
        Reply::ok("application/json", status.to_string().into_bytes())
    }

    /// `POST generate`. Given twice before its results are fetched, a batch is made once.
    pub(crate) fn generate(&self, pod: &str, body: &[u8]) -> Reply {
        let Ok(Asked { prompts, seed }) = serde_json::from_slice(body) else {
            return Reply::refused(422, "not a batch");
        };
        let stems: Vec<String> = prompts.into_iter().map(|prompt| prompt.stem).collect();
        let accepted = json!({"accepted": stems.len()}).to_string().into_bytes();
        let given = self.change(pod, |pod| {
            let has = |batch: &Batch| !batch.fetched && batch.seed == seed && batch.stems == stems;
            if pod.batch.as_ref().is_some_and(has) {
                return;
            }
            let first = stems.first().map(String::as_str).unwrap_or_default();
            let runs = pod.runs.entry(format!("{seed} {first}")).or_default();
            *runs += 1;
            pod.batch = Some(Batch { stems, seed, run: *runs, fetched: false });
        });
        match given {
            Ok(()) => Reply::ok("application/json", accepted),
            Err(error) => Reply::refused(500, &error.to_string()),
        }
    }

    /// The batch that a pod has, whose results are fetched now.
    pub(crate) fn fetched(&self, pod: &str) -> Option<Batch> {
        let mut found = None;
        let noted = self.change(pod, |pod| {
            if let Some(batch) = &mut pod.batch {
                batch.fetched = true;
            }
            found.clone_from(&pod.batch);
        });
        found.filter(|_| noted.is_ok())
    }

    fn of<T>(&self, pod: &str, look: impl FnOnce(&Pod) -> T) -> Result<T> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(look(&self.read(pod)?))
    }

    fn change(&self, pod: &str, change: impl FnOnce(&mut Pod)) -> Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = self.read(pod)?;
        change(&mut changed);
        let text = format!("{:#}\n", json!(changed));
        files::replace_below(&self.root, &path(pod), text.as_bytes(), files::Readers::All)
    }

    fn read(&self, pod: &str) -> Result<Pod> {
        let Some(bytes) = files::read_below(&self.root, &path(pod), files::SMALL)? else { return Ok(Pod::default()) };
        serde_json::from_slice(&bytes).failed(|| format!("{}: not a pod of the sandbox", path(pod).display()))
    }
}

/// A pod's file: `{player}/{tag}` of its address, in one name.
fn path(pod: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    Path::new(FOLDER).join(format!("{}.json", pod.chars().map(plain).collect::<String>()))
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
    fn a_pod_makes_a_batch_once_until_it_is_fetched_also_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        // The pods as each run of the sandbox finds them.
        let pods = || BatchPods::new(folder.path());
        let said = |reply: Reply| -> serde_json::Value { serde_json::from_slice(&reply.body.unwrap()).unwrap() };
        assert_eq!(said(pods().status("a/b"))["status"], "ready");
        let body = br#"{"prompts": [{"stem": "car", "image_url": "u"}], "seed": 7}"#;
        for _ in 0..2 {
            assert_eq!(said(pods().generate("a/b", body))["accepted"], 1);
            assert_eq!(said(pods().status("a/b"))["status"], "complete");
        }
        for _ in 0..2 {
            let batch = pods().fetched("a/b").unwrap();
            assert_eq!((batch.seed, batch.stems, batch.run), (7, vec!["car".to_owned()], 1));
        }
        pods().generate("a/b", body);
        assert_eq!(pods().fetched("a/b").unwrap().run, 2);
        assert_eq!(pods().generate("b", b"{}").status, 422);
        assert_eq!(said(pods().status("b"))["status"], "ready");
        assert_eq!(pods().fetched("b"), None);
    }
}
