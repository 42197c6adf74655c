//! `[lease]`: a step that rents pods is announced on the remote while it is done, so that another host leaves it alone.
//!
//! The announcements are one small ref on the remote, changed by compare-and-swap. The run renews its own while it
//! works; one that is not renewed expires, and the clocks of hosts may differ by `[lease] skew_seconds`: the holder
//! stops at the expiry by its own clock, others wait for so much longer by theirs. Results are pushed before the
//! announcement is taken back, and whoever takes one looks at the branch again, so work that is done is seen.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::context::Context;
use crate::base::error::{Context as _, Error, Kind, Result};
use crate::base::files::{self, Readers};
use crate::base::hex;
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::leases::{LARGEST, StepLease, StepLeases};
use crate::model::record::{parse_json, to_json};
use crate::model::stage::Timestamp;
use crate::rules::conflict::collision;
use crate::settings::lease::LeaseSettings;
use crate::ui::Ui;
use crate::world::git::Git;
use crate::world::git::lease_ref::{REF, SeenRef};
use crate::world::git::remote::Remote;
use crate::world::stop::Stop;

/// The most killed runs that are remembered: each waits for one expiry at most.
const MOST_NOTED: usize = 16;

/// The most miners that a line about an announcement names.
const MOST_NAMED: usize = 8;

/// How often a change is tried again after other hosts came first.
const MOST_TRIES: usize = 20;

/// Renewals in the lifetime of an announcement.
const RENEWALS: u32 = 3;

/// The note of a run's announcement, in the operator's own folder: the next run recognises what a killed one left.
const NOTE: &str = "lease.json";

/// The announcements of other hosts as last seen, for `status`, which asks no remote.
const SEEN: &str = "leases-seen.json";

/// The result of announcing a step.
#[derive(Debug)]
pub(crate) enum Announced {
    /// The settings ask for no announcement.
    NotAsked,
    /// The step is this run's, but for what others do.
    Ours(Box<HeldLease>, Vec<StepLease>),
    /// Others do all of it.
    Theirs(Vec<StepLease>),
}

/// Tells a run whether its announcement still holds.
#[derive(Debug)]
pub(crate) struct LeaseWatch {
    until: Mutex<(Instant, DateTime<Utc>)>,
    lost: Mutex<Option<String>>,
}

impl LeaseWatch {
    fn new(begun: (Instant, DateTime<Utc>), length: Duration) -> Result<Self> {
        Ok(LeaseWatch { until: Mutex::new(ends(begun, length)?), lost: Mutex::default() })
    }

    /// May no more pods be rented? By either clock: one of them stands still while a machine sleeps.
    pub(crate) fn is_lost(&self) -> bool {
        let (monotonic, wall) = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        lost || Instant::now() >= monotonic || Utc::now() >= wall
    }

    /// Fails once it is lost.
    ///
    /// # Errors
    /// It is lost.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.is_lost() {
            return Ok(());
        }
        let why = self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let why = why.unwrap_or_else(|| "it could not be renewed before it expired".to_owned());
        let lost = Error::outside(format!("the lease on this step is lost: {why}; its pods are given back"));
        Err(lost.hint("`gen404 lease` shows who has it; run it again to continue"))
    }

    fn extend(&self, begun: (Instant, DateTime<Utc>), length: Duration) {
        if let Ok(until) = ends(begun, length) {
            *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
    }

    fn lose(&self, why: String) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

fn ends(begun: (Instant, DateTime<Utc>), length: Duration) -> Result<(Instant, DateTime<Utc>)> {
    let wall = TimeDelta::from_std(length).ok().and_then(|length| begun.1.checked_add_signed(length));
    let both = begun.0.checked_add(length).zip(wall);
    both.ok_or_else(|| Error::failed("the clock of this machine is out of range"))
}

/// A step that this run has announced. Dropping it takes the announcement back.
pub(crate) struct HeldLease {
    keeper: Keeper,
    /// Which miners are this run's; empty for a step that has no parts.
    pub(crate) hotkeys: Vec<Hotkey>,
    /// Tells whether it still holds.
    pub(crate) watch: Arc<LeaseWatch>,
    push: bool,
    /// Set if another try follows at once, which takes it over.
    kept: bool,
    ui: Ui,
    renewing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl fmt::Debug for HeldLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldLease").field("run", &self.keeper.run).field("watch", &self.watch).finish_non_exhaustive()
    }
}

/// Changes the announcements of one run.
#[derive(Clone)]
struct Keeper {
    git: Git,
    own: PathBuf,
    run: String,
    settings: LeaseSettings,
}

impl Context<'_> {
    /// Announces a step that has no parts before it rents pods; `None` if the settings ask for no announcement.
    ///
    /// # Errors
    /// As for [`Context::announce`], or another host is doing the step.
    pub(crate) fn announce_whole(&self, command: &str, round: RoundNumber) -> Result<Option<Box<HeldLease>>> {
        match self.announce(command, round, &[])? {
            Announced::NotAsked => Ok(None),
            Announced::Ours(lease, _) => Ok(Some(lease)),
            Announced::Theirs(others) => {
                let held: Vec<String> = others.iter().map(|lease| self.elsewhere(lease)).collect();
                Err(Error::not_due(format!("{command} waits: {}", held.join("; "))))
            }
        }
    }

    /// Announces a step before it rents pods; `hotkeys` are its miners, or none where it has no parts.
    ///
    /// # Errors
    /// The remote cannot be reached or refuses, or others have pushed what may change the step.
    pub(crate) fn announce(&self, command: &str, round: RoundNumber, hotkeys: &[Hotkey]) -> Result<Announced> {
        let settings = &self.config.lease;
        let Some(git) = self.git.as_ref().filter(|_| settings.enabled) else { return Ok(Announced::NotAsked) };
        if !self.options.push {
            let alone = Error::usage(format!("{command}: [lease] is enabled, and other hosts see only what is pushed"));
            return Err(alone.hint("add --commit --push, or disable [lease] in gen404.toml"));
        }
        let (own, run) = (self.own_folder()?, new_run()?);
        let keeper = Keeper { git: git.clone(), own, run, settings: settings.clone() };
        let begun = (Instant::now(), Utc::now());
        let (hotkeys, others) = keeper.take(command, round, hotkeys)?;
        let Some(hotkeys) = hotkeys else { return Ok(Announced::Theirs(others)) };
        let watch = Arc::new(LeaseWatch::new(begun, settings.length())?);
        let (push, ui) = (self.options.push, self.ui.clone());
        let mut held = HeldLease { keeper, hotkeys, watch, push, kept: false, ui, renewing: None };
        // What another host pushed before it let go of the step was not seen by the decision to do it.
        if self.moved_on()? {
            return Err(Error::new(Kind::Conflict, format!("others have pushed before {command} was announced")));
        }
        held.renew_from_now_on()?;
        self.ui.detail(&format!("announced {command} on {REF}"));
        Ok(Announced::Ours(Box::new(held), others))
    }

    /// Takes back what earlier runs of this folder left: there is nothing to do for them any more.
    ///
    /// # Errors
    /// The remote cannot be reached, or refuses.
    pub(crate) fn release_left(&self) -> Result<()> {
        let Some(git) = self.git.as_ref().filter(|_| self.config.lease.enabled && self.options.push) else {
            return Ok(());
        };
        let (own, left) = (self.own_folder()?, note(&self.own_folder()?)?);
        if left.is_empty() || self.options.dry_run {
            return Ok(());
        }
        change(&Remote::of(git, collision)?, |all| {
            let before = all.leases.len();
            all.leases.retain(|lease| !left.contains(&lease.run));
            all.leases.len() < before
        })?;
        files::remove(&own.join(NOTE))
    }

    /// What other hosts did when this one last looked, as far as it holds now.
    ///
    /// # Errors
    /// The note cannot be read.
    pub(crate) fn seen_leases(&self) -> Result<StepLeases> {
        if !self.config.lease.enabled {
            return Ok(StepLeases::default());
        }
        let bytes = files::read_own(&self.own_folder()?.join(SEEN), LARGEST)?;
        // A note that does not parse was cut short: the next run writes another.
        let seen = bytes.and_then(|bytes| StepLeases::parse(&bytes).ok()).unwrap_or_default();
        Ok(seen.held(Utc::now(), delta(self.config.lease.skew())))
    }

    /// All announcements on the remote, expired ones among them.
    ///
    /// # Errors
    /// The remote cannot be reached, or the ref is damaged.
    pub(crate) fn all_leases(&self) -> Result<StepLeases> {
        let git = self.own_checkout()?;
        let all = read(&Remote::of(git, collision)?)?.1;
        let ours = note(&self.own_folder()?)?;
        let others = all.leases.iter().filter(|lease| !ours.contains(&lease.run)).cloned().collect();
        remember(&self.own_folder()?, &StepLeases { leases: others })?;
        Ok(all)
    }

    /// What another host does, in words.
    pub(crate) fn elsewhere(&self, lease: &StepLease) -> String {
        elsewhere(lease, self.lease_skew())
    }

    /// Who holds an announcement, and until when.
    pub(crate) fn held(&self, lease: &StepLease) -> String {
        let of = if lease.hotkeys.is_empty() { String::new() } else { format!(" for {}", miners(lease)) };
        format!("held by {}{of} until {}", lease.shown_host(), lease.until(self.lease_skew()))
    }

    /// By how much the clocks of hosts may differ.
    pub(crate) fn lease_skew(&self) -> TimeDelta {
        delta(self.config.lease.skew())
    }

    /// Takes away the announcements of a host, or all of them; returns those that are gone, and those that are left.
    ///
    /// # Errors
    /// As [`Context::all_leases`].
    pub(crate) fn release_leases(&self, host: Option<&str>) -> Result<(Vec<StepLease>, Vec<StepLease>)> {
        let remote = Remote::of(self.own_checkout()?, collision)?;
        let Some(host) = host else {
            // A damaged ref is removed, too.
            let gone = read(&remote).map(|(_, all)| all.leases);
            let gone = gone.or_else(|error| if error.kind() == Kind::Outside { Err(error) } else { Ok(Vec::new()) })?;
            remote.remove_ref()?;
            files::remove(&self.own_folder()?.join(SEEN))?;
            return Ok((gone, Vec::new()));
        };
        let mut gone = Vec::new();
        let left = change(&remote, |all| {
            gone = all.leases.iter().filter(|lease| lease.shown_host() == host).cloned().collect();
            all.leases.retain(|lease| lease.shown_host() != host);
            !gone.is_empty()
        })?;
        Ok((gone, left.leases))
    }

    /// The checkout, which has to be the user's own: the git program follows its configuration.
    fn own_checkout(&self) -> Result<&Git> {
        let none = || Error::usage(format!("{}: no git checkout", self.store.root().display()));
        let git = self.git.as_ref().ok_or_else(none)?;
        git.is_the_users()?;
        Ok(git)
    }
}

impl Keeper {
    fn remote(&self) -> Result<Remote<'_>> {
        Remote::of(&self.git, collision)
    }

    /// Takes what no other host has; `None` if that is nothing. Also returns what others have.
    fn take(
        &self,
        command: &str,
        round: RoundNumber,
        hotkeys: &[Hotkey],
    ) -> Result<(Option<Vec<Hotkey>>, Vec<StepLease>)> {
        let (remote, left) = (self.remote()?, note(&self.own)?);
        let (mut free, mut others) = (None, Vec::new());
        // The note comes first: a run that is killed right after the swap has left a trace.
        let runs: Vec<&String> = left.iter().rev().take(MOST_NOTED).rev().chain([&self.run]).collect();
        files::write(&self.own.join(NOTE), &to_json(&runs), Readers::Own)?;
        let all = change(&remote, |all| {
            let now = Utc::now();
            // Nothing else of this folder runs: it holds the lock.
            all.leases.retain(|lease| !left.contains(&lease.run) && lease.run != self.run);
            *all = all.held(now, delta(self.settings.skew()));
            others = all.of(command, round).cloned().collect();
            free = left_over(hotkeys, &others);
            let Some(free) = &free else { return false };
            let lease = StepLease {
                host: host(&self.settings),
                run: self.run.clone(),
                command: command.to_owned(),
                round,
                hotkeys: free.clone(),
                taken: Timestamp::from(now),
                expires: self.expiry(now),
            };
            all.leases.push(lease);
            true
        })?;
        let foreign = all.leases.into_iter().filter(|lease| lease.run != self.run).collect();
        remember(&self.own, &StepLeases { leases: foreign })?;
        if free.is_some() {
            // What killed runs had left is gone with this swap.
            files::write(&self.own.join(NOTE), &to_json(&[&self.run]), Readers::Own)?;
        }
        Ok((free, others))
    }

    fn expiry(&self, now: DateTime<Utc>) -> Timestamp {
        Timestamp::from(now.checked_add_signed(delta(self.settings.length())).unwrap_or(now))
    }

    /// Renews the announcement; false if it is gone.
    fn renew(&self) -> Result<bool> {
        let mut there = false;
        change(&self.remote()?, |all| {
            let own = all.leases.iter_mut().find(|lease| lease.run == self.run);
            there = own.is_some();
            own.map(|lease| lease.expires = self.expiry(Utc::now())).is_some()
        })?;
        Ok(there)
    }

    fn release(&self) -> Result<()> {
        change(&self.remote()?, |all| {
            let before = all.leases.len();
            all.leases.retain(|lease| lease.run != self.run);
            all.leases.len() < before
        })?;
        files::remove(&self.own.join(NOTE))
    }

    /// Renews until told to end, or until the announcement is lost.
    fn keep(&self, watch: &LeaseWatch, end: &crossbeam_channel::Receiver<()>) {
        let length = self.settings.length();
        let mut pause = length / RENEWALS;
        while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(pause) {
            if watch.is_lost() || Stop::of_process().is_wanted() {
                return;
            }
            let begun = (Instant::now(), Utc::now());
            match self.renew() {
                Ok(true) => {
                    watch.extend(begun, length);
                    pause = length / RENEWALS;
                }
                Ok(false) => return watch.lose(format!("another host took it away from {REF}")),
                // Unreachable for a moment: it holds until it expires.
                Err(_) => pause = length / (RENEWALS * 4),
            }
        }
    }
}

impl HeldLease {
    /// Ends the step. If another writer's commit came first, the next try follows at once and takes the lease over: in
    /// between, no other host may take it, since the results are not pushed yet.
    pub(crate) fn conclude(lease: Option<Box<HeldLease>>, ended: Result<()>) -> Result<()> {
        let again = ended.as_ref().is_err_and(|error| error.kind() == Kind::Conflict);
        if let Some(mut lease) = lease {
            lease.kept = again;
        }
        ended
    }

    fn renew_from_now_on(&mut self) -> Result<()> {
        let (end, ended) = bounded(0);
        let (keeper, watch) = (self.keeper.clone(), self.watch.clone());
        let thread = std::thread::Builder::new().name("lease".to_owned());
        let running =
            thread.spawn(move || keeper.keep(&watch, &ended)).failed(|| "cannot start a thread".to_owned())?;
        self.renewing = Some((end, running));
        Ok(())
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        if let Some((end, running)) = self.renewing.take() {
            drop(end);
            // A panic there is a bug, and leaves an announcement that expires.
            let _ = running.join();
        }
        if self.kept {
            return;
        }
        let unpushed = self.push && self.keeper.git.noted().is_ok_and(|noted| !noted.is_empty());
        if unpushed {
            self.ui.status("the lease on this step stays until it expires: its results are not pushed yet");
            return;
        }
        if let Err(error) = self.keeper.release() {
            self.ui.warn(&format!("the lease on this step stays until it expires: {error}"));
        }
    }
}

/// Which of the miners no other host has: `None` if there are none, or if the step has no parts and another has it.
fn left_over(hotkeys: &[Hotkey], others: &[StepLease]) -> Option<Vec<Hotkey>> {
    if hotkeys.is_empty() {
        return others.is_empty().then(Vec::new);
    }
    let free = hotkeys.iter().filter(|hotkey| !others.iter().any(|lease| lease.covers(hotkey)));
    Some(free.cloned().collect::<Vec<_>>()).filter(|free| !free.is_empty())
}

/// The announcements, and the ref that they were read from.
fn read(remote: &Remote<'_>) -> Result<(SeenRef, StepLeases)> {
    let seen = remote.read_ref(LARGEST)?;
    let all = match &seen.bytes {
        None => StepLeases::default(),
        Some(bytes) => StepLeases::parse(bytes).map_err(|why| {
            let damaged = Error::failed(format!("{REF} on the remote does not parse: {why}"));
            damaged.hint("`gen404 lease --release` removes it, once no host runs a step")
        })?,
    };
    Ok((seen, all))
}

/// Reads the announcements, changes them, and swaps them in, again and again while others come first. `edit` returns
/// whether it changed anything.
fn change(remote: &Remote<'_>, mut edit: impl FnMut(&mut StepLeases) -> bool) -> Result<StepLeases> {
    let mut refused: Option<(SeenRef, String)> = None;
    for _ in 0..MOST_TRIES {
        let (seen, mut all) = read(remote)?;
        // Refused although nothing has changed: this is not a race.
        if let Some((_, why)) = refused.as_ref().filter(|(then, _)| *then == seen) {
            let refused = Error::outside(format!("{REF} on the remote cannot be changed: {why}"));
            return Err(refused.hint("[lease] needs a remote that accepts refs below refs/gen404"));
        }
        if !edit(&mut all) {
            return Ok(all);
        }
        all.fits().map_err(|why| {
            let full = Error::outside(format!("{REF} on the remote has no room for another: {why}"));
            full.hint("`gen404 lease` shows who has them; they go when their steps end, or with `lease --release`")
        })?;
        match remote.swap_ref(&seen, all.bytes().as_deref())? {
            None => return Ok(all),
            Some(why) => refused = Some((seen, why)),
        }
    }
    Err(Error::outside(format!("{REF} on the remote: others change it faster than we do")).hint("run it again"))
}

/// The runs of this folder whose announcements may not have been taken back.
fn note(own: &Path) -> Result<Vec<String>> {
    let bytes = files::read_own(&own.join(NOTE), files::SMALL)?;
    Ok(bytes.and_then(|bytes| parse_json(&bytes).ok()).unwrap_or_default())
}

fn remember(own: &Path, others: &StepLeases) -> Result<()> {
    match others.bytes() {
        Some(bytes) => files::write(&own.join(SEEN), &bytes, Readers::Own),
        None => files::remove(&own.join(SEEN)),
    }
}

/// A name for a run that no other run has.
fn new_run() -> Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).failed(|| "the operating system provides no random bytes".to_owned())?;
    Ok(hex::encode(bytes))
}

/// The name of this host that others see.
fn host(settings: &LeaseSettings) -> String {
    let machine = || {
        let kernel = files::read_text(Path::new("/proc/sys/kernel/hostname"), files::SECRET).ok().flatten();
        kernel.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default().trim().to_owned()
    };
    settings.host.clone().unwrap_or_else(machine)
}

fn delta(length: Duration) -> TimeDelta {
    TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX)
}

/// "HOST does it until TIME", or with the miners concerned. Others wait for so much longer as clocks may differ.
fn elsewhere(lease: &StepLease, skew: TimeDelta) -> String {
    if lease.hotkeys.is_empty() {
        return lease.says(skew);
    }
    format!("{} does {} until {}", lease.shown_host(), miners(lease), lease.until(skew))
}

/// The miners of an announcement.
fn miners(lease: &StepLease) -> String {
    let mut seen = BTreeSet::new();
    let distinct: Vec<&str> = lease.hotkeys.iter().map(Hotkey::as_str).filter(|name| seen.insert(*name)).collect();
    let (named, rest) = distinct.split_at(distinct.len().min(MOST_NAMED));
    let (names, more) = (named.join(", "), rest.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{names}{more}")
}
