//! `submitted.json` and `generated.json` of a mesh competition.

use crate::model::format::Format;
use crate::model::ids::PromptStem;
use crate::model::outputs;
use crate::model::record::{Entries, record};

record! {
    /// An entry: see [`outputs::Output`].
    pub struct Output [exact] {
        /// The model's URL.
        pub glb: Option<String>,
        /// Its preview's URL.
        pub png: Option<String>,
        /// Seconds from the request to the answer.
        pub generation_time: f64,
        /// Size of the model in bytes.
        pub size: u64,
        /// Attempts made.
        pub attempts: u32,
        /// Distance of the regenerated preview to the submitted one.
        pub distance: f64,
    }
}

/// The file.
pub(in crate::model::format) type Outputs = Entries<PromptStem, Output>;

impl From<Output> for outputs::Output {
    fn from(record: Output) -> Self {
        let Output { glb, png, generation_time, size, attempts, distance, extra } = record;
        outputs::Output { model: glb, png, generation_time, size, attempts, distance, extra }
    }
}

impl From<outputs::Output> for Output {
    fn from(output: outputs::Output) -> Self {
        let outputs::Output { model, png, generation_time, size, attempts, distance, extra } = output;
        Output { glb: model, png, generation_time, size, attempts, distance, extra }
    }
}

/// Converts the file to the neutral type.
pub(in crate::model::format) fn neutral(file: Outputs) -> outputs::Outputs {
    outputs::Outputs::of(Format::Mesh, file.0.into_iter().map(|(stem, output)| (stem, output.into())))
}

/// Converts the neutral type to the file.
pub(in crate::model::format) fn record(outputs: &outputs::Outputs) -> Outputs {
    outputs.iter().map(|(stem, output)| (stem.clone(), output.clone().into())).collect()
}
