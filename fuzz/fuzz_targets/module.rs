//! Any text as a three.js module: told, never a panic or an overflow of the stack, soon and in little memory.
//!
//! `scripts/fuzz` runs it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // A thread that gave up is a defect, too.
    gen404_module::check(bytes).expect("checked");
});
