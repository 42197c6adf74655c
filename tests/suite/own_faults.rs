//! What fails on the operator's own side is held against no miner: the run ends with 4, the audit stays open, and
//! nothing is recorded.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::audit_support::{contains, model, patient, prepared, prompt_of, read, round, run, run_as, services};
use crate::chain_support::{Fake, Reply};
use crate::round::hotkey;
use crate::support::{edit, gen404};

/// An address where no server is.
fn nowhere() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}")
}

/// Nothing says anything about the miner.
#[track_caller]
fn nothing_is_recorded(folder: &Path) {
    assert!(!folder.join("rounds/0/generation_audits.json").exists());
    for file in ["pod_stats.json", "generated.json"] {
        assert!(!folder.join(format!("rounds/0/{}/{file}", hotkey(0))).exists(), "{file}");
    }
    crate::audit_support::no_pod_is_noted(folder);
}

#[track_caller]
fn passes(folder: &Path, services: &Fake) {
    run(folder, services, &["audit"]).ends(0);
    assert_eq!(read(folder, "rounds/0/generation_audits.json")[hotkey(0)]["outcome"], "passed");
}

#[test]
fn an_endpoint_that_never_answers_is_not_the_miners_failure() {
    let (services, pods) = (services(), patient());
    let dropping = Fake::start(|_, _, _| Reply::Drop);
    for dead in [nowhere(), dropping.url(), "http://no-such-host.invalid".to_owned()] {
        let folder = round(&services, &pods, 1, 2);
        let folder = folder.path();
        edit(folder, "gen404.toml", |text| text.replace(&pods.url(), &dead));
        for _ in 0..2 {
            let open = run(folder, &services, &["audit"]).ends(4);
            assert!(open.err.contains("the audit of ") && open.err.contains("not ready after"), "{dead}: {open:?}");
            assert!(open.err.contains("waiting for its program"), "{dead}: {open:?}");
            assert!(
                open.err.contains("start the program there, and run this again: [pods.endpoint] url"),
                "{dead}: {open:?}"
            );
            nothing_is_recorded(folder);
        }
        let failing = gen404(folder, &["status"]).ends(0).out;
        assert!(failing.contains("failing: provider unreachable since "), "{dead}: {failing}");
        edit(folder, "gen404.toml", |text| text.replace(&dead, &pods.url()));
        passes(folder, &services);
    }
}

#[test]
fn an_endpoint_that_goes_for_good_keeps_what_was_made_and_no_verdict() {
    let services = services();
    let pods = Fake::start(|_, line, body| match line.starts_with("GET") {
        true => Reply::Body(Vec::new()),
        false => model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body)),
    });
    // Answers for a while, and is then gone.
    let dying = Fake::start(|number, line, body| match line.starts_with("GET") {
        true if number < 2 => Reply::Body(Vec::new()),
        false if number < 3 => model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body)),
        _ => Reply::Drop,
    });
    let folder = round(&services, &pods, 1, 4);
    let folder = folder.path();
    edit(folder, "gen404.toml", |text| text.replace(&pods.url(), &dying.url()));
    run(folder, &services, &["audit"]).ends(4);
    assert!(!folder.join("rounds/0/generation_audits.json").exists(), "its replacements were never there");
    edit(folder, "gen404.toml", |text| text.replace(&dying.url(), &pods.url()));
    passes(folder, &services);
}

#[test]
fn a_store_a_renderer_or_a_distance_service_that_is_down_is_no_mismatch() {
    let services = services();
    let pods = Fake::start(|_, line, body| match line.starts_with("GET") {
        true => Reply::Body(Vec::new()),
        false => model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body)),
    });
    let renderer = nowhere();
    for part in ["store", "distance", "render"] {
        let folder = round(&services, &pods, 1, 2);
        let folder = folder.path();
        let whole = std::fs::read_to_string(folder.join("gen404.toml")).unwrap();
        let mut audit = prepared(folder, &services, &["audit"]);
        match part {
            "distance" => edit(folder, "gen404.toml", |text| {
                let http = format!("driver = \"http\"\nurl = \"{}\"\nattempts = 1\n", nowhere());
                text.replace("driver = \"pixels\"\n", &http)
            }),
            "render" => {
                audit = crate::support::command(folder);
                audit.args(["audit", "--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example"]);
                audit.args(["--render-service", &renderer]);
            }
            _ => {
                audit = crate::support::command(folder);
                audit.args(["audit", "--render-service", &services.url()]);
                audit.env("R2_ACCESS_KEY_ID", "id").env("R2_SECRET_ACCESS_KEY", "key");
                let store = format!(
                    "[store]\nendpoint = \"{}\"\nbucket = \"b\"\ncdn_url = \"https://cdn.example\"\n",
                    nowhere()
                );
                edit(folder, "gen404.toml", |text| format!("{text}{store}attempts = 1\n"));
            }
        }
        let open = run_as(&mut audit).ends(4);
        assert!(!folder.join("rounds/0/generation_audits.json").exists(), "{part}: {open:?}");
        std::fs::write(folder.join("gen404.toml"), whole).unwrap();
        passes(folder, &services);
    }
}

/// `docker`, whose daemon is down from a number of calls on; containers have a program at a port of their own.
const DOCKER: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$1" >> "$here/calls"
if [ "$(wc -l < "$here/calls")" -gt "$(cat "$here/lives")" ]; then
    echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?" >&2; exit 1
fi
case "$1" in
ps) ls "$here/box";;
run) touch "$here/box/$4";;
rm) rm -f "$here/box/$4";;
inspect) echo "[{\"State\":{\"Status\":\"running\"},\"NetworkSettings\":{\"Ports\":{\"10006/tcp\":[{\"HostPort\":\"$(cat "$here/port")\"}]}}}]";;
esac
"#;

#[test]
fn a_docker_daemon_that_is_down_is_not_the_miners_failure_and_a_silent_container_is() {
    let (services, pods) = (services(), patient());
    let folder = round(&services, &pods, 1, 1);
    let folder = folder.path();
    let host = tempfile::tempdir().unwrap();
    let at = |name: &str| host.path().join(name);
    std::fs::create_dir(at("box")).unwrap();
    std::fs::write(at("script"), DOCKER).unwrap();
    // Another process writes it: a file that this one has open cannot be run by its children.
    assert!(Command::new("cp").args([at("script"), at("docker")]).status().unwrap().success());
    std::fs::set_permissions(at("docker"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(at("port"), nowhere().rsplit(':').next().unwrap()).unwrap();
    edit(folder, "gen404.toml", |text| {
        let docker = format!("provider = \"docker\"\n[pods.docker]\nprogram = {:?}\n", at("docker"));
        let (before, _) = text.split_once("provider = ").unwrap();
        format!("{before}{docker}")
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let audit = || run_as(prepared(folder, &services, &["audit"]).env("PATH", &path));
    let dies_after = |calls: usize| {
        std::fs::write(at("lives"), calls.to_string()).unwrap();
        std::fs::write(at("calls"), "").unwrap();
        let boxes = std::fs::read_dir(at("box")).unwrap().flatten();
        boxes.for_each(|left| std::fs::remove_file(left.path()).unwrap());
    };
    // From the start; before the order; while the container starts; while its program is waited for.
    for calls in [0, 1, 2, 3, 4, 8] {
        dies_after(calls);
        let down = audit().ends(4);
        let said = format!("{}{}", down.out, down.err);
        assert!(said.contains("Cannot connect to the Docker daemon"), "{calls}: {said}");
        assert!(!folder.join("rounds/0/generation_audits.json").exists(), "{calls}");
        assert!(!folder.join(format!("rounds/0/{}/pod_stats.json", hotkey(0))).exists(), "{calls}");
    }
    // The image was run, and its program does not listen.
    dies_after(100_000);
    audit().ends(0);
    let audits = read(folder, "rounds/0/generation_audits.json");
    assert_eq!(audits[hotkey(0)]["reason"], json!("Failed to deploy a docker image"));
    assert!(contains(&std::fs::read(at("calls")).unwrap(), "inspect"));
}
