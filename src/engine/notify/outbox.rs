//! Messages that wait to be delivered, and what was announced: one file in the operator's own folder, replaced as a
//! whole. A message is in it before its event counts as announced, and is marked before it is sent: after a kill it
//! is sent once or not at all, and in the latter case that is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::marks::{Marks, News};
use crate::base::error::{Context as _, Result};
use crate::base::files;
use crate::base::hex;
use crate::base::text::{counted, cut};
use crate::model::stage::Timestamp;
use crate::world::notify::Notice;
use crate::world::notify::settings::Service;

/// The folder of what this room keeps, in the operator's own folder.
pub(super) const FOLDER: &str = "notify";

/// The most messages kept; the oldest give way.
const MOST_LETTERS: usize = 100;

/// Most characters kept of a reason.
const LONGEST_REASON: usize = 300;

/// What became of a message at one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Delivery {
    /// It is to be sent.
    Waiting {
        #[serde(default)]
        attempts: u32,
        /// Why the last attempt failed.
        #[serde(default)]
        reason: Option<String>,
        /// The endpoint asks to be left alone until then.
        #[serde(default)]
        not_before: Option<DateTime<Utc>>,
        /// How often the endpoint refused it.
        #[serde(default)]
        refused: u32,
    },
    /// It is being sent.
    Sending,
    /// It was being sent when the run was killed, or no answer came: it may not have been delivered.
    Unsure { reason: String },
}

/// A message with the endpoints that have not taken it, by their keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) notice: Notice,
    pub(super) queued: DateTime<Utc>,
    pub(super) to: BTreeMap<String, Delivery>,
}

/// The contents of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Outbox {
    /// What the ids of this machine's messages begin with.
    name: String,
    /// The number of messages so far.
    count: u64,
    /// What was announced; none before the first run.
    pub(super) marks: Option<Marks>,
    /// What messages call each endpoint.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Where each endpoint stood in the settings: whoever mends its URL means the same one.
    #[serde(default)]
    pub(super) places: BTreeMap<String, Place>,
    #[serde(default)]
    pub(super) letters: Vec<Letter>,
}

/// The place of an endpoint in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// How messages are written for it.
    pub(super) kind: Service,
    /// Its number among the tables.
    pub(super) number: usize,
}

impl Outbox {
    fn path(own: &Path) -> Result<PathBuf> {
        files::below(own, &Path::new(FOLDER).join("outbox.json"))
    }

    /// Is there such a file?
    pub(super) fn is_there(own: &Path) -> Result<bool> {
        Ok(Outbox::path(own)?.exists())
    }

    /// Reads the file; `None` if there is none. The second value warns of one that cannot be read: it counts as
    /// missing.
    pub(super) fn load(own: &Path) -> Result<(Option<Outbox>, Option<String>)> {
        let path = Outbox::path(own)?;
        let Some(bytes) = files::read_own(&path, files::SMALL)? else { return Ok((None, None)) };
        match serde_json::from_slice(&bytes) {
            Ok(outbox) => Ok((Some(outbox), None)),
            Err(why) => {
                let path = path.display();
                Ok((None, Some(format!("{path}: does not parse ({why}); messages that waited in it are lost"))))
            }
        }
    }

    /// Writes the file and syncs it.
    pub(super) fn save(&self, own: &Path) -> Result<()> {
        let path = Outbox::path(own)?;
        let bytes = serde_json::to_vec(self).failed(|| format!("{}: cannot write", path.display()))?;
        files::write(&path, &bytes, files::Readers::Own)
    }

    /// Adds a message for these endpoints.
    pub(super) fn put(&mut self, news: News, competition: &str, now: DateTime<Utc>, to: &[String]) -> Result<()> {
        if to.is_empty() {
            return Ok(());
        }
        if self.name.is_empty() {
            let mut bytes = [0; 6];
            getrandom::fill(&mut bytes).failed(|| "the operating system provides no random bytes".to_owned())?;
            self.name = hex::encode(bytes);
        }
        self.count = self.count.saturating_add(1);
        let News { event, round, title, text, details, .. } = news;
        let details = if let Value::Object(details) = details { details } else { serde_json::Map::new() };
        let (id, time) = (format!("{}-{}", self.name, self.count), Timestamp::from(now).to_string());
        let notice = Notice { id, event, time, competition: competition.to_owned(), round, title, text, details };
        let waiting = || Delivery::Waiting { attempts: 0, reason: None, not_before: None, refused: 0 };
        self.letters.push(Letter { notice, queued: now, to: to.iter().map(|key| (key.clone(), waiting())).collect() });
        Ok(())
    }

    /// Hands on what waits for an endpoint whose URL has changed: to the new one of its kind in its place. `now` are the
    /// endpoints of the settings, by their keys. Returns what to tell about it.
    pub(super) fn adopt(&mut self, now: &BTreeMap<String, Place>) -> Vec<String> {
        let mut told = Vec::new();
        let gone = self.places.iter().filter(|(key, _)| !now.contains_key(*key));
        let heir = |place: &Place| now.iter().find(|(key, to)| *to == place && !self.places.contains_key(*key));
        let moved: Vec<_> = gone.filter_map(|(old, place)| Some((old.clone(), heir(place)?.0.clone()))).collect();
        for (old, new) in moved {
            let mut waiting = 0_u64;
            for letter in &mut self.letters {
                if let Some(delivery) = letter.to.remove(&old) {
                    waiting += u64::from(matches!(delivery, Delivery::Waiting { .. }));
                    letter.to.entry(new.clone()).or_insert_with(|| renewed(delivery));
                }
            }
            if waiting > 0 {
                let label = self.labels.get(&old).map_or("an endpoint", String::as_str);
                let messages = counted(waiting, "message that waits goes", "messages that wait go");
                told.push(format!("{label}: its URL has changed: {messages} to the new one"));
            }
        }
        self.places.clone_from(now);
        told
    }

    /// Marks what a killed run was sending, and drops what is too old or too much. Returns what to tell about it.
    pub(super) fn tidy(&mut self, now: DateTime<Utc>, keep: chrono::TimeDelta, known: &[String]) -> Vec<String> {
        let mut told = Vec::new();
        let labels = &self.labels;
        for letter in &mut self.letters {
            let title = letter.notice.title.clone();
            let old = now - letter.queued > keep;
            letter.to.retain(|key, delivery| {
                let label = labels.get(key).map_or("an endpoint", String::as_str);
                if *delivery == Delivery::Sending {
                    told.push(format!(
                        "{label}: a run was killed while sending {title:?}: it may not have been delivered"
                    ));
                    *delivery = Delivery::Unsure { reason: "the run was killed".to_owned() };
                }
                if old && let Delivery::Waiting { reason, .. } = delivery {
                    let why = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
                    told.push(format!("{label}: {title:?} was never delivered and is dropped{why}"));
                }
                let named = known.contains(key);
                if !named && !old && matches!(delivery, Delivery::Waiting { .. }) {
                    told.push(format!("{label}: the settings no longer name it: {title:?} is dropped"));
                }
                !old && named
            });
        }
        let surplus = self.letters.len().saturating_sub(MOST_LETTERS);
        if surplus > 0 {
            self.letters.drain(..surplus);
            told.push(format!("{} dropped: the outbox is full", counted(surplus, "message is", "messages are")));
        }
        self.letters.retain(|letter| !letter.to.is_empty());
        told
    }

    /// The message to send to this endpoint now, but for those tried already: the oldest one, unless the endpoint
    /// refused it.
    pub(super) fn next(&self, key: &str, tried: &BTreeSet<usize>, now: DateTime<Utc>) -> Option<usize> {
        let due = |(at, letter): (usize, &Letter)| match letter.to.get(key)? {
            Delivery::Waiting { not_before, refused, .. } if !tried.contains(&at) => {
                not_before.is_none_or(|at| at <= now).then_some((*refused > 0, at))
            }
            _ => None,
        };
        self.letters.iter().enumerate().filter_map(due).min().map(|(_, at)| at)
    }

    /// Sets the state of a message at an endpoint; without one, it was delivered.
    pub(super) fn set(&mut self, at: usize, key: &str, delivery: Option<Delivery>) {
        let Some(letter) = self.letters.get_mut(at) else { return };
        match delivery {
            Some(delivery) => _ = letter.to.insert(key.to_owned(), delivery),
            None => _ = letter.to.remove(key),
        }
    }

    /// Drops the messages that an endpoint has refused this often. Returns what to tell about each.
    pub(super) fn drop_refused(&mut self, key: &str, most: u32) -> Vec<String> {
        let mut told = Vec::new();
        for letter in &mut self.letters {
            if let Some(Delivery::Waiting { refused, reason, .. }) = letter.to.get(key)
                && *refused >= most
            {
                let why = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
                told.push(format!("{:?} was refused {refused} times and is dropped{why}", letter.notice.title));
                letter.to.remove(key);
            }
        }
        told
    }

    /// The messages that wait for an endpoint, oldest first, each with the reason of the last failure.
    pub(super) fn waiting<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (&'a Letter, Option<&'a str>)> {
        self.letters.iter().filter_map(move |letter| match letter.to.get(key)? {
            Delivery::Waiting { reason, .. } => Some((letter, reason.as_deref())),
            Delivery::Sending | Delivery::Unsure { .. } => None,
        })
    }

    /// The messages that an endpoint may not have got, oldest first.
    pub(super) fn unsure<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Letter> {
        let unsure = |to: &Delivery| !matches!(to, Delivery::Waiting { .. });
        self.letters.iter().filter(move |letter| letter.to.get(key).is_some_and(unsure))
    }

    /// How often a message was tried at an endpoint, and how often it was refused.
    pub(super) fn attempts(&self, at: usize, key: &str) -> (u32, u32) {
        match self.letters.get(at).and_then(|letter| letter.to.get(key)) {
            Some(Delivery::Waiting { attempts, refused, .. }) => (*attempts, *refused),
            _ => (0, 0),
        }
    }

    /// How many messages wait, and how many may not have been delivered, over all endpoints.
    pub(super) fn counts(&self) -> (u64, u64) {
        let all = self.letters.iter().flat_map(|letter| letter.to.values());
        all.fold((0, 0), |(waiting, unsure), delivery| match delivery {
            Delivery::Waiting { .. } => (waiting + 1, unsure),
            Delivery::Sending | Delivery::Unsure { .. } => (waiting, unsure + 1),
        })
    }
}

/// What the old address asked for does not hold for a new one.
fn renewed(delivery: Delivery) -> Delivery {
    match delivery {
        Delivery::Waiting { attempts, reason, .. } => {
            Delivery::Waiting { attempts, reason, not_before: None, refused: 0 }
        }
        Delivery::Sending | Delivery::Unsure { .. } => delivery,
    }
}

/// Room for the outbox on a disk that is full: a full disk is what has to be told.
const RESERVE: usize = 128 << 10;

fn reserve(own: &Path) -> Result<PathBuf> {
    files::below(own, &Path::new(FOLDER).join("reserve"))
}

/// Gives the reserve up if nothing can be written any more. Returns whether it was needed, and there.
pub(super) fn make_room(own: &Path) -> Result<bool> {
    let (folder, reserve) = (files::folder_below(own, Path::new(FOLDER))?, reserve(own)?);
    if files::try_to_write(&folder).is_ok() || !reserve.exists() {
        return Ok(false);
    }
    files::remove(&reserve)?;
    Ok(true)
}

/// Keeps the reserve for the next time, if there is room for it.
pub(super) fn keep_room(own: &Path) {
    let kept = reserve(own).and_then(|reserve| match reserve.exists() {
        true => Ok(()),
        false => files::write(&reserve, &vec![0; RESERVE], files::Readers::Own),
    });
    // The disk is still full: the next run tries again.
    drop(kept);
}

/// A reason as it is kept.
pub(super) fn kept(reason: &str) -> String {
    cut(reason, LONGEST_REASON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::notify::EventKind;

    fn letter(to: &[&str]) -> Letter {
        let notice = Notice {
            id: "x-1".to_owned(),
            event: EventKind::Winner,
            time: String::new(),
            competition: String::new(),
            round: None,
            title: "t".to_owned(),
            text: String::new(),
            details: serde_json::Map::new(),
        };
        let waiting = || Delivery::Waiting { attempts: 1, reason: None, not_before: Some(Utc::now()), refused: 0 };
        Letter { notice, queued: Utc::now(), to: to.iter().map(|key| ((*key).to_owned(), waiting())).collect() }
    }

    fn places(of: &[(&str, Service, usize)]) -> BTreeMap<String, Place> {
        of.iter().map(|(key, kind, number)| ((*key).to_owned(), Place { kind: *kind, number: *number })).collect()
    }

    fn waits_for(outbox: &Outbox) -> Vec<&str> {
        outbox.letters[0].to.keys().map(String::as_str).collect()
    }

    #[test]
    fn what_was_refused_waits_for_what_was_not() {
        let mut outbox = Outbox { letters: vec![letter(&["a"]), letter(&["a"]), letter(&["a"])], ..Outbox::default() };
        let refused =
            |refused| Delivery::Waiting { attempts: 1, reason: Some("400".to_owned()), not_before: None, refused };
        [(0, 5), (1, 1), (2, 0)].into_iter().for_each(|(at, times)| outbox.set(at, "a", Some(refused(times))));
        let next = |outbox: &Outbox, tried: &[usize]| outbox.next("a", &tried.iter().copied().collect(), Utc::now());
        assert_eq!([next(&outbox, &[]), next(&outbox, &[2]), next(&outbox, &[0, 2])], [Some(2), Some(0), Some(1)]);
        let told = outbox.drop_refused("a", 5);
        assert_eq!((told.len(), next(&outbox, &[2])), (1, Some(1)));
        assert!(told[0].contains("was refused 5 times and is dropped: 400"), "{told:?}");
    }

    #[test]
    fn what_waits_follows_a_url_that_is_mended_and_no_other() {
        let two = places(&[("a", Service::Json, 0), ("b", Service::Json, 1)]);
        let outbox = Outbox { places: two, letters: vec![letter(&["a", "b"])], ..Outbox::default() };
        let after = |now: &[(&str, Service, usize)]| {
            let mut outbox = outbox.clone();
            let told = outbox.adopt(&places(now)).len();
            (waits_for(&outbox).join(" "), told)
        };
        let (a, b) = (("a", Service::Json, 0), ("b", Service::Json, 1));
        assert_eq!(after(&[a, b]), ("a b".to_owned(), 0));
        assert_eq!(after(&[("c", Service::Json, 0), b]), ("b c".to_owned(), 1));
        // The first is gone: its messages are not the second's, which would get them twice.
        assert_eq!(after(&[("b", Service::Json, 0)]), ("a b".to_owned(), 0));
        assert_eq!(after(&[b, a].map(|(key, kind, at)| (key, kind, 1 - at))), ("a b".to_owned(), 0));
        assert_eq!(after(&[("c", Service::Slack, 0), b]), ("a b".to_owned(), 0), "of another kind");
        let mut mended = outbox.clone();
        mended.adopt(&places(&[("c", Service::Json, 0), b]));
        assert_eq!(
            mended.next("c", &BTreeSet::new(), Utc::now() - chrono::TimeDelta::hours(1)),
            Some(0),
            "it is tried at once"
        );
    }
}
