//! Any bytes as a model: drawn or refused, never a panic, soon and in little memory.
//!
//! `scripts/fuzz` runs it. The renderer and its JSON reader are compiled in by path: the rest of gen404 is not needed.

#![no_main]

use std::num::NonZeroUsize;

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/preview/mod.rs"]
mod preview;

#[allow(dead_code)]
#[path = "../../src/python_json/mod.rs"]
mod python_json;

fuzz_target!(|bytes: &[u8]| {
    let options = preview::Options { size: 16, threads: NonZeroUsize::MIN };
    let _ = preview::render(bytes, &options);
});
