//! The tensors of a weights file: each is requested by name and shape, and none may be left over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tch::{Kind, Tensor};

use crate::base::error::{Context as _, Error, Result};
use crate::base::files;
use crate::store::sha256_of;

/// The prefix that some versions of the reference put before each name.
const PREFIX: &str = "model.";

/// A loaded safetensors file.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Weights {
    /// Reads a file with the given SHA-256.
    ///
    /// # Errors
    /// It cannot be read, has another SHA-256, or is not a safetensors file.
    pub fn read(path: &Path, sha256: Option<&str>) -> Result<Weights> {
        let cannot = || format!("{}: cannot read the weights", path.display());
        let file = files::open(path, true)?.ok_or_else(|| Error::failed(cannot()))?;
        if let Some(wanted) = sha256 {
            let found = sha256_of(file).failed(cannot)?;
            if !found.eq_ignore_ascii_case(wanted) {
                return Err(Error::file(path, format!("its SHA-256 is {found}, not {wanted}")));
            }
        }
        let read = Tensor::read_safetensors(path).failed(|| format!("{}: not a safetensors file", path.display()))?;
        let bare = |name: String| name.strip_prefix(PREFIX).map(str::to_owned).unwrap_or(name);
        let tensors = read.into_iter().map(|(name, tensor)| (bare(name), tensor)).collect();
        Ok(Weights { path: path.to_owned(), tensors })
    }

    /// The shape of a tensor of `N` dimensions.
    ///
    /// # Errors
    /// There is no such tensor.
    pub fn shape<const N: usize>(&self, name: &str) -> Result<[i64; N]> {
        let tensor = self.tensors.get(name).ok_or_else(|| self.missing(name))?;
        let size = tensor.size();
        <[i64; N]>::try_from(size.as_slice())
            .map_err(|_| Error::file(&self.path, format!("tensor {name} has shape {size:?}, not {N} dimensions")))
    }

    /// Is there a tensor of this name?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Takes a tensor.
    ///
    /// # Errors
    /// It does not exist, or has another shape or type.
    pub fn take(&mut self, name: &str, shape: &[i64]) -> Result<Tensor> {
        let tensor = self.tensors.remove(name).ok_or_else(|| self.missing(name))?;
        let (size, kind) = (tensor.size(), tensor.f_kind().failed(|| format!("tensor {name} has an unknown type"))?);
        if size != shape || kind != Kind::Float {
            let wrong = format!("tensor {name} is {kind:?} of shape {size:?}, not Float of {shape:?}");
            return Err(Error::file(&self.path, wrong));
        }
        Ok(tensor)
    }

    /// Finishes loading: an unused tensor means that the result would differ.
    ///
    /// # Errors
    /// A tensor is left over.
    pub fn finish(mut self) -> Result<()> {
        self.tensors.remove("embeddings.mask_token");
        let mut left: Vec<&String> = self.tensors.keys().collect();
        left.sort();
        match left.first() {
            None => Ok(()),
            Some(name) => Err(Error::file(&self.path, format!("tensor {name} is not part of any known DINOv3 ViT"))),
        }
    }

    fn missing(&self, name: &str) -> Error {
        Error::file(&self.path, format!("tensor {name} is missing")).hint("the weights of a DINOv3 ViT are needed")
    }
}

/// What the shapes do not tell: `config.json` beside the weights.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct TensorShape {
    model_type: String,
    hidden_act: String,
    use_gated_mlp: bool,
    image_size: i64,
    hidden_size: Option<i64>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<i64>,
    /// The base of the rotary frequencies.
    pub rope_theta: f64,
    /// Added to variances.
    pub layer_norm_eps: f64,
}

/// The head size of every published model.
const HEAD: i64 = 64;

impl Default for TensorShape {
    fn default() -> Self {
        TensorShape {
            model_type: "dinov3_vit".to_owned(),
            hidden_act: "gelu".to_owned(),
            use_gated_mlp: false,
            image_size: super::model::EDGE,
            hidden_size: None,
            num_hidden_layers: None,
            num_attention_heads: None,
            rope_theta: 100.0,
            layer_norm_eps: 1e-5,
        }
    }
}

impl TensorShape {
    /// Reads the file beside the weights; by default, the published models' values.
    ///
    /// # Errors
    /// It cannot be read, or describes an unsupported model.
    pub fn beside(weights: &Path) -> Result<TensorShape> {
        let path = weights.with_file_name("config.json");
        let Some(text) = files::read(&path, files::SMALL)? else { return Ok(TensorShape::default()) };
        let shape: TensorShape =
            serde_json::from_slice(&text).failed(|| format!("{}: does not parse", path.display()))?;
        let known = (shape.model_type.as_str(), shape.hidden_act.as_str(), shape.use_gated_mlp, shape.image_size);
        if known != ("dinov3_vit", "gelu", false, super::model::EDGE) {
            let (model, act, gated, size) = known;
            let other = format!("model_type {model}, hidden_act {act}, use_gated_mlp {gated}, image_size {size}");
            return Err(Error::file(&path, format!("{other}: not supported")));
        }
        Ok(shape)
    }

    /// The number of heads, checked against `hidden` and `layers`, which come from the tensors.
    ///
    /// # Errors
    /// The file says otherwise, or the heads do not divide evenly.
    pub fn heads(&self, weights: &Path, hidden: i64, layers: usize) -> Result<i64> {
        let same = self.hidden_size.is_none_or(|size| size == hidden)
            && self.num_hidden_layers.is_none_or(|count| count == layers);
        if !same {
            let shown = format!("hidden size {hidden} and {layers} layers, but config.json says otherwise");
            return Err(Error::file(weights, shown));
        }
        let heads = self.num_attention_heads.unwrap_or(hidden / HEAD);
        // Each head is rotated in quarters.
        if heads < 1 || hidden % heads != 0 || (hidden / heads) % 4 != 0 {
            let uneven = Error::file(weights, format!("hidden size {hidden} does not divide into {heads} heads"));
            return Err(uneven.hint("config.json beside the weights says how many heads there are"));
        }
        Ok(heads)
    }
}
