//! The command line: every flag and its help text, and no logic.

#![allow(rustdoc::broken_intra_doc_links, reason = "help texts name the settings' tables in brackets")]

mod complete;

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser as _, ValueHint};
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::base::text;
use crate::model::format::Format;
use crate::model::ids::{CommitSha, Hotkey, RepoName, RoundNumber, Seed};
use crate::model::image_ref::ImageRef;
use crate::model::stage::Stage;
use crate::rules::pausing;
use crate::rules::seed::SeedSource;
use crate::rules::shard::Shard;
use crate::rules::stage_table;
use crate::settings::flags::{
    ChainArgs, DistanceArgs, DriverArgs, IntakeArgs, JudgeArgs, Meter, MomentArgs, StoreArgs, Witness,
};
use crate::ui::{LogFormat, Verbosity};

/// Runs and re-checks 404-GEN competitions from the files of their git repository
#[derive(Debug, Parser)]
#[command(name = "gen404", version, max_term_width = 100, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    /// Options of every command
    #[command(flatten)]
    pub global: Global,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The command tree, as command lines are read.
#[must_use]
pub fn tree() -> clap::Command {
    // A negative number is a value that is refused with a reason, not an unknown flag.
    Cli::command().mut_subcommands(|command| command.allow_negative_numbers(true))
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or nothing to do
  1  failed (verify: a claim does not hold)
  2  the command line or gen404.toml is wrong
  3  not due yet, or waiting: stdout says for what and until when; or a limit is reached
  4  an external server failed after all retries, or a signal stopped the run: safe to run again";

/// Flags that every command accepts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The competition's folder [default: the checkout that holds the current folder]
    #[arg(long, global = true, value_name = "DIR", env = "GEN404_REPO", value_hint = ValueHint::DirPath,
        value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub repo: Option<PathBuf>,
    /// Settings file [default: gen404.toml in the competition's folder, if git does not track it]
    #[arg(long, global = true, value_name = "FILE", env = "GEN404_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Show what would be written, and write nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Commit the files written, and only those
    ///
    /// Uses git's configured author, and signs the commit if commit.gpgsign is on. Git's commit hooks are not run; -v
    /// lists those that were skipped.
    #[arg(long, global = true)]
    pub commit: bool,
    /// Pull in what others have pushed, and push each commit; needs --commit
    ///
    /// Never forces a push, and pushes only commits that gen404 made. If another writer pushes first, the commit is
    /// remade on top of theirs; if theirs changed the files it depends on, the command starts over from the new state.
    #[arg(long, global = true)]
    pub push: bool,
    /// Wait for another gen404 on the same repository instead of giving up at once
    #[arg(long, global = true)]
    pub wait_lock: bool,
    /// Print only what is wrong: nothing when nothing is due, or when every check passes
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// No progress bars and no progress lines
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Write lines for a log: text (each after its UTC time) or json (an object a line)
    #[arg(long, global = true, value_name = "FORMAT", env = "GEN404_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// Write numbers for a monitor (Prometheus' text format) after each run that may change the competition
    #[arg(long, global = true, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Counts what this run uses
    #[arg(skip)]
    pub meter: Meter,
    /// Hears of each commit
    #[arg(skip)]
    pub witness: Witness,
}

impl Global {
    /// The verbosity that `-q` and `-v` ask for.
    #[must_use]
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// Every subcommand, in the order of a round.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a new competition: settings, first leader, first round
    Init(Box<InitArgs>),
    /// Show where the competition stands and what is due
    Status(StatusArgs),
    /// Check that all that a round needs is there and works
    ///
    /// One line for each part: ok, warn or fail, and what to do. Every server that is configured is asked once, with its
    /// cheapest call, through the same code as in a round; nothing is retried. The store gets a small object, which is
    /// read and deleted again, and the judge one small question. Ends with code 1 if anything fails.
    Doctor(Box<DoctorArgs>),
    /// Show the settings, and where each comes from
    Config(ConfigArgs),
    /// Show what the runs on this machine did, and what failed since when
    ///
    /// Reads the record that every run of `advance`, of a stage's command, of `pause` and of `resume` leaves in the
    /// operator's own folder. Runs that found nothing to do, and runs that failed alike, are shown once; -v shows each.
    Log(LogArgs),
    /// Record the submissions revealed so far
    ///
    /// Pushing submissions.json starts every miner's image build if a CI workflow runs on it, as the deployed one does.
    /// `advance` skips this command unless `early` under [open] in gen404.toml is true.
    Open(OpenArgs),
    /// Fix the round's submissions, draw its seed, choose its prompts
    RevealSeed(RevealSeedArgs),
    /// Follow the miners' image builds
    Builds(BuildsArgs),
    /// Play the matches that the tournament needs, call for audits, declare the winner
    Duel(DuelArgs),
    /// Ask the judge about one duel, and show its answers
    Judge(JudgeOneArgs),
    /// Fetch the miners' files, draw and store them, record what was stored
    Download(DownloadArgs),
    /// Generate the leader's outputs for the round's prompts, on rented pods
    Baseline(BaselineArgs),
    /// Regenerate what the leading miners submitted, compare, and record a verdict
    Audit(AuditArgs),
    /// Close a round: record the leader, open the next round or end the competition
    Finalize(MomentArgs),
    /// Do what is due now, step by step
    Advance(AdvanceArgs),
    /// Pause the competition
    Pause(PauseArgs),
    /// Resume a paused competition
    Resume(ResumeArgs),
    /// Show who leads, and the resulting weights
    ///
    /// Who leads depends on the chain's block. If it is unknown, shows the newest entry, the block from which it is in
    /// force, and the entry before it.
    Leader(LeaderArgs),
    /// Show which hosts have announced steps under [lease], or take announcements away
    ///
    /// Asks the git remote, and so follows the configuration of the checkout: use it in checkouts of your own.
    Lease(LeaseArgs),
    /// Re-check every claim of the competition from its files and history
    ///
    /// Failures are printed last, right above the summary; with -q nothing else is printed.
    Verify(Box<VerifyArgs>),
    /// For miners: say what download, intake and audit would make of your files
    ///
    /// Works on a clone, without keys, and writes nothing into it. Ends with code 1 if a file would be missing or
    /// refused, or the miner would not take part or be rejected; with code 3 before the prompts are known. Of three.js
    /// modules, STEM.js in a folder, the static rules are checked: allowed names, sizes, what a module may not do.
    Check(Box<CheckArgs>),
    /// Measure the distance between two pictures as audits do
    Distance(DistanceOneArgs),
    /// Draw the previews of models: four views in one picture
    #[command(about = format!("Draw the previews of {} models: four views in one picture", Format::default().model().name()))]
    Render(RenderArgs),
    /// Write the competition as web pages
    Report(ReportArgs),
    /// Play a whole competition on this machine: no account, no GPU, no network
    Sandbox(SandboxArgs),
    /// Print shell completions
    ///
    /// These know commands and flags. To complete rounds, hotkeys and prompts of the competition as well, let the shell
    /// ask gen404 itself: source <(COMPLETE=bash gen404), source <(COMPLETE=zsh gen404), or COMPLETE=fish gen404 | source.
    Completions(CompletionsArgs),
    /// Write the man pages, one per command
    Man(ManArgs),
}

impl Command {
    /// May it change the competition, so that its runs are recorded?
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        matches!(
            self,
            Command::Open(_)
                | Command::RevealSeed(_)
                | Command::Builds(_)
                | Command::Baseline(_)
                | Command::Download(_)
                | Command::Duel(_)
                | Command::Audit(_)
                | Command::Finalize(_)
                | Command::Advance(_)
                | Command::Pause(_)
                | Command::Resume(_)
        )
    }

    /// Does its line ask for a part only of what it does?
    #[must_use]
    pub fn is_partial(&self) -> bool {
        match self {
            Command::Download(args) => args.only.is_some() || args.shard != Shard::default(),
            Command::Duel(args) => args.shard.is_some(),
            Command::Audit(args) => args.only.is_some() || args.shard != Shard::default(),
            _ => false,
        }
    }

    /// The command of this name with default flags; `None` unless `advance` runs it.
    #[must_use]
    pub fn by_default(name: &str) -> Option<Command> {
        // clap is not involved here, so read the environment variable that backs a flag.
        let render_service = std::env::var("RENDER_URL").ok();
        Some(match name {
            "open" => Command::Open(OpenArgs::default()),
            "reveal-seed" => Command::RevealSeed(RevealSeedArgs::default()),
            "builds" => Command::Builds(BuildsArgs::default()),
            "baseline" => Command::Baseline(BaselineArgs { render_service, ..BaselineArgs::default() }),
            "download" => Command::Download(DownloadArgs { render_service, ..DownloadArgs::default() }),
            "duel" => Command::Duel(DuelArgs { poll: AUDITS_POLL, ..DuelArgs::default() }),
            "audit" => Command::Audit(AuditArgs { render_service, ..AuditArgs::default() }),
            "finalize" => Command::Finalize(MomentArgs::default()),
            _ => return None,
        })
    }
}

/// Flags of `init`. Missing required values are asked for on a terminal.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The new competition's folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The competition's name; rounds are called NAME-0, NAME-1, ...
    #[arg(long)]
    pub name: Option<String>,
    /// A short description
    #[arg(long)]
    pub description: Option<String>,
    /// The first day on which a round may start
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = text::day)]
    pub first_day: Option<NaiveDate>,
    /// The last day on which a round may start
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = text::day)]
    pub last_day: Option<NaiveDate>,
    /// Time of day at which a round starts (UTC)
    #[arg(long, value_name = "HH:MM:SS", default_value = "08:00:00")]
    pub start_time: String,
    /// Minutes that miners have to generate and upload [default: 120; threejs: 240]
    #[arg(long, value_name = "MINUTES", value_parser = text::whole::<u32>)]
    pub generation_minutes: Option<u32>,
    /// Minimum hours between opening a round and its start
    #[arg(long, value_name = "HOURS", default_value_t = 1.0, value_parser = text::number)]
    pub buffer_hours: f64,
    /// The margin that a challenger needs, as a fraction of the duels [default: 0.05; threejs: 0.07]
    #[arg(long, value_name = "FRACTION", value_parser = text::number)]
    pub win_margin: Option<f64>,
    /// Weight that a leader loses in each round that it holds [default: 0.05; threejs: 0.2]
    #[arg(long, value_name = "WEIGHT", value_parser = text::number)]
    pub weight_decay: Option<f64>,
    /// Lowest weight a leader can decay to [default: 0.1; threejs: 0.2]
    #[arg(long, value_name = "WEIGHT", value_parser = text::number)]
    pub weight_floor: Option<f64>,
    /// Prompts in a round
    #[arg(long, value_name = "COUNT", default_value_t = 128, value_parser = text::whole::<usize>)]
    pub prompts: usize,
    /// Prompts carried over from the previous round
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = text::whole::<usize>)]
    pub carryover: usize,
    /// Days from one round to the next [default: 1; threejs: 3]
    #[arg(long, value_name = "DAYS", value_parser = text::whole::<u32>)]
    pub round_days: Option<u32>,
    /// How often the program of a winner is run again: of threejs only [default: 3]
    #[arg(long, value_name = "COUNT", value_parser = text::whole::<u32>)]
    pub audit_repeats: Option<u32>,
    /// Override a default limit, such as mismatches=4: a key of `rules` in config.json
    ///
    /// The keys are generation_seconds, overtime_tolerance, mismatch_margin, distance, mismatches,
    /// critical_mismatches, median_seconds, trim, require_source_audit and allow_private_cdn; threejs has the last alone.
    #[arg(long = "rule", value_name = "KEY=VALUE")]
    pub rules: Vec<String>,
    /// What the competition is about [default: mesh]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<RunFormat>,
    /// The pool: a file of prompt image URLs, one per line
    #[arg(long, value_name = "FILE")]
    pub pool: Option<PathBuf>,
    /// The first leader's hotkey
    #[arg(long, value_name = "SS58")]
    pub leader_hotkey: Option<Hotkey>,
    /// The first leader's repository
    #[arg(long, value_name = "OWNER/NAME")]
    pub leader_repo: Option<RepoName>,
    /// The first leader's commit
    #[arg(long, value_name = "SHA")]
    pub leader_commit: Option<CommitSha>,
    /// The first leader's image, such as registry.example.org/name:tag
    #[arg(long, value_name = "IMAGE")]
    pub leader_docker: Option<ImageRef>,
    /// The first leader's weight
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0, value_parser = text::number)]
    pub leader_weight: f64,
    /// First block whose reveals count in round 0
    #[arg(long, value_name = "BLOCK", default_value_t = 0, value_parser = text::whole::<u64>)]
    pub earliest_reveal_block: u64,
    /// Do not make the folder a git repository
    #[arg(long)]
    pub no_git: bool,
    /// On a terminal, ask only for what is needed, and write without asking
    #[arg(short, long)]
    pub yes: bool,
    /// The chain's block and time, if no chain is queried
    #[command(flatten)]
    pub moment: MomentArgs,
}

/// Flags of `open`.
#[derive(Debug, Default, Args)]
pub struct OpenArgs {
    /// Which chain to ask
    #[command(flatten)]
    pub chain: ChainArgs,
    /// How reveals are read
    #[command(flatten)]
    pub intake: IntakeArgs,
}

/// Flags of `reveal-seed`.
#[derive(Debug, Default, Args)]
pub struct RevealSeedArgs {
    /// Which chain to ask
    #[command(flatten)]
    pub chain: ChainArgs,
    /// How reveals are read
    #[command(flatten)]
    pub intake: IntakeArgs,
    /// Where the seed comes from: drand, block (its hash), or random [default: drand, or block where
    /// the chain is a file]
    #[arg(long, value_name = "SOURCE")]
    pub seed_source: Option<SeedSource>,
    /// Use this seed (tests, reproductions): it cannot be proven later
    #[arg(long, value_name = "N", conflicts_with = "seed_source")]
    pub seed: Option<Seed>,
    /// A drand HTTP endpoint, asked for a round that the chain does not have
    #[arg(long, value_name = "URL")]
    pub drand_url: Option<String>,
}

/// Flags of `builds`.
#[derive(Debug, Default, Args)]
pub struct BuildsArgs {
    /// Keep polling until no build is open
    #[arg(long)]
    pub wait: bool,
    /// Use this CI run instead of the one started by pushing the submissions
    #[arg(long, value_name = "ID", conflicts_with = "file", value_parser = text::whole::<u64>)]
    pub run: Option<u64>,
    /// Read the builds from this JSON file: hotkey to {"status": STATUS, "image": IMAGE}; the image is optional
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Seconds between checks of the audits.
const AUDITS_POLL: u64 = 30;

/// Flags of `duel`.
#[derive(Debug, Default, Args)]
pub struct DuelArgs {
    /// Which judge to ask
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// Judge calls in flight [default: 16]
    #[arg(long, value_name = "N", value_parser = text::whole::<usize>)]
    pub judge_concurrency: Option<usize>,
    /// Play only the matches of this shard of the challengers: 0/4 to 3/4
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Wait for pending audits instead of exiting
    #[arg(long)]
    pub wait: bool,
    /// Seconds between checks of the audits
    #[arg(long, value_name = "SECONDS", default_value_t = AUDITS_POLL, requires = "wait", value_parser = text::whole::<u64>)]
    pub poll: u64,
}

/// Flags of `judge`.
#[derive(Debug, Args)]
pub struct JudgeOneArgs {
    /// The prompt's image: a URL or a file
    #[arg(add = complete::prompts())]
    pub prompt: String,
    /// The defender's preview, or in a competition of three.js modules its folder of views: a URL or a path
    pub left: String,
    /// The challenger's
    pub right: String,
    /// The seed sent with the question
    #[arg(long, value_name = "N", default_value_t = Seed(0))]
    pub seed: Seed,
    /// Which judge to ask
    #[command(flatten)]
    pub judge: JudgeArgs,
}

/// Flags of `download`.
#[derive(Debug, Default, Args)]
pub struct DownloadArgs {
    /// Retry files that failed or were refused before
    #[arg(long)]
    pub retry_failed: bool,
    /// Fetch the files of this miner only
    #[arg(long, value_name = "HOTKEY", add = complete::hotkeys())]
    pub only: Option<Hotkey>,
    /// Fetch one shard of the miners: I from 0 to N-1. The last shard to be recorded moves the stage
    #[arg(long, value_name = "I/N", default_value = "0/1", hide_default_value = true)]
    pub shard: Shard,
    /// Have a render service draw the previews instead of this machine
    #[arg(long, value_name = "URL", env = "RENDER_URL", conflicts_with = "no_previews")]
    pub render_service: Option<String>,
    /// Do not draw or store previews (for measurements)
    #[arg(long)]
    pub no_previews: bool,
    /// Accept miners' URLs on non-public hosts (sandbox, tests)
    #[arg(long)]
    pub allow_private_cdn: bool,
    /// Where objects go
    #[command(flatten)]
    pub store: StoreArgs,
    /// The chain's block, which tells whether the deadline has passed
    #[command(flatten)]
    pub moment: MomentArgs,
}

/// Flags of `advance`.
#[derive(Debug, Args)]
pub struct AdvanceArgs {
    /// Stop once this stage is reached, before doing anything in it
    #[arg(long, value_name = "STAGE", add = complete::stages())]
    pub until: Option<Stage>,
    /// Skip this command: another host, a person or a service runs it (repeatable)
    #[arg(long, value_name = "COMMAND", value_parser = PossibleValuesParser::new(stage_table::commands()))]
    pub skip: Vec<String>,
    /// Keep going, waiting for what comes due, until the competition is finished or paused
    #[arg(long)]
    pub wait: bool,
    /// Seconds between checks of what is due
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait", value_parser = text::whole::<u64>)]
    pub poll: u64,
}

/// Flags of `baseline`.
#[derive(Debug, Default, Args)]
pub struct BaselineArgs {
    /// Retry prompts for which nothing could be generated before
    #[arg(long)]
    pub retry: bool,
    /// Have a render service draw the previews instead of this machine
    #[arg(long, value_name = "URL", env = "RENDER_URL")]
    pub render_service: Option<String>,
    /// Where objects go
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Flags of `audit`.
#[derive(Debug, Default, Args)]
pub struct AuditArgs {
    /// Audit this miner only
    #[arg(long, value_name = "HOTKEY", add = complete::hotkeys())]
    pub only: Option<Hotkey>,
    /// Audit one shard of the miners, by their position in submissions.json: I from 0 to N-1. A miner without a
    /// submission is in shard 0
    #[arg(long, value_name = "I/N", default_value = "0/1", hide_default_value = true)]
    pub shard: Shard,
    /// Retry prompts for which nothing could be generated before; with --only, also those of a rejected miner
    #[arg(long)]
    pub retry: bool,
    /// Have a render service draw the previews instead of this machine
    #[arg(long, value_name = "URL", env = "RENDER_URL")]
    pub render_service: Option<String>,
    /// Where objects go
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Flags of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Where the block comes from
    #[command(flatten)]
    pub moment: MomentArgs,
    /// Look again every so many seconds, until Ctrl-C [default: 10]. A terminal is redrawn; elsewhere, what has changed
    /// is printed
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10", value_parser = count::<u64, 1, 86_400>)]
    pub watch: Option<u64>,
    /// Say by the exit code what is due: 0 nothing, 3 it waits, 10 a command is due now
    #[arg(long)]
    pub exit_code: bool,
}

/// Flags of `pause`.
#[derive(Debug, Default, Args)]
pub struct PauseArgs {
    /// Why, in one line: kept in the commit's message, and shown by `status` and `advance`
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
}

/// A reason of one line that is not too long.
fn reason(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= pausing::LONGEST_REASON;
    if !fits || text.contains(['\n', '\r']) {
        Err("one line of up to 200 characters is needed")
    } else {
        Ok(text::line(text))
    }
}

/// Flags of `lease`.
#[derive(Debug, Args)]
pub struct LeaseArgs {
    /// Take away the announcements of this host, or of all: for a host that is dead. A run that works on loses its
    /// lease, and stops
    #[arg(long, value_name = "HOST", num_args = 0..=1, add = complete::lease_hosts())]
    #[allow(clippy::option_option, reason = "the flag, and its value")]
    pub release: Option<Option<String>>,
}

/// Flags of `doctor`.
#[derive(Debug, Clone, Default, Args)]
pub struct DoctorArgs {
    /// Only what this stage or stage command needs [default: all that is configured, and what the current stage needs]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(stage_table::stages_and_commands()))]
    pub stage: Option<String>,
    /// Leave out what only this command needs: another host, a person or a service runs it (repeatable)
    #[arg(long, value_name = "COMMAND", value_parser = PossibleValuesParser::new(stage_table::commands()))]
    pub skip: Vec<String>,
    /// Ask no server: only this machine, the settings and the files
    #[arg(long)]
    pub offline: bool,
    /// Do not ask the judge a question, which may cost a little
    #[arg(long)]
    pub no_ask: bool,
    /// What to check, where flags name it in a round
    #[command(flatten)]
    pub drivers: DriverArgs,
}

/// Flags of `config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// What to do
    #[command(subcommand)]
    pub what: ConfigCommand,
}

/// What to do with the settings.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with its origin: a default, a line of the file, a variable or a flag
    ///
    /// Secrets are shown as set or not, never themselves.
    Show(Box<DriverArgs>),
}

/// Flags of `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Show only the newest entries
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = count::<usize, 1, 1_000_000>)]
    pub last: usize,
    /// Show only runs from this time or day on (UTC); 17:48 is the last time that it was 17:48
    #[arg(long, value_name = "TIME", value_parser = text::since)]
    pub(crate) since: Option<text::Since>,
    /// Show only runs that failed or were killed
    #[arg(long)]
    pub failed: bool,
    /// Show only runs in this round
    #[arg(long, value_name = "N", add = complete::rounds())]
    pub round: Option<RoundNumber>,
}

/// Flags of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Stage to resume in [default: what the round's files show]
    #[arg(long, add = complete::stages())]
    pub stage: Option<Stage>,
}

/// Flags of `leader`.
#[derive(Debug, Args)]
pub struct LeaderArgs {
    /// The block to look at [default: the chain's, if the settings or these flags name a chain]
    #[arg(long, value_name = "BLOCK", value_parser = text::whole::<u64>)]
    pub block: Option<u64>,
    /// The chain to ask
    #[command(flatten)]
    pub chain: ChainArgs,
}

/// Flags of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Only this round
    #[arg(long, value_name = "N", add = complete::rounds())]
    pub round: Option<RoundNumber>,
    /// Also check what each commit did, and compare the working tree with the last one
    #[arg(long)]
    pub history: bool,
    /// Check the competition that this commit belongs to, as it ended, and its commits from this one on
    #[arg(long, value_name = "COMMIT", requires = "history", conflicts_with_all = ["chain", "objects"])]
    pub from: Option<String>,
    /// What else is asked of the history, and receipts
    #[command(flatten)]
    pub past: PastArgs,
    /// Also check each seed's drand round or block hash against the chain
    #[arg(long)]
    pub chain: bool,
    /// Which chain to ask
    #[command(flatten)]
    pub source: ChainArgs,
    /// Also fetch the stored objects, and compare them with their sums and previews
    #[arg(long)]
    pub objects: bool,
    /// Fetch only this many of each player's models, with their previews
    #[arg(long, value_name = "K", requires = "objects", value_parser = count::<usize, 1, 1_000_000>)]
    pub sample: Option<usize>,
    /// Also ask your own judge about this many of the recorded duels again, in both orders, and say how often it agrees
    ///
    /// Says first what that takes; with --dry-run, only that. Answers are kept, so a run that was killed goes on where it
    /// was. Nothing that the judge says is a failure.
    #[arg(long, value_name = "K", conflicts_with = "from", value_parser = count::<usize, 1, 1_000_000>)]
    pub judge: Option<usize>,
    /// Draws the duels that are judged again
    #[arg(long, value_name = "N", default_value_t = 0, requires = "judge", value_parser = text::whole::<u64>)]
    pub seed: u64,
    /// Which judge to ask
    #[command(flatten)]
    pub judge_args: JudgeArgs,
    /// Judge calls in flight [default: 16]
    #[arg(long, value_name = "N", requires = "judge", value_parser = text::whole::<usize>)]
    pub judge_concurrency: Option<usize>,
    /// Fetch objects from non-public hosts (sandbox, tests)
    #[arg(long)]
    pub allow_private_cdn: bool,
    /// Where objects are
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Flags of `verify` on the history as a whole, and on receipts.
#[derive(Debug, Clone, Default, Args)]
pub struct PastArgs {
    /// Fail unless this commit, or one that begins with these digits (7 or more), is checked out or in its history
    #[arg(long, value_name = "COMMIT", value_parser = commit_digits)]
    pub expect: Option<String>,
    /// Where the heads that were verified last are remembered; nowhere, if empty [default: gen404/heads.json in
    /// $XDG_STATE_HOME, or in ~/.local/state]
    #[arg(long, value_name = "FILE", env = "GEN404_HEADS",
        value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub heads: Option<PathBuf>,
    /// Accept a history that does not contain the head verified last, and remember its own head from now on
    #[arg(long)]
    pub accept_rewrite: bool,
    /// Check that commits are signed by the signers in this file (git's allowed signers): all but those before --from,
    /// or before the first signed one
    #[arg(long, value_name = "FILE")]
    pub signers: Option<PathBuf>,
    /// Keys in this file (a list of public keys, or a KRL) do not count
    #[arg(long, value_name = "FILE", requires = "signers")]
    pub revoked: Option<PathBuf>,
    /// Write what was verified and found to this file: the same bytes on every machine, to be signed or compared
    #[arg(long, value_name = "FILE", conflicts_with = "sample")]
    pub receipt: Option<PathBuf>,
    /// Compare with the receipt in this file, and name each difference. --history, --round and --from are as it says
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sample", "receipt"])]
    pub check_receipt: Option<PathBuf>,
}

/// The first digits of a commit's id, or all of them.
fn commit_digits(text: &str) -> Result<String, &'static str> {
    let fits = (7..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(text.to_owned()) } else { Err("7 to 40 hex digits of a commit's id are needed") }
}

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The files: a folder, or a URL as in a submission's `cdn_url`
    #[arg(value_name = "FOLDER|URL", value_hint = ValueHint::AnyPath)]
    pub source: String,
    /// Also check what this miner revealed, and its image build [default: the miner that submitted this URL]
    #[arg(long, value_name = "HOTKEY", add = complete::hotkeys())]
    pub hotkey: Option<Hotkey>,
    /// The round [default: the current one]
    #[arg(long, value_name = "N", add = complete::rounds())]
    pub round: Option<RoundNumber>,
    /// Check against the prompts in this file, image URLs, one per line [default: those of the round]
    #[arg(long, value_name = "FILE")]
    pub prompts: Option<PathBuf>,
    /// Write the previews into this folder, each named by its prompt
    #[arg(long, value_name = "DIR")]
    pub previews: Option<PathBuf>,
    /// Run the program behind this URL on the prompts as an audit does, and say its verdict
    #[arg(long, value_name = "URL")]
    pub pod: Option<String>,
    /// Generate with this seed [default: the round's]
    #[arg(long, value_name = "N", requires = "pod")]
    pub seed: Option<Seed>,
    /// Keep the work in this folder: with --pod, the next run continues there. Name another one after a change of the
    /// program
    #[arg(long, value_name = "DIR")]
    pub work: Option<PathBuf>,
    /// Have a render service draw the previews instead of this machine
    #[arg(long, value_name = "URL", env = "RENDER_URL")]
    pub render_service: Option<String>,
    /// What measures, with --pod
    #[command(flatten)]
    pub distance: DistanceArgs,
    /// How reveals are read
    #[command(flatten)]
    pub intake: IntakeArgs,
    /// The chain, and its block
    #[command(flatten)]
    pub moment: MomentArgs,
}

/// Flags of `render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The models
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Write the preview to this file, or into this folder [default: beside each model, as .png]
    #[arg(short, long, value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Edge of each of the four views, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = crate::preview::DEFAULT_SIZE, value_parser = count::<u32, 16, 2048>)]
    pub size: u32,
    /// Have a render service draw them instead of this machine
    #[arg(long, value_name = "URL", env = "RENDER_URL", conflicts_with = "size")]
    pub service: Option<String>,
}

/// Flags of `distance`.
#[derive(Debug, Args)]
pub struct DistanceOneArgs {
    /// A picture: a PNG file or a URL
    pub a: String,
    /// The other picture
    pub b: String,
    /// What measures
    #[command(flatten)]
    pub distance: DistanceArgs,
}

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The folder to write to
    ///
    /// Writes index.html, a page per round, match and miner, and the same facts for programs: status.json, leader.json,
    /// standings.json, round-N.json, and the news as feed.xml; with --json also report.json, all that the pages show.
    /// The pages need no server and load nothing but pictures, from the pictures' own addresses. The default is
    /// FOLDER-report beside the competition's folder; a folder inside it is refused.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Show who leads at this block [default: unknown; no chain is queried]
    #[arg(long, value_name = "BLOCK", value_parser = text::whole::<u64>)]
    pub block: Option<u64>,
    /// Only the pages of this round, and the index
    #[arg(long, value_name = "ROUND", add = complete::rounds())]
    pub only: Option<RoundNumber>,
    /// Also show what `verify --history` says of each commit
    #[arg(long)]
    pub history: bool,
    /// Open the index in the browser
    #[arg(long)]
    pub open: bool,
}

/// Flags of `sandbox`. Those not given keep the values that the sandbox in the folder was made with.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The folder: new, empty, or a sandbox to continue
    #[arg(value_name = "DIR", default_value = "gen404-sandbox")]
    pub dir: PathBuf,
    /// Seed for everything that is drawn: the same seed and port give the same commits [default: 404]
    #[arg(long, value_name = "N", value_parser = text::whole::<u64>)]
    pub seed: Option<u64>,
    /// Rounds to play, 1 to 365 [default: 2]
    #[arg(long, value_name = "COUNT", value_parser = count::<u32, 1, 365>)]
    pub rounds: Option<u32>,
    /// Miners, 6 to 64: six with a role of their own (threejs: seven, so at least 7), the rest plain [default: 7]
    #[arg(long, value_name = "COUNT", value_parser = count::<usize, 6, 64>)]
    pub miners: Option<usize>,
    /// Prompts in a round, 1 to 128 [default: 10]
    #[arg(long, value_name = "COUNT", value_parser = count::<usize, 1, 128>)]
    pub prompts: Option<usize>,
    /// What the competition is about [default: mesh]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<RunFormat>,
    /// Have three.js modules drawn by what [views] of this settings file names, such as a browser, instead of a stand-in
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub views: Option<PathBuf>,
    /// The port of all servers; 0 picks a free one [default: 24404, or the next free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// How the judge behaves, to see what `verify` makes of it [default: honest]
    #[arg(long, value_name = "MODE", value_enum)]
    pub judge: Option<SandboxJudge>,
    /// Keep the servers running after the play, until Ctrl-C
    #[arg(long)]
    pub keep_serving: bool,
    /// Leave every command to you, in another terminal: the servers run and the chain advances to what is due next,
    /// until Ctrl-C
    #[arg(long)]
    pub by_hand: bool,
    /// Play the miner steady yourself: what it serves, and what its program makes, are the models in this folder, each
    /// named by its prompt's stem
    #[arg(long, value_name = "FOLDER", requires = "by_hand", value_hint = ValueHint::DirPath)]
    pub miner: Option<PathBuf>,
}

/// A format that gen404 runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RunFormat {
    /// Textured meshes
    Mesh,
    /// three.js modules
    Threejs,
}

impl From<RunFormat> for Format {
    fn from(named: RunFormat) -> Format {
        match named {
            RunFormat::Mesh => Format::Mesh,
            RunFormat::Threejs => Format::Threejs,
        }
    }
}

/// How a sandbox's judge behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SandboxJudge {
    /// It answers what it sees
    Honest,
    /// Its operator records a winner that its answers do not give: `verify` finds it
    Lies,
    /// It favours the model that it is shown first
    First,
    /// It mixes the two models up at random
    Random,
}

/// A count that is out of bounds, or not a number.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a number from {low} to {high} is needed")]
struct CountError {
    low: usize,
    high: usize,
}

/// A number from `LOW` to `HIGH`.
fn count<N: TryFrom<usize>, const LOW: usize, const HIGH: usize>(text: &str) -> Result<N, CountError> {
    let number: Option<usize> = text.parse().ok().filter(|number| (LOW..=HIGH).contains(number));
    number.and_then(|number| N::try_from(number).ok()).ok_or(CountError { low: LOW, high: HIGH })
}

/// Flags of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Flags of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The folder to write the pages to [default: print gen404's own page]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_stages_command_without_flags_is_what_its_command_line_would_be() {
        for name in stage_table::commands() {
            let parsed = Cli::try_parse_from(["gen404", name]).unwrap().command;
            assert_eq!(format!("{:?}", Command::by_default(name).unwrap()), format!("{parsed:?}"));
        }
        assert!(Command::by_default("verify").is_none());
    }
}
