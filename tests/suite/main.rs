//! The black-box tests: one module a topic, all in one binary so that they link once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at surprises")]
#![allow(unreachable_pub, reason = "nothing outside this binary reaches anything")]

mod advance;
mod audit;
mod audit_runs;
mod audit_support;
mod buckets;
mod builds;
mod cdn;
mod chain_faults;
mod chain_properties;
mod chain_support;
mod chain_vectors;
mod ci_server;
mod cloud;
mod commands;
mod distance;
mod docker_pods;
mod docs;
mod download;
mod duels;
mod examples;
mod files;
mod finalize;
mod floors;
mod hostile;
mod hostile_cdns;
mod http;
mod interrupted;
mod judge_server;
mod lies;
mod listed;
mod opening;
mod pods;
mod program;
mod public_network;
mod push;
mod python_random;
mod real_rounds;
mod render_service;
mod report;
mod report_browser;
mod round;
mod sandbox;
mod support;
