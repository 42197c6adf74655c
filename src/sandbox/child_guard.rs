//! The commands that the sandbox runs end when it does, by a pipe that they watch. Without its
//! servers, a command would record that nobody's files can be had.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::base::error::{Context as _, Error, Result};

/// Tells a command that its standard input is the pipe that it is to watch.
const WATCHES: &str = "GEN404_TIED_TO_STDIN";

/// What a command takes over from this process's environment: nothing that chooses drivers or keys.
const KEPT: [&str; 9] = ["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot", "NO_COLOR", "TERM", "RUST_BACKTRACE"];

/// This program, to be run as a command that ends with this process.
pub(crate) fn command() -> Result<Command> {
    let program = std::env::current_exe().failed(|| "this program cannot find itself".to_owned())?;
    let mut command = Command::new(program);
    command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // A pipe that nobody writes to ends when this process does, however it ends.
    command.env(WATCHES, "1").stdin(Stdio::piped());
    Ok(command)
}

/// Where this process was started by a sandbox: ends it as soon as that is gone.
pub(crate) fn end_with_sandbox() {
    if std::env::var_os(WATCHES).is_none() {
        return;
    }
    std::thread::spawn(|| {
        let mut byte = [0];
        // Nothing is ever written: whatever comes, the sandbox is gone.
        let _ = std::io::stdin().read(&mut byte);
        std::process::exit(1);
    });
}

/// Runs a command to its end: what it said on stdout.
///
/// # Errors
/// It fails; what it said on stderr is among the causes.
pub(crate) fn run(command: Command, what: &str) -> Result<String> {
    let CapturedOutput { code, out, err } = outcome(command, what)?;
    if code == Some(0) {
        return Ok(out);
    }
    let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
    let said: Vec<&str> = err.lines().chain(out.lines()).filter(|line| !line.trim().is_empty()).collect();
    let failed = Error::failed(format!("gen404 {what} ended with {code}")).because(anyhow::anyhow!(said.join(" | ")));
    Err(failed.hint("run the sandbox again to go on"))
}

/// What a command that has ended printed.
#[derive(Debug)]
pub(crate) struct CapturedOutput {
    /// Its exit code; none where a signal ended it.
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
