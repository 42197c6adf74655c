//! The pages for readers (README, docs/ and what stands beside them): every link leads somewhere, every block of commands
//! is run or parsed, and the book has every page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use gen404::cli::Cli;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page, as far as the tests look at it.
#[derive(Default)]
struct Page {
    /// What a link can name after `#`.
    anchors: BTreeSet<String>,
    links: Vec<String>,
    /// Fenced blocks: language and text.
    blocks: Vec<(String, String)>,
}

impl Page {
    fn of(text: &str) -> Page {
        let mut page = Page::default();
        let (mut heading, mut block) = (None, None);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.add_anchor(&heading.take().unwrap()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.to_string());
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    block = Some((language.to_string(), String::new()));
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some((_, block)) = &mut block {
                        block.push_str(&text);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// Headings are named as GitHub and mdBook name them: a second one of the same text gets a number.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase();
        let numbered = (1..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !self.anchors.contains(name));
        self.anchors.extend(free);
    }
}

/// The pages, by their path from the root.
fn pages() -> BTreeMap<PathBuf, Page> {
    let mut pages = BTreeMap::new();
    for folder in ["", "docs"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = Path::new(folder).join(entry.unwrap().file_name());
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(root().join(&path)).unwrap();
                pages.insert(path, Page::of(&text));
            }
        }
    }
    assert!(pages.len() > 20, "{:?}", pages.keys());
    pages
}

/// Where a relative path leads from a page, without `..`; `None` where it leaves the repository.
fn resolved(page: &Path, link: &str) -> Option<PathBuf> {
    let mut found = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => found.pop().then_some(())?,
            Component::Normal(part) => found.push(part),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(found)
}

/// What is wrong with a link; `None` where it leads somewhere.
fn wrong(pages: &BTreeMap<PathBuf, Page>, page: &Path, link: &str) -> Option<&'static str> {
    if link.contains("://") {
        return (!link.starts_with("https://")).then_some("not https");
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let Some(target) = (if path.is_empty() { Some(page.to_owned()) } else { resolved(page, path) }) else {
        return Some("outside the repository");
    };
    if !root().join(&target).exists() {
        return Some("no such file");
    }
    let known = anchor.is_empty() || pages.get(&target).is_some_and(|page| page.anchors.contains(anchor));
    (!known).then_some("no such heading")
}

#[test]
fn every_link_leads_somewhere() {
    let (pages, mut seen) = (pages(), 0);
    for (path, page) in &pages {
        for link in &page.links {
            assert_eq!(wrong(&pages, path, link), None, "{}: {link}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 150, "only {seen} links");
}

#[test]
fn a_link_that_leads_nowhere_is_noticed() {
    let pages =
        BTreeMap::from([(PathBuf::from("docs/README.md"), Page::of("# One `two`: three\n\n## Same\n\n## Same\n"))]);
    let wrong = |link| wrong(&pages, Path::new("docs/README.md"), link);
    let good = ["", "#one-two-three", "#same", "#same-1", "../README.md", "../src", "https://example.org/x"];
    assert!(good.iter().all(|link| wrong(link).is_none()));
    assert_eq!(wrong("#same-2"), Some("no such heading"));
    assert_eq!(wrong("no.md"), Some("no such file"));
    assert_eq!(wrong("../README.md#x"), Some("no such heading"));
    assert_eq!(wrong("../../x"), Some("outside the repository"));
    assert_eq!(wrong("http://example.org"), Some("not https"));
}

#[test]
fn the_book_has_every_page_once() {
    let pages = pages();
    let mut listed = pages[Path::new("docs/SUMMARY.md")].links.clone();
    listed.sort();
    let names = pages.keys().filter_map(|path| path.strip_prefix("docs").ok());
    let mut names: Vec<String> = names.map(|path| path.to_str().unwrap().to_owned()).collect();
    names.retain(|name| name != "SUMMARY.md");
    assert_eq!(listed, names);
}

/// The words of each command in a block of shell lines; without comments, and with continued lines as one.
fn commands(block: &str) -> Vec<Vec<String>> {
    // The shell's own substitution of today's date.
    let lines = block.replace("\\\n", " ").replace("$(date -u +%F)", "2026-03-01");
    let lines = lines.lines().map(|line| line.split(" #").next().unwrap_or_default());
    lines.flat_map(|line| line.split(" && ")).map(words).filter(|words| !words.is_empty()).collect()
}

/// Words between spaces; quotes keep them together. Variables set for one command are left out.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars().chain([' ']) {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            c => word.push(c),
        }
    }
    let is_set =
        |word: &String| word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase()));
    words.into_iter().skip_while(is_set).collect()
}

/// Does the program know this command line? Its own help is none of our business.
fn parses(words: &[String]) -> Result<(), String> {
    Cli::try_parse_from(words).map(|_| ()).map_err(|error| error.to_string())
}

/// The word after a flag.
fn given<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    words.iter().skip_while(|word| *word != flag).nth(1).map(String::as_str)
}

fn check_cargo(words: &[String]) -> Result<(), String> {
    const KNOWN: [&str; 10] = ["bench", "build", "clippy", "deny", "doc", "fmt", "install", "run", "test", "tree"];
    let known = words.get(1).is_some_and(|sub| KNOWN.contains(&sub.as_str()));
    let exists = |flag: &str, places: &[&str]| {
        let Some(name) = given(words, flag) else { return true };
        places.iter().any(|place| root().join(place.replace("NAME", name)).exists())
    };
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let profile = given(words, "--profile").is_none_or(|name| manifest.contains(&format!("[profile.{name}]")));
    let tests = ["tests/NAME.rs", "tests/NAME/main.rs", "crates/preview/tests/NAME/main.rs"];
    let parts = exists("--test", &tests)
        && exists("--bench", &["crates/benches/benches/NAME.rs"])
        && exists("--example", &["examples/NAME.rs"]);
    if !known || !profile || !parts {
        return Err("cargo knows no such thing here".to_owned());
    }
    match words.iter().position(|word| word == "--") {
        Some(at) if words.get(1).is_some_and(|sub| sub == "run") => {
            let rest = words.iter().skip(at + 1).cloned();
            parses(&std::iter::once("gen404".to_owned()).chain(rest).collect::<Vec<_>>())
        }
        _ => Ok(()),
    }
}

/// A command of a shell block is one of ours and parses, or one that every reader has.
fn check(words: &[String]) -> Result<(), String> {
    // Variables set for one command.
    let variables = words.iter().take_while(|word| word.split_once('=').is_some_and(|(name, _)| is_variable(name)));
    let words = words.get(variables.count()..).unwrap_or_default();
    const OTHERS: [&str; 8] = ["cd", "curl", "docker", "export", "git", "sha256sum", "ssh-keygen", "tar"];
    match words.first().map(String::as_str).unwrap_or_default() {
        "gen404" => parses(words),
        "cargo" => check_cargo(words),
        own if own.starts_with("scripts/") || own.starts_with(".ci/") => {
            root().join(own).is_file().then_some(()).ok_or_else(|| "no such script".to_owned())
        }
        other => OTHERS.contains(&other).then_some(()).ok_or_else(|| "no command that a reader has".to_owned()),
    }
}

fn is_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn every_block_is_run_or_parsed() {
    let mut kinds = BTreeMap::new();
    for (path, page) in pages() {
        for (kind, text) in &page.blocks {
            *kinds.entry(kind.clone()).or_insert(0) += 1;
            let place = path.display();
            match kind.as_str() {
                // By the test below.
                "console" => assert!(text.lines().all(|line| line.starts_with("$ gen404 ")), "{place}: {text}"),
                "toml" => drop(gen404::settings::Config::parse(text).unwrap()),
                "crontab" => {
                    let command = text.trim().strip_prefix("* * * * * ").unwrap();
                    assert_eq!(check(&words(command)), Ok(()), "{place}");
                }
                "sh" => {
                    for words in commands(text) {
                        assert_eq!(check(&words), Ok(()), "{place}: {words:?}");
                    }
                }
                "json" => drop(serde_json::from_str::<serde_json::Value>(text).unwrap()),
                "text" => {}
                other => panic!("{place}: a block of {other:?}"),
            }
        }
    }
    assert!(kinds["console"] >= 3 && kinds["sh"] >= 12 && kinds.contains_key("toml"), "{kinds:?}");
}

#[test]
fn a_command_that_is_wrong_is_noticed() {
    let wrong =
        ["gen404 --commit opens", "gen404 verify --histories", "cargo run -- sandbag", "cargo bench --bench no"];
    for line in wrong.into_iter().chain(["scripts/no x", "make", "cargo build --profile fast", "cargo juggle"]) {
        assert!(commands(line).iter().all(|words| check(words).is_err()), "{line}");
    }
    let lines = commands("A=\"b c\" gen404 \\\n  verify --round 0  # why\n\nexport X=$PWD && gen404 status\n");
    assert_eq!(lines, [vec!["gen404", "verify", "--round", "0"], vec!["export", "X=$PWD"], vec!["gen404", "status"]]);
    assert!(lines.iter().all(|words| check(words).is_ok()));
}

#[test]
fn every_console_line_runs() {
    let mut ran = 0;
    for (path, page) in pages() {
        for (_, text) in page.blocks.iter().filter(|(kind, _)| kind == "console") {
            for line in text.lines().filter_map(|line| line.strip_prefix("$ gen404 ")) {
                let run = Command::new(env!("CARGO_BIN_EXE_gen404")).args(words(line)).current_dir(root()).output();
                let run = run.unwrap();
                let said = String::from_utf8_lossy(&run.stderr);
                assert!(run.status.success(), "{}: gen404 {line}: {said}", path.display());
                ran += 1;
            }
        }
    }
    assert!(ran >= 6, "only {ran} commands");
}

#[test]
fn the_readme_is_short_and_begins_with_its_contents() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let count = text.split_whitespace().count();
    assert!(count <= 920, "README.md has {count} words: the rest belongs into docs/");
    let page = Page::of(&text);
    let listed: Vec<&str> = page.links.iter().filter_map(|link| link.strip_prefix('#')).collect();
    let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let names: Vec<String> =
        headings.iter().map(|name| name.to_lowercase().replace(',', "").replace(' ', "-")).collect();
    assert_eq!(listed, names);
    let archive = concat!("gen404-", env!("CARGO_PKG_VERSION"), "-x86_64-unknown-linux-musl.tar.gz");
    assert!(text.contains(archive), "README.md names the archive of another version");
    // Its two commands, as .ci/run runs them.
    let ci = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    let two: Vec<_> =
        page.blocks.iter().filter(|(kind, _)| kind == "sh").flat_map(|(_, text)| commands(text)).collect();
    for (ours, in_ci) in
        [("cargo run -- sandbox", "cargo run --locked -- sandbox"), ("cargo test", "cargo test --locked")]
    {
        assert!(two.iter().any(|words| words.join(" ") == ours) && ci.contains(in_ci), "{ours}");
    }
}
