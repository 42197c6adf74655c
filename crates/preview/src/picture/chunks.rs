//! The chunks of a PNG beside its pixels. They decide nothing that is seen, but the reference's image library reads
//! them, and fails on some: before the pixels such a picture is not opened, after them it is damaged.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

/// Most bytes that a packed text or profile may unpack to.
const LONGEST: usize = 1 << 20;
/// Most bytes of all texts together.
const ALL: usize = 64 << 20;
/// Most bytes that are unpacked, and of what they are packed in, to find that out.
const MOST_UNPACKED: usize = 128 << 20;
const MOST_PACKED: usize = 1 << 20;

/// What is known of the chunks so far.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Kind of colour and bits of a sample, of the header.
    color: (u8, u8),
    size: (u32, u32),
    texts: usize,
    unpacked: usize,
    packed: usize,
    /// The number of the last frame, or part of one.
    frame: Option<u32>,
    /// Frames of the animation, where their number makes sense.
    frames: Option<u32>,
    /// Whether the last frame fills the picture.
    fills: Option<bool>,
    /// Transparency is given beyond the largest palette.
    too_clear: bool,
}

/// What is wrong with a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkFault {
    /// The reference fails on it.
    Broken,
    /// So much is packed that it is not looked through.
    TooMuch,
}

type Found = Result<(), ChunkFault>;

impl Chunks {
    /// Whether the reference takes the picture before the pixels for the first of several.
    pub(super) fn is_animated(&self) -> bool {
        self.frames.is_some_and(|frames| frames > 1 || self.fills.is_none())
    }

    /// Whether the pixels are those of a part of the picture.
    pub(super) fn are_part(&self) -> bool {
        self.fills == Some(false)
    }

    /// Whether the reference fails to give the palette its transparency.
    pub(super) fn are_too_clear(&self) -> bool {
        self.too_clear
    }

    /// Reads one chunk.
    pub(super) fn read(&mut self, kind: &[u8], data: &[u8]) -> Found {
        let least = |length: usize| if data.len() < length { Err(ChunkFault::Broken) } else { Ok(()) };
        match kind {
            b"IHDR" => {
                least(13)?;
                self.color = (data[9], data[8]);
                self.size = (long(data, 0), long(data, 4));
                if data[11] == 0 { Ok(()) } else { Err(ChunkFault::Broken) }
            }
            b"tRNS" if self.color.0 == 3 => {
                self.too_clear = is_too_clear(data);
                Ok(())
            }
            b"tRNS" => least(match self.color {
                (0, _) => 2,
                (2, _) => 6,
                _ => 0,
            }),
            b"gAMA" => least(4),
            b"cHRM" if !data.len().is_multiple_of(4) => Err(ChunkFault::Broken),
            b"sRGB" => least(1),
            b"pHYs" => least(9),
            b"acTL" => {
                least(8)?;
                let count = Some(long(data, 0)).filter(|count| (1..=1 << 31).contains(count));
                // Two are as none.
                self.frames = if self.frames.is_some() { None } else { count };
                Ok(())
            }
            b"fcTL" => {
                least(26)?;
                self.frame(data)
            }
            b"fdAT" => {
                least(4)?;
                let next = self.frame.and_then(|last| last.checked_add(1));
                if next != Some(long(data, 0)) {
                    return Err(ChunkFault::Broken);
                }
                self.frame = next;
                Ok(())
            }
            b"iCCP" => self.profile(data),
            b"tEXt" => {
                let (name, text) = split(data).unwrap_or((data, &[]));
                self.text(name, text.len())
            }
            b"zTXt" => {
                let (name, text) = split(data).unwrap_or((data, &[]));
                let length = match text {
                    [] => 0,
                    [0, packed @ ..] => self.unpacked(packed)?.unwrap_or_default(),
                    _ => return Err(ChunkFault::Broken),
                };
                self.text(name, length)
            }
            b"iTXt" => self.international(data),
            _ => Ok(()),
        }
    }

    fn frame(&mut self, data: &[u8]) -> Found {
        let number = long(data, 0);
        let next = self.frame.map_or(Some(0), |last| last.checked_add(1));
        let within = |start: usize, length: usize, whole: u32| {
            u64::from(long(data, start)) + u64::from(long(data, length)) <= u64::from(whole)
        };
        if next != Some(number) || !within(12, 4, self.size.0) || !within(16, 8, self.size.1) {
            return Err(ChunkFault::Broken);
        }
        self.frame = Some(number);
        let whole = [self.size.0, self.size.1, 0, 0];
        self.fills = Some([4, 8, 12, 16].map(|at| long(data, at)) == whole);
        Ok(())
    }

    fn profile(&mut self, data: &[u8]) -> Found {
        let (_, rest) = split(data).unwrap_or((&[], data));
        let [0, packed @ ..] = rest else { return Err(ChunkFault::Broken) };
        self.unpacked(packed).map(|_| ())
    }

    fn international(&mut self, data: &[u8]) -> Found {
        let Some((name, [packed, method, rest @ ..])) = split(data) else { return Ok(()) };
        let Some((language, rest)) = split(rest) else { return Ok(()) };
        let Some((translated, text)) = split(rest) else { return Ok(()) };
        let utf8 = |bytes: &[u8]| std::str::from_utf8(bytes).map(|text| text.chars().count()).ok();
        let length = match (packed, method) {
            (0, _) => utf8(text),
            (_, 0) => self.unpacked(text)?,
            _ => None,
        };
        match length {
            Some(length) if utf8(language).is_some() && utf8(translated).is_some() => self.text(name, length),
            _ => Ok(()),
        }
    }

    fn text(&mut self, name: &[u8], length: usize) -> Found {
        if !name.is_empty() {
            self.texts += length;
        }
        if self.texts > ALL { Err(ChunkFault::Broken) } else { Ok(()) }
    }

    /// How many bytes are packed here; `None` where the packing is broken, which is no fault.
    fn unpacked(&mut self, packed: &[u8]) -> Result<Option<usize>, ChunkFault> {
        self.packed = self.packed.saturating_add(packed.len());
        self.unpacked = self.unpacked.saturating_add(LONGEST);
        if self.packed > MOST_PACKED || self.unpacked > MOST_UNPACKED {
            return Err(ChunkFault::TooMuch);
        }
        let mut state = InflateState::new_boxed(DataFormat::Zlib);
        let mut out = vec![0; LONGEST];
        let result = inflate(&mut state, packed, &mut out, MZFlush::None);
        self.unpacked -= LONGEST - result.bytes_written;
        match result.status {
            Ok(MZStatus::StreamEnd) => Ok(Some(result.bytes_written)),
            Ok(_) if result.bytes_written >= LONGEST && result.bytes_consumed < packed.len() => Err(ChunkFault::Broken),
            Ok(_) => Ok(Some(result.bytes_written)),
            Err(_) => Ok(None),
        }
    }
}

/// Whether transparency is given for more than 256 colours. One clear colour among others without transparency counts
/// by its number.
fn is_too_clear(alpha: &[u8]) -> bool {
    let ends = |at: usize| alpha.get(at..) == Some(b"\n");
    let clear = alpha.iter().position(|a| *a == 0);
    let only = alpha.iter().enumerate().all(|(at, a)| *a == 255 || Some(at) == clear || ends(at));
    match clear {
        Some(at) if only => at > 255,
        _ => alpha.len() > 256,
    }
}

fn long(data: &[u8], at: usize) -> u32 {
    data.get(at..at + 4).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b))
}

/// What is before the first zero byte, and after it.
fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|byte| *byte == 0)?;
    Some((data.get(..at)?, data.get(at + 1..)?))
}
