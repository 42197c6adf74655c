//! `verify` on the real competition: every known truth, and nothing else.

use crate::support::{Found, edit, findings, gen404, real_competition};

fn short(found: &Found) -> String {
    let Found { id, subject, status, .. } = found;
    format!("{status} {id} {subject}")
}

#[test]
fn verify_finds_the_known_truths_and_nothing_else() {
    let Some(folder) = real_competition() else { return };
    let all = findings(folder.path(), &[]);
    let fails: Vec<_> = all.iter().filter(|found| found.status == "fail").collect();
    let [verdict] = fails.as_slice() else { panic!("{fails:#?}") };
    assert_eq!((verdict.id.as_str(), verdict.round), ("audit.verdict", Some(0)));
    assert!(verdict.subject.ends_with("5FP3qpaSyRrmpEcFstA3NbCDFvRB6GErTrwTX93zNPJvwXfr"), "{}", verdict.subject);
    for part in ["checked_prompts is 102, expected 128", "failed_prompts is 9, expected 36"] {
        assert!(verdict.detail.contains(part), "{}", verdict.detail);
    }

    let programs = all.iter().filter(|found| found.status == "warn" && found.id == "copies.programs").count();
    let shared = all.iter().filter(|found| found.id == "copies.programs" && found.detail.starts_with("submitted by "));
    assert_eq!(shared.count(), 19, "pairs of repository and commit that several hotkeys share");
    let failed_judge: Vec<_> = all.iter().filter(|found| found.detail.contains("Internal error")).collect();
    let count = |detail: &str| detail.split(" in ").nth(1).unwrap().split(' ').next().unwrap().parse::<u32>().unwrap();
    let duels: u32 = failed_judge.iter().map(|found| count(&found.detail)).sum();
    assert_eq!(duels, 21);
    assert!(failed_judge.iter().all(|found| found.status == "warn" && found.round == Some(0)));
    assert_eq!(all.iter().filter(|found| found.status == "warn").count(), programs + failed_judge.len());

    let mut skips: Vec<_> = all.iter().filter(|found| found.status == "skip").map(short).collect();
    skips.sort();
    let expected =
        ["prompts.new rounds/0/prompts.txt", "prompts.new rounds/1/prompts.txt", "prompts.new rounds/2/prompts.txt"]
            .into_iter()
            .chain([
                "seed.derived rounds/0/seed.json",
                "seed.derived rounds/1/seed.json",
                "seed.derived rounds/2/seed.json",
            ]);
    assert_eq!(skips, expected.map(|skip| format!("skip {skip}")).collect::<Vec<_>>());
}

#[test]
fn history_finds_each_intervention_as_the_rule_it_breaks() {
    let Some(folder) = real_competition() else { return };
    let all = findings(folder.path(), &["--history"]);
    let found: Vec<_> = all.iter().filter(|found| found.id.starts_with("history.")).map(short).collect();
    assert_eq!(
        found,
        [
            "fail history.append_only 9770d29593 leader.json",
            // Builds that were done and ran again in the duels; all images of another registry; one image.
            "warn history.append_only 4c68b42bba rounds/0/builds.json",
            "warn history.append_only f4a606aae4 rounds/0/builds.json",
            "warn history.append_only 36a6d8517e rounds/0/builds.json",
            "fail history.append_only a12bc9d6e1 rounds/1/leader/generated.json",
            "fail history.append_only 5937ef2db4 rounds/1/leader/generated.json",
            "fail history.append_only 5937ef2db4 rounds/1/matches_matrix.csv",
            // Matches that were judged again before a row was in the matrix.
            "warn history.append_only 633f4d6228 rounds/1/5G1GM8LUMzzSiyQ6kMJQsTcTVLb5pFUD3jXDuUkcN8VyUX7A/duels_leader.json",
            "warn history.append_only 93a9ef6408 rounds/1/5D2vzzgaYq1c9NqyaWAjnK5xWDtrzJMjBeD6ar8W5q5sDh7p/duels_leader.json",
            "warn history.append_only 93a9ef6408 rounds/1/5DCZ3i1bcBoAe5RD7i5iSiP2vQBSCKr2bsBz4tZ3q6vZ9Srt/duels_leader.json",
            "warn history.append_only 93a9ef6408 rounds/1/5EEdbizRinqtCQnjC6d6RuHJwEGgXC79LGT9vXZdGfvSMJfY/duels_leader.json",
            "warn history.append_only 93a9ef6408 rounds/1/5EcrCvTP1QsbuP5cRDpuLVonK5TvMPMFDV1gYo7FLco2oFUS/duels_leader.json",
            "warn history.append_only 93a9ef6408 rounds/1/5EjwzQdAutgZe1xVw5w2hGnwww73htfyRB5aiSs2RFzhnSYa/duels_leader.json",
            "warn history.append_only 93a9ef6408 rounds/1/5G1Vnk2D2nVkZcB1MfUb2sgRvS1diUzd1W4ygbVqkBKHwDbN/duels_leader.json",
            "warn history.append_only 93a9ef6408 rounds/1/5GgVxYJS3RsZtdhCVkW9DwBcjojAkcSpZXz6AnefsThrhPJf/duels_leader.json",
            "warn history.append_only 90805c7a86 rounds/1/5GGsuLzc5aTW6n6CWtrncf4aYmePuVKHDemjdgHQyqY5ea1Y/duels_leader.json",
            "warn history.append_only 90805c7a86 rounds/1/5GTRip78cyK3Vp1MQZR9kMbPCugaw7xHj5Qq8XLL9FZMtne4/duels_leader.json",
            "warn history.append_only 90805c7a86 rounds/1/5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg/duels_leader.json",
            "warn history.append_only cadd9ac855 rounds/1/5FefWwMu1yF6Gjk6preRyvuQsnxS57upHBpkd9u5B9pePzvX/duels_leader.json",
            "warn history.append_only cadd9ac855 rounds/1/5GmnqjwWjdcA41g3wZtWwkrK2EJKb2Adq5Y5PHWqJoe7gVGL/duels_leader.json",
            "warn history.append_only 5ae06aba2a rounds/1/5DcQs3LcdM2SQDTNb1sfPqrGWKBh9sgk2G97RhQzvqsZup2w/duels_leader.json",
            "fail history.stage 9770d29593 state.json",
            "fail history.stage a33e61ddab state.json",
            "fail history.writer 9770d29593 config.json",
        ]
    );
    let broken: Vec<_> = all.iter().filter(|found| found.id == "file.parse").map(short).collect();
    assert_eq!(broken, ["warn file.parse 1d586be1b7 config.json", "warn file.parse 857103b9aa rounds/0/schedule.json"]);
}

/// Round 1's audit request rests on a match that was played again later: only the commit that added
/// it shows that it was right.
#[test]
fn without_history_an_audit_request_is_judged_on_the_files_and_only_warned_of() {
    let Some(folder) = real_competition() else { return };
    std::fs::remove_dir_all(folder.path().join(".git")).unwrap();
    let all = findings(folder.path(), &[]);
    let requests: Vec<_> = all.iter().filter(|found| found.id == "audit.request").map(short).collect();
    assert_eq!(
        requests,
        ["warn audit.request rounds/1/require_audit.json 5GgVxYJS3RsZtdhCVkW9DwBcjojAkcSpZXz6AnefsThrhPJf"]
    );
    gen404(folder.path(), &["verify", "--history"]).ends(2);
}

#[test]
fn lies_about_real_rounds_are_found() {
    let Some(folder) = real_competition() else { return };
    let hotkey = "5FLiyT19Vc2QEiuGkygZ7VZw9Y9i8WkT53k3Kda9FrKUUxuq";
    edit(folder.path(), "rounds/2/seed.json", |text| text.replace("1206881584", "1206881585"));
    let found = findings(folder.path(), &["--round", "2"]);
    assert!(
        found.iter().any(|found| found.id == "prompts.carryover" && found.detail.contains("line 1 is")),
        "{found:#?}"
    );
    edit(folder.path(), "rounds/2/seed.json", |text| text.replace("1206881585", "1206881584"));
    let lies: [(&str, &str, &str, &str); 5] = [
        ("rounds/1/schedule.json", "7476690", "7476691", "schedule.blocks"),
        ("leader.json", "0.6000000000000001", "0.61", "leader.transition"),
        ("rounds/0/winner.json", "aa10f6f-mesh-0", "aa10f6e-mesh-0", "winner.source"),
        ("rounds/0/matches_matrix.csv", "0.0546875", "0.0625", "match.matrix"),
        ("rounds/0/require_audit.json", "695427c8", "695427c9", "audit.critical"),
    ];
    for (path, old, new, id) in lies {
        edit(folder.path(), path, |text| text.replacen(old, new, 1));
        let found = findings(folder.path(), &[]);
        let hit = found.iter().any(|found| found.status == "fail" && found.id == id && found.subject.starts_with(path));
        assert!(hit, "{path} {old} -> {new}: {found:#?}");
        edit(folder.path(), path, |text| text.replacen(new, old, 1));
    }
    // A distance that crosses the limit changes the verdict's counts.
    edit(folder.path(), &format!("rounds/0/{hotkey}/generated.json"), |text| {
        let at = text.find("\"distance\": 0.0").unwrap();
        format!("{}\"distance\": 0.5{}", &text[..at], &text[at + "\"distance\": 0.0".len()..])
    });
    assert!(
        findings(folder.path(), &[]).iter().any(|found| found.id == "audit.verdict" && found.subject.ends_with(hotkey))
    );
}
