//! Links that the repository commits, on every way that the program writes or reads.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::harness::{World, check};
use crate::support::{edit, few, make_competition::hotkey};

const KEY: &str = "../../home/.ssh/authorized_keys";

/// A description that would be a line of a key file.
fn with_a_key(world: &World) {
    edit(&world.repo(), "config.json", |text| {
        let at = text.find("\"description\": \"").unwrap() + 16;
        format!("{}\\nssh-ed25519 AAAAattacker\\n{}", &text[..at], &text[at..])
    });
}

#[test]
fn pages_that_are_links() {
    for (link, target) in few(
        2,
        [
            ("report/index.html", KEY),
            ("report/round-0.html", KEY),
            ("report/round-0", "../../outside"),
            ("report/report.json", KEY),
            ("report", "../home/.ssh"),
            ("report", "../outside"),
        ],
    ) {
        for flags in few(2, [&["report"][..], &["report", "--json"], &["report", "--only", "0"]]) {
            let world = World::example(false);
            with_a_key(&world);
            world.link(link, target);
            let outcome = world.run(&format!("{link} -> {target}, {}", flags.join(" ")), flags);
            if outcome.code() == Some(0) {
                check(world.top().join("repo-report/index.html").is_file(), || outcome.said());
            }
        }
    }
}

#[test]
fn a_report_goes_beside_the_competition() {
    let world = World::example(true);
    let before = crate::support::tree(&world.repo());
    world.run("report", &["report"]).ends(&[0]).says(&["repo-report"]);
    assert!(world.top().join("repo-report/index.html").is_file());
    check(crate::support::tree(&world.repo()) == before, || "nothing is written into the competition".to_owned());
    // Where that folder is a link, or was made by somebody else, nothing is written through it.
    for target in ["outside", "home/.ssh", "repo"] {
        let world = World::example(false);
        symlink(world.top().join(target), world.top().join("repo-report")).unwrap();
        world.run(&format!("repo-report -> {target}"), &["report"]);
        assert!(!world.repo().join("index.html").exists());
    }
}

#[test]
fn out_leads_into_the_competition() {
    for (link, out) in few(
        3,
        [
            (None, "."),
            (None, "rounds"),
            (None, "rounds/0"),
            (None, ".git"),
            (None, ".gen404"),
            (Some(("pages", "../outside")), "pages"),
            (Some(("pages/index.html", KEY)), "pages"),
            (Some(("pages", "../outside")), "pages/../pages"),
            (Some(("deep", "..")), "deep/outside"),
        ],
    ) {
        let world = World::example(true);
        if let Some((link, target)) = link {
            world.link(link, target);
        }
        let what = format!("report --out {out} where {link:?}");
        let outcome = world.run(&what, &["report", "--out", out]);
        check(!world.repo().join(out).join("round-0.html").exists() || link.is_some(), || {
            format!("{what}: {}", outcome.said())
        });
        check(!world.repo().join("index.html").exists(), || format!("{what}: {}", outcome.said()));
    }
    // A folder of the reader's own is theirs to choose, also where it is a link that they made.
    let world = World::example(false);
    std::fs::create_dir(world.top().join("out")).unwrap();
    let outcome = world.run("report --out ../out/site", &["report", "--out", "../out/site"]).ends(&[0]);
    check(world.top().join("out/site/index.html").is_file(), || outcome.said());
}

#[test]
fn folders_of_the_competition_that_are_links() {
    let foreign = World::example(false);
    for (link, target) in few(
        3,
        [
            ("rounds", foreign.repo().join("rounds")),
            ("rounds/0", foreign.repo().join("rounds/0")),
            ("config.json", foreign.repo().join("config.json")),
            ("leader.json", foreign.repo().join("leader.json")),
            ("rounds/0/seed.json", "/etc/hostname".into()),
            ("rounds/0/submissions.json", "/proc/self/environ".into()),
            ("state.json", "/dev/stdin".into()),
            ("prompts.txt", "prompts.txt".into()),
            ("rounds/1", "../rounds".into()),
        ],
    ) {
        let world = World::example(false);
        world.link(link, &target);
        for command in ["verify", "status", "leader", "report"] {
            let what = format!("{command} where {link} -> {}", target.display());
            let outcome = world.attack(&what, &[command]).with_keys().run();
            world.unharmed(&what);
            if command == "verify" {
                outcome.ends(&[1]).says(&[link]);
            }
        }
    }
}

#[test]
fn a_step_is_not_written_through_a_link() {
    for (link, target) in few(
        2,
        [
            ("state.json", KEY),
            ("leader.json", KEY),
            ("rounds/2/winner.json", KEY),
            ("rounds/3", "../../outside"),
            ("rounds/3/schedule.json", KEY),
        ],
    ) {
        let world = World::example(false);
        let target = Path::new(target);
        let full = world.top().join("home/.ssh/authorized_keys");
        let target = if target.ends_with("authorized_keys") { full.as_path() } else { &world.top().join("outside") };
        world.link(link, target);
        for args in [
            &["pause"][..],
            &["resume"],
            &["finalize", "--block", "709900", "--now", "2026-03-03T17:00:00Z"],
            &["advance"],
            &["open"],
        ] {
            world.run(&format!("{} where {link} is a link", args[0]), args);
        }
    }
}

#[test]
fn the_programs_own_folder_is_a_link() {
    for git in [false, true] {
        let own = if git { ".git/gen404" } else { ".gen404" };
        for (link, target) in [(own.to_owned(), "../outside"), (format!("{own}/lock"), KEY)] {
            let world = World::example(git);
            let target = world.top().join(target.trim_start_matches("../"));
            world.link(&link, &target);
            for args in [&["pause"][..], &["status"], &["verify"], &["duel", "--judge-url", "http://127.0.0.1:9/v1"]] {
                world.run(&format!("{} where {link} is a link", args[0]), args);
            }
        }
    }
}

#[test]
fn previews_beside_models_that_somebody_else_made() {
    let world = World::bare();
    world.put("model.glb", crate::cdn::triangle_glb("x"));
    world.link("model.png", "../outside/index.html");
    world.link(".model.png.part", "../home/.ssh/authorized_keys");
    world.link("drawn", "../outside");
    world.run("render where model.png is a link", &["render", "model.glb"]).ends(&[0, 1]);
    world.put("a/model.glb", crate::cdn::triangle_glb("x"));
    symlink(world.top().join("outside/notes.txt"), world.repo().join("a/model.png")).unwrap();
    world.run("render a/model.glb", &["render", "a/model.glb", "model.glb"]).ends(&[0, 1]);
}

#[test]
fn names_of_miners_and_matches_are_no_paths() {
    let world = World::example(false);
    let from = hotkey("quarry").to_string();
    for name in few(
        3,
        ["../../outside", "/etc/passwd", "..", ".", "a/b", "leader/../..", "\u{202e}x", "x".repeat(5000).as_str()],
    ) {
        let world_two = World::example(false);
        for path in ["rounds/0/submissions.json", "rounds/0/builds.json", "rounds/0/require_audit.json", "leader.json"]
        {
            let file = world_two.repo().join(path);
            let text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(&file, text.replace(&from, name)).unwrap();
        }
        let short: String = name.chars().take(20).collect();
        for command in ["verify", "report", "status", "leader"] {
            world_two.run(&format!("{command} of a miner named {short:?}"), &[command]);
        }
    }
    drop(world);
}
