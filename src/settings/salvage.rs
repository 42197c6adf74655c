//! What can be followed of settings that are wrong elsewhere: whom to tell. A typo must not silence who would tell of it.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::{Config, SettingsSource};
use crate::world::notify::{Endpoints, HeartbeatSettings, NotifySettings, OutboxSettings};

/// Settings that name whom to tell, and nothing else.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Salvaged {
    /// The defaults, but for `[notify]`, `[heartbeat]`, `[outbox]` and `[metrics]` as far as they can be read.
    pub(crate) config: Config,
    /// Is it known whom to tell? Not if the file cannot be read, or one of these tables is wrong.
    pub(crate) is_known: bool,
}

/// Reads these settings once more, for whom to tell.
pub(crate) fn salvage(source: &SettingsSource) -> Salvaged {
    let Ok(Some((path, text))) = source.read() else { return Salvaged::default() };
    let mut salvaged = of_text(&text);
    salvaged.config.start_at(path.parent().unwrap_or(std::path::Path::new("")));
    salvaged
}

/// Of a text that need not be TOML throughout: what stands before and after a line that is none can be read.
fn of_text(text: &str) -> Salvaged {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut salvaged = Salvaged { config: Config::default(), is_known: true };
    for (key, value) in table.into_inner() {
        let config = &mut salvaged.config;
        let read = match key.get_ref().as_ref() {
            "notify" => {
                let (endpoints, all) = endpoints(value);
                config.notify = endpoints;
                all
            }
            "heartbeat" => {
                set(&mut config.heartbeat, read(value).filter(|read: &HeartbeatSettings| read.check().is_ok()))
            }
            "outbox" => set(&mut config.outbox, read(value).filter(|read: &OutboxSettings| read.check().is_ok())),
            "metrics" => set(&mut config.metrics, read(value)),
            _ => true,
        };
        salvaged.is_known &= read;
    }
    let config = &salvaged.config;
    let names_none = config.notify.0.is_empty() && config.heartbeat.url.is_none() && config.metrics.file.is_none();
    salvaged.is_known &= errors.is_empty() || !names_none;
    salvaged
}

/// Each endpoint that can be read, and whether all of them can.
fn endpoints(value: Spanned<DeValue<'_>>) -> (Endpoints, bool) {
    let span = value.span();
    let tables = match value.into_inner() {
        DeValue::Array(tables) => tables.into_iter().collect(),
        one => vec![Spanned::new(span, one)],
    };
    let (mut found, count) = (Endpoints::default(), tables.len());
    for endpoint in tables.into_iter().filter_map(read::<NotifySettings>) {
        found.0.push(endpoint);
        if found.check().is_err() {
            found.0.pop();
        }
    }
    let all = found.0.len() == count;
    (found, all)
}

fn read<'de, T: Deserialize<'de>>(value: Spanned<DeValue<'de>>) -> Option<T> {
    T::deserialize(ValueDeserializer::from(value)).ok()
}

/// Takes over a value that could be read. Returns whether it could.
fn set<T>(place: &mut T, read: Option<T>) -> bool {
    let Some(read) = read else { return false };
    *place = read;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "[[notify]]\nurl = 'https://a.example/x'\n[heartbeat]\nurl = 'https://b.example/y'\n[metrics]\n\
                        file = 'm.prom'\n[outbox]\nseconds = 3\n";

    #[test]
    fn what_is_wrong_elsewhere_hides_nobody() {
        let whole = Config::parse(TOLD).unwrap();
        for wrong in ["[judge]\nmodle = 'x'\n", "[judge]\nattempts = \n", "[judge\n", "chain = 3\n", "x = 'y\n"] {
            // A key after the last table would be one of that table's.
            let after = wrong.starts_with('[').then(|| format!("{TOLD}{wrong}"));
            for text in std::iter::once(format!("{wrong}{TOLD}")).chain(after) {
                let salvaged = of_text(&text);
                assert!(Config::parse(&text).is_err(), "{text}");
                assert!(salvaged.is_known && salvaged.config == whole, "{text}: {salvaged:?}");
            }
        }
    }

    #[test]
    fn a_table_that_is_wrong_itself_leaves_the_others() {
        let two = of_text("[[notify]]\nurl = 'https://a.example'\n[[notify]]\nkid = 1\nurl = 'https://b.example'\n");
        assert_eq!((two.config.notify.0.len(), two.is_known), (1, false));
        let metrics = of_text("[metrics]\nfile = 3\n[heartbeat]\nurl = 'https://b.example'\n");
        assert!(metrics.config.heartbeat.url.is_some() && metrics.config.metrics.file.is_none() && !metrics.is_known);
        assert!(!of_text("[heartbeat]\nurl = 'ftp://b.example'\n").is_known);
        assert!(!of_text("<html>no TOML</html>").is_known);
        assert!(of_text("[judge]\nmodle = 'x'\n").is_known, "nobody is to be told");
    }
}
