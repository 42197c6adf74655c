//! A run of the program under limits, in a world that it must leave as it was.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support::{example, installed, skipped, whole};

/// Seconds that a run may take on a machine of its own.
pub const SECONDS: f64 = 10.0;
/// As [`SECONDS`], for runs that walk git's objects.
pub const GIT_SECONDS: f64 = 15.0;
/// Address space of a run: 700 MiB.
const MEMORY: u64 = 734_003_200;
/// A key that no server and no terminal may see.
pub const SECRET: &str = "sk-hunter2-which-nobody-may-see";
/// The variables that hold the reader's keys.
pub const KEYS: [&str; 9] = [
    "OPENAI_API_KEY",
    "R2_ACCESS_KEY_ID",
    "R2_SECRET_ACCESS_KEY",
    "GITHUB_TOKEN",
    "TARGON_API_KEY",
    "RUNPOD_API_KEY",
    "VERDA_CLIENT_ID",
    "VERDA_CLIENT_SECRET",
    "HF_TOKEN",
];

/// A reader's home, a competition that somebody else made (`repo`), and files that are nobody's business.
pub struct World {
    top: tempfile::TempDir,
    before: BTreeMap<PathBuf, Vec<u8>>,
}

impl World {
    /// With an empty folder for the competition.
    pub fn bare() -> World {
        let top = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("home/.ssh/authorized_keys", "ssh-ed25519 AAAA reader\n"),
            ("home/.bashrc", "# the reader's\n"),
            ("home/.config/gh/hosts.yml", "oauth_token: hunter2\n"),
            ("outside/notes.txt", "the reader's notes\n"),
            ("outside/index.html", "the reader's page\n"),
        ] {
            let file = top.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        std::fs::create_dir(top.path().join("repo")).unwrap();
        let before = outside(top.path());
        World { top, before }
    }

    /// With the example competition; with `history`, as a checkout.
    pub fn example(history: bool) -> World {
        let world = World::bare();
        world.take(example(history));
        world
    }

    /// Puts a competition in place.
    pub fn take(&self, made: tempfile::TempDir) {
        std::fs::remove_dir(self.repo()).unwrap();
        std::fs::rename(made.keep(), self.repo()).unwrap();
    }

    pub fn top(&self) -> &Path {
        self.top.path()
    }

    /// The hostile competition.
    pub fn repo(&self) -> PathBuf {
        self.top().join("repo")
    }

    pub fn home(&self) -> PathBuf {
        self.top().join("home")
    }

    /// A file of the competition with this text, its folders made.
    pub fn put(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.repo().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Settings of the operator's own: what to give to `--config`.
    pub fn settings(&self, text: &str) -> String {
        let file = self.top().join("operator.toml");
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Makes a link in the competition.
    pub fn link(&self, path: &str, target: impl AsRef<Path>) {
        let file = self.repo().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        if file.is_dir() && !file.is_symlink() {
            std::fs::remove_dir_all(&file).unwrap();
        } else {
            let _ = std::fs::remove_file(&file);
        }
        std::os::unix::fs::symlink(target, file).unwrap();
    }

    /// Makes a FIFO in place of a file of the competition.
    pub fn fifo(&self, path: &str) {
        let file = self.repo().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let _ = std::fs::remove_file(&file);
        let made = Command::new("mkfifo").arg(&file).status().unwrap();
        assert!(made.success(), "mkfifo {}", file.display());
    }

    /// A run in the competition's folder, ready to go.
    pub fn attack(&self, what: &str, args: &[&str]) -> Attack {
        let mut command = limited();
        command.args(args).current_dir(self.repo()).env_clear().env("HOME", self.home());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TZ", "UTC").env("NO_COLOR", "1");
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        let shown = format!("gen404 {}", args.join(" ")).replace(self.top().to_str().unwrap(), "..");
        Attack { what: what.to_owned(), shown, command, seconds: SECONDS, top: self.top().to_owned() }
    }

    /// Runs the program in the competition's folder, and looks that it stayed within all bounds and left
    /// everything outside as it was.
    #[track_caller]
    pub fn run(&self, what: &str, args: &[&str]) -> Outcome {
        let outcome = self.attack(what, args).run();
        self.unharmed(what);
        outcome
    }

    /// Nothing outside the competition and its report was changed.
    #[track_caller]
    pub fn unharmed(&self, what: &str) {
        let now = outside(self.top());
        let changed: Vec<_> = self.before.iter().filter(|(path, bytes)| now.get(*path) != Some(bytes)).collect();
        check(changed.is_empty(), || format!("{what}: changed outside: {changed:?}"));
        let made: Vec<_> = now.keys().filter(|path| !self.before.contains_key(*path)).collect();
        check(made.is_empty(), || format!("{what}: made outside: {made:?}"));
    }
}

/// Fails the test if this does not hold; where a table is made, the failure goes beside it and the next run comes.
#[track_caller]
pub fn check(sound: bool, why: impl FnOnce() -> String) {
    if sound {
        return;
    }
    let Some(mut failures) = std::env::var_os("GEN404_HOSTILE_TABLE") else { panic!("{}", why()) };
    failures.push(".failures");
    let mut file = File::options().append(true).create(true).open(failures).unwrap();
    file.write_all(format!("{}\n\n", why()).as_bytes()).unwrap();
}

/// What lies outside the competition, its report and the test's own files. No link is followed.
fn outside(top: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(top: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let below = path.strip_prefix(top).unwrap().to_owned();
            let ours = ["repo", "repo-report", "operator.toml", "models", "said", "objects", "out", "spare"];
            if ours.iter().any(|name| below == Path::new(name)) {
                continue;
            }
            if path.is_symlink() {
                found.insert(below, b"a link".to_vec());
            } else if path.is_dir() {
                found.insert(below, b"a folder".to_vec());
                walk(top, &path, found);
            } else {
                found.insert(below, std::fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(top, top, &mut found);
    found
}

/// The program to try: `GEN404_BIN`, or the one built with this test.
pub fn program() -> OsString {
    std::env::var_os("GEN404_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_gen404").into())
}

/// Does the program run as fast as it will be used?
fn optimised() -> bool {
    !cfg!(debug_assertions) || std::env::var_os("GEN404_BIN").is_some()
}

/// Is the program too slow for this test? Then it is skipped, and says so.
pub fn too_slow(what: &str) -> bool {
    if !optimised() {
        skipped(&format!(
            "{what}: minutes in a build for development; `.ci/run full` and scripts/hostile try an optimised one"
        ));
    }
    !optimised()
}

/// Does this test take too long for everybody's `cargo test`? Then it is skipped, and says so.
pub fn long(what: &str) -> bool {
    if !whole() {
        skipped(&format!("{what}: GEN404_WHOLE=1 tries it, as `.ci/run full` does"));
    }
    !whole()
}

fn number(name: &str) -> Option<f64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The program under the memory limit, where `prlimit` can set one.
fn limited() -> Command {
    static PRLIMIT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let prlimit = PRLIMIT.get_or_init(|| {
        let found = installed("prlimit");
        if found.is_none() {
            skipped("no prlimit on this machine: hostile inputs run WITHOUT A MEMORY LIMIT");
        }
        found
    });
    let Some(prlimit) = prlimit else { return Command::new(program()) };
    let mut command = Command::new(prlimit);
    let most = number("GEN404_HOSTILE_MIB").map_or_else(|| MEMORY.to_string(), |mib| format!("{:.0}", mib * 1048576.0));
    command.arg(format!("--as={most}")).arg("--core=0").arg("--").arg(program());
    command
}

/// A run that is about to begin.
pub struct Attack {
    what: String,
    shown: String,
    command: Command,
    seconds: f64,
    top: PathBuf,
}

impl Attack {
    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With the reader's keys in its environment.
    pub fn with_keys(mut self) -> Self {
        for name in KEYS {
            self.command.env(name, SECRET);
        }
        self
    }

    /// How long it may take.
    pub fn within(mut self, seconds: f64) -> Self {
        self.seconds = seconds;
        self
    }

    /// Starts it; its output goes to files.
    pub fn start(mut self) -> Running {
        let said = self.top.join("said");
        std::fs::create_dir_all(&said).unwrap();
        let streams = [said.join("out"), said.join("err")];
        let [out, err] = streams.each_ref().map(|path| File::create(path).unwrap());
        self.command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = self.command.spawn().unwrap();
        Running {
            top: self.top.to_str().unwrap().to_owned(),
            what: self.what,
            shown: self.shown,
            child,
            begun: Instant::now(),
            most: self.seconds,
            streams,
        }
    }

    /// Runs it to its end; beyond a bound, or ended by a signal, the test fails.
    #[track_caller]
    pub fn run(self) -> Outcome {
        let outcome = self.start().finish();
        outcome.stayed_within_bounds();
        outcome
    }
}

/// A run under way.
pub struct Running {
    top: String,
    what: String,
    shown: String,
    child: Child,
    begun: Instant,
    most: f64,
    streams: [PathBuf; 2],
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, "--", &self.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end, which comes by force where it takes too long.
    pub fn finish(mut self) -> Outcome {
        // Other tests may have most of the machine: its own time on the processors is what counts.
        let patience = number("GEN404_HOSTILE_SECONDS").unwrap_or(6.0 * self.most);
        let (mut cpu, mut peak_kib, mut stopped) = (0.0, 0, false);
        let status = loop {
            cpu = cpu_seconds(self.id()).unwrap_or(cpu);
            peak_kib = peak(self.id()).unwrap_or(0).max(peak_kib);
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.begun.elapsed().as_secs_f64() > patience || cpu > 2.0 * self.most {
                stopped = true;
                let group = format!("-{}", self.id());
                let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
                break self.child.wait().unwrap();
            }
            std::thread::sleep(Duration::from_millis(4));
        };
        let seconds = self.begun.elapsed().as_secs_f64();
        let [out, err] = self.streams.each_ref().map(|path| {
            let bytes = std::fs::read(path).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let outcome = Outcome {
            top: self.top,
            what: self.what,
            shown: self.shown,
            status,
            out,
            err,
            seconds,
            cpu,
            peak_kib,
            stopped,
            most: self.most,
        };
        outcome.note();
        outcome
    }
}

/// Processor time of a process so far, all threads together. A process that has ended still has it, until
/// it is waited for.
fn cpu_seconds(id: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks: f64 = [fields.get(11)?, fields.get(12)?].iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Some(ticks / 100.0)
}

/// The most memory that a process has had so far, in KiB.
fn peak(id: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    top: String,
    pub what: String,
    shown: String,
    status: ExitStatus,
    pub out: String,
    pub err: String,
    pub seconds: f64,
    pub cpu: f64,
    peak_kib: u64,
    stopped: bool,
    most: f64,
}

impl Outcome {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// All that was printed.
    pub fn said(&self) -> String {
        format!("{}{}", self.err, self.out)
    }

    fn end(&self) -> String {
        match (self.stopped, self.status.code(), self.status.signal()) {
            (true, ..) => "killed: over time".to_owned(),
            (_, Some(code), _) => format!("exit {code}"),
            (_, _, signal) => format!("signal {}", signal.unwrap_or_default()),
        }
    }

    /// A line in the table, where one is asked for.
    fn note(&self) {
        let Some(table) = std::env::var_os("GEN404_HOSTILE_TABLE") else { return };
        let mut file = File::options().append(true).create(true).open(table).unwrap();
        let said = self.said().replace(&self.top, "..");
        let first = said.lines().next().unwrap_or_default().chars().take(160).collect::<String>();
        let (mib, first) = (self.peak_kib.div_ceil(1024), first.escape_debug().to_string());
        let line = format!("{}\t{}\t{:.2}\t{mib}\t{}\t{first}\n", self.what, self.shown, self.seconds, self.end());
        file.write_all(line.as_bytes()).unwrap();
    }

    #[track_caller]
    fn holds(&self, sound: bool, why: impl FnOnce() -> String) {
        if sound {
            return;
        }
        let why = format!(
            "{}: {}
{}",
            self.what,
            why(),
            self.short()
        );
        let Some(mut failures) = std::env::var_os("GEN404_HOSTILE_TABLE") else { panic!("{why}") };
        failures.push(".failures");
        let mut file = File::options().append(true).create(true).open(failures).unwrap();
        file.write_all(
            format!(
                "{why}

"
            )
            .as_bytes(),
        )
        .unwrap();
    }

    /// In time, not by a signal, without a panic, and with nothing in its text that a terminal obeys.
    #[track_caller]
    pub fn stayed_within_bounds(&self) {
        let (cpu, most) = (self.cpu, 2.0 * self.most);
        self.holds(!self.stopped, || format!("not over after {:.1} s ({cpu:.1} s of CPU)", self.seconds));
        self.holds(self.stopped || self.code().is_some(), || format!("{} after {:.1} s", self.end(), self.seconds));
        self.holds(!self.said().contains("panicked at"), || "a panic".to_owned());
        self.holds(self.code().is_none_or(|code| code <= 4), || self.end());
        self.holds(cpu <= most, || format!("{cpu:.1} s of CPU, where two cores have {most:.0}"));
        for (stream, text) in [("stdout", &self.out), ("stderr", &self.err)] {
            let odd = text.chars().find(|c| obeyed(*c));
            self.holds(odd.is_none(), || format!("{odd:?} on {stream}"));
            self.holds(text.len() < 4 << 20, || format!("{} bytes on {stream}", text.len()));
        }
    }

    /// Ended with one of these codes.
    #[track_caller]
    pub fn ends(self, codes: &[i32]) -> Self {
        self.holds(self.code().is_some_and(|code| codes.contains(&code)), || format!("{}, not {codes:?}", self.end()));
        self
    }

    /// Each of these stands in what it printed.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        let missing = texts.iter().find(|text| !self.said().contains(**text));
        self.holds(missing.is_none(), || format!("does not say {missing:?}"));
        self
    }

    /// One of these stands in what it printed.
    #[track_caller]
    pub fn says_one_of(self, texts: &[&str]) -> Self {
        let said = self.said();
        self.holds(texts.iter().any(|text| said.contains(text)), || format!("says none of {texts:?}"));
        self
    }

    /// Something else that has to hold of it.
    #[track_caller]
    pub fn is(self, sound: bool, why: &str) -> Self {
        self.holds(sound, || why.to_owned());
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{}: {e}\n{}", self.what, self.short()))
    }

    fn short(&self) -> String {
        let cut =
            |text: &str| text.chars().take(3000).collect::<String>().escape_debug().to_string().replace("\\n", "\n");
        format!("$ {}\nstdout:\n{}\nstderr:\n{}", self.shown, cut(&self.out), cut(&self.err))
    }
}

/// Would a terminal, or who reads in one, be led by this character?
pub fn obeyed(c: char) -> bool {
    let bidi = ['\u{61c}', '\u{200e}', '\u{200f}'].contains(&c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c);
    bidi || (c.is_control() && c != '\n' && c != '\t')
}
