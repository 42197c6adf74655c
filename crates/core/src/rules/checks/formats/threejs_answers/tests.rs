use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::model::ids::{Hotkey, Seed};
use crate::model::question::{Asked, ImageForm, QuestionFile};
use crate::model::record::{Entries, Extra};
use crate::model::threejs::answers::StageGiven;
use crate::model::threejs::asked::{
    Category, Check, CheckAnswer, FeatureAnswer, Form, IssuesAnswer, PenaltyAnswer, PromptFeature, StageAnswer,
    VerdictAnswer,
};
use crate::model::threejs::calls::{CallId, Order};
use crate::model::threejs::detail::{Match, SideVerdict};
use crate::model::threejs::file::RoundWords;
use crate::model::threejs::view::View;
use crate::rules::checks::formats::OtherFacts;
use crate::rules::checks::{CheckStatus, Finding};
use crate::rules::threejs::staged::{BestViews, Known, Next, StageCall, next};

const ROUND: RoundNumber = RoundNumber(4);
const BEST: [View; 2] = [View::FrontLeft, View::Back];

fn right() -> Hotkey {
    Hotkey::from_account(&[7; 32])
}

fn question() -> RoundWords {
    let words = toml::from_str(include_str!("../../../../../../world/src/judge/staged/words.toml")).unwrap();
    QuestionFile::new(Asked { model: "m".to_owned(), temperature: Some(0.0), images: ImageForm::Urls, question: words })
}

/// A judge who finds the left model better: of the car at first sight, of the others only when it looks closer.
fn answer(name: &str, call: &StageCall) -> StageAnswer {
    let of_left_and_right = match call.id {
        CallId::PromptMatch(..) if name != "car" => (5, 5),
        _ => (2, 8),
    };
    match &call.form {
        Form::Penalties => {
            let (left, right) = of_left_and_right;
            let (CallId::PromptMatch(_, order) | CallId::BestView(order) | CallId::Artifacts(order)) = call.id else {
                panic!("{}", call.id)
            };
            let (penalty_1, penalty_2) = if order == Order::Ab { (left, right) } else { (right, left) };
            StageAnswer::Penalties(PenaltyAnswer { penalty_1, penalty_2, issues: "words".to_owned() })
        }
        Form::Features => {
            let feature = |at| PromptFeature { description: format!("part {at}"), category: Category::Shape };
            StageAnswer::Features(FeatureAnswer {
                main_object: name.to_owned(),
                features: (1..=4).map(feature).collect(),
            })
        }
        Form::Checks(names) => {
            let check = |feature: &String| Check { feature: feature.clone(), found: Match::Yes, note: String::new() };
            StageAnswer::Checks(CheckAnswer { checks: names.iter().map(check).collect(), main_object_correct: true })
        }
        Form::Verdict => StageAnswer::Verdict(VerdictAnswer { verdict: SideVerdict::Ok, reason: String::new() }),
        Form::Issues => StageAnswer::Issues(IssuesAnswer { issues: Some("a and b".to_owned()) }),
    }
}

fn folder(player: &str, name: &str) -> String {
    let run = if player == "leader" { "generated_1" } else { "submitted" };
    format!("{player}/{run}/{name}")
}

fn sum(path: &str) -> Digest {
    Digest::of(path.as_bytes())
}

/// A duel as it is recorded, and its answers.
fn played(name: &str) -> (Value, StagedJudgment) {
    let known = Known { has_views: [true, true], best: Some(BestViews::Of(BEST[0], BEST[1])), gray: None };
    let mut answers = BTreeMap::new();
    let decided = loop {
        match next(Seed(1), &known, &answers) {
            Next::Done(decided) => break *decided,
            Next::Open { calls, looks } => {
                assert!(looks.is_empty());
                answers.extend(calls.iter().map(|call| (call.id, answer(name, call))));
            }
        }
    };
    let right = right().to_string();
    let url = |player: &str| format!("https://s.example/rounds/4/{}/grid.png", folder(player, name));
    let duel = json!({"name": name, "prompt": format!("https://p.example/{name}.png"), "left_js": null,
        "left_png": url("leader"), "right_js": null, "right_png": url(&right), "winner": decided.winner,
        "detail": decided.detail});
    let given = |said: StageAnswer| StageGiven::new(said, &crate::model::penalties::AnswerOrigin::default(), None);
    let calls: Entries<CallId, StageGiven> = answers.into_iter().map(|(id, said)| (id, given(said))).collect();
    let best_views = (calls.len() > 9).then_some(BEST);
    let shown = |side, player: &str| {
        let below = folder(player, name);
        shown_of(side, calls.keys().copied(), best_views, |path| Some(sum(&format!("{below}/{path}"))))
    };
    let (left, right) = (shown(SideOf::A, "leader"), shown(SideOf::B, &right));
    let images = crate::model::answers::ShownImages { prompt: Some(sum(name)), left, right, extra: Extra::default() };
    let (model, question, gray) = (Some("m".to_owned()), question().digest, None);
    let (name, extra) = (name.parse().unwrap(), Extra::default());
    (duel, StagedJudgment { name, model, question, images, best_views, gray, calls, extra })
}

/// A round with a match of two duels, one of which stage 1 decides.
#[derive(Clone)]
struct Record {
    report: Value,
    answers: StagedAnswers,
    files: ThreejsRound,
}

fn record() -> Record {
    let (duels, lines): (Vec<Value>, Vec<_>) = ["car", "cup"].map(played).into_iter().unzip();
    let report = json!({"left": "leader", "right": right(), "score": -2, "margin": -1.0, "duels": duels});
    let mut files = ThreejsRound { question: Slot::Ok(Box::new(question())), ..ThreejsRound::default() };
    for player in [Player::Leader, Player::Miner(right())] {
        let paths = ["car", "cup"].into_iter().flat_map(|name| {
            let folder = folder(&player.to_string(), name);
            let views = View::ALL.iter().flat_map(|view| [view.white(), view.gray()]).chain([GRID.to_owned()]);
            views.map(move |path| format!("{folder}/{path}")).collect::<Vec<_>>()
        });
        let below = |path: String| path.split_once('/').unwrap().1.to_owned();
        let sums = Sums(paths.map(|path| (below(path.clone()), sum(&path).to_string())).collect());
        files.players.entry(player).or_default().sums = Slot::Ok(sums);
    }
    let judged = |line: StagedJudgment| DuelEvidence::Judged(Box::new(line));
    Record { report, answers: crate::model::answers::Answers(lines.into_iter().map(judged).collect()), files }
}

impl Record {
    fn line(&mut self, at: usize) -> &mut StagedJudgment {
        match &mut self.answers.0[at] {
            DuelEvidence::Judged(line) => line,
            DuelEvidence::Unjudged(_) => panic!("{at}"),
        }
    }

    fn own(&mut self) -> &mut crate::model::threejs::snapshot::ThreejsPlayer {
        self.files.players.get_mut(&Player::Miner(right())).unwrap()
    }

    fn found_with(mut self, facts: &OtherFacts) -> Vec<Finding> {
        let (report, answers) = (serde_json::from_value(self.report.clone()).unwrap(), self.answers.clone());
        self.own().duels.insert("duels_leader.json".to_owned(), Slot::Ok(report));
        if !answers.0.is_empty() {
            self.own().answers.insert("answers_leader.jsonl".to_owned(), Slot::Ok(answers));
        }
        let mut snapshot = ThreejsSnapshot::default();
        snapshot.rounds.insert(ROUND, self.files.clone());
        let mut sink = Sink::default();
        check(&Round { facts, snapshot: &snapshot, round: ROUND, files: &self.files }, &mut sink);
        sink.finish()
    }

    fn found(self) -> Vec<Finding> {
        self.found_with(&OtherFacts::default())
    }

    /// The only finding that is not a pass.
    #[track_caller]
    fn objection(self) -> (CheckStatus, String, String) {
        let found = self.found();
        let odd: Vec<&Finding> = found.iter().filter(|found| found.status != CheckStatus::Pass).collect();
        let [odd] = odd.as_slice() else { panic!("{found:#?}") };
        (odd.status, odd.id.to_owned(), odd.detail.clone())
    }

    #[track_caller]
    fn fails(self, id: &str, part: &str) {
        let (status, found, detail) = self.objection();
        assert_eq!((status, found.as_str()), (CheckStatus::Fail, id), "{detail}");
        assert!(detail.contains(part), "{detail}");
    }
}

#[test]
fn an_honest_record_holds() {
    let record = record();
    let calls: Vec<usize> = record.answers.judged().map(|line| line.calls.len()).collect();
    assert_eq!(calls, [9, 24], "one duel is decided at first sight");
    let found = record.found();
    assert!(found.iter().all(|found| found.status == CheckStatus::Pass), "{found:#?}");
    let ids: Vec<&str> = found.iter().map(|found| found.id).collect();
    assert_eq!(ids, ["duel.answers", "judge.question", "judge.bias"]);
    assert!(found[1].detail.contains("model \"m\", answered by \"m\""), "{}", found[1].detail);
    // A round from before the answers were kept.
    let mut older = record_without_answers();
    older.files.question = Slot::Missing;
    assert_eq!(older.found(), []);
}

fn record_without_answers() -> Record {
    Record { answers: StagedAnswers::default(), ..record() }
}

#[test]
fn a_report_that_does_not_follow_from_the_answers_fails() {
    let lie = |at: usize, by: &dyn Fn(&mut Value)| {
        let mut record = record();
        by(&mut record.report["duels"][at]);
        record
    };
    let answers = "but by the judge's answers it is";
    lie(0, &|duel| duel["winner"] = "right".into())
        .fails("duel.answers", &format!("the winner is right, {answers} left"));
    lie(1, &|duel| duel["detail"]["decided_by"] = "S1".into()).fails("duel.answers", "cup: decided_by is");
    let angle = lie(0, &|duel| duel["detail"]["s1"]["angles"][0]["pen_a"] = 3.0.into());
    angle.fails("duel.answers", "car: s1 is");
    lie(1, &|duel| duel["detail"]["issues"] = "nothing".into()).fails("duel.answers", "cup: issues is \"nothing\"");
    let feature = lie(1, &|duel| duel["detail"]["s2"]["checklist"]["features"][2]["side_b"] = "no".into());
    feature.fails("duel.answers", "cup: s2 is");
    let other = lie(0, &|duel| duel["name"] = "mug".into());
    other.fails("duel.answers", "car stands where the report has mug");
}

#[test]
fn answers_that_are_not_those_of_the_duel_fail() {
    let id = CallId::PromptMatch(View::FrontAbove, Order::Ba);
    let lie = |at: usize, by: &dyn Fn(&mut StagedJudgment)| {
        let mut record = record();
        by(record.line(at));
        record
    };
    let less = lie(0, &|line| drop(line.calls.shift_remove(&id)));
    less.fails("duel.answers", "car: 1 answer is missing, s1_prompt_match/front_above/ba first");
    let turned = lie(0, &|line| {
        for given in line.calls.values_mut() {
            if let StageAnswer::Penalties(said) = &mut given.answer {
                (said.penalty_1, said.penalty_2) = (said.penalty_2, said.penalty_1);
            }
        }
    });
    turned.fails("duel.answers", "the winner is left, but by the judge's answers it is right");
    let more = lie(0, &|line| {
        let given = line.calls[&id].clone();
        line.calls.insert(CallId::Artifacts(Order::Ab), given);
    });
    more.fails("duel.answers", "car: 1 answer that the others leave no call for, s2ac_ab first");
    let renamed = lie(1, &|line| {
        if let StageAnswer::Checks(said) = &mut line.calls[&CallId::Verify(SideOf::B)].answer {
            said.checks[0].feature = "another".to_owned();
        }
    });
    renamed.fails("duel.answers", "cup: s2cl_verify/b: not an answer to it: the feature \"another\" was not asked");
    lie(1, &|line| line.question = Digest::of(b"")).fails("judge.question", "1 line with question e3b0c442");
    let mut short = record();
    short.answers.0.pop();
    short.fails("duel.answers", "1 line for 2 duels of the report");
}

#[test]
fn pictures_are_those_on_record() {
    let mut other = record();
    other.line(0).images.left = Some(Digest::of(b""));
    other.fails("duel.answers", "car: leader's pictures have the digest e3b0c442");
    let mut without = record();
    without.own().sums = Slot::Missing;
    let (status, id, detail) = without.objection();
    assert_eq!((status, id.as_str()), (CheckStatus::Skip, "duel.answers"));
    assert_eq!(detail, "2 of 4 digests of views compared with nothing: no SHA256SUMS has them (1 player)");
    let mut silent = record();
    silent.line(1).images.right = None;
    let (status, _, detail) = silent.objection();
    assert!(status == CheckStatus::Warn && detail.contains("without a digest here"), "{detail}");
}

#[test]
fn answers_that_are_missing_need_a_reason() {
    record_without_answers().fails("duel.answers", "missing, though the round has a question.toml");
    let mut facts = OtherFacts::default();
    let report = (ROUND, Player::Miner(right()), "duels_leader.json".to_owned());
    facts.recorded.insert(report.clone(), Recorded::BeforeQuestion);
    let found = record_without_answers().found_with(&facts);
    assert!(found.iter().any(|found| found.status == CheckStatus::Skip && found.id == "duel.answers"), "{found:#?}");
    assert!(found.iter().any(|found| found.status == CheckStatus::Warn && found.id == "judge.question"), "{found:#?}");
    facts.recorded.insert(report, Recorded::Later("0a0a0a0a0a".to_owned()));
    let found = record().found_with(&facts);
    let late = found.iter().find(|found| found.status == CheckStatus::Warn).unwrap();
    assert!(late.detail.contains("first recorded in 0a0a0a0a0a"), "{}", late.detail);
    let mut unasked = record();
    unasked.files.question = Slot::Missing;
    unasked.fails("judge.question", "missing, but rounds/4/");
}
