//! Competitions of three.js modules through the binary: begun, opened, their modules fetched, drawn and stored, closed.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gen404::base::error::Kind;
use gen404::world::embeddings::npz;
use gen404::world::http::{Retry, Secret};
use gen404::world::stop::Stop;
use gen404::world::views::http::ViewService;
use gen404::world::views::{ViewError, ViewRenderer};
use serde_json::{Value, json};

use crate::cdn::{Cdn, Serve};
use crate::chain_support::{Fake, Reply};
use crate::formats::make_threejs;
use crate::support::{findings, gen404, skipped};

/// A small picture in 8-bit RGB, other for each of these numbers.
fn png(shade: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 16, 16);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[shade; 16 * 16 * 3]).unwrap();
    writer.finish().unwrap();
    out
}

/// What the render service answers: views that are told apart by their number.
fn drawn(line: &str) -> Vec<u8> {
    if line.starts_with("POST /render/grid ") {
        return png(200);
    }
    let thetas = line.split("thetas=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default();
    let count = thetas.split(',').count();
    let images: Vec<String> = (0..count).map(|view| STANDARD.encode(png(u8::try_from(view).unwrap()))).collect();
    json!({"images": images, "count": count, "img_size": 16}).to_string().into_bytes()
}

fn service(fake: &Fake, key: Option<&str>) -> ViewService {
    let (first_pause, longest_pause) = (Duration::from_millis(5), Duration::from_millis(20));
    let retry = Retry { attempts: 3, first_pause, longest_pause };
    ViewService::new(&fake.url(), key.map(Secret::new), Duration::from_secs(5), retry).unwrap()
}

#[test]
fn a_module_has_all_its_views_by_three_requests() {
    let fake = Fake::start(|_, line, _| Reply::Body(drawn(line)));
    let views = service(&fake, Some("hunter2")).render("export default 1", &Stop::default()).unwrap();
    assert_eq!((views.white[3].clone(), views.gray[3].clone(), views.grid.clone()), (png(3), png(3), png(200)));
    assert_ne!(views.white[0], views.white[1]);
    let mut asked: Vec<String> =
        fake.seen.lock().unwrap().iter().map(|(line, _)| line.split(' ').nth(1).unwrap().to_owned()).collect();
    asked.sort();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked[0].starts_with("/render/grid") && asked[1].contains("bg_color=808080"), "{asked:?}");
}

#[test]
fn a_refusal_is_the_modules_and_a_failure_the_services() {
    let refused = json!({"error": "validation_failed",
        "failures": [{"stage": "static_analysis", "rule": "FORBIDDEN_IDENTIFIER", "detail": "fetch"}]});
    let fake = Fake::start(move |_, _, _| Reply::Status(422, "", refused.to_string().into_bytes()));
    match service(&fake, None).render("x", &Stop::default()) {
        Err(ViewError::Refused(why)) => assert_eq!(why, "static_analysis: FORBIDDEN_IDENTIFIER: fetch"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.count(), 3, "a refusal is final");
    let down = Fake::start(|_, _, _| Reply::Status(503, "", b"busy".to_vec()));
    match service(&down, None).render("x", &Stop::default()) {
        Err(ViewError::Failed(error)) => assert_eq!(error.kind(), Kind::Outside),
        other => panic!("{other:?}"),
    }
    assert_eq!(down.count(), 9, "each request three times");
    // It draws a box, and this module never: the module is to blame.
    let fails = Fake::start(|_, line, body| match String::from_utf8_lossy(body).contains("BoxGeometry") {
        true => Reply::Body(drawn(line)),
        false => Reply::Status(500, "", br#"{"error": "Render timed out"}"#.to_vec()),
    });
    match service(&fails, None).render("x", &Stop::default()) {
        Err(ViewError::Refused(why)) => assert!(why.contains("Render timed out"), "{why}"),
        other => panic!("{other:?}"),
    }
    // It does not even draw a box: nothing is known of the module.
    let broken = Fake::start(|_, _, _| Reply::Status(500, "", br#"{"error": "no GPU"}"#.to_vec()));
    assert!(matches!(service(&broken, None).render("x", &Stop::default()), Err(ViewError::Failed(_))));
}

/// A competition of modules in its stage downloading, with what its miners serve.
fn downloading(folder: &Path, cdn: &str, prompts: &str, renderer: &str) {
    let key = make_threejs::hotkey;
    let put = |path: &str, value: &Value| {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, format!("{value:#}")).unwrap();
    };
    put(
        "config.json",
        &json!({"name": "t", "description": "", "first_evaluation_date": "2026-04-29", "last_competition_date": "2027-04-29",
            "generation_stage_minutes": 240, "win_margin": 0.07, "weight_decay": 0.1, "weight_floor": 0.2,
            "prompts_per_round": 2, "carryover_prompts": 0, "format": "threejs", "rules": {"allow_private_cdn": true}}),
    );
    put("state.json", &json!({"current_round": 0, "stage": "downloading", "next_stage_eta": null}));
    let commit = "0a".repeat(20);
    put(
        "leader.json",
        &json!([{"hotkey": key(9), "repo": "base/zero", "commit": commit, "docker": "x/y:z", "hardware": ["4xH200"],
            "weight": 1.0, "effective_block": 0}]),
    );
    put(
        "rounds/0/schedule.json",
        &json!({"earliest_reveal_block": 1, "latest_reveal_block": 100, "generation_deadline_block": 1300}),
    );
    put("rounds/0/seed.json", &json!({"seed": 7}));
    std::fs::write(folder.join("rounds/0/seed.json"), "{\"seed\": 7}").unwrap();
    std::fs::write(folder.join("rounds/0/prompts.txt"), format!("{prompts}/a.png\n{prompts}/b.png")).unwrap();
    let submission = |miner: u8| {
        json!({"repo": "miner/program", "commit": commit, "cdn_url": format!("{cdn}/{miner}"),
            "revealed_at_block": u64::from(miner) + 50, "round": "t-0", "hardware": ["4xH200"]})
    };
    put("rounds/0/submissions.json", &json!({key(1): submission(1), key(2): submission(2)}));
    let settings = format!(
        "[miners]\nallow_private_cdn = true\n[store]\ndir = \"objects\"\ncdn_url = \"https://s.example.org\"\n\
         [views]\nurl = \"{renderer}\"\nattempts = 1\n[embeddings]\ndriver = \"pixels\"\n[download]\nattempts = 1\n"
    );
    std::fs::write(folder.join("s.toml"), settings).unwrap();
}

#[test]
fn modules_are_fetched_drawn_and_stored_and_a_renderer_that_is_down_costs_nobody_anything() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let pictures = Cdn::start(|_, _| Serve::File(png(90)));
    let cdn = Cdn::start(|path, _| match path {
        "/1/a.js" => Serve::File(b"export default () => 1".to_vec()),
        "/1/b.js" => Serve::File(b"export default () => fetch(1)".to_vec()),
        "/2/a.js" => Serve::Long(2 << 20, true),
        _ => Serve::Status(404, String::new()),
    });
    let up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_up = up.clone();
    let renderer = Fake::start(move |_, line, _| match is_up.load(std::sync::atomic::Ordering::SeqCst) {
        true => Reply::Body(drawn(line)),
        false => Reply::Status(503, "", b"not yet".to_vec()),
    });
    downloading(root, &cdn.url(), &pictures.url(), &renderer.url());
    let run = gen404(root, &["--config", "s.toml", "download"]).ends(4);
    assert!(run.err.contains("503"), "{}", run.err);
    assert!(!root.join(format!("rounds/0/{}/submitted.json", make_threejs::hotkey(1))).exists());
    up.store(true, std::sync::atomic::Ordering::SeqCst);
    gen404(root, &["--config", "s.toml", "download"]).ends(0);
    let read = |miner: u8, name: &str| {
        let path = root.join(format!("rounds/0/{}/{name}", make_threejs::hotkey(miner)));
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let submitted: Value = serde_json::from_slice(&read(1, "submitted.json")).unwrap();
    let base = format!("https://s.example.org/rounds/0/{}/submitted", make_threejs::hotkey(1));
    let size = "export default () => 1".len();
    assert_eq!(
        submitted["a"],
        json!({"js": format!("{base}/a.js"), "views": format!("{base}/a"), "failure_reason": null, "size": size})
    );
    let size = "export default () => fetch(1)".len();
    assert_eq!(
        submitted["b"],
        json!({"js": format!("{base}/b.js"), "views": null, "failure_reason": "render_failed", "size": size})
    );
    let refusals: Value = serde_json::from_slice(&read(1, "refusals.json")).unwrap();
    let reason = "FORBIDDEN_IDENTIFIER: fetch at line 1, column 22";
    assert_eq!(refusals, json!({"b": {"code": "module.rule", "reason": reason}}));
    let objects = root.join(format!("objects/rounds/0/{}/submitted/a", make_threejs::hotkey(1)));
    let mut files: Vec<_> = walk(&objects);
    files.sort();
    assert_eq!(files.len(), 14, "{files:?}");
    let npz = npz::read(&std::fs::read(objects.join("embeddings.npz")).unwrap()).unwrap();
    let names: Vec<&str> = npz.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[1], npz[0].1.len()), (9, "prompt", "view_front_left", 384));
    assert_eq!(String::from_utf8(read(1, "SHA256SUMS")).unwrap().lines().count(), 15 + 1);
    let other: Value = serde_json::from_slice(&read(2, "submitted.json")).unwrap();
    assert_eq!(other["a"]["failure_reason"], "js_too_large");
    assert_eq!(
        other["b"],
        json!({"js": null, "views": null, "failure_reason": "js_fetch_failed: HTTP 404", "size": 0})
    );
    let state: Value = serde_json::from_slice(&std::fs::read(root.join("state.json")).unwrap()).unwrap();
    assert_eq!(state["stage"], "duels");
    // Once more: nothing is fetched, and nothing changes.
    let before = cdn.seen().len();
    gen404(root, &["--config", "s.toml", "download"]).ends(0);
    assert_eq!(cdn.seen().len(), before);
    let run = gen404(root, &["--config", "s.toml", "status", "--block", "1400"]).ends(0);
    assert!(run.out.contains("waits: gen404 duel (for the leader's modules)"), "{}", run.out);
    let failed: Vec<_> = findings(root, &[]).into_iter().filter(|found| found.status == "fail").collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// numpy reads what is written, where there is a numpy.
#[test]
fn numpy_reads_embeddings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("e.npz");
    let arrays: Vec<_> = (0..9u8).map(|n| (format!("view_{n}"), vec![f32::from(n) / 3.0; 384])).collect();
    std::fs::write(&path, npz::write(&arrays).unwrap()).unwrap();
    let script = "import sys, numpy as n\nz = n.load(sys.argv[1])\nprint(z.files, z['view_8'].dtype, z['view_8'].shape, \
                  float(z['view_8'][0]))";
    match std::process::Command::new("python3").args(["-c", script]).arg(&path).output() {
        Ok(ran) if ran.status.success() => {
            let said = String::from_utf8(ran.stdout).unwrap();
            assert!(said.contains("'view_0', 'view_1'") && said.contains("float32 (384,) 2.66"), "{said}");
        }
        _ => skipped("numpy"),
    }
}

fn walk(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let names = entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] });
    names.collect()
}

#[test]
fn a_round_that_nobody_plays_is_the_leaders_and_its_hardware_stays() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("c");
    let pool = folder.path().join("pool.txt");
    std::fs::write(&pool, "https://p.example.org/a.png\nhttps://p.example.org/b.png").unwrap();
    let key = make_threejs::hotkey(9);
    let commit = "0a".repeat(20);
    let init =
        ["init", "c", "--format", "threejs", "--no-git", "--name", "t", "--first-day", "2026-05-01", "--last-day"];
    let more = ["2026-06-01", "--prompts", "2", "--carryover", "1", "--leader-hotkey", &key, "--leader-repo", "a/b"];
    let rest = ["--leader-commit", &commit, "--leader-docker", "x.org/y:z", "--leader-weight", "0.5", "--pool"];
    let at = ["--block", "1000", "--now", "2026-05-01T06:00:00Z"];
    let pool_name = pool.display().to_string();
    gen404(folder.path(), &[&init[..], &more, &rest, &[&pool_name], &at].concat()).ends(0);
    let read = |path: &str| -> Value { serde_json::from_slice(&std::fs::read(root.join(path)).unwrap()).unwrap() };
    assert_eq!(
        (&read("config.json")["format"], &read("leader.json")[0]["hardware"]),
        (&json!("threejs"), &json!(["4xH200"]))
    );
    let latest = read("rounds/0/schedule.json")["latest_reveal_block"].as_u64().unwrap();
    let chain = json!({"current_block": latest + 30, "finalized_block": latest + 25,
        "block_times": {latest.to_string(): 1_777_622_400}, "block_hashes": {latest.to_string(): format!("0x{}", "ab".repeat(32))}});
    std::fs::write(folder.path().join("chain.json"), chain.to_string()).unwrap();
    let chain = folder.path().join("chain.json").display().to_string();
    gen404(&root, &["reveal-seed", "--chain-file", &chain]).ends(0);
    assert_eq!(read("state.json")["stage"], "finalizing");
    assert_eq!(read("rounds/0/winner.json")["winner_hotkey"], "leader");
    let at = (latest + 40).to_string();
    gen404(&root, &["finalize", "--block", &at, "--now", "2026-05-01T09:00:00Z"]).ends(0);
    assert_eq!(
        (&read("leader.json")[1]["weight"], &read("leader.json")[1]["hardware"]),
        (&json!(0.3), &json!(["4xH200"]))
    );
    assert_eq!((&read("state.json")["stage"], &read("state.json")["current_round"]), (&json!("open"), &json!(1)));
    gen404(&root, &["pause", "--reason", "a rest"]).ends(0);
    gen404(&root, &["resume"]).ends(0);
    assert_eq!(read("state.json")["stage"], "open");
    assert_eq!(gen404(&root, &["verify", "--json"]).json()["details"]["summary"]["fail"], 0);
}
