//! Models whose pictures are bombs.

use super::glb::{BOTH, FULL, Mesh, render};
use super::harness::too_slow;
use super::pattern::Pattern;
use super::pictures::{chunk, jpeg, jpeg_of_scans, png, png_head, png_interlaced, png_with, riff, webp};

/// A model with these pictures.
#[track_caller]
fn shown(what: &str, pictures: Vec<Pattern>) {
    render(what, &Mesh::of(&FULL, &BOTH, 1).textured(pictures).glb());
}

#[test]
fn pictures_that_claim_much_and_hold_nothing() {
    for edge in [8_000, 16_384, 65_535, u32::MAX >> 1] {
        for color in [0, 2, 3, 4, 6] {
            let empty = png_head(edge, edge, 8, color, false).join(chunk("IDAT", &Pattern::of([0x78, 1, 3, 0])));
            shown(&format!("a PNG that claims {edge} squared in colour type {color}"), vec![empty]);
        }
    }
    shown("a PNG of 16,384 in 16 bits that holds nothing", vec![png_head(16_384, 16_384, 16, 6, true)]);
    let cut = |picture: Pattern| Pattern::of(&picture.bytes()[..60.min(usize::try_from(picture.len()).unwrap())]);
    for edge in [8_000, 16_384, 65_500] {
        let head = Pattern::of(&jpeg(edge, edge).bytes()[..150]);
        shown(&format!("a JPEG that claims {edge} squared"), vec![head]);
    }
    shown("a WebP that is cut short", vec![cut(webp(16_384, 16_384))]);
}

#[test]
fn png_bombs() {
    if too_slow("png bombs") {
        return;
    }
    for (edge, color) in [(4_096, 6), (8_192, 2), (13_000, 6), (16_384, 0), (16_384, 6)] {
        shown(&format!("a black PNG of {edge} squared in colour type {color}"), vec![png(edge, edge, color)]);
    }
    shown("a PNG of 16,384 in 16 bits", vec![png_with(16_384, 16_384, 16, 2, &Pattern::default())]);
    shown("a PNG of 8,192 in single bits", vec![png_with(8_192, 8_192, 1, 0, &Pattern::default())]);
    shown("an interlaced PNG of 12,000", vec![png_interlaced(12_000, 12_000, 6)]);
    shown("a PNG one pixel high", vec![png(16_384, 1, 6), png(1, 16_384, 6)]);
}

#[test]
fn webp_bombs_of_forty_bytes() {
    if too_slow("webp bombs of forty bytes") {
        return;
    }
    for edge in [8_192, 16_384] {
        shown(&format!("a WebP of {edge} squared in 40 bytes"), vec![webp(edge, edge)]);
    }
    let canvas = Pattern::of([0x10, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    shown("a WebP of a canvas of 16 million squared", vec![riff(&[("VP8X", canvas)])]);
    let frame = [&[0x30, 1, 0, 0x9d, 1, 0x2a, 0xff, 0x3f, 0xff, 0x3f][..], &[0; 400]].concat();
    shown("a WebP key frame of 16,383 that holds nothing", vec![riff(&[("VP8 ", Pattern::of(frame))])]);
}

#[test]
fn jpeg_bombs() {
    if too_slow("jpeg bombs") {
        return;
    }
    shown("a grey JPEG of 16,384", vec![jpeg(16_384, 16_384)]);
    for (edge, scans) in [(2_048, 2_000), (8_192, 5_000), (16_384, 20_000)] {
        let picture = jpeg_of_scans(edge, edge, scans);
        shown(&format!("a JPEG of {edge} squared in {scans} scans"), vec![picture]);
    }
}

#[test]
fn the_largest_picture_in_one_place() {
    if too_slow("the largest picture in one place") {
        return;
    }
    // As many pixels as a picture may have, of one byte, three, four; with little else to hold.
    let edge = 13_370;
    let pictures = [0, 2, 3, 4, 6]
        .map(|color| (format!("a PNG in colour type {color}"), png(u32::from(edge), u32::from(edge), color)));
    let others = [("a JPEG".to_owned(), jpeg(edge, edge)), ("a WebP".to_owned(), webp(edge.into(), edge.into()))];
    for (what, picture) in pictures.into_iter().chain(others) {
        render(&format!("{what} of {edge} squared"), &Mesh::of(&FULL, &BOTH, 1).painted(picture).glb());
    }
    let scans = jpeg_of_scans(edge, edge, 3_000);
    render("a JPEG of 13,370 squared in 3,000 scans", &Mesh::of(&FULL, &BOTH, 1).painted(scans).glb());
    for (what, picture) in [
        ("16 bits", png_with(9_000, 9_000, 16, 6, &Pattern::default())),
        ("rows woven", png_interlaced(13_000, 13_000, 2)),
    ] {
        render(&format!("a large PNG with {what}"), &Mesh::of(&FULL, &BOTH, 1).painted(picture).glb());
    }
}

#[test]
fn five_pictures_at_once() {
    if too_slow("five pictures at once") {
        return;
    }
    for edge in [4_096, 8_192, 16_384] {
        shown(&format!("five PNGs of {edge} squared"), (0..5).map(|_| png(edge, edge, 6)).collect());
    }
    shown("five WebPs of 8,192", (0..5).map(|_| webp(8_192, 8_192)).collect());
    shown("two hundred PNGs that nothing shows", (0..200).map(|_| png(4_096, 4_096, 6)).collect());
}

#[test]
fn bombs_beside_the_picture() {
    if too_slow("bombs beside the picture") {
        return;
    }
    let gigabyte = super::bits::zlib(&Pattern::default().times([0], 1 << 30));
    let text = chunk("zTXt", &Pattern::of("Comment\0\0").join(gigabyte.clone()));
    shown("a PNG with a comment of 1 GiB", vec![png_with(16, 16, 8, 6, &text)]);
    let international = chunk("iTXt", &Pattern::of("Comment\0\x01\0\0\0").join(gigabyte.clone()));
    shown("a PNG with a text of 1 GiB", vec![png_with(16, 16, 8, 6, &international)]);
    let profile = chunk("iCCP", &Pattern::of("p\0\0").join(gigabyte));
    shown("a PNG with a profile of 1 GiB", vec![png_with(16, 16, 8, 6, &profile)]);
    let texts = chunk("tEXt", &Pattern::of("a\0b"));
    let many = Pattern::default().times(texts.bytes(), 8_000_000);
    shown("a PNG with 8 million comments", vec![png_with(16, 16, 8, 6, &many)]);
    let empty = chunk("IDAT", &Pattern::default());
    let parts = Pattern::default().times(empty.bytes(), 10_000_000);
    shown("a PNG in 10 million empty parts", vec![png_with(16, 16, 8, 6, &parts)]);
    let more = super::bits::zlib(&Pattern::default().times([0], 2 << 30));
    let picture = png_head(16, 16, 8, 6, false).join(chunk("IDAT", &more)).join(chunk("IEND", &Pattern::default()));
    shown("a PNG of 16 pixels with 2 GiB of rows", vec![picture]);
}
