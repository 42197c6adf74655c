//! Where a server's `Location` leads.

use super::{HttpUrl, UrlError, may_stand};

/// The limit of a `Location`, which may be longer: object stores sign their URLs.
const MAX_LOCATION_LEN: usize = 8192;

/// Resolves a server's `Location` against `base` (RFC 3986): raw characters in its path and query are
/// percent-encoded, existing escapes stay, and a fragment is dropped. The host is judged as strictly as in any
/// other URL.
///
/// # Errors
/// Why the result is not an http(s) URL.
pub fn resolve(base: &str, location: &[u8]) -> Result<String, UrlError> {
    let location = location.trim_ascii();
    if location.len() > MAX_LOCATION_LEN {
        return Err(UrlError::TooLong { length: location.len(), most: MAX_LOCATION_LEN });
    }
    if location.iter().any(u8::is_ascii_control) {
        return Err(UrlError::ControlCharacters);
    }
    let end = location.iter().position(|byte| *byte == b'#').unwrap_or(location.len());
    let reference = match location.get(..end).unwrap_or_default() {
        [] if location.is_empty() => return Err(UrlError::Empty),
        [] => return Err(UrlError::OnlyFragment),
        reference => reference,
    };
    let (base_scheme, base_after) = base.split_once("://").ok_or(UrlError::Base)?;
    let (base_authority, base_rest) = base_after.split_at(base_after.find(['/', '?']).unwrap_or(base_after.len()));
    let base_path = base_rest.split('?').next().unwrap_or_default();
    let (scheme, after) = split_scheme(reference);
    let scheme = scheme.unwrap_or(base_scheme);
    let (authority, rest) = match after.strip_prefix(b"//") {
        Some(after) => {
            let end = after.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(after.len());
            let (authority, rest) = after.split_at(end);
            // An empty port is the scheme's (RFC 3986, 3.2.3).
            (String::from_utf8_lossy(authority.strip_suffix(b":").unwrap_or(authority)), encoded(rest))
        }
        None if after.len() < reference.len() => return Err(UrlError::NotHttp),
        None => (base_authority.into(), below(base_path, &encoded(after))),
    };
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let url = format!("{scheme}://{authority}{}{query}", without_dots(path));
    HttpUrl::parse_up_to(&url, MAX_LOCATION_LEN)?;
    Ok(url)
}

/// Splits a reference into its scheme, if any, and the rest.
fn split_scheme(reference: &[u8]) -> (Option<&str>, &[u8]) {
    let colon = reference.iter().position(|byte| matches!(byte, b':' | b'/' | b'?'));
    let (Some((scheme, [b':', after @ ..])), true) =
        (colon.map(|colon| reference.split_at(colon)), reference.first().is_some_and(u8::is_ascii_alphabetic))
    else {
        return (None, reference);
    };
    let plain = scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    match std::str::from_utf8(scheme) {
        Ok(scheme) if plain => (Some(scheme), after),
        _ => (None, reference),
    }
}

/// A path and query, percent-encoded where needed.
fn encoded(raw: &[u8]) -> String {
    use std::fmt::Write as _;
    raw.iter().fold(String::with_capacity(raw.len()), |mut text, byte| {
        if may_stand(char::from(*byte)) {
            text.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Resolves a reference without scheme and host against a path.
fn below(base_path: &str, reference: &str) -> String {
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    if reference.starts_with('?') {
        return format!("{base_path}{reference}");
    }
    let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{reference}")
}

/// Removes the segments `.` and `..` from a path.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    kept.iter().fold(String::with_capacity(path.len()), |path, segment| path + "/" + segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_resolved_and_encoded_once() {
        let base = "https://cdn.example.org:8443/a/b/c.bin?token=1";
        for (location, leads_to) in [
            ("https://other.example/x.bin", "https://other.example/x.bin"),
            ("HTTP://other.example", "HTTP://other.example"),
            ("//other.example/x", "https://other.example/x"),
            ("//other.example", "https://other.example"),
            ("http://other.example:/x", "http://other.example/x"),
            ("//other.example:", "https://other.example"),
            ("http://[2606:4700::1111]:/x", "http://[2606:4700::1111]/x"),
            ("/x y.bin", "https://cdn.example.org:8443/x%20y.bin"),
            ("x y.bin", "https://cdn.example.org:8443/a/b/x%20y.bin"),
            ("./x.bin", "https://cdn.example.org:8443/a/b/x.bin"),
            ("../x.bin", "https://cdn.example.org:8443/a/x.bin"),
            ("../../../../x.bin", "https://cdn.example.org:8443/x.bin"),
            ("..", "https://cdn.example.org:8443/a/"),
            ("?v=2", "https://cdn.example.org:8443/a/b/c.bin?v=2"),
            ("/caf\u{e9}/%C3%A9?q=\u{e9} 1", "https://cdn.example.org:8443/caf%C3%A9/%C3%A9?q=%C3%A9%201"),
            ("/a%20b%2Fc%", "https://cdn.example.org:8443/a%20b%2Fc%"),
            ("/a|b{c}\"<>^`", "https://cdn.example.org:8443/a%7Cb%7Bc%7D%22%3C%3E%5E%60"),
            ("/\\evil.example/x", "https://cdn.example.org:8443/%5Cevil.example/x"),
            ("/x.bin#part one", "https://cdn.example.org:8443/x.bin"),
            ("  /x.bin ", "https://cdn.example.org:8443/x.bin"),
            ("/x?next=../y/./z", "https://cdn.example.org:8443/x?next=../y/./z"),
            ("a/b:c", "https://cdn.example.org:8443/a/b/a/b:c"),
            ("/x//y/", "https://cdn.example.org:8443/x//y/"),
            ("https://other.example?x", "https://other.example?x"),
        ] {
            assert_eq!(resolve(base, location.as_bytes()).as_deref(), Ok(leads_to), "{location}");
        }
        assert_eq!(resolve("http://h", b"x").as_deref(), Ok("http://h/x"));
        assert_eq!(resolve("http://h", b"/caf\xe9").as_deref(), Ok("http://h/caf%E9"), "Latin-1 stays the bytes it is");
    }

    #[test]
    fn a_location_that_is_no_url_of_ours_is_refused() {
        let long = format!("/{}", "a".repeat(9000));
        for location in [
            "",
            "#top",
            "/a\tb",
            "/a\r\nSet-Cookie: x",
            "/a\u{7f}",
            "ftp://x.org/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http:x.bin",
            "http:/x.bin",
            "https://me:pw@x.org/",
            "//me@x.org/",
            "https://x.org\\@127.0.0.1/",
            "https://x y.org/",
            "https://ex\u{e4}mple.org/",
            "//ex\u{e4}mple.org/",
            "http://2130706433/",
            "http://x.org:0/",
            "http://x.org::/",
            "http://:/",
            "https://",
            "///x",
            &long,
        ] {
            let refused = resolve("https://cdn.example.org/a", location.as_bytes());
            assert!(refused.is_err(), "{location:?} leads to {refused:?}");
        }
        assert!(
            resolve("https://x.org/", "//ex\u{e4}mple.org/".as_bytes())
                .unwrap_err()
                .to_string()
                .contains("xn--exmple-cua.org")
        );
        assert!(resolve("https://x.org/", b"//ex\xe4mple.org/").is_err());
    }
}
