//! `feed.xml`: what happened, as an Atom feed. Its dates are those of the commits; an entry keeps its id when what it
//! tells changes, and gets the date of that change.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use xml::writer::{EmitterConfig, EventWriter, XmlEvent};

use super::basis::{Basis, VERSION};
use super::index::{Index, RoundRow};
use super::text::plain;
use crate::base::error::{Error, Result};
use crate::model::file::RepoFile as _;
use crate::model::format::Format;
use crate::model::generation_audits::GenerationAudits;
use crate::model::history::Version;
use crate::model::ids::{Hotkey, RoundNumber};
use crate::model::neutral::VerdictView;
use crate::model::stage::Stage;
use crate::model::threejs::audits::DuelAuditVerdicts;
use crate::rules::stage_table::row;

/// The newest entries that a feed keeps.
const MOST_ENTRIES: usize = 100;

/// The namespace of Atom.
const ATOM: &str = "http://www.w3.org/2005/Atom";

/// An entry.
#[derive(Debug, Clone)]
struct Entry {
    at: DateTime<Utc>,
    /// Its place in the history, for those of one second.
    place: usize,
    title: String,
    text: String,
    /// Its round's page, relative to the index.
    page: Option<String>,
    /// The file that tells it, in its commit on GitHub.
    source: Option<String>,
}

/// Is there enough for a feed: a commit with a date that a feed can have?
pub(crate) fn is_possible(versions: &[Version]) -> bool {
    versions.iter().any(|version| date(version).is_some())
}

/// The feed of a competition; `None` without dates.
pub(super) fn feed(index: &Index, basis: &Basis) -> Result<Option<Vec<u8>>> {
    let entries = Events::of(index, basis);
    let Some(updated) = basis.versions.iter().filter_map(date).max() else { return Ok(None) };
    let mut entries: Vec<(String, Entry)> = entries.into_iter().collect();
    entries.sort_by_key(|(_, entry)| Reverse((entry.at, entry.place)));
    entries.truncate(MOST_ENTRIES);
    let written = write(&plain(&index.name), entries.first().map_or(updated, |(_, entry)| entry.at), &entries);
    written.map(Some).map_err(|error| Error::failed(format!("feed.xml cannot be written: {error}")))
}

/// When a version was made. A commit may claim any date: one without four digits of a year is left out.
fn date(version: &Version) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(version.seconds, 0).filter(|at| (1970..=9999).contains(&at.year()))
}

/// The events of a history, by what they are about.
struct Events<'a> {
    rounds: HashMap<RoundNumber, &'a RoundRow>,
    basis: &'a Basis,
    found: BTreeMap<String, Entry>,
    /// How many were found so far.
    count: usize,
    /// The last known round and stage.
    standing: Option<(u32, String)>,
    /// The last known verdicts of each round.
    verdicts: HashMap<RoundNumber, HashMap<Hotkey, String>>,
}

/// Where a competition stands, in any format.
#[derive(Deserialize)]
struct StandingLine {
    current_round: i64,
    stage: String,
}

impl Events<'_> {
    fn of(index: &Index, basis: &Basis) -> BTreeMap<String, Entry> {
        let rounds = index.rounds.iter().map(|row| (row.number, row)).collect();
        let (found, verdicts) = (BTreeMap::new(), HashMap::new());
        let mut events = Events { rounds, basis, found, count: 0, standing: None, verdicts };
        for version in &basis.versions {
            let Some(at) = date(version) else { continue };
            let of_round = version.path.strip_prefix("rounds/").and_then(|rest| rest.split_once('/'));
            match of_round.map(|(round, name)| (round.parse(), name)) {
                None => events.stage(version, at),
                Some((Ok(round), "winner.json" | "judge_progress.json")) => events.winner(version, at, round),
                Some((Ok(round), "generation_audits.json")) => events.audits(version, at, round),
                Some(_) => {}
            }
        }
        events.found
    }

    fn add(
        &mut self,
        key: String,
        version: &Version,
        round: RoundNumber,
        (at, title, text): (DateTime<Utc>, String, String),
    ) {
        // A round that is not there any more has no news.
        let Some(row) = self.rounds.get(&round) else { return };
        let source = self.basis.repository.as_ref().map(|repository| {
            format!(
                "https://github.com/{repository}/blob/{}/{}",
                version.commit,
                super::text::encoded_path(&version.path)
            )
        });
        self.count += 1;
        self.found.insert(key, Entry { at, place: self.count, title, text, page: row.href.clone(), source });
    }

    fn stage(&mut self, version: &Version, at: DateTime<Utc>) {
        let Ok(StandingLine { current_round, stage }) = serde_json::from_slice(&version.bytes) else { return };
        let plain =
            !stage.is_empty() && stage.len() <= 30 && stage.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let Some(round) = u32::try_from(current_round).ok().filter(|_| plain) else { return };
        let before = self.standing.replace((round, stage.clone()));
        if before.as_ref().is_some_and(|(known, name)| *known == round && *name == stage)
            || (before.is_none() && version.replaced)
        {
            return;
        }
        if let Some((past, _)) = before.filter(|(past, _)| *past < round) {
            let title = format!("Round {past} is over");
            let text = format!("Round {round} follows.");
            self.add(format!("round-{past}-over"), version, RoundNumber(past), (at, title, text));
        }
        let label =
            stage.parse::<Stage>().map_or_else(|_| stage.replace('_', " "), |stage| row(stage).label.to_owned());
        let (title, text) = match stage.as_str() {
            "finished" => ("The competition is over".to_owned(), format!("Its last round is round {round}.")),
            _ => (format!("Round {round}: {label}"), format!("The stage of round {round} is now {label}.")),
        };
        self.add(format!("round-{round}-{stage}"), version, RoundNumber(round), (at, title, text));
    }

    fn winner(&mut self, version: &Version, at: DateTime<Utc>, round: RoundNumber) {
        let Some(winner) = self.rounds.get(&round).and_then(|row| row.winner.clone()) else { return };
        let (title, text) = if winner.leader {
            (format!("Round {round}: the leader held"), "No challenger took the lead.".to_owned())
        } else {
            (format!("Round {round}: {} won", winner.short), format!("{} takes the lead.", winner.full))
        };
        self.add(format!("round-{round}-winner"), version, round, (at, title, text));
    }

    fn audits(&mut self, version: &Version, at: DateTime<Utc>, round: RoundNumber) {
        let Some(verdicts) = verdicts(self.basis.format, &version.bytes) else { return };
        let known = self.verdicts.insert(round, verdicts.iter().map(|one| (one.0.clone(), one.1.clone())).collect());
        if known.is_none() && version.replaced {
            return;
        }
        for (hotkey, outcome, reason) in verdicts {
            if known.as_ref().is_some_and(|known| known.get(&hotkey) == Some(&outcome)) {
                continue;
            }
            let title = format!("Round {round}: audit of {} {outcome}", hotkey.short());
            let reason = if reason.is_empty() { String::new() } else { format!(" {}", plain(&reason)) };
            let text = format!("Audit of {hotkey}: {outcome}.{reason}");
            self.add(format!("round-{round}-audit-{hotkey}"), version, round, (at, title, text));
        }
    }
}

/// Hotkey, outcome and reason of each verdict.
fn verdicts(format: Format, bytes: &[u8]) -> Option<Vec<(Hotkey, String, String)>> {
    let told = |of: VerdictView<'_>| (of.hotkey.clone(), of.outcome.as_str().to_owned(), of.reason.to_owned());
    if format == Format::Threejs {
        let all = DuelAuditVerdicts::parse(format, bytes).ok()?;
        return Some(all.values().map(|one| told(one.into())).collect());
    }
    let all = GenerationAudits::parse(format, bytes).ok()?;
    Some(all.values().map(|one| told(one.into())).collect())
}

/// An id that depends on nothing but the competition's name and what an entry is about.
fn id(name: &str, key: &str) -> String {
    let digest = Sha256::digest(format!("gen404 feed\n{name}\n{key}"));
    let mut bytes = [0_u8; 16];
    bytes.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    // A UUID of version 8, made by a scheme of its own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::base::hex::encode(bytes);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

fn write(name: &str, updated: DateTime<Utc>, entries: &[(String, Entry)]) -> xml::writer::Result<Vec<u8>> {
    let config = EmitterConfig::new().perform_indent(true).indent_string("  ");
    let mut out = Writer(EventWriter::new_with_config(Vec::new(), config));
    out.0.write(XmlEvent::start_element("feed").default_ns(ATOM))?;
    out.text("id", &id(name, ""))?;
    out.text("title", name)?;
    out.text("updated", &shown(updated))?;
    out.author(name)?;
    out.link("self", "feed.xml")?;
    out.link("alternate", "index.html")?;
    out.0.write(XmlEvent::start_element("generator").attr("version", VERSION))?;
    out.0.write(XmlEvent::characters("gen404"))?;
    out.0.write(XmlEvent::end_element())?;
    for (key, entry) in entries {
        out.0.write(XmlEvent::start_element("entry"))?;
        out.text("id", &id(name, key))?;
        out.text("title", &entry.title)?;
        out.text("updated", &shown(entry.at))?;
        out.link("alternate", entry.page.as_deref().unwrap_or("index.html"))?;
        if let Some(source) = &entry.source {
            out.link("related", source)?;
        }
        out.text("content", &entry.text)?;
        out.0.write(XmlEvent::end_element())?;
    }
    out.0.write(XmlEvent::end_element())?;
    let mut bytes = out.0.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Writes a feed's elements.
struct Writer(EventWriter<Vec<u8>>);

impl Writer {
    fn text(&mut self, element: &str, text: &str) -> xml::writer::Result<()> {
        self.0.write(XmlEvent::start_element(element))?;
        self.0.write(XmlEvent::characters(text))?;
        self.0.write(XmlEvent::end_element())
    }

    fn author(&mut self, name: &str) -> xml::writer::Result<()> {
        self.0.write(XmlEvent::start_element("author"))?;
        self.text("name", name)?;
        self.0.write(XmlEvent::end_element())
    }

    fn link(&mut self, rel: &str, href: &str) -> xml::writer::Result<()> {
        self.0.write(XmlEvent::start_element("link").attr("rel", rel).attr("href", href))?;
        self.0.write(XmlEvent::end_element())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_stable_and_differ() {
        assert_eq!(id("mesh", "round-0-winner"), id("mesh", "round-0-winner"));
        assert_ne!(id("mesh", "round-0-winner"), id("mesh", "round-1-winner"));
        assert_ne!(id("mesh", ""), id("splat", ""));
        let own = id("mesh", "");
        assert_eq!((own.len(), own.get(23..24)), (45, Some("8")), "{own}");
    }

    #[test]
    fn only_dates_that_a_feed_can_have_count() {
        let version = |seconds| Version {
            path: "state.json".to_owned(),
            commit: "0a".repeat(20),
            seconds,
            replaced: false,
            bytes: Vec::new(),
        };
        assert!(is_possible(&[version(1_700_000_000)]));
        assert!(!is_possible(&[version(i64::MAX), version(-5), version(300_000_000_000)]));
    }
}
