//! The report in a real browser: Debian's chromium, driven by its chromedriver over WebDriver.
//!
//! Where there is none the test is skipped, unless `GEN404_NEEDS_BROWSER` is set (as `.ci/run` does).
//! No page may fetch anything but itself and the pictures at their own addresses (of which none can
//! be reached here), and the console has to stay silent.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::report::{HOSTILE, hostile};
use crate::support::make_competition::hotkey;
use crate::support::{gen404, skipped};

/// A browser with one window; it ends with the test.
struct Browser {
    driver: Child,
    session: String,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Starts the browser's driver, again where another process was faster at the port that it had chosen.
fn driver() -> std::io::Result<(Child, u16)> {
    for _ in 0..10 {
        let mut command = Command::new("chromedriver");
        let mut driver = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let port = line.split("successfully on port ").nth(1)?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        if let Some(port) = port {
            return Ok((driver, port));
        }
        driver.kill()?;
        driver.wait()?;
    }
    panic!("chromedriver says no port")
}

impl Browser {
    /// Starts a browser; `None`, and a word about it, where there is none.
    fn start() -> Option<Browser> {
        let Ok((driver, port)) = driver() else {
            assert!(std::env::var_os("GEN404_NEEDS_BROWSER").is_none(), "no chromedriver");
            skipped("no chromedriver (Debian: apt-get install chromium chromium-driver)");
            return None;
        };
        let base = format!("http://127.0.0.1:{port}");
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1280,900",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ]
        .map(str::to_owned)
        .to_vec();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let made = call(&format!("{base}/session"), &wanted);
        let session = format!("{base}/session/{}", made["sessionId"].as_str().expect("a session"));
        Some(Browser { driver, session, _profile: profile })
    }

    fn post(&self, what: &str, body: &Value) -> Value {
        call(&format!("{}/{what}", self.session), body)
    }

    fn open(&self, page: &Path) {
        self.post("url", &json!({"url": format!("file://{}", page.display())}));
    }

    fn js(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({"script": format!("return {script}"), "args": []}))
    }

    fn click(&self, css: &str) {
        let found = self.post("element", &json!({"using": "css selector", "value": css}));
        let id = found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        self.post(&format!("element/{id}/click"), &json!({}));
    }

    fn press(&self, key: char) {
        let actions = [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        self.post("actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
    }

    fn devtools(&self, command: &str, params: &Value) {
        self.post("goog/cdp/execute", &json!({"cmd": command, "params": params}));
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        self.post("se/log", &json!({"type": kind})).as_array().unwrap().clone()
    }

    /// Every address that pages on this disk asked for since the last look (the browser's own start
    /// page may still be fetching its own pictures).
    fn requests(&self) -> BTreeSet<String> {
        let events = self.log("performance");
        let url = |event: &Value| {
            let message: Value = serde_json::from_str(event["message"].as_str()?).ok()?;
            let (method, params) = (&message["message"]["method"], &message["message"]["params"]);
            let sent = method == "Network.requestWillBeSent"
                && params["documentURL"].as_str().is_some_and(|page| page.starts_with("file://"));
            sent.then(|| params["request"]["url"].as_str().unwrap().to_owned())
        };
        events.iter().filter_map(url).collect()
    }
}

/// A call of WebDriver; what it gives.
#[track_caller]
fn call(url: &str, body: &Value) -> Value {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer = agent.post(url).content_type("application/json").send(body.to_string()).unwrap();
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    assert!(answer["value"]["error"].is_null(), "{url}: {}", answer["value"]);
    answer["value"].clone()
}

const RIGHT: char = '\u{e014}';
const LEFT: char = '\u{e012}';

#[test]
fn pages_work_in_a_browser_and_ask_for_nothing_but_pictures() {
    let Some(browser) = Browser::start() else { return };
    let folder = hostile();
    let beside = tempfile::tempdir().unwrap();
    let out = beside.path().join("report");
    gen404(folder.path(), &["report", "--out", out.to_str().unwrap()]).ends(0);
    browser.requests();
    browser.open(&out.join("index.html"));
    assert_eq!(browser.js("document.title"), "example: the competition at a glance");
    searching(&browser);
    browser.open(&out.join("index.html"));
    browser.click("a[href='round-0.html']");
    assert_eq!(browser.js("document.querySelector('h1').textContent"), "Round 0");
    sorting(&browser);
    browser.click(&format!(".heatmap a[href='round-0/leader_{}.html']", hotkey("basalt")));
    filtering(&browser);
    keys(&browser);
    texts_stay_texts(&browser);
    widths_and_themes(&browser, &out);

    let own = format!("file://{}", out.display());
    let asked = browser.requests();
    let pictures: BTreeSet<_> = asked.iter().filter(|url| !url.starts_with(&own)).collect();
    assert!(!pictures.is_empty(), "the pictures were not even asked for");
    let picture = |url: &str| url.starts_with("https://") && url.contains("example.org/") && url.ends_with(".png");
    assert!(pictures.iter().all(|url| picture(url)), "{pictures:#?}");
    let console: Vec<Value> = browser.log("browser");
    let unreachable = |entry: &&Value| {
        let message = entry["message"].as_str().unwrap_or_default();
        entry["source"] == "network" && message.contains("net::ERR_") && message.contains(".example.org/")
    };
    let errors: Vec<_> = console.iter().filter(|entry| !unreachable(entry)).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The search of the index finds a hotkey by any part of it, and Enter opens its page.
fn searching(browser: &Browser) {
    let shown = "[...document.querySelectorAll('.hotkeys li')].filter((miner) => miner.offsetHeight > 0)";
    let all = browser.js(&format!("{shown}.length"));
    assert!(all.as_i64() > Some(5), "{all}");
    let wanted = hotkey("basalt");
    let part = wanted.as_str()[20..].to_lowercase();
    browser.click("#find");
    let set = format!("document.querySelector('#find').value = '{part}'");
    browser.js(&format!("({set}, document.querySelector('#find').dispatchEvent(new Event('input')))"));
    assert_eq!(browser.js(&format!("{shown}.map((miner) => miner.id)")), json!([wanted.as_str()]));
    assert_eq!(browser.js("document.querySelector('.search [role=status]').textContent"), format!("1 of {all} miners"));
    browser.press('\u{e007}');
    assert_eq!(browser.js("document.querySelector('h1').textContent"), wanted.as_str());
}

fn sorting(browser: &Browser) {
    let first = "document.querySelector('.sortable tbody tr td.num:last-child').textContent";
    browser.click(".sortable thead th:last-child button");
    assert_eq!(browser.js(first), "699\u{202f}500");
    browser.click(".sortable thead th:last-child button");
    assert_eq!(browser.js("document.querySelector('.sortable tbody td').textContent"), "1");
}

fn filtering(browser: &Browser) {
    let shown = "[...document.querySelectorAll('.duel')].filter((duel) => duel.offsetHeight > 0)";
    assert_eq!(browser.js(&format!("{shown}.length")), 24);
    let right = browser.js("document.querySelectorAll('.duel[data-kinds~=right]').length");
    browser.click("button[data-kind='right']");
    assert_eq!(browser.js(&format!("{shown}.length")), right);
    assert_eq!(browser.js(&format!("{shown}.every((duel) => duel.dataset.kinds.startsWith('right'))")), true);
    assert_eq!(browser.js("document.querySelector('[aria-pressed=true]').dataset.kind"), "right");
    assert_eq!(browser.js("document.querySelector('[role=status]').textContent"), format!("{right} of 24 duels"));
}

/// The arrows go through what the filter shows.
fn keys(browser: &Browser) {
    let ids = browser.js("[...document.querySelectorAll('.duel:not([hidden])')].map((duel) => duel.id)");
    let active = || browser.js("document.activeElement.id");
    browser.press(RIGHT);
    assert_eq!(active(), ids[0]);
    browser.press(RIGHT);
    browser.press(RIGHT);
    assert_eq!(active(), ids[2]);
    browser.press(LEFT);
    assert_eq!(active(), ids[1]);
    let top = browser.js("Math.round(document.activeElement.getBoundingClientRect().top)").as_i64().unwrap();
    assert!((0..450).contains(&top), "the duel stands at {top}");
    for _ in 0..30 {
        browser.press(RIGHT);
    }
    assert_eq!(active(), ids.as_array().unwrap().last().unwrap().clone());
    browser.click("button[data-kind='']");
}

fn texts_stay_texts(browser: &Browser) {
    let words = browser.js("[...document.querySelectorAll('blockquote')].map((quote) => quote.textContent)");
    let words: Vec<&str> = words.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for hostile in HOSTILE {
        let shown = hostile.replace(['\0', '\u{7f}'], "\u{fffd}");
        let shown = shown.replace('\u{202e}', "\\u{202e}").replace('\u{2066}', "\\u{2066}");
        assert!(words.contains(&shown.as_str()), "{shown:?} is not among {words:#?}");
    }
    assert_eq!(browser.js("document.scripts.length"), 1);
    assert_eq!(browser.js("document.querySelectorAll('h1').length"), 1);
    assert_eq!(browser.js("document.querySelectorAll('[src=x], [onerror], a[href^=javascript]').length"), 0);
    assert_ne!(browser.js("document.title"), "taken");
    // Even a script that got into the page would not run.
    browser.js("(() => { const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s); })()");
    assert_ne!(browser.js("document.title"), "1");
    let refused = browser.log("browser");
    assert!(
        refused.iter().any(|entry| entry["message"].as_str().unwrap_or_default().contains("Content Security Policy"))
    );
}

/// On a phone nothing sticks out, and dark mode is dark.
fn widths_and_themes(browser: &Browser, out: &Path) {
    let round = out.join("round-0.html");
    let game = out.join(format!("round-0/leader_{}.html", hotkey("basalt")));
    let phone = json!({"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": true});
    browser.devtools("Emulation.setDeviceMetricsOverride", &phone);
    let miner = out.join(format!("miners/{}.html", hotkey("basalt")));
    for page in [&out.join("index.html"), &round, &game, &miner] {
        browser.open(page);
        let wide = browser.js("document.documentElement.scrollWidth");
        assert!(wide.as_i64() <= Some(390), "{} is {wide} wide on a phone", page.display());
    }
    let ground = || browser.js("getComputedStyle(document.body).backgroundColor");
    let light = ground();
    let dark = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    browser.devtools("Emulation.setEmulatedMedia", &dark);
    assert_eq!((light, ground()), (json!("rgb(251, 250, 247)"), json!("rgb(20, 23, 26)")));
}
