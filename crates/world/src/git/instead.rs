//! `url.BASE.insteadOf`: the address that git really goes to for one that is written down. Nothing is asked of git.

use std::path::Path;

use gix::config::{File, Source};

use super::Git;
use crate::base::error::{Context as _, Result};
use crate::base::files;

/// The configurations that hold for all of a user's repositories.
const OF_THE_USER: [Source; 3] = [Source::System, Source::Git, Source::User];

impl Git {
    /// The address that git goes to for this one, by the repository's own configuration and the user's; files that these
    /// include are not looked into.
    ///
    /// # Errors
    /// The user's configuration cannot be read.
    pub(super) fn resolved(&self, url: &str) -> Result<String> {
        let mut rewrites = rewrites(self.local().config_snapshot().plumbing());
        for source in OF_THE_USER {
            let path = source.storage_location(&mut |name| std::env::var_os(name));
            // `/dev/null` names none.
            let Some(path) = path.filter(|path| path.is_file()) else { continue };
            rewrites.extend(rewrites_in(&path)?);
        }
        Ok(rewritten(url, &rewrites))
    }
}

/// What an address may begin with, and what git puts in its place.
type Rewrite = (String, String);

fn rewrites_in(path: &Path) -> Result<Vec<Rewrite>> {
    let text = files::read_text(path, files::SMALL)?.unwrap_or_default();
    let config = File::try_from(text.as_str()).failed(|| format!("{}: cannot be read", path.display()))?;
    Ok(rewrites(&config))
}

fn rewrites(config: &File) -> Vec<Rewrite> {
    let mut found = Vec::new();
    for section in config.sections_by_name("url").into_iter().flatten() {
        let Some(base) = section.header().subsection_name().map(ToString::to_string) else { continue };
        let begins = section.values("insteadOf").into_iter().map(|value| value.to_string());
        found.extend(begins.filter(|begin| !begin.is_empty()).map(|begin| (begin, base.clone())));
    }
    found
}

/// The address with its longest known beginning replaced, once, as git does it. Of equal ones, the first counts.
fn rewritten(url: &str, rewrites: &[Rewrite]) -> String {
    let mut longest: Option<(&str, &str)> = None;
    for (begin, base) in rewrites {
        if url.starts_with(begin) && longest.is_none_or(|(known, _)| begin.len() > known.len()) {
            longest = Some((begin, base));
        }
    }
    match longest {
        Some((begin, base)) => format!("{base}{}", url.get(begin.len()..).unwrap_or_default()),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_is_replaced_once() {
        let text = "[url \"git@github.com:\"]\n\tinsteadOf = https://github.com/\n\tinsteadof = gh:\n\
                    [url \"https://mirror.example/\"]\n\tinsteadOf = https://github.com/404-repo/\n[url \"x\"]\n\tpushInsteadOf = y\n";
        let rewrites = rewrites(&File::try_from(text).unwrap());
        for (url, expected) in [
            ("https://github.com/a/b", "git@github.com:a/b"),
            ("gh:a/b", "git@github.com:a/b"),
            ("https://github.com/404-repo/comp", "https://mirror.example/comp"),
            ("https://GitHub.com/a/b", "https://GitHub.com/a/b"),
            ("y", "y"),
            ("", ""),
        ] {
            assert_eq!(rewritten(url, &rewrites), expected, "{url}");
        }
    }
}
