//! Pseudo-random numbers derived from names: the same seed gives the same sandbox on every machine, in whatever order
//! they are drawn.

use sha2::{Digest as _, Sha256};

use crate::base::hex;

/// A generator for one named thing.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    name: [u8; 32],
    drawn: u32,
}

impl Rng {
    /// The generator for this name. Where the name is split into parts matters.
    pub(crate) fn of(parts: &[&str]) -> Rng {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        Rng { name: hasher.finalize().into(), drawn: 0 }
    }

    /// 32 bytes.
    pub(crate) fn bytes(&mut self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.name);
        hasher.update(self.drawn.to_be_bytes());
        self.drawn += 1;
        hasher.finalize().into()
    }

    /// 64 hex digits.
    pub(crate) fn hex(&mut self) -> String {
        hex::encode(self.bytes())
    }

    /// A number in `low..high`.
    pub(crate) fn within(&mut self, low: f64, high: f64) -> f64 {
        let [a, b, c, d, ..] = self.bytes();
        low + (high - low) * f64::from(u32::from_be_bytes([a, b, c, d])) / 4_294_967_296.0
    }

    /// A number in `0..count`.
    pub(crate) fn below(&mut self, count: u32) -> u32 {
        let [a, b, c, d, ..] = self.bytes();
        u32::from_be_bytes([a, b, c, d]) % count.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_give_other_numbers() {
        assert_eq!(Rng::of(&["a", "b"]).hex(), Rng::of(&["a", "b"]).hex());
        assert_ne!(Rng::of(&["a", "b"]).hex(), Rng::of(&["ab", ""]).hex());
        let mut rng = Rng::of(&["x"]);
        let drawn: Vec<f64> = (0..200).map(|_| rng.within(2.0, 3.0)).collect();
        assert!(drawn.iter().all(|number| (2.0..3.0).contains(number)));
        assert!(drawn.iter().any(|number| *number < 2.1) && drawn.iter().any(|number| *number > 2.9));
        assert!((0..50).all(|_| rng.below(3) < 3));
    }
}
