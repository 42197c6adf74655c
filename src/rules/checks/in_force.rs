//! The rules in force: a claim is judged by those of the commit that made it, whatever was changed later.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::rules::Thresholds;
use crate::state::file::{FileKind, PlayerFile, RoundFile};

/// A file, and the key of an entry in it where each entry is a claim of its own.
pub type Claimed = (FileKind, Option<String>);

/// Does what is claimed hang on the rules at all?
#[must_use]
pub fn goes_by_rules((file, entry): &Claimed) -> bool {
    match file {
        FileKind::Round(_, RoundFile::Submissions | RoundFile::Winner) => true,
        FileKind::Round(_, RoundFile::GenerationAudits) => entry.is_some(),
        FileKind::Player(_, _, file) => matches!(file, PlayerFile::Report(_)),
        _ => false,
    }
}

/// The rules by which each claim is judged.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    /// Those of config.json as it is now.
    pub now: Thresholds,
    /// Claims that were made under other ones: the commit that made each, and its rules.
    pub then: BTreeMap<Claimed, (String, Thresholds)>,
}

impl InForce {
    /// The same rules for all claims.
    #[must_use]
    pub fn always(now: Thresholds) -> Self {
        InForce { now, then: BTreeMap::new() }
    }

    /// The limits that hold for a file.
    #[must_use]
    pub fn limits(&self, file: &FileKind) -> Thresholds {
        self.of(&(file.clone(), None)).0
    }

    /// The limits that hold for a claim; and, where they are not those of now, whose they are.
    #[must_use]
    pub fn of(&self, claimed: &Claimed) -> (Thresholds, String) {
        match self.then.get(claimed) {
            Some((commit, limits)) => (*limits, format!(" (by the rules of commit {commit})")),
            None => (self.now, String::new()),
        }
    }

    /// Rules that were in force for claims of the past, and are no longer; and for how many.
    fn past(&self) -> Vec<(Thresholds, usize)> {
        let mut past: Vec<(Thresholds, usize)> = Vec::new();
        for (_, limits) in self.then.values() {
            match past.iter_mut().find(|(known, _)| known == limits) {
                Some((_, claims)) => *claims += 1,
                None => past.push((*limits, 1)),
            }
        }
        past
    }

    /// For people: every rule that is not the default, and those of the past.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let told = |limits: &Thresholds| {
            let unusual: Vec<String> = limits.unusual().iter().map(ToString::to_string).collect();
            if unusual.is_empty() { "the defaults".to_owned() } else { unusual.join(", ") }
        };
        let now =
            (!self.now.unusual().is_empty()).then(|| format!("rules that are not the default: {}", told(&self.now)));
        let past = self.past();
        let past = past.iter().map(|(limits, claims)| {
            format!("claims made under other rules, and judged by those: {claims} ({})", told(limits))
        });
        now.into_iter().chain(past).collect()
    }

    /// For programs: as [`InForce::lines`]: what is in force now, and what was.
    #[must_use]
    pub fn json(&self) -> (Value, Value) {
        let past = self.past();
        let past = past.iter().map(|(limits, claims)| json!({ "claims": claims, "rules": unusual(limits) }));
        (unusual(&self.now), past.collect())
    }
}

/// Every limit that is not the default, with both values, by name.
fn unusual(limits: &Thresholds) -> Value {
    let each = limits.unusual().into_iter();
    let each: Map<_, _> =
        each.map(|rule| (rule.name.to_owned(), json!({ "value": rule.value, "default": rule.default }))).collect();
    Value::Object(each)
}
