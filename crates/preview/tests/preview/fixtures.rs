//! The models of `fixtures/`, made for these tests: near the reference's own pictures, refused where it
//! refuses, and the same bytes on every machine.
//!
//! `fixtures/make.py` makes all but `fixtures/sums.txt`, the sums of this program's pictures. A change
//! there is a change of every preview that was ever published. Where it is meant:
//!
//! ```text
//! cd crates/preview/tests/preview/fixtures
//! gen404 render models/*.glb -o /tmp/previews && (cd /tmp/previews && sha256sum *.png) >sums.txt
//! ```

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use gen404_preview::{self as preview, Options};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::metrics::{foreground_psnr, read_png, ssim, views};

/// Least similarity and foreground ratio (dB) of any view.
const WORST: (f64, f64) = (0.99, 35.0);

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/preview/fixtures").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn manifest() -> Value {
    serde_json::from_slice(&read("manifest.json")).unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

/// What a model's picture is like: worst similarity, worst ratio, and the sum as `sha256sum` prints it.
fn drawn(name: &str) -> (f64, f64, String) {
    let options = Options { threads: NonZeroUsize::MIN, ..Options::default() };
    let preview = preview::render(&read(&format!("models/{name}.glb")), &options)
        .unwrap_or_else(|refusal| panic!("{name} is refused: {refusal}"));
    let (edge, golden) = read_png(&read(&format!("golden/{name}.png")));
    assert_eq!(edge, preview.edge(), "{name}");
    let pairs = views(preview.rgb(), edge).into_iter().zip(views(&golden, edge));
    let worst = pairs.fold((1.0_f64, 99.0_f64), |worst, (mine, theirs)| {
        (worst.0.min(ssim(&mine, &theirs)), worst.1.min(foreground_psnr(&mine, &theirs)))
    });
    let sum: String = Sha256::digest(preview.png()).iter().map(|byte| format!("{byte:02x}")).collect();
    (worst.0, worst.1, format!("{sum}  {name}.png"))
}

#[test]
fn fixtures_are_drawn_as_by_the_reference_and_to_the_byte_as_written_down() {
    let manifest = manifest();
    let mut names = names(&manifest["models"]);
    names.sort_unstable();
    assert!(names.len() >= 12);
    let pictures: Vec<_> = names.par_iter().map(|name| drawn(name)).collect();
    let mut far = Vec::new();
    for (name, (similar, ratio, _)) in names.iter().zip(&pictures) {
        println!("{name:<26} {similar:>9.5} {ratio:>8.2}");
        if *similar < WORST.0 || *ratio < WORST.1 {
            far.push(format!("{name} {similar:.5} {ratio:.2} dB"));
        }
    }
    assert!(far.is_empty(), "too far from the reference: {far:?}");
    let found: Vec<&str> = pictures.iter().map(|picture| picture.2.as_str()).collect();
    let written = String::from_utf8(read("sums.txt")).unwrap();
    assert_eq!(found, written.lines().collect::<Vec<_>>());
}

#[test]
fn fixtures_that_the_reference_refuses_are_refused_for_their_reason() {
    let manifest = manifest();
    let rejects = &manifest["rejects"];
    assert!(names(rejects).len() >= 8);
    for (name, entry) in names(rejects).into_iter().zip(rejects.as_array().unwrap()) {
        let refusal = preview::render(&read(&format!("rejects/{name}.glb")), &Options::default()).expect_err(name);
        assert_eq!(refusal.code.as_str(), entry["refusal"], "{name}: the reference says {}", entry["text"]);
    }
}

#[test]
fn no_fixture_is_left_out_of_the_manifest() {
    let manifest = manifest();
    for (folder, list) in [("models", "models"), ("golden", "models"), ("rejects", "rejects")] {
        let mut listed: Vec<String> = names(&manifest[list]).into_iter().map(str::to_owned).collect();
        let mut found: Vec<String> = std::fs::read_dir(file(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        listed.sort();
        found.sort();
        assert_eq!(listed, found, "{folder}");
    }
}
