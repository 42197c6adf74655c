//! Small zip archives: read within bounds, from servers that may be hostile, and written without compression.
//!
//! What a reader needs of the format: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, sections 4.3 and 4.4.
//! Only what is stored or deflated is read; encryption, archives in several parts and zip64 are refused. An archive is
//! read by its central directory alone, as most programs do.

mod read;
mod write;

pub use read::{Entry, Limits, ZipError, read};
pub use write::stored;

/// The signatures of the three records.
const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;

/// The lengths of their fixed parts.
const LOCAL_LENGTH: usize = 30;
const CENTRAL_LENGTH: usize = 46;
const END_LENGTH: usize = 22;
