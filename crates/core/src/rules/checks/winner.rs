//! `winner.replay`, `winner.source`.

use super::in_force::ClaimTerms;
use super::{Claim, Sink, VerifyFacts};
use crate::model::file::RoundFile;
use crate::model::ids::{Hotkey, Player, RoundNumber};
use crate::model::leader::leader_at;
use crate::model::snapshot::RoundFiles;
use crate::model::winner::Winner;
use crate::rules::tournament::{Field, TournamentOutcome, replay};

pub(super) fn check(facts: &VerifyFacts<'_>, round: RoundNumber, files: &RoundFiles, sink: &mut Sink) {
    let Some(winner) = files.winner.get() else { return };
    let file = format!("rounds/{round}/winner.json");
    sink.claim("winner.replay", round, file.clone(), |claim| {
        let terms = facts.terms(round, RoundFile::Winner);
        check_replay(claim, &terms, files, winner);
        terms.judge(claim);
    });
    sink.claim("winner.source", round, file, |claim| check_source(claim, facts, files, winner));
}

fn check_replay(claim: &mut Claim, terms: &ClaimTerms<'_>, files: &RoundFiles, winner: &Winner) {
    let field = terms.settings.and_then(|settings| Field::of(files, settings.win_margin, &terms.limits));
    let Some(field) = field else { return claim.skip("config.json or submissions.json cannot be read") };
    match replay(&field).outcome {
        TournamentOutcome::Winner(expected) => claim.same("the winner", &winner.player().as_str(), &expected.as_str()),
        TournamentOutcome::Matches(missing) => {
            let names: Vec<_> = missing.iter().map(|(left, right)| format!("{left} against {right}")).collect();
            claim.fail(format!(
                "the winner is {}, but these matches are missing: {}",
                winner.player(),
                names.join(", ")
            ));
        }
        TournamentOutcome::Audits(open) => {
            let names: Vec<_> = open.iter().map(Hotkey::as_str).collect();
            claim.fail(format!(
                "the winner is {}, but these have not passed their audit: {}",
                winner.player(),
                names.join(", ")
            ));
        }
    }
}

fn check_source(claim: &mut Claim, facts: &VerifyFacts<'_>, files: &RoundFiles, winner: &Winner) {
    let expected = match winner.player() {
        Player::Miner(hotkey) => {
            let Some(build) = files.builds.get().and_then(|builds| builds.get(hotkey)) else {
                return claim.fail(format!("{hotkey} won, but has no build"));
            };
            (build.repo.clone(), build.commit.clone(), build.docker_image.clone())
        }
        Player::Leader => {
            let (Some(leaders), Some(schedule)) = (facts.snapshot.leaders.get(), files.schedule.get()) else {
                return claim.skip("leader.json or schedule.json cannot be read");
            };
            let Some(leader) = leader_at(leaders, schedule.latest_reveal_block) else {
                return claim.fail(format!("no leader at block {}", schedule.latest_reveal_block));
            };
            (leader.repo.clone(), leader.commit.clone(), Some(leader.docker.clone()))
        }
    };
    claim.same("repo", &winner.repo.as_str(), &expected.0.as_str());
    claim.same("commit", &winner.commit.as_str(), &expected.1.as_str());
    claim.same("docker_image", &Some(winner.docker_image.clone()), &expected.2);
}
