//! Servers that answer with what they were sent, or with far too much: no key comes back, no text is without end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::harness::{SECRET, World, check};
use crate::audit_support::contains;
use crate::support::{example, few, tree};

/// A server that sees whole requests.
pub struct Echo {
    pub address: SocketAddr,
    pub asked: Arc<AtomicUsize>,
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    /// Answers with what `answer` makes of a request's head: all of the response.
    pub fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Echo {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let echo = Echo { address, asked: Arc::default(), heads: Arc::default() };
        let (asked, heads, answer) = (Arc::clone(&echo.asked), Arc::clone(&echo.heads), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, heads, answer) = (Arc::clone(&asked), Arc::clone(&heads), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(&stream);
                    let (mut head, mut length) = (String::new(), 0_usize);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().unwrap_or(0);
                        }
                        if line == "\r\n" {
                            break;
                        }
                        head.push_str(&line);
                    }
                    let _ = reader.read_exact(&mut vec![0; length]);
                    asked.fetch_add(1, Ordering::SeqCst);
                    heads.lock().unwrap().push(head.clone());
                    let _ = (&stream).write_all(&answer(&head));
                });
            }
        });
        echo
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A response with this status line and body.
pub fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The example with round 1 about to be judged.
pub fn at_duels() -> World {
    let made = example(false);
    let top = made.path().join("rounds/1");
    for path in tree(&top).into_keys() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let played = ["matches_matrix.csv", "require_audit.json", "generation_audits.json", "winner.json"];
        if played.contains(&name.as_str()) || name.starts_with("duels_") {
            std::fs::remove_file(top.join(path)).unwrap();
        }
    }
    std::fs::remove_dir_all(made.path().join("rounds/2")).unwrap();
    let state = "{\n  \"current_round\": 1,\n  \"stage\": \"duels\",\n  \"next_stage_eta\": null\n}";
    std::fs::write(made.path().join("state.json"), state).unwrap();
    let world = World::bare();
    world.take(made);
    world
}

/// A whole response, by a request's head.
type Answer = Box<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// How a server may give a key back.
fn echoes() -> Vec<(&'static str, Answer)> {
    let json =
        |head: &str| json!({"error": {"message": head, "headers": head.lines().collect::<Vec<_>>()}}).to_string();
    let chat =
        |content: String| json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}).to_string();
    let key_line = |head: &str| head.lines().find(|line| line.contains(SECRET)).unwrap_or("none").to_owned();
    vec![
        ("401 with its head", Box::new(|head| response("401 No", "", head.as_bytes()))),
        (
            "400 with JSON",
            Box::new(move |head| response("400 Bad", "Content-Type: application/json\r\n", json(head).as_bytes())),
        ),
        ("500 with its head", Box::new(|head| response("500 Oops", "", head.as_bytes()))),
        ("403 with the key alone", Box::new(|_| response("403 No", "", SECRET.as_bytes()))),
        ("a reason phrase", Box::new(|_| response(&format!("418 {SECRET}"), "", b""))),
        ("no HTTP", Box::new(|head| head.as_bytes().to_vec())),
        (
            "a redirect",
            Box::new(move |head| {
                let line = key_line(head).replace(' ', "");
                response("302 Found", &format!("Location: http://127.0.0.1:9/{line}?key={SECRET}\r\n"), b"")
            }),
        ),
        ("a header", Box::new(|_| response("429 Slow", &format!("Retry-After: {SECRET}\r\nX: {SECRET}\r\n"), b"{}"))),
        ("200 that is no answer", Box::new(|head| response("200 OK", "", head.as_bytes()))),
        (
            "200 with an answer around it",
            Box::new(move |head| {
                let content = json!({"penalty_1": 1, "penalty_2": 5, "issues": head}).to_string();
                response("200 OK", "Content-Type: application/json\r\n", chat(content).as_bytes())
            }),
        ),
        (
            "200 with nonsense around it",
            Box::new(move |head| {
                response("200 OK", "Content-Type: application/json\r\n", chat(format!("I was sent {head}")).as_bytes())
            }),
        ),
    ]
}

/// Neither what was printed nor any file of the world holds the key.
#[track_caller]
fn no_secret(world: &World, what: &str, said: &str) {
    check(!said.contains(SECRET), || format!("{what}: the key was printed: {said:.2000}"));
    for folder in [world.repo(), world.repo().join(".gen404"), world.repo().join(".git/gen404")] {
        if folder.is_dir() {
            let told: Vec<_> = tree(&folder).into_iter().filter(|(_, bytes)| contains(bytes, SECRET)).collect();
            check(told.is_empty(), || {
                format!("{what}: the key is in {:?}", told.iter().map(|(path, _)| path).collect::<Vec<_>>())
            });
        }
    }
}

#[test]
fn judges_that_answer_with_the_key() {
    for (how, answer) in few(2, echoes()) {
        let echo = Echo::start(answer);
        let world = at_duels();
        let settings = world.settings("[judge]\nattempts = 1\ntimeout_seconds = 3\n");
        let url = format!("{}/v1", echo.url());
        let png = world.put("p.png", super::pictures::png(8, 8, 2).bytes());
        let png = png.to_str().unwrap();
        for args in [
            &["judge", png, png, png, "--judge-url", &url, "--config", &settings][..],
            &["judge", png, png, png, "--judge-url", &url, "--config", &settings, "--json", "-v"],
            &["duel", "--judge-url", &url, "--config", &settings, "-v"],
        ] {
            let what = format!("{} where the judge gives {how}", args[0]);
            let outcome = world.attack(&what, args).with_keys().run();
            check(echo.count() > 0, || format!("{what}: not asked: {}", outcome.said()));
            check(echo.heads.lock().unwrap().iter().any(|head| head.contains(SECRET)), || {
                format!("{what}: no key was sent")
            });
            no_secret(&world, &what, &outcome.said());
        }
    }
}

#[test]
fn services_that_answer_with_the_key() {
    for (how, answer) in few(3, echoes()) {
        let echo = Echo::start(answer);
        let url = echo.url();
        let settings = format!(
            "[builds]\ndriver = \"github\"\nrepo = \"a/b\"\napi_url = \"{url}\"\nattempts = 1\nlongest_pause_seconds = 1\n\
             [store]\nendpoint = \"{url}\"\ncdn_url = \"https://store.example.org\"\nattempts = 1\ntimeout_seconds = 3\n\
             [audit]\npods = 1\nfirst_pods = 1\nmost_pods = 1\norder_seconds = 0.0\nstart_seconds = 1.0\nready_seconds = 1.0\n\
             poll_seconds = 0.1\nrecover_seconds = 0.0\ncapacity_seconds = 1.0\nattempts = 1\n[distance]\ndriver = \"pixels\"\n\
             [pods]\nattempts = 1\ntimeout_seconds = 2.0\npause_seconds = 0.1\ndelete_seconds = 1.0\n"
        );
        for kind in crate::cloud::KINDS {
            let provider = kind.name();
            let url = if provider == "verda" { format!("{url}/v1") } else { url.clone() };
            let world = at_duels();
            let text = settings.replace("[pods]\n", &format!("[pods]\nprovider = \"{provider}\"\n"))
                + &format!("[pods.{provider}]\nurl = \"{url}\"\n");
            let settings = world.settings(&text);
            for command in ["builds", "baseline"] {
                let what = format!("{command} on {provider} with {how}");
                let outcome = world.attack(&what, &[command, "--config", &settings, "-v"]).with_keys().run();
                no_secret(&world, &what, &outcome.said());
            }
        }
        let world = World::example(false);
        let file = world.settings(&settings);
        let what = format!("verify --objects where the store gives {how}");
        let args = ["verify", "--objects", "--sample", "1", "--config", &file];
        let outcome = world.attack(&what, &args).with_keys().run();
        no_secret(&world, &what, &outcome.said());
    }
}

/// Of a key in a mixture of spellings nothing is left, not even its tail.
#[track_caller]
fn no_tail(what: &str, spelt: &str, said: &str) {
    let characters: Vec<char> = spelt.chars().collect();
    let told = characters.windows(14).map(|part| part.iter().collect::<String>()).find(|part| said.contains(part));
    check(told.is_none(), || format!("{what}: {told:?} of {spelt} is told: {said:.2000}"));
}

#[test]
fn a_key_in_a_mixture_of_spellings() {
    for lot in few(4, 0..11) {
        let spelt = crate::echoes::mixed(SECRET, lot);
        let json = json!({"error": {"message": spelt}, "message": spelt}).to_string();
        for (status, body) in
            [("401 No", &spelt), ("500 Oops", &spelt), ("400 Bad", &json), ("503 Oops", &json), ("200 OK", &spelt)]
        {
            let answer = response(status, "", format!("you sent {body}, did you?").as_bytes());
            let echo = Echo::start(move |_| answer.clone());
            let url = echo.url();
            let world = at_duels();
            let settings = world.settings(&format!(
                "[judge]\nattempts = 1\n[chain]\nattempts = 1\n[builds]\ndriver = \"github\"\nrepo = \"a/b\"\napi_url = \"{url}\"\nattempts = 1\n"
            ));
            let (judge, node) = (format!("{url}/v1"), format!("{url}/{SECRET}"));
            for args in [
                &["judge", "http://x.org/a", "http://x.org/b", "http://x.org/c", "--judge-url", &judge][..],
                &["builds"],
                &["status", "--network", &node],
            ] {
                let what = format!("{} with the key in mixture {lot} under {status}", args[0]);
                let outcome = world.attack(&what, &[args, &["--config", &settings]].concat()).with_keys().run();
                no_tail(&what, &spelt, &outcome.said());
                check(args[0] != "judge" || outcome.said().contains("***"), || format!("{what}: {}", outcome.said()));
            }
        }
    }
}

/// The key as text in a language, in one coding, and in two.
fn coded_keys() -> Vec<String> {
    let base64 = |text: &str| BASE64_STANDARD.encode(text);
    let list =
        |text: &str, spell: fn(u8) -> String, between: &str| text.bytes().map(spell).collect::<Vec<_>>().join(between);
    let url = list(SECRET, |b| format!("%{b:02X}"), "");
    let html = list(SECRET, |b| if b == b'-' { "&hyphen;".to_owned() } else { char::from(b).to_string() }, "");
    let hex = list(SECRET, |b| format!("{b:02x}"), "");
    let lines = base64(&format!("Bearer {SECRET}"));
    let lines: Vec<&str> = lines.as_bytes().chunks(8).map(|line| std::str::from_utf8(line).unwrap()).collect();
    vec![
        html.clone(),
        list(SECRET, |b| format!("\\x{b:04x}"), ""),
        list(SECRET, |b| format!("\\o{{{b:o}}}"), ""),
        lines.join("\n"),
        list(SECRET, |b| format!("{b:02x}"), "-"),
        list(SECRET, |b| format!("0x{b:02x}"), ","),
        list(&base64(SECRET), |b| format!("{b:02x}"), ":"),
        list(&base64(SECRET), |b| b.to_string(), ", "),
        base64(&hex),
        base64(&base64(SECRET)),
        base64(&format!("{{\"t\": {}}}", base64(&format!("x{SECRET}")))),
        base64(&url),
        base64(&html),
        base64(&list(SECRET, |b| format!("{}u{b:04x}", "\\".repeat(32)), "")),
    ]
}

#[test]
fn a_key_inside_codings() {
    for spelt in few(3, coded_keys()) {
        for (status, body) in
            [("401 No", spelt.clone()), ("500 Oops", json!({"error": {"message": spelt}}).to_string())]
        {
            let answer = response(status, "", format!("you sent {body}, did you?").as_bytes());
            let echo = Echo::start(move |_| answer.clone());
            let world = at_duels();
            let settings = world.settings("[judge]\nattempts = 1\n");
            let judge = format!("{}/v1", echo.url());
            let args = ["judge", "http://x.org/a", "http://x.org/b", "http://x.org/c", "--judge-url", &judge];
            let what = format!("a judge that answers {spelt:.40} under {status}");
            let outcome = world.attack(&what, &[&args[..], &["--config", &settings]].concat()).with_keys().run();
            no_tail(&what, &spelt, &outcome.said());
            check(outcome.said().contains("***"), || format!("{what}: {}", outcome.said()));
        }
    }
}

#[test]
fn a_text_that_was_made_to_be_read_for_long() {
    for piece in
        few(3, ["%25", "\\\\u005c", "&amp;", "%\\&=+", "\\u0025", "sk-hunte", "c2staHVudGU", "SlNVbEpTVWw", "0x73,"])
    {
        let text = piece.repeat((3 << 20) / piece.len());
        for body in [json!({"error": {"message": text}}).to_string(), text] {
            let answer = response("400 Bad", "", body.as_bytes());
            let echo = Echo::start(move |_| answer.clone());
            let world = at_duels();
            let settings = world.settings("[judge]\nattempts = 1\n");
            let url = format!("{}/v1", echo.url());
            let args = [
                "judge",
                "http://x.org/a",
                "http://x.org/b",
                "http://x.org/c",
                "--judge-url",
                &url,
                "--config",
                &settings,
            ];
            world
                .attack(&format!("a refusal of 3 MB of {piece}"), &args)
                .with_keys()
                .run()
                .ends(&[4])
                .says(&["status 400"]);
        }
    }
}

#[test]
fn keys_in_addresses() {
    // A key in the query or the user part of an address that the operator gave.
    let echo = Echo::start(|head| response("500 Oops", "", head.as_bytes()));
    let world = at_duels();
    let settings = world.settings("[judge]\nattempts = 1\n[chain]\nattempts = 1\n");
    let port = echo.address.port();
    for args in [
        &["duel", "--judge-url", &format!("http://127.0.0.1:{port}/v1?key={SECRET}"), "--config", &settings][..],
        &[
            "status",
            "--network",
            &format!("http://127.0.0.1:{port}/{SECRET}/rpc?apikey={SECRET}"),
            "--config",
            &settings,
        ],
        &["status", "--network", &format!("http://user:{SECRET}@127.0.0.1:{port}/"), "--config", &settings],
    ] {
        let outcome = world.attack(&format!("{} with a key in the address", args[0]), args).run();
        check(!outcome.said().contains(&format!("key={SECRET}")), || outcome.said());
        check(!outcome.said().contains(&format!(":{SECRET}@")), || outcome.said());
    }
}

fn largest(folder: &Path) -> u64 {
    let files = tree(folder)
        .into_keys()
        .chain(tree(&folder.join(".gen404")).into_keys().map(|path| Path::new(".gen404").join(path)));
    files.map(|path| std::fs::metadata(folder.join(path)).unwrap().len()).max().unwrap()
}

#[test]
fn issues_of_eight_megabytes() {
    for (what, piece) in
        few(2, [("letters", "x"), ("escapes", "\u{1b}[31m\u{202e}"), ("signs of four bytes", "𝕏"), ("lines", "\n")])
    {
        let text = piece.repeat((8 << 20) / piece.len());
        let content = json!({"penalty_1": 1, "penalty_2": 5, "issues": text}).to_string();
        let body = json!({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}).to_string();
        let judge = Echo::start(move |_| response("200 OK", "", body.as_bytes()));
        let world = at_duels();
        // One miner is enough: the answers are 8 MB each.
        let url = format!("{}/v1", judge.url());
        let settings = world.settings("[judge]\nattempts = 1\nconcurrency = 4\n");
        let args = ["duel", "--judge-url", &url, "--config", &settings, "--shard", "0/5", "--json"];
        let outcome = world.attack(&format!("issues of 8 MB of {what}"), &args).within(40.0).run();
        let size = largest(&world.repo());
        check(size < 4 << 20, || {
            format!("{what}: a file of {size} bytes: {}", outcome.said().chars().take(500).collect::<String>())
        });
        for (path, bytes) in tree(&world.repo()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("duels_") && path.starts_with("rounds/1") {
                let report: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                for duel in report["duels"].as_array().unwrap() {
                    let length = duel["issues"].as_str().unwrap().chars().count();
                    check(length <= 2_001, || format!("{what}: issues of {length} characters"));
                }
            }
        }
    }
}

#[test]
fn answers_that_do_not_end() {
    for (what, text) in few(
        2,
        [
            ("a body of 300 MB", response("200 OK", "", &vec![b' '; 300 << 20])),
            ("an error of 100 MB", response("500 Oops", "", &vec![b'x'; 100 << 20])),
            ("a header of 50 MB", response("200 OK", &format!("X: {}\r\n", "x".repeat(50 << 20)), b"{}")),
            ("a million headers", response("200 OK", &"X: y\r\n".repeat(1_000_000), b"{}")),
            (
                "a million early answers",
                [b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000_000), response("200 OK", "", b"{}")].concat(),
            ),
            ("JSON a million deep", response("200 OK", "", "[".repeat(5_000_000).as_bytes())),
            (
                "JSON of zeros",
                response("200 OK", "", format!("{{\"result\": [{}0]}}", "0,".repeat(20_000_000)).as_bytes()),
            ),
        ],
    ) {
        let text = Arc::new(text);
        let server = Echo::start(move |_| text.to_vec());
        let world = at_duels();
        let png = world.put("p.png", super::pictures::png(8, 8, 2).bytes());
        let png = png.to_str().unwrap();
        let url = server.url();
        let settings = world.settings(&format!(
            "[judge]\nattempts = 1\n[chain]\nattempts = 1\n[builds]\ndriver = \"github\"\nrepo = \"a/b\"\napi_url = \"{url}\"\nattempts = 1\n\
             [distance]\ndriver = \"http\"\nurl = \"{url}\"\nattempts = 1\n"
        ));
        for args in [
            &["judge", png, png, png, "--judge-url", &format!("{url}/v1")][..],
            &["status", "--network", &url],
            &["builds"],
            &["distance", png, png],
            &["render", "nothing.glb", "--service", &url],
        ] {
            let args = [args, &["--config", &settings]].concat();
            let outcome = world.attack(&format!("{} where the server sends {what}", args[0]), &args).with_keys().run();
            check(outcome.said().len() < 100_000, || format!("{} bytes were printed", outcome.said().len()));
        }
    }
}
