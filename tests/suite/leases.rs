//! `[lease]`: two hosts in clones of their own, a bare repository between them, and pods that a provider on a real socket
//! rents out: no pod is rented twice, a lost lease gives pods back, and a dead host's does not hold for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audit_support::{model, prompt_of, round, run_as, services};
use crate::chain_support::{Fake, Reply};
use crate::cloud::{Cloud, Kind};
use crate::round::hotkey;
use crate::support::{Run, as_somebody, command, edit, git, skipped};

const REF: &str = "refs/gen404/lease";

/// Two hosts, and the world around them.
struct Hosts {
    top: tempfile::TempDir,
    services: Fake,
    cloud: Cloud,
    /// Programs answer once it is set.
    open: Arc<AtomicBool>,
}

impl Hosts {
    /// A round in duels whose miners are to be audited; `None` where there is no git program.
    fn new(lease: &str, miners: u8, prompts: usize) -> Option<Hosts> {
        if Command::new("git").arg("--version").output().is_err() {
            skipped("no git program");
            return None;
        }
        let (services, cloud, open) = (services(), Cloud::start(Kind::Targon), Arc::new(AtomicBool::new(false)));
        let gate = open.clone();
        let pods = Fake::start(move |_, line, body| {
            if line.starts_with("GET") {
                return Reply::Body(Vec::new());
            }
            let begun = Instant::now();
            while !gate.load(Ordering::SeqCst) && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(5));
            }
            model("", "bird", prompt_of(body))
        });
        cloud.shop.lock().unwrap().program = Some(pods.address);
        let made = round(&services, &pods, miners, prompts);
        let top = tempfile::tempdir().unwrap();
        let objects = top.path().join("objects");
        crate::support::copy(&made.path().join(".gen404/objects"), &objects);
        std::fs::remove_dir_all(made.path().join(".gen404")).unwrap();
        edit(made.path(), "gen404.toml", |text| {
            let (before, _) = text.split_once("[pods]").unwrap();
            let rented = cloud.kind.settings(&cloud.url, "pause_seconds = 0.01");
            let store = format!("[store]\ndir = {objects:?}\ncdn_url = \"https://cdn.example\"\n");
            format!("{before}{rented}{store}[lease]\n{lease}\n")
        });
        let settings = std::fs::read_to_string(made.path().join("gen404.toml")).unwrap();
        std::fs::write(made.path().join(".gitignore"), "/gen404.toml\n").unwrap();
        git(made.path(), &["init", "-q", "-b", "main"]);
        git(made.path(), &["add", "."]);
        git(made.path(), &["commit", "-qm", "A round"]);
        git(top.path(), &["clone", "-q", "--bare", made.path().to_str().unwrap(), "bare.git"]);
        let hosts = Hosts { top, services, cloud, open };
        for name in ["a", "b"] {
            git(hosts.top.path(), &["clone", "-q", "bare.git", name]);
            let named = settings.replace("[lease]\n", &format!("[lease]\nhost = \"host-{name}\"\n"));
            std::fs::write(hosts.folder(name).join("gen404.toml"), named).unwrap();
        }
        Some(hosts)
    }

    fn folder(&self, host: &str) -> PathBuf {
        self.top.path().join(host)
    }

    fn prepared(&self, host: &str, args: &[&str]) -> Command {
        let mut command = command(&self.folder(host));
        command.args(args).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("RENDER_URL", self.services.url()).envs(Kind::Targon.keys("hunter2-key"));
        as_somebody(&mut command);
        command
    }

    fn run(&self, host: &str, args: &[&str]) -> Run {
        run_as(&mut self.prepared(host, args))
    }

    /// An audit that has rented its first pod, and waits for its program.
    fn begun(&self, host: &str) -> Child {
        let before = self.orders().len();
        let mut audit = self.prepared(host, &["--commit", "--push", "audit"]);
        let child = audit.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        self.until(|| self.orders().len() > before);
        child
    }

    fn until(&self, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never came so far: {:?}", self.orders());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The names of the pods ordered so far.
    fn orders(&self) -> Vec<String> {
        let shop = self.cloud.shop.lock().unwrap();
        let ordered = shop.calls.iter().filter(|call| call.line.starts_with(self.cloud.create()));
        ordered.map(|call| call.body["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The runs that rented pods, by player.
    fn runs(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut runs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for name in self.orders() {
            let mut parts = name.rsplitn(3, '-').skip(1).map(str::to_owned);
            let (run, player) = (parts.next().unwrap(), parts.next().unwrap());
            runs.entry(player).or_default().insert(run);
        }
        runs
    }

    fn has_ref(&self) -> bool {
        !git(&self.folder("bare.git"), &["for-each-ref", REF]).is_empty()
    }

    /// Announces what another host would.
    fn announce(&self, text: &str) {
        let (bare, file) = (self.folder("bare.git"), self.top.path().join("note"));
        std::fs::write(&file, text).unwrap();
        let blob = git(&bare, &["hash-object", "-w", file.to_str().unwrap()]);
        git(&bare, &["update-ref", REF, &blob]);
    }

    fn verdicts(&self) -> usize {
        let text = git(&self.folder("bare.git"), &["show", "main:rounds/0/generation_audits.json"]);
        let audits: Value = serde_json::from_str(&text).unwrap();
        audits.as_object().unwrap().values().filter(|audit| audit["outcome"] == "passed").count()
    }
}

#[track_caller]
fn ended(child: Child, code: i32) -> Run {
    let out = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: out.status.code().unwrap_or(-1), out: text(out.stdout), err: text(out.stderr) }.ends(code)
}

/// Numbers that look random, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[test]
fn another_host_waits_for_the_step_and_finds_it_done() {
    let Some(hosts) = Hosts::new("enabled = true", 1, 2) else { return };
    let first = hosts.begun("a");
    let waits = hosts.run("b", &["--commit", "--push", "audit"]).ends(3);
    assert!(waits.out.contains("audit waits: host-a does ") && waits.out.contains(" until 2"), "{waits:?}");
    let advance =
        hosts.run("b", &["--commit", "--push", "advance", "--skip", "duel", "--skip", "baseline", "-v"]).ends(0);
    assert!(advance.err.contains("host-a does "), "{advance:?}");
    let nothing = hosts.run("b", &["--commit", "--push", "advance", "--skip", "duel", "--skip", "baseline"]).ends(0);
    assert!(nothing.err.contains("`gen404 audit` waits (") && !nothing.err.contains("audit` is due"), "{nothing:?}");
    let status = hosts.run("b", &["status"]).ends(0);
    assert!(status.out.contains("waits: gen404 audit (host-a does it until "), "{status:?}");
    assert!(status.out.contains(&format!("elsewhere: audit: host-a does {}", hotkey(0))), "{status:?}");
    let shown = hosts.run("b", &["lease"]).ends(0);
    assert!(shown.out.contains("audit of round 0: host-a does "), "{shown:?}");
    hosts.open.store(true, Ordering::SeqCst);
    ended(first, 0);
    assert!(hosts.run("b", &["--commit", "--push", "audit"]).ends(0).out.contains("no audit is awaited"));
    assert!(hosts.runs().values().all(|runs| runs.len() == 1) && !hosts.has_ref());
    assert!(!hosts.run("b", &["status"]).ends(0).out.contains("host-a"));
    assert_eq!((hosts.verdicts(), hosts.cloud.pods()), (1, 0));
}

#[test]
fn without_a_lease_both_rent_as_ever() {
    let Some(hosts) = Hosts::new("enabled = false", 1, 1) else { return };
    let (first, second) = (hosts.begun("a"), hosts.begun("b"));
    assert!(!hosts.has_ref());
    hosts.open.store(true, Ordering::SeqCst);
    for child in [first, second] {
        child.wait_with_output().unwrap();
    }
    assert_eq!(hosts.runs().values().map(BTreeSet::len).collect::<Vec<_>>(), [2]);
}

/// Three of them here; `GEN404_INTERLEAVINGS=50` plays fifty.
#[test]
fn no_pod_is_rented_twice_however_two_hosts_meet() {
    let wanted = std::env::var("GEN404_INTERLEAVINGS").ok().and_then(|count| count.parse().ok());
    for seed in 0..wanted.unwrap_or(3_u64) {
        let Some(hosts) = Hosts::new("enabled = true", 2, 1) else { return };
        hosts.open.store(true, Ordering::SeqCst);
        std::thread::scope(|scope| {
            for (place, host) in ["a", "b"].into_iter().enumerate() {
                let hosts = &hosts;
                scope.spawn(move || {
                    let mut dice = Dice(seed * 2 + place as u64);
                    for _ in 0..50 {
                        std::thread::sleep(Duration::from_millis(dice.roll(400)));
                        let miner = hotkey(u8::try_from(dice.roll(2)).unwrap());
                        let part = if dice.roll(3) == 0 { vec!["--only", &miner] } else { Vec::new() };
                        let run = hosts.run(host, &[&["--commit", "--push", "audit"], &part[..]].concat());
                        assert!([0, 3].contains(&run.code), "seed {seed}: {run:?}");
                        if run.code == 0 && part.is_empty() {
                            return;
                        }
                    }
                    panic!("seed {seed}: {host} never saw the end");
                });
            }
        });
        let runs = hosts.runs();
        assert!(runs.len() == 2 && runs.values().all(|runs| runs.len() == 1), "seed {seed}: {runs:?}");
        assert_eq!((hosts.verdicts(), hosts.cloud.pods(), hosts.has_ref()), (2, 0, false), "seed {seed}");
    }
}

#[test]
fn a_lease_that_is_taken_away_stops_the_run_and_gives_its_pods_back() {
    let Some(hosts) = Hosts::new("enabled = true\nminutes = 0.1", 1, 1) else { return };
    let first = hosts.begun("a");
    let gone = hosts.run("b", &["lease", "--release", "host-a"]).ends(0);
    assert!(gone.out.contains("released: audit of round 0, held by host-a for "), "{gone:?}");
    let run = ended(first, 4);
    assert!(run.err.contains("the lease on this step is lost: another host took it away"), "{run:?}");
    assert!(run.err.contains("hint: `gen404 lease` shows who has it"), "{run:?}");
    assert_eq!((hosts.cloud.pods(), hosts.orders().len(), hosts.has_ref()), (0, 1, false));
}

#[test]
fn a_killed_run_is_waited_for_by_others_and_taken_over_by_its_own_host() {
    let Some(hosts) = Hosts::new("enabled = true", 1, 1) else { return };
    let mut first = hosts.begun("a");
    first.kill().unwrap();
    first.wait().unwrap();
    hosts.run("b", &["--commit", "--push", "audit"]).ends(3);
    hosts.open.store(true, Ordering::SeqCst);
    hosts.run("a", &["--commit", "--push", "audit"]).ends(0);
    assert_eq!((hosts.verdicts(), hosts.cloud.pods(), hosts.has_ref()), (1, 0, false));
}

#[test]
fn an_expired_lease_is_ignored_and_a_damaged_one_is_named() {
    let Some(hosts) = Hosts::new("enabled = true", 1, 1) else { return };
    hosts.open.store(true, Ordering::SeqCst);
    let audit = ["--commit", "--push", "audit"];
    let expired = |seconds: i64| {
        let at = |ago: i64| (chrono::Utc::now() - chrono::TimeDelta::seconds(ago)).format("%FT%TZ").to_string();
        let lease = json!({"host": "dead\u{1b}[2J", "run": "x", "command": "audit", "round": 0, "hotkeys": [],
                           "taken": at(seconds + 900), "expires": at(seconds)});
        json!({ "leases": [lease] }).to_string()
    };
    hosts.announce("{");
    let damaged = hosts.run("b", &audit).ends(1);
    assert!(damaged.err.contains("refs/gen404/lease on the remote does not parse"), "{damaged:?}");
    assert!(damaged.err.contains("gen404 lease --release"), "{damaged:?}");
    hosts.run("b", &["lease", "--release"]).ends(0);
    assert!(!hosts.has_ref());
    // Within the difference of clocks it holds.
    hosts.announce(&expired(30));
    let waits = hosts.run("b", &audit).ends(3);
    assert!(waits.out.contains("dead\\u{1b}[2J does it until "), "{waits:?}");
    assert!(hosts.orders().is_empty());
    // What is said is when this host may go on, not when the other's own clock says that it is over.
    let until = waits.out.split("does it until ").nth(1).unwrap().split(" UTC").next().unwrap();
    let until = chrono::NaiveDateTime::parse_from_str(until, "%F %T").unwrap().and_utc();
    let left = (until - chrono::Utc::now()).num_seconds();
    assert!((1..=90).contains(&left), "{left}: {waits:?}");
    for flags in [vec![], vec!["--dry-run"]] {
        let none = hosts.run("b", &[flags, vec!["lease", "--release", "nobody"]].concat()).ends(0).out;
        assert!(none.contains("\"nobody\" has announced no step; those of dead\\u{1b}[2J are there"), "{none}");
    }
    hosts.announce(&expired(600));
    assert!(hosts.run("b", &["lease"]).ends(0).out.contains(": expired"));
    hosts.run("b", &audit).ends(0);
    assert_eq!((hosts.verdicts(), hosts.has_ref()), (1, false));
}

#[test]
fn a_lease_needs_a_push() {
    let Some(hosts) = Hosts::new("enabled = true", 1, 1) else { return };
    let run = hosts.run("a", &["audit"]).ends(2);
    assert!(run.err.contains("[lease] is enabled") && run.err.contains("add --commit --push"), "{run:?}");
    assert!(hosts.orders().is_empty() && !hosts.has_ref());
}
