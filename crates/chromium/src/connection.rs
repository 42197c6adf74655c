//! Calls to a browser, each within bounds that are watched while it waits.

use std::io;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::pipe::{Message, Pipe};
use crate::process::Process;
use crate::settings::Settings;
use crate::usage::{Group, Used};
use crate::verdict::Failure;

/// How often bounds are looked at while a call waits.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Says whether to stop. Once it has returned true, it always does.
pub type Stopped<'a> = &'a (dyn Fn() -> bool + Sync);

/// Why a browser cannot go on. It is killed, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// A stop was requested.
    Stopped,
    /// The CPU time is used up.
    CpuTime,
    /// The module is at fault, for this.
    Blamed(Failure),
    /// V8's heap is full.
    Heap,
    /// The processes hold more memory than they may.
    Memory,
    /// A page reached for what it must not: this.
    Reached(String),
    /// A page, or the graphics process, crashed.
    Crashed(String),
    /// The browser, or the machine, is at fault.
    Broken(String),
}

impl Ended {
    pub(crate) fn broken(why: impl std::fmt::Display) -> Self {
        Ended::Broken(why.to_string())
    }
}

/// What a call may use.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    until: Instant,
    memory: u64,
    cpu: Option<(CpuOf, Duration, Used)>,
}

/// Whose CPU time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CpuOf {
    /// The main thread of the page.
    Page,
    /// All processes of the browser.
    All,
}

/// A browser that is listened to.
#[derive(Debug)]
pub(crate) struct Connection {
    // Before the process, so that its threads see the end.
    pipe: Pipe,
    process: Process,
    group: Group,
    calls: u64,
    limits: crate::settings::Limits,
}

impl Connection {
    /// Starts a browser.
    pub(crate) fn start(settings: &Settings) -> io::Result<Connection> {
        let (process, commands, answers) = Process::start(settings)?;
        let group = Group::new(process.group());
        let pipe = Pipe::over(commands, answers)?;
        Ok(Connection { pipe, process, group, calls: 0, limits: settings.limits })
    }

    /// The id of its process group.
    pub(crate) fn group(&self) -> i32 {
        self.process.group()
    }

    /// What the browser wrote last, for an error at its start.
    pub(crate) fn last_words(&self) -> Option<String> {
        self.process.last_words()
    }

    /// A budget that begins now.
    pub(crate) fn budget(&mut self, cpu: Option<(CpuOf, Duration)>) -> Budget {
        self.group.renew();
        let used = self.group.used();
        let cpu = cpu.map(|(of, most)| (of, most, used));
        Budget { until: Instant::now() + self.limits.wall, memory: self.limits.memory, cpu }
    }

    /// Sends a call, and returns its number.
    pub(crate) fn send(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<u64, Ended> {
        self.calls += 1;
        let mut call = Map::new();
        call.insert("id".to_owned(), self.calls.into());
        call.insert("method".to_owned(), method.into());
        call.insert("params".to_owned(), params);
        if let Some(session) = session {
            call.insert("sessionId".to_owned(), session.into());
        }
        self.pipe
            .commands
            .send(Value::Object(call).to_string().into_bytes())
            .map_err(|_| Ended::broken("the browser is gone"))?;
        Ok(self.calls)
    }

    /// The answer to a call.
    pub(crate) fn answer(&mut self, id: u64, budget: &Budget, stopped: Stopped<'_>) -> Result<Value, Ended> {
        let mut looked = Instant::now();
        loop {
            let message = match self.pipe.messages.recv_timeout(LOOK_EVERY) {
                Ok(Ok(message)) => Some(message),
                Ok(Err(why)) => return Err(Ended::broken(why)),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Err(Ended::broken("the browser is gone")),
            };
            if stopped() {
                return Err(Ended::Stopped);
            }
            if message.is_none() || looked.elapsed() >= LOOK_EVERY {
                self.look(budget)?;
                looked = Instant::now();
            }
            let Some(message) = message else { continue };
            if message.id == Some(id) {
                return match message.error {
                    Some(error) => Err(Ended::Broken(error.message)),
                    None => Ok(message.result),
                };
            }
            if message.method.is_some() {
                self.heed(&message)?;
            }
        }
    }

    /// Calls, and waits for the answer.
    pub(crate) fn call(
        &mut self,
        session: Option<&str>,
        method: &str,
        params: Value,
        budget: &Budget,
        stopped: Stopped<'_>,
    ) -> Result<Value, Ended> {
        let id = self.send(session, method, params)?;
        self.answer(id, budget, stopped)
    }

    /// Are the bounds kept?
    fn look(&mut self, budget: &Budget) -> Result<(), Ended> {
        let used = self.group.used();
        if used.memory > budget.memory {
            return Err(Ended::Memory);
        }
        if let Some((of, most, before)) = &budget.cpu {
            let took = match of {
                CpuOf::Page => used.busiest_page_since(before),
                CpuOf::All => used.cpu.saturating_sub(before.cpu),
            };
            if took > *most {
                return Err(Ended::CpuTime);
            }
        }
        if Instant::now() > budget.until {
            let seconds = self.limits.wall.as_secs();
            return Err(Ended::Broken(format!("nothing came of it in {seconds} s")));
        }
        Ok(())
    }

    /// An event: most say nothing of interest, the others end it.
    fn heed(&mut self, event: &Message) -> Result<(), Ended> {
        let text = |key: &str| event.params.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
        match event.method.as_deref().unwrap_or_default() {
            "Debugger.paused" if text("reason") == "OOM" => Err(Ended::Heap),
            "Debugger.paused" => {
                self.send(event.session_id.as_deref(), "Debugger.resume", json!({}))?;
                Ok(())
            }
            "Inspector.targetCrashed" | "Target.targetCrashed" => Err(Ended::Crashed("its page crashed".to_owned())),
            "Page.javascriptDialogOpening" => Err(Ended::Reached(format!("a dialog ({})", text("type")))),
            "Page.windowOpen" => Err(Ended::Reached("another window".to_owned())),
            "Page.frameNavigated" | "Page.frameRequestedNavigation" => Err(Ended::Reached("another page".to_owned())),
            "Page.downloadWillBegin" => Err(Ended::Reached("a download".to_owned())),
            "Fetch.requestPaused" | "Network.webSocketCreated" | "Network.webTransportCreated" => {
                Err(Ended::Reached("the network".to_owned()))
            }
            "Target.attachedToTarget" => {
                let kind = event.params.pointer("/targetInfo/type").and_then(Value::as_str).unwrap_or("?").to_owned();
                // The first page is attached to by us.
                if event.session_id.is_some() { Err(Ended::Reached(format!("another {kind}"))) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}
