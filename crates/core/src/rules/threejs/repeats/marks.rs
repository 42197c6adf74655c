//! The marks in the journal of a program's repeats.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::ids::{PromptStem, Seed};

/// How a pod's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodEnd {
    /// It had no work left.
    Completed,
    /// Its program asked for another pod.
    Requested,
    /// It did not answer any more.
    Unreachable,
    /// Its program did not take a batch.
    SubmissionFailed,
    /// Its results could not be fetched or read.
    DownloadFailed,
    /// A batch took too long, or the repeat did.
    BatchTimeLimit,
}

impl PodEnd {
    /// Its name in `pod_stats.json`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            PodEnd::Completed => "completed",
            PodEnd::Requested => "requested",
            PodEnd::Unreachable => "unreachable",
            PodEnd::SubmissionFailed => "submission_failed",
            PodEnd::DownloadFailed => "download_failed",
            PodEnd::BatchTimeLimit => "batch_time_limit",
        }
    }
}

/// What a program answered about a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// A module.
    Module,
    /// None, for this reason.
    Failed(String),
}

/// A module that was stored, as `generated_R.json` records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredModule {
    /// Its URL.
    pub js: String,
    /// The folder of its views; `None` if it cannot be rendered.
    pub views: Option<String>,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of each stored file, by its path below the player's folder.
    pub sums: Vec<(String, String)>,
}

/// Something that happened, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the line of a variant says what its fields are")]
pub enum RepeatMark {
    /// The repeats of this image began; whatever was noted before is of another program.
    Begun { image: String, seed: Seed },
    /// A pod was ordered.
    Pod { pod: String, provider: String },
    /// A pod never took a batch. It counts against the program.
    NeverReady { pod: String, reason: String },
    /// A pod was given up, for reasons of ours.
    NotReached { pod: String },
    /// A pod has been given this batch, and was seen at work on it for so long: 0 when it took it.
    AtWork { repeat: u32, batch: usize, pod: String, seconds: f64 },
    /// A batch is finished: its results are kept on disk, and its stems are those of the batch.
    Batch { repeat: u32, batch: usize, pod: String, seconds: f64, answers: Vec<(PromptStem, Answered)> },
    /// The results of a batch are gone from this machine: it has to be made again.
    Lost { repeat: u32, batch: usize },
    /// A repeat was stopped during a batch, after this many seconds of it.
    Overtime { repeat: u32, pod: String, seconds: f64 },
    /// A module of a batch was stored.
    Stored { repeat: u32, stem: PromptStem, module: StoredModule },
    /// A pod's work on a repeat ended.
    PodEnded { repeat: u32, pod: String, end: PodEnd, payload: Option<Value> },
    /// The replacements are there again, and repeats without pods are tried again: asked for by the operator.
    Reopened,
}
