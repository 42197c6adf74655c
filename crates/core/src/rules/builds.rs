//! What `builds` records: each miner's build status and image, from a CI, a registry or a file.
//!
//! CI jobs appear one by one after the run has begun: a missing job is pending, and counts as not
//! found only once the run can start no more jobs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Plan;
use crate::base::text::cut;
use crate::model::builds::{Build, BuildStatus, Builds};
use crate::model::file::{FileKind, RepoFile, RoundFile};
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::image::ImageName;
use crate::model::observation::{BuildObservation, CiJob, CiRun, DeclaredBuild, Presence};
use crate::model::record::Extra;
use crate::model::store::FileWrite;
use crate::model::submissions::{Submission, Submissions};

/// In bytes. Registries accept names of up to 255 characters between host and tag.
const LONGEST_IMAGE: usize = 512;

/// What is known before a driver is asked.
#[derive(Debug, Clone, Copy)]
pub struct BuildTerms<'a> {
    /// Whose builds they are.
    pub round: RoundNumber,
    /// Its `submissions.json`.
    pub submissions: &'a Submissions,
    /// The current `builds.json`.
    pub recorded: Option<&'a Builds>,
    /// How images are named.
    pub image: &'a ImageName,
    /// Seconds that a build may take from the push or the last start of its run; 0: no limit.
    pub limit_seconds: u64,
    /// When the submissions were committed, if known.
    pub pushed: Option<DateTime<Utc>>,
    /// Now, in UTC.
    pub now: DateTime<Utc>,
}

/// The settled builds.
#[derive(Debug, Clone)]
pub struct BuildsOutcome {
    /// All of the round, as they are now.
    pub builds: Builds,
    /// What to write, if anything changed.
    pub plan: Option<Plan>,
    /// The reason for each status other than success.
    pub reasons: BTreeMap<Hotkey, String>,
    /// Warnings.
    pub oddities: Vec<String>,
}

/// Is this status final, unless the build is started again?
#[must_use]
pub fn is_final(status: BuildStatus) -> bool {
    !matches!(status, BuildStatus::Pending | BuildStatus::InProgress)
}

/// Does every submission have a successful build of its own commit?
#[must_use]
pub fn all_built(submissions: &Submissions, recorded: Option<&Builds>) -> bool {
    let built = |(hotkey, submission): (&Hotkey, &Submission)| {
        let build = recorded.and_then(|builds| builds.get(hotkey));
        build.is_some_and(|build| is_of(build, submission) && build.status == BuildStatus::Success)
    };
    submissions.iter().all(built)
}

/// The number of builds in each status, in words.
#[must_use]
pub fn tally(builds: &Builds) -> String {
    let statuses = [
        BuildStatus::Success,
        BuildStatus::InProgress,
        BuildStatus::Pending,
        BuildStatus::Failure,
        BuildStatus::TimedOut,
        BuildStatus::NotFound,
    ];
    let count = |status| builds.values().filter(|build| build.status == status).count();
    let counts = statuses.into_iter().map(|status| (count(status), status)).filter(|(count, _)| *count > 0);
    let parts: Vec<String> = counts.map(|(count, status)| format!("{count} {}", word(status))).collect();
    if parts.is_empty() { "no submissions".to_owned() } else { parts.join(", ") }
}

/// A status as the file spells it.
#[must_use]
pub fn word(status: BuildStatus) -> &'static str {
    match status {
        BuildStatus::Pending => "pending",
        BuildStatus::InProgress => "in_progress",
        BuildStatus::Success => "success",
        BuildStatus::Failure => "failure",
        BuildStatus::TimedOut => "timed_out",
        BuildStatus::NotFound => "not_found",
    }
}

/// `<first seven digits of commit>-<round name>`
#[must_use]
pub fn tag(submission: &Submission) -> String {
    format!("{}-{}", submission.commit.short(), submission.round)
}

/// Why an image named in a file cannot be a build's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ImageError {
    #[error("{hotkey}: image {shown:?} is not an image name of at most {most} characters", most = LONGEST_IMAGE)]
    NoName { hotkey: Hotkey, shown: String },
    #[error("{hotkey}: image {image:?} does not end in its tag, :{tag}")]
    OtherTag { hotkey: Hotkey, image: String, tag: String },
    #[error("{hotkey}: image {image:?} is named after {other}")]
    OtherMiner { hotkey: Hotkey, image: String, other: Hotkey },
}

/// Settles every build from an observation. A recorded success stays, since its image exists whatever
/// later runs do. Every other status is determined anew, so a restarted build counts.
///
/// # Errors
/// A file names an image that cannot be this build's.
pub fn settle(terms: &BuildTerms<'_>, observation: &BuildObservation) -> Result<BuildsOutcome, ImageError> {
    let mut outcome = BuildsOutcome {
        builds: Builds::default(),
        plan: None,
        reasons: BTreeMap::new(),
        oddities: shared_names(terms),
    };
    let mut says = Vec::new();
    for (hotkey, submission) in terms.submissions.iter() {
        let before = terms.recorded.and_then(|builds| builds.get(hotkey)).filter(|build| is_of(build, submission));
        let kept = before.filter(|build| build.status == BuildStatus::Success && build.docker_image.is_some());
        let verdict = match kept {
            Some(build) => BuildVerdict::built(build.docker_image.clone().unwrap_or_default()),
            None => terms.verdict(hotkey, submission, observation)?,
        };
        if before.is_none_or(|build| build.status != verdict.status) {
            let was = before.map_or(String::new(), |build| format!("{} -> ", word(build.status)));
            says.push(format!("{hotkey}: {was}{}{}", word(verdict.status), verdict.shown()));
        }
        if verdict.status != BuildStatus::Success {
            outcome.reasons.insert(hotkey.clone(), verdict.why);
        }
        outcome.oddities.extend(verdict.odd.map(|odd| format!("{hotkey}: {odd}")));
        let extra = before.map_or_else(Extra::default, |build| build.extra.clone());
        let (repo, commit) = (submission.repo.clone(), submission.commit.clone());
        let (revealed_at_block, tag) = (submission.revealed_at_block, tag(submission));
        let (status, docker_image) = (verdict.status, verdict.image);
        let build = Build { repo, commit, revealed_at_block, tag, status, docker_image, extra };
        outcome.builds.insert(hotkey.clone(), build);
    }
    keep_others(terms, &mut outcome);
    outcome.plan = plan(terms, &outcome.builds, says);
    Ok(outcome)
}

/// Is this the build of what the miner submitted?
fn is_of(build: &Build, submission: &Submission) -> bool {
    let same = build.repo == submission.repo && build.commit == submission.commit;
    same && build.revealed_at_block == submission.revealed_at_block && build.tag == tag(submission)
}

/// Keeps entries of hotkeys that did not submit: they are never removed, and `verify` reports them.
fn keep_others(terms: &BuildTerms<'_>, outcome: &mut BuildsOutcome) {
    let others = terms.recorded.into_iter().flat_map(|builds| builds.iter());
    for (hotkey, build) in others.filter(|(hotkey, _)| !terms.submissions.contains_key(*hotkey)) {
        outcome.oddities.push(format!("{hotkey}: has a build, but did not submit"));
        outcome.builds.insert(hotkey.clone(), build.clone());
    }
}

fn plan(terms: &BuildTerms<'_>, builds: &Builds, says: Vec<String>) -> Option<Plan> {
    let round = terms.round;
    let write = FileWrite::new(FileKind::Round(round, RoundFile::Builds), builds);
    let before = terms.recorded.map(RepoFile::to_bytes);
    if before.as_deref() == Some(write.bytes.as_slice()) || (before.is_none() && builds.is_empty()) {
        return None;
    }
    Some(Plan { writes: vec![write], message: format!("Update build statuses for round {round}"), says })
}

/// Miners whose images share a name: ten lower-cased characters of a hotkey need not be unique.
fn shared_names(terms: &BuildTerms<'_>) -> Vec<String> {
    let mut by_name: BTreeMap<String, BTreeSet<&Hotkey>> = BTreeMap::new();
    for (hotkey, submission) in terms.submissions.iter() {
        let image = terms.image.of(hotkey, &tag(submission));
        let name = image.rsplit_once(':').map_or(image.as_str(), |(name, _)| name).to_owned();
        by_name.entry(name).or_default().insert(hotkey);
    }
    let shared = by_name.into_iter().filter(|(_, hotkeys)| hotkeys.len() > 1);
    let list = |hotkeys: BTreeSet<&Hotkey>| hotkeys.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    shared.map(|(name, hotkeys)| format!("image name {name} is shared by {}", list(hotkeys))).collect()
}

/// The result for one build.
struct BuildVerdict {
    status: BuildStatus,
    image: Option<String>,
    why: String,
    odd: Option<String>,
}

impl BuildVerdict {
    fn built(image: String) -> Self {
        BuildVerdict { status: BuildStatus::Success, image: Some(image), why: String::new(), odd: None }
    }

    fn is(status: BuildStatus, why: impl Into<String>) -> Self {
        BuildVerdict { status, image: None, why: why.into(), odd: None }
    }

    fn shown(&self) -> String {
        match &self.image {
            Some(image) => format!(" ({image})"),
            None => format!(" ({})", self.why),
        }
    }
}

impl BuildTerms<'_> {
    fn verdict(
        &self,
        hotkey: &Hotkey,
        submission: &Submission,
        observation: &BuildObservation,
    ) -> Result<BuildVerdict, ImageError> {
        let image = || self.image.of(hotkey, &tag(submission));
        let verdict = match observation {
            BuildObservation::Declared(said) => return self.said(hotkey, submission, said.get(hotkey)),
            BuildObservation::Registry(images) => match images.get(hotkey) {
                Some(Presence::There) => BuildVerdict::built(image()),
                Some(Presence::Absent) => BuildVerdict::is(BuildStatus::Pending, "the registry has no such image yet"),
                _ => BuildVerdict::is(BuildStatus::Pending, "the registry has not answered"),
            },
            BuildObservation::Ci { run: None, .. } => {
                BuildVerdict::is(BuildStatus::Pending, "its run has not appeared yet")
            }
            BuildObservation::Ci { run: Some(run), images } => match run.jobs.get(hotkey) {
                Some(job) => of_job(run, job, images.get(hotkey), image),
                None => self.without_job(run),
            },
        };
        Ok(self.within_time(verdict, observation))
    }

    /// The status of a miner without a job: pending while the run may still start one.
    fn without_job(&self, run: &CiRun) -> BuildVerdict {
        let setup_done = run.setup.as_ref().is_some_and(|setup| setup.attempt >= run.attempt && setup.is_green());
        if run.over {
            return BuildVerdict::is(BuildStatus::NotFound, "its run is over and had no job for it");
        }
        if setup_done && run.jobs.len() >= self.submissions.len() {
            return BuildVerdict::is(BuildStatus::NotFound, "its run has all its jobs, but none for it");
        }
        BuildVerdict::is(BuildStatus::Pending, "its job has not appeared yet")
    }

    /// A build that is still open when its time is up has timed out.
    fn within_time(&self, verdict: BuildVerdict, observation: &BuildObservation) -> BuildVerdict {
        let started = match observation {
            BuildObservation::Ci { run: Some(run), .. } => run.started,
            _ => None,
        };
        // The later of the two, so that a restarted run gets its full time again.
        let Some(since) = started.max(self.pushed) else { return verdict };
        let limit = i64::try_from(self.limit_seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX);
        if is_final(verdict.status) || self.limit_seconds == 0 || self.now - since < limit {
            return verdict;
        }
        let why = format!("still {} after {} s: {}", word(verdict.status), self.limit_seconds, verdict.why);
        BuildVerdict { status: BuildStatus::TimedOut, why, ..verdict }
    }

    fn said(
        &self,
        hotkey: &Hotkey,
        submission: &Submission,
        said: Option<&DeclaredBuild>,
    ) -> Result<BuildVerdict, ImageError> {
        let tag = tag(submission);
        Ok(match said {
            None => BuildVerdict::is(BuildStatus::Pending, "the file does not list it yet"),
            Some(DeclaredBuild { status: BuildStatus::Success, image }) => {
                let image = image.clone().unwrap_or_else(|| self.image.of(hotkey, &tag));
                self.check_image(hotkey, &image, &tag)?;
                BuildVerdict::built(image)
            }
            Some(DeclaredBuild { status, .. }) => BuildVerdict::is(*status, "as the file says"),
        })
    }

    /// Refuses an image with the wrong tag or another miner's name: `verify` would fail on it.
    fn check_image(&self, hotkey: &Hotkey, image: &str, tag: &str) -> Result<(), ImageError> {
        if image.len() > LONGEST_IMAGE || !image.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ImageError::NoName { hotkey: hotkey.clone(), shown: cut(image, 80) });
        }
        let (path, own_tag) = image.rsplit_once(':').unwrap_or((image, ""));
        if own_tag != tag && own_tag != tag.to_lowercase() {
            let (image, tag) = (image.to_owned(), tag.to_owned());
            return Err(ImageError::OtherTag { hotkey: hotkey.clone(), image, tag });
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let short = |hotkey: &Hotkey| hotkey.short().to_lowercase();
        let other = self.submissions.keys().find(|other| *other != hotkey && short(other) == name);
        match other.filter(|_| name != short(hotkey)) {
            Some(other) => {
                let (image, other) = (image.to_owned(), other.clone());
                Err(ImageError::OtherMiner { hotkey: hotkey.clone(), image, other })
            }
            None => Ok(()),
        }
    }
}

/// The result of a job. A green one has its image unless the registry denies it; then the image may
/// still arrive while the run lasts. A red one stays red even if the registry has an image, which may
/// be incomplete.
fn of_job(run: &CiRun, job: &CiJob, image: Option<&Presence>, name: impl Fn() -> String) -> BuildVerdict {
    let superseded = job.attempt < run.attempt && !run.over;
    let conclusion = job.conclusion.as_deref().unwrap_or("nothing");
    if job.is_green() {
        return match image {
            Some(Presence::Absent) if run.over => {
                BuildVerdict::is(BuildStatus::Failure, format!("its job succeeded, but the registry has no {}", name()))
            }
            Some(Presence::Absent) => BuildVerdict::is(BuildStatus::InProgress, "its image has not arrived yet"),
            _ => BuildVerdict::built(name()),
        };
    }
    if !job.is_done() {
        return match job.status.as_str() {
            "in_progress" => BuildVerdict::is(BuildStatus::InProgress, "its job is running"),
            status => BuildVerdict::is(BuildStatus::Pending, format!("its job is {status}")),
        };
    }
    if superseded {
        return BuildVerdict::is(BuildStatus::Pending, format!("attempt {} of its run is in progress", run.attempt));
    }
    let failed = ["failure", "cancelled", "skipped", "timed_out", "action_required", "startup_failure"];
    if !failed.contains(&conclusion) && !run.over {
        return BuildVerdict::is(BuildStatus::Pending, format!("its job ended with {conclusion}"));
    }
    let odd = "its job failed, but the registry has an image of its name";
    let odd = (image == Some(&Presence::There)).then(|| odd.to_owned());
    BuildVerdict { odd, ..BuildVerdict::is(BuildStatus::Failure, format!("its job ended with {conclusion}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hotkey(n: u8) -> Hotkey {
        Hotkey::from_account(&[n; 32])
    }

    fn submissions(count: u8) -> Submissions {
        let entry = |n: u8| Submission {
            repo: "a/b".parse().unwrap(),
            commit: format!("{n:040x}").parse().unwrap(),
            cdn_url: String::new(),
            revealed_at_block: crate::model::ids::Block(u64::from(n)),
            round: "test-0".to_owned(),
            extra: Extra::default(),
        };
        (0..count).map(|n| (hotkey(n), entry(n))).collect()
    }

    /// The statuses that come out, at a time `seconds` after the push.
    fn statuses(count: u8, run: &CiRun, recorded: Option<&Builds>, seconds: i64) -> Vec<BuildStatus> {
        let (submissions, image) = (submissions(count), ImageName::default());
        let pushed = DateTime::from_timestamp(1_800_000_000, 0);
        let now = pushed.unwrap() + TimeDelta::seconds(seconds);
        let (round, limit_seconds) = (RoundNumber(0), 100);
        let terms =
            BuildTerms { round, submissions: &submissions, recorded, image: &image, limit_seconds, pushed, now };
        let observation = BuildObservation::Ci { run: Some(run.clone()), images: BTreeMap::new() };
        settle(&terms, &observation).unwrap().builds.values().map(|build| build.status).collect()
    }

    fn job(status: &str, conclusion: Option<&str>) -> CiJob {
        CiJob { attempt: 1, status: status.to_owned(), conclusion: conclusion.map(str::to_owned) }
    }

    #[test]
    fn a_missing_job_is_pending_until_it_can_no_longer_appear() {
        use BuildStatus::{NotFound, Pending, Success, TimedOut};
        let green = job("completed", Some("success"));
        let begun = CiRun { attempt: 1, ..CiRun::default() };
        assert_eq!(statuses(2, &begun, None, 99), [Pending, Pending]);
        assert_eq!(statuses(2, &begun, None, 100), [TimedOut, TimedOut]);
        let half = CiRun { setup: Some(green.clone()), jobs: [(hotkey(0), green.clone())].into(), ..begun.clone() };
        assert_eq!(statuses(2, &half, None, 0), [Success, Pending]);
        let others = [(hotkey(0), green.clone()), (hotkey(9), green)].into();
        assert_eq!(statuses(2, &CiRun { jobs: others, ..half.clone() }, None, 0), [Success, NotFound]);
        assert_eq!(statuses(2, &CiRun { over: true, ..half.clone() }, None, 0), [Success, NotFound]);
        let again = CiRun { attempt: 2, ..half };
        assert_eq!(statuses(2, &again, None, 0), [Success, Pending], "the setup of an earlier attempt");
    }

    #[test]
    fn a_restart_extends_the_time_limit() {
        let started = DateTime::from_timestamp(1_800_000_090, 0);
        let run = CiRun { attempt: 2, started, ..CiRun::default() };
        assert_eq!(statuses(1, &run, None, 189), [BuildStatus::Pending]);
        assert_eq!(statuses(1, &run, None, 190), [BuildStatus::TimedOut]);
    }

    #[test]
    fn a_success_stays_and_shared_names_are_reported() {
        let (submissions, image) = (submissions(2), "x/y{hotkey10}:{tag}".parse::<ImageName>().unwrap());
        let green = |n| (hotkey(n), job("completed", Some("success")));
        let run = CiRun { attempt: 1, jobs: [green(0), green(1)].into(), ..CiRun::default() };
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (round, limit_seconds) = (RoundNumber(0), 100);
        let terms = BuildTerms {
            round,
            submissions: &submissions,
            recorded: None,
            image: &image,
            limit_seconds,
            pushed: None,
            now,
        };
        let observation = |run| BuildObservation::Ci { run, images: BTreeMap::new() };
        let first = settle(&terms, &observation(Some(run))).unwrap();
        let plan = first.plan.unwrap();
        assert_eq!((plan.message.as_str(), plan.says.len()), ("Update build statuses for round 0", 2));
        assert!(all_built(&submissions, Some(&first.builds)) && first.oddities.is_empty());
        let later = settle(&BuildTerms { recorded: Some(&first.builds), ..terms }, &observation(None)).unwrap();
        assert!(later.plan.is_none() && later.builds == first.builds, "nothing is written again");
        // Hotkeys with a common prefix are hard to find: a template without hotkeys has the same effect.
        let one = ImageName::unchecked("x/y:{tag}");
        let shared = shared_names(&BuildTerms { image: &one, ..terms });
        assert!(shared[0].starts_with("image name x/y is shared by 5"), "{shared:?}");
    }
}
