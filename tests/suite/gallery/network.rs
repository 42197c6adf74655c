//! What miners' servers answer and name, and what pages load.

use std::collections::BTreeMap;

use super::harness::{World, check};
use crate::cdn::{Cdn, Serve, triangle_glb};
use crate::round::{DEADLINE, IMPATIENT, hotkey, round, stem, submitted};
use crate::support::{edit, few, tree};

fn downloaded(what: &str, cdns: &[String], prompts: usize, allow: bool) -> (World, serde_json::Value) {
    let world = World::bare();
    world.take(round(cdns, prompts));
    std::fs::remove_file(world.repo().join("gen404.toml")).unwrap();
    let text = if allow {
        IMPATIENT.to_owned()
    } else {
        IMPATIENT.replace("allow_private_cdn = true", "allow_private_cdn = false")
    };
    let settings = world.settings(&text);
    let args = [
        "download",
        "--block",
        DEADLINE,
        "--store-dir",
        "../objects",
        "--cdn-url",
        "https://cdn.example",
        "--config",
        &settings,
        "--json",
    ];
    let outcome = world.attack(what, &args).within(30.0).run().ends(&[0]);
    let json = outcome.json();
    (world, json)
}

#[test]
fn a_part_that_nobody_asked_for_is_no_file() {
    let raw = |status: &str, headers: &str, body: Vec<u8>| {
        Serve::Raw(
            [format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).into_bytes(), body]
                .concat(),
        )
    };
    let cdn = Cdn::start(move |path, _| {
        let glb = triangle_glb("a");
        let length = glb.len();
        match path {
            "/a/00aa.glb" => {
                raw("206 Partial Content", &format!("Content-Range: bytes 0-{}/{}\r\n", length - 1, length * 2), glb)
            }
            "/a/01aa.glb" => raw("206 Partial Content", "", glb),
            "/a/02aa.glb" => {
                raw("206 Partial Content", &format!("Content-Range: bytes 0-{}/{length}\r\n", length - 1), glb)
            }
            "/a/03aa.glb" => raw("206 Partial Content", "Content-Type: multipart/byteranges; boundary=x\r\n", glb),
            "/a/04aa.glb" => raw("204 No Content", "", Vec::new()),
            "/a/05aa.glb" => raw("304 Not Modified", "", Vec::new()),
            _ => Serve::File(glb),
        }
    });
    let (world, said) = downloaded("answers 206 that nobody asked for", &[format!("{}/a", cdn.url())], 7, true);
    for n in 0..6 {
        check(submitted(&world.repo(), 0)[stem(n)]["glb"].is_null(), || format!("file {n} was taken: {said}"));
    }
    check(submitted(&world.repo(), 0)[stem(6)]["glb"].is_string(), || format!("{said}"));
    check(said.to_string().contains("206"), || format!("the reason names the status: {said}"));
}

#[test]
fn bodies_that_are_said_to_be_coded() {
    let plain =
        ["aws-chunked", "identity", "", " Identity , AWS-Chunked,", "aws-chunked\r\nContent-Encoding: identity"];
    let coded = [
        "gzip",
        "aws-chunked, gzip",
        "identity,br",
        "x\u{202e}\u{9b}31m",
        "deflate\r\nContent-Encoding: identity",
        "aws-chunked;q=1",
    ];
    let all: Vec<&str> = plain.into_iter().chain(coded).collect();
    let served: Vec<String> = all.iter().map(|coding| (*coding).to_owned()).collect();
    let cdn = Cdn::start(move |path, _| {
        let (glb, case) = (triangle_glb("a"), path.split('/').nth(1).unwrap().parse::<usize>().unwrap());
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Encoding: {}\r\nContent-Length: {}\r\n\r\n", served[case], glb.len());
        Serve::Raw([head.into_bytes(), glb].concat())
    });
    let cdns: Vec<String> = (0..all.len()).map(|case| format!("{}/{case}", cdn.url())).collect();
    let (world, said) = downloaded("bodies that are said to be coded", &cdns, 1, true);
    for (case, coding) in all.iter().enumerate() {
        let miner = u8::try_from(case).unwrap();
        let taken = submitted(&world.repo(), miner)[stem(0)]["glb"].is_string();
        let reasons = said["details"]["miners"][hotkey(miner)]["reasons"].to_string();
        check(taken == (case < plain.len()) && (taken || reasons.contains("encoded")), || {
            format!("{coding:?}: {reasons}")
        });
    }
}

/// The commands that ask each service of the operator, all at this address; and their settings.
fn asking(url: &str) -> (String, Vec<Vec<String>>) {
    let settings = format!(
        "[builds]\ndriver = \"github\"\nrepo = \"a/b\"\napi_url = \"{url}\"\nattempts = 1\nlongest_pause_seconds = 1\n\
         [distance]\ndriver = \"http\"\nurl = \"{url}\"\nattempts = 1\n[chain]\nattempts = 1\n[judge]\nattempts = 1\n"
    );
    let judge = format!("{url}/v1");
    let commands = [
        &["builds"][..],
        &["distance", "https://x.org/a.png", "https://x.org/b.png"],
        &["render", "a.glb", "--service", url],
        &["status", "--network", url],
        &["judge", "https://x.org/a.png", "https://x.org/b.png", "https://x.org/c.png", "--judge-url", &judge],
    ];
    (settings, commands.iter().map(|args| args.iter().map(|arg| (*arg).to_owned()).collect()).collect())
}

/// Runs them all against a server that answers so; gives the command and what it said.
fn asked(what: &str, answer: Vec<u8>) -> Vec<(String, String)> {
    let server = super::Echo::start(move |_| answer.clone());
    let (settings, commands) = asking(&server.url());
    let world = super::echoes::at_duels();
    world.put("a.glb", triangle_glb("a"));
    let file = world.settings(&settings);
    let run = |args: Vec<String>| {
        let all: Vec<&str> = args.iter().map(String::as_str).chain(["--config", file.as_str()]).collect();
        let what = format!("{} where {what}", args[0]);
        let said = world.attack(&what, &all).with_keys().run().said();
        // The others are sent no key: what they say is none of ours.
        let ours = ["builds", "judge"].contains(&args[0].as_str());
        check(!(ours && said.contains(super::harness::SECRET)) && said.len() < 4000, || {
            format!("{what}: {said:.2000}")
        });
        (what, said)
    };
    commands.into_iter().map(run).collect()
}

#[test]
fn services_that_code_their_answers() {
    for coding in ["gzip", "aws-chunked, br", "x\u{9b}"] {
        let answer = super::echoes::response("200 OK", &format!("Content-Encoding: {coding}\r\n"), b"\x1f\x8b\x08");
        for (what, said) in asked(&format!("the service answers in {coding:?}"), answer) {
            check(said.contains("the body is encoded ("), || format!("{what}: {said}"));
        }
    }
}

#[test]
fn services_that_move_to_nowhere() {
    for (headers, why) in few(
        2,
        [
            ("", "does not say where to"),
            ("Location: \r\n", "it is empty"),
            ("Location: #x\r\n", "only a fragment"),
            ("Location: ftp://x.org/\u{202e}\r\n", "scheme \"ftp\""),
            ("Location: https://ex\u{e4}mple.org/\r\n", "xn--exmple-cua.org"),
            ("Location: /a\u{1}\r\n", "invalid header value"),
        ],
    ) {
        let answer = super::echoes::response("302 Found", headers, b"moved");
        for (what, said) in asked(&format!("the service moved: {headers:?}"), answer) {
            // What is posted is not sent on, wherever.
            let posted = said.contains("is not sent on by a redirect");
            check((posted || said.contains(why)) && !said.contains("other:"), || format!("{what}: {said}"));
        }
    }
}

#[test]
fn redirects_however_they_are_spelt() {
    let good =
        ["/there/a b.glb", "/there/caf\u{e9}.glb", "there/{1}.glb", "./there/x.glb#top", "/there/a%20b.glb?x=\u{e9}"];
    let bad = [
        ("", "redirected nowhere: it is empty"),
        ("#x", "redirected nowhere: it is only a fragment"),
        ("http://a..\u{e9}.example/", "labels is empty"),
        ("http://127.0.0.1:43778:80/", "port"),
        ("http://", "it names no host"),
        ("https://ex\u{e4}mple.org/a", "xn--exmple-cua.org"),
        ("//127.0.0.1:22/", "port 22"),
        ("http://[::1/", "bracket"),
        ("/a\tb", "control characters"),
        ("/a\u{1}b", "invalid header value"),
        ("file:///etc/passwd", "scheme"),
        ("http://me:pw@127.0.0.1/", "credentials"),
    ];
    let all: Vec<&str> = good.into_iter().chain(bad.iter().map(|(to, _)| *to)).collect();
    let served: Vec<String> = all.iter().map(|to| (*to).to_owned()).collect();
    let cdn = Cdn::start(move |path, _| match path.split('/').nth(1).unwrap().parse::<usize>() {
        Ok(case) if !path.contains("/there/") => Serve::Status(302, format!("Location: {}\r\n", served[case])),
        _ => Serve::File(triangle_glb("a")),
    });
    let cdns: Vec<String> = (0..all.len()).map(|case| format!("{}/{case}", cdn.url())).collect();
    let (world, said) = downloaded("redirects however they are spelt", &cdns, 1, true);
    for (case, to) in all.iter().enumerate() {
        let miner = u8::try_from(case).unwrap();
        let taken = submitted(&world.repo(), miner)[stem(0)]["glb"].is_string();
        let reasons = said["details"]["miners"][hotkey(miner)]["reasons"].clone();
        let why = case.checked_sub(good.len()).map_or("", |case| bad[case].1);
        check(taken == (case < good.len()) && reasons.to_string().contains(why), || format!("{to:?}: {reasons}"));
        // The reason once, as it is: no library's word before it, and no escape escaped.
        let odd =
            reasons.as_object().unwrap().keys().find(|reason| reason.contains("other:") || reason.contains("\\\\"));
        check(odd.is_none(), || format!("{to:?}: {odd:?}"));
        let asked = cdn.seen().iter().filter(|path| **path == format!("/{case}/{}.glb", stem(0))).count();
        check(asked == 1, || format!("{to:?}: asked {asked} times"));
    }
}

#[test]
fn addresses_of_another_script() {
    let world = super::echoes::at_duels();
    world.put("a.png", super::pictures::png(8, 8, 2).bytes());
    world.put("a.glb", triangle_glb("a"));
    let url = "https://ex\u{e4}mple.org";
    for (what, settings, args) in [
        ("a judge", String::new(), &["judge", "a.png", "a.png", "a.png", "--judge-url", url][..]),
        ("a node", String::new(), &["status", "--network", url]),
        ("an archive", String::new(), &["status", "--network", "http://127.0.0.1:9", "--archive", url]),
        ("a render service", String::new(), &["render", "a.glb", "--service", url]),
        (
            "a distance service",
            format!("[distance]\ndriver = \"http\"\nurl = \"{url}\"\n"),
            &["distance", "a.png", "a.png"],
        ),
        (
            "a store",
            format!("[store]\nendpoint = \"{url}\"\ncdn_url = \"https://store.example.org\"\n"),
            &["verify", "--objects", "--sample", "1"],
        ),
        ("a CI", format!("[builds]\ndriver = \"github\"\nrepo = \"a/b\"\napi_url = \"{url}\"\n"), &["builds"]),
    ] {
        let file = world.settings(&settings);
        let outcome = world
            .attack(&format!("{what} of another script"), &[args, &["--config", &file]].concat())
            .with_keys()
            .run();
        check(outcome.said().contains("xn--exmple-cua.org"), || format!("{what}: {}", outcome.said()));
    }
}

#[test]
fn services_that_break_down_with_words() {
    for (what, body) in few(3, super::servers::hostile_bodies()) {
        for status in few(2, ["429 Slow", "500 Oops", "503 No"]) {
            let answer =
                super::echoes::response(status, "Retry-After: 0\r\n", &[b"we broke down: ".as_slice(), &body].concat());
            for (what, said) in asked(&format!("the service breaks down with {what} under {status}"), answer) {
                // A limit of the CI's is said with the time of its end.
                let limited = what.starts_with("builds") && status.starts_with("429");
                check(limited || said.contains("we broke down:"), || format!("{what}: {said}"));
            }
        }
    }
}

#[test]
fn pictures_that_break_down_with_words() {
    for status in ["404 Not Found", "429 Slow", "503 No"] {
        let key = "hunter2-of-the-pictures";
        let answer = super::echoes::response(
            status,
            "Retry-After: 0\r\n",
            format!("we broke down: \u{1b}[31m{key} {}", "x".repeat(9000)).as_bytes(),
        );
        let server = super::Echo::start(move |_| answer.clone());
        let world = super::echoes::at_duels();
        let picture = format!("{}/a.png?token={key}", server.url());
        let judge = ["--judge-url", "http://127.0.0.1:9/v1", "--inline-images"];
        let args = [&["judge", &picture, &picture, &picture][..], &judge].concat();
        let outcome = world.attack(&format!("pictures answered with {status}"), &args).run().ends(&[4]);
        let outcome = outcome.says(&[&format!("status {}: we broke down: \\u{{1b}}[31m***", &status[..3])]);
        check(!outcome.said().contains(key) && outcome.said().len() < 4000, || outcome.said());
    }
}

#[test]
fn services_that_code_the_transfer() {
    let body = b"2\r\n{}\r\n0\r\n\r\n";
    for coding in ["gzip, chunked", "deflate,chunked", "x\u{9b}, chunked"] {
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: {coding}\r\n\r\n");
        for (what, said) in asked(&format!("the service sends in {coding:?}"), [head.as_bytes(), body].concat()) {
            check(said.contains("the body is encoded in transfer ("), || format!("{what}: {said}"));
        }
    }
}

#[test]
fn ports_of_other_services() {
    let ports = [22_u16, 25, 1, 21, 23, 53, 110, 143, 445, 465, 587, 993, 1023];
    let cdns: Vec<String> = ports.iter().map(|port| format!("http://8.8.8.8:{port}/x")).collect();
    let (_, said) = downloaded("CDNs at ports of other services", &cdns, 1, false);
    for (n, port) in ports.iter().enumerate() {
        let reasons = said["details"]["miners"][hotkey(u8::try_from(n).unwrap())]["reasons"].to_string();
        check(reasons.contains("port"), || format!("port {port}: {reasons}"));
    }
}

#[test]
fn redirects_to_ports_of_other_services() {
    let cdn = Cdn::start(|path, _| {
        let port = path.split('/').nth(1).unwrap();
        Serve::Status(302, format!("Location: http://127.0.0.1:{port}/x.glb\r\n"))
    });
    let ports = ["22", "25", "0", "65536", "443443"];
    let cdns: Vec<String> = ports.iter().map(|port| format!("{}/{port}", cdn.url())).collect();
    let (world, said) = downloaded("redirects to ports of other services", &cdns, 1, true);
    for (n, port) in ports.iter().enumerate() {
        let n = u8::try_from(n).unwrap();
        assert!(submitted(&world.repo(), n)[stem(0)]["glb"].is_null());
        let reasons = said["details"]["miners"][hotkey(n)]["reasons"].to_string();
        check(reasons.contains("port") || reasons.contains("redirect"), || format!("port {port}: {reasons}"));
    }
}

#[test]
fn revealed_addresses_of_all_sorts() {
    for url in few(
        3,
        [
            "http://cdn.example.com:22",
            "http://cdn.example.com:25/x",
            "http://8.8.8.8:445",
            "http://cdn.example.com:0",
            "http://cdn.example.com:65536",
            "http://127.0.0.1:8080",
            "http://169.254.169.254/latest",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost",
            "http://a.internal/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://user:pass@cdn.example.com",
            "ftp://cdn.example.com",
            "file:///etc/passwd",
            "http://cdn.example.com/\u{202e}",
            "https://cdn.example.com/a b",
            "https://ex\u{e4}mple.org/a",
            "https://\u{4f8b}\u{3048}.\u{30c6}\u{30b9}\u{30c8}/",
            "https://",
            "https://cdn.example.com/#x",
            "gopher://x",
            "//x.org",
        ],
    ) {
        let world = World::example(false);
        edit(&world.repo(), "rounds/0/submissions.json", |text| {
            let (head, rest) = text.split_once("\"cdn_url\": \"").unwrap();
            format!("{head}\"cdn_url\": \"{url}{}", &rest[rest.find('"').unwrap()..])
        });
        let outcome = world.run(&format!("verify of a CDN at {}", url.escape_debug()), &["verify"]);
        outcome.ends(&[1]).says(&["submissions"]);
    }
}

/// Addresses that no page may load a picture from.
const BAD: [&str; 22] = [
    "http://169.254.169.254/latest/meta-data/evil.png",
    "http://localhost:8080/evil.png",
    "http://127.0.0.1/evil.png",
    "http://[::1]/evil.png",
    "http://[::ffff:169.254.169.254]/evil.png",
    "http://10.0.0.1/evil.png",
    "http://192.168.0.1/evil.png",
    "http://router.local/evil.png",
    "http://metadata.google.internal/evil.png",
    "http://2130706433/evil.png",
    "http://0x7f000001/evil.png",
    "http://0177.0.0.1/evil.png",
    "http://user:pass@store.example.org/evil.png",
    "http://intranet/evil.png",
    "../../../etc/evil.png",
    "/etc/evil.png",
    "file:///etc/evil.png",
    "file:///../evil.png",
    "//evil.example.org/evil.png",
    "javascript:evil()",
    "data:image/svg+xml,<svg onload=evil()>",
    "https://store.example.org:22/evil.png",
];

/// What the pages of a world's report would load.
fn loaded(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for (path, bytes) in tree(&world.top().join("out")) {
        let page = String::from_utf8_lossy(&bytes).into_owned();
        for begin in [" src=\"", " srcset=\"", " data-src=\"", " poster=\"", "url(", " src='", " background=\""] {
            let parts = page.split(begin).skip(1).map(|rest| rest.chars().take(200).collect::<String>());
            let parts = parts.map(|rest| rest.split(['"', '\'', ')']).next().unwrap().to_owned());
            found.extend(parts.filter(|part| part.contains("evil")).map(|part| format!("{}: {part}", path.display())));
        }
    }
    found
}

#[test]
fn pictures_from_addresses_that_are_not_public() {
    for bad in few(4, BAD) {
        let world = World::example(false);
        let mut changed = BTreeMap::new();
        for (path, bytes) in tree(&world.repo()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("duels_") || name == "submitted.json" || name == "generated.json" {
                let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                poison(&mut value, bad);
                changed.insert(path, serde_json::to_string_pretty(&value).unwrap());
            }
        }
        for (path, text) in changed {
            std::fs::write(world.repo().join(path), text).unwrap();
        }
        for path in ["prompts.txt", "rounds/0/prompts.txt"] {
            edit(&world.repo(), path, |text| text.replace("https://prompts.example.org/", &format!("{bad}?")));
        }
        world.run(&format!("report of pictures at {bad}"), &["report", "--out", "../out"]).ends(&[0]);
        check(loaded(&world) == Vec::<String>::new(), || bad.to_owned());
        world.run(&format!("verify of pictures at {bad}"), &["verify"]).ends(&[1]);
    }
}

fn poison(value: &mut serde_json::Value, url: &str) {
    match value {
        serde_json::Value::String(text) if text.starts_with("https://") => url.clone_into(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| poison(item, url)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|item| poison(item, url)),
        _ => {}
    }
}

#[test]
fn pictures_that_are_judged_and_compared() {
    let world = World::bare();
    let bombs = [
        ("a PNG of 16,384", super::pictures::png(16_384, 16_384, 6)),
        ("a WebP of 16,384", super::pictures::webp(16_384, 16_384)),
        ("a JPEG of 20,000 scans", super::pictures::jpeg_of_scans(16_384, 16_384, 20_000)),
        ("a PNG that claims 65,535", super::pictures::png_head(65_535, 65_535, 8, 6, false)),
    ];
    for (what, picture) in bombs {
        picture.write(&world.repo().join("bomb.png"));
        world
            .run(&format!("distance of {what}"), &["distance", "bomb.png", "bomb.png", "--distance", "pixels"])
            .ends(&[1, 2])
            .says(&["bomb.png"]);
    }
}
