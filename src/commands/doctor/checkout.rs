//! The checkout: can commits be made, and pushed?

use super::finding::Finding;
use super::jobs::Job;
use crate::base::error::{Error, Kind, Result};
use crate::world::git::Git;
use crate::world::git::ready::Condition;

/// The checks of git, each by itself: a signing program that hangs hides no other line. `offline` asks no remote;
/// `pushes` says that runs push.
pub(super) fn jobs(git: Option<&Git>, offline: bool, pushes: bool) -> Vec<Job> {
    let Some(git) = git else {
        let none = Finding::warn("git", "no checkout: nothing can be committed", "git init, or clone the competition");
        return vec![Job::new("git", || vec![none])];
    };
    if let Err(error) = git.is_the_users() {
        // What the configuration of someone else's checkout names is not run.
        return vec![Job::new("git.checkout", move || vec![Finding::fail("git.checkout", &error)])];
    }
    let job = |name, check: fn(&Git, &'static str) -> Finding| {
        let git = git.clone();
        Job::new(name, move || vec![check(&git, name)])
    };
    let reached = git.clone();
    let asked = move || {
        let unasked = || Finding::ok("git.remote", "not asked (--offline)");
        vec![if offline { unasked() } else { remote(&reached, pushes) }]
    };
    vec![
        job("git.checkout", |git, name| found(name, git.condition(Condition::Checkout))),
        job("git.locks", |git, name| found(name, git.require_unlocked().map(|()| "none is left over".to_owned()))),
        job("git.author", |git, name| found(name, git.condition(Condition::Author))),
        job("git.signing", |git, name| found(name, git.condition(Condition::Signing))),
        job("git.hooks", |git, name| found(name, git.hooks().map(|hooks| hooks_said(&hooks.join(", "))))),
        Job::new("git.remote", asked),
    ]
}

fn found(name: &'static str, outcome: Result<String>) -> Finding {
    outcome.map_or_else(|error| Finding::fail(name, &error), |said| Finding::ok(name, said))
}

fn hooks_said(hooks: &str) -> String {
    match hooks {
        "" => "none around a commit".to_owned(),
        hooks => format!("git would run these around a commit, gen404 does not: {hooks}"),
    }
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
