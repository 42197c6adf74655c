//! `gen404 advance`: what is due now, step after step, by the stages' own commands.

use std::time::Duration;

use clap::Parser as _;
use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
use crate::cli::{AdvanceArgs, Cli, Global};
use crate::engine::common::pool;
use crate::engine::context::{Context, Standing};
use crate::model::ids::Block;
use crate::model::stage::Stage;
use crate::rules::stages::{Attempts, next};
use crate::settings::flags::ChainArgs;
use crate::ui::{Done, Ui, failure_json};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &AdvanceArgs) -> Result<u8> {
    let stop = Stop::on_signals()?;
    let (steps, waits) = (Vec::new(), Vec::new());
    let mut run = Run { global, ui, args, stop, steps, waits, worst: None, blind: false };
    loop {
        run.waits.clear();
        run.blind = false;
        let failed_before = std::mem::take(&mut run.worst);
        let over = run.pass()?;
        // What a server outside did not do this time is tried again; anything else is for a person.
        let broken = run.worst.is_some_and(|kind| kind != Kind::Outside);
        if run.stop.is_wanted() {
            run.worst = run.worst.or(failed_before);
            run.fail(None, &Error::outside("stopped by a signal").hint("run it again to go on"));
            break;
        }
        if over || broken || !args.wait || global.dry_run {
            break;
        }
        run.stop.sleep(Duration::from_secs(args.poll));
    }
    Ok(run.end())
}

/// A run at work.
struct Run<'a> {
    global: &'a Global,
    ui: &'a Ui,
    args: &'a AdvanceArgs,
    stop: Stop,
    /// What was done, for `--json`.
    steps: Vec<Value>,
    /// What is waited for.
    waits: Vec<String>,
    /// The worst failure of this pass.
    worst: Option<Kind>,
    /// The chain could not be asked in this pass.
    blind: bool,
}

impl Run<'_> {
    /// Does everything that is due now; will nothing more be due?
    fn pass(&mut self) -> Result<bool> {
        // Takes up what a killed run has left, and tells at once whether another one is at work.
        match Context::open(self.global, self.ui)?.lock("advance") {
            Err(error) if error.kind() == Kind::Busy => {
                self.ui.detail(&error.to_string());
                return Ok(false);
            }
            lock => drop(lock?),
        }
        let mut attempts = Attempts::default();
        self.args.skip.iter().for_each(|command| attempts.skip(command));
        while !self.stop.is_wanted() {
            let context = Context::open(self.global, self.ui)?;
            let standing = context.standing()?;
            let stage = standing.state.stage;
            if self.args.until == Some(stage) || matches!(stage, Stage::Finished | Stage::Paused) {
                self.ui.detail(&format!("round {} is in {stage}", standing.state.current_round));
                return Ok(true);
            }
            if stage == Stage::Open {
                self.before_the_seed(&context, &mut attempts);
            }
            let block = self.block(&context, &standing, &mut attempts);
            if self.stop.is_wanted() {
                break;
            }
            let facts = context.facts(&standing, block);
            let Some((command, what)) = next(&facts, &attempts) else { break };
            if !self.step(command, &what, &mut attempts) {
                break;
            }
        }
        Ok(false)
    }

    /// What the stage open needs: a pool that holds good, so that nobody learns of a bad line only when the seed
    /// is drawn; and no early record where nobody asked for one, since its push starts everybody's builds.
    fn before_the_seed(&mut self, context: &Context<'_>, attempts: &mut Attempts) {
        if !context.config.open.early {
            attempts.skip("open");
        }
        if let Err(error) = pool(context) {
            self.fail(None, &error);
            attempts.skip("open");
            attempts.skip("reveal-seed");
        }
    }

    /// The chain's block, in the stages that end by it. A chain that cannot be reached hides it, and
    /// holds up nothing else.
    fn block(&mut self, context: &Context<'_>, standing: &Standing, attempts: &mut Attempts) -> Option<Block> {
        if !matches!(standing.state.stage, Stage::Open | Stage::MinerGeneration) {
            return None;
        }
        if self.blind {
            return None;
        }
        let chain = context.chain(&ChainArgs::default());
        let block = chain.and_then(|chain| chain.map(|chain| chain.best_block()).transpose());
        block.unwrap_or_else(|error| {
            // A stop is told at the end.
            if !self.stop.is_wanted() {
                self.fail(None, &error);
            }
            self.blind = true;
            // It is not asked for submissions, either.
            attempts.add("open", false, true);
            None
        })
    }

    /// Runs a stage's command as if it had been called by hand; may the run go on? A dry run ends with the first
    /// command that would write something: what is due after that is known only then.
    fn step(&mut self, command: &'static str, what: &str, attempts: &mut Attempts) -> bool {
        self.ui.detail(&format!("gen404 {command}"));
        let ui = self.ui.for_step();
        let outcome = Cli::try_parse_from(["gen404", command])
            .map_err(|refused| Error::failed(format!("{command} cannot be called")).because(refused))
            .and_then(|cli| super::run(self.global, &ui, &cli.command));
        let done = ui.done();
        let failure = match outcome {
            Ok(0) => None,
            Ok(_) => Some(Error::not_due(done.did.last().cloned().unwrap_or_default())),
            Err(error) => Some(error),
        };
        let kind = failure.as_ref().map(Error::kind);
        if kind == Some(Kind::Busy) {
            // An operator's own command came in between.
            self.ui.detail(&failure.map(|error| error.to_string()).unwrap_or_default());
            return false;
        }
        let changed = !done.files.is_empty() || !done.commits.is_empty();
        let failed = kind.is_some_and(|kind| kind != Kind::NotDue);
        attempts.add(command, changed, failed);
        if kind == Some(Kind::NotDue) {
            self.waits.extend(failure.as_ref().map(ToString::to_string));
        }
        if changed || failed {
            self.say(command, what, &done, failure.as_ref());
        }
        if let Some(error) = failure.filter(|_| failed) {
            self.fail(Some(command), &error);
        }
        !(changed && self.global.dry_run)
    }

    fn say(&mut self, command: &str, what: &str, done: &Done, failure: Option<&Error>) {
        self.ui.take_in(done);
        let error = failure.filter(|error| error.kind() != Kind::NotDue);
        let exit = failure.map_or(0, |error| error.kind().exit_code());
        self.note_step(Some((command, what)), done, error, exit);
        if self.global.dry_run && error.is_none() {
            self.ui.result(&format!("next: gen404 {command} ({what})"));
        } else if error.is_none() {
            let waits = failure.map(ToString::to_string);
            let line = waits.as_ref().or_else(|| headline(command, done));
            self.ui.result(&format!("{command}: {}", line.map_or("done", String::as_str)));
        }
    }

    /// Says a failure, and counts it.
    fn fail(&mut self, command: Option<&str>, error: &Error) {
        let worse = |kind: Kind| [Kind::Conflict, Kind::Outside, Kind::Usage].iter().position(|other| *other == kind);
        let rank = |kind: Kind| worse(kind).unwrap_or(usize::MAX);
        if self.worst.is_none_or(|worst| rank(error.kind()) > rank(worst)) {
            self.worst = Some(error.kind());
        }
        self.ui.failure(command, error);
        if command.is_none() {
            self.note_step(None, &Done::default(), Some(error), error.kind().exit_code());
        }
    }

    /// Keeps a step's part of the JSON; without a command, what went wrong between steps.
    fn note_step(&mut self, step: Option<(&str, &str)>, done: &Done, error: Option<&Error>, exit: u8) {
        let (command, what) = step.unzip();
        let mut json = serde_json::Map::new();
        json.insert("command".to_owned(), json!(command));
        json.insert("what".to_owned(), json!(what));
        json.extend(done.json(self.global.dry_run));
        json.extend(error.map(failure_json).unwrap_or_default());
        json.insert("exit".to_owned(), json!(exit));
        self.steps.push(json.into());
    }

    /// The end of the run: its own part of the JSON, and the exit code.
    fn end(self) -> u8 {
        let waits = if self.waits.is_empty() { Value::Null } else { json!(self.waits.join("; ")) };
        self.ui.own(json!({"steps": self.steps, "waits": waits}));
        self.worst.map_or(0, Kind::exit_code)
    }
}

/// The line of a step's result that says what became of it: plans say it first, longer work last.
fn headline<'a>(command: &str, done: &'a Done) -> Option<&'a String> {
    match command {
        "open" | "reveal-seed" | "finalize" => done.did.first(),
        _ => done.did.last(),
    }
}
