//! The embedding model: from pixels to the vector that distances are computed from.
//!
//! Operations are in the reference's order, so that results agree to the last bits.

use std::path::Path;

use tch::{Device, Kind, TchError, Tensor};

use super::weights::{TensorShape, Weights};
use crate::base::error::{Context as _, Error, Result};
use crate::distance::rgb::Rgb;

/// Pixels per side that pictures are resized to.
pub const EDGE: i64 = 224;

const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

type Computed<T> = std::result::Result<T, TchError>;

#[derive(Debug)]
struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    fn take(weights: &mut Weights, name: &str, [outputs, inputs]: [i64; 2], bias: bool) -> Result<Linear> {
        let weight = weights.take(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = if bias { Some(weights.take(&format!("{name}.bias"), &[outputs])?) } else { None };
        Ok(Linear { weight, bias })
    }

    fn forward(&self, x: &Tensor) -> Computed<Tensor> {
        x.f_linear(&self.weight, self.bias.as_ref())
    }

    fn on(&self, device: Device) -> Computed<Linear> {
        let bias = self.bias.as_ref().map(|bias| bias.f_to_device(device)).transpose()?;
        Ok(Linear { weight: self.weight.f_to_device(device)?, bias })
    }
}

#[derive(Debug)]
struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl Norm {
    fn take(weights: &mut Weights, name: &str, size: i64, eps: f64) -> Result<Norm> {
        let weight = weights.take(&format!("{name}.weight"), &[size])?;
        Ok(Norm { weight, bias: weights.take(&format!("{name}.bias"), &[size])?, eps })
    }

    fn forward(&self, x: &Tensor) -> Computed<Tensor> {
        x.f_layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, true)
    }

    fn on(&self, device: Device) -> Computed<Norm> {
        let (weight, bias) = (self.weight.f_to_device(device)?, self.bias.f_to_device(device)?);
        Ok(Norm { weight, bias, eps: self.eps })
    }
}

/// Which tokens are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    All,
    /// The first one, which has no position in the picture and so is never rotated.
    Class,
}

impl Asked {
    fn of(self, tokens: &Tensor) -> Computed<Tensor> {
        match self {
            Asked::All => Ok(tokens.shallow_clone()),
            Asked::Class => tokens.f_narrow(1, 0, 1),
        }
    }
}

#[derive(Debug)]
struct Layer {
    norms: [Norm; 2],
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    up: Linear,
    down: Linear,
    scales: [Tensor; 2],
}

impl Layer {
    fn take(weights: &mut Weights, number: usize, hidden: i64, eps: f64) -> Result<Layer> {
        let name = |part: &str| format!("layer.{number}.{part}");
        let [inner, _] = weights.shape::<2>(&name("mlp.up_proj.weight"))?;
        let square = [hidden, hidden];
        let norm1 = Norm::take(weights, &name("norm1"), hidden, eps)?;
        let norm2 = Norm::take(weights, &name("norm2"), hidden, eps)?;
        let scale1 = weights.take(&name("layer_scale1.lambda1"), &[hidden])?;
        let scale2 = weights.take(&name("layer_scale2.lambda1"), &[hidden])?;
        Ok(Layer {
            norms: [norm1, norm2],
            query: Linear::take(weights, &name("attention.q_proj"), square, true)?,
            key: Linear::take(weights, &name("attention.k_proj"), square, false)?,
            value: Linear::take(weights, &name("attention.v_proj"), square, true)?,
            output: Linear::take(weights, &name("attention.o_proj"), square, true)?,
            up: Linear::take(weights, &name("mlp.up_proj"), [inner, hidden], true)?,
            down: Linear::take(weights, &name("mlp.down_proj"), [hidden, inner], true)?,
            scales: [scale1, scale2],
        })
    }

    /// The tokens after this layer: all, or only the class token, which attends to all others.
    fn forward(&self, x: &Tensor, rope: &Rope, heads: i64, asked: Asked) -> Computed<Tensor> {
        let [norm1, norm2] = &self.norms;
        let [scale1, scale2] = &self.scales;
        let y = self.attention(&norm1.forward(x)?, rope, heads, asked)?;
        let x = asked.of(x)?.f_add(&scale1.f_mul(&y)?)?;
        let y = self.up.forward(&norm2.forward(&x)?)?.f_gelu("none")?;
        x.f_add(&scale2.f_mul(&self.down.forward(&y)?)?)
    }

    fn attention(&self, y: &Tensor, rope: &Rope, heads: i64, asked: Asked) -> Computed<Tensor> {
        let size = y.size();
        let [batch, _, hidden] = <[i64; 3]>::try_from(size.as_slice())
            .map_err(|_| TchError::Shape(format!("{size:?} is not a batch of tokens")))?;
        let head = hidden / heads;
        let split = |z: Tensor| z.f_view([batch, -1, heads, head])?.f_transpose(1, 2);
        let query = split(self.query.forward(&asked.of(y)?)?)?;
        let query = if asked == Asked::All { rope.turn(&query)? } else { query };
        let key = rope.turn(&split(self.key.forward(y)?)?)?;
        let value = split(self.value.forward(y)?)?;
        let scale = (head as f64).powf(-0.5);
        let none: Option<&Tensor> = None;
        let mixed = Tensor::f_scaled_dot_product_attention(&query, &key, &value, none, 0.0, false, Some(scale), false)?;
        self.output.forward(&mixed.f_transpose(1, 2)?.f_reshape([batch, -1, hidden])?)
    }

    fn on(&self, device: Device) -> Computed<Layer> {
        let [norm1, norm2] = &self.norms;
        let [scale1, scale2] = &self.scales;
        Ok(Layer {
            norms: [norm1.on(device)?, norm2.on(device)?],
            query: self.query.on(device)?,
            key: self.key.on(device)?,
            value: self.value.on(device)?,
            output: self.output.on(device)?,
            up: self.up.on(device)?,
            down: self.down.on(device)?,
            scales: [scale1.f_to_device(device)?, scale2.f_to_device(device)?],
        })
    }
}

/// The rotary position embedding: rotations of queries and keys by the position of their patch. Other tokens
/// stay as they are.
#[derive(Debug)]
struct Rope {
    cos: Tensor,
    sin: Tensor,
    others: i64,
}

impl Rope {
    fn new(grid: i64, head: i64, theta: f64, others: i64) -> Computed<Rope> {
        let on = (Kind::Float, Device::Cpu);
        let steps = Tensor::f_arange_start_step(0.0, 1.0, 4.0 / head as f64, on)?;
        // In single precision like the reference: double precision would change the last bits.
        let base = Tensor::from_slice(&[theta]).f_to_kind(Kind::Float)?;
        let frequencies = base.f_pow(&steps)?.f_reciprocal()?;
        // Patch centres, scaled to -1..1 below.
        let places = Tensor::f_arange_start(0.5, grid as f64, on)?.f_div_scalar(grid as f64)?;
        let both = Tensor::f_meshgrid_indexing(&[&places, &places], "ij")?;
        let places = Tensor::f_stack(&both, -1)?.f_flatten(0, 1)?.f_mul_scalar(2.0)?.f_sub_scalar(1.0)?;
        let angles = places.f_mul_scalar(2.0 * std::f64::consts::PI)?.f_unsqueeze(-1)?.f_mul(&frequencies)?;
        let angles = angles.f_flatten(1, 2)?.f_tile([2])?;
        Ok(Rope { cos: angles.f_cos()?, sin: angles.f_sin()?, others })
    }

    fn turn(&self, z: &Tensor) -> Computed<Tensor> {
        let tokens = z.size().get(2).copied().unwrap_or_default();
        let (still, z) = (z.f_narrow(2, 0, self.others)?, z.f_narrow(2, self.others, tokens - self.others)?);
        let halves = z.f_chunk(2, -1)?;
        let [first, second] = halves.as_slice() else { return Err(TchError::Shape("no two halves".to_owned())) };
        let across = Tensor::f_cat(&[&second.f_neg()?, first], -1)?;
        let turned = z.f_mul(&self.cos)?.f_add(&across.f_mul(&self.sin)?)?;
        Tensor::f_cat(&[&still, &turned], 2)
    }
}

/// The model, on one device. Its tensors may be shared with other instances.
#[derive(Debug)]
pub struct Model {
    device: Device,
    heads: i64,
    first: Tensor,
    patch: Linear,
    edge: i64,
    rope: Rope,
    layers: Vec<Layer>,
    norm: Norm,
    mean: Tensor,
    std: Tensor,
}

impl Model {
    /// Loads the model from a safetensors file with the given SHA-256.
    ///
    /// # Errors
    /// The file cannot be read, or a tensor is missing, wrong or unknown: the message names it.
    pub fn load(path: &Path, sha256: Option<&str>) -> Result<Model> {
        let _guard = tch::no_grad_guard();
        let shape = TensorShape::beside(path)?;
        let mut weights = Weights::read(path, sha256)?;
        let [hidden, _, edge, _] = weights.shape::<4>("embeddings.patch_embeddings.weight")?;
        let [_, registers, _] = weights.shape::<3>("embeddings.register_tokens")?;
        if edge < 1 || EDGE % edge != 0 {
            return Err(Error::file(path, format!("patches of {edge} pixels do not fill {EDGE}")));
        }
        let count = (0..).take_while(|i| weights.has(&format!("layer.{i}.norm1.weight"))).count();
        let heads = shape.heads(path, hidden, count)?;
        let eps = shape.layer_norm_eps;
        let layers = (0..count).map(|i| Layer::take(&mut weights, i, hidden, eps)).collect::<Result<_>>()?;
        let class = weights.take("embeddings.cls_token", &[1, 1, hidden])?;
        let others = weights.take("embeddings.register_tokens", &[1, registers, hidden])?;
        let patch = "embeddings.patch_embeddings";
        let kernel = weights.take(&format!("{patch}.weight"), &[hidden, 3, edge, edge])?;
        let bias = Some(weights.take(&format!("{patch}.bias"), &[hidden])?);
        let norm = Norm::take(&mut weights, "norm", hidden, eps)?;
        weights.finish()?;
        let cannot = || format!("{}: the model cannot be set up", path.display());
        let rope = Rope::new(EDGE / edge, hidden / heads, shape.rope_theta, 1 + registers).failed(cannot)?;
        let first = Tensor::f_cat(&[class, others], 1).failed(cannot)?;
        let colours = |values: &[f32]| Tensor::from_slice(values).f_view([1, 3, 1, 1]).failed(cannot);
        let (mean, std) = (colours(&MEAN)?, colours(&STD)?);
        let patch = Linear { weight: kernel, bias };
        Ok(Model { device: Device::Cpu, heads, first, patch, edge, rope, layers, norm, mean, std })
    }

    /// The same model on a device; on the same device it shares its tensors.
    ///
    /// # Errors
    /// The device has no room, or does not work.
    pub fn on(&self, device: Device) -> Computed<Model> {
        let rope = Rope {
            cos: self.rope.cos.f_to_device(device)?,
            sin: self.rope.sin.f_to_device(device)?,
            others: self.rope.others,
        };
        Ok(Model {
            device,
            heads: self.heads,
            first: self.first.f_to_device(device)?,
            patch: self.patch.on(device)?,
            edge: self.edge,
            rope,
            layers: self.layers.iter().map(|layer| layer.on(device)).collect::<Computed<_>>()?,
            norm: self.norm.on(device)?,
            mean: self.mean.f_to_device(device)?,
            std: self.std.f_to_device(device)?,
        })
    }

    /// A picture as the model's input: `[1, 3, 224, 224]`. It is resized as floats, not as bytes.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn pixels(&self, rgb: &Rgb) -> Computed<Tensor> {
        let size = [rgb.height, rgb.width, 3].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let bytes = Tensor::f_from_data_size(&rgb.bytes, &size, Kind::Uint8)?.f_to_device(self.device)?;
        let mut planes = bytes.f_permute([2, 0, 1])?.f_unsqueeze(0)?.f_contiguous()?.f_to_kind(Kind::Float)?;
        if size[..2] != [EDGE, EDGE] {
            planes = planes.f_internal_upsample_bilinear2d_aa([EDGE, EDGE], false, None, None)?;
        }
        // The reference scales before it resizes; scaling the small picture is cheaper, and equal but for
        // rounding.
        planes.f_mul_scalar(1.0 / 255.0)?.f_sub(&self.mean)?.f_div(&self.std)
    }

    /// The embeddings of the patches of `[B, 3, 224, 224]`: `[B, patches, hidden]`.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn patches(&self, pixels: &Tensor) -> Computed<Tensor> {
        let (stride, none) = ([self.edge; 2], [0, 0]);
        let patches = pixels.f_conv2d(&self.patch.weight, self.patch.bias.as_ref(), stride, none, [1, 1], 1)?;
        patches.f_flatten(2, -1)?.f_transpose(1, 2)
    }

    /// The tokens before the first layer: class, registers, patches.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn tokens(&self, patches: &Tensor) -> Computed<Tensor> {
        let batch = patches.size().first().copied().unwrap_or_default();
        Tensor::f_cat(&[&self.first.f_expand([batch, -1, -1], false)?, patches], 1)
    }

    /// The tokens after each layer.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn layers(&self, tokens: &Tensor) -> Computed<Vec<Tensor>> {
        let mut after: Vec<Tensor> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let next = layer.forward(after.last().unwrap_or(tokens), &self.rope, self.heads, Asked::All)?;
            after.push(next);
        }
        Ok(after)
    }

    /// The tokens after the last norm.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn last(&self, tokens: &Tensor) -> Computed<Tensor> {
        self.norm.forward(tokens)
    }

    /// The cosines and sines of the rotations, `[patches, head size]` each.
    pub fn rotations(&self) -> [&Tensor; 2] {
        [&self.rope.cos, &self.rope.sin]
    }

    /// The embeddings of prepared pictures: `[B, hidden]`.
    ///
    /// # Errors
    /// libtorch fails.
    pub fn embed(&self, pixels: &Tensor) -> Computed<Tensor> {
        let mut x = self.tokens(&self.patches(pixels)?)?;
        for (number, layer) in (1..).zip(&self.layers) {
            // Only the class token of the last layer is used.
            let asked = if number == self.layers.len() { Asked::Class } else { Asked::All };
            x = layer.forward(&x, &self.rope, self.heads, asked)?;
        }
        self.norm.forward(&x.f_narrow(1, 0, 1)?)?.f_squeeze_dim(1)
    }
}
