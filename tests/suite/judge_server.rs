//! An OpenAI-compatible judge on a real socket: latency, faults, and a count of everything.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How the judge behaves.
#[derive(Debug, Clone, Default)]
pub struct Manners {
    /// Each answer takes between this and three times this.
    pub latency: Duration,
    /// Added to the penalty of models whose URL holds the text.
    pub skills: Vec<(String, i64)>,
    /// Every Nth request fails so, once a body.
    pub faults: Vec<(&'static str, usize)>,
    /// After so many answers the judge is down.
    pub dies_after: Option<usize>,
    /// Each answer names this many tokens, three in four of them the question's.
    pub tokens: Option<u64>,
    /// Each answer names this model.
    pub model: Option<&'static str>,
    /// Requests that show this text are always refused.
    pub refuses: Option<String>,
    /// Added to the penalty of whichever model is shown first.
    pub first: i64,
    /// Another taste: with another text, the penalties are unrelated.
    pub taste: String,
}

/// What the judge has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: AtomicUsize,
    pub faults: AtomicUsize,
    in_flight: AtomicUsize,
    pub max_in_flight: AtomicUsize,
    /// Answers given, by body.
    answered: Mutex<HashMap<Vec<u8>, usize>>,
    faulted: Mutex<HashSet<Vec<u8>>>,
    pub last_body: Mutex<Value>,
    pub authorization: Mutex<Option<String>>,
}

impl Seen {
    /// How many different calls were answered, and how many answers were given in all.
    pub fn answers(&self) -> (usize, usize) {
        let answered = self.answered.lock().unwrap();
        (answered.len(), answered.values().sum())
    }
}

/// A running judge; stops when dropped.
pub struct JudgeServer {
    pub url: String,
    pub seen: Arc<Seen>,
    stop: Arc<AtomicBool>,
    port: u16,
}

impl JudgeServer {
    pub fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let (shared, stopping) = (seen.clone(), stop.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                let (manners, seen) = (manners.clone(), shared.clone());
                let Ok(stream) = stream else { continue };
                std::thread::spawn(move || {
                    let _ = serve(&stream, &manners, &seen);
                });
            }
        });
        JudgeServer { url: format!("http://127.0.0.1:{port}/v1"), seen, stop, port }
    }
}

impl Drop for JudgeServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: &TcpStream, manners: &Manners, seen: &Seen) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(body) = request(&mut reader, seen)? {
        let count = seen.requests.fetch_add(1, Ordering::SeqCst) + 1;
        let flying = seen.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        seen.max_in_flight.fetch_max(flying, Ordering::SeqCst);
        if !answer(stream, manners, seen, &body, count)? {
            break;
        }
    }
    stream.shutdown(Shutdown::Both)
}

/// Reads a request's body; `None` at the end of the connection.
fn request(reader: &mut BufReader<TcpStream>, seen: &Seen) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = 0;
    let mut lines = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if lower.starts_with("authorization:") {
            *seen.authorization.lock().unwrap() = Some(line.trim().to_owned());
        }
        if line == "\r\n" && lines > 0 {
            break;
        }
        lines += 1;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Answers one request; false where the connection ends with it.
fn answer(stream: &TcpStream, manners: &Manners, seen: &Seen, body: &[u8], count: usize) -> std::io::Result<bool> {
    let spread = Duration::from_micros(u64::from(Sha256::digest(body)[1])) * 2;
    std::thread::sleep(manners.latency + manners.latency.mul_f64(spread.as_secs_f64() / 0.000_256));
    // Over before the reply: its reader may send the next request at once.
    seen.in_flight.fetch_sub(1, Ordering::SeqCst);
    if manners.dies_after.is_some_and(|most| seen.answers().1 >= most) {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(body);
    if manners.refuses.as_ref().is_some_and(|refused| text.contains(refused)) {
        reply(stream, "400 Bad Request", "", &json!({"error": {"message": "no such image", "code": 400}}).to_string())?;
        return Ok(true);
    }
    let due = manners.faults.iter().find(|(_, every)| count.is_multiple_of(*every)).map(|(kind, _)| *kind);
    let due = due.filter(|_| seen.faulted.lock().unwrap().insert(body.to_vec()));
    if due.is_some() {
        seen.faults.fetch_add(1, Ordering::SeqCst);
    }
    // Some only look whether anybody answers.
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        reply(stream, "400 Bad Request", "", "no JSON")?;
        return Ok(true);
    };
    let (prompt, first, second) = images(&value);
    let (mut one, two) = (penalty(manners, &prompt, &first), penalty(manners, &prompt, &second));
    one = (one + manners.first).clamp(0, 10);
    let issues = format!("penalties {one} and {two}");
    *seen.last_body.lock().unwrap() = value;
    match due {
        Some("429") => return reply(stream, "429 Too Many", "Retry-After: 0\r\n", "{}").map(|()| true),
        Some("500") => return reply(stream, "500 Internal", "", "{}").map(|()| true),
        Some("reset") => return Ok(false),
        Some("hang") => {
            std::thread::sleep(Duration::from_secs(4));
            return Ok(false);
        }
        Some("range") => one = 42,
        _ => {}
    }
    let mut content = json!({"penalty_1": one, "penalty_2": two, "issues": issues}).to_string();
    let mut finish = "stop";
    match due {
        Some("garbage") => content = "Sure! The first model looks better.".to_owned(),
        Some("around") => content = format!("Here you are: {content}"),
        Some("truncated") => (content, finish) = (content[..content.len() / 2].to_owned(), "length"),
        _ => {}
    }
    let message = match due {
        Some("reasoning") => json!({"role": "assistant", "content": null, "reasoning_content": content}),
        _ => json!({"role": "assistant", "content": content}),
    };
    if due.is_none() {
        *seen.answered.lock().unwrap().entry(body.to_vec()).or_default() += 1;
    }
    let usage = json!({"total_tokens": manners.tokens, "prompt_tokens": manners.tokens.map(|all| all * 3 / 4),
        "completion_tokens": manners.tokens.map(|all| all / 4)});
    let answer = json!({"id": "x", "object": "chat.completion", "model": manners.model, "choices": [
        {"index": 0, "message": message, "finish_reason": finish}], "usage": usage});
    reply(stream, "200 OK", "", &answer.to_string()).map(|()| true)
}

fn reply(mut stream: &TcpStream, status: &str, headers: &str, body: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}");
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
}

/// The three images of a request: prompt, first, second.
pub fn images(request: &Value) -> (String, String, String) {
    let parts = request["messages"][1]["content"].as_array().unwrap();
    let urls: Vec<String> =
        parts.iter().filter_map(|part| part["image_url"]["url"].as_str()).map(str::to_owned).collect();
    (urls[0].clone(), urls[1].clone(), urls[2].clone())
}

/// A model's penalty, the same whichever place it is shown in.
fn penalty(manners: &Manners, prompt: &str, model: &str) -> i64 {
    let lot = i64::from(Sha256::digest(format!("{}{prompt}\n{model}", manners.taste))[0] % 6 + 2);
    let skill: i64 = manners.skills.iter().filter(|(text, _)| model.contains(text)).map(|(_, offset)| offset).sum();
    (lot + skill).clamp(0, 10)
}
