//! What a shell offers for rounds, hotkeys and prompts: taken from the competition's own files, as they are now.
//!
//! The files may be anyone's. They are read through the guards that all files are read through, and only values that
//! are plain words to every shell are offered: a shell inserts them into its command line as they are. A competition
//! that cannot be read offers nothing: a line about it would end up in the middle of what is being typed.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::base::files;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::leases::{LARGEST, StepLeases};
use crate::model::prompts::PromptList;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::{Store, enclosing};
use crate::model::submissions::Submissions;

/// The most values offered.
const MOST: usize = 1000;

/// The longest value offered, in bytes.
const LONGEST: usize = 500;

/// Rounds.
pub(crate) fn rounds() -> ArgValueCompleter {
    completer(|store| known_rounds(store).iter().map(ToString::to_string).collect())
}

/// The miners of the current round.
pub(crate) fn hotkeys() -> ArgValueCompleter {
    completer(|store| known_hotkeys(store).iter().map(ToString::to_string).collect())
}

/// The current round's prompts: what is typed of a stem becomes the prompt's URL.
pub(crate) fn prompts() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let (Some(store), Some(typed)) = (here(), current.to_str()) else { return Vec::new() };
        let prompts = known_prompts(&store);
        let fitting = prompts
            .0
            .iter()
            .filter(|prompt| prompt.stem().as_str().starts_with(typed) || prompt.url().starts_with(typed));
        offered(fitting.map(|prompt| prompt.url().to_owned()))
    })
}

/// The hosts that have announced steps, as this one last saw them.
pub(crate) fn lease_hosts() -> ArgValueCompleter {
    completer(|store| {
        let own = [".git/gen404", ".gen404"].into_iter().map(|own| Path::new(own).join("leases-seen.json"));
        let read = own.filter_map(|path| files::read_own(&files::below(store.root(), &path).ok()?, LARGEST).ok()?);
        let leases = read.filter_map(|bytes| StepLeases::parse(&bytes).ok()).flat_map(|seen| seen.leases);
        let hosts: BTreeSet<String> = leases.map(|lease| lease.shown_host()).collect();
        hosts.into_iter().collect()
    })
}

/// The stages of a round.
pub(crate) fn stages() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let names = Stage::ALL.into_iter().map(|stage| stage.as_str().to_owned());
        offered(names.filter(|name| current.to_str().is_some_and(|typed| name.starts_with(typed))))
    })
}

fn completer(list: fn(&Store) -> Vec<String>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| {
        let (Some(store), Some(typed)) = (here(), current.to_str()) else { return Vec::new() };
        offered(list(&store).into_iter().filter(|value| value.starts_with(typed)))
    })
}

fn offered(values: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    values.filter(|value| is_plain(value)).take(MOST).map(CompletionCandidate::new).collect()
}

/// Does no shell see more in it than a word?
fn is_plain(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._~:/%+,@=-".contains(c);
    !value.is_empty() && value.len() <= LONGEST && !value.starts_with(['-', '~']) && value.chars().all(plain)
}

/// The competition that the line being typed is about.
fn here() -> Option<Store> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let named =
        named(&words).or_else(|| std::env::var_os("GEN404_REPO").filter(|dir| !dir.is_empty()).map(PathBuf::from));
    let root = match named {
        Some(root) => root,
        None => enclosing(&std::env::current_dir().ok()?)?,
    };
    Store::open(&root).ok()
}

/// What `--repo` names among these words.
fn named(words: &[OsString]) -> Option<PathBuf> {
    let joined = words.iter().find_map(|word| word.to_str()?.strip_prefix("--repo="));
    let apart = || words.iter().position(|word| word == "--repo").and_then(|at| words.get(at + 1));
    joined.map(PathBuf::from).or_else(|| apart().map(PathBuf::from))
}

fn known_rounds(store: &Store) -> Vec<RoundNumber> {
    let folder = files::below(store.root(), Path::new("rounds")).and_then(|folder| files::list(&folder));
    let folders =
        folder.unwrap_or_default().into_iter().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut rounds: Vec<RoundNumber> = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    rounds.sort();
    rounds
}

fn current(store: &Store) -> Option<RoundNumber> {
    let state = store.load::<CompetitionState>(&FileKind::State).ok().flatten();
    state.map(|state| state.current_round).or_else(|| known_rounds(store).last().copied())
}

fn known_hotkeys(store: &Store) -> Vec<Hotkey> {
    let Some(round) = current(store) else { return Vec::new() };
    let file = FileKind::Round(round, RoundFile::Submissions);
    let submissions = store.load::<Submissions>(&file).ok().flatten();
    submissions.map(|submissions| submissions.keys().cloned().collect()).unwrap_or_default()
}

fn known_prompts(store: &Store) -> PromptList {
    let Some(round) = current(store) else { return PromptList::default() };
    store.load(&FileKind::Round(round, RoundFile::Prompts)).ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_are_offered() {
        let odd =
            ["", "a b", "$(x)", "`x`", "a;b", "a&b", "a'b", "a\nb", "a\u{b}b", "ü", "-x", "~x", "a*", "{a,b}", "a?"];
        assert!(odd.iter().all(|odd| !is_plain(odd)) && !is_plain(&"x".repeat(501)));
        assert!(["0", "https://h.example/a_b-1.png", "5Grw"].iter().all(|plain| is_plain(plain)));
    }

    #[test]
    fn the_line_itself_names_the_competition() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(named(&words("gen404 --repo a verify --round")), Some(PathBuf::from("a")));
        assert_eq!(named(&words("gen404 verify --repo=b --round")), Some(PathBuf::from("b")));
        assert_eq!(named(&words("gen404 verify --repo")), None);
    }
}
