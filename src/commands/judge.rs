//! `gen404 judge`: one duel, with both raw answers, to try out a judge.

use serde_json::json;

use crate::base::error::{Context as _, Error, Kind, Result};
use crate::cli::{Global, JudgeOneArgs};
use crate::engine::context::settings_here;
use crate::rules::duel::by_answers;
use crate::settings::flags::{judge_key, judge_settings};
use crate::ui::{Report, Ui};
use crate::world::judge::images::DuelImage;
use crate::world::judge::{Answer, Judge as _};

pub(super) fn run(global: &Global, ui: &Ui, args: &JudgeOneArgs, report: &mut Report) -> Result<()> {
    let config = settings_here(global, ui, report)?;
    let settings = judge_settings(&config.judge, &args.judge);
    let judge = settings.open(judge_key()?)?;
    let images = settings.images();
    let shown = |text: &str| -> Result<String> {
        let image = DuelImage { url: url_of(text)?, sha256: None };
        let sends = settings.inline_images || image.url.starts_with("file://");
        if sends { Ok(images.fetch(&image)?.data_url.clone()) } else { Ok(image.url) }
    };
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
