//! Any bytes as a model: drawn or refused, never a panic, soon and in little memory.
//!
//! `scripts/fuzz` runs it.

#![no_main]

use std::num::NonZeroUsize;

use gen404_preview::{Options, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = Options { size: 16, threads: NonZeroUsize::MIN };
    let _ = render(bytes, &options);
});
