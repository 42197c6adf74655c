//! `verify --objects`: fetches what lies behind the recorded URLs.

use std::num::NonZeroUsize;

use rayon::prelude::*;

use super::context::Context;
use crate::cli::VerifyArgs;
use crate::error::{Error, Kind, Result};
use crate::preview;
use crate::rules::checks::objects::{Found, Preview, Stored, StoredFile};
use crate::rules::python_random::PythonRandom;
use crate::rules::ssim::ssim;
use crate::state::ids::{Player, RoundNumber};
use crate::state::outputs::{Output, Outputs};
use crate::state::snapshot::{PlayerFiles, Snapshot};
use crate::ui::Bar;
use crate::world::http::{Client, Request};
use crate::world::render::{Builtin, Renderer, Rendering};
use crate::world::store::{ObjectStore, sha256_of};

/// No preview has more pixels a side.
const LARGEST_EDGE: u32 = 8192;

/// Fetches the objects of all rounds asked for.
pub(super) fn fetch<'a>(context: &Context<'_>, snapshot: &'a Snapshot, args: &VerifyArgs) -> Result<Vec<Stored<'a>>> {
    let settings = context.config.download;
    let allow_private = args.allow_private_cdn || context.config.miners.allow_private_cdn;
    let looker = Looker {
        store: context.object_store(&args.store)?,
        client: Client::for_miners(settings.limits(), settings.retry(), allow_private),
        renderer: Builtin::new(preview::DEFAULT_SIZE, NonZeroUsize::MIN),
    };
    let mut random = PythonRandom::new(u64::from(drawn()?));
    let rounds = snapshot.rounds.iter().filter(|(round, _)| args.round.is_none_or(|wanted| wanted == **round));
    let mut wanted = Vec::new();
    for (round, files) in rounds {
        for (player, own) in &files.players {
            wanted.extend(of_player(*round, player, own, args.sample, &mut random));
        }
    }
    let count: usize = wanted.iter().map(|(_, pairs)| pairs.len()).sum();
    let bar = context.ui.bar("fetching objects", count as u64);
    // One level of threads: a model and its preview are in memory for each.
    let looked = wanted.into_par_iter().map(|(stored, pairs)| looker.look(stored, &pairs, &bar)).collect();
    drop(bar);
    Ok(looked)
}

/// A seed that nobody can foresee: who stored the objects cannot know which ones are looked at.
fn drawn() -> Result<u32> {
    getrandom::u32()
        .map_err(|e| Error::failed("the operating system gives no random numbers").because(anyhow::anyhow!("{e}")))
}

/// Models with their previews: the URLs of each.
type Pairs = Vec<(String, Option<String>)>;

fn of_player<'a>(
    round: RoundNumber,
    player: &'a Player,
    own: &'a PlayerFiles,
    sample: Option<usize>,
    random: &mut PythonRandom,
) -> Vec<(Stored<'a>, Pairs)> {
    let files = [(own.submitted.get(), "submitted.json"), (own.generated.get(), "generated.json")];
    let stored = |(outputs, file): (Option<&Outputs>, &'static str)| {
        let pair = |output: &Output| Some((output.glb.clone()?, output.png.clone()));
        let mut pairs: Pairs = outputs?.values().filter_map(pair).collect();
        let total = pairs.iter().map(|(_, png)| 1 + usize::from(png.is_some())).sum();
        if let Some(sample) = sample {
            pairs = random.sample(&pairs, sample);
        }
        let sums = own.sums.get();
        let stored = Stored { round, player, file, sums, objects: Vec::new(), total };
        (!pairs.is_empty()).then_some((stored, pairs))
    };
    files.into_iter().filter_map(stored).collect()
}

/// What objects are looked at with.
struct Looker {
    store: Option<Box<dyn ObjectStore>>,
    client: Client,
    renderer: Builtin,
}

impl Looker {
    fn look<'a>(&self, mut stored: Stored<'a>, pairs: &Pairs, bar: &Bar) -> Stored<'a> {
        let folder = format!("rounds/{}/{}/", stored.round, stored.player);
        let pair = |(glb, png): &(String, Option<String>)| {
            let files = self.pair(&folder, glb, png.as_deref());
            bar.advance(1);
            files
        };
        stored.objects = pairs.par_iter().flat_map_iter(pair).collect();
        stored
    }

    fn pair(&self, folder: &str, glb: &str, png: Option<&str>) -> Vec<StoredFile> {
        let path = |url: &str| url.rsplit_once(folder).map_or(url, |(_, path)| path).to_owned();
        let (model, found) = self.bytes(glb);
        let mut files = vec![StoredFile { path: path(glb), found, preview: None }];
        if let Some(png) = png {
            let (picture, found) = self.bytes(png);
            let preview = model.zip(picture).map(|(model, picture)| self.compare(&model, &picture));
            files.push(StoredFile { path: path(png), found, preview });
        }
        files
    }

    /// The bytes behind a URL: from the store where it is one of its, else over the network.
    fn bytes(&self, url: &str) -> (Option<Vec<u8>>, Found) {
        let fetched = match self.store.as_ref().and_then(|store| Some((store, store.key_of(url)?))) {
            Some((store, key)) => store.get(&key),
            None => self.download(url),
        };
        match fetched {
            Ok(Some(bytes)) => match sha256_of(bytes.as_slice()) {
                Ok(sum) => (Some(bytes), Found::Bytes(sum)),
                Err(e) => (None, Found::Unknown(e.to_string())),
            },
            Ok(None) => (None, Found::Nothing),
            Err(error) => (None, Found::Unknown(error.to_string())),
        }
    }

    /// The URLs come from a repository that anybody may have made: the rule for miners' URLs holds.
    fn download(&self, url: &str) -> Result<Option<Vec<u8>>> {
        if url.starts_with("file://") {
            return Err(Error::new(Kind::Failed, "a file of another machine: --store-dir names the store's folder"));
        }
        let answer = self.client.send(&Request::get(url))?;
        match answer.status {
            404 | 410 => Ok(None),
            _ => answer.success().map(|answer| Some(answer.body)),
        }
    }

    fn compare(&self, glb: &[u8], png: &[u8]) -> Preview {
        let ours = match self.renderer.render(glb) {
            Ok(Rendering::Png(ours)) => ours,
            Ok(Rendering::Refused { message, .. }) => return Preview::Undrawable(message),
            Err(error) => return Preview::Undrawable(error.to_string()),
        };
        if ours == png {
            return Preview::Same;
        }
        let (Some((width, a)), Some((other, b))) = (grey(&ours), grey(png)) else {
            return Preview::Other("it is no picture that can be read".to_owned());
        };
        match ssim(&a, &b, width) {
            Some(alike) if width == other => Preview::Alike(alike),
            _ => Preview::Other(format!("{other} pixels wide, where ours is {width}")),
        }
    }
}

/// A PNG's width and its pixels in grey; `None` where it is none, or has an unusual form.
fn grey(png: &[u8]) -> Option<(usize, Vec<u8>)> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width, reader.info().height);
    if width > LARGEST_EDGE || height > LARGEST_EDGE {
        return None;
    }
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut pixels).ok()?;
    let samples = frame.color_type.samples();
    let mean = |pixel: &[u8]| {
        // Alpha is left aside: previews have none.
        let colours = pixel.get(..samples.min(3)).unwrap_or(pixel);
        let sum: usize = colours.iter().map(|value| usize::from(*value)).sum();
        u8::try_from(sum / colours.len().max(1)).unwrap_or(u8::MAX)
    };
    Some((usize::try_from(width).ok()?, pixels.chunks_exact(samples.max(1)).map(mean).collect()))
}
