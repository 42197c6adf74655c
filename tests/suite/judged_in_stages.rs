//! A judge of three.js modules is asked in stages by `verify --judge`, `judge` and `doctor`.

use std::path::Path;

use serde_json::{Value, json};

use crate::chain_support::{Fake, Reply};
use crate::formats::make_threejs;
use crate::support::{Run, gen404};

/// A pale picture.
fn pale() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[200; 8 * 8 * 3]).unwrap();
    bytes
}

/// What the judge says: the left modules are better where the prompt's number is even, and as good as the others where
/// it is odd.
fn said(request: &Value) -> Value {
    let label = request["response_format"]["json_schema"]["name"].as_str().unwrap();
    let parts = request["messages"][1]["content"].as_array().unwrap();
    let images: Vec<&str> = parts.iter().filter_map(|part| part["image_url"]["url"].as_str()).collect();
    let number = |url: &str| url.bytes().filter(u8::is_ascii_digit).map(usize::from).sum::<usize>();
    let clear = images.first().is_some_and(|prompt| number(prompt).is_multiple_of(2));
    // Of what was submitted the leader's is better, so that the order does not matter.
    let penalty = |url: &str| if clear && url.contains("/leader/") { 1 } else { 7 };
    match label.trim_end_matches("-response") {
        "s2cl_decompose" => {
            let features = ["lid", "handle", "spout", "foot"].map(|of| json!({"description": of, "category": "shape"}));
            json!({"main_object": "pot", "features": features})
        }
        "s2cl_verify" => {
            let asked = &request["response_format"]["json_schema"]["schema"]["properties"]["checks"]["items"];
            let names = asked["properties"]["feature"]["enum"].as_array().unwrap();
            let checks: Vec<Value> =
                names.iter().map(|name| json!({"feature": name, "match": "yes", "note": ""})).collect();
            json!({"checks": checks, "main_object_correct": true})
        }
        "s4_per_angle" => json!({"verdict": "ok", "reason": ""}),
        "explain" => json!({"issues": "both are fair"}),
        _ => {
            json!({"penalty_1": penalty(images.get(1).unwrap_or(&"")), "penalty_2": penalty(images.get(2).unwrap_or(&"")),
            "issues": ""})
        }
    }
}

/// A judge, with the pictures beside it.
fn judge() -> Fake {
    Fake::start(|_, line, body| {
        if line.contains("/v1/models") {
            return Reply::Body(json!({"data": [{"id": "m"}]}).to_string().into_bytes());
        }
        if line.contains("embeddings.npz") {
            return Reply::Body(include_bytes!("../fixtures/embeddings.npz").to_vec());
        }
        if line.contains(".png") {
            return Reply::Body(pale());
        }
        let request: Value = serde_json::from_slice(body).unwrap();
        let message = json!({"role": "assistant", "content": said(&request).to_string()});
        let usage = json!({"prompt_tokens": 900, "completion_tokens": 60});
        let answer = json!({"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage});
        Reply::Body(answer.to_string().into_bytes())
    })
}

fn calls(judge: &Fake) -> usize {
    judge.seen.lock().unwrap().iter().filter(|(line, _)| line.contains("chat/completions")).count()
}

/// A competition whose pictures the judge has beside it.
fn competition(judge: &Fake) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in make_threejs::files() {
        let text = String::from_utf8(bytes).unwrap();
        let text = text.replace("https://store.example", &judge.url()).replace("https://prompts.example", &judge.url());
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

fn again(folder: &Path, judge: &Fake, flags: &[&str]) -> Run {
    let url = format!("{}/v1", judge.url());
    let own = ["verify", "--json", "--allow-private-cdn", "--model", "m", "--judge-url", &url];
    gen404(folder, &[&own[..], flags].concat())
}

#[test]
fn recorded_duels_are_judged_again_call_after_call() {
    let judge = judge();
    let folder = competition(&judge);
    let result = |run: &Run| run.details()["judged_again"].clone();
    let run = again(folder.path(), &judge, &["--judge", "8", "--seed", "3"]);
    let found = result(&run);
    assert_eq!((&found["asked"], &found["failed"], &found["drawn"]), (&json!(8), &json!(0), &json!(8)), "{}", run.err);
    assert!(found["largest_difference"].is_null(), "there are no recorded answers to compare with");
    let made = calls(&judge);
    assert!((8 * 9..=8 * 26).contains(&made), "{made}");
    assert!(found["questions"][0]["from"] == "the built-in question", "{found:#}");
    // An answered call is never made again, and the estimate knows as much of them as it can without the pictures.
    let run = again(folder.path(), &judge, &["--judge", "8", "--seed", "3"]);
    assert_eq!((result(&run)["duels"].clone(), calls(&judge)), (found["duels"].clone(), made));
    let kept = result(&run)["estimate"]["kept"].as_u64().unwrap();
    assert!(kept >= 8 * 9 && kept <= made as u64, "{kept} of {made}");
    let dry = again(folder.path(), &judge, &["--judge", "8", "--seed", "4", "--dry-run"]).ends(0);
    assert!(calls(&judge) == made && dry.json()["did"].to_string().contains("would ask"), "{}", dry.out);
    // Nothing is fetched from hosts that are not public, unless that is allowed.
    let url = format!("{}/v1", judge.url());
    let closed = gen404(folder.path(), &["verify", "--json", "--judge", "3", "--judge-url", &url]);
    assert_eq!((&result(&closed)["failed"], calls(&judge)), (&json!(3), made));
}

#[test]
fn one_duel_is_played_stage_by_stage() {
    let judge = judge();
    let folder = competition(&judge);
    let at = |path: &str| format!("{}/{path}", judge.url());
    let url = at("v1");
    let (left, right) = (at("rounds/0/leader/generated_1/a"), at("rounds/0/x/submitted/a"));
    let play = |prompt: &str| {
        let args = ["judge", "--json", &at(prompt), &left, &right, "--judge-url", &url, "--model", "m"];
        gen404(folder.path(), &args).ends(0).details()
    };
    // The digits of the host's port count, too.
    let both = [play("pot/0.png"), play("pot/1.png")];
    let counts = both.clone().map(|detail| detail["calls"].as_object().unwrap().len());
    assert!(counts.contains(&9) && counts.iter().any(|count| *count >= 24), "{counts:?}");
    let clear = both.iter().find(|detail| detail["calls"].as_object().unwrap().len() == 9).unwrap();
    assert_eq!((&clear["winner"], &clear["detail"]["decided_by"]), (&json!("left"), &json!("S1")));
    let dry = gen404(folder.path(), &["judge", "--dry-run", &at("p.png"), &left, &right, "--judge-url", &url]).ends(0);
    assert!(dry.out.contains("9, 24 or 26 times"), "{}", dry.out);
}

#[test]
fn doctor_asks_the_first_stages_question() {
    let judge = judge();
    let folder = competition(&judge);
    let settings = format!("[judge]\nbase_url = \"{}/v1\"\nmodel = \"m\"\n", judge.url());
    std::fs::write(folder.path().join("gen404.toml"), settings).unwrap();
    let run = gen404(folder.path(), &["doctor", "--json", "--stage", "duel"]);
    let checks = run.details()["checks"].clone();
    let check = |name: &str| checks.as_array().unwrap().iter().find(|check| check["name"] == name).cloned().unwrap();
    assert_eq!((&check("judge.models")["status"], &check("judge.question")["status"]), (&json!("ok"), &json!("ok")));
    let told = check("judge.question").to_string();
    assert!(
        told.contains("the first stage's question about pictures of 64 x 64: penalties 7 and 7; 960 tokens"),
        "{told}"
    );
}
