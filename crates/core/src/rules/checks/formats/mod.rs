//! The checks of competitions of splats and of three.js modules. A claim that all formats make has one id and one
//! implementation, beside the mesh checks; what only these two share is in [`common`].

mod common;
pub mod history;
mod kept;
mod splat;
mod threejs;
pub mod threejs_answers;
mod threejs_audits;
mod threejs_files;
mod threejs_matches;
mod threejs_stored;
pub mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use self::splat::run as run_splat;
pub use self::threejs::run as run_threejs;
use super::answers::Recorded;
use super::in_force::{ClaimTerms, InForce};
use super::{Reported, Then};
use crate::model::config::Settings;
use crate::model::file::{FileKind, RoundFile};
use crate::model::ids::RoundNumber;
use crate::model::prompts::PromptList;
use crate::rules::seed::OnChain;

/// What the checks of these formats use besides the files.
#[derive(Debug, Default)]
pub struct OtherFacts {
    /// The settings in force for each claim. Claims have the names of files of meshes: who won a round is
    /// [`RoundFile::Winner`] in every format.
    pub rules: InForce,
    /// For each round, the pool in the commit that wrote its seed; `None` if it had none.
    pub pools: BTreeMap<RoundNumber, Then<Option<Arc<PromptList>>>>,
    /// What the chain says about each round's latest_reveal_block, if asked.
    pub blocks: BTreeMap<RoundNumber, OnChain>,
    /// What the history says of the answers beside match reports, where it says anything.
    pub recorded: BTreeMap<Reported, Recorded>,
    /// Accept a `cdn_url` on a host that is not public (sandbox, tests).
    pub allow_private_cdn: bool,
}

impl OtherFacts {
    /// The files alone, with nothing known of history or chain.
    #[must_use]
    pub fn of_files(settings: Option<Settings>) -> Self {
        OtherFacts { rules: InForce::without_history(settings), ..OtherFacts::default() }
    }

    /// The terms for the claims of a round's file.
    fn terms(&self, round: RoundNumber, file: RoundFile) -> ClaimTerms<'_> {
        self.rules.terms(FileKind::Round(round, file), None)
    }
}
