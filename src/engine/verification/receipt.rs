//! A receipt: what was verified and what was found, in the same bytes wherever it is made, so that it can be signed and
//! compared. It names no host, path, user or time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Number, Value, json};
use sha2::{Digest as _, Sha256};

use crate::base::error::{Context as _, Error, Result};
use crate::base::json::Strict;
use crate::base::{files, text};
use crate::engine::verification::eras;
use crate::model::format::detect::Detected;
use crate::model::ids::RoundNumber;
use crate::model::snapshot::Source as _;
use crate::rules::checks::in_force::InForce;
use crate::rules::checks::{CheckStatus, Finding, VerifySummary, summary};
use crate::world::git::Git;

/// The form of a receipt.
const FORM: &str = "gen404/receipt/1";

/// Size limit of a receipt.
const MOST_BYTES: u64 = 1 << 20;

/// The most differences that are told.
const MOST_TOLD: usize = 40;

/// The order in which a receipt's parts are compared and told: what was verified, by what, how and under which rules; then
/// what was found, first in all.
const ORDER: [&str; 9] = ["commit", "tree", "gen404", "scope", "format", "rules", "schema", "findings", "checks"];

/// The first of these parts that holds what was found, which follows from the ones before.
const FOUND_FROM: usize = 7;

/// What this reader alone sees: it is in no receipt.
const OWN: &str = "history.continues";

/// What was verified: the flags that decide it, and what of the history was there.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Scope {
    pub(crate) chain: bool,
    pub(crate) commits: usize,
    pub(crate) from: Option<String>,
    pub(crate) history: bool,
    pub(crate) objects: bool,
    pub(crate) revoked: Option<String>,
    pub(crate) round: Option<RoundNumber>,
    pub(crate) shallow: bool,
    pub(crate) signers: Option<String>,
}

/// A receipt's flags that another run has to have, too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    pub(crate) history: bool,
    pub(crate) from: Option<String>,
    pub(crate) round: Option<RoundNumber>,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Receipt(Value);

/// Where two receipts differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// A line each, as far as they are told: those that explain the others come first, and alone.
    pub(crate) lines: Vec<String>,
    /// How many there are.
    pub(crate) count: usize,
}

/// A finding, its keys in order.
#[derive(Serialize)]
struct Told<'a> {
    detail: &'a str,
    id: &'a str,
    round: Option<RoundNumber>,
    status: CheckStatus,
    subject: &'a str,
}

impl Receipt {
    /// The receipt of what was found of a commit.
    ///
    /// # Errors
    /// The commit cannot be read.
    pub(crate) fn of(
        git: &Git,
        commit: &str,
        scope: &Scope,
        (detected, rules): (&Detected, &InForce),
        findings: &[Finding],
    ) -> Result<Receipt> {
        let told: Vec<&Finding> = findings.iter().filter(|finding| finding.id != OWN).collect();
        let mut checks: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        told.iter().for_each(|finding| checks.entry(finding.id).or_default().push(finding));
        let checks: Map<_, _> = checks.into_iter().map(|(id, of)| (id.to_owned(), counted(&of))).collect();
        let config = eras::tree(git, commit)?.read("config.json")?.map(|bytes| digest(&bytes));
        let (_, past) = rules.json();
        let built_from = Some(env!("GEN404_COMMIT")).filter(|commit| !commit.is_empty());
        Ok(Receipt(sorted(json!({
            "schema": FORM,
            "gen404": { "version": env!("CARGO_PKG_VERSION"), "commit": built_from },
            "commit": commit,
            "tree": git.tree_id(commit)?,
            "format": detected.json(),
            "scope": scope,
            "rules": { "config_sha256": config, "limits": rules.now.all(), "past": past },
            "checks": checks,
            "findings": counted(&told),
        }))))
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// The file cannot be read, or is none.
    pub(crate) fn read(path: &Path) -> Result<Receipt> {
        let bytes = files::named(path, MOST_BYTES)?;
        let other = || Error::usage(format!("{}: not a receipt of this gen404 ({FORM})", path.display()));
        let Strict(value) = serde_json::from_slice(&bytes).map_err(|e| other().because(e))?;
        if value.get("schema").and_then(Value::as_str) != Some(FORM) {
            return Err(other().hint("`gen404 verify --receipt FILE` writes one"));
        }
        Ok(Receipt(value))
    }

    /// The bytes of its file: keys sorted, two spaces of indent, a newline at the end.
    ///
    /// # Errors
    /// None that is known.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(&self.0).failed(|| "cannot write a receipt".to_owned())?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The flags under which it was made.
    pub(crate) fn flags(&self) -> Flags {
        let of = |key: &str| self.0.get("scope").and_then(|scope| scope.get(key));
        Flags {
            history: of("history").and_then(Value::as_bool).unwrap_or_default(),
            from: of("from").and_then(Value::as_str).map(str::to_owned),
            round: of("round").and_then(|round| serde_json::from_value(round.clone()).ok()),
        }
    }

    /// Where this receipt differs from one that was recorded. What was found follows from what was verified, by what and
    /// how: where these differ, they are told alone.
    pub(crate) fn differences(&self, recorded: &Receipt) -> Differences {
        let (mut now, mut then) = (BTreeMap::new(), BTreeMap::new());
        leaves("", &self.0, &mut now);
        leaves("", &recorded.0, &mut then);
        let keys: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
        let mut differing: Vec<&String> = keys.into_iter().filter(|key| now.get(*key) != then.get(*key)).collect();
        differing.sort_by_key(|key| (part(key), is_digest(key)));
        let causes = differing.iter().filter(|key| part(key) < FOUND_FROM).count();
        // A digest says no more than the counts before it, if these differ.
        let is_told = |(at, key): &(usize, &&String)| match causes {
            0 => *at == 0 || !is_digest(key),
            causes => *at < causes,
        };
        let shown = |value: Option<&String>| text::cut(value.map_or("not there", String::as_str), 100);
        let line = |key: &String| {
            let (found, said) = (shown(now.get(key)), shown(then.get(key)));
            format!("{key} is {found}, the receipt says {said}{}", remedy(key))
        };
        let told = differing.iter().enumerate().filter(is_told).take(MOST_TOLD);
        let mut lines: Vec<String> = told.map(|(_, key)| line(key)).collect();
        if let Some(more) = differing.len().checked_sub(lines.len()).filter(|more| *more > 0) {
            let why =
                if causes > 0 && causes <= MOST_TOLD { " in what was found, which may follow from that" } else { "" };
            lines.push(format!("and {more} more{why}"));
        }
        Differences { lines, count: differing.len() }
    }
}

/// The place of a value's part in [`ORDER`]; what is in none of them may be a cause.
fn part(key: &str) -> usize {
    let first = key.split('.').next().unwrap_or(key);
    ORDER.iter().position(|part| *part == first).unwrap_or(FOUND_FROM - 1)
}

/// Is this the digest of findings?
fn is_digest(key: &str) -> bool {
    part(key) >= FOUND_FROM && key.ends_with(".sha256")
}

/// What makes a value the same, where a flag does.
fn remedy(key: &str) -> &'static str {
    match key {
        "scope.chain" => " (--chain)",
        "scope.history" => " (--history)",
        "scope.objects" => " (--objects)",
        "scope.signers" => " (--signers)",
        "scope.revoked" => " (--revoked)",
        "scope.shallow" => " (git fetch --unshallow)",
        _ => "",
    }
}

/// The hex SHA-256 of these bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The counts of findings, and the digest of all of them: of one line of JSON each, the keys sorted.
fn counted(findings: &[&Finding]) -> Value {
    let mut sum = Sha256::new();
    for Finding { id, round, subject, status, detail } in findings {
        let told = Told { detail, id, round: *round, status: *status, subject };
        sum.update(serde_json::to_vec(&told).unwrap_or_default());
        sum.update(b"\n");
    }
    let VerifySummary { pass, fail, warn, skip } = summary(findings.iter().copied());
    json!({ "pass": pass, "fail": fail, "warn": warn, "skip": skip, "sha256": hex::encode(sum.finalize()) })
}

/// The same value in one spelling: the keys of each object sorted, and whole numbers without a point.
fn sorted(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(&number).unwrap_or(number)),
        Value::Object(entries) => {
            let entries: BTreeMap<String, Value> = entries.into_iter().map(|(key, of)| (key, sorted(of))).collect();
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        value => value,
    }
}

/// A number that is whole, as such.
fn whole(number: &Number) -> Option<Number> {
    let value = number.as_f64().filter(|value| number.is_f64() && value.fract() == 0.0 && value.abs() < 1e15)?;
    format!("{value:.0}").parse::<i64>().ok().map(Number::from)
}

/// Every value that is neither a list nor an object, by its path.
fn leaves(at: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            entries.iter().for_each(|(key, of)| leaves(&below(&text::cut(key, 100)), of, found));
        }
        Value::Array(values) if !values.is_empty() => {
            values.iter().enumerate().for_each(|(place, of)| leaves(&below(&place.to_string()), of, found));
        }
        value => drop(found.insert(at.to_owned(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(value: Value) -> Receipt {
        Receipt(sorted(value))
    }

    #[test]
    fn equal_receipts_have_equal_bytes_whatever_the_order_of_their_keys() {
        let one = receipt(json!({"b": [{"z": 1, "a": 0.05}], "a": null, "c": 180.0}));
        let two = receipt(json!({"c": 180, "a": null, "b": [{"a": 0.05, "z": 1}]}));
        assert_eq!(one.bytes().unwrap(), two.bytes().unwrap());
        let text = String::from_utf8(one.bytes().unwrap()).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\": null,\n  \"b\": [\n    {\n      \"a\": 0.05,\n      \"z\": 1\n    }\n  ],\n  \"c\": 180\n}\n"
        );
        assert_eq!(one.differences(&two), Differences::default());
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        let now =
            receipt(json!({"checks": {"seed.derived": {"pass": 3, "sha256": "aa"}, "x.y": {"sha256": "a"}}, "new": 1,
            "findings": {"pass": 3, "sha256": "a"}}));
        let then =
            receipt(json!({"checks": {"seed.derived": {"pass": 2, "sha256": "bb"}, "x.y": {"sha256": "a"}}, "new": 1,
            "findings": {"pass": 2, "sha256": "b"}}));
        let told = now.differences(&then);
        let lines = [
            "findings.pass is 3, the receipt says 2",
            "checks.seed.derived.pass is 3, the receipt says 2",
            "and 2 more",
        ];
        assert_eq!((told.lines.as_slice(), told.count), (lines.map(str::to_owned).as_slice(), 4));
        let digest = |sum: &str| receipt(json!({"findings": {"pass": 3, "sha256": sum}}));
        assert_eq!(digest("a").differences(&digest("b")).lines, ["findings.sha256 is \"a\", the receipt says \"b\""]);
        let many = receipt((0..100).map(|at| (at.to_string(), json!(at))).collect::<Map<_, _>>().into());
        let told = many.differences(&receipt(json!({"x": 0})));
        assert_eq!((told.lines.len(), told.count), (MOST_TOLD + 1, 101));
        assert_eq!(told.lines.last().map(String::as_str), Some("and 61 more"));
    }

    #[test]
    fn what_explains_the_rest_is_told_alone_and_in_order() {
        let of = |commit: &str, scope: bool, pass: usize| {
            let checks: Map<_, _> =
                (0..60).map(|at| (format!("c{at}"), json!({"pass": pass, "sha256": commit}))).collect();
            receipt(json!({"checks": checks, "commit": commit, "findings": {"pass": pass}, "format": {"name": "mesh"},
                "gen404": {"version": commit}, "scope": {"chain": scope}, "tree": commit}))
        };
        let told = of("a", false, 1).differences(&of("b", true, 2));
        assert_eq!(
            told.lines,
            [
                "commit is \"a\", the receipt says \"b\"",
                "tree is \"a\", the receipt says \"b\"",
                "gen404.version is \"a\", the receipt says \"b\"",
                "scope.chain is false, the receipt says true (--chain)",
                "and 121 more in what was found, which may follow from that",
            ]
        );
        assert_eq!(told.count, 125);
    }

    #[test]
    fn a_findings_line_has_its_keys_in_order() {
        let told = Told { detail: "d", id: "i", round: None, status: CheckStatus::Pass, subject: "s" };
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(text, r#"{"detail":"d","id":"i","round":null,"status":"pass","subject":"s"}"#);
    }
}
