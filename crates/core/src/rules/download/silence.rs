//! Whether a silence is the miners' servers' or this machine's own. Outcomes that a dead network of ours would give as
//! well are held back until something answers.

use std::collections::BTreeSet;

use super::{DownloadMark, FetchOutcome};
use crate::model::refusals;

/// The fewest servers, of miners and of services together, whose silence says something about our own network.
const FEWEST_SILENT: usize = 3;

/// The failed files since a server last answered.
#[derive(Debug, Default)]
pub struct Silence {
    held: Vec<DownloadMark>,
    hosts: BTreeSet<String>,
}

impl Silence {
    /// Takes in the outcome of a file from this host. Returns the outcomes that are certain now.
    pub fn take(&mut self, mark: DownloadMark, host: &str) -> Vec<DownloadMark> {
        match contact(&mark.outcome) {
            Contact::None => {
                self.hosts.insert(host.to_owned());
                self.held.push(mark);
                Vec::new()
            }
            Contact::Answer => self.over().into_iter().chain([mark]).collect(),
            Contact::Unasked => vec![mark],
        }
    }

    /// Something has answered: our network works. Returns the outcomes that are certain now.
    pub fn over(&mut self) -> Vec<DownloadMark> {
        self.hosts.clear();
        std::mem::take(&mut self.held)
    }

    /// How many miners' servers have been silent since one answered.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }
}

/// Is our own network down? `silent` servers of miners gave no answer, and each of the services that were asked after
/// that did (true) or did not. One answer shows that it is not; too few questions show nothing.
#[must_use]
pub fn own_network_is_down(silent: usize, services: &[bool]) -> bool {
    let asked = silent > 0 && !services.is_empty() && silent + services.len() >= FEWEST_SILENT;
    asked && !services.contains(&true)
}

/// What a file's outcome says of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    /// It answered.
    Answer,
    /// No answer came.
    None,
    /// It was not asked.
    Unasked,
}

fn contact(outcome: &FetchOutcome) -> Contact {
    // An earlier run may have fetched a file that is there.
    let FetchOutcome::Failed { code, reason } = outcome else { return Contact::Unasked };
    match code.as_str() {
        refusals::CONNECTION | refusals::GIVEN_UP => Contact::None,
        refusals::SLOW if reason.starts_with("no answer in time") => Contact::None,
        refusals::ADDRESS => Contact::Unasked,
        _ => Contact::Answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Hotkey;

    fn mark(code: &str, reason: &str) -> DownloadMark {
        let outcome = FetchOutcome::Failed { code: code.to_owned(), reason: reason.to_owned() };
        DownloadMark { hotkey: Hotkey::from_account(&[1; 32]), stem: "a".parse().unwrap(), outcome }
    }

    #[test]
    fn failures_count_once_anything_answers() {
        let mut silence = Silence::default();
        let silent = [
            mark(refusals::CONNECTION, "cannot connect"),
            mark(refusals::GIVEN_UP, "given up"),
            mark(refusals::SLOW, "no answer in time (3 attempts)"),
        ];
        for (mark, host) in silent.iter().zip(["a", "b", "b"]) {
            assert_eq!(silence.take(mark.clone(), host), []);
        }
        assert_eq!(silence.hosts(), 2);
        let refused = mark(refusals::ADDRESS, "refused: not public");
        assert_eq!(silence.take(refused.clone(), "c"), [refused], "no server was asked");
        for (code, reason) in [
            (refusals::MISSING, "status 404"),
            (refusals::STATUS, "status 503"),
            (refusals::SLOW, "slower than 1 kB/s"),
        ] {
            let mut silence = Silence::default();
            silent.iter().for_each(|mark| _ = silence.take(mark.clone(), "a"));
            let answer = mark(code, reason);
            assert_eq!(silence.take(answer.clone(), "c"), [silent.to_vec(), vec![answer]].concat());
            assert_eq!((silence.hosts(), silence.over()), (0, Vec::new()));
        }
    }

    #[test]
    fn only_a_silence_of_everything_is_our_own() {
        for (silent, services, is_down) in [
            (2, &[false][..], true),
            (1, &[false, false], true),
            (9, &[false, false, false], true),
            (1, &[false], false),
            (9, &[], false),
            (9, &[false, true], false),
            (0, &[false, false, false], false),
        ] {
            assert_eq!(own_network_is_down(silent, services), is_down, "{silent} {services:?}");
        }
    }
}
