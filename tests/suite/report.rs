//! `gen404 report`: pages of sound, hostile and damaged competitions; their links; their colours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::make_competition::hotkey;
use crate::support::{edit, example, few, gen404, real_competition, tree};

/// The report of a competition, by page.
pub fn report(folder: &Path, flags: &[&str]) -> BTreeMap<PathBuf, String> {
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("out");
    gen404(folder, &[&["report", "--out", to.to_str().unwrap()], flags].concat()).ends(0);
    tree(&to).into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
}

/// What stands in the attributes of this name, with escapes taken back.
fn attributes(page: &str, name: &str) -> Vec<String> {
    let begin = format!(" {name}=\"");
    let values = page.split(begin.as_str()).skip(1).map(|rest| rest.split('"').next().unwrap());
    values.map(|value| value.replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&")).collect()
}

/// Follows every link of every page: those inside lead to a page and an anchor that are there, those
/// outside are web addresses. Gives the pages reached from the index and the outside addresses.
#[track_caller]
pub fn crawl(pages: &BTreeMap<PathBuf, String>) -> (BTreeSet<PathBuf>, BTreeSet<String>) {
    let mut outside = BTreeSet::new();
    let mut inside: BTreeMap<&Path, BTreeSet<PathBuf>> = BTreeMap::new();
    let mut ids: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for (path, page) in pages.iter().filter(|(path, _)| path.extension().unwrap() == "html") {
        for link in [attributes(page, "href"), attributes(page, "src")].concat() {
            if link.starts_with("https://") || link.starts_with("http://") {
                outside.insert(link);
                continue;
            }
            assert!(!link.contains(':'), "{}: {link}", path.display());
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let mut target = path.parent().unwrap().to_owned();
            file.split('/').filter(|part| !part.is_empty()).for_each(|part| match part {
                ".." => assert!(target.pop(), "{}: {link} leads out", path.display()),
                part => target.push(part),
            });
            let target = if file.is_empty() { path.clone() } else { target };
            let there = pages.get(&target).unwrap_or_else(|| panic!("{}: {link} leads nowhere", path.display()));
            if let Some(anchor) = anchor {
                let ids = ids.entry(target.clone()).or_insert_with(|| attributes(there, "id"));
                assert_eq!(ids.iter().filter(|id| *id == anchor).count(), 1, "{}: {link}", path.display());
            }
            inside.entry(path).or_default().insert(target);
        }
    }
    let mut reached = BTreeSet::new();
    let mut todo = vec![PathBuf::from("index.html")];
    while let Some(page) = todo.pop() {
        if reached.insert(page.clone()) {
            todo.extend(inside.get(page.as_path()).into_iter().flatten().cloned());
        }
    }
    (reached, outside)
}

/// The pages among the files.
pub fn html(files: &BTreeMap<PathBuf, String>) -> impl Iterator<Item = (&PathBuf, &String)> {
    files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "html"))
}

/// The text of a page: what a reader sees of it.
pub fn text(page: &str) -> String {
    let body = page.split("<body>").nth(1).unwrap().split("<script>").next().unwrap();
    let mut text = String::new();
    for part in body.split('<').skip(1) {
        text.push_str(part.split_once('>').unwrap().1);
        text.push(' ');
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_example_has_its_pages_and_every_link_leads_somewhere() {
    let folder = example(false);
    let pages = report(folder.path(), &[]);
    let (reached, outside) = crawl(&pages);
    assert_eq!(reached.len(), pages.len(), "pages without a link to them");
    let matches = pages.keys().filter(|path| path.starts_with("round-0") || path.starts_with("round-1")).count();
    assert_eq!(matches, 8 + 5);
    let hosts: BTreeSet<_> = outside.iter().map(|url| url.split('/').nth(2).unwrap()).collect();
    let known = |host: &&str| *host == "github.com" || host.ends_with("example.org");
    assert!(hosts.iter().all(known), "{hosts:?}");
    for (path, page) in html(&pages) {
        let own = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap().len()
            + page.split("<script>").nth(1).unwrap().split("</script>").next().unwrap().len();
        assert!(own < 60_000, "{}: {own} bytes of style and script", path.display());
        assert!(!page.contains(" style=") && !page.contains(" onclick") && !page.contains(" onerror"));
        for img in page.split("<img ").skip(1).map(|rest| rest.split('>').next().unwrap()) {
            for needed in ["width=", "height=", "loading=\"lazy\"", "alt=\""] {
                assert!(img.contains(needed), "{}: {img} lacks {needed}", path.display());
            }
        }
        let heads = page.matches("<th ").count() + page.matches("<th>").count();
        assert_eq!(heads, page.matches("<th scope=\"").count(), "{}", path.display());
    }
}

#[test]
fn the_pages_say_what_happened() {
    let folder = example(false);
    let pages = report(folder.path(), &[]);
    let (winner, cheat) = (hotkey("basalt"), hotkey("mirage"));
    let index = text(&pages[Path::new("index.html")]);
    for part in ["Round 2: open", "gen404 reveal-seed", "from block 714 400", "2 passed, 1 rejected", "leader held"] {
        assert!(index.contains(part), "no {part:?} in {index}");
    }
    let round = text(&pages[Path::new("round-0.html")]);
    for part in [
        &format!("{} won the round with +25.0% against the leader.", winner.short()),
        "The timeline restarts without it.",
        &format!("{} audit: Non-critical mismatches (10) exceed tolerance (6)", cheat.short()),
        &format!("{} wins the round.", winner.short()),
        "no preview 1 of",
        "limit 0.1",
    ] {
        assert!(round.contains(part), "no {part:?} in {round}");
    }
    let name = format!("round-0/leader_{winner}.html");
    let page = &pages[Path::new(&name)];
    let seen = text(page);
    assert!(seen.contains("left lacks detail") && seen.contains("challenger won"), "{seen}");
    let duels = page.matches("class=\"duel\"").count();
    assert_eq!(duels, 24);
}

#[test]
fn a_miner_has_a_page_of_its_own() {
    let folder = example(false);
    let pages = report(folder.path(), &[]);
    let page = |name: &str| &pages[Path::new(&format!("miners/{}.html", hotkey(name)))];
    let winner = text(page("basalt"));
    for part in [
        hotkey("basalt").as_str(),
        "won 1.",
        "When it led",
        "challenged leader",
        "fetch.missing the server has no such file (status 404 or 410) status 404",
        "bounds.exceeded",
        "Audit passed",
    ] {
        assert!(winner.contains(part), "no {part:?} in {winner}");
    }
    // Links alone: the pictures are on someone's server.
    assert!(page("basalt").matches(">prompt</a>").count() >= 24, "each file has its prompt");
    assert!(winner.contains("rank 1 of "), "{winner}");
    assert!(text(page("mirage")).contains("Audit rejected Non-critical mismatches (10) exceed tolerance (6)"));
    let match_page = format!("href=\"../round-0/leader_{}.html\"", hotkey("basalt"));
    assert!(page("basalt").contains(&match_page), "no link to a match");
    let own = format!("miners/{}.html", hotkey("basalt"));
    let linked = |name: &str, link: &str| pages[Path::new(name)].contains(&format!("href=\"{link}\""));
    assert!(linked("index.html", &own) && linked("round-0.html", &own));
    assert!(linked(&format!("round-0/leader_{}.html", hotkey("basalt")), &format!("../{own}")));
    let list = pages[Path::new("index.html")].split("class=\"hotkeys\"").nth(1).unwrap();
    assert_eq!(list.matches("<li id=\"").count(), pages.keys().filter(|path| path.starts_with("miners")).count());
    let bare = example(false);
    for player in std::fs::read_dir(bare.path().join("rounds/0")).unwrap() {
        drop(std::fs::remove_file(player.unwrap().path().join("refusals.json")));
    }
    let old = report(bare.path(), &[]);
    assert!(text(&old[Path::new(&own)]).contains("not recorded"), "a round of an earlier version");
}

#[test]
fn the_same_files_give_the_same_bytes_wherever_they_go_and_only_changes_only_what_is_asked() {
    let folder = example(false);
    let all = report(folder.path(), &[]);
    assert!(all == report(folder.path(), &[]), "two runs differ");
    let one = report(folder.path(), &["--only", "1", "--json"]);
    let (reached, _) = crawl(&one);
    assert!(reached.iter().all(|path| !path.starts_with("round-0")));
    for (path, page) in one.iter().filter(|(path, _)| path.starts_with("round-1")) {
        assert!(page == &all[path], "{}", path.display());
    }
    let data: serde_json::Value = serde_json::from_str(&one[Path::new("report.json")]).unwrap();
    assert_eq!(data["competition"]["rounds"][2]["number"], 0);
    assert_eq!(data["rounds"][0]["standings"][0]["rank"], 1);
    let missing = gen404(folder.path(), &["report", "--only", "7"]).ends(2);
    assert!(missing.err.contains("round 7 is not here: rounds are 0 to 2"), "{}", missing.err);
    let planned = gen404(folder.path(), &["report", "--dry-run"]).ends(0);
    let usual = format!("{}-report", folder.path().canonicalize().unwrap().display());
    assert!(planned.err.contains("would write") && planned.out.contains(&usual), "{}", planned.out);
    assert!(!Path::new(&usual).exists());
}

/// Texts that try to be more than texts.
pub const HOSTILE: [&str; 4] = [
    "<script>document.title='taken'</script>",
    "\"><img src=x onerror=alert(1)>'",
    "\u{202e}desrever\u{2066} {{ page }} {% raw %}",
    "</blockquote></li></ol><h1>a\u{0}b\u{7f}",
];

/// A competition in which a judge's words, a reason, an URL and a description are hostile.
pub fn hostile() -> tempfile::TempDir {
    let folder = example(false);
    let json = |text: &str| serde_json::to_string(text).unwrap();
    let report = format!("rounds/0/{}/duels_leader.json", hotkey("basalt"));
    edit(folder.path(), &report, |text| {
        let mut text = text.to_owned();
        for hostile in HOSTILE {
            text = text.replacen("\"left lacks detail\"", &json(hostile), 1);
        }
        let url = text.split("\"right_glb\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        text.replacen(&url, "javascript:alert(1)", 1)
    });
    edit(folder.path(), "rounds/0/generation_audits.json", |text| {
        let reason = text.split("\"reason\": \"Non").nth(1).unwrap().split('"').next().unwrap().to_owned();
        text.replacen(&json(&format!("Non{reason}")), &json(&HOSTILE.join(" ")), 1)
    });
    edit(folder.path(), &format!("rounds/0/{}/refusals.json", hotkey("basalt")), |text| {
        text.replacen("\"status 404\"", &json(&HOSTILE.join(" ")), 1)
    });
    edit(folder.path(), "config.json", |text| {
        text.replacen("\"Two small rounds that show every file\"", &json(HOSTILE[0]), 1)
    });
    folder
}

#[test]
fn hostile_texts_stay_texts() {
    let folder = hostile();
    let pages = report(folder.path(), &[]);
    crawl(&pages);
    let page = &pages[Path::new(&format!("round-0/leader_{}.html", hotkey("basalt")))];
    let miner = &pages[Path::new(&format!("miners/{}.html", hotkey("basalt")))];
    for (at, page) in
        [(0, page), (1, miner), (0, &pages[Path::new("index.html")]), (1, &pages[Path::new("round-0.html")])]
    {
        let seen = text(page).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
        assert!(seen.contains(HOSTILE[at]), "{} is not to be seen in {seen}", HOSTILE[at]);
    }
    for (path, page) in html(&pages) {
        assert_eq!(page.matches("<script").count(), 1, "{}", path.display());
        assert!(!page.contains("<img src=x") && !page.contains("=\"javascript"), "{}", path.display());
        assert!(!page.contains(['\0', '\u{7f}']), "{}", path.display());
    }
    assert!(text(page).contains("\\u{202e}desrever\\u{2066} {{ page }} {% raw %}"));
    assert!(
        pages.values().all(|page| !page.contains(['\u{202e}', '\u{2066}'])),
        "marks of direction are shown as numbers"
    );
}

#[test]
fn damaged_competitions_still_give_a_report_that_names_the_damage() {
    let submissions = "rounds/0/submissions.json";
    let duels = format!("rounds/0/{}/duels_leader.json", hotkey("basalt"));
    let generated = format!("rounds/0/{}/generated.json", hotkey("basalt"));
    let paths = [
        "config.json",
        "state.json",
        "leader.json",
        submissions,
        "rounds/0/schedule.json",
        "rounds/0/seed.json",
        "rounds/0/prompts.txt",
        "rounds/0/builds.json",
        "rounds/0/matches_matrix.csv",
        "rounds/0/require_audit.json",
        "rounds/0/generation_audits.json",
        "rounds/0/winner.json",
        &duels,
        &generated,
    ];
    for path in few(3, paths) {
        let folder = example(false);
        std::fs::write(folder.path().join(path), b"{\"cut\": ").unwrap();
        let pages = report(folder.path(), &[]);
        crawl(&pages);
        let mut wrong: Vec<&str> = vec!["index.html"];
        wrong.extend(path.starts_with("rounds/0/").then_some("round-0.html"));
        for page in wrong {
            let seen = text(&pages[Path::new(page)]);
            assert!(seen.contains("is damaged or missing"), "{path} broken: {page} says nothing");
            assert!(seen.contains(path) && seen.contains("does not parse"), "{path} broken: {page}");
        }
        std::fs::remove_file(folder.path().join(path)).unwrap();
        crawl(&report(folder.path(), &[]));
    }
    let empty = tempfile::tempdir().unwrap();
    let pages = report(empty.path(), &["--repo", "."]);
    assert!(text(&pages[Path::new("index.html")]).contains("3 files are damaged or missing"));
}

#[test]
fn a_lie_is_told_where_it_is_found() {
    let folder = example(false);
    let path = format!("rounds/0/{}/duels_leader.json", hotkey("basalt"));
    edit(folder.path(), &path, |text| text.replacen("\"winner\": \"right\"", "\"winner\": \"left\"", 1));
    let pages = report(folder.path(), &[]);
    for page in ["index.html", "round-0.html"] {
        let seen = text(&pages[Path::new(page)]);
        assert!(seen.contains("match.score") && seen.contains(", expected "), "{page}: {seen}");
    }
}

/// Replaces the first address of a picture in a report.
fn with_picture(folder: &Path, url: &str) {
    let path = format!("rounds/0/{}/duels_leader.json", hotkey("basalt"));
    edit(folder, &path, |text| {
        let old = text.split("\"left_png\": \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        text.replacen(&format!("\"left_png\": \"{old}\""), &format!("\"left_png\": \"{url}\""), 1)
    });
}

/// The page of that report.
fn page_of(out: &Path) -> String {
    std::fs::read_to_string(out.join(format!("round-0/leader_{}.html", hotkey("basalt")))).unwrap()
}

/// What the page's policy says of pictures.
fn sources(page: &str) -> &str {
    page.split("img-src ").nth(1).unwrap().split(';').next().unwrap()
}

#[test]
fn objects_of_the_own_folder_are_reached_by_relative_links() {
    let folder = example(false);
    let key = "rounds/0/leader/generated/a.png";
    for base in ["file://{}/objects", "http://127.0.0.1:4040/objects"] {
        let base = base.replace("{}", &folder.path().canonicalize().unwrap().display().to_string());
        std::fs::create_dir_all(folder.path().join("objects")).unwrap();
        let beside = tempfile::tempdir_in(folder.path().parent().unwrap()).unwrap();
        let (out, name) = (beside.path(), folder.path().file_name().unwrap().to_str().unwrap());
        let report = || gen404(folder.path(), &["report", "--out", out.to_str().unwrap()]).ends(0);
        with_picture(folder.path(), &format!("{base}/{key}"));
        let cdn = if base.starts_with("http") { format!("cdn_url = {base:?}\n") } else { String::new() };
        std::fs::write(folder.path().join("gen404.toml"), format!("[store]\ndir = \"objects\"\n{cdn}")).unwrap();
        report();
        let page = page_of(out);
        assert!(attributes(&page, "src").contains(&format!("../../{name}/objects/{key}")), "{base}");
        assert!(sources(&page).contains("'self' file:"), "{}", sources(&page));
        // Whoever has not said that the folder is theirs gets no link into their disk.
        std::fs::write(folder.path().join("gen404.toml"), "").unwrap();
        report();
        let page = page_of(out);
        assert!(!page.contains("src=\"../") && !sources(&page).contains("file:"), "{}", sources(&page));
        assert!(text(&page).contains(&format!("{base}/{key}")), "it is shown as a text");
    }
}

#[test]
fn pages_ask_nobody_inside_the_readers_network() {
    for url in [
        "http://169.254.169.254/latest/meta-data/a.png",
        "http://127.0.0.1:8080/a.png",
        "http://localhost/a.png",
        "http://2130706433/a.png",
        "http://0177.0.0.1/a.png",
        "http://0x7f.1/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:10.0.0.1]/a.png",
        "http://192.168.1.1/a.png",
        "http://router.local/a.png",
        "http://vault.internal/a.png",
        "http://box/a.png",
        "https://me:pw@cdn.example.org/a.png",
        "https://cdn.example.org:22/a.png",
        "../../../etc/passwd",
        "file:///etc/passwd",
        "ftp://cdn.example.org/a.png",
    ] {
        let folder = example(false);
        with_picture(folder.path(), url);
        // A prompt's address is the pool's: whoever made the repository chose it.
        edit(folder.path(), "rounds/0/prompts.txt", |text| {
            let first = text.lines().next().unwrap().to_owned();
            let name = first.rsplit('/').next().unwrap().to_owned();
            text.replacen(&first, &format!("{}/{name}", url.rsplit_once('/').unwrap().0), 1)
        });
        let out = tempfile::tempdir().unwrap();
        gen404(folder.path(), &["report", "--out", out.path().join("x").to_str().unwrap()]).ends(0);
        for (path, bytes) in
            tree(&out.path().join("x")).into_iter().filter(|(path, _)| path.extension().unwrap() == "html")
        {
            let page = String::from_utf8(bytes).unwrap();
            for address in [attributes(&page, "src"), attributes(&page, "href")].concat() {
                let outside = address.contains("://") || address.contains("etc/passwd");
                assert!(!outside || address.starts_with("https://"), "{url} in {}: {address}", path.display());
                assert!(!address.starts_with(url), "{url} in {}", path.display());
            }
            let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).filter(|host| !host.is_empty());
            assert!(host.is_none_or(|host| !sources(&page).contains(host)), "{url}: {}", sources(&page));
        }
        assert!(text(&page_of(&out.path().join("x"))).contains(url), "{url} is shown as a text");
    }
}

#[test]
fn real_rounds_are_shown() {
    let Some(folder) = real_competition() else { return };
    let pages = report(folder.path(), &[]);
    let (reached, _) = crawl(&pages);
    assert_eq!(reached.len(), pages.len());
    assert_eq!(html(&pages).count(), 241, "an index, four rounds, 167 matches, 69 miners");
    let round = text(&pages[Path::new("round-0.html")]);
    for part in [
        "5GgpGaDxzT won the round with +22.7% against the leader.",
        "1 passed, 5 rejected",
        "5DScQA9A1u audit: Non-critical mismatches (43) exceed tolerance (6)",
        "Run 6, which stands",
    ] {
        assert!(round.contains(part), "no {part:?} in {round}");
    }
    let index = text(&pages[Path::new("index.html")]);
    for part in ["Round 3: open", "audit.verdict", "checked_prompts is 102, expected 128"] {
        assert!(index.contains(part), "no {part:?} in {index}");
    }
}

/// Every pair of colours that is written on each other, light and dark, reaches the ratio of AA.
#[test]
fn contrast_is_aa() {
    let css = include_str!("../../src/report/templates/report.css");
    let variables = |block: &str| -> BTreeMap<String, [f64; 3]> {
        let parts = block.split([';', '{', '}']).filter_map(|part| part.trim().strip_prefix("--")?.split_once(": #"));
        parts.map(|(name, hex)| (name.to_owned(), colour(hex))).collect()
    };
    let (light, rest) = css.split_once("@media screen").unwrap();
    let dark = rest.split("\n}").next().unwrap();
    let light = variables(light);
    let mut both = light.clone();
    both.extend(variables(dark));
    let mut pairs: Vec<(String, String, f64)> = Vec::new();
    for ink in ["ink", "quiet", "link", "bad", "good", "odd", "left", "right"] {
        pairs.extend(["paper", "card"].map(|ground| (ink.to_owned(), ground.to_owned(), 4.5)));
    }
    for name in ["left", "right", "bad", "good", "odd"] {
        pairs.push((name.to_owned(), format!("{name}-soft"), 4.5));
    }
    for name in ["n4", "n3", "n2", "n1", "p0", "p1", "p2", "p3"] {
        pairs.push((format!("{name}-ink"), name.to_owned(), 4.5));
    }
    let more = [("ink", "draw-soft"), ("ink", "soft"), ("quiet", "soft"), ("paper", "ink"), ("ink", "right-soft")];
    pairs.extend(more.map(|(ink, ground)| (ink.to_owned(), ground.to_owned(), 4.5)));
    pairs.extend(
        [
            ("link", "right-soft"),
            ("quiet", "right-soft"),
            ("card", "right"),
            ("ink", "bad-soft"),
            ("bad", "right-soft"),
        ]
        .map(|(ink, ground)| (ink.to_owned(), ground.to_owned(), 4.5)),
    );
    // Drawings need 3 to 1 against what lies beside them.
    for lead in (0..6).map(|at| format!("lead{at}")).chain(["draw".to_owned()]) {
        pairs.push((lead, "paper".to_owned(), 3.0));
    }
    for (theme, colours) in [("light", &light), ("dark", &both)] {
        for (ink, ground, needed) in &pairs {
            let ratio = contrast(colours[ink], colours[ground]);
            assert!(ratio >= *needed, "{theme}: {ink} on {ground} is {ratio:.2} to 1, {needed} is needed");
        }
    }
}

fn colour(hex: &str) -> [f64; 3] {
    let hex = hex.trim();
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0)
}

/// The contrast ratio of WCAG 2.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    let luminance = |c: [f64; 3]| 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn a_page_that_no_report_made_is_not_overwritten() {
    let folder = example(false);
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join("index.html"), "mine").unwrap();
    let to = out.path().to_str().unwrap();
    let refused = gen404(folder.path(), &["report", "--out", to]).ends(1);
    assert!(refused.err.contains("not a report's page"), "{}", refused.err);
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1);
    std::fs::remove_file(out.path().join("index.html")).unwrap();
    // A report's own page is, and so is the rest of its folder.
    gen404(folder.path(), &["report", "--out", to]).ends(0);
    gen404(folder.path(), &["report", "--out", to]).ends(0);
}
