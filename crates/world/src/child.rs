//! Runs other programs to their end, with bounded output, and ends them when a stop is requested.

use crate::base::files;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::stop::{GRACE, STOPPED, Stop};

/// How often a running program is checked.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Time limit of a program that is started after a stop request, to clean up.
const LAST: Duration = Duration::from_secs(5);

/// Output limit in bytes; a program that writes more is ended.
const LONGEST_OUTPUT: u64 = 64 << 20;

/// Runs a program without input and returns its output, whatever its exit code.
///
/// # Errors
/// It cannot be run, or had to be ended after a stop request.
pub(crate) fn output(command: &mut Command, stop: &Stop) -> io::Result<Output> {
    // Files instead of pipes: a child that outlives a killed program would keep pipes open.
    let (out, err) = (files::scratch()?, files::scratch()?);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(err.try_clone()?);
    // A cleanup that starts after the stop request gets its own time limit.
    let late = stop.is_wanted();
    let mut child = command.spawn()?;
    let mut until = late.then(|| Instant::now() + LAST);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if long(&out)? || long(&err)? {
            child.kill()?;
            break child.wait()?;
        }
        if until.is_none() && stop.is_wanted() {
            until = Some(Instant::now() + GRACE);
        }
        if until.is_some_and(|until| Instant::now() > until) {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::Interrupted, STOPPED));
        }
        std::thread::sleep(LOOK_EVERY);
    };
    Ok(Output { status, stdout: written(out)?, stderr: written(err)? })
}

fn long(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.len() > LONGEST_OUTPUT)
}

fn written(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(LONGEST_OUTPUT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_heard_to_its_end_and_ended_by_a_stop() {
        let mut echo = Command::new("sh");
        let heard = output(echo.args(["-c", "echo out; echo err >&2; exit 3"]), &Stop::default()).unwrap();
        assert_eq!((heard.status.code(), heard.stdout, heard.stderr), (Some(3), b"out\n".into(), b"err\n".into()));
        let endless = output(Command::new("sh").args(["-c", "exec yes"]), &Stop::default()).unwrap();
        assert!(!endless.status.success() && endless.stdout.len() as u64 == LONGEST_OUTPUT);
        let stop = Stop::default();
        let asks = stop.clone();
        let begun = Instant::now();
        std::thread::spawn(move || asks.ask());
        let error = output(Command::new("sh").args(["-c", "sleep 30 & sleep 30"]), &stop).unwrap_err();
        assert!(error.to_string() == STOPPED && begun.elapsed() < Duration::from_secs(10), "{error}");
    }
}
