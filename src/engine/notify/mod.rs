//! What is told outside after each recorded run: messages to webhooks, a ping, numbers for a monitor. Nothing here
//! ever fails a run: what goes wrong is a warning.
//!
//! ```text
//! files + record of runs --marks--> news --outbox (synced)--> sent, endpoint by endpoint
//! ```

pub(super) mod marks;
mod metrics;
mod outbox;
pub(super) mod seen;
mod send;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use self::marks::Marks;
use self::outbox::{FOLDER, Outbox, Place};
use self::seen::Seen;
use self::send::Endpoint;
use super::context::{Context, Options};
use super::runs::book::Book;
use super::runs::record::{Outcome, RunRecord};
use super::runs::streak::Faults;
use crate::base::error::{Error, Kind, Result};
use crate::base::files;
use crate::base::text::{counted, time};
use crate::model::lock::{Contended, Lock};
use crate::settings::Config;
use crate::settings::flags::env;
use crate::settings::origins::SECRETS;
use crate::ui::Ui;
use crate::world::http::{Blanks, Secret};
use crate::world::notify::{NotifySettings, Ping, Sent, Target};

/// How often a run looks whether another one has sent its messages.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A ping on its way: which it was, and what became of it.
type Beat = JoinHandle<(Ping, Sent)>;

/// Tells of a command's runs.
#[derive(Debug)]
pub(crate) struct Teller {
    options: Options,
    ui: Ui,
    /// The ping of the run's beginning, which does not hold up the run.
    start: Mutex<Option<JoinHandle<Sent>>>,
    /// The time that messages of this run's steps took, and whether one of them could not be sent: the rest is left to
    /// the run's end.
    on_the_way: Mutex<(Duration, bool)>,
}

impl Teller {
    /// Tells of the runs of a command with these options.
    pub(crate) fn new(options: &Options, ui: &Ui) -> Teller {
        Teller { options: options.clone(), ui: ui.clone(), start: Mutex::default(), on_the_way: Mutex::default() }
    }

    /// The competition. Without one the command itself fails.
    fn context(&self) -> Option<Context<'_>> {
        let context = Context::to_tell(self.options.clone(), &self.ui);
        if let Some(file) = context.as_ref().ok().and_then(|context| context.unread.as_deref()) {
            let file = file.display();
            self.ui.warn_once(&format!("{file}: whom to tell of this cannot be read from it: not everyone is told"));
        }
        context.inspect_err(|error| self.ui.detail(&format!("no message is sent about this run: {error}"))).ok()
    }

    /// A run begins.
    pub(crate) fn begun(&self) {
        *self.on_the_way() = Default::default();
        let Some(context) = self.context() else { return };
        let config = &context.config;
        if let Some(target) = self.heartbeat(config) {
            let half = config.outbox.limit() / 2;
            let ping =
                std::thread::Builder::new().name("ping".to_owned()).spawn(move || target.ping(Ping::Start, half));
            *self.start.lock().unwrap_or_else(PoisonError::into_inner) = ping.ok();
        }
        if !config.notify.0.is_empty()
            && let Err(error) = begin_marks(&context)
        {
            self.warn("notify", &error);
        }
        self.tell_of_kills(&context);
    }

    /// Runs that are killed tell nothing themselves: the next one does, which may be killed as well.
    fn tell_of_kills(&self, context: &Context<'_>) {
        let pages = context.own_folder().and_then(|own| Book::at(&own).read());
        // What cannot be read is told of at the end.
        let Ok(pages) = pages else { return };
        let before = pages.runs.iter().rev().find(|run| run.outcome != Outcome::Begun);
        // One that was stopped may not have had the time.
        if before.is_some_and(|run| run.outcome == Outcome::Killed || run.stopped.is_some()) {
            self.tell_and_count(context, None, Instant::now() + context.config.outbox.limit());
        }
    }

    /// A step of a run has ended, and another one may take hours.
    pub(crate) fn went_on(&self, run: &RunRecord) {
        let (spent, gave_up) = *self.on_the_way();
        let Some(context) = self.context().filter(|_| !gave_up) else { return };
        // Half of the time is for the run's end.
        let left = (context.config.outbox.limit() / 2).saturating_sub(spent);
        if left.is_zero() || context.config.notify.0.is_empty() && context.metrics_file().is_none() {
            return;
        }
        let begun = Instant::now();
        let all_sent = self.tell_and_count(&context, Some(run), begun + left);
        *self.on_the_way() = (spent + begun.elapsed(), !all_sent);
    }

    fn on_the_way(&self) -> MutexGuard<'_, (Duration, bool)> {
        self.on_the_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run has ended, and is in the record.
    pub(crate) fn ended(&self, run: &RunRecord) {
        let Some(context) = self.context() else { return };
        let until = Instant::now() + context.config.outbox.limit().saturating_sub(self.on_the_way().0);
        let beat = self.beat(&context.config, run, until);
        self.tell_and_count(&context, Some(run), until);
        if let Some((host, beat)) = beat
            && let Ok((ping, sent)) = beat.join()
            && let Some(why) = reason(&sent)
        {
            self.ui.warn(&format!("heartbeat at {host}: the ping of {} did not arrive: {why}", ping.as_str()));
        }
    }

    /// Sends messages and writes the numbers, as the settings ask for. Returns whether no message waits any more.
    fn tell_and_count(&self, context: &Context<'_>, run: Option<&RunRecord>, until: Instant) -> bool {
        let file = context.metrics_file();
        if context.config.notify.0.is_empty() && file.is_none() {
            if let Err(error) = pass_over(context, until) {
                self.warn("notify", &error);
            }
            return true;
        }
        let pages = context.own_folder().and_then(|own| Book::at(&own).read());
        let runs = pages.map(|pages| pages.runs).unwrap_or_else(|error| {
            self.warn("notify", &error);
            Vec::new()
        });
        let faults = match run {
            Some(run) => faults_with(&runs, run),
            None => Faults::of(&runs),
        };
        let outbox = self.tell(context, &faults, until).unwrap_or_else(|error| {
            // What cannot be noted would be sent again by every run.
            let unnoted = error.kind() == Kind::Failed;
            self.warn(if unnoted { "notify: nothing is sent, since it cannot be noted" } else { "notify" }, &error);
            (0, 0)
        });
        if let Some(file) = file
            && let Err(error) = metrics::write(context, file, &told(&runs, run), &faults, outbox)
        {
            self.warn("metrics", &error);
        }
        outbox.0 == 0
    }

    fn warn(&self, what: &str, error: &Error) {
        let causes = error.causes().iter().map(|cause| format!(": {cause}")).collect::<String>();
        self.ui.warn(&format!("{what}: {error}{causes}"));
    }

    fn heartbeat(&self, config: &Config) -> Option<Target> {
        let target = config.heartbeat.url.as_ref()?.open("heartbeat.url", env);
        target.inspect_err(|error| self.ui.warn_once(&error.to_string())).ok()
    }

    /// Pings the end of a run, once the ping of its beginning is over.
    fn beat(&self, config: &Config, run: &RunRecord, until: Instant) -> Option<(String, Beat)> {
        let target = self.heartbeat(config)?;
        let (host, failed) = (target.host().to_owned(), run.outcome == Outcome::Failed);
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It says nothing of the work: another run that is stuck may be in its way.
        let silent = run.cut_short && !failed;
        let ping = move || {
            let began = start.and_then(|start| start.join().ok());
            if silent {
                return (Ping::Start, began.unwrap_or(Sent::Taken));
            }
            let ping = if failed { Ping::Fail } else { Ping::Success };
            let sent = target.ping(ping, until.saturating_duration_since(Instant::now()));
            match began {
                Some(began) if reason(&sent).is_none() && reason(&began).is_some() => (Ping::Start, began),
                _ => (ping, sent),
            }
        };
        std::thread::Builder::new().name("ping".to_owned()).spawn(ping).ok().map(|thread| (host, thread))
    }

    /// Announces what is new and sends what waits. Returns how many messages then wait, and how many may be lost.
    fn tell(&self, context: &Context<'_>, faults: &Faults, until: Instant) -> Result<(u64, u64)> {
        let own = context.own_folder()?;
        let settings = &context.config.notify.0;
        if settings.is_empty() {
            return pass_over(context, until).map(|()| (0, 0));
        }
        if outbox::make_room(&own)? {
            self.ui.warn("notify: nothing can be written any more: the room reserved for messages is used up");
        }
        let _lock = lock(&own, until)?;
        let (loaded, damaged) = Outbox::load(&own)?;
        damaged.iter().for_each(|warning| self.ui.warn(&format!("notify: {warning}")));
        let mut outbox = loaded.unwrap_or_default();
        let before = outbox.clone();
        let now = Utc::now();
        let keep = TimeDelta::from_std(Duration::from_secs_f64(context.config.outbox.keep_seconds)).unwrap_or_default();
        let mut known: Vec<String> = settings.iter().map(NotifySettings::key).collect();
        if context.has_settings {
            outbox.adopt(&places(settings)).iter().for_each(|warning| self.ui.warn(&format!("notify: {warning}")));
        } else {
            // An endpoint that cannot be read is not gone.
            known.extend(outbox.labels.keys().cloned());
        }
        outbox.tidy(now, keep, &known).iter().for_each(|warning| self.ui.warn(&format!("notify: {warning}")));
        let endpoints = self.endpoints(context);
        let labels = settings.iter().enumerate().map(|(at, one)| (one.key(), label(at, one, &endpoints)));
        if context.has_settings {
            outbox.labels = labels.collect();
        } else {
            outbox.labels.extend(labels);
        }
        let seen = Seen::read(&context.store, outbox.marks.as_ref().map(Marks::round));
        if outbox.marks.is_none() {
            outbox.marks = seen.as_ref().map(Marks::beginning);
        }
        let news = match &mut outbox.marks {
            Some(marks) => marks.news(seen.as_ref(), faults, &blanks(&endpoints)),
            None => Vec::new(),
        };
        let name = seen.as_ref().map_or("", |seen| &seen.name).to_owned();
        for news in news {
            let to: Vec<String> = settings.iter().filter(|to| to.wants(news.event)).map(NotifySettings::key).collect();
            outbox.put(news, &name, now, &to)?;
        }
        if outbox != before {
            outbox.save(&own)?;
        }
        let warnings = send::send(&own, &mut outbox, &endpoints, until);
        warnings.iter().for_each(|warning| self.ui.warn(&format!("notify: {warning}")));
        outbox::keep_room(&own);
        Ok(outbox.counts())
    }

    /// The endpoints that can be reached in this environment.
    fn endpoints(&self, context: &Context<'_>) -> Vec<Endpoint> {
        let open = |one: &NotifySettings| match one.url.open("notify.url", env) {
            Ok(target) => {
                let label = format!("{} at {}", one.kind.as_str(), target.host());
                Some(Endpoint { key: one.key(), label, service: one.kind, target })
            }
            Err(error) => {
                self.ui.warn_once(&format!("{error}: its messages wait"));
                None
            }
        };
        context.config.notify.0.iter().filter_map(open).collect()
    }
}

/// The faults of these runs and of this one, which may not be among them: the record may not be writable.
fn faults_with(runs: &[RunRecord], run: &RunRecord) -> Faults {
    Faults::of(runs.iter().filter(|other| other.id != run.id).chain([run]))
}

/// Nobody is to be told of what this run shows in the files. What waits is kept, and so are the faults that were told:
/// one run with other settings forgets nothing.
fn pass_over(context: &Context<'_>, until: Instant) -> Result<()> {
    let own = context.own_folder()?;
    if !Outbox::is_there(&own)? {
        return Ok(());
    }
    let _lock = lock(&own, until)?;
    let (Some(mut outbox), _) = Outbox::load(&own)? else { return Ok(()) };
    let seen = Seen::read(&context.store, outbox.marks.as_ref().map(Marks::round));
    if let (Some(marks), Some(seen)) = (&mut outbox.marks, &seen) {
        marks.take(seen);
    }
    outbox.save(&own)
}

/// The runs to count: those that were killed, and this one once it has ended.
fn told<'a>(runs: &'a [RunRecord], run: Option<&'a RunRecord>) -> Vec<&'a RunRecord> {
    let ended = run.filter(|run| run.has_ended());
    runs.iter().filter(|run| run.outcome == Outcome::Killed).chain(ended).collect()
}

/// Where each endpoint stands in the settings, by its key.
fn places(settings: &[NotifySettings]) -> BTreeMap<String, Place> {
    let place = |(number, one): (usize, &NotifySettings)| (one.key(), Place { kind: one.kind, number });
    settings.iter().enumerate().map(place).collect()
}

/// What messages call an endpoint.
fn label(at: usize, one: &NotifySettings, endpoints: &[Endpoint]) -> String {
    let open = endpoints.iter().find(|endpoint| endpoint.key == one.key());
    open.map_or_else(|| format!("{} (endpoint {})", one.kind.as_str(), at + 1), |endpoint| endpoint.label.clone())
}

/// Takes the outbox: a run waits for another one that is sending, but no longer than it may send itself.
fn lock(own: &Path, until: Instant) -> Result<Lock> {
    let folder = files::folder_below(own, Path::new(FOLDER))?;
    Lock::take(&folder, "notify", Contended::Wait, |holder| {
        if Instant::now() >= until {
            return Err(Error::outside(format!("{holder} is still sending; the next run sends the rest")));
        }
        std::thread::sleep(LOOK_EVERY);
        Ok(())
    })
}

/// Before the first run that tells anyone: what is so by now is not announced.
fn begin_marks(context: &Context<'_>) -> Result<()> {
    let own = context.own_folder()?;
    let _lock = lock(&own, Instant::now() + context.config.outbox.limit())?;
    let (loaded, damaged) = Outbox::load(&own)?;
    damaged.iter().for_each(|warning| context.ui.warn(&format!("notify: {warning}")));
    let mut outbox = loaded.unwrap_or_default();
    if outbox.marks.is_some() {
        return Ok(());
    }
    outbox.marks = Seen::read(&context.store, None).as_ref().map(Marks::beginning);
    // They began before anyone was to be told, or a file that is lost had told of them.
    if let Some(marks) = &mut outbox.marks {
        marks.know(&Faults::of(&Book::at(&own).read()?.runs));
    }
    outbox.save(&own)
}

/// What must not be in a message: the operator's keys, and the addresses of the endpoints.
fn blanks(endpoints: &[Endpoint]) -> Blanks {
    let mut blanks = Blanks::default();
    // A key that cannot be read is not in use.
    // Errors are freed of the operator's keys once more before they leave the machine.
    let secrets = SECRETS.iter().filter_map(|name| Secret::from_env(env, name).ok().flatten());
    secrets.for_each(|secret| blanks.add(secret.expose()));
    endpoints.iter().for_each(|endpoint| endpoint.target.hide_in(&mut blanks));
    blanks
}

/// Why a ping did not arrive, as far as is known.
fn reason(sent: &Sent) -> Option<&str> {
    match sent {
        Sent::Taken => None,
        Sent::Refused(reason) | Sent::Failed { reason, .. } | Sent::Unknown(reason) => Some(reason),
    }
}

/// The messages that were not delivered, for `status`: a line for each endpoint, and the same as data.
pub(crate) fn undelivered(context: &Context<'_>) -> Result<(Vec<String>, Value)> {
    let outbox = match context.config.notify.0.is_empty() {
        true => Outbox::default(),
        false => {
            let (loaded, damaged) = Outbox::load(&context.own_folder()?)?;
            damaged.iter().for_each(|warning| context.ui.warn(&format!("notify: {warning}")));
            loaded.unwrap_or_default()
        }
    };
    let mut lines = Vec::new();
    let mut data = Vec::new();
    for (key, label) in &outbox.labels {
        let (waiting, unsure) = (outbox.waiting(key).count(), outbox.unsure(key).count());
        if let Some((first, reason)) = outbox.waiting(key).next() {
            let messages = counted(waiting, "message waits", "messages wait");
            let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            lines.push(format!("notify: {messages} for {label} since {}{why}", time(first.queued)));
        }
        if let Some(last) = outbox.unsure(key).last() {
            let messages = counted(unsure, "message", "messages");
            let (title, at) = (&last.notice.title, time(last.queued));
            lines
                .push(format!("notify: {messages} may not have been delivered to {label}, the last {title:?} at {at}"));
        }
        data.push(json!({"to": label, "waiting": waiting, "unsure": unsure}));
    }
    Ok((lines, Value::Array(data)))
}

/// What is wrong with the file of messages in this folder, if it does not parse.
///
/// # Errors
/// It cannot be read.
pub(crate) fn damaged(own: &Path) -> Result<Option<String>> {
    Ok(Outbox::load(own)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_operator_is_kept_out_of_messages() {
        let page = include_str!("../../../docs/settings.md").split("## Secrets").nth(1).unwrap();
        let rows = page.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with('|'));
        let names: Vec<&str> = rows.flat_map(|row| row.split('`').skip(1).step_by(2)).collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names.into_iter().filter(|name| *name != "REGISTRY_USER") {
            assert!(SECRETS.contains(&name), "{name}");
        }
    }
}
