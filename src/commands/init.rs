//! `gen404 init`: creates a new competition's folder.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use chrono::NaiveDate;

use crate::base::error::{Context as _, Error, Result};
use crate::base::files::{self, Readers};
use crate::cli::{Global, InitArgs};
use crate::engine::context::{Context, settings_here};
use crate::engine::moment::need_moment;
use crate::model::config::{ConfigFile, Settings, TimeOfDay};
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Block, RoundNumber};
use crate::model::leader::{LeaderEntry, Leaders};
use crate::model::prompts::PromptList;
use crate::model::record::Extra;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::FileWrite;
use crate::model::thresholds::{Rules, Thresholds};
use crate::rules::Plan;
use crate::rules::prompts;
use crate::rules::succession::{Moment, next_schedule, next_start};
use crate::settings::{self, Config};
use crate::ui::{Report, Ui};
use crate::world::git::Git;

pub(super) fn run(global: &Global, ui: &Ui, args: &InitArgs, report: &mut Report) -> Result<()> {
    let taken = args.dir.join("config.json").exists() || args.dir.join("state.json").exists();
    if taken {
        let taken = Error::failed(format!("{}: already holds a competition", args.dir.display()));
        return Err(taken.hint("name another folder"));
    }
    require_flags_without_terminal(args)?;
    let settings = settings_of(args)?;
    let leader = leader(args)?;
    let pool = pool(args)?;
    let (needed, given) = (settings.prompts_per_round, pool.stems().count());
    let few = format!("prompts.txt has {given} prompts: a round needs {needed} before its seed is drawn");
    let wanted = Wanted { settings, leader, pool };
    if global.dry_run {
        say_only(global, ui, args, &wanted, report)?;
    } else {
        make(global, ui, args, &wanted, report)?;
    }
    if given < needed {
        ui.warn(&few);
    }
    Ok(())
}

/// The competition that the flags ask for.
struct Wanted {
    settings: Settings,
    leader: LeaderEntry,
    pool: PromptList,
}

/// What `init` makes in the folder, in a dry run as in a real one.
struct Beginning {
    /// Starter settings for the operator, if there are none yet. Without git, nothing would keep them private.
    settings: Option<String>,
    plan: Plan,
}

impl Beginning {
    /// `checkout`: the folder is a git checkout by then.
    fn of(args: &InitArgs, wanted: &Wanted, config: &Config, checkout: bool) -> Result<Beginning> {
        let plan = plan(args, wanted, need_moment(config, &args.moment)?)?;
        let begun = args.dir.join(settings::FILE_NAME).symlink_metadata().is_ok();
        let settings = (checkout && !begun).then(|| settings::beginning(args.moment.chain.network.as_deref()));
        Ok(Beginning { settings, plan })
    }

    fn note_settings(&self, report: &mut Report) {
        report.note_files(self.settings.iter().map(|_| settings::FILE_NAME.to_owned()));
    }
}

fn make(global: &Global, ui: &Ui, args: &InitArgs, wanted: &Wanted, report: &mut Report) -> Result<()> {
    files::make_folder(&args.dir)?;
    if is_git_made(args) {
        Git::init(&args.dir)?;
    }
    let context = Context::at(global, ui, &args.dir, report)?;
    let _lock = context.lock("init", report)?;
    let beginning = Beginning::of(args, wanted, &context.config, context.git.is_some())?;
    if let Some(git) = &context.git {
        // Settings never leave this machine.
        git.exclude(&[&format!("/{}", settings::FILE_NAME)])?;
    }
    if let Some(text) = &beginning.settings {
        files::write_below(context.store.root(), Path::new(settings::FILE_NAME), text.as_bytes(), Readers::Own)?;
    }
    beginning.note_settings(report);
    context.apply(&beginning.plan, report)?;
    let commit = if global.commit || args.no_git { "" } else { "git add . && git commit -m \"The beginning\"; " };
    let place = args.dir.display();
    let own = if context.git.is_some() { "fill in" } else { "write, and name with --config," };
    let next = format!("cd {place}; {commit}{own} gen404.toml (chain, store, judge, pods); gen404 status");
    ui.tell(report);
    ui.status(&format!("next: {next}"));
    report.next.push(next);
    Ok(())
}

/// `--dry-run`: checks everything, and does not even create the folder.
fn say_only(global: &Global, ui: &Ui, args: &InitArgs, wanted: &Wanted, report: &mut Report) -> Result<()> {
    let config = settings_here(&Global { repo: Some(args.dir.clone()), ..global.clone() }, ui, report)?;
    let checkout = is_git_made(args) || args.dir.join(".git").exists();
    let beginning = Beginning::of(args, wanted, &config, checkout)?;
    if !args.dir.exists() {
        report.say(format!("would make {}", args.dir.display()));
    }
    beginning.plan.says.iter().for_each(|line| report.say(line));
    beginning.note_settings(report);
    report.note_files(beginning.plan.writes.iter().map(|write| write.file.path()));
    Ok(())
}

fn is_git_made(args: &InitArgs) -> bool {
    !args.no_git && !args.dir.join(".git").exists()
}

/// Without a terminal, names all missing flags at once instead of failing on the first.
fn require_flags_without_terminal(args: &InitArgs) -> Result<()> {
    let needed = [
        ("--name", args.name.is_some()),
        ("--first-day", args.first_day.is_some()),
        ("--last-day", args.last_day.is_some()),
        ("--leader-hotkey", args.leader_hotkey.is_some()),
        ("--leader-repo", args.leader_repo.is_some()),
        ("--leader-commit", args.leader_commit.is_some()),
        ("--leader-docker", args.leader_docker.is_some()),
    ];
    let missing: Vec<&str> = needed.into_iter().filter(|(_, given)| !given).map(|(flag, _)| flag).collect();
    if missing.is_empty() || std::io::stdin().is_terminal() {
        return Ok(());
    }
    let error = Error::usage(format!("without a terminal to ask on, these are needed: {}", missing.join(", ")));
    Err(error.hint("`gen404 init --help` explains them"))
}

fn plan(args: &InitArgs, wanted: &Wanted, moment: Moment) -> Result<Plan> {
    let Wanted { settings, leader, pool } = wanted;
    let start = next_start(settings, None, moment).ok_or_else(|| Error::usage("the dates are out of range"))?;
    if start.past_end {
        let (first, last) = (start.at.date_naive(), settings.last_competition_date);
        return Err(Error::usage(format!("the first round could start on {first}, after the last day {last}")));
    }
    let mut schedule = next_schedule(settings, None, &start);
    let (earliest, latest) = (Block(args.earliest_reveal_block), schedule.latest_reveal_block);
    if earliest > latest {
        return Err(Error::usage(format!(
            "--earliest-reveal-block {earliest} is after the last reveal block, {latest}"
        )));
    }
    schedule.earliest_reveal_block = earliest;
    let leaders: Leaders = vec![LeaderEntry { effective_block: schedule.latest_reveal_block, ..leader.clone() }];
    let round = RoundNumber(0);
    let says = vec![
        format!(
            "{}: round 0 is open until block {}, about {}",
            settings.name,
            start.block,
            start.at.format("%F %R UTC")
        ),
        format!("{} prompts in the pool", pool.0.len()),
    ];
    let state = CompetitionState::new(round, Stage::Open, Some(start.at));
    let message = format!("Competition {}: config, schedule, leader", crate::base::text::line(&settings.name));
    let writes = vec![
        with_newline(FileWrite::new(FileKind::Config, &ConfigFile::new(settings.clone()))),
        with_newline(FileWrite::new(FileKind::Pool, pool)),
        FileWrite::new(FileKind::Round(round, RoundFile::Schedule), &schedule),
        FileWrite::new(FileKind::Leader, &leaders),
        FileWrite::new(FileKind::State, &state),
    ];
    Ok(Plan { writes, message, says })
}

/// Files that people edit end in a newline.
fn with_newline(mut write: FileWrite) -> FileWrite {
    write.bytes.push(b'\n');
    write
}

fn settings_of(args: &InitArgs) -> Result<Settings> {
    let day = |given: Option<NaiveDate>, flag: &str, what: &str| -> Result<NaiveDate> {
        match given {
            Some(day) => Ok(day),
            None => parsed(&ask(flag, what, None)?, flag),
        }
    };
    let time = chrono::NaiveTime::parse_from_str(&args.start_time, "%H:%M:%S")
        .map_err(|_| Error::usage(format!("--start-time {:?}: must be HH:MM:SS", args.start_time)))?;
    let settings = Settings {
        rules: rules(&args.rules)?,
        name: text(args.name.as_ref(), "--name", "the competition's name", None)?,
        description: text(args.description.as_ref(), "--description", "what it is about", Some(""))?,
        first_evaluation_date: day(args.first_day, "--first-day", "the first day of a round (YYYY-MM-DD)")?,
        last_competition_date: day(args.last_day, "--last-day", "the last day of a round (YYYY-MM-DD)")?,
        round_start_time: Some(TimeOfDay(time)),
        generation_stage_minutes: args.generation_minutes,
        finalization_buffer_hours: Some(args.buffer_hours),
        win_margin: args.win_margin,
        weight_decay: args.weight_decay,
        weight_floor: args.weight_floor,
        prompts_per_round: args.prompts,
        carryover_prompts: args.carryover,
        round_duration_days: Some(args.round_days),
        format: None,
        extra: Extra::default(),
    };
    match settings.mistakes() {
        mistakes if mistakes.is_empty() => Ok(settings),
        mistakes => Err(Error::usage(mistakes.join("; "))),
    }
}

/// The limits given by `--rule`; `None` if all have their default values.
fn rules(given: &[String]) -> Result<Option<Rules>> {
    let mut keys = serde_json::Map::new();
    for rule in given {
        let wrong = |why: String| Error::usage(format!("--rule {rule}: {why}"));
        let (key, value) = rule.split_once('=').ok_or_else(|| wrong("must be KEY=VALUE".to_owned()))?;
        if !Thresholds::NAMES.contains(&key) {
            return Err(wrong(format!("unknown key; the keys are {}", Thresholds::NAMES.join(", "))));
        }
        let value = serde_json::from_str(value).map_err(|_| wrong("must be a number, true or false".to_owned()))?;
        if keys.insert(key.to_owned(), value).is_some() {
            return Err(wrong("given twice".to_owned()));
        }
    }
    let rules = serde_json::from_value::<Rules>(keys.into()).map_err(|e| Error::usage(format!("--rule: {e}")))?;
    Ok((!rules.limits.unusual().is_empty()).then_some(rules))
}

fn leader(args: &InitArgs) -> Result<LeaderEntry> {
    fn id<T: std::str::FromStr<Err: std::fmt::Display> + Clone>(
        given: Option<&T>,
        flag: &str,
        what: &str,
    ) -> Result<T> {
        match given {
            Some(id) => Ok(id.clone()),
            None => parsed(&ask(flag, what, None)?, flag),
        }
    }
    if !(0.0..=1.0).contains(&args.leader_weight) {
        return Err(Error::usage(format!("--leader-weight {} is not in [0, 1]", args.leader_weight)));
    }
    Ok(LeaderEntry {
        hotkey: id(args.leader_hotkey.as_ref(), "--leader-hotkey", "the first leader's hotkey")?,
        repo: id(args.leader_repo.as_ref(), "--leader-repo", "its repository (owner/name)")?,
        commit: id(args.leader_commit.as_ref(), "--leader-commit", "its commit (40 hex digits)")?,
        docker: text(args.leader_docker.as_ref(), "--leader-docker", "its image", None)?,
        weight: args.leader_weight,
        effective_block: Block(0),
        extra: Extra::default(),
    })
}

fn pool(args: &InitArgs) -> Result<PromptList> {
    let Some(path) = &args.pool else { return Ok(PromptList::default()) };
    let bytes = files::need(path, FileKind::Pool.largest())?;
    prompts::pool(&bytes).map_err(|why| Error::file(path, why))
}

fn text(given: Option<&String>, flag: &str, what: &str, default: Option<&str>) -> Result<String> {
    match given {
        Some(text) => Ok(text.clone()),
        None => ask(flag, what, default),
    }
}

/// Asks on the terminal. Without one, fails unless there is a default.
fn ask(flag: &str, what: &str, default: Option<&str>) -> Result<String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return default.map(str::to_owned).ok_or_else(|| Error::usage(format!("{flag} is needed: {what}")));
    }
    let mut answer = String::new();
    let asked = write!(std::io::stderr(), "{what}: ").and_then(|()| stdin.lock().read_line(&mut answer));
    asked.failed(|| "the terminal cannot be read".to_owned())?;
    match (answer.trim(), default) {
        ("", Some(default)) => Ok(default.to_owned()),
        ("", None) => Err(Error::usage(format!("{flag} is needed: {what}"))),
        (answer, _) => Ok(answer.to_owned()),
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str, flag: &str) -> Result<T> {
    text.parse().map_err(|e| Error::usage(format!("{flag}: {e}")))
}
