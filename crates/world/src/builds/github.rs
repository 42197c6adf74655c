//! Builds by GitHub Actions: the run that a push of submissions started, and its jobs, one per miner.

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cache::{Cache, CachedAnswer};
use super::registry::Registry;
use super::web::{Credentials, ReadRequest, Web};
use super::{BuildSource, Pushed, WantedBuilds};
use crate::base::error::{Error, Result};
use crate::base::text::cut;
use crate::base::url::HttpUrl;
use crate::http::{Method, Response, shown_text, shown_url};
use crate::model::ids::{Hotkey, RepoName, RoundNumber};
use crate::model::observation::{BuildObservation, CiJob, CiRun};
use crate::probe::Probed;

/// Lists of jobs and runs are followed no further than this.
const MOST_PAGES: usize = 20;

/// Tolerated clock skew: a run that a push started was created after its commit.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(60);

/// Where a repository's runs are looked up.
#[derive(Debug, Clone)]
pub struct GitHub {
    pub(super) web: Web,
    /// The API, without a final slash.
    pub(super) api: String,
    pub(super) repo: RepoName,
    pub(super) workflow: String,
    /// The prefix of the names of miners' jobs; ` (HOTKEY)` follows.
    pub(super) job: String,
    /// The name of the job that sets up the others.
    pub(super) setup_job: String,
    pub(super) credentials: Option<Credentials>,
    /// Use this run, whatever was pushed.
    pub(super) run: Option<u64>,
    /// Asked for the images of finished jobs.
    pub(super) registry: Option<Registry>,
    /// The operator's own folder.
    pub(super) own: PathBuf,
}

/// A job's status and conclusion are one word each.
const LONGEST_WORD: usize = 60;

#[derive(Debug, Deserialize)]
struct Runs {
    workflow_runs: Vec<RunAnswer>,
}

#[derive(Debug, Clone, Deserialize)]
struct RunAnswer {
    id: u64,
    #[serde(default)]
    run_number: u64,
    run_attempt: Option<u64>,
    status: Option<String>,
    created_at: Option<DateTime<Utc>>,
    run_started_at: Option<DateTime<Utc>>,
    html_url: Option<String>,
    head_commit: Option<HeadCommit>,
}

#[derive(Debug, Clone, Deserialize)]
struct HeadCommit {
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Jobs {
    jobs: Vec<JobAnswer>,
}

#[derive(Debug, Deserialize)]
struct JobAnswer {
    id: u64,
    run_attempt: Option<u64>,
    name: Option<String>,
    status: Option<String>,
    conclusion: Option<String>,
}

impl BuildSource for GitHub {
    fn name(&self) -> String {
        format!("{} for {} of {}", shown_url(&self.api), self.workflow, self.repo)
    }

    fn look(&self, wanted: &WantedBuilds) -> Result<BuildObservation> {
        let cache = Cache::open(&self.own, wanted.round)?;
        let run = self.find(wanted, &cache)?.map(|run| self.with_jobs(&run, &cache)).transpose()?;
        let mut images = std::collections::BTreeMap::new();
        if let (Some(registry), Some(run)) = (&self.registry, &run) {
            let done = |hotkey: &Hotkey| run.jobs.get(hotkey).is_some_and(|job| job.status == "completed");
            for (hotkey, image) in wanted.unbuilt.iter().filter(|(hotkey, _)| done(hotkey)) {
                images.insert(hotkey.clone(), registry.presence(image)?);
            }
        }
        Ok(BuildObservation::Ci { run, images })
    }

    fn probe(&self, image: &str) -> Result<Probed> {
        let url = format!("{}/repos/{}/actions/workflows/{}", self.api, self.repo, self.workflow);
        let headers = headers();
        let ask = ReadRequest { method: Method::GET, url: &url, headers, credentials: self.credentials.as_ref() };
        let response = self.web.send(&ask)?;
        if response.status != 200 {
            return Err(self.refused(&url, &response));
        }
        if let Some(registry) = &self.registry {
            registry.probe(image)?;
        }
        let limit = |name| response.header(name).and_then(|count| count.trim().parse::<u64>().ok());
        let said = format!("{}: answers", self.name());
        Ok(match (limit("x-ratelimit-remaining"), limit("x-ratelimit-limit")) {
            (Some(0), _) => {
                let none = Error::outside(format!("{said}, but the rate limit is used up"));
                return Err(none.hint("wait until it is reset; requests with GITHUB_TOKEN have a limit of their own"));
            }
            (Some(left), Some(of)) if left.saturating_mul(20) < of => Probed::doubtful(
                format!("{said}; {left} of {of} requests are left"),
                "requests with GITHUB_TOKEN have a limit of their own",
            ),
            (Some(left), Some(of)) => Probed::fine(format!("{said}; {left} of {of} requests are left")),
            _ => Probed::fine(said),
        })
    }
}

/// The headers of every request.
fn headers() -> Vec<(&'static str, String)> {
    vec![("accept", "application/vnd.github+json".to_owned()), ("x-github-api-version", "2022-11-28".to_owned())]
}

impl GitHub {
    /// The run for these submissions: the one named, else the newest of the commit, else the newest whose
    /// commit message names the round (several commits pushed together have one run, for the last of them).
    fn find(&self, wanted: &WantedBuilds, cache: &Cache) -> Result<Option<RunAnswer>> {
        let actions = format!("{}/repos/{}/actions", self.api, self.repo);
        if let Some(id) = self.run {
            return self.get(cache, &format!("{actions}/runs/{id}")).map(|(run, _)| Some(run));
        }
        let runs =
            format!("{actions}/workflows/{}/runs?event=push&exclude_pull_requests=true&per_page=100", self.workflow);
        if let Some(pushed) = &wanted.pushed {
            let (found, _): (Runs, _) = self.get(cache, &format!("{runs}&head_sha={}", pushed.commit))?;
            if let Some(run) = found.workflow_runs.into_iter().max_by_key(|run| run.run_number) {
                return Ok(Some(run));
            }
        }
        let since = wanted.pushed.as_ref().map(|pushed| pushed.at - CLOCKS_APART);
        let created = |at: DateTime<Utc>| format!("&created=%3E%3D{}", at.to_rfc3339_opts(SecondsFormat::Secs, true));
        self.by_message(wanted, cache, format!("{runs}{}", since.map(created).unwrap_or_default()))
    }

    fn by_message(&self, wanted: &WantedBuilds, cache: &Cache, first: String) -> Result<Option<RunAnswer>> {
        let mut next = Some(first);
        for _ in 0..MOST_PAGES {
            let Some(url) = next else { break };
            let (page, link): (Runs, _) = self.get(cache, &url)?;
            let ours = page.workflow_runs.into_iter().filter(|run| is_of(run, wanted.round, wanted.pushed.as_ref()));
            // Newest runs come first: later pages only have older ones.
            if let Some(run) = ours.max_by_key(|run| run.run_number) {
                return Ok(Some(run));
            }
            next = link;
        }
        Ok(None)
    }

    /// The run with each miner's newest job over all attempts: jobs that a second attempt did not repeat belong
    /// to the first.
    fn with_jobs(&self, answer: &RunAnswer, cache: &Cache) -> Result<CiRun> {
        let mut run = CiRun {
            // Without a valid URL there is nothing to link to.
            url: answer.html_url.clone().filter(|url| HttpUrl::parse(url).is_ok()).unwrap_or_default(),
            attempt: answer.run_attempt.unwrap_or(1),
            started: answer.run_started_at.or(answer.created_at),
            over: answer.status.as_deref() == Some("completed"),
            ..CiRun::default()
        };
        let mut jobs = Vec::new();
        let repo = format!("{}/repos/{}", self.api, self.repo);
        let mut next = Some(format!("{repo}/actions/runs/{}/jobs?filter=all&per_page=100", answer.id));
        for _ in 0..MOST_PAGES {
            let Some(url) = next else { break };
            let (page, link): (Jobs, _) = self.get(cache, &url)?;
            jobs.extend(page.jobs);
            next = link;
        }
        if let Some(url) = next {
            return Err(Error::outside(format!("{}: more than {MOST_PAGES} pages of jobs", shown_url(&url))));
        }
        jobs.sort_by_key(|job| (job.run_attempt.unwrap_or(1), job.id));
        for answer in jobs {
            let name = answer.name.clone().unwrap_or_default();
            let job = CiJob {
                attempt: answer.run_attempt.unwrap_or(1),
                status: cut(&answer.status.unwrap_or_default(), LONGEST_WORD),
                conclusion: answer.conclusion.map(|conclusion| cut(&conclusion, LONGEST_WORD)),
            };
            if name == self.setup_job {
                run.setup = Some(job);
            } else if let Some(hotkey) = self.hotkey(&name) {
                run.jobs.insert(hotkey, job);
            }
        }
        Ok(run)
    }

    /// The miner whose job has this name.
    fn hotkey(&self, name: &str) -> Option<Hotkey> {
        name.strip_prefix(&self.job)?.strip_prefix(" (")?.strip_suffix(')')?.parse().ok()
    }

    /// The answer to a GET of this URL, and the URL of the next page. An unchanged answer is not sent again
    /// (ETag).
    fn get<T: DeserializeOwned>(&self, cache: &Cache, url: &str) -> Result<(T, Option<String>)> {
        let kept = cache.load(url).and_then(|kept| Some((serde_json::from_str::<T>(&kept.body).ok()?, kept)));
        let mut headers = headers();
        headers.extend(kept.as_ref().map(|(_, kept)| ("if-none-match", kept.etag.clone())));
        let ask = ReadRequest { method: Method::GET, url, headers, credentials: self.credentials.as_ref() };
        let response = self.web.send(&ask)?;
        match (response.status, kept) {
            (304, Some((value, kept))) => return Ok((value, kept.link.as_deref().and_then(next_page))),
            (200, _) => {}
            _ => return Err(self.refused(url, &response)),
        }
        let value = response
            .json()
            .map_err(|why| Error::outside(format!("GET {}: unexpected answer: {why}", shown_url(url))))?;
        let link = response.header("link").map(str::to_owned);
        let next = link.as_deref().and_then(next_page);
        if let Some(etag) = response.header("etag") {
            cache.save(&CachedAnswer {
                url: url.to_owned(),
                etag: etag.to_owned(),
                link,
                body: response.text().into_owned(),
            })?;
        }
        Ok((value, next))
    }

    /// The error for an answer that is not a 200.
    fn refused(&self, url: &str, response: &Response) -> Error {
        #[derive(Deserialize)]
        struct ApiMessage {
            message: String,
        }
        let told = response.json::<ApiMessage>().map(|told| shown_text(&told.message, 200));
        let told = told.unwrap_or_else(|_| response.shown_body());
        let error = Error::outside(format!("GET {}: status {}: {told}", shown_url(url), response.status));
        match (response.status, &self.credentials) {
            (401, _) => error.hint("GITHUB_TOKEN is invalid or has expired"),
            (403 | 404, None) => error.hint(format!(
                "does {} exist, with its workflow {}? A private repository needs GITHUB_TOKEN with permission to read Actions",
                self.repo, self.workflow
            )),
            (403 | 404, Some(_)) => error.hint(format!(
                "does {} exist, with its workflow {}, and may GITHUB_TOKEN read its Actions?",
                self.repo, self.workflow
            )),
            _ => error,
        }
    }
}

/// Was this run started by the push of the round's submissions? An older run may belong to an earlier version
/// of them.
fn is_of(run: &RunAnswer, round: RoundNumber, pushed: Option<&Pushed>) -> bool {
    let ending = format!("submissions for round {round}");
    let message = run.head_commit.as_ref().and_then(|commit| commit.message.as_deref()).unwrap_or_default();
    let early = pushed.zip(run.created_at).is_some_and(|(pushed, created)| created < pushed.at - CLOCKS_APART);
    !early && message.lines().any(|line| line.trim_end().ends_with(&ending))
}

/// The URL of `rel="next"` in a `Link` header.
fn next_page(link: &str) -> Option<String> {
    link.split('<').skip(1).find_map(|part| {
        let (url, rest) = part.split_once('>')?;
        let next = rest.split(';').any(|param| {
            let param = param.trim().trim_end_matches(',').trim_end();
            param.strip_prefix("rel=").is_some_and(|rel| rel.trim_matches('"').split(' ').any(|rel| rel == "next"))
        });
        next.then(|| url.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_read_from_the_link_header() {
        let link = "<https://x.org/r?a=1,2&page=1>; rel=\"prev\", <https://x.org/r?a=1,2&page=3>; rel=\"next\", \
                    <https://x.org/r?page=9>; rel=\"last\"";
        assert_eq!(next_page(link).as_deref(), Some("https://x.org/r?a=1,2&page=3"));
        assert_eq!(next_page("<https://x.org/r?page=9>; rel=\"last\""), None);
        assert_eq!(next_page("nonsense"), None);
    }

    #[test]
    fn runs_are_recognised_by_their_message() {
        let run = |message: Option<&str>| RunAnswer {
            id: 1,
            run_number: 1,
            run_attempt: None,
            status: None,
            created_at: None,
            run_started_at: None,
            html_url: None,
            head_commit: message.map(|message| HeadCommit { message: Some(message.to_owned()) }),
        };
        let round = RoundNumber(6);
        assert!(is_of(&run(Some("Seed, prompts and submissions for round 6\n\nUpdate x")), round, None));
        assert!(!is_of(&run(Some("Seed, prompts and submissions for round 16")), round, None));
        assert!(!is_of(&run(None), round, None));
    }
}
