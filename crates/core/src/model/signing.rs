//! Who signed a commit, as git says.

/// A commit of the history, with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCommit {
    /// Its id in hex.
    pub id: String,
    /// The first line of its message.
    pub summary: String,
    /// The places of its parents, which stand before it.
    pub parents: Vec<usize>,
    /// When it was made, as it says, in seconds.
    pub seconds: i64,
    /// Its signature.
    pub signature: Signature,
}

/// A commit's signature, by the list of allowed signers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// By this signer of the list.
    By(String),
    /// There is none.
    Missing,
    /// It does not count, for this reason.
    Refused(&'static str),
}

/// A list of allowed signers, in git's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    /// The file.
    pub bytes: Vec<u8>,
    /// The first moment at which a key of the list is valid, in seconds; `None` if one is valid from the beginning.
    pub start: Option<i64>,
    /// The list of revoked keys, if any.
    pub revoked: Option<Vec<u8>>,
}

impl Signers {
    /// Reads a list.
    ///
    /// # Errors
    /// It names no signer, or a date in it makes no sense.
    pub fn parse(bytes: Vec<u8>, revoked: Option<Vec<u8>>) -> Result<Signers, String> {
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let starts = lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(at, line)| start(line).map_err(|why| format!("line {at}: {why}")))
            .collect::<Result<Vec<_>, _>>()?;
        if starts.is_empty() {
            return Err("names no signer".to_owned());
        }
        // `None` comes first.
        let start = starts.into_iter().min().flatten();
        Ok(Signers { bytes, start, revoked })
    }
}

/// From when on the key of this line is valid. Its parts: who, options if any, the key's type, the key.
fn start(line: &str) -> Result<Option<i64>, String> {
    let parts = words(line);
    let is_key = |part: &String| part.starts_with("ssh-") || part.starts_with("ecdsa-") || part.starts_with("sk-");
    if !parts.iter().skip(1).any(is_key) {
        return Err("not a signer and a key: NAME ssh-ed25519 AAAA...".to_owned());
    }
    let options = parts.get(1).filter(|part| !is_key(part)).map(String::as_str).unwrap_or_default();
    let (mut quoted, mut found) = (false, None);
    for option in options.split(|c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    }) {
        let Some((name, value)) = option.split_once('=') else { continue };
        if name.eq_ignore_ascii_case("valid-after") {
            let value = value.trim_matches('"');
            found = Some(moment(value).ok_or_else(|| format!("valid-after={value}: expected YYYYMMDD[HHMM[SS]][Z]"))?);
        }
    }
    Ok(found)
}

/// The words of a line; quotes hold spaces together, and stay.
fn words(line: &str) -> Vec<String> {
    let mut quoted = false;
    let words = line.split(|c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    });
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A moment as `ssh-keygen` writes it; here always UTC.
fn moment(text: &str) -> Option<i64> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let full = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        14 => digits.to_owned(),
        _ => return None,
    };
    let parsed = chrono::NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%S").ok()?;
    Some(parsed.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_of(text: &str) -> Result<Option<i64>, String> {
        Signers::parse(text.as_bytes().to_vec(), None).map(|signers| signers.start)
    }

    #[test]
    fn the_start_is_the_first_moment_at_which_a_key_is_valid() {
        let key = "ssh-ed25519 AAAA comment";
        assert_eq!(start_of(&format!("# a comment\n\na@b.c {key}\n")), Ok(None));
        let dated = format!("a@b.c namespaces=\"git,file\",valid-after=\"20260102\" {key}\n");
        assert_eq!(start_of(&dated), Ok(Some(1_767_312_000)));
        let exact = format!("\"a b\" valid-after=\"20260102000001Z\",valid-before=\"20270101\" {key}\n");
        assert_eq!(start_of(&exact), Ok(Some(1_767_312_001)));
        assert_eq!(start_of(&(exact.clone() + &dated)), Ok(Some(1_767_312_000)));
        assert_eq!(start_of(&format!("{exact}x@y {key}\n")), Ok(None));
        assert_eq!(start_of("a valid-before=\"20200101\",cert-authority ecdsa-sha2-nistp256 A"), Ok(None));
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line() {
        for (text, why) in [
            ("", "names no signer"),
            ("# only this\n\n", "names no signer"),
            ("ssh-ed25519 AAAA\n", "line 1: not a signer and a key"),
            ("\na@b.c valid-after=\"soon\" ssh-ed25519 AAAA\n", "line 2: valid-after=soon: expected"),
            ("a@b.c valid-after=\"20261301\" ssh-ed25519 AAAA\n", "line 1: valid-after=20261301"),
        ] {
            let error = start_of(text).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
