//! `verify --signers`: commits checked by git itself, with real keys.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::checkouts::{checkout, ended};
use crate::support::{Run, command, git, skipped};

/// A checkout, and two keys beside it.
struct Signing {
    checkout: tempfile::TempDir,
    keys: tempfile::TempDir,
}

impl Signing {
    fn new() -> Option<Signing> {
        let (checkout, keys) = (checkout()?, tempfile::tempdir().unwrap());
        for name in ["alice", "bob"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(keys.path().join(name))
                .status();
            if !made.is_ok_and(|made| made.success()) {
                skipped("no ssh-keygen");
                return None;
            }
        }
        let signing = Signing { checkout, keys };
        signing.commit(None, "2025-01-01T12:00:00Z", &["commit", "-q", "--amend", "--no-edit"]);
        Some(signing)
    }

    fn root(&self) -> &Path {
        self.checkout.path()
    }

    fn key(&self, name: &str) -> String {
        std::fs::read_to_string(self.keys.path().join(name).with_extension("pub")).unwrap().trim().to_owned()
    }

    /// A commit at this time, signed by this key if any.
    fn commit(&self, key: Option<&str>, time: &str, more: &[&str]) -> String {
        let signing = key.map(|key| format!("user.signingkey={}", self.keys.path().join(key).display()));
        let mut args = vec!["-c", "gpg.format=ssh"];
        args.extend(signing.iter().flat_map(|signing| ["-c", signing.as_str()]));
        let plain = ["commit", "-q", "--allow-empty", "-m", "A commit"];
        args.extend(if more.is_empty() { &plain[..] } else { more });
        args.extend(key.map(|_| "-S"));
        let mut command = Command::new("git");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").current_dir(self.root());
        command.env("GIT_AUTHOR_DATE", time).env("GIT_COMMITTER_DATE", time);
        let run = command.args(args).output().unwrap();
        assert!(run.status.success(), "{run:?}");
        git(self.root(), &["rev-parse", "HEAD"])
    }

    fn list(&self, text: &str) -> PathBuf {
        let path = self.keys.path().join("allowed_signers");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `verify --signers` with this list.
    fn verify(&self, list: &str, more: &[&str]) -> Run {
        let list = self.list(list);
        let mut command = command(self.root());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        ended(command.args(["verify", "--signers", list.to_str().unwrap()]).args(more))
    }

    #[track_caller]
    fn fails(&self, list: &str, more: &[&str], says: &[&str]) {
        let run = self.verify(list, more).ends(1);
        let line = run.out.lines().find(|line| line.contains("history.signed")).unwrap_or_else(|| panic!("{run:?}"));
        assert!(line.starts_with("fail") && says.iter().all(|part| line.contains(part)), "{says:?} in {line}");
    }
}

const THEN: &str = "2026-03-01T12:00:00Z";

#[test]
fn all_commits_since_the_first_signed_one_are_signed_by_someone_of_the_list() {
    let Some(signing) = Signing::new() else { return };
    let (alice, bob) = (format!("alice@a {}\n", signing.key("alice")), format!("bob@b {}\n", signing.key("bob")));
    signing.fails(&alice, &[], &["none of 1 commit is signed"]);
    signing.commit(None, THEN, &[]);
    let first = signing.commit(Some("alice"), THEN, &[]);
    signing.commit(Some("alice"), THEN, &[]);
    signing.verify(&alice, &[]).ends(0);
    let json = signing.verify(&alice, &["--json"]).ends(0).json();
    let checks = json["details"]["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["id"] == "history.signed").unwrap();
    assert_eq!(found["detail"], format!("since {}, signed by alice@a (2)", &first[..10]));
    let wordy = signing.verify(&alice, &["-v"]).ends(0).out;
    let passed = wordy.lines().find(|line| line.starts_with("pass")).unwrap_or_default();
    assert!(passed.contains("--signers: since ") && passed.ends_with("signed by alice@a (2)"), "{wordy}");
    // A merge commit is one like any other.
    git(signing.root(), &["checkout", "-q", "-b", "side"]);
    signing.commit(Some("bob"), THEN, &[]);
    git(signing.root(), &["checkout", "-q", "main"]);
    let merge = ["merge", "-q", "--no-ff", "-m", "A merge", "side"];
    let unsigned = signing.commit(None, THEN, &merge);
    signing.fails(&format!("{alice}{bob}"), &[], &[&unsigned[..10], "A merge", "not signed"]);
    git(signing.root(), &["reset", "-q", "--hard", "HEAD~1"]);
    signing.commit(Some("alice"), THEN, &merge);
    signing.verify(&format!("{alice}{bob}"), &[]).ends(0);
    signing.fails(&alice, &[], &["(A commit): signed with a key that the list does not have"]);
    // An old date is no excuse.
    let late = signing.commit(None, "2020-01-01T00:00:00Z", &[]);
    signing.fails(&format!("{alice}{bob}"), &[], &[&late[..10], "not signed"]);
}

#[test]
fn keys_count_only_as_the_list_says() {
    let Some(signing) = Signing::new() else { return };
    let (alice, bob) = (signing.key("alice"), signing.key("bob"));
    signing.commit(Some("alice"), THEN, &[]);
    signing.commit(Some("alice"), "2026-04-01T12:00:00Z", &[]);
    for (options, fails) in [
        ("", None),
        ("valid-after=\"20240101\",valid-before=\"20270101\"", Some("not signed")),
        ("valid-after=\"20260101\",valid-before=\"20270101\"", None),
        ("valid-after=\"20260315\"", None),
        ("namespaces=\"git\"", None),
        ("namespaces=\"file\"", Some("none of 3 commits")),
        ("valid-before=\"20260315Z\"", Some("or not for the commit's date")),
        ("valid-before=\"20200101\"", Some("none of 3 commits")),
        ("cert-authority", Some("none of 3 commits")),
    ] {
        let list = format!("alice@a {options} {alice}\n").replace("  ", " ");
        match fails {
            None => drop(signing.verify(&list, &[]).ends(0)),
            // The first commit is dated later than the key's first day.
            Some("not signed") => signing.fails(&list, &[], &["A round", "not signed"]),
            Some(says) => signing.fails(&list, &[], &[says]),
        }
    }
    signing.fails(&format!("alice@a {bob}\n"), &[], &["none of 3 commits"]);
    // Revoked, by a list of keys and by one of ssh-keygen's.
    let both = format!("alice@a {alice}\nbob@b {bob}\n");
    let revoked = signing.keys.path().join("alice.pub");
    signing.fails(&both, &["--revoked", revoked.to_str().unwrap()], &["none of 3 commits"]);
    let krl = signing.keys.path().join("krl");
    let made = Command::new("ssh-keygen").args(["-q", "-k", "-f"]).args([&krl, &revoked]).status().unwrap();
    assert!(made.success());
    signing.fails(&both, &["--revoked", krl.to_str().unwrap()], &["none of 3 commits"]);
    signing.commit(Some("bob"), THEN, &[]);
    // Another signer's commit covers what it is built on.
    signing.verify(&both, &["--revoked", krl.to_str().unwrap()]).ends(0);
}

#[test]
fn a_signature_for_something_else_does_not_count() {
    let Some(signing) = Signing::new() else { return };
    let (root, keys) = (signing.root(), signing.keys.path());
    let signed = signing.commit(Some("alice"), THEN, &[]);
    let list = format!("alice@a {}\n", signing.key("alice"));
    // The same signature under another message.
    let text = git(root, &["cat-file", "commit", &signed]);
    let put = |text: &str| {
        let path = keys.join("raw");
        std::fs::write(&path, text).unwrap();
        git(root, &["hash-object", "-t", "commit", "-w", path.to_str().unwrap()])
    };
    let moved = put(&(text.replace("A commit", "Another one") + "\n"));
    git(root, &["reset", "-q", "--hard", &moved]);
    signing.fails(&list, &["--history", "--from", &moved], &[&moved[..10], "not that of its content"]);
    // A signature of the right bytes, but for files; and one of another kind.
    let head = text.split("gpgsig ").next().unwrap().to_owned();
    let payload = format!("{head}\nFor files\n");
    std::fs::write(keys.join("payload"), &payload).unwrap();
    let made = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", "file", "-f"])
        .args([keys.join("alice"), keys.join("payload")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let signature = std::fs::read_to_string(keys.join("payload.sig")).unwrap();
    for (signature, says) in [
        (signature.as_str(), "not for git"),
        ("-----BEGIN PGP SIGNATURE-----\n\niQ\n-----END PGP SIGNATURE-----\n", "not an SSH one"),
    ] {
        let lines: Vec<&str> = signature.trim_end().split('\n').collect();
        let made = put(&format!("{head}gpgsig {}\n\nFor files\n", lines.join("\n ")));
        git(root, &["reset", "-q", "--hard", &made]);
        signing.fails(&list, &["--history", "--from", &made], &[&made[..10], says]);
    }
}

#[test]
fn nothing_that_the_repository_names_is_run_or_believed() {
    let Some(signing) = Signing::new() else { return };
    let root = signing.root();
    signing.commit(Some("bob"), THEN, &[]);
    let list = format!("alice@a {}\n", signing.key("alice"));
    let mark = signing.keys.path().join("ran");
    let program = signing.keys.path().join("program");
    std::fs::write(&program, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let allowed = signing.keys.path().join("theirs");
    std::fs::write(&allowed, format!("bob@b {}\n", signing.key("bob"))).unwrap();
    let config = std::fs::read(root.join(".git/config")).unwrap();
    for (name, value) in [
        ("gpg.ssh.program", &program),
        ("gpg.program", &program),
        ("core.pager", &program),
        ("core.fsmonitor", &program),
        ("core.sshCommand", &program),
        ("log.showSignature", &program),
        ("gpg.ssh.allowedSignersFile", &allowed),
    ] {
        git(root, &["config", name, value.to_str().unwrap()]);
    }
    signing.fails(&list, &[], &["none of 2 commits"]);
    assert!(!mark.exists());
    // A signed commit in place of another is not what the history has.
    std::fs::write(root.join(".git/config"), &config).unwrap();
    let unsigned = git(root, &["rev-parse", "HEAD"]);
    let signed = signing.commit(Some("alice"), THEN, &[]);
    git(root, &["reset", "-q", "--hard", &unsigned]);
    git(root, &["replace", &unsigned, &signed]);
    signing.fails(&list, &[], &["none of 2 commits"]);
}

#[test]
fn the_lists_mistakes_and_lacking_programs_are_named() {
    let Some(signing) = Signing::new() else { return };
    signing.commit(Some("alice"), THEN, &[]);
    let key = signing.key("alice");
    for (list, says) in [
        ("", "names no signer"),
        ("# nobody\n", "names no signer"),
        (&format!("{key}\n"), "line 1: not a signer and a key"),
        (&format!("a valid-after=\"soon\" {key}\n"), "valid-after=soon"),
    ] {
        let run = signing.verify(list, &[]).ends(2);
        assert!(run.err.contains(says) && run.err.contains("allowed_signers"), "{says}: {run:?}");
    }
    let list = signing.list(&format!("alice@a {key}\n"));
    let mut without = command(signing.root());
    without.env("PATH", signing.keys.path()).args(["verify", "--signers", list.to_str().unwrap()]);
    let run = ended(&mut without).ends(1);
    assert!(run.err.contains("ssh-keygen cannot be run") && run.err.contains("hint: "), "{run:?}");
    ended(command(signing.root()).args(["verify", "--signers", "missing"])).ends(2);
    ended(command(signing.root()).args(["verify", "--revoked", "missing"])).ends(2);
    // A list that the competition brings along proves nothing by itself.
    std::fs::write(signing.root().join("signers"), format!("alice@a {key}\n")).unwrap();
    git(signing.root(), &["add", "signers"]);
    signing.commit(Some("alice"), THEN, &[]);
    let mut theirs = command(signing.root());
    theirs.env("PATH", std::env::var_os("PATH").unwrap_or_default()).args(["verify", "--signers", "signers"]);
    let run = ended(&mut theirs).ends(0);
    assert!(run.out.contains("warn  history.signed") && run.out.contains("may change it"), "{run:?}");
}
