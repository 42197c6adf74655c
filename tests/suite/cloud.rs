//! Providers of pods on real sockets: Targon, Verda and RunPod as their documents describe them,
//! with the faults that a test orders.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gen404::settings::Config;
use gen404::world::pods::{ApiPolicy, Provider};
use serde_json::{Value, json};

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Targon,
    Verda,
    Runpod,
}

pub const KINDS: [Kind; 3] = [Kind::Targon, Kind::Verda, Kind::Runpod];

impl Kind {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Targon => "targon",
            Kind::Verda => "verda",
            Kind::Runpod => "runpod",
        }
    }

    /// The variables of its keys, and their values here. The first is the one that `key` stands in for.
    pub fn keys(self, key: &str) -> Vec<(&'static str, String)> {
        let keys: &[(&str, &str)] = match self {
            Kind::Targon => &[("TARGON_API_KEY", key)],
            Kind::Verda => &[
                ("VERDA_CLIENT_SECRET", key),
                ("VERDA_CLIENT_ID", "hunter2-id"),
                ("VERDA_INFERENCE_KEY", "hunter2-inference"),
            ],
            Kind::Runpod => &[("RUNPOD_API_KEY", key)],
        };
        keys.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    }

    /// The settings of pods at this URL; `more` is of `[pods]`.
    pub fn settings(self, url: &str, more: &str) -> String {
        let name = self.name();
        format!("[pods]\nprovider = \"{name}\"\n{more}\n[pods.{name}]\nurl = \"{url}\"\n")
    }

    /// The provider at this URL, with these keys and this token for images, as settings and environment make it.
    pub fn provider(
        self,
        url: &str,
        policy: &ApiPolicy,
        keys: Vec<(&'static str, String)>,
        token: &str,
    ) -> Box<dyn Provider> {
        let more = format!(
            "attempts = {}\ntimeout_seconds = {:?}\npause_seconds = {:?}\ndelete_seconds = {:?}",
            policy.attempts,
            policy.timeout.as_secs_f64(),
            policy.pause.as_secs_f64(),
            policy.patience.as_secs_f64(),
        );
        let settings = Config::parse(&self.settings(url, &more)).unwrap().pods;
        let mut env: BTreeMap<&str, String> = keys.into_iter().collect();
        env.insert("HF_TOKEN", token.to_owned());
        settings.open(|name| env.get(name).cloned()).unwrap().unwrap()
    }

    /// Where the program of the first pod of round 3's leader is, and the key that its gateway wants, if no test has
    /// one.
    pub fn endpoint(self) -> (&'static str, Option<&'static str>) {
        match self {
            Kind::Targon => ("https://p.example", None),
            Kind::Verda => ("https://c.example/g404-3-leader-ab12-0", Some("hunter2-inference")),
            Kind::Runpod => ("http://203.0.113.9:43210", None),
        }
    }

    /// States in which a pod will never come up, and those in which it may.
    pub fn states(self) -> [(&'static str, bool); 2] {
        match self {
            Kind::Targon => [("error", true), ("something new", false)],
            Kind::Verda => [("quota_reached", true), ("image_pulling", false)],
            Kind::Runpod => [("EXITED", true), ("STARTING", false)],
        }
    }
}

/// What goes wrong with a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing is done, and this is said.
    Say(u16, Value),
    /// It is done, and then this is said.
    DoneBut(u16),
    /// It is done, and the connection closes.
    Lost,
    /// It is done, and nothing is said for so long.
    Hang(Duration),
    /// It is done twice, and the connection closes.
    Twice,
}

/// A call: method, path with query, `Authorization`, body.
#[derive(Debug, Clone)]
pub struct Call {
    pub line: String,
    pub key: String,
    pub body: Value,
}

#[derive(Debug, Default)]
pub struct Shop {
    /// Id to name and state.
    pub pods: BTreeMap<String, (String, String)>,
    made: usize,
    pub calls: Vec<Call>,
    /// Faults by what the call's line begins with; each happens once.
    pub faults: Vec<(String, Fault)>,
    /// Verda: the tokens given so far, and whether the last one is taken.
    pub tokens: usize,
    pub refuse_token: Option<usize>,
    pub token_lives: f64,
    /// Verda: deployments stay after their deletion.
    pub stuck: bool,
    /// Where the program of every pod is; nowhere, unless a test has one.
    pub program: Option<SocketAddr>,
}

#[derive(Clone)]
pub struct Cloud {
    pub kind: Kind,
    pub url: String,
    pub shop: Arc<Mutex<Shop>>,
}

impl Cloud {
    pub fn start(kind: Kind) -> Cloud {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shop = Arc::new(Mutex::new(Shop { token_lives: 3600.0, ..Shop::default() }));
        let cloud = Cloud { kind, url, shop };
        let server = cloud.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        cloud
    }

    /// The next call whose line begins so goes wrong.
    pub fn fault(&self, line: &str, fault: Fault) {
        self.shop.lock().unwrap().faults.push((line.to_owned(), fault));
    }

    /// The line of the call that makes a pod.
    pub fn create(&self) -> &'static str {
        match self.kind {
            Kind::Targon => "POST /tha/v2/workloads ",
            Kind::Verda => "POST /container-deployments ",
            Kind::Runpod => "POST /pods ",
        }
    }

    /// The beginning of the line of the call that deletes a pod.
    pub fn delete(&self) -> &'static str {
        match self.kind {
            Kind::Targon => "DELETE /tha/v2/workloads/",
            Kind::Verda => "DELETE /container-deployments/",
            Kind::Runpod => "DELETE /pods/",
        }
    }

    pub fn count(&self, line: &str) -> usize {
        self.shop.lock().unwrap().calls.iter().filter(|call| call.line.starts_with(line)).count()
    }

    pub fn pods(&self) -> usize {
        self.shop.lock().unwrap().pods.len()
    }

    pub fn put(&self, name: &str, state: &str) -> String {
        let mut shop = self.shop.lock().unwrap();
        shop.made += 1;
        let id = if self.kind == Kind::Verda { name.to_owned() } else { format!("wrk-{}", shop.made) };
        shop.pods.insert(id.clone(), (name.to_owned(), state.to_owned()));
        id
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some(call) = read(&stream) else { return };
        let fault = {
            let mut shop = self.shop.lock().unwrap();
            shop.calls.push(call.clone());
            let at = shop.faults.iter().position(|(line, _)| call.line.starts_with(line.as_str()));
            at.map(|at| shop.faults.remove(at).1)
        };
        let (status, body) = match fault {
            Some(Fault::Say(status, body)) => (status, body),
            Some(Fault::DoneBut(status)) => {
                self.act(&call);
                (status, json!({"error": "upstream went away"}))
            }
            Some(Fault::Lost) => {
                self.act(&call);
                return;
            }
            Some(Fault::Twice) => {
                self.act(&call);
                self.act(&call);
                return;
            }
            Some(Fault::Hang(time)) => {
                self.act(&call);
                return std::thread::sleep(time);
            }
            None => self.act(&call),
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + &body).as_bytes());
    }

    fn act(&self, call: &Call) -> (u16, Value) {
        let (method, path) = call.line.split_once(' ').unwrap();
        let path = path.trim();
        match self.kind {
            Kind::Targon if call.key != "Bearer hunter2-key" => (401, json!({"error": call.key})),
            Kind::Targon => self.targon(method, path.strip_prefix("/tha/v2/workloads").unwrap(), &call.body),
            Kind::Verda if path == "/oauth2/token" => self.token(&call.body),
            Kind::Verda => {
                let (last, refused) = {
                    let shop = self.shop.lock().unwrap();
                    (shop.tokens, shop.refuse_token == Some(shop.tokens))
                };
                if refused || call.key != format!("Bearer hunter2-token-{last}") {
                    return (401, json!({"code": "unauthorized_request", "message": call.key}));
                }
                self.verda(method, path.strip_prefix("/container-deployments").unwrap(), &call.body)
            }
            Kind::Runpod if call.key != "Bearer hunter2-key" => (401, json!({"title": "no", "detail": call.key})),
            Kind::Runpod => self.runpod(method, path.strip_prefix("/pods").unwrap(), &call.body),
        }
    }

    fn targon(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let workload = |id: &str, name: &str, state: &str| json!({"uid": id, "name": name, "type": "SERVERLESS", "state": {"status": state, "urls": null}});
        if method == "POST" && path.is_empty() {
            assert_eq!(body["ports"][0]["port"], 10006);
            // Only a serverless workload has a scaler.
            let replicas = if body["type"] == "SERVERLESS" { json!(1) } else { Value::Null };
            assert_eq!(body["serverless_config"]["max_replicas"], replicas);
            let name = body["name"].as_str().unwrap();
            let id = self.put(name, "registered");
            return (201, workload(&id, name, "registered"));
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path.is_empty() {
            // Pages of three, with a cursor that has to be encoded.
            let from = query.split_once("cursor=%2F%2B").map_or(0, |(_, at)| at.parse::<usize>().unwrap());
            let shop = self.shop.lock().unwrap();
            let items: Vec<_> =
                shop.pods.iter().skip(from).take(3).map(|(id, (name, state))| workload(id, name, state)).collect();
            let next = if from + 3 < shop.pods.len() { format!("/+{}", from + 3) } else { String::new() };
            return (200, json!({"items": items, "next_cursor": next}));
        }
        let (id, action) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let mut shop = self.shop.lock().unwrap();
        let program = shop.program;
        let Some((_, state)) = shop.pods.get_mut(id) else { return (404, json!({"error": "not found"})) };
        match (method, action) {
            ("POST", "deploy") => {
                "provisioning".clone_into(state);
                (200, json!({"uid": id}))
            }
            ("GET", "state") => {
                let url = program.map_or("https://p.example/".to_owned(), |at| format!("http://{at}/{id}/"));
                let urls = json!([{"port": 22, "url": "https://ssh.example"}, {"port": 10006, "url": url}]);
                let said = state.clone();
                if said == "provisioning" {
                    "running".clone_into(state);
                }
                let urls = if said == "running" { urls } else { Value::Null };
                (200, json!({"uid": id, "status": said, "message": "pulling", "urls": urls, "ready_replicas": 1}))
            }
            ("DELETE", "") => {
                shop.pods.remove(id);
                (204, Value::Null)
            }
            _ => (405, Value::Null),
        }
    }

    fn token(&self, body: &Value) -> (u16, Value) {
        let mut shop = self.shop.lock().unwrap();
        let known = match body["grant_type"].as_str().unwrap() {
            "client_credentials" => body["client_id"] == "hunter2-id" && body["client_secret"] == "hunter2-key",
            _ => body["refresh_token"] == format!("hunter2-refresh-{}", shop.tokens),
        };
        if !known {
            return (401, json!({"code": "unauthorized_request", "message": body.to_string()}));
        }
        shop.tokens += 1;
        let (access, refresh) = (format!("hunter2-token-{}", shop.tokens), format!("hunter2-refresh-{}", shop.tokens));
        (
            200,
            json!({"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": shop.token_lives}),
        )
    }

    fn verda(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let program = self.shop.lock().unwrap().program;
        let base = program.map_or("https://c.example".to_owned(), |at| format!("http://{at}"));
        let deployment = |name: &str| json!({"name": name, "endpoint_base_url": format!("{base}/{name}/"), "containers": [{"image": {"image": "x"}}]});
        if method == "POST" {
            assert_eq!(body["containers"][0]["exposed_port"], 10006);
            let name = body["name"].as_str().unwrap();
            if self.shop.lock().unwrap().pods.contains_key(name) {
                return (409, json!({"code": "invalid_request", "message": "there is one of this name"}));
            }
            self.put(name, "initializing");
            return (201, deployment(name));
        }
        let mut shop = self.shop.lock().unwrap();
        if path.is_empty() {
            return (200, shop.pods.keys().map(|name| deployment(name)).collect());
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (name, what) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let stuck = shop.stuck;
        let Some((_, state)) = shop.pods.get_mut(name) else {
            return (404, json!({"code": "not_found", "message": "404"}));
        };
        match (method, what) {
            ("GET", "") => (200, deployment(name)),
            ("GET", "status") => {
                let said = std::mem::replace(state, "healthy".to_owned());
                (200, json!({"status": said}))
            }
            ("DELETE", "") => {
                assert_eq!(query, "timeout=0");
                if !stuck {
                    shop.pods.remove(name);
                }
                (200, Value::Null)
            }
            _ => (405, Value::Null),
        }
    }

    fn runpod(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let at = self.shop.lock().unwrap().program.unwrap_or(SocketAddr::from(([203, 0, 113, 9], 43210)));
        let pod = |id: &str, name: &str, state: &str| {
            let ports = json!([{"private": 10006, "public": at.port(), "type": "tcp", "ip": at.ip()}]);
            let runtime = if state == "RUNNING" { json!({"uptime": 3, "ports": ports}) } else { Value::Null };
            json!({"id": id, "name": name, "status": state, "runtime": runtime, "cost": 3.99})
        };
        if method == "POST" {
            let known = ["name", "image", "cloud", "gpu", "disk", "ports", "env"];
            assert!(body.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{body}");
            assert_eq!(body["ports"][0], "10006/tcp");
            let name = body["name"].as_str().unwrap();
            let id = self.put(name, "PROVISIONING");
            return (201, pod(&id, name, "PROVISIONING"));
        }
        let mut shop = self.shop.lock().unwrap();
        if path.is_empty() {
            let all: Vec<_> = shop.pods.iter().map(|(id, (name, state))| pod(id, name, state)).collect();
            return (200, json!({"pods": all}));
        }
        let Some((name, state)) = shop.pods.get_mut(&path[1..]) else {
            return (404, json!({"title": "Not Found", "status": 404, "detail": "no such pod"}));
        };
        match method {
            "GET" => {
                let said = std::mem::replace(state, "RUNNING".to_owned());
                (200, pod(&path[1..], name, &said))
            }
            _ => {
                shop.pods.remove(&path[1..]);
                (204, Value::Null)
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|count| *count > 0)?;
    let (mut length, mut key) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => value.clone_into(&mut key),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = first.trim().trim_end_matches("HTTP/1.1").to_owned();
    Some(Call { line, key, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
