//! The black-box tests: one module a topic, all in one binary so that they link once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at surprises")]
#![allow(unreachable_pub, reason = "nothing outside this binary reaches anything")]

mod advance;
mod answers;
mod audit;
mod audit_runs;
mod audit_support;
mod benches;
#[path = "../../crates/preview/tests/preview/bombs.rs"]
#[allow(dead_code, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shared with other tests")]
mod bombs;
mod buckets;
mod builds;
mod cdn;
mod certainty;
mod chain_encodings;
mod chain_faults;
mod chain_properties;
mod chain_support;
mod chain_vectors;
mod chains;
mod check;
mod checkouts;
mod ci_server;
mod clones;
mod cloud;
mod commands;
mod completing;
mod continues;
mod copies;
mod days;
mod distance;
mod docker_pods;
mod docs;
mod doctor;
mod download;
mod drawing;
mod dry_runs;
mod duels;
mod echoes;
mod evidence;
mod examples;
mod faults;
mod files;
mod finalize;
mod floors;
mod followed;
mod formats;
mod gallery;
mod hostile;
mod hostile_cdns;
#[cfg(unix)]
mod hostile_files;
mod hostile_git;
mod http;
mod in_force;
mod interrupted;
mod json;
mod judge_server;
mod judged_again;
mod judged_in_stages;
mod leases;
mod lies;
mod listed;
#[path = "../../crates/preview/tests/preview/models.rs"]
#[allow(dead_code, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shared with other tests")]
mod models;
mod modules;
mod notify;
mod odd_history;
mod opening;
mod other_formats;
mod output;
mod outside_texts;
#[cfg(unix)]
mod own_faults;
mod owners;
mod pages;
mod pods;
mod program;
mod public_network;
mod public_page;
mod push;
mod python_json;
mod python_random;
mod real_rounds;
mod receipts;
mod receiver;
mod render;
#[allow(clippy::cast_possible_truncation, clippy::print_stdout, reason = "a table of what each model takes")]
mod render_bounds;
mod render_service;
mod replaced;
mod report;
mod report_browser;
mod round;
mod rules;
mod runs;
mod sandbox;
mod sandbox_modules;
mod signatures;
mod signers;
mod snapshots;
mod splat_rounds;
mod stages;
mod stranger;
mod support;
mod threejs_lies;
mod waits;
mod watching;
mod withheld;
