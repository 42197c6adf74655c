//! Structural similarity of two pictures (SSIM; Wang et al., 2004).

/// The side of a window, in pixels.
const WINDOW: usize = 8;

/// SSIM's constants for 8-bit values: (0.01 x 255)^2 and (0.03 x 255)^2.
const C1: f64 = 6.5025;
const C2: f64 = 58.5225;

/// The mean SSIM of two grey pictures of the same `width` in pixels, over windows that do not overlap;
/// 1.0 for equal pictures. `None` if the sizes differ or no window fits.
#[must_use]
pub fn ssim(a: &[u8], b: &[u8], width: usize) -> Option<f64> {
    if a.len() != b.len() || width < WINDOW {
        return None;
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for (rows_a, rows_b) in a.chunks_exact(width * WINDOW).zip(b.chunks_exact(width * WINDOW)) {
        for left in (0..=width - WINDOW).step_by(WINDOW) {
            let window = |rows| window(rows, width, left);
            sum += similarity(&window(rows_a), &window(rows_b));
            count += 1.0;
        }
    }
    (count > 0.0).then_some(sum / count)
}

fn window(rows: &[u8], width: usize, left: usize) -> Vec<f64> {
    let row = |row: &[u8]| row.iter().skip(left).take(WINDOW).map(|value| f64::from(*value)).collect::<Vec<_>>();
    rows.chunks_exact(width).flat_map(row).collect()
}

fn similarity(a: &[f64], b: &[f64]) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "64 pixels")]
    let count = a.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let spread = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| {
        x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / count
    };
    let (var_a, var_b) = (spread(a, mean_a, a, mean_a), spread(b, mean_b, b, mean_b));
    let both = spread(a, mean_a, b, mean_b);
    ((2.0 * mean_a * mean_b + C1) * (2.0 * both + C2))
        / ((mean_a * mean_a + mean_b * mean_b + C1) * (var_a + var_b + C2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_pictures_score_one_and_others_less() {
        let a: Vec<u8> = (0..64 * 64u32).map(|n| (n * 7 % 251) as u8).collect();
        let shifted: Vec<u8> = a.iter().map(|value| value.saturating_add(9)).collect();
        let noise: Vec<u8> = (0..64 * 64u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let of = |b: &[u8]| ssim(&a, b, 64).unwrap();
        assert!((of(&a) - 1.0).abs() < 1e-12);
        assert!(of(&shifted) > 0.9 && of(&noise) < 0.2, "{} {}", of(&shifted), of(&noise));
        assert_eq!(ssim(&a, &a[1..], 64), None);
        assert_eq!(ssim(&[], &[], 64), None);
    }
}
