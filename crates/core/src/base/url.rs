//! Which URLs a miner may give (DESIGN 4.7), judged by their text and the addresses behind them.
//!
//! This module judges the text, and each address that a name resolves to; the HTTP module resolves and
//! connects. A host is accepted only in the one form that every library reads alike: what some read as a number
//! (`2130706433`, `0x7f.1`, `0177.0.0.1`) is refused.

mod public;
mod resolve;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use self::public::check_public_name;
pub use self::public::is_public;
pub use self::resolve::resolve;

/// Longer URLs are refused; the longest `cdn_url` that fits in a commitment is under 800 bytes.
const MAX_URL_LEN: usize = 2048;

/// The longest DNS name, and the longest label of one (RFC 1035).
const MAX_NAME_LEN: usize = 253;
const MAX_LABEL_LEN: usize = 63;

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
}
