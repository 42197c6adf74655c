//! Commands started by the sandbox watch a pipe and end when the sandbox does. Without its servers, a command would
//! record every file as failed.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::base::error::{Context as _, Error, Result};
use crate::base::text::in_shell;

/// Tells a command that its standard input is the pipe to watch.
const WATCHES: &str = "GEN404_TIED_TO_STDIN";

/// The environment variables passed on to commands: none that chooses drivers or holds keys.
const KEPT: [&str; 9] = ["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot", "NO_COLOR", "TERM", "RUST_BACKTRACE"];

/// This program, to be run as a command that ends with this process.
pub(crate) fn command() -> Result<Command> {
    // Without `/proc`, as in a bare chroot, only the command line tells.
    let started = || std::env::args_os().next().map(PathBuf::from).filter(|path| path.components().count() > 1);
    let program = std::env::current_exe().or_else(|error| {
        let path = started().ok_or(error)?;
        path.canonicalize()
    });
    let program = program.failed(|| "cannot find the path of this program".to_owned())?;
    let mut command = Command::new(program);
    command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // The kernel closes this pipe when this process ends, even by SIGKILL.
    command.env(WATCHES, "1").stdin(Stdio::piped());
    Ok(command)
}

/// How to call this program in a shell: by its name if that finds it, else by its path.
pub(crate) fn called() -> String {
    const NAME: &str = "gen404";
    let Ok(program) = std::env::current_exe().and_then(|path| path.canonicalize()) else { return NAME.to_owned() };
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut named = std::env::split_paths(&paths).map(|folder| folder.join(NAME));
    // The first of that name is the one that a shell runs.
    match named.find_map(|path| path.canonicalize().ok()) {
        Some(found) if found == program => NAME.to_owned(),
        _ => in_shell(&program.display().to_string()),
    }
}

/// If a sandbox started this process, ends it as soon as the sandbox is gone.
pub(crate) fn end_with_sandbox() {
    if std::env::var_os(WATCHES).is_none() {
        return;
    }
    std::thread::spawn(|| {
        let mut byte = [0];
        // Nothing is ever written, so any result means that the sandbox is gone.
        let _ = std::io::stdin().read(&mut byte);
        std::process::exit(1);
    });
}

/// Runs a command to its end. Returns its stdout.
///
/// # Errors
/// It fails; its stderr is among the causes.
pub(crate) fn run(command: Command, what: &str) -> Result<String> {
    let CapturedOutput { code, out, err } = outcome(command, what)?;
    if code == Some(0) {
        return Ok(out);
    }
    let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
    let said: Vec<&str> = err.lines().chain(out.lines()).filter(|line| !line.trim().is_empty()).collect();
    let failed = Error::failed(format!("gen404 {what} ended with {code}")).because(anyhow::anyhow!(said.join(" | ")));
    Err(failed.hint("run the sandbox again to continue"))
}

/// A finished command's exit code and output.
#[derive(Debug)]
pub(crate) struct CapturedOutput {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) out: String,
    /// Its standard error.
    pub(crate) err: String,
}

/// Runs a command to its end.
///
/// # Errors
/// It cannot be started.
pub(crate) fn outcome(mut command: Command, what: &str) -> Result<CapturedOutput> {
    let cannot = || format!("gen404 {what} cannot be run");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().failed(cannot)?;
    // Held open until the command has ended.
    let pipe = child.stdin.take();
    let ended = child.wait_with_output().failed(cannot)?;
    drop(pipe);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(CapturedOutput { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) })
}
