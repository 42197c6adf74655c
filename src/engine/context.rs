//! What every command works with: the competition, its checkout and its settings.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::model::config::ConfigFile;
use crate::model::file::{FileKind, PlayerFile};
use crate::model::format::Format;
use crate::model::format::detect::Detected;
use crate::model::ids::{Block, RoundNumber};
use crate::model::lock::{Contended, Lock};
use crate::model::snapshot::{ListedSource, RoundFiles, Snapshot};
use crate::model::stage::CompetitionState;
use crate::model::store::{Store, enclosing};
use crate::rules::stages::Facts;
use crate::settings::flags::{StoreArgs, env, store_settings};
use crate::settings::salvage::{Salvaged, salvage};
use crate::settings::{Config, SettingsSource};
use crate::ui::{Report, Ui};
use crate::world::git::Git;
use crate::world::stop::Stop;
use crate::world::store::ObjectStore;
use crate::world::store::settings::StoreSettings;
use crate::world::usage::Meter;
use crate::world::witness::Witness;

/// How often a waiting run checks whether the lock is free.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The values of the global flags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// The competition's folder, if named.
    pub(crate) repo: Option<PathBuf>,
    /// The settings file, if named.
    pub(crate) config: Option<PathBuf>,
    pub(crate) dry_run: bool,
    pub(crate) commit: bool,
    pub(crate) push: bool,
    pub(crate) wait_lock: bool,
    /// Counts what is used.
    pub(crate) meter: Meter,
    /// Hears of each commit.
    pub(crate) witness: Witness,
    /// The file of numbers that each run writes, if named.
    pub(crate) metrics: Option<PathBuf>,
    /// The settings name a file of numbers that no run may replace.
    pub(crate) no_metrics: bool,
}

impl Options {
    /// The competition's folder, if one is named; an empty name names none.
    fn named(&self) -> Option<&Path> {
        self.repo.as_deref().filter(|dir| !dir.as_os_str().is_empty())
    }

    /// The competition's folder: the one that is named, or else the one that this process is in.
    fn root(&self) -> Result<PathBuf> {
        self.named().map_or_else(find_root, |dir| Ok(dir.to_owned()))
    }
}

/// A command at work on a competition.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) options: Options,
    pub(crate) ui: &'a Ui,
    pub(crate) store: Store,
    pub(crate) git: Option<Git>,
    pub(crate) config: Config,
    /// Can all of the settings be followed? If not, they only say whom to tell.
    pub(crate) has_settings: bool,
    /// The settings file from which it could not be read whom to tell, or not of everyone.
    pub(crate) unread: Option<PathBuf>,
    /// Set by signals, if the command listens for them.
    pub(crate) stop: Stop,
    /// The competition's format, once it is decided.
    pub(crate) format: OnceLock<Format>,
    /// The paths that were listed for it, for whoever reads the files next.
    pub(crate) listed: Mutex<Option<Vec<String>>>,
}

/// The files that a command decides by, as read when it began.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) config: ConfigFile,
    pub(crate) state: CompetitionState,
    pub(crate) files: RoundFiles,
}

impl Standing {
    /// The facts that decide what is due.
    pub(crate) fn facts(&self, block: Option<Block>) -> Facts<'_> {
        let Standing { config, state, files } = self;
        let (win_margin, limits) = (config.settings.win_margin, config.settings.limits());
        Facts { state, files, block, win_margin, limits }
    }
}

impl<'a> Context<'a> {
    /// Finds the competition and opens it.
    pub(crate) fn open(options: impl Into<Options>, ui: &'a Ui, report: &mut Report) -> Result<Self> {
        let options = options.into();
        let root = options.root()?;
        Context::at(options, ui, &root, report)
    }

    /// Opens the competition in this folder.
    pub(crate) fn at(options: impl Into<Options>, ui: &'a Ui, root: &Path, report: &mut Report) -> Result<Self> {
        let options = options.into();
        let store = Store::open(root)?;
        let git = Git::open(store.root())?;
        let mut config = settings(&options, ui, store.root(), git.as_ref(), report)?;
        config.metrics.file = config.metrics.file.filter(|_| !options.no_metrics);
        Context::following(config, options, ui, (store, git), report)
    }

    /// As [`Context::open`], for a look at what may be wrong. Settings that cannot be followed are replaced by the
    /// defaults, and returned as the error that they are.
    pub(crate) fn to_examine(
        options: impl Into<Options>,
        ui: &'a Ui,
        report: &mut Report,
    ) -> Result<(Self, SettingsSource, Result<()>)> {
        let options = Options { commit: false, push: false, ..options.into() };
        let store = Store::open(&options.root()?)?;
        let git = Git::open(store.root())?;
        let source = SettingsSource::of(options.config.as_deref(), store.root(), git.as_ref());
        let (config, read) = match load(&source, &options.meter, report) {
            Ok(config) => (config, Ok(())),
            Err(error) => (Config::default(), Err(error)),
        };
        Ok((Context::following(config, options, ui, (store, git), report)?, source, read))
    }

    /// As [`Context::open`], to tell others of a run. Of settings that cannot be followed, what says whom to tell is
    /// taken, as far as it can be read.
    pub(crate) fn to_tell(options: impl Into<Options>, ui: &'a Ui) -> Result<Self> {
        let (mut context, source, read) = Context::to_examine(options, ui, &mut Report::default())?;
        if read.is_err() {
            let Salvaged { config, is_known } = salvage(&source);
            (context.config, context.has_settings) = (config, false);
            context.unread = source.path().filter(|_| !is_known);
        }
        context.config.metrics.file = context.config.metrics.file.filter(|_| !context.options.no_metrics);
        Ok(context)
    }

    /// The file of numbers that each run writes, if the flag or the settings name one.
    pub(crate) fn metrics_file(&self) -> Option<&Path> {
        self.options.metrics.as_deref().or(self.config.metrics.file.as_deref())
    }

    /// The competition in this folder, with these settings.
    fn following(
        config: Config,
        options: Options,
        ui: &'a Ui,
        (store, git): (Store, Option<Git>),
        report: &mut Report,
    ) -> Result<Self> {
        if options.commit && git.is_none() {
            let no_git = Error::usage(format!("{}: no git checkout to --commit in", store.root().display()));
            return Err(no_git.hint("--repo names the top folder of a checkout"));
        }
        if let Some(git) = git.as_ref().filter(|_| options.commit) {
            git.is_the_users()?;
        }
        let context = Context {
            options,
            ui,
            store,
            git,
            config,
            has_settings: true,
            unread: None,
            stop: Stop::of_process(),
            format: OnceLock::new(),
            listed: Mutex::default(),
        };
        if ui.json() {
            report.basis.commit = context.head().unwrap_or_else(|error| {
                ui.warn_once(&error.to_string());
                None
            });
        }
        Ok(context)
    }

    /// The commit that is checked out.
    pub(super) fn head(&self) -> Result<Option<String>> {
        let head = self.git.as_ref().map(Git::head).transpose()?.flatten();
        Ok(head.map(|id| id.to_string()))
    }

    /// Is `state.json` other than in the last commit? Where there is none, or it cannot be read, nothing has moved.
    pub(crate) fn moved_since_commit(&self) -> bool {
        let moved = || {
            let Some((git, head)) = self.git.as_ref().zip(self.head()?) else { return Ok(false) };
            let committed = git.tree(&head)?.blob_id(&FileKind::State.path())?;
            let here = self.store.read_file(&FileKind::State)?.map(|bytes| git.blob_id(&bytes)).transpose()?;
            Ok::<bool, Error>(committed.is_some() && committed != here)
        };
        moved().unwrap_or(false)
    }

    /// The operator's own folder for this competition, never tracked by git. A symbolic link in its place is refused:
    /// it may have come with the competition.
    pub(crate) fn own_folder(&self) -> Result<PathBuf> {
        own_folder(self.git.as_ref(), &self.store)
    }

    /// Decides the competition's format. The folder is listed for it; [`Context::tree`] hands that listing on.
    pub(crate) fn detected(&self) -> Result<Detected> {
        let tree = ListedSource::of(&self.store)?;
        let detected = tree.detected();
        let _ = self.format.set(detected.format);
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(tree.into_paths());
        Ok(detected)
    }

    /// The folder as it was just listed, else as it is now.
    pub(crate) fn tree(&self) -> Result<ListedSource<'_>> {
        match self.listed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(paths) => Ok(ListedSource::with(&self.store, paths)),
            None => ListedSource::of(&self.store),
        }
    }

    /// The folder has changed: it has to be listed again.
    pub(super) fn forget_listing(&self) {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Fails for competitions that gen404 only reads: a command would write files of another format.
    pub(crate) fn runs_this_format(&self) -> Result<()> {
        let detected = self.detected()?;
        if detected.format.is_run() {
            return Ok(());
        }
        let root = self.store.root().display();
        let other = Error::failed(format!("{root}: gen404 does not run such competitions: this one is {detected}"));
        Err(other.hint("`gen404 verify`, `status`, `leader` and `report` read it"))
    }

    /// Takes the lock and finishes a commit that a killed run had begun.
    pub(crate) fn lock(&self, command: &str, report: &mut Report) -> Result<Lock> {
        let contended = if self.options.wait_lock { Contended::Wait } else { Contended::Fail };
        let mut told = false;
        let lock = Lock::take(&self.own_folder()?, command, contended, |holder| {
            if !std::mem::replace(&mut told, true) {
                self.ui.status(&format!("waiting for {holder}"));
            }
            self.stop.sleep(LOOK_EVERY);
            self.stop.check()
        })?;
        // Under the lock, so that no other run changes what is listed here before it is read.
        self.runs_this_format()?;
        if self.options.commit {
            self.has_a_beginning(command)?;
            self.make_ready()?;
        }
        if self.options.commit && !self.options.dry_run {
            self.finish_commit(report)?;
            self.meet(report)?;
        }
        Ok(lock)
    }

    /// Fails unless there is a first commit: what `init` wrote must not slip into a later command's commit.
    fn has_a_beginning(&self, command: &str) -> Result<()> {
        let Some(git) = self.git.as_ref().filter(|_| command != "init") else { return Ok(()) };
        if git.head()?.is_some() {
            return Ok(());
        }
        let none = Error::failed(format!("{}: nothing is committed here yet", self.store.root().display()));
        Err(none
            .hint("git add config.json leader.json prompts.txt state.json rounds && git commit -m \"The beginning\""))
    }

    /// Checks what a commit needs before work that may take hours. A dry run changes nothing.
    fn make_ready(&self) -> Result<()> {
        let Some(git) = &self.git else { return Ok(()) };
        if self.options.dry_run { git.could_commit() } else { git.make_ready() }?;
        match git.hooks()?.join(", ") {
            hooks if hooks.is_empty() => {}
            hooks => self.ui.detail(&format!("git's commit hooks are not run: {hooks}")),
        }
        Ok(())
    }

    /// Reads the settings, the state, and the current round's files.
    pub(crate) fn standing(&self) -> Result<Standing> {
        self.standing_in(None)
    }

    /// As [`Context::standing`], as if this were the current round.
    pub(crate) fn standing_in(&self, round: Option<RoundNumber>) -> Result<Standing> {
        let config = self.store.need::<ConfigFile>(&FileKind::Config)?;
        let mut state = self.store.need::<CompetitionState>(&FileKind::State)?;
        state.current_round = round.unwrap_or(state.current_round);
        let round = state.current_round;
        let format = self.format.get().copied().unwrap_or_default();
        // Nothing rests on the judge's answers, which are most of a round's bytes.
        let wanted = |file: &FileKind| {
            file.round() == Some(round) && !matches!(file, FileKind::Player(_, _, PlayerFile::Answers(_)))
        };
        let mut snapshot = Snapshot::load_some(format, &self.tree()?, wanted)?;
        let files = snapshot.rounds.remove(&round).unwrap_or_else(|| RoundFiles::of(snapshot.format));
        Ok(Standing { config, state, files })
    }

    /// The object store that flags, environment or settings name, if any.
    pub(crate) fn object_store(&self, args: &StoreArgs) -> Result<Option<Box<dyn ObjectStore>>> {
        let settings = store_settings(&self.config.store, args, &env);
        StoreSettings { dry_run: self.options.dry_run, ..settings }.open(env)
    }
}

/// The operator's settings for the competition in this folder.
fn settings(options: &Options, ui: &Ui, root: &Path, git: Option<&Git>, report: &mut Report) -> Result<Config> {
    let source = SettingsSource::of(options.config.as_deref(), root, git);
    if let SettingsSource::Defaults(Some(why)) = &source {
        ui.warn_once(why);
    }
    load(&source, &options.meter, report)
}

fn load(source: &SettingsSource, meter: &Meter, report: &mut Report) -> Result<Config> {
    let config = Config::load(source)?.metered(meter);
    report.basis.settings = source.path().map(|path| path.display().to_string());
    Ok(config)
}

/// The format of the competition here; that of meshes where there is none.
///
/// # Errors
/// The competition's folder cannot be listed.
pub(crate) fn format_here(options: impl Into<Options>) -> Result<Format> {
    let Ok(root) = options.into().root() else { return Ok(Format::default()) };
    Ok(ListedSource::of(&Store::open(&root)?)?.detected().format)
}

/// The operator's settings, for commands that do not need a competition.
pub(crate) fn settings_here(options: impl Into<Options>, ui: &Ui, report: &mut Report) -> Result<Config> {
    let options = options.into();
    load(&source_here(options.clone(), ui)?, &options.meter, report)
}

/// Which settings [`settings_here`] follows.
pub(crate) fn source_here(options: impl Into<Options>, ui: &Ui) -> Result<SettingsSource> {
    let options = options.into();
    let root = match options.named() {
        // Not made yet: what lies in the folder of this process is not its own.
        Some(dir) => Some(dir.canonicalize().unwrap_or_else(|_| dir.to_owned())),
        None => find_root().ok().and_then(|root| root.canonicalize().ok()),
    };
    // Without a folder, only --config can name settings.
    let git = root.as_deref().filter(|root| root.exists()).map(Git::open).transpose()?.flatten();
    let source = SettingsSource::of(options.config.as_deref(), root.as_deref().unwrap_or(Path::new("")), git.as_ref());
    if let SettingsSource::Defaults(Some(why)) = &source {
        ui.warn_once(why);
    }
    Ok(source)
}

/// As [`Context::own_folder`].
pub(super) fn own_folder(git: Option<&Git>, store: &Store) -> Result<PathBuf> {
    let folder = match git {
        Some(git) => git.own_folder(),
        None => store.root().join(".gen404"),
    };
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else { return Ok(folder) };
    files::below(parent, Path::new(name))
}

/// The nearest enclosing folder that holds a competition, or else the nearest checkout.
pub(super) fn find_root() -> Result<PathBuf> {
    let here = std::env::current_dir().failed(|| "the current folder cannot be read".to_owned())?;
    let checkout = || here.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned);
    enclosing(&here).or_else(checkout).ok_or_else(|| {
        let nothing = Error::failed(format!("{}: no competition here or above", here.display()));
        nothing.hint("name its folder with --repo DIR, or make one with `gen404 init DIR`")
    })
}
