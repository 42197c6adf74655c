//! Verda (formerly DataCrunch): container deployments, whose names are unique.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Api, ApiPolicy, Created, is_a_name, segment};
use super::{Deployed, Endpoint, Listed, PORT, PodId, PodOrder, PodState, Provider};
use crate::base::error::{Error, Result};
use crate::base::url::HttpUrl;
use crate::http::{Method, Request, Response, Secret, shown_text};

/// `[pods.verda]` of `gen404.toml`; `VERDA_CLIENT_ID`, `VERDA_CLIENT_SECRET` and
/// `VERDA_INFERENCE_KEY` come from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerdaSettings {
    /// The API.
    pub url: String,
    /// The GPU.
    pub gpu: String,
    /// How many GPUs.
    pub gpus: u32,
    /// Use spot machines, which may be taken away at any time.
    pub spot: bool,
}

impl Default for VerdaSettings {
    fn default() -> Self {
        let url = "https://api.verda.com/v1".to_owned();
        VerdaSettings { url, gpu: "H200".to_owned(), gpus: 1, spot: false }
    }
}

/// The keys of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdaKeys {
    /// The client id for the management API.
    pub client_id: Secret,
    /// The client secret for the management API.
    pub client_secret: Secret,
    /// The key for the gateway in front of the containers.
    pub inference: Secret,
}

/// How long before its expiry a token is renewed.
const EARLY: Duration = Duration::from_secs(60);

/// The Verda driver.
#[derive(Debug)]
pub struct Verda {
    api: Api,
    settings: VerdaSettings,
    keys: VerdaKeys,
    hf_token: Option<Secret>,
    token: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    access: Secret,
    refresh: Option<Secret>,
    until: Instant,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: f64,
}

#[derive(Debug, Deserialize)]
struct Deployment {
    name: String,
    endpoint_base_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct InstanceStatus {
    status: String,
}

/// The documented list, or the form that the reference also accepts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Deployments {
    Bare(Vec<Deployment>),
    Named { deployments: Vec<Deployment> },
    Items { items: Vec<Deployment> },
}

impl Verda {
    /// The deployments of these keys' account; programs get `hf_token` as `HF_TOKEN`.
    ///
    /// # Errors
    /// The URL makes no sense.
    pub fn new(settings: &VerdaSettings, policy: ApiPolicy, keys: VerdaKeys, hf_token: Option<Secret>) -> Result<Self> {
        let secrets = [&keys.client_id, &keys.client_secret, &keys.inference].map(Clone::clone);
        let secrets = secrets.into_iter().chain(hf_token.clone()).collect();
        let api = Api::new(&settings.url, policy, "VERDA_CLIENT_ID and VERDA_CLIENT_SECRET", secrets)?;
        Ok(Verda { api, settings: settings.clone(), keys, hf_token, token: Mutex::new(None) })
    }

    /// A token that is valid for a while; not `stale`, which was refused.
    fn token(&self, stale: Option<&Secret>) -> Result<Secret> {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |token: &&Token| Some(&token.access) != stale && token.until > Instant::now();
        if let Some(token) = kept.as_ref().filter(good) {
            return Ok(token.access.clone());
        }
        let refresh = kept.as_ref().filter(|_| stale.is_none()).and_then(|token| token.refresh.clone());
        let refreshed = match refresh {
            Some(refresh) => {
                self.granted(&json!({"grant_type": "refresh_token", "refresh_token": refresh.expose()}))?
            }
            None => None,
        };
        let token = match refreshed {
            Some(token) => token,
            None => self.authenticate()?,
        };
        let access = token.access.clone();
        *kept = Some(token);
        Ok(access)
    }

    fn authenticate(&self) -> Result<Token> {
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": self.keys.client_id.expose(),
            "client_secret": self.keys.client_secret.expose(),
        });
        self.granted(&body)?.ok_or_else(|| {
            let refused = Error::failed(format!("{}: no token was granted for these keys", self.api.base));
            refused.hint("the keys are read from VERDA_CLIENT_ID and VERDA_CLIENT_SECRET")
        })
    }

    /// Requests a token; `None` if it is refused.
    fn granted(&self, body: &Value) -> Result<Option<Token>> {
        let request = Request::post_json(self.api.url("/oauth2/token"), body.to_string().into_bytes());
        let response = self.api.ask(&request)?;
        match response.status {
            200..=299 => {
                // The answer's text is never shown, not even if it does not parse: it may contain a token.
                let grant: Grant = response
                    .granted()
                    .ok_or_else(|| Error::outside(format!("{}: the answer holds no token", request.shown())))?;
                let lives = Duration::try_from_secs_f64(grant.expires_in).unwrap_or_default().saturating_sub(EARLY);
                let (access, refresh) =
                    (Secret::new(&grant.access_token), grant.refresh_token.as_deref().map(Secret::new));
                [Some(&access), refresh.as_ref()].into_iter().flatten().for_each(|s| self.api.keep_secret(s.clone()));
                Ok(Some(Token { access, refresh, until: Instant::now() + lives.min(Duration::from_secs(86_400)) }))
            }
            400 | 401 | 403 => Ok(None),
            _ => Err(self.api.refused(&request.shown(), &response)),
        }
    }

    /// Makes a call with a token, and once more with a new one if that was refused: a refused call has done
    /// nothing.
    fn with_token<T>(&self, call: impl Fn(&Secret) -> Result<Answered<T>>) -> Result<T> {
        let token = self.token(None)?;
        match call(&token)? {
            Answered::Done(value) => return Ok(value),
            Answered::Unauthorized(_) => {}
        }
        match call(&self.token(Some(&token))?)? {
            Answered::Done(value) => Ok(value),
            Answered::Unauthorized(response) => Err(self.api.refused(&self.api.base, &response)),
        }
    }

    /// The answer to a request that may be repeated.
    fn ask(&self, method: &Method, path: &str) -> Result<Response> {
        let url = self.api.url(&format!("/container-deployments{path}"));
        self.with_token(|token| {
            let response = self.api.ask(&Request::new(method.clone(), url.as_str()).bearer(token))?;
            let unauthorized = response.status == 401;
            Ok(if unauthorized { Answered::Unauthorized(response) } else { Answered::Done(response) })
        })
    }

    fn find<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        let response = self.ask(&Method::GET, path)?;
        let what = || format!("GET {}/container-deployments{path}", self.api.base);
        match response.status {
            404 => Ok(None),
            200..=299 => self.api.parse(&what(), &response).map(Some),
            _ => Err(self.api.refused(&what(), &response)),
        }
    }

    fn body(&self, order: &PodOrder) -> Value {
        let mut container = json!({
            "image": order.image,
            "exposed_port": PORT,
            "healthcheck": {"enabled": true, "port": PORT, "path": "/health"},
        });
        if let Some(token) = &self.hf_token {
            container["env"] = json!([
                {"name": "HF_TOKEN", "value_or_reference_to_secret": token.expose(), "type": "plain"}
            ]);
        }
        let (gpu, count) = order.hardware.verda().unwrap_or((&self.settings.gpu, self.settings.gpus));
        let most = if order.hardware.is_of_batches() { 2 } else { 5 };
        json!({
            "name": order.name.as_str(),
            "container_registry_settings": {"is_private": false, "credentials": null},
            "containers": [container],
            "compute": {"name": gpu, "size": count},
            // Exactly one replica for the whole run.
            "scaling": {
                "min_replica_count": 1,
                "max_replica_count": 1,
                "scale_down_policy": {"delay_seconds": 3600},
                "scale_up_policy": {"delay_seconds": 600},
                "queue_message_ttl_seconds": 600,
                "concurrent_requests_per_replica": most,
                "scaling_triggers": {
                    "queue_load": {"threshold": most},
                    "cpu_utilization": {"enabled": false, "threshold": 80},
                    "gpu_utilization": {"enabled": false, "threshold": 80},
                },
            },
            "is_spot": self.settings.spot,
        })
    }

    /// Names are unique: there is at most one pod.
    fn named(&self, name: &str) -> Result<Vec<PodId>> {
        let pod = PodId(name.to_owned());
        let found = self.find::<Deployment>(&format!("/{}", segment(&pod)?))?;
        Ok(found.map(|_| pod).into_iter().collect())
    }
}

/// The result of a call with a token.
enum Answered<T> {
    Done(T),
    Unauthorized(Response),
}

impl Provider for Verda {
    fn name(&self) -> &'static str {
        "verda"
    }

    fn deploy(&self, order: &PodOrder) -> Result<Deployed> {
        let name = order.name.as_str();
        let (url, body) = (self.api.url("/container-deployments"), self.body(order).to_string().into_bytes());
        self.with_token(|token| {
            let request = Request::post_json(url.as_str(), body.as_slice()).bearer(token);
            // A second deployment of the same name is not possible.
            let created = self.api.create(&request, &|| self.named(name), &|_| Ok(()))?;
            Ok(match created {
                Created::Answer(_) => Answered::Done(Deployed::Pod(PodId(name.to_owned()))),
                Created::Adopted(pod) => Answered::Done(Deployed::Pod(pod)),
                Created::NoCapacity(why) => Answered::Done(Deployed::NoCapacity(why)),
                Created::Unauthorized(response) => Answered::Unauthorized(response),
            })
        })
    }

    fn look(&self, pod: &PodId) -> Result<PodState> {
        let path = format!("/{}", segment(pod)?);
        let gone = || Ok(PodState::Failed("the deployment is gone".to_owned()));
        let Some(deployment) = self.find::<Deployment>(&path)? else { return gone() };
        let Some(InstanceStatus { status }) = self.find(&format!("{path}/status"))? else { return gone() };
        let Some(url) = deployment.endpoint_base_url.filter(|url| !url.is_empty()) else {
            return Ok(PodState::Starting);
        };
        HttpUrl::parse(&url).map_err(|why| Error::outside(format!("a deployment's URL: {why}")))?;
        Ok(match status.as_str() {
            // A request now would wait in a queue while its clock runs.
            "initializing" | "image_pulling" => PodState::Starting,
            "quota_reached" | "paused" => {
                PodState::Failed(format!("the deployment's status is {}", shown_text(&status, 60)))
            }
            _ => {
                let (url, key) = (url.trim_end_matches('/').to_owned(), Some(self.keys.inference.clone()));
                PodState::Reachable(Endpoint { url, key })
            }
        })
    }

    fn release(&self, pod: &PodId) -> Result<()> {
        let path = format!("/{}", segment(pod)?);
        // Without timeout=0 the answer comes only after the teardown, which may take longer than we wait.
        let response = self.ask(&Method::DELETE, &format!("{path}?timeout=0"))?;
        match response.status {
            404 | 410 => return Ok(()),
            200..=299 => {}
            _ => return Err(self.api.refused(&format!("deleting {}", pod.0), &response)),
        }
        let begun = Instant::now();
        while self.find::<Deployment>(&path)?.is_some() {
            if begun.elapsed() > self.api.patience() {
                let still = Error::outside(format!("deployment {} was deleted, but is still there", pod.0));
                return Err(still.hint("it is billed until it is gone"));
            }
            self.api.wait();
        }
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let missing = || Error::failed(format!("{}/container-deployments: status 404", self.api.base));
        let all = match self.find("")?.ok_or_else(missing)? {
            Deployments::Bare(all) | Deployments::Named { deployments: all } | Deployments::Items { items: all } => all,
        };
        let ours =
            all.into_iter().filter(|deployment| deployment.name.starts_with(prefix) && is_a_name(&deployment.name));
        Ok(ours.map(|deployment| Listed { id: PodId(deployment.name.clone()), name: deployment.name }).collect())
    }
}
