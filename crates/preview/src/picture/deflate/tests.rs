//! Checks the walk against a decoder and against streams made by hand.

use super::{ORDER, blocks, walk};
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::{decompress_to_vec, decompress_to_vec_zlib};
use std::iter::once;

/// A small generator, so that each run sees the same data.
struct Random(u64);

impl Random {
    /// A number below `end`.
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let high = (self.0 >> 33) as u32;
        high % end
    }

    /// Bytes below `end`.
    fn bytes(&mut self, count: usize, end: u32) -> Vec<u8> {
        (0..count).map(|_| self.below(end) as u8).collect()
    }
}

/// Writes a stream bit by bit, after a zlib header.
struct Writer {
    /// The bytes so far.
    data: Vec<u8>,
    /// The bits of the last byte that are in use, 8 when it is full.
    used: u32,
}

impl Writer {
    /// Begins with the header.
    fn new() -> Self {
        let data = vec![0x78, 0x01];
        Self { data, used: 8 }
    }

    /// Writes a number, lowest bit first.
    fn bits(&mut self, value: u32, count: u32) {
        for at in 0..count {
            if self.used == 8 {
                self.data.push(0);
                self.used = 0;
            }
            if let Some(last) = self.data.last_mut() {
                *last |= ((value >> at & 1) as u8) << self.used;
            }
            self.used += 1;
        }
    }

    /// Writes a Huffman code, highest bit first.
    fn code(&mut self, (code, length): (u32, u32)) {
        for at in (0..length).rev() {
            self.bits(code >> at & 1, 1);
        }
    }

    /// Writes a stored block.
    fn stored(&mut self, last: u32, data: &[u8]) {
        self.bits(last, 3);
        self.used = 8;
        let length = data.len() as u32;
        self.bits(length, 16);
        self.bits(length ^ 0xffff, 16);
        self.data.extend_from_slice(data);
    }

    /// Writes a fixed block of nothing.
    fn fixed(&mut self, last: u32) {
        self.bits(last | 1 << 1, 3);
        self.bits(0, 7);
    }

    /// Writes a dynamic block of nothing, in 85 bits.
    fn dynamic(&mut self, last: u32) {
        self.bits(last | 2 << 1, 3);
        self.bits(0, 10);
        self.bits(14, 4);
        for symbol in ORDER.into_iter().take(18) {
            self.bits(u32::from(symbol == 1 || symbol == 18), 3);
        }
        // Literal 0, then 255 zeros, then the end and one distance.
        self.bits(0, 1);
        self.bits(1 | 127 << 1, 8);
        self.bits(1 | 106 << 1, 8);
        self.bits(0, 2);
        self.bits(1, 1);
    }

    /// Writes the head of a dynamic block with these lengths, spelt out.
    fn head(&mut self, last: u32, literals: &[u32], distances: &[u32]) {
        self.bits(last | 2 << 1, 3);
        self.bits(literals.len() as u32 - 257, 5);
        self.bits(distances.len() as u32 - 1, 5);
        self.bits(15, 4);
        for symbol in ORDER {
            self.bits(if symbol < 16 { 4 } else { 0 }, 3);
        }
        for &length in literals.iter().chain(distances) {
            self.code((length, 4));
        }
    }
}

/// Random lengths of a complete code, spread over so many symbols.
fn lengths(random: &mut Random, symbols: u32, used: usize) -> Vec<u32> {
    let mut leaves = vec![1, 1];
    while leaves.len() < used {
        // The later leaves are the deeper ones.
        let at = (leaves.len() as u32 - 1).saturating_sub(random.below(9)) as usize;
        let least = (0..leaves.len()).min_by_key(|at| leaves[*at]).unwrap_or(0);
        let at = if leaves[at] < 15 { at } else { least };
        let leaf = leaves.remove(at) + 1;
        leaves.extend([leaf, leaf]);
    }
    let mut lengths = vec![0; symbols as usize];
    for leaf in leaves {
        let mut at = random.below(symbols) as usize;
        while lengths[at] != 0 {
            at = (at + 1) % lengths.len();
        }
        lengths[at] = leaf;
    }
    lengths
}

/// The canonical codes of such lengths, with the lengths.
fn canonical(lengths: &[u32]) -> Vec<(u32, u32)> {
    let mut codes = vec![(0, 0); lengths.len()];
    let mut next = 0;
    for length in 1..=15 {
        next *= 2;
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, l)| **l == length) {
            *code = (next, length);
            next += 1;
        }
    }
    codes
}

/// Writes a dynamic block of random codes and symbols.
fn random_block(out: &mut Writer, random: &mut Random, last: u32) {
    let used = random.below(200) as usize + 20;
    let mut literals = lengths(random, 286, used);
    if literals[256] == 0 {
        let at = literals.iter().position(|l| *l > 0).unwrap_or(0);
        literals.swap(256, at);
    }
    let distances = lengths(random, 8, 4);
    let (lits, dists) = (canonical(&literals), canonical(&distances));
    out.head(last, &literals, &distances);
    let many = random.below(20_000);
    for _ in 0..many {
        let symbol = random.below(286);
        let code = lits[symbol as usize];
        if code.1 == 0 || symbol == 256 {
            continue;
        }
        out.code(code);
        if symbol > 256 {
            let extra = if (265..285).contains(&symbol) { (symbol - 261) / 4 } else { 0 };
            out.bits(random.below(1 << extra), extra);
            let used: Vec<usize> = (0..8).filter(|d| distances[*d] > 0).collect();
            let distance = used[random.below(used.len() as u32) as usize];
            out.code(dists[distance]);
            let extra = (distance as u32 / 2).saturating_sub(1);
            out.bits(random.below(1 << extra), extra);
        }
    }
    out.code(lits[256]);
}

/// Data of several kinds.
fn samples() -> Vec<Vec<u8>> {
    let mut random = Random(7);
    let noise = random.bytes(300_000, 256);
    let words: Vec<Vec<u8>> = (3..60).map(|n| random.bytes(n % 11 + 1, 26)).collect();
    let text: Vec<u8> =
        (0..60_000).flat_map(|_| words[random.below(57) as usize].clone()).map(|letter| letter + b'a').collect();
    let picture: Vec<u8> =
        (0..400_000_u32).map(|at| (at % 1000 / 7 + at / 9000 + random.below(1 + at / 50_000)) as u8).collect();
    let mix = [&noise[..70_000], &text[..90_000], &[0; 80_000], &picture[..]].concat();
    let few = random.bytes(200_000, 3);
    vec![Vec::new(), vec![5], vec![0; 900_000], noise, text, picture, mix, few]
}

#[test]
fn gives_the_length_a_decoder_gives() {
    for sample in samples() {
        for level in 0..=10 {
            let packed = compress_to_vec_zlib(&sample, level);
            let found = walk(once(&packed[..]), u64::MAX);
            let (count, bytes) = found.unwrap_or_default();
            assert_eq!(bytes, sample.len() as u64, "level {level}");
            assert!(count > 0);
            let back = decompress_to_vec_zlib(&packed).unwrap_or_default();
            assert_eq!(back.len() as u64, bytes);
        }
    }
}

#[test]
fn reads_random_codes_as_a_decoder_does() {
    let mut random = Random(3);
    for _ in 0..60 {
        let mut out = Writer::new();
        // A window for the distances to reach into.
        out.stored(0, &[9; 300]);
        let count = random.below(6);
        for _ in 0..count {
            random_block(&mut out, &mut random, 0);
            out.fixed(0);
        }
        random_block(&mut out, &mut random, 1);
        let back = decompress_to_vec(&out.data[2..]).map(|back| back.len() as u64);
        let found = walk(once(&out.data[..]), u64::MAX).unwrap_or_default();
        assert_eq!(back.ok(), Some(found.1));
        assert_eq!(found.0, u64::from(count) * 2 + 2);
    }
}

#[test]
fn counts_empty_blocks_up_to_the_most() {
    type Empty = fn(&mut Writer, u32);
    let kinds: [Empty; 3] = [|w, l| w.stored(l, &[]), Writer::fixed, Writer::dynamic];
    let mut random = Random(11);
    for count in [1_u64, 2, 3, 50, 1000] {
        for kind in 0..4 {
            let mut out = Writer::new();
            for at in 1..=count {
                let pick = if kind < 3 { kind } else { random.below(3) as usize };
                kinds[pick](&mut out, u32::from(at == count));
            }
            assert!(decompress_to_vec(&out.data[2..]).is_ok());
            out.data.extend([0; 40]);
            let up_to = |most| blocks(once(&out.data[..]), most);
            assert_eq!(up_to(u64::MAX), Some(count));
            assert_eq!(up_to(count), Some(count));
            assert_eq!(up_to(count - 1), Some(count));
            assert_eq!(up_to(count / 2), Some(count / 2 + 1));
            assert_eq!(up_to(0), Some(1));
        }
    }
}

/// A short stream with blocks of all kinds.
fn short() -> Vec<u8> {
    let mut random = Random(23);
    let mut out = Writer::new();
    out.dynamic(0);
    out.stored(0, &random.bytes(41, 256));
    out.fixed(0);
    let few = random.bytes(400, 5);
    let packed = compress_to_vec_zlib(&few, 9);
    out.stored(0, &[]);
    out.data.extend_from_slice(&packed[2..]);
    out.data
}

#[test]
fn seams_change_nothing() {
    let data = short();
    let whole = walk(once(&data[..]), u64::MAX);
    assert_eq!(whole, Some((5, 441)));
    for at in 0..=data.len() {
        let (left, right) = data.split_at(at);
        assert_eq!(walk([left, &[], right].into_iter(), u64::MAX), whole);
    }
    for size in 1..40 {
        assert_eq!(walk(data.chunks(size), u64::MAX), whole);
    }
}

#[test]
fn ends_where_the_data_ends() {
    let data = short();
    let mut before = 0;
    for at in 2..data.len() {
        let found = blocks(once(&data[..at]), u64::MAX).unwrap_or_default();
        assert!((before..=5).contains(&found));
        before = found;
    }
    assert_eq!(before, 5);
    assert_eq!(blocks(once(&data[..1]), 9), None);
    assert_eq!(blocks(std::iter::empty(), 9), None);
    assert_eq!(blocks(once(&data[..2]), 9), Some(0));
}

#[test]
fn survives_hostile_bytes() {
    let mut random = Random(31);
    let good = short();
    for round in 0..8000_usize {
        let mut data = good.clone();
        for _ in 0..=round % 4 {
            let at = random.below(data.len() as u32) as usize;
            data[at] ^= 1 << random.below(8);
        }
        let found = blocks(data.chunks(round % 90 + 1), u64::MAX);
        assert!(found.is_some_and(|count| count as usize <= data.len()));
        let many = random.below(400) as usize + 2;
        let noise = random.bytes(many, 256);
        assert!(blocks(once(&noise[..]), 1000).is_some());
    }
}

#[test]
fn stops_at_codes_that_are_none() {
    let mut lone = vec![0; 257];
    lone[256] = 1;
    let mut full = vec![1; 3];
    full.resize(257, 0);
    let mut wanting = vec![2; 3];
    wanting.resize(257, 0);
    for (literals, distances, count) in [
        (&lone, [0, 0, 0], 2),
        (&lone, [1, 0, 0], 2),
        (&lone, [1, 1, 0], 2),
        (&lone, [1, 1, 1], 1),
        (&lone, [2, 2, 2], 1),
        (&full, [0, 0, 0], 1),
        (&wanting, [0, 0, 0], 1),
    ] {
        let mut out = Writer::new();
        out.head(0, literals, &distances);
        out.bits(0, 1);
        out.fixed(1);
        assert_eq!(blocks(once(&out.data[..]), 9), Some(count));
    }
}
