//! Nobody's server decides how long the program lives after it was asked to stop.

use std::time::{Duration, Instant};

use super::echoes::{Echo, at_duels, response};
use super::harness::{World, check};
use crate::cdn::{Cdn, Serve};
use crate::round::{DEADLINE, IMPATIENT, round};

/// Starts a run, waits until the server was asked, and asks the run to stop.
#[track_caller]
fn stops(world: &World, what: &str, args: &[&str], asked: &dyn Fn() -> usize) {
    let (begun, before) = (Instant::now(), asked());
    let running = world.attack(what, args).with_keys().within(30.0).start();
    while asked() <= before && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let reached = asked() > before;
    std::thread::sleep(Duration::from_millis(400));
    let told = Instant::now();
    running.signal("-TERM");
    let outcome = running.finish();
    let took = told.elapsed();
    check(reached, || format!("{what}: the server was not asked: {}", outcome.said()));
    check(took < Duration::from_secs(10), || format!("{what}: ended {took:?} after SIGTERM: {}", outcome.said()));
    check(!outcome.said().contains("panicked at"), || outcome.said());
}

#[test]
fn a_wait_that_a_server_asked_for() {
    let asked = vec![
        ("429 Slow", "57"),
        ("503 Later", "57"),
        ("503 Later", "Fri, 31 Dec 2999 23:59:59 GMT"),
        ("429 Slow", "99999999999999999999"),
    ];
    crate::support::side_by_side(asked, |(status, header)| {
        let lines = format!("Retry-After: {header}\r\n");
        let server = Echo::start(move |_| response(status, &lines, b"{}"));
        let world = at_duels();
        let url = server.url();
        let png = world.put("p.png", super::pictures::png(8, 8, 2).bytes());
        let png = png.to_str().unwrap();
        let glb = world.put("m.glb", crate::cdn::triangle_glb("x"));
        let settings = world.settings(&format!(
            "[builds]\ndriver = \"github\"\nrepo = \"a/b\"\napi_url = \"{url}\"\n\
             [distance]\ndriver = \"http\"\nurl = \"{url}\"\n[pods]\nprovider = \"targon\"\n[pods.targon]\nurl = \"{url}\"\n\
             [store]\nendpoint = \"{url}\"\ncdn_url = \"https://cdn.example\"\n"
        ));
        for args in [
            &["duel", "--judge-url", &format!("{url}/v1")][..],
            &["judge", png, png, png, "--judge-url", &format!("{url}/v1")],
            &["status", "--network", &url],
            &["distance", &format!("{url}/a.png"), &format!("{url}/b.png")],
            &["render", glb.to_str().unwrap(), "--out", "out.png", "--service", &url],
            &["verify", "--chain", "--network", &url],
        ] {
            let args = [args, &["--config", &settings]].concat();
            let what = format!("{} on {status}, Retry-After {header:.12}", args[0]);
            // Some need nothing of the server as things stand.
            if args[0] != "verify" {
                stops(&world, &what, &args, &|| server.count());
            }
        }
        open_world(&server, &format!("{status}, Retry-After {header:.12}"));
    });
}

/// Commands that ask in other stages.
fn open_world(server: &Echo, how: &str) {
    let world = World::example(false);
    let settings = world.settings("[chain]\nattempts = 5\n");
    for args in [&["open", "--network", &server.url()][..], &["status", "--network", &server.url()]] {
        stops(&world, &format!("{} on {how}", args[0]), &[args, &["--config", &settings]].concat(), &|| server.count());
    }
}

#[test]
fn a_download_that_is_told_to_wait() {
    let cdn = Cdn::start(|_, _| Serve::Status(503, "Retry-After: 57\r\n".to_owned()));
    let world = World::bare();
    world.take(round(&[format!("{}/a", cdn.url()), format!("{}/b", cdn.url())], 4));
    std::fs::remove_file(world.repo().join("gen404.toml")).unwrap();
    let settings = world.settings(&IMPATIENT.replace("patience_seconds = 20.0", "patience_seconds = 600.0"));
    let args = [
        "download",
        "--block",
        DEADLINE,
        "--store-dir",
        "../objects",
        "--cdn-url",
        "https://cdn.example",
        "--config",
        &settings,
    ];
    stops(&world, "download on 503, Retry-After 57", &args, &|| cdn.seen().len());
    let hang = Cdn::start(|_, _| Serve::Drip(vec![b'g'; 10 << 20], 4096, Duration::from_millis(50)));
    let world = World::bare();
    world.take(round(&[format!("{}/a", hang.url())], 4));
    std::fs::remove_file(world.repo().join("gen404.toml")).unwrap();
    let settings = world.settings(
        &IMPATIENT.replace("file_mib = 8", "file_mib = 80").replace("file_seconds = 6.0", "file_seconds = 300.0"),
    );
    let args = [
        "download",
        "--block",
        DEADLINE,
        "--store-dir",
        "../objects",
        "--cdn-url",
        "https://cdn.example",
        "--config",
        &settings,
    ];
    stops(&world, "download of a file that drips", &args, &|| hang.seen().len());
}

#[test]
fn a_wait_of_its_own() {
    let server = Echo::start(|_| response("500 Oops", "", b"{}"));
    let world = at_duels();
    let settings = world.settings("[judge]\nattempts = 50\n[chain]\nattempts = 50\n");
    let url = format!("{}/v1", server.url());
    stops(&world, "duel between two attempts", &["duel", "--judge-url", &url, "--config", &settings], &|| {
        server.count()
    });
    let args = ["open", "--network", &server.url(), "--config", &settings];
    let world = World::example(false);
    stops(&world, "open between two attempts", &args, &|| server.count());
    let chain = world.put("chain.json", "{\"current_block\": 1}");
    let world_two = world.settings(&format!("[chain]\nfile = \"{}\"\n", chain.display()));
    let always = std::cell::Cell::new(0);
    stops(&world, "advance --wait", &["advance", "--wait", "--config", &world_two], &|| {
        always.set(always.get() + 1);
        always.get()
    });
}
