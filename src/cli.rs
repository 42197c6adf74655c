//! The command line: every flag and its help text, and no logic.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    /// Settings [default: gen404.toml in the competition's folder, where there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Say what would be written, and write nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Commit the files written, and only those
    #[arg(long, global = true)]
    pub commit: bool,
    /// Wait for another gen404 on the same repository instead of giving up at once
    #[arg(long, global = true)]
    pub wait_lock: bool,
    /// Say less: errors only
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
}
