//! The judge's stages against a script that shares nothing with ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gen404::model::ids::Seed;
use gen404::model::threejs::asked::StageAnswer;
use gen404::model::threejs::embeddings::Embeddings;
use gen404::model::threejs::view::View;
use gen404::rules::threejs::staged::{BestViews, CallId, GrayMeasure, Known, Look, Next, next, sampled};
use serde_json::Value;

use crate::support::skipped;

/// Judges a duel with the script's answers: the calls that were asked, the winner and the detail.
fn judged(duel: &Value) -> (BTreeSet<String>, String, String) {
    let seed = Seed(u32::try_from(duel["seed"].as_u64().unwrap()).unwrap());
    let views = [0, 1].map(|side| duel["views"][side].as_bool().unwrap());
    let mut known = Known { has_views: views, ..Known::default() };
    let mut answers: BTreeMap<CallId, StageAnswer> = BTreeMap::new();
    loop {
        match next(seed, &known, &answers) {
            Next::Done(decided) => {
                let asked = answers.keys().map(ToString::to_string).collect();
                let detail = serde_json::to_string(&decided.detail).unwrap();
                return (asked, decided.winner.as_str().to_owned(), detail);
            }
            Next::Open { calls, looks } => {
                for look in looks {
                    match look {
                        Look::Embeddings => known.best = Some(best_views(duel)),
                        Look::Gray => known.gray = Some(gray(duel)),
                    }
                }
                for call in calls {
                    let said = duel["answers"][call.id.to_string()].to_string();
                    // Issues that the script leaves out are those that no attempt brought.
                    answers.insert(call.id, call.form.recall(&said).unwrap());
                }
            }
        }
    }
}

fn best_views(duel: &Value) -> BestViews {
    let of = |side: usize| {
        let file = STANDARD.decode(duel["npz"][side].as_str()?).unwrap();
        let best = Embeddings::read(&file).unwrap().best_view();
        assert_eq!(Some(best), View::named(duel["best_views"][side].as_str().unwrap()));
        Some(best)
    };
    match (of(0), of(1)) {
        (Some(a), Some(b)) => BestViews::Of(a, b),
        _ => BestViews::None,
    }
}

fn gray(duel: &Value) -> GrayMeasure {
    let pictures = duel["gray"].as_array().unwrap().iter().map(|picture| {
        let rows = picture["rows"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
        let bytes: Vec<u8> = rows.map(|channel| u8::try_from(channel.as_u64().unwrap()).unwrap()).collect();
        (usize::try_from(picture["width"].as_u64().unwrap()).unwrap(), bytes)
    });
    let pictures: Vec<(usize, Vec<u8>)> = pictures.collect();
    GrayMeasure::of(pictures.iter().flat_map(|(width, bytes)| sampled(*width, bytes)))
}

#[test]
fn a_script_judges_the_same_duels_alike() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_stages");
    let Ok(run) = Command::new("python3").arg(script).args(["--cases", "500"]).output() else {
        return skipped("no python3 for scripts/check_stages");
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let (mut stages, text) = (BTreeSet::new(), String::from_utf8(run.stdout).unwrap());
    for (at, line) in text.lines().enumerate() {
        let duel: Value = serde_json::from_str(line).unwrap();
        let expected = &duel["expected"];
        let (asked, winner, detail) = judged(&duel);
        assert_eq!(detail, expected["detail"].to_string(), "duel {at}");
        assert_eq!(winner, expected["winner"].as_str().unwrap(), "duel {at}");
        let calls = expected["asked"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        assert_eq!(asked, calls.collect(), "duel {at}");
        stages.extend(expected["detail"]["decided_by"].as_str().map(|by| by.split(" [").next().unwrap().to_owned()));
    }
    assert_eq!((text.lines().count(), stages.len()), (500, 8), "{stages:?}");
}
