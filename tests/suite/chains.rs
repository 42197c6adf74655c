//! The chain of three.js tournaments, against a script that shares nothing with ours: made-up tournaments, told moment by
//! moment.

use std::path::Path;
use std::process::Command;

use gen404::model::file::RepoFile as _;
use gen404::model::ids::{Hotkey, Player, RoundNumber};
use gen404::model::threejs::audits::{DuelAuditRequests, DuelAuditVerdicts};
use gen404::model::threejs::file::{ThreejsContent, ThreejsFile, ThreejsRoundFile};
use gen404::rules::threejs::chain::{Chain, ChainFacts, Fate, by_miner, derive, order};
use gen404::rules::threejs::course::{Next, Unit, next};
use gen404::rules::threejs::requests::requests;
use gen404::rules::threejs::verdicts::verdicts;
use serde_json::{Value, json};

use crate::support::skipped;

fn told(arguments: &[&str]) -> Option<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_chain");
    let Ok(run) = Command::new("python3").arg(script).args(arguments).output() else {
        skipped("no python3 for scripts/check_chain");
        return None;
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    Some(String::from_utf8(run.stdout).unwrap())
}

fn parsed(file: ThreejsRoundFile, texts: &Value) -> ThreejsContent {
    let text = texts[file.name()].as_str().unwrap();
    let file = ThreejsFile::Round(RoundNumber(0), file);
    ThreejsContent::parse(&file, text.as_bytes()).unwrap().0
}

fn fate(fate: &Fate) -> Value {
    match fate {
        Fate::Rejected(reason) => json!({"fate": "rejected", "reason": reason}),
        Fate::Pending => json!({"fate": "pending"}),
        Fate::Lost(margin) => json!({"fate": "lost", "margin": margin}),
        Fate::Won { margin, verified } => json!({"fate": "won", "margin": margin, "verified": verified}),
    }
}

fn in_json(chain: &Chain<'_>) -> Value {
    let link = |link: &gen404::rules::threejs::chain::Link<'_>| {
        let mut value = fate(&link.fate);
        value["hotkey"] = json!(link.hotkey);
        value["holder"] = json!(link.holder);
        value
    };
    json!({
        "links": chain.links.iter().map(link).collect::<Vec<_>>(),
        "holder": chain.holder,
        "unplayed": chain.unplayed,
        "finalized": chain.finalized,
    })
}

fn first(next: &Next) -> Value {
    match next {
        Next::Play { turn, .. } => match &turn[0] {
            Unit::Match(left, right) => json!(["match", left, right]),
            Unit::Audit(duel) => json!(["audit", duel.opponent, duel.repeat, duel.right]),
        },
        Next::Finish(winner) => json!(["finish", winner]),
        Next::Wait(_) => json!(["wait"]),
    }
}

/// What has been published so far.
#[derive(Default)]
struct Published {
    requests: DuelAuditRequests,
    verdicts: Option<DuelAuditVerdicts>,
}

impl Published {
    fn follow(&mut self, case: &Value, order: &[&Hotkey], moment: &Value) {
        let of = |file| parsed(file, &moment["files"]);
        let ThreejsContent::Matrix(matrix) = of(ThreejsRoundFile::Matrix) else { panic!() };
        let ThreejsContent::AuditMatrix(audits) = of(ThreejsRoundFile::AuditMatrix) else { panic!() };
        let ThreejsContent::GenerationReports(reports) = of(ThreejsRoundFile::GenerationReports) else { panic!() };
        let ThreejsContent::SourceAudit(sources) = of(ThreejsRoundFile::SourceAudit) else { panic!() };
        let facts = ChainFacts {
            order,
            win_margin: case["win_margin"].as_f64().unwrap(),
            repeats: u32::try_from(case["repeats"].as_u64().unwrap()).unwrap(),
            matrix: &matrix,
            audits: &audits,
            reports: &reports,
            sources: &by_miner(&sources),
        };
        let chain = derive(&facts);
        let at = &case["case"];
        assert_eq!(in_json(&chain), moment["chain"], "case {at}");
        self.requests = requests(&chain, &self.requests);
        let verdicts = verdicts(&chain, &self.requests, self.verdicts.as_ref());
        let text = |bytes: Vec<u8>| json!(String::from_utf8(bytes).unwrap());
        assert_eq!(text(self.requests.to_bytes()), moment["after"]["require_audit.json"], "case {at}");
        assert_eq!(text(verdicts.to_bytes()), moment["after"]["generation_audits.json"], "case {at}");
        self.verdicts = Some(verdicts);
        let next = next(&chain, &facts, &self.requests);
        assert_eq!(first(&next), moment["next"], "case {at}");
        if let Next::Wait(awaited) = &next {
            assert!(!awaited.is_empty(), "case {at}: waits for nothing");
        }
    }
}

#[test]
fn a_script_derives_every_fate_holder_and_request() {
    let seed = std::env::var("GEN404_CHAIN_SEED").unwrap_or_else(|_| "1".to_owned());
    let Some(cases) = told(&["--cases", "200", "--seed", &seed]) else { return };
    let mut moments = 0;
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let ThreejsContent::Submissions(submissions) = parsed(ThreejsRoundFile::Submissions, &case) else { panic!() };
        let order = order(&submissions);
        let mut published = Published::default();
        for moment in case["moments"].as_array().unwrap() {
            published.follow(&case, &order, moment);
            moments += 1;
        }
    }
    assert!(moments > 1000, "{moments}");
}

/// Round 34 of the real competition: the script reads its verdicts out of its margins.
#[test]
fn the_script_follows_a_real_round() {
    let Some(shared) = crate::support::shared("formats/threejs") else { return };
    let Some(round) = told(&[shared.to_str().unwrap(), "--round", "34"]) else { return };
    let round: Value = serde_json::from_str(&round).unwrap();
    for file in ["require_audit.json", "generation_audits.json"] {
        let real = std::fs::read(shared.join("rounds/34").join(file)).unwrap();
        assert_eq!(round[file], serde_json::from_slice::<Value>(&real).unwrap(), "{file}");
    }
    let winner: Player = "5HJvp6ZSTt9qV3sLnrwqsmQX4AibV2WcyzERxGz9qo87hcGq".parse().unwrap();
    assert_eq!(round["next"], json!(["finish", winner]));
}
