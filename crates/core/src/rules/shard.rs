//! Shards: one machine's part of the miners when several machines share a stage's work.

use std::fmt;
use std::str::FromStr;

use crate::base::setting::ValueError;
use crate::model::ids::Hotkey;
use crate::model::submissions::Submissions;

/// Shard `index` (from 0, as Kubernetes numbers the pods of an indexed job) of `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// All of the work.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };

    /// Does this shard hold the miner at this index (from 0) of `submissions.json`?
    #[must_use]
    pub fn holds(self, place: usize) -> bool {
        place.checked_rem(self.count) == Some(self.index)
    }

    /// Does this shard hold this miner? One that is not in `submissions.json` belongs to the first shard.
    #[must_use]
    pub fn has(self, hotkey: &Hotkey, submissions: Option<&Submissions>) -> bool {
        self.holds(submissions.and_then(|submissions| submissions.get_index_of(hotkey)).unwrap_or_default())
    }
}

impl Default for Shard {
    fn default() -> Self {
        Shard::WHOLE
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if index < count => Ok(Shard { index, count }),
            _ => Err(ValueError::of(text, "a shard such as 0/4 (0/4 to 3/4)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_miner_is_in_exactly_one_shard() {
        let parts: Vec<Shard> = (0..4).map(|index| format!("{index}/4").parse().unwrap()).collect();
        for place in 0..50 {
            assert_eq!(parts.iter().filter(|part| part.holds(place)).count(), 1);
            assert!(Shard::WHOLE.holds(place));
        }
        let stranger = Hotkey::from_account(&[7; 32]);
        for submissions in [None, Some(&Submissions::default())] {
            assert_eq!(parts.iter().filter(|part| part.has(&stranger, submissions)).count(), 1, "no miner is left out");
        }
        for odd in ["", "4/4", "0/0", "-1/2", "1", "1/2/3", "a/b"] {
            assert!(odd.parse::<Shard>().is_err(), "{odd:?}");
        }
    }
}
