//! How near two pictures are: structural similarity as scikit-image defines it, and the signal-to-noise
//! ratio of what is not background.

/// Edge of the window that similarity looks at.
const WINDOW: usize = 7;

/// One view of a grid, RGB.
pub struct View {
    pub size: usize,
    pub rgb: Vec<u8>,
}

/// The four views of a grid with a gap of 5 pixels.
pub fn views(grid: &[u8], edge: usize) -> [View; 4] {
    let size = (edge - 5) / 2;
    std::array::from_fn(|i| {
        let (x, y) = (i % 2 * (size + 5), i / 2 * (size + 5));
        let row = |r: usize| &grid[((y + r) * edge + x) * 3..((y + r) * edge + x + size) * 3];
        View { size, rgb: (0..size).flat_map(|r| row(r).to_vec()).collect() }
    })
}

/// Mean structural similarity over the channels: a 7x7 window of equal weights, sample covariance,
/// data range 255, without the border that the window does not fill.
pub fn ssim(a: &View, b: &View) -> f64 {
    let channel = |c: usize| {
        let pick = |v: &View| -> Vec<f64> { v.rgb.iter().skip(c).step_by(3).map(|x| f64::from(*x)).collect() };
        channel_ssim(&pick(a), &pick(b), a.size)
    };
    (channel(0) + channel(1) + channel(2)) / 3.0
}

fn channel_ssim(a: &[f64], b: &[f64], size: usize) -> f64 {
    let product = |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
    let sums = [a.to_vec(), b.to_vec(), product(a, a), product(b, b), product(a, b)].map(|v| window_sums(&v, size));
    let count = (WINDOW * WINDOW) as f64;
    let (c1, c2) = ((0.01 * 255.0_f64).powi(2), (0.03 * 255.0_f64).powi(2));
    let total: f64 = (0..sums[0].len())
        .map(|i| {
            let [ux, uy, uxx, uyy, uxy] = [0, 1, 2, 3, 4].map(|k: usize| sums[k][i] / count);
            let norm = count / (count - 1.0);
            let (vx, vy, vxy) = (norm * (uxx - ux * ux), norm * (uyy - uy * uy), norm * (uxy - ux * uy));
            (2.0 * ux * uy + c1) * (2.0 * vxy + c2) / ((ux * ux + uy * uy + c1) * (vx + vy + c2))
        })
        .sum();
    total / sums[0].len() as f64
}

/// The sums over each whole window.
fn window_sums(values: &[f64], size: usize) -> Vec<f64> {
    let across: Vec<f64> =
        values.chunks_exact(size).flat_map(|row| row.windows(WINDOW).map(|w| w.iter().sum())).collect();
    let width = size - WINDOW + 1;
    (0..width * width).map(|i| (0..WINDOW).map(|r| across[i + r * width]).sum()).collect()
}

/// Peak signal-to-noise ratio in dB over the pixels that are not white in both; 99 if they are equal.
pub fn foreground_psnr(a: &View, b: &View) -> f64 {
    let (mut square, mut count) = (0.0, 0_usize);
    for (p, q) in a.rgb.chunks_exact(3).zip(b.rgb.chunks_exact(3)) {
        if p.iter().chain(q).any(|v| *v < 255) {
            square += p.iter().zip(q).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum::<f64>();
            count += 3;
        }
    }
    if square == 0.0 { 99.0 } else { 10.0 * (255.0_f64.powi(2) * count as f64 / square).log10() }
}

/// The middle value.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Reads a PNG: edge and RGB.
pub fn read_png(bytes: &[u8]) -> (usize, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut rgb).unwrap();
    (reader.info().width as usize, rgb)
}

#[test]
fn equal_pictures_are_alike_and_a_shift_is_not() {
    let size = 32;
    let rgb: Vec<u8> = (0..size * size * 3).map(|i| (i / 3 * 5 % 251) as u8).collect();
    let shifted: Vec<u8> = rgb.iter().map(|v| v.wrapping_add(9)).collect();
    let (a, b) = (View { size, rgb: rgb.clone() }, View { size, rgb });
    let c = View { size, rgb: shifted };
    assert!((ssim(&a, &b) - 1.0).abs() < 1e-12);
    assert!(ssim(&a, &c) < 0.99);
    assert!(foreground_psnr(&a, &b) > 98.0 && foreground_psnr(&a, &c) < 30.0);
}
