//! `rounds/N/judge_progress.json`: the current holder, and the miners whose matches are done.

use crate::model::file::json_file;
use crate::model::ids::{Hotkey, Player};
use crate::model::record::record;

record! {
    /// How far the judge has come. At the end, `leader` has won the round.
    pub struct JudgeProgress {
        /// Who holds the lead: `leader`, or a miner.
        pub leader: Player,
        /// The miners whose matches are done, in order.
        pub completed_hotkeys: Vec<Hotkey>,
    }
}

json_file!(JudgeProgress);
