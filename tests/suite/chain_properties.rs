//! Whatever miners and gateways send, the pure readers of it answer, and agree with each other.

use std::collections::BTreeMap;

use gen404::base::hex;
use gen404::base::url::{Host, HttpUrl, check_cdn_url};
use gen404::model::ids::{Block, Hotkey, RoundNumber};
use gen404::model::reveal::Compat;
use gen404::model::reveal::Reveal;
use gen404::rules::payload::{strip_length, text};
use gen404::rules::submissions::{SubmissionTerms, intake};
use gen404::world::chain::scale;
use gen404::world::http::{retry_after, shown_text, shown_url};
use parity_scale_codec::Encode;
use proptest::prelude::*;

/// Texts that are nearly URLs.
fn nearly_url() -> impl Strategy<Value = String> {
    let scheme = prop_oneof!["https?", "[a-zA-Z:/]{0,6}"];
    let host = prop_oneof![
        "[a-z0-9.-]{0,12}(\\.com|\\.)?",
        "[0-9xXa-f.]{0,16}",
        "\\[[0-9a-f:.]{0,20}\\]",
        "[a-z]{0,3}@[a-z.]{0,8}",
        ".{0,8}"
    ];
    let rest = prop_oneof![Just(String::new()), "(:[0-9]{0,6})?(/[a-zA-Z0-9%?#@:\\\\ .]{0,12})?"];
    (scheme, host, rest).prop_map(|(scheme, host, rest)| format!("{scheme}://{host}{rest}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_url_that_is_taken_means_the_same_host_to_the_http_client(url in nearly_url()) {
        let Ok(kept) = check_cdn_url(&url, true) else { return Ok(()) };
        prop_assert_eq!(check_cdn_url(&kept, true), Ok(kept.clone()));
        prop_assert!(!kept.ends_with('/'));
        let file = format!("{kept}/stem.glb");
        let ours = HttpUrl::parse(&file).unwrap();
        let theirs: ureq::http::Uri = file.parse().unwrap();
        let host = theirs.host().unwrap();
        match ours.host {
            Host::Name(name) => prop_assert_eq!(name, host),
            Host::Ip(ip) => prop_assert_eq!(ip, host.trim_matches(['[', ']']).trim_end_matches('.').parse::<std::net::IpAddr>().unwrap()),
        }
        prop_assert_eq!(theirs.port_u16().unwrap_or(ours.port), ours.port);
        prop_assert_eq!(theirs.scheme_str() == Some("https"), ours.https);
    }

    #[test]
    fn stored_values_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(reveals) = scale::decode_reveals(&bytes) {
            prop_assert_eq!(scale::encode_reveals(&reveals), bytes.clone());
        }
        let _ = (scale::decode_seconds(&bytes), scale::decode_pulse(&bytes, 1));
        let _ = (text(&bytes, Compat::Strict), text(&bytes, Compat::Sdk10));
        let with_length = bytes.encode();
        prop_assert_eq!(strip_length(&with_length), bytes.as_slice());
        prop_assert_eq!(hex::decode(&hex::encode_0x(&bytes)), Ok(bytes));
    }

    #[test]
    fn intake_takes_anything_and_keeps_to_the_window(
        payloads in proptest::collection::vec((0_u64..400, ".{0,60}|\\{('|\")(repo|commit|cdn_url)('|\"): .{0,40}\\}"), 0..10),
        compat in prop_oneof![Just(Compat::Strict), Just(Compat::Sdk10)],
    ) {
        let reveal = |(block, text): (u64, String)| Reveal { block: Block(block), raw: text.encode() };
        let reveals = BTreeMap::from([(Hotkey::from_account(&[1; 32]), payloads.into_iter().map(reveal).collect())]);
        let terms = SubmissionTerms {
            competition: "mesh", round: RoundNumber(1), earliest: Block(100), latest: Block(200), compat,
            allow_private_cdn: false,
        };
        let found = intake(&reveals, &terms);
        prop_assert_eq!(found.accepted.len() + found.refused.len() + found.outside, 1);
        prop_assert!(found.accepted.values().all(|one| (100..=200).contains(&one.revealed_at_block.0)));
    }

    #[test]
    fn what_is_shown_is_one_printable_line(text in "\\PC{0,40}|.{0,40}", date in ".{0,30}") {
        for shown in [shown_text(&text, 30), shown_url(&text)] {
            prop_assert!(!shown.chars().any(char::is_control), "{:?}", shown);
        }
        let _ = retry_after(&date, std::time::SystemTime::UNIX_EPOCH);
    }
}
