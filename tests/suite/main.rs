//! The black-box tests: one module a topic, all in one binary so that they link once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at surprises")]
#![allow(unreachable_pub, reason = "nothing outside this binary reaches anything")]

mod commands;
mod docs;
mod files;
mod finalize;
mod floors;
mod hostile;
mod interrupted;
mod lies;
mod listed;
mod python_random;
mod real_rounds;
mod support;
