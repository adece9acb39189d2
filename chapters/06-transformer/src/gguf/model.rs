//! A model out of a GGUF file, and into one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::{Device, Result, Tensor, bail};
use tensors::Parameters;
use tokenizer::gguf::Value;

use super::names::{self, Kept};
use super::{GgufFile, Storage, keys, rope_factors};
use crate::checkpoint::at;
use crate::fit;
use crate::hugging_face::Family;
use crate::model::parameter_shapes;
use crate::{ModelConfig, Transformer};

const ROPE_FREQS: &str = "rope_freqs.weight";

// ANCHOR: load
impl Transformer {
    /// Reads the model of a mapped GGUF file. The weights become f32, whatever they are in the file.
    ///
    /// # Errors
    /// If the file describes a model that we do not have, or its tensors are not that model's; the message names what.
    pub fn load_gguf(file: &GgufFile, device: &Device) -> Result<Self> {
        let unusable = |error: candle_core::Error| at(file.path(), "cannot use", error);
        let (family, config) = keys::from_file(file).map_err(unusable)?;
        check_fit(family, &config, file).map_err(unusable)?;
        let mut parameters = Parameters::default();
        for (ours, _shape) in parameter_shapes(&config) {
            let (theirs, kept) = names::theirs(family, &ours)?;
            let stored = file.read(&theirs).map_err(unusable)?;
            let value = names::unpack(family, &config, kept, &stored)?.contiguous()?.to_device(device)?;
            parameters.insert(&ours, &value)?;
        }
        Self::from_parameters(config, parameters)
    }

    /// Writes a GGUF file of the model; `more` are further pairs, such as the tokenizer's.
    ///
    /// # Errors
    /// If the file cannot be written, or no family has the model's parts.
    pub fn save_gguf(&self, path: &Path, storage: Storage, more: Vec<(String, Value)>) -> Result<()> {
        let config = self.config();
        let family = Family::of(config)?;
        let mut pairs = keys::to_pairs(family, config, storage);
        pairs.extend(more);
        let tensors = pack(family, config, self.parameters().tensors())?;
        let tensors: Vec<_> = tensors
            .into_iter()
            .map(|(name, tensor)| {
                let kind = storage.of(&name, tensor.dims());
                (name, tensor, kind)
            })
            .collect();
        super::write::write_gguf(path, &pairs, &tensors)
    }
}
// ANCHOR_END: load

/// What a file keeps, by name.
fn pack(
    family: Family,
    config: &ModelConfig,
    parameters: impl Iterator<Item = (String, Tensor)>,
) -> Result<BTreeMap<String, Tensor>> {
    let mut packed = BTreeMap::new();
    let mut thirds: BTreeMap<String, [Option<Tensor>; 3]> = BTreeMap::new();
    for (ours, tensor) in parameters {
        match names::theirs(family, &ours)? {
            (name, Kept::Third(number)) => thirds.entry(name).or_default()[number] = Some(tensor),
            (name, kept) => {
                packed.insert(name, names::pack(family, config, kept, &tensor)?);
            }
        }
    }
    for (name, thirds) in thirds {
        let [Some(q), Some(k), Some(v)] = thirds else { bail!("{name} lacks queries, keys or values") };
        packed.insert(name, Tensor::cat(&[q, k, v], 0)?);
    }
    if let Some(divisors) = rope_factors::divisors(config) {
        packed.insert(ROPE_FREQS.to_string(), Tensor::new(divisors, &Device::Cpu)?);
    }
    Ok(packed)
}

/// Checks names and shapes of a file's tensors.
fn check_fit(family: Family, config: &ModelConfig, file: &GgufFile) -> Result<()> {
    let mut wanted = BTreeMap::new();
    for (ours, shape) in parameter_shapes(config) {
        let (theirs, kept) = names::theirs(family, &ours)?;
        wanted.insert(theirs, names::kept_shape(kept, &shape));
    }
    let names = file.tensors().map(|(name, ..)| name);
    let unknown: BTreeSet<&str> = names.filter(|name| !wanted.contains_key(*name) && *name != ROPE_FREQS).collect();
    fit::compare(&wanted, |name| file.shape(name), &unknown)
}
