//! Halving a picture with the Lanczos filter, bit for bit as Pillow does it: weights in 22-bit fixed
//! point, a horizontal pass and then a vertical one, each rounded and clipped to 8 bits. Its weights serve
//! other filters too: see `enlarge.rs`.

use std::ops::Range;

use multiversion::multiversion;

use super::threads::Threads;

/// Lobes of the filter on each side.
const LOBES: f64 = 3.0;
/// Source pixels for a result pixel, each way.
const SCALE: usize = 2;
/// Result pixels that a source pixel can reach, each way.
const REACH: usize = 4;
/// The weights of a result pixel that is far from the border, the first half: the other one mirrors it.
const HALF: usize = LOBES as usize * SCALE;
const PRECISION: u32 = 32 - 8 - 2;
const CHANNELS: usize = 3;
/// Rows that one job filters.
const ROWS: usize = 32;

/// The weights of one result pixel: the first source pixel and the weight of each from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taps {
    pub(crate) first: usize,
    pub(crate) weights: Vec<i32>,
}

/// A picture to be halved: RGB, row by row from the top.
pub(crate) trait Source: Sync {
    /// Pixels a side, an even count.
    fn edge(&self) -> usize;

    /// The columns of a row that may not be white.
    fn colored(&self, row: usize) -> Range<usize>;

    /// Copies those columns of a row into a white one, which has the even pixels first, then the odd ones: so the
    /// pixels of a weight lie side by side.
    fn copy(&self, row: usize, out: &mut [u8]);
}

/// Halves a picture.
///
/// Most of a preview is white, and white stays white: only the columns of each row that can hold
/// something else are filtered.
pub(crate) fn halve(source: &impl Source, threads: Threads) -> Vec<u8> {
    let edge = source.edge();
    let half = edge / SCALE;
    let taps = taps(half);
    let inner = Inner::of(&taps);
    let line = half * CHANNELS;
    let spans: Vec<Range<usize>> = (0..edge).map(|row| reached(source.colored(row), half)).collect();
    let mut narrow = vec![255; edge * line];
    threads.fill(&mut narrow, ROWS * line, |first, band| {
        let first = first / line;
        let mut row = vec![255; edge * CHANNELS];
        for ((i, span), out) in spans.iter().enumerate().skip(first).zip(band.chunks_exact_mut(line)) {
            if !span.is_empty() {
                row.fill(255);
                source.copy(i, &mut row);
                horizontal(&row, span, &taps, &inner, out);
            }
        }
    });
    let mut result = vec![255; half * line];
    threads.fill(&mut result, ROWS * line, |first, band| {
        for (taps, out) in taps.iter().skip(first / line).zip(band.chunks_exact_mut(line)) {
            vertical(&narrow, &spans, taps, out);
        }
    });
    result
}

/// The result pixels whose weights are all there, and so the same.
struct Inner {
    pixels: Range<usize>,
    weights: [i32; HALF],
}

impl Inner {
    fn of(taps: &[Taps]) -> Self {
        let whole = |taps: &Taps| taps.weights.len() == 2 * HALF;
        let first = taps.iter().position(whole).unwrap_or(0);
        let last = taps.iter().rposition(whole).map_or(first, |last| last + 1);
        let weights = taps.get(first).and_then(|taps| taps.weights.first_chunk()).copied().unwrap_or_default();
        Self { pixels: first..last, weights }
    }
}

/// The columns of the result, `half` wide, that these of the source can keep from being white.
fn reached(colored: Range<usize>, half: usize) -> Range<usize> {
    if colored.is_empty() {
        return 0..0;
    }
    (colored.start / SCALE).saturating_sub(REACH)..((colored.end - 1) / SCALE + REACH + 1).min(half)
}

/// Filters the columns `span` of a row into `out`, white so far.
fn horizontal(row: &[u8], span: &Range<usize>, taps: &[Taps], inner: &Inner, out: &mut [u8]) {
    let (even, odd) = row.split_at(row.len() / SCALE);
    let (start, end) = (span.start.max(inner.pixels.start), span.end.min(inner.pixels.end));
    let sides = if start < end { [span.start..start, end..span.end] } else { [span.clone(), 0..0] };
    for i in sides.into_iter().flatten() {
        if let (Some(taps), Some(out)) = (taps.get(i), out.as_chunks_mut::<CHANNELS>().0.get_mut(i)) {
            *out = at_border(even, odd, taps);
        }
    }
    if start < end {
        // The two pixels of each weight, from the farthest on: in turns an odd and an even one.
        let part = |first: usize| first * CHANNELS..(first + end - start) * CHANNELS;
        let low = std::array::from_fn(|i| {
            let pixels = if i % 2 == 0 { odd } else { even };
            pixels.get(part(start + i.div_ceil(2) - HALF / 2)).unwrap_or_default()
        });
        let high = std::array::from_fn(|i| {
            let pixels = if i % 2 == 0 { even } else { odd };
            pixels.get(part(start + HALF / 2 - i.div_ceil(2))).unwrap_or_default()
        });
        if let Some(out) = out.get_mut(part(start)) {
            weigh(&low, &high, &inner.weights, out);
        }
    }
}

/// A pixel of the result whose weights reach beyond the picture.
fn at_border(even: &[u8], odd: &[u8], taps: &Taps) -> [u8; CHANNELS] {
    let mut sums = [START; CHANNELS];
    for (x, weight) in (taps.first..).zip(&taps.weights) {
        let pixels = if x % 2 == 0 { even } else { odd };
        let pixel = pixels.as_chunks::<CHANNELS>().0.get(x / 2).copied().unwrap_or_default();
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += i32::from(value) * weight;
        }
    }
    sums.map(clip)
}

/// The sums of weighted values: each weight counts for the values of one list of `low` and of one of `high`.
#[multiversion(targets("x86_64+avx2"))]
fn weigh<'a>(low: &[&'a [u8]; HALF], high: &[&'a [u8]; HALF], weights: &[i32; HALF], out: &mut [u8]) {
    let len = out.len();
    if low.iter().chain(high).any(|values| values.len() < len) {
        return;
    }
    // Cut to one length, so that the loop below needs no checks.
    let cut = |lists: &[&'a [u8]; HALF], i: usize| &lists[i][..len];
    let [a0, a1, a2, a3, a4, a5] = [cut(low, 0), cut(low, 1), cut(low, 2), cut(low, 3), cut(low, 4), cut(low, 5)];
    let [b0, b1, b2, b3, b4, b5] = [cut(high, 0), cut(high, 1), cut(high, 2), cut(high, 3), cut(high, 4), cut(high, 5)];
    let pair = |a: u8, b: u8, weight: i32| (i32::from(a) + i32::from(b)) * weight;
    for (i, out) in out.iter_mut().enumerate() {
        let outer = pair(a0[i], b0[i], weights[0]) + pair(a1[i], b1[i], weights[1]) + pair(a2[i], b2[i], weights[2]);
        let inner = pair(a3[i], b3[i], weights[3]) + pair(a4[i], b4[i], weights[4]) + pair(a5[i], b5[i], weights[5]);
        *out = clip(START + outer + inner);
    }
}

/// Filters rows of `source` into the row `out`, white so far; `spans` are the columns that matter.
fn vertical(source: &[u8], spans: &[Range<usize>], taps: &Taps, out: &mut [u8]) {
    let line = out.len();
    let rows = taps.first..taps.first + taps.weights.len();
    let used = spans.get(rows).unwrap_or_default().iter().filter(|s| !s.is_empty());
    let Some(start) = used.clone().map(|s| s.start * CHANNELS).min() else { return };
    let end = used.map(|s| s.end * CHANNELS).max().unwrap_or(start);
    let row = |i: usize| source.get((taps.first + i) * line..).and_then(|row| row.get(start..end)).unwrap_or_default();
    if taps.weights.len() == 2 * HALF {
        if let (Some(weights), Some(out)) = (taps.weights.first_chunk(), out.get_mut(start..end)) {
            weigh(&std::array::from_fn(row), &std::array::from_fn(|i| row(2 * HALF - 1 - i)), weights, out);
        }
        return;
    }
    let mut sums = vec![START; end - start];
    for (i, &weight) in taps.weights.iter().enumerate() {
        for (sum, value) in sums.iter_mut().zip(row(i)) {
            *sum += i32::from(*value) * weight;
        }
    }
    for (result, sum) in out.iter_mut().skip(start).zip(sums) {
        *result = clip(sum);
    }
}

/// What a sum of weighted values starts at: half of the last place.
pub(crate) const START: i32 = 1 << (PRECISION - 1);

/// A sum of weighted values as a byte.
pub(crate) fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn taps(len: usize) -> Vec<Taps> {
    taps_of(len, len * SCALE, LOBES, lanczos)
}

/// The weights of each of `len` result pixels that are made of `source` ones by a filter of `lobes`.
pub(crate) fn taps_of(len: usize, source: usize, lobes: f64, filter: fn(f64) -> f64) -> Vec<Taps> {
    let (scale, source) = (source as f64 / len as f64, source as f64);
    let stretch = scale.max(1.0);
    let support = lobes * stretch;
    let tap = |i: usize| {
        let center = (i as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let last = (center + support + 0.5).min(source) as usize;
        let raw: Vec<f64> = (first..last).map(|x| filter((x as f64 - center + 0.5) / stretch)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    const ONE: Threads = Threads(NonZeroUsize::MIN);

    /// The filter without any short cut.
    fn plain(source: &[u8], edge: usize) -> Vec<u8> {
        let taps = taps(edge / 2);
        let at =
            |data: &[u8], width: usize, x: usize, y: usize, c: usize| i32::from(data[(y * width + x) * CHANNELS + c]);
        let sum = |taps: &Taps, value: &dyn Fn(usize) -> i32| {
            let parts = taps.weights.iter().enumerate().map(|(i, w)| w * value(taps.first + i));
            clip(parts.sum::<i32>() + (1 << (PRECISION - 1)))
        };
        let mut narrow = Vec::new();
        for y in 0..edge {
            for t in &taps {
                narrow.extend((0..3).map(|c| sum(t, &|x| at(source, edge, x, y, c))));
            }
        }
        let mut out = Vec::new();
        for t in &taps {
            for x in 0..edge / 2 {
                out.extend((0..3).map(|c| sum(t, &|y| at(&narrow, edge / 2, x, y, c))));
            }
        }
        out
    }

    struct Plain<'a>(&'a [u8], usize);

    impl Source for Plain<'_> {
        fn edge(&self) -> usize {
            self.1
        }

        fn colored(&self, row: usize) -> Range<usize> {
            let row = &self.0.as_chunks::<CHANNELS>().0[row * self.1..][..self.1];
            let Some(first) = row.iter().position(|p| *p != [255; 3]) else { return 0..0 };
            first..row.iter().rposition(|p| *p != [255; 3]).unwrap() + 1
        }

        fn copy(&self, row: usize, out: &mut [u8]) {
            let row = &self.0.as_chunks::<CHANNELS>().0[row * self.1..][..self.1];
            let parts = row.iter().step_by(2).chain(row.iter().skip(1).step_by(2));
            out.copy_from_slice(&parts.flatten().copied().collect::<Vec<u8>>());
        }
    }

    #[test]
    fn short_cuts_do_not_show() {
        let edge = 40;
        for (from, to) in [(0, 40), (17, 18), (3, 9), (30, 40), (0, 0)] {
            let inside = |v: usize| (from..to).contains(&v);
            let source: Vec<u8> = (0..edge * edge * 3)
                .map(|i| if inside(i / 3 % edge) && inside(i / 3 / edge) { (i * i % 251) as u8 } else { 255 })
                .collect();
            assert_eq!(halve(&Plain(&source, edge), ONE), plain(&source, edge), "{from} {to}");
        }
    }

    #[test]
    fn flat_pictures_stay_flat() {
        for value in [0, 1, 128, 254, 255] {
            assert_eq!(halve(&Plain(&[value; 64 * 64 * 3], 64), ONE), vec![value; 32 * 32 * 3]);
        }
    }

    #[test]
    fn weights_reach_six_pixels_each_way_and_sum_to_one() {
        for (i, taps) in taps(20).iter().enumerate() {
            let sum: i32 = taps.weights.iter().sum();
            assert!((sum - (1 << PRECISION)).abs() <= 6, "{i}: {sum}");
            if (3..17).contains(&i) {
                assert_eq!((taps.first, taps.weights.len()), (2 * i - 5, 12));
                assert!(taps.weights.iter().eq(taps.weights.iter().rev()));
            }
        }
    }
}
