//! LZW as GIF and TIFF use it, into a buffer of known size.

use weezl::{BitOrder, LzwStatus, decode::Configuration};

use super::Watch;

/// What the decoder's tables take.
pub(super) const BYTES: u64 = 64 << 10;

/// Which bits of a byte come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The lowest: GIF.
    Low,
    /// The highest, and codes grow one early: TIFF.
    High,
}

/// Unpacks into `out`: how many bytes came before the end.
pub(super) fn unpack(
    packed: &[u8],
    order: Order,
    bits: u8,
    out: &mut [u8],
    watch: Watch<'_>,
) -> Result<usize, &'static str> {
    /// Bytes of the result between two looks.
    const STEP: usize = 1 << 20;
    if bits > 12 {
        return Err("codes of too many bits");
    }
    // The first code of TIFF has to be the one that clears the table.
    if order == Order::High && !matches!(packed, [0x80, 0..=0x7f, ..]) {
        return Err("codes that do not begin with an empty table");
    }
    let configuration = match order {
        Order::Low => Configuration::new(BitOrder::Lsb, bits),
        Order::High => Configuration::with_tiff_size_switch(BitOrder::Msb, bits),
    };
    let mut decoder = configuration.build();
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
