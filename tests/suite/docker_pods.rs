//! Pods of this host's docker, against a script that keeps containers as files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use gen404::model::ids::{Player, RoundNumber};
use gen404::world::http::Secret;
use gen404::world::pods::docker::{Docker, DockerSettings};
use gen404::world::pods::{Deployed, PodId, PodName, PodOrder, PodState, Provider};

/// `docker`, as far as it is used: a container is a file that holds its state.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
echo "$HF_TOKEN" > "$here/token"
case "$1" in
run) # run --detach --name NAME ...
    echo created > "$here/box/$4"
    if [ -e "$here/broken" ]; then echo "could not select device driver for $HF_TOKEN" >&2; exit 125; fi
    echo running > "$here/box/$4"; echo 0123456789ab;;
inspect) # inspect --type container NAME
    if [ ! -e "$here/box/$4" ]; then echo '[]'; echo "No such container: $4" >&2; exit 1; fi
    echo "[{\"Id\":\"x\",\"State\":{\"Status\":\"$(cat "$here/box/$4")\",\"ExitCode\":137,\"Error\":\"$(cat "$here/tells" 2>/dev/null)\"},\"NetworkSettings\":{\"Ports\":{\"22/tcp\":null,\"10006/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"32768\"}]}}}]";;
rm) # rm --force --volumes NAME
    if [ -e "$here/stuck" ]; then echo "device is busy" >&2; exit 1; fi
    if [ ! -e "$here/box/$4" ]; then echo "No such container: $4" >&2; exit 1; fi
    rm "$here/box/$4";;
logs) # logs --tail COUNT NAME
    if [ -e "$here/mute" ]; then echo "no log of $HF_TOKEN" >&2; exit 1; fi
    tail -n "$3" "$here/log" 2>/dev/null; tail -n "$3" "$here/errors" >&2 2>/dev/null; exit 0;;
ps) ls "$here/box";;
*) exit 64;;
esac
"#;

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("box")).unwrap();
        let host = Host { folder };
        std::fs::write(host.path("script"), SCRIPT).unwrap();
        // Another process writes it: a file that this one has open cannot be run by its children.
        let copied = Command::new("cp").args([host.path("script"), host.path("docker")]).status().unwrap();
        assert!(copied.success());
        std::fs::set_permissions(host.path("docker"), std::fs::Permissions::from_mode(0o755)).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, gpus: Option<&str>) -> Docker {
        let settings = DockerSettings {
            program: self.path("docker").display().to_string(),
            gpus: gpus.map(str::to_owned),
            args: vec!["--shm-size=8g".to_owned()],
            ..DockerSettings::default()
        };
        Docker::new(&settings, Some(Secret::new("hunter2-hf")))
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.path("calls")).unwrap()
    }
}

fn order(number: usize) -> PodOrder {
    let name = PodName::new(RoundNumber(3), &Player::Leader, "ab12", number);
    PodOrder { name, player: Player::Leader, image: "ghcr.io/a/b:c".to_owned(), hardware: Default::default() }
}

#[test]
fn a_container_runs_is_found_and_goes() {
    let host = Host::new();
    let docker = host.open(Some("all"));
    let Deployed::Pod(pod) = docker.deploy(&order(0)).unwrap() else { panic!("no room") };
    assert!(host.calls().contains(
        "run --detach --name g404-3-leader-ab12-0 --label gen404.pod=g404-3-leader-ab12-0 \
         --publish 127.0.0.1::10006 --gpus all --env HF_TOKEN --shm-size=8g -- ghcr.io/a/b:c"
    ));
    assert!(!host.calls().contains("hunter2"), "a command line is seen by everybody");
    assert_eq!(std::fs::read_to_string(host.path("token")).unwrap().trim(), "hunter2-hf");
    let PodState::Reachable(endpoint) = docker.look(&pod).unwrap() else { panic!("not there") };
    assert_eq!(endpoint.url, "http://127.0.0.1:32768");
    assert!(matches!(docker.deploy(&order(1)).unwrap(), Deployed::NoCapacity(_)));
    assert_eq!(docker.list("g404-3-leader-").unwrap().len(), 1);
    assert!(docker.list("g404-4-").unwrap().is_empty());
    std::fs::write(host.path("box").join(&pod.0), "exited").unwrap();
    let PodState::Failed(why) = docker.look(&pod).unwrap() else { panic!("runs") };
    assert_eq!(why, "the container is exited with code 137");
    // A runtime that tells what it was given.
    std::fs::write(host.path("tells"), "no: HF_TOKEN=hunter2-hf \u{202e}").unwrap();
    let PodState::Failed(why) = docker.look(&pod).unwrap() else { panic!("runs") };
    assert_eq!(why, "the container is exited with code 137 no: HF_TOKEN=*** \\u{202e}");
    docker.release(&pod).unwrap();
    docker.release(&pod).unwrap();
    assert!(matches!(docker.look(&pod).unwrap(), PodState::Failed(_)));
    let Deployed::Pod(_) = host.open(None).deploy(&order(1)).unwrap() else { panic!("no room") };
    assert!(!host.calls().lines().last().unwrap().contains("--gpus"));
}

#[test]
fn what_a_container_said_last_is_told_before_it_goes() {
    let host = Host::new();
    let docker = host.open(None);
    let Deployed::Pod(pod) = docker.deploy(&order(0)).unwrap() else { panic!("no room") };
    let says = || match docker.look(&pod).unwrap() {
        PodState::Failed(why) => why,
        other => panic!("{other:?}"),
    };
    std::fs::write(host.path("log"), "loading\nhalf way\n").unwrap();
    assert!(matches!(docker.look(&pod).unwrap(), PodState::Reachable(_)) && !host.calls().contains("logs"));
    std::fs::write(host.path("box").join(&pod.0), "exited").unwrap();
    assert_eq!(says(), "the container is exited with code 137; it said last: loading | half way");
    std::fs::write(host.path("errors"), "\nTraceback\n  HF_TOKEN=hunter2-hf\n\u{1b}[31mCUDA out of memory\u{202e}\n")
        .unwrap();
    let why = says();
    assert!(why.ends_with("Traceback | HF_TOKEN=*** | \\u{1b}[31mCUDA out of memory\\u{202e}"), "{why}");
    let lines: String = (0..1000).map(|n| format!("{n} {}\n", "x".repeat(5000))).collect();
    std::fs::write(host.path("errors"), lines).unwrap();
    let why = says();
    assert!(why.contains("| 999 xxx") && !why.contains("| 989 ") && why.len() < 3000, "{why}");
    std::fs::write(host.path("errors"), b"\xff\xfe not text").unwrap();
    assert!(says().ends_with("not text"));
    std::fs::write(host.path("mute"), "").unwrap();
    assert!(says().ends_with("code 137; its log cannot be read: no log of ***"), "{}", says());
}

#[test]
fn a_container_that_does_not_start_is_not_left() {
    let host = Host::new();
    std::fs::write(host.path("broken"), "").unwrap();
    let docker = host.open(Some("all"));
    let error = docker.deploy(&order(0)).unwrap_err();
    assert!(error.to_string().ends_with("run: could not select device driver for ***"), "{error}");
    assert!(!host.path("box/g404-3-leader-ab12-0").exists());
    std::fs::write(host.path("stuck"), "").unwrap();
    let error = docker.deploy(&order(0)).unwrap_err();
    assert!(error.to_string().contains("its container is still there"), "{error}");
    assert!(docker.release(&PodId("g404-3-leader-ab12-0".to_owned())).is_err());
}

#[test]
fn without_docker_it_is_said() {
    let settings = DockerSettings { program: "/nowhere/docker".to_owned(), ..DockerSettings::default() };
    let error = Docker::new(&settings, None).deploy(&order(0)).unwrap_err();
    assert!(error.hints()[0].contains("[pods.docker] program"), "{error:?}");
}
