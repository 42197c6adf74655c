//! `verify --objects`: fetches the objects behind the recorded URLs.

use std::num::NonZeroUsize;

use rayon::prelude::*;

use crate::base::error::{Error, Kind, Result};
use crate::base::url::{UrlError, check_public_url};
use crate::engine::context::Context;
use crate::model::ids::{Player, RoundNumber};
use crate::model::outputs::{Output, Outputs};
use crate::model::snapshot::{PlayerFiles, Snapshot};
use crate::preview;
use crate::rules::checks::copies::previews::LookHash;
use crate::rules::checks::objects::{Found, Stored, StoredFile, StoredPreview};
use crate::rules::python_random::PythonRandom;
use crate::rules::ssim::ssim;
use crate::settings::flags::StoreArgs;
use crate::ui::Bar;
use crate::world::http::{Client, Request};
use crate::world::memory::Memory;
use crate::world::render::{self, Drawn, Renderer, Rendering};
use crate::world::stop::Stop;
use crate::world::store::{ObjectStore, sha256_of};
use crate::world::usage::Meter;

/// The least size in bytes for which memory is reserved, for a model and for its preview.
const SMALL: u64 = 4 << 20;

/// The largest side of a preview, in pixels: its two by two views, and what lies between them.
const LARGEST_PREVIEW: u32 = 2 * preview::DEFAULT_SIZE + 64;

/// Which objects are checked, and where they are.
#[derive(Debug)]
pub(crate) struct ObjectSelection<'a> {
    /// Only this round's.
    pub(crate) round: Option<RoundNumber>,
    /// This many of each player's models, drawn at random; all if `None`.
    pub(crate) sample: Option<usize>,
    pub(crate) store: &'a StoreArgs,
    pub(crate) allow_private_cdn: bool,
}

/// Fetches the objects of all rounds asked for.
pub(crate) fn fetch<'a>(
    context: &Context<'_>,
    snapshot: &'a Snapshot,
    args: &ObjectSelection<'_>,
) -> Result<Vec<Stored<'a>>> {
    let settings = context.config.download;
    let looker = Looker {
        sources: Sources::open(context, args.store, args.allow_private_cdn)?,
        renderer: render::open(
            snapshot.format.model(),
            None,
            preview::DEFAULT_SIZE,
            NonZeroUsize::MIN,
            &Meter::default(),
        )?,
        memory: Memory::of_mib(settings.memory_mib),
        largest: settings.limits().body,
        stop: context.stop.clone(),
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
    // All parallelism is on this one level, and each thread's model and preview take a share of the memory.
    let looked = wanted.into_par_iter().map(|(stored, pairs)| looker.look(stored, &pairs, &bar)).collect();
    drop(bar);
    context.stop.check()?;
    Ok(looked)
}

/// A random seed for the sample: whoever stored the objects must not be able to predict which ones are checked.
pub(super) fn drawn() -> Result<u32> {
    getrandom::u32()
        .map_err(|e| Error::failed("the operating system provides no random numbers").because(anyhow::anyhow!("{e}")))
}

/// A model with its preview.
#[derive(Clone)]
struct ModelAndPreview {
    model: String,
    png: Option<String>,
    /// The model's bytes, as recorded.
    size: u64,
}

fn of_player<'a>(
    round: RoundNumber,
    player: &'a Player,
    own: &'a PlayerFiles,
    sample: Option<usize>,
    random: &mut PythonRandom,
) -> Vec<(Stored<'a>, Vec<ModelAndPreview>)> {
    let files = [(own.submitted.get(), "submitted.json"), (own.generated.get(), "generated.json")];
    let stored = |(outputs, file): (Option<&Outputs>, &'static str)| {
        let pair = |output: &Output| {
            Some(ModelAndPreview { model: output.model.clone()?, png: output.png.clone(), size: output.size })
        };
        let outputs = outputs?;
        let mut pairs: Vec<ModelAndPreview> = outputs.values().filter_map(pair).collect();
        let total = pairs.iter().map(|pair| 1 + usize::from(pair.png.is_some())).sum();
        if let Some(sample) = sample {
            pairs = random.sample(&pairs, sample);
        }
        let sums = own.sums.get();
        let unstored = outputs.values().filter(|output| output.model.is_none()).count();
        let stored = Stored { round, player, file: file.into(), sums, objects: Vec::new(), total, unstored };
        (!pairs.is_empty()).then_some((stored, pairs))
    };
    files.into_iter().filter_map(stored).collect()
}

/// The tools for checking objects.
struct Looker {
    sources: Sources,
    renderer: Box<dyn Renderer>,
    memory: Memory,
    /// The largest object that is fetched, in bytes.
    largest: u64,
    stop: Stop,
}

/// Where recorded objects come from: the reader's own store, or the network under the rules for miners' URLs.
#[derive(Debug)]
pub(super) struct Sources {
    store: Option<Box<dyn ObjectStore>>,
    client: Client,
    /// May the client ask hosts that are not public?
    allow_private: bool,
}

/// What to do about a URL that is refused because its host is not public.
pub(super) fn hint_on(url: &str) -> Option<&'static str> {
    let refused = check_public_url(url).err()?;
    let private = matches!(refused, UrlError::PrivateAddress(_) | UrlError::PrivateHost { .. });
    private.then_some("--allow-private-cdn fetches from it, as a sandbox's objects need")
}

/// What was found behind a URL.
pub(super) struct FoundObject {
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) found: Found,
}

/// A model and its preview, as found.
struct LookedAt {
    model: Found,
    picture: Option<Found>,
    preview: Option<StoredPreview>,
    look: Option<LookHash>,
}

impl Looker {
    fn look<'a>(&self, mut stored: Stored<'a>, pairs: &[ModelAndPreview], bar: &Bar) -> Stored<'a> {
        let folder = format!("rounds/{}/{}/", stored.round, stored.player);
        let pair = |pair: &ModelAndPreview| {
            let files = self.pair(&folder, pair);
            bar.advance(1);
            files
        };
        stored.objects = pairs.par_iter().flat_map_iter(pair).collect();
        stored
    }

    /// Fetches a model with its preview and compares them. Memory is reserved for the recorded size; a larger file is
    /// fetched again once there is room for the largest one allowed.
    fn pair(&self, folder: &str, pair: &ModelAndPreview) -> Vec<StoredFile> {
        let path = |url: &str| url.rsplit_once(folder).map_or(url, |(_, path)| path).to_owned();
        let small = pair.size.clamp(SMALL, self.largest.max(SMALL));
        let looked = self.look_in(pair, small).or_else(|| self.look_in(pair, self.largest.max(small)));
        // Stopped: the caller ends the whole check.
        let Some(looked) = looked else { return Vec::new() };
        let mut files = vec![StoredFile { path: path(&pair.model), found: looked.model, preview: None, look: None }];
        if let (Some(png), Some(found)) = (&pair.png, looked.picture) {
            files.push(StoredFile { path: path(png), found, preview: looked.preview, look: looked.look });
        }
        files
    }

    /// Checks a pair whose files have up to `most` bytes each; `None` if one is longer, or if stopped.
    fn look_in(&self, pair: &ModelAndPreview, most: u64) -> Option<LookedAt> {
        let stopped = || self.stop.is_wanted();
        let mut fetched = None;
        for share in self.memory.shares(most.saturating_add(SMALL), &stopped) {
            if fetched.is_none() {
                let picture = |png: &String| self.sources.fetch(png, most);
                let picture = pair.png.as_ref().map(picture).map_or(Some(None), |fetched| fetched.map(Some))?;
                fetched = Some((self.sources.fetch(&pair.model, most)?, picture));
            }
            let (model, picture) = fetched.as_ref()?;
            let png = picture.as_ref().and_then(|picture| picture.bytes.as_ref());
            let mut looked = LookedAt {
                model: model.found.clone(),
                picture: picture.as_ref().map(|picture| picture.found.clone()),
                preview: None,
                look: png.and_then(|png| look_of(png)),
            };
            let Some((bytes, png)) = model.bytes.as_ref().zip(png) else { return Some(looked) };
            looked.preview = match share.draw(self.renderer.as_ref(), bytes, &stopped) {
                Ok(Drawn::Done(Rendering::Png(ours))) => Some(compare(&ours, png)),
                Ok(Drawn::Done(Rendering::Refused { message, .. })) => Some(StoredPreview::Undrawable(message)),
                Ok(Drawn::NoRoom) => continue,
                Ok(Drawn::Stopped) => return None,
                Err(error) => Some(StoredPreview::Undrawable(error.to_string())),
            };
            return Some(looked);
        }
        None
    }
}

impl Sources {
    /// The store that flags or settings name, and a client for everything else.
    pub(super) fn open(context: &Context<'_>, store: &StoreArgs, allow_private_cdn: bool) -> Result<Sources> {
        let settings = context.config.download;
        let allow_private = allow_private_cdn || context.config.miners.allow_private_cdn;
        let client = Client::for_miners(settings.limits(), settings.retry(), allow_private);
        Ok(Sources { store: context.object_store(store)?, client, allow_private })
    }

    /// Is this URL one of the reader's own store?
    pub(super) fn owns(&self, url: &str) -> bool {
        self.store.as_ref().is_some_and(|store| store.key_of(url).is_some())
    }

    /// Fetches up to `most` bytes behind a URL, from the store if the URL is one of its own, else over the network;
    /// `None` if there are more.
    pub(super) fn fetch(&self, url: &str, most: u64) -> Option<FoundObject> {
        let fetched = match self.store.as_ref().and_then(|store| Some((store, store.key_of(url)?))) {
            Some((store, key)) => store.get(&key),
            None => self.download(url, most).transpose()?,
        };
        let unknown = |why: String| FoundObject { bytes: None, found: Found::Unknown(why) };
        Some(match fetched {
            Ok(Some(bytes)) => match sha256_of(bytes.as_slice()) {
                Ok(sum) => FoundObject { bytes: Some(bytes), found: Found::Bytes(sum) },
                Err(e) => unknown(e.to_string()),
            },
            Ok(None) => FoundObject { bytes: None, found: Found::Nothing },
            // Keep the hints: a finding has no other place for them.
            Err(error) => unknown([&[error.to_string()][..], error.hints()].concat().join("; ")),
        })
    }

    /// Downloads a file. The URLs come from an untrusted repository, so the rules for miners' URLs apply. The outer
    /// `None` means that the file is too long, the inner one that there is none.
    #[allow(clippy::option_option, reason = "two different reasons for no bytes")]
    fn download(&self, url: &str, most: u64) -> Result<Option<Option<Vec<u8>>>> {
        if url.starts_with("file://") {
            return Err(Error::new(Kind::Failed, "a file of another machine: --store-dir names the store's folder"));
        }
        let sent = self.client.send_up_to(&Request::get(url), most);
        let hint = hint_on(url).filter(|_| !self.allow_private);
        let sent = sent.map_err(|error| hint.iter().fold(error, |error, hint| error.hint(*hint)));
        let Some(answer) = sent? else { return Ok(None) };
        match answer.status {
            404 | 410 => Ok(Some(None)),
            _ => answer.file().map(|body| Some(Some(body))),
        }
    }
}

/// How a stored preview compares with ours. Another version may have packed the same pixels into other bytes.
fn compare(ours: &[u8], png: &[u8]) -> StoredPreview {
    if ours == png {
        return StoredPreview::Same;
    }
    let unreadable = || StoredPreview::Other("it is not a readable picture".to_owned());
    let (Some((width, _)), Some((other, height))) = (size_of_png(ours), size_of_png(png)) else { return unreadable() };
    if other != width || height != width {
        // Not decoded at all: it may be of any size.
        return StoredPreview::Other(format!("{other} pixels wide, where ours is {width}"));
    }
    let (Some(ours), Some(theirs)) = (decoded(ours), decoded(png)) else { return unreadable() };
    if ours == theirs {
        return StoredPreview::Same;
    }
    let (a, b) = (ours.grey(), theirs.grey());
    let Ok(width) = usize::try_from(width) else { return unreadable() };
    ssim(&a, &b, width).map_or_else(unreadable, StoredPreview::Alike)
}

/// What a preview looks like; `None` for a picture that is larger than any preview, which is not decoded.
fn look_of(png: &[u8]) -> Option<LookHash> {
    let (width, height) = size_of_png(png)?;
    let usual = width.max(height) <= LARGEST_PREVIEW;
    let pixels = usual.then(|| decoded(png))??.grey();
    LookHash::of(&pixels, usize::try_from(width).ok()?)
}

/// A PNG's width and height.
fn size_of_png(png: &[u8]) -> Option<(u32, u32)> {
    let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().ok()?;
    Some((reader.info().width, reader.info().height))
}

/// A PNG's pixels, a byte a sample.
#[derive(PartialEq)]
struct Pixels {
    samples: usize,
    bytes: Vec<u8>,
}

/// A PNG's pixels; `None` if it is not a PNG, or not of a usual form.
fn decoded(png: &[u8]) -> Option<Pixels> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let mut bytes = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut bytes).ok()?;
    Some(Pixels { samples: frame.color_type.samples(), bytes })
}

impl Pixels {
    /// The mean of each pixel's colours. Alpha is ignored: previews have none.
    fn grey(&self) -> Vec<u8> {
        let mean = |pixel: &[u8]| {
            let colours = pixel.get(..self.samples.min(3)).unwrap_or(pixel);
            let sum: usize = colours.iter().map(|value| usize::from(*value)).sum();
            u8::try_from(sum / colours.len().max(1)).unwrap_or(u8::MAX)
        };
        self.bytes.chunks_exact(self.samples.max(1)).map(mean).collect()
    }
}
