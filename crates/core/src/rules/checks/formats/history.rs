//! `history.*` of competitions of splats and of three.js modules: what each commit did to the files.
//!
//! A repository may have been reset, by removing `rounds/0/seed.json` or by another format: what was before is an earlier
//! competition, and reported in one line.

use std::collections::HashMap;

use super::super::replaced::{Objection, failed as fails, raise};
use super::super::{CheckStatus, Claim, Sink};
use super::kept::{Entry, Kept, Until, kept};
use super::window::Window;
use crate::base::error::Result;
use crate::base::text::counted;
use crate::model::format::Format;
use crate::model::history::{BlobId, Contents, PathChange, PathCommit};
use crate::model::ids::RoundNumber;
use crate::model::record::ParseError;
use crate::model::splat::file::{SplatContent, SplatFile};
use crate::model::threejs::file::{ThreejsContent, ThreejsFile};
use crate::rules::stage_table::row;

/// Reads the contents of a blob.
pub type ReadBlob<'a> = dyn FnMut(&BlobId) -> Result<Contents> + 'a;

/// The round and stage that a competition was in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stand {
    round: i64,
    stage: &'static str,
}

/// Checks the commits in a window.
///
/// # Errors
/// Contents cannot be read.
pub fn check(
    format: Format,
    commits: &[PathCommit],
    window: &Window,
    read: &mut ReadBlob<'_>,
    sink: &mut Sink,
) -> Result<()> {
    let mut stands: Vec<Option<Stand>> = Vec::with_capacity(commits.len());
    for (at, commit) in commits.iter().enumerate().take(window.end) {
        let before = commit.parent.and_then(|parent| stands.get(parent).cloned().flatten());
        let after = stand_after(format, commit, before.clone(), read)?;
        // After an earlier competition, the first seed may come with everything else.
        let reset = window.earlier.is_some();
        if at >= window.first && !(reset && at == window.begun) {
            let begun = at > window.begun;
            let prepares = reset && !begun;
            let judged = Judged { format, commit, begun, prepares, before: before.as_ref(), after: after.as_ref() };
            for change in &commit.changes {
                judged.change(change, read, sink)?;
            }
            for merged in commit.merged.iter().filter(|merged| merged.parent >= window.begun) {
                let before = stands.get(merged.parent).cloned().flatten();
                let judged = Judged { before: before.as_ref(), ..judged };
                for change in &merged.changes {
                    judged.kept_from_parent(change, read, sink)?;
                }
            }
        }
        stands.push(after);
    }
    let own = counted(window.end.saturating_sub(window.first), "commit", "commits");
    for id in ["history.append_only", "history.stage", "history.writer"] {
        sink.claim_unless_objected(id, &own);
    }
    if let Some(earlier) = &window.earlier {
        sink.claim("history.stage", None, "the beginning", |claim| claim.skip(earlier.clone()));
    }
    Ok(())
}

/// Files that are prepared by hand before a competition begins.
fn is_prepared(path: &str) -> bool {
    matches!(path, "leader.json" | "prompts.txt" | "rounds/0/schedule.json")
}

fn stand_after(
    format: Format,
    commit: &PathCommit,
    before: Option<Stand>,
    read: &mut ReadBlob<'_>,
) -> Result<Option<Stand>> {
    let Some(change) = commit.changes.iter().find(|change| change.path == "state.json") else { return Ok(before) };
    let Some(blob) = &change.after else { return Ok(None) };
    let contents = read(blob)?;
    let bytes = contents.bytes().unwrap_or_default();
    let stand = match format {
        Format::Splat => match SplatContent::parse(&SplatFile::State, bytes) {
            Ok((SplatContent::State(state), _)) => {
                Some(Stand { round: state.current_round, stage: state.stage.as_str() })
            }
            _ => None,
        },
        _ => match ThreejsContent::parse(&ThreejsFile::State, bytes) {
            Ok((ThreejsContent::State(state), _)) => {
                Some(Stand { round: i64::from(state.current_round.0), stage: state.stage.as_str() })
            }
            _ => None,
        },
    };
    // A broken state is reported elsewhere; later stages are judged by the last good one.
    Ok(stand.or(before))
}

/// One commit, with the state before and after it.
#[derive(Clone, Copy)]
struct Judged<'a> {
    format: Format,
    commit: &'a PathCommit,
    /// Had round 0 begun before it?
    begun: bool,
    /// Does it prepare a competition after an earlier one? Then the stage is set by hand.
    prepares: bool,
    before: Option<&'a Stand>,
    after: Option<&'a Stand>,
}

impl Judged<'_> {
    /// The commit and the file.
    fn subject(&self, change: &PathChange) -> String {
        let place = self.commit.id.get(..10).filter(|_| self.commit.id.len() >= 40).unwrap_or(&self.commit.id);
        format!("{place} {}", change.path)
    }

    fn change(&self, change: &PathChange, read: &mut ReadBlob<'_>, sink: &mut Sink) -> Result<()> {
        let round = round_of(&change.path);
        let said = match self.commit.summary.chars().take(80).collect::<String>() {
            summary if summary.is_empty() => summary,
            summary => format!(" ({summary:?})"),
        };
        let subject = self.subject(change);
        let before = change.before.as_ref().map(&mut *read).transpose()?;
        let after = change.after.as_ref().map(&mut *read).transpose()?;
        let bytes = |contents| Option::<&Contents>::and_then(contents, Contents::bytes);
        if change.path == "leader.json" && is_wrapped(bytes(before.as_ref()), bytes(after.as_ref())) {
            let detail = format!("a list before, an object around it in this commit{said}");
            sink.claim("file.bytes", round, subject.clone(), |claim| claim.warn(detail));
        }
        let (before, after) = (self.kept(change, before), self.kept(change, after));
        let mut object = |id, objections: Vec<Objection>| {
            if !objections.is_empty() {
                sink.claim(id, round, subject.clone(), |claim: &mut Claim| {
                    raise(claim, objections, &said);
                });
            }
        };
        let failed = |objection: Option<String>| objection.into_iter().map(fails).collect();
        object("history.append_only", self.lost(&change.path, before.as_ref(), after.as_ref()));
        if change.path == "state.json" && !self.prepares {
            object("history.stage", failed(self.stage(change)));
        }
        object("history.writer", failed(self.writer(change)));
        if let Some(Kept::Broken(error)) = &after {
            let detail = format!("broken in this commit: {error}{said}");
            sink.claim("file.parse", round, subject.clone(), |claim| claim.warn(detail));
        }
        Ok(())
    }

    /// What has to be kept of a file with these contents.
    fn kept(&self, change: &PathChange, contents: Option<Contents>) -> Option<Kept> {
        Some(match contents? {
            Contents::Bytes(bytes) => kept(self.format, &change.path, &bytes),
            Contents::Unfit(why) => Kept::Broken(ParseError::whole(why)),
        })
    }

    /// A merge has to keep what each of its parents had, also where it is as another parent.
    fn kept_from_parent(&self, change: &PathChange, read: &mut ReadBlob<'_>, sink: &mut Sink) -> Result<()> {
        let before = change.before.as_ref().map(&mut *read).transpose()?;
        let after = change.after.as_ref().map(&mut *read).transpose()?;
        let (before, after) = (self.kept(change, before), self.kept(change, after));
        let lost = self.lost(&change.path, before.as_ref(), after.as_ref());
        if !lost.is_empty() {
            sink.claim("history.append_only", round_of(&change.path), self.subject(change), |claim: &mut Claim| {
                raise(claim, lost, " (by a merge, against one of its parents)");
            });
        }
        Ok(())
    }

    /// What the commit changed or removed, though it may only be added to, or has to stay as it is.
    fn lost(&self, path: &str, before: Option<&Kept>, after: Option<&Kept>) -> Vec<Objection> {
        match after {
            // A file that is broken and then mended could come back with other content: breaking it is a loss in itself.
            Some(Kept::Broken(_)) => {
                let lost = self.lost_of(path, before, None);
                let all = "it can no longer be read: what it held is lost".to_owned();
                lost.first().map(|(status, _)| vec![(*status, all)]).unwrap_or_default()
            }
            after => self.lost_of(path, before, after),
        }
    }

    fn lost_of(&self, path: &str, before: Option<&Kept>, after: Option<&Kept>) -> Vec<Objection> {
        if !self.begun && is_prepared(path) {
            return Vec::new();
        }
        let round = round_of(path).map(|round| i64::from(round.0));
        let generating = self
            .before
            .is_some_and(|stand| stand.stage == "generating" && round.is_none_or(|round| round == stand.round));
        let at_work = path.ends_with("/generations.json") && generating;
        // gen404 may record them before the window's end, and once more at its end.
        let opening =
            self.before.is_some_and(|stand| stand.stage == "open" && round.is_none_or(|round| round == stand.round));
        if self.format == Format::Threejs && path.ends_with("/submissions.json") && opening && after.is_some() {
            return Vec::new();
        }
        match (before, after) {
            (None, _) => Vec::new(),
            (Some(Kept::List(old)), after) => {
                let new = if let Some(Kept::List(new)) = after { new.as_slice() } else { &[] };
                let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
                let objection = match (old.get(same), new.get(same)) {
                    (None, _) => None,
                    (Some(was), None) => {
                        Some(format!("{} of {} entries were removed, first {was}", old.len() - same, old.len()))
                    }
                    (Some(was), Some(is)) => Some(format!("entry {} was {was}, and is now {is}", same + 1)),
                };
                objection.into_iter().map(fails).collect()
            }
            // The service that generates them removes those that it makes again.
            (Some(Kept::Entries(_)), _) if at_work => Vec::new(),
            (Some(Kept::Entries(old)), after) => {
                let new = if let Some(Kept::Entries(new)) = after { new.as_slice() } else { &[] };
                self.lost_entries(round, old, new)
            }
            (Some(Kept::Fixed), None) => vec![fails("removed after it was recorded".to_owned())],
            (Some(Kept::Fixed), Some(_)) => vec![fails("changed after it was recorded".to_owned())],
            (Some(Kept::Free | Kept::Broken(_)), _) => Vec::new(),
        }
    }

    fn lost_entries(&self, round: Option<i64>, old: &[Entry], new: &[Entry]) -> Vec<Objection> {
        let new: HashMap<&str, &Entry> = new.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        let gone: Vec<&Entry> = old.iter().filter(|entry| !new.contains_key(entry.key.as_str())).collect();
        let removed = gone
            .first()
            .map(|first| fails(format!("{} of {} entries were removed, first {}", gone.len(), old.len(), first.key)));
        let changed = old.iter().filter_map(|was| {
            let is = new.get(was.key.as_str()).filter(|is| is.value != was.value)?;
            let status = self.may_change(round, was.until)?;
            Some((status, format!("entry {} was {}, and is now {}", was.key, was.value, is.value)))
        });
        removed.into_iter().chain(changed).collect()
    }

    /// How bad it is that an entry of this round changed; `None` if its service was still at it.
    fn may_change(&self, round: Option<i64>, until: Until) -> Option<CheckStatus> {
        match until {
            Until::Ever => return None,
            Until::Decided => return Some(CheckStatus::Warn),
            Until::Written | Until::Played | Until::Stopped | Until::Fetched | Until::Used => {}
        }
        let stand = self.before.filter(|_| until != Until::Written);
        let Some((stand, round)) = stand.zip(round) else { return Some(CheckStatus::Fail) };
        if matches!(until, Until::Used | Until::Fetched) {
            let early = ["collecting", "generating", "open", "miner_generation", "downloading"].contains(&stand.stage);
            let used = round < stand.round || (round == stand.round && !early);
            return used.then_some(if until == Until::Used { CheckStatus::Warn } else { CheckStatus::Fail });
        }
        let over = matches!(stand.stage, "finalizing" | "finished");
        let late = (round == stand.round && over) || (round + 1 == stand.round && stand.stage == "open");
        match until {
            _ if round == stand.round && !over => None,
            Until::Stopped if late => Some(CheckStatus::Warn),
            _ => Some(CheckStatus::Fail),
        }
    }

    fn stage(&self, change: &PathChange) -> Option<String> {
        let before = self.before?;
        if change.after.is_none() {
            return Some("state.json was removed".to_owned());
        }
        let after = self.after?;
        if is_arrow(self.format, before, after) {
            return None;
        }
        let name = |stand: &Stand| format!("{} of round {}", stand.stage, stand.round);
        Some(format!("from {} to {}: the stage machine has no such arrow", name(before), name(after)))
    }

    /// Objects if no service writes the file in this stage. A service's commit that moves the stage contains both, so the
    /// stages before and after it count.
    fn writer(&self, change: &PathChange) -> Option<String> {
        let before = self.before?;
        let verb = if change.after.is_none() { "removed" } else { "changed" };
        let when = format!("{verb} in {} of round {}", before.stage, before.round);
        if change.path == "config.json" {
            return Some(format!("{when}, though a competition keeps its settings"))
                .filter(|_| self.begun || change.before.is_some());
        }
        if !self.begun && is_prepared(&change.path) {
            return None;
        }
        let stages = writing_stages(self.format, &change.path)?;
        let opens = change.path.ends_with("/schedule.json");
        let round = round_of(&change.path).map(|round| i64::from(round.0));
        let fits = |stand: &Stand| {
            let due = if opens { stand.round + 1 } else { stand.round };
            let in_time = stages.contains(&stand.stage) && round.is_none_or(|round| round == due);
            in_time || (is_generated(&change.path) && stand.stage == "open" && round == Some(stand.round - 1))
        };
        if fits(before) || self.after.is_some_and(fits) {
            return None;
        }
        let own = if round.is_some() && !opens { " of its own round" } else { "" };
        Some(format!("{when}; only written in {}{own}", stages.join(", ")))
    }
}

/// The outputs of a program that validators run: their service may write once more when the next round is open.
fn is_generated(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with("generated"))
}

/// Did a list become an object? A version of the services wrote leader.json like that.
fn is_wrapped(before: Option<&[u8]>, after: Option<&[u8]>) -> bool {
    let starts =
        |bytes: Option<&[u8]>, mark| bytes.is_some_and(|bytes| bytes.trim_ascii_start().first() == Some(&mark));
    starts(before, b'[') && starts(after, b'{')
}

fn round_of(path: &str) -> Option<RoundNumber> {
    path.strip_prefix("rounds/")?.split('/').next()?.parse().ok()
}

/// The stage changes that the services of splats make within a round.
const SPLAT_ARROWS: [(&str, &str); 5] = [
    ("collecting", "generating"),
    ("collecting", "finalizing"),
    ("generating", "duels"),
    ("duels", "finalizing"),
    ("finalizing", "finished"),
];

/// Is this a stage change that the services make, or one made by hand through a pause?
fn is_arrow(format: Format, before: &Stand, after: &Stand) -> bool {
    let open = if format == Format::Splat { "collecting" } else { "open" };
    let is_one = |(from, to): (&str, &str)| match format {
        Format::Splat => SPLAT_ARROWS.contains(&(from, to)),
        // three.js competitions have the stages of meshes.
        _ => from.parse().ok().zip(to.parse().ok()).is_some_and(|(from, to)| row(from).arrows.contains(&to)),
    };
    let (same, next) = (before.round == after.round, before.round + 1 == after.round);
    match (before.stage, after.stage) {
        (from, to) if from == to => same,
        ("finalizing", to) if to == open => next,
        ("finalizing", "paused") => same || next,
        ("paused", to) if to == open => same || next,
        ("paused", _) | (_, "paused") => same,
        pair => same && is_one(pair),
    }
}

/// The stages whose services write a file; `None` if it may change at any time.
fn writing_stages(format: Format, path: &str) -> Option<&'static [&'static str]> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_round = path.starts_with("rounds/");
    match (name, in_round, format) {
        ("state.json", ..) | ("prompts.txt", false, _) => None,
        ("leader.json", ..) | ("schedule.json", ..) => Some(&["finalizing"]),
        ("submissions.json", _, Format::Splat) => Some(&["collecting"]),
        ("seed.json" | "prompts.txt" | "builds.json" | "generations.json", _, Format::Splat) => Some(&["generating"]),
        ("duels.json" | "judge_progress.json", _, Format::Splat) => Some(&["duels"]),
        ("source_audit.json", ..) => None,
        ("submissions.json" | "seed.json" | "prompts.txt", ..) => Some(&["open"]),
        ("builds.json", ..) => Some(&["miner_generation", "downloading", "duels"]),
        ("submitted.json", ..) => Some(&["downloading"]),
        // gen404's own, beside what is fetched or made again.
        ("SHA256SUMS" | "refusals.json", ..) => Some(&["miner_generation", "downloading", "duels"]),
        // The service that runs programs stops when the stage changes, and may write once more.
        ("pod_stats.json", ..) => None,
        ("winner.json", ..) => Some(&["duels", "open"]),
        _ if is_generated(path) => Some(&["miner_generation", "downloading", "duels", "finalizing"]),
        _ => Some(&["duels"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Hotkey;
    use crate::rules::checks::Finding;

    /// Commits of whole files, one after the other; the blobs' ids are their places.
    fn run(format: Format, commits: &[&[(&str, &str)]]) -> Vec<Finding> {
        let (mut blobs, mut known, mut list) = (Vec::<Vec<u8>>::new(), HashMap::new(), Vec::new());
        for (at, files) in commits.iter().enumerate() {
            let mut changes = Vec::new();
            for (path, text) in *files {
                let mut id = [0; 20];
                id[0] = u8::try_from(blobs.len()).unwrap();
                blobs.push(text.as_bytes().to_vec());
                let after = (*text != "gone").then_some(BlobId(id));
                let before = known.get(path).copied().flatten();
                known.insert(*path, after);
                changes.push(PathChange { path: (*path).to_owned(), before, after });
            }
            list.push(PathCommit {
                id: format!("{at:040}"),
                summary: String::new(),
                parent: at.checked_sub(1),
                changes,
                merged: Vec::new(),
            });
        }
        let mut sink = Sink::default();
        check(
            format,
            &list,
            &Window::newest(&list, None),
            &mut |blob| Ok(Contents::Bytes(blobs[usize::from(blob.0[0])].clone())),
            &mut sink,
        )
        .unwrap();
        sink.finish()
    }

    fn told(format: Format, commits: &[&[(&str, &str)]]) -> Vec<String> {
        let findings = run(format, commits);
        let open = findings.iter().filter(|found| found.status != CheckStatus::Pass);
        open.map(|found| format!("{} {}: {}", found.id, found.subject.trim_start_matches('0'), found.detail)).collect()
    }

    const COLLECTING: (&str, &str) = ("state.json", r#"{"current_round": 0, "stage": "collecting"}"#);
    const GENERATING: (&str, &str) = ("state.json", r#"{"current_round": 0, "stage": "generating"}"#);
    const PAUSED: (&str, &str) = ("state.json", r#"{"current_round": 0, "stage": "paused"}"#);
    const DUELS: (&str, &str) = ("state.json", r#"{"current_round": 0, "stage": "duels"}"#);
    const SEED: (&str, &str) = ("rounds/0/seed.json", r#"{"seed": 1}"#);
    const MADE: &str = "rounds/0/leader/generations.json";
    const ONE: &str = r#"{"a": {"ply": null, "png": null, "generation_time": 0.0, "size": 0}}"#;

    #[test]
    fn entries_may_be_made_again_while_generating_and_not_later() {
        let start: [&[(&str, &str)]; 4] = [&[COLLECTING], &[GENERATING], &[SEED], &[(MADE, ONE)]];
        let told = |rest: &[&[(&str, &str)]]| {
            let earlier = "history.stage the beginning";
            let mut told = told(Format::Splat, &[&start[..], rest].concat());
            told.retain(|line| !line.starts_with(earlier));
            told
        };
        assert_eq!(told(&[&[(MADE, "{}")], &[(MADE, ONE), DUELS]]), [""; 0]);
        let by_hand = told(&[&[PAUSED], &[(MADE, "{}")]]);
        assert_eq!(by_hand.len(), 2, "{by_hand:#?}");
        assert!(by_hand[0].contains("1 of 1 entries were removed, first a"), "{by_hand:#?}");
        assert!(by_hand[1].contains("changed in paused of round 0; only written in generating"), "{by_hand:#?}");
        assert_eq!(told(&[&[SEED]])[0].split(": ").nth(1), Some("changed after it was recorded"));
        assert!(told(&[&[DUELS], &[COLLECTING]])[0].contains("from duels of round 0 to collecting of round 0"));
        assert!(told(&[&[("config.json", "{}")]]).iter().any(|line| line.contains("a competition keeps its settings")));
        assert!(told(&[&[("leader.json", "{")]]).iter().any(|line| line.starts_with("file.parse")));
        let (list, object) = (("leader.json", "[]"), ("leader.json", r#"{"transitions": []}"#));
        assert!(
            told(&[&[list], &[object]]).iter().any(|line| line.starts_with("file.bytes  leader.json: a list before"))
        );
    }

    #[test]
    fn what_came_before_the_last_reset_is_one_line() {
        let gone = ("rounds/0/seed.json", "gone");
        let schedule = ("rounds/0/schedule.json", r#"{"earliest_reveal_block": 0, "latest_reveal_block": 9}"#);
        let config = ("config.json", "{}");
        let commits: [&[(&str, &str)]; 7] =
            [&[GENERATING, config], &[SEED], &[gone], &[schedule], &[schedule], &[config], &[SEED]];
        let told = told(Format::Splat, &commits);
        assert_eq!(told.len(), 3, "{told:#?}");
        let line = "history.stage the beginning: 6 commits of an earlier competition, or that prepared this one (the last \
                    3, which are checked), before 0000000000, the last that added rounds/0/seed.json; use --from COMMIT to \
                    check an earlier one";
        assert!(told.iter().any(|told| told == line), "{told:#?}");
        // Round 0 is prepared by hand, but not by other settings.
        assert!(
            told.iter().any(|told| told.contains("config.json: changed in generating of round 0, though")),
            "{told:#?}"
        );
    }

    #[test]
    fn what_was_made_for_another_round_is_not_made_again() {
        let next = ("state.json", r#"{"current_round": 1, "stage": "generating"}"#);
        let told = told(Format::Splat, &[&[GENERATING], &[SEED], &[(MADE, ONE)], &[next], &[(MADE, "{}")]]);
        assert!(told.iter().any(|told| told.contains("1 of 1 entries were removed")), "{told:#?}");
    }

    #[test]
    fn requests_and_reports_of_threejs_may_be_brought_up_to_date() {
        let state = |stage: &str| format!(r#"{{"current_round": 0, "stage": "{stage}", "next_stage_eta": null}}"#);
        let (open, duels) = (state("open"), state("duels"));
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let request = |defender: &str| format!(r#"[{{"hotkey": "{hotkey}", "latest_defender": "{defender}"}}]"#);
        let (first, second) = (request("leader"), request(Hotkey::from_account(&[2; 32]).as_str()));
        let path = "rounds/0/require_audit.json";
        let start: [&[(&str, &str)]; 3] =
            [&[("state.json", &open), SEED], &[("state.json", &duels)], &[(path, &first)]];
        let told = |text: &str| told(Format::Threejs, &[&start[..], &[&[(path, text)]]].concat());
        assert!(told(&first).iter().all(|line| !line.contains("append_only")), "{:?}", told(&first));
        assert!(told(&second).iter().all(|line| !line.contains("append_only")));
        assert!(told("[]").iter().any(|line| line.contains("1 of 1 entries were removed")));
        // The service that runs programs may be late.
        let late = [
            ("state.json", state("finalizing")),
            ("state.json", r#"{"current_round": 1, "stage": "open", "next_stage_eta": null}"#.to_owned()),
            ("rounds/0/leader/generated_1.json", "{}".to_owned()),
            ("rounds/0/leader/pod_stats.json", "{}".to_owned()),
        ];
        let late: Vec<_> = late.iter().map(|(path, text)| [(*path, text.as_str())]).collect();
        let late: Vec<&[(&str, &str)]> = late.iter().map(|commit| &commit[..]).collect();
        let told = self::told(Format::Threejs, &[&start[..], &late].concat());
        assert!(told.iter().all(|line| !line.starts_with("history.writer")), "{told:#?}");
    }

    /// A competition in the open of round 1, and then this change of a file of round 0.
    fn changed(stage: (u32, &str), path: &str, [old, new]: [&str; 2]) -> Vec<String> {
        let state = |(round, stage): (u32, &str)| {
            format!(r#"{{"current_round": {round}, "stage": "{stage}", "next_stage_eta": null}}"#)
        };
        let (open, duels, then) = (state((0, "open")), state((0, "duels")), state(stage));
        let commits: [&[(&str, &str)]; 5] = [
            &[("state.json", &open), SEED],
            &[("state.json", &duels)],
            &[(path, old)],
            &[("state.json", &then)],
            &[(path, new)],
        ];
        let findings = run(Format::Threejs, &commits);
        let own = findings.iter().filter(|found| found.id == "history.append_only" && !found.detail.is_empty());
        own.map(|found| format!("{:?}: {}", found.status, found.detail)).collect()
    }

    /// Is the change a failure in the open of the next round, and in the round's own duels?
    fn fails_always(path: &str, texts: [&str; 2], part: &str) {
        for stage in [(0, "duels"), (0, "finalizing"), (1, "open"), (2, "duels")] {
            let told = changed(stage, path, texts);
            assert!(told.iter().any(|line| line.starts_with("Fail: ") && line.contains(part)), "{stage:?}: {told:#?}");
        }
    }

    const MINER: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn entries_that_are_made_are_kept() {
        let module = |js: &str, size: u32| {
            format!(r#"{{"a": {{"js": {js}, "views": null, "failure_reason": "x", "size": {size}}}}}"#)
        };
        let (made, other, failed) = (module("\"u\"", 1), module("\"u\"", 2), module("null", 0));
        let path = format!("rounds/0/{MINER}/generated_1.json");
        fails_always(&path, [&made, &other], "entry a was");
        fails_always(&path, [&made, &failed], "entry a was");
        fails_always(&path, [&made, "{}"], "1 of 1 entries were removed");
        fails_always(&path, [&made, "gone"], "1 of 1 entries were removed");
        fails_always(&format!("rounds/0/{MINER}/submitted.json"), [&failed, &made], "entry a was");
        // A failed one may be made again, while programs are run; a new one may come late.
        assert_eq!(changed((0, "duels"), &path, [&failed, &made]), [""; 0]);
        assert_eq!(changed((1, "open"), &path, ["{}", &made]), [""; 0]);
        assert!(changed((1, "open"), &path, [&failed, &made])[0].starts_with("Fail"));
    }

    #[test]
    fn records_of_pods_are_kept() {
        let run = |seconds: f64, reason: &str| {
            format!(
                r#"{{"p-r1": {{"pod_id": "p", "repeat_index": 1, "provider": "x", "batch_times": [{seconds:?}],
                "total_generation_time": {seconds:?}, "termination_reason": "{reason}", "payload": null}}}}"#
            )
        };
        let path = format!("rounds/0/{MINER}/pod_stats.json");
        let (done, other, lost) = (run(5.5, "completed"), run(6.5, "completed"), run(5.5, "unreachable"));
        fails_always(&path, [&done, &other], "entry p-r1 was");
        fails_always(&path, [&done, "gone"], "1 of 1 entries were removed, first p-r1");
        assert_eq!(changed((0, "duels"), &path, [&lost, &done]), [""; 0]);
        assert_eq!(changed((1, "open"), &path, ["{}", &done]), [""; 0]);
        assert!(changed((1, "open"), &path, [&lost, &done])[0].starts_with("Warn"));
        assert!(changed((1, "duels"), &path, [&lost, &done])[0].starts_with("Fail"));
    }

    #[test]
    fn verdicts_and_builds_that_counted_are_told_once_they_are_replaced() {
        let verdict =
            |word: &str| format!(r#"{{"{MINER}": {{"hotkey": "{MINER}", "verdict": "{word}", "reason": ""}}}}"#);
        let (passed, failed) = (verdict("passed"), verdict("failed"));
        let told = changed((0, "duels"), "rounds/0/generation_audits.json", [&failed, &passed]);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].starts_with(&format!("Warn: entry {MINER} was ")), "{told:#?}");
        assert!(told[0].contains(r#""failed""#) && told[0].contains(r#", and is now {"#), "{told:#?}");
        let build = |status: &str, image: &str| {
            let commit = "ab".repeat(20);
            format!(
                r#"{{"{MINER}": {{"repo": "a/b", "commit": "{commit}", "revealed_at_block": 5, "tag": "t",
                "status": "{status}", "docker_image": {image}}}}}"#
            )
        };
        let (made, gone, late) = (build("success", "\"i:t\""), build("failure", "null"), build("in_progress", "null"));
        let builds = "rounds/0/builds.json";
        for used in [(0, "duels"), (0, "paused"), (0, "finalizing"), (1, "open")] {
            assert!(changed(used, builds, [&made, &gone])[0].starts_with("Warn: entry "), "{used:?}");
            assert_eq!(changed(used, builds, [&late, &made]), [""; 0], "{used:?}");
        }
        assert_eq!(changed((0, "miner_generation"), builds, [&made, &gone]), [""; 0]);
    }

    #[test]
    fn verdicts_on_sources_and_reports_are_kept() {
        let source = |verdict: &str| format!(r#"[{{"hotkey": "{MINER}", "verdict": "{verdict}", "reason": ""}}]"#);
        let (passed, failed) = (source("passed"), source("failed"));
        let path = "rounds/0/source_audit.json";
        fails_always(path, [&passed, &failed], "entry 5Grwva");
        fails_always(path, [&passed, "[]"], "1 of 1 entries were removed");
        let path = "rounds/0/generation_reports.json";
        let report = |outcome: &str, seconds: &[f64]| {
            let repeat = |(at, seconds): (usize, &f64)| {
                let number = at + 1;
                format!(
                    r#"{{"repeat_index": {number}, "generated_prompts": 8, "failed_prompts": 0, "generation_time": {seconds:?}}}"#
                )
            };
            let repeats: Vec<String> = seconds.iter().enumerate().map(repeat).collect();
            let repeats = repeats.join(", ");
            format!(
                r#"{{"{MINER}": {{"hotkey": "{MINER}", "outcome": "{outcome}", "repeats": [{repeats}], "reason": ""}}}}"#
            )
        };
        let (one, two) = (report("pending", &[5.5]), report("completed", &[5.5, 6.5]));
        assert_eq!(changed((0, "duels"), path, [&one, &two]), [""; 0]);
        fails_always(path, [&two, &one], "1 of 3 entries were removed, first 5Grwva");
        fails_always(path, [&two, &report("pending", &[5.5, 6.5])], "entry 5Grwva");
        fails_always(path, [&two, &report("completed", &[5.5, 6.25])], ", repeat 2 was");
        fails_always(path, [&one, &report("completed", &[5.25, 6.5])], ", repeat 1 was");
        assert!(changed((1, "open"), path, [&one, &two])[0].starts_with("Fail"));
    }
}
