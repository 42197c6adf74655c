//! One module in one browser context: run, inspected, drawn, and the context disposed of.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::connection::{Budget, Connection, CpuOf, Ended, Stopped};
use crate::names;
use crate::picture::Picture;
use crate::scene::{Sheet, function_bodies};
use crate::settings::Limits;
use crate::verdict::{Failure, Metrics, RenderError};

/// Sets up a page; see there.
const BOOT: &str = include_str!("page/boot.js");

/// Looks at what a module made; see there.
const CHECK: &str = include_str!("page/check.js");

/// What a module's page drew: of each sheet its pictures, in the order of its views.
pub(crate) type Drawn = (Vec<Vec<Picture>>, Metrics);

/// A verdict on a module, or how the browser ended.
pub(crate) type Verdict = Result<Result<Drawn, RenderError>, Ended>;

/// What the page says of a module that it ran.
#[derive(Debug, Deserialize)]
struct Ran {
    failures: Vec<Failure>,
    metrics: Option<Metrics>,
}

/// A page that is set up, in a context of its own.
struct Page<'a> {
    browser: &'a mut Connection,
    context: String,
    session: String,
    stopped: Stopped<'a>,
    /// The object that runs and draws.
    handle: String,
}

/// Runs and draws a module in a new context of a browser.
///
/// # Errors
/// The browser cannot go on; whether the module is to blame follows from how it ended.
pub(crate) fn render(
    browser: &mut Connection,
    three: &str,
    limits: &Limits,
    module: &str,
    sheets: &[Sheet],
    stopped: Stopped<'_>,
) -> Verdict {
    let mut page = Page::open(browser, three, limits, stopped)?;
    let verdict = match page.run(module, limits)? {
        Err(refused) => Err(refused),
        Ok(metrics) => page.draw(sheets, limits)?.map(|pictures| (pictures, metrics)),
    };
    page.close()?;
    Ok(verdict)
}

impl<'a> Page<'a> {
    fn open(
        browser: &'a mut Connection,
        three: &str,
        limits: &Limits,
        stopped: Stopped<'a>,
    ) -> Result<Page<'a>, Ended> {
        let budget = browser.budget(None);
        let mut call = |session: Option<&str>, method: &str, params: Value| -> Result<Value, Ended> {
            browser.call(session, method, params, &budget, stopped)
        };
        let context = call(None, "Target.createBrowserContext", json!({ "disposeOnDetach": true }))?;
        let context = text(&context, "browserContextId")?;
        let target = json!({ "url": "about:blank", "browserContextId": context, "width": 64, "height": 64 });
        let target = text(&call(None, "Target.createTarget", target)?, "targetId")?;
        let attached = call(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true }))?;
        let session = text(&attached, "sessionId")?;
        let within = Some(session.as_str());
        for (method, params) in [
            ("Inspector.enable", json!({})),
            // With a debugger, a full heap is told instead of a crash.
            ("Debugger.enable", json!({})),
            ("Debugger.setSkipAllPauses", json!({ "skip": true })),
            ("Network.enable", json!({})),
            ("Fetch.enable", json!({ "patterns": [{ "urlPattern": "*" }] })),
            (
                "Network.emulateNetworkConditions",
                json!({ "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0 }),
            ),
            ("Target.setAutoAttach", json!({ "autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true })),
        ] {
            call(within, method, params)?;
        }
        let global = call(within, "Runtime.evaluate", json!({ "expression": "globalThis" }))?;
        let arguments = json!([
            { "value": three },
            { "value": CHECK },
            { "value": names::as_json() },
            { "value": serde_json::to_string(&limits.scene).map_err(Ended::broken)? },
        ]);
        let boot = json!({
            "functionDeclaration": BOOT,
            "objectId": object(&global)?,
            "arguments": arguments,
        });
        let booted = call(within, "Runtime.callFunctionOn", boot)?;
        if let Some(thrown) = thrown(&booted) {
            return Err(Ended::Broken(format!("the page cannot be set up: {thrown}")));
        }
        // From now on the page has no business with dialogs, windows or other pages.
        call(within, "Page.enable", json!({}))?;
        let handle = object(&booted)?;
        Ok(Page { browser, context, session, stopped, handle })
    }

    fn call(&mut self, method: &str, params: Value, budget: &Budget) -> Result<Value, Ended> {
        self.browser.call(Some(&self.session), method, params, budget, self.stopped)
    }

    /// Sends a call of one of the handle's functions.
    fn invoke(&mut self, function: &str, argument: &Value) -> Result<u64, Ended> {
        let params = json!({
            "functionDeclaration": format!("function (argument) {{ return this.{function}(argument); }}"),
            "objectId": self.handle,
            "arguments": [argument],
            "returnByValue": true,
        });
        self.browser.send(Some(&self.session), "Runtime.callFunctionOn", params)
    }

    /// The text that a call of [`Page::invoke`] returned.
    fn invoked(&mut self, id: u64, budget: &Budget) -> Result<String, Ended> {
        let mut answer = self.browser.answer(id, budget, self.stopped)?;
        if let Some(thrown) = thrown(&answer) {
            return Err(Ended::Broken(format!("the page's own script failed: {thrown}")));
        }
        match answer.pointer_mut("/result/value").map(Value::take) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(Ended::broken("the page returned no text")),
        }
    }

    /// Runs a module, and inspects what it made.
    fn run(&mut self, module: &str, limits: &Limits) -> Result<Result<Metrics, RenderError>, Ended> {
        let refused = |failure: Failure| Ok(Err(RenderError::refused(failure)));
        let budget = self.browser.budget(Some((CpuOf::Page, limits.run)));
        let ran = self.ran(module, &budget);
        match ran {
            Err(Ended::CpuTime) => {
                let detail = format!("more than {} ms of CPU time", limits.run.as_millis());
                Err(Ended::Blamed(Failure::execution("TIMEOUT_EXCEEDED", detail)))
            }
            Err(other) => Err(other),
            Ok(Err(thrown)) => refused(Failure::execution("EXECUTION_THREW", thrown)),
            Ok(Ok(text)) => {
                let ran: Ran = serde_json::from_str(&text).map_err(Ended::broken)?;
                Ok(match ran {
                    Ran { failures, metrics: Some(metrics) } if failures.is_empty() => Ok(metrics),
                    Ran { failures, metrics } => Err(RenderError::Refused { failures, metrics: metrics.map(Box::new) }),
                })
            }
        }
    }

    /// What the page says of a module, or why the module does not compile.
    fn ran(&mut self, module: &str, budget: &Budget) -> Result<Result<String, String>, Ended> {
        let body = match self.body(module, budget)? {
            Ok(body) => body,
            Err(fault) => return Ok(Err(fault)),
        };
        let kept = names::kept().collect::<Vec<_>>().join(",");
        let make = format!(
            "(function(){{with(arguments[0]){{return function({kept}){{\"use strict\";return function(){{{body}\n}}}}}}}})"
        );
        let made = self.call("Runtime.evaluate", json!({ "expression": make }), budget)?;
        if let Some(thrown) = thrown(&made) {
            return Ok(Err(thrown));
        }
        let make = object(&made)?;
        let id = self.invoke("run", &json!({ "objectId": make }))?;
        self.invoked(id, budget).map(Ok)
    }

    /// The function body that a module stands for, or why it does not compile.
    fn body(&mut self, module: &str, budget: &Budget) -> Result<Result<String, String>, Ended> {
        let mut first_fault = None;
        for body in function_bodies(module) {
            let id = self.invoke("parses", &json!({ "value": body }))?;
            let fault = self.invoked(id, budget)?;
            if fault.is_empty() {
                return Ok(Ok(body));
            }
            first_fault.get_or_insert(fault);
        }
        Ok(Err(first_fault.unwrap_or_else(|| "no default export".to_owned())))
    }

    /// Draws what a module made.
    fn draw(&mut self, sheets: &[Sheet], limits: &Limits) -> Result<Result<Vec<Vec<Picture>>, RenderError>, Ended> {
        let budget = self.browser.budget(Some((CpuOf::All, limits.draw)));
        let mut calls = Vec::new();
        for sheet in sheets {
            let views: Vec<Value> = sheet.views.iter().map(|view| sheet.as_json(*view)).collect();
            let ids = views.iter().map(|view| self.invoke("draw", &json!({ "value": view }))).collect::<Result<_, _>>();
            calls.push((sheet.size, ids?));
        }
        let drawn = self.drawn(calls, &budget);
        match drawn {
            Err(Ended::CpuTime) => {
                let detail = format!("drawing it took more than {} s of CPU time", limits.draw.as_secs());
                Err(Ended::Blamed(Failure::render(detail)))
            }
            other => other,
        }
    }

    fn drawn(
        &mut self,
        calls: Vec<(u32, Vec<u64>)>,
        budget: &Budget,
    ) -> Result<Result<Vec<Vec<Picture>>, RenderError>, Ended> {
        let mut sheets = Vec::new();
        for (size, ids) in calls {
            let mut pictures = Vec::new();
            for id in ids {
                let url = self.invoked(id, budget)?;
                if url.is_empty() {
                    return Err(Ended::Crashed("the graphics context was lost".to_owned()));
                }
                if let Some(thrown) = url.strip_prefix('!') {
                    return Ok(Err(RenderError::refused(Failure::render(thrown))));
                }
                pictures.push(Picture::from_data_url(&url, size).map_err(Ended::Crashed)?);
            }
            sheets.push(pictures);
        }
        Ok(Ok(sheets))
    }

    fn close(self) -> Result<(), Ended> {
        let budget = self.browser.budget(None);
        let context = json!({ "browserContextId": self.context });
        self.browser.call(None, "Target.disposeBrowserContext", context, &budget, self.stopped).map(drop)
    }
}

/// A text of an answer.
fn text(answer: &Value, key: &str) -> Result<String, Ended> {
    let text = answer.get(key).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| Ended::Broken(format!("the browser gave no {key}")))
}

/// The object that an answer holds.
fn object(answer: &Value) -> Result<String, Ended> {
    let id = answer.pointer("/result/objectId").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| Ended::broken("the browser gave no object"))
}

/// What was thrown in a call, in one line.
fn thrown(answer: &Value) -> Option<String> {
    let details = answer.get("exceptionDetails")?;
    let text = details.pointer("/exception/description").or_else(|| details.get("text")).and_then(Value::as_str);
    Some(text.unwrap_or("an error").lines().next().unwrap_or_default().chars().take(500).collect())
}
