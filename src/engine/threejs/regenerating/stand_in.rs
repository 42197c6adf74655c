//! A batch pod on a loopback socket, which makes a module of each prompt, and what else it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gen404_zip::stored;
use serde_json::{Value, json};

/// How a batch goes, in the order in which batches are handed over.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Manner {
    /// Well. Stems that begin so fail.
    Fine(&'static str),
    /// The program asks for another pod, with this payload.
    Replace(Value),
    /// `/status` answers 500 from then on.
    Silent,
    /// The archive is these bytes.
    Archive(Vec<u8>),
    /// It is never done.
    Slow,
    /// `/generate` answers 409 so often, then all goes well.
    Busy(usize),
    /// `/generate` is refused.
    Refused,
    /// The program begins anew and has forgotten the batch, once.
    Forgets,
    /// `/results` answers 409 once, though `/status` says that it is complete.
    Hasty,
    /// The archive has a module of another stem, too, and one of the first stem, which also failed.
    Odd,
}

#[derive(Debug, Default)]
pub(super) struct PodLog {
    /// The stems of each batch that was begun.
    pub(super) begun: Vec<Vec<String>>,
    /// What `replacements_remaining` was told.
    pub(super) remaining: Vec<u32>,
    manners: VecDeque<Manner>,
    current: Option<Manner>,
    stems: Vec<String>,
    status: &'static str,
    warms_up: bool,
}

/// The pod. It goes on until it is dropped.
pub(super) struct StandInPod {
    pub(super) url: String,
    server: Arc<tiny_http::Server>,
    log: Arc<Mutex<PodLog>>,
}

impl StandInPod {
    pub(super) fn start(manners: Vec<Manner>) -> StandInPod {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let url = format!("http://{}", server.server_addr());
        let log = PodLog { manners: manners.into(), status: "ready", ..PodLog::default() };
        let log = Arc::new(Mutex::new(log));
        let (serving, writing) = (server.clone(), log.clone());
        std::thread::spawn(move || {
            for mut request in serving.incoming_requests() {
                let mut body = String::new();
                let _ = request.as_reader().read_to_string(&mut body);
                let path = request.url().to_owned();
                let (status, bytes) = writing.lock().unwrap_or_else(PoisonError::into_inner).answer(&path, &body);
                let answer = tiny_http::Response::from_data(bytes).with_status_code(status);
                let seconds = tiny_http::Header::from_bytes("x-generation-seconds", "100.5").unwrap();
                let _ = request.respond(answer.with_header(seconds));
            }
        });
        StandInPod { url, server, log }
    }

    /// It never becomes ready.
    pub(super) fn warming_up() -> StandInPod {
        let pod = StandInPod::start(Vec::new());
        pod.log().warms_up = true;
        pod
    }

    pub(super) fn log(&self) -> MutexGuard<'_, PodLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StandInPod {
    fn drop(&mut self) {
        self.server.unblock();
    }
}

impl PodLog {
    fn answer(&mut self, path: &str, body: &str) -> (u16, Vec<u8>) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match path {
            "/health" => (200, Vec::new()),
            "/status" => self.tell(query),
            "/generate" => self.begin(body),
            "/results" => self.results(),
            _ => (404, Vec::new()),
        }
    }

    fn tell(&mut self, query: &str) -> (u16, Vec<u8>) {
        let remaining = query.strip_prefix("replacements_remaining=").and_then(|number| number.parse().ok());
        self.remaining.push(remaining.unwrap());
        let mut payload = Value::Null;
        let status = match &self.current {
            _ if self.warms_up => "warming_up",
            Some(Manner::Silent) => return (500, b"oops".to_vec()),
            Some(Manner::Replace(said)) => {
                payload = said.clone();
                "replace"
            }
            Some(Manner::Forgets) => {
                self.current = Some(Manner::Fine("-"));
                (self.status, self.stems) = ("ready", Vec::new());
                "ready"
            }
            Some(Manner::Slow) => "generating",
            _ if self.status == "generating" => {
                self.status = "complete";
                "generating"
            }
            _ => self.status,
        };
        // Another pod takes over at the same address.
        if status == "replace" {
            (self.current, self.status) = (None, "ready");
            self.stems.clear();
        }
        let body = json!({"status": status, "progress": null, "total": 32, "payload": payload});
        (200, body.to_string().into_bytes())
    }

    fn begin(&mut self, body: &str) -> (u16, Vec<u8>) {
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["seed"], 7);
        let stem = |prompt: &Value| {
            assert!(prompt["image_url"].as_str().unwrap().ends_with(".png"));
            prompt["stem"].as_str().unwrap().to_owned()
        };
        let stems: Vec<String> = body["prompts"].as_array().unwrap().iter().map(stem).collect();
        if stems == self.stems {
            return (200, b"{}".to_vec());
        }
        let manner = self.manners.pop_front().unwrap_or(Manner::Fine("-"));
        match manner {
            Manner::Busy(0) => self.current = Some(Manner::Fine("-")),
            Manner::Busy(more) => {
                self.manners.push_front(Manner::Busy(more - 1));
                return (409, br#"{"detail": "busy", "current_status": "generating"}"#.to_vec());
            }
            Manner::Refused => return (422, b"no".to_vec()),
            manner => self.current = Some(manner),
        }
        (self.stems, self.status) = (stems.clone(), "generating");
        self.begun.push(stems);
        (200, br#"{"accepted": 1}"#.to_vec())
    }

    fn results(&mut self) -> (u16, Vec<u8>) {
        let mut failing = "-";
        match &self.current {
            Some(Manner::Archive(bytes)) => {
                let bytes = bytes.clone();
                self.stems.clear();
                return (200, bytes);
            }
            Some(Manner::Hasty) => {
                self.current = Some(Manner::Fine("-"));
                return (409, b"{}".to_vec());
            }
            Some(Manner::Fine(prefix)) => failing = prefix,
            _ => {}
        }
        let odd = self.current == Some(Manner::Odd);
        let mut failed = json!({});
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for (at, stem) in self.stems.iter().enumerate() {
            let fails = stem.starts_with(failing) || (odd && at == 0);
            if fails {
                failed[stem.as_str()] = json!("it is too hard");
            }
            if !fails || odd {
                files.push((format!("{stem}.js"), format!("export default () => \"{stem}\";").into_bytes()));
            }
        }
        if odd {
            files.push(("unknown.js".to_owned(), b"?".to_vec()));
        }
        files.push(("_failed.json".to_owned(), failed.to_string().into_bytes()));
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        (200, stored(&files).unwrap())
    }
}
