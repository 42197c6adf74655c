//! CPython's `random.Random(seed).sample` and `shuffle`, bit for bit.
//!
//! The deployed services draw prompts and critical prompts with it: past draws can be checked, and
//! ours are the same as theirs.

use rand_mt::Mt;

/// A generator in the state of `random.Random(seed)` (an `int` seed).
#[derive(Debug)]
pub struct PythonRandom(Mt);

impl PythonRandom {
    /// `random.Random(seed)`: MT19937 by `init_by_array` of the seed's 32-bit words, low word first.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let words = [seed & 0xffff_ffff, seed >> 32].map(|word| u32::try_from(word).unwrap_or_default());
        let used = if words[1] == 0 { &words[..1] } else { &words[..] };
        PythonRandom(Mt::new_with_key(used.iter().copied()))
    }

    /// `_randbelow(n)`: draws as many bits as `n` has, again until the value is below `n`.
    fn below(&mut self, n: usize) -> usize {
        let Ok(n) = u32::try_from(n) else { return 0 };
        let bits = u32::BITS - n.leading_zeros();
        if bits == 0 {
            return 0;
        }
        loop {
            let drawn = self.0.next_u32() >> (u32::BITS - bits);
            if drawn < n {
                return drawn as usize;
            }
        }
    }

    /// `sample(population, k)` for `k < len`; else the whole population in order, without drawing.
    pub fn sample<T: Clone>(&mut self, population: &[T], k: usize) -> Vec<T> {
        if k >= population.len() {
            return population.to_vec();
        }
        self.indices(population.len(), k).into_iter().filter_map(|i| population.get(i).cloned()).collect()
    }

    /// `shuffle(list)`: Fisher-Yates, from the end.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            let other = self.below(at + 1);
            list.swap(at, other);
        }
    }

    /// The positions that `sample(range(n), k)` draws, for `k < n`.
    fn indices(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(k);
        if n <= set_size(k) {
            // `swap_remove` moves the last item into the gap, as CPython's pool does: the order is part of the draw.
            let mut pool: Vec<usize> = (0..n).collect();
            for left in ((n - k + 1)..=n).rev() {
                drawn.push(pool.swap_remove(self.below(left)));
            }
        } else {
            let mut seen = std::collections::HashSet::with_capacity(k);
            while drawn.len() < k {
                let at = self.below(n);
                if seen.insert(at) {
                    drawn.push(at);
                }
            }
        }
        drawn
    }
}

/// The population size up to which CPython copies the population into a pool instead of
/// remembering what it has drawn: 21, and for `k > 5` the smallest power of 4 that is `>= 3 k` more.
fn set_size(k: usize) -> usize {
    let mut size = 21;
    if k > 5 {
        let mut power = 4_usize;
        while power < k.saturating_mul(3) {
            power = power.saturating_mul(4);
        }
        size += power;
    }
    size
}
