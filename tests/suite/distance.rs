//! `gen404 distance`, and the distance service's contract against a server on a real socket.

use std::path::Path;
use std::time::Duration;

use gen404::world::distance::http::DistanceService;
use gen404::world::distance::{Distance as _, NotMeasured, Picture};
use gen404::world::http::Retry;
use serde_json::Value;

use crate::chain_support::{Fake, Reply};
use crate::snapshots::Transcript;
use crate::support::{command, gen404};

/// A picture of 64 x 64 with a square of this colour, `at` pixels from the left.
fn picture(folder: &Path, name: &str, colour: [u8; 3], at: usize) -> Vec<u8> {
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, 64, 64);
    encoder.set_color(png::ColorType::Rgb);
    let inside = |x: usize, y: usize| (at..at + 24).contains(&x) && (20..44).contains(&y);
    let all = (0..64).flat_map(|y| (0..64).map(move |x| (x, y)));
    let data: Vec<u8> = all.flat_map(|(x, y)| if inside(x, y) { colour } else { [255; 3] }).collect();
    encoder.write_header().unwrap().write_image_data(&data).unwrap();
    std::fs::write(folder.join(name), &png).unwrap();
    png
}

#[test]
fn plain_pixels_are_compared_where_asked_for_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let a = picture(here, "a.png", [200, 40, 40], 4);
    picture(here, "b.png", [200, 40, 40], 36);
    let fake = Fake::start(move |_, _, _| Reply::Body(a.clone()));
    let run = gen404(here, &["distance", "a.png", "b.png", "--distance", "pixels"]).ends(0);
    assert!(run.out.trim().parse::<f64>().unwrap() > 0.5 && run.err.contains("plain pixels"), "{run:?}");
    let url = format!("{}/a.png", fake.url());
    let same = gen404(here, &["distance", "a.png", &url, "--distance", "pixels", "-q"]).ends(0);
    assert_eq!((same.out.as_str(), same.err.as_str()), ("0\n", ""));
    let json = gen404(here, &["--json", "distance", "a.png", "b.png", "--distance", "pixels"]).ends(0).json();
    assert_eq!(json["details"]["driver"], "pixels");
    let none = gen404(here, &["distance", "a.png", "b.png"]).ends(2);
    assert!(none.out.is_empty() && none.err.contains("--distance dinov3, http or pixels"), "{none:?}");
    std::fs::write(here.join("b.png"), b"<html>").unwrap();
    let broken = gen404(here, &["distance", "a.png", "b.png", "--distance", "pixels"]).ends(1);
    assert!(broken.err.contains("b.png: not a readable PNG"), "{}", broken.err);
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let answering = |distance: &'static str| {
        Fake::start(move |_, _, _| Reply::Body(format!("{{\"distance\": {distance}}}").into_bytes()))
    };
    let (by_file, by_env, by_flag) = (answering("0.125"), answering("0.25"), answering("0.5"));
    std::fs::write(folder.path().join("gen404.toml"), format!("[distance]\nurl = '{}'\n", by_file.url())).unwrap();
    let run = |env: Option<&str>, flags: &[&str]| {
        let mut command = command(folder.path());
        command.args(["distance", "http://x/a.png", "http://x/b.png"]).args(flags);
        command.envs(env.map(|url| ("IMAGE_DISTANCE_SERVICE_URL", url)));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let (env, flag) = (by_env.url(), by_flag.url());
    assert_eq!(run(None, &[]), "0.125\n");
    assert_eq!(run(Some(&env), &[]), "0.25\n");
    assert_eq!(run(Some(&env), &["--distance-url", &flag]), "0.5\n");
    let file = gen404(folder.path(), &["distance", "a.png", "http://x/b.png"]).ends(2);
    assert!(file.err.contains("a.png: a distance service fetches pictures itself"), "{}", file.err);
}

fn service(fake: &Fake) -> DistanceService {
    let (first_pause, longest_pause) = (Duration::from_millis(5), Duration::from_millis(20));
    let retry = Retry { attempts: 3, first_pause, longest_pause };
    DistanceService::new(&format!("{}/", fake.url()), Duration::from_secs(20), retry, 3).unwrap()
}

/// The distances of these URLs to `b`.
fn measured(fake: &Fake, urls: &[&str]) -> Vec<Result<f64, NotMeasured>> {
    let of = |url| Picture { url, png: b"" };
    let pairs: Vec<_> = urls.iter().map(|url| (of(url), of("b"))).collect();
    service(fake).measure(&pairs)
}

#[test]
fn a_service_is_asked_for_each_pair_and_answers_keep_their_order() {
    let fake = Fake::start(|_, _, body| {
        let asked: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(asked["url_b"], "b");
        let number: f64 = asked["url_a"].as_str().unwrap().parse().unwrap();
        Reply::Body(format!("{{\"distance\": {}, \"error\": null}}", number / 64.0).into_bytes())
    });
    let urls: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let all = measured(&fake, &urls);
    let wanted: Vec<Result<f64, NotMeasured>> = (0..40).map(|n| Ok(f64::from(n) / 64.0)).collect();
    assert_eq!((all, fake.count()), (wanted, 40));
    assert!(fake.seen.lock().unwrap().iter().all(|(line, _)| line.starts_with("POST /distance ")));
}

#[test]
fn what_is_no_number_is_unmeasured_with_the_reason() {
    let mut seen = Transcript::new(&[]);
    for (status, answer, asked) in [
        (200, "{\"distance\": null, \"error\": \"file_not_found\"}", 3),
        (200, "{\"distance\": null}", 3),
        (200, "{\"distance\": 0.0, \"error\": \"request_error\"}", 3),
        (200, "<html>", 3),
        (200, "{\"distance\": 7.5}", 1),
        (422, "{\"detail\": []}", 1),
        (500, "{\"detail\": \"Internal server error\"}", 3),
    ] {
        let fake = Fake::start(move |_, _, _| Reply::Status(status, "", answer.as_bytes().to_vec()));
        let all = measured(&fake, &["a"]);
        seen.hide(&fake.url(), "[URL]").message(&format!("{status} {answer}"), &all[0].as_ref().unwrap_err().0);
        assert_eq!(fake.count(), asked, "{answer}");
    }
    seen.holds("distance_service_errors");
}

#[test]
fn a_moments_trouble_is_waited_out_and_a_dead_service_is_left_alone() {
    let fake = Fake::start(|number, _, _| match number {
        0 => Reply::Status(503, "", Vec::new()),
        1 => Reply::Body(b"{\"distance\": null, \"error\": \"request_error\"}".to_vec()),
        _ => Reply::Body(b"{\"distance\": -1e-7}".to_vec()),
    });
    assert_eq!(measured(&fake, &["a"]), [Ok(-1e-7)]);
    let silent = Fake::start(|_, _, _| Reply::Drop);
    let all = measured(&silent, &["a"; 100]);
    assert!(all.iter().all(Result::is_err) && all[99].as_ref().unwrap_err().0.contains("not asked"), "{all:?}");
    assert!(silent.count() < 60, "{}", silent.count());
}
