//! Stage 3's gate: are both models pale and grey?

pub use crate::model::threejs::answers::GrayMeasure;
use crate::rules::threejs::thresholds::DEPLOYED;

/// The grey that the views of stage 3 are drawn on.
const BACKGROUND: u8 = 128;

/// Every so many pixels of every so many rows are looked at.
const STEP: usize = 4;

/// The pixels of a picture that are looked at: every fourth of every fourth row, from the first. `rgb` are rows of
/// `width` pixels, three bytes each.
pub fn sampled(width: usize, rgb: &[u8]) -> impl Iterator<Item = [u8; 3]> {
    let rows = rgb.as_chunks::<3>().0.chunks(width.max(1));
    rows.step_by(STEP).flat_map(|row| row.iter().step_by(STEP).copied())
}

impl GrayMeasure {
    /// Counts these pixels.
    #[must_use]
    pub fn of(pixels: impl Iterator<Item = [u8; 3]>) -> GrayMeasure {
        let mut counted = GrayMeasure::default();
        for pixel in pixels.filter(|pixel| !is_background(*pixel)) {
            let (saturation, luma) = (saturation(pixel), luma(pixel));
            let (bright, dull) = DEPLOYED.pale;
            counted.foreground += 1;
            counted.pale += u64::from(luma > bright && saturation < dull);
            counted.grayish += u64::from(saturation < DEPLOYED.grayish_saturation);
        }
        counted
    }

    /// Does stage 3 compare the models?
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts of pixels")]
    pub fn fires(self) -> bool {
        let part = |count: u64| count as f64 / self.foreground.max(1) as f64;
        part(self.pale) >= DEPLOYED.pale_part && part(self.grayish) >= DEPLOYED.grayish_part
    }
}

fn is_background(pixel: [u8; 3]) -> bool {
    pixel.iter().all(|channel| channel.abs_diff(BACKGROUND) <= DEPLOYED.background)
}

/// 0 for black.
fn saturation(pixel: [u8; 3]) -> f64 {
    let [most, least] = [pixel.iter().max(), pixel.iter().min()].map(|channel| f64::from(*channel.unwrap_or(&0)));
    if most > 0.0 { (most - least) / most } else { 0.0 }
}

fn luma([red, green, blue]: [u8; 3]) -> f64 {
    0.2126 * f64::from(red) + 0.7152 * f64::from(green) + 0.0722 * f64::from(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fourth_pixel_of_every_fourth_row_is_looked_at() {
        let rgb: Vec<u8> = (0..6 * 5).flat_map(|at| [at, 0, 0]).collect();
        let reds: Vec<u8> = sampled(6, &rgb).map(|pixel| pixel[0]).collect();
        assert_eq!(reds, [0, 4, 24, 28]);
        assert_eq!(sampled(0, &[]).count(), 0);
    }

    #[test]
    fn pixels_are_counted_at_their_limits() {
        let count = |pixel| GrayMeasure::of([pixel].into_iter());
        let counts = |pixel| {
            let GrayMeasure { foreground, pale, grayish } = count(pixel);
            (foreground, pale, grayish)
        };
        assert_eq!(counts([110, 128, 146]), (0, 0, 0), "background");
        assert_eq!(counts([109, 128, 146]), (1, 0, 1), "saturation 37 / 146 is below 0.28");
        assert_eq!(counts([175, 175, 175]), (1, 0, 1), "not brighter than 175");
        assert_eq!(counts([176, 176, 176]), (1, 1, 1));
        assert_eq!(counts([200, 200, 130]), (1, 0, 0), "exactly 0.35");
        assert_eq!(counts([200, 200, 144]), (1, 1, 0), "exactly 0.28");
        assert_eq!(counts([0, 0, 0]), (1, 0, 1), "black");
    }

    #[test]
    fn the_gate_wants_both_parts_of_the_foreground() {
        let fires = |foreground, pale, grayish| GrayMeasure { foreground, pale, grayish }.fires();
        assert!(fires(10, 1, 6) && !fires(100, 9, 100) && !fires(100, 50, 59));
        assert!(!fires(0, 0, 0));
    }
}
