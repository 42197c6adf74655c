//! `config.json`: miners do not generate, so there are no minutes for it.

use chrono::{NaiveDate, NaiveTime};

use crate::model::config::{Settings, TimeOfDay};
use crate::model::file::RepoFile;
use crate::model::format::Format;
use crate::model::format::detect::check_named;
use crate::model::record::{Extra, ParseError, parse_json, record};

record! {
    /// The settings of a competition of splats.
    pub struct SplatSettings {
        /// The competition's name; a round is called `<name>-<number>`.
        pub name: String,
        /// What it is about.
        pub description: String,
        /// No round starts before this day (UTC).
        pub first_evaluation_date: NaiveDate,
        /// No round starts after this day (UTC).
        pub last_competition_date: NaiveDate,
        /// The time of day at which a round starts (UTC); default `12:00:00`.
        pub round_start_time [optional]: Option<TimeOfDay>,
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
    }
}

impl SplatSettings {
    /// As the settings that all formats share, with no minutes for miners to generate.
    #[must_use]
    pub fn shared(&self) -> Settings {
        let noon = NaiveTime::from_hms_opt(12, 0, 0).map(TimeOfDay);
        Settings {
            rules: None,
            format: None,
            name: self.name.clone(),
            description: self.description.clone(),
            first_evaluation_date: self.first_evaluation_date,
            last_competition_date: self.last_competition_date,
            round_start_time: self.round_start_time.or(noon),
            generation_stage_minutes: 0,
            finalization_buffer_hours: self.finalization_buffer_hours,
            win_margin: self.win_margin,
            weight_decay: self.weight_decay,
            weight_floor: self.weight_floor,
            prompts_per_round: self.prompts_per_round,
            carryover_prompts: self.carryover_prompts,
            round_duration_days: self.round_duration_days,
            extra: Extra::default(),
        }
    }
}

/// `config.json`: its settings, and the document with its own layout (`1` for a float, key order).
#[derive(Debug, Clone, PartialEq)]
pub struct SplatConfig {
    /// The settings.
    pub settings: SplatSettings,
    document: serde_json::Value,
}

impl RepoFile for SplatConfig {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let settings: SplatSettings = parse_json(bytes)?;
        let mistakes = settings.shared().mistakes();
        if !mistakes.is_empty() {
            return Err(ParseError::whole(mistakes.join("; ")));
        }
        let document = parse_json(bytes)?;
        check_named(&document, Format::Splat).map_err(ParseError::whole)?;
        Ok(SplatConfig { settings, document })
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        Ok(serde_json::to_writer_pretty(out, &self.document)?)
    }
}
