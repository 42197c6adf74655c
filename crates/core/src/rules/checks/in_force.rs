//! The commit in force: a claim is judged by the settings and files of the commit that made it, whatever
//! changed later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::{CheckStatus, Claim};
use crate::model::config::Settings;
use crate::model::file::FileKind;
use crate::model::history::shallow_clone;
use crate::model::ids::Block;
use crate::model::record::Extra;
use crate::model::snapshot::Snapshot;
use crate::model::thresholds::Rules;
use crate::rules::Thresholds;

/// A file, with the key of an entry if each entry is a claim of its own.
pub type Claimed = (FileKind, Option<String>);

/// The settings by which each claim is judged.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    /// The rules of the current config.json.
    pub now: Thresholds,
    /// All of its settings; `None` if it cannot be read.
    pub settings: Option<Arc<Settings>>,
    /// Claims made under other settings: the commit that made each, and its settings.
    pub then: BTreeMap<Claimed, (String, Arc<Settings>)>,
    /// Claims from before the start of a shallow clone: what was in force cannot be known here.
    pub unknown: BTreeSet<Claimed>,
    /// How many commits a shallow clone has.
    pub shallow: Option<usize>,
    /// There is no history: config.json and other files may have been different when a claim was made. With a
    /// history, whatever it does not mention was as it is now.
    pub no_history: bool,
}

/// The terms by which one claim is judged.
#[derive(Debug, Clone)]
pub struct ClaimTerms<'a> {
    /// The settings; `None` if config.json cannot be read.
    pub settings: Option<&'a Settings>,
    /// Their rules' limits.
    pub limits: Thresholds,
    /// The commit whose settings these are, if they differ from the current ones.
    commit: Option<&'a str>,
    /// Why it is unknown whether these settings were in force.
    unknown: Option<String>,
    /// There is no history.
    no_history: bool,
}

impl ClaimTerms<'_> {
    /// Appends to each objection what it is judged by. A failure by settings that may not have been in force
    /// becomes a skip.
    pub(super) fn judge(&self, claim: &mut Claim) {
        if self.no_history {
            claim.by(" (by the current config.json: without history it is unknown what was in force)");
        }
        if let Some(commit) = self.commit {
            claim.by(&format!(" (by the rules of commit {commit})"));
        }
        if let Some(why) = &self.unknown {
            claim.instead(CheckStatus::Skip, &format!(" (by the settings known here; {why})"));
        }
    }
}

/// The claim of the `leader.json` entry that is in force from this block.
#[must_use]
pub fn leader_entry(from: Block) -> Claimed {
    (FileKind::Leader, Some(from.to_string()))
}

/// The part of the settings by which claims are judged: without the description and the dates of future rounds.
#[must_use]
pub fn what_counts(settings: &Settings) -> Settings {
    let rules = Some(Rules { limits: settings.limits(), extra: Extra::default() });
    let (day, description) = (NaiveDate::default(), String::new());
    // The one key beyond those of meshes that rules go by.
    let extra = settings.extra.only("audit_repeats");
    Settings {
        rules,
        description,
        extra,
        first_evaluation_date: day,
        last_competition_date: day,
        round_start_time: None,
        finalization_buffer_hours: None,
        round_duration_days: None,
        ..settings.clone()
    }
}

impl InForce {
    /// The current config.json for all claims.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        InForce::without_history(snapshot.config.get().map(|config| config.settings.clone()))
    }

    /// These settings for all claims.
    #[must_use]
    pub fn without_history(settings: Option<Settings>) -> Self {
        let settings = settings.map(Arc::new);
        let now = settings.as_ref().map(|settings| settings.limits()).unwrap_or_default();
        InForce { now, settings, no_history: true, ..InForce::default() }
    }

    /// The terms of a claim.
    #[must_use]
    pub fn terms(&self, file: FileKind, entry: Option<String>) -> ClaimTerms<'_> {
        self.of_claim(&(file, entry))
    }

    /// As [`InForce::terms`].
    #[must_use]
    pub fn of_claim(&self, claimed: &Claimed) -> ClaimTerms<'_> {
        let unknown = self.unknown.contains(claimed).then(|| self.missing_history()).flatten();
        let (settings, commit) = match self.then.get(claimed) {
            Some((commit, settings)) => (Some(settings.as_ref()), Some(commit.as_str())),
            None => (self.settings.as_deref(), None),
        };
        let limits = settings.map_or(self.now, Settings::limits);
        ClaimTerms { settings, limits, commit, unknown, no_history: self.no_history }
    }

    /// What a shallow clone lacks, and how to get it; `None` if the whole history is here, or none at all.
    #[must_use]
    pub fn missing_history(&self) -> Option<String> {
        self.shallow.map(shallow_clone)
    }

    /// Rules that were in force for past claims but no longer are, with the number of claims.
    fn past(&self) -> Vec<(Thresholds, usize)> {
        let mut past: Vec<(Thresholds, usize)> = Vec::new();
        let limits = self.then.values().map(|(_, settings)| settings.limits());
        for limits in limits.filter(|limits| *limits != self.now) {
            match past.iter_mut().find(|(known, _)| *known == limits) {
                Some((_, claims)) => *claims += 1,
                None => past.push((limits, 1)),
            }
        }
        past
    }

    /// For people: every non-default rule, and past rules.
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
            format!("claims made under other rules, and judged by them: {claims} ({})", told(limits))
        });
        now.into_iter().chain(past).collect()
    }

    /// For programs, as [`InForce::lines`]: the rules in force now, and those of the past.
    #[must_use]
    pub fn json(&self) -> (Value, Value) {
        let past = self.past();
        let past = past.iter().map(|(limits, claims)| json!({ "claims": claims, "rules": unusual(limits) }));
        (unusual(&self.now), past.collect())
    }
}

/// Every non-default limit by name, with both values.
fn unusual(limits: &Thresholds) -> Value {
    let each = limits.unusual().into_iter();
    let each: Map<_, _> =
        each.map(|rule| (rule.name.to_owned(), json!({ "value": rule.value, "default": rule.default }))).collect();
    Value::Object(each)
}
