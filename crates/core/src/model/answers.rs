//! `rounds/N/{right}/answers_{left}.jsonl`: what the judge answered in one match, one line a duel in the order of the
//! report beside it, from which anybody can follow who won.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use super::exact::{self, exact_strings};
use super::file::{RepoFile, differs, read_strictly};
use super::format::Format;
use super::ids::PromptStem;
use super::limits::weight;
use super::record::{ParseError, parse_text, plain_text, record};
use crate::base::hex;

/// The worst penalty that a judge can give; the best is 0.
pub const WORST_PENALTY: u8 = 10;

/// A SHA-256 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text is not a SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest has 64 lower-case hex digits")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;
    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let lower = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        hex::decode_array(text).ok().filter(|_| lower).map(Digest).ok_or(NoDigest)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

record! {
    /// One answer of the judge.
    pub struct GivenAnswer [exact] {
        /// The penalty of the model shown first, 0 to 10.
        pub penalty_1: u8,
        /// The penalty of the model shown second.
        pub penalty_2: u8,
        /// Their faults, in the judge's words.
        pub issues: String,
        /// The model's name by the server, if it is another one than the line's.
        pub model [optional]: Option<String>,
        /// How often the question was put until it was answered; unknown for answers kept by older versions.
        pub attempts: Option<u32>,
        /// The tokens of the question, if the server names them.
        pub prompt_tokens: Option<u64>,
        /// The tokens of the answer.
        pub completion_tokens: Option<u64>,
    }
}

record! {
    /// The digests of the images that a duel is judged by; null for those whose bytes the operator had no record of.
    pub struct ShownImages [exact] {
        /// The prompt's picture.
        pub prompt: Option<Digest>,
        /// Left's preview.
        pub left: Option<Digest>,
        /// Right's preview.
        pub right: Option<Digest>,
    }
}

record! {
    /// A duel that the judge decided.
    pub struct JudgedDuel [exact] {
        /// The prompt's stem.
        pub name: PromptStem,
        /// The model as the server names it, if it does.
        pub model: Option<String>,
        /// The digest of the round's `question.toml`.
        pub question: Digest,
        /// The images.
        pub images: ShownImages,
        /// The answer where left's model was shown first.
        pub left_first: GivenAnswer,
        /// The answer where right's model was shown first: its first penalty is right's.
        pub right_first: GivenAnswer,
    }
}

record! {
    /// A duel that was decided without the judge.
    pub struct UnjudgedDuel [exact] {
        /// The prompt's stem.
        pub name: PromptStem,
        /// Why no judge was asked: the report's `issues`.
        pub without_judge: String,
    }
}

exact_strings!(Digest);

/// A duel that the judge decided, as a line has it.
pub trait Judged: Serialize + DeserializeOwned {
    /// The prompt's stem.
    fn name(&self) -> &PromptStem;
    /// The highest penalty that was given.
    fn worst(&self) -> u8;
    /// Reads a line that is exactly as it is written; `None` leaves it to the strict parser.
    fn exact(line: &str) -> Option<Self>;
    /// The approximate memory of what it points to, in bytes.
    fn weight(&self) -> u64;
}

impl Judged for JudgedDuel {
    fn name(&self) -> &PromptStem {
        &self.name
    }

    fn worst(&self) -> u8 {
        let [left, right] = [&self.left_first, &self.right_first].map(|given| given.penalty_1.max(given.penalty_2));
        left.max(right)
    }

    fn exact(line: &str) -> Option<JudgedDuel> {
        exact::read_line(line)
    }

    fn weight(&self) -> u64 {
        let JudgedDuel { name, model, images, left_first, right_first, extra, .. } = self;
        let own = |model: &Option<String>| model.as_deref().map_or(0, |model| texts(&[model]));
        let models: u64 = [model, &left_first.model, &right_first.model].into_iter().map(own).sum();
        models
            + texts(&[name.as_str(), &left_first.issues, &right_first.issues])
            + weight([extra, &images.extra, &left_first.extra, &right_first.extra].into_iter())
    }
}

/// What an allocation takes besides its bytes.
const ALLOCATION: u64 = 16;

/// The approximate memory of texts, in bytes: each is an allocation of its own.
pub(super) fn texts(texts: &[&str]) -> u64 {
    texts.iter().map(|text| text.len() as u64 + ALLOCATION).sum()
}

/// A line: one duel.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DuelEvidence<J = JudgedDuel> {
    /// The judge decided it.
    Judged(Box<J>),
    /// It needed no judge.
    Unjudged(UnjudgedDuel),
}

impl<J: Judged> DuelEvidence<J> {
    /// The prompt's stem.
    #[must_use]
    pub fn name(&self) -> &PromptStem {
        match self {
            DuelEvidence::Judged(duel) => duel.name(),
            DuelEvidence::Unjudged(duel) => &duel.name,
        }
    }

    /// The judge's answers, if it was asked.
    #[must_use]
    pub fn judged(&self) -> Option<&J> {
        match self {
            DuelEvidence::Judged(duel) => Some(duel),
            DuelEvidence::Unjudged(_) => None,
        }
    }

    /// Reads a line that is exactly as it is written.
    fn exact(line: &str) -> Option<Self> {
        let judged = J::exact(line).filter(|duel| duel.worst() <= WORST_PENALTY);
        let judged = judged.map(|duel| DuelEvidence::Judged(Box::new(duel)));
        judged.or_else(|| exact::read_line(line).map(DuelEvidence::Unjudged))
    }

    fn parse(line: &str) -> Result<Self, ParseError> {
        // Inside a JSON string the quotes would be escaped, so this is the key.
        if line.contains("\"without_judge\":") {
            return parse_text(line).map(DuelEvidence::Unjudged);
        }
        let duel: J = parse_text(line)?;
        match duel.worst() {
            0..=WORST_PENALTY => Ok(DuelEvidence::Judged(Box::new(duel))),
            wrong => Err(ParseError::whole(format!("the penalty {wrong} is not in 0 to {WORST_PENALTY}"))),
        }
    }

    /// The approximate memory of a line, in bytes.
    fn weight(&self) -> u64 {
        let below = match self {
            DuelEvidence::Judged(duel) => size_of::<J>() as u64 + ALLOCATION + duel.weight(),
            DuelEvidence::Unjudged(duel) => {
                texts(&[duel.name.as_str(), &duel.without_judge]) + weight([&duel.extra].into_iter())
            }
        };
        size_of::<Self>() as u64 + below
    }
}

/// The answers of one match.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers<J = JudgedDuel>(pub Vec<DuelEvidence<J>>);

impl<J> Default for Answers<J> {
    fn default() -> Self {
        Answers(Vec::new())
    }
}

impl<J: Judged> Answers<J> {
    /// Reads a file that is exactly as it is written.
    fn exact(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let ends = text.is_empty() || text.ends_with('\n');
        ends.then(|| text.split_terminator('\n').map(DuelEvidence::exact).collect::<Option<_>>().map(Answers))?
    }

    /// The duels that the judge decided.
    pub fn judged(&self) -> impl Iterator<Item = &J> {
        self.0.iter().filter_map(DuelEvidence::judged)
    }

    /// The approximate memory of the parsed file, in bytes.
    pub(super) fn weight(&self) -> u64 {
        let spare = self.0.capacity().saturating_sub(self.0.len()) * size_of::<DuelEvidence<J>>();
        spare as u64 + self.0.iter().map(DuelEvidence::weight).sum::<u64>()
    }
}

impl<J: Judged> RepoFile for Answers<J> {
    const OWN_NEWLINE: bool = true;

    fn read(format: Format, bytes: &[u8]) -> Result<(Self, Option<usize>), ParseError> {
        let Some(answers) = Self::exact(bytes) else { return read_strictly(format, bytes) };
        debug_assert_eq!(differs(bytes, |out| answers.write(out)), None, "read as if it were exactly as it is written");
        Ok((answers, None))
    }

    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let lines = plain_text(bytes)?.split_terminator('\n').enumerate();
        let parsed = lines.map(|(at, line)| {
            DuelEvidence::parse(line).map_err(|error| {
                let column = error.place.map_or(1, |(_, column)| column);
                ParseError { place: Some((at + 1, column)), ..error }
            })
        });
        parsed.collect::<Result<_, _>>().map(Answers)
    }

    fn write(&self, mut out: impl std::io::Write) -> std::io::Result<()> {
        for duel in &self.0 {
            serde_json::to_writer(&mut out, duel)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::{Layout, read};

    const GIVEN: &str =
        r#"{"penalty_1":2,"penalty_2":6,"issues":"é","attempts":1,"prompt_tokens":1200,"completion_tokens":80}"#;
    const UNKNOWN: &str =
        r#"{"penalty_1":5,"penalty_2":10,"issues":"","attempts":null,"prompt_tokens":null,"completion_tokens":null}"#;

    fn judged() -> String {
        let sum = "0a".repeat(32);
        format!(
            "{{\"name\":\"car\",\"model\":null,\"question\":\"{sum}\",\"images\":{{\"prompt\":null,\"left\":\"{sum}\",\
             \"right\":null}},\"left_first\":{GIVEN},\"right_first\":{UNKNOWN}}}\n"
        )
    }

    fn reason(text: &str) -> String {
        <Answers>::parse(Format::Mesh, text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let unjudged = "{\"name\":\"without_judge\",\"without_judge\":\"No previews for x\",\"new\":[1,2.5]}\n";
        let text = format!("{}{unjudged}", judged());
        let (answers, layout) = read::<Answers>(Format::Mesh, text.as_bytes()).unwrap();
        assert_eq!((answers.to_bytes(), layout), (text.clone().into_bytes(), Layout::Exact));
        assert_eq!(answers.judged().count(), 1);
        assert_eq!(answers.judged().next().unwrap().right_first.penalty_2, 10);
        let (_, layout) = read::<Answers>(Format::Mesh, text.trim_end().as_bytes()).unwrap();
        assert_eq!(layout, Layout::Differs { line: 2 }, "without its last newline");
        assert_eq!(read::<Answers>(Format::Mesh, b"").unwrap().1, Layout::Exact);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let good = judged();
        assert!(reason(&format!("{good}\n{good}")).starts_with("line 2 column 0: the text ends"));
        let wrong = |from: &str, to: &str| reason(&format!("{good}{}", good.replacen(from, to, 1)));
        assert!(wrong("\"penalty_2\":6", "\"penalty_2\":11").contains("line 2 column 1: the penalty 11 is not in 0"));
        assert!(wrong("\"penalty_2\":6", "\"penalty_2\":-1").contains("line 2"));
        assert!(wrong("\"question\":\"0a", "\"question\":\"0A").contains("lower-case hex"));
        assert!(wrong("\"question\":\"0a", "\"question\":\"0x").contains("lower-case hex"));
        assert!(wrong("\"question\":\"0a", "\"question\":\"").contains("64"));
        assert!(wrong("\"left_first\"", "\"left_last\"").contains("missing key `left_first`"));
        assert!(wrong("\"attempts\":1,", "").contains("missing key `attempts`"));
        assert!(wrong("\"issues\"", "\"issues\":\"\",\"issues\"").contains("duplicate key"));
        assert!(reason("{\"name\":\"x\",\"without_judge\":null}\n").contains("line 1"));
    }
}
