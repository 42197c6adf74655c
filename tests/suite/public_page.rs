//! What `report` publishes: the commit, version and rules at the foot, links to files at GitHub, data for programs, the
//! news as a feed, and what `verify --history` says; in all three formats.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xml::reader::{EventReader, XmlEvent};

use crate::duels::manners;
use crate::json::check_file;
use crate::judge_server::Manners;
use crate::other_formats::{splat, threejs};
use crate::report::{HOSTILE, crawl, hostile, html, report, text};
use crate::support::make_competition::hotkey;
use crate::support::{edit, example, gen404, git};

type Files = BTreeMap<PathBuf, String>;

fn data(files: &Files, name: &str) -> Value {
    serde_json::from_str(&files[Path::new(name)]).unwrap()
}

/// Checks all data of a report against the schemas.
fn check_data(files: &Files) {
    for (path, _) in files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "json")) {
        let name = path.to_str().unwrap();
        let schema = if name.starts_with("round-") { "round" } else { name.trim_end_matches(".json") };
        check_file(schema, &data(files, name));
    }
}

#[test]
fn data_is_as_its_schemas_say_and_tells_what_the_pages_tell() {
    let folder = example(true);
    let files = report(folder.path(), &["--block", "700000"]);
    check_data(&files);
    crawl(&files);
    let head = git(folder.path(), &["rev-parse", "HEAD"]);
    let status = data(&files, "status.json");
    assert_eq!((&status["version"], &status["commit"], &status["uncommitted"]), (&json!(1), &json!(head), &json!(0)));
    assert_eq!((&status["round"], &status["stage"]), (&json!(2), &json!("open")));
    assert_eq!(status["history"], Value::Null, "nobody asked");
    let winner = hotkey("basalt").to_string();
    assert_eq!(status["rounds"][2]["winner"], json!(winner));
    assert_eq!(status["rounds"][2]["data"], "round-0.json");
    let round = data(&files, "round-0.json");
    assert_eq!((&round["winner"], &round["margin"]), (&json!(winner), &json!(0.25)));
    let first = &round["standings"][0];
    assert_eq!((&first["hotkey"], &first["place"], &first["rank"]), (&json!(winner), &json!("winner"), &json!(1)));
    assert_eq!(first["page"], json!(format!("miners/{winner}.html")));
    assert_eq!(round["played"].as_array().unwrap().len(), 8);
    let outcomes: BTreeSet<&str> =
        round["audits"].as_array().unwrap().iter().map(|audit| audit["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, BTreeSet::from(["passed", "rejected"]));
    assert_eq!(data(&files, "standings.json")["round"], 1);
    let leader = data(&files, "leader.json");
    assert_eq!(leader["entries"].as_array().unwrap().len(), 3);
    assert!(leader["leader"]["hotkey"].is_string(), "{leader:#}");
    for (path, text) in files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "json")) {
        assert!(!has_exponent(text), "{}", path.display());
    }
}

/// Has a JSON text, a value a line, a number with an exponent?
fn has_exponent(text: &str) -> bool {
    let values = text.lines().filter_map(|line| line.split_once("\": ")).map(|(_, value)| value.trim_end_matches(','));
    values
        .filter(|value| !value.starts_with('"') && value.parse::<f64>().is_ok())
        .any(|value| value.contains(['e', 'E']))
}

#[test]
fn the_other_formats_publish_the_same_files() {
    for (folder, winner) in [(splat("finished"), None), (threejs(), Some(2))] {
        let files = report(folder.path(), &[]);
        check_data(&files);
        assert!(!files.contains_key(Path::new("feed.xml")), "without a history there are no dates");
        let status = data(&files, "status.json");
        assert_eq!(status["commit"], Value::Null);
        let index = &files[Path::new("index.html")];
        assert!(text(index).contains("which have no git history") && !index.contains("feed.xml"));
        if let Some(round) = winner {
            assert!(data(&files, &format!("round-{round}.json"))["winner"].is_string());
        }
    }
}

/// An element of a feed: its name, its attributes, its text and what is in it.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
    inner: Vec<Element>,
}

impl Element {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &Element> {
        self.inner.iter().filter(move |inner| inner.name == name)
    }

    #[track_caller]
    fn one(&self, name: &'static str) -> &Element {
        let all: Vec<_> = self.all(name).collect();
        assert_eq!(all.len(), 1, "{name} in {self:#?}");
        all[0]
    }
}

/// Parses an XML document whose elements are all of Atom.
fn parsed(document: &str) -> Element {
    let mut open = vec![Element::default()];
    for event in EventReader::new(document.as_bytes()) {
        match event.unwrap() {
            XmlEvent::StartElement { name, attributes, .. } => {
                assert_eq!(name.namespace.as_deref(), Some("http://www.w3.org/2005/Atom"));
                let attributes = attributes.into_iter().map(|one| (one.name.local_name, one.value)).collect();
                open.push(Element { name: name.local_name, attributes, ..Element::default() });
            }
            XmlEvent::EndElement { .. } => {
                let done = open.pop().unwrap();
                open.last_mut().unwrap().inner.push(done);
            }
            XmlEvent::Characters(text) => open.last_mut().unwrap().text.push_str(&text),
            _ => {}
        }
    }
    open.pop().unwrap().inner.pop().unwrap()
}

/// A feed that is as RFC 4287 asks: ids, titles, dates, an author, links; its entries.
#[track_caller]
fn valid_feed(document: &str) -> Vec<(String, String, String)> {
    let feed = parsed(document);
    assert_eq!(feed.name, "feed");
    for name in ["id", "title", "updated"] {
        assert!(!feed.one(name).text.is_empty(), "{name}");
    }
    assert!(!feed.one("author").one("name").text.is_empty());
    let links: BTreeSet<&str> = feed.all("link").map(|link| link.attributes["rel"].as_str()).collect();
    assert_eq!(links, BTreeSet::from(["alternate", "self"]));
    let mut ids = BTreeSet::from([feed.one("id").text.clone()]);
    let mut entries = Vec::new();
    for entry in feed.all("entry") {
        let (id, title, updated) = (&entry.one("id").text, &entry.one("title").text, &entry.one("updated").text);
        assert!(ids.insert(id.clone()), "{id} is there twice");
        assert!(id.starts_with("urn:uuid:") && id.len() == 45, "{id}");
        chrono::DateTime::parse_from_rfc3339(updated).unwrap();
        assert!(entry.all("link").any(|link| link.attributes["rel"] == "alternate"));
        assert!(!entry.one("content").text.is_empty(), "{title}");
        entries.push((updated.clone(), title.clone(), id.clone()));
    }
    assert!(entries.is_sorted_by(|a, b| a.0 >= b.0), "newest first");
    assert_eq!(entries.first().map(|entry| &entry.0), Some(&feed.one("updated").text));
    entries
}

#[test]
fn the_feed_tells_winners_verdicts_and_stages_with_the_dates_of_their_commits() {
    let folder = example(true);
    let root = folder.path();
    // Each commit an hour after the one before: dates that no clock shows.
    let env = "export GIT_COMMITTER_DATE=\"$(( 1700000000 + 3600 * $(git rev-list --count $GIT_COMMIT) )) +0000\"";
    git(root, &["filter-branch", "-f", "--env-filter", env, "HEAD"]);
    let files = report(root, &[]);
    let entries = valid_feed(&files[Path::new("feed.xml")]);
    let titles: BTreeMap<&str, &str> = entries.iter().map(|(at, title, _)| (title.as_str(), at.as_str())).collect();
    let dated = |path: &str| git(root, &["log", "-1", "--format=%cd", "--date=format:%Y-%m-%dT%H:%M:%SZ", "--", path]);
    let (winner, cheat) = (hotkey("basalt"), hotkey("mirage"));
    assert_eq!(titles[format!("Round 0: {} won", winner.short()).as_str()], dated("rounds/0/winner.json"));
    assert_eq!(titles["Round 1: the leader held"], dated("rounds/1/winner.json"));
    assert_eq!(titles["Round 2: open"], dated("state.json"));
    assert_eq!(titles["Round 1 is over"], dated("state.json"));
    assert!(titles.contains_key(format!("Round 0: audit of {} rejected", cheat.short()).as_str()), "{titles:#?}");
    assert!(titles.contains_key("Round 0: duels"), "{titles:#?}");
    // The ids outlast another clone and another commit; what is not committed is no news.
    edit(root, "state.json", |text| text.replace("\"open\"", "\"paused\""));
    let again = report(root, &[]);
    assert_eq!(valid_feed(&again[Path::new("feed.xml")]), entries);
    assert!(text(&again[Path::new("index.html")]).contains("1 file differs from it"));
    assert_eq!(data(&again, "status.json")["uncommitted"], 1);
    git(root, &["commit", "-qam", "Pause"]);
    let later = valid_feed(&report(root, &[])[Path::new("feed.xml")]);
    let ids = |entries: &[(String, String, String)]| entries.iter().map(|one| one.2.clone()).collect::<BTreeSet<_>>();
    assert!(ids(&later).is_superset(&ids(&entries)) && later.len() == entries.len() + 1);
}

#[test]
fn hostile_texts_stay_texts_in_data_and_feed() {
    let folder = hostile();
    let root = folder.path();
    git(root, &["init", "-q"]);
    git(root, &["add", "-A"]);
    git(root, &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "all"]);
    let files = report(root, &[]);
    check_data(&files);
    let entries = valid_feed(&files[Path::new("feed.xml")]);
    assert!(!entries.is_empty());
    let feed = parsed(&files[Path::new("feed.xml")]);
    let mut said = feed.all("entry").map(|entry| &entry.one("content").text);
    assert!(said.any(|text| text.contains(HOSTILE[0]) && text.contains("\\u{202e}")), "the reason of an audit");
    for (path, text) in &files {
        assert!(!text.contains(['\u{202e}', '\u{2066}', '\0', '\u{7f}']), "{}", path.display());
    }
    assert!(!files[Path::new("feed.xml")].contains("<script"));
}

/// Makes a remote of a checkout.
fn with_remote(root: &Path, url: &str) {
    edit(root, ".git/config", |config| {
        let before = config.split("[remote").next().unwrap().to_owned();
        format!("{before}[remote \"origin\"]\n\turl = {url}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n")
    });
}

#[test]
fn claims_link_to_their_files_at_the_commit_for_remotes_at_github_alone() {
    let folder = example(true);
    let root = folder.path();
    let path = format!("rounds/0/{}/duels_leader.json", hotkey("basalt"));
    edit(root, &path, |text| text.replacen("\"winner\": \"right\"", "\"winner\": \"left\"", 1));
    git(root, &["commit", "-qam", "A lie"]);
    let head = git(root, &["rev-parse", "HEAD"]);
    let there = format!("https://github.com/own/comp/blob/{head}/");
    for url in [
        "https://x-access-token:ghp_hunter2@github.com/own/comp.git",
        "git@github.com:own/comp.git",
        "ssh://git@github.com/own/comp",
    ] {
        with_remote(root, url);
        let files = report(root, &[]);
        assert!(files.values().all(|text| !text.contains("hunter2")), "{url}");
        let page = |name: &str| &files[Path::new(name)];
        let links = |name: &str, path: &str| page(name).contains(&format!("href=\"{there}{path}\""));
        let lie = format!("round-0/leader_{}.html", hotkey("basalt"));
        for (name, path) in [
            ("index.html", path.as_str()),
            ("index.html", "leader.json"),
            ("round-0.html", &path),
            ("round-0.html", "rounds/0/winner.json"),
            ("round-0.html", "rounds/0/generation_audits.json"),
            (&lie, &path),
            (&format!("miners/{}.html", hotkey("basalt")), &format!("rounds/0/{}/submitted.json", hotkey("basalt"))),
        ] {
            assert!(links(name, path), "{url}: {name} has no link to {path}");
        }
        for (path, page) in html(&files) {
            let foot = format!("href=\"https://github.com/own/comp/commit/{head}\"");
            assert!(page.contains(&foot), "{url}: {}", path.display());
        }
        assert!(files[Path::new("feed.xml")].contains("rel=\"related\" href=\"https://github.com/own/comp/blob/"));
        assert!(files == report(root, &[]), "two reports differ");
    }
    // What differs from the commit is not there.
    with_remote(root, "git@github.com:own/comp.git");
    edit(root, "leader.json", |text| format!("{text} "));
    assert!(!report(root, &[])[Path::new("index.html")].contains(&format!("{there}leader.json")));
    git(root, &["checkout", "-q", "leader.json"]);
    for url in ["https://gitlab.com/own/comp.git", "https://github.com.example.org/own/comp", "/srv/own/comp"] {
        with_remote(root, url);
        let files = report(root, &[]);
        assert!(files.values().all(|text| !text.contains("/blob/") && !text.contains(url)), "{url}");
    }
}

#[test]
fn what_the_judge_answered_is_shown_and_linked() {
    let folder = crate::certainty::judged_by(Manners { first: -3, ..manners() });
    let root = folder.path();
    git(root, &["init", "-q", "-b", "main"]);
    std::fs::write(root.join(".git/info/exclude"), ".gen404\ngen404.toml\n").unwrap();
    git(root, &["add", "-A"]);
    git(root, &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "all"]);
    edit(root, ".git/config", |config| format!("{config}[remote \"origin\"]\n\turl = git@github.com:own/comp.git\n"));
    let head = git(root, &["rev-parse", "HEAD"]);
    let files = report(root, &[]);
    check_data(&files);
    crawl(&files);
    let links = |name: &str, path: &str| {
        files[Path::new(name)].contains(&format!("href=\"https://github.com/own/comp/blob/{head}/{path}\""))
    };
    assert!(links("round-1.html", "rounds/1/question.toml") && !links("round-0.html", "rounds/0/question.toml"));
    let own = certainty(root);
    let mut shown = 0;
    for one in own["matches"].as_array().unwrap().iter().filter(|one| one["round"] == 1) {
        let report = one["file"].as_str().unwrap();
        let answers = report.replace("/duels_", "/answers_").replace(".json", ".jsonl");
        let page = format!("round-1/{}_{}.html", one["left"].as_str().unwrap(), one["right"].as_str().unwrap());
        for path in [report, &answers, "rounds/1/question.toml"] {
            assert!(links(&page, path), "{page} has no link to {path}");
        }
        let seen = text(&files[Path::new(&page)]);
        let lines = std::fs::read_to_string(root.join(&answers)).unwrap();
        for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let (Some(one), Some(two)) = (line.get("left_first"), line.get("right_first")) else { continue };
            let points = |answer: &Value, key: &str| answer[key].as_u64().unwrap();
            let (left, right) = (points(one, "penalty_1"), points(one, "penalty_2"));
            let (left_again, right_again) = (points(two, "penalty_2"), points(two, "penalty_1"));
            let told =
                format!("defender shown first {left} {right} challenger shown first {left_again} {right_again} mean ");
            assert!(seen.contains(&told), "{page}: no {told:?} in {seen}");
            shown += 1;
        }
        let contradicting = one["orders"]["contradicting"].as_u64().unwrap();
        assert_eq!(seen.matches("The two orders contradict each other: ").count() as u64, contradicting);
        assert_eq!(seen.contains("orders disagree"), contradicting > 0, "the filter");
    }
    assert!(shown > 10, "{shown}");
    // The data has the figures of `verify --json`.
    let round = data(&files, "round-1.json");
    assert_eq!(round["judge"]["judged"], own["rounds"][1]["judged"]);
    assert_eq!(round["judge"]["bias"]["calls"], own["rounds"][1]["bias"]["calls"]);
    let close = |one: &Value, two: &Value| (one.as_f64().unwrap() - two.as_f64().unwrap()).abs() < 1e-6;
    assert!(close(&round["judge"]["bias"]["mean"], &own["rounds"][1]["bias"]["mean"]));
    for played in round["played"].as_array().unwrap() {
        let same = |one: &&Value| one["round"] == 1 && one["left"] == played["left"] && one["right"] == played["right"];
        let one = own["matches"].as_array().unwrap().iter().find(same).unwrap();
        let sure = &played["certainty"];
        assert!((0..2).all(|at| close(&sure["interval"][at], &one["interval"][at])), "{played} {one}");
        assert!(close(&sure["reaches"], &one["reaches"]) && sure["survives"] == one["survives"], "{played} {one}");
        assert_eq!(played["orders"], one["orders"]);
    }
}

fn certainty(folder: &Path) -> Value {
    gen404(folder, &["verify", "--json"]).details()["certainty"].clone()
}

#[test]
fn the_other_formats_link_their_files_too() {
    for folder in [splat("finished"), threejs()] {
        let root = folder.path();
        git(root, &["init", "-q", "-b", "main"]);
        git(root, &["add", "-A"]);
        git(root, &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "all"]);
        edit(root, ".git/config", |config| {
            format!("{config}[remote \"origin\"]\n\turl = https://github.com/own/comp\n")
        });
        let head = git(root, &["rev-parse", "HEAD"]);
        let files = report(root, &[]);
        check_data(&files);
        crawl(&files);
        valid_feed(&files[Path::new("feed.xml")]);
        assert!(files[Path::new("feed.xml")].contains("rel=\"related\" href=\"https://github.com/own/comp/blob/"));
        let there = format!("https://github.com/own/comp/blob/{head}/");
        let mut linked = BTreeSet::new();
        for (path, page) in html(&files) {
            let links: BTreeSet<&str> = page.split(&there).skip(1).filter_map(|rest| rest.split('"').next()).collect();
            let of_a_round = !path.starts_with("index.html") && !path.starts_with("miners");
            assert!(!links.is_empty() || !of_a_round, "{}: no link", path.display());
            linked.extend(links.into_iter().map(str::to_owned));
        }
        // Every file of the competition that the pages tell of.
        let all = git(root, &["ls-files"]);
        let missing: Vec<&str> = all.lines().filter(|path| !linked.contains(*path)).collect();
        assert!(missing.iter().all(|path| path.ends_with("/pod_stats.json") || *path == "prompts.txt"), "{missing:#?}");
        let round =
            (0..10).rev().map(|round| format!("round-{round}.json")).find(|name| files.contains_key(Path::new(name)));
        let all = certainty(root);
        let last = data(&files, &round.unwrap());
        assert_eq!(
            last["judge"].is_null(),
            !all["rounds"].as_array().unwrap().iter().any(|one| one["round"] == last["round"])
        );
    }
}

#[test]
fn the_foot_names_version_and_rules_and_the_commits_are_judged_if_asked() {
    let folder = example(true);
    let root = folder.path();
    let files = report(root, &[]);
    for (path, page) in html(&files) {
        let seen = text(page);
        for part in [
            concat!("Made by gen404 ", env!("CARGO_PKG_VERSION"), " from the competition"),
            &git(root, &["rev-parse", "HEAD"]),
            "Unverified here: what each commit did.",
            "Rules in force: a challenger takes the lead with a margin of 5% of the duels",
        ] {
            assert!(seen.contains(part), "{}: no {part:?} in {seen}", path.display());
        }
        let title = page.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
        assert!(title.contains("example"), "{}: {title}", path.display());
    }
    let judged = report(root, &["--history"]);
    assert!(text(&judged[Path::new("index.html")]).contains("no claim on them fails"));
    assert_eq!(data(&judged, "status.json")["history"]["fail"], 0);
    edit(root, "rounds/0/seed.json", |text| text.replacen(": ", ":  ", 1));
    git(root, &["commit", "-qam", "Afterwards"]);
    let judged = report(root, &["--history"]);
    let index = text(&judged[Path::new("index.html")]);
    assert!(index.contains("history.append_only") && index.contains("on its commits fail"), "{index}");
    let said = gen404(root, &["verify", "--history"]).ends(1).out;
    assert!(said.contains("history.append_only"), "as verify says: {said}");
    let bare = example(false);
    let refused = gen404(bare.path(), &["report", "--history", "--out", "../never"]).ends(2);
    assert!(refused.err.contains("not a git checkout"), "{}", refused.err);
    // Of another format as well.
    let other = threejs();
    let root = other.path();
    git(root, &["init", "-q"]);
    git(root, &["add", "-A"]);
    git(root, &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "all"]);
    let files = report(root, &["--history"]);
    assert!(data(&files, "status.json")["history"].is_object());
    check_data(&files);
    valid_feed(&files[Path::new("feed.xml")]);
}

#[test]
fn miners_of_splats_and_modules_have_pages_too() {
    let folder = splat("duels");
    let files = report(folder.path(), &[]);
    let miner = crate::formats::make_threejs::hotkey;
    let page = text(&files[Path::new(&format!("miners/{}.html", miner(1)))]);
    for part in
        ["It took part in 1 round and did not win it.", "miner/program", "challenged leader", "defended against"]
    {
        assert!(page.contains(part), "no {part:?} in {page}");
    }
    let index = &files[Path::new("index.html")];
    assert!(index.contains(&format!("<li id=\"{}\">", miner(2))) && index.contains("id=\"find\""), "the search");
    let folder = threejs();
    let files = report(folder.path(), &[]);
    let (reached, _) = crawl(&files);
    assert_eq!(reached.len(), files.len());
    let all: String = html(&files).filter(|(path, _)| path.starts_with("miners")).map(|(_, page)| text(page)).collect();
    for part in [
        "File Reason",
        "js_fetch_failed: HTTP 404",
        "4xH200",
        "Audit rejected",
        "what was submitted",
        "challenged leader",
    ] {
        assert!(all.contains(part), "no {part:?} in {all}");
    }
    let one = report(folder.path(), &["--only", "1"]);
    assert!(html(&one).any(|(path, _)| path.starts_with("miners")));
    crawl(&one);
}

#[test]
fn a_competition_that_is_over_is_said_to_be_once() {
    for (folder, stage) in [(example(false), "open"), (threejs(), "open")] {
        edit(folder.path(), "state.json", |text| text.replace(&format!("\"{stage}\""), "\"finished\""));
        let index = text(&report(folder.path(), &[])[Path::new("index.html")]).to_lowercase();
        assert_eq!(index.matches("competition is over").count(), 1, "{index}");
    }
}
