//! `rounds/N/seed.json`: the round's seed, and the source of a derived one. One line.

use super::file::RepoFile;
use super::format::Format;
use super::ids::{Block, Seed};
use super::record::{ParseError, parse_json, record, write_json_line};

record! {
    /// The seed, with the source from which it was derived, if any (DESIGN 4.2).
    pub struct SeedFile {
        /// 32 random bits.
        pub seed: Seed,
        /// The drand quicknet round.
        pub drand_round [optional]: Option<u64>,
        /// That round's BLS signature, in hex.
        pub signature [optional]: Option<String>,
        /// The block whose hash was used.
        pub block [optional]: Option<Block>,
        /// That block's hash: `0x` and 64 hex digits.
        pub block_hash [optional]: Option<String>,
    }
}

impl SeedFile {
    /// A seed without a source.
    #[must_use]
    pub fn plain(seed: Seed) -> Self {
        let extra = super::record::Extra::default();
        SeedFile { seed, drand_round: None, signature: None, block: None, block_hash: None, extra }
    }
}

impl RepoFile for SeedFile {
    fn parse(_: Format, bytes: &[u8]) -> Result<Self, ParseError> {
        parse_json(bytes)
    }

    fn write(&self, out: impl std::io::Write) -> std::io::Result<()> {
        write_json_line(out, self)
    }
}
