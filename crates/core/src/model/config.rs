//! `config.json`: the competition's settings, written by hand before it starts.

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::file::RepoFile;
use super::format::Format;
use super::format::detect::check_named;
use super::record::{ParseError, parse_json, record};
use super::thresholds::{Rules, Thresholds};

record! {
    /// The settings of a competition.
    pub struct Settings {
        /// The rules' limits, if not the defaults.
        pub rules [optional]: Option<Rules>,
        /// The competition's name; a round is called `<name>-<number>`.
        pub name: String,
        /// What it is about.
        pub description: String,
        /// No round starts before this day (UTC).
        pub first_evaluation_date: NaiveDate,
        /// No round starts after this day (UTC).
        pub last_competition_date: NaiveDate,
        /// The time of day at which a round starts (UTC); default `08:00:00`.
        pub round_start_time [optional]: Option<TimeOfDay>,
        /// Minutes for miners to generate and upload after the seed is known.
        pub generation_stage_minutes: u32,
        /// Hours that must remain before a round's start when it is opened; default 1.
        pub finalization_buffer_hours [optional]: Option<f64>,
        /// The least margin (a fraction of the duels) that a challenger needs to win.
        pub win_margin: f64,
        /// The weight that a leader loses in a round that it holds.
        pub weight_decay: f64,
        /// A leader's weight does not decay below this.
        pub weight_floor: f64,
        /// Prompts in a round.
        pub prompts_per_round: usize,
        /// How many of them are carried over from the previous round.
        pub carryover_prompts: usize,
        /// Days from one round's start to the next; default 1.
        pub round_duration_days [optional]: Option<u32>,
        /// The competition's format; default mesh.
        pub format [optional]: Option<Format>,
    }
}

impl Settings {
    /// The rules' limits.
    #[must_use]
    pub fn limits(&self) -> Thresholds {
        self.rules.as_ref().map(|rules| rules.limits).unwrap_or_default()
    }

    /// The time of day at which a round starts (UTC).
    #[must_use]
    pub fn start_time(&self) -> NaiveTime {
        let eight = NaiveTime::from_hms_opt(8, 0, 0).unwrap_or_default();
        self.round_start_time.map_or(eight, |time| time.0)
    }

    /// Hours that must remain before a round's start when it is opened.
    #[must_use]
    pub fn buffer_hours(&self) -> f64 {
        self.finalization_buffer_hours.unwrap_or(1.0)
    }

    /// Days from one round's start to the next, at least 1.
    #[must_use]
    pub fn duration_days(&self) -> u32 {
        self.round_duration_days.unwrap_or(1).max(1)
    }

    /// All mistakes in the values; empty if they make sense.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut need = |ok: bool, what: String| {
            if !ok {
                mistakes.push(what);
            }
        };
        let name = name_mistake(&self.name);
        need(name.is_none(), name.unwrap_or_default());
        need(
            self.win_margin > 0.0 && self.win_margin <= 1.0,
            format!("win_margin {} is not in (0, 1]", self.win_margin),
        );
        need(self.weight_decay >= 0.0, format!("weight_decay {} is negative", self.weight_decay));
        need((0.0..=1.0).contains(&self.weight_floor), format!("weight_floor {} is not in [0, 1]", self.weight_floor));
        let (hours, days) = (self.buffer_hours(), self.round_duration_days);
        need((0.0..=8784.0).contains(&hours), format!("finalization_buffer_hours {hours} is not in [0, 8784]"));
        need(days != Some(0), "round_duration_days is 0".to_owned());
        let days = days.unwrap_or(1);
        need(days <= 3660, format!("round_duration_days {days} is more than ten years"));
        need(self.prompts_per_round > 0, "prompts_per_round is 0".to_owned());
        let most = super::limits::PROMPTS;
        need(self.prompts_per_round <= most, format!("prompts_per_round {} exceeds {most}", self.prompts_per_round));
        need(
            self.carryover_prompts <= self.prompts_per_round,
            format!(
                "carryover_prompts {} exceeds prompts_per_round {}",
                self.carryover_prompts, self.prompts_per_round
            ),
        );
        mistakes.extend(self.limits().mistakes());
        mistakes
    }
}

/// What is wrong with a competition's name, if anything.
pub fn name_mistake(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    let good = !name.is_empty() && name.len() <= 100 && name.chars().all(plain);
    (!good).then(|| format!("name {name:?}: 1 to 100 letters, digits, - _ . and spaces"))
}

/// A time of day as `HH:MM:SS`, always with two digits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(pub NaiveTime);

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.format("%H:%M:%S"))
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = NaiveTime::parse_from_str(&text, "%H:%M:%S").ok().filter(|_| text.len() == 8);
        time.map(TimeOfDay).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a time HH:MM:SS")))
    }
}

/// `config.json`: its settings, and the document with its own layout (`1` for a float, key order).
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigFile {
    /// The settings.
    pub settings: Settings,
    document: serde_json::Value,
}

impl ConfigFile {
    /// A new file with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let document = serde_json::to_value(&settings).unwrap_or_default();
        ConfigFile { settings, document }
    }
}

impl RepoFile for ConfigFile {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let document = parse_json(bytes)?;
        check_named(&document, Format::Mesh).map_err(ParseError::whole)?;
        let settings: Settings = parse_json(bytes)?;
        let mistakes = settings.mistakes();
        if !mistakes.is_empty() {
            return Err(ParseError::whole(mistakes.join("; ")));
        }
        Ok(ConfigFile { settings, document })
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        Ok(serde_json::to_writer_pretty(out, &self.document)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::{Layout, read};

    #[test]
    fn rules_keep_their_layout_and_what_is_not_known() {
        let text = r#"{
  "name": "a",
  "description": "",
  "first_evaluation_date": "2026-03-01",
  "rules": {
    "later": {
      "b": 1,
      "a": [
        1.5
      ]
    },
    "mismatches": 5,
    "median_seconds": 60,
    "sooner": null
  },
  "last_competition_date": "2026-04-01",
  "generation_stage_minutes": 120,
  "win_margin": 0.05,
  "weight_decay": 0.05,
  "weight_floor": 0.1,
  "prompts_per_round": 8,
  "newer": [],
  "carryover_prompts": 0
}"#;
        let (file, layout) = read::<ConfigFile>(Format::Mesh, text.as_bytes()).unwrap();
        assert_eq!(layout, Layout::Exact);
        let limits = Thresholds { mismatches: 5, median_seconds: 60.0, ..Thresholds::default() };
        assert_eq!(file.settings.limits(), limits);
        let senseless = text.replace("\"mismatches\": 5,", "\"distance\": 2.5,");
        let wrong = read::<ConfigFile>(Format::Mesh, senseless.as_bytes()).unwrap_err();
        assert_eq!(wrong.to_string(), "rules.distance is 2.5: expected a number from 0 to 2");
        let named = |format: &str| text.replace("\"newer\": []", &format!("\"format\": \"{format}\""));
        let (file, layout) = read::<ConfigFile>(Format::Mesh, named("mesh").as_bytes()).unwrap();
        assert_eq!((file.settings.format, layout), (Some(Format::Mesh), Layout::Exact));
        let wrong = read::<ConfigFile>(Format::Mesh, named("sculpture").as_bytes()).unwrap_err();
        assert_eq!(wrong.to_string(), "\"format\" is \"sculpture\": expected splat, mesh or threejs");
    }
}
