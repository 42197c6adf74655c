//! `gen404 init`: creates a new competition's folder. On a terminal it asks for what the flags leave open. Everything is
//! checked before anything is written, so a refused `init` leaves nothing behind.

mod beginning;
mod questions;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::base::error::{Context as _, Error, Kind, Result};
use crate::base::files::{self, Readers};
use crate::base::text::in_shell;
use crate::cli::{Global, InitArgs};
use crate::engine::context::{Context, settings_here};
use crate::engine::moment::asking;
use crate::model::format::Format;
use crate::settings::{self, Config};
use crate::ui::{Report, Ui};
use crate::world::git::Git;

use self::beginning::Beginning;
use self::questions::Terminal;

pub(super) fn run(global: &Global, ui: &Ui, args: &InitArgs, report: &mut Report) -> Result<()> {
    require_free(&args.dir)?;
    let own_pool = args.dir.join(POOL);
    let found = (args.pool.is_none() && own_pool.is_file()).then_some(own_pool);
    let args = &InitArgs { pool: args.pool.clone().or(found), ..args.clone() };
    require_room(args)?;
    let config = settings_here(&Global { repo: Some(args.dir.clone()), ..global.clone() }, ui, report)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let (args, beginning) = if terminal {
        let (input, output) = (&mut std::io::stdin().lock(), &mut std::io::stderr());
        asked(args.clone(), &config, &mut Terminal { input, output })?
    } else {
        require_flags(args)?;
        asking(&config, &args.moment).iter().for_each(|line| ui.status(line));
        (args.clone(), Beginning::of(args, &config)?)
    };
    if !global.dry_run {
        return make(global, ui, &args, &beginning, report);
    }
    say_only(&args, &beginning, report);
    beginning.few.iter().for_each(|few| ui.warn(few));
    Ok(())
}

/// Asks until the answers make a competition and are confirmed.
fn asked(mut args: InitArgs, config: &Config, terminal: &mut Terminal<'_>) -> Result<(InitArgs, Beginning)> {
    let mut open = questions::open(&args, config);
    loop {
        let brief = args.yes;
        terminal.fill(&mut args, &open, brief)?;
        // An answer that named the chain has just been checked by asking it.
        let known = !open.iter().any(|question| question.is_chain());
        asking(config, &args.moment).iter().filter(|_| known).try_for_each(|line| terminal.say(line))?;
        match Beginning::of(&args, config) {
            Ok(beginning) if open.is_empty() || args.yes => return Ok((args, beginning)),
            Ok(beginning) => {
                let question = format!("Write it to {}?", args.dir.display());
                if terminal.agrees(&beginning.says(), &question)? {
                    return Ok((args, beginning));
                }
                open = questions::all(&args);
            }
            // With nothing to ask, no other answer can follow.
            Err(error) if open.is_empty() || !matches!(error.kind(), Kind::Usage | Kind::Outside | Kind::Failed) => {
                return Err(error);
            }
            Err(error) => {
                terminal.refuse(&error)?;
                // The fault may lie in a flag.
                open = questions::all(&args);
            }
        }
    }
}

fn require_free(dir: &Path) -> Result<()> {
    if !dir.join("config.json").exists() && !dir.join("state.json").exists() {
        return Ok(());
    }
    let taken = Error::failed(format!("{}: already holds a competition", dir.display()));
    Err(taken.hint("name another folder"))
}

/// No file that `init` writes may be there, but for a pool: its own or none is given, so that it becomes the pool.
fn require_room(args: &InitArgs) -> Result<()> {
    let in_the_way = ["leader.json", "rounds"].into_iter().chain(args.pool.as_ref().map(|_| POOL));
    for name in in_the_way {
        let path = args.dir.join(name);
        let is_pool = name == POOL && args.pool.as_ref().is_some_and(|pool| is_same(pool, &path));
        if path.symlink_metadata().is_ok() && !is_pool {
            return Err(
                Error::file(&path, "is in the way of a new competition").hint("move it, or name another folder")
            );
        }
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().is_some_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// The pool's file in a competition.
const POOL: &str = "prompts.txt";

/// Names all missing flags at once instead of failing on the first.
fn require_flags(args: &InitArgs) -> Result<()> {
    let needed = [
        ("--name", args.name.is_some()),
        ("--first-day", args.first_day.is_some()),
        ("--last-day", args.last_day.is_some()),
        ("--leader-hotkey", args.leader_hotkey.is_some()),
        ("--leader-repo", args.leader_repo.is_some()),
        ("--leader-commit", args.leader_commit.is_some()),
        ("--leader-docker", args.leader_docker.is_some()),
    ];
    let missing: Vec<&str> = needed.into_iter().filter(|(_, given)| !given).map(|(flag, _)| flag).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let error =
        Error::usage(format!("these flags are needed, as there is no terminal to ask on: {}", missing.join(", ")));
    Err(error.hint("`gen404 init --help` explains them"))
}

fn make(global: &Global, ui: &Ui, args: &InitArgs, beginning: &Beginning, report: &mut Report) -> Result<()> {
    let new = NewPlaces::of(args);
    let made = write(global, ui, args, beginning, report);
    // Busy: another `init` may have written here in the meantime.
    if made.as_ref().is_err_and(|error| error.kind() != Kind::Busy) && report.files.is_empty() {
        new.remove()?;
    }
    made
}

/// What a run creates before its first file: removed again if it gets no further, for example because git knows no
/// author.
struct NewPlaces {
    /// The folders, the inner ones first.
    folders: Vec<PathBuf>,
    git: Option<PathBuf>,
}

impl NewPlaces {
    fn of(args: &InitArgs) -> NewPlaces {
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && folder.symlink_metadata().is_err();
        let folders = args.dir.ancestors().take_while(is_missing).map(Path::to_owned).collect();
        NewPlaces { folders, git: is_git_made(args).then(|| args.dir.join(".git")) }
    }

    fn remove(self) -> Result<()> {
        for git in self.git.iter().filter(|git| git.exists()) {
            std::fs::remove_dir_all(git).failed(|| format!("{}: cannot be removed", git.display()))?;
        }
        for folder in self.folders.iter().filter(|folder| folder.exists()) {
            std::fs::remove_dir(folder).failed(|| format!("{}: cannot be removed", folder.display()))?;
        }
        Ok(())
    }
}

fn write(global: &Global, ui: &Ui, args: &InitArgs, beginning: &Beginning, report: &mut Report) -> Result<()> {
    files::make_folder(&args.dir)?;
    if is_git_made(args) {
        Git::init(&args.dir)?;
    }
    let context = Context::at(global, ui, &args.dir, report)?;
    let _lock = context.lock("init", report)?;
    // Another `init` may have been faster.
    require_free(&args.dir)?;
    if let Some(git) = &context.git {
        // Settings never leave this machine.
        git.exclude(&[&format!("/{}", settings::FILE_NAME)])?;
    }
    if let Some(text) = &beginning.settings {
        files::write_below(context.store.root(), Path::new(settings::FILE_NAME), text.as_bytes(), Readers::Own)?;
    }
    beginning.note_settings(report);
    context.apply(&beginning.plan, report)?;
    ui.tell(report);
    beginning.few.iter().for_each(|few| ui.warn(few));
    next(global, args, beginning, context.git.is_some()).into_iter().for_each(|step| report.say_next(step));
    Ok(())
}

/// What is left to do by hand, in order.
fn next(global: &Global, args: &InitArgs, beginning: &Beginning, has_git: bool) -> Vec<String> {
    let pool = beginning.few.as_ref().map(|_| format!("add prompts to {POOL}"));
    let uncommitted = !global.commit && !args.no_git;
    let commit = uncommitted.then(|| format!("git add . && git commit -m \"{}\"", beginning.plan.message));
    let again = (global.commit && pool.is_some()).then(|| format!("git commit {POOL} -m \"Prompts\""));
    let push = has_git.then(|| "git remote add origin URL && git push -u origin HEAD".to_owned());
    let own = if has_git { "fill in" } else { "write, and name with --config," };
    // The starter settings name the chain that was given here.
    let given = args.moment.chain.network.is_some() || args.moment.chain.chain_file.is_some();
    let chain = if given && has_git { "" } else { "chain, " };
    let is_threejs = args.format.is_some_and(|format| Format::from(format) == Format::Threejs);
    let parts = if is_threejs {
        "store, judge, pods, builds, views, embeddings, miners"
    } else {
        "store, judge, pods, builds, distance"
    };
    let hardware = is_threejs.then(|| "check hardware in leader.json: what the leader's program runs on".to_owned());
    let settings = format!("{own} {} ({chain}{parts})", settings::FILE_NAME);
    let steps = [
        Some(format!("cd {}", in_shell(&args.dir.display().to_string()))),
        pool,
        hardware,
        commit,
        again,
        Some(settings),
        Some("gen404 doctor".to_owned()),
        push,
    ];
    steps.into_iter().flatten().collect()
}

/// `--dry-run`: does not even create the folder.
fn say_only(args: &InitArgs, beginning: &Beginning, report: &mut Report) {
    if !args.dir.exists() {
        report.say(format!("would make {}", args.dir.display()));
    }
    beginning.plan.says.iter().for_each(|line| report.say(line));
    beginning.note_settings(report);
    report.note_files(beginning.plan.writes.iter().map(|write| write.file.to_string()));
}

fn is_git_made(args: &InitArgs) -> bool {
    !args.no_git && !args.dir.join(".git").exists()
}

#[cfg(test)]
mod tests;
