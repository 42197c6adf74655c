//! Errors of invalid settings, with one wording per kind.

use std::ops::RangeInclusive;

/// A value that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ValueError {
    /// The value.
    pub text: String,
    /// What it should be.
    pub expected: String,
}

impl ValueError {
    /// This text is not what was expected, such as `a stage (open, duels)`.
    pub fn of(text: &str, expected: impl Into<String>) -> Self {
        ValueError { text: text.to_owned(), expected: expected.into() }
    }
}

/// A refused setting: its name, its value, and the accepted values.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// A duration out of bounds.
    #[error("{name} is {value}: it must be in seconds, up to a day")]
    Seconds {
        /// The key, after its table.
        name: String,
        /// Its value.
        value: f64,
    },
    /// A count out of bounds.
    #[error("{name} is {value}: a number from {least} to {most} is needed")]
    Count {
        /// The key, after its table.
        name: String,
        /// Its value.
        value: u64,
        /// The smallest accepted value.
        least: u64,
        /// The largest accepted value.
        most: u64,
    },
    /// As [`SettingError::Count`], for a value that may be 0 or is not a plain count.
    #[error("{name} is {value}: it must be from {least} to {most}")]
    Range {
        /// The key, after its table.
        name: String,
        /// Its value.
        value: u64,
        /// The smallest accepted value.
        least: u64,
        /// The largest accepted value.
        most: u64,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Refuses durations that are shorter than `least` seconds or longer than a day.
///
/// # Errors
/// The first of them is named.
pub fn check_seconds(table: &str, least: f64, given: &[(&str, f64)]) -> Result<(), SettingError> {
    let odd = given.iter().find(|(_, value)| !(least..=86_400.0).contains(value));
    odd.map_or(Ok(()), |(name, value)| Err(SettingError::Seconds { name: format!("{table}.{name}"), value: *value }))
}

/// Refuses counts outside these bounds.
///
/// # Errors
/// The first of them is named.
pub fn check_counts(table: &str, bounds: RangeInclusive<u64>, given: &[(&str, u64)]) -> Result<(), SettingError> {
    let (least, most) = (*bounds.start(), *bounds.end());
    let odd = given.iter().find(|(_, value)| !bounds.contains(value));
    odd.map_or(Ok(()), |(name, value)| {
        Err(SettingError::Count { name: format!("{table}.{name}"), value: *value, least, most })
    })
}

/// Refuses a number outside these bounds.
///
/// # Errors
/// It is out of bounds.
pub fn check_range(name: &str, bounds: RangeInclusive<u64>, value: u64) -> Result<(), SettingError> {
    let (least, most) = (*bounds.start(), *bounds.end());
    if bounds.contains(&value) {
        return Ok(());
    }
    Err(SettingError::Range { name: name.to_owned(), value, least, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_setting_out_of_bounds_is_named_with_its_bounds() {
        let text = |checked: Result<(), SettingError>| checked.unwrap_err().to_string();
        let seconds = [("pause", 1.0), ("idle", f64::NAN), ("whole", -1.0)];
        assert_eq!(text(check_seconds("pods", 0.0, &seconds)), "pods.idle is NaN: it must be in seconds, up to a day");
        let counts = [("bodies", 4), ("miners", 0)];
        assert_eq!(text(check_counts("audit", 1..=9, &counts)), "audit.miners is 0: a number from 1 to 9 is needed");
        assert_eq!(text(check_range("a.b", 0..=9, 10)), "a.b is 10: it must be from 0 to 9");
        assert!(check_seconds("pods", 0.0, &seconds[..1]).is_ok() && check_range("a.b", 0..=9, 9).is_ok());
    }
}
