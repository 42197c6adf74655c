//! LZW as TIFF uses it, into a buffer of known size.

use weezl::{BitOrder, LzwStatus, decode::Configuration};

use super::Watch;

/// What the decoder's tables take.
pub(super) const BYTES: u64 = 64 << 10;

/// Unpacks into `out`: how many bytes came before the end.
pub(super) fn unpack(packed: &[u8], out: &mut [u8], watch: Watch<'_>) -> Result<usize, &'static str> {
    /// Bytes of the result between two looks.
    const STEP: usize = 1 << 20;
    // The first code has to be the one that clears the table.
    if !matches!(packed, [0x80, 0..=0x7f, ..]) {
        return Err("codes that do not begin with an empty table");
    }
    let mut decoder = Configuration::with_tiff_size_switch(BitOrder::Msb, 8).build();
    let (mut from, mut done) = (0, 0);
    while done < out.len() {
        if watch.stopped() {
            return Err("stopped");
        }
        let end = out.len().min(done + STEP);
        let place = out.get_mut(done..end).unwrap_or_default();
        let result = decoder.decode_bytes(packed.get(from..).unwrap_or_default(), place);
        from += result.consumed_in;
        done += result.consumed_out;
        match result.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::NoProgress | LzwStatus::Done) => break,
            Err(_) => return Err("a code without meaning"),
        }
    }
    Ok(done)
}
