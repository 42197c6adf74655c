//! `audit_matrix.csv`: the margin of every audit duel. Left defends: what was submitted, or what the holder's program
//! made; right is what the audited program made.

use std::fmt;
use std::str::FromStr;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::exact::exact_strings;
use crate::model::file::RepoFile;
use crate::model::format::Format;
use crate::model::ids::{Hotkey, IdError, Player};
use crate::model::record::{ParseError, plain_text, write_lines};

/// Against what an audited program's outputs were judged.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Opponent {
    /// What the miner itself had submitted.
    Submitted,
    /// The outputs of the holder of the lead.
    Holder(Player),
}

impl fmt::Display for Opponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Opponent::Submitted => f.write_str("submitted"),
            Opponent::Holder(player) => player.fmt(f),
        }
    }
}

impl FromStr for Opponent {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "submitted" => Ok(Opponent::Submitted),
            _ => text.parse().map(Opponent::Holder),
        }
    }
}

impl Serialize for Opponent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Opponent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

exact_strings!(Opponent);

/// An audit duel: against what, and which run of the program (`None` before there were several).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuditLeft {
    /// Against what.
    pub opponent: Opponent,
    /// Which run, from 1.
    pub repeat: Option<u32>,
}

impl fmt::Display for AuditLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.repeat {
            Some(repeat) => write!(f, "{}_{repeat}", self.opponent),
            None => self.opponent.fmt(f),
        }
    }
}

impl FromStr for AuditLeft {
    type Err = AuditLeftError;

    fn from_str(text: &str) -> Result<Self, AuditLeftError> {
        let Some((opponent, number)) = text.rsplit_once('_') else {
            return Ok(AuditLeft { opponent: text.parse()?, repeat: None });
        };
        let repeat: u32 = number.parse().map_err(|_| AuditLeftError::NoNumber(text.to_owned()))?;
        if repeat == 0 || repeat.to_string() != number {
            return Err(AuditLeftError::Number(text.to_owned()));
        }
        Ok(AuditLeft { opponent: opponent.parse()?, repeat: Some(repeat) })
    }
}

/// Why a text names no side of an audit duel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum AuditLeftError {
    #[error(transparent)]
    Opponent(#[from] IdError),
    #[error("{0:?} does not end in the number of a repeat")]
    NoNumber(String),
    #[error("{0:?} does not end in the number of a repeat: from 1, without sign or leading zeros")]
    Number(String),
}

/// Why a line is not a row.
#[derive(Debug, thiserror::Error)]
enum AuditRowError {
    #[error("expected left,right,margin")]
    Fields,
    #[error("left: {0}")]
    Left(#[from] AuditLeftError),
    #[error("right: {0}")]
    Right(#[from] IdError),
    #[error("{0} against itself is not a duel")]
    Itself(Hotkey),
    #[error("the margin {0:?} is not a number")]
    NoMargin(String),
    #[error("the margin {0} is not finite")]
    Infinite(String),
}

/// Margins of audit duels, in the order of the rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuditMatrix(pub IndexMap<(AuditLeft, Hotkey), f64>);

const HEADER: &str = "left,right,margin";

impl AuditMatrix {
    /// The margin of this repeat of `right` against the opponent. Older files have one repeat and do not number it.
    #[must_use]
    pub fn margin(&self, opponent: &Opponent, repeat: u32, right: &Hotkey) -> Option<f64> {
        let of = |repeat| self.0.get(&(AuditLeft { opponent: opponent.clone(), repeat }, right.clone())).copied();
        of(Some(repeat)).or_else(|| (repeat == 1).then(|| of(None)).flatten())
    }
}

impl RepoFile for AuditMatrix {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        let mut rows = IndexMap::new();
        for (at, line) in plain_text(bytes)?.split('\n').enumerate() {
            if at == 0 {
                if line != HEADER {
                    return Err(ParseError::line(1, "the first line must be left,right,margin"));
                }
                continue;
            }
            let (key, margin) = row(line).map_err(|why| ParseError::line(at + 1, why))?;
            if rows.insert(key, margin).is_some() {
                return Err(ParseError::line(at + 1, "this duel already has a row"));
            }
        }
        Ok(AuditMatrix(rows))
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        let rows = self.0.iter().map(|((left, right), margin)| format!("{left},{right},{margin:?}"));
        write_lines(out, std::iter::once(HEADER.to_owned()).chain(rows))
    }
}

fn row(line: &str) -> Result<((AuditLeft, Hotkey), f64), AuditRowError> {
    let fields: Vec<&str> = line.split(',').collect();
    let [left, right, margin] = fields.as_slice() else { return Err(AuditRowError::Fields) };
    let left: AuditLeft = left.parse()?;
    let right: Hotkey = right.parse()?;
    if left.opponent == Opponent::Holder(Player::Miner(right.clone())) {
        return Err(AuditRowError::Itself(right));
    }
    let number: f64 = margin.parse().map_err(|_| AuditRowError::NoMargin((*margin).to_owned()))?;
    if !number.is_finite() {
        return Err(AuditRowError::Infinite((*margin).to_owned()));
    }
    Ok(((left, right), number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::file::{Layout, read};

    const RIGHT: &str = "5Cd8dXZgXQ8tnyyPYazW968vBFkpS8v4tSCpG5M9nU8tGEVF";
    const HOLDER: &str = "5E2WuWN1d56BQUcaipsdMEWqUaQScbNdtgGgBdRWq1qdzfLC";

    #[test]
    fn rows_with_and_without_runs_are_read_and_written() {
        let text = format!(
            "left,right,margin\nsubmitted_1,{RIGHT},-0.0703125\n{HOLDER}_2,{RIGHT},1.0\nleader,{RIGHT},0.0\n\
             submitted,{HOLDER},0.25"
        );
        let (matrix, layout) = read::<AuditMatrix>(Format::Mesh, text.as_bytes()).unwrap();
        assert_eq!(layout, Layout::Exact);
        let (right, holder): (Hotkey, Hotkey) = (RIGHT.parse().unwrap(), HOLDER.parse().unwrap());
        let of = |opponent: &Opponent, repeat, right: &Hotkey| matrix.margin(opponent, repeat, right);
        assert_eq!(of(&Opponent::Submitted, 1, &right), Some(-0.070_312_5));
        assert_eq!(of(&Opponent::Submitted, 2, &right), None);
        assert_eq!(of(&Opponent::Holder(holder.clone().into()), 2, &right), Some(1.0));
        assert_eq!(of(&Opponent::Holder(Player::Leader), 1, &right), Some(0.0));
        assert_eq!((of(&Opponent::Submitted, 1, &holder), of(&Opponent::Submitted, 2, &holder)), (Some(0.25), None));
    }

    #[test]
    fn rows_that_are_none_are_refused() {
        let wrong =
            |row: &str| read::<AuditMatrix>(Format::Mesh, format!("left,right,margin\n{row}").as_bytes()).unwrap_err();
        for (row, why) in [
            (format!("submitted_0,{RIGHT},0.5"), "from 1, without"),
            (format!("submitted_x,{RIGHT},0.5"), "not end in the number of a repeat"),
            (format!("{RIGHT}_1,{RIGHT},0.5"), "against itself"),
            (format!("leader_1,{RIGHT},NaN"), "not finite"),
            ("leader_1,leader,0.5".to_owned(), "right"),
            (format!("leader_1,{RIGHT}"), "expected left,right,margin"),
        ] {
            assert!(wrong(&row).to_string().contains(why), "{row}: {}", wrong(&row));
        }
        let twice = format!("leader_1,{RIGHT},0.5");
        assert!(wrong(&format!("{twice}\n{twice}")).to_string().starts_with("line 3"));
        assert!(read::<AuditMatrix>(Format::Mesh, b"").is_err());
    }
}
