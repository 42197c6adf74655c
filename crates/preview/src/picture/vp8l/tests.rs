use std::io::Cursor;

use image_webp::{ColorType, WebPDecoder, WebPEncoder};

use super::super::{Watch, plan, webp};
use super::{LENGTH_ORDER, groups, groups_of_alpha, reach};
use crate::refusal::RefusalCode;

/// Numbers without a pattern, the same on every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// A stream under way, one entry for each bit.
#[derive(Clone, Default)]
struct Stream(Vec<bool>);

impl Stream {
    fn picture(width: u64, height: u64) -> Self {
        let mut stream = Self::default();
        stream.put(0x2f, 8).put(width - 1, 14).put(height - 1, 14);
        stream.put(0, 4);
        stream
    }

    fn put(&mut self, value: u64, count: u32) -> &mut Self {
        self.0.extend((0..count).map(|bit| value >> bit & 1 == 1));
        self
    }

    /// A code of one symbol, which then takes no bits.
    fn single(&mut self, symbol: u64) -> &mut Self {
        self.put(0b101, 3).put(symbol, 8)
    }

    /// An image whose pixels are all the same, up to its size.
    fn flat(&mut self, red: u64, green: u64) -> &mut Self {
        self.put(0, 1).single(green).single(red);
        self.single(0).single(0).single(0)
    }

    /// Every length spelt out in four bits, as many as there are.
    fn lengths(&mut self, lengths: &[u64]) -> &mut Self {
        self.put(0, 1).put(15, 4);
        for place in LENGTH_ORDER {
            self.put(if place < 16 { 4 } else { 0 }, 3);
        }
        self.put(0, 1);
        for length in lengths {
            self.turned(*length, 4);
        }
        self
    }

    /// A code word, which goes with its highest bit first.
    fn turned(&mut self, code: u64, count: u64) -> &mut Self {
        self.0.extend((0..count).rev().map(|bit| code >> bit & 1 == 1));
        self
    }

    /// A length or a distance after its prefix, at random within the prefix's range.
    fn extra(&mut self, prefix: usize, noise: &mut Noise) -> usize {
        if prefix < 4 {
            return prefix + 1;
        }
        let count = u32::try_from((prefix - 2) / 2).unwrap();
        let extra = noise.below(1 << count);
        self.put(extra, count);
        ((2 + prefix % 2) << count) + usize::try_from(extra).unwrap() + 1
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.0.chunks(8).map(byte).collect()
    }
}

/// The five codes of one group, each of one symbol.
fn one_group(stream: &mut Stream) {
    for _ in 0..5 {
        stream.put(0b0001, 4);
    }
}

/// A complete code of some of `symbols` symbols: their lengths and words.
struct Words(Vec<u64>, Vec<u64>);

impl Words {
    fn new(symbols: usize, wanted: usize, noise: &mut Noise) -> Self {
        let mut leaves = vec![1, 1];
        while leaves.len() < wanted {
            let at = usize::try_from(noise.below(leaves.len() as u64)).unwrap();
            if leaves[at] < 15 {
                leaves[at] += 1;
                leaves.push(leaves[at]);
            }
        }
        let mut lengths = vec![0; symbols];
        for leaf in leaves {
            let mut at = usize::try_from(noise.below(symbols as u64)).unwrap();
            while lengths[at] != 0 {
                at = (at + 1) % symbols;
            }
            lengths[at] = leaf;
        }
        let mut words = vec![0; symbols];
        let mut next = 0;
        for length in 1..16 {
            for at in (0..symbols).filter(|at| lengths[*at] == length) {
                words[at] = next;
                next += 1;
            }
            next <<= 1;
        }
        Self(lengths, words)
    }

    fn pick(&self, noise: &mut Noise) -> usize {
        loop {
            let at = usize::try_from(noise.below(self.0.len() as u64)).unwrap();
            if self.0[at] != 0 {
                return at;
            }
        }
    }

    fn write(&self, symbol: usize, stream: &mut Stream) {
        stream.turned(self.1[symbol], self.0[symbol]);
    }
}

/// Wraps a stream up as a file, for a decoder.
fn file(stream: &[u8]) -> Vec<u8> {
    let size = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
    let padded = stream.len() + stream.len() % 2;
    let mut file = [b"RIFF", &size(12 + padded)[..], b"WEBPVP8L", &size(stream.len())].concat();
    file.extend(stream);
    file.resize(20 + padded, 0);
    file
}

fn decodes(stream: &[u8]) -> bool {
    let Ok(mut decoder) = WebPDecoder::new(Cursor::new(file(stream))) else {
        return false;
    };
    let mut pixels = vec![0; decoder.output_buffer_size().unwrap()];
    decoder.read_image(&mut pixels).is_ok()
}

/// An entropy image in the making, with all its pixels, copies and a cache.
struct Entropy {
    width: usize,
    size: usize,
    cache_bits: u32,
    cache: Vec<u32>,
    /// For green, red, blue, alpha and distances.
    words: [Words; 5],
    pixels: Vec<u32>,
}

impl Entropy {
    fn new(width: usize, height: usize, noise: &mut Noise) -> Self {
        let cache_bits = u32::try_from(noise.below(12)).unwrap();
        let cached = if cache_bits == 0 { 0 } else { 1 << cache_bits };
        let wanted = usize::try_from(2 + noise.below(250)).unwrap();
        let words = [(280 + cached, wanted), (256, 5), (256, 40), (256, 256), (40, 9)];
        Self {
            width,
            size: width * height,
            cache_bits,
            cache: vec![0; cached],
            words: words.map(|(symbols, wanted)| Words::new(symbols, wanted, noise)),
            pixels: Vec::new(),
        }
    }

    /// What comes ahead of the pixels.
    fn head(&self, stream: &mut Stream) {
        if self.cache_bits > 0 {
            stream.put(1, 1).put(u64::from(self.cache_bits), 4);
        } else {
            stream.put(0, 1);
        }
        for words in &self.words {
            stream.lengths(&words.0);
        }
    }

    /// One more symbol of green with all that hangs on it, unless it would not fit.
    fn step(&mut self, stream: &mut Stream, noise: &mut Noise) {
        let (bits, from) = (stream.0.len(), self.pixels.len());
        let symbol = self.words[0].pick(noise);
        self.words[0].write(symbol, stream);
        if symbol < 256 {
            self.literal(symbol, stream, noise);
        } else if symbol >= 280 {
            self.pixels.push(self.cache[symbol - 280]);
        } else if !self.copy(symbol - 256, stream, noise) {
            stream.0.truncate(bits);
        }
        for pixel in self.pixels[from..].iter().filter(|_| self.cache_bits > 0) {
            let slot = 0x1e35_a7bd_u32.wrapping_mul(*pixel) >> (32 - self.cache_bits);
            self.cache[usize::try_from(slot).unwrap()] = *pixel;
        }
    }

    fn literal(&mut self, green: usize, stream: &mut Stream, noise: &mut Noise) {
        let [_, red, blue, alpha, _] = &self.words;
        let [red, blue, alpha] = [red, blue, alpha].map(|words| {
            let value = words.pick(noise);
            words.write(value, stream);
            value
        });
        let bytes = [alpha, red, green, blue].map(|value| u8::try_from(value).unwrap());
        self.pixels.push(u32::from_be_bytes(bytes));
    }

    fn copy(&mut self, prefix: usize, stream: &mut Stream, noise: &mut Noise) -> bool {
        let length = stream.extra(prefix, noise);
        let prefix = self.words[4].pick(noise);
        self.words[4].write(prefix, stream);
        let stored = u32::try_from(stream.extra(prefix, noise)).unwrap();
        let reach = reach(stored, u32::try_from(self.width).unwrap());
        let reach = usize::try_from(reach).unwrap();
        let fits = reach <= self.pixels.len() && self.pixels.len() + length <= self.size;
        for _ in 0..if fits { length } else { 0 } {
            self.pixels.push(self.pixels[self.pixels.len() - reach]);
        }
        fits
    }
}

/// Writes an entropy image at random and tells the highest group in it, found from all its
/// pixels. Codes may turn out to have nothing that fits, and then there is no image.
fn entropy(stream: &mut Stream, sides: [u64; 2], noise: &mut Noise) -> Option<u32> {
    let [width, height] = sides.map(|side| usize::try_from(side).unwrap());
    let mut image = Entropy::new(width, height, noise);
    image.head(stream);
    for _ in 0..100_000 {
        if image.pixels.len() == image.size {
            break;
        }
        image.step(stream, noise);
    }
    let highest = image.pixels.iter().map(|pixel| pixel >> 8 & 0xffff).max();
    highest.filter(|_| image.pixels.len() == image.size)
}

#[test]
fn an_encoder_of_one_group_is_told_so() {
    let mut noise = Noise(7);
    for (width, height) in [(1, 1), (3, 2), (16, 16), (65, 33), (200, 120)] {
        for spread in [1, 2, 5, 40, 256] {
            let pixels: Vec<u8> = (0..width * height * 4)
                .map(|at| u8::try_from((noise.below(spread) + u64::from(at) / 64) % 256).unwrap())
                .collect();
            let mut file = Vec::new();
            WebPEncoder::new(&mut file).encode(&pixels, width, height, ColorType::Rgba8).unwrap();
            assert_eq!(groups(&file[20..]), Some(1), "{width} x {height}, {spread}");
        }
    }
}

#[test]
fn the_highest_group_is_found_without_the_groups() {
    let mut stream = Stream::picture(4, 4);
    stream.put(0, 2).put(1, 1).put(0, 3).flat(255, 255);
    assert_eq!(groups(&stream.bytes()), Some(65536));
    stream.0.drain(..40);
    assert_eq!(groups_of_alpha(&stream.bytes(), 4, 4), Some(65536));
    assert_eq!(groups_of_alpha(&stream.bytes(), 0, 4), None);
}

#[test]
fn a_pictures_groups_count_before_it_is_decoded() {
    let mut stream = Stream::picture(4, 4);
    stream.put(0, 2).put(1, 1).put(0, 3).flat(255, 255);
    let header = webp::open(&file(&stream.bytes())).unwrap();
    assert!(header.working > 1 << 30 && header.fault.is_none(), "{header:?}");
    let broken = webp::open(&file(&stream.bytes()[..8])).unwrap();
    assert!(broken.working < 1 << 20 && broken.fault.is_some(), "{broken:?}");
    let plan = plan(file(&stream.bytes()[..8]).into()).unwrap();
    assert_eq!(plan.decode("images[0]", Watch::NONE).unwrap_err().code, RefusalCode::TextureDamaged);
}

#[test]
fn transforms_are_passed_over_and_a_cut_is_none() {
    let mut stream = Stream::picture(100, 30);
    stream.put(0b001, 3).put(1, 3).flat(0, 1);
    stream.put(0b011, 3).put(5, 3).flat(9, 9);
    stream.put(0b101, 3);
    stream.put(0b111, 3).put(3, 8).flat(1, 2);
    stream.put(0, 2).put(1, 1).put(0, 3).flat(2, 3);
    let bytes = stream.bytes();
    assert_eq!(groups(&bytes), Some(2 * 256 + 3 + 1));
    for cut in 0..bytes.len() {
        assert_eq!(groups(&bytes[..cut]), None, "cut at {cut}");
    }
}

#[test]
fn a_transform_that_comes_twice_is_none() {
    let mut stream = Stream::picture(100, 30);
    stream.put(0b101, 3).put(0b101, 3).put(0, 64);
    assert_eq!(groups(&stream.bytes()), None);
}

#[test]
fn what_decoders_disagree_on_is_none() {
    let mut stream = Stream::picture(4, 4);
    stream.put(0, 2).put(1, 1).put(0, 3).put(0, 1);
    let mut twice = stream.clone();
    twice.put(0b111, 3).put(5, 8).put(5, 8).put(0, 64);
    assert_eq!(groups(&twice.bytes()), None);
    // Sixty-five times too many codes, which a sum of 16 bits takes for just enough.
    let mut over = [vec![1; 129], (2..10).collect(), vec![9]].concat();
    over.resize(256, 0);
    stream.single(0).single(0).single(0).lengths(&over);
    stream.single(0);
    // How many bits the pixel then takes is as good as chance.
    let taken = (0..16).find(|taken| {
        let mut stream = stream.clone();
        stream.put(0, *taken);
        one_group(&mut stream);
        assert_eq!(groups(&stream.bytes()), None);
        decodes(&stream.bytes())
    });
    assert!(taken.is_some());
}

/// A stream up to its groups, with or without a transform, and how many groups it needs.
fn up_to_groups(noise: &mut Noise) -> Option<(Stream, u32)> {
    let sides = [1 + noise.below(30), 1 + noise.below(30)];
    let mut stream = Stream::picture(sides[0] * 4, sides[1] * 4);
    if noise.below(2) == 1 {
        stream.put(0b001, 3).put(0, 3);
        entropy(&mut stream, sides, noise)?;
    }
    stream.put(0, 2).put(1, 1).put(0, 3);
    let highest = entropy(&mut stream, sides, noise)?;
    Some((stream, highest + 1))
}

#[test]
fn a_decoder_wants_as_many_groups_as_are_counted() {
    let mut noise = Noise(99);
    let streams: Vec<_> = (0..30).filter_map(|_| up_to_groups(&mut noise)).collect();
    assert!(streams.len() > 15, "{} streams", streams.len());
    for (mut stream, wanted) in streams {
        let bytes = stream.bytes();
        assert_eq!(groups(&bytes), Some(wanted));
        for cut in (0..bytes.len() - 1).step_by(1 + bytes.len() / 50) {
            assert_eq!(groups(&bytes[..cut]), None, "cut at {cut}");
        }
        for _ in 1..wanted {
            one_group(&mut stream);
        }
        assert!(!decodes(&stream.bytes()), "one group short of {wanted}");
        one_group(&mut stream);
        assert!(decodes(&stream.bytes()), "{wanted} groups");
        assert_eq!(groups(&stream.bytes()), Some(wanted));
    }
}

#[test]
fn near_pixels_are_found_in_two_dimensions() {
    let near = [1, 2, 3, 4, 119, 120, 121, 130].map(|distance| reach(distance, 50));
    assert_eq!(near, [50, 1, 51, 49, 6 * 50 + 8, 7 * 50 + 8, 1, 10]);
    assert_eq!(reach(4, 1), 1);
}

#[test]
fn an_empty_expanse_costs_nothing() {
    let mut stream = Stream::picture(16384, 16384);
    stream.put(0b001, 3).put(0, 3).flat(0, 1);
    stream.put(0b011, 3).put(0, 3).flat(0, 1);
    stream.put(0, 2).put(1, 1).put(0, 3).flat(0, 1);
    assert_eq!(groups(&stream.bytes()), Some(2));
}

#[test]
fn noise_neither_panics_nor_lingers() {
    let mut noise = Noise(1234);
    for round in 0..10_000 {
        let size = noise.below(if round % 100 == 0 { 20_000 } else { 200 });
        let mut bytes: Vec<u8> = (0..size).map(|_| u8::try_from(noise.below(256)).unwrap()).collect();
        let side = u32::try_from(1 + noise.below(20_000)).unwrap();
        groups_of_alpha(&bytes, side, 20_001 - side);
        if let [first, second, third, .., last] = &mut bytes[..] {
            (*first, *second, *third) = (0x2f, 40, 0);
            *last = 0;
        }
        if let Some(version) = bytes.get_mut(4) {
            *version &= 0x1f;
        }
        groups(&bytes);
    }
}

#[test]
fn a_damaged_stream_neither_panics_nor_lingers() {
    let mut noise = Noise(4321);
    let mut stream = Stream::picture(80, 80);
    stream.put(0, 2).put(1, 1).put(0, 3);
    entropy(&mut stream, [20, 20], &mut noise);
    for _ in 0..1_000 {
        let mut damaged = stream.clone();
        for _ in 0..1 + noise.below(4) {
            let at = usize::try_from(noise.below(damaged.0.len() as u64)).unwrap();
            damaged.0[at] = !damaged.0[at];
        }
        groups(&damaged.bytes());
    }
}
