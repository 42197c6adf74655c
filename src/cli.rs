//! The command line: every flag and its help text, and no logic.

#![allow(rustdoc::broken_intra_doc_links, reason = "help texts name the settings' tables in brackets")]

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::model::format::Format;
use crate::model::ids::{CommitSha, Hotkey, RepoName, RoundNumber, Seed};
use crate::model::stage::Stage;
use crate::rules::seed::SeedSource;
use crate::rules::shard::Shard;
use crate::rules::stages::STEPS;
use crate::settings::flags::{ChainArgs, DistanceArgs, IntakeArgs, JudgeArgs, MomentArgs, StoreArgs};
use crate::ui::Verbosity;

/// Runs and re-checks 404-GEN competitions from the files of their git repository
#[derive(Debug, Parser)]
#[command(name = "gen404", version, max_term_width = 100, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    /// What every command takes
    #[command(flatten)]
    pub global: Global,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or nothing to do
  1  failed (verify: a claim does not hold)
  2  the command line or gen404.toml is wrong
  3  not due yet, or waiting: stdout says for what and until when
  4  a server outside failed after all retries: safe to run again";

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The competition's folder [default: the checkout that holds the current folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// Settings [default: gen404.toml in the competition's folder, if git does not track it]
    #[arg(long, global = true, value_name = "FILE", env = "GEN404_CONFIG")]
    pub config: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Say what would be written, and write nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Commit the files written, and only those
    ///
    /// By git's author, and signed where commit.gpgsign is on. git's hooks around a commit are not run;
    /// -v names those that are there.
    #[arg(long, global = true)]
    pub commit: bool,
    /// Take over what others pushed before, and push each commit; with --commit
    ///
    /// Nothing is ever forced, and only commits that gen404 made are pushed. Where another writer comes
    /// first, the commit is made again on top of theirs; where theirs changed what it rests on, the
    /// command looks again.
    #[arg(long, global = true)]
    pub push: bool,
    /// Wait for another gen404 on the same repository instead of giving up at once
    #[arg(long, global = true)]
    pub wait_lock: bool,
    /// Say less: errors only; of verify's findings what fails
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// No progress bars and no progress lines
    #[arg(long, global = true)]
    pub no_progress: bool,
}

impl Global {
    /// How much `-q` and `-v` ask to be said.
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
    /// Make a new competition: settings, first leader, first round
    Init(Box<InitArgs>),
    /// Say where the competition stands, and what is due
    Status(StatusArgs),
    /// Record the submissions revealed so far
    ///
    /// A push of the file starts the image builds of all miners where a workflow builds on it, as the deployed one
    /// does. `advance` leaves this command out unless [open] early in gen404.toml says otherwise.
    Open(OpenArgs),
    /// Fix the round's submissions, draw its seed, choose its prompts
    RevealSeed(RevealSeedArgs),
    /// Follow the miners' image builds
    Builds(BuildsArgs),
    /// Play the matches that the tournament needs, call for audits, declare the winner
    Duel(DuelArgs),
    /// Ask the judge about one duel, and show both answers
    Judge(JudgeOneArgs),
    /// Fetch the miners' files, draw and store them, record what was stored
    Download(DownloadArgs),
    /// Make the leader's outputs for the round's prompts, on rented pods
    Baseline(BaselineArgs),
    /// Make again what the leading miners submitted, compare it, and judge
    Audit(AuditArgs),
    /// Close a round: record the leader, open the next round or end the competition
    Finalize(MomentArgs),
    /// Do what is due now, step after step
    Advance(AdvanceArgs),
    /// Hold the competition by hand
    Pause,
    /// Go on with a competition that is held
    Resume(ResumeArgs),
    /// Say who leads, and the weights that follow
    ///
    /// That depends on the chain's block. Without one it says what the newest entry is, from which block on it is in
    /// force, and what the entry before it is.
    Leader(LeaderArgs),
    /// Re-check every claim of the competition from its files and history
    ///
    /// What fails is printed last, right above the summary; with -q nothing else is.
    Verify(VerifyArgs),
    /// Say how far apart two pictures are, as audits measure it
    Distance(DistanceOneArgs),
    /// Draw the previews of models: four views in one picture
    #[command(about = format!("Draw the previews of {} models: four views in one picture", Format::default().model().name()))]
    Render(RenderArgs),
    /// Write the competition as pages that people can look at
    Report(ReportArgs),
    /// Play a whole competition on this machine: no account, no GPU, no network
    Sandbox(SandboxArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Write the man pages, one a command
    Man(ManArgs),
}

/// Flags of `init`. What is not given is asked for on a terminal.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The new competition's folder
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The competition's name; rounds are called NAME-0, NAME-1, ...
    #[arg(long)]
    pub name: Option<String>,
    /// What it is about
    #[arg(long)]
    pub description: Option<String>,
    /// The first day on which a round may start
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub first_day: Option<NaiveDate>,
    /// The last day on which a round may start
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub last_day: Option<NaiveDate>,
    /// When on its day a round starts (UTC)
    #[arg(long, value_name = "HH:MM:SS", default_value = "08:00:00")]
    pub start_time: String,
    /// Minutes that miners have to generate and upload
    #[arg(long, value_name = "MINUTES", default_value_t = 120)]
    pub generation_minutes: u32,
    /// Hours that must be left before a round's start when it is opened
    #[arg(long, value_name = "HOURS", default_value_t = 1.0)]
    pub buffer_hours: f64,
    /// The margin that a challenger needs, as a fraction of the duels
    #[arg(long, value_name = "FRACTION", default_value_t = 0.05)]
    pub win_margin: f64,
    /// Weight that a leader loses in each round that it holds
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.05)]
    pub weight_decay: f64,
    /// Weight below which a leader does not fall
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.1)]
    pub weight_floor: f64,
    /// Prompts in a round
    #[arg(long, value_name = "COUNT", default_value_t = 128)]
    pub prompts: usize,
    /// Prompts that a round takes over from the one before
    #[arg(long, value_name = "COUNT", default_value_t = 32)]
    pub carryover: usize,
    /// Days from one round to the next
    #[arg(long, value_name = "DAYS", default_value_t = 1)]
    pub round_days: u32,
    /// A limit of the rules that is not the default, such as mismatches=4: a key of `rules` in config.json
    ///
    /// The keys are generation_seconds, overtime_tolerance, mismatch_margin, distance, mismatches,
    /// critical_mismatches, median_seconds, trim, require_source_audit and allow_private_cdn.
    #[arg(long = "rule", value_name = "KEY=VALUE")]
    pub rules: Vec<String>,
    /// The pool: a file of prompt image URLs, one a line
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
    /// The first leader's image
    #[arg(long, value_name = "IMAGE")]
    pub leader_docker: Option<String>,
    /// The first leader's weight
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.0)]
    pub leader_weight: f64,
    /// First block whose reveals count in round 0
    #[arg(long, value_name = "BLOCK", default_value_t = 0)]
    pub earliest_reveal_block: u64,
    /// Do not make the folder a git repository
    #[arg(long)]
    pub no_git: bool,
    /// The chain's block and time, where no chain is asked
    #[command(flatten)]
    pub moment: MomentArgs,
}

/// Flags of `open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Which chain to ask
    #[command(flatten)]
    pub chain: ChainArgs,
    /// How reveals are read
    #[command(flatten)]
    pub intake: IntakeArgs,
}

/// Flags of `reveal-seed`.
#[derive(Debug, Args)]
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
    /// Take this seed (tests, reproductions): nobody can prove it later
    #[arg(long, value_name = "N", conflicts_with = "seed_source")]
    pub seed: Option<Seed>,
    /// A drand HTTP endpoint, asked for a round that the chain does not have
    #[arg(long, value_name = "URL")]
    pub drand_url: Option<String>,
}

/// Flags of `builds`.
#[derive(Debug, Args)]
pub struct BuildsArgs {
    /// Look again and again until no build is open
    #[arg(long)]
    pub wait: bool,
    /// Go by this run of the CI, in place of the one that the push of the submissions started
    #[arg(long, value_name = "ID", conflicts_with = "file")]
    pub run: Option<u64>,
    /// Take the builds from this JSON file: hotkey to {"status": STATUS, "image": IMAGE}; the image may
    /// be left out
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Flags of `duel`.
#[derive(Debug, Args)]
pub struct DuelArgs {
    /// Which judge to ask
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// Judge calls in flight [default: 16]
    #[arg(long, value_name = "N")]
    pub judge_concurrency: Option<usize>,
    /// Play only the matches of this part of the miners, by challenger: 0/4 to 3/4
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// While audits are awaited, wait for them instead of ending
    #[arg(long)]
    pub wait: bool,
    /// Seconds between two looks at the audits
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "wait")]
    pub poll: u64,
}

/// Flags of `judge`.
#[derive(Debug, Args)]
pub struct JudgeOneArgs {
    /// The prompt's image: a URL or a file
    pub prompt: String,
    /// The defender's preview: a URL or a file
    pub left: String,
    /// The challenger's preview: a URL or a file
    pub right: String,
    /// The seed that goes with the question
    #[arg(long, value_name = "N", default_value_t = Seed(0))]
    pub seed: Seed,
    /// Which judge to ask
    #[command(flatten)]
    pub judge: JudgeArgs,
}

/// Flags of `download`.
#[derive(Debug, Args)]
pub struct DownloadArgs {
    /// Fetch again what failed or was refused before
    #[arg(long)]
    pub retry_failed: bool,
    /// Fetch the files of this miner only
    #[arg(long, value_name = "HOTKEY")]
    pub only: Option<Hotkey>,
    /// Fetch a part of the miners: I from 0 to N-1. The last part to be recorded moves the stage
    #[arg(long, value_name = "I/N", default_value = "0/1", hide_default_value = true)]
    pub shard: Shard,
    /// Have a render service draw the previews instead of this machine
    #[arg(long, value_name = "URL", env = "RENDER_URL", conflicts_with = "no_previews")]
    pub render_service: Option<String>,
    /// Draw and store no previews (measurements)
    #[arg(long)]
    pub no_previews: bool,
    /// Take miners' URLs on hosts that are not public (sandbox, tests)
    #[arg(long)]
    pub allow_private_cdn: bool,
    /// Where objects go
    #[command(flatten)]
    pub store: StoreArgs,
    /// The chain's block, which tells whether the deadline is over
    #[command(flatten)]
    pub moment: MomentArgs,
}

/// Flags of `advance`.
#[derive(Debug, Args)]
pub struct AdvanceArgs {
    /// Stop once this stage is reached, before anything is done in it
    #[arg(long, value_name = "STAGE")]
    pub until: Option<Stage>,
    /// Leave this command to others: another host, a person, a service (may be given more than once)
    #[arg(long, value_name = "COMMAND", value_parser = PossibleValuesParser::new(STEPS))]
    pub skip: Vec<String>,
    /// Go on, waiting for what will be due, until the competition is finished or paused
    #[arg(long)]
    pub wait: bool,
    /// Seconds between two looks at what is due
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
    pub poll: u64,
}

/// Flags of `baseline`.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// Try again the prompts for which nothing could be made before
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
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Audit this miner only
    #[arg(long, value_name = "HOTKEY")]
    pub only: Option<Hotkey>,
    /// Audit a part of the miners, by their place among the submissions: I from 0 to N-1. One that did not submit is
    /// the first part's
    #[arg(long, value_name = "I/N", default_value = "0/1", hide_default_value = true)]
    pub shard: Shard,
    /// Try again the prompts for which nothing could be made before; with --only also those of a miner
    /// that was rejected
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
}

/// Flags of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Go on in this stage [default: what the round's files show]
    #[arg(long)]
    pub stage: Option<Stage>,
}

/// Flags of `leader`.
#[derive(Debug, Args)]
pub struct LeaderArgs {
    /// The block to look at [default: the chain's, where the settings or these flags name a chain]
    #[arg(long, value_name = "BLOCK")]
    pub block: Option<u64>,
    /// The chain to ask
    #[command(flatten)]
    pub chain: ChainArgs,
}

/// Flags of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only this round
    #[arg(long, value_name = "N")]
    pub round: Option<RoundNumber>,
    /// Also check what each commit did, and the working tree against the last one
    #[arg(long)]
    pub history: bool,
    /// Also ask the chain whether each seed's drand round or block hash is the one of its block
    #[arg(long)]
    pub chain: bool,
    /// Which chain to ask
    #[command(flatten)]
    pub source: ChainArgs,
    /// Also fetch the stored objects, and compare them with their sums and previews
    #[arg(long)]
    pub objects: bool,
    /// Of each player's objects, fetch this many models with their previews
    #[arg(long, value_name = "K", requires = "objects")]
    pub sample: Option<usize>,
    /// Fetch objects from hosts that are not public (sandbox, tests)
    #[arg(long)]
    pub allow_private_cdn: bool,
    /// Where objects are
    #[command(flatten)]
    pub store: StoreArgs,
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
    #[arg(long, value_name = "PIXELS", default_value_t = crate::preview::DEFAULT_SIZE, value_parser = clap::value_parser!(u32).range(16..=2048))]
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
    /// The other one
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
    /// index.html, a page a round, a page a match; with --json also report.json, the numbers that the
    /// pages show. Pages need no server and ask for nothing but the pictures at their own addresses. Beside
    /// the competition's folder, as FOLDER-report, where not given; never inside it.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Say who leads at this block [default: the block is not known: no chain is asked]
    #[arg(long, value_name = "BLOCK")]
    pub block: Option<u64>,
    /// Only the pages of this round, and the index
    #[arg(long, value_name = "ROUND")]
    pub only: Option<RoundNumber>,
    /// Show the index in the browser
    #[arg(long)]
    pub open: bool,
}

/// Flags of `sandbox`. What is not given is as the sandbox in the folder was made.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// The folder: new, empty, or a sandbox to go on with
    #[arg(value_name = "DIR", default_value = "gen404-sandbox")]
    pub dir: PathBuf,
    /// What everything is drawn from: the same seed and port give the same commits [default: 404]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Rounds to play, 1 to 365 [default: 2]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=365))]
    pub rounds: Option<u32>,
    /// Miners, 6 to 64: six with a part of their own, the others plain [default: 7]
    #[arg(long, value_name = "COUNT", value_parser = count::<6, 64>)]
    pub miners: Option<usize>,
    /// Prompts in a round, 1 to 128 [default: 10]
    #[arg(long, value_name = "COUNT", value_parser = count::<1, 128>)]
    pub prompts: Option<usize>,
    /// The port of all servers; 0: a free one [default: 40404]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Keep the servers when the play is over, until Ctrl-C
    #[arg(long)]
    pub keep_serving: bool,
    /// Leave every command to you, in another terminal: the servers run, and the chain moves to what is due
    /// next, until Ctrl-C
    #[arg(long)]
    pub by_hand: bool,
}

/// A number from `LOW` to `HIGH`.
fn count<const LOW: usize, const HIGH: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (LOW..=HIGH).contains(number));
    number.ok_or_else(|| format!("a number from {LOW} to {HIGH} is needed"))
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
    /// The folder to write them to [default: print the page of gen404 itself]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
