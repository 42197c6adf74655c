//! The preview renderer from outside: its pictures against those of the reference renderer, its
//! refusals, its sameness everywhere, and files that mean harm.
//!
//! The reference's models and pictures are not part of this repository. They are read from
//! `../shared/render` beside the checkout, or from `$GEN404_SHARED/render`; where there are none, the
//! tests that need them say so and check nothing. `fixtures/` has smaller ones of our own with the
//! reference's pictures, and the other tests make their models.

#![allow(
    unreachable_pub,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests may fail loudly, and their numbers are small"
)]

#[allow(dead_code, reason = "shared with the program's tests")]
mod bombs;
mod costs;
mod fixtures;
mod golden;
mod hostile;
mod metrics;
#[allow(dead_code, reason = "shared with the program's tests")]
mod models;
mod python;
mod reference;
mod sameness;
