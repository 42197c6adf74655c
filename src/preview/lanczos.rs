//! Halving a picture with the Lanczos filter, bit for bit as Pillow does it: weights in 22-bit fixed
//! point, a horizontal pass and then a vertical one, each rounded and clipped to 8 bits.

use super::threads::Threads;

/// Lobes of the filter on each side.
const LOBES: f64 = 3.0;
/// Source pixels for a result pixel, each way.
const SCALE: usize = 2;
const PRECISION: u32 = 32 - 8 - 2;
const CHANNELS: usize = 3;
/// Rows that one job filters.
const ROWS: usize = 32;

/// The weights of one result pixel: the first source pixel and the weight of each from there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// Halves an RGB picture of `edge` x `edge` pixels; `edge` is even.
pub(crate) fn halve(source: &[u8], edge: usize, threads: Threads) -> Vec<u8> {
    let half = edge / SCALE;
    let taps = taps(half);
    let narrow: Vec<Vec<u8>> = threads.map(edge.div_ceil(ROWS), |job| {
        let rows = source.chunks_exact(edge * CHANNELS).skip(job * ROWS).take(ROWS);
        rows.flat_map(|row| horizontal(row, &taps)).collect()
    });
    let narrow = narrow.concat();
    let rows = threads.map(half.div_ceil(ROWS), |job| {
        let some = taps.iter().skip(job * ROWS).take(ROWS);
        some.flat_map(|taps| vertical(&narrow, half * CHANNELS, taps)).collect::<Vec<u8>>()
    });
    rows.concat()
}

fn horizontal(row: &[u8], taps: &[Taps]) -> Vec<u8> {
    let mut out = Vec::with_capacity(taps.len() * CHANNELS);
    for taps in taps {
        let mut sums = [1_i32 << (PRECISION - 1); CHANNELS];
        let pixels = row.as_chunks::<CHANNELS>().0.get(taps.first..).unwrap_or_default();
        for (pixel, weight) in pixels.iter().zip(&taps.weights) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(*value) * weight;
            }
        }
        out.extend(sums.map(clip));
    }
    out
}

fn vertical(source: &[u8], line: usize, taps: &Taps) -> Vec<u8> {
    let mut sums = vec![1_i32 << (PRECISION - 1); line];
    let rows = source.chunks_exact(line).skip(taps.first);
    for (row, &weight) in rows.zip(&taps.weights) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += i32::from(*value) * weight;
        }
    }
    sums.into_iter().map(clip).collect()
}

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn taps(len: usize) -> Vec<Taps> {
    let (scale, source) = (SCALE as f64, (len * SCALE) as f64);
    let support = LOBES * scale;
    let tap = |i: usize| {
        let center = (i as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let last = (center + support + 0.5).min(source) as usize;
        let raw: Vec<f64> =
            (first..last).map(|x| lanczos((x as f64 - center + 0.5) / scale)).collect();
        let total: f64 = raw.iter().sum();
        let fixed = |w: &f64| libm::round(w / total * f64::from(1 << PRECISION)) as i32;
        Taps { first, weights: raw.iter().map(fixed).collect() }
    };
    (0..len).map(tap).collect()
}

fn lanczos(x: f64) -> f64 {
    if (-LOBES..LOBES).contains(&x) { sinc(x) * sinc(x / LOBES) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { libm::sin(x) / x }
}
