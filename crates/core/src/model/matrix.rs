//! `rounds/N/matches_matrix.csv`: the margin of every match of the round.

use indexmap::{Equivalent, IndexMap};

use super::file::RepoFile;
use super::format::Format;
use super::ids::{IdError, Player};
use super::record::{ParseError, plain_text, write_lines};

/// Margins by (left, right), in row order. Left defends, right challenges; a positive margin means that
/// right won.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix(pub IndexMap<(Player, Player), f64>);

/// A borrowed key for lookups; its hash equals that of the owned pair.
#[derive(Hash)]
struct Pair<'a>(&'a Player, &'a Player);

impl Equivalent<(Player, Player)> for Pair<'_> {
    fn equivalent(&self, (left, right): &(Player, Player)) -> bool {
        self.0 == left && self.1 == right
    }
}

/// The first line.
const HEADER: [&str; 3] = ["left", "right", "margin"];

impl Matrix {
    /// The margin of right against left, if that match was played.
    #[must_use]
    pub fn margin(&self, left: &Player, right: &Player) -> Option<f64> {
        self.0.get(&Pair(left, right)).copied()
    }
}

impl RepoFile for Matrix {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        plain_text(bytes)?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        let mut rows = IndexMap::new();
        for (at, record) in reader.records().enumerate() {
            let record = record.map_err(|e| ParseError::line(at + 1, e.to_string()))?;
            if at == 0 {
                if record != *HEADER.as_slice() {
                    return Err(ParseError::line(1, "the first line must be left,right,margin"));
                }
                continue;
            }
            let (pair, margin) = row(&record).map_err(|why| ParseError::line(at + 1, why))?;
            if rows.insert(pair, margin).is_some() {
                return Err(ParseError::line(at + 1, "this match already has a row"));
            }
        }
        if rows.is_empty() && bytes.is_empty() {
            return Err(ParseError::whole("the file is empty: its first line must be left,right,margin"));
        }
        Ok(Matrix(rows))
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        let rows = self.0.iter().map(|((left, right), margin)| format!("{left},{right},{}", float(*margin)));
        write_lines(out, std::iter::once(HEADER.join(",")).chain(rows))
    }
}

/// A float as all files of the competition have it: the shortest form that reads back the same.
fn float(value: f64) -> String {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string(), |number| number.to_string())
}

/// Why a row is invalid.
#[derive(Debug, thiserror::Error)]
enum RowError {
    #[error("expected left,right,margin")]
    Columns,
    #[error("left: {0}")]
    Left(IdError),
    #[error("right: {0}")]
    Right(IdError),
    #[error("{0} against {1} is not a match: right must be a miner, and left another player")]
    NoMatch(Player, Player),
    #[error("the margin {0:?} is not a number")]
    NoNumber(String),
    #[error("the margin {0} is not finite")]
    NotFinite(String),
}

fn row(record: &csv::StringRecord) -> Result<((Player, Player), f64), RowError> {
    let (Some(left), Some(right), Some(text)) = (record.get(0), record.get(1), record.get(2)) else {
        return Err(RowError::Columns);
    };
    let left: Player = left.parse().map_err(RowError::Left)?;
    let right: Player = right.parse().map_err(RowError::Right)?;
    if right == Player::Leader || left == right {
        return Err(RowError::NoMatch(left, right));
    }
    let margin: f64 = text.parse().map_err(|_| RowError::NoNumber(text.to_owned()))?;
    if !margin.is_finite() {
        return Err(RowError::NotFinite(text.to_owned()));
    }
    Ok(((left, right), margin))
}
