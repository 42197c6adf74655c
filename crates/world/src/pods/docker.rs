//! This host's docker, through its command line.

use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::api::is_a_name;
use super::{Deployed, Endpoint, Listed, NAMES, PORT, PodId, PodOrder, PodState, Provider, ours_said};
use crate::base::error::{Error, Result};
use crate::child;
use crate::http::{Blanks, Secret};
use crate::probe::Probed;
use crate::stop::{Stop, stopped};

/// `[pods.docker]` of `gen404.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DockerSettings {
    /// The program.
    pub program: String,
    /// The value of `--gpus`, which is left out if this is not given.
    pub gpus: Option<String>,
    /// Containers that may run at the same time.
    pub at_once: usize,
    /// Further arguments of `docker run`.
    pub args: Vec<String>,
}

impl Default for DockerSettings {
    fn default() -> Self {
        DockerSettings { program: "docker".to_owned(), gpus: None, at_once: 1, args: Vec::new() }
    }
}

/// How many of a container's last lines are reported, each no longer than the second limit.
const LAST_LINES: usize = 10;
const LONGEST_LINE: usize = 200;

/// The label of all our containers.
const LABEL: &str = "gen404.pod";

/// The docker driver. A pod's id is its container's name.
#[derive(Debug)]
pub struct Docker {
    settings: DockerSettings,
    hf_token: Option<Secret>,
    /// Held while containers are counted and one more is started, so that the limit is kept.
    starting: Mutex<()>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    state: ContainerState,
    network_settings: Network,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerState {
    status: String,
    #[serde(default)]
    exit_code: i64,
    #[serde(default)]
    error: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    ports: Option<std::collections::BTreeMap<String, Option<Vec<Binding>>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    host_port: String,
}

impl Docker {
    /// Containers on this host; programs get `hf_token` as `HF_TOKEN`.
    #[must_use]
    pub fn new(settings: &DockerSettings, hf_token: Option<Secret>) -> Self {
        Docker { settings: settings.clone(), hf_token, starting: Mutex::new(()) }
    }

    /// Runs docker and returns its output, whatever the exit code.
    fn call(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.settings.program);
        command.args(args);
        if let Some(token) = &self.hf_token {
            // In the environment: command lines are visible to every user.
            command.env("HF_TOKEN", token.expose());
        }
        child::output(&mut command, &Stop::of_process()).map_err(|e| {
            if e.kind() == std::io::ErrorKind::Interrupted {
                return stopped();
            }
            let cannot = Error::failed(format!("{}: cannot run", self.settings.program)).because(e);
            cannot.hint("[pods.docker] program in gen404.toml names docker's command")
        })
    }

    /// As [`Docker::call`], for what must succeed: returns its standard output.
    fn succeed(&self, args: &[&str]) -> Result<String> {
        let output = self.call(args)?;
        if !output.status.success() {
            return Err(self.failed(args, &output));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn failed(&self, args: &[&str], output: &Output) -> Error {
        let verb = args.first().copied().unwrap_or_default();
        Error::outside(format!("{} {verb}: {}", self.settings.program, self.says(output)))
    }

    fn says(&self, output: &Output) -> String {
        self.shown(output.stderr.trim_ascii(), 300)
    }

    /// docker's output for messages, without the token.
    fn shown(&self, text: &[u8], longest: usize) -> String {
        Blanks::of(&self.hf_token).shown(text, longest)
    }

    fn run(&self, order: &PodOrder) -> Result<Output> {
        let (name, port) = (order.name.as_str(), format!("127.0.0.1::{PORT}"));
        let label = format!("{LABEL}={name}");
        let mut args = vec!["run", "--detach", "--name", name, "--label", &label, "--publish", &port];
        if let Some(gpus) = &self.settings.gpus {
            args.extend(["--gpus", gpus]);
        }
        if self.hf_token.is_some() {
            args.extend(["--env", "HF_TOKEN"]);
        }
        args.extend(self.settings.args.iter().map(String::as_str));
        // An image's name comes from a file: `--` keeps it from being read as an option.
        args.extend(["--", &order.image]);
        self.call(&args)
    }

    /// The last log lines of a container that has ended: the log goes when it is removed.
    fn last_words(&self, pod: &PodId) -> String {
        let lines = LAST_LINES.to_string();
        let output = match self.call(&["logs", "--tail", &lines, &pod.0]) {
            // A log over the output limit is cut off by ending docker.
            Ok(output) if output.status.success() || output.status.code().is_none() => output,
            Ok(output) => return format!("; its log cannot be read: {}", self.says(&output)),
            Err(error) => return format!("; its log cannot be read: {error}"),
        };
        // The program's two streams; errors go to the second, which is therefore shown last. Progress bars end
        // their lines with carriage returns.
        let lines = [&output.stdout, &output.stderr].into_iter().flat_map(|bytes| bytes.split(|b| b"\r\n".contains(b)));
        let said: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).collect();
        let last = said.get(said.len().saturating_sub(LAST_LINES)..).unwrap_or_default();
        let last: Vec<String> = last.iter().map(|line| self.shown(line, LONGEST_LINE)).collect();
        if last.is_empty() { String::new() } else { format!("; it said last: {}", last.join(" | ")) }
    }

    fn is_there(&self, name: &str) -> Result<bool> {
        Ok(self.list(name)?.iter().any(|listed| listed.name == name))
    }
}

impl Provider for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn deploy(&self, order: &PodOrder) -> Result<Deployed> {
        let _one_at_a_time = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let running = self.list("")?.len();
        if running >= self.settings.at_once.max(1) {
            return Ok(Deployed::NoCapacity(format!("{running} containers of ours are here")));
        }
        let pod = PodId(order.name.to_string());
        let output = self.run(order)?;
        if output.status.success() {
            return Ok(Deployed::Pod(pod));
        }
        // A container that failed to start exists nevertheless.
        let failed = self.failed(&["run"], &output);
        match self.release(&pod) {
            Ok(()) => Err(failed),
            Err(left) => Err(Error::outside(format!("{failed}; and its container is still there")).because(left)),
        }
    }

    fn look(&self, pod: &PodId) -> Result<PodState> {
        let args = ["inspect", "--type", "container", &pod.0];
        let output = self.call(&args)?;
        if !output.status.success() {
            if self.is_there(&pod.0)? {
                return Err(self.failed(&args, &output));
            }
            return Ok(PodState::Failed("the container is gone".to_owned()));
        }
        let found: Vec<Container> = serde_json::from_slice(&output.stdout).map_err(|e| {
            Error::outside(format!("{} inspect: {}", self.settings.program, self.shown(e.to_string().as_bytes(), 200)))
        })?;
        let Some(container) = found.into_iter().next() else {
            return Ok(PodState::Failed("the container is gone".to_owned()));
        };
        let ContainerState { status, exit_code, error } = container.state;
        if matches!(&*status, "exited" | "dead" | "removing") {
            let why = format!(
                "the container is {status} with code {exit_code} {}",
                self.shown(error.as_bytes(), LONGEST_LINE)
            );
            return Ok(PodState::Failed(format!("{}{}", why.trim_end(), self.last_words(pod))));
        }
        let ports = container.network_settings.ports.unwrap_or_default();
        let bindings = ports.get(&format!("{PORT}/tcp")).and_then(Option::as_ref).into_iter().flatten();
        let port = bindings.filter_map(|binding| binding.host_port.parse::<u16>().ok()).find(|port| *port > 0);
        Ok(match port {
            Some(port) if status == "running" => {
                PodState::Reachable(Endpoint { url: format!("http://127.0.0.1:{port}"), key: None })
            }
            _ => PodState::Starting,
        })
    }

    fn release(&self, pod: &PodId) -> Result<()> {
        let args = ["rm", "--force", "--volumes", &pod.0];
        let output = self.call(&args)?;
        // Versions differ on whether removing a missing container is an error.
        if !output.status.success() && self.is_there(&pod.0)? {
            return Err(self.failed(&args, &output));
        }
        Ok(())
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let filter = format!("label={LABEL}");
        let names = self.succeed(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])?;
        let ours =
            names.lines().map(str::trim).filter(|name| !name.is_empty() && name.starts_with(prefix) && is_a_name(name));
        Ok(ours.map(|name| Listed { id: PodId(name.to_owned()), name: name.to_owned() }).collect())
    }

    fn probe(&self, _order: &PodOrder) -> Result<Probed> {
        let version = self.succeed(&["version", "--format", "{{.Server.Version}}"]);
        let version = version.map_err(|error| match error.hints().is_empty() {
            true => error.hint("is its daemon running, and may this user reach it?"),
            false => error,
        })?;
        let (version, ours) = (self.shown(version.trim().as_bytes(), 60), self.list(NAMES)?.len());
        Ok(Probed::fine(format!("docker: version {version}; {}", ours_said(ours))))
    }
}
