//! Nodes and gateways that have lost what is asked for, or give it without end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gen404::world::chain::stand_in::Server;
use serde_json::{Value, json};

use super::harness::{Outcome, World, check};
use super::servers::hostile_bodies;
use crate::chain_faults::{faulty, node, one_key_a_page};
use crate::chain_support::{Competition, Fake, Reply};
use crate::support::few;

/// `reveal-seed` against these endpoints.
fn revealed(what: &str, flags: &[&str]) -> Outcome {
    let world = World::bare();
    world.take(Competition::open(1, 40).folder);
    let settings = world.settings("[chain]\nattempts = 2\ntimeout_seconds = 5\n");
    let args = [&["reveal-seed", "--seed-source", "block", "--config", &settings][..], flags].concat();
    let outcome = world.attack(what, &args).run();
    world.unharmed(what);
    check(outcome.said().len() < 60_000, || format!("{what}: {:.4000}", outcome.said()));
    outcome
}

/// A node whose state is gone, which it says so.
fn pruned(status: u16, code: i64, message: &str, data: &Value) -> Fake {
    let said = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message, "data": data}});
    let said = said.to_string().into_bytes();
    faulty(
        move |_, method, answer| {
            if method.starts_with("state_") { Reply::Status(status, "", said.clone()) } else { Reply::Body(answer) }
        },
    )
}

#[test]
fn nodes_without_the_state() {
    let archive = Server::start(node()).unwrap();
    for (status, code, message, data) in few(
        3,
        [
            (200, 4003, "Client error: UnknownBlock: State already discarded for 0x12", json!(null)),
            (200, -32000, "State discarded", json!(null)),
            (200, -32603, "Internal error: state already discarded", json!(null)),
            (200, -32000, "Client error", json!("State already discarded \u{1b}[31m\u{202e}")),
            (200, -32000, "Server error", json!({"reason": "State already discarded"})),
            (200, -32603, "Server error", json!([1, {"cause": ["State already discarded for 0x12"]}])),
            (503, -32005, "busy", json!({"retry_after": 30, "message": "state discarded"})),
            (429, -32005, "STATE ALREADY DISCARDED", json!({"retry_after": 30})),
            (500, 1, "State already discarded", json!(null)),
        ],
    ) {
        let node = pruned(status, code, message, &data);
        let (url, case) = (node.url(), format!("{status} {code} {message}"));
        let alone = revealed(&format!("{case}, alone"), &["--network", &url]).ends(&[4]);
        alone.says(&["older than the node's state", "name an archive node with --archive"]);
        let helped = revealed(&format!("{case}, with an archive"), &["--network", &url, "--archive", &archive.url()]);
        helped.ends(&[0, 1, 3]);
    }
    let gone = pruned(200, 4003, "State already discarded", &json!(null));
    let other = pruned(200, 4003, "State already discarded", &json!(null));
    let flags = ["--network", &gone.url(), "--archive", &other.url()];
    revealed("an archive that is none", &flags).ends(&[4]).says(&[&format!("{} is not an archive node", other.url())]);
    for (what, body) in few(3, hostile_bodies()) {
        for status in [200, 403, 502] {
            let body = body.clone();
            let archive = Fake::start(move |_, _, _| Reply::Status(status, "Retry-After: 0\r\n", body.clone()));
            let flags = ["--network", &gone.url(), "--archive", &archive.url()];
            let outcome = revealed(&format!("an archive that answers {what} under {status}"), &flags).ends(&[4]);
            outcome.says(&[&format!("the archive node {} failed", archive.url())]);
        }
    }
}

#[test]
fn nodes_whose_keys_do_not_end() {
    let (node, asked) = one_key_a_page(1500, Duration::ZERO);
    let outcome = revealed("a node with a key a page", &["--network", &node.url()]).ends(&[4]);
    outcome.says(&["state_getKeysPaged", "1000 pages of keys", "and no end", "[chain] keys_a_page"]);
    check(asked.load(Ordering::SeqCst) == 1000, || format!("asked {asked:?} times"));
    let (node, _) = one_key_a_page(200, Duration::ZERO);
    revealed("a node with a key a page, and an end", &["--network", &node.url()]).ends(&[0, 1, 3]);
}
