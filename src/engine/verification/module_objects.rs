//! `verify --objects` of three.js competitions: fetches what gen404 stored of modules, and recorded sums of.

use rayon::prelude::*;

use super::objects::{ObjectSelection, Sources, drawn};
use crate::base::error::Result;
use crate::engine::context::Context;
use crate::model::ids::{Player, RoundNumber};
use crate::model::threejs::outputs::{Module, Modules};
use crate::model::threejs::snapshot::{ThreejsPlayer, ThreejsSnapshot};
use crate::model::threejs::view::{EMBEDDINGS, pictures};
use crate::rules::checks::objects::{Found, Stored, StoredFile};
use crate::rules::python_random::PythonRandom;

/// Fetches what is stored of modules in all rounds asked for, where their sums are recorded: the modules, their pictures
/// and the embeddings. Nothing is drawn.
pub(crate) fn fetch_modules<'a>(
    context: &Context<'_>,
    snapshot: &'a ThreejsSnapshot,
    args: &ObjectSelection<'_>,
) -> Result<Vec<Stored<'a>>> {
    let sources = Sources::open(context, args.store, args.allow_private_cdn)?;
    let most = context.config.download.limits().body;
    let mut random = PythonRandom::new(u64::from(drawn()?));
    let rounds = snapshot.rounds.iter().filter(|(round, _)| args.round.is_none_or(|wanted| wanted == **round));
    let mut wanted = Vec::new();
    for (round, files) in rounds {
        for (player, own) in &files.players {
            wanted.extend(of_modules(*round, player, own, args.sample, &mut random));
        }
    }
    let count: usize = wanted.iter().map(|(_, urls)| urls.len()).sum();
    let bar = context.ui.bar("fetching objects", count as u64);
    let look = |(mut stored, urls): (Stored<'a>, Vec<String>)| {
        let folder = folder_of(stored.round, stored.player);
        let one = |url: &String| {
            if context.stop.is_wanted() {
                return None;
            }
            let found = sources.fetch(url, most).map(|file| file.found);
            bar.advance(1);
            let found = found.unwrap_or_else(|| Found::Unknown(format!("longer than {most} bytes")));
            Some(StoredFile { path: path_of(url, &folder).to_owned(), found, preview: None, look: None })
        };
        stored.objects = urls.par_iter().filter_map(one).collect();
        stored
    };
    let looked = wanted.into_par_iter().map(look).collect();
    drop(bar);
    context.stop.check()?;
    Ok(looked)
}

/// The URLs of what is stored of a player's modules, file by file.
fn of_modules<'a>(
    round: RoundNumber,
    player: &'a Player,
    own: &'a ThreejsPlayer,
    sample: Option<usize>,
    random: &mut PythonRandom,
) -> Vec<(Stored<'a>, Vec<String>)> {
    let Some(sums) = own.sums.get() else { return Vec::new() };
    let folder = folder_of(round, player);
    let submitted = own.submitted.get().map(|modules| ("submitted.json".to_owned(), modules));
    let generated = own.generated.iter().filter_map(|(run, of)| Some((format!("generated_{run}.json"), of.get()?)));
    let stored = |(file, modules): (String, &Modules)| {
        // Not every competition has them.
        let embedded = |url: &String| sums.0.contains_key(path_of(url, &folder));
        let urls = |module: &Module| {
            let views = module.views.as_deref().unwrap_or_default();
            let pictures = pictures().map(|name| format!("{views}/{name}"));
            let embeddings = Some(format!("{views}/{EMBEDDINGS}")).filter(embedded);
            let drawn = pictures.chain(embeddings).filter(|_| module.views.is_some());
            module.js.iter().cloned().chain(drawn).collect::<Vec<_>>()
        };
        let mut all: Vec<Vec<String>> = modules.values().map(urls).filter(|urls| !urls.is_empty()).collect();
        let total = all.iter().map(Vec::len).sum();
        if let Some(sample) = sample {
            all = random.sample(&all, sample);
        }
        let unstored = modules.values().filter(|module| module.js.is_none()).count();
        let stored =
            Stored { round, player, file: file.into(), sums: Some(sums), objects: Vec::new(), total, unstored };
        (!all.is_empty()).then(|| (stored, all.concat()))
    };
    submitted.into_iter().chain(generated).filter_map(stored).collect()
}

fn folder_of(round: RoundNumber, player: &Player) -> String {
    format!("rounds/{round}/{player}/")
}

/// An object's path below its player's folder.
fn path_of<'u>(url: &'u str, folder: &str) -> &'u str {
    url.rsplit_once(folder).map_or(url, |(_, path)| path)
}
