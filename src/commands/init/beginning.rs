//! What `init` writes, from its flags and answers.

use std::path::Path;

use crate::base::error::{Error, Result, plainly};
use crate::base::files;
use crate::base::text::{counted, time};
use crate::cli::InitArgs;
use crate::engine::moment::current_moment;
use crate::model::config::{ConfigFile, Settings, TimeOfDay};
use crate::model::file::{FileKind, RoundFile};
use crate::model::format::Format;
use crate::model::ids::{Block, RoundNumber};
use crate::model::leader::{LeaderEntry, Leaders};
use crate::model::prompts::PromptList;
use crate::model::record::Extra;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::FileWrite;
use crate::model::threejs::config::{AUDIT_REPEATS, REPEATS};
use crate::model::threejs::programs::{ThreejsLeader, ThreejsLeaders};
use crate::model::thresholds::{Rules, Thresholds};
use crate::rules::succession::{Moment, next_schedule, next_start};
use crate::rules::threejs::admission::hardware;
use crate::rules::{Plan, prompts};
use crate::settings::{self, Config};
use crate::ui::Report;

/// Everything that `init` writes.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Starter settings for the operator, if there are none yet. Without git, nothing would keep them private.
    pub(super) settings: Option<String>,
    pub(super) plan: Plan,
    /// The warning that the pool is too small for a round.
    pub(super) few: Option<String>,
}

impl Beginning {
    /// # Errors
    /// A value is missing or wrong, or the chain cannot be asked for its block.
    pub(super) fn of(args: &InitArgs, config: &Config) -> Result<Beginning> {
        let settings = settings_of(args)?;
        let leader = leader(args)?;
        let pool = args.pool.as_deref().map(read_pool).transpose()?.unwrap_or_default();
        let (needed, given) = (settings.prompts_per_round, pool.stems().count());
        let has = counted(given, "prompt", "prompts");
        let few =
            (given < needed).then(|| format!("prompts.txt has {has}: a round needs {needed} before its seed is drawn"));
        let plan = plan(args, settings, leader, &pool, current_moment(config, &args.moment)?)?;
        let checkout = !args.no_git || args.dir.join(".git").exists();
        let begun = args.dir.join(settings::FILE_NAME).symlink_metadata().is_ok();
        let chain = chain_given(args);
        let chain = chain.as_ref().map(|(key, value)| (*key, value.as_str()));
        let settings = (checkout && !begun).then(|| settings::beginning(chain));
        Ok(Beginning { settings, plan, few })
    }

    /// The plan in lines, with the warning.
    pub(super) fn says(&self) -> Vec<String> {
        self.plan.says.iter().chain(&self.few).cloned().collect()
    }

    pub(super) fn note_settings(&self, report: &mut Report) {
        report.note_files(self.settings.iter().map(|_| settings::FILE_NAME.to_owned()));
    }
}

/// The chain that was given, by its key in the settings. A file's path there starts at the competition's folder, and
/// here at the current one.
fn chain_given(args: &InitArgs) -> Option<(&'static str, String)> {
    let file = args.moment.chain.chain_file.as_ref().map(|file| file.canonicalize().unwrap_or_else(|_| file.clone()));
    let network = args.moment.chain.network.clone().map(|network| ("network", network));
    network.or_else(|| Some(("file", file?.to_str()?.to_owned())))
}

fn plan(args: &InitArgs, settings: Settings, leader: LeaderEntry, pool: &PromptList, moment: Moment) -> Result<Plan> {
    let start = next_start(&settings, None, moment).ok_or_else(|| Error::usage("the dates are out of range"))?;
    if start.past_end {
        let (first, last) = (start.at.date_naive(), settings.last_competition_date);
        let late = format!("no round can start by the last day, {last}: the first would start on {first}");
        return Err(Error::usage(late).hint("give a later --last-day"));
    }
    let mut schedule = next_schedule(&settings, None, &start);
    let (earliest, latest) = (Block(args.earliest_reveal_block), schedule.latest_reveal_block);
    if earliest > latest {
        return Err(Error::usage(format!(
            "--earliest-reveal-block {earliest} is after the last reveal block, {latest}"
        )));
    }
    schedule.earliest_reveal_block = earliest;
    let leader = LeaderEntry { effective_block: schedule.latest_reveal_block, ..leader };
    let leaders = leaders_file(&settings, leader);
    let round = RoundNumber(0);
    let says = vec![
        format!("{}: round 0 is open until block {}, about {}", settings.name, start.block, time(start.at)),
        format!("{} in the pool", counted(pool.0.len(), "prompt", "prompts")),
    ];
    let state = CompetitionState::new(round, Stage::Open, Some(start.at));
    let message = format!("Competition {}: config, schedule, leader", crate::base::text::line(&settings.name));
    let writes = vec![
        with_newline(FileWrite::new(FileKind::Config, &ConfigFile::new(settings))),
        with_newline(FileWrite::new(FileKind::Pool, pool)),
        FileWrite::new(FileKind::Round(round, RoundFile::Schedule), &schedule),
        leaders,
        FileWrite::new(FileKind::State, &state),
    ];
    Ok(Plan { writes, message, says })
}

/// `leader.json` with the first leader; three.js programs run on the first hardware that is known, unless the file is
/// changed.
fn leaders_file(settings: &Settings, leader: LeaderEntry) -> FileWrite {
    if settings.format != Some(Format::Threejs) {
        let leaders: Leaders = vec![leader];
        return FileWrite::new(FileKind::Leader, &leaders);
    }
    let LeaderEntry { hotkey, repo, commit, docker, weight, effective_block, extra } = leader;
    let hardware = Some(hardware(None));
    let leaders: ThreejsLeaders =
        vec![ThreejsLeader { hotkey, repo, commit, docker, hardware, weight, effective_block, extra }];
    FileWrite::new(FileKind::Leader, &leaders)
}

/// Files that people edit end in a newline.
fn with_newline(mut write: FileWrite) -> FileWrite {
    write.bytes.push(b'\n');
    write
}

fn settings_of(args: &InitArgs) -> Result<Settings> {
    let time = chrono::NaiveTime::parse_from_str(&args.start_time, "%H:%M:%S")
        .map_err(|_| Error::usage(format!("--start-time {:?}: must be HH:MM:SS", args.start_time)))?;
    let format = args.format.map_or(Format::Mesh, Format::from);
    let usual = Usual::of(format);
    let settings = Settings {
        rules: rules(&args.rules, format)?,
        name: needed(args.name.as_ref(), "--name")?,
        description: args.description.clone().unwrap_or_default(),
        first_evaluation_date: needed(args.first_day.as_ref(), "--first-day")?,
        last_competition_date: needed(args.last_day.as_ref(), "--last-day")?,
        round_start_time: Some(TimeOfDay(time)),
        generation_stage_minutes: args.generation_minutes.unwrap_or(usual.generation_minutes),
        finalization_buffer_hours: Some(args.buffer_hours),
        win_margin: args.win_margin.unwrap_or(usual.win_margin),
        weight_decay: args.weight_decay.unwrap_or(usual.weight_decay),
        weight_floor: args.weight_floor.unwrap_or(usual.weight_floor),
        prompts_per_round: args.prompts,
        carryover_prompts: args.carryover,
        round_duration_days: Some(args.round_days.unwrap_or(usual.round_days)),
        format: Some(format).filter(|format| *format != Format::Mesh),
        extra: repeats(args, format)?,
    };
    match settings.mistakes() {
        mistakes if mistakes.is_empty() => Ok(settings),
        mistakes => Err(Error::usage(mistakes.join("; "))),
    }
}

/// The settings of a format where no flag gives them.
struct Usual {
    generation_minutes: u32,
    win_margin: f64,
    weight_decay: f64,
    weight_floor: f64,
    round_days: u32,
}

impl Usual {
    /// Of three.js modules: those of the deployed competition.
    fn of(format: Format) -> Usual {
        match format {
            Format::Threejs => {
                let (win_margin, weight_decay, weight_floor) = (0.07, 0.2, 0.2);
                Usual { generation_minutes: 240, win_margin, weight_decay, weight_floor, round_days: 3 }
            }
            _ => {
                let (win_margin, weight_decay, weight_floor) = (0.05, 0.05, 0.1);
                Usual { generation_minutes: 120, win_margin, weight_decay, weight_floor, round_days: 1 }
            }
        }
    }
}

/// The key that only a competition of three.js modules has.
fn repeats(args: &InitArgs, format: Format) -> Result<Extra> {
    let mut extra = Extra::default();
    match (format, args.audit_repeats) {
        (Format::Threejs, given) => {
            let repeats = given.unwrap_or(AUDIT_REPEATS);
            if !REPEATS.contains(&repeats) {
                let (least, most) = (REPEATS.start(), REPEATS.end());
                return Err(Error::usage(format!("--audit-repeats {repeats}: must be from {least} to {most}")));
            }
            extra.keep(usize::MAX, "audit_repeats", repeats.into()).map_err(|why| Error::failed(why.to_string()))?;
        }
        (_, Some(_)) => {
            return Err(Error::usage(
                "--audit-repeats is for --format threejs: no other format runs a program several times",
            ));
        }
        (_, None) => {}
    }
    Ok(extra)
}

fn needed<T: Clone>(given: Option<&T>, flag: &str) -> Result<T> {
    given.cloned().ok_or_else(|| Error::usage(format!("{flag} is needed")))
}

/// The one rule that three.js competitions have, too: their audits are matches.
const FOR_MODULES: &str = "allow_private_cdn";

/// The limits given by `--rule`; `None` if all have their default values.
fn rules(given: &[String], format: Format) -> Result<Option<Rules>> {
    let known = |key: &str| Thresholds::NAMES.contains(&key) && (format != Format::Threejs || key == FOR_MODULES);
    let mut keys = serde_json::Map::new();
    for rule in given {
        let wrong = |why: String| Error::usage(format!("--rule {rule}: {why}"));
        let (key, value) = rule.split_once('=').ok_or_else(|| wrong("must be KEY=VALUE".to_owned()))?;
        if !known(key) {
            let keys: Vec<&str> = Thresholds::NAMES.iter().copied().filter(|key| known(key)).collect();
            return Err(wrong(format!("unknown key in a {format} competition; it has {}", keys.join(", "))));
        }
        let value = serde_json::from_str(value).map_err(|_| wrong("must be a number, true or false".to_owned()))?;
        if keys.insert(key.to_owned(), value).is_some() {
            return Err(wrong("given twice".to_owned()));
        }
    }
    let rules = serde_json::from_value::<Rules>(keys.into())
        .map_err(|e| Error::usage(format!("--rule: {}", plainly(&e.to_string()))))?;
    Ok((!rules.limits.unusual().is_empty()).then_some(rules))
}

fn leader(args: &InitArgs) -> Result<LeaderEntry> {
    if !(0.0..=1.0).contains(&args.leader_weight) {
        return Err(Error::usage(format!("--leader-weight {} is not in [0, 1]", args.leader_weight)));
    }
    Ok(LeaderEntry {
        hotkey: needed(args.leader_hotkey.as_ref(), "--leader-hotkey")?,
        repo: needed(args.leader_repo.as_ref(), "--leader-repo")?,
        commit: needed(args.leader_commit.as_ref(), "--leader-commit")?,
        docker: needed(args.leader_docker.as_ref(), "--leader-docker")?.to_string(),
        weight: args.leader_weight,
        effective_block: Block(0),
        extra: Extra::default(),
    })
}

/// Reads a pool: image URLs, one per line.
///
/// # Errors
/// It cannot be read, or a line is no URL of an image.
pub(super) fn read_pool(path: &Path) -> Result<PromptList> {
    let bytes = files::named(path, FileKind::Pool.largest())?;
    prompts::pool(&bytes).map_err(|why| Error::file(path, why))
}
