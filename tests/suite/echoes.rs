//! Servers that send back what they were sent: no client shows, records or journals its secrets,
//! however the server spells them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gen404::base::error::Error;
use gen404::model::format::Format;
use gen404::model::ids::{Player, PromptStem, RoundNumber, Seed};
use gen404::model::objects::{ObjectKey, ObjectKind};
use gen404::world::builds::WantedBuilds;
use gen404::world::builds::settings::BuildSettings;
use gen404::world::chain::Chain as _;
use gen404::world::distance::Distance as _;
use gen404::world::distance::Picture;
use gen404::world::http::{Client, HttpLimits, Request, Retry, Secret};
use gen404::world::judge::Judge as _;
use gen404::world::judge::settings::JudgeSettings;
use gen404::world::pods::program::{Program, ProgramLimits, ProgramTrouble};
use gen404::world::pods::{ApiPolicy, Endpoint, PodId, PodName, PodOrder};
use gen404::world::render::Renderer as _;
use gen404::world::store::r2::{Bucket, R2Store};
use gen404::world::store::{Bytes, NewObject, ObjectStore as _};
use serde_json::json;

use crate::chain_support::subtensor;
use crate::round::hotkey;
use crate::support::{as_somebody, command, git, skipped};

/// A secret with characters that JSON, URLs and HTML escape.
const SECRET: &str = "hunter2/Top+secret&key=0123456789abcdef";

/// Each way in which a server may spell what it was sent, by name.
const SPELLINGS: [&str; 9] =
    ["plain", "json", "slashes", "percent", "base64", "hex", "half", "a mixture", "another mixture"];

fn spelt(text: &str, spelling: &str) -> String {
    let quoted = json!(text).to_string();
    match spelling {
        "json" => quoted,
        "slashes" => quoted.replace('/', "\\/"),
        "percent" => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
            text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
        }
        "base64" => BASE64_STANDARD.encode(text),
        "hex" => text.bytes().map(|b| format!("{b:02x}")).collect(),
        "a mixture" => mixed(text, 1),
        "another mixture" => mixed(text, 2),
        // Cut off in the middle of the secret.
        "half" => text.find("Top+").map_or(text, |at| &text[..at + 8]).to_owned(),
        _ => text.to_owned(),
    }
}

/// A text with each character in a spelling of its own, some of them inside another one.
pub fn mixed(text: &str, lot: usize) -> String {
    let spell = |(at, c): (usize, char)| {
        let code = u32::from(c);
        match (at * 7 + lot * 5 + at * at) % 11 {
            0 => format!("%{code:02X}"),
            1 => format!("%{code:02x}"),
            2 => format!("\\u{code:04x}"),
            3 => format!("&#{code};"),
            4 => format!("&#x{code:X};"),
            5 => format!("\\x{code:02x}"),
            6 => c.to_ascii_uppercase().to_string(),
            7 => format!("%25{code:02x}"),
            8 => format!("\\\\u{code:04X}"),
            9 => format!("&amp;#{code};"),
            _ => c.to_string(),
        }
    };
    text.chars().enumerate().map(spell).collect()
}

/// Does a text hold a part of the secret that is longer than a word, in any spelling?
fn tells(text: &str) -> Option<String> {
    let parts = ["Top+secret", "0123456789abcdef", "hunter2/Top", "hunter2\\/Top", "hunter2%2FTop"];
    let mut sought: Vec<String> = parts.map(str::to_owned).into();
    sought.push(spelt(SECRET, "hex")[16..40].to_owned());
    for offset in 0..3 {
        let inside = BASE64_STANDARD.encode([&vec![b'x'; offset], SECRET.as_bytes()].concat());
        sought.push(inside[8..40].to_owned());
    }
    // A mixture's tail, wherever it stood in what was spelt.
    for (before, lot) in (0..11).flat_map(|before| [(before, 1), (before, 2)]) {
        let up_to = |end: usize| mixed(&format!("{}{}", "-".repeat(before), &SECRET[..end]), lot);
        let (head, whole) = (up_to(SECRET.len() - 6), up_to(SECRET.len()));
        sought.push(whole[head.len()..].to_owned());
    }
    sought.into_iter().find(|part| text.contains(part.as_str()))
}

/// All that an error may show.
fn shown(error: &Error) -> String {
    format!("{error}\n{}\n{}\n{error:?}", error.causes().join("\n"), error.hints().join("\n"))
}

#[track_caller]
fn keeps(what: &str, text: &str) {
    if let Some(part) = tells(text) {
        panic!("{what}: {part} is told in {text}");
    }
}

/// A request: its head with all headers, and its body.
type Answer = dyn Fn(&str, &str) -> (u16, String, String) + Send + Sync;

/// A server up to the end of the test; `answer` makes status, header lines and body.
pub fn serve(answer: impl Fn(&str, &str) -> (u16, String, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer: Arc<Answer> = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || drop(one(&stream, &answer)));
        }
    });
    url
}

fn one(mut stream: &TcpStream, answer: &Arc<Answer>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, lines, text) = answer(&head, &String::from_utf8_lossy(&body));
    let length = if head.starts_with("HEAD") { 0 } else { text.len() };
    write!(stream, "HTTP/1.1 {status} Said\r\nConnection: close\r\n{lines}Content-Length: {length}\r\n\r\n")?;
    if length > 0 { stream.write_all(text.as_bytes()) } else { Ok(()) }
}

/// The values that may be secret: of the path, the headers, the body.
fn everything(head: &str, body: &str) -> String {
    let head: Vec<&str> = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("host:")).collect();
    format!("{} {body}", head.join(" "))
}

/// A server that says what it was sent: as a text, or in a JSON error of every usual shape.
fn echo(status: u16, spelling: &'static str, as_json: bool) -> String {
    serve(move |head, body| {
        let all = spelt(&everything(head, body), spelling);
        let text = if as_json {
            json!({"error": {"code": 7, "message": all}, "message": all, "detail": all, "title": all}).to_string()
        } else {
            all
        };
        (status, String::new(), text)
    })
}

/// Every spelling, as a text and in JSON, with these statuses.
fn every_echo(statuses: &[u16]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for status in statuses {
        for spelling in SPELLINGS {
            for as_json in [false, true] {
                let what = format!("status {status}, {spelling}, json: {as_json}");
                all.push((what, echo(*status, spelling, as_json)));
            }
        }
    }
    all
}

#[test]
fn a_judge_does_not_learn_us_our_key() {
    for (what, url) in every_echo(&[401, 400, 500, 200]) {
        let settings = JudgeSettings { base_url: Some(format!("{url}/v1")), attempts: 1, ..JudgeSettings::default() };
        let judge = settings.open(Some(Secret::new(SECRET))).unwrap();
        let error = judge.ask(Seed(1), ["a", "b", "c"]).unwrap_err();
        keeps(&what, &shown(&error));
    }
}

#[test]
fn a_judges_words_are_kept_without_our_key_and_not_without_end() {
    for spelling in SPELLINGS {
        let url = serve(move |head, body| {
            let told = spelt(&everything(head, body), spelling);
            let issues = format!("{told} {}", "x".repeat(3_000_000));
            let content = json!({"penalty_1": 3, "penalty_2": 4, "issues": issues}).to_string();
            let choice = json!({"message": {"content": content}, "finish_reason": "stop"});
            (200, String::new(), json!({"model": told, "choices": [choice]}).to_string())
        });
        let settings = JudgeSettings { base_url: Some(url), attempts: 1, ..JudgeSettings::default() };
        let answer = settings.open(Some(Secret::new(SECRET))).unwrap().ask(Seed(1), ["a", "b", "c"]).unwrap();
        assert_eq!((answer.said.first, answer.said.second), (3, 4));
        assert!(answer.said.issues.chars().count() <= 2000 && answer.raw.len() < 20_000);
        let model = answer.origin.model.unwrap();
        assert!(!model.is_empty() && model.chars().count() < 2500, "{model}");
        keeps(spelling, &format!("{} {} {model}", answer.raw, answer.said.issues));
    }
}

#[test]
fn a_ci_and_a_registry_keep_our_tokens() {
    let env = |name: &str| match name {
        "GITHUB_REPO" => Some("owner/repo".to_owned()),
        "GITHUB_TOKEN" | "REGISTRY_PASSWORD" => Some(SECRET.to_owned()),
        "REGISTRY_USER" => Some("me".to_owned()),
        _ => None,
    };
    let own = tempfile::tempdir().unwrap();
    let wanted = |unbuilt| WantedBuilds { round: RoundNumber(0), pushed: None, unbuilt };
    let stop = gen404::world::stop::Stop::default();
    for (what, url) in every_echo(&[400, 401, 500, 200]) {
        let settings = BuildSettings { api_url: url, attempts: 1, ..BuildSettings::default() };
        let source = settings.open(env, own.path(), None, &stop).unwrap();
        keeps(&what, &shown(&source.look(&wanted(Vec::new())).unwrap_err()));
    }
    for spelling in SPELLINGS {
        let url = serve(move |head, body| {
            let all = spelt(&everything(head, body), spelling);
            if head.starts_with("GET /token") {
                return (400, String::new(), all);
            }
            let host =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
            let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{}/token\"\r\n", host.unwrap());
            (401, challenge, String::new())
        });
        let image = format!("{}/a/b:c", url.strip_prefix("http://").unwrap());
        let registry = gen404::world::builds::settings::BuildsDriver::Registry;
        let settings =
            BuildSettings { driver: Some(registry), insecure_registry: true, attempts: 1, ..BuildSettings::default() };
        let source = settings.open(env, own.path(), None, &stop).unwrap();
        let unbuilt = vec![(hotkey(1).parse().unwrap(), image)];
        let error = source.look(&wanted(unbuilt)).unwrap_err();
        assert!(error.to_string().contains("/token: status 400"), "{error}");
        keeps(spelling, &shown(&error));
    }
}

#[test]
fn a_redirect_with_our_token_in_it_is_not_shown() {
    let url = serve(|head, _| {
        let token = head.lines().find_map(|line| line.split_once("Bearer ")).map(|(_, token)| token.trim().to_owned());
        let percent = spelt(&token.unwrap_or_default(), "percent");
        (302, format!("Location: ftp://elsewhere.example/{percent}\r\n"), String::new())
    });
    let own = tempfile::tempdir().unwrap();
    let settings = BuildSettings { api_url: url, attempts: 1, ..BuildSettings::default() };
    let env = |name: &str| match name {
        "GITHUB_REPO" => Some("owner/repo".to_owned()),
        "GITHUB_TOKEN" => Some(SECRET.to_owned()),
        _ => None,
    };
    let source = settings.open(env, own.path(), None, &gen404::world::stop::Stop::default()).unwrap();
    let error = source.look(&WantedBuilds { round: RoundNumber(0), pushed: None, unbuilt: Vec::new() }).unwrap_err();
    assert!(error.to_string().contains("elsewhere"), "{error}");
    keeps("location", &shown(&error));
}

#[test]
fn providers_of_pods_keep_our_keys() {
    let (timeout, pause) = (Duration::from_secs(10), Duration::from_millis(1));
    let policy = ApiPolicy { attempts: 1, timeout, pause, patience: Duration::from_millis(5), ..ApiPolicy::default() };
    let name = PodName::new(RoundNumber(3), &Player::Leader, "ab12", 0);
    let order =
        PodOrder { name, player: Player::Leader, image: "ghcr.io/a/b:c".to_owned(), hardware: Default::default() };
    for (what, url) in every_echo(&[400, 401, 402, 500, 200]) {
        for kind in crate::cloud::KINDS {
            let keys = kind.keys(SECRET).into_iter().map(|(name, _)| (name, SECRET.to_owned())).collect();
            let provider = kind.provider(&url, &policy, keys, &format!("{SECRET}-hf"));
            let what = format!("{}: {what}", provider.name());
            let mut said = match provider.deploy(&order) {
                Ok(deployed) => format!("{deployed:?}"),
                Err(error) => shown(&error),
            };
            let pod = PodId("pod-1".to_owned());
            for error in [provider.look(&pod).err(), provider.list("g404-").err(), provider.release(&pod).err()] {
                said.push_str(&error.map(|error| shown(&error)).unwrap_or_default());
            }
            keeps(&what, &said);
        }
    }
}

#[test]
fn the_gate_before_a_program_keeps_its_key() {
    let folder = tempfile::tempdir().unwrap();
    for (what, url) in every_echo(&[400, 403, 502]) {
        let endpoint = Endpoint { url, key: Some(Secret::new(SECRET)) };
        let program = Program::new(endpoint, ProgramLimits::default());
        let made = program.generate(b"prompt", Seed(1), &folder.path().join("into"), &mut || ()).unwrap();
        let (ProgramTrouble::Program(reason) | ProgramTrouble::Infrastructure(reason)) = made.outcome.unwrap_err();
        keeps(&what, &format!("{reason} {:?}", program.health()));
    }
}

#[test]
fn a_chains_gateway_keeps_the_key_in_its_path() {
    let key = spelt(SECRET, "percent");
    for (what, url) in every_echo(&[400, 403, 500, 200]) {
        let chain = subtensor(&[format!("{url}/v1/{key}?apikey={key}")], &[]);
        let error = chain.finalized_block().unwrap_err();
        keeps(&what, &shown(&error));
        keeps(&what, &chain.name());
    }
}

#[test]
fn a_bucket_keeps_key_id_and_signature() {
    let (key_id, stem) = ("AKIDhunter2Top", "a".parse::<PromptStem>().unwrap());
    for status in [400, 403, 409, 500] {
        for spelling in ["plain", "percent", "base64", "hex"] {
            let url = serve(move |head, body| {
                let all = spelt(&everything(head, body), spelling);
                let code: String = all.chars().filter(|c| !"<>".contains(*c)).collect();
                let start = code.find("AKID").or_else(|| code.find("QUtJR")).unwrap_or(0);
                (
                    status,
                    String::new(),
                    format!("<Error><Code>{}</Code><Message>{code}</Message></Error>", &code[start..]),
                )
            });
            let (name, region) = ("b".to_owned(), "auto".to_owned());
            let bucket = Bucket { endpoint: url, name, region, cdn: "https://cdn.example".to_owned() };
            let store =
                R2Store::new(bucket, &Secret::new(key_id), &Secret::new(SECRET), HttpLimits::default(), Retry::ONCE);
            let key = ObjectKey::submitted(
                RoundNumber(0),
                &Player::Leader,
                &stem,
                ObjectKind::Model(Format::Mesh.model()),
                1,
            );
            let (kind, bytes, sha256) = (ObjectKind::Model(Format::Mesh.model()), Bytes::Memory(b"glTF"), "0");
            let put = store.put(&key, &NewObject { kind, bytes, size: 4, sha256 }).unwrap_err();
            let text = shown(&put) + &shown(&store.get(&key).unwrap_err());
            keeps(spelling, &text);
            assert!(!text.contains(key_id) && !text.contains("Signature="), "{status} {spelling}: {text}");
        }
    }
}

/// Where a service has no key of its own, its URL may hold one.
#[test]
fn services_keep_what_their_urls_hold() {
    let password = spelt(SECRET, "percent");
    let retry = Retry::ONCE;
    for (what, url) in every_echo(&[400, 422, 500, 200]) {
        let at = format!("{}?token={password}", url.replace("http://", &format!("http://me:{password}@")));
        let client = || Client::new(HttpLimits::default(), retry);
        let error = client().send(&Request::get(at.as_str())).and_then(gen404::world::http::Response::success);
        if let Err(error) = error {
            keeps(&what, &shown(&error));
        }
        let base = url.replace("http://", &format!("http://me:{password}@"));
        let renderer =
            gen404::world::render::RenderService::with_client(&base, Format::Mesh.model(), client()).unwrap();
        match renderer.render(b"glTF") {
            Ok(rendering) => keeps(&what, &format!("{rendering:?}")),
            Err(error) => keeps(&what, &shown(&error)),
        }
        let service =
            gen404::world::distance::http::DistanceService::new(&base, Duration::from_secs(9), retry, 1).unwrap();
        let picture = || Picture { url: "https://x.org/a.png", png: b"" };
        keeps(&what, &format!("{:?}", service.measure(&[(picture(), picture())])));
        if let Err(error) = gen404::world::drand::fetch(&client(), &format!("{url}/{password}"), 5) {
            // The path is shown: no key belongs there. What the server says is not more than that.
            assert!(error.to_string().len() < 900, "{error}");
        }
    }
}

#[test]
fn git_keeps_the_token_of_its_remote() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        return skipped("no git program");
    }
    let token = "hunter2Topsecretkey0123456789abcdef";
    let url = serve(move |head, body| {
        let all = everything(head, body);
        if !head.to_ascii_lowercase().contains("authorization:") {
            return (401, "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned(), all);
        }
        (403, "Content-Type: text/plain\r\n".to_owned(), format!("{all} https://me:{token}@x.org?token={token}"))
    });
    let folder = crate::round::round(&["https://cdn.example/0".to_owned()], 1);
    let (root, base) = (folder.path(), url.replace("http://", &format!("http://me:{token}@")));
    git(root, &["init", "-q", "-b", "main"]);
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "A round"]);
    git(root, &["remote", "add", "origin", &format!("{base}/a.git")]);
    for (name, value) in [("branch.main.remote", "origin"), ("branch.main.merge", "refs/heads/main")] {
        git(root, &["config", name, value]);
    }
    git(root, &["config", "http.extraHeader", &format!("X-Token: {token}")]);
    let mut run = command(root);
    as_somebody(&mut run);
    run.env("PATH", std::env::var_os("PATH").unwrap());
    let output = run.args(["builds", "--file", "b.json", "--commit", "--push", "-v"]).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("cannot fetch"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert!(!said.contains(&BASE64_STANDARD.encode(format!("me:{token}"))[6..30]), "{said}");
    // A branch may name a URL in place of a remote.
    git(root, &["config", "branch.main.remote", &format!("{base}/a.git")]);
    let mut run = command(root);
    as_somebody(&mut run);
    run.env("PATH", std::env::var_os("PATH").unwrap());
    let output = run.args(["builds", "--file", "b.json", "--commit", "--push", "-v"]).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("cannot fetch") && !said.contains("hunter2"), "{said}");
}

/// Nothing of all this is found in files either: what is journaled and committed of a duel.
#[test]
fn duels_leave_no_key_in_journal_and_reports() {
    let answers = serve(|head, body| {
        let issues = everything(head, &body.chars().take(200).collect::<String>());
        let content = json!({"penalty_1": 3, "penalty_2": 4, "issues": &issues}).to_string();
        let choice = json!({"message": {"content": content}, "finish_reason": "stop"});
        (200, String::new(), json!({"model": issues, "choices": [choice]}).to_string())
    });
    let folder = crate::duels::at_duels();
    let mut run = command(folder.path());
    run.env("OPENAI_API_KEY", SECRET).args(["duel", "--judge-url", &format!("{answers}/v1")]);
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    keeps("duel", &said);
    let mut files: BTreeMap<_, _> = crate::support::tree(folder.path());
    files.extend(crate::support::tree(&folder.path().join(".gen404")));
    let journal = files.iter().find(|(path, _)| path.ends_with("judge-journal.jsonl"));
    assert!(journal.is_some_and(|(_, bytes)| !bytes.is_empty()), "{said}");
    for (path, bytes) in files {
        keeps(&path.display().to_string(), &String::from_utf8_lossy(&bytes));
    }
}
