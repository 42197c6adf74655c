//! Copies: equal files, one program under several hotkeys, previews that look alike. Each is a warning that names both.

use serde_json::json;

use crate::cdn::{Cdn, Serve};
use crate::models::{Builder, ball};
use crate::round::{download, hotkey, round};
use crate::support::{Found, edit, findings, gen404, real_competition};

/// A bumpy ball with stripes: another `turn` is another model, another `size` or `shade` hardly.
fn striped(turn: f64, size: f32, shade: f32) -> Vec<u8> {
    let (positions, uvs, triangles) = ball(24);
    let positions: Vec<[f32; 3]> = positions.into_iter().map(|point| point.map(|part| part * size)).collect();
    let wave = |[u, v]: &[f32; 2], by: f64| {
        let wave = (by * f64::from(*u) * std::f64::consts::TAU + 9.0 * f64::from(*v) + turn).sin();
        #[allow(clippy::cast_possible_truncation)]
        let wave = wave as f32;
        (0.5 + 0.5 * wave) * shade
    };
    let colours: Vec<[f32; 4]> = uvs.iter().map(|uv| [wave(uv, 3.0), wave(uv, 2.0), wave(uv, 4.0), 1.0]).collect();
    let mut builder = Builder::new();
    builder.floats("POSITION", &positions).floats("COLOR_0", &colours).indices(&triangles);
    builder.glb()
}

fn of<'a>(found: &'a [Found], id: &str) -> Vec<&'a Found> {
    found.iter().filter(|one| one.id == id).collect()
}

#[test]
fn a_miner_with_anothers_files_is_found_by_bytes_by_outputs_and_by_its_previews() {
    // The first two have the same files, the third its own, and the fourth those of the first, touched up.
    let cdn = Cdn::start(|path, _| {
        let (miner, prompt) = (path.as_bytes()[1], f64::from(path.as_bytes()[4] - b'0'));
        Serve::File(match miner {
            b'a' | b'b' => striped(prompt, 1.0, 0.9),
            b'c' => striped(1.9 * prompt + 10.5, 1.0, 0.9),
            _ => striped(prompt, 1.004, 0.88),
        })
    });
    let folder = round(&["a", "b", "c", "d"].map(|miner| format!("{}/{miner}", cdn.url())), 3);
    download(folder.path(), &[]).ends(0);
    let (a, b, c, d) = (hotkey(0), hotkey(1), hotkey(2), hotkey(3));
    let flags = ["--objects", "--store-dir", ".gen404/objects", "--cdn-url", "https://cdn.example"];
    let found = findings(folder.path(), &flags);
    let copies: Vec<&Found> = found.iter().filter(|one| one.id.starts_with("copies.")).collect();
    assert!(copies.iter().all(|one| one.status == "warn" && !one.detail.contains(&c)), "{copies:#?}");
    let [bytes] = of(&found, "copies.bytes")[..] else { panic!("{copies:#?}") };
    for part in [
        "have 6 files (3 models, 3 previews) in common",
        &format!("rounds/0/{a}/submitted/00aa.glb"),
        &format!("rounds/0/{b}/submitted/00aa.glb"),
    ] {
        assert!(bytes.detail.contains(part), "no {part:?} in {}", bytes.detail);
    }
    let [program] = of(&found, "copies.programs")[..] else { panic!("{copies:#?}") };
    assert!(program.detail.contains("3 of 3 models are those of"), "{program:?}");
    assert!(program.subject.ends_with(&a) && program.detail.contains(&b), "{program:?}");
    let [previews] = of(&found, "copies.previews")[..] else { panic!("{copies:#?}") };
    assert!(previews.detail.contains(&format!("rounds/0/{d}/submitted/00aa.png")), "{previews:?}");
    assert!(previews.detail.contains("3 previews look nearly the same"), "{previews:?}");
    // A round alone is judged alike.
    let alone = findings(folder.path(), &["--round", "0"]);
    assert_eq!(of(&alone, "copies.bytes").len(), 1);
    gen404(folder.path(), &["verify"]).ends(0);
}

#[test]
fn a_program_under_two_hotkeys_is_found_by_source_image_and_leader() {
    let folder = round(&["a", "b", "c", "d"].map(|miner| format!("https://{miner}.example.org")), 1);
    edit(folder.path(), "rounds/0/submissions.json", |text| {
        // The second submits the first one's program from another repository, the fourth the leader's.
        let text = text.replace(&format!("{:040x}", 1), &format!("{:040x}", 0));
        text.replace("\"miner/3\"", "\"base/leader\"").replace(&format!("{:040x}", 3), &"f".repeat(40))
    });
    let found = findings(folder.path(), &[]);
    let programs = of(&found, "copies.programs");
    assert_eq!(programs.len(), 2, "{programs:#?}");
    assert!(
        programs[0].subject.ends_with("miner/0 and miner/1 at 0000000")
            && programs[0].detail.contains(&hotkey(1)[..10])
    );
    assert!(programs[1].subject.ends_with("base/leader at fffffff"), "{programs:#?}");
    let [own, leader] = [3, 255].map(|number| hotkey(number)[..10].to_owned());
    let led = format!("submitted by {own}; the program of {leader}, leader from block 0");
    assert_eq!(programs[1].detail, led);
    // One image, of different sources.
    let build = |n: u8, image: &str| {
        let (repo, commit) = (format!("miner/{n}"), format!("{n:040x}"));
        json!({"repo": repo, "commit": commit, "revealed_at_block": 110 + u32::from(n), "tag": "0000000-test-0",
            "status": "success", "docker_image": image})
    };
    let folder = round(&["a", "b"].map(|miner| format!("https://{miner}.example.org")), 1);
    let digest = "sha256:".to_owned() + &"7".repeat(64);
    let builds = json!({(hotkey(0)): build(0, &format!("r.example/a@{digest}")),
        (hotkey(1)): build(1, &format!("s.example/b@{digest}"))});
    std::fs::write(folder.path().join("rounds/0/builds.json"), format!("{builds:#}")).unwrap();
    let found = findings(folder.path(), &[]);
    let [image] = of(&found, "copies.programs")[..] else { panic!("{found:#?}") };
    assert!(image.subject.contains(&digest) && image.detail.contains("one image for 2 hotkeys"), "{image:?}");
}

#[test]
fn in_the_real_rounds_programs_that_several_hotkeys_share_are_found() {
    let Some(folder) = real_competition() else { return };
    let found = findings(folder.path(), &[]);
    let programs = of(&found, "copies.programs");
    assert!(programs.iter().filter(|one| one.detail.starts_with("submitted by ")).count() == 19, "{programs:#?}");
    assert!(of(&found, "copies.bytes").is_empty(), "they have no sums");
}
