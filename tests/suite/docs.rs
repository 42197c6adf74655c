//! What is written down agrees with the program: man pages, completions, tables. Links and command blocks: `pages`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::{gen404, tree};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn man_pages_are_those_of_the_command_tree() {
    let folder = tempfile::tempdir().unwrap();
    gen404(folder.path(), &["man", "--out", "man"]).ends(0);
    let (made, kept) = (tree(&folder.path().join("man")), tree(&root().join("man")));
    assert!(made == kept, "run scripts/generate");
}

#[test]
fn completions_are_those_of_the_command_tree() {
    for (shell, file) in [("bash", "gen404.bash"), ("zsh", "_gen404"), ("fish", "gen404.fish")] {
        let made = gen404(root(), &["completions", shell]).ends(0).out;
        let kept = std::fs::read_to_string(root().join("completions").join(file)).unwrap();
        assert!(made == kept, "{file}: run scripts/generate");
    }
}

/// Names of the environment in this text that hold a secret.
fn secrets(text: &str) -> BTreeSet<String> {
    let ends = ["_KEY", "_KEY_ID", "_TOKEN", "_SECRET", "_PASSWORD", "CLIENT_ID"];
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let names = text.split('"').filter(|name| is_name(name) && ends.iter().any(|end| name.ends_with(end)));
    names.map(str::to_owned).collect()
}

/// The program's sources without their tests, by their paths.
fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    let files = ["src", "crates/core/src"].into_iter().flat_map(|place| tree(&root().join(place)));
    files
        .map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap().split("#[cfg(test)]").next().unwrap().to_owned()))
}

/// Every such name in the sources.
pub fn secrets_of_the_sources() -> BTreeSet<String> {
    sources().flat_map(|(_, text)| secrets(&text)).collect()
}

#[test]
fn the_page_on_settings_names_every_secret() {
    let page = std::fs::read_to_string(root().join("docs/settings.md")).unwrap();
    let mut named = BTreeSet::new();
    for (path, text) in sources() {
        for name in secrets(&text) {
            assert!(page.contains(&format!("`{name}`")), "{}: {name} is not in docs/settings.md", path.display());
            named.insert(name);
        }
    }
    assert!(named.len() >= 10, "{named:?}");
    assert!(page.contains("`_FILE`"));
}

#[test]
fn the_page_on_commands_knows_every_command() {
    let page = std::fs::read_to_string(root().join("docs/commands.md")).unwrap();
    let help = gen404(root(), &["--help"]).ends(0).out;
    let commands = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    for command in commands.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        assert!(page.contains(&format!("`{command}`")), "docs/commands.md does not speak of `{command}`");
    }
}

/// The paragraphs that begin with an id in bold, in order: `**`id`.** ...`.
fn paragraphs_on_checks(page: &str) -> Vec<(&str, &str)> {
    page.split("\n\n").filter_map(|paragraph| paragraph.trim_start().strip_prefix("**`")?.split_once("`.**")).collect()
}

#[test]
fn every_check_has_a_paragraph_on_what_it_proves_and_what_not() {
    let page = std::fs::read_to_string(root().join("docs/sceptic.md")).unwrap();
    let paragraphs = paragraphs_on_checks(&page);
    let ids: Vec<&str> = paragraphs.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, gen404::rules::checks::IDS.map(|(id, _)| id), "docs/sceptic.md: an id each, in the code's order");
    for (id, text) in paragraphs {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("*Proves* that") && text.contains("*Not shown"), "docs/sceptic.md: {id}");
        let wants = |needs: &str, is_so: bool| text.contains(needs) == is_so;
        let of_commits = ["history.append_only", "history.stage", "history.writer"].contains(&id);
        let history = wants("Over the commits only with `--history`", of_commits);
        let objects = wants("Needs `--objects`.", id.starts_with("object.") || id == "copies.previews");
        assert!(history && objects, "docs/sceptic.md: {id}");
    }
    let design = std::fs::read_to_string(root().join("docs/design.md")).unwrap();
    for (id, claim) in gen404::rules::checks::IDS {
        assert!(design.contains(&format!("`{id}`")), "docs/design.md does not speak of {id} ({claim})");
    }
}

/// The keys that the program knows in a section, as its own complaint about an unknown one lists
/// them; `None` where the section is no table.
fn known_keys(section: &str) -> Option<Vec<String>> {
    let header = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
    let why = gen404::settings::Config::parse(&format!("{header}no-such-key = 1\n")).unwrap_err().to_string();
    let expected = why.split("unknown key `no-such-key`, expected").nth(1)?;
    Some(expected.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

pub fn collect_known(section: &str, found: &mut BTreeSet<String>) {
    for key in known_keys(section).unwrap_or_default() {
        let path = if section.is_empty() { key } else { format!("{section}.{key}") };
        if known_keys(&path).is_some() {
            collect_known(&path, found);
        } else {
            found.insert(path);
        }
    }
}

fn collect_given(prefix: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => collect_given(&path, inner, found),
            _ => {
                found.insert(path);
            }
        }
    }
}

#[test]
fn the_example_settings_explain_every_key() {
    let text = std::fs::read_to_string(root().join("examples/gen404.toml")).unwrap();
    gen404::settings::Config::parse(&text).unwrap();
    // `#key = value` and `#[section]` are optional: what they would say has to be right as well.
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])).unwrap_or(line))
        .collect();
    let uncommented = uncommented.join("\n");
    gen404::settings::Config::parse(&uncommented).unwrap();
    let (mut known, mut given) = (BTreeSet::new(), BTreeSet::new());
    collect_known("", &mut known);
    collect_given("", &toml::from_str(&uncommented).unwrap(), &mut given);
    assert!(known.len() > 60, "{known:?}");
    assert_eq!(given, known);
    for line in uncommented.lines().filter(|line| line.contains(" = ") && !line.trim_start().starts_with('#')) {
        assert!(line.contains("  # "), "not explained: {line}");
    }
}

/// The table of file kinds as `docs/design.md` shows it.
fn kinds_table() -> String {
    use gen404::model::file::FileKind;
    use gen404::model::ids::{Player, RoundNumber};
    use gen404::model::kinds::{Keeps, Syntax, Writers};
    let hotkey = crate::round::hotkey(0);
    let player = Player::Miner(hotkey.parse().unwrap());
    let mut lines = vec![
        "| file | form | record | written by | keeps | bytes | entries | room for |".to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for file in FileKind::every(RoundNumber(0), &player) {
        let row = file.row();
        let path = file.path().replacen("rounds/0/", "rounds/N/", 1).replace(&hotkey, "HOTKEY");
        assert!(path.ends_with(row.name), "{path}");
        let form = match row.syntax {
            Syntax::Json => "JSON",
            Syntax::Csv => "CSV",
            Syntax::JsonLines => "JSON lines",
            Syntax::Lines => "lines",
            Syntax::Toml => "TOML",
        };
        let writers = match row.writers {
            Writers::Commands(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            Writers::EveryMove => "every command that moves the stage".to_owned(),
            Writers::PeopleAtFirst => "people, at first".to_owned(),
            Writers::People => "people".to_owned(),
        };
        let keeps = match row.keeps {
            Keeps::Nothing => "",
            Keeps::All => "all",
            Keeps::AllOnceSeeded => "all, once `seed.json` is there",
            Keeps::AllOnceInMatrix => "all, once its row is in the matrix",
            Keeps::Entries => "its entries: it only grows",
            Keeps::Keys => "its keys",
            Keeps::Rows => "its rows",
            Keeps::Lines => "its lines",
        };
        let bytes = match row.limits.bytes {
            bytes if bytes < 1 << 20 => format!("{} KiB", bytes >> 10),
            bytes => format!("{} MiB", bytes >> 20),
        };
        let counted = if matches!(row.syntax, Syntax::Json | Syntax::JsonLines) { "values" } else { "lines" };
        let (record, entries, room) = (row.record, row.limits.entries, row.room);
        let count = format!("{entries} {counted}");
        lines.push(format!("| `{path}` | {form} | `{record}` | {writers} | {keeps} | {bytes} | {count} | {room} |"));
    }
    lines.join("\n")
}

#[test]
fn the_contract_has_the_table_of_file_kinds() {
    let design = std::fs::read_to_string(root().join("docs/design.md")).unwrap();
    let table = kinds_table();
    assert!(design.contains(&table), "docs/design.md, section 2.7, is to have:\n{table}");
}

/// The lines of a table of stages, by the command that they name in their own column.
fn stage_lines<'a>(text: &'a str, command: &str) -> Vec<&'a str> {
    let lines = text.lines().map(|line| line.trim_start_matches("//! "));
    lines.filter(|line| line.starts_with('|') && line.contains(&format!("| `{command}` |"))).collect()
}

#[test]
fn every_table_of_stages_names_the_commands_and_the_files_that_they_write() {
    use gen404::model::file::FileKind;
    use gen404::model::ids::{Player, RoundNumber};
    use gen404::model::kinds::Writers;
    use gen404::model::stage::Stage;
    use gen404::rules::stage_table;
    let players = [Player::Leader, Player::Miner(crate::round::hotkey(0).parse().unwrap())];
    for place in ["docs/design.md", "src/lib.rs"] {
        let text = std::fs::read_to_string(root().join(place)).unwrap();
        for command in stage_table::commands() {
            let lines = stage_lines(&text, command).join("\n");
            assert!(!lines.is_empty(), "{place}: no line of {command}");
            for file in players.iter().flat_map(|player| FileKind::every(RoundNumber(0), player)) {
                let is_its = matches!(file.row().writers, Writers::Commands(names) if names.contains(&command));
                let of_leader = matches!(file, FileKind::Player(_, Player::Leader, _));
                let named = file.row().name.replace("LEFT", "<left>");
                // The leader has no file that a match or a submission makes.
                let of_miners = ["submitted.json", "refusals.json", "duels_<left>.json", "answers_<left>.jsonl"];
                let real = !of_leader || !of_miners.contains(&named.as_str());
                assert!(!is_its || !real || lines.contains(&named), "{place}: {command} writes {named}:\n{lines}");
            }
        }
    }
    let design = std::fs::read_to_string(root().join("docs/design.md")).unwrap();
    for stage in Stage::ALL {
        assert!(design.contains(&format!("`{stage}`")), "{stage}");
        for command in stage_table::row(stage).commands {
            let first = |line: &&str| line.split('|').nth(1).is_some_and(|cell| spans(cell, stage));
            assert!(stage_lines(&design, command).iter().any(first), "docs/design.md: {command} in {stage}");
        }
    }
}

/// Does "`a`" or "`a` to `b`" hold this stage?
fn spans(cell: &str, stage: gen404::model::stage::Stage) -> bool {
    let all = gen404::model::stage::Stage::ALL;
    let place = |name: &str| all.iter().position(|known| known.as_str() == name.trim().trim_matches('`'));
    let (first, last) = cell.split_once(" to ").unwrap_or((cell, cell));
    let ends = place(first).zip(place(last));
    ends.is_some_and(|(first, last)| (first..=last).contains(&all.iter().position(|known| *known == stage).unwrap()))
}

#[test]
fn every_code_of_a_refusal_is_explained() {
    use gen404::model::refusals::{CODES, meaning};
    let read = |name: &str| std::fs::read_to_string(root().join("docs").join(name)).unwrap();
    let pages = read("downloads.md") + &read("previews.md");
    for (code, _) in CODES {
        assert!(pages.contains(&format!("`{code}`")), "{code}: neither in docs/downloads.md nor docs/previews.md");
    }
    for code in gen404::preview::RefusalCode::ALL {
        assert!(meaning(code.as_str()).is_some(), "{code}: src/model/refusals.rs does not know it");
    }
    let codes: BTreeSet<_> = CODES.iter().map(|(code, _)| code).collect();
    assert_eq!(codes.len(), CODES.len());
}

#[test]
fn the_contract_has_every_check_and_format() {
    let design = std::fs::read_to_string(root().join("docs/design.md")).unwrap();
    for (id, claim) in gen404::rules::checks::IDS {
        assert!(design.contains(&format!("`{id}`")), "docs/design.md, section 6, does not speak of {id} ({claim})");
    }
    let row = design.lines().find(|line| line.starts_with("| `format` |")).unwrap();
    for format in gen404::model::format::Format::ALL {
        assert!(row.contains(&format!("`{format}`")), "docs/design.md, section 2.3: {format}");
    }
}

#[test]
fn the_schema_of_status_has_every_stage() {
    let schema = std::fs::read_to_string(root().join("docs/schemas/status.json")).unwrap();
    for stage in gen404::model::stage::Stage::ALL {
        assert!(schema.contains(&format!("\"{stage}\"")), "docs/schemas/status.json: {stage}");
    }
}
