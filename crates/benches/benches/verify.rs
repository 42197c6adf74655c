//! `verify` on the real rounds where they are, else on the example: files, and whole history.
//!
//! `cargo build --release`, then `cargo bench -p gen404-benches --bench verify`.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::{Criterion, criterion_group, criterion_main};
use gen404::model::snapshot::Snapshot;
use gen404::model::store::Store;
use gen404::rules::checks::{VerifyFacts, run};
use gen404::world::git::Git;

#[path = "../../../examples/make_competition.rs"]
#[allow(dead_code, reason = "its main is for cargo run")]
mod make_competition;

fn competition() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/competition/rounds-0-2.bundle");
    let clone = || Command::new("git").args(["clone", "-q", "-b", "main"]).arg(&bundle).arg(folder.path()).status();
    if !(bundle.exists() && clone().is_ok_and(|status| status.success())) {
        make_competition::make(folder.path(), true);
    }
    folder
}

fn bench(criterion: &mut Criterion) {
    let folder = competition();
    let store = Store::open(folder.path()).unwrap();
    let git = Git::open(folder.path()).unwrap().unwrap();
    criterion.bench_function("load every file", |bencher| bencher.iter(|| Snapshot::load(&store).unwrap()));
    let snapshot = Snapshot::load(&store).unwrap();
    let facts = VerifyFacts::of_files(&snapshot);
    criterion.bench_function("check every file", |bencher| bencher.iter(|| run(&facts).finish()));
    criterion.bench_function("walk the history", |bencher| bencher.iter(|| git.log().unwrap()));
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/gen404");
    let binary = std::env::var_os("GEN404_BIN").map_or(built, PathBuf::from);
    assert!(binary.exists(), "{}: run `cargo build --release`, or name a program by GEN404_BIN", binary.display());
    for flags in [&["verify"][..], &["verify", "--history"]] {
        criterion.bench_function(&format!("whole process: {}", flags.join(" ")), |bencher| {
            bencher.iter(|| Command::new(&binary).arg("--repo").arg(folder.path()).args(flags).output().unwrap());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = bench
}
criterion_main!(benches);
