//! Browsers that draw one module at a time each.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::connection::{Connection, Ended, Stopped};
use crate::page::{self, Drawn, Verdict};
use crate::picture::Picture;
use crate::scene::Sheet;
use crate::settings::Settings;
use crate::verdict::{Failure, Metrics, RenderError};

/// Modules that one browser draws before another is started: what it keeps of them stays small.
const MOST_MODULES: u32 = 64;

/// The largest three.js that is read, in bytes.
const LONGEST_THREE: u64 = 16 << 20;

/// What was drawn of a module.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Of each sheet its pictures, in the order of its views.
    pub sheets: Vec<Vec<Picture>>,
    /// What the module's scene holds.
    pub metrics: Metrics,
}

/// Browsers, started when they are needed, and kept for the next module. As many run as threads ask at once. Dropping
/// it ends them.
#[derive(Debug)]
pub struct Pool {
    settings: Settings,
    three: String,
    idle: Mutex<Vec<Browser>>,
}

#[derive(Debug)]
struct Browser {
    connection: Connection,
    modules: u32,
}

impl Pool {
    /// Reads three.js and checks its digest. No browser is started.
    ///
    /// # Errors
    /// three.js is not there, or is another one.
    pub fn open(settings: Settings) -> Result<Pool, String> {
        let three = three(&settings.three, &settings.three_sha256)?;
        Ok(Pool { settings, three, idle: Mutex::default() })
    }

    /// The name and release of the browser, from the browser itself.
    ///
    /// # Errors
    /// It does not start, or does not answer.
    pub fn version(&self, stopped: Stopped<'_>) -> Result<String, RenderError> {
        let mut browser = self.start().map_err(RenderError::Failed)?;
        let connection = &mut browser.connection;
        let budget = connection.budget(None);
        let answer = connection.call(None, "Browser.getVersion", serde_json::json!({}), &budget, stopped);
        let answer = answer.map_err(|ended| self.outcome(&browser, ended))?;
        let version = answer.get("product").and_then(serde_json::Value::as_str).unwrap_or("a browser").to_owned();
        self.keep(browser);
        Ok(version)
    }

    /// Draws a module, given its source. A crash says something of the module only if a fresh browser crashes in the same way.
    ///
    /// # Errors
    /// The module is refused, the browser failed, or a stop was requested.
    pub fn render(&self, module: &str, sheets: &[Sheet], stopped: Stopped<'_>) -> Result<Rendered, RenderError> {
        let taken = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let used = taken.is_some();
        let first = match taken.map_or_else(|| self.start(), Ok) {
            Ok(browser) => self.attempt(browser, module, sheets, stopped),
            Err(why) => return Err(RenderError::Failed(why)),
        };
        let crash = match first {
            Ok(verdict) => return verdict.map(rendered),
            Err(tried) => match tried.ended {
                ended @ (Ended::Crashed(_) | Ended::Memory) => Some(ended),
                // It may have been ended while it was idle.
                Ended::Broken(_) if used => None,
                _ => return Err(tried.outcome),
            },
        };
        let browser = self.start().map_err(RenderError::Failed)?;
        match self.attempt(browser, module, sheets, stopped) {
            Ok(verdict) => verdict.map(rendered),
            Err(tried) if Some(&tried.ended) == crash.as_ref() => Err(RenderError::refused(blame(&tried.ended))),
            Err(tried) => Err(tried.outcome),
        }
    }

    /// Tries it in one browser, which is kept if it can go on.
    fn attempt(&self, mut browser: Browser, module: &str, sheets: &[Sheet], stopped: Stopped<'_>) -> Attempt {
        let limits = &self.settings.limits;
        let verdict: Verdict = page::render(&mut browser.connection, &self.three, limits, module, sheets, stopped);
        match verdict {
            Ok(verdict) => {
                browser.modules += 1;
                self.keep(browser);
                Ok(verdict)
            }
            Err(ended) => {
                let outcome = self.outcome(&browser, ended.clone());
                Err(Box::new(Tried { ended, outcome }))
            }
        }
    }

    fn keep(&self, browser: Browser) {
        if browser.modules < MOST_MODULES {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(browser);
        }
    }

    fn start(&self) -> Result<Browser, String> {
        let program = self.settings.program.display();
        let connection = Connection::start(&self.settings).map_err(|e| format!("cannot start {program}: {e}"))?;
        Ok(Browser { connection, modules: 0 })
    }

    /// What an end says.
    fn outcome(&self, browser: &Browser, ended: Ended) -> RenderError {
        match ended {
            Ended::Stopped => RenderError::Stopped,
            Ended::Blamed(failure) => RenderError::refused(failure),
            Ended::Heap | Ended::Reached(_) => RenderError::refused(blame(&ended)),
            Ended::Memory => RenderError::Failed("the browser held more memory than it may".to_owned()),
            Ended::CpuTime => RenderError::Failed("the browser took more time than it may".to_owned()),
            Ended::Crashed(why) => RenderError::Failed(why),
            Ended::Broken(why) => {
                let words = browser.connection.last_words().map(|words| format!(": {words}")).unwrap_or_default();
                RenderError::Failed(format!("{}: {why}{words}", self.settings.program.display()))
            }
        }
    }

    /// The process groups of the browsers that are idle.
    #[must_use]
    pub fn idle_groups(&self) -> Vec<i32> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.iter().map(|browser| browser.connection.group()).collect()
    }
}

/// A try that ended the browser, and what that says.
#[derive(Debug)]
struct Tried {
    ended: Ended,
    outcome: RenderError,
}

type Attempt = Result<Result<Drawn, RenderError>, Box<Tried>>;

fn rendered((sheets, metrics): Drawn) -> Rendered {
    Rendered { sheets, metrics }
}

/// What a module is refused for that ended a browser so.
fn blame(ended: &Ended) -> Failure {
    match ended {
        Ended::Heap => Failure::execution("HEAP_EXCEEDED", "its heap is full"),
        Ended::Memory => Failure::execution("HEAP_EXCEEDED", "the browser held more memory than it may"),
        Ended::Reached(what) => Failure::execution("RUNTIME_VIOLATION", format!("it reached for {what}")),
        Ended::Crashed(why) | Ended::Broken(why) => Failure::render(why.as_str()),
        Ended::Blamed(failure) => failure.clone(),
        Ended::CpuTime | Ended::Stopped => Failure::render("it took too long"),
    }
}

/// three.js, if it is the one expected.
fn three(path: &Path, sha256: &str) -> Result<String, String> {
    let shown = path.display();
    let length = std::fs::metadata(path).map_err(|e| format!("cannot read three.js at {shown}: {e}"))?.len();
    if length > LONGEST_THREE {
        return Err(format!("{shown}: {length} bytes, too long for three.js"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read three.js at {shown}: {e}"))?;
    let found: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == sha256 { Ok(text) } else { Err(format!("{shown}: SHA-256 is {found}, expected is {sha256}")) }
}

/// Browsers are shared by threads.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Pool>>();
};
