//! Compressed streams of large patterns, made piece by piece: what unfolds to gigabytes is written at once.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, TDEFLStatus, compress, create_comp_flags_from_zip_params,
};

use super::pattern::Pattern;

/// A zlib stream that inflates to the pattern.
pub fn zlib(pattern: &Pattern) -> Pattern {
    let mut stream = Pattern::of([0x78, 0x01]);
    let mut sum = Adler(1, 0);
    for (bytes, times) in pattern.pieces() {
        let in_block = (1 << 20) / bytes.len() as u64 + 1;
        let (blocks, rest) = (times / in_block, times % in_block);
        for (size, count) in [(in_block, blocks), (rest, 1)] {
            if size > 0 && count > 0 {
                let block = bytes.repeat(usize::try_from(size).unwrap());
                stream = stream.times(deflated(&block), count);
                sum.add(&block, count);
            }
        }
    }
    // An empty last block, and the checksum.
    stream.then([1, 0, 0, 0xff, 0xff]).then((sum.1 << 16 | sum.0).to_be_bytes())
}

/// One piece of a deflate stream, which refers to nothing before it and ends on a whole byte.
fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut state = CompressorOxide::new(create_comp_flags_from_zip_params(6, 0, 0));
    let mut out = vec![0; bytes.len() + 1000];
    let (status, read, written) = compress(&mut state, bytes, &mut out, TDEFLFlush::Full);
    assert!(status == TDEFLStatus::Okay && read == bytes.len());
    out.truncate(written);
    out
}

struct Adler(u32, u32);

impl Adler {
    /// The same bytes, `times` over, without looking at each.
    fn add(&mut self, bytes: &[u8], times: u64) {
        const PRIME: u64 = 65_521;
        let length = bytes.len() as u64;
        let sum = bytes.iter().map(|b| u64::from(*b)).sum::<u64>() % PRIME;
        let weighted =
            bytes.iter().enumerate().map(|(at, b)| (length - at as u64) * u64::from(*b)).sum::<u64>() % PRIME;
        let (mut a, mut b) = (u64::from(self.0), u64::from(self.1));
        for _ in 0..times {
            b = (b + length % PRIME * a + weighted) % PRIME;
            a = (a + sum) % PRIME;
        }
        (self.0, self.1) = (u32::try_from(a).unwrap(), u32::try_from(b).unwrap());
    }
}

#[test]
fn streams_inflate_to_their_pattern() {
    let pattern = Pattern::of("{\"a\":[").times("0,", 3_000_000).times([0], 2_500_000).then("0]}");
    let inflated = miniz_oxide::inflate::decompress_to_vec_zlib(&zlib(&pattern).bytes()).unwrap();
    assert!(inflated == pattern.bytes());
    assert!(zlib(&pattern).len() < 40_000, "{}", zlib(&pattern).len());
}
