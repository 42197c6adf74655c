//! A settings file that the repository brings along is obeyed by no command, and no server hears of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use super::harness::{KEYS, Outcome, SECRET, World, check};
use crate::chain_support::{Fake, Reply};
use crate::support::{edit, git, in_turn, skipped, tree};

/// Settings that send everything to this server.
fn hostile(url: &str) -> String {
    format!(
        "[chain]\nnetwork = \"{url}\"\narchive = \"{url}\"\n[seed]\ndrand_url = \"{url}\"\n\
         [judge]\nbase_url = \"{url}/v1\"\nattempts = 1\n\
         [builds]\ndriver = \"github\"\nrepo = \"a/b\"\napi_url = \"{url}\"\n[miners]\nallow_private_cdn = true\n\
         [store]\nendpoint = \"{url}\"\ncdn_url = \"{url}\"\nattempts = 1\n[distance]\ndriver = \"http\"\nurl = \"{url}\"\n\
         [pods]\nprovider = \"endpoint\"\n[pods.endpoint]\nurl = \"{url}/{{player}}\"\n[pods.targon]\nurl = \"{url}\"\n\
         [pods.runpod]\nurl = \"{url}\"\n"
    )
}

/// Other settings: each says something that would show.
fn others(url: &str) -> Vec<String> {
    vec![
        "[rules]\nmismatches = 100\ndistance = 2.0\n".to_owned(),
        "[chain]\nfile = \"chain.json\"\n".to_owned(),
        "[chain]\nfile = \"/dev/zero\"\n".to_owned(),
        format!("[pods]\nprovider = \"docker\"\n[pods.docker]\nprogram = \"{}\"\n", "../outside/run"),
        "[store]\ndir = \"../outside\"\n".to_owned(),
        "no = settings = at all".to_owned(),
        "\u{1b}[31m = \"\u{202e}\"\n".to_owned(),
        "x".repeat(20 << 20),
        String::new(),
        hostile(url),
    ]
}

fn server() -> Fake {
    Fake::start(|_, _, _| Reply::Body(b"{}".to_vec()))
}

/// What a server was asked for.
fn asked(listener: &Fake) -> Vec<String> {
    listener.seen.lock().unwrap().iter().map(|(line, _)| line.clone()).collect()
}

/// The example with one commit more, which adds a file.
fn with(path: &str, text: &str) -> Option<World> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped("no git program");
        return None;
    }
    let world = World::example(true);
    world.put("chain.json", "{\"current_block\": 709900}");
    world.put(path, text);
    git(&world.repo(), &["reset", "-q"]);
    git(&world.repo(), &["add", "-f", path]);
    git(&world.repo(), &["commit", "-qm", "Round 1: duels"]);
    Some(world)
}

const READING: [&[&str]; 8] = [
    &["verify"],
    &["verify", "--history"],
    &["verify", "--json"],
    &["status"],
    &["status", "--json"],
    &["leader"],
    &["report", "--json"],
    &["verify", "--round", "1"],
];

/// What a run printed, with nothing in it that depends on the commit's id or on where the world lies.
fn normal(world: &World, text: &str) -> String {
    let head = git(&world.repo(), &["rev-parse", "HEAD"]);
    let text = text.replace(world.top().to_str().unwrap(), "TOP");
    (7..=40).rev().fold(text, |text, length| text.replace(&head[..length], "HEAD"))
}

fn shown(world: &World, args: &[&str], what: &str) -> (Option<i32>, String, String) {
    let outcome = world.attack(&format!("{} with {what}", args.join(" ")), args).with_keys().run();
    (outcome.code(), normal(world, &outcome.out), normal(world, &outcome.err))
}

/// A result without the warnings of its JSON, and these.
pub(crate) fn without_warnings(out: &str) -> (String, Vec<serde_json::Value>) {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(out) else { return (out.to_owned(), Vec::new()) };
    let warnings = json["warnings"].take().as_array().cloned().unwrap_or_default();
    (json.to_string(), warnings)
}

/// The pages of the report.
fn pages(world: &World) -> BTreeMap<PathBuf, String> {
    let folder = world.top().join("repo-report");
    let files = if folder.is_dir() { tree(&folder) } else { BTreeMap::new() };
    files.into_iter().map(|(path, bytes)| (path, normal(world, &String::from_utf8_lossy(&bytes)))).collect()
}

#[test]
fn no_byte_of_any_output_changes_but_the_warning() {
    let listener = server();
    let Some(plain) = with("notes.txt", "nothing") else { return };
    let expected: Vec<_> = READING.iter().map(|args| shown(&plain, args, "no settings")).collect();
    let expected_pages = pages(&plain);
    for (n, text) in others(&listener.url()).iter().enumerate() {
        let world = with("gen404.toml", text).unwrap();
        let expected: Vec<_> = READING.iter().zip(&expected).collect();
        let tried = in_turn(&n.to_string(), &expected);
        let is_shown = tried.iter().any(|(args, _)| args[0] == "report");
        for (args, (code, out, err)) in tried {
            let found = shown(&world, args, &format!("tracked settings {n}"));
            let (told, warnings) = without_warnings(&found.1);
            check((found.0, &told) == (*code, &without_warnings(out).0), || {
                format!("{args:?} with {text:.60?}: {}", found.2)
            });
            let json = args.contains(&"--json");
            let own = warnings.iter().filter(|line| line.to_string().contains("gen404.toml")).count();
            check(own == usize::from(json), || format!("{args:?}: {warnings:?}"));
            let (warning, rest): (Vec<&str>, Vec<&str>) =
                found.2.lines().partition(|line| line.contains("gen404.toml"));
            check(warning.len() == 1, || format!("{args:?}: one warning and no more: {}", found.2));
            check(warning[0].contains("--config"), || format!("how to follow it on purpose: {}", warning[0]));
            // Hints may stand on a line of their own.
            let rest: Vec<&str> = rest.into_iter().filter(|line| !line.contains("--config")).collect();
            check(rest == err.lines().collect::<Vec<_>>(), || format!("{args:?}"));
        }
        check(!is_shown || pages(&world) == expected_pages, || format!("pages with {text:.60?}"));
        world.unharmed(&format!("tracked settings {n}"));
    }
    check(listener.count() == 0, || format!("{:?}", asked(&listener)));
}

/// What would act, with the reader's keys in the environment.
fn acting(world: &World, what: &str) -> Vec<Outcome> {
    let png = world.put("p.png", super::pictures::png(8, 8, 2).bytes());
    let png = png.to_str().unwrap();
    [
        &["judge", png, png, png][..],
        &["duel"],
        &["open"],
        &["reveal-seed"],
        &["builds"],
        &["baseline"],
        &["download", "--block", "709900"],
        &["audit"],
        &["advance"],
        &["distance", png, png],
        &["finalize"],
        &["verify", "--objects", "--sample", "1"],
        &["verify", "--chain"],
        &["render", "nothing.glb"],
        &["pause"],
        &["resume"],
    ]
    .iter()
    .map(|args| world.attack(&format!("{} with {what}", args[0]), args).with_keys().run())
    .collect()
}

#[test]
fn keys_go_nowhere() {
    let listener = server();
    let toml = hostile(&listener.url());
    let Some(world) = with("gen404.toml", &toml) else { return };
    // The recorded objects lie on loopback, too: a setting of the repository's own must not allow it.
    stored_at(&world, &listener.url());
    for stage in ["open", "duels", "miner_generation"] {
        edit_stage(&world, stage);
        let outcomes = acting(&world, &format!("tracked settings, in {stage}"));
        for outcome in outcomes {
            check(!outcome.said().contains(SECRET), || outcome.said());
        }
        check(listener.count() == 0, || format!("in {stage}: {:?}", asked(&listener)));
    }
    world.unharmed("tracked settings");
}

/// All recorded objects are said to lie there: no test asks the public network.
fn stored_at(world: &World, url: &str) {
    for (path, bytes) in tree(&world.repo()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.contains("https://store.example.org") {
            std::fs::write(world.repo().join(path), text.replace("https://store.example.org", url)).unwrap();
        }
    }
}

fn edit_stage(world: &World, stage: &str) {
    let state = format!("{{\n  \"current_round\": 1,\n  \"stage\": \"{stage}\",\n  \"next_stage_eta\": null\n}}");
    world.put("state.json", state);
}

/// What is done to a checkout.
type Change<'a> = &'a dyn Fn(&World);

#[test]
fn tracked_in_whatever_way() {
    let listener = server();
    let toml = hostile(&listener.url());
    let changes: [(&str, Change<'_>); 9] = [
        ("as a link", &|world| {
            world.put("settings/real.toml", &toml);
            world.link("gen404.toml", "settings/real.toml");
            git(&world.repo(), &["add", "-f", "gen404.toml"]);
            git(&world.repo(), &["commit", "-qm", "x"]);
        }),
        ("changed since", &|world| drop(world.put("gen404.toml", format!("{toml}# changed\n")))),
        ("and excluded", &|world| drop(world.put(".git/info/exclude", "gen404.toml\n"))),
        ("and ignored", &|world| drop(world.put(".gitignore", "gen404.toml\n*.toml\n"))),
        ("assumed unchanged", &|world| {
            git(&world.repo(), &["update-index", "--assume-unchanged", "gen404.toml"]);
        }),
        ("in the commit and not in the index", &|world| {
            git(&world.repo(), &["rm", "-q", "--cached", "gen404.toml"]);
        }),
        ("in the index and not in the commit", &|world| {
            git(&world.repo(), &["reset", "-q", "--soft", "HEAD~1"]);
        }),
        ("beside an index that cannot be read", &|world| drop(world.put(".git/index", "DIRC"))),
        ("without an index", &|world| std::fs::remove_file(world.repo().join(".git/index")).unwrap()),
    ];
    for (what, change) in changes {
        let Some(world) = with("gen404.toml", &toml) else { return };
        change(&world);
        stored_at(&world, &listener.url());
        for args in in_turn(what, &READING) {
            world.attack(&format!("{} with settings tracked {what}", args.join(" ")), args).with_keys().run();
        }
        acting(&world, &format!("settings tracked {what}"));
        check(listener.count() == 0, || format!("{what}: {:?}", asked(&listener)));
        world.unharmed(what);
    }
}

#[test]
fn settings_in_a_folder_that_is_no_checkout() {
    let listener = server();
    let toml = hostile(&listener.url());
    for (what, git_is) in
        [("no .git", 0), ("an empty .git", 1), ("a .git that is a file", 2), ("a checkout around it", 3)]
    {
        let world = World::example(false);
        world.put("gen404.toml", &toml);
        stored_at(&world, &listener.url());
        match git_is {
            1 => std::fs::create_dir(world.repo().join(".git")).unwrap(),
            2 => drop(world.put(".git", "gitdir: nowhere\n")),
            3 => drop(Command::new("git").args(["init", "-q"]).current_dir(world.top()).status()),
            _ => {}
        }
        for args in in_turn(what, &READING).into_iter().filter(|args| !args.contains(&"--history")) {
            world.attack(&format!("{} with settings and {what}", args.join(" ")), args).with_keys().run();
        }
        acting(&world, &format!("settings and {what}"));
        check(listener.count() == 0, || format!("{what}: {:?}", asked(&listener)));
    }
}

#[test]
fn settings_on_purpose_are_followed() {
    let world = World::example(true);
    let chain = world.put("chain.json", "{\"current_block\": 709900}");
    let settings = world.settings(&format!("[chain]\nfile = \"{}\"\n", chain.display()));
    world.run("status --config", &["status", "--config", &settings]).ends(&[0]).says(&["709900"]);
    let by_env = world.attack("status by GEN404_CONFIG", &["status"]).env("GEN404_CONFIG", &settings).run();
    by_env.ends(&[0]).says(&["709900"]);
    world.put("gen404.toml", "[chain]\nfile = \"chain.json\"\n");
    world.run("status with settings that git does not track", &["status"]).ends(&[0]).says(&["709900"]);
    let rules = world.settings("[rules]\nmismatches = 100\n");
    let outcome = world.run("verify with [rules] in the settings", &["verify", "--config", &rules]);
    outcome.ends(&[2]).says(&["rules", "config.json"]);
}

#[test]
fn a_push_brings_no_settings() {
    let listener = server();
    let Some(world) = with("notes.txt", "nothing") else { return };
    let top = world.top().join("spare");
    std::fs::create_dir(&top).unwrap();
    let repo = world.repo();
    git(&top, &["clone", "-q", "--bare", repo.to_str().unwrap(), "bare.git"]);
    git(&top, &["clone", "-q", "bare.git", "theirs"]);
    git(&repo, &["remote", "add", "origin", top.join("bare.git").to_str().unwrap()]);
    git(&repo, &["fetch", "-q", "origin"]);
    let branch = git(&repo, &["symbolic-ref", "--short", "HEAD"]);
    let before = git(&repo, &["rev-parse", "HEAD"]);
    git(&repo, &["branch", "-q", &format!("--set-upstream-to=origin/{branch}")]);
    git(&repo, &["config", "user.name", "A"]);
    git(&repo, &["config", "user.email", "a@b.c"]);
    // Somebody who may push adds settings; our next run takes over what was pushed.
    std::fs::write(top.join("theirs/gen404.toml"), hostile(&listener.url())).unwrap();
    git(&top.join("theirs"), &["add", "-f", "gen404.toml"]);
    git(&top.join("theirs"), &["commit", "-qm", "Round 1: duels"]);
    git(&top.join("theirs"), &["push", "-q"]);
    for args in [&["pause"][..], &["resume"], &["open"], &["advance"], &["status"]] {
        let all = [args, if args == ["status"] { &[] } else { &["--commit", "--push"] }].concat();
        world.attack(&format!("{} --push after settings were pushed", args[0]), &all).with_keys().run();
    }
    check(listener.count() == 0, || format!("{:?}", asked(&listener)));
    // The operator's own file of that name is not replaced by theirs.
    let Some(world) = with("notes.txt", "nothing") else { return };
    let repo = world.repo();
    git(&repo, &["remote", "add", "origin", top.join("bare.git").to_str().unwrap()]);
    git(&repo, &["fetch", "-q", "origin"]);
    let same = git(&repo, &["rev-parse", &format!("{before}^{{tree}}")]) == git(&repo, &["rev-parse", "HEAD^{tree}"]);
    check(same, || "the two worlds begin alike".to_owned());
    git(&repo, &["reset", "-q", "--hard", &before]);
    git(&repo, &["branch", "-q", &format!("--set-upstream-to=origin/{branch}")]);
    git(&repo, &["config", "user.name", "A"]);
    git(&repo, &["config", "user.email", "a@b.c"]);
    let own = "# the operator's own\n";
    world.put("gen404.toml", own);
    world
        .attack("pause --push where settings of that name are there", &["pause", "--commit", "--push"])
        .with_keys()
        .run();
    assert_eq!(std::fs::read_to_string(repo.join("gen404.toml")).unwrap(), own);
}

#[test]
fn a_forged_competition_is_told() {
    // The cheat's audit is said to have passed, and the rules are bent until it fits.
    let forge = |world: &World| {
        edit(&world.repo(), "rounds/0/generation_audits.json", |text| {
            let reason = "Non-critical mismatches (10) exceed tolerance (6)";
            text.replace("\"rejected\"", "\"passed\"").replace(reason, "")
        });
    };
    let Some(world) = with("gen404.toml", "[rules]\nmismatches = 100\ncritical_mismatches = 100\n") else { return };
    forge(&world);
    git(&world.repo(), &["commit", "-qam", "Update generation audits for round 0"]);
    world.run("a forged verdict, rules in gen404.toml", &["verify"]).ends(&[1]).says(&["audit.verdict"]);
    let Some(world) = with("notes.txt", "x") else { return };
    forge(&world);
    edit(&world.repo(), "config.json", |text| {
        let open = text.trim_end().trim_end_matches('}').trim_end();
        format!("{open},\n  \"rules\": {{\n    \"mismatches\": 100\n  }}\n}}")
    });
    git(&world.repo(), &["commit", "-qam", "Update generation audits for round 0"]);
    let outcome = world.run("a forged verdict, rules in config.json", &["verify", "--history"]).ends(&[1]);
    outcome.says(&["mismatches", "100"]).says_one_of(&["history.writer", "audit.verdict"]);
    let outcome = world.run("its summary as JSON", &["verify", "--history", "--json"]).ends(&[1]);
    let rules = ["rules", "rules_past"].map(|name| outcome.json()["details"][name].to_string());
    check(rules.iter().any(|rules| rules.contains("mismatches")), || rules.concat());
}

#[test]
fn rules_of_all_sorts() {
    for rules in [
        "{\"mismatches\": 1e308}",
        "{\"mismatches\": -1}",
        "{\"mismatches\": 18446744073709551615, \"trim\": 18446744073709551615}",
        "{\"median_seconds\": 1e999}",
        "{\"distance\": \"0.1\"}",
        "{\"generation_seconds\": null}",
        "{\"unknown\": [[[[0]]]], \"mismatches\": 6}",
        "[]",
        "\"\\u001b[31m\"",
        "{\"overtime_tolerance\": 1.0, \"mismatch_margin\": -0.0}",
        "{\"require_source_audit\": true}",
        "{\"\\u001b[2J\\u202e\": 1}",
    ] {
        let world = World::example(false);
        edit(&world.repo(), "config.json", |text| {
            let open = text.trim_end().trim_end_matches('}').trim_end();
            format!("{open},\n  \"rules\": {rules}\n}}")
        });
        for args in [
            &["verify"][..],
            &["status"],
            &["report"],
            &["finalize", "--block", "709900", "--now", "2026-03-03T17:00:00Z"],
        ] {
            world.run(&format!("{} with rules {}", args[0], rules.escape_debug()), args);
        }
    }
}

#[test]
fn the_keys_are_all_in_the_environment() {
    let world = World::example(false);
    let outcome = world.attack("keys", &["status", "-v"]).with_keys().run();
    assert!(!KEYS.is_empty() && !outcome.said().contains(SECRET));
}
