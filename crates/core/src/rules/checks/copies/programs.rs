//! `copies.programs`: one program under several hotkeys.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};

use super::super::Sink;
use super::bytes::Alike;
use super::names;
use crate::base::text::cut;
use crate::model::ids::{CommitSha, Hotkey, RepoName, RoundNumber};
use crate::model::leader::LeaderEntry;
use crate::model::neutral::{BuildView, SubmissionView};

/// The fewest models in common by which two submissions are taken for one program.
const FEWEST: usize = 3;

/// An image's name is cut to this many characters.
const LONGEST_IMAGE: usize = 200;

/// The programs of a round.
#[derive(Debug)]
pub(in crate::rules::checks) struct Programs<'a> {
    pub(in crate::rules::checks) round: RoundNumber,
    pub(in crate::rules::checks) submissions: Vec<(&'a Hotkey, SubmissionView<'a>)>,
    pub(in crate::rules::checks) builds: Vec<(&'a Hotkey, BuildView<'a>)>,
    /// Who had led by then.
    pub(in crate::rules::checks) leaders: &'a [LeaderEntry],
    /// Who has models in common.
    pub(in crate::rules::checks) alike: &'a [Alike<'a>],
}

/// A program's source.
type Source<'a> = (&'a RepoName, &'a CommitSha);

impl Programs<'_> {
    /// Warns of programs that more than one hotkey submitted: allowed, but a matter for people.
    pub(in crate::rules::checks) fn check(&self, sink: &mut Sink) {
        let path = format!("rounds/{}/submissions.json", self.round);
        let mut told = Sink::default();
        self.sources(&path, &mut told);
        self.images(&mut told);
        self.outputs(&path, &mut told);
        if told.findings.is_empty() {
            sink.claim("copies.programs", self.round, path, |_| ());
        }
        sink.findings.append(&mut told.findings);
    }

    /// A line for each program that is not one hotkey's own: a commit, perhaps of several repositories (its contents are the
    /// same in all of them), that several submitted, or that is, by commit or image, someone else's who leads or led.
    fn sources(&self, path: &str, sink: &mut Sink) {
        let mut programs: IndexMap<&CommitSha, Vec<(&Hotkey, &RepoName)>> = IndexMap::new();
        for (hotkey, of) in &self.submissions {
            programs.entry(of.commit).or_default().push((hotkey, of.repo));
        }
        let led = Led::of(self);
        for (commit, miners) in &programs {
            let leader = miners.iter().find_map(|(hotkey, _)| led.by_another(hotkey, commit));
            if miners.len() < 2 && leader.is_none() {
                continue;
            }
            let repos: IndexSet<&str> = miners.iter().map(|(_, repo)| repo.as_str()).collect();
            let subject = format!("{path} {} at {}", names(repos.iter().copied()), commit.short());
            let hotkeys = hotkeys(miners.iter().map(|(hotkey, _)| *hotkey));
            sink.claim("copies.programs", self.round, subject, |claim| {
                let by = match miners.len() {
                    1 => format!("submitted by {hotkeys}"),
                    _ => format!("submitted by {} hotkeys: {hotkeys}", miners.len()),
                };
                claim.warn(by + &leader.map(|entry| shown(entry, commit)).unwrap_or_default());
            });
        }
    }

    /// The same image, built from different sources.
    fn images(&self, sink: &mut Sink) {
        let mut images: IndexMap<&str, Vec<(&Hotkey, &BuildView<'_>)>> = IndexMap::new();
        for (hotkey, build) in &self.builds {
            if let Some(own) = build.image {
                images.entry(image(own)).or_default().push((hotkey, build));
            }
        }
        for (image, builds) in images.iter().filter(|(_, builds)| builds.len() > 1) {
            let sources: HashSet<&CommitSha> = builds.iter().map(|(_, build)| build.commit).collect();
            if sources.len() < 2 {
                continue;
            }
            let subject = format!("rounds/{}/builds.json {}", self.round, cut(image, LONGEST_IMAGE));
            let hotkeys = hotkeys(builds.iter().map(|(hotkey, _)| *hotkey));
            sink.claim("copies.programs", self.round, subject, |claim| {
                claim.warn(format!("one image for {} hotkeys: {hotkeys}", builds.len()));
            });
        }
    }

    /// Most of the models in common, though the sources differ.
    fn outputs(&self, path: &str, sink: &mut Sink) {
        let sources: HashMap<&str, Source<'_>> =
            self.submissions.iter().map(|(hotkey, of)| (hotkey.as_str(), (of.repo, of.commit))).collect();
        for Alike { pair: (one, other), models, of } in self.alike {
            let (Some(a), Some(b)) = (sources.get(one), sources.get(other)) else { continue };
            if *models < FEWEST || models * 2 < *of || a.1 == b.1 {
                continue;
            }
            let shown = |(repo, commit): &Source<'_>| format!("{repo} at {}", commit.short());
            sink.claim("copies.programs", self.round, format!("{path} {one}"), |claim| {
                claim.warn(format!(
                    "one program by its outputs: {models} of {of} models are those of {other} (SHA256SUMS), though the sources \
                     are {} and {}",
                    shown(a),
                    shown(b),
                ));
            });
        }
    }
}

/// The programs of whoever leads or led: of each, the first who did.
struct Led<'a> {
    by_commit: HashMap<&'a CommitSha, &'a LeaderEntry>,
    by_image: HashMap<&'a str, &'a LeaderEntry>,
    /// The images of a round's miners.
    built: HashMap<&'a Hotkey, &'a str>,
}

impl<'a> Led<'a> {
    fn of(round: &Programs<'a>) -> Self {
        let (mut by_commit, mut by_image): (HashMap<_, _>, HashMap<_, _>) = <_>::default();
        for entry in round.leaders {
            by_commit.entry(&entry.commit).or_insert(entry);
            by_image.entry(image(&entry.docker)).or_insert(entry);
        }
        let built = round.builds.iter().filter_map(|(hotkey, build)| Some((*hotkey, image(build.image?)))).collect();
        Led { by_commit, by_image, built }
    }

    /// Whose program a miner submitted, if not its own.
    fn by_another(&self, hotkey: &Hotkey, commit: &CommitSha) -> Option<&'a LeaderEntry> {
        let by_image = || self.by_image.get(self.built.get(hotkey)?);
        let entry = self.by_commit.get(commit).or_else(by_image)?;
        (entry.hotkey != *hotkey).then_some(*entry)
    }
}

/// Whose program it is, and its source where that is another one.
fn shown(entry: &LeaderEntry, submitted: &CommitSha) -> String {
    let LeaderEntry { hotkey, repo, commit, effective_block, .. } = entry;
    let source = if commit == submitted { String::new() } else { format!(": {repo} at {}", commit.short()) };
    format!("; the program of {}, leader from block {effective_block}{source}", hotkey.short())
}

/// Hotkeys as they are named in commits: in short.
fn hotkeys<'a>(all: impl ExactSizeIterator<Item = &'a Hotkey>) -> String {
    names(all.map(Hotkey::short))
}

/// What an image is told by: its digest, if it has one.
fn image(image: &str) -> &str {
    image.rsplit_once('@').map_or(image, |(_, digest)| digest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::builds::Build;
    use crate::model::submissions::Submission;

    fn hotkey(number: u8) -> Hotkey {
        Hotkey::from_account(&[number; 32])
    }

    fn submission(repo: &str, commit: &str) -> Submission {
        let commit = commit.repeat(20);
        serde_json::from_value(json!({"repo": repo, "commit": commit, "cdn_url": "https://x.example.org",
            "revealed_at_block": 5, "round": "x-0"}))
        .unwrap()
    }

    fn build(of: &Submission, image: &str) -> Build {
        serde_json::from_value(json!({"repo": of.repo, "commit": of.commit, "revealed_at_block": 5, "tag": "t",
            "status": "success", "docker_image": image}))
        .unwrap()
    }

    #[test]
    fn one_program_is_seen_by_source_image_leader_and_outputs() {
        let hotkeys: Vec<Hotkey> = (1..=9).map(hotkey).collect();
        let sources = [("a/a", "0a"), ("f/a", "0a"), ("b/b", "0b"), ("c/c", "0c"), ("d/d", "0d"), ("e/e", "0e")];
        let all: Vec<Submission> = sources.iter().map(|(repo, commit)| submission(repo, commit)).collect();
        let images = ["r/a:1", "r/a:1", "r/b@sha256:77", "s/c@sha256:77", "r/d:1", "r/e:1"];
        let built: Vec<Build> = all.iter().zip(images).map(|(of, image)| build(of, image)).collect();
        let leader = json!({"hotkey": hotkey(9), "repo": "d/d", "commit": "0d".repeat(20), "docker": "x/y:z",
            "weight": 1.0, "effective_block": 1});
        let own = json!({"hotkey": hotkeys[5], "repo": "e/e", "commit": "0e".repeat(20), "docker": "r/e:1",
            "weight": 1.0, "effective_block": 2});
        let leaders: Vec<LeaderEntry> = serde_json::from_value(json!([leader, own])).unwrap();
        let alike =
            |a: usize, b: usize, models, of| Alike { pair: (hotkeys[a].as_str(), hotkeys[b].as_str()), models, of };
        let alike = [alike(0, 1, 9, 9), alike(2, 4, 5, 10), alike(3, 4, 4, 10), alike(3, 5, 2, 2)];
        let round = Programs {
            round: RoundNumber(4),
            submissions: hotkeys.iter().zip(&all).map(|(own, of)| (own, of.into())).collect(),
            builds: hotkeys.iter().zip(&built).map(|(own, build)| (own, build.into())).collect(),
            leaders: &leaders,
            alike: &alike,
        };
        let mut sink = Sink::default();
        round.check(&mut sink);
        let told: Vec<String> =
            sink.finish().into_iter().map(|one| format!("{}: {}", one.subject, one.detail)).collect();
        assert_eq!(told.len(), 4, "{told:#?}");
        let led = format!("submitted by {}; the program of {}, leader from", hotkeys[4].short(), hotkeys[8].short());
        for (at, parts) in [
            ["a/a and f/a at 0a0a0a0: submitted by 2 hotkeys", hotkeys[1].short()],
            ["d/d at 0d0d0d0", &(led + " block 1")],
            ["builds.json sha256:77: one image for 2 hotkeys", hotkeys[3].short()],
            ["5 of 10 models are those of", "though the sources are b/b at 0b0b0b0 and d/d at 0d0d0d0"],
        ]
        .iter()
        .enumerate()
        {
            assert!(parts.iter().all(|part| told[at].contains(part)), "{parts:?}: {}", told[at]);
        }
    }
}
