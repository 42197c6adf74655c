//! Which hosts are on the public internet: by their names, and by the addresses that names resolve to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::UrlError;

/// Names that never belong to a host on the public internet, nor does any name below them.
const PRIVATE_NAMES: [&str; 8] =
    ["localhost", "local", "internal", "intranet", "lan", "home.arpa", "localdomain", "corp"];

/// Refuses names that are known not to be public.
pub(super) fn check_public_name(name: &str) -> Result<(), UrlError> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
