//! `baseline`: the leader's modules.

use super::journal::RepeatsJob;
use super::{open, release_all, resume, run_all};
use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::engine::context::Context;
use crate::engine::leases::HeldLease;
use crate::engine::regenerating::Records;
use crate::engine::threejs::standing::ThreejsStanding;
use crate::model::ids::Player;
use crate::model::snapshot::Slot;
use crate::model::threejs::file::{ThreejsFile, ThreejsPlayerFile, ThreejsRoundFile};
use crate::model::threejs::programs::ThreejsLeaders;
use crate::rules::threejs::leader::leader_at;
use crate::rules::threejs::repeats::Purpose;
use crate::settings::flags::StoreArgs;
use crate::ui::Report;
use crate::world::pods::Hardware;

/// Makes the leader's modules for the round's prompts. The lock is held, and the stage is the right one.
///
/// # Errors
/// The pods or the files fail, or no pod could make the rest.
pub(crate) fn baseline(
    context: &Context<'_>,
    standing: &ThreejsStanding,
    retry: bool,
    store: &StoreArgs,
    report: &mut Report,
) -> Result<()> {
    let round = standing.state.current_round;
    let (lacks, failed) = missing(standing)?;
    if lacks == 0 && !(retry && failed > 0) {
        let note = if failed > 0 { format!(", {failed} without a module") } else { String::new() };
        report.say(format!("round {round}: the leader's modules already exist{note}"));
        return release_all(context);
    }
    let schedule = standing.need(&standing.files.schedule, ThreejsRoundFile::Schedule)?;
    let leaders: ThreejsLeaders = context.store.need(&ThreejsFile::Leader)?;
    let leader = leader_at(&leaders, schedule.latest_reveal_block)
        .ok_or_else(|| Error::failed(format!("leader.json: no leader at block {}", schedule.latest_reveal_block)))?;
    if context.options.dry_run {
        report.say(format!("would make {} of the leader with {}", counted(lacks, "module", "modules"), leader.docker));
        let files = [ThreejsPlayerFile::Generated(Some(1)), ThreejsPlayerFile::Sums, ThreejsPlayerFile::PodStats];
        report.note_files(files.map(|file| ThreejsFile::Player(round, Player::Leader, file).path()));
        return Ok(());
    }
    let lease = context.announce_whole("baseline", round)?;
    let hardware = Hardware::of(leader.hardware.as_deref().unwrap_or_default());
    let job = RepeatsJob { player: Player::Leader, image: leader.docker.clone(), hardware, retry };
    let made = make(context, standing, (job, store), lease.as_deref(), report);
    HeldLease::conclude(lease, made)
}

/// How many prompts have no entry in the leader's record, and how many have one without a module.
fn missing(standing: &ThreejsStanding) -> Result<(usize, usize)> {
    let prompts = standing.need(&standing.files.prompts, ThreejsRoundFile::Prompts)?;
    let own = standing.files.players.get(&Player::Leader).and_then(|own| own.generated.get(&1)).and_then(Slot::get);
    let entries = prompts.stems().map(|stem| own.and_then(|own| own.get(stem)));
    let (lacks, failed) = entries.fold((0, 0), |(lacks, failed), entry| match entry {
        None => (lacks + 1, failed),
        Some(module) => (lacks, failed + usize::from(module.js.is_none())),
    });
    Ok((lacks, failed))
}

fn make(
    context: &Context<'_>,
    standing: &ThreejsStanding,
    (job, store): (RepeatsJob, &StoreArgs),
    lease: Option<&HeldLease>,
    report: &mut Report,
) -> Result<()> {
    let run = open(context, standing, store, lease.map(|lease| lease.watch.clone()))?;
    let all = [resume(&run, standing, job, Purpose::Baseline, 1)?];
    let mut records = Records::new(context, report);
    let ended = run_all(context, &run, &all, &mut records);
    records.end();
    let again = "run `gen404 baseline` again to continue: what was made is kept";
    if let Some((_, error)) = ended.map_err(|error| error.hint(again))?.into_iter().next() {
        return Err(error.hint(again));
    }
    let (lacks, failed) = missing(&context.threejs_standing()?)?;
    let round = standing.state.current_round;
    if lacks == 0 {
        let note = if failed > 0 { format!(", {failed} without a module") } else { String::new() };
        report.say(format!("round {round}: the leader's modules are there{note}"));
        return Ok(());
    }
    let rest = counted(lacks, "module", "modules");
    let spent = Error::outside(format!("no pod with the leader's image could make {rest}"));
    let spent = spent.hint("`gen404 doctor --stage baseline` asks the pods' provider");
    Err(spent.hint("`gen404 baseline --retry` tries again with other pods"))
}
