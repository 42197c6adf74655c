//! A module's objects: the module itself, its thirteen pictures and their embeddings. `download` stores what miners
//! submitted with it, `audit` and `baseline` what programs made again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::base::error::{Context as _, Error, Result};
use crate::engine::context::Context;
use crate::model::format::ModelFormat;
use crate::model::ids::{Player, PromptStem, RoundNumber};
use crate::model::objects::{MOST_VERSIONS, ObjectKey, ObjectKind, StoredObject};
use crate::model::refusals::{self, Refusal};
use crate::model::threejs::outputs::Module;
use crate::rules::download::{FetchOutcome, refusal};
use crate::rules::threejs::download::module;
use crate::rules::threejs::module::broken_rule;
use crate::settings::flags::env;
use crate::world::embeddings::{self, Embedder};
use crate::world::http::{Client, HttpLimits, Request, Response, Retry};
use crate::world::stop::Stop;
use crate::world::store::{Bytes, NewObject, ObjectStore, Put, put_new, sha256_of};
use crate::world::views::{ViewError, ViewRenderer, Views, WHITE};

/// The most bytes of a prompt's picture.
const LARGEST_PROMPT: u64 = 32 << 20;

/// The files of a module's views, all of them.
#[derive(Debug, Clone)]
pub(crate) struct ViewFiles(Vec<ViewFile>);

#[derive(Debug, Clone)]
struct ViewFile {
    /// Below the folder of the views: `white/front_left.png`.
    name: String,
    kind: ObjectKind,
    bytes: Vec<u8>,
    sha256: String,
}

/// A module's views in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredViews {
    /// The grid: its URL without `/grid.png` is the folder of the views.
    pub(crate) grid: StoredObject,
    /// All others.
    pub(crate) more: Vec<StoredObject>,
}

/// What came of drawing a module.
#[derive(Debug)]
pub(crate) enum Made {
    /// Everything.
    Views(ViewFiles),
    /// The module cannot be drawn: no retry helps.
    Refused {
        /// One of [`refusals::CODES`].
        code: &'static str,
        reason: String,
    },
}

/// Draws modules and embeds their views.
#[derive(Debug)]
pub(crate) struct ViewMaker {
    renderer: Box<dyn ViewRenderer>,
    /// `None`: views are stored without embeddings.
    embedder: Option<Box<dyn Embedder>>,
    client: Client,
    prompts: Mutex<HashMap<String, Arc<Vec<u8>>>>,
}

impl ViewMaker {
    /// With this renderer and this embedder.
    pub(crate) fn new(renderer: Box<dyn ViewRenderer>, embedder: Option<Box<dyn Embedder>>) -> Self {
        let minute = Duration::from_secs(60);
        let limits = HttpLimits { idle: minute, whole: minute, body: LARGEST_PROMPT, ..HttpLimits::default() };
        ViewMaker { renderer, embedder, client: Client::new(limits, Retry::default()), prompts: Mutex::default() }
    }

    /// All views of a module for this prompt.
    ///
    /// # Errors
    /// The renderer or the embedder failed for a reason that is not the module's fault, or the prompt's picture cannot be
    /// fetched.
    pub(crate) fn make(&self, source: &[u8], prompt: &str, stop: &Stop) -> Result<Made> {
        // Before it costs a renderer's time.
        let refused = |reason| Ok(Made::Refused { code: refusals::BY_RULE, reason });
        if let Some(reason) = broken_rule(source) {
            return refused(reason);
        }
        let Ok(source) = std::str::from_utf8(source) else { return refused("not UTF-8".to_owned()) };
        let views = match self.renderer.render(source, stop) {
            Ok(views) => views,
            Err(ViewError::Refused(reason)) => return Ok(Made::Refused { code: refusals::BY_SERVICE, reason }),
            Err(ViewError::Failed(error)) => return Err(error),
        };
        let embeddings = match &self.embedder {
            None => None,
            Some(embedder) => {
                let picture = self.prompt(prompt)?;
                Some(embeddings::of_views(embedder.as_ref(), &picture, &views, stop)?)
            }
        };
        ViewFiles::of(views, embeddings).map(Made::Views)
    }

    /// The picture of a prompt, fetched once.
    fn prompt(&self, url: &str) -> Result<Arc<Vec<u8>>> {
        // Ignore poisoning: a picture is whole once it is in the map.
        let known = || self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(picture) = known().get(url) {
            return Ok(picture.clone());
        }
        let picture = Arc::new(self.client.send(&Request::get(url)).and_then(Response::file).map_err(|error| {
            error
                .hint("without a prompt's picture, no views of it can be embedded: is it still where prompts.txt says?")
        })?);
        known().insert(url.to_owned(), picture.clone());
        Ok(picture)
    }
}

impl Context<'_> {
    /// What draws and embeds, by the settings and the environment.
    ///
    /// # Errors
    /// A driver is not named, or cannot be opened.
    pub(crate) fn view_maker(&self) -> Result<ViewMaker> {
        let renderer = self.config.views.open(env)?;
        let embedder = self.config.embeddings.open(&self.config.distance, env)?;
        Ok(ViewMaker::new(renderer, embedder))
    }
}

impl ViewFiles {
    fn of(views: Views, embeddings: Option<Vec<u8>>) -> Result<ViewFiles> {
        let Views { white, gray, grid } = views;
        let mut files: Vec<(String, ObjectKind, Vec<u8>)> = Vec::new();
        for ((name, ..), png) in WHITE.iter().zip(white) {
            files.push((format!("white/{name}.png"), ObjectKind::Preview, png));
        }
        for ((name, ..), png) in WHITE.iter().zip(gray) {
            files.push((format!("gray/{name}.png"), ObjectKind::Preview, png));
        }
        files.extend(embeddings.map(|npz| ("embeddings.npz".to_owned(), ObjectKind::Embeddings, npz)));
        // Last, so that whoever finds it finds the others.
        files.push(("grid.png".to_owned(), ObjectKind::Preview, grid));
        let file = |(name, kind, bytes): (String, ObjectKind, Vec<u8>)| {
            let sha256 = sha256_of(bytes.as_slice()).failed(|| format!("{name}: no digest"))?;
            Ok(ViewFile { name, kind, bytes, sha256 })
        };
        Ok(ViewFiles(files.into_iter().map(file).collect::<Result<_>>()?))
    }
}

/// Where a player's modules of one kind go: `submitted`, or `generated_2`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModulePlace<'a> {
    pub(crate) store: &'a dyn ObjectStore,
    pub(crate) round: RoundNumber,
    pub(crate) player: &'a Player,
    pub(crate) folder: &'a str,
}

/// What is recorded of a module that was made here.
#[derive(Debug, Clone, PartialEq)]
#[allow(dead_code, reason = "for programs that are run again")]
pub(crate) struct KeptModule {
    pub(crate) module: Module,
    /// Path below the player's folder and SHA-256 of each of its objects, for `SHA256SUMS`.
    pub(crate) sums: Vec<(String, String)>,
    /// Why it has no views, for `refusals.json`.
    pub(crate) refusal: Option<Refusal>,
}

impl ModulePlace<'_> {
    /// Draws a module for the prompt with this picture, and stores it with all its views, or without any.
    ///
    /// # Errors
    /// The store, the renderer or the embedder failed: nothing is known of the module.
    #[allow(dead_code, reason = "for programs that are run again")]
    pub(crate) fn keep(
        &self,
        maker: &ViewMaker,
        (stem, prompt): (&PromptStem, &str),
        source: &[u8],
        stop: &Stop,
    ) -> Result<KeptModule> {
        let made = maker.make(source, prompt, stop)?;
        let (size, sha256) = (source.len() as u64, sha256_of(source).failed(|| format!("{stem}: no digest"))?);
        let model = self.put_module(stem, Bytes::Memory(source), size, &sha256)?;
        let outcome = match made {
            Made::Views(files) => {
                let StoredViews { grid, more } = self.put_views(stem, &files)?;
                FetchOutcome::Stored { model, png: grid, more }
            }
            Made::Refused { code, reason } => {
                FetchOutcome::Refused { model: Some(model), code: code.to_owned(), reason }
            }
        };
        let sums = outcome.objects().map(|object| (object.path.clone(), object.sha256.clone())).collect();
        Ok(KeptModule { module: module(&outcome), sums, refusal: refusal(&outcome) })
    }

    /// Stores a module under its first key that is free or already holds the same bytes.
    ///
    /// # Errors
    /// The store fails.
    #[allow(dead_code, reason = "for programs that are run again")]
    pub(crate) fn put_module(
        &self,
        stem: &PromptStem,
        bytes: Bytes<'_>,
        size: u64,
        sha256: &str,
    ) -> Result<StoredObject> {
        let kind = ObjectKind::Model(ModelFormat::Js);
        let key = |version| ObjectKey::module(self.round, self.player, self.folder, stem, version);
        put_new(self.store, key, &NewObject { kind, bytes, size, sha256 })
    }

    /// Stores all views of a module in one folder: the first in which no file has other bytes.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) fn put_views(&self, stem: &PromptStem, views: &ViewFiles) -> Result<StoredViews> {
        for version in 1..=MOST_VERSIONS {
            if let Some(stored) = self.put_all(stem, views, version)? {
                return Ok(stored);
            }
        }
        Err(Error::failed(format!(
            "{}: {MOST_VERSIONS} versions of the views of {stem} already exist",
            self.store.name()
        )))
    }

    /// `None` if a file of this version is there with other bytes.
    fn put_all(&self, stem: &PromptStem, views: &ViewFiles, version: u32) -> Result<Option<StoredViews>> {
        let mut stored = Vec::new();
        for ViewFile { name, kind, bytes, sha256 } in &views.0 {
            let key = ObjectKey::view(self.round, self.player, self.folder, stem, version, name);
            let size = bytes.len() as u64;
            let object = NewObject { kind: *kind, bytes: Bytes::Memory(bytes), size, sha256 };
            if self.store.put(&key, &object)? == Put::Taken {
                return Ok(None);
            }
            let (url, path) = (self.store.url_of(&key), key.below_player().to_owned());
            stored.push(StoredObject { url, path, sha256: sha256.clone(), size });
        }
        Ok(stored.pop().map(|grid| StoredViews { grid, more: stored }))
    }
}
