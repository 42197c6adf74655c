//! What every command works with: the competition, its checkout, its settings, and the one place
//! where a plan becomes files and a commit.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::error::{Context as _, Error, Kind, Result};
use crate::base::files;
use crate::base::hex;
use crate::model::config::ConfigFile;
use crate::model::file::FileKind;
use crate::model::ids::Block;
use crate::model::lock::{Contended, Lock};
use crate::model::record::{parse_json, to_json};
use crate::model::snapshot::{RoundFiles, Snapshot};
use crate::model::stage::{CompetitionState, Timestamp};
use crate::model::store::Store;
use crate::rules::Plan;
use crate::rules::conflict::collision;
use crate::rules::stages::Facts;
use crate::rules::succession::Moment;
use crate::settings::flags::{ChainArgs, MomentArgs, StoreArgs, env, given_in_env};
use crate::settings::{Config, SettingsSource};
use crate::ui::Ui;
use crate::world::chain::Chain;
use crate::world::chain::settings::{Clock, Networks};
use crate::world::git::Git;
use crate::world::git::remote::Remote;
use crate::world::stop::Stop;
use crate::world::store::ObjectStore;

/// How often it is looked whether the lock is free.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the flags that every command takes ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// The competition's folder, where it is named.
    pub(crate) repo: Option<PathBuf>,
    /// The settings' file, where it is named.
    pub(crate) config: Option<PathBuf>,
    pub(crate) dry_run: bool,
    pub(crate) commit: bool,
    pub(crate) push: bool,
    pub(crate) wait_lock: bool,
}

/// A command at work on a competition.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) options: Options,
    pub(crate) ui: &'a Ui,
    pub(crate) store: Store,
    pub(crate) git: Option<Git>,
    pub(crate) config: Config,
    /// Asked for by signals, where a command listens for them.
    pub(crate) stop: Stop,
}

/// What a command that moves the competition looked at first.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) config: ConfigFile,
    pub(crate) state: CompetitionState,
    pub(crate) files: RoundFiles,
}

impl<'a> Context<'a> {
    /// Finds the competition and opens it.
    pub(crate) fn open(options: impl Into<Options>, ui: &'a Ui) -> Result<Self> {
        let options = options.into();
        let root = match &options.repo {
            Some(dir) => dir.clone(),
            None => find_root()?,
        };
        Context::at(options, ui, &root)
    }

    /// Opens the competition in this folder.
    pub(crate) fn at(options: impl Into<Options>, ui: &'a Ui, root: &Path) -> Result<Self> {
        let options = options.into();
        let store = Store::open(root)?;
        let git = Git::open(store.root())?;
        let config = settings(&options, ui, store.root(), git.as_ref())?;
        if options.commit && git.is_none() {
            let no_git = Error::usage(format!("{}: no git checkout to --commit in", store.root().display()));
            return Err(no_git.hint("--repo names the top folder of a checkout"));
        }
        if let Some(git) = git.as_ref().filter(|_| options.commit) {
            git.is_the_users()?;
        }
        let context = Context { options, ui, store, git, config, stop: Stop::of_process() };
        if ui.json() {
            ui.stands_at(context.head().unwrap_or_else(|error| {
                ui.warn_once(&error.to_string());
                None
            }));
        }
        Ok(context)
    }

    /// The commit that is checked out.
    fn head(&self) -> Result<Option<String>> {
        let head = self.git.as_ref().map(Git::head).transpose()?.flatten();
        Ok(head.map(|id| id.to_string()))
    }

    /// The operator's own folder of this competition, never tracked. A link in its place is refused: it may have
    /// come with the competition.
    pub(crate) fn own_folder(&self) -> Result<PathBuf> {
        let folder = match &self.git {
            Some(git) => git.own_folder(),
            None => self.store.root().join(".gen404"),
        };
        let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else { return Ok(folder) };
        files::below(parent, Path::new(name))
    }

    /// Takes the lock, and finishes a commit that a killed run had begun.
    pub(crate) fn lock(&self, command: &str) -> Result<Lock> {
        let contended = if self.options.wait_lock { Contended::Wait } else { Contended::Fail };
        let mut told = false;
        let lock = Lock::take(&self.own_folder()?, command, contended, |holder| {
            if !std::mem::replace(&mut told, true) {
                self.ui.status(&format!("waiting for {holder}"));
            }
            self.stop.sleep(LOOK_EVERY);
            self.stop.check()
        })?;
        if self.options.commit {
            self.has_a_beginning(command)?;
            self.make_ready()?;
        }
        if self.options.commit && !self.options.dry_run {
            self.finish_commit()?;
            self.meet()?;
        }
        Ok(lock)
    }

    /// What `init` wrote has to be in the history before anything else is: nothing later may bring it in.
    fn has_a_beginning(&self, command: &str) -> Result<()> {
        let Some(git) = self.git.as_ref().filter(|_| command != "init") else { return Ok(()) };
        if git.head()?.is_some() {
            return Ok(());
        }
        let none = Error::failed(format!("{}: nothing is committed here yet", self.store.root().display()));
        Err(none
            .hint("git add config.json leader.json prompts.txt state.json rounds && git commit -m \"The beginning\""))
    }

    /// What a commit needs is made sure of before the work, which may take hours; a dry run only looks.
    fn make_ready(&self) -> Result<()> {
        let Some(git) = &self.git else { return Ok(()) };
        if self.options.dry_run { git.could_commit() } else { git.make_ready() }?;
        match git.hooks()?.join(", ") {
            hooks if hooks.is_empty() => {}
            hooks => self.ui.detail(&format!("git's hooks around a commit are not run: {hooks}")),
        }
        Ok(())
    }

    /// With `--push`: takes over what others pushed, and pushes what an earlier run has left.
    fn meet(&self) -> Result<()> {
        let Some(remote) = self.remote()? else { return Ok(()) };
        let settled = remote.settle()?;
        if let Some(conflict) = settled.conflict {
            self.ui.status(&format!("{conflict}: it was made by an earlier run"));
        }
        if settled.moved {
            self.ui.detail("took over what others had pushed");
        }
        if settled.pushed > 0 {
            self.ui.status(&format!("pushed {} commit(s) that an earlier run had left", settled.pushed));
        }
        Ok(())
    }

    /// With `--push`: the remote to push to.
    fn remote(&self) -> Result<Option<Remote<'_>>> {
        let git = self.git.as_ref().filter(|_| self.options.push && !self.options.dry_run);
        git.map(|git| Remote::of(git, collision)).transpose()
    }

    /// Reads the settings, the state, and the current round's files.
    pub(crate) fn standing(&self) -> Result<Standing> {
        let config = self.store.need::<ConfigFile>(&FileKind::Config)?;
        let state = self.store.need::<CompetitionState>(&FileKind::State)?;
        let round = state.current_round;
        let mut snapshot = Snapshot::load_some(&self.store, |file| file.round() == Some(round))?;
        let files = snapshot.rounds.remove(&round).unwrap_or_else(|| RoundFiles::of(snapshot.format));
        Ok(Standing { config, state, files })
    }

    /// What decides what is due.
    pub(crate) fn facts<'b>(&self, standing: &'b Standing, block: Option<Block>) -> Facts<'b> {
        let Standing { config, state, files } = standing;
        let (win_margin, limits) = (config.settings.win_margin, config.settings.limits());
        Facts { state, files, block, win_margin, limits }
    }

    /// The chain's block and the time, from the flags, a chain file, or the configured chain;
    /// `None` where no chain is known.
    pub(crate) fn moment(&self, args: &MomentArgs) -> Result<Option<Moment>> {
        moment_of(&self.config, args)
    }

    /// As [`Context::moment`], for commands that only tell what is known: a chain that cannot be reached hides
    /// the block, and nothing else. Where there is no block, the text says what to do about it.
    pub(crate) fn sighted(&self, args: &MomentArgs) -> Result<(Option<Moment>, &'static str)> {
        match self.moment(args) {
            Err(error) if error.kind() == Kind::Outside => {
                self.ui.warn(&error.to_string());
                Ok((None, "the chain did not answer (that of a sandbox is there while `gen404 sandbox` runs)"))
            }
            moment => Ok((
                moment?,
                "name a chain in [chain] of gen404.toml, by SUBTENSOR_NETWORK or --network, or give --block N",
            )),
        }
    }

    /// The chain that flags, environment or settings name, in this order; `None` where none do.
    pub(crate) fn chain(&self, args: &ChainArgs) -> Result<Option<Box<dyn Chain>>> {
        chain_of(&self.config, args)
    }

    /// As [`Context::chain`], for commands that cannot do without.
    pub(crate) fn need_chain(&self, args: &ChainArgs) -> Result<Box<dyn Chain>> {
        self.chain(args)?.ok_or_else(|| {
            let unknown = Error::usage("no chain is named");
            unknown.hint("name it in [chain] of gen404.toml or by SUBTENSOR_NETWORK=finney; `gen404 COMMAND --help` lists the flags")
        })
    }

    /// As [`Context::moment`], for commands that cannot do without.
    pub(crate) fn need_moment(&self, args: &MomentArgs) -> Result<Moment> {
        need_moment(&self.config, args)
    }

    /// Does what a plan says: writes the files, commits them where asked to, and says so. With
    /// `--dry-run` it says what would happen.
    pub(crate) fn apply(&self, plan: &Plan) -> Result<()> {
        self.carry_out(plan, &[])?;
        plan.says.iter().for_each(|line| self.ui.result(line));
        Ok(())
    }

    /// As [`Context::apply`] for a step of a longer command, which says itself what happened. The commit takes
    /// along the files `also`, which earlier steps have written.
    pub(crate) fn carry_out(&self, plan: &Plan, also: &[FileKind]) -> Result<()> {
        if self.options.dry_run {
            return self.write(plan);
        }
        let pending = Pending::of(plan, also, &self.store)?;
        if self.options.commit {
            pending.save(&self.own_folder()?)?;
        }
        self.write(plan)?;
        if self.commit(&pending)?.is_some() {
            self.push()?;
        }
        Ok(())
    }

    /// With `--push`: pushes what has just been committed.
    fn push(&self) -> Result<()> {
        let Some(remote) = self.remote()? else { return Ok(()) };
        let conflict = remote.settle()?.conflict;
        let head = self.head()?;
        self.ui.recommitted(head.as_deref().filter(|_| conflict.is_none()));
        self.ui.stands_at(head);
        match conflict {
            None => Ok(()),
            Some(conflict) => Err(Error::new(Kind::Conflict, conflict).hint("run it again")),
        }
    }

    /// Writes a plan's files, with `--dry-run` only names them, and leaves the commit to a later step.
    pub(crate) fn write(&self, plan: &Plan) -> Result<()> {
        let changed = match self.options.dry_run {
            true => self.store.differing(&plan.writes)?.into_iter().map(|write| write.file.clone()).collect(),
            false => self.store.apply(&plan.writes, &mut |_, _| Ok(()))?,
        };
        self.ui.note_files(changed.iter().map(FileKind::path));
        Ok(())
    }

    /// The object store that flags, environment or settings name; `None` where none do.
    pub(crate) fn object_store(&self, args: &StoreArgs) -> Result<Option<Box<dyn ObjectStore>>> {
        let mut settings = self.config.store.clone().with_env(env);
        settings.dry_run = self.options.dry_run;
        if let Some(dir) = &args.store_dir {
            settings.dir = Some(dir.clone());
        }
        if let Some(cdn) = &args.cdn_url {
            settings.cdn_url = Some(cdn.clone());
        }
        settings.open(env)
    }

    fn commit(&self, pending: &Pending) -> Result<Option<String>> {
        let Some(git) = self.git.as_ref().filter(|_| self.options.commit) else { return Ok(None) };
        let commit = git.commit(&pending.kinds(), &pending.message);
        let commit =
            commit.map_err(|e| e.hint("what is to be committed is written: the next run with --commit does it"))?;
        Pending::forget(&self.own_folder()?)?;
        if let Some(commit) = &commit {
            self.ui.note_commit(commit, &pending.message);
        }
        Ok(commit)
    }

    /// A run with `--commit` that was killed between its last write and its commit left a note:
    /// where the files are still just as it wrote them, the commit is made now.
    fn finish_commit(&self) -> Result<()> {
        let Some(pending) = Pending::load(&self.own_folder()?)? else { return Ok(()) };
        if pending.is_written(&self.store)? {
            if let Some(commit) = self.commit(&pending)? {
                self.ui.status(&format!("committed what an interrupted run had written: {commit}"));
            }
            return Ok(());
        }
        // It was killed among its writes: the command that is run again writes them all.
        Pending::forget(&self.own_folder()?)
    }
}

/// Commits that were begun: kept beside the lock until they are made.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    message: String,
    /// Path and SHA-256 of each file.
    files: Vec<(String, String)>,
}

impl Pending {
    fn of(plan: &Plan, also: &[FileKind], store: &Store) -> Result<Self> {
        let sum = |bytes: &[u8]| hex::encode(&Sha256::digest(bytes));
        let mut files: Vec<_> = plan.writes.iter().map(|write| (write.file.path(), sum(&write.bytes))).collect();
        let planned: HashSet<&FileKind> = plan.writes.iter().map(|write| &write.file).collect();
        for file in also.iter().filter(|file| !planned.contains(file)) {
            if let Some(bytes) = store.read_file(file)? {
                files.push((file.path(), sum(&bytes)));
            }
        }
        Ok(Pending { message: plan.message.clone(), files })
    }

    fn path(own: &Path) -> PathBuf {
        own.join("pending-commit.json")
    }

    fn save(&self, own: &Path) -> Result<()> {
        files::write(&Pending::path(own), &to_json(self), files::Readers::Own)
    }

    fn load(own: &Path) -> Result<Option<Self>> {
        // A note that was cut off means that nothing else had been written yet.
        Ok(files::read_own(&Pending::path(own), files::SMALL)?.and_then(|bytes| parse_json(&bytes).ok()))
    }

    fn forget(own: &Path) -> Result<()> {
        files::remove(&Pending::path(own))
    }

    fn kinds(&self) -> Vec<FileKind> {
        self.files.iter().filter_map(|(path, _)| FileKind::of_path(path)).collect()
    }

    fn is_written(&self, store: &Store) -> Result<bool> {
        for (path, sum) in &self.files {
            let Some(file) = FileKind::of_path(path) else { return Ok(false) };
            let found = store.read_file(&file)?.map(|bytes| hex::encode(&Sha256::digest(&bytes)));
            if found.as_ref() != Some(sum) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The operator's settings for the competition in this folder.
fn settings(options: &Options, ui: &Ui, root: &Path, git: Option<&Git>) -> Result<Config> {
    let source = SettingsSource::of(options.config.as_deref(), root, git);
    if let SettingsSource::Nobody(Some(why)) = &source {
        ui.warn_once(why);
    }
    load(ui, &source)
}

fn load(ui: &Ui, source: &SettingsSource) -> Result<Config> {
    let config = Config::load(source)?;
    ui.follows(source.path().map(|path| path.display().to_string()));
    Ok(config)
}

/// The operator's settings, for commands that can do without a competition.
pub(crate) fn settings_here(options: impl Into<Options>, ui: &Ui) -> Result<Config> {
    let options = options.into();
    let root = options.repo.clone().or_else(|| find_root().ok()).and_then(|root| root.canonicalize().ok());
    match root {
        Some(root) => settings(&options, ui, &root, Git::open(&root)?.as_ref()),
        // There is nowhere to look for others.
        None => load(ui, &SettingsSource::of(options.config.as_deref(), Path::new(""), None)),
    }
}

/// As [`Context::moment`], by these settings.
fn moment_of(config: &Config, args: &MomentArgs) -> Result<Option<Moment>> {
    if let Some(block) = args.block {
        let now = args.now.as_deref().map(parse_time).transpose()?.unwrap_or_else(Utc::now);
        return Ok(Some(Moment { block: Block(block), now }));
    }
    let Some(chain) = chain_of(config, &args.chain)? else { return Ok(None) };
    let block = chain.best_block()?;
    let now = match config.chain.clock {
        Clock::Block => time_of(chain.as_ref(), block)?,
        Clock::System if chain.is_real() => Utc::now(),
        // A file whose blocks have no times is no reason to fail.
        Clock::System => time_of(chain.as_ref(), block).unwrap_or_else(|_| Utc::now()),
    };
    Ok(Some(Moment { block, now }))
}

/// As [`Context::need_moment`], by these settings.
pub(crate) fn need_moment(config: &Config, args: &MomentArgs) -> Result<Moment> {
    moment_of(config, args)?.ok_or_else(|| {
        let unknown = Error::usage("the chain's block is not known");
        unknown.hint("give --block N --now TIME, --network finney, --chain-file FILE, or [chain] in gen404.toml")
    })
}

/// The chain that flags, environment or these settings name, in this order; `None` where none do.
fn chain_of(config: &Config, args: &ChainArgs) -> Result<Option<Box<dyn Chain>>> {
    let mut settings = config.chain.clone();
    if let Some(file) = &args.chain_file {
        settings.file = Some(file.clone());
    } else if let Some(network) = args.network.clone().or_else(|| given_in_env("SUBTENSOR_NETWORK")) {
        (settings.file, settings.network) = (None, Some(Networks::One(network)));
    }
    if let Some(archive) = &args.archive {
        settings.archive = Some(Networks::One(archive.clone()));
    }
    if let Some(netuid) = args.netuid {
        settings.netuid = netuid;
    } else if let Some(netuid) = given_in_env("NETUID") {
        let parsed = netuid.trim().parse();
        settings.netuid = parsed.map_err(|_| Error::usage(format!("NETUID={netuid:?} is no subnet's number")))?;
    }
    settings.open()
}

/// The nearest folder upwards that holds a competition, or else the nearest checkout.
fn find_root() -> Result<PathBuf> {
    let here = std::env::current_dir().failed(|| "the current folder cannot be read".to_owned())?;
    let upwards = |wanted: fn(&Path) -> bool| here.ancestors().find(|folder| wanted(folder)).map(Path::to_owned);
    // Two of these make a competition, so that a damaged one is found as well.
    let competition = |folder: &Path| {
        let known = ["config.json", "state.json", "leader.json", "rounds"];
        known.iter().filter(|name| folder.join(name).exists()).count() >= 2
    };
    upwards(competition).or_else(|| upwards(|folder| folder.join(".git").exists())).ok_or_else(|| {
        let nothing = Error::failed(format!("{}: no competition here or above", here.display()));
        nothing.hint("name its folder with --repo DIR, or make one with `gen404 init DIR`")
    })
}

/// The time of a chain's newest block, by that of its finalized one.
fn time_of(chain: &dyn Chain, best: Block) -> Result<DateTime<Utc>> {
    let finalized = chain.finalized_block()?;
    let seconds = chain.block_time(finalized)?;
    let now = i64::try_from(seconds).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let time = now.and_then(|now| Moment { block: finalized, now }.time_of(best));
    time.ok_or_else(|| Error::failed(format!("{}: block {finalized} at {seconds} s is out of all time", chain.name())))
}

/// A UTC time from the command line.
pub(crate) fn parse_time(text: &str) -> Result<DateTime<Utc>> {
    text.parse::<Timestamp>().map(|time| time.at()).map_err(|why| Error::usage(format!("--now: {why}")))
}
