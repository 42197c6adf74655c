//! `state.json`: the current round, its stage, and when the next stage is expected.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::file::json_file;
use super::ids::RoundNumber;
use super::record::record;
use crate::base::setting::ValueError;

/// A stage of a round (DESIGN section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Miners are revealing their submissions on chain.
    Open,
    /// The seed is known; miners generate and upload.
    MinerGeneration,
    /// The miners' files are being fetched.
    Downloading,
    /// Matches are judged and candidates audited.
    Duels,
    /// The winner is known; the next round is to be opened.
    Finalizing,
    /// No further round.
    Finished,
    /// Paused by hand.
    Paused,
}

impl Stage {
    /// Every stage, in the order of a round.
    pub const ALL: [Stage; 7] = [
        Stage::Open,
        Stage::MinerGeneration,
        Stage::Downloading,
        Stage::Duels,
        Stage::Finalizing,
        Stage::Finished,
        Stage::Paused,
    ];

    /// The name that files use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Open => "open",
            Stage::MinerGeneration => "miner_generation",
            Stage::Downloading => "downloading",
            Stage::Duels => "duels",
            Stage::Finalizing => "finalizing",
            Stage::Finished => "finished",
            Stage::Paused => "paused",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Stage::ALL.into_iter().find(|stage| stage.as_str() == text).ok_or_else(|| {
            let all: Vec<_> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
            ValueError::of(text, format!("a stage ({})", all.join(", ")))
        })
    }
}

record! {
    /// Where the competition stands.
    pub struct CompetitionState {
        /// The current round.
        pub current_round: RoundNumber,
        /// Its stage.
        pub stage: Stage,
        /// When the next stage is expected; informative only.
        pub next_stage_eta: Option<Timestamp>,
    }
}

json_file!(CompetitionState);

impl CompetitionState {
    /// A state with these values.
    #[must_use]
    pub fn new(current_round: RoundNumber, stage: Stage, next_stage_eta: Option<DateTime<Utc>>) -> Self {
        let next_stage_eta = next_stage_eta.map(Timestamp::from);
        CompetitionState { current_round, stage, next_stage_eta, extra: super::record::Extra::default() }
    }

    /// The same round in another stage; unknown keys are kept.
    #[must_use]
    pub fn moved(&self, stage: Stage, eta: Option<DateTime<Utc>>) -> Self {
        CompetitionState { stage, next_stage_eta: eta.map(Timestamp::from), ..self.clone() }
    }
}

/// Where a round stands, in words.
#[must_use]
pub fn round_in(round: RoundNumber, stage: Stage) -> String {
    round_in_words(round, stage.as_str())
}

/// As [`round_in`], for a stage of any format.
#[must_use]
pub fn round_in_words(round: RoundNumber, stage: &str) -> String {
    match stage {
        // States rather than stages: "in open" reads like a typing error.
        "open" | "paused" | "finished" => format!("round {round} is {stage}"),
        _ => format!("round {round} is in {stage}"),
    }
}

/// When something happened: in which stage of which round.
#[must_use]
pub fn during(round: RoundNumber, stage: Stage) -> String {
    match stage {
        Stage::Open | Stage::Paused => format!("while round {round} was {stage}"),
        Stage::Finished => format!("after the last round, {round}"),
        stage => format!("in {stage} of round {round}"),
    }
}

/// A UTC time ending in `Z`, kept as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    text: String,
    at: DateTime<Utc>,
}

impl Timestamp {
    /// The time itself.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Whole seconds, or six decimals if there is a fraction.
    fn from(at: DateTime<Utc>) -> Self {
        let form = if at.nanosecond() / 1000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.6fZ" };
        Timestamp { text: at.format(form).to_string(), at }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Timestamp {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let at = DateTime::parse_from_rfc3339(text).ok().filter(|_| text.ends_with('Z') && text.len() <= 40);
        let at = at.ok_or_else(|| ValueError::of(text, "a UTC time such as 2026-02-08T08:00:00Z"))?;
        Ok(Timestamp { text: text.to_owned(), at: at.to_utc() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
