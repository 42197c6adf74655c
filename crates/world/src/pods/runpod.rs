//! RunPod, API v2: pods with a public TCP port.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Api, ApiPolicy, Created, ids_of, is_a_name, segment};
use super::hardware::BATCH_DISK_GB;
use super::{Deployed, Endpoint, Listed, PORT, PodId, PodOrder, PodState, Provider};
use crate::base::error::Result;
use crate::http::{Method, Request, Secret};

/// `[pods.runpod]` of `gen404.toml`; the key comes from `RUNPOD_API_KEY`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunpodSettings {
    /// The API.
    pub url: String,
    /// The GPU's id.
    pub gpu: String,
    /// How many of them.
    pub gpus: u32,
    /// Whose machines to rent.
    pub cloud: Cloud,
    /// How the program is reached.
    pub port: PortKind,
    /// GB of disk, for the image and what the program downloads.
    pub disk_gb: u32,
}

/// Whose machines to rent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// Data centres.
    Secure,
    /// Private hosts: not all have public addresses.
    Community,
}

/// How a program is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PortKind {
    /// At a public address and port.
    Tcp,
    /// Through RunPod's proxy, which cuts off every answer that takes longer than 100 seconds.
    Http,
}

impl Default for RunpodSettings {
    fn default() -> Self {
        RunpodSettings {
            url: "https://api.runpod.io/v2".to_owned(),
            gpu: "NVIDIA H200".to_owned(),
            gpus: 1,
            cloud: Cloud::Secure,
            port: PortKind::Tcp,
            disk_gb: 200,
        }
    }
}

/// The RunPod driver.
#[derive(Debug)]
pub struct Runpod {
    api: Api,
    settings: RunpodSettings,
    key: Secret,
    hf_token: Option<Secret>,
}

#[derive(Debug, Deserialize)]
struct RunpodPod {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    runtime: Option<Runtime>,
}

#[derive(Debug, Deserialize)]
struct Runtime {
    #[serde(default)]
    ports: Vec<PortMapping>,
}

#[derive(Debug, Deserialize)]
struct PortMapping {
    private: u16,
    public: Option<u16>,
    #[serde(rename = "type", default)]
    kind: String,
    ip: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
struct Pods {
    pods: Vec<RunpodPod>,
}

impl Runpod {
    /// The pods of this key's account; programs get `hf_token` as `HF_TOKEN`.
    ///
    /// # Errors
    /// The URL makes no sense.
    pub fn new(settings: &RunpodSettings, policy: ApiPolicy, key: Secret, hf_token: Option<Secret>) -> Result<Self> {
        let secrets = [key.clone()].into_iter().chain(hf_token.clone()).collect();
        let api = Api::new(&settings.url, policy, "RUNPOD_API_KEY", secrets)?;
        Ok(Runpod { api, settings: settings.clone(), key, hf_token })
    }

    fn request<'a>(&self, method: Method, path: &str) -> Request<'a> {
        Request::new(method, self.api.url(&format!("/pods{path}"))).bearer(&self.key)
    }

    /// Only fields that the API knows: it refuses others.
    fn body(&self, order: &PodOrder) -> Value {
        let kind = match self.settings.port {
            PortKind::Tcp => "tcp",
            PortKind::Http => "http",
        };
        let mut env = BTreeMap::new();
        if let Some(token) = &self.hf_token {
            env.insert("HF_TOKEN", token.expose());
        }
        let (gpu, count) = order.hardware.runpod().unwrap_or((&self.settings.gpu, self.settings.gpus));
        let disk = if order.hardware.is_of_batches() { BATCH_DISK_GB } else { 0 };
        json!({
            "name": order.name.as_str(),
            "image": order.image,
            "cloud": match self.settings.cloud { Cloud::Secure => "SECURE", Cloud::Community => "COMMUNITY" },
            "gpu": {"id": gpu, "count": count},
            "disk": self.settings.disk_gb.max(disk),
            "ports": [format!("{PORT}/{kind}")],
            "env": env,
        })
    }

    fn named(&self, name: &str) -> Result<Vec<PodId>> {
        Ok(ids_of(self.list(name)?, name))
    }

    /// The URL of a running pod's program; `None` while its port has no address.
    fn url(&self, id: &str, pod: &RunpodPod) -> Option<String> {
        if self.settings.port == PortKind::Http {
            return Some(format!("https://{id}-{PORT}.proxy.runpod.net"));
        }
        let ports = pod.runtime.iter().flat_map(|runtime| &runtime.ports);
        ports.filter(|port| port.private == PORT && port.kind.eq_ignore_ascii_case("tcp")).find_map(|port| {
            let (ip, public) = (port.ip?, port.public?);
            Some(format!("http://{}", std::net::SocketAddr::new(ip, public)))
        })
    }
}

impl Provider for Runpod {
    fn name(&self) -> &'static str {
        "runpod"
    }

    fn deploy(&self, order: &PodOrder) -> Result<Deployed> {
        let name = order.name.as_str();
        let request = self.request(Method::POST, "").header("content-type", "application/json");
        let request = request.body(self.body(order).to_string().into_bytes());
        Ok(match self.api.create(&request, &|| self.named(name), &|other| self.release(other))? {
            Created::Adopted(pod) => Deployed::Pod(pod),
            Created::NoCapacity(why) => Deployed::NoCapacity(why),
            Created::Unauthorized(response) => return Err(self.api.refused(&request.shown(), &response)),
            Created::Answer(response) => match self.api.parse::<RunpodPod>(&request.shown(), &response) {
                Ok(pod) => Deployed::Pod(PodId(pod.id)),
                // The pod was created nevertheless: find it by its name.
                Err(unread) => {
                    let adopted = self.api.adopt(&|| self.named(name), &|other| self.release(other))?;
                    Deployed::Pod(adopted.ok_or(unread)?)
                }
            },
        })
    }

    fn look(&self, pod: &PodId) -> Result<PodState> {
        let id = segment(pod)?;
        let request = self.request(Method::GET, &format!("/{id}"));
        let Some(found) = self.api.find::<RunpodPod>(&request)? else {
            return Ok(PodState::Failed("the pod is gone".to_owned()));
        };
        Ok(match found.status.as_str() {
            "EXITED" | "ERROR" | "TERMINATED" => PodState::Failed(format!("the pod's status is {}", found.status)),
            "RUNNING" => match self.url(id, &found) {
                Some(url) => PodState::Reachable(Endpoint { url, key: None }),
                None => PodState::Starting,
            },
            _ => PodState::Starting,
        })
    }

    fn release(&self, pod: &PodId) -> Result<()> {
        self.api.delete(&self.request(Method::DELETE, &format!("/{}", segment(pod)?)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let all: Pods = self.api.get(&self.request(Method::GET, ""))?;
        let ours = all
            .pods
            .into_iter()
            .filter(|pod| pod.name.starts_with(prefix) && is_a_name(&pod.name) && pod.status != "TERMINATED");
        Ok(ours.map(|pod| Listed { id: PodId(pod.id), name: pod.name }).collect())
    }
}
