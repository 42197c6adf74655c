//! Flags that several commands take, and how they and the environment override `gen404.toml`.

#![allow(rustdoc::broken_intra_doc_links, reason = "help texts name the settings' tables in brackets")]

use std::path::PathBuf;

use clap::Args;

use crate::base::error::{Error, Result};
use crate::base::text;
use crate::model::reveal::Compat;
use crate::world::chain::settings::{ChainSettings, Networks};
use crate::world::distance::settings::{DistanceDriver, DistanceSettings};
use crate::world::http::Secret;
use crate::world::judge::settings::JudgeSettings;
use crate::world::store::settings::StoreSettings;
/// Counts what the run of these flags uses.
pub(crate) use crate::world::usage::Meter;
pub(crate) use crate::world::witness::Witness;

/// The chain's block and time, instead of asking for them.
#[derive(Debug, Clone, Default, Args)]
pub struct MomentArgs {
    /// Use this as the chain's block (to reproduce a past run)
    #[arg(long, value_name = "BLOCK", value_parser = text::whole::<u64>)]
    pub block: Option<u64>,
    /// Use this as the time at that block [default: now, or the chain file's time]
    #[arg(long, value_name = "RFC3339", requires = "block")]
    pub now: Option<String>,
    /// The chain to ask
    #[command(flatten)]
    pub chain: ChainArgs,
}

/// Which chain to ask.
#[derive(Debug, Clone, Default, Args)]
pub struct ChainArgs {
    /// The chain's network: finney, archive, latent-lite, test, devnet, local, or a comma-separated list of
    /// node URLs in order of preference [env: SUBTENSOR_NETWORK]
    #[arg(long, value_name = "NAME|URL", conflicts_with = "chain_file")]
    pub network: Option<String>,
    /// URLs of archive nodes, asked for state that the others have discarded
    #[arg(long, value_name = "URL", conflicts_with = "chain_file")]
    pub archive: Option<String>,
    /// The subnet [env: NETUID] [default: 17]
    #[arg(long, value_name = "N", value_parser = text::whole::<u16>)]
    pub netuid: Option<u16>,
    /// Read the chain from this JSON file
    ///
    /// Its keys: current_block; finalized_block (default: the current block); block_times, block number to Unix
    /// seconds (others are derived from the nearest, at 12 s per block); block_hashes, block number to 0x and
    /// 64 hex digits; drand_pulses, quicknet round to signature in hex; commitments, hotkey to a list of
    /// {"block": N, "text": TEXT} or {"block": N, "hex": BYTES}. Only current_block is required.
    #[arg(long, value_name = "FILE")]
    pub chain_file: Option<PathBuf>,
}

/// How miners' reveals are read.
#[derive(Debug, Clone, Default, Args)]
pub struct IntakeArgs {
    /// How stored commitments are decoded: strict, or sdk10 as the deployed validator does it
    #[arg(long, value_name = "RULE")]
    pub compat: Option<Compat>,
    /// Accept miners' URLs on non-public hosts (sandbox, tests)
    #[arg(long)]
    pub allow_private_cdn: bool,
}

/// Where objects are stored.
#[derive(Debug, Clone, Default, Args)]
pub struct StoreArgs {
    /// The folder of the objects, instead of a bucket
    #[arg(long, value_name = "DIR")]
    pub store_dir: Option<PathBuf>,
    /// The base of the objects' public URLs [env: CDN_URL]
    #[arg(long, value_name = "URL")]
    pub cdn_url: Option<String>,
}

/// Which judge to ask, and how.
#[derive(Debug, Clone, Default, Args)]
pub struct JudgeArgs {
    /// The judge: an OpenAI-compatible endpoint, up to and including /v1 [env: OPENAI_BASE_URL]
    #[arg(long, value_name = "URL")]
    pub judge_url: Option<String>,
    /// The judge's model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Ask the question in this file: TOML with system, prompt, first, second and task
    #[arg(long, value_name = "FILE")]
    pub question: Option<PathBuf>,
    /// Send the images themselves to the judge, instead of their URLs
    #[arg(long)]
    pub inline_images: bool,
}

/// What measures the distance between two previews.
#[derive(Debug, Clone, Default, Args)]
pub struct DistanceArgs {
    /// What measures distances: dinov3 (the model, in this process), http (a service), or pixels (plain pixels,
    /// no model: for sandboxes only)
    #[arg(long = "distance", value_name = "DRIVER")]
    pub driver: Option<DistanceDriver>,
    /// The distance service [env: IMAGE_DISTANCE_SERVICE_URL]
    #[arg(long, value_name = "URL")]
    pub distance_url: Option<String>,
    /// The model's weights, a safetensors file
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Where the model runs: cpu, cuda or cuda:N [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
}

/// Everything that a command may ask, for those that look at all of it.
#[derive(Debug, Clone, Default, Args)]
pub struct DriverArgs {
    /// Which chain to ask
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Where objects go
    #[command(flatten)]
    pub store: StoreArgs,
    /// Which judge to ask
    #[command(flatten)]
    pub judge: JudgeArgs,
    /// What measures
    #[command(flatten)]
    pub distance: DistanceArgs,
    /// Have a render service draw the previews instead of this machine
    #[arg(long, value_name = "URL", env = "RENDER_URL")]
    pub render_service: Option<String>,
}

/// Reads a variable of the environment.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable of the environment.
#[must_use]
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The chain that flags, the environment or the settings name, in this order.
///
/// # Errors
/// A variable has a senseless value.
pub(crate) fn chain_settings(settings: &ChainSettings, args: &ChainArgs, env: Env<'_>) -> Result<ChainSettings> {
    let mut settings = settings.clone();
    let from_env = |name| env(name).filter(|value| !value.trim().is_empty());
    if let Some(file) = &args.chain_file {
        settings.file = Some(file.clone());
    } else if let Some(network) = args.network.clone().or_else(|| from_env("SUBTENSOR_NETWORK")) {
        (settings.file, settings.network) = (None, Some(Networks::One(network)));
    }
    if let Some(archive) = &args.archive {
        settings.archive = Some(Networks::One(archive.clone()));
    }
    if let Some(netuid) = args.netuid {
        settings.netuid = netuid;
    } else if let Some(netuid) = from_env("NETUID") {
        let parsed = netuid.trim().parse();
        settings.netuid = parsed.map_err(|_| Error::usage(format!("NETUID={netuid:?} is not a subnet number")))?;
    }
    Ok(settings)
}

/// The object store that flags, the environment or the settings name, in this order.
#[must_use]
pub(crate) fn store_settings(settings: &StoreSettings, args: &StoreArgs, env: Env<'_>) -> StoreSettings {
    let mut settings = settings.clone().with_env(env);
    settings.dir = args.store_dir.clone().or(settings.dir);
    settings.cdn_url = args.cdn_url.clone().or(settings.cdn_url);
    settings
}

/// The judge that flags, the environment or the settings name, in this order.
#[must_use]
pub(crate) fn judge_settings(settings: &JudgeSettings, args: &JudgeArgs) -> JudgeSettings {
    judge_settings_by(settings, args, &env)
}

/// As [`judge_settings`], in this environment.
#[must_use]
pub(crate) fn judge_settings_by(settings: &JudgeSettings, args: &JudgeArgs, env: Env<'_>) -> JudgeSettings {
    let mut settings = settings.clone();
    let from_env = env("OPENAI_BASE_URL").filter(|value| !value.trim().is_empty());
    settings.base_url = args.judge_url.clone().or(from_env).or(settings.base_url);
    settings.model = args.model.clone().or(settings.model);
    settings.question = args.question.clone().or(settings.question);
    settings.inline_images |= args.inline_images;
    settings
}

/// The judge's key: from `OPENAI_API_KEY`, or from the file that `OPENAI_API_KEY_FILE` names.
///
/// # Errors
/// That file cannot be read.
pub(crate) fn judge_key() -> Result<Option<Secret>> {
    Secret::from_env(env, "OPENAI_API_KEY")
}

/// What measures distances, from flags, the environment or the settings, in this order. The environment is
/// applied here: open the result with an empty one.
#[must_use]
pub(crate) fn distance_settings(settings: &DistanceSettings, args: &DistanceArgs) -> DistanceSettings {
    distance_settings_by(settings, args, &env)
}

/// As [`distance_settings`], in this environment.
#[must_use]
pub(crate) fn distance_settings_by(settings: &DistanceSettings, args: &DistanceArgs, env: Env<'_>) -> DistanceSettings {
    let mut settings = settings.clone().with_env(env);
    let by_url = args.distance_url.as_ref().map(|_| DistanceDriver::Http);
    let by_weights = args.weights.as_ref().map(|_| DistanceDriver::Dinov3);
    settings.driver = args.driver.or(by_url).or(by_weights).or(settings.driver);
    settings.url = args.distance_url.clone().or(settings.url);
    settings.weights = args.weights.clone().or(settings.weights);
    settings.device = args.device.clone().unwrap_or(settings.device);
    settings
}
