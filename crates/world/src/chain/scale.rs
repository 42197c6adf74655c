//! Values as the chain stores them (SCALE), in both directions: the driver decodes them, a stand-in node
//! encodes them.

use parity_scale_codec::{Decode as _, DecodeAll as _, Encode as _};

use super::Reveal;
use crate::model::beacon::Pulse;
use crate::model::ids::Block;

/// Why stored bytes are not the expected value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ScaleError {
    #[error("not a list of revealed commitments: {0}")]
    Reveals(parity_scale_codec::Error),
    #[error("not a time: {0}")]
    Time(parity_scale_codec::Error),
    #[error("not a drand pulse: {0}")]
    Pulse(parity_scale_codec::Error),
    #[error("not a lock: {0}")]
    Lock(parity_scale_codec::Error),
    #[error("the pulse of drand round {stored} instead of {round}")]
    OtherRound { stored: u64, round: u64 },
}

/// Decodes a value of `Commitments.RevealedCommitments`: a list of (bytes, block).
///
/// # Errors
/// The bytes are not exactly one such list. Announced lengths are not trusted: nothing is allocated beyond the
/// bytes at hand.
pub fn decode_reveals(value: &[u8]) -> Result<Vec<Reveal>, ScaleError> {
    let entries = Vec::<(Vec<u8>, u64)>::decode_all(&mut &*value);
    let entries = entries.map_err(ScaleError::Reveals)?;
    Ok(entries.into_iter().map(|(raw, block)| Reveal { block: Block(block), raw }).collect())
}

/// Encodes a value of `Commitments.RevealedCommitments`.
#[must_use]
pub fn encode_reveals(reveals: &[Reveal]) -> Vec<u8> {
    reveals.iter().map(|reveal| (&reveal.raw, reveal.block.0)).collect::<Vec<_>>().encode()
}

/// Decodes a value of `Timestamp.Now` to whole seconds.
///
/// # Errors
/// The bytes are not one u64.
pub fn decode_seconds(value: &[u8]) -> Result<u64, ScaleError> {
    let milliseconds = u64::decode_all(&mut &*value).map_err(ScaleError::Time)?;
    Ok(milliseconds / 1000)
}

/// Encodes a value of `Timestamp.Now`.
#[must_use]
pub fn encode_seconds(seconds: u64) -> Vec<u8> {
    seconds.saturating_mul(1000).encode()
}

/// Decodes a value of `Drand.Pulses`: (round, randomness, signature). The randomness is not used, as it is the
/// signature's hash.
///
/// # Errors
/// The bytes are not a pulse, or one of another round.
pub fn decode_pulse(value: &[u8], round: u64) -> Result<Pulse, ScaleError> {
    let pulse = <(u64, Vec<u8>, Vec<u8>)>::decode_all(&mut &*value);
    let (stored, _, signature) = pulse.map_err(ScaleError::Pulse)?;
    if stored != round {
        return Err(ScaleError::OtherRound { stored, round });
    }
    Ok(Pulse { round, signature })
}

/// Encodes a value of `Drand.Pulses`.
#[must_use]
pub fn encode_pulse(pulse: &Pulse, randomness: &[u8]) -> Vec<u8> {
    (pulse.round, randomness, &pulse.signature).encode()
}

/// Decodes the answer of `StakeInfoRuntimeApi.get_coldkey_lock`: what is locked, in 1e-9 alpha; 0 without a lock. A lock
/// is a record whose first field is the locked amount; what follows it is not needed.
///
/// # Errors
/// The bytes are neither nothing nor a lock.
pub fn decode_locked(value: &[u8]) -> Result<u64, ScaleError> {
    let locked = Option::<u64>::decode(&mut &*value).map_err(ScaleError::Lock)?;
    Ok(locked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_are_written() {
        let reveals = [
            Reveal { block: Block(7), raw: b"\x14hello".to_vec() },
            Reveal { block: Block(u64::MAX), raw: vec![0xff; 20_000] },
        ];
        assert_eq!(decode_reveals(&encode_reveals(&reveals)).unwrap(), reveals);
        assert_eq!(decode_reveals(&[0]).unwrap(), []);
        assert_eq!(decode_seconds(&encode_seconds(1_770_105_600)), Ok(1_770_105_600));
        let pulse = Pulse { round: 9, signature: vec![1; 48] };
        let value = encode_pulse(&pulse, &[2; 32]);
        assert_eq!(decode_pulse(&value, 9), Ok(pulse));
        assert!(decode_pulse(&value, 10).is_err());
    }

    #[test]
    fn a_lock_begins_with_its_amount() {
        let lock = [&[1][..], &100_000_000_000u64.to_le_bytes(), &[7; 24]].concat();
        assert_eq!((decode_locked(&lock), decode_locked(&[0])), (Ok(100_000_000_000), Ok(0)));
        assert!(decode_locked(&[]).is_err() && decode_locked(&lock[..5]).is_err() && decode_locked(&[2]).is_err());
    }

    #[test]
    fn lengths_are_not_believed() {
        for bad in [&[][..], &[0xfe, 0xff, 0xff, 0xff], &[4, 2, 0, 0x40, 0, b'a'], &[1, 0], &[0, 0], &[0; 7]] {
            assert!(decode_reveals(bad).is_err(), "{bad:?}");
        }
        assert!(decode_seconds(&[0; 7]).is_err() && decode_seconds(&[0; 9]).is_err());
    }
}
