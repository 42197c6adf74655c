//! A judge for tests, on a real socket: it answers by a function, so many at a time, each after a latency.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::semaphore::Semaphore;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The label that its schema is named after.
    pub(crate) label: String,
    /// The images' URLs.
    pub(crate) images: Vec<String>,
    /// The features that are to be checked.
    pub(crate) features: Vec<String>,
    /// All of it.
    pub(crate) body: Value,
}

/// What it gets back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// The judge says this.
    Said(String),
    /// A refusal.
    Status(u16),
}

/// How the judge answers, and what lies beside it.
pub(crate) trait Manners: Send + Sync + 'static {
    /// The answer.
    fn reply(&self, asked: &Asked) -> Reply;
    /// A file.
    fn file(&self, path: &str) -> Option<Vec<u8>> {
        let _ = path;
        None
    }
}

/// A running judge; it ends when dropped.
pub(crate) struct StandIn {
    /// Its address, up to `/v1`.
    pub(crate) url: String,
    /// What it was asked.
    pub(crate) seen: Arc<Mutex<Vec<Asked>>>,
    /// The most requests that were worked on at once.
    pub(crate) most: Arc<AtomicUsize>,
    server: Arc<tiny_http::Server>,
}

impl StandIn {
    /// Starts one that works on `capacity` requests at a time, each for `latency`.
    pub(crate) fn start(latency: Duration, capacity: usize, manners: impl Manners) -> StandIn {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let url = format!("http://{}/v1", server.server_addr());
        let (seen, most, manners) =
            (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)), Arc::new(manners));
        let (slots, busy) = (Arc::new(Semaphore::new(capacity as u64)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..capacity + 4 {
            let (server, seen, most, manners) = (server.clone(), seen.clone(), most.clone(), manners.clone());
            let (slots, busy) = (slots.clone(), busy.clone());
            thread::spawn(move || {
                while let Ok(mut request) = server.recv() {
                    if *request.method() == tiny_http::Method::Get {
                        let _ = match manners.file(request.url()) {
                            Some(bytes) => request.respond(tiny_http::Response::from_data(bytes)),
                            None => request.respond(tiny_http::Response::empty(404)),
                        };
                        continue;
                    }
                    let mut body = String::new();
                    request.as_reader().read_to_string(&mut body).unwrap();
                    let asked = asked(serde_json::from_str(&body).unwrap());
                    seen.lock().unwrap().push(asked.clone());
                    let slot = slots.acquire(1, &|| false);
                    most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(latency);
                    busy.fetch_sub(1, Ordering::SeqCst);
                    drop(slot);
                    let _ = match manners.reply(&asked) {
                        Reply::Said(text) => request.respond(tiny_http::Response::from_string(completion(&text))),
                        Reply::Status(status) => request.respond(tiny_http::Response::empty(status)),
                    };
                }
            });
        }
        StandIn { url, seen, most, server }
    }

    /// The number of requests so far.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        (0..64).for_each(|_| self.server.unblock());
    }
}

fn asked(body: Value) -> Asked {
    let named = body["response_format"]["json_schema"]["name"].as_str().unwrap_or_default();
    let label = named.strip_suffix("-response").unwrap_or(named).to_owned();
    let parts = body["messages"][1]["content"].as_array().cloned().unwrap_or_default();
    let images = parts.iter().filter_map(|part| Some(part["image_url"]["url"].as_str()?.to_owned())).collect();
    let features = body.pointer("/response_format/json_schema/schema/properties/checks/items/properties/feature/enum");
    let features = features.and_then(Value::as_array).into_iter().flatten();
    let features = features.filter_map(|feature| Some(feature.as_str()?.to_owned())).collect();
    Asked { label, images, features, body }
}

fn completion(text: &str) -> String {
    json!({
        "id": "x", "object": "chat.completion", "model": "stand-in",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960},
    })
    .to_string()
}

/// A judge that holds by the images' URLs what it thinks of them: always the same of the same ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByUrl;

impl ByUrl {
    /// A number below `most` that depends on this text.
    pub(crate) fn of(text: &str, most: u64) -> u64 {
        let sum = text
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        (sum >> 17) % most
    }

    /// What it says.
    pub(crate) fn says(asked: &Asked) -> Value {
        let of = |place: usize, most| Self::of(asked.images.get(place).map_or("", String::as_str), most);
        match asked.label.as_str() {
            "s2cl_decompose" => {
                let feature = |name| json!({"description": name, "category": "shape"});
                let features = ["lid", "handle", "spout", "foot"].map(feature);
                json!({"main_object": "pot", "features": features})
            }
            "s2cl_verify" => {
                let found = |at: usize| {
                    ["yes", "partial", "no"]
                        [usize::try_from(of(1, 81) / 3_u64.pow(u32::try_from(at).unwrap()) % 3).unwrap()]
                };
                let check = |(at, feature)| json!({"feature": feature, "match": found(at), "note": ""});
                let checks: Vec<Value> = asked.features.iter().enumerate().map(check).collect();
                json!({"checks": checks, "main_object_correct": true})
            }
            "s4_per_angle" => json!({"verdict": if of(1, 10) == 0 { "garbage" } else { "ok" }, "reason": ""}),
            "explain" => json!({"issues": "both are fair"}),
            _ => json!({"penalty_1": 3 + of(1, 3), "penalty_2": 3 + of(2, 3), "issues": ""}),
        }
    }
}

impl Manners for ByUrl {
    fn reply(&self, asked: &Asked) -> Reply {
        Reply::Said(ByUrl::says(asked).to_string())
    }
}
