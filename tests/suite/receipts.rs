//! Receipts: the same bytes wherever they are made, signed and compared.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::checkouts::ended;
use crate::support::{Run, command, edit, example, git, skipped};

/// The example with a rule of its own and a file that does not parse, and a place for clones of it.
fn served() -> Option<(tempfile::TempDir, tempfile::TempDir)> {
    if Command::new("git").arg("--version").output().is_err() {
        skipped("no git program");
        return None;
    }
    let folder = example(true);
    crate::support::set_rules(folder.path(), serde_json::json!({ "distance": 0.25 }));
    edit(folder.path(), "rounds/1/schedule.json", |text| text.replace("707800", "707801"));
    std::fs::write(folder.path().join("rounds/0/winner.json"), "{").unwrap();
    std::os::unix::fs::symlink("../seed.json", folder.path().join("rounds/0/builds.json.link")).unwrap();
    std::fs::remove_file(folder.path().join("rounds/0/prompts.txt")).unwrap();
    std::os::unix::fs::symlink("../1/prompts.txt", folder.path().join("rounds/0/prompts.txt")).unwrap();
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-qm", "Damage"]);
    Some((folder, tempfile::tempdir().unwrap()))
}

fn clone(from: &Path, to: &Path) -> PathBuf {
    git(from, &["clone", "-q", "--no-local", from.to_str().unwrap(), to.to_str().unwrap()]);
    to.to_owned()
}

fn verify(root: &Path, args: &[&str]) -> Run {
    ended(command(root).env("HOME", root.parent().unwrap()).arg("verify").args(args))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn two_machines_make_the_same_receipt_and_either_is_found_to_agree() {
    let Some((served, top)) = served() else { return };
    let one = clone(served.path(), &top.path().join("first-clone"));
    let two = clone(&one, &top.path().join("elsewhere, far away"));
    let receipts = ["one.json", "two.json"].map(|name| top.path().join(name));
    verify(&one, &["--history", "--receipt", text(&receipts[0])]).ends(1);
    // Another user, time zone, language and number of threads; and this reader has been here before.
    verify(&two, &[]).ends(1);
    let mut other = Command::new(env!("CARGO_BIN_EXE_gen404"));
    other.env_clear().env("HOME", top.path()).env("TZ", "America/St_Johns").env("LC_ALL", "tr_TR.UTF-8");
    other.env("RAYON_NUM_THREADS", "1").env("USER", "somebody").current_dir(top.path());
    other.args(["--repo", text(&two), "verify", "--history", "--receipt", text(&receipts[1])]);
    ended(&mut other).ends(1);
    let [bytes, again] = receipts.clone().map(|path| std::fs::read_to_string(path).unwrap());
    assert_eq!(bytes, again);
    for own in [text(top.path()), "first-clone", "elsewhere", "somebody", "localhost"] {
        assert!(!bytes.contains(own), "{own} in {bytes}");
    }
    let receipt: Value = serde_json::from_str(&bytes).unwrap();
    crate::json::check_receipt(&receipt);
    assert_eq!(receipt["commit"], git(&one, &["rev-parse", "HEAD"]));
    assert_eq!(receipt["tree"], git(&one, &["rev-parse", "HEAD^{tree}"]));
    assert_eq!(receipt["gen404"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(receipt["rules"]["limits"]["distance"], 0.25);
    assert!(receipt["findings"]["fail"].as_u64().unwrap() > 1 && receipt["checks"]["history.continues"].is_null());
    // It agrees with itself elsewhere; claims that fail still fail.
    let agreed = verify(&two, &["--check-receipt", text(&receipts[0])]).ends(1);
    assert!(agreed.out.contains("the receipt agrees"), "{agreed:?}");
    the_digest_is_that_of_the_findings(&one, &receipt);
}

/// What the documents say of the digest, done by hand.
fn the_digest_is_that_of_the_findings(root: &Path, receipt: &Value) {
    use sha2::Digest as _;
    let json = verify(root, &["--history", "--json"]).json();
    let mut sum = sha2::Sha256::new();
    for finding in json["details"]["checks"].as_array().unwrap() {
        if finding["id"] == "history.continues" {
            continue;
        }
        let sorted: std::collections::BTreeMap<String, Value> = serde_json::from_value(finding.clone()).unwrap();
        sum.update(serde_json::to_string(&sorted).unwrap() + "\n");
    }
    assert_eq!(receipt["findings"]["sha256"], hex::encode(sum.finalize()));
}

#[test]
fn each_difference_from_a_receipt_is_named() {
    let Some((served, top)) = served() else { return };
    let root = clone(served.path(), &top.path().join("one"));
    let path = top.path().join("receipt.json");
    let dry = verify(&root, &["--receipt", text(&path), "--dry-run", "--json"]).ends(1).json();
    assert!(dry["files"][0] == text(&path) && !path.exists(), "{dry}");
    let made = verify(&root, &["--receipt", text(&path), "--json"]).ends(1).json();
    let bytes = std::fs::read(&path).unwrap();
    use sha2::Digest as _;
    assert_eq!(made["details"]["receipt"]["sha256"], hex::encode(sha2::Sha256::digest(&bytes)));
    let original: Value = serde_json::from_slice(&bytes).unwrap();
    let tampered = top.path().join("tampered.json");
    for (pointer, value) in [
        ("/commit", Value::from("0".repeat(40))),
        ("/tree", Value::from("0".repeat(40))),
        ("/gen404/version", Value::from("0.0.1")),
        ("/findings/fail", Value::from(0)),
        ("/findings/sha256", Value::from("0".repeat(64))),
        ("/checks/seed.derived/pass", Value::from(99)),
        ("/rules/limits/distance", Value::from(0.1)),
        ("/rules/config_sha256", Value::Null),
        ("/scope/commits", Value::from(1)),
        ("/format/name", Value::from("splat")),
    ] {
        let mut other = original.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        std::fs::write(&tampered, other.to_string()).unwrap();
        let run = verify(&root, &["--check-receipt", text(&tampered), "--json"]).ends(1).json();
        let told = run["details"]["receipt"]["differences"].as_array().unwrap();
        let key = pointer[1..].replace('/', ".");
        assert!(told.len() == 1 && told[0].as_str().unwrap().starts_with(&format!("{key} is ")), "{told:?}");
        let plain = verify(&root, &["-q", "--check-receipt", text(&tampered)]).ends(1);
        assert!(plain.out.contains(&format!("tampered.json: {key} is ")), "{plain:?}");
        assert!(plain.out.ends_with("tampered.json: the receipt does not agree: 1 difference\n"), "{plain:?}");
    }
    // Keys that are there twice: readers differ in which one they take.
    let twice = original.to_string().replacen("\"fail\":", "\"fail\":0,\"fail\":", 1);
    std::fs::write(&tampered, twice).unwrap();
    let refused = verify(&root, &["--check-receipt", text(&tampered)]).ends(2);
    assert!(refused.err.contains("not a receipt") && refused.err.contains("\"fail\" is given twice"), "{refused:?}");
}

#[test]
fn a_receipt_that_does_not_agree_is_the_last_word() {
    let Some((_, top)) = served() else { return };
    // A competition whose claims all hold.
    let sound = example(true);
    let root = clone(sound.path(), &top.path().join("sound"));
    let path = top.path().join("receipt.json");
    verify(&root, &["--receipt", text(&path)]).ends(0);
    let agreed = verify(&root, &["--check-receipt", text(&path)]).ends(0);
    assert!(agreed.out.ends_with("receipt.json: the receipt agrees\n"), "{agreed:?}");
    // Of a later commit, the commit and what follows from it differ; what explains the rest is told alone.
    std::fs::write(root.join("rounds/1/source_audit.json"), "[]").unwrap();
    git(&root, &["add", "-A"]);
    git(&root, &["commit", "-q", "-m", "Later"]);
    let later = verify(&root, &["--history", "--check-receipt", text(&path)]).ends(1);
    let after = later.out.split("every claim that can be checked here holds").nth(1).expect("the summary comes before");
    let told: Vec<&str> =
        after.lines().filter_map(|line| line.split_once("receipt.json: ")).map(|(_, told)| told).collect();
    let begins = |at: usize, with: &str| told.get(at).is_some_and(|line| line.starts_with(with));
    assert!(begins(0, "commit is ") && begins(1, "tree is ") && begins(2, "scope.commits is "), "{told:#?}");
    assert!(begins(3, "scope.history is true, the receipt says false (--history)"), "{told:#?}");
    assert!(told.len() == 6 && begins(5, "the receipt does not agree: "), "{told:#?}");
    let count: usize = told[5].split(' ').nth(5).unwrap().parse().unwrap();
    assert!(begins(4, &format!("and {} more in what was found", count - 4)), "{told:#?}");
}

#[test]
fn an_operators_own_settings_are_in_no_receipt() {
    let Some((_, top)) = served() else { return };
    let served = example(true);
    let private = |text: &str| text.replacen("\"cdn_url\": \"https://", "\"cdn_url\": \"https://10.0.0.1/", 1);
    edit(served.path(), "rounds/1/submissions.json", private);
    git(served.path(), &["commit", "-qam", "A private host"]);
    let operator = clone(served.path(), &top.path().join("operator"));
    let stranger = clone(served.path(), &top.path().join("stranger"));
    std::fs::write(operator.join(".git/gen404.toml"), "[miners]\nallow_private_cdn = true\n").unwrap();
    let own = ["--config", ".git/gen404.toml"];
    let path = top.path().join("receipt.json");
    let alone = verify(&operator, &own);
    assert!(!alone.out.contains("10.0.0.1"), "{alone:?}");
    let made = verify(&operator, &[&own[..], &["--receipt", text(&path)]].concat()).ends(1);
    assert!(made.out.contains("10.0.0.1") && made.err.contains("allow_private_cdn"), "{made:?}");
    let agreed = verify(&stranger, &["--check-receipt", text(&path)]).ends(1);
    assert!(agreed.out.ends_with("the receipt agrees\n"), "{agreed:?}");
    let agreed = verify(&operator, &[&own[..], &["--check-receipt", text(&path)]].concat()).ends(1);
    assert!(agreed.out.ends_with("the receipt agrees\n"), "{agreed:?}");
}

#[test]
fn a_receipt_is_only_of_what_is_committed_and_replaces_no_other_file() {
    let Some((served, top)) = served() else { return };
    let root = clone(served.path(), &top.path().join("one"));
    let path = top.path().join("receipt.json");
    verify(&root, &["--receipt", text(&path)]).ends(1);
    verify(&root, &["--round", "0", "--receipt", text(&path)]).ends(1);
    let agreed = verify(&root, &["--check-receipt", text(&path)]);
    assert!(agreed.out.contains("the receipt agrees"), "the round is as the receipt says: {agreed:?}");
    for other in ["config.json", ".git/config", "rounds"] {
        let before = std::fs::read(root.join(other)).ok();
        let refused = verify(&root, &["--receipt", other]).ends(2);
        assert!(refused.err.contains("another file"), "{refused:?}");
        assert_eq!(std::fs::read(root.join(other)).ok(), before);
    }
    for bad in ["{}", "{\"schema\":\"gen404/receipt/2\"}", "", &"[".repeat(5000)] {
        let broken = top.path().join("broken.json");
        std::fs::write(&broken, bad).unwrap();
        let refused = verify(&root, &["--check-receipt", text(&broken)]).ends(2);
        assert!(refused.err.contains("not a receipt"), "{refused:?}");
    }
    verify(&root, &["--check-receipt", "missing.json"]).ends(2);
    edit(&root, "rounds/1/schedule.json", |text| text.replace("707801", "707800"));
    for flag in ["--receipt", "--check-receipt"] {
        let dirty = verify(&root, &[flag, text(&path)]).ends(1);
        assert!(dirty.err.contains("1 file differs from it") && dirty.err.contains("git stash"), "{dirty:?}");
    }
    // What no competition has does not count.
    git(&root, &["checkout", "-q", "."]);
    std::fs::write(root.join("notes.txt"), "mine").unwrap();
    let agreed = verify(&root, &["--check-receipt", text(&path)]);
    assert!(agreed.out.contains("the receipt agrees"), "{agreed:?}");
    crate::support::gen404(example(false).path(), &["verify", "--receipt", "x.json"]).ends(2);
}

#[test]
fn a_receipt_is_signed_as_the_documents_say() {
    let Some((served, top)) = served() else { return };
    let root = clone(served.path(), &top.path().join("one"));
    verify(&root, &["--receipt", "../receipt.json"]).ends(1);
    let keygen = |line: &str, stdin: Option<&str>| {
        let mut command = Command::new("ssh-keygen");
        command.args(line.split(' ')).current_dir(top.path());
        if let Some(name) = stdin {
            command.stdin(std::fs::File::open(top.path().join(name)).unwrap());
        }
        command.output()
    };
    if keygen("-q -t ed25519 -N  -C me@example.org -f key", None).is_err() {
        return skipped("no ssh-keygen");
    }
    let signed = keygen("-Y sign -f key -n gen404-receipt receipt.json", None).unwrap();
    assert!(signed.status.success(), "{signed:?}");
    let public = std::fs::read_to_string(top.path().join("key.pub")).unwrap();
    std::fs::write(top.path().join("allowed_signers"), format!("me@example.org {public}")).unwrap();
    let line = "-Y verify -f allowed_signers -I me@example.org -n gen404-receipt -s receipt.json.sig";
    assert!(keygen(line, Some("receipt.json")).unwrap().status.success());
    verify(&root, &["--round", "0", "--receipt", "../receipt.json"]).ends(1);
    assert!(!keygen(line, Some("receipt.json")).unwrap().status.success());
}
