//! What gen404 records beside the modules of three.js competitions, and the deployed services do not: why a module has no
//! views (`outputs.refusals`), and the sums of what is stored (`outputs.rules`).

use super::super::{Claim, Sink, refusals};
use super::threejs::Round;
use crate::model::ids::{Player, PromptStem};
use crate::model::refusals::Refusal;
use crate::model::sums::Sums;
use crate::model::threejs::outputs::{Module, Modules};
use crate::model::threejs::snapshot::ThreejsPlayer;
use crate::model::threejs::view::pictures;
use crate::rules::threejs::download::{refused_as, shared_files};

pub(super) fn check(round: &Round<'_>, sink: &mut Sink) {
    refusals::of_round(round.round, &shared_files(round.files), sink);
    for (player, own) in &round.files.players {
        reasons(round, player, own, sink);
        sums(round, player, own, sink);
    }
}

/// The short reason in `submitted.json` is that of the long one beside it.
fn reasons(round: &Round<'_>, player: &Player, own: &ThreejsPlayer, sink: &mut Sink) {
    let (Some(refusals), Some(submitted)) = (own.refusals.get(), own.submitted.get()) else { return };
    let both = |(stem, refusal)| Some((stem, refusal, submitted.get(stem)?));
    let both: Vec<(&PromptStem, &Refusal, &Module)> = refusals.iter().filter_map(both).collect();
    sink.claim("outputs.refusals", round.round, round.path(&format!("{player}/submitted.json")), |claim| {
        for (stem, refusal, module) in both {
            let expected = refused_as(&refusal.code, &refusal.reason);
            let found = module.failure_reason.as_deref().unwrap_or("null");
            if found != expected {
                let code = &refusal.code;
                claim.fail(format!("{stem}: failure_reason is {found}, but {code} in refusals.json gives {expected}"));
            }
        }
    });
}

/// Every stored module and view has its sum, where there are sums of its kind: that of what was submitted, or of one run.
fn sums(round: &Round<'_>, player: &Player, own: &ThreejsPlayer, sink: &mut Sink) {
    let Some(sums) = own.sums.get() else { return };
    sink.claim("outputs.rules", round.round, round.path(&format!("{player}/SHA256SUMS")), |claim| {
        let folder = round.path(&format!("{player}/"));
        let submitted = own.submitted.get().map(|modules| ("submitted/".to_owned(), modules));
        let generated = own.generated.iter().filter_map(|(run, slot)| Some((format!("generated_{run}/"), slot.get()?)));
        for (kind, modules) in submitted.into_iter().chain(generated) {
            of_kind(claim, &folder, &kind, modules, sums);
        }
    });
}

fn of_kind(claim: &mut Claim, folder: &str, kind: &str, modules: &Modules, sums: &Sums) {
    if !sums.0.keys().any(|path| path.starts_with(kind)) {
        return;
    }
    let drawn = |views: &String| pictures().map(|name| format!("{views}/{name}")).collect::<Vec<_>>();
    let views = |module: &Module| module.views.as_ref().map(drawn).unwrap_or_default();
    let stored = modules.values().flat_map(|module| module.js.iter().cloned().chain(views(module)));
    let path = |url: String| url.rsplit_once(folder).map_or(url.clone(), |(_, path)| path.to_owned());
    let without: Vec<String> = stored.map(path).filter(|path| !sums.0.contains_key(path)).collect();
    claim.fail_often(without.len(), without.iter().map(|path| format!("{path}: stored, but has no sum")));
}
