//! Nodes that fail in every way: retried, asked elsewhere, or named in the error; never believed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::chain_support::{Competition, Fake, Reply, client, quick_client, subtensor};
use crate::snapshots::Transcript;
use gen404::base::error::{Error, Kind};
use gen404::model::ids::{Block, Hotkey};
use gen404::model::reveal::Reveal;
use gen404::world::chain::Chain;
use gen404::world::chain::endpoints::Endpoints;
use gen404::world::chain::stand_in::{Server, StandInNode};
use gen404::world::chain::subtensor::Subtensor;
use gen404::world::http::{Client, HttpLimits, Retry};
use serde_json::{Value, json};

const FIRST_TIME: u64 = 1_700_000_000;

/// A node at block 50 with a few hotkeys' reveals.
pub fn node() -> StandInNode {
    let mut node = StandInNode::new(17, FIRST_TIME, Block(50));
    for n in 0..7 {
        let reveal = Reveal { block: Block(10 + u64::from(n)), raw: format!("text {n}").into_bytes() };
        node.reveals.insert(Hotkey::from_account(&[n; 32]), vec![reveal]);
    }
    node
}

/// A node that answers rightly, but for what `mishap` does to some requests.
pub fn faulty(mishap: impl Fn(usize, &str, Vec<u8>) -> Reply + Send + Sync + 'static) -> Fake {
    let node = node();
    Fake::start(move |number, _, body| {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        mishap(number, request["method"].as_str().unwrap_or_default(), node.answer(body))
    })
}

fn outside(error: &Error, parts: &[&str]) {
    assert_eq!(error.kind(), Kind::Outside, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

/// What becomes of the right answer.
type Fault = fn(Vec<u8>) -> Reply;

/// Each way to fail that may pass by itself, by name.
fn passing_faults() -> Vec<(&'static str, Fault)> {
    let changed_id = |answer: Vec<u8>| {
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["id"] = json!(987_654);
        Reply::Body(answer.to_string().into_bytes())
    };
    vec![
        ("500", |_| Reply::Status(500, "", b"oops".to_vec())),
        ("500 with an error", |_| {
            Reply::Status(500, "", br#"{"id":null,"error":{"code":-1,"message":"oops"}}"#.to_vec())
        }),
        ("503 with a result", |answer| Reply::Status(503, "", answer)),
        ("503", |_| Reply::Status(503, "Retry-After: 0\r\n", Vec::new())),
        ("429", |_| Reply::Status(429, "Retry-After: 0\r\n", Vec::new())),
        ("429 by date", |_| Reply::Status(429, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Vec::new())),
        ("half a JSON", |answer| Reply::Body(answer[..answer.len() / 2].to_vec())),
        ("half a body", Reply::Half),
        ("dropped", |_| Reply::Drop),
        ("silent", |_| Reply::Silent(Duration::from_millis(1500))),
        ("HTML", |_| Reply::Body(b"<html><body>Welcome</body></html>".to_vec())),
        ("empty", |_| Reply::Body(Vec::new())),
        ("not an object", |_| Reply::Body(b"[1,2]".to_vec())),
        ("neither result nor error", |_| Reply::Body(b"{\"jsonrpc\":\"2.0\",\"id\":1}".to_vec())),
        ("another id", changed_id),
        ("busy", |_| rpc_error(-32009, "Server is busy", &json!(null))),
        ("gateway limit", |_| rpc_error(-32005, "storage work rate limit exceeded", &json!({"retry_after_ms": 1}))),
    ]
}

fn rpc_error(code: i64, message: &str, data: &Value) -> Reply {
    let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message, "data": data}});
    Reply::Body(error.to_string().into_bytes())
}

#[test]
fn what_passes_by_itself_is_tried_again() {
    std::thread::scope(|scope| {
        for (name, fault) in passing_faults() {
            scope.spawn(move || {
                // Of the first requests every third is answered, and there are three attempts.
                let fake = faulty(
                    move |number, _, answer| {
                        if number % 3 == 2 || number > 5 { Reply::Body(answer) } else { fault(answer) }
                    },
                );
                let chain = subtensor(&[fake.url()], &[]);
                let reveals = chain.reveals(Block(40)).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(reveals.len(), 7, "{name}");
            });
        }
    });
}

#[test]
fn what_does_not_pass_names_method_and_endpoint() {
    let mut seen = Transcript::new(&[]);
    std::thread::scope(|scope| {
        let told = |(name, fault): (&'static str, Fault)| {
            scope.spawn(move || {
                let fake = faulty(
                    move |_, method, answer| {
                        if method == "state_getKeysPaged" { fault(answer) } else { Reply::Body(answer) }
                    },
                );
                let error = subtensor(&[fake.url()], &[]).reveals(Block(40)).unwrap_err();
                outside(&error, &["state_getKeysPaged", &fake.url(), "3 attempts"]);
                assert!(!error.to_string().contains('\n'), "{name}: {error}");
                (name, error, fake.url())
            })
        };
        let threads: Vec<_> = passing_faults().into_iter().map(told).collect();
        for thread in threads {
            let (name, error, url) = thread.join().unwrap();
            // How a lost connection shows is the system's.
            if !["half a body", "dropped"].contains(&name) {
                seen.hide(&url, "[URL]").error(name, &error);
            }
        }
    });
    seen.holds("chain_faults");
}

#[test]
fn answers_that_cannot_be_helped_are_not_asked_for_again() {
    let mut seen = Transcript::new(&[]);
    for status in [400, 401, 403, 404] {
        let fake = faulty(move |_, _, _| Reply::Status(status, "", b"no key, no data".to_vec()));
        let error = subtensor(&[fake.url()], &[]).finalized_block().unwrap_err();
        outside(&error, &[]);
        seen.hide(&fake.url(), "[URL]").error(&status.to_string(), &error);
        assert_eq!(fake.count(), 1);
    }
    let fake = faulty(|_, _, _| rpc_error(-32601, "RPC call is unsafe to be called externally", &json!(null)));
    let error = subtensor(&[fake.url()], &[]).finalized_block().unwrap_err();
    outside(&error, &[]);
    assert_eq!(fake.count(), 1);
    seen.hide(&fake.url(), "[URL]").error("unsafe", &error).holds("chain_refusals");
}

#[test]
fn another_endpoint_continues_on_the_same_block() {
    let dead = "http://127.0.0.1:9".to_owned();
    let failing = faulty(|number, _, answer| {
        // The first two requests pin the block; then the node is gone.
        if number < 2 { Reply::Body(answer) } else { Reply::Drop }
    });
    let good = faulty(|_, _, answer| Reply::Body(answer));
    let chain = subtensor(&[dead.clone(), failing.url(), good.url()], &[]);
    assert_eq!(chain.finalized_block().unwrap(), Block(50));
    assert_eq!(chain.reveals(Block(50)).unwrap().len(), 7);
    assert!(good.count() >= 2);
    let error = subtensor(&[dead.clone(), "http://127.0.0.1:10".to_owned()], &[]).best_block().unwrap_err();
    outside(&error, &["no endpoint answered", &dead, "127.0.0.1:10"]);
}

#[test]
fn discarded_state_is_read_from_an_archive() {
    let mut pruned = node();
    pruned.keeps_from = Block(45);
    let (pruned, archive) = (Server::start(pruned).unwrap(), Server::start(node()).unwrap());
    let chain = subtensor(&[pruned.url()], &[archive.url()]);
    assert_eq!(chain.reveals(Block(12)).unwrap().len(), 3);
    assert_eq!(chain.block_time(Block(12)).unwrap(), FIRST_TIME + 144);
    let error = subtensor(&[pruned.url()], &[]).reveals(Block(12)).unwrap_err();
    outside(&error, &["State already discarded for"]);
    assert!(error.hints().iter().any(|hint| hint.contains("--archive")), "{:?}", error.hints());
}

#[test]
fn discarded_state_is_known_under_any_code_and_status() {
    let archive = Server::start(node()).unwrap();
    for (status, code, message, data) in [
        (200, 4003, "Client error: UnknownBlock: State already discarded for 0x12", json!(null)),
        (200, -32000, "State discarded", json!(null)),
        (200, -32603, "Internal error: state already discarded", json!(null)),
        (200, -32005, "STATE ALREADY DISCARDED", json!({"retry_after": 30})),
        (200, -32000, "Client error", json!("UnknownBlock: State already discarded for 0x12")),
        (400, 1, "State already discarded", json!(null)),
        (429, -32005, "State already discarded", json!(null)),
        (500, -32603, "State already discarded", json!(null)),
        (503, 0, "the state was pruned", json!(null)),
    ] {
        let said = json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message, "data": data}});
        let said = said.to_string().into_bytes();
        let pruned = faulty(move |_, method, answer| {
            if method.starts_with("state_") { Reply::Status(status, "", said.clone()) } else { Reply::Body(answer) }
        });
        let case = format!("{status} {code} {message}");
        assert_eq!(subtensor(&[pruned.url()], &[archive.url()]).reveals(Block(40)).unwrap().len(), 7, "{case}");
        let before = pruned.count();
        let error = subtensor(&[pruned.url()], &[]).reveals(Block(50)).unwrap_err();
        assert!(error.hints().iter().any(|hint| hint.contains("--archive")), "{case}: {error:?}");
        assert_eq!(pruned.count() - before, 3, "{case}: what is gone is not asked for again");
    }
}

#[test]
fn what_a_gateway_says_beside_its_status_is_told() {
    let mut seen = Transcript::new(&[]);
    for status in [402, 429, 500, 502] {
        let fake =
            faulty(move |_, _, _| Reply::Status(status, "Retry-After: 0\r\n", b"out of \x1b[31m credits".to_vec()));
        let error = subtensor(&[fake.url()], &[]).finalized_block().unwrap_err();
        outside(&error, &[]);
        seen.hide(&fake.url(), "[URL]").error(&status.to_string(), &error);
    }
    seen.holds("chain_gateway_errors");
}

#[test]
fn pages_are_read_until_one_is_empty() {
    for most in 1..4 {
        let short = lying("state_getKeysPaged", move |keys| keys.as_array_mut().unwrap().truncate(most));
        assert_eq!(subtensor(&[short.url()], &[]).reveals(Block(40)).unwrap().len(), 7, "{most} keys a page");
    }
}

/// A gateway that gives one key a page, after this pause; and how often it was asked for one.
pub fn one_key_a_page(hotkeys: u16, pause: Duration) -> (Fake, Arc<AtomicUsize>) {
    let mut node = node();
    for n in 0..hotkeys {
        let [high, low] = n.to_be_bytes();
        let reveal = Reveal { block: Block(10), raw: b"text".to_vec() };
        node.reveals.insert(
            Hotkey::from_account(&[[high, low].as_slice(), &[7; 30]].concat().try_into().unwrap()),
            vec![reveal],
        );
    }
    let (keys, asked) = (OnceLock::<Vec<Value>>::new(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    let fake = Fake::start(move |_, _, body| {
        let mut request: Value = serde_json::from_slice(body).unwrap();
        if request["method"] != "state_getKeysPaged" {
            return Reply::Body(node.answer(body));
        }
        count.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(pause);
        let after = request["params"][2].clone();
        let keys = keys.get_or_init(|| {
            let mut all: Vec<Value> = Vec::new();
            loop {
                request["params"][1] = json!(1000);
                let answer: Value = serde_json::from_slice(&node.answer(request.to_string().as_bytes())).unwrap();
                let page = answer["result"].as_array().unwrap().clone();
                let Some(last) = page.last() else { return all };
                request["params"][2] = last.clone();
                all.extend(page);
            }
        });
        let next = keys.iter().position(|key| *key == after).map_or(0, |at| at + 1);
        let page: Vec<&Value> = keys.get(next).into_iter().collect();
        Reply::Body(json!({"jsonrpc": "2.0", "id": request["id"], "result": page}).to_string().into_bytes())
    });
    (fake, asked)
}

#[test]
fn pages_of_one_key_each_have_a_bound() {
    let (fake, asked) = one_key_a_page(300, Duration::ZERO);
    assert_eq!(subtensor(&[fake.url()], &[]).reveals(Block(40)).unwrap().len(), 307);
    assert_eq!(asked.load(Ordering::SeqCst), 308);
    for keys_a_page in [1, 1000] {
        let (fake, asked) = one_key_a_page(1500, Duration::ZERO);
        let error = subtensor(&[fake.url()], &[]).keys_a_page(keys_a_page).reveals(Block(40)).unwrap_err();
        outside(&error, &["state_getKeysPaged", &fake.url(), "1000 pages of keys in ", "1000 keys in all, and no end"]);
        assert_eq!(asked.load(Ordering::SeqCst), 1000, "{keys_a_page} keys a page");
    }
    // A slow one has a bound in time.
    let (fake, asked) = one_key_a_page(1500, Duration::from_millis(50));
    let chain = subtensor(&[fake.url()], &[]).listing_within(Duration::from_millis(400));
    outside(&chain.reveals(Block(40)).unwrap_err(), &["and no end", "[chain] keys_a_page"]);
    assert!(asked.load(Ordering::SeqCst) < 20);
}

#[test]
fn values_have_a_bound_in_all() {
    let mut node = node();
    for n in 0..200 {
        let reveal = Reveal { block: Block(10), raw: vec![b'x'; 100_000] };
        node.reveals.insert(Hotkey::from_account(&[n; 32]), vec![reveal]);
    }
    let server = Server::start(node).unwrap();
    let client = Client::new(HttpLimits::default(), Retry::ONCE);
    let chain = Subtensor::new(Endpoints::of(&[server.url()], &[]).unwrap(), 17, client);
    outside(&chain.reveals(Block(40)).unwrap_err(), &["state_queryStorageAt", &server.url(), "bytes in all"]);
}

#[test]
fn an_archive_that_fails_is_named() {
    let competition = Competition::open(1, 12);
    competition.write("gen404.toml", "[chain]\nattempts = 1\ntimeout_seconds = 1\n");
    let pruned = || {
        let mut pruned = node();
        pruned.keeps_from = Block(45);
        Server::start(pruned).unwrap()
    };
    let node = pruned();
    let reveal_seed = |archive: &[&str]| {
        let url = node.url();
        let args = [&["reveal-seed", "--network", &url, "--seed-source", "block"][..], archive].concat();
        competition.expect(4, &args).err
    };
    let alone = reveal_seed(&[]);
    assert!(alone.contains("name an archive node with --archive"), "{alone}");
    let hostile = |body: Vec<u8>| Fake::start(move |_, _, _| Reply::Status(502, "", body.clone()));
    let bodies = [
        b"oops".to_vec(),
        vec![b'x'; 3 << 20],
        (0..=255).cycle().take(5000).collect(),
        b"\x1b[31m\x1b]0;x\x07".to_vec(),
    ];
    for body in bodies {
        let archive = hostile(body);
        let url = format!("{}/hunter2-key", archive.url());
        let said = reveal_seed(&["--archive", &url]);
        assert!(said.contains(&format!("the archive node {} failed; name another", archive.url())), "{said}");
        assert!(!said.contains("hunter2") && !said.contains('\x1b') && said.len() < 3000, "{said}");
    }
    let other = pruned();
    let said = reveal_seed(&["--archive", &other.url()]);
    assert!(
        said.contains(&format!("{} is not an archive node: it has discarded the state, too", other.url())),
        "{said}"
    );
}

#[test]
fn a_second_opinion_on_a_block_hash_is_asked_for() {
    let mut other = node();
    other.genesis_time += 1;
    let (one, two) = (Server::start(node()).unwrap(), Server::start(other).unwrap());
    let error = subtensor(&[one.url(), two.url()], &[]).block_hash(Block(30)).unwrap_err();
    outside(&error, &["block 30 has the hash", &two.url()]);
    let twin = Server::start(node()).unwrap();
    assert_eq!(subtensor(&[one.url(), twin.url()], &[]).block_hash(Block(30)).unwrap(), node().hash(Block(30)));
}

#[test]
fn a_known_network_is_known_by_its_first_block() {
    let server = Server::start(node()).unwrap();
    let ask = |genesis| {
        let endpoints = Endpoints { genesis: Some(genesis), ..Endpoints::of(&[server.url()], &[]).unwrap() };
        Subtensor::new(endpoints, 17, quick_client()).finalized_block()
    };
    assert_eq!(ask(node().hash(Block(0))).unwrap(), Block(50));
    outside(&ask(node().hash(Block(1))).unwrap_err(), &["chain_getBlockHash", "another chain"]);
}

/// A gateway that changes the result of one method.
fn lying(method: &'static str, lie: impl Fn(&mut Value) + Send + Sync + 'static) -> Fake {
    faulty(move |_, asked, answer| {
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        if asked == method {
            lie(&mut answer["result"]);
        }
        Reply::Body(answer.to_string().into_bytes())
    })
}

#[test]
fn hostile_gateways_are_not_believed() {
    type Lie = fn(&mut Value);
    let keys: &[(&str, Lie)] = &[
        ("out of order", |keys| {
            let first = keys[0].clone();
            keys.as_array_mut().unwrap().push(first);
        }),
        ("out of order", |keys| keys.as_array_mut().unwrap().reverse()),
        ("bytes", |keys| keys[0] = json!("0x00")),
        ("outside the prefix", |keys| {
            let text = keys[0].as_str().unwrap().replacen("1100", "1200", 1);
            keys[0] = json!(text);
        }),
        ("not that of its account", |keys| {
            let mut text = keys[0].as_str().unwrap().to_owned();
            text.replace_range(70..74, "dead");
            keys[0] = json!(text);
        }),
        ("hex", |keys| keys[0] = json!("0xzz")),
        ("unexpected result", |keys| *keys = json!({"a": 1})),
        ("unexpected result", |keys| keys[0] = json!(7)),
        ("requested", |keys| {
            let key = keys[0].clone();
            *keys = Value::Array(vec![key; 1001]);
        }),
    ];
    let values: &[(&str, Lie)] = &[
        ("not one", |sets| *sets = json!([])),
        ("is missing", |sets| {
            sets[0]["changes"].as_array_mut().unwrap().remove(0);
        }),
        ("twice", |sets| {
            let change = sets[0]["changes"][0].clone();
            sets[0]["changes"].as_array_mut().unwrap().push(change);
        }),
        ("not that was asked", |sets| sets[0]["block"] = json!(format!("0x{}", "11".repeat(32)))),
        ("revealed commitments", |sets| sets[0]["changes"][0][1] = json!("0xfeffffff")),
        ("odd number", |sets| sets[0]["changes"][0][1] = json!("0x0")),
        ("unexpected result", |sets| *sets = json!("0x")),
    ];
    let heads: &[(&str, Lie)] =
        &[("unexpected result", |head| *head = json!("0x12")), ("unexpected result", |head| *head = json!(null))];
    let cases = [("state_getKeysPaged", keys), ("state_queryStorageAt", values), ("chain_getFinalizedHead", heads)];
    let mut seen = Transcript::new(&[]);
    for (method, lies) in cases {
        for (about, lie) in lies {
            let lie = *lie;
            let gateway = lying(method, lie);
            let error = subtensor(&[gateway.url()], &[]).reveals(Block(50)).unwrap_err();
            outside(&error, &[]);
            assert!(error.to_string().len() < 600, "{method} {about}: {error}");
            seen.hide(&gateway.url(), "[URL]").error(&format!("{method}: {about}"), &error);
        }
    }
    seen.holds("chain_lies");
    let gateway = lying("chain_getHeader", |header| header["number"] = json!(50));
    outside(
        &subtensor(&[gateway.url()], &[]).finalized_block().unwrap_err(),
        &["chain_getHeader", "unexpected result"],
    );
    let gateway = lying("chain_getHeader", |header| header["number"] = json!("0x5"));
    let chain = subtensor(&[gateway.url()], &[]);
    outside(&chain.block_hash(Block(3)).unwrap_err(), &["asked for block 3, it named block 5"]);
}

#[test]
fn an_endless_answer_and_an_endless_list_end() {
    let fake = faulty(|_, _, _| Reply::Body(vec![b'['; 40 << 20]));
    // To send so much takes a while on a busy machine.
    let chain = Subtensor::new(Endpoints::of(&[fake.url()], &[]).unwrap(), 17, client(Duration::from_secs(30)));
    outside(&chain.finalized_block().unwrap_err(), &["longer than"]);
}

#[test]
fn a_failing_node_ends_a_command_with_exit_4_and_nothing_written() {
    let competition = Competition::open(1, 40);
    competition.write("gen404.toml", "[chain]\nattempts = 2\ntimeout_seconds = 1\n");
    std::thread::scope(|scope| {
        for (name, fault) in passing_faults() {
            let competition = competition.copy();
            scope.spawn(move || {
                let before = competition.files();
                let fake = faulty(
                    move |_, method, answer| {
                        if method == "state_queryStorageAt" { fault(answer) } else { Reply::Body(answer) }
                    },
                );
                let url = fake.url();
                let run = competition.expect(4, &["reveal-seed", "--network", &url, "--seed-source", "block"]);
                assert!(run.err.contains("state_queryStorageAt") && run.err.contains(&url), "{name}: {}", run.err);
                assert_eq!(run.out, "", "{name}");
                assert_eq!(competition.files(), before, "{name}");
            });
        }
    });
}
