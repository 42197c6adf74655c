//! A receipt: what was verified and what was found, in the same bytes wherever it is made, so that it can be signed and
//! compared. It names no host, path, user or time.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Number, Value, json};
use sha2::{Digest as _, Sha256};

use crate::base::error::{Context as _, Error, Result};
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

/// What this reader alone sees: it is in no receipt.
const OWN: &str = "history.continues";

/// What was verified: the flags that decide it, and what of the history was there.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Scope {
    pub(crate) allow_private_cdn: bool,
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
        let bytes = files::need(path, MOST_BYTES)?;
        let other = || Error::usage(format!("{}: not a receipt of this gen404 ({FORM})", path.display()));
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| other().because(e))?;
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

    /// Where this receipt differs from one that was recorded, a line each.
    pub(crate) fn differences(&self, recorded: &Receipt) -> Vec<String> {
        let (mut now, mut then) = (BTreeMap::new(), BTreeMap::new());
        leaves("", &self.0, &mut now);
        leaves("", &recorded.0, &mut then);
        let keys: std::collections::BTreeSet<&String> = now.keys().chain(then.keys()).collect();
        let shown = |value: Option<&String>| text::cut(value.map_or("not there", String::as_str), 100);
        let differs = keys.into_iter().filter(|key| now.get(*key) != then.get(*key));
        let mut lines: Vec<String> = differs
            .map(|key| format!("{key} is {}, the receipt says {}", shown(now.get(key)), shown(then.get(key))))
            .collect();
        if let Some(more) = lines.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            lines.truncate(MOST_TOLD);
            lines.push(format!("and {more} more"));
        }
        lines
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
        assert!(one.differences(&two).is_empty());
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        let now = receipt(json!({"commit": "aa", "checks": {"seed.derived": {"pass": 3}}, "new": 1}));
        let then = receipt(json!({"commit": "bb", "checks": {"seed.derived": {"pass": 2}}, "old": []}));
        assert_eq!(
            now.differences(&then),
            [
                "checks.seed.derived.pass is 3, the receipt says 2",
                "commit is \"aa\", the receipt says \"bb\"",
                "new is 1, the receipt says not there",
                "old is not there, the receipt says []",
            ]
        );
        let many = receipt((0..100).map(|at| (at.to_string(), json!(at))).collect::<Map<_, _>>().into());
        let told = many.differences(&receipt(json!({"x": 0})));
        assert_eq!((told.len(), told.last().map(String::as_str)), (MOST_TOLD + 1, Some("and 61 more")));
    }

    #[test]
    fn a_findings_line_has_its_keys_in_order() {
        let told = Told { detail: "d", id: "i", round: None, status: CheckStatus::Pass, subject: "s" };
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(text, r#"{"detail":"d","id":"i","round":null,"status":"pass","subject":"s"}"#);
    }
}
