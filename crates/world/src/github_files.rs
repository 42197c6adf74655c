//! Files of miners' repositories on GitHub, at the commit that they submitted.

use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::url::check_service_url;
use crate::http::{Client, Failure, HttpLimits, Request, Retry, Secret, shown_url};
use crate::model::ids::{CommitSha, RepoName};

/// The most bytes of such a file.
const LARGEST: u64 = 1 << 20;

/// GitHub's API.
#[derive(Debug, Clone)]
pub struct RepositoryFiles {
    client: Client,
    url: String,
    token: Option<Secret>,
}

impl RepositoryFiles {
    /// The API at this base URL; the token is that of `GITHUB_TOKEN`.
    ///
    /// # Errors
    /// The URL is not http(s), or the token cannot be read.
    pub fn open(url: &str, env: impl Fn(&str) -> Option<String>) -> Result<RepositoryFiles> {
        let url = url.trim().trim_end_matches('/');
        let wrong =
            |why: &dyn std::fmt::Display| Error::usage(format!("[miners] hardware_url {}: {why}", shown_url(url)));
        check_service_url(url).map_err(|why| wrong(&why))?;
        let token = Secret::from_env(env, "GITHUB_TOKEN")?;
        if token.is_some() && !url.starts_with("https://") {
            return Err(wrong(&"GITHUB_TOKEN is sent over https only"));
        }
        let limits = HttpLimits { whole: Duration::from_secs(30), body: LARGEST, ..HttpLimits::default() };
        let client = Client::new(limits, Retry::default()).unredirected();
        Ok(RepositoryFiles { client, url: url.to_owned(), token })
    }

    /// The bytes of a file; `None` where the repository, the commit or the file is not there.
    ///
    /// # Errors
    /// GitHub cannot be reached, or refuses.
    pub fn read(&self, repo: &RepoName, commit: &CommitSha, path: &str) -> Result<Option<Vec<u8>>> {
        let url = format!("{}/repos/{repo}/contents/{path}?ref={commit}", self.url);
        let mut request = Request::get(url).header("accept", "application/vnd.github.raw+json");
        request = request.header("user-agent", "gen404");
        if let Some(token) = &self.token {
            request = request.bearer(token);
        }
        self.client.send_checked(&request, |answer| match answer.status {
            200 => Ok(Some(answer.into_bytes())),
            404 => Ok(None),
            _ => Err(Failure::Permanent(answer.shown())),
        })
    }
}
