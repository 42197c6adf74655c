//! `gen404 advance`: runs what is due now, step by step, through the stages' own commands.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
use crate::cli::{AdvanceArgs, Command, Global};
use crate::engine::common::{instead, instead_of, pool};
use crate::engine::context::Context;
use crate::engine::runs::recorder::Recorder;
use crate::model::ids::Block;
use crate::model::stage::Stage;
use crate::rules::stages::{Attempts, next};
use crate::settings::flags::ChainArgs;
use crate::ui::{Ended, Line, Report, Ui};
use crate::world::stop::Stop;

pub(super) fn run(
    global: &Global,
    ui: &Ui,
    args: &AdvanceArgs,
    recorder: Option<&Recorder>,
    report: &mut Report,
) -> Result<()> {
    let stop = Stop::on_signals()?;
    let (steps, waits) = (Vec::new(), Vec::new());
    let mut run = Run {
        global,
        ui,
        args,
        recorder,
        report,
        stop,
        steps,
        waits,
        waiting: BTreeMap::new(),
        idle: None,
        worst: None,
        blind: false,
        cut_short: false,
    };
    loop {
        run.waits.clear();
        run.waiting.clear();
        run.idle = None;
        run.blind = false;
        let failed_before = std::mem::take(&mut run.worst);
        let over = run.pass()?;
        // An external server's failure is retried; anything else needs a person.
        let broken = run.worst.is_some_and(|kind| kind != Kind::Outside);
        if run.stop.is_wanted() {
            run.worst = run.worst.or(failed_before);
            run.fail(None, &Error::outside("stopped by a signal").hint("run it again to continue"));
            break;
        }
        if over || broken || !args.wait || global.dry_run {
            break;
        }
        // Each pass is a run of its own in the record.
        run.record();
        run.stop.sleep(Duration::from_secs(args.poll));
        if let Some(recorder) = recorder {
            recorder.begin();
        }
    }
    run.record();
    run.end();
    Ok(())
}

/// One run of `advance`.
struct Run<'a> {
    global: &'a Global,
    ui: &'a Ui,
    args: &'a AdvanceArgs,
    /// Keeps the record of this run.
    recorder: Option<&'a Recorder>,
    report: &'a mut Report,
    stop: Stop,
    /// The steps taken, for `--json`.
    steps: Vec<Value>,
    /// What the steps wait for.
    waits: Vec<String>,
    /// What each command that did nothing waits for.
    waiting: BTreeMap<&'static str, String>,
    /// Why nothing more is done in this pass.
    idle: Option<String>,
    /// The worst failure of this pass.
    worst: Option<Kind>,
    /// The chain could not be reached in this pass.
    blind: bool,
    /// Something that is due was not tried in this pass.
    cut_short: bool,
}

impl Run<'_> {
    /// Ends the record of this pass.
    fn record(&mut self) {
        let cut_short = std::mem::take(&mut self.cut_short) || self.stop.is_wanted();
        if let Some(recorder) = self.recorder {
            recorder.end(self.worst.map_or(0, Kind::exit_code), self.idle.as_deref(), cut_short);
        }
    }

    /// Does everything that is due now. Returns true once nothing more will come due.
    fn pass(&mut self) -> Result<bool> {
        // Taking the lock finishes what a killed run left behind, and shows at once whether another run is active.
        match Context::open(self.global, self.ui, self.report)?.lock("advance", self.report) {
            Err(error) if error.kind() == Kind::Busy => {
                self.idle = Some(error.to_string());
                self.cut_short = true;
                return Ok(false);
            }
            lock => drop(lock?),
        }
        if let Some(recorder) = self.recorder {
            recorder.note(&std::mem::take(&mut self.report.facts));
        }
        let mut attempts = Attempts::default();
        self.args.skip.iter().for_each(|command| attempts.skip(command));
        while !self.stop.is_wanted() {
            let context = Context::open(self.global, self.ui, self.report)?;
            let standing = context.stands()?;
            let stage = standing.stage();
            if self.args.until == Some(stage) || matches!(stage, Stage::Finished | Stage::Paused) {
                self.idle = Some(instead(&context, &*standing, None));
                if self.args.until == Some(stage)
                    && let Some(recorder) = self.recorder
                {
                    // What is due here is left to others.
                    recorder.partial();
                }
                return Ok(true);
            }
            if stage == Stage::Open {
                self.before_the_seed(&context, &mut attempts);
            }
            let block = self.block(&context, stage, &mut attempts);
            if self.stop.is_wanted() {
                break;
            }
            let Some((command, what)) = next(standing.due(block), &attempts) else {
                self.idle = Some(instead_of(&context, &*standing, block, &self.waiting));
                break;
            };
            self.warn_of_one_change(&context);
            if !self.step(command, &what, &mut attempts) {
                break;
            }
        }
        Ok(false)
    }

    /// Warns before another step is added to one that is not committed: the history will show both as one change.
    fn warn_of_one_change(&self, context: &Context<'_>) {
        if self.global.commit || self.global.dry_run || !context.moved_since_commit() {
            return;
        }
        self.ui.warn_once(
            "state.json is not as in the last commit, and this run commits nothing: to `verify --history` all steps since \
             then are one change, which may pass over a stage; commit now, or use --commit, which commits each step",
        );
    }

    /// Prepares the stage open: checks the pool, so that a bad line shows up before the seed is drawn, and skips `open`
    /// unless the settings ask for early records, since pushing one starts every miner's build.
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

    /// The chain's block, in the stages that end at one. An unreachable chain leaves it unknown and holds up nothing
    /// else.
    fn block(&mut self, context: &Context<'_>, stage: Stage, attempts: &mut Attempts) -> Option<Block> {
        if !matches!(stage, Stage::Open | Stage::MinerGeneration) {
            return None;
        }
        if self.blind {
            return None;
        }
        let chain = context.chain(&ChainArgs::default());
        let block = chain.and_then(|chain| chain.map(|chain| chain.best_block()).transpose());
        if let (Some(recorder), Ok(Some(block))) = (self.recorder, &block) {
            recorder.block(*block);
        }
        block.unwrap_or_else(|error| {
            // A stop is reported at the end of the run.
            if !self.stop.is_wanted() {
                let advice = "the round's next stage begins at a block, and waits for it; `gen404 doctor` asks each node of \
                              [chain] network, and more can be named there";
                self.fail(None, &if error.hints().is_empty() { error.hint(advice) } else { error });
            }
            self.blind = true;
            // `open` needs the same chain: do not try it either.
            attempts.add("open", false, true);
            None
        })
    }

    /// Runs a stage's command as if called by hand. Returns whether the run may continue: a dry run ends at the first
    /// command that would write something, since what follows depends on it.
    fn step(&mut self, name: &'static str, what: &str, attempts: &mut Attempts) -> bool {
        self.ui.detail(&format!("gen404 {name}"));
        let ended = match Command::by_default(name) {
            Some(command) => super::run(self.global, &self.ui.for_step(), &command, None),
            None => Ok(Report::default()),
        };
        let (done, error) = match &ended {
            Ok(done) => (done, None),
            Err(failed) => (&failed.report, Some(&failed.error)),
        };
        done.did.iter().for_each(|line| self.ui.detail(&line.plain()));
        done.waits.iter().for_each(|line| self.ui.detail(line));
        if let Some(busy) = error.filter(|error| error.kind() == Kind::Busy) {
            // An operator's own command took the lock in between.
            self.idle = Some(busy.to_string());
            self.cut_short = true;
            return false;
        }
        if let Some(recorder) = self.recorder {
            recorder.step(name, done, error);
        }
        let (changed, failed) = (done.changed(), error.is_some());
        attempts.add(name, changed, failed);
        match done.waits.last().filter(|_| !changed && !failed) {
            Some(waits) => _ = self.waiting.insert(name, own_words(name, waits).to_owned()),
            None => _ = self.waiting.remove(name),
        }
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

    /// Merges a step's report into the run's own.
    fn say(&mut self, name: &str, what: &str, ended: &Ended) {
        let (done, error) = match ended {
            Ok(done) => (done, None),
            Err(failed) => (&failed.report, Some(&failed.error)),
        };
        self.report.take_in(done);
        // A real run lists its files only with -v.
        if !self.global.verbose && !self.global.dry_run {
            self.report.keep_files_quiet();
        }
        self.note_step(Some((name, what)), done, error);
        // Each audit's verdict is news, also if another audit failed.
        let verdicts = if name == "audit" && !self.global.dry_run { done.did.as_slice() } else { &[] };
        verdicts.iter().for_each(|line| self.report.say(format!("{name}: {}", line.text)));
        if self.global.dry_run && error.is_none() {
            self.report.say_next(format!("gen404 {name} ({what})"));
        } else if error.is_none() && (verdicts.is_empty() || !done.waits.is_empty()) {
            let line = done.waits.last().map_or_else(|| headline(name, done), |waits| Some(waits.as_str()));
            let line = line.unwrap_or("done");
            self.report.say(format!("{name}: {}", own_words(name, line)));
        }
        self.ui.tell(self.report);
    }

    /// Prints a failure, and keeps the worst kind.
    fn fail(&mut self, command: Option<&str>, error: &Error) {
        let worse = |kind: Kind| [Kind::Conflict, Kind::Outside, Kind::Usage].iter().position(|other| *other == kind);
        let rank = |kind: Kind| worse(kind).unwrap_or(usize::MAX);
        if self.worst.is_none_or(|worst| rank(error.kind()) > rank(worst)) {
            self.worst = Some(error.kind());
        }
        self.ui.failure(command, error);
        if command.is_none() {
            if let Some(recorder) = self.recorder {
                recorder.step("advance", &Report::default(), Some(error));
            }
            self.note_step(None, &Report::new(self.global.dry_run), Some(error));
        }
    }

    /// Adds a step to the JSON; without a command, an error between steps.
    fn note_step(&mut self, step: Option<(&str, &str)>, done: &Report, error: Option<&Error>) {
        let (command, what) = step.unzip();
        let mut json = serde_json::Map::new();
        json.insert("command".to_owned(), json!(command));
        json.insert("what".to_owned(), json!(what));
        json.extend(done.clone().into_json(error));
        self.steps.push(json.into());
    }

    /// Ends the run. Waiting steps do not change the exit code: cron calls this every minute.
    fn end(self) {
        let did_nothing = self.steps.is_empty() && self.worst.is_none();
        if let Some(why) = self.idle.as_ref().filter(|_| did_nothing) {
            self.ui.status(&format!("nothing done: {why}"));
        }
        self.report.detail(json!({"steps": self.steps, "awaited": self.waits, "idle": self.idle}));
        self.report.failed = self.worst;
    }
}

/// A step's line without the command's own name, with which it may begin.
fn own_words<'a>(command: &str, line: &'a str) -> &'a str {
    line.strip_prefix(command).and_then(|rest| rest.strip_prefix([' ', ':'])).map_or(line, str::trim_start)
}

/// The line of a step's result that sums it up: the first for plans, the last for longer work.
fn headline<'a>(command: &str, done: &'a Report) -> Option<&'a str> {
    let line = match command {
        "open" | "reveal-seed" | "finalize" => done.did.first(),
        _ => done.did.last(),
    };
    line.map(|Line { text, .. }| text.as_str())
}
