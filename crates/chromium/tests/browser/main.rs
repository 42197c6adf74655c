//! Modules in a real browser: what each is told, that it is bounded, and that nothing is left running.
//!
//! They need Chromium (`GEN404_CHROMIUM`, or `chromium` in PATH) and three.js as one file (`GEN404_THREE`, or
//! `target/three/node_modules/three/build/three.cjs`); where one is missing they are skipped, unless
//! `GEN404_NEEDS_BROWSER` is set.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at surprises")]

mod ends;
mod modules;
mod pictures;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gen404_chromium::{Lighting, Pool, RenderError, Rendered, Settings, Sheet, View, is_alive};

/// The most time that drawing a module takes, or refusing it, twice. A machine that does much else gives a browser
/// little of its time, and what is bounded is CPU time.
const BOUNDED: Duration = Duration::from_secs(900);

/// As many tests at once as have a browser each; the others wait.
static TURNS: (Mutex<u32>, Condvar) = (Mutex::new(2), Condvar::new());

/// A turn of a test that uses a browser; it ends when it is dropped.
struct Turn;

impl Turn {
    fn take() -> Turn {
        let (free, told) = (TURNS.0.lock().unwrap(), &TURNS.1);
        *told.wait_while(free, |free| *free == 0).unwrap() -= 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TURNS.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        TURNS.1.notify_one();
    }
}

/// The browser and three.js of this machine; `None`, and a word about it, where one is missing.
fn settings() -> Option<(Settings, Turn)> {
    let program = std::env::var_os("GEN404_CHROMIUM").map_or_else(|| PathBuf::from("chromium"), PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let three = std::env::var_os("GEN404_THREE")
        .map_or_else(|| root.join("target/three/node_modules/three/build/three.cjs"), PathBuf::from);
    let in_path = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(&program).is_file())
    };
    for (there, what) in [
        (program.is_file() || in_path(), "no Chromium (Debian: apt-get install chromium; or GEN404_CHROMIUM)"),
        (three.is_file(), "no three.js (npm install --prefix target/three three@0.183.2; or GEN404_THREE)"),
    ] {
        if !there {
            assert!(std::env::var_os("GEN404_NEEDS_BROWSER").is_none(), "{what}");
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            std::io::stderr().write_all(format!("SKIPPED {test}: {what}\n").as_bytes()).unwrap();
            return None;
        }
    }
    let mut settings = Settings::new(program, three);
    // Short, so that the tests are; the machine may be slow.
    settings.limits.run = Duration::from_secs(3);
    settings.limits.draw = Duration::from_secs(20);
    settings.limits.memory = 1 << 30;
    settings.limits.wall = BOUNDED / 2;
    // A user other than root brings the sandbox; whether the kernel lets it is not what is tested.
    settings.sandbox = std::env::var_os("GEN404_NO_SANDBOX").is_none();
    Some((settings, Turn::take()))
}

/// Two small views.
fn sheets() -> Vec<Sheet> {
    let views = [View { theta: 30.0, phi: 0.0 }, View { theta: 0.0, phi: -90.0 }];
    vec![Sheet::new(96, [255; 3], Lighting::Follow, &views)]
}

/// Draws a module that nothing stops.
fn draw(pool: &Pool, source: &str) -> Result<Rendered, RenderError> {
    pool.render(source, &sheets(), &|| false)
}

/// Waits until a process group is gone.
fn is_gone(group: i32) -> bool {
    let begun = Instant::now();
    while is_alive(group) {
        if begun.elapsed() > Duration::from_secs(20) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}
