//! What the tests of `audit` and `baseline` share: a round whose miners are to be audited, programs that
//! are real HTTP servers, and runs of the binary.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use gen404::world::store::sha256_of;
use serde_json::{Map, Value, json};

use crate::cdn::blank_glb;
use crate::chain_support::{Fake, Reply};
use crate::round::{hotkey, stem};
use crate::support::{Run, command, set_rules, tree};

pub const PROMPTS: usize = 6;

/// A picture of one of two shapes, which have no dark pixel in common.
pub fn picture(shape: &str) -> Vec<u8> {
    let dark = |x: usize| (x < 32) == (shape == "bird");
    let pixels: Vec<u8> = (0..64 * 64).map(|at| if dark(at % 64) { 20 } else { 255 }).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 64, 64);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

pub fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Prompts at `/prompts/`, and a renderer that draws by what the model says it is.
pub fn services() -> Fake {
    Fake::start(|_, line, body| {
        if line.contains("/prompts/") {
            return Reply::Body(format!("prompt {line}").into_bytes());
        }
        Reply::Body(picture(if contains(body, "bird") { "bird" } else { "fish" }))
    })
}

/// The prompt that a request is about.
pub fn prompt_of(body: &[u8]) -> usize {
    (0..100).find(|n| contains(body, &format!("/{}.png", stem(*n)))).expect("a prompt")
}

pub fn model(seconds: &'static str, shape: &str, n: usize) -> Reply {
    Reply::Status(200, seconds, blank_glb(&format!("{shape} {}", stem(n))))
}

/// A round in `duels` whose `miners` are all to be audited; their programs are behind `pods`.
pub fn round(services: &Fake, pods: &Fake, miners: u8, prompts: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cdns = vec!["https://cdn.example/x".to_owned(); usize::from(miners)];
    crate::round::write(folder.path(), &cdns, prompts);
    let write = |path: &str, text: &str| {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    let urls: Vec<String> = (0..prompts).map(|n| format!("{}/prompts/{}.png", services.url(), stem(n))).collect();
    write("rounds/0/prompts.txt", &urls.join("\n"));
    write("state.json", &pretty(&json!({"current_round": 0, "stage": "duels", "next_stage_eta": null})));
    let (mut builds, mut requests) = (Map::new(), Vec::new());
    for miner in 0..miners {
        let key = hotkey(miner);
        let (mut submitted, mut sums) = (Map::new(), Vec::new());
        for n in 0..prompts {
            let base = format!("rounds/0/{key}/submitted/{}", stem(n));
            let file = folder.path().join(".gen404/objects").join(format!("{base}.png"));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, picture("bird")).unwrap();
            let url = format!("https://cdn.example/{base}");
            sums.push(format!("{}  submitted/{}.glb", "0".repeat(64), stem(n)));
            sums.push(format!("{}  submitted/{}.png", sha256_of(picture("bird").as_slice()).unwrap(), stem(n)));
            submitted.insert(
                stem(n),
                json!({"glb": format!("{url}.glb"), "png": format!("{url}.png"), "generation_time": 0.0, "size": 9,
                       "attempts": 0, "distance": 0.0}),
            );
        }
        write(&format!("rounds/0/{key}/submitted.json"), &pretty(&Value::Object(submitted)));
        write(&format!("rounds/0/{key}/SHA256SUMS"), &sums.join("\n"));
        let commit = format!("{miner:040x}");
        let build = json!({
            "repo": format!("miner/{miner}"), "commit": commit, "revealed_at_block": 110 + u64::from(miner),
            "tag": format!("{}-test-0", &commit[..7]), "status": "success", "docker_image": format!("img:{miner}"),
        });
        builds.insert(key.clone(), build);
        requests.push(json!({"hotkey": key, "critical_prompts": []}));
    }
    write("rounds/0/builds.json", &pretty(&Value::Object(builds)));
    write("rounds/0/require_audit.json", &pretty(&Value::Array(requests)));
    set_rules(folder.path(), json!({"mismatches": 1}));
    let settings = format!(
        "[audit]\npods = 1\nfirst_pods = 1\nmost_pods = 2\norder_seconds = 0.0\n\
         poll_seconds = 0.05\nready_seconds = 1.0\nrecover_seconds = 0.0\nattempts = 2\nbodies = 1\nsave_every = 2\n\
         [distance]\ndriver = \"pixels\"\n[pods]\nprovider = \"endpoint\"\nreported_times = true\n\
         [pods.endpoint]\nurl = \"{}/{{player}}\"\n",
        pods.url()
    );
    write("gen404.toml", &settings);
    folder
}

pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// The binary, ready to run so.
pub fn prepared(folder: &Path, services: &Fake, args: &[&str]) -> std::process::Command {
    let mut command = command(folder);
    command.args(args).args(["--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example"]);
    command.args(["--render-service", &services.url()]).env("TARGON_API_KEY", SECRET).env("HF_TOKEN", SECRET);
    command
}

pub const SECRET: &str = "hunter2-which-nobody-may-see";

/// A run of the binary with stores, services and a secret in its environment.
pub fn run(folder: &Path, services: &Fake, args: &[&str]) -> Run {
    run_as(&mut prepared(folder, services, args))
}

/// As [`run`], with a command of the test's own.
pub fn run_as(command: &mut std::process::Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

pub fn read(folder: &Path, path: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap()
}

/// Requests for a generation of this player so far, by prompt.
pub fn asked(pods: &Fake, player: &str) -> Vec<usize> {
    let seen = pods.seen.lock().unwrap();
    let ours = |line: &str| line.starts_with("POST") && line.contains(player);
    seen.iter().filter(|(line, _)| ours(line)).map(|(_, body)| prompt_of(body)).collect()
}

/// Neither files nor what was said hold the secret.
pub fn no_secret(folder: &Path, said: &[&str]) {
    assert!(said.iter().all(|text| !text.contains(SECRET)));
    for top in [folder.to_owned(), folder.join(".gen404")] {
        let told: Vec<_> = tree(&top).into_iter().filter(|(_, bytes)| contains(bytes, SECRET)).collect();
        assert!(told.is_empty(), "{:?}", told.iter().map(|(path, _)| path).collect::<Vec<_>>());
    }
}

/// A program that takes its time.
pub fn patient() -> Fake {
    Fake::start(|_, line, body| {
        if line.starts_with("GET") {
            return Reply::Body(Vec::new());
        }
        std::thread::sleep(Duration::from_millis(120));
        model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body))
    })
}

/// Starts an audit, and waits until its journal has that many answers.
pub fn begun(folder: &Path, services: &Fake, answers: usize) -> Child {
    begun_as(prepared(folder, services, &["audit"]), folder, answers)
}

/// As [`begun`], with a command of the test's own.
pub fn begun_as(mut command: std::process::Command, folder: &Path, answers: usize) -> Child {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while finished(folder).len() < answers && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// The prompts whose answer the journal has.
pub fn finished(folder: &Path) -> Vec<String> {
    let path = folder.join(format!(".gen404/audit/round-0/{}/journal.jsonl", hotkey(0)));
    let journal = std::fs::read_to_string(path).unwrap_or_default();
    let end = journal.rfind('\n').map_or(0, |at| at + 1);
    let marks = journal[..end].lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let arrived = marks.filter(|mark| mark["mark"] == "arrived");
    arrived.map(|mark| mark["stem"].as_str().unwrap().to_owned()).collect()
}

pub fn no_pod_is_noted(folder: &Path) {
    let left = std::fs::read_dir(folder.join(".gen404/pods")).unwrap().count();
    assert_eq!(left, 0, "a pod is still noted");
}
