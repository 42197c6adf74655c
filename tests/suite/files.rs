//! Every file, at every commit, reads and writes back to the same bytes.

use gen404::model::file::{Content, FileKind, Layout, split_newline};
use gen404::model::format::Format;
use gen404::model::snapshot::Source;
use gen404::model::store::Store;
use gen404::world::git::Git;

use crate::support::{example, make_competition, real_competition, tree};

/// Checks a file's bytes; `Err` where it does not parse.
fn round_trip(kind: &FileKind, bytes: &[u8]) -> Result<(), String> {
    let (_, layout) = Content::parse(Format::Mesh, kind, bytes).map_err(|e| e.to_string())?;
    let newline = split_newline(bytes).1;
    assert_eq!(layout, if newline { Layout::FinalNewline } else { Layout::Exact }, "{}", kind.path());
    Ok(())
}

#[test]
fn every_real_file_at_every_commit_writes_back_the_same_bytes() {
    let Some(folder) = real_competition() else { return };
    let git = Git::open(folder.path()).unwrap().unwrap();
    let log = git.log().unwrap();
    assert_eq!(log.commits.len(), 294);
    let (mut checked, mut broken, mut newlines) = (0, Vec::new(), Vec::new());
    for commit in &log.commits {
        for change in &commit.changes {
            let Some(blob) = &change.after else { continue };
            let bytes = git.blob(blob).unwrap();
            if split_newline(&bytes).1 {
                newlines.push(change.file.path());
            }
            match round_trip(&change.file, &bytes) {
                Ok(()) => checked += 1,
                Err(why) => broken.push(format!("{} {}: {why}", &commit.id[..7], change.file.path())),
            }
        }
    }
    assert!(checked > 800, "{checked} files");
    // Both were put right by hand before the competition began.
    assert_eq!(
        broken,
        [
            "857103b rounds/0/schedule.json: line 4 column 1: missing key `generation_deadline_block`",
            "1d586be config.json: line 6 column 31: \"8:00:00\" is not a time HH:MM:SS",
        ]
    );
    newlines.sort();
    newlines.dedup();
    assert_eq!(newlines, ["config.json", "state.json"], "only files edited by hand end in a newline");
}

#[test]
fn the_example_is_what_its_generator_makes() {
    let made = example(false);
    let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/competition");
    let (made, mut kept) = (tree(made.path()), tree(&kept));
    kept.retain(|path, _| FileKind::of_path(&path.to_string_lossy()).is_some());
    assert_eq!(made.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>());
    for (path, bytes) in made {
        assert!(kept[&path] == bytes, "{}: cargo run --example make_competition", path.display());
    }
}

#[test]
fn every_file_type_of_the_example_writes_back_the_same_bytes() {
    let folder = example(false);
    let store = Store::open(folder.path()).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for path in store.list().unwrap() {
        let kind = FileKind::of_path(&path).unwrap_or_else(|| panic!("{path} is no file of a competition"));
        round_trip(&kind, &store.read(&path).unwrap().unwrap()).unwrap();
        kinds.insert(path.rsplit('/').next().unwrap().split('_').next().unwrap().to_owned());
    }
    assert!(kinds.len() >= 13, "{kinds:?}");
}

#[test]
fn a_winner_is_read_by_either_name_and_written_with_both() {
    use gen404::model::file::RepoFile;
    use gen404::model::winner::Winner;
    let hotkey = make_competition::hotkey("someone");
    let sha = "28900bbb82c04f210eda8907713f57b9f6792992";
    for name in ["hotkey", "winner_hotkey"] {
        let text = format!(
            "{{\n  \"{name}\": \"{hotkey}\",\n  \"repo\": \"a/b\",\n  \"commit\": \"{sha}\",\n  \"docker_image\": \"i\"\n}}"
        );
        let winner = Winner::parse(Format::Mesh, text.as_bytes()).unwrap();
        assert_eq!(winner.player().as_str(), hotkey.as_str());
        assert_eq!(winner.to_bytes(), text.as_bytes(), "what was read is written back");
        let new = Winner::new(winner.player().clone(), winner.repo, winner.commit, winner.docker_image);
        let new = String::from_utf8(new.to_bytes()).unwrap();
        assert!(new.starts_with(&format!("{{\n  \"hotkey\": \"{hotkey}\",\n  \"winner_hotkey\": \"{hotkey}\",\n")));
    }
    assert!(
        Winner::parse(
            Format::Mesh,
            format!("{{\"repo\": \"a/b\", \"commit\": \"{sha}\", \"docker_image\": \"\"}}").as_bytes()
        )
        .is_err()
    );
}
