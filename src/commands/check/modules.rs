//! `gen404 check` in a competition of three.js modules: every failure of each module's static rules.

use std::path::Path;

use serde_json::{Value, json};

use crate::base::error::{Error, Kind, Result};
use crate::base::files;
use crate::base::text::counted;
use crate::cli::CheckArgs;
use crate::engine::checking::source::{Source, prompts_of};
use crate::engine::context::Context;
use crate::model::format::ModelFormat;
use crate::model::ids::PromptStem;
use crate::model::prompts::PromptList;
use crate::model::snapshot::Slot;
use crate::module::{Failure, check};
use crate::rules::check::{file_name, unasked};
use crate::ui::Report;

/// Failures of one module that are printed; `--json` has all.
const SHOWN: usize = 20;

/// What would come of one prompt's module.
enum Checked {
    Passes(usize),
    Fails(Vec<Failure>),
    Missing,
}

/// Checks the modules in a folder.
///
/// # Errors
/// The source is no folder, another part of `check` is asked for, or the competition's files or the modules cannot be read.
pub(super) fn run(context: &Context<'_>, args: &CheckArgs, report: &mut Report) -> Result<()> {
    let Source::Folder(folder) = Source::parse(&args.source, args.intake.allow_private_cdn)? else {
        return Err(Error::usage("three.js modules are checked in a folder: name the one that you will upload"));
    };
    if args.pod.is_some() || args.previews.is_some() || args.hotkey.is_some() {
        let other =
            "--pod, --previews and --hotkey are for mesh competitions: of three.js modules, the static rules alone";
        return Err(Error::usage(format!("{other} are checked")));
    }
    let standing = context.threejs_standing_in(args.round)?;
    let round = standing.state.current_round;
    let recorded = match &standing.files.prompts {
        Slot::Broken => return Err(Error::failed(format!("rounds/{round}/prompts.txt: does not parse"))),
        Slot::Ok(list) => Some(list.clone()),
        Slot::Missing => None,
    };
    let known = super::named_prompts(args)?.or(recorded);
    let names = Source::Folder(folder.clone()).listed(ModelFormat::Js)?.names;
    let prompts = known.clone().unwrap_or_else(|| prompts_of(&names, ModelFormat::Js));
    let checked = checked(&folder, &prompts)?;
    let stage = standing.state.stage;
    let count = known.as_ref().map(|list| list.stems().count());
    report.detail(json!({"round": round, "stage": stage, "source": args.source, "prompts": count}));
    tell(&checked, report);
    match known {
        Some(list) => {
            let (extra, _) = unasked(&names, &list.stems().collect::<Vec<_>>(), ModelFormat::Js);
            let line = |one: &crate::rules::check::Unasked| format!("{}: no prompt asks for it", one.name);
            extra.iter().for_each(|one| report.say(line(one)));
        }
        None => {
            let hint = "--prompts FILE names a list to check against, such as an earlier round's prompts.txt";
            let known = "modules are held to the static rules alone, and their names cannot be checked yet";
            report.waits.push(format!("the prompts of round {round} are not known yet: {known}; {hint}"));
            report.failed = None;
        }
    }
    Ok(())
}

fn checked<'p>(folder: &Path, prompts: &'p PromptList) -> Result<Vec<(&'p PromptStem, Checked)>> {
    let of = |stem: &'p PromptStem| -> Result<(&'p PromptStem, Checked)> {
        let path = folder.join(file_name(stem, ModelFormat::Js));
        // One byte more than allowed is a failure of the module's; much more is not even read.
        let Some(source) = files::read_own(&path, 64 * ModelFormat::Js.largest())? else {
            return Ok((stem, Checked::Missing));
        };
        let failures = check(&source).map_err(|why| Error::failed(format!("{}: {why}", path.display())))?;
        Ok((stem, if failures.is_empty() { Checked::Passes(source.len()) } else { Checked::Fails(failures) }))
    };
    prompts.stems().map(of).collect()
}

fn tell(checked: &[(&PromptStem, Checked)], report: &mut Report) {
    let name = |stem: &PromptStem| file_name(stem, ModelFormat::Js);
    let [mut passed, mut failed, mut missing] = [0; 3];
    for (stem, checked) in checked {
        match checked {
            Checked::Passes(bytes) => {
                passed += 1;
                report.say_marked("32", "passes  ", format!("{} ({bytes} bytes)", name(stem)));
            }
            Checked::Missing => {
                missing += 1;
                report.say_marked("31", "missing ", name(stem));
            }
            Checked::Fails(failures) => {
                failed += 1;
                report.say_marked("31", "refused ", name(stem));
                failures.iter().take(SHOWN).for_each(|failure| report.say(format!("        {failure}")));
                if failures.len() > SHOWN {
                    report.say(format!("        and {} more", failures.len() - SHOWN));
                }
            }
        }
    }
    let sum = counted(checked.len(), "module", "modules");
    let (passes, refused) = (counted(passed, "passes", "pass"), counted(failed, "is refused", "are refused"));
    let gone = counted(missing, "is missing", "are missing");
    report.say(format!("{sum}: {passes} the static rules, {refused}, {gone}"));
    report.say("what they do when they run is for the renderer to say");
    let modules: Vec<Value> = checked.iter().map(|(stem, checked)| module(stem, checked)).collect();
    report.detail(json!({"modules": modules, "passed": passed, "refused": failed, "missing": missing}));
    if failed + missing > 0 {
        report.fails(Kind::Failed);
    }
}

fn module(stem: &PromptStem, checked: &Checked) -> Value {
    let (outcome, failures) = match checked {
        Checked::Passes(_) => ("passes", &[][..]),
        Checked::Missing => ("missing", &[][..]),
        Checked::Fails(failures) => ("refused", &failures[..]),
    };
    json!({"stem": stem, "outcome": outcome, "failures": failures})
}
