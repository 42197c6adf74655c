//! A distance of plain pixels, for sandboxes and tests. It involves no model: a rotated or shifted object is
//! far from itself. Used only if settings or flags name it.

use std::collections::HashMap;

use super::rgb::{PictureError, Rgb, decode};
use super::{Distance, NotMeasured, Picture};

/// Cells per side that a picture is averaged to: coarse enough to remove noise.
const CELLS: usize = 32;

/// Added to the denominator, so that two blank pictures are not compared by their noise alone: the square of
/// two steps of 8-bit colour.
const FLOOR: f64 = (2.0 / 255.0) * (2.0 / 255.0);

/// Compares pictures averaged to 32 x 32 cells by how far each cell is from white: with these values as `a` and
/// `b`, `2 sum (a - b)^2 / sum (a^2 + b^2)`. It is 0 for equal pictures and 2 for pictures that share no dark
/// cell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pixels;

impl Distance for Pixels {
    fn name(&self) -> &'static str {
        "pixels"
    }

    fn measure(&self, pairs: &[(Picture<'_>, Picture<'_>)]) -> Vec<Result<f64, NotMeasured>> {
        let mut known: HashMap<&[u8], Result<Vec<f64>, PictureError>> = HashMap::new();
        for picture in pairs.iter().flat_map(|(a, b)| [a, b]) {
            known.entry(picture.png).or_insert_with(|| decode(picture.png).map(|rgb| ink(&rgb)));
        }
        let of = |picture: &Picture<'_>| match known.get(picture.png) {
            Some(Ok(ink)) => Ok(ink.as_slice()),
            Some(Err(why)) => Err(picture.fault(why)),
            None => Err(picture.fault("not looked at")),
        };
        pairs.iter().map(|(a, b)| Ok(apart(of(a)?, of(b)?))).collect()
    }
}

/// How far each cell and channel is from white, 0 to 1.
fn ink(rgb: &Rgb) -> Vec<f64> {
    let mut ink = Vec::with_capacity(3 * CELLS * CELLS);
    for row in 0..CELLS {
        let rows = span(row, rgb.height);
        for column in 0..CELLS {
            let columns = span(column, rgb.width);
            let mut sums = [0_u64; 3];
            for y in rows.clone() {
                let line = rgb.bytes.get(3 * (y * rgb.width + columns.start)..3 * (y * rgb.width + columns.end));
                for pixel in line.unwrap_or_default().as_chunks::<3>().0 {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += u64::from(*value);
                    }
                }
            }
            let pixels = (rows.len() * columns.len()) as f64;
            ink.extend(sums.map(|sum| 1.0 - sum as f64 / (255.0 * pixels)));
        }
    }
    ink
}

/// The pixels of a cell, at least one.
fn span(cell: usize, pixels: usize) -> std::ops::Range<usize> {
    let start = cell * pixels / CELLS;
    start..((cell + 1) * pixels / CELLS).max(start + 1)
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    let (mut different, mut all) = (0.0, FLOOR * a.len() as f64);
    for (a, b) in a.iter().zip(b) {
        different += (a - b) * (a - b);
        all += a * a + b * b;
    }
    2.0 * different / all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 200 x 200: the colour that `paint` gives at each place, from 0 to 1.
    fn picture(paint: impl Fn(f64, f64) -> [u8; 3]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, 200, 200);
        encoder.set_color(png::ColorType::Rgb);
        let at = |n: u32| f64::from(n) / 200.0;
        let data: Vec<u8> =
            (0..200).flat_map(|y| (0..200).map(move |x| (x, y))).flat_map(|(x, y)| paint(at(x), at(y))).collect();
        encoder.write_header().unwrap().write_image_data(&data).unwrap();
        out
    }

    fn disc(x: f64, y: f64) -> [u8; 3] {
        if (x - 0.5).hypot(y - 0.5) < 0.3 { [180, 60, 40] } else { [255; 3] }
    }

    fn measured(a: &[u8], b: &[u8]) -> Result<f64, NotMeasured> {
        let of = |png| Picture { url: "x", png };
        Pixels.measure(&[(of(a), of(b))]).remove(0)
    }

    #[test]
    fn equal_is_0_noise_is_little_and_other_objects_are_far() {
        let one = picture(disc);
        let noisy = picture(|x, y| {
            let step = if (x * 7919.0 + y * 104_729.0).sin() > 0.0 { 6 } else { 0 };
            disc(x, y).map(|value| value.saturating_sub(step))
        });
        let bar = picture(|x, y| if (x - 0.5).abs() < 0.1 && (y - 0.5).abs() < 0.4 { [180, 60, 40] } else { [255; 3] });
        let green = picture(|x, y| if disc(x, y) == [255; 3] { [255; 3] } else { [40, 180, 60] });
        let (left, right) =
            (picture(|x, _| [if x < 0.5 { 0 } else { 255 }; 3]), picture(|x, _| [if x < 0.5 { 255 } else { 0 }; 3]));
        let white = picture(|_, _| [255; 3]);
        assert_eq!(measured(&one, &one), Ok(0.0));
        assert_eq!(measured(&white, &white), Ok(0.0));
        let noise = measured(&one, &noisy).unwrap();
        assert!(noise > 0.0 && noise < 0.02, "{noise}");
        for other in [&bar, &green, &white] {
            let far = measured(&one, other).unwrap();
            assert!(far > 0.3 && far <= 2.0, "{far}");
            assert_eq!(measured(other, &one), Ok(far));
        }
        let opposite = measured(&left, &right).unwrap();
        assert!(opposite > 1.9 && opposite <= 2.0, "{opposite}");
    }

    #[test]
    fn a_broken_picture_spoils_its_own_pairs_only() {
        let one = picture(disc);
        let of = |url, png| Picture { url, png };
        let good = of("good", one.as_slice());
        let all = Pixels.measure(&[(good, of("http://x/bad.png", b"GIF89a")), (good, good)]);
        assert!(all[0].as_ref().unwrap_err().0.starts_with("http://x/bad.png: not a readable PNG"), "{all:?}");
        assert_eq!(all[1], Ok(0.0));
        assert_eq!(Pixels.measure(&[]), []);
    }
}
