//! Intake (DESIGN 4.1): turns what miners revealed on chain into a round's submissions.

use std::collections::BTreeMap;
use std::fmt;

use super::payload::{self, PayloadError};
use crate::base::url::check_cdn_url;
use crate::model::ids::{Block, CommitSha, Hotkey, RepoName, RoundNumber};
use crate::model::record::Extra;
use crate::model::reveal::{Compat, Reveal, Reveals};
use crate::model::schedule::Schedule;
use crate::model::submissions::{Submission, Submissions};
use crate::python_json::{self, Map, Text, Value};

/// What decides whether a reveal counts.
#[derive(Debug, Clone)]
pub struct SubmissionTerms<'a> {
    /// The competition's name.
    pub competition: &'a str,
    /// The round.
    pub round: RoundNumber,
    /// The first block whose reveals count.
    pub earliest: Block,
    /// The last block whose reveals count.
    pub latest: Block,
    /// How stored bytes are decoded.
    pub compat: Compat,
    /// Accept a `cdn_url` on a host that is not public (sandbox, tests).
    pub allow_private_cdn: bool,
}

impl<'a> SubmissionTerms<'a> {
    /// The terms of a round with this schedule, decoded strictly.
    #[must_use]
    pub fn new(competition: &'a str, round: RoundNumber, schedule: &Schedule) -> Self {
        let (earliest, latest) = (schedule.earliest_reveal_block, schedule.latest_reveal_block);
        SubmissionTerms { competition, round, earliest, latest, compat: Compat::Strict, allow_private_cdn: false }
    }
}

/// The accepted and the refused submissions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intake {
    /// The submissions, by block of the commit, then hotkey.
    pub accepted: Submissions,
    /// Hotkeys that revealed something within the window but were refused.
    pub refused: BTreeMap<Hotkey, SubmissionRefusal>,
    /// Ignored payloads of accepted hotkeys, one line each.
    pub notes: BTreeMap<Hotkey, Vec<String>>,
    /// How many hotkeys revealed nothing within the window.
    pub outside: usize,
}

/// Why a hotkey was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionRefusal {
    /// All that its values lack, and each one that is invalid.
    pub reason: String,
    /// Its ignored payloads, one line each.
    pub notes: Vec<String>,
}

/// A field's value with the block that revealed it; the larger pair wins.
type Dated = Option<(Block, Text)>;

/// The latest value of each field.
#[derive(Debug, Default)]
struct Latest {
    repo: Dated,
    commit: Dated,
    cdn_url: Dated,
}

/// Reads what miners revealed into the round's submissions.
#[must_use]
pub fn intake(reveals: &Reveals, terms: &SubmissionTerms<'_>) -> Intake {
    let mut intake = Intake::default();
    let mut accepted = Vec::new();
    for (hotkey, reveals) in reveals {
        let within = |reveal: &&Reveal| (terms.earliest..=terms.latest).contains(&reveal.block);
        let within: Vec<&Reveal> = reveals.iter().filter(within).collect();
        if within.is_empty() {
            intake.outside += 1;
            continue;
        }
        let (latest, notes) = gather(&within, terms.compat);
        match submission(latest, terms) {
            Ok(submission) => {
                accepted.push((hotkey.clone(), submission));
                if !notes.is_empty() {
                    intake.notes.insert(hotkey.clone(), notes);
                }
            }
            Err(reason) => {
                intake.refused.insert(hotkey.clone(), SubmissionRefusal { reason, notes });
            }
        }
    }
    accepted.sort_by(|(a, x), (b, y)| (x.revealed_at_block, a).cmp(&(y.revealed_at_block, b)));
    intake.accepted = accepted.into_iter().collect();
    intake
}

/// The latest value of each field over a hotkey's payloads, and a note on each payload or field ignored.
fn gather(reveals: &[&Reveal], compat: Compat) -> (Latest, Vec<String>) {
    let mut latest = Latest::default();
    let mut notes = Vec::new();
    for reveal in reveals {
        let mut note = |why: &dyn fmt::Display| notes.push(format!("block {}: {why}", reveal.block));
        let object = match payload::text(&reveal.raw, compat).and_then(|text| parse_object(&text, compat)) {
            Ok(object) => object,
            Err(why) => {
                note(&why);
                continue;
            }
        };
        let fields = [("repo", &mut latest.repo), ("commit", &mut latest.commit), ("cdn_url", &mut latest.cdn_url)];
        for (name, field) in fields {
            match object.get(name.as_bytes()) {
                // A later empty value does not clear an earlier one, as in the deployed collector.
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.is_empty() => {}
                Some(Value::String(text)) => {
                    let dated = Some((reveal.block, text.clone()));
                    // `None` is the smallest; at the same block the larger text wins.
                    if dated > *field {
                        *field = dated;
                    }
                }
                Some(_) => note(&format!("{name} is not a string")),
            }
        }
    }
    (latest, notes)
}

/// The submission that a hotkey's values make, or all that is wrong with them.
fn submission(latest: Latest, terms: &SubmissionTerms<'_>) -> Result<Submission, String> {
    let missing: Vec<&str> = [("repo", &latest.repo), ("commit", &latest.commit), ("cdn_url", &latest.cdn_url)]
        .into_iter()
        .filter_map(|(name, field)| field.is_none().then_some(name))
        .collect();
    let mut faults = Vec::new();
    if !missing.is_empty() {
        faults.push(format!("no {} within blocks {} to {}", missing.join(", "), terms.earliest, terms.latest));
    }
    let block = latest.commit.as_ref().map(|(block, _)| *block);
    // A lone surrogate is shown as U+FFFD, which none of the three parsers accepts.
    let repo: Option<RepoName> = valued("repo", latest.repo, &mut faults, str::parse::<RepoName>);
    let commit: Option<CommitSha> = valued("commit", latest.commit, &mut faults, str::parse::<CommitSha>);
    let cdn_url = valued("cdn_url", latest.cdn_url, &mut faults, |text| check_cdn_url(text, terms.allow_private_cdn));
    match (repo, commit, cdn_url, block) {
        (Some(repo), Some(commit), Some(cdn_url), Some(revealed_at_block)) => {
            let round = format!("{}-{}", terms.competition, terms.round);
            Ok(Submission { repo, commit, cdn_url, revealed_at_block, round, extra: Extra::default() })
        }
        _ => Err(faults.join("; ")),
    }
}

/// A field's value; what is wrong with it joins the faults.
fn valued<T, E: fmt::Display>(
    name: &str,
    dated: Dated,
    faults: &mut Vec<String>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let (_, text) = dated?;
    parse(&text.shown()).map_err(|why| faults.push(format!("{name}: {why}"))).ok()
}

/// A payload's JSON object. Single quotes in place of double ones (as Python prints a dict) are
/// accepted too: the deployed collector replaces them before it parses anything, this reader only
/// in text that is not valid JSON.
fn parse_object(text: &str, compat: Compat) -> Result<Map, PayloadError> {
    let quoted = || text.replace('\'', "\"");
    let value = match compat {
        Compat::Sdk10 => parse(&quoted()),
        Compat::Strict => parse(text).or_else(|why| parse(&quoted()).map_err(|_| why)),
    };
    match value? {
        Value::Object(object) => Ok(*object),
        _ => Err(PayloadError::NoObject),
    }
}

fn parse(text: &str) -> Result<Value, PayloadError> {
    python_json::read(text).map_err(PayloadError::NoJson)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPO: &str = "acme-3d/solution";
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const URL: &str = "https://cdn.example.com/r/3";

    fn hotkey(n: u8) -> Hotkey {
        Hotkey::from_account(&[n; 32])
    }

    fn terms() -> SubmissionTerms<'static> {
        SubmissionTerms {
            competition: "mesh",
            round: RoundNumber(3),
            earliest: Block(100),
            latest: Block(200),
            compat: Compat::Strict,
            allow_private_cdn: false,
        }
    }

    fn all(repo: &str, commit: &str, cdn_url: &str) -> String {
        serde_json::json!({"repo": repo, "commit": commit, "cdn_url": cdn_url}).to_string()
    }

    fn one(payloads: &[(u64, &str)]) -> Intake {
        one_with(payloads, &terms())
    }

    fn one_with(payloads: &[(u64, &str)], terms: &SubmissionTerms<'_>) -> Intake {
        let reveal = |(block, text): &(u64, &str)| Reveal { block: Block(*block), raw: text.as_bytes().to_vec() };
        intake(&BTreeMap::from([(hotkey(1), payloads.iter().map(reveal).collect())]), terms)
    }

    fn reason(payloads: &[(u64, &str)]) -> String {
        let intake = one(payloads);
        assert!(intake.accepted.is_empty(), "{intake:?}");
        intake.refused[&hotkey(1)].reason.clone()
    }

    #[test]
    fn fields_are_gathered_from_several_payloads() {
        let (repo, commit) = (format!(r#"{{"repo": "{REPO}"}}"#), format!(r#"{{"commit": "{COMMIT}"}}"#));
        let intake = one(&[(100, &repo), (150, &commit), (200, r#"{"cdn_url": "https://cdn.example.com/r/3//"}"#)]);
        let submission = &intake.accepted[&hotkey(1)];
        assert_eq!((submission.repo.as_str(), submission.commit.as_str()), (REPO, COMMIT));
        assert_eq!((submission.cdn_url.as_str(), submission.round.as_str()), (URL, "mesh-3"));
        assert_eq!(submission.revealed_at_block, Block(150));
        assert_eq!((intake.refused.len(), intake.notes.len(), intake.outside), (0, 0, 0));
    }

    #[test]
    fn the_latest_value_wins_and_at_the_same_block_the_larger_text() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let full = |commit: &str| all(REPO, commit, URL);
        for payloads in [[(110, full(&b)), (120, full(&a))], [(120, full(&a)), (110, full(&b))]] {
            let payloads: Vec<(u64, &str)> = payloads.iter().map(|(block, text)| (*block, text.as_str())).collect();
            let intake = one(&payloads);
            assert_eq!(intake.accepted[&hotkey(1)].commit.as_str(), a);
            assert_eq!(intake.accepted[&hotkey(1)].revealed_at_block, Block(120));
        }
        let intake = one(&[(120, &full(&b)), (120, &full(&a))]);
        assert_eq!(intake.accepted[&hotkey(1)].commit.as_str(), b);
    }

    #[test]
    fn only_the_window_counts_with_both_of_its_ends() {
        let full = all(REPO, COMMIT, URL);
        for (block, is_in) in [(99, false), (100, true), (200, true), (201, false)] {
            let intake = one(&[(block, &full)]);
            assert_eq!((intake.accepted.len(), intake.outside), if is_in { (1, 0) } else { (0, 1) }, "{block}");
        }
        let late = format!(r#"{{"commit": "{COMMIT}"}}"#);
        let rest = format!(r#"{{"repo": "{REPO}", "cdn_url": "{URL}"}}"#);
        assert_eq!(reason(&[(201, &late), (150, &rest)]), "no commit within blocks 100 to 200");
    }

    #[test]
    fn order_is_by_block_then_hotkey() {
        let raw = |commit: &str| all(REPO, commit, URL).into_bytes();
        let commit = |n: u8| format!("{n:040x}");
        let blocks = [(1, 150), (2, 120), (3, 150), (4, 120)];
        let reveals: Reveals = blocks
            .into_iter()
            .map(|(n, block)| (hotkey(n), vec![Reveal { block: Block(block), raw: raw(&commit(n)) }]))
            .collect();
        let order: Vec<(u64, Hotkey)> =
            intake(&reveals, &terms()).accepted.iter().map(|(k, s)| (s.revealed_at_block.0, k.clone())).collect();
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!((order.len(), &order), (4, &sorted));
    }

    #[test]
    fn single_quotes_are_read_and_good_json_is_left_alone() {
        let python = all(REPO, COMMIT, URL).replace('"', "'");
        assert_eq!(one(&[(150, &python)]).accepted.len(), 1);
        let quote = all(REPO, COMMIT, "https://cdn.example.com/it's");
        assert_eq!(one(&[(150, &quote)]).accepted[&hotkey(1)].cdn_url, "https://cdn.example.com/it's");
        let deployed = SubmissionTerms { compat: Compat::Sdk10, ..terms() };
        let with_length = format!("\u{1}\u{0}{quote}");
        assert!(one_with(&[(150, &with_length)], &deployed).accepted.is_empty());
    }

    #[test]
    fn hostile_payloads_are_left_out_with_a_reason() {
        let deep = "[".repeat(5000);
        let wide = format!("{{\"repo\": \"{}\"}}", "x".repeat(100_000));
        for (payload, why) in [
            ("", "not JSON"),
            ("\u{feff}{}", "not JSON"),
            ("{", "not JSON"),
            ("[]", "not an object"),
            ("\"repo\"", "not an object"),
            ("NaN", "not an object"),
            ("{\"repo\": 01}", "not JSON"),
            ("{\"repo\": \"a\0b\"}", "not JSON"),
            (&deep, "not JSON"),
        ] {
            let intake = one(&[(150, payload)]);
            assert_eq!(intake.refused[&hotkey(1)].reason, "no repo, commit, cdn_url within blocks 100 to 200");
            assert!(intake.refused[&hotkey(1)].notes[0].contains(why), "{payload:?}: {intake:?}");
        }
        assert!(reason(&[(150, &wide)]).len() < 300);
        assert!(reason(&[(150, &all("a/../b", COMMIT, URL))]).starts_with("repo: "));
        assert!(reason(&[(150, &all("a/b\u{202e}", COMMIT, URL))]).starts_with("repo: "));
        assert!(reason(&[(150, &all(REPO, "HEAD", URL))]).starts_with("commit: "));
        assert!(reason(&[(150, &all(REPO, COMMIT, "http://10.0.0.1/"))]).starts_with("cdn_url: "));
        let port = reason(&[(150, &all(REPO, COMMIT, "https://cdn.example.com:22/a"))]);
        assert_eq!(port, "cdn_url: port 22 is not 80, 443 or above 1023");
        assert!(reason(&[(150, r#"{"repo": null, "commit": 7, "cdn_url": []}"#)]).starts_with("no repo"));
        let half = |text: &str| text.replace('!', "\\ud800");
        assert!(reason(&[(150, &half(&all("a/b!", COMMIT, URL)))]).starts_with("repo: "));
        assert!(reason(&[(150, &half(&all(REPO, &format!("{COMMIT}!"), URL)))]).starts_with("commit: "));
        assert!(reason(&[(150, &half(&all(REPO, COMMIT, "https://a.example.com/!")))]).starts_with("cdn_url: "));
    }

    #[test]
    fn all_faults_of_a_payload_are_told_at_once() {
        let all_wrong = reason(&[(150, &all("a/../b", "HEAD", "http://10.0.0.1/"))]);
        let faults: Vec<&str> = all_wrong.split("; ").filter_map(|fault| fault.split(": ").next()).collect();
        assert_eq!(faults, ["repo", "commit", "cdn_url"], "{all_wrong}");
        let half = reason(&[(150, r#"{"repo": "a", "cdn_url": "ftp://cdn.example.com"}"#)]);
        assert!(half.starts_with("no commit within blocks 100 to 200; repo: "), "{half}");
        assert!(half.contains("; cdn_url: "), "{half}");
    }

    #[test]
    fn a_broken_payload_does_not_hurt_the_good_ones() {
        let intake = one(&[(140, &all(REPO, COMMIT, URL)), (150, "{broken"), (160, r#"{"repo": 7}"#)]);
        assert_eq!(intake.accepted.len(), 1);
        let notes = &intake.notes[&hotkey(1)];
        assert!(notes[0].starts_with("block 150: not JSON"), "{notes:?}");
        assert_eq!(notes[1], "block 160: repo is not a string");
        // A duplicate key: the last one wins, as in Python.
        let twice = format!(r#"{{"repo": "x/y", "repo": "{REPO}", "commit": "{COMMIT}", "cdn_url": "{URL}"}}"#);
        assert_eq!(one(&[(150, &twice)]).accepted[&hotkey(1)].repo.as_str(), REPO);
        // Values that only Python accepts as JSON do no harm elsewhere in the payload.
        let fields = &twice[1..];
        for odd in ["NaN", "-Infinity", "1e400", &"9".repeat(400), r#""\ud800""#, &("[".repeat(900) + &"]".repeat(900))]
        {
            let payload = format!("{{\"x\": {odd}, {fields}");
            assert_eq!(one(&[(150, &payload)]).accepted.len(), 1, "{odd}");
        }
    }

    #[test]
    fn private_hosts_are_taken_only_where_allowed() {
        let local = all(REPO, COMMIT, "http://127.0.0.1:8000/m1");
        let sandbox = SubmissionTerms { allow_private_cdn: true, ..terms() };
        assert_eq!(one_with(&[(150, &local)], &sandbox).accepted.len(), 1);
    }
}
