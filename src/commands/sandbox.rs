//! `gen404 sandbox`: a whole competition on this machine, through the commands, drivers and HTTP of production.
//! Everything external (the chain, the miners' servers and pods, the judge) is served on one loopback port; see
//! [`crate::sandbox::site`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::base::error::{Error, Result};
use crate::base::text::in_shell;
use crate::cli::{Global, SandboxArgs, SandboxJudge};
use crate::model::file::FileKind;
use crate::model::format::Format;
use crate::model::stage::{CompetitionState, Stage};
use crate::model::store::Store;
use crate::sandbox::child_guard::called;
use crate::sandbox::folder::{FIRST_BLOCK, PORT, SandboxFolder, genesis_time};
use crate::sandbox::judge::JudgeMode;
use crate::sandbox::participants::{Params, Participants, Role};
use crate::sandbox::runner::Runner;
use crate::sandbox::servers::LocalPort;
use crate::sandbox::site::SandboxSite;
use crate::sandbox::summary::SandboxSummary;
use crate::sandbox::threejs::settings::views_of;
use crate::ui::{Report, Ui};
use crate::world::chain::stand_in::StandInNode;
use crate::world::stop::Stop;

/// The miners of modules that have a role of their own.
const LEAST_OF_MODULES: usize = 7;

/// The subnet of the sandbox's chain, the same as in production.
const NETUID: u16 = 17;

pub(super) fn run(global: &Global, ui: &Ui, args: &SandboxArgs, report: &mut Report) -> Result<()> {
    if global.dry_run {
        return say_only(args, report);
    }
    let played = args.miner.as_deref().map(own_folder).transpose()?;
    let folder = SandboxFolder::open(&args.dir)?;
    let known = folder.params()?;
    let mut params = wanted(args, known.as_ref())?;
    if args.by_hand && params.judge == JudgeMode::Lies {
        let hand = Error::usage("--by-hand with --judge lies: the lie is the operator's, and the operator is you");
        return Err(hand.hint("change a winner in a duels_*.json by hand, and run `gen404 verify`"));
    }
    let finished = known.is_some() && is_finished(&folder)?;
    if finished && !args.keep_serving && !args.by_hand {
        ui.status("this sandbox is finished: nothing left to play");
        return say(&folder, &SandboxSummary::of(&folder, &Participants::new(params))?, report);
    }
    if finished && args.by_hand {
        let over = Error::failed(format!("{}: this sandbox is finished: nothing left to play", args.dir.display()));
        return Err(over.hint("name another folder"));
    }
    let chosen = args.port.is_some() || known.is_some();
    let port = if chosen { LocalPort::open(params.port) } else { LocalPort::first_free(params.port) }?;
    if port.number() != params.port && !chosen {
        let (taken, port) = (params.port, port.number());
        ui.warn(&format!("port {taken} is taken: using {port}, so the commits differ from those of port {taken}"));
    }
    params.port = port.number();
    let participants = Participants::new(params);
    let base = participants.base();
    let node = StandInNode::new(NETUID, genesis_time(), FIRST_BLOCK);
    let site = SandboxSite::new(participants.clone(), folder.root.clone(), folder.objects(), node);
    let site = Arc::new(if args.by_hand { site.by_hand(played.clone()) } else { site });
    port.serve(&site)?;
    ui.status(&format!("miners, pods and judge are at {base}, the chain is at {base}/chain"));
    if let Some(played) = &played {
        ui.status(&format!("you are {}: {base}/cdn/steady serves {}", steady(&participants), played.display()));
    }
    folder.begin(&participants)?;
    pictures(&folder, &participants, &site)?;
    let store = Store::open(&folder.root)?;
    let play = Runner { ui, folder: &folder, participants: &participants, site: &site, store };
    if args.by_hand {
        return play.follow(&Stop::on_signals()?);
    }
    play.run()?;
    say(&folder, &SandboxSummary::of(&folder, &participants)?, report)?;
    if args.keep_serving {
        ui.answer_early(report);
        serve(ui, &folder, &base)?;
    }
    Ok(())
}

/// `--dry-run`: checks whether this folder can be the sandbox. It lists folders: most file names are drawn during the
/// play.
fn say_only(args: &SandboxArgs, report: &mut Report) -> Result<()> {
    let folder = SandboxFolder::look(&args.dir)?;
    wanted(args, folder.params()?.as_ref())?;
    report.say(format!("would play a competition in {}", args.dir.display()));
    report.note_files(folder.writes()?);
    Ok(())
}

/// The folder of a person's own models.
fn own_folder(path: &Path) -> Result<PathBuf> {
    let whole = path.canonicalize().ok().filter(|whole| whole.is_dir());
    whole.ok_or_else(|| Error::usage(format!("--miner {}: no such folder", path.display())))
}

/// The hotkey that a person plays.
fn steady(participants: &Participants) -> String {
    let steady = participants.miners.iter().find(|miner| miner.role == Role::Steady);
    steady.map(|miner| format!("{}, {}", miner.name, miner.hotkey)).unwrap_or_default()
}

/// Is the competition in this folder over?
fn is_finished(folder: &SandboxFolder) -> Result<bool> {
    let state = Store::open(&folder.root)?.load::<CompetitionState>(&FileKind::State)?;
    Ok(state.is_some_and(|state| state.stage == Stage::Finished))
}

/// Writes the prompts' pictures beside the competition, so that they can be viewed without the servers.
fn pictures(folder: &SandboxFolder, participants: &Participants, site: &SandboxSite) -> Result<()> {
    for stem in &participants.stems {
        let path = Path::new("sandbox/prompts").join(format!("{stem}.png"));
        if let Some(picture) = site.picture(stem).filter(|_| !folder.root.join(&path).exists()) {
            folder.write(&path, &picture)?;
        }
    }
    Ok(())
}

fn say(folder: &SandboxFolder, summary: &SandboxSummary, report: &mut Report) -> Result<()> {
    report.note_files(folder.writes()?);
    report.has_told_files();
    report.basis.commit.clone_from(&summary.head);
    summary.lines().into_iter().for_each(|line| report.say(line));
    report.say_next(format!("open {} in a browser", summary.report));
    let (dir, program) = (in_shell(&summary.dir), called());
    if summary.params.judge == JudgeMode::Honest {
        report.say_next(format!("cd {dir}; {program} status; {program} verify --history; git log --stat"));
        let format = match summary.params.format {
            Format::Mesh => String::new(),
            format => format!(" --format {format}"),
        };
        report.say_next(format!("{program} sandbox --by-hand by-hand{format}  # the operator is you"));
    } else {
        found_out(summary, (&dir, &program), report);
    }
    report.detail(json!(summary));
    Ok(())
}

/// What to try next where the judge or the operator is not honest: an honest judge is asked about the same duels.
fn found_out(summary: &SandboxSummary, (dir, program): (&str, &str), report: &mut Report) {
    let Params { seed, rounds, miners, prompts, port, judge, format, views: _ } = &summary.params;
    let shows = match judge {
        JudgeMode::Lies => "ends with 1 and names the duel",
        _ => "what the judge prefers, and how often its two orders disagree",
    };
    report.say_next(format!("cd {dir}; {program} verify -v  # {shows}"));
    let honest = in_shell(&format!("{}-honest", summary.dir));
    report.say_next(format!(
        "{program} sandbox --by-hand {honest} --seed {seed} --rounds {rounds} --miners {miners} --prompts {prompts} \
         --port {port} --format {format}  # in a second terminal: the same models and an honest judge"
    ));
    report.say_next(format!(
        "cd {dir}; {program} verify --judge 40 --inline-images  # asks that judge again: where does it disagree?"
    ));
}

/// Keeps the servers running until a stop signal.
fn serve(ui: &Ui, folder: &SandboxFolder, base: &str) -> Result<()> {
    let stop = Stop::on_signals()?;
    ui.status(&format!("serving {base} for {} until Ctrl-C", folder.root.display()));
    while !stop.is_wanted() {
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// The mode that a flag names.
fn mode(named: SandboxJudge) -> JudgeMode {
    match named {
        SandboxJudge::Honest => JudgeMode::Honest,
        SandboxJudge::Lies => JudgeMode::Lies,
        SandboxJudge::First => JudgeMode::First,
        SandboxJudge::Random => JudgeMode::Random,
    }
}

/// The sandbox's parameters: the flags over its recorded ones. Fails if an existing sandbox was made from others.
fn wanted(args: &SandboxArgs, known: Option<&Params>) -> Result<Params> {
    let format = args.format.map_or(Format::Mesh, Format::from);
    let (judge, views) = (JudgeMode::Honest, None);
    let default = Params { seed: 404, rounds: 2, miners: 7, prompts: 10, port: PORT, judge, format, views };
    let base = known.unwrap_or(&default);
    let params = Params {
        seed: args.seed.unwrap_or(base.seed),
        rounds: args.rounds.unwrap_or(base.rounds),
        miners: args.miners.unwrap_or(base.miners),
        prompts: args.prompts.unwrap_or(base.prompts),
        port: args.port.filter(|port| *port != 0 || known.is_none()).unwrap_or(base.port),
        judge: args.judge.map_or(base.judge, mode),
        format: args.format.map_or(base.format, Format::from),
        views: args.views.as_deref().map(views_of).transpose()?.or_else(|| base.views.clone()),
    };
    if params.format != Format::Threejs && params.views.is_some() {
        return Err(Error::usage("--views is for --format threejs"));
    }
    if params.format == Format::Threejs && params.miners < LEAST_OF_MODULES {
        return Err(Error::usage(format!("--format threejs needs --miners {LEAST_OF_MODULES} or more")));
    }
    match known {
        Some(known) if *known != params => {
            let Params { seed, rounds, miners, prompts, port, judge, format, views } = known;
            let judge = judge.name();
            let drawn = if views.is_some() { " --views FILE" } else { "" };
            let other = Error::failed(format!(
                "{}: this sandbox was made with --seed {seed} --rounds {rounds} --miners {miners} \
                 --prompts {prompts} --port {port} --judge {judge} --format {format}{drawn}",
                args.dir.display()
            ));
            Err(other.hint("leave these flags out to continue it, or name another folder"))
        }
        _ => Ok(params),
    }
}
