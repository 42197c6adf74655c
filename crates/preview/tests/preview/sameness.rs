//! The same file gives the same bytes: at any count of threads, in any build, on any machine.

use std::num::NonZeroUsize;

use gen404_preview::{self as preview, DEFAULT_SIZE, Options, Preview};
use sha2::{Digest, Sha256};

use crate::models;

fn draw(glb: &[u8], size: u32, threads: usize) -> Preview {
    let threads = NonZeroUsize::new(threads).unwrap();
    preview::render(glb, &Options { size, threads }).unwrap()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

type Make = fn() -> Vec<u8>;

/// What each model's PNG hashes to at a small size: in debug and release builds, on x86-64 and arm64.
/// A change here is a change of every preview that was ever published, and must be meant.
const SMALL: [(&str, Make, &str); 3] = [
    ("full", models::full, "eeb2630fb064a48a85cb7efdee296c81d1487e6a3e84e62d0593da508f379529"),
    ("glassy", models::glassy, "f79252c4fee7a7f94ba6a2b51bc733b98de5da942f62b138d1b951222883df3f"),
    ("coloured", models::coloured, "e3b3885ce4ccd6ee61f6eae69ce8408d5769b7a6e788c68d754dcbc32daee9f9"),
];

#[test]
fn bytes_are_those_written_down() {
    let found: Vec<(&str, String)> =
        SMALL.iter().map(|(name, model, _)| (*name, hash(&draw(&model(), 128, 2).png()))).collect();
    let expected: Vec<(&str, String)> = SMALL.iter().map(|(name, _, hash)| (*name, (*hash).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn threads_do_not_show() {
    for (name, model, _) in SMALL {
        let glb = model();
        let one = draw(&glb, 160, 1);
        for threads in [2, 8, 13] {
            let many = draw(&glb, 160, threads);
            assert!(one.rgb() == many.rgb() && one.png() == many.png(), "{name} with {threads} threads");
        }
    }
}

#[test]
fn the_grid_has_the_references_layout() {
    let preview = draw(&models::coloured(), DEFAULT_SIZE, 8);
    let edge = preview.edge();
    assert_eq!((edge, preview.rgb().len()), (1041, 1041 * 1041 * 3));
    let pixel = |x: usize, y: usize| preview.rgb()[(y * edge + x) * 3..][..3].to_vec();
    assert_eq!([pixel(517, 0), pixel(523, 0)], [vec![255; 3], vec![255; 3]]);
    for gap in 518..523 {
        assert_eq!([pixel(gap, 100), pixel(100, gap)], [vec![0; 3], vec![0; 3]]);
    }
    for (x, y) in [(259, 259), (782, 259), (259, 782), (782, 782)] {
        assert_ne!(pixel(x, y), [255; 3], "a view's middle shows the model");
    }
    let (width, rgb) = crate::metrics::read_png(&preview.png());
    assert!(width == edge && rgb == preview.rgb());
}
