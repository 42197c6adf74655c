//! A CI and a registry on a real socket, as GitHub's API and the OCI specification describe them.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An answer: status, header lines, body.
#[derive(Debug, Clone)]
pub struct Answer(pub u16, pub Vec<(&'static str, String)>, pub String);

impl Answer {
    pub fn json(value: &serde_json::Value) -> Answer {
        Answer(200, Vec::new(), value.to_string())
    }

    pub fn status(status: u16) -> Answer {
        Answer(status, Vec::new(), format!("{{\"message\": \"said {status}\"}}"))
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.1.push((name, value.into()));
        self
    }
}

/// What decides the answers; the number counts all requests before this one.
type Decide = dyn FnMut(&Asked, usize) -> Answer + Send;

/// A server up to the end of the test.
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Asked>>>,
    decide: Arc<Mutex<Box<Decide>>>,
}

impl Server {
    pub fn start(decide: impl FnMut(&Asked, usize) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let decide: Arc<Mutex<Box<Decide>>> = Arc::new(Mutex::new(Box::new(decide)));
        let (log, deciding) = (Arc::clone(&seen), Arc::clone(&decide));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, deciding) = (Arc::clone(&log), Arc::clone(&deciding));
                std::thread::spawn(move || while serve(&stream, &log, &deciding).is_some() {});
            }
        });
        Server { url, seen, decide }
    }

    /// From now on answers are decided so.
    pub fn now(&self, decide: impl FnMut(&Asked, usize) -> Answer + Send + 'static) {
        *self.decide.lock().unwrap() = Box::new(decide);
    }

    /// What was asked since this was asked last.
    pub fn seen(&self) -> Vec<Asked> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn serve(mut stream: &TcpStream, log: &Mutex<Vec<Asked>>, decide: &Mutex<Box<Decide>>) -> Option<()> {
    // Nothing is read ahead: requests have no bodies, and clients wait for the answer.
    let asked = request(&mut BufReader::new(stream))?;
    let count = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let Answer(status, headers, body) = (decide.lock().unwrap())(&asked, count);
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = if status == 304 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let body = if asked.method == "HEAD" || status == 304 { "" } else { &body };
    stream.write_all(format!("HTTP/1.1 {status} Said\r\n{lines}{length}\r\n{body}").as_bytes()).ok()
}

fn request(reader: &mut impl BufRead) -> Option<Asked> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|count| *count > 0)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            return Some(Asked { method, path, headers });
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}
