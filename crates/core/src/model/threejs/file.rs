//! Which file of a competition of three.js modules a path names.

use std::borrow::Cow;

use super::answers::StagedAnswers;
use super::audit_matrix::AuditMatrix;
use super::audits::{DuelAuditRequests, DuelAuditVerdicts, VerificationAudits};
use super::config::ThreejsConfig;
use super::duels::StagedMatch;
use super::outputs::Modules;
use super::pod_stats::PodRuns;
use super::programs::{ThreejsBuilds, ThreejsLeaders, ThreejsSubmissions, ThreejsWinner};
use super::reports::GenerationReports;
use super::words::StageWords;
use crate::model::bounds::{self, Bounds};
use crate::model::file::{FileIn, Layout, Named, RepoFile, read};
use crate::model::format::Format;
use crate::model::matrix::Matrix;
use crate::model::prompts::PromptList;
use crate::model::question::QuestionFile;
use crate::model::record::ParseError;
use crate::model::refusals::Refusals;
use crate::model::schedule::Schedule;
use crate::model::seed::SeedFile;
use crate::model::source_audit::SourceAudits;
use crate::model::stage::CompetitionState;
use crate::model::sums::Sums;

/// A file of a competition of three.js modules.
pub type ThreejsFile = FileIn<ThreejsRoundFile, ThreejsPlayerFile>;

/// The files of a round's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThreejsRoundFile {
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
    /// `question.toml`: ours, as for meshes
    Question,
    /// `matches_matrix.csv`
    Matrix,
    /// `audit_matrix.csv`
    AuditMatrix,
    /// `require_audit.json`
    RequireAudit,
    /// `generation_reports.json`
    GenerationReports,
    /// `generation_audits.json`
    GenerationAudits,
    /// `verification_audits.json`
    VerificationAudits,
    /// `source_audit.json`
    SourceAudit,
    /// `winner.json`
    Winner,
}

impl ThreejsRoundFile {
    /// Every file of a round's folder.
    pub const ALL: [ThreejsRoundFile; 14] = [
        ThreejsRoundFile::Schedule,
        ThreejsRoundFile::Submissions,
        ThreejsRoundFile::Seed,
        ThreejsRoundFile::Prompts,
        ThreejsRoundFile::Builds,
        ThreejsRoundFile::Question,
        ThreejsRoundFile::Matrix,
        ThreejsRoundFile::AuditMatrix,
        ThreejsRoundFile::RequireAudit,
        ThreejsRoundFile::GenerationReports,
        ThreejsRoundFile::GenerationAudits,
        ThreejsRoundFile::VerificationAudits,
        ThreejsRoundFile::SourceAudit,
        ThreejsRoundFile::Winner,
    ];

    /// The file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ThreejsRoundFile::Schedule => "schedule.json",
            ThreejsRoundFile::Submissions => "submissions.json",
            ThreejsRoundFile::Seed => "seed.json",
            ThreejsRoundFile::Prompts => "prompts.txt",
            ThreejsRoundFile::Builds => "builds.json",
            ThreejsRoundFile::Question => "question.toml",
            ThreejsRoundFile::Matrix => "matches_matrix.csv",
            ThreejsRoundFile::AuditMatrix => "audit_matrix.csv",
            ThreejsRoundFile::RequireAudit => "require_audit.json",
            ThreejsRoundFile::GenerationReports => "generation_reports.json",
            ThreejsRoundFile::GenerationAudits => "generation_audits.json",
            ThreejsRoundFile::VerificationAudits => "verification_audits.json",
            ThreejsRoundFile::SourceAudit => "source_audit.json",
            ThreejsRoundFile::Winner => "winner.json",
        }
    }
}

/// The files of a player's folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThreejsPlayerFile {
    /// `submitted.json`
    Submitted,
    /// `generated_<run>.json`; `generated.json` (`None`) before there were several runs.
    Generated(Option<u32>),
    /// `pod_stats.json`
    PodStats,
    /// `refusals.json`: ours, as for meshes
    Refusals,
    /// `SHA256SUMS`: ours, as for meshes
    Sums,
    /// `duels_<left>.json`, by its full name
    Duels(String),
    /// `audit_<left>_<run>.json`, or `audit_<left>.json` before there were several runs, by its full name
    Audit(String),
    /// `answers_<left>.jsonl`, `answers_audit_<left>_<run>.jsonl`: ours, as for meshes, by its full name
    Answers(String),
}

/// The name of the answers beside a match report of this name: `answers_X.jsonl` beside `duels_X.json`,
/// `answers_audit_X.jsonl` beside `audit_X.json`.
#[must_use]
pub fn answers_name(report: &str) -> String {
    let stem = report.strip_suffix(".json").unwrap_or(report);
    format!("answers_{}.jsonl", stem.strip_prefix("duels_").unwrap_or(stem))
}

/// The name of the match report beside answers of this name; `None` for another file.
#[must_use]
pub fn report_of(answers: &str) -> Option<String> {
    let of = answers.strip_prefix("answers_")?.strip_suffix(".jsonl")?;
    let report = if of.starts_with("audit_") { format!("{of}.json") } else { format!("duels_{of}.json") };
    let stem = report.strip_suffix(".json")?;
    (is_named(stem, "duels_") || is_named(stem, "audit_")).then_some(report)
}

impl Named for ThreejsRoundFile {
    fn named(name: &str) -> Option<Self> {
        ThreejsRoundFile::ALL.into_iter().find(|file| file.name() == name)
    }
    fn file_name(&self) -> Cow<'_, str> {
        self.name().into()
    }
}

impl Named for ThreejsPlayerFile {
    fn file_name(&self) -> Cow<'_, str> {
        match self {
            ThreejsPlayerFile::Submitted => "submitted.json".into(),
            ThreejsPlayerFile::Generated(None) => "generated.json".into(),
            ThreejsPlayerFile::Generated(Some(repeat)) => format!("generated_{repeat}.json").into(),
            ThreejsPlayerFile::PodStats => "pod_stats.json".into(),
            ThreejsPlayerFile::Refusals => "refusals.json".into(),
            ThreejsPlayerFile::Sums => "SHA256SUMS".into(),
            ThreejsPlayerFile::Duels(name) | ThreejsPlayerFile::Audit(name) | ThreejsPlayerFile::Answers(name) => {
                name.into()
            }
        }
    }

    fn named(name: &str) -> Option<Self> {
        if name == "SHA256SUMS" {
            return Some(ThreejsPlayerFile::Sums);
        }
        if report_of(name).is_some() {
            return Some(ThreejsPlayerFile::Answers(name.to_owned()));
        }
        let stem = name.strip_suffix(".json")?;
        match stem {
            "submitted" => Some(ThreejsPlayerFile::Submitted),
            "generated" => Some(ThreejsPlayerFile::Generated(None)),
            "pod_stats" => Some(ThreejsPlayerFile::PodStats),
            "refusals" => Some(ThreejsPlayerFile::Refusals),
            _ if is_named(stem, "duels_") => Some(ThreejsPlayerFile::Duels(name.to_owned())),
            _ if is_named(stem, "audit_") => Some(ThreejsPlayerFile::Audit(name.to_owned())),
            _ => {
                let text = stem.strip_prefix("generated_")?;
                let repeat: u32 = text.parse().ok()?;
                (repeat > 0 && repeat.to_string() == text).then_some(ThreejsPlayerFile::Generated(Some(repeat)))
            }
        }
    }
}

/// Is this the kind, and then the name of a left (and a run)? Copies of such files have dots in their names.
fn is_named(stem: &str, kind: &str) -> bool {
    let left = stem.strip_prefix(kind);
    left.is_some_and(|left| !left.is_empty() && left.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

impl ThreejsFile {
    /// Is it written by hand? Such files keep their layout.
    #[must_use]
    pub fn by_hand(&self) -> bool {
        matches!(self, ThreejsFile::Config | ThreejsFile::Pool | ThreejsFile::Round(_, ThreejsRoundFile::SourceAudit))
    }

    /// The limits of this kind of file.
    pub fn bounds(&self) -> Bounds {
        match self {
            ThreejsFile::Config => bounds::BY_HAND,
            ThreejsFile::State => bounds::ONE_OBJECT,
            ThreejsFile::Leader => bounds::LEADERS,
            ThreejsFile::Pool => bounds::POOL,
            ThreejsFile::Round(_, file) => match file {
                ThreejsRoundFile::Schedule | ThreejsRoundFile::Seed | ThreejsRoundFile::Winner => bounds::ONE_OBJECT,
                ThreejsRoundFile::Prompts => bounds::PROMPT_LINES,
                ThreejsRoundFile::Question => bounds::QUESTION,
                ThreejsRoundFile::Matrix | ThreejsRoundFile::AuditMatrix => bounds::MATRIX,
                _ => bounds::MINER_ENTRIES,
            },
            ThreejsFile::Player(_, _, file) => match file {
                ThreejsPlayerFile::PodStats => bounds::MINER_ENTRIES,
                ThreejsPlayerFile::Submitted | ThreejsPlayerFile::Generated(_) | ThreejsPlayerFile::Refusals => {
                    bounds::OUTPUTS
                }
                ThreejsPlayerFile::Sums => bounds::SUMS,
                ThreejsPlayerFile::Duels(_) | ThreejsPlayerFile::Audit(_) => bounds::DUELS,
                ThreejsPlayerFile::Answers(_) => bounds::STAGED_ANSWERS,
            },
        }
    }
}

/// A file's contents, parsed by its kind.
#[derive(Debug, Clone)]
pub enum ThreejsContent {
    /// `config.json`
    Config(ThreejsConfig),
    /// `state.json`
    State(CompetitionState),
    /// `leader.json`
    Leader(ThreejsLeaders),
    /// `prompts.txt`, the pool's or a round's
    Prompts(PromptList),
    /// `schedule.json`
    Schedule(Schedule),
    /// `submissions.json`
    Submissions(ThreejsSubmissions),
    /// `seed.json`
    Seed(SeedFile),
    /// `builds.json`
    Builds(ThreejsBuilds),
    /// `question.toml`
    Question(Box<RoundWords>),
    /// `matches_matrix.csv`
    Matrix(Matrix),
    /// `audit_matrix.csv`
    AuditMatrix(AuditMatrix),
    /// `require_audit.json`
    RequireAudit(DuelAuditRequests),
    /// `generation_reports.json`
    GenerationReports(GenerationReports),
    /// `generation_audits.json`
    GenerationAudits(DuelAuditVerdicts),
    /// `verification_audits.json`
    VerificationAudits(VerificationAudits),
    /// `source_audit.json`
    SourceAudit(SourceAudits),
    /// `winner.json`
    Winner(ThreejsWinner),
    /// `submitted.json`, `generated_R.json`, `generated.json`
    Modules(Modules),
    /// `pod_stats.json`
    PodStats(PodRuns),
    /// `refusals.json`
    Refusals(Refusals),
    /// `SHA256SUMS`
    Sums(Sums),
    /// `duels_*.json`, `audit_*.json`
    Duels(StagedMatch),
    /// `answers_*.jsonl`, without the words that nothing follows from
    Answers(StagedAnswers),
}

/// `question.toml` of a judge that works in stages.
pub type RoundWords = QuestionFile<StageWords>;

impl ThreejsContent {
    /// Parses the bytes of a file of `kind`, and compares them with rewriting it.
    ///
    /// # Errors
    /// The file does not parse, or holds more than such a file can.
    pub fn parse(kind: &ThreejsFile, bytes: &[u8]) -> Result<(ThreejsContent, Layout), ParseError> {
        kind.bounds().check(bytes)?;
        match kind {
            ThreejsFile::Config => by(bytes, ThreejsContent::Config),
            ThreejsFile::State => by(bytes, ThreejsContent::State),
            ThreejsFile::Leader => by(bytes, ThreejsContent::Leader),
            ThreejsFile::Pool => by(bytes, ThreejsContent::Prompts),
            ThreejsFile::Round(_, file) => ThreejsContent::of_round(*file, bytes),
            ThreejsFile::Player(_, _, file) => match file {
                ThreejsPlayerFile::Submitted | ThreejsPlayerFile::Generated(_) => by(bytes, ThreejsContent::Modules),
                ThreejsPlayerFile::PodStats => by(bytes, ThreejsContent::PodStats),
                ThreejsPlayerFile::Refusals => by(bytes, ThreejsContent::Refusals),
                ThreejsPlayerFile::Sums => by(bytes, ThreejsContent::Sums),
                ThreejsPlayerFile::Duels(_) | ThreejsPlayerFile::Audit(_) => by(bytes, ThreejsContent::Duels),
                ThreejsPlayerFile::Answers(_) => {
                    by(bytes, |answers: StagedAnswers| ThreejsContent::Answers(answers.without_words()))
                }
            },
        }
    }

    fn of_round(file: ThreejsRoundFile, bytes: &[u8]) -> Result<(ThreejsContent, Layout), ParseError> {
        match file {
            ThreejsRoundFile::Schedule => by(bytes, ThreejsContent::Schedule),
            ThreejsRoundFile::Submissions => by(bytes, ThreejsContent::Submissions),
            ThreejsRoundFile::Seed => by(bytes, ThreejsContent::Seed),
            ThreejsRoundFile::Prompts => by(bytes, ThreejsContent::Prompts),
            ThreejsRoundFile::Builds => by(bytes, ThreejsContent::Builds),
            ThreejsRoundFile::Question => {
                by(bytes, |question: RoundWords| ThreejsContent::Question(Box::new(question)))
            }
            ThreejsRoundFile::Matrix => by(bytes, ThreejsContent::Matrix),
            ThreejsRoundFile::AuditMatrix => by(bytes, ThreejsContent::AuditMatrix),
            ThreejsRoundFile::RequireAudit => by(bytes, ThreejsContent::RequireAudit),
            ThreejsRoundFile::GenerationReports => by(bytes, ThreejsContent::GenerationReports),
            ThreejsRoundFile::GenerationAudits => by(bytes, ThreejsContent::GenerationAudits),
            ThreejsRoundFile::VerificationAudits => by(bytes, ThreejsContent::VerificationAudits),
            ThreejsRoundFile::SourceAudit => by(bytes, ThreejsContent::SourceAudit),
            ThreejsRoundFile::Winner => by(bytes, ThreejsContent::Winner),
        }
    }
}

impl ThreejsContent {
    /// The approximate memory in bytes of contents parsed from `bytes` bytes.
    pub(crate) fn weight(&self, bytes: usize) -> u64 {
        match self {
            ThreejsContent::Answers(answers) => answers.weight(),
            // Records with their texts take about three times the bytes of the file.
            _ => 3 * bytes as u64,
        }
    }
}

fn by<T: RepoFile>(bytes: &[u8], wrap: fn(T) -> ThreejsContent) -> Result<(ThreejsContent, Layout), ParseError> {
    read::<T>(Format::Threejs, bytes).map(|(value, layout)| (wrap(value), layout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_its_file_lead_to_each_other() {
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let names =
            ["submitted", "generated", "generated_12", "pod_stats", "refusals", "duels_leader", "duels_submitted"];
        let audits = ["audit_submitted", "audit_leader_3", "audit_5GrwvaEF5z_1"];
        let answers =
            ["answers_leader", "answers_audit_submitted_2"].map(|name| format!("rounds/3/{hotkey}/{name}.jsonl"));
        let player = names.into_iter().chain(audits).map(|name| format!("rounds/3/{hotkey}/{name}.json"));
        let player = player.chain(answers);
        let round = ThreejsRoundFile::ALL.map(|file| format!("rounds/3/{}", file.name()));
        let own = ["config.json", "state.json", "leader.json", "prompts.txt"].map(str::to_owned);
        for path in player.chain(round).chain(own) {
            assert_eq!(ThreejsFile::of_path(&path).map(|file| file.path()), Some(path));
        }
        for other in ["generated_0", "generated_01", "generated_x", "generations", "duels_", "duels_leader.truncated"] {
            assert_eq!(ThreejsFile::of_path(&format!("rounds/3/leader/{other}.json")), None, "{other}");
        }
        for other in ["answers_", "answers_audit_", "answers_a.b", "answers_x.json"] {
            assert_eq!(ThreejsFile::of_path(&format!("rounds/3/leader/{other}.jsonl")), None, "{other}");
        }
    }

    #[test]
    fn a_report_and_its_answers_lead_to_each_other() {
        for (report, answers) in [
            ("duels_5GrwvaEF5z.json", "answers_5GrwvaEF5z.jsonl"),
            ("duels_leader.json", "answers_leader.jsonl"),
            ("audit_submitted_3.json", "answers_audit_submitted_3.jsonl"),
            ("audit_5GrwvaEF5z_1.json", "answers_audit_5GrwvaEF5z_1.jsonl"),
        ] {
            assert_eq!((answers_name(report).as_str(), report_of(answers).as_deref()), (answers, Some(report)));
        }
    }

    const HOTKEY: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    /// Of each file, the layouts that it had.
    fn layouts() -> Vec<(String, String)> {
        let commit = "0a".repeat(20);
        let keyed = |record: &str| format!(r#"{{"{HOTKEY}":{record}}}"#);
        let report = |rest: &str| keyed(&format!(r#"{{"hotkey":"{HOTKEY}","outcome":"pending",{rest},"reason":""}}"#));
        let repeat = r#"{"repeat_index":1,"generated_prompts":2,"failed_prompts":0,"generation_time":null}"#;
        let program = format!(r#""repo":"a/b","commit":"{commit}""#);
        let mut all = Vec::new();
        let mut add = |path: &str, text: String| all.push((path.to_owned(), text));
        for hardware in ["", r#","hardware":["4xH200","4xRTX6000Pro"]"#] {
            let submission = format!(
                r#"{{{program},"cdn_url":"https://a.example/","revealed_at_block":5,"round":"t-0"{hardware}}}"#
            );
            add("rounds/0/submissions.json", keyed(&submission));
            let build = format!(
                r#"{{{program},"revealed_at_block":5{hardware},"tag":"t","status":"success","docker_image":null}}"#
            );
            add("rounds/0/builds.json", keyed(&build));
            let leader = format!(
                r#"[{{"hotkey":"{HOTKEY}",{program},"docker":"x"{hardware},"weight":1.0,"effective_block":0}}]"#
            );
            add("leader.json", leader);
            add(
                "rounds/0/winner.json",
                format!(r#"{{"winner_hotkey":"leader",{program},"docker_image":"x"{hardware}}}"#),
            );
        }
        for defender in ["", r#","latest_defender":"leader""#] {
            add("rounds/0/require_audit.json", format!(r#"[{{"hotkey":"{HOTKEY}"{defender}}}]"#));
        }
        add("rounds/0/generation_reports.json", report(&format!(r#""repeats":[{repeat}]"#)));
        add(
            "rounds/0/generation_reports.json",
            report(r#""checked_prompts":0,"failed_prompts":0,"generation_time":null"#),
        );
        add(
            "rounds/0/generation_audits.json",
            keyed(&format!(r#"{{"hotkey":"{HOTKEY}","verdict":"failed","reason":"→ ≥"}}"#)),
        );
        let verification = r#""score":0,"total_prompts":8,"checked_prompts":8,"drawn":2,"reason":"""#;
        add(
            "rounds/0/verification_audits.json",
            keyed(&format!(r#"{{"hotkey":"{HOTKEY}","outcome":"passed",{verification}}}"#)),
        );
        let module = r#"{"car":{"js":null,"views":null,"failure_reason":"js_too_large","size":0}}"#.to_owned();
        for name in ["submitted", "generated", "generated_3"] {
            add(&format!("rounds/0/{HOTKEY}/{name}.json"), module.clone());
        }
        let run = r#"{"p-r1":{"pod_id":"p","repeat_index":1,"provider":"x","batch_times":[],"total_generation_time":0.0,"termination_reason":"requested","payload":{"b":[1,{"a":null}]}}}"#;
        add("rounds/0/leader/pod_stats.json", run.to_owned());
        add("rounds/0/leader/pod_stats.json", r#"{"p":{"old":1.5}}"#.to_owned());
        let duel = r#"{"name":"car","prompt":"u","left_js":null,"left_png":null,"right_js":"u","right_png":"u","winner":"right","detail":{"reason":"no preview from left"}}"#;
        for (name, left) in [("duels_leader", "leader"), ("audit_submitted_1", "submitted")] {
            let text = format!(r#"{{"left":"{left}","right":"{HOTKEY}","score":1,"margin":1.0,"duels":[{duel}]}}"#);
            add(&format!("rounds/0/{HOTKEY}/{name}.json"), text);
        }
        all
    }

    #[test]
    fn each_layout_is_written_back_byte_for_byte() {
        for (path, text) in layouts() {
            let pretty = format!("{:#}", serde_json::from_str::<serde_json::Value>(&text).unwrap());
            let file = ThreejsFile::of_path(&path).unwrap();
            let layout = ThreejsContent::parse(&file, pretty.as_bytes()).map(|(_, layout)| layout);
            // serde_json prints an empty list on one line, and so does every writer of these files.
            assert_eq!(layout, Ok(Layout::Exact), "{path}: {pretty}");
        }
    }

    #[test]
    fn a_config_may_name_the_repeats() {
        let text = r#"{"name": "t", "description": "", "first_evaluation_date": "2026-04-29", "last_competition_date": "2027-04-29", "generation_stage_minutes": 240, "win_margin": 0.07, "weight_decay": 0.2, "weight_floor": 0.2, "prompts_per_round": 8, "carryover_prompts": 4}"#;
        let repeats = |text: &str| match ThreejsContent::parse(&ThreejsFile::Config, text.as_bytes()) {
            Ok((ThreejsContent::Config(config), _)) => Some(config.audit_repeats),
            _ => None,
        };
        assert_eq!(repeats(text), Some(3));
        let given = |value: &str| repeats(&text.replace("\"name\"", &format!("\"audit_repeats\": {value}, \"name\"")));
        assert_eq!((given("1"), given("0"), given("\"3\"")), (Some(1), None, None));
    }
}
