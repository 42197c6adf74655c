//! Which of the three formats a competition has: decided once for a tree, from a listing of its paths and a few
//! bytes of few files. First match wins:
//!
//! 1. the optional key `format` of config.json;
//! 2. telltale paths: files that only one format writes. If there are files of several formats, outputs count as well, and
//!    the format with the most files wins, so that one stray file does not decide;
//! 3. the keys of config.json;
//! 4. the model's key in the first output of the first file of outputs that has one;
//! 5. the competition's name, which is free text and only a hint;
//! 6. else mesh.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::Format;
use crate::base::text::holds;
use crate::model::file::FileKind;
use crate::model::ids::RoundNumber;
use crate::model::splat::file::{SplatFile, SplatRoundFile};
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile};

/// A tree's format, and how it was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The format.
    pub format: Format,
    /// The sign that decided, such as `rounds/3/audit_matrix.csv, which only threejs writes`.
    pub sign: String,
}

impl Detected {
    /// Is there a sign of the format, or is it only the one for want of any?
    #[must_use]
    pub fn is_sure(&self) -> bool {
        self.sign != NO_SIGN
    }

    /// For output read by programs.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::json!({ "name": self.format.name(), "sign": self.sign })
    }
}

impl fmt::Display for Detected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.format, self.sign)
    }
}

/// What a tree without any sign has for one.
const NO_SIGN: &str = "no sign of another format";

/// At most so many files of outputs are looked at.
const MOST_OUTPUTS: usize = 16;
/// How many of them decide where nothing else does.
const FIRST_OUTPUTS: usize = 3;

/// Decides a tree's format. `paths` are those of its files, from the competition's folder; `read` gives the bytes of
/// one of them, and is asked for config.json and a few files of outputs. A key `format` that names no format is reported
/// where config.json is parsed; the other signs then decide.
pub fn detect<'a>(
    paths: impl IntoIterator<Item = &'a str> + Clone,
    mut read: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Detected {
    let config = read("config.json").and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok());
    let config = config.unwrap_or_default();
    let named = config.get("format").and_then(|value| named(value).ok().flatten());
    let named = named.map(|format| (format, "config.json has this \"format\"".to_owned()));
    let found = named
        .or_else(|| by_paths(paths.clone(), by_name(&config), &mut read))
        .or_else(|| by_settings(&config))
        .or_else(|| first_output(paths, &mut read))
        .or_else(|| by_name(&config));
    let (format, sign) = found.unwrap_or((Format::Mesh, NO_SIGN.to_owned()));
    Detected { format, sign }
}

/// A format and the sign of it.
type Found = Option<(Format, String)>;

/// The format that the value of the key `format` names; `None` for null.
///
/// # Errors
/// It names none: what is wrong, for whoever reads config.json.
pub fn named(value: &Value) -> Result<Option<Format>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let format = value.as_str().and_then(|text| Format::ALL.into_iter().find(|format| format.name() == text));
    format.map(Some).ok_or_else(|| {
        let text = crate::model::record::shortened(&value.to_string());
        format!("\"format\" is {text}: expected splat, mesh or threejs")
    })
}

/// Checks the key `format` of a config.json that is read as one of this format.
///
/// # Errors
/// It names no format, or another one.
pub fn check_named(document: &Value, format: Format) -> Result<(), String> {
    match document.get("format").map_or(Ok(None), named)? {
        Some(other) if other != format => Err(format!("\"format\" is \"{other}\", but this is read as {format}")),
        _ => Ok(()),
    }
}

/// The format with the most telltale files, which only one format writes. Outputs say by their first key which format
/// they belong to, and count as well if they belong to another one. Of equals, outputs decide, then the latest round. A
/// single file does not decide against the competition's name.
fn by_paths<'a>(
    paths: impl IntoIterator<Item = &'a str> + Clone,
    hint: Found,
    read: &mut impl FnMut(&str) -> Option<Vec<u8>>,
) -> Found {
    let mut votes: BTreeMap<Format, Votes<'a>> = BTreeMap::new();
    for path in paths.clone() {
        if let Some((round, format)) = only_of(path) {
            votes.entry(format).or_default().add(round, path, false);
        }
    }
    let told = votes.keys().copied().collect::<Vec<_>>();
    if told.is_empty() {
        return None;
    }
    let first = first_output(paths.clone(), read);
    if first.is_some_and(|(format, _)| told != [format]) {
        let outputs: Vec<_> =
            outputs(paths).into_iter().filter_map(|path| Some((path, of_outputs(path, read)?))).collect();
        for (path, format) in outputs {
            let round = path.split('/').nth(1).and_then(|round| round.parse().ok()).unwrap_or(RoundNumber(0));
            votes.entry(format).or_default().add(round, path, true);
        }
    }
    let (format, votes) = votes.into_iter().max_by_key(|(_, votes)| (votes.count, votes.outputs, votes.round))?;
    if votes.count == 1 && hint.is_some_and(|(hint, _)| hint != format) {
        return None;
    }
    let sign = match votes.path {
        path if is_outputs(path) => listing(path, format),
        path => format!("{path}, which only {format} writes"),
    };
    Some((format, sign))
}

/// The files that speak for a format.
#[derive(Debug, Default)]
struct Votes<'a> {
    count: usize,
    /// Are there outputs among them?
    outputs: bool,
    /// The latest round with such a file, and the first path there, so that the order of the listing does not matter.
    round: RoundNumber,
    path: &'a str,
}

impl<'a> Votes<'a> {
    fn add(&mut self, round: RoundNumber, path: &'a str, outputs: bool) {
        self.outputs |= outputs;
        if self.count == 0 || (std::cmp::Reverse(round), path) < (std::cmp::Reverse(self.round), self.path) {
            (self.round, self.path) = (round, path);
        }
        self.count += 1;
    }
}

/// Another format that has a file at this path, where `format` has none.
#[must_use]
pub fn other_format(path: &str, format: Format) -> Option<Format> {
    let has = |format: &Format| match format {
        Format::Splat => SplatFile::of_path(path).is_some(),
        Format::Threejs => ThreejsFile::of_path(path).is_some(),
        // Copies under other names, such as `duels_leader.old.json`, say nothing about the format.
        _ => FileKind::of_path(path).is_some() && path.matches('.').count() <= 1,
    };
    if has(&format) { None } else { Format::ALL.into_iter().find(has) }
}

/// The format of a path that only one format has.
#[must_use]
pub fn telling(path: &str) -> Option<Format> {
    only_of(path).map(|(_, format)| format)
}

/// The round of a path that only one format has.
fn only_of(path: &str) -> Option<(RoundNumber, Format)> {
    match SplatFile::of_path(path) {
        Some(SplatFile::Round(round, SplatRoundFile::Progress)) => return Some((round, Format::Splat)),
        Some(SplatFile::Player(round, ..)) => {
            return Some((round, Format::Splat));
        }
        _ => {}
    }
    match ThreejsFile::of_path(path)? {
        ThreejsFile::Round(
            round,
            ThreejsRoundFile::AuditMatrix | ThreejsRoundFile::GenerationReports | ThreejsRoundFile::VerificationAudits,
        )
        | ThreejsFile::Player(round, _, ThreejsPlayerFile::Generated(Some(_)) | ThreejsPlayerFile::Audit(_)) => {
            Some((round, Format::Threejs))
        }
        ThreejsFile::Player(round, _, ThreejsPlayerFile::Duels(name)) if name == "duels_submitted.json" => {
            Some((round, Format::Threejs))
        }
        _ => None,
    }
}

fn by_settings(config: &Map<String, Value>) -> Found {
    if config.contains_key("audit_repeats") {
        return Some((Format::Threejs, "config.json has the key audit_repeats".to_owned()));
    }
    // What is no config.json of a competition tells nothing.
    if config.contains_key("win_margin") && !config.contains_key("generation_stage_minutes") {
        return Some((Format::Splat, "config.json has no key generation_stage_minutes".to_owned()));
    }
    None
}

/// The format that most of the first files of outputs have: a single one may be a stray.
fn first_output<'a>(paths: impl IntoIterator<Item = &'a str>, read: &mut impl FnMut(&str) -> Option<Vec<u8>>) -> Found {
    let mut found: Vec<(Format, &str)> = Vec::new();
    for path in outputs(paths) {
        found.extend(of_outputs(path, read).map(|format| (format, path)));
        if found.len() == FIRST_OUTPUTS {
            break;
        }
    }
    let votes = |wanted: Format| found.iter().filter(|(format, _)| *format == wanted).count();
    // Of equals, the first.
    let (format, path) = found.iter().rev().max_by_key(|(format, _)| votes(*format)).copied()?;
    Some((format, listing(path, format)))
}

/// The sign that outputs are.
fn listing(path: &str, format: Format) -> String {
    format!("{path} lists .{} files", format.model().key())
}

/// Which other format's model the text of a file has that could not be read as one of this format.
pub fn written_for(bytes: &[u8], format: Format) -> Option<Format> {
    let has = |of: Format| {
        let key = of.model().key();
        holds(bytes, &format!("\"{key}\"")) || holds(bytes, &format!("\"left_{key}\""))
    };
    Format::ALL.into_iter().find(|other| *other != format && has(*other) && !has(format))
}

/// The files of outputs that are looked at.
fn outputs<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut outputs: Vec<&str> = paths.into_iter().filter(|path| is_outputs(path)).collect();
    outputs.sort_unstable();
    outputs.truncate(MOST_OUTPUTS);
    outputs
}

/// The format whose model the first output of a file has.
fn of_outputs(path: &str, read: &mut impl FnMut(&str) -> Option<Vec<u8>>) -> Option<Format> {
    let key = read(path).and_then(|bytes| first_key(&bytes))?;
    Format::ALL.into_iter().find(|format| format.model().key() == key)
}

fn is_outputs(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts.as_slice(), ["rounds", _, _, "submitted.json" | "generated.json"])
}

fn by_name(config: &Map<String, Value>) -> Found {
    let name = config.get("name")?.as_str()?.to_lowercase();
    let hints = [
        ("threejs", Format::Threejs),
        ("three.js", Format::Threejs),
        ("splat", Format::Splat),
        ("contest", Format::Splat),
        ("mesh", Format::Mesh),
    ];
    let (hint, format) = hints.into_iter().find(|(hint, _)| name.contains(hint))?;
    Some((format, format!("the competition's name has {hint:?} in it: a hint, no proof")))
}

/// The first key of the first value of an object of objects; reads no further.
fn first_key(bytes: &[u8]) -> Option<String> {
    let found = RefCell::new(None);
    // The seed stops the parser with an error once it has what it wants.
    let _ = FirstKey { found: &found, outer: true }.deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    found.into_inner()
}

struct FirstKey<'a> {
    found: &'a RefCell<Option<String>>,
    outer: bool,
}

impl<'de> DeserializeSeed<'de> for FirstKey<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FirstKey<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.outer {
            map.next_key::<IgnoredAny>()?;
            return map.next_value_seed(FirstKey { found: self.found, outer: false });
        }
        *self.found.borrow_mut() = map.next_key::<String>()?;
        Err(A::Error::custom("enough was read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOTKEY: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const MESH: &str = r#"{"name": "cup", "generation_stage_minutes": 1, "win_margin": 0.05}"#;

    /// The format, the sign, and the files that were read.
    fn of(paths: &[&str], config: &str, outputs: &str) -> (Format, String, usize) {
        let mut reads = 0;
        let found = detect(paths.iter().copied(), |path| {
            reads += 1;
            Some(if path == "config.json" { config } else { outputs }.as_bytes().to_vec())
        });
        (found.format, found.sign, reads)
    }

    #[test]
    fn the_first_sign_decides() {
        let folder = |name: &str| format!("rounds/0/{HOTKEY}/{name}");
        let (splat, threejs) = (folder("generations.json"), folder("generated_1.json"));
        let submitted = folder("submitted.json");
        let threejs_config = r#"{"format": "threejs", "name": "mesh", "win_margin": 0.05}"#;
        assert_eq!(of(&[&splat], threejs_config, "").0, Format::Threejs);
        let (format, sign, reads) = of(&[&splat], MESH, "");
        assert_eq!((format, reads), (Format::Splat, 1));
        assert_eq!(sign, format!("{splat}, which only splat writes"));
        assert_eq!(of(&[&threejs], r#"{"win_margin": 0.05}"#, "").0, Format::Threejs);
        assert_eq!(of(&[&submitted], r#"{"win_margin": 0.05}"#, r#"{"a": {"js": null"#).0, Format::Splat);
        assert_eq!(of(&[&submitted], r#"{"audit_repeats": 3}"#, r#"{"a": {"glb": null"#).0, Format::Threejs);
        for (key, format) in [("ply", 0), ("glb", 1), ("js", 2)] {
            // A stem may look like anything; what follows need not be there.
            let outputs = format!(r#"{{"js": {{"{key}": null, "#);
            let found = of(&[&submitted], &MESH.replace("cup", "contest"), &outputs);
            assert_eq!((found.0, found.2), (Format::ALL[format], 2));
        }
        assert_eq!(of(&[&submitted], &MESH.replace("cup", "Three.js cup"), "{}").0, Format::Threejs);
        let (format, sign, _) = of(&[&submitted], MESH, "{}");
        assert_eq!((format, sign.as_str()), (Format::Mesh, "no sign of another format"));
    }

    #[test]
    fn of_two_rounds_the_later_one_decides() {
        let paths = ["rounds/9/judge_progress.json", "rounds/10/audit_matrix.csv"];
        assert_eq!(of(&paths, MESH, "").0, Format::Threejs);
        assert_eq!(of(&["rounds/10/judge_progress.json", "rounds/9/audit_matrix.csv"], MESH, "").0, Format::Splat);
    }

    #[test]
    fn other_files_are_no_sign() {
        for path in [
            "rounds/x/audit_matrix.csv",
            "rounds/0/nobody/generated_1.json",
            "audit_matrix.csv",
            "rounds/0/leader/generated.json",
            "rounds/0/leader/generated_x.json",
            "rounds/0/leader/a/duels.json",
        ] {
            assert_eq!(of(&[path], MESH, "").0, Format::Mesh, "{path}");
        }
        assert_eq!(of(&["rounds/0/leader/generated_12.json"], MESH, "").0, Format::Threejs);
    }

    #[test]
    fn a_file_of_another_format_names_it() {
        let of = |path: &str, format| other_format(&format!("rounds/0/{path}"), format);
        assert_eq!(of("judge_progress.json", Format::Mesh), Some(Format::Splat));
        assert_eq!(of("leader/generated_1.json", Format::Mesh), Some(Format::Threejs));
        assert_eq!(of("winner.json", Format::Splat), Some(Format::Mesh));
        assert_eq!(of("winner.json", Format::Threejs), None);
        assert_eq!(of("notes.txt", Format::Splat), None);
        assert_eq!(of("leader/duels_leader.old.json", Format::Threejs), None);
    }

    /// Any one file of another format, at any place, is a stray.
    #[test]
    fn one_stray_file_does_not_decide() {
        let folder = |name: &str| format!("rounds/0/{HOTKEY}/{name}");
        let strays = ["rounds/9/judge_progress.json", "rounds/9/audit_matrix.csv", "rounds/9/leader/generated_1.json"];
        let read = |outputs: &'static str| {
            move |path: &str| Some(if path == "config.json" { MESH } else { outputs }.as_bytes().to_vec())
        };
        let meshes = ["rounds/0/leader/generated.json".to_owned(), folder("submitted.json")];
        let splats = ["rounds/0/leader/generations.json".to_owned(), folder("duels.json")];
        let modules = ["rounds/0/leader/generated_1.json".to_owned(), folder("submitted.json")];
        // A single file of outputs is as good as any one stray; and a name is better than that.
        let early = meshes[..1].iter().map(String::as_str).chain([strays[1]]);
        assert_eq!(detect(early, read(r#"{"a": {"glb": null"#)).format, Format::Mesh);
        let named = MESH.replace("cup", "mesh cup");
        assert_eq!(detect([strays[1]], |_| Some(named.clone().into_bytes())).format, Format::Mesh);
        for (own, outputs, format) in [
            (&meshes, r#"{"a": {"glb": null"#, Format::Mesh),
            (&splats, "", Format::Splat),
            (&modules, r#"{"a": {"js": null"#, Format::Threejs),
        ] {
            for stray in strays {
                let paths = own.iter().map(String::as_str).chain([stray]);
                assert_eq!(detect(paths, read(outputs)).format, format, "{stray}");
            }
        }
    }

    #[test]
    fn a_format_that_is_none_is_a_mistake() {
        let found = detect([], |_| Some(br#"{"format": "glb", "name": "x"}"#.to_vec()));
        assert_eq!(found.format, Format::Mesh);
        let wrong = named(&"glb".into()).unwrap_err();
        assert_eq!(wrong, "\"format\" is \"glb\": expected splat, mesh or threejs");
        assert_eq!(named(&Value::Null), Ok(None));
        assert_eq!(detect([], |_| None).format, Format::Mesh);
    }
}
