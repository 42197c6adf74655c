//! Which of the three formats a competition has: decided once for a tree, from a listing of its paths and a few
//! bytes of few files. First match wins:
//!
//! 1. the optional key `format` of config.json;
//! 2. a telltale path: a file that only one format writes, in the latest round that has one;
//! 3. the keys of config.json;
//! 4. the model's key in the first output of the first file of outputs that has one;
//! 5. the competition's name, which is free text and only a hint;
//! 6. else mesh.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::Format;
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
    /// What is wrong with the key `format`, where it names no format.
    pub mistake: Option<String>,
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
        write!(f, "{}: {}", self.format, self.sign)
    }
}

/// What a tree without any sign has for one.
const NO_SIGN: &str = "no sign of another format";

/// At most so many files of outputs are looked at.
const MOST_OUTPUTS: usize = 16;

/// Decides a tree's format. `paths` are those of its files, from the competition's folder; `read` gives the bytes of
/// one of them, and is asked for config.json and, where paths and settings tell nothing, a few files of outputs.
pub fn detect<'a>(
    paths: impl IntoIterator<Item = &'a str> + Clone,
    mut read: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Detected {
    let config = read("config.json").and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok());
    let config = config.unwrap_or_default();
    let (named, mistake) = named(&config);
    let found = named
        .or_else(|| telltale(paths.clone()))
        .or_else(|| by_settings(&config))
        .or_else(|| first_output(paths, read))
        .or_else(|| by_name(&config));
    let (format, sign) = found.unwrap_or((Format::Mesh, NO_SIGN.to_owned()));
    Detected { format, sign, mistake }
}

/// A format and the sign of it.
type Found = Option<(Format, String)>;

fn named(config: &Map<String, Value>) -> (Found, Option<String>) {
    let Some(value) = config.get("format") else { return (None, None) };
    let format = value.as_str().and_then(|text| Format::ALL.into_iter().find(|format| format.name() == text));
    match format {
        Some(format) => (Some((format, "config.json has this \"format\"".to_owned())), None),
        None => {
            let text = crate::model::record::shortened(&value.to_string());
            (None, Some(format!("config.json: \"format\" is {text}: {} is needed", names())))
        }
    }
}

/// The names of all formats, in words.
fn names() -> String {
    let [first @ .., last] = Format::ALL.map(Format::name);
    format!("{} or {last}", first.join(", "))
}

/// The format whose file lies in the latest round that has such a file.
fn telltale<'a>(paths: impl IntoIterator<Item = &'a str>) -> Found {
    let found = paths.into_iter().filter_map(|path| only_of(path).map(|(round, format)| (round, format, path)));
    // The first path of that round, so that the sign does not depend on the order of the listing.
    let best = found.min_by_key(|(round, _, path)| (std::cmp::Reverse(*round), *path))?;
    let (_, format, path) = best;
    Some((format, format!("{path}, which only {format} writes")))
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
        Some(SplatFile::Generations(round, _) | SplatFile::Duels(round, _)) => {
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

fn first_output<'a>(paths: impl IntoIterator<Item = &'a str>, mut read: impl FnMut(&str) -> Option<Vec<u8>>) -> Found {
    let mut outputs: Vec<&str> = paths.into_iter().filter(|path| is_outputs(path)).collect();
    outputs.sort_unstable();
    for path in outputs.into_iter().take(MOST_OUTPUTS) {
        let Some(key) = read(path).and_then(|bytes| first_key(&bytes)) else { continue };
        if let Some(format) = Format::ALL.into_iter().find(|format| format.model().key() == key) {
            return Some((format, format!("{path} has outputs of {key}")));
        }
    }
    None
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
    Some((format, format!("the competition's name has {hint:?} in it (a hint, no proof)")))
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

    #[test]
    fn a_format_that_is_none_is_a_mistake() {
        let found = detect([], |_| Some(br#"{"format": "glb", "name": "x"}"#.to_vec()));
        assert_eq!(found.format, Format::Mesh);
        let mistake = found.mistake.unwrap();
        assert!(mistake.starts_with("config.json: \"format\" is \"glb\": splat, mesh"), "{mistake}");
        assert!(Format::ALL.iter().all(|format| mistake.contains(format.name())), "{mistake}");
        assert_eq!(detect([], |_| Some(b"[[[".to_vec())).mistake, None);
        assert_eq!(detect([], |_| None).format, Format::Mesh);
    }
}
