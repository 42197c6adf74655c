//! A player's `pod_stats.json`: counts and times of the GPU pods that regenerated its outputs.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::file::json_file;
use super::record::{Entries, record, weight_of_map};

record! {
    /// The figures of one pod.
    pub struct PodFigures {
        /// The pod: the same as the key.
        pub pod_id: String,
        /// Attempts that ended on it, `successful` and `hard_failed` together; lost attempts do not count.
        pub processed: u64,
        /// Models that it made, including those over time.
        pub successful: u64,
        /// Attempts in which the program failed, or made a model that cannot be rendered.
        pub hard_failed: u64,
        /// Models that took as long as the limit or longer.
        pub hard_overtime: u64,
        /// Seconds of the fastest model; this and the next three are 0 if it made none.
        pub time_min: f64,
        /// Seconds of the slowest model.
        pub time_max: f64,
        /// Seconds of a model, on average.
        pub time_avg: f64,
        /// The median of the models' seconds.
        pub time_median: f64,
        /// It was given up for failing too often or being too slow.
        pub marked_bad: bool,
        /// Over all prompts that had taken too long before and were retried on it: the seconds by which it was
        /// slower than the attempt before (negative if faster).
        pub retry_cumulative_delta: f64,
        /// The number of such retries.
        pub retry_delta_count: u64,
        /// How it ended: `completed`, `marked_bad`, `unreachable`, `not_ready`, `stopped`; empty if unknown (still
        /// at work, or its run was killed).
        pub termination_reason: String,
    }
}

/// A pod's entry.
#[derive(Debug, Clone, PartialEq)]
pub enum PodEntry {
    /// In our own layout.
    Figures(PodFigures),
    /// In another layout (of an older writer or another kind of competition), kept unchanged.
    Other(Map<String, Value>),
}

impl PodEntry {
    /// Its approximate memory in bytes.
    pub(super) fn weight(&self) -> u64 {
        match self {
            PodEntry::Figures(figures) => 400 + figures.extra.weight(),
            PodEntry::Other(entry) => 200 + weight_of_map(entry),
        }
    }
}

impl<'de> Deserialize<'de> for PodEntry {
    /// An entry with the key `processed` is in our own layout.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entry = Map::deserialize(deserializer)?;
        if !entry.contains_key("processed") {
            return Ok(PodEntry::Other(entry));
        }
        serde_json::from_value(Value::Object(entry)).map(PodEntry::Figures).map_err(D::Error::custom)
    }
}

impl Serialize for PodEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            PodEntry::Figures(figures) => figures.serialize(serializer),
            PodEntry::Other(entry) => entry.serialize(serializer),
        }
    }
}

/// The pods' entries by pod id.
pub type PodStats = Entries<String, PodEntry>;

json_file!(PodStats);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::{Layout, read};

    const WRITTEN: &str = r#"{
  "pod-1": {
    "pod_id": "pod-1",
    "processed": 9,
    "successful": 8,
    "hard_failed": 1,
    "hard_overtime": 2,
    "time_min": 10.0,
    "time_max": 190.5,
    "time_avg": 60.25,
    "time_median": 42.0,
    "marked_bad": false,
    "retry_cumulative_delta": -3.5,
    "retry_delta_count": 1,
    "termination_reason": "completed",
    "of_a_newer_writer": 1
  }
}"#;

    #[test]
    fn every_layout_keeps_its_bytes() {
        let other = "{\n  \"pod-1-r1\": {\n    \"pod_id\": \"pod-1\",\n    \"batch_times\": [\n      1.0\n    ],\n    \
                     \"payload\": null\n  }\n}";
        let older = "{\n  \"endpoint-1\": {\n    \"state\": \"good\",\n    \"generations\": 8\n  }\n}";
        for (text, known) in [(WRITTEN, true), (other, false), (older, false)] {
            let (stats, layout) = read::<PodStats>(crate::model::format::Format::Mesh, text.as_bytes()).unwrap();
            assert_eq!(layout, Layout::Exact, "{text}");
            assert!(stats.values().all(|entry| matches!(entry, PodEntry::Figures(_)) == known), "{text}");
        }
    }

    #[test]
    fn the_layout_that_is_written_is_read_strictly() {
        for (from, to, why) in [
            ("\"successful\": 8", "\"successful\": -8", "expected a whole number"),
            ("\"marked_bad\": false", "\"marked_bad\": 0", "expected true or false"),
            ("\"time_max\": 190.5,\n", "", "missing key `time_max`"),
        ] {
            let error = read::<PodStats>(crate::model::format::Format::Mesh, WRITTEN.replacen(from, to, 1).as_bytes())
                .unwrap_err();
            assert!(error.reason.contains(why), "{error}");
        }
    }
}
