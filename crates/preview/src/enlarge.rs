//! Enlarging a picture as Pillow does it unless told otherwise: with the bicubic filter, palette indices by the
//! nearest. Colours with an alpha are multiplied with it first, and divided by it afterwards.

use super::lanczos::{START, Taps, clip, taps_of};
use super::picture::{Kind, Picture, Pixels};

/// The picture at `width` x `height` pixels, neither smaller than it is.
pub(crate) fn enlarge(picture: Picture, width: u32, height: u32) -> Picture {
    if (picture.width, picture.height) == (width, height) {
        return picture;
    }
    let old = [picture.width as usize, picture.height as usize];
    let new = [width as usize, height as usize];
    let pixels = match picture.pixels {
        Pixels::Channels(channels, mut data) => {
            // Of four channels the last is taken for an alpha; of CMYK, it is not.
            let alpha = matches!(channels, 2 | 4) && picture.kind != Kind::Inks;
            if alpha {
                data.chunks_exact_mut(channels).for_each(multiply);
            }
            let mut data = cubic(&data, channels, old, new);
            if alpha {
                data.chunks_exact_mut(channels).for_each(divide);
            }
            Pixels::Channels(channels, data)
        }
        Pixels::Palette(data, palette) => Pixels::Palette(nearest(&data, old, new), palette),
        Pixels::Bits => Pixels::Bits,
    };
    Picture { width, height, pixels, ..picture }
}

fn nearest(data: &[u8], old: [usize; 2], new: [usize; 2]) -> Vec<u8> {
    let from = |i: usize, axis: usize| {
        let scale = old[axis] as f64 / new[axis] as f64;
        (((i as f64 + 0.5) * scale) as usize).min(old[axis] - 1)
    };
    let columns: Vec<usize> = (0..new[0]).map(|x| from(x, 0)).collect();
    let mut out = Vec::with_capacity(new[0] * new[1]);
    for y in 0..new[1] {
        let row = data.get(from(y, 1) * old[0]..).unwrap_or_default();
        out.extend(columns.iter().map(|x| row.get(*x).copied().unwrap_or_default()));
    }
    out
}

fn cubic(data: &[u8], channels: usize, old: [usize; 2], new: [usize; 2]) -> Vec<u8> {
    let (across, down) = (taps_of(new[0], old[0], 2.0, bicubic), taps_of(new[1], old[1], 2.0, bicubic));
    let mut wide = Vec::with_capacity(new[0] * old[1] * channels);
    for row in data.chunks_exact(old[0] * channels) {
        for taps in &across {
            wide.extend((0..channels).map(|c| weigh(row, taps, taps.first * channels + c, channels)));
        }
    }
    let line = new[0] * channels;
    let mut out = Vec::with_capacity(line * new[1]);
    for taps in &down {
        out.extend((0..line).map(|x| weigh(&wide, taps, taps.first * line + x, line)));
    }
    out
}

/// The sum of the values from `at` on, `step` apart, by these weights.
fn weigh(data: &[u8], taps: &Taps, at: usize, step: usize) -> u8 {
    let values = data.get(at..).unwrap_or_default().iter().step_by(step);
    clip(values.zip(&taps.weights).fold(START, |sum, (value, weight)| sum + i32::from(*value) * weight))
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn multiply(pixel: &mut [u8]) {
    let Some((alpha, colors)) = pixel.split_last_mut() else { return };
    for color in colors {
        let product = u32::from(*color) * u32::from(*alpha) + 128;
        *color = ((product + (product >> 8)) >> 8) as u8;
    }
}

fn divide(pixel: &mut [u8]) {
    let Some((alpha, colors)) = pixel.split_last_mut() else { return };
    if !matches!(*alpha, 0 | 255) {
        for color in colors {
            *color = (255 * u32::from(*color) / u32::from(*alpha)).min(255) as u8;
        }
    }
}
