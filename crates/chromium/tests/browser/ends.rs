//! Modules that would not end, would eat the machine, or would leave the page; and ends of the browser and of ours.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gen404_chromium::{Pool, RenderError, Settings, is_alive};

use crate::{BOUNDED, draw, is_gone, settings, sheets};

fn with_box(doing: &str) -> String {
    format!(
        "export default function (THREE) {{
           const m = new THREE.Mesh(new THREE.BoxGeometry(.5, .5, .5), new THREE.MeshStandardMaterial());
           {doing}; return m; }}"
    )
}

fn when_drawn(doing: &str) -> String {
    with_box(&format!("m.onBeforeRender = (r) => {{ const w = r.domElement.ownerDocument.defaultView; {doing} }}"))
}

/// The rule and detail that a module is refused for.
fn refused(pool: &Pool, name: &str, source: &str) -> (String, String) {
    match draw(pool, source) {
        Err(RenderError::Refused { failures, .. }) if failures.len() == 1 => {
            let failure = failures.into_iter().next().unwrap();
            (failure.rule, failure.detail)
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// Each is refused for its rule, in bounded time; and the pool draws on. `run` is the CPU time to run one.
fn are_refused(run: Duration, modules: &[(&str, String, &str, &str)]) {
    let Some((mut settings, _turn)) = settings() else { return };
    settings.limits.run = run;
    let pool = Pool::open(settings).unwrap();
    for (name, source, rule, detail) in modules {
        let begun = Instant::now();
        let (found, told) = refused(&pool, name, source);
        assert!(begun.elapsed() < BOUNDED, "{name}: {:?}", begun.elapsed());
        assert!((found.as_str(), true) == (*rule, told.contains(detail)), "{name}: {found}: {told}");
    }
    draw(&pool, &with_box("")).unwrap();
    let groups = pool.idle_groups();
    drop(pool);
    assert!(groups.into_iter().all(is_gone), "a browser is left");
}

#[test]
fn endless_modules_are_ended() {
    let endless = "TIMEOUT_EXCEEDED";
    are_refused(
        Duration::from_secs(3),
        &[
            ("in the function", with_box("for (;;);"), endless, "3000 ms"),
            ("at the top", format!("for (;;); {}", with_box("")), endless, "3000 ms"),
            ("in what is told later", with_box("(function f() { Promise.resolve().then(f); })()"), endless, "3000 ms"),
            (
                "in a getter",
                with_box("Object.defineProperty(m, 'position', { get() { for (;;); } })"),
                endless,
                "3000 ms",
            ),
            ("in a long list", with_box("m.children.length = 4294967295"), "INVALID_RETURN_TYPE", "a child"),
            ("when drawn", when_drawn("for (;;);"), "RENDER_RUN_FAILED", "20 s of CPU time"),
        ],
    );
}

#[test]
fn memory_hogs_are_ended() {
    are_refused(
        Duration::from_secs(60),
        &[
            (
                "objects",
                with_box("const all = []; for (;;) all.push({ n: all.length, s: [all.length] })"),
                "HEAP_EXCEEDED",
                "heap",
            ),
            (
                "text",
                with_box(
                    "let s = 'x'; const all = []; for (let n = 0; ; n++) all.push(Array.from(String(n).repeat(999)))",
                ),
                "HEAP_EXCEEDED",
                "heap",
            ),
            (
                "bytes",
                with_box("const all = []; for (;;) all.push(new Uint8Array(1 << 26).fill(all.length + 1))"),
                "HEAP_EXCEEDED",
                "memory",
            ),
        ],
    );
}

#[test]
fn modules_that_reach_out_when_they_are_drawn_are_refused() {
    let violation = "RUNTIME_VIOLATION";
    are_refused(
        Duration::from_secs(60),
        &[
            ("dialog", when_drawn("w.alert(1)"), violation, "a dialog (alert)"),
            ("question", when_drawn("w.confirm('?')"), violation, "a dialog (confirm)"),
            ("window", when_drawn("w.open('about:blank')"), violation, "another window"),
            ("away", when_drawn("w.location = 'http://127.0.0.1:9/'"), violation, "another page"),
            (
                "frame",
                when_drawn(
                    "const f = w.document.createElement('iframe'); f.src = 'http://127.0.0.1:9/'; w.document.body.append(f)",
                ),
                violation,
                "another page",
            ),
            ("context lost", when_drawn("r.forceContextLoss()"), "RENDER_RUN_FAILED", "context was lost"),
            ("throws", when_drawn("throw new Error('not today')"), "RENDER_RUN_FAILED", "not today"),
        ],
    );
}

#[test]
fn no_request_reaches_a_server() {
    let Some((settings, _turn)) = settings() else { return };
    let pool = Pool::open(settings).unwrap();
    let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    let (t, u) = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
    // Each draws a while, so that a request would have the time to leave.
    for reach in [
        format!("w.fetch('http://127.0.0.1:{t}').catch(() => {{}})"),
        format!("new w.Image().src = 'http://127.0.0.1:{t}/x.png'"),
        format!("new w.WebSocket('ws://127.0.0.1:{t}')"),
        format!("w.navigator.sendBeacon('http://127.0.0.1:{t}', 'x')"),
        format!(
            "const l = w.document.createElement('link'); l.rel = 'preconnect'; l.href = 'http://127.0.0.1:{t}'; w.document.head.append(l)"
        ),
        format!(
            "const p = new w.RTCPeerConnection({{ iceServers: [{{ urls: 'stun:127.0.0.1:{u}' }}] }}); p.createDataChannel('x'); p.createOffer().then((o) => p.setLocalDescription(o))"
        ),
    ] {
        let source = when_drawn(&format!("if (w.asked) return; w.asked = true; {reach}"));
        // Some of these are refused for it; none gets anywhere.
        let told = draw(&pool, &source);
        assert!(!matches!(told, Err(RenderError::Failed(_))), "{reach}: {told:?}");
        std::thread::sleep(Duration::from_millis(300));
        assert!(tcp.accept().is_err(), "{reach}");
        assert!(udp.recv(&mut [0; 9]).is_err(), "{reach}");
    }
}

#[test]
fn a_stop_ends_it_at_once() {
    let Some((settings, _turn)) = settings() else { return };
    let pool = Pool::open(settings).unwrap();
    draw(&pool, &with_box("")).unwrap();
    let groups = pool.idle_groups();
    let begun = Instant::now();
    let stopped = || begun.elapsed() > Duration::from_millis(500);
    let told = pool.render(&with_box("for (;;);"), &sheets(), &stopped);
    assert_eq!(told.map(|_| ()), Err(RenderError::Stopped));
    assert!(begun.elapsed() < Duration::from_secs(10) && groups.into_iter().all(is_gone));
}

#[test]
fn a_browser_that_ended_meanwhile_is_replaced() {
    let Some((settings, _turn)) = settings() else { return };
    let pool = Pool::open(settings).unwrap();
    let first = draw(&pool, &with_box("")).unwrap();
    for group in pool.idle_groups() {
        Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).status().unwrap();
        assert!(is_gone(group));
    }
    assert_eq!(draw(&pool, &with_box("")).unwrap(), first);
}

#[test]
fn what_is_missing_is_named() {
    let Some((settings, _turn)) = settings() else { return };
    let other = Settings { three_sha256: "00".repeat(32), ..settings.clone() };
    assert!(Pool::open(other).unwrap_err().contains("SHA-256 is 284f4cdc"));
    let none = Settings { three: "/nowhere/three.cjs".into(), ..settings.clone() };
    assert!(Pool::open(none).unwrap_err().contains("cannot read three.js at /nowhere/three.cjs"));
    let pool = Pool::open(settings.clone()).unwrap();
    assert!(pool.version(&|| false).unwrap().contains("Chrome"));
    for program in ["/nowhere/chromium", "no-such-chromium", "/bin/false"] {
        let pool = Pool::open(Settings { program: program.into(), ..settings.clone() }).unwrap();
        let RenderError::Failed(why) = draw(&pool, &with_box("")).unwrap_err() else { panic!("{program}") };
        assert!(why.contains(program), "{why}");
    }
}

#[test]
fn what_a_browser_complains_of_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some((settings, _turn)) = settings() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("browser");
    std::fs::write(&program, "#!/bin/sh\necho one >&2\necho 'FATAL: no usable sandbox' >&2\nexit 1\n").unwrap();
    for path in [folder.path(), &program] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let pool = Pool::open(Settings { program, ..settings }).unwrap();
    let RenderError::Failed(why) = draw(&pool, &with_box("")).unwrap_err() else { panic!("it says something else") };
    assert!(why.contains("FATAL: no usable sandbox"), "{why}");
}

/// Run by the next test in a process of its own, which is killed: prints the browser's group, and draws without end.
#[test]
fn draws_without_end_where_told_to() {
    if std::env::var_os("GEN404_DRAW_WITHOUT_END").is_none() {
        return;
    }
    let (mut settings, _turn) = settings().unwrap();
    settings.limits.run = Duration::from_secs(600);
    let pool = Pool::open(settings).unwrap();
    draw(&pool, &with_box("")).unwrap();
    let group = pool.idle_groups()[0];
    std::fs::write(std::env::var_os("GEN404_DRAW_WITHOUT_END").unwrap(), group.to_string()).unwrap();
    let _ = draw(&pool, &with_box("for (;;);"));
}

#[test]
fn a_kill_of_this_process_leaves_nothing() {
    let Some((_, _turn)) = settings() else { return };
    let folder = tempfile::tempdir().unwrap();
    // As /tmp: the browser's user removes its profile from it.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let note = folder.path().join("group");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::draws_without_end_where_told_to"])
        .env("GEN404_DRAW_WITHOUT_END", &note)
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let group = loop {
        if let Some(group) = std::fs::read_to_string(&note).ok().and_then(|text| text.parse::<i32>().ok()) {
            break group;
        }
        assert!(begun.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(50));
    };
    // Into the endless loop.
    std::thread::sleep(Duration::from_millis(2500));
    assert!(is_alive(group));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(is_gone(group), "the browser outlives us");
    let left = || {
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name != "group").count()
    };
    let begun = Instant::now();
    while left() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "a profile is left");
        std::thread::sleep(Duration::from_millis(50));
    }
}
