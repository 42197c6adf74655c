//! The two colour curves, as tables: sRGB bytes to linear light, and linear light to output bytes.

/// Output is light to the power 1/2.2, not the sRGB curve, as in the reference renderer.
const GAMMA: f64 = 2.2;
/// The bits of a 32-bit float that pick a bucket: sign, exponent, seven bits of fraction.
const SHIFT: u32 = 16;
/// More than the buckets up to light 1: a power of two, so that no bound needs a check.
const BUCKETS: usize = 1 << 14;

/// Both curves. Made once a picture; its numbers come from portable functions alone.
#[derive(Debug)]
pub(crate) struct Tone {
    linear: [f32; 256],
    /// The least light that gives each output byte.
    thresholds: [f32; 257],
    /// The output byte of the least light of each bucket, from light 0 to 1.
    buckets: Box<[u8; BUCKETS]>,
}

impl Tone {
    pub(crate) fn new() -> Self {
        let mut thresholds = [0.0; 257];
        for (i, light) in thresholds.iter_mut().enumerate().skip(1) {
            *light = libm::pow((i as f64 - 0.5) / 255.0, GAMMA) as f32;
        }
        thresholds[256] = f32::INFINITY;
        let linear = std::array::from_fn(|i| {
            let x = i as f64 / 255.0;
            let y = if x < 0.04045 { x / 12.92 } else { libm::pow((x + 0.055) / 1.055, 2.4) };
            y as f32
        });
        let mut level = 0_usize;
        let mut buckets = Box::new([0; BUCKETS]);
        for (least, bucket) in (0..=1.0_f32.to_bits() >> SHIFT).zip(buckets.iter_mut()) {
            while f32::from_bits(least << SHIFT) >= thresholds[level + 1] {
                level += 1;
            }
            *bucket = level as u8;
        }
        Self { linear, thresholds, buckets }
    }

    /// An sRGB byte as linear light.
    #[inline(always)]
    pub(crate) fn linear(&self, byte: u8) -> f32 {
        self.linear[usize::from(byte)]
    }

    /// Linear light as an output byte, rounded to nearest; NaN gives 0.
    #[inline(always)]
    pub(crate) fn encode(&self, light: f32) -> u8 {
        let light = if light > 0.0 { light } else { 0.0 };
        let light = if light < 1.0 { light } else { 1.0 };
        let level = self.buckets[(light.to_bits() >> SHIFT) as usize % BUCKETS];
        // Buckets are narrower than levels: none holds more than one threshold.
        level + u8::from(light >= self.thresholds[usize::from(level) + 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_matches_the_formula() {
        let tone = Tone::new();
        for i in 0..=100_000_u32 {
            let light = i as f32 / 100_000.0;
            let exact = 255.0 * libm::pow(f64::from(light), 1.0 / 2.2);
            assert!((f64::from(tone.encode(light)) - exact).abs() < 0.500_1, "{light}");
        }
        for bucket in 0..1.0_f32.to_bits() >> SHIFT {
            let last = f32::from_bits(((bucket + 1) << SHIFT) - 1);
            let inside = tone.thresholds.iter().filter(|t| **t > f32::from_bits(bucket << SHIFT) && **t <= last);
            assert!(inside.count() <= 1, "{last}");
        }
        assert_eq!([f32::NAN, -1.0, 0.0, 1.0, 2.0, f32::INFINITY].map(|x| tone.encode(x)), [0, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn decoding_is_srgb() {
        let tone = Tone::new();
        assert_eq!((tone.linear(0), tone.linear(255)), (0.0, 1.0));
        assert!((tone.linear(128) - 0.215_86).abs() < 1e-5);
    }
}
