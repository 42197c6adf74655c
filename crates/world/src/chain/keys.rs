//! Storage keys of the pallets that are read (hashers as in subtensor's metadata).

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest as _};
use twox_hash::XxHash64;

use crate::model::ids::Hotkey;

/// Length of a key under a netuid's prefix: prefix, twox64 of the account, account.
const COMMITMENT_KEY_LEN: usize = 34 + 8 + 32;

/// XXH64 with seeds 0 and 1, both little-endian, concatenated: the hash of pallet and item names.
#[must_use]
pub fn twox128(data: &[u8]) -> [u8; 16] {
    let mut hash = [0; 16];
    let (low, high) = hash.split_at_mut(8);
    low.copy_from_slice(&XxHash64::oneshot(0, data).to_le_bytes());
    high.copy_from_slice(&XxHash64::oneshot(1, data).to_le_bytes());
    hash
}

/// XXH64 with seed 0, little-endian.
#[must_use]
pub fn twox64(data: &[u8]) -> [u8; 8] {
    XxHash64::oneshot(0, data).to_le_bytes()
}

/// The key of a pallet's plain item, or the prefix of the keys of a map.
#[must_use]
pub fn item(pallet: &str, item: &str) -> Vec<u8> {
    [twox128(pallet.as_bytes()), twox128(item.as_bytes())].concat()
}

/// The prefix of the keys of a subnet's `Commitments.RevealedCommitments`; the netuid is not hashed (Identity).
#[must_use]
pub fn commitments_prefix(netuid: u16) -> Vec<u8> {
    let mut key = item("Commitments", "RevealedCommitments");
    key.extend_from_slice(&netuid.to_le_bytes());
    key
}

/// The key of one account's revealed commitments (Twox64Concat).
#[must_use]
pub fn commitments_key(netuid: u16, account: &[u8; 32]) -> Vec<u8> {
    let mut key = commitments_prefix(netuid);
    key.extend_from_slice(&twox64(account));
    key.extend_from_slice(account);
    key
}

/// Why a storage key does not belong to a subnet's commitments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum KeyFault {
    #[error("a key of {0} bytes instead of {needed}", needed = COMMITMENT_KEY_LEN)]
    Length(usize),
    #[error("a key outside the prefix of netuid {0}")]
    Prefix(u16),
    #[error("a key without its hash")]
    NoHash,
    #[error("a key without its account")]
    NoAccount,
    #[error("a key whose hash is not that of its account")]
    Hash,
}

/// The hotkey of a key below [`commitments_prefix`].
///
/// # Errors
/// The key has the wrong length, prefix or hash.
pub fn hotkey_of(netuid: u16, key: &[u8]) -> Result<Hotkey, KeyFault> {
    if key.len() != COMMITMENT_KEY_LEN {
        return Err(KeyFault::Length(key.len()));
    }
    let rest = key.strip_prefix(commitments_prefix(netuid).as_slice());
    let rest = rest.ok_or(KeyFault::Prefix(netuid))?;
    let (hash, account) = rest.split_first_chunk::<8>().ok_or(KeyFault::NoHash)?;
    let account: &[u8; 32] = account.try_into().map_err(|_| KeyFault::NoAccount)?;
    if twox64(account) != *hash {
        return Err(KeyFault::Hash);
    }
    Ok(Hotkey::from_account(account))
}

/// The key of a hotkey's number on a subnet in `SubtensorModule.Uids` (Identity, Blake2_128Concat): there while the hotkey
/// is registered.
#[must_use]
pub fn uid(netuid: u16, hotkey: &[u8; 32]) -> Vec<u8> {
    let mut key = item("SubtensorModule", "Uids");
    key.extend_from_slice(&netuid.to_le_bytes());
    key.extend_from_slice(&Blake2b::<U16>::digest(hotkey));
    key.extend_from_slice(hotkey);
    key
}

/// The key of a hotkey's owner in `SubtensorModule.Owner` (Blake2_128Concat).
#[must_use]
pub fn owner(hotkey: &[u8; 32]) -> Vec<u8> {
    let mut key = item("SubtensorModule", "Owner");
    key.extend_from_slice(&Blake2b::<U16>::digest(hotkey));
    key.extend_from_slice(hotkey);
    key
}

/// The key of `Timestamp.Now`: u64, milliseconds.
#[must_use]
pub fn timestamp() -> Vec<u8> {
    item("Timestamp", "Now")
}

/// The key of a quicknet round in `Drand.Pulses` (Blake2_128Concat over the round, u64 LE).
#[must_use]
pub fn drand_pulse(round: u64) -> Vec<u8> {
    let mut key = item("Drand", "Pulses");
    let round = round.to_le_bytes();
    key.extend_from_slice(&Blake2b::<U16>::digest(round));
    key.extend_from_slice(&round);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

    #[test]
    fn keys_are_those_of_subtensor() {
        assert_eq!(
            hex::encode(commitments_prefix(17)),
            "ca407206ec1ab726b2636c4b145ac2879055a2cffd4b296f38f2de8d9b333cab1100"
        );
        let account = hex::decode_array::<32>(ALICE).unwrap();
        let key = commitments_key(17, &account);
        assert_eq!(hex::encode(&key[34..]), format!("518366b5b1bc7c99{ALICE}"));
        assert_eq!(hotkey_of(17, &key).unwrap(), Hotkey::from_account(&account));
        assert_eq!(hex::encode(timestamp()), "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb");
        assert_eq!(
            hex::encode(drand_pulse(1000)),
            "a285cdb66e8b8524ea70b1693c7b1e050d8e70fd32bfb1639703f9a23d15b15e646b8858c86fefefe34a7c69e60c9917e803000000000000"
        );
    }

    #[test]
    fn keys_of_another_shape_are_refused() {
        let key = commitments_key(17, &[3; 32]);
        let mut wrong_hash = key.clone();
        wrong_hash[34] ^= 1;
        let longer = [key.as_slice(), &[0]].concat();
        for bad in [&key[..73], &longer, &wrong_hash, &[]] {
            assert!(hotkey_of(17, bad).is_err());
        }
        assert!(hotkey_of(18, &key).is_err());
    }
}
