//! What no program of a competition makes: links at the paths of files, dates that cannot be. Anyone may have committed
//! it, so it is a finding, and the rest is checked.

use std::collections::HashSet;

use super::Sink;
use crate::model::history::Oddity;
use crate::model::ids::RoundNumber;

/// Reports what is odd in these commits; `only` limits it to one round's files, and what is of no round.
pub fn check<'a>(commits: impl Iterator<Item = &'a str>, odd: &[Oddity], only: Option<RoundNumber>, sink: &mut Sink) {
    if odd.is_empty() {
        return;
    }
    let judged: HashSet<&str> = commits.collect();
    let odd = || odd.iter().filter(|odd| judged.contains(odd.commit.as_str()));
    for (odd, path) in odd().filter_map(|odd| Some((odd, odd.path.as_ref()?))) {
        let round = path.strip_prefix("rounds/").and_then(|rest| rest.split('/').next()?.parse().ok());
        if only.is_none() || round.is_none() || round == only {
            sink.claim("file.parse", round, format!("{} {path}", short(odd)), |claim| {
                claim.warn(format!("{} in this commit: it is not followed, and counts as no file", odd.what));
            });
        }
    }
    let undated: Vec<&Oddity> = odd().filter(|odd| odd.path.is_none()).collect();
    if !undated.is_empty() {
        sink.claim("history.writer", None, "dates", |claim| {
            undated.iter().for_each(|odd| claim.warn(format!("commit {}: {}", short(odd), odd.what)));
        });
    }
}

fn short(odd: &Oddity) -> &str {
    odd.commit.get(..10).unwrap_or(&odd.commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::checks::CheckStatus;

    #[test]
    fn what_is_odd_in_the_judged_commits_is_told_once_by_path_and_of_one_round_if_asked() {
        let oddity = |commit: &str, path: Option<&str>| Oddity {
            commit: commit.repeat(40),
            path: path.map(str::to_owned),
            what: "a symbolic link",
        };
        let odd = [
            oddity("a", Some("rounds/1/seed.json")),
            oddity("b", Some("rounds/2")),
            oddity("b", Some("config.json")),
            oddity("b", None),
            oddity("c", None),
            oddity("d", Some("rounds/1/seed.json")),
        ];
        let judged = ["a", "b", "c"].map(|commit| commit.repeat(40));
        let told = |only| {
            let mut sink = Sink::default();
            check(judged.iter().map(String::as_str), &odd, only, &mut sink);
            let found = sink.finish();
            assert!(found.iter().all(|found| found.status == CheckStatus::Warn));
            found.into_iter().map(|found| found.subject).collect::<Vec<_>>()
        };
        let at = |commit: &str, path: &str| format!("{} {path}", commit.repeat(10));
        let (seed, round) = (at("a", "rounds/1/seed.json"), at("b", "rounds/2"));
        let mut all = vec![seed.clone(), round, at("b", "config.json"), "dates".to_owned()];
        let mut found = told(None);
        all.sort();
        found.sort();
        assert_eq!(found, all);
        let mut of_one = told(Some(RoundNumber(1)));
        of_one.sort();
        assert_eq!(of_one, [seed, at("b", "config.json"), "dates".to_owned()]);
    }
}
