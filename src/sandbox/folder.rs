//! The sandbox's folder: its contents besides the competition, and how it is created and resumed.
//!
//! Git ignores `gen404.toml`, `sandbox/` and `objects/`, so the competition looks like any other. The report goes
//! beside the folder.

use std::path::{Path, PathBuf};

use super::child_guard;
use super::participants::{Miner, NAME, Params, Participants, Role};
use super::threejs;
use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::model::format::Format;
use crate::model::ids::{Block, RoundNumber};
use crate::report::usual_folder;
use crate::world::git::Git;

/// The block at which the competition is created.
pub(crate) const FIRST_BLOCK: Block = Block(1000);

/// The unix time of that block, in seconds: two hours before the first round's seed is drawn.
const FIRST_TIME: u64 = 1_767_592_800;

/// The date and time of day of `FIRST_TIME`.
const FIRST_DAY: &str = "2026-01-05";
const FIRST_HOUR: &str = "06:00:00";

/// Seconds from one block to the next.
const BLOCK_SECONDS: u64 = 12;

/// With fewer prompts, the default tolerance for mismatches would let every cheat pass.
const ENOUGH_PROMPTS: usize = 8;

/// The folder of the sandbox's own files.
const OWN: &str = "sandbox";

/// The default port: below those that systems give to outgoing connections, so it is rarely taken.
pub(crate) const PORT: u16 = 24_404;

/// Paths that git ignores because they are not part of the competition.
const IGNORED: [&str; 3] = ["/gen404.toml", "/sandbox/", "/objects/"];

/// The folder and what it was made from.
#[derive(Debug, Clone)]
pub(crate) struct SandboxFolder {
    /// The competition's folder.
    pub(crate) root: PathBuf,
}

impl SandboxFolder {
    /// Opens the folder, creating it if missing.
    ///
    /// # Errors
    /// It holds something else, or cannot be created.
    pub(crate) fn open(root: &Path) -> Result<SandboxFolder> {
        SandboxFolder::is_no_file(root)?;
        files::make_folder(root)?;
        SandboxFolder::look(root)
    }

    /// Opens the folder without creating it.
    ///
    /// # Errors
    /// It holds something else.
    pub(crate) fn look(root: &Path) -> Result<SandboxFolder> {
        SandboxFolder::is_no_file(root)?;
        let cannot = || format!("{}: cannot be the sandbox", root.display());
        let there = if root.exists() { root.canonicalize() } else { std::path::absolute(root) };
        let folder = SandboxFolder { root: there.failed(cannot)? };
        let empty = files::list(&folder.root)?.is_empty();
        if !empty && !folder.own("params.json").exists() && !folder.only_begun() {
            let taken = Error::failed(format!("{}: neither empty nor a sandbox", root.display()));
            return Err(taken.hint("name another folder"));
        }
        Ok(folder)
    }

    fn is_no_file(root: &Path) -> Result<()> {
        if !root.exists() || root.is_dir() {
            return Ok(());
        }
        let file = Error::file(root, "a file: a sandbox needs a folder of its own");
        Err(file.hint("name a new or empty folder; `gen404 render FILE` draws a model"))
    }

    /// Was it interrupted right after its creation?
    fn only_begun(&self) -> bool {
        let entries = files::list(&self.root).into_iter().flatten();
        entries.map(|entry| entry.file_name()).all(|name| name == "sandbox")
    }

    /// The pictures of the prompts of the sandbox in this folder, if it is one, and the prefix of their URLs.
    pub(crate) fn prompts_of(root: &Path) -> Option<(PathBuf, String)> {
        let folder = SandboxFolder { root: root.to_owned() };
        let params = folder.params().ok()??;
        Some((folder.own("prompts"), format!("{}/prompts", params.base())))
    }

    /// A file of the sandbox's own.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        self.root.join(OWN).join(name)
    }

    /// Where objects are stored.
    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// The folders that a play writes to.
    ///
    /// # Errors
    /// The sandbox's folder has no name.
    pub(crate) fn writes(&self) -> Result<[String; 2]> {
        Ok([format!("{}/", self.root.display()), format!("{}/", self.report()?.display())])
    }

    /// The report's folder, the same as the default of `gen404 report`.
    ///
    /// # Errors
    /// The sandbox's folder has no name.
    pub(crate) fn report(&self) -> Result<PathBuf> {
        usual_folder(&self.root)
    }

    /// The parameters that the sandbox was made with; `None` for a new one.
    ///
    /// # Errors
    /// `params.json` cannot be read.
    pub(crate) fn params(&self) -> Result<Option<Params>> {
        let path = self.own("params.json");
        let Some(bytes) = files::read_below(&self.root, &Path::new(OWN).join("params.json"), files::SMALL)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Error::file(&path, "not a sandbox's parameters").because(e))
    }

    /// Writes a file below the sandbox's folder, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, relative: &Path, bytes: &[u8]) -> Result<()> {
        files::write_below(&self.root, relative, bytes, files::Readers::All)
    }

    /// Creates the competition with `gen404 init` unless it exists; an interrupted `init` is started over.
    ///
    /// # Errors
    /// A file cannot be written, or `init` fails.
    pub(crate) fn begin(&self, participants: &Participants) -> Result<()> {
        let params = format!("{:#}\n", serde_json::json!(participants.params));
        self.write(&Path::new(OWN).join("params.json"), params.as_bytes())?;
        let git = Git::open(&self.root)?;
        let begun = git.as_ref().map(Git::head).transpose()?.flatten().is_some();
        if !begun {
            self.clear()?;
            let mut text = settings(participants);
            if participants.params.format == Format::Threejs {
                text = threejs::settings::of_modules(&text, participants);
            }
            self.write(Path::new("gen404.toml"), text.as_bytes())?;
            self.write(&Path::new(OWN).join("pool.txt"), pool(participants).as_bytes())?;
            self.init(participants)?;
        }
        self.write(&Path::new(OWN).join("builds.json"), builds(participants).as_bytes())?;
        self.introduce()?;
        let git = Git::open(&self.root)?.ok_or_else(|| Error::file(&self.root, "no git repository after init"))?;
        git.exclude(&IGNORED)
    }

    /// Removes what an interrupted `init` left. Nothing of it was committed.
    fn clear(&self) -> Result<()> {
        for name in ["config.json", "state.json", "leader.json", "prompts.txt", "rounds", ".git"] {
            let path = self.root.join(name);
            let removed = if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            match removed {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::file(&path, "cannot remove").because(e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn init(&self, participants: &Participants) -> Result<()> {
        let Params { rounds, prompts, .. } = &participants.params;
        let leader = participants.program(None, RoundNumber(0))?;
        let first: chrono::NaiveDate = FIRST_DAY.parse().failed(|| format!("the day {FIRST_DAY}"))?;
        let last = first + chrono::Days::new(u64::from(rounds.saturating_sub(1)));
        let carryover = prompts / 4;
        let mut command = self.command(FIRST_BLOCK)?;
        command.args(["--commit", "init"]).arg(&self.root).arg("--pool").arg(self.own("pool.txt"));
        command.args(["--name", NAME, "--description", "A competition on one machine"]);
        command.args(["--first-day", FIRST_DAY, "--last-day", &last.to_string()]);
        command.args(["--prompts", &prompts.to_string(), "--carryover", &carryover.to_string()]);
        command.args(["--leader-hotkey", participants.leader.as_str(), "--leader-repo", leader.repo.as_str()]);
        command.args(["--leader-commit", leader.commit.as_str(), "--leader-docker", &participants.leader_image()?]);
        command.args(rules(&participants.params));
        if participants.params.format == Format::Threejs {
            command.args([
                "--format",
                "threejs",
                "--win-margin",
                "0.07",
                "--round-days",
                "1",
                "--generation-minutes",
                "120",
            ]);
        }
        command.args(["--leader-weight", "0.4", "--earliest-reveal-block", &FIRST_BLOCK.to_string()]);
        command.args(["--block", &FIRST_BLOCK.to_string(), "--now", &format!("{FIRST_DAY}T{FIRST_HOUR}Z")]);
        child_guard::run(command, "init").map(drop)
    }

    /// This program, to run here at a block. Its commits carry the block's time, so that the same seed gives the same
    /// commits.
    ///
    /// # Errors
    /// The path of this program cannot be found.
    pub(crate) fn command(&self, block: Block) -> Result<std::process::Command> {
        let mut command = child_guard::command()?;
        let date = format!("{} +0000", time_of(block));
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "gen404 sandbox");
            command.env(format!("GIT_{who}_EMAIL"), "sandbox@localhost").env(format!("GIT_{who}_DATE"), &date);
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1").current_dir(&self.root);
        command.args(["--wait-lock", "--no-progress", "--repo"]).arg(&self.root);
        Ok(command)
    }

    /// Commits a file as a person does by hand, at the time of a block.
    ///
    /// # Errors
    /// There is no git program, or it fails.
    pub(crate) fn commit(&self, block: Block, path: &str, message: &str) -> Result<()> {
        let date = format!("{} +0000", time_of(block));
        let git = |args: &[&str]| {
            let mut command = std::process::Command::new("git");
            command.arg("-C").arg(&self.root).args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]);
            for who in ["AUTHOR", "COMMITTER"] {
                command.env(format!("GIT_{who}_NAME"), "gen404 sandbox");
                command.env(format!("GIT_{who}_EMAIL"), "sandbox@localhost").env(format!("GIT_{who}_DATE"), &date);
            }
            command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
            let ran = command.args(args).output().failed(|| "git cannot be run".to_owned())?;
            if ran.status.success() {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            Err(Error::failed(format!("git {} failed", args.join(" "))).because(anyhow::anyhow!(said)))
        };
        git(&["add", "--", path])?;
        git(&["commit", "--quiet", "-m", message, "--", path])
    }

    /// Configures an author in git, for commands run here by hand.
    fn introduce(&self) -> Result<()> {
        let path = Path::new(".git/config");
        let text = self.text(path)?;
        if text.contains("[user]") {
            return Ok(());
        }
        let user = "[user]\n\tname = gen404 sandbox\n\temail = sandbox@localhost\n";
        self.write(path, format!("{}\n{user}", text.trim_end()).as_bytes())
    }

    /// One of git's text files; empty if there is none.
    fn text(&self, relative: &Path) -> Result<String> {
        let bytes = files::read_below(&self.root, relative, files::SMALL)?.unwrap_or_default();
        String::from_utf8(bytes).failed(|| format!("{}: not UTF-8", relative.display()))
    }
}

/// The unix time of a block, in seconds.
pub(crate) fn time_of(block: Block) -> u64 {
    genesis_time() + block.0 * BLOCK_SECONDS
}

/// The unix time of block 0, in seconds.
pub(crate) fn genesis_time() -> u64 {
    FIRST_TIME - FIRST_BLOCK.0 * BLOCK_SECONDS
}

/// The pool of prompts.
fn pool(participants: &Participants) -> String {
    let base = participants.base();
    let urls: Vec<String> = participants.stems.iter().map(|stem| format!("{base}/prompts/{stem}.png")).collect();
    urls.join("\n")
}

/// The build results of the miners' programs, in all rounds.
fn builds(participants: &Participants) -> String {
    // The broken miner's image cannot even be built.
    let status = |miner: &Miner| if miner.role == Role::Broken { "failure" } else { "success" };
    let entry = |miner: &Miner| (miner.hotkey.to_string(), serde_json::json!({"status": status(miner)}));
    let all: serde_json::Map<String, serde_json::Value> = participants.miners.iter().map(entry).collect();
    format!("{:#}\n", serde_json::Value::Object(all))
}

/// The flags of `init` for this competition's non-default rules. They go into config.json, because anyone who verifies
/// a clone needs them.
fn rules(params: &Params) -> Vec<String> {
    // All miners' servers are on this machine.
    let mut rules = vec!["--rule".to_owned(), "allow_private_cdn=true".to_owned()];
    // Only audits of meshes compare outputs.
    if params.format == Format::Mesh && params.prompts < ENOUGH_PROMPTS {
        rules.extend(["--rule".to_owned(), format!("mismatches={}", params.prompts.saturating_sub(1) / 2)]);
    }
    rules
}

/// `gen404.toml`: the drivers of production, pointed at this machine.
fn settings(participants: &Participants) -> String {
    let base = participants.base();
    format!(
        r#"# A sandbox: the drivers of production, with everything on this machine. The servers run while
# `gen404 sandbox` does; --keep-serving keeps them, --by-hand does nothing else.

[chain]
network = "{base}/chain"
# What is written depends on the chain alone.
clock = "block"
timeout_seconds = 30

[open]
# No workflow here builds images on a push of what is recorded before the window's end.
early = true

[seed]
source = "block"

[miners]
# Their servers are on this machine, too.
allow_private_cdn = true

[builds]
driver = "file"
file = "sandbox/builds.json"
image = "{NAME}.invalid/{{hotkey10}}:{{tag}}"

[download]
# A file of the sandbox is a few KiB.
file_mib = 1
attempts = 2
pause_seconds = 1.0
connect_seconds = 10.0
idle_seconds = 10.0
file_seconds = 30.0

[store]
dir = "objects"
cdn_url = "{base}/objects"

[judge]
base_url = "{base}/v1"
model = "pixels"
concurrency = 8

[pods]
provider = "endpoint"
# As the programs say, so that a run can be repeated.
reported_times = true

[pods.endpoint]
url = "{base}/pods/{{player}}/{{tag}}"

[audit]
# One miner after the other, each on its one program: commits come in the same order each time.
miners = 1
pods = 1
first_pods = 1
order_seconds = 0.0
poll_seconds = 0.1
save_every = 1000

[distance]
# No model looks at the pictures here: they are compared pixel by pixel.
driver = "pixels"
"#
    )
}
