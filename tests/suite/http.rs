//! The HTTP module against servers on real sockets: limits, retries, and the rule for miners' URLs.

use std::io::{Read, Seek};
use std::time::{Duration, Instant};

use crate::chain_support::{Fake, Reply, quick_client};
use crate::snapshots::Transcript;
use gen404::base::error::Kind;
use gen404::world::http::{Client, HttpLimits, Request, Retry, Secret};

fn miners(limits: HttpLimits, allow_private: bool) -> Client {
    let (first_pause, longest_pause) = (Duration::from_millis(5), Duration::from_millis(50));
    Client::for_miners(limits, Retry { attempts: 2, first_pause, longest_pause }, allow_private)
}

fn small() -> HttpLimits {
    HttpLimits { body: 1000, ..HttpLimits::MINER }
}

#[test]
fn a_download_arrives_whole_and_again_after_a_cut() {
    let body: Vec<u8> = (0..900u32).map(|n| n.to_le_bytes()[0]).collect();
    let sent = body.clone();
    let fake = Fake::start(move |number, _, _| match number {
        0 => Reply::Half(sent.clone()),
        _ => Reply::Body(sent.clone()),
    });
    let mut file = tempfile::tempfile().unwrap();
    let url = format!("{}/a.glb", fake.url());
    assert_eq!(miners(small(), true).download(&Request::get(&url), &mut file).unwrap(), 900);
    let mut received = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut received).unwrap();
    assert_eq!(received, body);
    assert_eq!(fake.count(), 2);
}

#[test]
fn miners_private_addresses_are_refused_before_any_connection() {
    let fake = Fake::start(|_, _, _| Reply::Body(Vec::new()));
    let port = fake.address.port();
    let client = miners(small(), false);
    let mut seen = Transcript::new(&[]);
    seen.hide(&format!(":{port}"), ":[PORT]");
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"] {
        let error = client.send(&Request::get(format!("http://{host}:{port}/"))).unwrap_err();
        assert_eq!(error.kind(), Kind::Outside);
        seen.error(host, &error);
    }
    seen.holds("private_addresses");
    assert_eq!(fake.count(), 0);
}

#[test]
fn redirects_are_checked_like_the_first_url_and_end_after_three() {
    let target = Fake::start(|_, _, _| Reply::Body(b"secret".to_vec()));
    let (at, port) = (target.url(), target.address.port());
    // Private addresses are let through here, so that there is a first hop; these are refused for
    // what they are, on any hop.
    let mut seen = Transcript::new(&[]);
    seen.hide(&format!(":{port}"), ":[PORT]");
    let hostile = [
        format!("http://user:pw@127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        "ftp://x.org/".into(),
        "http://127.0.0.1:22/".into(),
        "http://127.0.0.1:25/".into(),
    ];
    for location in hostile {
        let line: &'static str = Box::leak(format!("Location: {location}\r\n").into_boxed_str());
        let fake = Fake::start(move |_, _, _| Reply::Status(302, line, Vec::new()));
        let error = miners(small(), true).send(&Request::get(fake.url())).unwrap_err();
        assert!(!error.to_string().contains("pw"), "{error}");
        assert_eq!((fake.count(), target.count()), (1, 0), "{location}");
        seen.hide(&fake.url(), "[URL]").error(&location, &error);
    }
    let line: &'static str = Box::leak(format!("Location: {at}/x\r\n").into_boxed_str());
    let fake = Fake::start(move |_, _, _| Reply::Status(301, line, Vec::new()));
    assert_eq!(miners(small(), true).send(&Request::get(fake.url())).unwrap().into_bytes(), b"secret");
    let endless = Fake::start(|number, _, _| {
        let line: &'static str = Box::leak(format!("Location: /{number}\r\n").into_boxed_str());
        Reply::Status(302, line, Vec::new())
    });
    let error = miners(small(), true).send(&Request::get(endless.url())).unwrap_err();
    assert_eq!(endless.count(), 4);
    seen.hide(&endless.url(), "[URL]").error("endless", &error).holds("redirects");
}

/// A server that sends everybody there, and how often it was asked.
fn sends_to(status: u16, location: &str) -> Fake {
    let line: &'static str = Box::leak(format!("Location: {location}\r\n").into_boxed_str());
    Fake::start(move |_, _, _| Reply::Status(status, line, b"moved".to_vec()))
}

#[test]
fn a_location_is_followed_however_it_is_spelt() {
    for (tail, asked) in [
        ("/a b.glb", "/a%20b.glb"),
        ("/caf\u{e9}/\u{4f8b}.glb", "/caf%C3%A9/%E4%BE%8B.glb"),
        ("/a%20b%2fc.glb?x=%C3%A9", "/a%20b%2fc.glb?x=%C3%A9"),
        ("?x=a b", "/?x=a%20b"),
        ("/x/../y.glb", "/y.glb"),
    ] {
        let target = Fake::start(|_, line, _| Reply::Body(line.as_bytes().to_vec()));
        for (status, before) in [(301, target.url()), (302, format!("//{}", target.address)), (308, target.url())] {
            let fake = sends_to(status, &format!("{before}{tail}"));
            for client in [miners(small(), true), quick_client()] {
                let answer = client.send(&Request::get(fake.url())).unwrap().into_bytes();
                let line = String::from_utf8(answer).unwrap();
                assert!(line.starts_with(&format!("GET {asked} ")), "{before}{tail}: {line}");
            }
        }
    }
}

#[test]
fn where_a_redirect_leads_is_guarded_and_no_key_goes_along() {
    let mut seen = Transcript::new(&[]);
    for location in ["//127.0.0.1:22/", "//me:pw@127.0.0.1/", "http:a.glb", "http://127.0.0.1:25/a b", "//x y/"] {
        let fake = sends_to(307, location);
        let error = miners(small(), true).send(&Request::get(fake.url())).unwrap_err();
        assert!(!error.to_string().contains("pw") && error.to_string().len() < 400, "{location}: {error}");
        seen.hide(&fake.url(), "[URL]").error(location, &error);
    }
    seen.holds("redirects_elsewhere");
    let target = Fake::start(|_, _, _| Reply::Body(Vec::new()));
    // A key is for the server that it was meant for, whatever its header's name.
    let heard = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let head = crate::gallery::Echo::start({
        let heard = heard.clone();
        move |head| {
            heard.lock().unwrap().push_str(head);
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()
        }
    });
    let fake = sends_to(302, &format!("{}/there", head.url()));
    let request = Request::get(fake.url()).header("x-api-key", "hunter2").header("accept", "text/x");
    quick_client().send(&request.bearer(&Secret::new("hunter2"))).unwrap();
    let heard = heard.lock().unwrap().clone();
    assert!(heard.contains("/there") && heard.contains("text/x") && !heard.contains("hunter2"), "{heard}");
    // What changes something is not sent on.
    for status in [301, 302, 303, 307, 308] {
        let fake = sends_to(status, &format!("{}/there?token=hunter2", target.url()));
        let request = Request::post_json(fake.url(), &b"{}"[..]).bearer(&Secret::new("hunter2")).repeatable();
        let error = quick_client().send(&request).unwrap_err().to_string();
        assert!(error.contains(&format!("status {status}")) && error.contains("/there; name that"), "{error}");
        assert!(!error.contains("hunter2") && target.count() == 0 && fake.count() == 1, "{error}");
    }
}

#[test]
fn a_redirect_leaves_no_more_time_than_there_was() {
    let fake =
        sends_to(302, &sends_to(302, &Fake::start(|_, _, _| Reply::Silent(Duration::from_secs(20))).url()).url());
    let begun = Instant::now();
    let once = Client::new(HttpLimits { whole: Duration::from_millis(600), ..HttpLimits::default() }, Retry::ONCE);
    assert!(once.send(&Request::get(fake.url())).unwrap_err().to_string().contains("in time"));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

/// 206 is a part of a file, and 204 none; of what nobody asked for.
#[test]
fn only_200_is_a_file() {
    for status in [200, 201, 202, 203, 204, 205, 206, 226] {
        let fake = Fake::start(move |_, _, _| {
            let body = if matches!(status, 204 | 205) { Vec::new() } else { vec![7; 40] };
            Reply::Status(status, "Content-Range: bytes 0-39/40\r\n", body)
        });
        let url = fake.url();
        let mut sink = Vec::new();
        let fetched = miners(small(), true).fetch_once(&Request::get(&url), &mut sink);
        let mut file = tempfile::tempfile().unwrap();
        let downloaded = miners(small(), true).download(&Request::get(&url), &mut file);
        let whole = quick_client().send(&Request::get(&url)).unwrap().file();
        if status == 200 {
            assert_eq!((fetched.unwrap(), downloaded.unwrap(), whole.unwrap().len()), (40, 40, 40));
            continue;
        }
        assert_eq!((fetched.unwrap_err().reason(), sink.len()), (format!("status {status}").as_str(), 0));
        assert!(downloaded.unwrap_err().to_string().contains(&format!("status {status}")));
        assert!(whole.unwrap_err().to_string().contains(&format!("status {status}")));
    }
}

#[test]
fn bodies_are_counted_as_they_arrive() {
    let fake = Fake::start(|_, line, _| match line {
        // Announced, and not announced at all.
        _ if line.contains("/told") => Reply::Body(vec![0; 1001]),
        _ => {
            Reply::Status(200, "Transfer-Encoding: chunked\r\n", b"7d0\r\n".iter().copied().chain([0; 2000]).collect())
        }
    });
    for path in ["told", "chunked"] {
        let error = miners(small(), true).send(&Request::get(format!("{}/{path}", fake.url()))).unwrap_err();
        assert!(error.to_string().contains("longer than 1000 bytes"), "{path}: {error}");
    }
    assert_eq!(fake.count(), 2, "a body that is too long is not asked for again");
}

#[test]
fn a_body_may_be_asked_for_up_to_a_length() {
    let fake = Fake::start(|_, _, _| Reply::Body(vec![7; 600]));
    let client = miners(small(), true);
    let url = format!("{}/a.glb", fake.url());
    for (most, taken) in [(599, false), (600, true), (5000, true)] {
        let answer = client.send_up_to(&Request::get(&url), most).unwrap();
        assert_eq!(answer.map(|answer| answer.into_bytes().len()), taken.then_some(600), "up to {most}");
    }
    // One too long for this call is no failure, and not asked for again.
    assert_eq!(fake.count(), 3);
    let long = Fake::start(|_, _, _| Reply::Body(vec![7; 1001]));
    let error = client.send_up_to(&Request::get(format!("{}/a.glb", long.url())), 5000).unwrap_err();
    assert!(error.to_string().contains("1000"), "{error}");
}

#[test]
fn an_encoded_body_is_not_accepted_from_a_miner() {
    let fake = Fake::start(|_, _, _| Reply::Status(200, "Content-Encoding: gzip\r\n", vec![0x1f, 0x8b]));
    let error = miners(small(), true).send(&Request::get(fake.url())).unwrap_err();
    assert!(error.to_string().contains("encoded"), "{error}");
    assert_eq!(fake.count(), 1);
}

#[test]
fn a_silent_server_is_left_after_the_idle_time() {
    let fake = Fake::start(|_, _, _| Reply::Silent(Duration::from_secs(20)));
    let begun = Instant::now();
    let error = miners(HttpLimits { idle: Duration::from_millis(200), ..small() }, true)
        .send(&Request::get(fake.url()))
        .unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_server_that_only_drips_is_left() {
    let fake = Fake::start(|_, _, _| Reply::Drip(vec![0; 900], Duration::from_millis(50)));
    let limits = HttpLimits { min_rate: 10_000, rate_grace: Duration::from_millis(200), ..small() };
    let begun = Instant::now();
    let error = miners(limits, true).send(&Request::get(fake.url())).unwrap_err();
    assert!(error.to_string().contains("slower than 10000 bytes a second (2 attempts)"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    let patient = HttpLimits { min_rate: 10, ..limits };
    let quick = Fake::start(|_, _, _| Reply::Drip(vec![0; 100], Duration::from_millis(50)));
    assert_eq!(miners(patient, true).send(&Request::get(quick.url())).unwrap().into_bytes().len(), 100);
}

#[test]
fn a_request_that_must_not_run_twice_is_repeated_only_where_nothing_ran() {
    let dropped = Fake::start(|_, _, _| Reply::Drop);
    quick_client().send(&Request::post_json(dropped.url(), &b"{}"[..])).unwrap_err();
    assert_eq!(dropped.count(), 1);
    let refused = Fake::start(|number, _, _| match number {
        0 => Reply::Status(429, "Retry-After: 0\r\n", Vec::new()),
        _ => Reply::Body(b"{}".to_vec()),
    });
    let answer = quick_client().send(&Request::post_json(refused.url(), &b"{}"[..])).unwrap();
    assert_eq!((answer.status, refused.count()), (200, 2));
}

#[test]
fn other_4xx_are_answers_and_5xx_end_in_an_error_that_hides_tokens() {
    let fake = Fake::start(|_, line, _| {
        let status = if line.contains("/gone") { 404 } else { 502 };
        Reply::Status(status, "", b"gone\x1b[31m".to_vec())
    });
    let answer = quick_client().send(&Request::get(format!("{}/gone", fake.url()))).unwrap();
    assert_eq!((answer.status, fake.count()), (404, 1));
    assert!(!answer.success().unwrap_err().to_string().contains('\x1b'));
    let request = Request::get(format!("{}/x?token=hunter2", fake.url())).bearer(&Secret::new("hunter2"));
    assert!(!format!("{request:?}").contains("Bearer"), "{request:?}");
    let error = quick_client().send(&request).unwrap_err();
    assert_eq!(error.to_string(), format!("GET {}/x: status 502: gone\\u{{1b}}[31m (3 attempts)", fake.url()));
    let bad = Request::get(fake.url()).header("x-key", "hunter2\nx");
    assert!(!quick_client().send(&bad).unwrap_err().to_string().contains("hunter2"));
}
