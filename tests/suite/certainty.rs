//! How sure the results are: `verify --json`, `-v` and the pages, against a script that shares nothing with ours.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::duels::{at_duels, manners};
use crate::formats::make_threejs;
use crate::judge_server::{JudgeServer, Manners};
use crate::other_formats::{of_threejs, splat};
use crate::report::{report, text};
use crate::support::{edit, example, findings, gen404, skipped};

/// Runs the script on a competition: every figure of `verify` has to be the script's own.
#[track_caller]
fn recomputed(folder: &Path) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_intervals");
    let mut command = Command::new("python3");
    command.arg(script).arg(folder).args(["--gen404", env!("CARGO_BIN_EXE_gen404"), "--resampled", "1"]);
    let Ok(run) = command.output() else {
        skipped("no python3 for scripts/check_intervals");
        return None;
    };
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    Some(said)
}

fn certainty(folder: &Path, flags: &[&str]) -> Value {
    gen404(folder, &[&["verify", "--json"], flags].concat()).details()["certainty"].clone()
}

/// Round 1 of the example, judged by a judge with these manners.
pub fn judged_by(manners: Manners) -> tempfile::TempDir {
    let (folder, judge) = (at_duels(), JudgeServer::start(manners));
    gen404(folder.path(), &["duel", "--judge-url", &judge.url]).ends(3);
    folder
}

#[test]
fn a_script_recomputes_every_figure() {
    let folder = example(false);
    let Some(said) = recomputed(folder.path()) else { return };
    let all = certainty(folder.path(), &[]);
    let count = all["matches"].as_array().unwrap().len();
    assert!(count > 5 && said.contains(&format!("{count} matches")), "{said}");
    // It does look: an interval that is wrong by one duel is noticed.
    assert!(said.contains(": 0 differences"), "{said}");
    let splat = splat("duels");
    assert!(recomputed(splat.path()).unwrap().contains("2 matches"));
    let threejs = tempfile::tempdir().unwrap();
    of_threejs(threejs.path());
    let said = recomputed(threejs.path()).unwrap();
    assert!(said.contains(": 0 differences"));
    // A copy under another name is no report, for the script either.
    let report = threejs.path().join(report_of(threejs.path()));
    std::fs::copy(&report, report.with_extension("truncated.json")).unwrap();
    assert_eq!(recomputed(threejs.path()).unwrap(), said);
}

/// The first match's report.
fn report_of(folder: &Path) -> String {
    certainty(folder, &[])["matches"][0]["file"].as_str().unwrap().to_owned()
}

#[test]
fn an_interval_without_width_has_a_reason() {
    let folder = example(false);
    let file = report_of(folder.path());
    edit(folder.path(), &file, |text| {
        let won = ["left", "right"].map(|side| format!("\"winner\": \"{side}\""));
        won.iter().fold(text.to_owned(), |text, won| text.replace(won, "\"winner\": \"draw\""))
    });
    let wordy = gen404(folder.path(), &["verify", "-v"]);
    let line = wordy.out.lines().find(|line| line.starts_with(&file)).unwrap();
    assert!(line.contains("margin +0.0000: no prompt decided it, so the interval has no width"), "{line}");
    assert!(!line.contains("% of resamples") && !line.contains("leaves out"), "{line}");
    let pages = report(folder.path(), &[]);
    let round = text(&pages[Path::new("round-0.html")]);
    let why = "every duel is a draw, so no prompt decided it";
    assert!(round.contains(&format!("(an interval without width: {why})")), "{round}");
    let whole =
        format!("has no width: {why}. The same prompts drawn again cannot give another margin; other prompts may.");
    assert!(pages.values().any(|page| page.contains(&whole)));
}

#[test]
fn a_judge_that_prefers_the_first_place_is_found() {
    let folder = judged_by(Manners { first: -3, ..manners() });
    recomputed(folder.path());
    let all = certainty(folder.path(), &["--round", "1"]);
    let [round] = all["rounds"].as_array().unwrap().as_slice() else { panic!("{all}") };
    let bias = &round["bias"];
    let mean = bias["mean"].as_f64().unwrap();
    assert!((-3.0..-2.0).contains(&mean), "less than 3 only where a penalty meets 0: {bias}");
    assert!(bias["first"].as_u64() > bias["second"].as_u64(), "{bias}");
    assert!(round["orders"]["contradicting"].as_u64() > Some(0), "{round}");
    let found = findings(folder.path(), &["--round", "1"]);
    let bias: Vec<_> = found.iter().filter(|found| found.id == "judge.bias").collect();
    let [bias] = bias.as_slice() else { panic!("{found:?}") };
    assert_eq!((bias.status.as_str(), bias.subject.as_str(), bias.round), ("warn", "rounds/1", Some(1)));
    assert!(bias.detail.starts_with("the model shown first gets 2."), "{}", bias.detail);
    // Which side is preferred is said in both directions.
    let folder = judged_by(Manners { first: 3, ..manners() });
    let found = findings(folder.path(), &["--round", "1"]);
    assert!(found.iter().any(|found| found.id == "judge.bias" && found.detail.contains("shown second gets 2.")));
}

#[test]
fn a_judge_without_a_preference_raises_nothing() {
    let folder = judged_by(manners());
    recomputed(folder.path());
    let all = certainty(folder.path(), &["--round", "1"]);
    assert_eq!(all["rounds"][0]["bias"]["mean"], 0.0, "{all}");
    assert_eq!(all["rounds"][0]["orders"]["contradicting"], 0, "the same penalties in both places: {all}");
    assert!(!findings(folder.path(), &[]).iter().any(|found| found.id == "judge.bias"));
}

#[test]
fn figures_that_need_the_answers_are_null_without_them() {
    let folder = example(false);
    let all = certainty(folder.path(), &["--round", "0"]);
    assert!(all["matches"].as_array().unwrap().iter().all(|one| one["orders"].is_null() && one["round"] == 0));
    assert_eq!(all["rounds"].as_array().unwrap().len(), 1);
    assert!(all["rounds"][0]["bias"].is_null() && all["rounds"][0]["orders"].is_null());
    assert!(all["rounds"][0]["judged"].as_u64() > all["rounds"][0]["draws"].as_u64());
    // three.js has the orders, as angles of the first stage.
    let threejs = tempfile::tempdir().unwrap();
    of_threejs(threejs.path());
    let all = certainty(threejs.path(), &[]);
    assert!(all["rounds"][0]["orders"]["compared"].as_u64() > Some(0), "{all}");
    assert!(all["matches"].as_array().unwrap().iter().all(|one| one["left"] != "submitted"));
    assert!(all["matches"].as_array().unwrap().iter().any(|one| one["right"] == make_threejs::hotkey(1)));
}

#[test]
fn the_margin_of_the_time_decides() {
    let folder = example(false);
    edit(folder.path(), "config.json", |text| text.replace("\"win_margin\": 0.05", "\"win_margin\": 0.9"));
    let all = certainty(folder.path(), &[]);
    let wins = all["matches"].as_array().unwrap().iter().filter(|one| one["wins"] == true).count();
    assert_eq!(wins, 0, "without history the current settings count");
    let committed = example(true);
    let before = certainty(committed.path(), &[]);
    edit(committed.path(), "config.json", |text| text.replace("\"win_margin\": 0.05", "\"win_margin\": 0.9"));
    assert_eq!(certainty(committed.path(), &[]), before, "with it, those of the commit that made the report");
}

#[test]
fn lines_come_with_v_alone() {
    let folder = example(false);
    let plain = gen404(folder.path(), &["verify"]);
    assert!(!plain.out.contains("95 % interval"), "{}", plain.out);
    let wordy = gen404(folder.path(), &["verify", "-v"]);
    let line = wordy.out.lines().find(|line| line.contains("duels_leader.json: margin")).unwrap();
    assert!(line.contains("95 % interval") && line.contains("of resamples reach 0.05"), "{line}");
    assert!(line.contains("1 prompt one leaves out") || line.contains("leaving out 1 prompt can"), "{line}");
    assert!(wordy.out.lines().any(|line| line.starts_with("round 0: ") && line.contains(" judged, ")), "{}", wordy.out);
    // What does not hold, and the summary, come last.
    let place = |what: &str| wordy.out.lines().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}"));
    let last = wordy.out.lines().enumerate().filter(|(_, line)| line.contains(" judged, ")).last().unwrap().0;
    assert!(
        place("format: mesh") < place("duels_leader.json: margin") && last < place("every claim that can be checked")
    );
}

#[test]
fn pages_say_how_sure_a_margin_is() {
    let folder = judged_by(Manners { first: -3, ..manners() });
    let pages = report(folder.path(), &[]);
    let round = text(&pages[Path::new("round-1.html")]);
    assert!(round.contains("95 % interval") && round.contains("penalty of the image shown first"), "{round}");
    let page = text(pages.iter().find(|(page, _)| page.starts_with("round-1")).unwrap().1);
    assert!(page.contains("95 % interval is") && page.contains("1 prompt"), "{page}");
    assert!(page.contains("The two orders contradict each other in "), "{page}");
}
