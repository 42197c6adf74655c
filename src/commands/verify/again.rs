//! `verify --judge K`: recorded duels, drawn by a seed, are judged again by the reader's own judge.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::error::{Kind, Result};
use crate::base::text::counted;
use crate::cli::VerifyArgs;
use crate::engine::context::Context;
use crate::engine::verification::again::{AgainArgs, Estimate, OfImages, OfStages, Retrial, Way};
use crate::engine::verification::formats::OtherSnapshot;
use crate::model::ids::RoundNumber;
use crate::model::question::Question;
use crate::model::snapshot::Snapshot;
use crate::model::threejs::words::StageWords;
use crate::rules::rejudge::{AGREEMENT, Agreement, Comparison, Drawn, JudgedAgain, Lot, of_meshes, of_splats};
use crate::rules::threejs::rejudge::{RecordedStages, of_modules};
use crate::ui::Report;

/// The duels that are judged again, with the questions that the rounds publish.
pub(super) enum Again {
    /// By three images at a time.
    Images(Drawn, BTreeMap<RoundNumber, Question>),
    /// In stages.
    Stages(Drawn<RecordedStages>, BTreeMap<RoundNumber, StageWords>),
}

/// Draws from the duels of a competition of meshes, if that is asked for.
pub(super) fn drawn(args: &VerifyArgs, snapshot: &Snapshot) -> Option<Again> {
    let questions = snapshot.rounds.iter().filter_map(|(round, files)| {
        let question = files.question.get()?;
        Some((*round, question.asked.question.clone()))
    });
    Some(Again::Images(of_meshes(snapshot, lot(args)?), questions.collect()))
}

/// As [`drawn`], in the other formats.
pub(super) fn drawn_of(args: &VerifyArgs, snapshot: &OtherSnapshot) -> Option<Again> {
    let lot = lot(args)?;
    Some(match snapshot {
        OtherSnapshot::Splat(of) => Again::Images(of_splats(of, lot), BTreeMap::new()),
        OtherSnapshot::Threejs(of) => {
            let questions = of.rounds.iter().filter_map(|(round, files)| {
                let question = files.question.get()?;
                Some((*round, question.asked.question.clone()))
            });
            Again::Stages(of_modules(of, lot), questions.collect())
        }
    })
}

fn lot(args: &VerifyArgs) -> Option<Lot> {
    Some(Lot { round: args.round, count: args.judge?, seed: args.seed })
}

impl Again {
    /// Judges them again and reports what that gives.
    pub(super) fn judge(self, context: &Context<'_>, args: &VerifyArgs, report: &mut Report) -> Result<()> {
        match self {
            Again::Images(drawn, questions) => judge::<OfImages>(drawn, &questions, context, args, report),
            Again::Stages(drawn, questions) => judge::<OfStages>(drawn, &questions, context, args, report),
        }
    }
}

fn judge<W: Way>(
    Drawn { duels, of }: Drawn<W::Duel>,
    questions: &BTreeMap<RoundNumber, W::Words>,
    context: &Context<'_>,
    args: &VerifyArgs,
    report: &mut Report,
) -> Result<()> {
    let asking = AgainArgs {
        judge: &args.judge_args,
        concurrency: args.judge_concurrency,
        store: &args.store,
        allow_private_cdn: args.allow_private_cdn,
    };
    let retrial = Retrial::<W>::prepare(context, asking, duels, questions)?;
    let (judge, estimate) = (retrial.judge()?, retrial.estimate()?);
    let will = foreseen(&retrial, of, args, &judge, &estimate);
    let mut detail = json!({
        "judge": judge,
        "seed": args.seed,
        "drawn": retrial.duels(),
        "of": of,
        "questions": retrial.wordings().map(|(round, from)| json!({ "round": round, "from": from })).collect::<Vec<_>>(),
        "estimate": { "calls": estimate.calls, "kept": estimate.kept, "tokens": estimate.tokens },
    });
    if context.options.dry_run {
        report.say(format!("would ask {will}"));
    } else {
        context.ui.status(&format!("asking {will}"));
        let judged = retrial.judge_again()?;
        let agreement = Agreement::of(&judged);
        tell(context, &retrial, (of, args, &judge), (&judged, agreement), report);
        add(&mut detail, json!(agreement));
        add(&mut detail, json!({ "duels": judged }));
        // A claim that fails says more than a judge that cannot be reached.
        if agreement.asked == 0 && agreement.failed > 0 && report.failed.is_none() {
            report.fails(Kind::Outside);
        }
    }
    report.detail(json!({ "judged_again": detail }));
    Ok(())
}

fn add(detail: &mut Value, more: Value) {
    if let (Value::Object(detail), Value::Object(more)) = (detail, more) {
        detail.extend(more);
    }
}

/// What will be asked, and what that takes.
fn foreseen<W: Way>(
    retrial: &Retrial<'_, W>,
    of: usize,
    args: &VerifyArgs,
    judge: &str,
    estimate: &Estimate,
) -> String {
    let duels = counted(retrial.duels(), "duel", "duels");
    let calls = counted(estimate.calls, "call", "calls");
    let kept = match estimate.kept {
        0 => String::new(),
        kept => format!(" ({kept} more are answered already)"),
    };
    let tokens =
        estimate.tokens.map_or("an unknown number of tokens".to_owned(), |tokens| format!("about {tokens} tokens"));
    format!("{judge} about {duels} of {of}, drawn with seed {}: {calls}{kept}, {tokens}", args.seed)
}

fn tell<W: Way>(
    context: &Context<'_>,
    retrial: &Retrial<'_, W>,
    (of, args, judge): (usize, &VerifyArgs, &str),
    (judged, agreement): (&[JudgedAgain], Agreement),
    report: &mut Report,
) {
    let duels = counted(judged.len(), "duel", "duels");
    report.say(format!("judged again: {duels} of {of}, drawn with seed {}, by {judge}", args.seed));
    for (round, from) in retrial.wordings() {
        report.say(format!("  round {round} asks {from}"));
    }
    for one in judged.iter().filter(|one| one.outcome != Comparison::Agrees) {
        let (colour, mark) = mark(one.outcome);
        report.say_marked(colour, mark, line(one));
    }
    report.say(format!("  {}", in_words(&agreement)));
    if let Some(first) = judged.iter().find(|one| one.outcome == Comparison::Changed) {
        let of_them = counted(agreement.changed, "duel has", "duels have");
        context.ui.warn(&format!(
            "{of_them} a picture that is no longer the one that was judged, and cannot be judged again: first {}: {}: {}",
            first.file, first.name, first.detail
        ));
    }
    if agreement.is_low() {
        let percent = 100.0 * AGREEMENT;
        context.ui.warn(&format!(
            "the judge agrees with the record in fewer than {percent:.0} % of the duels, even at the upper end of the interval: {}",
            in_words(&agreement)
        ));
    }
}

fn mark(outcome: Comparison) -> (&'static str, &'static str) {
    match outcome {
        Comparison::Agrees => ("32", "agrees"),
        Comparison::Flips => ("33", "flips"),
        Comparison::ToDraw | Comparison::FromDraw => ("33", "differs"),
        Comparison::Changed => ("33", "changed"),
        Comparison::Failed => ("2", "failed"),
    }
}

fn line(one: &JudgedAgain) -> String {
    let what = match one.now {
        Some(now) => format!("recorded {}, now {}", one.recorded.as_str(), now.as_str()),
        None => one.detail.clone(),
    };
    format!("  {}: {}: {what}", one.file, one.name)
}

fn in_words(agreement: &Agreement) -> String {
    let mut parts = vec![format!("{} of {} agree", agreement.agreeing, agreement.asked)];
    if let (Some(share), Some([low, high])) = (agreement.agreement, agreement.interval) {
        let [share, low, high] = [share, low, high].map(|part| 100.0 * part);
        parts.push(format!("{share:.1} % (95 % interval {low:.1} to {high:.1} %)"));
    }
    parts.extend(agreement.by_chance.map(|share| format!("{:.1} % to expect by chance", 100.0 * share)));
    let counts = [
        (agreement.flips, "for the other side"),
        (agreement.to_draw, "now a draw"),
        (agreement.from_draw, "no longer a draw"),
        (agreement.changed, "with changed pictures"),
        (agreement.failed, "failed"),
    ];
    parts.extend(counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    parts.extend(agreement.largest_difference.map(|most| format!("penalties {most} apart at most")));
    parts.join(", ")
}
