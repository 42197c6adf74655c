//! `gen404 advance`: what is due now, step after step, by the stages' own commands.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
use crate::cli::{AdvanceArgs, Command, Global};
use crate::engine::common::pool;
use crate::engine::context::{Context, Standing};
use crate::model::ids::Block;
use crate::model::stage::Stage;
use crate::rules::stages::{Attempts, next};
use crate::settings::flags::ChainArgs;
use crate::ui::{Ended, Line, Report, Ui};
use crate::world::stop::Stop;

pub(super) fn run(global: &Global, ui: &Ui, args: &AdvanceArgs, report: &mut Report) -> Result<()> {
    let stop = Stop::on_signals()?;
    let (steps, waits) = (Vec::new(), Vec::new());
    let mut run = Run { global, ui, args, report, stop, steps, waits, worst: None, blind: false };
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
    run.end();
    Ok(())
}

/// A run at work.
struct Run<'a> {
    global: &'a Global,
    ui: &'a Ui,
    args: &'a AdvanceArgs,
    report: &'a mut Report,
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
        match Context::open(self.global, self.ui, self.report)?.lock("advance", self.report) {
            Err(error) if error.kind() == Kind::Busy => {
                self.ui.detail(&error.to_string());
                return Ok(false);
            }
            lock => drop(lock?),
        }
        let mut attempts = Attempts::default();
        self.args.skip.iter().for_each(|command| attempts.skip(command));
        while !self.stop.is_wanted() {
            let context = Context::open(self.global, self.ui, self.report)?;
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
    fn step(&mut self, name: &'static str, what: &str, attempts: &mut Attempts) -> bool {
        self.ui.detail(&format!("gen404 {name}"));
        let ended = match Command::by_default(name) {
            Some(command) => super::run(self.global, &self.ui.for_step(), &command),
            None => Ok(Report::default()),
        };
        let (done, error) = match &ended {
            Ok(done) => (done, None),
            Err(failed) => (&failed.report, Some(&failed.error)),
        };
        done.did.iter().for_each(|line| self.ui.detail(&line.plain()));
        done.waits.iter().for_each(|line| self.ui.detail(line));
        if let Some(busy) = error.filter(|error| error.kind() == Kind::Busy) {
            // An operator's own command came in between.
            self.ui.detail(&busy.to_string());
            return false;
        }
        let (changed, failed) = (done.changed(), error.is_some());
        attempts.add(name, changed, failed);
        self.waits.extend(done.waits.iter().cloned());
        self.report.warnings.extend(done.warnings.iter().cloned());
        if changed || failed {
            self.say(name, what, &ended);
        }
        if let Some(error) = error {
            self.fail(Some(name), error);
        }
        !(changed && self.global.dry_run)
    }

    /// Takes a step's report into the run's own.
    fn say(&mut self, name: &str, what: &str, ended: &Ended) {
        let (done, error) = match ended {
            Ok(done) => (done, None),
            Err(failed) => (&failed.report, Some(&failed.error)),
        };
        self.report.take_in(done);
        // Of a real run, they are for those who asked for more.
        if !self.global.verbose && !self.global.dry_run {
            self.report.keep_files_quiet();
        }
        self.note_step(Some((name, what)), done, error);
        if self.global.dry_run && error.is_none() {
            self.report.say_next(format!("gen404 {name} ({what})"));
        } else if error.is_none() {
            let line = done.waits.last().map_or_else(|| headline(name, done), |waits| Some(waits.as_str()));
            self.report.say(format!("{name}: {}", line.unwrap_or("done")));
        }
        self.ui.tell(self.report);
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
            self.note_step(None, &Report::new(self.global.dry_run), Some(error));
        }
    }

    /// Keeps a step's part of the JSON; without a command, what went wrong between steps.
    fn note_step(&mut self, step: Option<(&str, &str)>, done: &Report, error: Option<&Error>) {
        let (command, what) = step.unzip();
        let mut json = serde_json::Map::new();
        json.insert("command".to_owned(), json!(command));
        json.insert("what".to_owned(), json!(what));
        json.extend(done.clone().into_json(error));
        self.steps.push(json.into());
    }

    /// The end of the run. That a step waits is no reason for another exit code: cron calls this every minute.
    fn end(self) {
        self.report.detail(json!({"steps": self.steps, "awaited": self.waits}));
        self.report.failed = self.worst;
    }
}

/// The line of a step's result that says what became of it: plans say it first, longer work last.
fn headline<'a>(command: &str, done: &'a Report) -> Option<&'a str> {
    let line = match command {
        "open" | "reveal-seed" | "finalize" => done.did.first(),
        _ => done.did.last(),
    };
    line.map(|Line { text, .. }| text.as_str())
}
