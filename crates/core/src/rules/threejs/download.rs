//! What `download` records of three.js modules: `submitted.json` in this format's words. The queue, the journal and the
//! resumption are those of meshes, to which a module is a model and its grid of views the preview.

use super::builds::shared_submissions;
use crate::model::format::Format;
use crate::model::ids::{Hotkey, PromptStem};
use crate::model::outputs::{Output, Outputs};
use crate::model::record::Extra;
use crate::model::refusals;
use crate::model::snapshot::{PlayerFiles, RoundFiles, Slot};
use crate::model::threejs::outputs::{Module, Modules};
use crate::model::threejs::snapshot::{ThreejsPlayer, ThreejsRound};
use crate::rules::download::{FetchOutcome, KnownFiles};

/// The last part of a view's URL that stands for all of a module's views.
pub const GRID: &str = "/grid.png";

/// The round's files as the shared rules of downloading know them.
#[must_use]
pub fn shared_files(files: &ThreejsRound) -> RoundFiles {
    fn mapped<T, U>(slot: &Slot<T>, map: impl Fn(&T) -> U) -> Slot<U> {
        match slot {
            Slot::Ok(value) => Slot::Ok(map(value)),
            Slot::Broken => Slot::Broken,
            Slot::Missing => Slot::Missing,
        }
    }
    let player = |own: &ThreejsPlayer| PlayerFiles {
        submitted: mapped(&own.submitted, shared_outputs),
        refusals: own.refusals.clone(),
        sums: own.sums.clone(),
        ..PlayerFiles::default()
    };
    RoundFiles {
        schedule: files.schedule.clone(),
        submissions: mapped(&files.submissions, shared_submissions),
        seed: files.seed.clone(),
        prompts: files.prompts.clone(),
        players: files.players.iter().map(|(name, own)| (name.clone(), player(own))).collect(),
        ..RoundFiles::of(Format::Threejs)
    }
}

fn shared_outputs(modules: &Modules) -> Outputs {
    let output = |module: &Module| Output {
        model: module.js.clone(),
        png: module.views.as_ref().map(|views| format!("{views}{GRID}")),
        generation_time: 0.0,
        size: module.size,
        attempts: 0,
        distance: 0.0,
        extra: Extra::default(),
    };
    Outputs::of(Format::Threejs, modules.iter().map(|(stem, module)| (stem.clone(), output(module))))
}

/// `submitted.json` of a miner whose outputs these are: what is known now, else what is recorded.
#[must_use]
pub fn modules(hotkey: &Hotkey, outputs: &Outputs, known: &KnownFiles, recorded: Option<&Modules>) -> Modules {
    let entry = |(stem, output): (&PromptStem, &Output)| {
        let old = recorded.and_then(|recorded| recorded.get(stem));
        let extra = old.map(|old| old.extra.clone()).unwrap_or_default();
        let new = known.get(hotkey, stem).map(|outcome| Module { extra, ..module(outcome) });
        let module = new.or_else(|| old.cloned()).unwrap_or_else(|| Module {
            js: output.model.clone(),
            views: output.png.as_deref().and_then(|png| png.strip_suffix(GRID)).map(str::to_owned),
            failure_reason: None,
            size: output.size,
            extra: Extra::default(),
        });
        (stem.clone(), module)
    };
    outputs.iter().map(entry).collect()
}

/// What is recorded of a module with this outcome.
#[must_use]
pub fn module(outcome: &FetchOutcome) -> Module {
    Module {
        js: outcome.model().map(|model| model.url.clone()),
        views: outcome.png().and_then(|grid| grid.url.strip_suffix(GRID)).map(str::to_owned),
        failure_reason: failure_reason(outcome),
        size: outcome.model().map_or(0, |model| model.size),
        extra: Extra::default(),
    }
}

/// Why something is missing, in the words of the deployed services.
fn failure_reason(outcome: &FetchOutcome) -> Option<String> {
    match outcome {
        FetchOutcome::Stored { .. } => None,
        FetchOutcome::Refused { .. } => Some(NOT_DRAWN.to_owned()),
        FetchOutcome::Failed { code, reason } => Some(refused_as(code, reason)),
    }
}

/// What `submitted.json` says of a module without views, in the words of the deployed services.
const NOT_DRAWN: &str = "render_failed";

/// Why something is missing, in the words of the deployed services, by its code and reason in `refusals.json`.
#[must_use]
pub fn refused_as(code: &str, reason: &str) -> String {
    let fetch = |why: &str| format!("js_fetch_failed: {why}");
    match code {
        refusals::TOO_LARGE => "js_too_large".to_owned(),
        refusals::MISSING | refusals::STATUS | refusals::REDIRECT => fetch(&status(reason)),
        refusals::SLOW | refusals::GIVEN_UP => fetch("ReadTimeout"),
        refusals::ENCODED => fetch("DecodingError"),
        refusals::ADDRESS => fetch("InvalidURL"),
        code if code.starts_with("fetch.") => fetch("ConnectError"),
        _ => NOT_DRAWN.to_owned(),
    }
}

/// The status in the text of a failure, in the services' form.
fn status(reason: &str) -> String {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let code = reason.split("status ").skip(1).map(digits).find(|code| code.len() == 3);
    code.map_or_else(|| "HTTPStatusError".to_owned(), |code| format!("HTTP {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::objects::StoredObject;
    use crate::rules::threejs::known::is_submit_failure;

    fn object(path: &str) -> StoredObject {
        let url = format!("https://s.example/rounds/0/m/{path}");
        StoredObject { url, path: path.to_owned(), sha256: "00".repeat(32), size: 7 }
    }

    #[test]
    fn a_module_is_recorded_with_all_its_views_or_with_a_reason() {
        let model = object("submitted/car.js");
        let stored =
            FetchOutcome::Stored { model: model.clone(), png: object("submitted/car/grid.png"), more: Vec::new() };
        let whole = module(&stored);
        assert_eq!(whole.views.as_deref(), Some("https://s.example/rounds/0/m/submitted/car"));
        assert_eq!((whole.js.as_deref(), whole.failure_reason, whole.size), (Some(model.url.as_str()), None, 7));
        let code = refusals::BY_SERVICE.to_owned();
        let refused = module(&FetchOutcome::Refused { model: Some(model), code, reason: "x".to_owned() });
        assert_eq!((refused.views, refused.failure_reason.as_deref()), (None, Some("render_failed")));
        assert!(refused.js.is_some());
        for (code, reason, words) in [
            (refusals::TOO_LARGE, "the body is longer than 1048576 bytes", "js_too_large"),
            (refusals::MISSING, "status 404 (2 attempts)", "js_fetch_failed: HTTP 404"),
            (refusals::STATUS, "status 503: busy", "js_fetch_failed: HTTP 503"),
            (refusals::REDIRECT, "a redirect", "js_fetch_failed: HTTPStatusError"),
            (refusals::SLOW, "too slow", "js_fetch_failed: ReadTimeout"),
            (refusals::CONNECTION, "refused", "js_fetch_failed: ConnectError"),
        ] {
            let failed = module(&FetchOutcome::Failed { code: code.to_owned(), reason: reason.to_owned() });
            assert_eq!((failed.js, failed.failure_reason.as_deref(), failed.size), (None, Some(words), 0));
            assert!(is_submit_failure(words), "{words}");
        }
    }
}
