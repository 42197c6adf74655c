//! The floors of src/, and those below it that are crates of their own: each imports only those below it. The crates
//! below the lowest floor are pure.

use std::path::{Path, PathBuf};

/// The crates beneath the lowest floor, and what each may use of ours: its Cargo.toml says so.
const CRATES: [(&str, &[&str]); 5] =
    [("blanks", &[]), ("module", &[]), ("python-json", &[]), ("zip", &[]), ("preview", &["gen404-python-json"])];

/// What a pure function has no use for.
const IMPURE: [&str; 9] = [
    "std::fs",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "std::process",
];

/// Only ui.rs prints.
const PRINTS: [&str; 3] = ["println!", "eprintln!", "print!("];

/// Where the floors are: the lower ones are crates of their own, `world` a single floor.
const PLACES: [&str; 3] = ["crates/core/src", "crates/world/src", "src"];

/// A floor and what it may import of these.
const FLOORS: [(&str, &[&str]); 11] = [
    ("base", &["base"]),
    ("model", &["model", "base"]),
    ("rules", &["rules", "model", "base", "module", "python_json"]),
    ("world", &["world", "model", "preview", "base"]),
    ("settings", &["settings", "world", "rules", "model", "base"]),
    ("ui", &["ui", "base"]),
    ("cli", &["cli", "model", "base"]),
    ("engine", &["engine", "settings", "world", "rules", "model", "preview", "ui", "base"]),
    ("report", &["report", "rules", "model", "base"]),
    ("sandbox", &["sandbox", "engine", "report", "world", "rules", "model", "preview", "ui", "base"]),
    (
        "commands",
        &[
            "commands", "cli", "sandbox", "report", "engine", "settings", "world", "preview", "module", "rules",
            "model", "ui", "base",
        ],
    ),
];

/// Single files beside the folders.
const FILES: [(&str, &[&str]); 2] =
    [("ui.rs", &["ui", "base"]), ("cli.rs", &["settings", "model", "rules", "preview", "ui", "base"])];

#[test]
fn each_floor_imports_only_those_below() {
    let mut read = 0;
    for (floor, allowed) in FLOORS.into_iter().chain(FILES) {
        for file in files(&place(floor)) {
            read += 1;
            let text = std::fs::read_to_string(&file).unwrap();
            for module in imported(&text) {
                let is_allowed = allowed.contains(&module.as_str()) || is_own(floor, &module);
                assert!(is_allowed, "{}: uses crate::{module}", file.display());
            }
            if floor == "rules" {
                for impure in IMPURE {
                    assert!(!text.contains(impure), "{}: rules are pure, but here is {impure}", file.display());
                }
            }
            if floor == "model" || floor == "base" {
                for impure in ["TcpStream", "UdpSocket", "ToSocketAddrs", "SystemTime", "Utc::now", "ureq"] {
                    assert!(!text.contains(impure), "{}: no {impure} here", file.display());
                }
            }
            if floor != "ui.rs" {
                for print in PRINTS {
                    assert!(!text.contains(print), "{}: only ui.rs prints, but here is {print}", file.display());
                }
            }
        }
    }
    assert_eq!(read, all().len() - 3, "a file belongs to no floor (main.rs and lib.rs are above them)");
}

#[test]
fn the_crates_below_are_pure() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    for (name, allowed) in CRATES {
        let manifest = std::fs::read_to_string(crates.join(name).join("Cargo.toml")).unwrap();
        for line in manifest.lines().filter(|line| line.contains("path =")) {
            assert!(allowed.iter().any(|ours| line.contains(&format!("\"{ours}\""))), "{name}: {line}");
        }
        let sources = files(&crates.join(name).join("src"));
        assert!(!sources.is_empty(), "{name}: no sources");
        for file in sources {
            let text = std::fs::read_to_string(&file).unwrap();
            for impure in IMPURE.into_iter().chain(PRINTS) {
                assert!(!text.contains(impure), "{}: {name} is pure, but here is {impure}", file.display());
            }
        }
    }
}

/// Every file that the program opens or makes goes through base/files.rs, which is guarded.
#[test]
fn files_are_opened_in_one_place() {
    let known =
        |file: &Path| file.ends_with("src/base/files.rs") || file.file_name().is_some_and(|name| name == "tests.rs");
    for file in all().iter().filter(|file| !known(file)) {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for unguarded in [
                "fs::read(",
                "fs::read_to",
                "fs::write",
                "File::open",
                "File::create(",
                "OpenOptions",
                "create_dir",
                "tempfile::tempfile",
                "tempfile::Builder",
                "tempfile::Named",
            ] {
                let known =
                    file.ends_with("src/settings/mod.rs") || line.contains("ProgramFile::") || line.contains("files::");
                assert!(known || !line.contains(unguarded), "{}: use crate::files: {line}", file.display());
            }
        }
    }
}

/// What a model file is called, and what is in it, is known in one room: all else asks the format.
#[test]
fn only_the_rooms_of_the_format_name_it() {
    let room = place("model").join("format");
    // Tests may: they hold what is written in files and journals.
    let asks = |file: &&PathBuf| !file.starts_with(&room) && !file.ends_with("tests.rs");
    for file in all().iter().filter(asks) {
        let text = std::fs::read_to_string(file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap().to_lowercase();
        for name in ["glb", "gltf"] {
            assert!(!text.contains(name), "{}: says {name}; ask model::format", file.display());
        }
    }
}

/// One command's file uses no other command's: what they share is an engine's.
#[test]
fn commands_do_not_call_each_other() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
    for file in files(&folder) {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in
            text.lines().filter(|line| line.trim_start().starts_with("use super::") && !file.ends_with("mod.rs"))
        {
            let own_part = file.parent().is_some_and(|parent| parent != folder);
            assert!(own_part || line.trim_start() == "use super::*;", "{}: {line}", file.display());
        }
    }
}

/// Is this a module of a floor that is a whole crate?
fn is_own(floor: &str, module: &str) -> bool {
    let place = place(floor);
    place.ends_with("src") && [module.to_owned(), format!("{module}.rs")].iter().any(|name| place.join(name).exists())
}

/// Where a floor is.
fn place(floor: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let whole = root.join(format!("crates/{floor}/src"));
    let mut places = PLACES.iter().map(|place| root.join(place).join(floor)).chain([whole]);
    places.find(|place| place.exists()).unwrap_or_else(|| panic!("no floor {floor}"))
}

/// The sources of all floors.
fn all() -> Vec<PathBuf> {
    PLACES.iter().flat_map(|place| files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(place))).collect()
}

fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut found: Vec<_> = entries.flat_map(|entry| files(&entry.unwrap().path())).collect();
    found.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    found.sort();
    found
}

/// What is counted in messages. Bytes and seconds are seldom one.
const COUNTED: [&str; 18] = [
    "commits",
    "files",
    "matches",
    "duels",
    "prompts",
    "miners",
    "hotkeys",
    "calls",
    "rounds",
    "pods",
    "outputs",
    "claims",
    "differences",
    "models",
    "messages",
    "servers",
    "images",
    "pictures",
];

/// Messages whose counts are never one, or that count something else.
const NEVER_ONE: [&str; 11] = [
    "submitted by {} hotkeys",
    "one image for {} hotkeys",
    "{models} of {of} models",
    "{more} models answered",
    "{verb} {} files (-v names them)",
    "{silent} of {} miners",
    "{done} of {all} prompts",
    "{done}/{all} matches",
    "{done} of the leader's {all} outputs",
    "lists .{} files",
    "{0} images where 3 are compared",
];

#[test]
fn a_count_of_one_has_the_singular() {
    let mut wrong = Vec::new();
    for file in all() {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap().lines();
        let code = code.filter(|line| !line.trim_start().starts_with("//") && line.contains('"'));
        for line in code.filter(|line| !NEVER_ONE.iter().any(|known| line.contains(known))) {
            let plural = |(at, _): &(usize, &str)| {
                let after = line[at + 2..].chars().take_while(char::is_ascii_alphabetic).collect::<String>();
                // "of {all} prompts", "more than {most} files" and "{needed} prompts" of a rule speak of many.
                let before = line[..*at].rsplit_once('{').map_or("", |(before, _)| before);
                COUNTED.contains(&after.as_str())
                    && !["of ", "than ", "most ", "needs "].iter().any(|of| before.ends_with(of))
            };
            wrong.extend(
                line.match_indices("} ").filter(plural).map(|_| format!("{}: {}", file.display(), line.trim())),
            );
        }
    }
    assert!(wrong.is_empty(), "base::text::counted says one of it in the singular:\n{}", wrong.join("\n"));
}

/// The modules that a file names by `crate::`; comments do not count.
fn imported(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut modules: Vec<String> = code
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .filter(|module: &String| !module.is_empty())
        .collect();
    modules.sort();
    modules.dedup();
    modules
}
