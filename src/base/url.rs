//! Which URLs a miner may give (DESIGN 4.7), judged by their text and the addresses behind them.
//!
//! This module judges the text, and each address that a name resolves to; the HTTP module resolves and
//! connects. A host is accepted only in the one form that every library reads alike: what some read as a number
//! (`2130706433`, `0x7f.1`, `0177.0.0.1`) is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longer URLs are refused; the longest `cdn_url` that fits in a commitment is under 800 bytes.
const MAX_URL_LEN: usize = 2048;

/// The limit of a `Location`, which may be longer: object stores sign their URLs.
const MAX_LOCATION_LEN: usize = 8192;

/// The longest DNS name, and the longest label of one (RFC 1035).
const MAX_NAME_LEN: usize = 253;
const MAX_LABEL_LEN: usize = 63;

/// Names that never belong to a host on the public internet, nor does any name below them.
const PRIVATE_NAMES: [&str; 8] =
    ["localhost", "local", "internal", "intranet", "lan", "home.arpa", "localdomain", "corp"];

/// A parsed http(s) URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl<'a> {
    /// Is the scheme https?
    pub https: bool,
    /// The host.
    pub host: Host<'a>,
    /// The port: the given one, or the scheme's default.
    pub port: u16,
    /// Everything after the authority, as given; may be empty.
    pub rest: &'a str,
}

/// The host of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host<'a> {
    /// A DNS name, as given.
    Name(&'a str),
    /// An address.
    Ip(IpAddr),
}

/// Why a text is not accepted as a URL. Text of a server or a miner is quoted and cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum UrlError {
    #[error("{length} bytes, more than {most}")]
    TooLong { length: usize, most: usize },
    #[error("it is not an http(s) URL")]
    NotHttp,
    #[error("scheme {0} instead of http or https")]
    Scheme(String),
    #[error("it holds credentials (user@host)")]
    Credentials,
    #[error("port {0} is not 80, 443 or above 1023")]
    ReservedPort(u16),
    #[error("{0} is not a public address")]
    PrivateAddress(IpAddr),
    #[error("{name} is not a public host ({why})")]
    PrivateHost { name: String, why: &'static str },
    #[error("it holds control characters")]
    ControlCharacters,
    #[error("it is empty")]
    Empty,
    #[error("it is only a fragment (#), which never reaches the server")]
    OnlyFragment,
    #[error("its base is not an http(s) URL")]
    Base,
    #[error("the host {host} is not ASCII: write {name:?}, its name in DNS")]
    NotAscii { host: String, name: String },
    #[error("the host {host} is not a name in DNS: {why}")]
    NoName { host: String, why: &'static str },
    #[error("the character {0:?} must be percent-encoded")]
    RawCharacter(char),
    #[error("a fragment (#) never reaches the server")]
    Fragment,
    #[error("an IPv6 host without its closing bracket")]
    OpenBracket,
    #[error("text between an IPv6 host and its port")]
    AfterBracket,
    #[error("port {0} is not in 1 to 65535")]
    Port(String),
    #[error("{0} is not an IPv6 address")]
    Ipv6(String),
    #[error("it names no host")]
    NoHost,
    #[error("a host name of {0} bytes, more than {max}", max = MAX_NAME_LEN)]
    LongName(usize),
    #[error("{0:?} is a number instead of a host")]
    NumericHost(String),
    #[error("{0} is not a valid host name label")]
    Label(String),
}

impl<'a> HttpUrl<'a> {
    /// Parses a URL strictly: ASCII without white space, http or https, no credentials, no fragment, one
    /// spelling of each host.
    ///
    /// # Errors
    /// Why the text is not such a URL.
    pub fn parse(text: &'a str) -> Result<Self, UrlError> {
        HttpUrl::parse_up_to(text, MAX_URL_LEN)
    }

    fn parse_up_to(text: &'a str, most: usize) -> Result<Self, UrlError> {
        if text.len() > most {
            return Err(UrlError::TooLong { length: text.len(), most });
        }
        check_ascii_host(text)?;
        check_characters(text)?;
        let (scheme, after) = text.split_once("://").ok_or(UrlError::NotHttp)?;
        let https = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") => true,
            _ if scheme.eq_ignore_ascii_case("http") => false,
            _ => return Err(UrlError::Scheme(quoted(scheme))),
        };
        let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(digits) => parse_port(digits)?,
            None => [80, 443][usize::from(https)],
        };
        Ok(HttpUrl { https, host: parse_host(host)?, port, rest })
    }

    /// Refuses ports that no miner's web server needs: a request to one would reach another service.
    ///
    /// # Errors
    /// The port is named.
    pub fn check_port(&self) -> Result<(), UrlError> {
        match self.port {
            80 | 443 | 1024.. => Ok(()),
            port => Err(UrlError::ReservedPort(port)),
        }
    }

    /// Refuses hosts that are known not to be public without a look-up.
    ///
    /// # Errors
    /// The host is named, with the reason.
    pub fn check_public(&self) -> Result<(), UrlError> {
        match self.host {
            Host::Ip(ip) if is_public(ip) => Ok(()),
            Host::Ip(ip) => Err(UrlError::PrivateAddress(ip)),
            Host::Name(name) => check_public_name(name),
        }
    }
}

/// Checks a miner's `cdn_url` and returns it without trailing slashes.
///
/// With `allow_private` (sandbox, tests), hosts that are not public pass too; the rule for ports stays.
///
/// # Errors
/// Why the URL is refused.
pub fn check_cdn_url(text: &str, allow_private: bool) -> Result<String, UrlError> {
    let url = HttpUrl::parse(text)?;
    url.check_port()?;
    if !allow_private {
        url.check_public()?;
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Checks, by its text, that a page may let its readers' browsers load this URL: the rule is that of miners'
/// URLs.
///
/// # Errors
/// Why it may not.
pub fn check_public_url(text: &str) -> Result<HttpUrl<'_>, UrlError> {
    let url = HttpUrl::parse(text)?;
    url.check_port()?;
    url.check_public()?;
    Ok(url)
}

/// Is this a public internet address? By the IANA special-purpose registries, plus the cloud metadata services
/// that they do not list.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = match ip.octets() {
        [0 | 10 | 127, ..] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [169, 254, ..] | [192, 168, ..] => true,
        [172, second, ..] => second & 0xf0 == 16,
        // Protocol assignments, documentation, and the withdrawn 6to4 relays.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        // Benchmarks.
        [198, 18 | 19, ..] => true,
        [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Azure's wire server answers virtual machines at this otherwise public address.
        [168, 63, 129, 16] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // NAT64: how public IPv4 hosts resolve in an IPv6-only network.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments (Teredo, ORCHID, benchmarks), documentation, 6to4.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] => false,
        [0x3fff, 0..=0x0fff, ..] => false,
        // Only 2000::/3 is global unicast: this excludes loopback, link-local, unique local, multicast and
        // every other form that wraps an IPv4 address.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Checks the URL of a service that the operator chose, which may contain credentials.
///
/// # Errors
/// It is not an http(s) URL, or its host is not ASCII.
pub fn check_service_url(text: &str) -> Result<(), UrlError> {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(UrlError::NotHttp);
    }
    check_ascii_host(text)
}

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

/// Refuses a host in another script and names its DNS form: two names that look alike differ there.
fn check_ascii_host(text: &str) -> Result<(), UrlError> {
    let Some((_, after)) = text.split_once("://") else { return Ok(()) };
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().and_then(|host| host.split(':').next()).unwrap_or_default();
    if host.is_ascii() {
        return Ok(());
    }
    // The characters say more about these than any rule of DNS.
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || !may_be_named(c)) {
        return Ok(());
    }
    let name = idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::URL);
    Err(match name.ok().filter(|name| parse_host(name).is_ok()) {
        Some(name) => UrlError::NotAscii { host: quoted(host), name: name.into_owned() },
        None => UrlError::NoName { host: quoted(host), why: why_no_name(host) },
    })
}

/// Does a character show, so that its host can be named? Marks that turn the writing's direction do not.
fn may_be_named(c: char) -> bool {
    !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Why a host that is not ASCII has no form in DNS.
fn why_no_name(host: &str) -> &'static str {
    let labels = || host.strip_suffix('.').unwrap_or(host).split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']);
    let length = |label: &str| {
        idna::domain_to_ascii_cow(label.as_bytes(), idna::AsciiDenyList::URL).map_or(0, |form| form.len())
    };
    if labels().any(str::is_empty) {
        "one of its labels is empty"
    } else if host.chars().count() > MAX_NAME_LEN || labels().any(|label| label.chars().count() > MAX_LABEL_LEN) {
        "it is too long"
    } else if labels().map(length).any(|length| length > MAX_LABEL_LEN) {
        "it is too long in DNS"
    } else {
        "its characters are not allowed together (IDNA)"
    }
}

/// May this character be raw in a URL?
fn may_stand(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}')
}

fn check_characters(text: &str) -> Result<(), UrlError> {
    if let Some(c) = text.chars().find(|c| !may_stand(*c)) {
        return Err(UrlError::RawCharacter(c));
    }
    if text.contains('#') {
        return Err(UrlError::Fragment);
    }
    Ok(())
}

/// Splits `host:port`; an IPv6 host is in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    if authority.starts_with('[') {
        let (host, after) = authority.split_once(']').ok_or(UrlError::OpenBracket)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(UrlError::AfterBracket),
        };
    }
    Ok(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

fn parse_port(digits: &str) -> Result<u16, UrlError> {
    let plain = !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
    let port = digits.parse::<u16>().ok().filter(|port| plain && *port != 0);
    port.ok_or_else(|| UrlError::Port(quoted(digits)))
}

fn parse_host(host: &str) -> Result<Host<'_>, UrlError> {
    if let Some(inner) = host.strip_prefix('[') {
        let ip: Ipv6Addr = inner.parse().map_err(|_| UrlError::Ipv6(quoted(inner)))?;
        return Ok(Host::Ip(ip.into()));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.is_empty() {
        return Err(UrlError::NoHost);
    }
    if name.len() > MAX_NAME_LEN {
        return Err(UrlError::LongName(name.len()));
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if looks_numeric(last) {
        // `Ipv4Addr` accepts only four plain decimal numbers.
        let ip: Ipv4Addr = name.parse().map_err(|_| UrlError::NumericHost(name.to_owned()))?;
        return Ok(Host::Ip(ip.into()));
    }
    for label in name.split('.') {
        check_label(label)?;
    }
    Ok(Host::Name(host))
}

/// The rule of browsers (WHATWG URL): a host whose last label is a number, decimal or hex, is an IPv4 address.
fn looks_numeric(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        || (!label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()))
}

fn check_label(label: &str) -> Result<(), UrlError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if label.is_empty() || label.len() > MAX_LABEL_LEN || !label.bytes().all(plain) {
        return Err(UrlError::Label(quoted(label)));
    }
    Ok(())
}

/// The beginning of a hostile text, for messages.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let end = if text.chars().nth(SHOWN).is_some() { "…" } else { "" };
    format!("{:?}{end}", text.chars().take(SHOWN).collect::<String>())
}

fn check_public_name(name: &str) -> Result<(), UrlError> {
    let lower = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let below = |known: &str| lower.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if let Some(known) = PRIVATE_NAMES.into_iter().find(|known| below(known)) {
        return Err(UrlError::PrivateHost { name: name.to_owned(), why: known });
    }
    if !lower.contains('.') {
        return Err(UrlError::PrivateHost { name: name.to_owned(), why: "no domain" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_pass_and_lose_their_final_slashes() {
        let long_path = format!("https://cdn.example.com/{}", "a".repeat(1900));
        for (text, kept) in [
            ("https://pub-4fd4.r2.dev/round_1", "https://pub-4fd4.r2.dev/round_1"),
            ("https://f005.backblazeb2.com/file/404-gen/a/", "https://f005.backblazeb2.com/file/404-gen/a"),
            ("HTTP://Example.COM:8080///", "HTTP://Example.COM:8080"),
            ("https://my_bucket.example.com./x", "https://my_bucket.example.com./x"),
            ("https://8.8.8.8/a", "https://8.8.8.8/a"),
            ("https://[2606:4700::1111]:8443/a", "https://[2606:4700::1111]:8443/a"),
            ("https://x.example/get?at=1&file=", "https://x.example/get?at=1&file="),
            (&long_path, &long_path),
        ] {
            assert_eq!(check_cdn_url(text, false).as_deref(), Ok(kept));
        }
    }

    #[test]
    fn what_is_no_plain_http_url_is_refused_even_when_private_hosts_are_allowed() {
        let long = format!("https://cdn.example.com/{}", "a".repeat(2048));
        let long_label = format!("https://{}.com", "a".repeat(64));
        let long_name = format!("https://{}com", "abcdefgh.".repeat(30));
        let refused = [
            "",
            "https",
            "https:/x.org",
            "//x.org/a",
            "ftp://x.org",
            "file:///etc/passwd",
            "javascript://x.org/",
            "https://",
            "https:///a",
            "https://:80/",
            "https://./",
            "https://user@x.org/",
            "https://a:b@x.org/",
            "https://x.org\\@127.0.0.1/",
            "https://x.org/a b",
            "https://x.org/\n",
            "https://x.org/\0",
            "https://x.org/ä",
            "https://x.org/\u{202e}gnp",
            "https://exämple.org/",
            "https://x.org/#frag",
            "https://x.org:/",
            "https://x.org:0/",
            "https://x.org:65536/",
            "https://x.org:+80/",
            "https://x.org:8a/",
            "https://x..org/",
            "https://.x.org/",
            "https://%6c%6fcalhost/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://1.2.3.4.5/",
            "https://256.1.1.1/",
            "https://0/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://[1.2.3.4]/",
            "https://x.0x/",
            &long,
            &long_label,
            &long_name,
        ];
        for text in refused {
            let why = check_cdn_url(text, true).expect_err(text).to_string();
            assert!(why.len() < 400, "{why}");
        }
    }

    #[test]
    fn a_host_of_another_script_is_named_as_dns_knows_it() {
        for (host, name) in [
            ("ex\u{e4}mple.org", "xn--exmple-cua.org"),
            ("EX\u{c4}MPLE.org:8080", "xn--exmple-cua.org"),
            ("exa\u{308}mple.org", "xn--exmple-cua.org"),
            ("\u{4f8b}\u{3048}.\u{30c6}\u{30b9}\u{30c8}", "xn--r8jz45g.xn--zckzah"),
            ("\u{440}\u{444}.example", "xn--p1ai.example"),
            ("\u{ff45}xample.org", "example.org"),
            ("example\u{3002}org", "example.org"),
        ] {
            for url in [format!("https://{host}/a"), format!("https://{host}"), format!("http://{host}?x")] {
                let why = check_cdn_url(&url, true).unwrap_err().to_string();
                assert!(why.contains(&format!("write {name:?}")), "{url}: {why}");
            }
        }
        for (host, named) in [
            ("\u{e4}..org", "labels is empty"),
            (&"\u{e4}".repeat(300), "too long"),
            (&format!("{}.org", "\u{e4}".repeat(62)), "too long"),
            ("\u{5d0}a1\u{5d0}.org", "not allowed together"),
            ("xn--\u{301}a.org", "not allowed together"),
        ] {
            let why = check_cdn_url(&format!("https://{host}/a"), true).unwrap_err().to_string();
            assert!(why.contains("is not a name in DNS") && why.contains(named) && why.len() < 300, "{host}: {why}");
        }
        for host in ["a\u{202e}b.org", "\u{fe0f}.org", "%C3%A4.org", "\u{e4} b.org"] {
            let why = check_cdn_url(&format!("https://{host}/a"), true).unwrap_err().to_string();
            assert!(!why.contains("write") && why.len() < 200, "{host}: {why}");
        }
        assert!(
            check_service_url("http://me:pw@ex\u{e4}mple.org:1/a")
                .unwrap_err()
                .to_string()
                .contains("xn--exmple-cua.org")
        );
        assert_eq!(check_service_url("http://me:p\u{e4}@example.org:1/a"), Ok(()));
        assert!(check_service_url("example.org:1/a").is_err() && check_service_url("ftp://example.org").is_err());
        assert!(check_cdn_url("https://u\u{e4}:p@x.org/", true).unwrap_err().to_string().contains("percent-encoded"));
    }

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

    #[test]
    fn private_hosts_pass_only_where_allowed() {
        for text in [
            "http://localhost:9000/a",
            "http://LOCALHOST./a",
            "http://a.localhost",
            "http://printer.local",
            "http://box",
            "http://metadata.google.internal/computeMetadata",
            "http://127.0.0.1:8000",
            "http://10.1.2.3",
            "http://169.254.169.254/latest",
            "http://[::1]:80/",
            "http://[::ffff:8.8.8.8]/",
            "http://[fd00:ec2::254]/",
        ] {
            assert!(check_cdn_url(text, false).is_err(), "{text:?} was taken");
            assert!(check_cdn_url(text, true).is_ok(), "{text:?} was refused");
        }
        assert!(check_cdn_url("https://notlocalhost.com", false).is_ok());
    }

    #[test]
    fn a_port_is_80_443_or_above_1023() {
        let url = |port: u32| format!("https://cdn.example.com:{port}/a");
        for port in [80, 443, 1024, 6379, 8080, 65535] {
            assert!(check_cdn_url(&url(port), false).is_ok(), "{port}");
        }
        for port in [1, 21, 22, 25, 79, 81, 110, 442, 444, 465, 1023] {
            let why = check_cdn_url(&url(port), false).unwrap_err().to_string();
            assert_eq!(why, format!("port {port} is not 80, 443 or above 1023"));
            assert!(
                check_cdn_url(&format!("http://127.0.0.1:{port}"), true).is_err()
                    && check_public_url(&url(port)).is_err()
            );
        }
        assert!(check_public_url("https://cdn.example.com/a.png").is_ok());
        assert!(check_public_url("http://169.254.169.254/latest").is_err());
    }

    #[test]
    fn special_address_ranges_are_not_public() {
        let special = "
            0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.9.9.9
            169.254.0.1 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1
            198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1
            255.255.255.255 168.63.129.16 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1
            64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:db8::1 2002:7f00:1:: 3fff::1
            5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1";
        for ip in special.split_whitespace() {
            assert!(!is_public(ip.parse().unwrap()), "{ip} passed as public");
        }
        let public = "
            1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1
            198.20.0.1 223.255.255.255 2606:4700::1111 2001:4860:4860::8888 2a00::1 64:ff9b::808:808";
        for ip in public.split_whitespace() {
            assert!(is_public(ip.parse().unwrap()), "{ip} was taken for special");
        }
    }
}
