//! Targon, API v2: a workload is registered, then deployed; its state contains its URL.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Api, ApiPolicy, Created, LONGEST_CURSOR, MOST_PAGES, ids_of, is_a_name, segment};
use super::endpoint::in_path;
use super::{Deployed, Endpoint, Listed, PORT, PodId, PodOrder, PodState, Provider};
use crate::base::error::{Error, Kind, Result};
use crate::base::url::HttpUrl;
use crate::http::{Method, Request, Response, Secret, shown_text};

/// `[pods.targon]` of `gen404.toml`; the key comes from `TARGON_API_KEY`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargonSettings {
    /// The API.
    pub url: String,
    /// The kind of workload.
    pub kind: WorkloadKind,
    /// The name of the machine type.
    pub resource: String,
}

/// The kinds of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkloadKind {
    /// A container behind Targon's scaler, kept at one replica.
    Serverless,
    /// A rented machine with a container.
    Rental,
}

impl Default for TargonSettings {
    fn default() -> Self {
        let url = "https://api.targon.com".to_owned();
        TargonSettings { url, kind: WorkloadKind::Serverless, resource: "h200-small".to_owned() }
    }
}

/// The Targon driver.
#[derive(Debug)]
pub struct Targon {
    api: Api,
    kind: WorkloadKind,
    resource: String,
    key: Secret,
    hf_token: Option<Secret>,
}

#[derive(Debug, Deserialize)]
struct Workload {
    uid: String,
    #[serde(default)]
    name: String,
    state: Option<WorkloadState>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WorkloadState {
    status: String,
    message: Option<String>,
    urls: Option<Vec<PortUrl>>,
    ready_replicas: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct PortUrl {
    port: u16,
    url: String,
}

#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<Workload>,
    next_cursor: Option<String>,
}

impl Targon {
    /// The workloads of this key's account; programs get `hf_token` as `HF_TOKEN`.
    ///
    /// # Errors
    /// The URL makes no sense.
    pub fn new(settings: &TargonSettings, policy: ApiPolicy, key: Secret, hf_token: Option<Secret>) -> Result<Self> {
        let secrets = [key.clone()].into_iter().chain(hf_token.clone()).collect();
        let api = Api::new(&settings.url, policy, "TARGON_API_KEY", secrets)?;
        Ok(Targon { api, kind: settings.kind, resource: settings.resource.clone(), key, hf_token })
    }

    fn request<'a>(&self, method: Method, path: &str) -> Request<'a> {
        let request = Request::new(method, self.api.url(&format!("/tha/v2/workloads{path}")));
        request.header("accept", "application/json").bearer(&self.key)
    }

    fn body(&self, order: &PodOrder) -> Value {
        let mut body = json!({
            "type": match self.kind { WorkloadKind::Serverless => "SERVERLESS", WorkloadKind::Rental => "RENTAL" },
            "name": order.name.as_str(),
            "image": order.image,
            "resource_name": order.hardware.targon().unwrap_or(&self.resource),
            "ports": [{"port": PORT, "protocol": "TCP", "routing": "PROXIED"}],
        });
        if let Some(token) = &self.hf_token {
            body["envs"] = json!([{"name": "HF_TOKEN", "value": token.expose()}]);
        }
        if self.kind == WorkloadKind::Serverless {
            // 4 + 1 at the proxy: the next prompt is uploaded while earlier bodies are still being downloaded. Of batches
            // there is one, which is asked about meanwhile.
            let most = if order.hardware.is_of_batches() { 2 } else { 5 };
            body["serverless_config"] = json!({
                "min_replicas": 1, "max_replicas": 1, "container_concurrency": most, "target_concurrency": most,
                "visibility": "external",
            });
        }
        body
    }

    fn named(&self, name: &str) -> Result<Vec<PodId>> {
        Ok(ids_of(self.list(name)?, name))
    }

    /// Deploys a registered workload. Idempotent.
    fn start(&self, pod: &PodId) -> Result<Response> {
        self.api.ask(&self.request(Method::POST, &format!("/{}/deploy", segment(pod)?)))
    }

    /// Adds to a refusal what else may be tried: not every account may use both kinds of workload.
    fn advised(&self, error: Error) -> Error {
        let refused = error.kind() == Kind::Failed || error.to_string().to_ascii_lowercase().contains("serverless");
        if self.kind == WorkloadKind::Serverless && refused {
            return error.hint(
                "[pods.targon] kind = \"rental\" in gen404.toml rents the machine instead of running a serverless workload",
            );
        }
        error
    }

    /// Deletes a registration without a deployment: it does no harm, but would stay forever.
    fn drop_orphan(&self, pod: &PodId, error: Error) -> Error {
        match self.release(pod) {
            Ok(()) => error,
            Err(left) => {
                let both = Error::new(error.kind(), format!("{error}; and its registration is still there"));
                let both = both.because(left).hint("the next run of the same command deletes it");
                error.hints().iter().fold(both, |both, hint| both.hint(hint.as_str()))
            }
        }
    }
}

impl Provider for Targon {
    fn name(&self) -> &'static str {
        "targon"
    }

    fn deploy(&self, order: &PodOrder) -> Result<Deployed> {
        let name = order.name.as_str();
        let request = self.request(Method::POST, "").header("content-type", "application/json");
        let request = request.body(self.body(order).to_string().into_bytes());
        let created = self.api.create(&request, &|| self.named(name), &|other| self.release(other));
        let pod = match created.map_err(|error| self.advised(error))? {
            Created::Adopted(pod) => pod,
            Created::NoCapacity(why) => return Ok(Deployed::NoCapacity(why)),
            Created::Unauthorized(response) => return Err(self.api.refused(&request.shown(), &response)),
            Created::Answer(response) => match self.api.parse::<Workload>(&request.shown(), &response) {
                Ok(workload) => PodId(workload.uid),
                // The workload was registered nevertheless: find it by its name.
                Err(unread) => self.api.adopt(&|| self.named(name), &|other| self.release(other))?.ok_or(unread)?,
            },
        };
        match self.start(&pod) {
            Ok(response) if (200..300).contains(&response.status) => Ok(Deployed::Pod(pod)),
            Ok(response) if self.api.is_wanting(&response) => {
                self.release(&pod)?;
                Ok(Deployed::NoCapacity(self.api.says(&response)))
            }
            Ok(response) => {
                let refused = self.api.refused(&format!("deploying {name}"), &response);
                Err(self.drop_orphan(&pod, self.advised(refused)))
            }
            Err(error) => Err(self.drop_orphan(&pod, error)),
        }
    }

    fn look(&self, pod: &PodId) -> Result<PodState> {
        let request = self.request(Method::GET, &format!("/{}/state", segment(pod)?));
        let Some(state) = self.api.find::<WorkloadState>(&request)? else {
            return Ok(PodState::Failed("the workload is gone".to_owned()));
        };
        let status = state.status.to_ascii_lowercase();
        if matches!(&*status, "error" | "failed" | "stopped" | "terminated" | "suspended" | "deleted") {
            let message = state.message.unwrap_or_default();
            let why = format!("the workload's status is {status}: {message}");
            return Ok(PodState::Failed(shown_text(why.trim_end_matches(": "), 300)));
        }
        let url = state.urls.unwrap_or_default().into_iter().find(|url| url.port == PORT);
        Ok(match url {
            Some(found) if status == "running" && state.ready_replicas != Some(0) => {
                HttpUrl::parse(&found.url).map_err(|why| Error::outside(format!("a workload's URL: {why}")))?;
                PodState::Reachable(Endpoint { url: found.url.trim_end_matches('/').to_owned(), key: None })
            }
            _ => PodState::Starting,
        })
    }

    fn release(&self, pod: &PodId) -> Result<()> {
        self.api.delete(&self.request(Method::DELETE, &format!("/{}", segment(pod)?)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        let mut cursor = String::new();
        for _ in 0..MOST_PAGES {
            let path = if cursor.is_empty() { "?limit=100".to_owned() } else { format!("?limit=100&cursor={cursor}") };
            let page: Page = self.api.get(&self.request(Method::GET, &path))?;
            let deleted = |workload: &Workload| {
                workload.state.as_ref().is_some_and(|state| state.status.eq_ignore_ascii_case("deleted"))
            };
            let ours = page
                .items
                .into_iter()
                .filter(|item| item.name.starts_with(prefix) && is_a_name(&item.name) && !deleted(item));
            listed.extend(ours.map(|item| Listed { id: PodId(item.uid), name: item.name }));
            match page.next_cursor.filter(|next| !next.is_empty()) {
                Some(next) if next.len() > LONGEST_CURSOR => {
                    return Err(Error::outside(format!("{}: a cursor of {} bytes", self.api.base, next.len())));
                }
                Some(next) => cursor = in_path(&next),
                None => return Ok(listed),
            }
        }
        Err(Error::outside(format!("{}: the list of workloads does not end", self.api.base)))
    }
}
