//! The reference's distance, in this process: one minus the cosine of two DINOv3 embeddings.
//!
//! Pictures are spread over threads that each do all the work, from PNG to embedding, on one core, so that no
//! core waits for another. Each picture of a call is embedded once.

pub mod model;
pub mod weights;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tch::{Device, Tensor};

use self::model::Model;
use super::rgb::decode;
use super::settings::DistanceSettings;
use super::{Distance, NotMeasured, Picture};
use crate::base::error::{Context as _, Error, Result};
use crate::embeddings::{Embedder, normalised};
use crate::stop::Stop;

/// An embedding, or why there is none.
pub type Embedded = std::result::Result<Vec<f32>, NotMeasured>;

/// The model, loaded once per thread.
#[derive(Debug)]
pub struct Dinov3 {
    /// One per thread, sharing the same tensors.
    models: Vec<Mutex<Model>>,
    batch: usize,
}

impl Dinov3 {
    /// Loads the model that the settings name.
    ///
    /// # Errors
    /// No weights are named, they cannot be read or are not the expected ones, or the device does not exist.
    pub fn open(settings: &DistanceSettings) -> Result<Dinov3> {
        let weights = settings.weights.as_deref().ok_or_else(|| {
            let unknown = Error::usage("distances by dinov3: no weights are named");
            unknown.hint("give --weights model.safetensors, or [distance] weights in gen404.toml")
        })?;
        let device = device(&settings.device)?;
        // Each picture has a thread of its own: libtorch must not start more.
        tch::set_num_threads(1);
        let loaded = Model::load(weights, settings.weights_sha256.as_deref())?;
        let cannot = || format!("{}: the model cannot be put on {}", weights.display(), settings.device);
        let first = loaded.on(device).failed(cannot)?;
        let threads = match settings.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            given => given,
        };
        let mut models = vec![];
        for _ in 1..threads {
            models.push(Mutex::new(first.on(device).failed(cannot)?));
        }
        models.push(Mutex::new(first));
        Ok(Dinov3 { models, batch: settings.batch.max(1) })
    }

    /// The embedding of each picture, in the given order.
    #[must_use]
    pub fn embed(&self, pictures: &[Picture<'_>]) -> Vec<Embedded> {
        // A few pictures, such as an audit's pair, are spread over the threads before they are batched.
        let share = pictures.len().div_ceil(self.models.len()).clamp(1, self.batch);
        let batches: Vec<&[Picture<'_>]> = pictures.chunks(share).collect();
        let next = AtomicUsize::new(0);
        let worker = |model: &Mutex<Model>| {
            // A model is never changed, so a panic elsewhere cannot have broken it.
            let model = model.lock().unwrap_or_else(PoisonError::into_inner);
            tch::set_num_threads(1);
            let _guard = tch::no_grad_guard();
            let mut done = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::SeqCst);
                let Some(batch) = batches.get(at) else { return done };
                done.push((at, embed_batch(&model, batch)));
            }
        };
        let done: HashMap<usize, Vec<Embedded>> = std::thread::scope(|scope| {
            let worker = &worker;
            let needed = self.models.iter().take(batches.len());
            let workers: Vec<_> = needed.map(|model| scope.spawn(move || worker(model))).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        });
        let lost = |batch: &[Picture<'_>]| -> Vec<Embedded> {
            batch.iter().map(|picture| Err(picture.fault("the model's thread ended early"))).collect()
        };
        let in_order =
            batches.iter().enumerate().map(|(at, batch)| done.get(&at).cloned().unwrap_or_else(|| lost(batch)));
        in_order.flatten().collect()
    }
}

impl Distance for Dinov3 {
    fn name(&self) -> &'static str {
        "dinov3"
    }

    fn measure(&self, pairs: &[(Picture<'_>, Picture<'_>)]) -> Vec<std::result::Result<f64, NotMeasured>> {
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        let mut once: Vec<Picture<'_>> = Vec::new();
        for picture in pairs.iter().flat_map(|(a, b)| [a, b]) {
            places.entry(picture.png).or_insert_with(|| {
                once.push(*picture);
                once.len() - 1
            });
        }
        let embedded = self.embed(&once);
        let of = |picture: &Picture<'_>| match places.get(picture.png).and_then(|place| embedded.get(*place)) {
            Some(embedded) => embedded.clone(),
            None => Err(picture.fault("not looked at")),
        };
        pairs.iter().map(|(a, b)| apart(&of(a)?, &of(b)?)).collect()
    }
}

impl Embedder for Dinov3 {
    fn name(&self) -> &'static str {
        "dinov3"
    }

    fn embed(&self, pictures: &[&[u8]], _: &Stop) -> Result<Vec<Vec<f32>>> {
        let pictures: Vec<Picture<'_>> = pictures.iter().map(|png| Picture { url: "a view", png }).collect();
        let embedded = Dinov3::embed(self, &pictures).into_iter();
        embedded.map(|vector| vector.map(normalised).map_err(Error::failed)).collect()
    }
}

/// One minus the cosine: exactly 0 for equal embeddings.
fn apart(a: &[f32], b: &[f32]) -> std::result::Result<f64, NotMeasured> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let distance = 1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    if distance.is_finite() {
        Ok(distance.clamp(0.0, 2.0))
    } else {
        Err(NotMeasured("the embeddings have no angle".to_owned()))
    }
}

/// Embeds pictures together; an unreadable one does not affect the others.
fn embed_batch(model: &Model, batch: &[Picture<'_>]) -> Vec<Embedded> {
    let prepared: Vec<std::result::Result<Tensor, NotMeasured>> = batch
        .iter()
        .map(|picture| {
            let rgb = decode(picture.png).map_err(|why| picture.fault(why))?;
            model.pixels(&rgb).map_err(|e| picture.fault(first_line(&e)))
        })
        .collect();
    let sound: Vec<&Tensor> = prepared.iter().filter_map(|pixels| pixels.as_ref().ok()).collect();
    let mut rows = forward(model, &sound).map(Vec::into_iter);
    let mut next = |picture: &Picture<'_>| match &mut rows {
        Ok(rows) => rows.next().ok_or_else(|| picture.fault("no embedding came out")),
        Err(why) => Err(picture.fault(why)),
    };
    prepared
        .iter()
        .zip(batch)
        .map(|(pixels, picture)| pixels.as_ref().map_err(Clone::clone).and_then(|_| next(picture)))
        .collect()
}

/// The embedding of each prepared picture.
fn forward(model: &Model, pixels: &[&Tensor]) -> std::result::Result<Vec<Vec<f32>>, NotMeasured> {
    if pixels.is_empty() {
        return Ok(Vec::new());
    }
    let computed = || -> std::result::Result<Vec<Vec<f32>>, tch::TchError> {
        let pooled = model.embed(&Tensor::f_cat(pixels, 0)?)?.f_to_device(Device::Cpu)?;
        (0..).zip(pixels).map(|(row, _)| Vec::<f32>::try_from(pooled.f_get(row)?)).collect()
    };
    computed().map_err(|e| NotMeasured(format!("the model failed: {}", first_line(&e))))
}

/// The first line of libtorch's message; a stack trace follows.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or("no reason given").to_owned()
}

/// The device of this name.
fn device(name: &str) -> Result<Device> {
    let number =
        name.strip_prefix("cuda").map(|rest| rest.strip_prefix(':').unwrap_or(if rest.is_empty() { "0" } else { "" }));
    let device = match (name, number.map(str::parse::<usize>)) {
        ("cpu", _) => return Ok(Device::Cpu),
        (_, Some(Ok(number))) => number,
        _ => return Err(Error::usage(format!("{name:?} is not a device (cpu, cuda, cuda:N)"))),
    };
    let there = tch::Cuda::device_count();
    if !tch::Cuda::is_available() || i64::try_from(device).unwrap_or(i64::MAX) >= there {
        return Err(Error::usage(format!("device {name} does not exist ({there} CUDA devices)")));
    }
    Ok(Device::Cuda(device))
}
