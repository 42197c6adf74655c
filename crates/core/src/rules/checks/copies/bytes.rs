//! `copies.bytes`: files with the same sum in the folders of different miners.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::Sink;
use super::{led_from, names, owner};
use crate::base::text::counted;
use crate::model::ids::{Player, RoundNumber};
use crate::model::snapshot::{RoundFiles, Snapshot};

/// Files in common that an objection names, and in how many folders; the rest are counted.
const EXAMPLES: usize = 2;
const MOST_FOLDERS: usize = 4;

/// Owners of one file that are paired with each other; of more, each is paired with the first.
const MOST_PAIRED: usize = 8;

/// A file, by its sum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summed<'a> {
    round: RoundNumber,
    player: &'a Player,
    owner: &'a str,
    /// Its path below the player's folder.
    path: &'a str,
}

impl Summed<'_> {
    fn shown(&self) -> String {
        let Summed { round, player, owner, path } = self;
        let led = if **player == Player::Leader { format!(" (of {owner}, who led)") } else { String::new() };
        format!("rounds/{round}/{player}/{path}{led}")
    }

    /// The prompt's stem.
    fn stem(&self) -> &str {
        let name = self.path.rsplit_once('/').map_or(self.path, |(_, name)| name);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    fn is_preview(&self) -> bool {
        self.path.ends_with(".png")
    }
}

/// The first file of each sum among those of earlier leaders and winners.
pub(super) type FilesByOwner<'a> = HashMap<&'a str, Summed<'a>>;

/// Two miners of a round, and for how many prompts they have the same model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rules::checks) struct Alike<'a> {
    pub(super) pair: (&'a str, &'a str),
    pub(super) models: usize,
    /// Prompts for which the one with fewer has a model.
    pub(super) of: usize,
}

/// What the same owners have in common.
#[derive(Debug, Default)]
struct Group<'a> {
    models: usize,
    previews: usize,
    /// A file in common, once for each owner.
    examples: Vec<Vec<Summed<'a>>>,
}

/// Who has a file: the owners, sorted; and whether one of them has it for several prompts, as an empty scene.
type Key<'a> = (Vec<&'a str>, bool);

/// Warns of files that different miners of a round have, or that an earlier leader or winner had. Returns who has models
/// in common, and adds the round's leader and winner to `earlier`.
pub(super) fn check<'a>(
    snapshot: &'a Snapshot,
    (round, files): (RoundNumber, &'a RoundFiles),
    earlier: &mut FilesByOwner<'a>,
    sink: &mut Sink,
) -> Vec<Alike<'a>> {
    let all = summed(snapshot, round, files);
    if all.is_empty() {
        return Vec::new();
    }
    let groups = grouped(&all, earlier);
    sink.claim("copies.bytes", round, format!("rounds/{round}"), |claim| {
        let mut groups: Vec<_> = groups.iter().collect();
        groups.sort_by(|(a, left), (b, right)| (right.count(), *a).cmp(&(left.count(), *b)));
        groups.into_iter().for_each(|(key, group)| claim.warn(told(key, group)));
    });
    let alike = alike(&all);
    let led = led_from(files);
    for (sum, file) in all.into_iter().flat_map(|(sum, files)| files.into_iter().map(move |file| (sum, file))) {
        if led(file.player) {
            earlier.entry(sum).or_insert(file);
        }
    }
    alike
}

impl Group<'_> {
    fn count(&self) -> usize {
        self.models + self.previews
    }
}

/// A round's files by sum.
fn summed<'a>(snapshot: &'a Snapshot, round: RoundNumber, files: &'a RoundFiles) -> HashMap<&'a str, Vec<Summed<'a>>> {
    let mut all: HashMap<&str, Vec<Summed<'_>>> = HashMap::new();
    for (player, own) in &files.players {
        let owner = owner(snapshot, files, player);
        for (path, sum) in own.sums.get().into_iter().flat_map(|sums| &sums.0) {
            all.entry(sum).or_default().push(Summed { round, player, owner, path });
        }
    }
    all
}

fn grouped<'a>(all: &HashMap<&'a str, Vec<Summed<'a>>>, earlier: &FilesByOwner<'a>) -> HashMap<Key<'a>, Group<'a>> {
    let mut groups: HashMap<Key<'a>, Group<'a>> = HashMap::new();
    for (sum, files) in all {
        let mut files: Vec<Summed<'_>> = files.iter().chain(earlier.get(sum)).copied().collect();
        // What was submitted is named rather than what was generated again.
        files.sort_by_key(|file| !file.path.starts_with("submitted/"));
        // The first file of each owner: those of this round come first.
        let mut owners: BTreeMap<&str, Summed<'_>> = BTreeMap::new();
        for file in &files {
            owners.entry(file.owner).or_insert(*file);
        }
        let Some(first) = owners.values().next().copied().filter(|_| owners.len() > 1) else { continue };
        let group = groups.entry((owners.keys().copied().collect(), is_common(&files))).or_default();
        *if first.is_preview() { &mut group.previews } else { &mut group.models } += 1;
        group.examples.push(owners.into_values().take(MOST_FOLDERS).collect());
        // Which files are named must not depend on the order of a hash map.
        group.examples.sort_by_key(|files| files.first().map(|file| (file.is_preview(), file.path, file.player)));
        group.examples.truncate(EXAMPLES);
    }
    groups
}

/// Has one owner this file for several prompts?
fn is_common(files: &[Summed<'_>]) -> bool {
    let mut stems: HashMap<&str, &str> = HashMap::new();
    files.iter().any(|file| *stems.entry(file.owner).or_insert(file.stem()) != file.stem())
}

fn told((owners, common): &Key<'_>, group: &Group<'_>) -> String {
    let count = group.count();
    let files = counted(count, "file", "files");
    let what = match (group.models, group.previews) {
        (_, 0) => counted(count, "model", "models"),
        (0, _) => counted(count, "preview", "previews"),
        (models, previews) => {
            format!("{files} ({}, {})", counted(models, "model", "models"), counted(previews, "preview", "previews"))
        }
    };
    let shown = |files: &Vec<Summed<'_>>| files.iter().map(Summed::shown).collect::<Vec<_>>().join(" = ");
    let examples: Vec<String> = group.examples.iter().map(shown).collect();
    let more = match count.saturating_sub(examples.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let several = if *common { ", each for several prompts, as of an empty scene" } else { "" };
    format!("{} have {what} in common{several}: {}{more}", names(owners.iter().copied()), examples.join(", "))
}

/// The pairs of miners with models in common, by the submitted models that nobody has for several prompts.
fn alike<'a>(all: &HashMap<&'a str, Vec<Summed<'a>>>) -> Vec<Alike<'a>> {
    let submitted = |file: &&Summed<'_>| {
        *file.player != Player::Leader && file.path.starts_with("submitted/") && !file.is_preview()
    };
    let mut pairs: HashMap<(&str, &str), usize> = HashMap::new();
    let mut models: HashMap<&str, usize> = HashMap::new();
    for files in all.values() {
        let own: Vec<Summed<'_>> = files.iter().filter(submitted).copied().collect();
        own.iter().for_each(|file| *models.entry(file.owner).or_default() += 1);
        if is_common(&own) {
            continue;
        }
        let owners: Vec<&str> = own.iter().map(|file| file.owner).collect::<BTreeSet<_>>().into_iter().collect();
        let firsts = if owners.len() > MOST_PAIRED { 1 } else { owners.len() };
        for (at, first) in owners.iter().enumerate().take(firsts) {
            owners.iter().skip(at + 1).for_each(|other| *pairs.entry((first, other)).or_default() += 1);
        }
    }
    let of = |(a, b): (&str, &str)| models.get(a).copied().unwrap_or(0).min(models.get(b).copied().unwrap_or(0));
    let mut alike: Vec<_> = pairs.into_iter().map(|(pair, models)| Alike { pair, models, of: of(pair) }).collect();
    alike.sort_by_key(|alike| alike.pair);
    alike
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Hotkey;
    use crate::model::snapshot::{PlayerFiles, Slot};
    use crate::model::sums::Sums;

    fn miner(number: u8) -> Player {
        Player::Miner(Hotkey::from_account(&[number; 32]))
    }

    /// A round in which each player has these paths and sums.
    fn round(players: &[(Player, &[(&str, u64)])]) -> RoundFiles {
        let files = |sums: &[(&str, u64)]| PlayerFiles {
            sums: Slot::Ok(Sums(sums.iter().map(|(path, sum)| ((*path).to_owned(), format!("{sum:064}"))).collect())),
            ..PlayerFiles::default()
        };
        let players = players.iter().map(|(player, sums)| (player.clone(), files(sums))).collect();
        RoundFiles { players, ..RoundFiles::default() }
    }

    fn found(rounds: Vec<RoundFiles>) -> Vec<(u32, String)> {
        let rounds = (0..).map(RoundNumber).zip(rounds).collect();
        let snapshot = Snapshot { rounds, ..Snapshot::default() };
        let (mut sink, mut earlier) = (Sink::default(), FilesByOwner::default());
        for (round, files) in &snapshot.rounds {
            check(&snapshot, (*round, files), &mut earlier, &mut sink);
        }
        sink.finish().into_iter().map(|found| (found.round.unwrap().0, found.detail)).collect()
    }

    #[test]
    fn files_in_common_are_told_by_those_who_have_them() {
        let (a, b, c) = (miner(1), miner(2), miner(3));
        let own = [("submitted/x.glb", 1), ("submitted/x.png", 2), ("submitted/y.glb", 3)];
        let copy = [("submitted/x.glb", 1), ("submitted/x.png", 2), ("submitted/y.glb", 3)];
        let one = found(vec![round(&[(a.clone(), &own), (b.clone(), &copy), (c.clone(), &[("submitted/x.glb", 9)])])]);
        let [(0, told)] = one.as_slice() else { panic!("{one:?}") };
        for part in [
            "have 3 files (2 models, 1 preview) in common: rounds/0/",
            &format!("rounds/0/{b}/submitted/x.glb"),
            &format!("rounds/0/{a}/submitted/y.glb"),
            " and 1 more",
        ] {
            assert!(told.contains(part), "no {part:?} in {told}");
        }
        assert!(!told.contains(c.as_str()), "{told}");
    }

    #[test]
    fn a_file_for_several_prompts_is_told_apart_and_a_crowd_is_counted() {
        let empty = [("submitted/x.glb", 7), ("submitted/y.glb", 7)];
        let crowd: Vec<(Player, &[(&str, u64)])> = (1..=9).map(|number| (miner(number), &empty[..])).collect();
        let all = found(vec![round(&crowd)]);
        let [(0, told)] = all.as_slice() else { panic!("{all:?}") };
        assert!(told.contains("and 1 more have 1 model in common, each for several prompts"), "{told}");
        assert_eq!(alike(&summed(&Snapshot::default(), RoundNumber(0), &round(&crowd))), []);
    }

    #[test]
    fn files_of_earlier_leaders_and_winners_count_and_ones_own_do_not() {
        let first = round(&[(Player::Leader, &[("generated/x.glb", 1)]), (miner(1), &[("submitted/x.glb", 2)])]);
        let again = round(&[(miner(1), &[("submitted/x.glb", 2)]), (miner(2), &[("submitted/x.glb", 1)])]);
        let all = found(vec![first, again]);
        assert_eq!((all[0].0, all[0].1.as_str(), all.len()), (0, "", 2));
        assert!(all[1].1.contains("rounds/0/leader/generated/x.glb"), "{all:?}");
        assert!(!all[1].1.contains(miner(1).as_str()), "{all:?}");
    }

    #[test]
    fn a_pair_has_as_many_models_in_common_as_both_submitted() {
        let own = [("submitted/x.glb", 1), ("submitted/y.glb", 2), ("submitted/z.glb", 3), ("generated/x.glb", 1)];
        let copy = [("submitted/x.glb", 1), ("submitted/y.glb", 2), ("submitted/y.png", 5)];
        let files = round(&[(miner(1), &own), (miner(2), &copy)]);
        let none = Snapshot::default();
        let alike = alike(&summed(&none, RoundNumber(0), &files));
        assert_eq!((alike.len(), alike[0].models, alike[0].of), (1, 2, 2));
    }
}
