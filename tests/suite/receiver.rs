//! A receiver of messages and pings on a real socket: it behaves as it is told, and keeps what arrived.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// With this status line and these headers, and with what it was sent as a body.
    Answer(&'static str, &'static str),
    /// Not at all: the connection stays open.
    Hang,
}

/// With what it takes a message.
pub const TAKES: Manner = Manner::Answer("204 No Content", "");

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// `POST /path HTTP/1.1`.
    pub line: String,
    /// The header lines, in lower case up to the colon.
    pub headers: Vec<String>,
    pub body: String,
    /// How it was answered.
    pub manner: Manner,
}

impl Arrived {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Default)]
struct Shared {
    arrived: Mutex<Vec<Arrived>>,
    more: Condvar,
    manner: Mutex<Option<Manner>>,
    /// Connections that are left open.
    held: Mutex<Vec<TcpStream>>,
}

/// A running receiver; it ends with the test.
pub struct Receiver {
    port: u16,
    shared: Arc<Shared>,
}

impl Receiver {
    pub fn start(manner: Manner) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, shared) = (listener.local_addr().unwrap().port(), Arc::new(Shared::default()));
        let receiver = Receiver { port, shared };
        receiver.behave(manner);
        let shared = receiver.shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || {
                    let _ = serve(stream, &shared);
                });
            }
        });
        receiver
    }

    /// From now on it behaves so.
    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = Some(manner);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn arrived(&self) -> MutexGuard<'_, Vec<Arrived>> {
        self.shared.arrived.lock().unwrap()
    }

    /// What arrived at this path so far.
    pub fn at(&self, path: &str) -> Vec<Arrived> {
        let line = |arrived: &&Arrived| arrived.line.split(' ').nth(1) == Some(path);
        self.arrived().iter().filter(line).cloned().collect()
    }

    /// The JSON messages that it took at this path, as pairs of event and id.
    pub fn taken(&self, path: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let taken = self.at(path).into_iter().filter(|arrived| arrived.manner == TAKES);
        taken.map(|arrived| arrived.json()).map(|json| (text(&json["event"]), text(&json["id"]))).collect()
    }

    /// How many messages of this event it took at this path.
    pub fn count(&self, path: &str, event: &str) -> usize {
        self.taken(path).iter().filter(|(taken, _)| taken == event).count()
    }

    /// Waits until so many requests have arrived.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        let arrived = self.arrived();
        let few = |arrived: &mut Vec<Arrived>| arrived.len() < count;
        let (arrived, waited) = self.shared.more.wait_timeout_while(arrived, Duration::from_secs(60), few).unwrap();
        assert!(!waited.timed_out(), "only {} of {count} requests arrived", arrived.len());
    }

    /// How many requests arrived, at any path.
    pub fn requests(&self) -> usize {
        self.arrived().len()
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut headers, mut length) = (String::new(), Vec::new(), 0);
    reader.read_line(&mut line)?;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 {
            return Ok(());
        }
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.parse().unwrap();
        }
        headers.push(format!("{name}: {value}"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (body, line) = (String::from_utf8(body).unwrap(), line.trim_end().to_owned());
    let manner = shared.manner.lock().unwrap().unwrap_or(TAKES);
    shared.arrived.lock().unwrap().push(Arrived { line: line.clone(), headers, body: body.clone(), manner });
    shared.more.notify_all();
    match manner {
        Manner::Answer(status, headers) => {
            let said = if status.starts_with("204") { String::new() } else { format!("{line} {body}") };
            let head =
                format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", said.len());
            (&stream).write_all(format!("{head}{said}").as_bytes())
        }
        Manner::Hang => {
            shared.held.lock().unwrap().push(stream);
            Ok(())
        }
    }
}
