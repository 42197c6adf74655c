//! Who may take part in a round of three.js modules: registered hotkeys whose owners have locked enough, all read at the
//! block at which reveals end. A later look at the same block gives the same answer.

use std::collections::BTreeMap;

use crate::base::text::counted;
use crate::model::ids::{Block, Hotkey};
use crate::model::threejs::programs::Coldkey;
use crate::rules::submissions::{Intake, SubmissionRefusal};
use crate::rules::threejs::known::HARDWARE;

/// What the chain says about the submitting hotkeys and their owners.
#[derive(Debug, Clone)]
pub struct Holdings {
    /// The owner of each hotkey; `None` where the hotkey is not registered.
    pub owners: BTreeMap<Hotkey, Option<Coldkey>>,
    /// What each owner has locked, in 1e-9 alpha.
    pub locked: BTreeMap<Coldkey, u64>,
    /// The block at which it was read.
    pub at: Block,
}

/// 1e-9 alpha in an alpha.
const PARTS: u64 = 1_000_000_000;

/// The submissions of those that may take part: their hotkeys are registered, and their owners have locked `required`
/// alpha for each of their submissions. An owner who has locked less has none of them admitted.
#[must_use]
pub fn admit(mut intake: Intake, holdings: &Holdings, required: u64) -> Intake {
    let owner = |hotkey: &Hotkey| holdings.owners.get(hotkey).and_then(Option::as_ref);
    let mut submissions: BTreeMap<&Coldkey, u64> = BTreeMap::new();
    for hotkey in intake.accepted.keys() {
        if let Some(coldkey) = owner(hotkey) {
            *submissions.entry(coldkey).or_default() += 1;
        }
    }
    let at = holdings.at;
    let refusal = |hotkey: &Hotkey| {
        let Some(coldkey) = owner(hotkey) else {
            return Some(format!("its hotkey is not registered at block {at}"));
        };
        let locked = holdings.locked.get(coldkey).copied().unwrap_or_default();
        let count = submissions.get(coldkey).copied().unwrap_or_default();
        let needed = required.saturating_mul(count);
        let submissions = counted(count, "submission", "submissions");
        if u128::from(locked) >= u128::from(needed) * u128::from(PARTS) {
            return None;
        }
        let (whole, has) = (locked / PARTS, locked % PARTS);
        let part = format!("{has:09}");
        let has = match part.trim_end_matches('0') {
            "" => whole.to_string(),
            part => format!("{whole}.{part}"),
        };
        Some(format!("its owner has locked {has} alpha at block {at}, and needs {needed} for {submissions}"))
    };
    let refused: Vec<(Hotkey, String)> =
        intake.accepted.keys().filter_map(|hotkey| Some((hotkey.clone(), refusal(hotkey)?))).collect();
    for (hotkey, reason) in refused {
        intake.accepted.shift_remove(&hotkey);
        let notes = intake.notes.remove(&hotkey).unwrap_or_default();
        intake.refused.insert(hotkey, SubmissionRefusal { reason, notes });
    }
    intake
}

/// What a program can run on, by the `hardware.json` in its repository: known names in its order, each once; where it
/// names none, the first of those known.
#[must_use]
pub fn hardware(file: Option<&[u8]>) -> Vec<String> {
    let document = file.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok());
    let listed = document.as_ref().and_then(|document| document.get("hardware")?.as_array()).into_iter().flatten();
    let mut known: Vec<String> = Vec::new();
    for name in listed.filter_map(serde_json::Value::as_str).filter(|name| HARDWARE.contains(name)) {
        if !known.iter().any(|other| other == name) {
            known.push(name.to_owned());
        }
    }
    if known.is_empty() { HARDWARE.iter().take(1).map(|name| (*name).to_owned()).collect() } else { known }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::RoundNumber;
    use crate::model::reveal::Reveal;
    use crate::model::schedule::Schedule;
    use crate::rules::submissions::{SubmissionTerms, intake};

    fn key(n: u8) -> Hotkey {
        Hotkey::from_account(&[n; 32])
    }

    fn revealed(count: u8) -> Intake {
        let schedule: Schedule = serde_json::from_str(
            r#"{"earliest_reveal_block": 1, "latest_reveal_block": 9, "generation_deadline_block": 20}"#,
        )
        .unwrap();
        let raw = |n: u8| {
            let commit = format!("{n:02x}").repeat(20);
            let text = serde_json::json!({"repo": "a/b", "commit": commit, "cdn_url": "https://c.example.org/x"});
            Reveal { block: Block(5), raw: text.to_string().into_bytes() }
        };
        let reveals = (1..=count).map(|n| (key(n), vec![raw(n)])).collect();
        intake(&reveals, &SubmissionTerms::new("x", RoundNumber(0), &schedule))
    }

    #[test]
    fn an_owner_needs_the_lock_for_each_of_its_submissions() {
        let owners = [(1, Some(9)), (2, Some(9)), (3, Some(8)), (4, None)];
        let owners = owners.into_iter().map(|(hotkey, owner)| (key(hotkey), owner.map(key))).collect();
        let locked = BTreeMap::from([(key(9), 199_999_999_999), (key(8), 100 * PARTS)]);
        let holdings = Holdings { owners, locked, at: Block(9) };
        let admitted = admit(revealed(4), &holdings, 100);
        assert_eq!(admitted.accepted.keys().collect::<Vec<_>>(), [&key(3)]);
        let why = |n: u8| admitted.refused[&key(n)].reason.clone();
        assert_eq!(why(1), "its owner has locked 199.999999999 alpha at block 9, and needs 200 for 2 submissions");
        assert_eq!(why(4), "its hotkey is not registered at block 9");
        assert_eq!(admit(revealed(4), &holdings, 0).accepted.len(), 3);
    }

    #[test]
    fn hardware_is_known_or_the_default() {
        let of = |text: &str| hardware(Some(text.as_bytes()));
        let default = ["4xH200"];
        for text in ["", "7", "{}", r#"{"hardware": "4xH200"}"#, r#"{"hardware": ["8xB300", 3, null]}"#] {
            assert_eq!(of(text), default, "{text}");
        }
        assert_eq!(hardware(None), default);
        let both = of(r#"{"hardware": ["4xRTX6000Pro", "x", "4xH200", "4xRTX6000Pro"]}"#);
        assert_eq!(both, ["4xRTX6000Pro", "4xH200"]);
    }
}
