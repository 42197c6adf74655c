//! What a model may cost: dear ones are refused before they are drawn, the dearest that somebody may mean in
//! earnest is drawn, and both within bounds of time and memory.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use gen404::preview::RefusalCode;
use gen404::preview::limits::{MAX_FILE_BYTES, MAX_JSON_VALUES};
use png::{BitDepth, ColorType};

use crate::bombs;
use crate::gallery::harness::{program, too_slow};
use crate::models;
use crate::support::few;

/// All memory that the program may ask for, stacks and shared libraries included.
const MEMORY: &str = "--as=734003200";
/// Seconds of all cores together: ten on two.
const TIME: &str = "--cpu=20";

/// A model, and the code of its refusal if it is not drawn.
struct Case {
    name: String,
    make: Box<dyn Fn() -> Vec<u8>>,
    code: Option<RefusalCode>,
}

fn case(name: impl Into<String>, code: Option<RefusalCode>, make: impl Fn() -> Vec<u8> + 'static) -> Case {
    Case { name: name.into(), make: Box::new(make), code }
}

/// Those that are refused before much is done.
fn refused() -> Vec<Case> {
    let (work, large) = (Some(RefusalCode::DataWork), Some(RefusalCode::DataTooLarge));
    let mut cases = vec![
        case("10,000 copies of a triangle that fills the view", work, || bombs::copies(10_000, 1.0)),
        case("500,000 of them", work, || bombs::copies(500_000, 1.0)),
        case("5 million of them", work, || bombs::copies(5_000_000, 1.0)),
        case("10,000 of them, half transparent", work, || bombs::copies(10_000, 0.5)),
        case("2 million needles", work, || bombs::needles(2_000_000)),
        case("a progressive JPEG of 13,000 pixels a side", work, || {
            bombs::sheet(8, &[models::jpeg(13_000, 13_000, Some(100))])
        }),
        case("200 MB of empty chunks", large, bombs::chunks),
        case("a file of over 200 MiB", large, || vec![0; (MAX_FILE_BYTES + 1) as usize]),
        case("each of a thousand nodes with the same hundred thousand children", large, bombs::nodes),
    ];
    for (key, count, item) in bombs::JSON {
        let name = format!("{count} times {item} in {key}");
        cases.push(case(name, large, move || bombs::json_with(key, &bombs::list(count, item))));
    }
    cases
}

/// Those at the edge of what is drawn.
fn drawn() -> Vec<Case> {
    let four = |picture: Vec<u8>| vec![picture.clone(), picture.clone(), picture.clone(), picture];
    let mut cases = vec![
        case("700 copies of a triangle that fills the view", None, || bombs::copies(700, 1.0)),
        case("600 sheets, each before the last one", None, || bombs::layers(600, 1.0, 0, &[])),
        case("130 sheets, half transparent", None, || bombs::layers(130, 0.5, 0, &[])),
        case("7,000 needles", None, || bombs::needles(7_000)),
        case("5 million triangles in one pixel", None, || bombs::dot(5_000_000, 0.0005)),
        case("5 million small triangles without indices", None, || bombs::soup(5_000_000)),
        case("5 million small triangles with four PNG of 8192 pixels", None, move || {
            bombs::sheet(1581, &four(bombs::png(8192, 8192, ColorType::Rgb, BitDepth::Eight)))
        }),
        case("5 million small triangles with four JPEG of 8192 pixels", None, move || {
            bombs::sheet(1581, &four(models::jpeg(8192, 8192, None)))
        }),
        case("a PNG of 13,000 pixels a side", None, || {
            bombs::sheet(8, &[bombs::png(13_000, 13_000, ColorType::Rgb, BitDepth::Eight)])
        }),
        case("a JPEG of 13,000 pixels a side", None, || bombs::sheet(8, &[models::jpeg(13_000, 13_000, None)])),
        case("a PNG of 16 bits of 8192 pixels a side", None, || {
            bombs::sheet(8, &[bombs::png(8192, 8192, ColorType::Rgba, BitDepth::Sixteen)])
        }),
        case("a progressive JPEG with a hundred scans", None, || {
            bombs::sheet(8, &[models::jpeg(5000, 5000, Some(100))])
        }),
        case("300,000 Huffman tables", None, || bombs::sheet(8, &[models::jpeg_tables(300_000)])),
        case("gigabytes of zeros behind a PNG of one pixel", None, || bombs::sheet(8, &[bombs::png_tail(8 << 10)])),
        case("a number of 15 million digits", None, || {
            bombs::json_with("extras", &format!("1.{}", "7".repeat(15_000_000)))
        }),
    ];
    for (key, _, item) in bombs::JSON.into_iter().filter(|(key, ..)| !matches!(*key, "images" | "accessors")) {
        let marks = 1 + item.matches([',', '[', '{']).count();
        let count = (MAX_JSON_VALUES - 100) / marks;
        let name = format!("{count} times {item} in {key}");
        cases.push(case(name, None, move || bombs::json_with(key, &bombs::list(count, item))));
    }
    cases
}

/// Draws a model as from the command line, within bounds.
fn render(folder: &Path, glb: &[u8]) -> Output {
    let model = folder.join("a.glb");
    std::fs::write(&model, glb).unwrap();
    let mut command = Command::new("prlimit");
    command
        .args([MEMORY, TIME])
        .arg(program())
        .args(["render", "a.glb"])
        .env("RAYON_NUM_THREADS", "2")
        .current_dir(folder);
    command.output().expect("prlimit of util-linux")
}

fn run(cases: &[Case]) {
    let folder = tempfile::tempdir().unwrap();
    for Case { name, make, code } in cases {
        let glb = make();
        let begun = Instant::now();
        let out = render(folder.path(), &glb);
        let said = String::from_utf8_lossy(&out.stderr);
        println!("{:6.2} s  {:4} MB  {name}  {}", begun.elapsed().as_secs_f64(), glb.len() / 1_000_000, said.trim());
        assert_eq!(out.status.code(), Some(i32::from(code.is_some())), "{name}: {said}");
        if let Some(code) = code {
            assert!(said.contains(&format!("({code})")), "{name}: {said}");
        }
    }
}

#[test]
fn dear_models_are_refused_soon() {
    run(&few(3, refused()));
}

#[test]
fn the_dearest_models_are_drawn() {
    if too_slow("the dearest models are drawn") {
        return;
    }
    run(&drawn());
}
