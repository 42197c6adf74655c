//! `rounds/N/schedule.json`: the blocks that bound a round's stages.

use super::file::json_file;
use super::ids::Block;
use super::record::record;

record! {
    /// The blocks of a round.
    pub struct Schedule {
        /// First block whose reveals count.
        pub earliest_reveal_block: Block,
        /// Last block whose reveals count; the seed is drawn after it.
        pub latest_reveal_block: Block,
        /// Block by which the miners' files must be uploaded.
        pub generation_deadline_block: Block,
    }
}

json_file!(Schedule);
