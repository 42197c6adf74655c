//! How long a preview takes: `cargo bench -p gen404-benches --bench preview`.
//!
//! Models made here, and the reference's where they are at hand (`../shared/render`, or
//! `$GEN404_SHARED/render`).

#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, reason = "a bench may fail loudly")]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use gen404::preview::{Options, render};

#[path = "../../preview/tests/preview/models.rs"]
#[allow(dead_code, unreachable_pub, clippy::cast_possible_truncation, reason = "shared with the tests")]
mod models;

/// Models of the reference that stand for a kind.
const REFERENCE: [&str; 4] = ["gen_ai_100k", "gen_cube_png", "gen_alpha_cards_mask", "tp_cycloidal"];

fn reference(name: &str) -> Option<Vec<u8>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("GEN404_SHARED").map_or(beside, PathBuf::from);
    std::fs::read(shared.join("render/models").join(name).with_extension("glb")).ok()
}

fn previews(c: &mut Criterion) {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut group = c.benchmark_group("preview");
    group.sample_size(10);
    let mut models = vec![("full", models::full()), ("glassy", models::glassy()), ("coloured", models::coloured())];
    models.extend(REFERENCE.into_iter().filter_map(|name| Some((name, reference(name)?))));
    for (name, glb) in &models {
        for threads in [NonZeroUsize::MIN, cores] {
            let options = Options { threads, ..Options::default() };
            group.bench_function(format!("{name}/{threads}"), |b| b.iter(|| render(glb, &options).unwrap()));
        }
    }
    let preview = render(&models[0].1, &Options::default()).unwrap();
    group.bench_function("png", |b| b.iter(|| preview.png()));
    group.finish();
}

criterion_group!(benches, previews);
criterion_main!(benches);
