//! `copies.previews`: previews of one prompt that look nearly the same, by a difference hash.

use std::collections::{BTreeMap, HashMap};

use super::super::Sink;
use super::super::objects::{Found, Stored, StoredFile};
use super::{led_from, owner};
use crate::base::text::counted;
use crate::model::ids::RoundNumber;
use crate::model::snapshot::Snapshot;

/// Cells along an edge, between which differences are taken.
const CELLS: usize = 33;

/// Four bits a place, in words of 64.
const WORDS: usize = (CELLS - 1) * (CELLS - 1) * 4 / 64;

/// Two neighbouring cells count as equal up to this difference, of 255: noise averages to less.
const FLAT: u32 = 3;

/// Pictures with fewer differences together are too plain to compare, as an empty scene.
const FEWEST: u32 = 160;

/// How much of all differences two pictures have in common to be nearly the same, in percent.
const NEARLY: u32 = 95;

/// Most previews of a prompt that are compared with each other: as many as a full round has.
const MOST_COMPARED: usize = 1024;

/// Pairs of files that an objection names; the rest are counted.
const EXAMPLES: usize = 2;

/// Where a picture gets lighter or darker, from cell to cell: right and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookHash([u64; WORDS]);

impl LookHash {
    /// The hash of a picture in grey, of this width; `None` if it is smaller than its cells.
    pub fn of(grey: &[u8], width: usize) -> Option<LookHash> {
        let height = grey.len().checked_div(width)?;
        if width < CELLS || height < CELLS {
            return None;
        }
        let mut sums = [[(0_u64, 0_u64); CELLS]; CELLS];
        for (y, row) in grey.chunks_exact(width).enumerate() {
            let cells = sums.get_mut(y * CELLS / height)?;
            for (x, value) in row.iter().enumerate() {
                let (sum, count) = cells.get_mut(x * CELLS / width)?;
                *sum += u64::from(*value);
                *count += 1;
            }
        }
        let cells = sums.map(|row| row.map(|(sum, count)| u32::try_from(sum / count.max(1)).unwrap_or(u32::MAX)));
        let across = cells.iter().flat_map(|row| row.windows(2).map(steps)).collect::<Vec<_>>();
        let down = cells.windows(2).flat_map(|rows| match rows {
            [above, below] => above.iter().zip(below).take(CELLS - 1).map(|(a, b)| steps(&[*a, *b])).collect(),
            _ => Vec::new(),
        });
        // The last row's steps across have no steps down beside them.
        let across = across.into_iter().take((CELLS - 1) * (CELLS - 1));
        let bits = across.chain(down).flatten();
        let mut words = [0_u64; WORDS];
        for (at, _) in bits.enumerate().filter(|(_, bit)| *bit) {
            *words.get_mut(at / 64)? |= 1 << (at % 64);
        }
        Some(LookHash(words))
    }

    /// Do two pictures look nearly the same? Plain ones never do.
    pub fn is_near(&self, other: &LookHash) -> bool {
        let count = |of: fn(u64, u64) -> u64| self.0.iter().zip(other.0).map(|(a, b)| of(*a, b).count_ones()).sum();
        let (both, any): (u32, u32) = (count(|a, b| a & b), count(|a, b| a | b));
        any >= FEWEST && both * 100 >= any * NEARLY
    }
}

/// Is the second cell lighter, and is it darker?
fn steps(pair: &[u32]) -> [bool; 2] {
    match pair {
        [a, b] => [*b > a + FLAT, *a > b + FLAT],
        _ => [false; 2],
    }
}

/// A preview that was looked at.
struct Look<'a> {
    owner: &'a str,
    /// Of a round before.
    earlier: bool,
    path: String,
    hash: LookHash,
    /// Its bytes' sum, if it is recorded.
    sum: Option<&'a str>,
}

/// The previews of a round by stem, those of earlier leaders and winners among them.
type ByStem<'a> = BTreeMap<String, Vec<Look<'a>>>;

/// Warns of previews of a prompt that look nearly the same, across the miners of a round and earlier leaders and winners.
pub fn check(snapshot: &Snapshot, all: &[Stored<'_>], sink: &mut Sink) {
    let mut rounds: BTreeMap<RoundNumber, Vec<&Stored<'_>>> = BTreeMap::new();
    all.iter().for_each(|stored| rounds.entry(stored.round).or_default().push(stored));
    let mut earlier: Vec<&Stored<'_>> = Vec::new();
    for (round, stored) in rounds {
        let Some(files) = snapshot.rounds.get(&round) else { continue };
        let looks = looks(snapshot, round, stored.iter().chain(&earlier));
        if !looks.is_empty() {
            sink.claim("copies.previews", round, format!("rounds/{round}"), |claim| {
                let mut pairs: Vec<_> = pairs(&looks).into_iter().collect();
                pairs.sort_by(|(a, left), (b, right)| (right.len(), *a).cmp(&(left.len(), *b)));
                pairs.iter().for_each(|(pair, files)| claim.warn(told(*pair, files)));
            });
        }
        let led = led_from(files);
        earlier.extend(stored.into_iter().filter(|stored| led(stored.player)));
    }
}

fn looks<'a>(snapshot: &'a Snapshot, round: RoundNumber, all: impl Iterator<Item = &'a &'a Stored<'a>>) -> ByStem<'a> {
    let mut looks: ByStem<'_> = BTreeMap::new();
    for stored in all {
        let Some(files) = snapshot.rounds.get(&stored.round) else { continue };
        let owner = owner(snapshot, files, stored.player);
        for file in &stored.objects {
            let StoredFile { path, found: Found::Bytes(sum), look: Some(hash), .. } = file else { continue };
            let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
            let recorded = stored.sums.is_some_and(|sums| sums.0.contains_key(path));
            looks.entry(name.trim_end_matches(".png").to_owned()).or_default().push(Look {
                owner,
                earlier: stored.round != round,
                path: format!("rounds/{}/{}/{path}", stored.round, stored.player),
                hash: *hash,
                sum: recorded.then_some(sum),
            });
        }
    }
    looks
}

/// Owners, and the pairs of files that look nearly the same.
type Pairs<'a> = HashMap<(&'a str, &'a str), Vec<(&'a str, &'a str)>>;

fn pairs<'a>(looks: &'a ByStem<'a>) -> Pairs<'a> {
    let mut pairs: Pairs<'_> = HashMap::new();
    for of_prompt in looks.values() {
        let compared = of_prompt.get(..of_prompt.len().min(MOST_COMPARED)).unwrap_or_default();
        for (at, one) in compared.iter().enumerate() {
            for other in compared.iter().skip(at + 1) {
                // Equal bytes with recorded sums are told by copies.bytes.
                let told = one.sum.is_some() && one.sum == other.sum;
                let apart = one.owner != other.owner && !(one.earlier && other.earlier);
                if apart && !told && one.hash.is_near(&other.hash) {
                    let (a, b) = if one.owner < other.owner { (one, other) } else { (other, one) };
                    pairs.entry((a.owner, b.owner)).or_default().push((&a.path, &b.path));
                }
            }
        }
    }
    pairs
}

fn told((one, other): (&str, &str), files: &[(&str, &str)]) -> String {
    let examples: Vec<String> = files.iter().take(EXAMPLES).map(|(a, b)| format!("{a} like {b}")).collect();
    let more = match files.len().saturating_sub(EXAMPLES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = counted(files.len(), "preview looks", "previews look");
    format!("{one} and {other}: {count} nearly the same: {}{more}", examples.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 264;

    /// A ball with stripes on white; `turn` moves the stripes.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn picture(turn: f64, change: impl Fn(usize, u8) -> u8) -> Vec<u8> {
        let pixel = |at: usize| {
            let (x, y) = ((at % WIDTH) as f64 - 132.0, (at / WIDTH) as f64 - 132.0);
            let inside = (x * x + y * y).sqrt() < 103.0;
            let value = 128.0 + 90.0 * ((x * 0.7 + y * 0.4) * 0.06 + turn).sin();
            change(at, if inside { value as u8 } else { 250 })
        };
        (0..WIDTH * WIDTH).map(pixel).collect()
    }

    fn hash(picture: &[u8]) -> LookHash {
        LookHash::of(picture, WIDTH).unwrap()
    }

    #[test]
    fn small_changes_keep_the_look_and_others_do_not() {
        let own = hash(&picture(0.0, |_, value| value));
        let noise = |at: usize, value: u8| value.saturating_add(u8::try_from(at * 7919 % 7).unwrap());
        let darker = |_: usize, value: u8| value - value / 16;
        assert!(own.is_near(&own) && own.is_near(&hash(&picture(0.0, noise))));
        assert!(own.is_near(&hash(&picture(0.0, darker))) && own.is_near(&hash(&picture(0.02, |_, value| value))));
        for other in [0.5, 1.5, 3.1] {
            assert!(!own.is_near(&hash(&picture(other, |_, value| value))), "turned by {other}");
        }
    }

    #[test]
    fn plain_and_small_pictures_are_not_compared() {
        let plain = hash(&vec![250; WIDTH * WIDTH]);
        assert!(!plain.is_near(&plain));
        assert_eq!(LookHash::of(&[0; 1024], 32), None);
        assert_eq!(LookHash::of(&[], 0), None);
    }
}
