//! `rounds/N/schedule.json`: two blocks; there is no deadline.

use crate::model::file::json_file;
use crate::model::ids::Block;
use crate::model::record::record;

record! {
    /// The blocks of a round.
    pub struct SplatSchedule {
        /// First block whose reveals count.
        pub earliest_reveal_block: Block,
        /// Last block whose reveals count.
        pub latest_reveal_block: Block,
    }
}

json_file!(SplatSchedule);
