//! The services that a round asks, each probed through its own client.

use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::jobs::Job;
use super::wanted::{Scope, Wanted};
use crate::base::error::{Error, Result};
use crate::model::beacon::BlockHash;
use crate::model::format::Format;
use crate::model::ids::{Block, Player, RoundNumber};
use crate::rules::seed::SeedSource;
use crate::rules::stage_table::Service;
use crate::sandbox::models::Shape;
use crate::settings::Config;
use crate::settings::flags::{env, judge_key};
use crate::world::builds::settings::BuildsDriver;
use crate::world::chain::settings::Clock;
use crate::world::distance::settings::DistanceDriver;
use crate::world::judge::settings::JudgeSettings;
use crate::world::judge::trial::Trial;
use crate::world::pods::settings::ProviderName;
use crate::world::pods::{Hardware, PodName, PodOrder};
use crate::world::probe::{PATIENCE, Probed};
use crate::world::render::RenderService;
use crate::world::stop::Stop;
use crate::world::views::settings::ViewDriver;

/// What the checks of services work with.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    /// The competition's format, if it is known.
    pub(super) format: Format,
    /// The settings, with flags and environment applied, and a single short attempt for everything.
    pub(super) config: Config,
    /// The render service, if one is named.
    pub(super) render_service: Option<String>,
    pub(super) offline: bool,
    /// May something be written?
    pub(super) writes: bool,
    /// May the judge be asked?
    pub(super) asks: bool,
    /// The operator's own folder.
    pub(super) own: PathBuf,
    /// The leader's image, if it is known.
    pub(super) image: Option<String>,
    /// A miner's image, which need not exist.
    pub(super) miners_image: String,
    /// The address of a prompt's picture.
    pub(super) picture: Option<String>,
    /// The newest block on record, and a block with its hash.
    pub(super) newest: Option<Block>,
    pub(super) known: Option<(Block, BlockHash)>,
}

/// These settings, with one attempt for everything, and a short one.
pub(super) fn impatient(mut config: Config) -> Config {
    let seconds = PATIENCE.as_secs();
    let of_judge = &mut config.judge;
    (of_judge.attempts, of_judge.timeout_seconds) = (1, of_judge.timeout_seconds.min(3 * seconds));
    let of_chain = &mut config.chain;
    (of_chain.attempts, of_chain.timeout_seconds) = (1, of_chain.timeout_seconds.min(seconds));
    let of_store = &mut config.store;
    (of_store.attempts, of_store.timeout_seconds) = (1, of_store.timeout_seconds.min(seconds));
    let of_distance = &mut config.distance;
    (of_distance.attempts, of_distance.timeout_seconds) = (1, of_distance.timeout_seconds.min(3 * seconds));
    let of_views = &mut config.views;
    (of_views.attempts, of_views.timeout_seconds) = (1, of_views.timeout_seconds.min(3 * seconds));
    of_views.chromium.wall_seconds = of_views.chromium.wall_seconds.min(6 * seconds);
    let of_pods = &mut config.pods;
    (of_pods.attempts, of_pods.timeout_seconds) = (1, of_pods.timeout_seconds.min(PATIENCE.as_secs_f64()));
    (config.builds.attempts, config.builds.longest_pause_seconds) = (1, 0);
    config
}

/// A check for each service that is configured or needed, in the order of a round.
pub(super) fn jobs(desk: &Desk, scope: &Scope) -> Vec<Job> {
    let mut jobs = Vec::new();
    for service in Service::ALL {
        let (name, when) = (name(service), scope.when(service));
        let looked_at = when != Wanted::No || scope.is_wide();
        match desk.chosen(service) {
            _ if !looked_at => {}
            Choice::Unneeded => {}
            Choice::Made { local } => {
                let desk = desk.clone();
                let asked = local || !desk.offline;
                jobs.push(Job::new(name, move || if asked { desk.check(service) } else { desk.unasked(service) }));
            }
            Choice::Missing(hint) => {
                let found = missing(name, when, hint);
                jobs.extend(found.map(|finding| Job::new(name, move || vec![finding])));
            }
        }
    }
    let when = scope.when_run(|command| DRAWING.contains(&command));
    if desk.format == Format::Threejs && when != Wanted::No {
        let (views, embeddings) = (desk.clone(), desk.clone());
        jobs.push(Job::new("views", move || vec![needed("views", when, views.views())]));
        jobs.push(Job::new("embeddings", move || vec![needed("embeddings", when, embeddings.embeddings())]));
    }
    let draws = desk.format != Format::Threejs && DRAWING.into_iter().any(|command| scope.has(command));
    if let Some(url) = desk.render_service.clone().filter(|_| draws) {
        let offline = desk.offline;
        jobs.push(Job::new("render", move || vec![render(&url, offline)]));
    }
    jobs
}

/// The commands that draw what they fetch.
const DRAWING: [&str; 3] = ["baseline", "download", "audit"];

/// The line for something that is looked at whether or not it is configured: what does not work is a failure once it is
/// needed.
fn needed(name: &'static str, when: Wanted, probed: Result<Probed>) -> Finding {
    match (when, probed) {
        (Wanted::From(stage), Err(error)) => {
            Finding::warn(name, format!("{error}; needed in {stage}"), error.hints().join("; "))
        }
        (_, probed) => Finding::probed(name, probed),
    }
}

/// The line for a service that nothing names.
fn missing(name: &'static str, when: Wanted, hint: &str) -> Option<Finding> {
    match when {
        Wanted::No => None,
        Wanted::Now => Some(Finding::fail(name, &Error::usage("not configured, and needed now").hint(hint))),
        Wanted::From(stage) => Some(Finding::warn(name, format!("not configured; needed in {stage}"), hint)),
    }
}

fn name(service: Service) -> &'static str {
    match service {
        Service::Chain => "chain",
        Service::Drand => "drand",
        Service::Builds => "builds",
        Service::Pods => "pods",
        Service::Store => "store",
        Service::Judge => "judge",
        Service::Distance => "distance",
    }
}

/// Is a service configured?
enum Choice {
    /// It is; `local` if it needs no network.
    Made { local: bool },
    /// It is not: what names it.
    Missing(&'static str),
    /// The competition does without it.
    Unneeded,
}

impl Desk {
    fn chosen(&self, service: Service) -> Choice {
        let Config { chain, seed, builds, pods, store, judge, distance, .. } = &self.config;
        let made = |made: bool, local: bool, hint| if made { Choice::Made { local } } else { Choice::Missing(hint) };
        let real = chain.file.is_none() && chain.network.is_some();
        match service {
            Service::Chain => made(
                chain.file.is_some() || real,
                chain.file.is_some(),
                "name it in [chain] of gen404.toml or by SUBTENSOR_NETWORK=finney",
            ),
            Service::Drand if real && seed.source.is_none_or(|source| source == SeedSource::Drand) => {
                Choice::Made { local: false }
            }
            Service::Drand => Choice::Unneeded,
            Service::Builds => made(
                builds.chosen().is_some(),
                builds.chosen() == Some(BuildsDriver::File),
                "give GITHUB_REPO=owner/name, or [builds] in gen404.toml",
            ),
            Service::Pods => made(
                pods.provider.is_some(),
                pods.provider == Some(ProviderName::Docker),
                "[pods] provider in gen404.toml; --skip baseline --skip audit where another host rents them",
            ),
            Service::Store => made(
                store.dir.is_some() || store.endpoint.is_some(),
                store.dir.is_some(),
                "give R2_ENDPOINT, or [store] in gen404.toml",
            ),
            Service::Judge => made(
                judge.base_url.is_some(),
                false,
                "give OPENAI_BASE_URL=https://host/v1, or [judge] base_url in gen404.toml",
            ),
            Service::Distance if self.format == Format::Threejs => Choice::Unneeded,
            Service::Distance => made(
                distance.chosen().is_some(),
                distance.chosen() != Some(DistanceDriver::Http),
                "give IMAGE_DISTANCE_SERVICE_URL, or [distance] in gen404.toml",
            ),
        }
    }

    fn check(&self, service: Service) -> Vec<Finding> {
        match service {
            Service::Chain => vec![self.chain().unwrap_or_else(|error| Finding::fail("chain", &error))],
            Service::Drand => vec![Finding::probed("drand", self.drand())],
            Service::Builds => vec![Finding::probed("builds", self.builds())],
            Service::Pods => vec![self.pods()],
            Service::Store => vec![Finding::probed("store", self.store())],
            Service::Judge => self.judge(),
            Service::Distance => vec![Finding::probed("distance", self.distance())],
        }
    }

    /// Without a network: can the driver be opened, its keys among what it needs?
    fn unasked(&self, service: Service) -> Vec<Finding> {
        let opened = match service {
            Service::Chain | Service::Drand => self.config.chain.open().map(drop),
            Service::Builds => self.config.builds.open(env, &self.own, None, &Stop::of_process()).map(drop),
            Service::Pods => self.config.pods.open(env).map(drop),
            Service::Store => self.config.store.open(env).map(drop),
            Service::Judge => self.opened(&self.config.judge).map(drop),
            Service::Distance => self.config.distance.open(|_| None).map(drop),
        };
        vec![Finding::probed(name(service), opened.map(|()| Probed::fine("configured; not asked (--offline)")))]
    }

    fn builds(&self) -> Result<Probed> {
        self.config.builds.open(env, &self.own, None, &Stop::of_process())?.probe(&self.miners_image)
    }

    fn pods(&self) -> Finding {
        const NAME: &str = "pods";
        let none = || Error::usage("no provider of pods is named");
        let provider = match self.config.pods.open(env).and_then(|provider| provider.ok_or_else(none)) {
            Ok(provider) => provider,
            Err(error) => return Finding::fail(NAME, &error),
        };
        let name = PodName::new(RoundNumber(0), &Player::Leader, "doct", 0);
        let image = self.image.clone().unwrap_or_else(|| "leader:doctor".to_owned());
        let probed = provider.probe(&PodOrder { name, player: Player::Leader, image, hardware: Hardware::AsSet });
        match (probed, &self.image) {
            // It may have been the made-up image that the provider did not take.
            (Err(error), None) => {
                Finding::fail(NAME, &error.hint("the leader is not known: see leader.json")).tolerated()
            }
            (probed, _) => Finding::probed(NAME, probed),
        }
    }

    fn store(&self) -> Result<Probed> {
        let none = || Error::usage("no object store is named");
        let mut settings = self.config.store.clone();
        if self.offline {
            // It would be read back at its public address.
            settings.cdn_url = None;
        }
        let missing = missing_folders(settings.dir.as_deref());
        let probed = settings.open(env).and_then(|store| store.ok_or_else(none)?.probe(self.writes));
        // A round makes them; a folder with something in it stays.
        missing.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
        probed
    }

    fn judge(&self) -> Vec<Finding> {
        const MODELS: &str = "judge.models";
        const QUESTION: &str = "judge.question";
        let judge = match self.opened(&self.config.judge) {
            Ok(judge) => judge,
            Err(error) => return vec![Finding::fail("judge", &error)],
        };
        let of_judge = &self.config.judge;
        let model = if self.format == Format::Threejs { of_judge.stages_model() } else { of_judge.model() };
        let listed = match self.lists_model() {
            Ok(None) => Finding::ok(MODELS, "the server lists no models"),
            Ok(Some((true, count))) => Finding::ok(MODELS, format!("{model} is one of {count} that are listed")),
            Ok(Some((false, count))) => {
                let absent = Error::outside(format!("{model} is not one of {count} that are listed"));
                let finding = Finding::fail(MODELS, &absent.hint("[judge] model, or --model, names one"));
                // Gateways serve more than they list: the question decides.
                if self.asks { finding.tolerated() } else { finding }
            }
            Err(error) => Finding::fail(MODELS, &error),
        };
        let mut found = vec![listed];
        if self.asks {
            found.push(Finding::probed(QUESTION, judge.try_question()));
        }
        found
    }

    /// The judge as the competition's duels ask it: about three images, or in stages.
    fn opened(&self, settings: &JudgeSettings) -> Result<Box<dyn Trial>> {
        let key = judge_key()?;
        Ok(match self.format {
            Format::Threejs => Box::new(settings.open_stages(settings.stage_words()?, key)?),
            _ => Box::new(settings.open(key)?),
        })
    }

    /// Within a short time of its own, so that the question has the rest.
    fn lists_model(&self) -> Result<Option<(bool, usize)>> {
        let of_judge = &self.config.judge;
        let timeout_seconds = of_judge.timeout_seconds.min(PATIENCE.as_secs());
        self.opened(&JudgeSettings { timeout_seconds, ..of_judge.clone() })?.lists_model()
    }

    /// What draws three.js modules.
    fn views(&self) -> Result<Probed> {
        let renderer = self.config.views.open(env)?;
        match self.config.views.clone().with_env(env).chosen() {
            Some(ViewDriver::Http) if !self.offline => self.config.views.service(env)?.probe(),
            Some(ViewDriver::Chromium) => self.config.views.chromium.open()?.probe(),
            _ => Ok(Probed::fine(format!("{}: configured; not asked", renderer.name()))),
        }
    }

    /// What embeds their views.
    fn embeddings(&self) -> Result<Probed> {
        Ok(match self.config.embeddings.open(&self.config.distance, env)? {
            Some(embedder) => Probed::fine(format!("{}: configured; not asked", embedder.name())),
            None => Probed::doubtful(
                "none: views are stored without embeddings",
                "the judge cannot be shown each side's best view: [embeddings] in gen404.toml names what embeds them",
            ),
        })
    }

    fn distance(&self) -> Result<Probed> {
        let Config { distance, chain, .. } = &self.config;
        let opened = distance.open(|_| None)?.ok_or_else(|| Error::usage("nothing measures distances"))?;
        let real = chain.network.is_some() && chain.file.is_none() && chain.clock == Clock::System;
        match distance.chosen() {
            Some(DistanceDriver::Pixels) if real => Ok(Probed::doubtful(
                "pixels: plain pixels, no model",
                "for sandboxes only: [distance] driver = \"http\" or \"dinov3\" for a real competition",
            )),
            _ => opened.probe(self.picture.as_deref()),
        }
    }
}

/// The folders on the way to this one that do not exist yet, the innermost first.
fn missing_folders(folder: Option<&Path>) -> Vec<PathBuf> {
    let all = folder.into_iter().flat_map(Path::ancestors).filter(|folder| !folder.as_os_str().is_empty());
    all.take_while(|folder| folder.symlink_metadata().is_err()).map(Path::to_owned).collect()
}

fn render(url: &str, offline: bool) -> Finding {
    if offline {
        return Finding::ok("render", "configured; not asked (--offline)");
    }
    let model = Shape::of(&["doctor"]).model();
    Finding::probed("render", RenderService::probe(url, Format::default().model(), &model))
}
