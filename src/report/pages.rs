//! Renders views into pages by templates that escape everything and embed style and script.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::basis::{Basis, VERSION};
use super::miners::miner_page;
use crate::base::error::{Error, Result};
use crate::base::text::visible_on_page;

const STYLE: &str = include_str!("templates/report.css");
const SCRIPT: &str = include_str!("templates/report.js");

/// The templates, by name.
const TEMPLATES: [(&str, &str); 9] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("index.html", include_str!("templates/index.html")),
    ("round.html", include_str!("templates/round.html")),
    ("miner.html", include_str!("templates/miner.html")),
    ("walk.html", include_str!("templates/walk.html")),
    ("chain.html", include_str!("templates/chain.html")),
    ("evidence.html", include_str!("templates/evidence.html")),
    ("match.html", include_str!("templates/match.html")),
];

/// Renders pages; shared by all threads.
#[derive(Debug)]
pub(crate) struct Pages {
    templates: Environment<'static>,
    /// The hashes of style and script for the Content-Security-Policy.
    sums: (String, String),
    /// What all of it rests on.
    pub(super) basis: Arc<Basis>,
    /// The miners that have pages.
    miners: BTreeSet<String>,
}

impl Pages {
    /// Parses the templates.
    pub(crate) fn new() -> Result<Pages> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        templates.set_syntax(syntax.map_err(|e| broken("syntax", &e))?);
        templates.set_formatter(|out, state, value| match value.as_str() {
            // The default formatter also escapes slashes, of which pages of URLs are full. Untrusted texts may hold
            // bidirectional controls: show them as code points, as on a terminal.
            Some(text) if !value.is_safe() => {
                escape(&visible_on_page(text), |part| out.write_str(part)).map_err(Into::into)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        for (name, text) in TEMPLATES {
            templates.add_template(name, text).map_err(|e| broken(name, &e))?;
        }
        templates.add_global("style", Value::from_safe_string(STYLE.to_owned()));
        templates.add_global("script", Value::from_safe_string(SCRIPT.to_owned()));
        templates.add_global("version", Value::from(VERSION));
        templates.add_function("miner_page", |_: &str| None::<String>);
        Ok(Pages::showing(templates, Basis::default()))
    }

    /// The same, resting on this.
    #[must_use]
    pub(crate) fn resting_on(self, basis: Basis) -> Pages {
        Pages { miners: self.miners, ..Pages::showing(self.templates, basis) }
    }

    fn showing(mut templates: Environment<'static>, basis: Basis) -> Pages {
        templates.add_global("basis", Value::from(Serde(&basis)));
        templates.add_global("commit_page", Value::from(basis.commit_page()));
        let basis = Arc::new(basis);
        let (of_path, of_subject) = (Arc::clone(&basis), Arc::clone(&basis));
        templates.add_function("file_links", move |folder: &str, names: Vec<String>| {
            let link = |name: String| Some(vec![of_path.file_page(&format!("{folder}{name}"))?, name]);
            names.into_iter().filter_map(link).collect::<Vec<_>>()
        });
        templates.add_function("subject_page", move |subject: &str| of_subject.subject_page(subject));
        Pages { templates, sums: (sum(STYLE), sum(SCRIPT)), basis, miners: BTreeSet::new() }
    }

    /// The same, with links to the pages of these miners.
    #[must_use]
    pub(crate) fn linking(mut self, miners: BTreeSet<String>) -> Pages {
        let known = miners.clone();
        let page = move |hotkey: &str| known.contains(hotkey).then(|| miner_page(hotkey));
        self.templates.add_function("miner_page", page);
        self.miners = miners;
        self
    }

    /// The page of a miner that has one, relative to the index.
    pub(super) fn of_miner(&self, hotkey: &str) -> Option<String> {
        self.miners.contains(hotkey).then(|| miner_page(hotkey))
    }

    /// Renders a page. `top` is the relative path to the index's folder; images may come only from `sources`.
    pub(crate) fn page(&self, name: &str, top: &str, sources: &str, view: &impl Serialize) -> Result<String> {
        let template = self.templates.get_template(name).map_err(|e| broken(name, &e))?;
        // Even if something slips through escaping, the page may only run our script and apply our style.
        let policy = format!(
            "default-src 'none'; img-src {sources}; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
            self.sums.0, self.sums.1
        );
        let policy = Value::from_safe_string(policy);
        let context = minijinja::context! { page => Value::from(Serde(view)), top, policy };
        template.render(context).map_err(|e| broken(name, &e))
    }
}

fn broken(name: &str, error: &minijinja::Error) -> Error {
    Error::failed(format!("the report's template {name} is broken: {error:#}"))
}

/// A text's hash as a Content-Security-Policy source.
fn sum(text: &str) -> String {
    format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}

/// Escapes a text for HTML content and attribute values.
fn escape<E>(text: &str, mut write: impl FnMut(&str) -> std::result::Result<(), E>) -> std::result::Result<(), E> {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        let (before, from) = rest.split_at(at);
        write(before)?;
        write(match from.as_bytes().first() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'"') => "&quot;",
            _ => "&#39;",
        })?;
        rest = from.get(1..).unwrap_or_default();
    }
    write(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_means_something_is_escaped() {
        let mut out = String::new();
        escape("<a href='x' title=\"&\">/é", |part| {
            out.push_str(part);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(out, "&lt;a href=&#39;x&#39; title=&quot;&amp;&quot;&gt;/é");
    }

    #[test]
    fn nothing_turns_the_direction_of_a_page() {
        let pages = Pages::new().unwrap();
        let shown =
            pages.templates.render_str("{{ text }}", minijinja::context! { text => "a\u{202e}b\u{200b}\u{202f}<" });
        assert_eq!(shown.unwrap(), "a\\u{202e}b\\u{200b}\u{202f}&lt;");
    }

    #[test]
    fn style_and_script_stay_small() {
        let own = STYLE.len() + SCRIPT.len();
        assert!(own < 60_000, "{own} bytes of style and script a page");
        assert!(!STYLE.contains("</") && !SCRIPT.contains("</"));
    }
}
