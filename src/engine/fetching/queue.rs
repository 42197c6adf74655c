//! Decides whose file is fetched next: fair among miners, whatever some of their servers do.
//!
//! A miner starts with one connection and gets more once a file has arrived. Among miners that may open another, the
//! one whose server has taken the least time so far comes first, so a slow server delays only its own files. A failed
//! attempt waits for its retry here, not in a thread. A miner whose failed attempts have taken too long is given up.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::base::url::{Host, HttpUrl};
use crate::model::ids::{Hotkey, PromptStem};
use crate::rules::download::MinerFiles;
use crate::world::fetch::DownloadSettings;

/// A file to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchJob {
    pub(crate) hotkey: Hotkey,
    pub(crate) stem: PromptStem,
    pub(crate) url: String,
    lane: usize,
    /// Attempts before this one.
    pub(crate) tries: u32,
}

/// An attempt's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchEnd {
    /// The file is there.
    Arrived,
    /// It will not be tried again.
    Failed,
    /// It is retried after a pause. If the server asked for the pause, all of the miner's files wait.
    Again { pause: Duration, asked: bool },
}

/// The files of all miners, shared by the fetching threads.
#[derive(Debug)]
pub(crate) struct Queue {
    lanes: Mutex<Lanes>,
    wake: Condvar,
    begun: Instant,
}

impl Queue {
    pub(crate) fn new(files: Vec<MinerFiles>, settings: &DownloadSettings) -> Self {
        Queue { lanes: Mutex::new(Lanes::new(files, settings)), wake: Condvar::new(), begun: Instant::now() }
    }

    /// Takes the next file to fetch, waiting if none is ready. `None` once none is left.
    pub(crate) fn take(&self) -> Option<FetchJob> {
        let mut lanes = self.lock();
        loop {
            let wait = match lanes.next(self.begun.elapsed()) {
                NextFile::Take(job) => return Some(job),
                NextFile::Done => return None,
                NextFile::Wait(time) => time,
            };
            lanes = match wait {
                Some(time) => self.wake.wait_timeout(lanes, time).unwrap_or_else(PoisonError::into_inner).0,
                None => self.wake.wait(lanes).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Reports an attempt's outcome and duration. Returns the miner's files that are given up because of it.
    pub(crate) fn done(&self, job: &FetchJob, took: Duration, end: FetchEnd) -> Vec<FetchJob> {
        let given_up = self.lock().done(job, self.begun.elapsed(), took, end);
        self.wake.notify_all();
        given_up
    }

    /// Stops the queue: no more files are taken.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // Ignore poisoning: a worker's panic is reported by `guarded`, and the others still have to drain the queue.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue without its clock.
#[derive(Debug)]
struct Lanes {
    lanes: Vec<Lane>,
    hosts: HashMap<String, usize>,
    per_miner: usize,
    per_host: usize,
    patience: Duration,
    stopped: bool,
}

/// One miner's files.
#[derive(Debug)]
struct Lane {
    host: String,
    ready: VecDeque<FetchJob>,
    later: Vec<(Duration, FetchJob)>,
    /// No file is taken before this time.
    held: Duration,
    active: usize,
    proven: bool,
    spent: Duration,
    wasted: Duration,
}

enum NextFile {
    Take(FetchJob),
    /// Something may be ready after this time, or once a running attempt ends.
    Wait(Option<Duration>),
    Done,
}

impl Lanes {
    fn new(files: Vec<MinerFiles>, settings: &DownloadSettings) -> Self {
        let lane = |(lane, files): (usize, MinerFiles)| {
            let host = files.files.first().map(|(_, url)| host(url)).unwrap_or_default();
            let job = |(stem, url)| FetchJob { hotkey: files.hotkey.clone(), stem, url, lane, tries: 0 };
            Lane { host, ready: files.files.into_iter().map(job).collect(), ..Lane::empty() }
        };
        Lanes {
            lanes: files.into_iter().enumerate().map(lane).collect(),
            hosts: HashMap::new(),
            per_miner: settings.per_miner,
            per_host: settings.per_host,
            patience: Duration::from_secs_f64(settings.patience_seconds),
            stopped: false,
        }
    }

    fn next(&mut self, now: Duration) -> NextFile {
        let idle = self.lanes.iter().all(|lane| lane.active == 0 && lane.ready.is_empty() && lane.later.is_empty());
        if self.stopped || idle {
            return NextFile::Done;
        }
        let (hosts, per_miner, per_host) = (&self.hosts, self.per_miner, self.per_host);
        let free = |lane: &Lane| {
            // An unproven server gets one connection, so a hostile one cannot take up all of them.
            let most = if lane.proven { per_miner } else { 1 };
            lane.active < most && hosts.get(&lane.host).copied().unwrap_or_default() < per_host
        };
        for lane in &mut self.lanes {
            lane.wake_up(now);
        }
        let takes = self.lanes.iter_mut().filter(|lane| free(lane) && lane.held <= now && !lane.ready.is_empty());
        if let Some(lane) = takes.min_by_key(|lane| (lane.active, lane.spent))
            && let Some(job) = lane.ready.pop_front()
        {
            lane.active += 1;
            *self.hosts.entry(lane.host.clone()).or_default() += 1;
            return NextFile::Take(job);
        }
        let next = self.lanes.iter().filter(|lane| free(lane)).filter_map(Lane::wakes_at).min();
        NextFile::Wait(next.map(|at| at.saturating_sub(now)))
    }

    fn done(&mut self, job: &FetchJob, now: Duration, took: Duration, end: FetchEnd) -> Vec<FetchJob> {
        let Some(lane) = self.lanes.get_mut(job.lane) else { return Vec::new() };
        lane.active = lane.active.saturating_sub(1);
        lane.spent = lane.spent.saturating_add(took);
        if let Some(count) = self.hosts.get_mut(&lane.host) {
            *count = count.saturating_sub(1);
        }
        if end == FetchEnd::Arrived {
            lane.proven = true;
            return Vec::new();
        }
        // A failing server is back to one connection until a file arrives again.
        lane.proven = false;
        lane.wasted = lane.wasted.saturating_add(took);
        if let FetchEnd::Again { pause, asked } = end {
            lane.later.push((now.saturating_add(pause), FetchJob { tries: job.tries + 1, ..job.clone() }));
            if asked {
                lane.held = now.saturating_add(pause);
                lane.wasted = lane.wasted.saturating_add(pause);
            }
        }
        if lane.wasted < self.patience {
            return Vec::new();
        }
        lane.ready.drain(..).chain(lane.later.drain(..).map(|(_, job)| job)).collect()
    }
}

impl Lane {
    fn empty() -> Self {
        let (held, spent, wasted) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let (ready, later) = (VecDeque::new(), Vec::new());
        Lane { host: String::new(), ready, later, held, active: 0, proven: false, spent, wasted }
    }

    /// Moves retries that are due to the ready files.
    fn wake_up(&mut self, now: Duration) {
        let (due, later): (Vec<_>, Vec<_>) = self.later.drain(..).partition(|(at, _)| *at <= now);
        self.later = later;
        self.ready.extend(due.into_iter().map(|(_, job)| job));
    }

    /// When the next file may be taken.
    fn wakes_at(&self) -> Option<Duration> {
        let ready = (!self.ready.is_empty()).then_some(Duration::ZERO);
        let next = self.later.iter().map(|(at, _)| *at).min();
        ready.into_iter().chain(next).min().map(|at| at.max(self.held))
    }
}

/// The key by which connections per host are counted: host and port.
pub(super) fn host(url: &str) -> String {
    match HttpUrl::parse(url).map(|url| (url.host, url.port)) {
        Ok((Host::Name(name), port)) => format!("{}:{port}", name.to_ascii_lowercase()),
        Ok((Host::Ip(ip), port)) => format!("{ip}:{port}"),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lanes(miners: &[(u8, &str, usize)], settings: DownloadSettings) -> Lanes {
        let files = |(account, host, count): &(u8, &str, usize)| MinerFiles {
            hotkey: Hotkey::from_account(&[*account; 32]),
            files: (0..*count).map(|n| (format!("{n}").parse().unwrap(), format!("https://{host}/{n}.bin"))).collect(),
        };
        Lanes::new(miners.iter().map(files).collect(), &settings)
    }

    fn take(lanes: &mut Lanes, now: Duration) -> Option<FetchJob> {
        match lanes.next(now) {
            NextFile::Take(job) => Some(job),
            _ => None,
        }
    }

    #[test]
    fn a_server_that_drips_holds_one_connection_and_nobody_else_waits() {
        let mut lanes = lanes(&[(1, "drip.org", 100), (2, "good.org", 100)], DownloadSettings::default());
        let drip = take(&mut lanes, SECOND).unwrap();
        let mut good = 0;
        while let Some(job) = take(&mut lanes, SECOND) {
            assert_ne!(job.hotkey, drip.hotkey, "an unproven server got a second connection");
            assert!(lanes.done(&job, SECOND, SECOND / 10, FetchEnd::Arrived).is_empty());
            good += 1;
        }
        assert_eq!(good, 100);
    }

    #[test]
    fn connections_are_capped_by_miner_and_by_host() {
        let settings = DownloadSettings { per_miner: 3, per_host: 4, ..DownloadSettings::default() };
        let mut lanes = lanes(&[(1, "same.org", 10), (2, "SAME.org:443", 10)], settings);
        for _ in 0..2 {
            let job = take(&mut lanes, SECOND).unwrap();
            lanes.done(&job, SECOND, SECOND, FetchEnd::Arrived);
        }
        let jobs: Vec<FetchJob> = std::iter::from_fn(|| take(&mut lanes, SECOND)).collect();
        assert_eq!(jobs.len(), 4);
        assert!(jobs.iter().filter(|job| job.hotkey == jobs[0].hotkey).count() <= 3);
    }

    #[test]
    fn a_retry_waits_as_long_as_it_has_to() {
        let mut lanes = lanes(&[(1, "a.org", 2)], DownloadSettings::default());
        let job = take(&mut lanes, SECOND).unwrap();
        lanes.done(&job, SECOND, SECOND, FetchEnd::Again { pause: SECOND * 5, asked: true });
        assert!(matches!(lanes.next(SECOND), NextFile::Wait(Some(time)) if time == SECOND * 5));
        let other = take(&mut lanes, SECOND * 6).unwrap();
        lanes.done(&other, SECOND * 6, SECOND, FetchEnd::Arrived);
        let again = take(&mut lanes, SECOND * 6).unwrap();
        assert_eq!((again.stem, again.tries), (job.stem, 1));
    }

    #[test]
    fn patience_with_a_miner_ends() {
        let settings = DownloadSettings { patience_seconds: 60.0, ..DownloadSettings::default() };
        let mut lanes = lanes(&[(1, "drip.org", 10)], settings);
        for round in 0..3 {
            let job = take(&mut lanes, SECOND).unwrap();
            let given_up = lanes.done(&job, SECOND, SECOND * 20, FetchEnd::Failed);
            assert_eq!(given_up.len(), if round == 2 { 7 } else { 0 });
        }
        assert!(matches!(lanes.next(SECOND), NextFile::Done));
    }
}
