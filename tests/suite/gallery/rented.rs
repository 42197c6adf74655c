//! Pods of providers that refuse, and of containers that end: said with what to do, without the keys, and none is left.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::harness::{Outcome, World, check};
use super::servers::hostile_bodies;
use crate::audit_support::{self, model, prompt_of, services};
use crate::chain_support::{Fake, Reply};
use crate::cloud::{Cloud, Fault, Kind};
use crate::support::{few, tree};

const KEY: &str = "hunter2-key";

/// A program that makes what it is asked for.
fn programs() -> Fake {
    Fake::start(|_, line, body| match line.starts_with("GET") {
        true => Reply::Body(Vec::new()),
        false => model("x-generation-seconds: 7.0\r\n", "bird", prompt_of(body)),
    })
}

/// An audit of one miner on these pods.
fn audited(what: &str, services: &Fake, programs: &Fake, pods: &str) -> (World, Outcome) {
    let world = World::bare();
    world.take(audit_support::round(services, programs, 1, 2));
    let toml = std::fs::read_to_string(world.repo().join("gen404.toml")).unwrap();
    std::fs::remove_file(world.repo().join("gen404.toml")).unwrap();
    let (before, _) = toml.split_once("[pods]").unwrap();
    let file = world.settings(&format!("{before}[pods]\npause_seconds = 0.01\nattempts = 2\n{pods}"));
    let url = services.url();
    let args = ["audit", "--config", &file, "--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example", "-v"];
    let attack = world.attack(what, &[&args[..], &["--render-service", &url]].concat());
    let outcome = attack.env("TARGON_API_KEY", KEY).env("HF_TOKEN", "hunter2-hf-token").within(30.0).run();
    check(!outcome.said().contains("hunter2") && outcome.said().len() < 20_000, || {
        format!("{what}: {:.4000}", outcome.said())
    });
    for (path, bytes) in tree(&world.repo().join(".gen404")) {
        let tells = audit_support::contains(&bytes, "hunter2");
        check(!tells, || format!("{what}: a key is in {}", path.display()));
    }
    (world, outcome)
}

/// What harms who reads it; keys of other servers are nothing that is known here.
fn harmful() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    hostile_bodies().into_iter().filter(|(what, _)| !what.starts_with("the key"))
}

fn targon(cloud: &Cloud, kind: &str) -> String {
    format!("provider = \"targon\"\n[pods.targon]\nurl = \"{}\"\nkind = \"{kind}\"\n", cloud.url)
}

#[test]
fn workloads_of_both_kinds() {
    let (services, programs) = (services(), programs());
    for (kind, sent) in [("serverless", "SERVERLESS"), ("rental", "RENTAL")] {
        let cloud = Cloud::start(Kind::Targon);
        cloud.shop.lock().unwrap().program = Some(programs.address);
        audited(&format!("audit on a {kind}"), &services, &programs, &targon(&cloud, kind))
            .1
            .ends(&[0])
            .says(&["passed"]);
        let made = cloud
            .shop
            .lock()
            .unwrap()
            .calls
            .iter()
            .find(|call| call.line.starts_with(cloud.create()))
            .cloned()
            .unwrap();
        assert_eq!((&made.body["type"], made.body["serverless_config"].is_null()), (&json!(sent), kind == "rental"));
        assert_eq!(cloud.pods(), 0, "{kind}");
    }
}

#[test]
fn a_workload_that_is_refused() {
    let (services, programs) = (services(), programs());
    let mut answers: Vec<(u16, Value)> = vec![
        (400, json!({"error": "workload type SERVERLESS is not supported"})),
        (403, json!({"error": "serverless is not enabled for this account"})),
        (404, json!({"error": "not found"})),
        (422, json!({"error": "invalid field", "reason": "serverless_config"})),
    ];
    for (_, body) in harmful() {
        let text = String::from_utf8_lossy(&body).into_owned();
        answers.push((400, json!({"error": text, "reason": format!("{KEY} {}", crate::echoes::mixed(KEY, 2))})));
    }
    for (kind, hinted) in [("serverless", true), ("rental", false)] {
        crate::support::side_by_side(few(3, &answers), |(status, body)| {
            let cloud = Cloud::start(Kind::Targon);
            for line in ["POST /tha/v2/workloads "; 6] {
                cloud.fault(line, Fault::Say(*status, body.clone()));
            }
            let shown: String = body.to_string().chars().take(60).collect();
            let what = format!("a {kind} that is refused by {status} {shown}");
            let (_, outcome) = audited(&what, &services, &programs, &targon(&cloud, kind));
            let outcome = outcome.ends(&[1, 3, 4]).says(&[&format!("status {status}")]);
            check(outcome.said().contains("kind = \"rental\"") == hinted, || format!("{what}: {}", outcome.said()));
            check(cloud.pods() == 0, || what.clone());
        });
    }
}

/// `docker` that keeps containers as files, all of which have ended.
const DOCKER: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$1 $*" >> "$here/calls"
case "$1" in
run) echo ended > "$here/box/$4"; echo 0123456789ab;;
inspect)
    if [ ! -e "$here/box/$4" ]; then echo '[]'; exit 1; fi
    echo '[{"Id":"x","State":{"Status":"exited","ExitCode":137},"NetworkSettings":{"Ports":{}}}]';;
rm) rm -f "$here/box/$4";;
logs) cat "$here/log"; cat "$here/log" >&2;;
ps) ls "$here/box";;
esac
"#;

fn docker(folder: &Path, log: &[u8]) -> String {
    std::fs::create_dir_all(folder.join("box")).unwrap();
    std::fs::write(folder.join("log"), log).unwrap();
    std::fs::write(folder.join("script"), DOCKER).unwrap();
    // Another process writes it: a file that this one has open cannot be run by its children.
    let copied =
        std::process::Command::new("cp").args([folder.join("script"), folder.join("docker")]).status().unwrap();
    assert!(copied.success());
    std::fs::set_permissions(folder.join("docker"), std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("provider = \"docker\"\n[pods.docker]\nprogram = \"{}\"\n", folder.join("docker").display())
}

#[test]
fn containers_that_end_say_why_before_they_go() {
    let (services, programs) = (services(), programs());
    let mut logs = vec![("an error", b"loading\nCUDA out of memory\n".to_vec(), "CUDA out of memory")];
    logs.extend(few(3, harmful()).into_iter().map(|(what, body)| (what, body, "")));
    let token = "hunter2-hf-token";
    logs.push((
        "the token",
        format!("HF_TOKEN={token}\nHF_TOKEN={}\nover\n", crate::echoes::mixed(token, 1)).into_bytes(),
        "HF_TOKEN=*** | HF_TOKEN=*** | over",
    ));
    logs.push(("a bar of progress", b"10%\r20%\r99%\rkilled".to_vec(), "99% | killed"));
    logs.push(("70 MB in a line", vec![b'x'; 70 << 20], "xxx"));
    for (what, log, said) in logs {
        let folder = tempfile::tempdir().unwrap();
        let settings = docker(folder.path(), &log);
        let what = format!("a container that ended with {what}");
        let (_, outcome) = audited(&what, &services, &programs, &settings);
        let outcome = outcome.says(&["exited with code 137"]);
        check(outcome.said().contains(said), || format!("{what}: {}", outcome.said()));
        let calls = std::fs::read_to_string(folder.path().join("calls")).unwrap();
        let at = |verb: &str| calls.lines().position(|line| line.starts_with(verb));
        check(at("logs ").is_some() && at("logs ") < at("rm "), || format!("{what}: {calls}"));
        check(std::fs::read_dir(folder.path().join("box")).unwrap().count() == 0, || format!("{what}: it is left"));
    }
}
