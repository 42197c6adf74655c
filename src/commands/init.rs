//! `gen404 init`: creates a new competition's folder.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::base::error::{Context as _, Error, Kind, Result, plainly};
use crate::base::files::{self, Readers};
use crate::base::text::{counted, time};
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
use crate::settings;
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
    let has = counted(given, "prompt", "prompts");
    let few = format!("prompts.txt has {has}: a round needs {needed} before its seed is drawn");
    let plan = |moment| plan(args, settings, leader, &pool, moment);
    if global.dry_run {
        say_only(global, ui, args, plan, report)?;
    } else {
        make(global, ui, args, plan, report)?;
    }
    if given < needed {
        ui.warn(&few);
    }
    Ok(())
}

fn make(
    global: &Global,
    ui: &Ui,
    args: &InitArgs,
    plan: impl FnOnce(Moment) -> Result<Plan>,
    report: &mut Report,
) -> Result<()> {
    let made = Made::of(args);
    let begun = begin(global, ui, args, plan, report);
    // Another run's competition may have come here in the meantime.
    if begun.as_ref().is_err_and(|error| error.kind() != Kind::Busy) && report.files.is_empty() {
        made.undo()?;
    }
    begun
}

/// What a run creates before its first file: it goes again if the run is refused.
struct Made {
    /// The folders, the inner ones first.
    folders: Vec<PathBuf>,
    git: Option<PathBuf>,
}

impl Made {
    fn of(args: &InitArgs) -> Self {
        let missing = args.dir.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !is_there(folder));
        let git = is_git_made(args).then(|| args.dir.join(".git"));
        Made { folders: missing.map(Path::to_owned).collect(), git }
    }

    fn undo(self) -> Result<()> {
        for git in self.git.iter().filter(|git| is_there(git)) {
            std::fs::remove_dir_all(git).failed(|| format!("{}: cannot be removed", git.display()))?;
        }
        for folder in self.folders.iter().filter(|folder| is_there(folder)) {
            std::fs::remove_dir(folder).failed(|| format!("{}: cannot be removed", folder.display()))?;
        }
        Ok(())
    }
}

fn begin(
    global: &Global,
    ui: &Ui,
    args: &InitArgs,
    plan: impl FnOnce(Moment) -> Result<Plan>,
    report: &mut Report,
) -> Result<()> {
    files::make_folder(&args.dir)?;
    if is_git_made(args) {
        Git::init(&args.dir)?;
    }
    let context = Context::at(global, ui, &args.dir, report)?;
    let _lock = context.lock("init", report)?;
    let plan = plan(context.need_moment(&args.moment)?)?;
    begin_settings(&context, args, report)?;
    context.apply(&plan, report)?;
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
fn say_only(
    global: &Global,
    ui: &Ui,
    args: &InitArgs,
    plan: impl FnOnce(Moment) -> Result<Plan>,
    report: &mut Report,
) -> Result<()> {
    let config = settings_here(&Global { repo: Some(args.dir.clone()), ..global.clone() }, ui, report)?;
    let plan = plan(need_moment(&config, &args.moment)?)?;
    if !args.dir.exists() {
        report.say(format!("would make {}", args.dir.display()));
    }
    plan.says.iter().for_each(|line| report.say(line));
    let checkout = is_git_made(args) || args.dir.join(".git").exists();
    let begun = checkout && !is_there(&args.dir.join(settings::FILE_NAME));
    report.note_files(begun.then(|| settings::FILE_NAME.to_owned()));
    report.note_files(plan.writes.iter().map(|write| write.file.path()));
    Ok(())
}

fn is_git_made(args: &InitArgs) -> bool {
    !args.no_git && !args.dir.join(".git").exists()
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Writes starter settings for the operator. Git ignores them, so that they never leave this machine.
fn begin_settings(context: &Context<'_>, args: &InitArgs, report: &mut Report) -> Result<()> {
    let Some(git) = &context.git else { return Ok(()) };
    git.exclude(&[&format!("/{}", settings::FILE_NAME)])?;
    let root = context.store.root();
    if is_there(&root.join(settings::FILE_NAME)) {
        return Ok(());
    }
    let text = settings::beginning(args.moment.chain.network.as_deref());
    files::write_below(root, Path::new(settings::FILE_NAME), text.as_bytes(), Readers::Own)?;
    report.note_files([settings::FILE_NAME.to_owned()]);
    Ok(())
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

fn plan(args: &InitArgs, settings: Settings, leader: LeaderEntry, pool: &PromptList, moment: Moment) -> Result<Plan> {
    let start = next_start(&settings, None, moment).ok_or_else(|| Error::usage("the dates are out of range"))?;
    if start.past_end {
        let (first, last) = (start.at.date_naive(), settings.last_competition_date);
        return Err(Error::usage(format!("the first round could start on {first}, after the last day {last}")));
    }
    let mut schedule = next_schedule(&settings, None, &start);
    let (earliest, latest) = (Block(args.earliest_reveal_block), schedule.latest_reveal_block);
    if earliest > latest {
        return Err(Error::usage(format!(
            "--earliest-reveal-block {earliest} is after the last reveal block, {latest}"
        )));
    }
    schedule.earliest_reveal_block = earliest;
    let leaders: Leaders = vec![LeaderEntry { effective_block: schedule.latest_reveal_block, ..leader }];
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
    let rules = serde_json::from_value::<Rules>(keys.into())
        .map_err(|e| Error::usage(format!("--rule: {}", plainly(&e.to_string()))))?;
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
        docker: image(text(args.leader_docker.as_ref(), "--leader-docker", "its image", None)?)?,
        weight: args.leader_weight,
        effective_block: Block(0),
        extra: Extra::default(),
    })
}

/// An image's name, which pods are started with: one word.
fn image(name: String) -> Result<String> {
    match name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        true => {
            Err(Error::usage(format!("--leader-docker {name:?}: expected an image such as registry.example/name:tag")))
        }
        false => Ok(name),
    }
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
