//! Who is told: `[notify]`, `[heartbeat]` and `[outbox]` of `gen404.toml`.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::de::{MapAccess, SeqAccess, Visitor, value};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use super::{EventKind, Target};
use crate::base::error::{Error, Result};
use crate::base::hex;
use crate::base::setting::{SettingError, check_seconds};
use crate::http::Secret;

/// The most endpoints: each has a thread of its own while a run's messages are sent.
const MOST_ENDPOINTS: usize = 16;

/// The services that messages are written for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// JSON for a receiver of the operator's own.
    #[default]
    Json,
    /// A webhook of Discord.
    Discord,
    /// An incoming webhook of Slack, or of one that takes the same messages.
    Slack,
    /// A topic of ntfy.
    Ntfy,
}

impl Service {
    /// Its name in settings and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Service::Json => "json",
            Service::Discord => "discord",
            Service::Slack => "slack",
            Service::Ntfy => "ntfy",
        }
    }
}

/// An endpoint that is sent messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifySettings {
    /// How messages are written.
    pub kind: Service,
    /// Where they go; `${NAME}` stands for a variable of the environment.
    pub url: UrlTemplate,
    /// Which events; by default all.
    pub events: Option<BTreeSet<EventKind>>,
}

impl NotifySettings {
    /// Is it told of such events?
    #[must_use]
    pub fn wants(&self, event: EventKind) -> bool {
        self.events.as_ref().is_none_or(|events| events.contains(&event))
    }

    /// Names it in the outbox: the same for as long as its lines in the settings are.
    #[must_use]
    pub fn key(&self) -> String {
        let sum = Sha256::digest(format!("{} {}", self.kind.as_str(), self.url.0));
        hex::encode(sum.get(..8).unwrap_or_default())
    }
}

/// The endpoints: one table, or an array of tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Endpoints(pub Vec<NotifySettings>);

impl Endpoints {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// What is wrong with which key.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        if self.0.len() > MOST_ENDPOINTS {
            let count = self.0.len() as u64;
            let name = "number of [[notify]] tables".to_owned();
            return Err(SettingError::Count { name, value: count, least: 0, most: MOST_ENDPOINTS as u64 });
        }
        let mut keys = BTreeSet::new();
        for endpoint in &self.0 {
            endpoint.url.check("notify.url")?;
            if !keys.insert(endpoint.key()) {
                let twice = "notify.url: two tables name the same endpoint; name its events in one".to_owned();
                return Err(SettingError::Other(twice));
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Endpoints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Endpoints;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, or several as [[notify]]")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Endpoints, A::Error> {
                let one = NotifySettings::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(Endpoints(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> std::result::Result<Endpoints, A::Error> {
                Vec::deserialize(value::SeqAccessDeserializer::new(seq)).map(Endpoints)
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

/// `[heartbeat]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeartbeatSettings {
    /// What is pinged after each run that succeeded; with `/start` and `/fail` appended, before each run and after one
    /// that failed.
    pub url: Option<UrlTemplate>,
}

impl HeartbeatSettings {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// What is wrong with which key.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        self.url.as_ref().map_or(Ok(()), |url| url.check("heartbeat.url"))
    }
}

/// `[outbox]`
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboxSettings {
    /// For all that a run sends.
    pub seconds: f64,
    /// After which an undelivered message is dropped.
    pub keep_seconds: f64,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        OutboxSettings { seconds: 10.0, keep_seconds: 86_400.0 }
    }
}

impl OutboxSettings {
    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// What is wrong with which key.
    pub fn check(&self) -> std::result::Result<(), SettingError> {
        check_seconds("outbox", 0.1, &[("seconds", self.seconds), ("keep_seconds", self.keep_seconds)])
    }

    /// The time for all that a run sends.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.1, 86_400.0))
    }
}

/// A URL in which `${NAME}` stands for the variable NAME of the environment, or for what is in the file that
/// `NAME_FILE` names, so that a secret stays out of the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct UrlTemplate(pub String);

/// The pieces of a template: a text and a variable's name each, and the text after the last one.
type Parts<'a> = (Vec<(&'a str, &'a str)>, &'a str);

impl UrlTemplate {
    /// The text before each variable, the variable's name, and the text after the last one.
    fn parts(&self) -> std::result::Result<Parts<'_>, &'static str> {
        let (mut parts, mut rest) = (Vec::new(), self.0.as_str());
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("a ${ without its closing }")?;
            let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !is_name(name) {
                return Err("${...} has to hold the name of a variable of the environment");
            }
            parts.push((before, name));
            rest = after;
        }
        Ok((parts, rest))
    }

    fn check(&self, key: &str) -> std::result::Result<(), SettingError> {
        // The URL itself is not quoted: it may be a secret.
        let wrong = |why: &str| SettingError::Other(format!("{key}: {why}"));
        let (parts, _) = self.parts().map_err(wrong)?;
        if self.0.trim().is_empty() {
            return Err(wrong("it is missing"));
        }
        if parts.is_empty() {
            Target::new(Secret::new(&self.0)).map_err(|why| wrong(&why))?;
        }
        Ok(())
    }

    /// The target that it names in this environment. Errors name `key`, and quote no value.
    ///
    /// # Errors
    /// A variable is not set, or the result is not an http(s) URL.
    pub fn open(&self, key: &str, env: impl Fn(&str) -> Option<String>) -> Result<Target> {
        let wrong = |why: &str| Error::usage(format!("{key}: {why}"));
        let (parts, rest) = self.parts().map_err(wrong)?;
        let mut url = String::new();
        for (before, name) in parts {
            let value = Secret::from_env(&env, name)?.ok_or_else(|| wrong(&format!("{name} is not set")))?;
            url.push_str(before);
            url.push_str(value.expose());
        }
        url.push_str(rest);
        Target::new(Secret::new(&url)).map_err(|why| wrong(&why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> UrlTemplate {
        UrlTemplate(text.to_owned())
    }

    #[test]
    fn variables_are_filled_in_and_never_quoted() {
        let env = |name: &str| (name == "HOOK").then(|| "hunter2/x".to_owned());
        let open = |text: &str| template(text).open("notify.url", env);
        assert_eq!(open("https://a.example/${HOOK}?x=1").unwrap().host(), "a.example");
        for (text, why) in [
            ("https://a.example/${NONE}", "notify.url: NONE is not set"),
            ("${HOOK}", "notify.url: it is not an http(s) URL"),
            ("https://a.example/${HOOK", "without its closing"),
            ("https://a.example/${1}", "name of a variable"),
            ("https://a.example/${}", "name of a variable"),
            ("https://a.example/${A-B}", "name of a variable"),
        ] {
            let error = open(text).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("hunter2"), "{text}: {error}");
        }
        assert!(template("https://a.example/${HOOK}").check("x").is_ok() && template(" ").check("x").is_err());
    }

    #[test]
    fn one_table_or_several() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            #[serde(default)]
            notify: Endpoints,
        }
        let parse = |text: &str| toml::from_str::<File>(text).map(|file| file.notify.0);
        assert_eq!(parse("").unwrap(), []);
        let one = parse("[notify]\nkind = 'slack'\nurl = 'https://a.example'\n").unwrap();
        assert_eq!((one.len(), one[0].kind, one[0].wants(EventKind::Winner)), (1, Service::Slack, true));
        let two = "[[notify]]\nurl = 'https://a.example'\n[[notify]]\nurl = 'https://b.example'\nevents = ['winner']\n";
        let two = parse(two).unwrap();
        assert!(two[1].wants(EventKind::Winner) && !two[1].wants(EventKind::Verdict) && two[0].key() != two[1].key());
        for (text, why) in [
            ("[notify]\nkid = 1\n", "unknown field `kid`"),
            ("[[notify]]\nevents = ['audit']\n", "unknown variant `audit`"),
            ("notify = 3\n", "a table, or several as [[notify]]"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(Endpoints(vec![NotifySettings::default()]).check().unwrap_err().to_string().contains("notify.url"));
    }
}
