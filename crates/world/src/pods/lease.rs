//! Leased pods: none is forgotten, whatever happens to the run that ordered it.
//!
//! A pod's name is noted on disk before the pod is ordered, and the note is removed once the pod is gone. A
//! [`Lease`] releases its pod on drop; the pods of a killed run are found by their notes, and by their names in
//! the provider's list, when the next run sweeps.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Deployed, PodId, PodName, PodOrder, PodState, Provider};
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::model::ids::{Player, RoundNumber};
use crate::usage::{Meter, PodClock};

/// The folder of the notes, below the operator's own folder.
const FOLDER: &str = "pods";

/// A pod that was left counts for at most this long: clocks may be wrong.
const LONGEST_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A longer note is not one of ours.
const LONGEST_NOTE: u64 = 4 << 10;

/// Rents pods and makes sure that they are released.
pub struct Keeper<'a> {
    provider: &'a dyn Provider,
    own: PathBuf,
    report: &'a (dyn Fn(&Error) + Sync),
    /// Counts the time of pods.
    meter: Meter,
}

/// The result of an order.
#[derive(Debug)]
pub enum Rented<'a> {
    /// A pod, for as long as the lease lives.
    Pod(Lease<'a>),
    /// The provider has no capacity now.
    NoCapacity(String),
}

impl fmt::Debug for Keeper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("provider", &self.provider).field("own", &self.own).finish()
    }
}

impl<'a> Keeper<'a> {
    /// A keeper with its notes in `<own folder>/pods/`. `report` is called for pods that could not be released
    /// on drop, where no error can be returned.
    #[must_use]
    pub fn new(provider: &'a dyn Provider, own_folder: &Path, report: &'a (dyn Fn(&Error) + Sync)) -> Self {
        Keeper { provider, own: own_folder.to_owned(), report, meter: Meter::default() }
    }

    /// The same keeper, which counts the time of its pods in this meter.
    #[must_use]
    pub fn metered(self, meter: &Meter) -> Self {
        Keeper { meter: meter.clone(), ..self }
    }

    /// Orders a pod.
    ///
    /// # Errors
    /// The provider refuses or cannot be reached; whatever it started nevertheless is released, as far as it
    /// lets us.
    pub fn rent(&'a self, order: &PodOrder) -> Result<Rented<'a>> {
        // Noted before the order: a kill in between leaves a name to look for.
        self.note(&order.name)?;
        let clock = self.meter.pod();
        match self.provider.deploy(order) {
            Ok(Deployed::Pod(id)) => {
                let (name, clock) = (order.name.clone(), Some(clock));
                Ok(Rented::Pod(Lease { keeper: self, name, id, clock, released: false }))
            }
            Ok(Deployed::NoCapacity(why)) => {
                self.forget(order.name.as_str())?;
                Ok(Rented::NoCapacity(why))
            }
            Err(error) => {
                // A failed order may have started a pod nevertheless.
                if let Err(left) = self.release_named(order.name.as_str()) {
                    (self.report)(&left);
                }
                Err(error)
            }
        }
    }

    /// Takes over the pod of this name that a run ordered which was killed; `None` if there is none any more. Its time until
    /// now is counted as that of a pod that was left.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses.
    pub fn adopt(&'a self, name: &PodName) -> Result<Option<Lease<'a>>> {
        let mut there = self.provider.list(name.as_str())?;
        there.retain(|pod| pod.name == name.as_str());
        // If there are two, either may be the one that works: both are released before another is ordered.
        let (1, Some(pod)) = (there.len(), there.pop()) else { return Ok(None) };
        self.meter.left_pod(self.age(name.as_str()));
        // Noted anew, because its age counts from here on.
        self.note(name)?;
        let clock = Some(self.meter.pod());
        Ok(Some(Lease { keeper: self, name: name.clone(), id: pod.id, clock, released: false }))
    }

    /// Releases all of this player's pods of this round: called while none of them is in use, before the first
    /// order and after the last release. Returns the names of the pods found.
    ///
    /// # Errors
    /// A pod may still be running.
    pub fn sweep(&self, round: RoundNumber, player: &Player) -> Result<Vec<String>> {
        self.sweep_named(&PodName::prefix(round, player), None)
    }

    /// As [`Keeper::sweep`], for the pods whose names begin so, except for the one that goes on.
    ///
    /// # Errors
    /// A pod may still be running.
    pub fn sweep_named(&self, prefix: &str, except: Option<&PodName>) -> Result<Vec<String>> {
        let ours = |name: &str| name.starts_with(prefix) && except.is_none_or(|kept| kept.as_str() != name);
        let found = self.release_listed(ours, prefix)?;
        // Only after every release has succeeded: until then the notes are needed.
        for name in self.notes()?.iter().filter(|name| ours(name)) {
            self.forget(name)?;
        }
        Ok(found)
    }

    /// Releases the pods that any earlier run noted but did not release, of whatever round and player: called
    /// when no other run works in this folder. Those in `except` go on. Returns the names of those found.
    ///
    /// # Errors
    /// A pod may still be running.
    pub fn sweep_notes(&self, except: &[PodName]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for name in self.notes()?.into_iter().filter(|name| !except.iter().any(|kept| kept.as_str() == name)) {
            found.extend(self.release_named(&name)?);
        }
        Ok(found)
    }

    /// Releases every pod with exactly this name, and removes its note.
    fn release_named(&self, name: &str) -> Result<Vec<String>> {
        let found = self.release_listed(|listed| listed == name, name)?;
        self.forget(name)?;
        Ok(found)
    }

    fn release_listed(&self, ours: impl Fn(&str) -> bool, prefix: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for pod in self.provider.list(prefix)?.into_iter().filter(|pod| ours(&pod.name)) {
            self.provider.release(&pod.id).map_err(|e| left(&pod.name, e))?;
            // Nothing has counted it since it was noted.
            self.meter.left_pod(self.age(&pod.name));
            found.push(pod.name);
        }
        Ok(found)
    }

    /// How long ago the pod was noted, in seconds; 0 if it was not.
    fn age(&self, name: &str) -> f64 {
        let noted = files::below(&self.own, &Path::new(FOLDER).join(name)).ok();
        let noted = noted.and_then(|path| path.symlink_metadata().ok()?.modified().ok());
        noted.and_then(|at| at.elapsed().ok()).map_or(0.0, |age| age.min(LONGEST_AGE).as_secs_f64())
    }

    fn note(&self, name: &PodName) -> Result<()> {
        let folder = files::folder_below(&self.own, Path::new(FOLDER))?;
        files::write(&folder.join(name.as_str()), self.provider.name().as_bytes(), files::Readers::Own)
    }

    fn forget(&self, name: &str) -> Result<()> {
        files::remove(&files::below(&self.own, &Path::new(FOLDER).join(name))?)
    }

    /// The noted names, sorted; fails if one belongs to another provider, which alone can release it.
    fn notes(&self) -> Result<Vec<String>> {
        let folder = files::below(&self.own, Path::new(FOLDER))?;
        let mut names = Vec::new();
        for entry in files::list(&folder)? {
            let path = entry.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(files::TEMPORARY) {
                // Another run is just writing this note, or was killed while it did: no order has followed it.
                continue;
            }
            let provider = files::read_own(&path, LONGEST_NOTE)?.unwrap_or_default();
            let provider = String::from_utf8(provider).failed(|| format!("{}: cannot read", path.display()))?;
            // A truncated note was never followed by an order.
            if !provider.is_empty() && provider != self.provider.name() {
                let other = Error::failed(format!("pod {name} was ordered from {provider}, and may still be running"));
                let advice = format!(
                    "run once more with [pods] provider = {provider:?}, or release it by hand and remove {}",
                    path.display()
                );
                return Err(other.hint(advice));
            }
            names.push(name);
        }
        names.sort();
        Ok(names)
    }
}

/// A pod that this machine has ordered, and not yet released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedPod {
    /// Its name.
    pub name: String,
    /// Who was asked for it.
    pub provider: String,
    /// When.
    pub since: DateTime<Utc>,
}

/// The pods that are noted in an operator's own folder, in order of their names. Nobody is asked.
///
/// # Errors
/// A note cannot be read.
pub fn noted(own: &Path) -> Result<Vec<NotedPod>> {
    let mut pods = Vec::new();
    for entry in files::list(&files::below(own, Path::new(FOLDER))?)? {
        let path = entry.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let noted = path.symlink_metadata().ok().and_then(|found| found.modified().ok());
        // One that is just being written, or removed meanwhile, is of no pod.
        let (Some(at), false) = (noted, name.starts_with(files::TEMPORARY)) else { continue };
        let Some(provider) = files::read_own(&path, LONGEST_NOTE)? else { continue };
        pods.push(NotedPod { name, provider: String::from_utf8_lossy(&provider).into_owned(), since: at.into() });
    }
    pods.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(pods)
}

/// A pod, held for as long as this lives.
#[derive(Debug)]
pub struct Lease<'a> {
    keeper: &'a Keeper<'a>,
    name: PodName,
    id: PodId,
    /// Counts its time.
    clock: Option<PodClock>,
    released: bool,
}

impl Lease<'_> {
    /// The pod's name.
    #[must_use]
    pub fn name(&self) -> &PodName {
        &self.name
    }

    /// The provider's id of the pod.
    #[must_use]
    pub fn id(&self) -> &PodId {
        &self.id
    }

    /// The pod's current state.
    ///
    /// # Errors
    /// The provider cannot be reached, or refuses.
    pub fn look(&self) -> Result<PodState> {
        self.keeper.provider.look(&self.id)
    }

    /// Releases it now.
    ///
    /// # Errors
    /// The pod may still be running; its note stays for the next run.
    pub fn release(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        // Set first, so that a failure here is not repeated on drop.
        self.released = true;
        let released = self.keeper.provider.release(&self.id).map_err(|e| left(self.name.as_str(), e));
        self.clock = None;
        if released.is_err() {
            // Noted again: its time is counted from here on when it is found.
            self.keeper.note(&self.name).unwrap_or_else(|unnoted| (self.keeper.report)(&unnoted));
        }
        released?;
        self.keeper.forget(self.name.as_str())
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        if let Err(error) = self.end() {
            (self.keeper.report)(&error);
        }
    }
}

fn left(name: &str, error: Error) -> Error {
    let kind = error.kind();
    let still = Error::new(kind, format!("pod {name} could not be released, and may still be running")).because(error);
    still.hint("the next run of the same command tries again; the provider's console shows it")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use std::fs;

    use super::*;
    use crate::pods::Hardware;
    use crate::pods::endpoint::{EndpointProvider, EndpointSettings};

    const ROUND: RoundNumber = RoundNumber(3);

    fn order(number: usize) -> PodOrder {
        let name = PodName::new(ROUND, &Player::Leader, "ab12", number);
        PodOrder { name, player: Player::Leader, image: "a/b:c".to_owned(), hardware: Hardware::default() }
    }

    fn provider() -> EndpointProvider {
        EndpointProvider::new(&EndpointSettings { url: Some("http://h:1".to_owned()), at_once: 9 }).unwrap()
    }

    #[test]
    fn a_lease_ends_with_its_pod_and_its_note() {
        let (provider, folder) = (provider(), tempfile::tempdir().unwrap());
        let keeper = Keeper::new(&provider, folder.path(), &|e| panic!("{e}"));
        let notes = || fs::read_dir(folder.path().join("pods")).unwrap().count();
        let Rented::Pod(lease) = keeper.rent(&order(0)).unwrap() else { panic!("none") };
        assert!(matches!(lease.look().unwrap(), PodState::Reachable(_)));
        assert_eq!((notes(), provider.list("").unwrap().len()), (1, 1));
        lease.release().unwrap();
        assert_eq!((notes(), provider.list("").unwrap().len()), (0, 0));
        let panicked = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _lease = keeper.rent(&order(1)).unwrap();
                panic!("on purpose");
            });
            thread.join().is_err()
        });
        assert!(panicked);
        assert_eq!((notes(), provider.list("").unwrap().len()), (0, 0));
    }

    #[test]
    fn what_a_killed_run_left_is_swept() {
        let (provider, folder) = (provider(), tempfile::tempdir().unwrap());
        let reports = Mutex::new(Vec::new());
        let report = |e: &Error| reports.lock().unwrap().push(e.to_string());
        let keeper = Keeper::new(&provider, folder.path(), &report);
        for number in 0..2 {
            std::mem::forget(keeper.rent(&order(number)).unwrap());
        }
        // Killed between the note and the order.
        keeper.note(&order(2).name).unwrap();
        let names: Vec<_> = (0..2).map(|number| order(number).name.to_string()).collect();
        let other = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY".parse().unwrap();
        assert!(keeper.sweep(ROUND, &other).unwrap().is_empty());
        assert_eq!(keeper.sweep(ROUND, &Player::Leader).unwrap(), names);
        assert!(keeper.notes().unwrap().is_empty() && provider.list("").unwrap().is_empty());
        std::mem::forget(keeper.rent(&order(0)).unwrap());
        // Of a pod that goes on, neither the pod nor the note is removed.
        assert!(keeper.sweep_notes(&[order(0).name]).unwrap().is_empty());
        assert!(keeper.sweep_named("g404-3-leader-", Some(&order(0).name)).unwrap().is_empty());
        let adopted = keeper.adopt(&order(0).name).unwrap().unwrap();
        assert!(matches!(adopted.look().unwrap(), PodState::Reachable(_)) && keeper.notes().unwrap().len() == 1);
        std::mem::forget(adopted);
        assert!(keeper.adopt(&order(1).name).unwrap().is_none());
        assert_eq!(keeper.sweep_notes(&[]).unwrap().len(), 1);
        fs::write(folder.path().join("pods/g404-3-leader-ab12-0"), "targon").unwrap();
        let error = keeper.sweep_notes(&[]).unwrap_err();
        assert!(error.to_string().contains("ordered from targon"), "{error}");
        assert!(reports.lock().unwrap().is_empty());
    }
}
