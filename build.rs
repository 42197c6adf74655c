//! Tells the program what it was built from, for `gen404 --version --json`.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=GEN404_COMMIT");
    println!("cargo:rustc-env=GEN404_TARGET={}", std::env::var("TARGET").unwrap_or_default());
    println!("cargo:rustc-env=GEN404_COMMIT={}", commit().unwrap_or_default());
}

/// The commit given by `GEN404_COMMIT`, or the one that is checked out. A development build has none: it would be
/// compiled anew after every commit.
fn commit() -> Option<String> {
    let given = std::env::var("GEN404_COMMIT").ok().filter(|commit| !commit.is_empty());
    if given.is_some() || std::env::var("PROFILE").as_deref() != Ok("release") {
        return given;
    }
    // Only of this repository: a source archive may be unpacked inside another one.
    if !std::path::Path::new(".git").exists() {
        return None;
    }
    println!("cargo:rerun-if-changed={}", git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{commit}-dirty") } else { commit })
}

fn git(args: &[&str]) -> Option<String> {
    let ran = Command::new("git").args(args).output().ok().filter(|ran| ran.status.success())?;
    Some(String::from_utf8(ran.stdout).ok()?.trim().to_owned())
}
