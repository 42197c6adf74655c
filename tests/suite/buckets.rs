//! `download` into S3 buckets: a real server with signatures on, and one that fails on order.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::cdn::{Cdn, Serve, blank_glb, triangle_glb};
use crate::download::whole;
use crate::round::{DEADLINE, hotkey, round, stage, stem, submitted};
use crate::snapshots::Transcript;
use crate::support::{Run, command, skipped, tree};

/// Runs a command with the bucket's keys in the environment.
fn with_keys(folder: &Path, endpoint: &str, secret: &str, args: &[&str]) -> Run {
    let mut command = command(folder);
    command.env("R2_ENDPOINT", endpoint).env("R2_ACCESS_KEY_ID", "AKTEST").env("R2_SECRET_ACCESS_KEY", secret);
    command.env("CDN_URL", "https://cdn.example");
    let output = command.args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let run = Run { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
    assert!(!run.out.contains(secret) && !run.err.contains(secret), "a secret was shown");
    run
}

fn download(folder: &Path, endpoint: &str, secret: &str) -> Run {
    with_keys(folder, endpoint, secret, &["download", "--block", DEADLINE])
}

/// An s3s-fs server, ended when dropped.
struct S3 {
    child: Child,
    data: tempfile::TempDir,
    endpoint: String,
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SECRET: &str = "hunter2-of-the-bucket";

/// The program that `.ci/run` installs, or one named by `GEN404_S3S_FS`.
fn program() -> Option<PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/s3s-fs/bin/s3s-fs");
    let program = std::env::var_os("GEN404_S3S_FS").map_or(installed, PathBuf::from);
    if program.exists() {
        return Some(program);
    }
    skipped(&format!(
        "no S3 server at {}: cargo install s3s-fs --version 0.14.1 --locked --features binary --root target/s3s-fs",
        program.display()
    ));
    None
}

impl S3 {
    fn start() -> Option<S3> {
        let program = program()?;
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join("404-gen")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args([
                "--host",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--access-key",
                "AKTEST",
                "--secret-key",
                SECRET,
            ])
            .arg(data.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "s3s-fs does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(S3 { child, data, endpoint: format!("http://127.0.0.1:{port}") })
    }

    fn objects(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let hidden = |path: &PathBuf| path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
        let mut objects = tree(&self.data.path().join("404-gen"));
        objects.retain(|path, _| !hidden(path));
        objects
    }
}

#[test]
fn the_keys_may_lie_in_files() {
    let folder = round(&["https://cdn.example/0".to_owned()], 2);
    let dry = |key_file: &str| {
        let mut run = command(folder.path());
        run.args(["download", "--dry-run", "--block", "999999", "--json"]).env("R2_ENDPOINT", "https://r2.example");
        run.env("R2_ACCESS_KEY_ID_FILE", "id").env("R2_SECRET_ACCESS_KEY_FILE", key_file);
        let run = run.output().unwrap();
        (run.status.code(), serde_json::from_slice::<serde_json::Value>(&run.stdout).unwrap())
    };
    for name in ["id", "key"] {
        std::fs::write(folder.path().join(name), "hunter2\n").unwrap();
    }
    let (code, known) = dry("key");
    assert_eq!((code, known["files"].as_array().unwrap().len()), (Some(0), 3), "{known:#}");
    let (code, missing) = dry("nowhere");
    assert_eq!((code, &missing["error"]), (Some(2), &"R2_SECRET_ACCESS_KEY_FILE=nowhere: no such file".into()));
    assert_eq!(dry("").1["error"], "R2_SECRET_ACCESS_KEY is not set");
    for (text, wrong) in
        [("", "the file is empty"), ("a\nb\n", "more than one line, or characters that a key cannot contain")]
    {
        std::fs::write(folder.path().join("key"), text).unwrap();
        let (code, odd) = dry("key");
        assert_eq!((code, &odd["error"]), (Some(2), &format!("R2_SECRET_ACCESS_KEY_FILE=key: {wrong}").into()));
    }
}

#[test]
fn a_real_server_that_checks_signatures_takes_and_gives_everything() {
    let Some(s3) = S3::start() else { return };
    let good = |path: &str| if path == "/0/00aa.glb" { triangle_glb(path) } else { blank_glb(path) };
    let cdn = Cdn::start(move |path, _| Serve::File(good(path)));
    let cdns: Vec<String> = (0..4).map(|n| format!("{}/{n}", cdn.url())).collect();
    let folder = round(&cdns, 6);
    let refused = download(folder.path(), &s3.endpoint, "another-secret").ends(4);
    assert!(refused.err.contains("status 403 (SignatureDoesNotMatch)"), "{}", refused.err);
    assert!(refused.err.contains("R2_SECRET_ACCESS_KEY"), "{}", refused.err);
    download(folder.path(), &s3.endpoint, SECRET).ends(0);
    assert_eq!(stage(folder.path()), "duels");
    assert_eq!(s3.objects().len(), 25);
    let verify = ["verify", "--objects", "--json"];
    let found = with_keys(folder.path(), &s3.endpoint, SECRET, &verify).json();
    let checks: Vec<_> = found["details"]["checks"].as_array().unwrap().iter().collect();
    let of =
        |id: &str| checks.iter().filter(|check| check["id"] == id).map(|c| c["status"].clone()).collect::<Vec<_>>();
    assert_eq!(of("object.sha256"), ["pass"; 4]);
    assert_eq!(of("object.preview"), ["pass"]);
    let flipped = s3.data.path().join(format!("404-gen/rounds/0/{}/submitted/03aa.glb", hotkey(2)));
    let mut bytes = std::fs::read(&flipped).unwrap();
    bytes[30] ^= 0x10;
    std::fs::write(&flipped, bytes).unwrap();
    let found = with_keys(folder.path(), &s3.endpoint, SECRET, &verify).ends(1).json();
    let failed: Vec<_> = found["details"]["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["id"] == "object.sha256" && c["status"] == "fail")
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0]["detail"].as_str().unwrap().contains("submitted/03aa.glb"));
    objects_stay(&cdns, &s3);
}

/// Another competition of the same round stores the same keys: what is there stays.
fn objects_stay(cdns: &[String], s3: &S3) {
    let before = s3.objects();
    let folder = round(&cdns[2..3], 6);
    // The same hotkey with other files: miner 0's.
    download(folder.path(), &s3.endpoint, SECRET).ends(0);
    let after = s3.objects();
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "an object was replaced");
    let entry = submitted(folder.path(), 0)[stem(1)]["glb"].clone();
    assert!(entry.as_str().unwrap().ends_with("/01aa-2.glb"), "{entry}");
}

/// A request to the server of [`Faulty`].
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
}

/// What a faulty server does.
#[derive(Clone, Copy)]
enum Fault {
    None,
    /// Answer so, and take nothing.
    Answer(&'static str),
    /// Say this: status line, header lines, code and further elements of the error's XML.
    Say(&'static str, &'static str, &'static str, &'static str),
    /// Say this page under status 200, and take nothing.
    Page(&'static str),
    /// Read a part of the body, and end the connection.
    Drop,
    /// Take the object, and end the connection before the answer.
    LoseAnswer,
}

/// An S3 server of the fewest features, with faults by the number of the request and what it asks.
struct Faulty {
    endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Objects = Arc<Mutex<BTreeMap<String, (Vec<u8>, String)>>>;

impl Faulty {
    fn start(fault: impl Fn(usize, &Asked) -> Fault + Send + Sync + 'static) -> Faulty {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (asked, objects): (Arc<Mutex<Vec<Asked>>>, Objects) = Default::default();
        let (log, fault) = (Arc::clone(&asked), Arc::new(fault));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, fault, objects) = (Arc::clone(&log), Arc::clone(&fault), Arc::clone(&objects));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Some(request) = read_head(&mut reader) {
                        let number = {
                            let mut log = log.lock().unwrap();
                            log.push(request.clone());
                            log.len() - 1
                        };
                        if answer(&stream, &mut reader, &request, fault(number, &request), &objects).is_none() {
                            let _ = stream.shutdown(std::net::Shutdown::Both);
                            return;
                        }
                    }
                });
            }
        });
        Faulty { endpoint, asked }
    }

    fn puts(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.method == "PUT").cloned().collect()
    }
}

fn read_head(reader: &mut impl BufRead) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let first: Vec<&str> = lines[0].split(' ').collect();
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Some(Asked { method: first[0].to_owned(), path: first[1].to_owned(), headers })
}

fn answer(
    mut stream: &TcpStream,
    reader: &mut impl Read,
    asked: &Asked,
    fault: Fault,
    objects: &Objects,
) -> Option<()> {
    let length: usize = asked.headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; if matches!(fault, Fault::Drop) { length / 2 } else { length }];
    reader.read_exact(&mut body).ok()?;
    let reply = |status: &str, lines: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    if let Fault::Answer(status) = fault {
        let code = status.split(' ').nth(1).unwrap_or_default();
        return stream.write_all(&reply(status, "", format!("<Error><Code>{code}</Code></Error>").as_bytes())).ok();
    }
    if let Fault::Say(status, lines, code, more) = fault {
        let declared = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let body = format!("{declared}<Error><Code>{code}</Code><Message>we say no</Message>{more}</Error>");
        // HEAD has no body, and with it no code.
        let body = if asked.method == "HEAD" { "" } else { &body };
        return stream.write_all(&reply(status, lines, body.as_bytes())).ok();
    }
    if let Fault::Page(page) = fault {
        return stream.write_all(&reply("200 OK", "Content-Type: text/html\r\n", page.as_bytes())).ok();
    }
    if matches!(fault, Fault::Drop) {
        return None;
    }
    let mut objects = objects.lock().unwrap();
    let there = objects.get(&asked.path).cloned();
    let said = match (asked.method.as_str(), there) {
        ("PUT", None) => {
            objects.insert(asked.path.clone(), (body, asked.headers["x-amz-meta-sha256"].clone()));
            reply("200 OK", "ETag: \"x\"\r\n", b"")
        }
        ("PUT", Some(_)) => reply("412 PreconditionFailed", "", b""),
        ("HEAD", Some((_, sum))) => reply("200 OK", &format!("x-amz-meta-sha256: {sum}\r\n"), b""),
        (_, Some((bytes, _))) => reply("200 OK", "", &bytes),
        _ => reply("404 NoSuchKey", "", b""),
    };
    if matches!(fault, Fault::LoseAnswer) {
        return None;
    }
    stream.write_all(&said).ok()
}

fn one_miner(prompts: usize) -> (Cdn, tempfile::TempDir) {
    let cdn = Cdn::start(|path, _| Serve::File(blank_glb(path)));
    let folder = round(&[format!("{}/a", cdn.url())], prompts);
    (cdn, folder)
}

#[test]
fn a_request_holds_what_r2_takes_and_nothing_else() {
    let faulty = Faulty::start(|_, _| Fault::None);
    let (_cdn, folder) = one_miner(1);
    download(folder.path(), &faulty.endpoint, SECRET).ends(0);
    let puts = faulty.puts();
    assert_eq!(puts.len(), 1);
    let Asked { path, headers, .. } = &puts[0];
    assert_eq!(*path, format!("/404-gen/rounds/0/{}/submitted/00aa.glb", hotkey(0)));
    assert_eq!(headers["content-type"], "model/gltf-binary");
    assert_eq!(headers["if-none-match"], "*");
    assert_eq!(headers["content-length"], blank_glb("/a/00aa.glb").len().to_string());
    assert!(headers["content-md5"].ends_with("=="));
    let authorization = &headers["authorization"];
    assert!(
        authorization.contains("/auto/s3/aws4_request") && authorization.contains("if-none-match"),
        "{authorization}"
    );
    let known = ["x-amz-content-sha256", "x-amz-date", "x-amz-meta-sha256"];
    let others: Vec<_> =
        headers.keys().filter(|name| name.starts_with("x-amz") && !known.contains(&name.as_str())).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(!headers.contains_key("expect") && !headers.contains_key("transfer-encoding"));
}

#[test]
fn slow_down_lost_connections_and_lost_answers_are_lived_through() {
    let faulty = Faulty::start(|number, asked| match (number, asked.method.as_str()) {
        (0 | 4 | 7, _) => Fault::Answer("503 SlowDown"),
        (1 | 5 | 8, "PUT") => Fault::Drop,
        (2 | 6 | 9, "PUT") => Fault::LoseAnswer,
        _ => Fault::None,
    });
    let (cdn, folder) = one_miner(6);
    download(folder.path(), &faulty.endpoint, SECRET).ends(0);
    assert_eq!(stage(folder.path()), "duels");
    let entries = submitted(folder.path(), 0);
    for n in 0..6 {
        assert!(entries[stem(n)]["glb"].as_str().unwrap().ends_with(&format!("/{}.glb", stem(n))), "{entries}");
    }
    assert_eq!(cdn.seen().len(), 6);
}

#[test]
fn a_store_that_fails_for_good_ends_the_run_with_everything_noted() {
    let (cdn, folder) = one_miner(12);
    let refusing = Faulty::start(|number, _| if number < 4 { Fault::None } else { Fault::Answer("403 AccessDenied") });
    let run = download(folder.path(), &refusing.endpoint, SECRET).ends(4);
    assert!(run.err.contains("status 403 (AccessDenied)") && run.err.contains("rounds/0/"), "{}", run.err);
    assert_eq!(stage(folder.path()), "downloading");
    let noted = std::fs::read_to_string(folder.path().join(".gen404/download/round-0/outcomes.jsonl")).unwrap();
    assert_eq!(noted.lines().count(), 4);
    let own = folder.path().join(".gen404");
    // What was cut off in the middle when the run ended is fetched again; what was whole is not.
    let left = || 12 - whole(&own).len();
    let (before, missing_files) = (cdn.seen().len(), left());
    let missing = Faulty::start(|_, _| Fault::Answer("404 NoSuchBucket"));
    let run = download(folder.path(), &missing.endpoint, SECRET).ends(4);
    assert!(run.err.contains("NoSuchBucket") && run.err.contains("bucket in gen404.toml"), "{}", run.err);
    assert!(cdn.seen().len() - before <= missing_files, "what was fetched is not fetched again");
    let (before, missing_files) = (cdn.seen().len(), left());
    let working = Faulty::start(|_, _| Fault::None);
    download(folder.path(), &working.endpoint, SECRET).ends(0);
    assert_eq!(working.puts().len(), 8, "what was stored is not stored again");
    assert_eq!(cdn.seen().len() - before, missing_files, "what was fetched is not fetched again");
}

#[test]
fn refusals_that_pass_are_tried_again() {
    let cases = [
        ("400 Bad Request", "RequestTimeout"),
        ("400 Bad Request", "BadDigest"),
        ("400 Bad Request", "IncompleteBody"),
        ("400 Bad Request", "XAmzContentSHA256Mismatch"),
        ("403 Forbidden", "SlowDown"),
        ("408 Request Timeout", ""),
        ("409 Conflict", "ConditionalRequestConflict"),
        ("409 Conflict", "OperationAborted"),
        ("429 Too Many Requests", "TooManyRequests"),
        ("500 Internal Server Error", "InternalError"),
        ("503 Slow Down", "SlowDownWrite"),
        ("200 OK", "InternalError"),
    ];
    std::thread::scope(|scope| {
        for (status, code) in cases {
            scope.spawn(move || {
                let faulty = Faulty::start(
                    move |number, _| if number < 2 { Fault::Say(status, "", code, "") } else { Fault::None },
                );
                let (_cdn, folder) = one_miner(1);
                download(folder.path(), &faulty.endpoint, SECRET).ends(0);
                assert_eq!((faulty.puts().len(), stage(folder.path()).as_str()), (3, "duels"), "{status} {code}");
            });
        }
    });
}

#[test]
fn other_refusals_are_said_once_with_what_to_do() {
    let moved = "x-amz-bucket-region: eu-west-1\r\nLocation: http://127.0.0.1:9/evil\r\n";
    let region = "<Region>eu-central-1</Region>";
    let cases = [
        ("403 Forbidden", "", "RequestTimeTooSkewed", ""),
        ("400 Bad Request", "", "ExpiredRequest", ""),
        ("403 Forbidden", "", "QuotaExceeded", ""),
        ("400 Bad Request", "", "XMinioAdminBucketQuotaExceeded", ""),
        ("507 Insufficient Storage", "", "XMinioStorageFull", ""),
        ("301 Moved", "x-amz-bucket-region: eu-west-1\r\n", "PermanentRedirect", ""),
        ("301 Moved", "", "", ""),
        ("307 Temporary Redirect", moved, "TemporaryRedirect", ""),
        ("400 Bad Request", "", "AuthorizationHeaderMalformed", region),
        ("200 OK", "", "AccessDenied", ""),
        ("501 Not Implemented", "", "NotImplemented", ""),
        ("409 Conflict", "", "BucketAlreadyExists", ""),
        ("403 Forbidden", "", "InvalidAccessKeyId", ""),
    ];
    let mut seen = Transcript::new(&[]);
    std::thread::scope(|scope| {
        let told = |(status, headers, code, more): (&'static str, &'static str, &'static str, &'static str)| {
            scope.spawn(move || {
                let faulty = Faulty::start(move |_, _| Fault::Say(status, headers, code, more));
                let (_cdn, folder) = one_miner(1);
                let run = download(folder.path(), &faulty.endpoint, SECRET).ends(4);
                assert_eq!(faulty.puts().len(), 1, "{status} {code}");
                (format!("{status} {code}"), run, faulty.endpoint.clone())
            })
        };
        let threads: Vec<_> = cases.into_iter().map(told).collect();
        for thread in threads {
            let (case, run, endpoint) = thread.join().unwrap();
            seen.hide(&endpoint, "[URL]").after(&case).add(&["download"], &run);
        }
    });
    seen.holds("store_refusals");
}

#[test]
fn a_page_that_is_no_stores_answer_stores_nothing() {
    let faulty = Faulty::start(|_, asked| match asked.method.as_str() {
        "PUT" => Fault::Page("<html>Please log in</html>"),
        _ => Fault::None,
    });
    let (_cdn, folder) = one_miner(1);
    let run = download(folder.path(), &faulty.endpoint, SECRET).ends(4);
    Transcript::new(&[]).hide(&faulty.endpoint, "[URL]").add(&["download"], &run).holds("store_answers_a_page");
    assert!(!tree(folder.path()).keys().any(|path| path.ends_with("submitted.json")));
}

#[test]
fn a_server_that_says_the_secret_key_is_shown_without_it() {
    let region: &'static str = Box::leak(format!("<Region>we know {SECRET}</Region>").into_boxed_str());
    let faulty = Faulty::start(move |_, _| Fault::Say("400 Bad Request", "", "InvalidRegion", region));
    let (_cdn, folder) = one_miner(1);
    let run = download(folder.path(), &faulty.endpoint, SECRET).ends(4);
    assert!(run.err.contains("we know ***") && !run.err.contains(SECRET), "{}", run.err);
}

#[test]
fn an_answer_to_head_says_little_and_that_is_enough() {
    let mut seen = Transcript::new(&[]);
    for (status, headers) in
        [("403 Forbidden", ""), ("400 Bad Request", ""), ("301 Moved", "x-amz-bucket-region: eu-west-1\r\n")]
    {
        let fault = Fault::Say(status, headers, "", "");
        let faulty = Faulty::start(move |_, asked| match asked.method.as_str() {
            "PUT" => Fault::Answer("412 PreconditionFailed"),
            _ => fault,
        });
        let (_cdn, folder) = one_miner(1);
        let run = download(folder.path(), &faulty.endpoint, SECRET).ends(4);
        seen.hide(&faulty.endpoint, "[URL]").after(status).add(&["download"], &run);
    }
    seen.holds("store_refuses_head");
}

#[test]
fn an_endpoint_of_another_script_is_named() {
    let (_cdn, folder) = one_miner(1);
    let run = download(folder.path(), "https://ex\u{e4}mple.org", SECRET).ends(2);
    Transcript::new(&[folder.path()]).add(&["download"], &run).holds("store_of_another_script");
}
