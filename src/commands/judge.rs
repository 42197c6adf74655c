//! `gen404 judge`: one duel, with all raw answers, to try out a judge.

use serde_json::{Map, Value, json};

use crate::base::error::{Context as _, Error, Kind, Result};
use crate::cli::{Global, JudgeOneArgs};
use crate::engine::context::{format_here, settings_here};
use crate::engine::threejs::judging::{DuelOf, Side, Sights, one_duel};
use crate::model::format::Format;
use crate::model::ids::PromptStem;
use crate::rules::duel::by_answers;
use crate::settings::flags::{judge_key, judge_settings};
use crate::ui::{Report, Ui};
use crate::world::judge::images::{DuelImage, Images};
use crate::world::judge::settings::JudgeSettings;
use crate::world::judge::staged::{ShownStage, StageQuestion};
use crate::world::judge::{Answer, Judge as _};

pub(super) fn run(global: &Global, ui: &Ui, args: &JudgeOneArgs, report: &mut Report) -> Result<()> {
    let config = settings_here(global, ui, report)?;
    let settings = judge_settings(&config.judge, &args.judge);
    match format_here(global)? {
        Format::Threejs => in_stages(global, ui, args, &settings, report),
        _ => by_images(global, ui, args, &settings, report),
    }
}

/// Asks about the prompt and two previews, in both orders.
fn by_images(
    global: &Global,
    ui: &Ui,
    args: &JudgeOneArgs,
    settings: &JudgeSettings,
    report: &mut Report,
) -> Result<()> {
    let judge = settings.open(judge_key()?)?;
    let images = settings.images();
    let shown = |text: &str| images.shown(&DuelImage { url: url_of(text)?, sha256: None }, settings.inline_images);
    let (prompt, left, right) = (shown(&args.prompt)?, shown(&args.left)?, shown(&args.right)?);
    if global.dry_run {
        report.say(format!("would ask {} twice", judge.name()));
        return Ok(());
    }
    ui.detail(&format!("asking {}", judge.name()));
    let left_first = judge.ask(args.seed, [&prompt, &left, &right])?;
    let right_first = judge.ask(args.seed, [&prompt, &right, &left])?;
    say(&left_first, &right_first, report);
    Ok(())
}

fn say(left_first: &Answer, right_first: &Answer, report: &mut Report) {
    let (winner, issues) = by_answers(&left_first.said, &right_first.said);
    report.say(format!("left first:  {}", left_first.raw));
    report.say(format!("right first: {}", right_first.raw));
    report.say(format!("winner: {}", winner.as_str()));
    report.detail(json!({
        "left_first": left_first.raw,
        "right_first": right_first.raw,
        "winner": winner,
        "issues": issues,
    }));
}

/// Files that the user names.
struct Own(Images);

impl Sights for Own {
    fn image(&self, url: String) -> Result<DuelImage> {
        Ok(DuelImage { url, sha256: None })
    }

    fn file(&self, url: &str, most: usize) -> Result<Option<Vec<u8>>> {
        self.0.file(url, most)
    }
}

/// Asks about two folders of views, stage by stage.
fn in_stages(
    global: &Global,
    ui: &Ui,
    args: &JudgeOneArgs,
    settings: &JudgeSettings,
    report: &mut Report,
) -> Result<()> {
    let judge = settings.open_stages(settings.stage_words()?, judge_key()?)?;
    let side = |text: &str| Ok::<_, Error>(Side { js: None, views: Some(url_of(text.trim_end_matches('/'))?) });
    let name = "duel".parse::<PromptStem>().map_err(|why| Error::failed(why.to_string()))?;
    let of = DuelOf { name, prompt: url_of(&args.prompt)?, left: side(&args.left)?, right: side(&args.right)? };
    if global.dry_run {
        report.say(format!("would ask {} 9, 24 or 26 times", judge.name()));
        return Ok(());
    }
    ui.detail(&format!("asking {}", judge.name()));
    let sights = Own(settings.images());
    let ask = |question: &StageQuestion| -> Result<ShownStage> {
        let shown = |image| sights.0.shown(image, settings.inline_images);
        let urls: Vec<String> = question.images.iter().map(shown).collect::<Result<_>>()?;
        Ok(ShownStage { answer: judge.ask(question, &urls)?, images: vec![None; urls.len()] })
    };
    let (duel, evidence) = one_duel(&ask, (of, args.seed), &sights)?;
    let mut calls = Map::new();
    for (id, given) in evidence.judged().into_iter().flat_map(|judged| judged.calls.iter()) {
        report.say(format!("{id}: {}", json!(given.answer)));
        calls.insert(id.to_string(), json!(given.answer));
    }
    let detail = json!(duel.detail);
    let by = detail.get("decided_by").and_then(Value::as_str).unwrap_or_default();
    report.say(format!("winner: {} ({by})", duel.winner.as_str()));
    report.detail(json!({ "calls": calls, "winner": duel.winner, "detail": detail }));
    Ok(())
}

/// An http(s) URL unchanged, or a file's path as a `file://` URL.
fn url_of(text: &str) -> Result<String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(text.to_owned());
    }
    let path = std::fs::canonicalize(text.strip_prefix("file://").unwrap_or(text));
    let path = path.context(Kind::Usage, || format!("{text}: neither an http(s) URL nor a file"))?;
    let path = path.to_str().ok_or_else(|| Error::usage(format!("{text}: its path is not UTF-8")))?;
    Ok(format!("file://{path}"))
}
