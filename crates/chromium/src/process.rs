//! The browser's processes: started in a group of their own, and ended with it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process_group};
use tempfile::TempDir;

use crate::settings::Settings;

/// Chromium reads commands from descriptor 3 and answers on 4. The shell puts them there, so that no code of ours runs
/// between fork and exec, and keeps the beginning of what Chromium complains of. Chromium ends itself once its commands
/// end, which they do when this process is killed: then the shell removes the profile.
const SHELL: &str = r#"
ulimit -c 0
exec 3<&0 4>&1 </dev/null >/dev/null
"$@" 2>&1 >/dev/null | { exec 3<&- 4>&- >/dev/null; head -c 65536 >"$0/log"; cat; }
exec 4>&-
cat <&3
rm -rf -- "$0"
"#;

/// Bytes of what a browser that does not start had to say.
const LONGEST_LOG: u64 = 64 << 10;

/// Room on /dev/shm below which shared memory goes to the profile's folder.
const SHARED_ROOM: u64 = 1 << 30;

/// Flags of every browser. What a page could reach, or what differs between machines, is off.
const FLAGS: [&str; 43] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-startup-window",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--password-store=basic",
    "--use-mock-keychain",
    // Drawing: the same software everywhere.
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-gpu-watchdog",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    // No network, whatever asks for it.
    "--proxy-server=http://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-quic",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-client-side-phishing-detection",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--dns-prefetch-disable",
    // Nothing that outlives it, or that it says to others.
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-crashpad-for-testing",
    // A process of its own for it trips over a missing crash handler.
    "--enable-features=NetworkServiceInProcess2",
    "--disable-notifications",
    "--disable-file-system",
    "--deny-permission-prompts",
    "--block-new-web-contents",
    "--mute-audio",
    "--disk-cache-size=1",
    // A page in the background is a page, too.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-hang-monitor",
    "--disable-ipc-flooding-protection",
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,Translate,OptimizationHints,MediaRouter,WebBluetooth",
];

/// A running browser. Dropping it kills all its processes and removes its profile.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
    profile: TempDir,
}

impl Process {
    /// Starts a browser; its commands and answers are the two ends of the pipe.
    pub(crate) fn start(settings: &Settings) -> io::Result<(Process, ChildStdin, ChildStdout)> {
        let profile = tempfile::Builder::new().prefix("gen404-chromium-").tempdir()?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SHELL]).arg(profile.path()).arg(found(&settings.program)?).args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg(format!("--js-flags=--max-old-space-size={},--max-semi-space-size=32", settings.limits.heap_mib));
        if !settings.sandbox {
            command.arg("--no-sandbox");
        }
        if !roomy(Path::new("/dev/shm")) {
            command.arg("--disable-dev-shm-usage");
        }
        // Nothing of our environment: it may hold keys.
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.env("HOME", profile.path()).env("TMPDIR", profile.path()).env("XDG_RUNTIME_DIR", profile.path());
        command.env("DBUS_SESSION_BUS_ADDRESS", "disabled:").env("DBUS_SYSTEM_BUS_ADDRESS", "disabled:");
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        own_group(&mut command);
        if getuid().is_root() {
            hand_over(profile.path(), settings.user, &mut command)?;
        }
        let mut child = command.spawn()?;
        let ends = (child.stdin.take(), child.stdout.take());
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (Some(group), (Some(commands), Some(answers))) = (group, ends) else {
            return Err(io::Error::other("the browser's pipe is missing"));
        };
        Ok((Process { child, group, profile }, commands, answers))
    }

    /// The process group.
    pub(crate) fn group(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// The last line that the browser wrote to its error output, for a message.
    pub(crate) fn last_words(&self) -> Option<String> {
        let mut text = Vec::new();
        File::open(self.profile.path().join("log")).ok()?.take(LONGEST_LOG).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let telling = |line: &&str| !line.trim().is_empty() && !line.contains("dbus") && !line.starts_with('#');
        text.lines().rev().find(|line| line.contains("FATAL")).or(text.lines().rev().find(telling)).map(str::to_owned)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error says that none is left.
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
    }
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

/// The browser runs as another user, whose the profile is.
#[cfg(unix)]
fn hand_over(profile: &Path, user: u32, command: &mut Command) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    std::os::unix::fs::chown(profile, Some(user), Some(user))?;
    command.uid(user).gid(user);
    Ok(())
}

/// A program by its path, or by its name in PATH.
fn found(program: &Path) -> io::Result<PathBuf> {
    let none = || io::Error::new(io::ErrorKind::NotFound, format!("there is no {}", program.display()));
    if program.components().count() > 1 {
        return if program.is_file() { Ok(program.to_owned()) } else { Err(none()) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|at| at.is_file()).ok_or_else(none)
}

/// Is there room for shared memory?
fn roomy(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|at| at.f_bavail.saturating_mul(at.f_frsize) >= SHARED_ROOM)
}
