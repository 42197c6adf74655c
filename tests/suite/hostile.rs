//! Any bytes in any file: a clear answer, never a panic.

use gen404::model::file::{Content, FileKind};
use gen404::model::format::Format;
use gen404::model::snapshot::{Snapshot, Source};
use gen404::model::store::Store;
use gen404::rules::checks::history::Trace;
use proptest::prelude::*;

use crate::support::{example, gen404};

/// The example's files, one of each kind.
fn samples() -> Vec<(FileKind, Vec<u8>)> {
    let folder = example(false);
    let store = Store::open(folder.path()).unwrap();
    let mut seen = std::collections::HashSet::new();
    let paths = store.list().unwrap();
    let kinds = paths.iter().filter(|path| seen.insert(path.rsplit('/').next().unwrap().to_owned()));
    let kinds = kinds.map(|path| (FileKind::of_path(path).unwrap(), store.read(path).unwrap().unwrap()));
    kinds.chain(evidence()).collect()
}

/// The files of the judge's evidence, which the example lacks.
fn evidence() -> [(FileKind, Vec<u8>); 2] {
    let right = crate::support::make_competition::hotkey("basalt");
    let given = "{\"penalty_1\":2,\"penalty_2\":6,\"issues\":\"\u{e9}\",\"attempts\":1,\"prompt_tokens\":null,\
                 \"completion_tokens\":80}";
    let line = format!(
        "{{\"name\":\"car\",\"model\":null,\"question\":\"{0}\",\"images\":{{\"prompt\":null,\"left\":\"{0}\",\
         \"right\":null}},\"left_first\":{given},\"right_first\":{given}}}\n\
         {{\"name\":\"cat\",\"without_judge\":\"No previews for cat\"}}\n",
        "0a".repeat(32)
    );
    let question = "model = \"m\"\ntemperature = 0.0\nimages = \"urls\"\nsystem = \"\"\nprompt = '''a'''\nfirst = \"\"\n\
                    second = \"\"\ntask = \"\"\"\nb\"\"\"\n";
    let kind = |path: &str| FileKind::of_path(path).unwrap();
    [
        (kind(&format!("rounds/0/{right}/answers_leader.jsonl")), line.into_bytes()),
        (kind("rounds/0/question.toml"), question.as_bytes().to_vec()),
    ]
}

/// What is done to a file.
#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let words: Vec<&[u8]> = vec![
        b"null",
        b"\xff",
        b"\0",
        b"1e999",
        b"-",
        b"\"",
        b"{",
        b"[[[[",
        b"99999999999999999999999",
        b"\xef\xbb\xbf",
        b"\r\n",
        b",",
        b"NaN",
        b"\\u0000",
    ];
    let word = prop::sample::select(words);
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, with)| Damage::Flip(at, with)),
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), word).prop_map(|(at, word)| Damage::Insert(at, word.to_vec())),
        (any::<usize>(), 1..200_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    let length = bytes.len().max(1);
    match damage {
        Damage::Flip(at, with) => {
            if let Some(byte) = bytes.get_mut(at % length) {
                *byte = *with;
            }
        }
        Damage::Cut(at) => bytes.truncate(at % length),
        Damage::Insert(at, word) => drop(bytes.splice(at % length..at % length, word.iter().copied())),
        Damage::Repeat(at, size) => {
            let from = at % length;
            let part = bytes[from.min(bytes.len())..(from + size).min(bytes.len())].to_vec();
            bytes.extend(part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_parser_panic(which in any::<prop::sample::Index>(), damages in prop::collection::vec(damage(), 1..6)) {
        thread_local!(static SAMPLES: Vec<(FileKind, Vec<u8>)> = samples());
        SAMPLES.with(|samples| {
            let (kind, bytes) = which.get(samples);
            let mut bytes = bytes.clone();
            damages.iter().for_each(|damage| apply(&mut bytes, damage));
            match Content::parse(Format::Mesh, kind, &bytes) {
                Ok((content, _)) => drop(Trace::of(Ok(content))),
                Err(error) => prop_assert!(!error.reason.is_empty()),
            }
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// The checks run over whatever parses: damaged values must not make them panic either.
    #[test]
    fn no_damage_makes_verify_panic(files in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..4)) {
        let folder = example(false);
        let store = Store::open(folder.path()).unwrap();
        let paths = store.list().unwrap();
        for (which, damage) in &files {
            let path = folder.path().join(which.get(&paths));
            let mut bytes = std::fs::read(&path).unwrap();
            apply(&mut bytes, damage);
            std::fs::write(path, bytes).unwrap();
        }
        let snapshot = Snapshot::load(&store).unwrap();
        let facts = gen404::rules::checks::VerifyFacts::of_files(&snapshot);
        prop_assert!(!gen404::rules::checks::run(&facts).finish().is_empty());
    }
}

#[test]
fn numbers_that_parse_but_make_no_sense_are_findings() {
    for (path, old, new) in [
        ("config.json", "\"generation_stage_minutes\": 120", "\"generation_stage_minutes\": 4294967295"),
        ("config.json", "\"prompts_per_round\": 24", "\"prompts_per_round\": 18446744073709551615"),
        ("rounds/1/schedule.json", "707200", "18446744073709551615"),
        ("state.json", ": 2", ": 4294967295"),
    ] {
        let folder = example(false);
        crate::support::edit(folder.path(), path, |text| text.replacen(old, new, 1));
        let run = gen404(folder.path(), &["verify"]).ends(1);
        assert!(run.out.contains("fail"), "{}", run.out);
        let finalized = gen404(folder.path(), &["finalize", "--block", "709900", "--now", "2026-03-03T17:00:00Z"]);
        assert!([0, 1, 3].contains(&finalized.code), "{finalized:?}");
    }
}
