//! Which file of a competition of splats a path names.

use std::borrow::Cow;

use super::config::SplatConfig;
use super::duels::SplatMatch;
use super::generations::Generations;
use super::leader::SplatLeaders;
use super::progress::JudgeProgress;
use super::schedule::SplatSchedule;
use super::state::SplatState;
use super::submissions::SplatSubmissions;
use crate::model::bounds::{self, Bounds};
use crate::model::builds::Builds;
use crate::model::file::{FileIn, Layout, Named, read};
use crate::model::format::Format;
use crate::model::prompts::PromptList;
use crate::model::record::ParseError;
use crate::model::seed::SeedFile;

/// A file of a competition of splats.
pub type SplatFile = FileIn<SplatRoundFile, SplatPlayerFile>;

/// The files of a player's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SplatPlayerFile {
    /// `generations.json`
    Generations,
    /// `duels.json`, a miner's
    Duels,
}

impl Named for SplatPlayerFile {
    fn named(name: &str) -> Option<Self> {
        let all = [SplatPlayerFile::Generations, SplatPlayerFile::Duels];
        all.into_iter().find(|file| file.file_name() == name)
    }
    fn file_name(&self) -> Cow<'_, str> {
        match self {
            SplatPlayerFile::Generations => "generations.json".into(),
            SplatPlayerFile::Duels => "duels.json".into(),
        }
    }
}

/// The files of a round's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SplatRoundFile {
    /// `schedule.json`
    Schedule,
    /// `submissions.json`
    Submissions,
    /// `seed.json`
    Seed,
    /// `prompts.txt`
    Prompts,
    /// `builds.json`
    Builds,
    /// `judge_progress.json`
    Progress,
}

impl SplatRoundFile {
    /// Every file of a round's folder.
    pub const ALL: [SplatRoundFile; 6] = [
        SplatRoundFile::Schedule,
        SplatRoundFile::Submissions,
        SplatRoundFile::Seed,
        SplatRoundFile::Prompts,
        SplatRoundFile::Builds,
        SplatRoundFile::Progress,
    ];

    /// The file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SplatRoundFile::Schedule => "schedule.json",
            SplatRoundFile::Submissions => "submissions.json",
            SplatRoundFile::Seed => "seed.json",
            SplatRoundFile::Prompts => "prompts.txt",
            SplatRoundFile::Builds => "builds.json",
            SplatRoundFile::Progress => "judge_progress.json",
        }
    }
}

impl Named for SplatRoundFile {
    fn named(name: &str) -> Option<Self> {
        SplatRoundFile::ALL.into_iter().find(|file| file.name() == name)
    }
    fn file_name(&self) -> Cow<'_, str> {
        self.name().into()
    }
}

impl SplatFile {
    /// Is it written by hand? Such files keep their layout.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        matches!(self, SplatFile::Config | SplatFile::Pool)
    }

    /// The limits of this kind of file.
    fn bounds(&self) -> Bounds {
        match self {
            SplatFile::Config => bounds::BY_HAND,
            SplatFile::State => bounds::ONE_OBJECT,
            SplatFile::Leader => bounds::LEADERS,
            SplatFile::Pool => bounds::POOL,
            SplatFile::Round(_, file) => match file {
                SplatRoundFile::Schedule | SplatRoundFile::Seed => bounds::ONE_OBJECT,
                SplatRoundFile::Submissions | SplatRoundFile::Builds | SplatRoundFile::Progress => {
                    bounds::MINER_ENTRIES
                }
                SplatRoundFile::Prompts => bounds::PROMPT_LINES,
            },
            SplatFile::Player(_, _, SplatPlayerFile::Generations) => bounds::OUTPUTS,
            SplatFile::Player(_, _, SplatPlayerFile::Duels) => bounds::DUELS,
        }
    }
}

/// A file's contents, parsed by its kind.
#[derive(Debug, Clone)]
pub enum SplatContent {
    /// `config.json`
    Config(SplatConfig),
    /// `state.json`
    State(SplatState),
    /// `leader.json`
    Leader(SplatLeaders),
    /// `prompts.txt`, the pool's or a round's
    Prompts(PromptList),
    /// `schedule.json`
    Schedule(SplatSchedule),
    /// `submissions.json`
    Submissions(SplatSubmissions),
    /// `seed.json`
    Seed(SeedFile),
    /// `builds.json`
    Builds(Builds),
    /// `judge_progress.json`
    Progress(JudgeProgress),
    /// `generations.json`
    Generations(Generations),
    /// `duels.json`
    Duels(SplatMatch),
}

impl SplatContent {
    /// Parses the bytes of a file of `kind`, and compares them with rewriting it.
    ///
    /// # Errors
    /// The file does not parse, or holds more than such a file can.
    pub fn parse(kind: &SplatFile, bytes: &[u8]) -> Result<(SplatContent, Layout), ParseError> {
        fn by<T: crate::model::file::RepoFile>(
            bytes: &[u8],
            wrap: fn(T) -> SplatContent,
        ) -> Result<(SplatContent, Layout), ParseError> {
            read::<T>(Format::Splat, bytes).map(|(value, layout)| (wrap(value), layout))
        }
        kind.bounds().check(bytes)?;
        match kind {
            SplatFile::Config => by(bytes, SplatContent::Config),
            SplatFile::State => by(bytes, SplatContent::State),
            SplatFile::Leader => by(bytes, SplatContent::Leader),
            SplatFile::Pool | SplatFile::Round(_, SplatRoundFile::Prompts) => by(bytes, SplatContent::Prompts),
            SplatFile::Round(_, SplatRoundFile::Schedule) => by(bytes, SplatContent::Schedule),
            SplatFile::Round(_, SplatRoundFile::Submissions) => by(bytes, SplatContent::Submissions),
            SplatFile::Round(_, SplatRoundFile::Seed) => by(bytes, SplatContent::Seed),
            SplatFile::Round(_, SplatRoundFile::Builds) => by(bytes, SplatContent::Builds),
            SplatFile::Round(_, SplatRoundFile::Progress) => by(bytes, SplatContent::Progress),
            SplatFile::Player(_, _, SplatPlayerFile::Generations) => by(bytes, SplatContent::Generations),
            SplatFile::Player(_, _, SplatPlayerFile::Duels) => by(bytes, SplatContent::Duels),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_its_file_lead_to_each_other() {
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let player =
            ["leader/generations.json", &format!("{hotkey}/duels.json")].map(|path| format!("rounds/3/{path}"));
        let round = SplatRoundFile::ALL.map(|file| format!("rounds/3/{}", file.name()));
        let own = ["config.json", "state.json", "leader.json", "prompts.txt"].map(str::to_owned);
        for path in player.into_iter().chain(round).chain(own) {
            assert_eq!(SplatFile::of_path(&path).map(|file| file.path()), Some(path));
        }
        for other in ["rounds/3/winner.json", "rounds/03/seed.json", "rounds/3/x/duels.json"] {
            assert_eq!(SplatFile::of_path(other), None, "{other}");
        }
    }

    const HOTKEY: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn each_record_is_written_back_byte_for_byte() {
        let program = format!("\"repo\": \"a/b\",\n    \"commit\": \"{}\"", "0a".repeat(20));
        let duel = r#"{"name":"car","prompt":"u","leader_ply":"u","leader_png":null,"miner_ply":"u","miner_png":"u","winner":"miner","issues":""}"#;
        let report = format!(
            r#"{{"leader":"leader","hotkey":"{HOTKEY}","score":1,"margin":1.0,"outcome":"challenger_wins","duels":[{duel}]}}"#
        );
        let entry = format!(
            r#"{{"hotkey":"{HOTKEY}","repo":"a/b","commit":"{}","docker":"x:y","weight":0.6000000000000001,"effective_block":7}}"#,
            "0a".repeat(20)
        );
        for (path, text) in [
            ("state.json", r#"{"current_round":-1,"stage":"collecting"}"#.to_owned()),
            ("rounds/0/schedule.json", r#"{"earliest_reveal_block":0,"latest_reveal_block":7}"#.to_owned()),
            (
                "rounds/0/leader/generations.json",
                r#"{"car":{"ply":null,"png":null,"generation_time":0.0,"size":0}}"#.to_owned(),
            ),
            ("rounds/0/judge_progress.json", format!(r#"{{"leader":"leader","completed_hotkeys":["{HOTKEY}"]}}"#)),
            ("leader.json", format!("[{entry}]")),
            ("leader.json", format!(r#"{{"transitions":[{entry}]}}"#)),
            (&format!("rounds/0/{HOTKEY}/duels.json"), report),
        ] {
            let pretty = format!("{:#}", serde_json::from_str::<serde_json::Value>(&text).unwrap());
            let file = SplatFile::of_path(path).unwrap();
            assert_eq!(SplatContent::parse(&file, pretty.as_bytes()).unwrap().1, Layout::Exact, "{path}");
            let other = pretty.replacen('"', "\"x", 1);
            assert!(
                SplatContent::parse(&file, other.as_bytes()).is_err() || path.ends_with("generations.json"),
                "{path}"
            );
        }
        let text = format!(
            "{{\n  \"{HOTKEY}\": {{\n    {program},\n    \"round\": \"c-0\",\n    \"revealed_at_block\": 5\n  }}\n}}"
        );
        let file = SplatFile::of_path("rounds/0/submissions.json").unwrap();
        assert_eq!(SplatContent::parse(&file, text.as_bytes()).unwrap().1, Layout::Exact);
    }

    #[test]
    fn a_config_has_no_minutes_for_miners_and_starts_at_noon() {
        let text = r#"{"name": "c", "description": "", "first_evaluation_date": "2025-12-10", "last_competition_date": "2026-12-10", "finalization_buffer_hours": 1, "win_margin": 0.05, "weight_decay": 0.2, "weight_floor": 0.2, "prompts_per_round": 8, "carryover_prompts": 4}"#;
        let parse = |text: &str| SplatContent::parse(&SplatFile::Config, text.as_bytes());
        let Ok((SplatContent::Config(config), _)) = parse(text) else { panic!("no config") };
        assert_eq!(config.settings.shared().start_time().to_string(), "12:00:00");
        assert!(parse(&text.replace("0.05", "5")).is_err());
        assert!(parse(&text.replace("\"win_margin\": 0.05, ", "")).is_err());
    }
}
