//! Stores that refuse what is asked of them, on every kind of request: said, with what to do, and without the keys.

use std::collections::BTreeMap;

use super::echoes::{Echo, response};
use super::harness::{Outcome, SECRET, World, check};
use super::servers::hostile_bodies;
use crate::cdn::{Cdn, Serve, blank_glb};
use crate::round::{DEADLINE, IMPATIENT, round};
use crate::support::few;

/// What a store says: status line, headers, code, and what has to be told of it.
type Refusal = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// With a body, as in answers to GET and PUT.
const REFUSALS: [Refusal; 12] = [
    ("403 Forbidden", "", "RequestTimeTooSkewed", &["(RequestTimeTooSkewed)", "clock"]),
    ("403 Forbidden", "", "QuotaExceeded", &["(QuotaExceeded)", "quota"]),
    ("507 Full", "", "XMinioStorageFull", &["disk is full"]),
    ("301 Moved", "", "PermanentRedirect", &["wrong region or endpoint"]),
    ("301 Moved", "x-amz-bucket-region: eu-west-1\r\n", "", &["wrong region or endpoint", "eu-west-1"]),
    ("307 Moved", "Location: http://127.0.0.1:9/\r\n", "TemporaryRedirect", &["wrong region or endpoint"]),
    ("400 Bad", "", "AuthorizationHeaderMalformed", &["wrong region or endpoint"]),
    ("403 Forbidden", "", "AccessDenied", &["R2_SECRET_ACCESS_KEY"]),
    ("404 Not Found", "", "NoSuchBucket", &["[store] bucket"]),
    ("200 OK", "", "AccessDenied", &["status 200 (AccessDenied)"]),
    ("206 Part", "", "", &["status 206"]),
    ("501 No", "", "NotImplemented", &["(NotImplemented)"]),
];

/// Refusals that pass: tried again.
const PASSING: [(&str, &str); 9] = [
    ("400 Bad", "RequestTimeout"),
    ("400 Bad", "BadDigest"),
    ("400 Bad", "IncompleteBody"),
    ("409 Conflict", "ConditionalRequestConflict"),
    ("409 Conflict", "OperationAborted"),
    ("429 Slow", "TooManyRequests"),
    ("500 Oops", "InternalError"),
    ("503 Slow", "SlowDown"),
    ("200 OK", "InternalError"),
];

/// To HEAD, status and headers say all.
const HEADLESS: [Refusal; 8] = [
    ("403 Forbidden", "", "", &["status 403", "R2_SECRET_ACCESS_KEY"]),
    ("400 Bad", "", "", &["status 400", "[store] region"]),
    ("301 Moved", "x-amz-bucket-region: eu-west-1\r\n", "", &["wrong region or endpoint", "eu-west-1"]),
    ("301 Moved", "", "", &["wrong region or endpoint"]),
    ("307 Moved", "Location: http://127.0.0.1:9/\r\n", "", &["wrong region or endpoint"]),
    ("404 Not Found", "", "", &["reported as existing, but then not found"]),
    ("507 Full", "", "", &["quota is used up, or its disk is full"]),
    ("206 Part", "", "", &["status 206"]),
];

fn xml(code: &str) -> Vec<u8> {
    let code = if code.is_empty() { String::new() } else { format!("<Code>{code}</Code>") };
    format!("<?xml version=\"1.0\"?><Error>{code}<Message>we say no</Message></Error>").into_bytes()
}

fn settings(url: &str, attempts: usize) -> String {
    format!(
        "[store]\nendpoint = \"{url}\"\ncdn_url = \"https://store.example.org\"\nattempts = {attempts}\ntimeout_seconds = 3\n"
    )
}

/// `verify --objects` of one object, which the store is asked for by GET.
fn got(what: &str, attempts: usize, answer: Vec<u8>) -> (Echo, Outcome) {
    let store = Echo::start(move |_| answer.clone());
    let world = World::example(false);
    let file = world.settings(&settings(&store.url(), attempts));
    let args = ["verify", "--objects", "--sample", "1", "--config", &file];
    let outcome = world.attack(&format!("GET: {what}"), &args).with_keys().run().ends(&[0, 1, 4]);
    check(store.heads.lock().unwrap().iter().all(|head| head.starts_with("GET ")) && store.count() > 0, || {
        what.to_owned()
    });
    check(!outcome.said().contains(SECRET), || outcome.said());
    (store, outcome)
}

#[test]
fn stores_that_refuse_to_give() {
    for (status, headers, code, said) in REFUSALS {
        got(&format!("{status} {code}"), 2, response(status, headers, &xml(code))).1.says(said);
    }
    for (status, code) in PASSING {
        let (store, outcome) = got(&format!("{status} {code}"), 2, response(status, "Retry-After: 0\r\n", &xml(code)));
        outcome.says(&["(2 attempts)"]);
        let heads = store.heads.lock().unwrap();
        let mut asked = BTreeMap::<&str, usize>::new();
        heads.iter().for_each(|head| *asked.entry(head.lines().next().unwrap()).or_default() += 1);
        check(asked.values().all(|count| *count == 2), || format!("{status} {code}: {asked:?}"));
    }
    for (what, body) in few(2, hostile_bodies()) {
        for status in few(2, ["400 Bad", "403 No", "500 Oops"]) {
            let shaped =
                [b"<Error><Code>".as_slice(), &body, b"</Code><Message>", &body, b"</Message></Error>"].concat();
            for body in [&body, &shaped] {
                got(&format!("{what} under {status}"), 1, response(status, "", body))
                    .1
                    .says(&[&format!("status {}", &status[..3])]);
            }
        }
    }
}

#[test]
fn stores_that_refuse_to_take() {
    for (status, headers, code, said) in REFUSALS {
        let (puts, outcome) = stored(&format!("{status} {code}"), 2, response(status, headers, &xml(code)));
        outcome.says(said);
        check(puts == 1, || format!("{status} {code}: asked {puts} times"));
    }
    for (status, code) in PASSING {
        let (puts, outcome) =
            stored(&format!("{status} {code}"), 2, response(status, "Retry-After: 0\r\n", &xml(code)));
        outcome.says(&["(2 attempts)"]);
        check(puts == 2, || format!("{status} {code}: asked {puts} times"));
    }
    for (what, body) in few(2, hostile_bodies().into_iter().filter(|(_, body)| !body.is_empty())) {
        for status in few(2, ["200 OK", "403 No", "500 Oops"]) {
            stored(&format!("{what} under {status}"), 1, response(status, "", &body))
                .1
                .says(&[&format!("status {}", &status[..3])]);
        }
    }
}

/// One error as servers and gateways write it.
fn errors(code: &str) -> Vec<(&'static str, Vec<u8>)> {
    let plain = format!("<Error><Code>{code}</Code><Message>we say no</Message></Error>");
    let wide = format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let numbers: String = code.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    let texts = [
        ("5 kB of spaces before", format!("{}{plain}", " ".repeat(5000))),
        ("70 kB of lines after a declaration", format!("<?xml version=\"1.0\"?>{}{plain}", "\n".repeat(70_000))),
        ("an empty declaration and a doctype", format!("<?xml?><!DOCTYPE x>{plain}")),
        ("a comment of 70 kB", format!("<!-- {} -->{plain}", "x".repeat(70_000))),
        ("attributes", format!("<Error a='b'><Code c='d'>{code}</Code><Message e=''>we say no</Message></Error>")),
        ("CDATA", format!("<Error><Code><![CDATA[{code}]]></Code><Message><![CDATA[we say no]]></Message></Error>")),
        ("numbers", format!("<Error><Code>{numbers}</Code><Message>we say &#110;o</Message></Error>")),
        ("lower case", format!("<error><code>{code}</code><message>we say no</message></error>")),
        ("a wrapper", format!("<ErrorResponse xmlns='x'>{plain}</ErrorResponse>")),
        ("no end", plain[..plain.len() - 8].to_owned()),
        ("JSON", format!("{{\"error\": {{\"code\": \"{code}\", \"message\": \"we say no\"}}}}")),
        ("JSON in upper case", format!("{{\"Code\": \"{code}\", \"Message\": \"we say no\"}}")),
    ];
    let texts = texts.into_iter().map(|(what, text)| (what, text.into_bytes()));
    texts.chain([("UTF-16", wide)]).collect()
}

#[test]
fn errors_however_they_are_written() {
    for (number, (what, body)) in errors("SlowDown").into_iter().enumerate() {
        let status = ["200 OK", "403 Forbidden"][number % 2];
        let (puts, outcome) = stored(what, 2, response(status, "Retry-After: 0\r\n", &body));
        let outcome = outcome.says(&["(SlowDown): we say no", "(2 attempts)"]);
        check(puts == 2 && !outcome.said().contains("R2_SECRET_ACCESS_KEY"), || outcome.said());
    }
    for (what, body) in errors("AccountProblem") {
        let said = got(what, 1, response("403 Forbidden", "", &body)).1;
        let said = said.says(&["(AccountProblem): we say no", "account is suspended"]);
        check(!said.said().contains("R2_SECRET_ACCESS_KEY"), || said.said());
        // An object that is JSON is no error.
        let said = got(what, 1, response("200 OK", "", &body)).1;
        let is_error = said.said().contains("(AccountProblem)");
        check(is_error != what.starts_with("JSON"), || format!("{what}: {}", said.said()));
    }
}

#[test]
fn answers_to_put_that_no_store_gives() {
    for (body, stores) in [
        (&b""[..], true),
        (b" \r\n", true),
        (b"<?xml version=\"1.0\"?>\n<PutObjectResult><ETag>x</ETag></PutObjectResult>", true),
        (b"OK", false),
        (b"{}", false),
        (b"<?xml version=\"1.0\"?><html>Please log in</html>", false),
        (b"<ListBucketResult/>", false),
        (b"<Error", false),
    ] {
        let answer = response("200 OK", "ETag: \"x\"\r\n", body);
        let store = Echo::start(move |_| answer.clone());
        let what = String::from_utf8_lossy(body).into_owned();
        let cdn = Cdn::start(|path, _| Serve::File(blank_glb(path)));
        let world = World::bare();
        world.take(round(&[format!("{}/a", cdn.url())], 1));
        std::fs::remove_file(world.repo().join("gen404.toml")).unwrap();
        let file = world.settings(&format!("{IMPATIENT}{}", settings(&store.url(), 2)));
        let args = ["download", "--block", DEADLINE, "--config", &file];
        let outcome = world.attack(&format!("PUT answered {what}"), &args).with_keys().run();
        let outcome = outcome.ends(&[if stores { 0 } else { 4 }]);
        check(stores != outcome.said().contains("not an object store's answer"), || outcome.said());
    }
}

/// `download` of a file that the store does not take; how often it was offered.
fn stored(what: &str, attempts: usize, answer: Vec<u8>) -> (usize, Outcome) {
    downloaded(&format!("PUT: {what}"), "PUT ", attempts, move |_| answer.clone())
}

/// `download` of a file that is said to be there, so that the store is asked for its sum by HEAD.
fn asked(what: &str, status: &str, headers: &str, attempts: usize) -> (usize, Outcome) {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: 0\r\n\r\n");
    downloaded(&format!("HEAD: {what}"), "HEAD ", attempts, move |request| match request.starts_with("PUT ") {
        true => response("412 Precondition Failed", "", &xml("PreconditionFailed")),
        false => head.clone().into_bytes(),
    })
}

/// `download` of a file into a store that fails; how often it got a request of this method.
fn downloaded(
    what: &str,
    method: &str,
    attempts: usize,
    answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
) -> (usize, Outcome) {
    let store = Echo::start(answer);
    let cdn = Cdn::start(|path, _| Serve::File(blank_glb(path)));
    let world = World::bare();
    world.take(round(&[format!("{}/a", cdn.url())], 1));
    std::fs::remove_file(world.repo().join("gen404.toml")).unwrap();
    let file = world.settings(&format!("{IMPATIENT}{}", settings(&store.url(), attempts)));
    let args = ["download", "--block", DEADLINE, "--config", &file];
    let outcome = world.attack(what, &args).with_keys().run().ends(&[4]);
    check(!outcome.said().contains(SECRET) && outcome.said().len() < 4000, || outcome.said());
    let asked = store.heads.lock().unwrap().iter().filter(|head| head.starts_with(method)).count();
    (asked, outcome)
}

#[test]
fn stores_that_refuse_to_tell() {
    for (status, headers, _, said) in HEADLESS {
        let (heads, outcome) = asked(status, status, headers, 2);
        outcome.says(said);
        check(heads == 1, || format!("{status}: asked {heads} times"));
    }
    for status in ["408 Late", "409 Conflict", "429 Slow", "500 Oops", "503 Slow"] {
        let (heads, outcome) = asked(status, status, "Retry-After: 0\r\n", 2);
        outcome.says(&["(2 attempts)"]);
        check(heads == 2, || format!("{status}: asked {heads} times"));
    }
    for (what, value) in [
        ("a region with the key", format!("we know {SECRET}")),
        ("a region with the key in a mixture", crate::echoes::mixed(SECRET, 4)),
        ("a region of 20 kB", "x".repeat(20_000)),
        ("a region that turns", "eu\u{202e}\u{9b}31m".to_owned()),
        ("a region that is no header", "eu\u{1b}[31m".to_owned()),
    ] {
        asked(what, "301 Moved", &format!("x-amz-bucket-region: {value}\r\n"), 1);
    }
}
