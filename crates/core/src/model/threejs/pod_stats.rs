//! `pod_stats.json` of a player: the batches of each run, pod by pod.

use serde::de::DeserializeSeed;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::either::either;
use crate::model::file::json_file;
use crate::model::record::{Entries, Keep, record, room};

record! {
    /// What one pod did of one run.
    pub struct PodRun {
        /// The pod.
        pub pod_id: String,
        /// The run, from 1.
        pub repeat_index: u32,
        /// Who rents it out.
        pub provider: String,
        /// Seconds of each batch that it finished.
        pub batch_times: Vec<f64>,
        /// Their sum.
        pub total_generation_time: f64,
        /// How it ended: `completed`, `requested`, `unreachable`, `submission_failed`, `download_failed`,
        /// `batch_time_limit`.
        pub termination_reason: String,
        /// What the program said when it asked for another pod; else `null`.
        pub payload: Payload,
    }
}

/// Any JSON, within bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload(pub Value);

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Keep::under("payload", &room()).deserialize(deserializer).map(Payload)
    }
}

/// A run in a layout of before the repeats (no file of one is known), kept as it is.
pub type OtherRun = serde_json::Map<String, Value>;

either! {
    /// A pod's entry.
    pub enum PodRunEntry {
        /// In the layout that is written.
        "repeat_index" => Run(PodRun),
        /// In another one.
        else => Other(OtherRun),
    }
}

/// The runs by `<pod>-r<run>`.
pub type PodRuns = Entries<String, PodRunEntry>;

json_file!(PodRuns);
