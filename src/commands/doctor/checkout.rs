//! The checkout: can commits be made, and pushed?

use super::finding::Finding;
use crate::base::error::{Error, Kind};
use crate::world::git::Git;

/// The lines on git. `offline` asks no remote; `pushes` says that runs push.
pub(super) fn checks(git: Option<&Git>, offline: bool, pushes: bool) -> Vec<Finding> {
    let Some(git) = git else {
        return vec![Finding::warn(
            "git",
            "no checkout: nothing can be committed",
            "git init, or clone the competition",
        )];
    };
    let names = |name| match name {
        "author" => "git.author",
        "signing" => "git.signing",
        _ => "git.checkout",
    };
    let mut found: Vec<Finding> = Vec::new();
    for (name, outcome) in git.conditions() {
        let name = names(name);
        found.push(outcome.map_or_else(|error| Finding::fail(name, &error), |said| Finding::ok(name, said)));
    }
    if git.is_the_users().is_err() {
        return found;
    }
    found.push(match git.hooks().map(|hooks| hooks.join(", ")) {
        Ok(hooks) if hooks.is_empty() => Finding::ok("git.hooks", "none around a commit"),
        Ok(hooks) => Finding::ok("git.hooks", format!("git would run these around a commit, gen404 does not: {hooks}")),
        Err(error) => Finding::fail("git.hooks", &error),
    });
    found.push(if offline { Finding::ok("git.remote", "not asked (--offline)") } else { remote(git, pushes) });
    found
}

fn remote(git: &Git, pushes: bool) -> Finding {
    const NAME: &str = "git.remote";
    match git.reach() {
        // No remote branch is named: that matters to those who push.
        Err(error) if error.kind() == Kind::Usage && !pushes => Finding::fail(NAME, &error).tolerated(),
        Err(error) => Finding::fail(NAME, &error),
        Ok(reach) => match reach.foreign {
            Some(foreign) => {
                let told = Error::new(foreign.kind(), format!("{}: {foreign}", reach.said));
                let told = foreign.hints().iter().fold(told, |told, hint| told.hint(hint.as_str()));
                let finding = Finding::fail(NAME, &told);
                if pushes { finding } else { finding.tolerated() }
            }
            None => Finding::ok(NAME, reach.said),
        },
    }
}
