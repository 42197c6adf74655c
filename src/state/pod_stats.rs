//! `pod_stats.json` of a player: counts and times of the GPU pods that regenerated its outputs.

use super::file::json_file;
use super::record::Entries;

/// Pod id to that pod's figures, kept as they are.
pub type PodStats = Entries<String, serde_json::Map<String, serde_json::Value>>;

json_file!(PodStats);
