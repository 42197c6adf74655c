//! What the tests of the chain share: where the shared facts lie, servers that misbehave on order,
//! and a competition that is open.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gen404::world::chain::endpoints::Endpoints;
use gen404::world::chain::subtensor::Subtensor;
use gen404::world::http::{Client, HttpLimits, Retry};
use serde_json::Value;

use crate::support::{Run, gen404, shared, tree};

/// A JSON file of the shared facts, where it is.
pub fn shared_json(path: &str) -> Option<Value> {
    shared(path).map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

/// What a fake server does with a request.
pub enum Reply {
    /// 200 with this body.
    Body(Vec<u8>),
    /// This status, with these header lines and body.
    Status(u16, &'static str, Vec<u8>),
    /// Half of this body, then the connection closes.
    Half(Vec<u8>),
    /// The connection closes at once.
    Drop,
    /// 200 with this body, ten bytes at a time with this pause between.
    Drip(Vec<u8>, Duration),
    /// Silence, then the connection closes.
    Silent(Duration),
}

/// The first line and the body of each request.
pub type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A server on a loopback port, up to the end of the test.
pub struct Fake {
    pub address: SocketAddr,
    /// The requests so far.
    pub seen: Seen,
}

impl Fake {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Answers each request, numbered from 0, by `answer` on its first line and body.
    pub fn start(answer: impl Fn(usize, &str, &[u8]) -> Reply + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer, count) = (Arc::clone(&seen), Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer, count) = (Arc::clone(&log), Arc::clone(&answer), Arc::clone(&count));
                std::thread::spawn(move || {
                    let Some((line, body)) = read_request(&stream) else { return };
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    log.lock().unwrap().push((line.clone(), body.clone()));
                    reply(stream, answer(number, &line, &body));
                });
            }
        });
        Fake { address, seen }
    }
}

fn read_request(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.trim().to_owned(), body))
}

fn reply(mut stream: TcpStream, reply: Reply) {
    let head = |status: u16, lines: &str, length: usize| {
        format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n{lines}Content-Length: {length}\r\n\r\n").into_bytes()
    };
    let bytes = match reply {
        Reply::Body(body) => [head(200, "Content-Type: application/json\r\n", body.len()), body].concat(),
        Reply::Status(status, lines, body) => [head(status, lines, body.len()), body].concat(),
        Reply::Half(body) => [head(200, "", body.len()), body[..body.len() / 2].to_vec()].concat(),
        Reply::Drop => Vec::new(),
        Reply::Drip(body, pause) => {
            let _ = stream.write_all(&head(200, "", body.len()));
            for part in body.chunks(10) {
                std::thread::sleep(pause);
                if stream.write_all(part).is_err() {
                    return;
                }
            }
            return;
        }
        Reply::Silent(time) => {
            std::thread::sleep(time);
            Vec::new()
        }
    };
    let _ = stream.write_all(&bytes);
}

/// A client that is as patient as a test may be.
pub fn quick_client() -> Client {
    client(Duration::from_millis(800))
}

/// One that waits so long for an answer, and soon tries again.
pub fn client(whole: Duration) -> Client {
    let limits = HttpLimits { connect: whole, idle: whole, whole, ..HttpLimits::default() };
    let (first_pause, longest_pause) = (Duration::from_millis(5), Duration::from_millis(50));
    Client::new(limits, Retry { attempts: 3, first_pause, longest_pause })
}

/// A chain behind these nodes and archives.
pub fn subtensor(nodes: &[String], archives: &[String]) -> Subtensor {
    Subtensor::new(Endpoints::of(nodes, archives).unwrap(), 17, quick_client())
}

/// A competition whose round 0 is open, in a folder of its own.
pub struct Competition {
    pub folder: tempfile::TempDir,
}

impl Competition {
    /// A competition whose round 0 takes reveals of blocks `earliest` to `latest`.
    pub fn open(earliest: u64, latest: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let competition = Competition { folder };
        competition.write(
            "config.json",
            r#"{
  "name": "mesh",
  "description": "for tests",
  "first_evaluation_date": "2023-01-01",
  "last_competition_date": "2027-01-26",
  "generation_stage_minutes": 120,
  "win_margin": 0.05,
  "weight_decay": 0.2,
  "weight_floor": 0.2,
  "prompts_per_round": 8,
  "carryover_prompts": 4
}
"#,
        );
        competition
            .write("state.json", "{\n  \"current_round\": 0,\n  \"stage\": \"open\",\n  \"next_stage_eta\": null\n}");
        let deadline = latest + 600;
        competition.write(
            "rounds/0/schedule.json",
            &format!(
                "{{\n  \"earliest_reveal_block\": {earliest},\n  \"latest_reveal_block\": {latest},\n  \
                 \"generation_deadline_block\": {deadline}\n}}"
            ),
        );
        competition.write(
            "leader.json",
            &format!(
                "[\n  {{\n    \"hotkey\": \"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY\",\n    \
                 \"repo\": \"acme/base\",\n    \"commit\": \"{}\",\n    \"docker\": \"x/y:z\",\n    \
                 \"weight\": 1.0,\n    \"effective_block\": {latest}\n  }}\n]",
                "0a".repeat(20)
            ),
        );
        let pool: Vec<String> = (0..50).map(|n| format!("https://prompts.example/{n}.png")).collect();
        competition.write("prompts.txt", &(pool.join("\n") + "\n"));
        competition
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let full = self.path().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Every file of the competition with its contents.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        tree(self.path())
    }

    /// The same files in another folder.
    pub fn copy(&self) -> Competition {
        let copy = Competition { folder: tempfile::tempdir().unwrap() };
        for (path, bytes) in self.files() {
            let full = copy.path().join(path);
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(full, bytes).unwrap();
        }
        copy
    }

    /// Runs the program on this competition; it has to exit with this code.
    #[track_caller]
    pub fn expect(&self, code: i32, args: &[&str]) -> Run {
        gen404(self.path(), args).ends(code)
    }
}
