//! Hostile models where the program itself fetches and draws them: `download`, `audit`, `verify --objects`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::glb::{Mesh, copies};
use super::harness::{Outcome, World, check};
use super::pattern::Pattern;
use crate::cdn::{Cdn, Serve, triangle_glb};
use crate::chain_support::{Fake, Reply};
use crate::round::{DEADLINE, IMPATIENT, hotkey, round, stage, stem, submitted};

/// A round whose miner serves these models, one a prompt, and the settings to fetch them.
fn served(models: &[Pattern]) -> (World, Cdn, String) {
    let files: Arc<Vec<Vec<u8>>> = Arc::new(models.iter().map(Pattern::bytes).collect());
    let count = files.len();
    let cdn = Cdn::start(move |path, _| {
        let number = (0..count).find(|n| path.ends_with(&format!("/{}.glb", stem(*n))));
        number.map_or(Serve::Status(404, String::new()), |n| Serve::File(files[n].clone()))
    });
    let world = World::bare();
    world.take(round(&[format!("{}/a", cdn.url())], count));
    std::fs::remove_file(world.repo().join("gen404.toml")).unwrap();
    let text = IMPATIENT.replace("file_mib = 8", "file_mib = 200\nmemory_mib = 256");
    let settings = world.settings(&text.replace("file_seconds = 6.0", "file_seconds = 20.0"));
    (world, cdn, settings)
}

const STORE: [&str; 4] = ["--store-dir", "../objects", "--cdn-url", "https://cdn.example"];

fn flags<'a>(command: &'a str, settings: &'a str) -> Vec<&'a str> {
    [&[command, "--config", settings], &STORE[..]].concat()
}

#[track_caller]
fn downloaded(what: &str, models: &[Pattern]) -> (World, Outcome) {
    let (world, cdn, settings) = served(models);
    let args = [&flags("download", &settings)[..], &["--block", DEADLINE, "-v"]].concat();
    let outcome = world.run(what, &args).ends(&[0]);
    check(stage(&world.repo()) == "duels", || format!("{what}: {}", outcome.said()));
    let asked = cdn.seen().len();
    world.run(&format!("{what}, again"), &args).ends(&[0, 3]);
    check(cdn.seen().len() == asked, || format!("{what}: fetched again"));
    (world, outcome)
}

#[test]
fn a_download_of_copies() {
    let good = Pattern::of(triangle_glb("good"));
    let models = vec![copies(500_000).glb(), good, copies(10_000).glass().glb()];
    let (world, _) = downloaded("download of 500,000 copies", &models);
    check(submitted(&world.repo(), 0)[stem(1)]["png"].is_string(), || "the good model has no preview".to_owned());
    check(submitted(&world.repo(), 0)[stem(0)]["glb"].is_string(), || "what was fetched is stored".to_owned());
}

#[test]
fn a_download_of_large_documents() {
    let zeros = |n: u64| copies(2).with(Pattern::of(",\"extras\":[").times("0,", n).then("0]")).glb();
    let models = vec![zeros(20_000_000), Pattern::of(triangle_glb("good")), zeros(20_000_001), zeros(20_000_002)];
    let (world, _) = downloaded("download of documents of 40 MB", &models);
    check(submitted(&world.repo(), 0)[stem(1)]["png"].is_string(), || "the good model has no preview".to_owned());
}

#[test]
fn a_download_of_pictures() {
    let model = |edge: u32| {
        let pictures = (0..5).map(|_| super::pictures::png(edge, edge, 6)).collect();
        Mesh::of(&super::glb::FULL, &super::glb::BOTH, 1).textured(pictures).glb()
    };
    downloaded("download of picture bombs", &[model(16_384), model(8_192), model(12_000)]);
}

#[test]
fn a_download_stops_where_it_is_asked_to() {
    let corners: Vec<[f32; 3]> = (0..60_000_u16)
        .flat_map(|n| {
            let at = f32::from(n % 250) / 250.0 - 0.5;
            [[at, -0.5, 0.3], [at + 0.2, -0.4, 0.2], [at, 0.5, 0.1]]
        })
        .collect();
    let models: Vec<Pattern> =
        (1..9).map(|n| Mesh::soup(&corners).over(n).glb()).chain([copies(400_000).glb()]).collect();
    let (world, cdn, settings) = served(&models);
    let args = [&flags("download", &settings)[..], &["--block", DEADLINE]].concat();
    let running = world.attack("a download that is asked to stop", &args).start();
    let begun = Instant::now();
    while cdn.seen().is_empty() && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(700));
    let stopped = Instant::now();
    running.signal("-TERM");
    let outcome = running.finish();
    outcome.stayed_within_bounds();
    let took = stopped.elapsed();
    check(took < Duration::from_secs(10), || format!("{took:?} after SIGTERM: {}", outcome.said()));
}

#[test]
fn objects_that_were_exchanged_are_drawn_within_bounds() {
    let (world, _) = downloaded("download of two triangles", &[copies(2).glb(), copies(4).glb()]);
    let settings = world.top().join("operator.toml").to_str().unwrap().to_owned();
    let store = world.top().join("objects/rounds/0").join(hotkey(0)).join("submitted");
    let zeros = copies(2).with(Pattern::of(",\"extras\":[").times("0,", 60_000_000).then("0]")).glb();
    for (what, glb) in [("copies", copies(2_000_000).glb()), ("a document of 120 MB", zeros)] {
        let file = store.join(format!("{}.glb", stem(0)));
        glb.write(&file);
        let sum = gen404::world::store::sha256_of(std::fs::File::open(&file).unwrap()).unwrap();
        let sums = world.repo().join(format!("rounds/0/{}/SHA256SUMS", hotkey(0)));
        let name = format!("submitted/{}.glb", stem(0));
        let old = std::fs::read_to_string(&sums).unwrap();
        let new: Vec<String> = old
            .lines()
            .map(|line| if line.ends_with(&name) { format!("{sum}  {name}") } else { line.to_owned() })
            .collect();
        std::fs::write(&sums, new.join("\n")).unwrap();
        let args = [&flags("verify", &settings)[..], &["--objects", "--allow-private-cdn", "--json"]].concat();
        let outcome = world.run(&format!("verify --objects of {what}"), &args).ends(&[0, 1]);
        let checks = outcome.json()["details"]["checks"].clone();
        let preview = checks.as_array().unwrap().iter().find(|check| check["id"] == "object.preview").cloned();
        check(preview.is_some_and(|check| check["status"] != "pass"), || format!("{what}: {}", outcome.said()));
    }
    // More than any object may have, though the sums were to say so.
    let file = store.join(format!("{}.glb", stem(1)));
    std::fs::File::options().write(true).open(&file).unwrap().set_len(40 << 30).unwrap();
    let args = [&flags("verify", &settings)[..], &["--objects", "--allow-private-cdn"]].concat();
    world.run("verify --objects of 40 GiB of holes", &args).ends(&[0, 1, 4]);
}

#[test]
fn an_audit_of_copies() {
    let services = crate::audit_support::services();
    let hostile = copies(500_000).glb().bytes();
    let pods = Fake::start(move |_, line, _| {
        if line.starts_with("GET") {
            Reply::Body(b"ok".to_vec())
        } else {
            Reply::Status(200, "x-generation-seconds: 9\r\n", hostile.clone())
        }
    });
    let world = World::bare();
    world.take(crate::audit_support::round(&services, &pods, 1, 4));
    let toml = std::fs::read_to_string(world.repo().join("gen404.toml")).unwrap();
    std::fs::remove_file(world.repo().join("gen404.toml")).unwrap();
    let settings = world.settings(&toml.replace("[rules]\nmismatches = 1\n", ""));
    std::fs::create_dir(world.top().join("objects")).unwrap();
    let made = world.repo().join(".gen404/objects");
    std::fs::rename(made.join("rounds"), world.top().join("objects/rounds")).unwrap();
    let outcome = world.run("audit of a program that answers copies", &flags("audit", &settings)).ends(&[0, 3]);
    let path = world.repo().join("rounds/0/generation_audits.json");
    let audits: Value = serde_json::from_slice(&std::fs::read(path).unwrap_or_default()).unwrap_or_default();
    check(audits[hotkey(0)]["outcome"].is_string(), || outcome.said());
}
