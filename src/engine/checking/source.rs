//! Where the miner's files are: a folder, or a server.

use std::path::{Path, PathBuf};

use crate::base::error::{Error, Result};
use crate::base::files;
use crate::base::url::check_cdn_url;
use crate::engine::context::Context;
use crate::engine::fetching::run::miners_client;
use crate::model::format::ModelFormat;
use crate::model::ids::{Hotkey, PromptStem};
use crate::model::objects::check_stem;
use crate::model::prompts::{Prompt, PromptList};
use crate::model::submissions::{Submission, Submissions};
use crate::world::fetch::Fetcher;
use crate::world::http::shown_url;

/// A miner's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// In this folder, by file name.
    Folder(PathBuf),
    /// Below this URL, as a submission's `cdn_url`.
    Server(String),
}

impl Source {
    /// Reads the source that the command line names.
    ///
    /// # Errors
    /// A URL that the rules refuse, or a folder that is not there.
    pub(crate) fn parse(text: &str, allow_private: bool) -> Result<Self> {
        let folder = Path::new(text);
        if folder.is_dir() {
            return Ok(Source::Folder(folder.to_owned()));
        }
        if !text.contains("://") {
            let is_there = folder.symlink_metadata().is_ok();
            let what = if is_there { "neither a folder nor a URL" } else { "no such folder" };
            let refused = Error::usage(format!("{text}: {what}"));
            return Err(if is_there {
                refused.hint("name its folder; one mesh by itself: gen404 render FILE")
            } else {
                refused
            });
        }
        public(text, allow_private).map(Source::Server)
    }

    /// The base of the files' URLs, as in a submission.
    pub(crate) fn cdn_url(&self) -> &str {
        match self {
            Source::Folder(_) => "",
            Source::Server(url) => url,
        }
    }

    /// What fetches the files.
    pub(crate) fn fetcher(&self, context: &Context<'_>, allow_private: bool) -> Fetcher {
        match self {
            Source::Folder(folder) => Fetcher::of_folder(folder, context.config.download.limits().body),
            Source::Server(_) => Fetcher::new(miners_client(&context.config, allow_private, &context.options.meter)),
        }
    }

    /// The names of the files in the folder, in order; none of a server, which has no list.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub(crate) fn listed(&self, format: ModelFormat) -> Result<Listed> {
        let Source::Folder(folder) = self else { return Ok(Listed::default()) };
        let (folders, own): (Vec<_>, Vec<_>) =
            files::list(folder)?.into_iter().partition(|entry| entry.path().is_dir());
        let mut listed = Listed { names: own.iter().map(name_of).collect(), below: Vec::new() };
        for folder in folders {
            // One that cannot be listed holds nothing that anyone would miss.
            let models = files::list(&folder.path()).unwrap_or_default();
            let models = models.iter().map(name_of).filter(|name| stem_of(name, format).is_some());
            listed.below.extend(models.map(|name| format!("{}/{name}", name_of(&folder))));
        }
        listed.names.sort();
        listed.below.sort();
        Ok(listed)
    }

    /// The miner that submitted this URL, if one did.
    pub(crate) fn owner(&self, submissions: Option<&Submissions>) -> Option<Hotkey> {
        let Source::Server(url) = self else { return None };
        let is_theirs = |submission: &Submission| submission.cdn_url.trim_end_matches('/') == url;
        let owners = submissions?.iter().filter(|(_, submission)| is_theirs(submission));
        let mut owners = owners.map(|(hotkey, _)| hotkey.clone());
        // One URL of several miners says nothing.
        owners.next().filter(|_| owners.next().is_none())
    }
}

/// The URL, by the rules for those of miners.
///
/// # Errors
/// The rules refuse it. A hint says what lifts the one against hosts that are not public.
pub(crate) fn public(text: &str, allow_private: bool) -> Result<String> {
    let refused = |why| Error::usage(format!("{}: {why}", shown_url(text)));
    match (check_cdn_url(text, allow_private), check_cdn_url(text, true)) {
        (Ok(url), _) => Ok(url),
        (Err(why), Ok(_)) => Err(refused(why)
            .hint("hosts must be public; --allow-private-cdn, or allow_private_cdn under [miners], lifts that")),
        (Err(why), Err(_)) => Err(refused(why)),
    }
}

/// The names in a miner's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The files in it.
    pub(crate) names: Vec<String>,
    /// The models in folders below it, which no URL reaches.
    pub(crate) below: Vec<String>,
}

fn name_of(entry: &std::fs::DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

/// What stands before the extension of a model's name.
fn stem_of(name: &str, format: ModelFormat) -> Option<&str> {
    name.strip_suffix(format.extension())?.strip_suffix('.')
}

/// The prompts that the files in a folder would answer: one for each file of the format. Their images are not known.
pub(crate) fn prompts_of(names: &[String], format: ModelFormat) -> PromptList {
    let stem = |name: &String| -> Option<PromptStem> { stem_of(name, format)?.parse().ok() };
    // A URL is what names a prompt; nothing is fetched from this one.
    let prompt = |stem: PromptStem| {
        let prompt = Prompt::new(&format!("https://prompts.invalid/{stem}.png")).ok()?;
        check_stem(prompt.stem()).ok().map(|()| prompt)
    };
    PromptList(names.iter().filter_map(stem).filter_map(prompt).collect())
}
