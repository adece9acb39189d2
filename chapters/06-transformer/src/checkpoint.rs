//! A model folder in Hugging Face's layout: `config.json` and `model.safetensors`, which transformers, vLLM and llama.cpp's
//! converter open.
//!
//! Files are written under a temporary name and renamed when they are complete and flushed, so that a killed process leaves either the
//! old file or the new one. Reading refuses what does not fit: weights that are missing, unknown or of another shape are named.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;

use candle_core::{DType, Device, Error, Result, Tensor};
use tensors::Parameters;

use crate::hugging_face::{LlamaJson, hugging_face_name};
use crate::model::parameter_shapes;
use crate::{ModelConfig, Transformer};

/// The configuration's file.
pub const CONFIG_FILE: &str = "config.json";
/// The weights' file.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// The map from tensor to file of a model whose weights are split.
pub const INDEX_FILE: &str = "model.safetensors.index.json";

// ANCHOR: save
impl Transformer {
    /// Writes `config.json` and `model.safetensors` into `folder`, which is created. The token that begins a text and the one that ends
    /// what the model says go into the configuration.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn save(&self, folder: &Path, bos_token_id: Option<u32>, eos_token_id: Option<u32>) -> Result<()> {
        fs::create_dir_all(folder).map_err(|error| at(folder, "cannot create", error))?;
        let tensors: HashMap<String, Tensor> =
            self.parameters().tensors().map(|(name, value)| (hugging_face_name(&name), value)).collect();
        write_safetensors(&folder.join(WEIGHTS_FILE), &tensors)?;
        // The index of a split model that was here before would lead to the old weights.
        let index = folder.join(INDEX_FILE);
        if index.exists() {
            fs::remove_file(&index).map_err(|error| at(&index, "cannot remove", error))?;
        }
        let config = LlamaJson::from_config(self.config(), bos_token_id, eos_token_id);
        let json = serde_json::to_string_pretty(&config).map_err(Error::wrap)?;
        replace_file(&folder.join(CONFIG_FILE), |path| fs::write(path, json.as_bytes()).map_err(Error::wrap))
    }

    /// Reads a model folder.
    ///
    /// # Errors
    /// If a file is missing or damaged, or describes another model than the weights; the message names the file.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let config = read_config(folder)?;
        let mut weights = read_weights(folder)?;
        weights.retain(|name, _| !is_redundant(name, &config));
        let mut parameters = Parameters::default();
        for (name, shape) in parameter_shapes(&config) {
            parameters.insert(&name, &Tensor::zeros(shape, DType::F32, device)?)?;
            // From their name to ours.
            if let Some(value) = weights.remove(&hugging_face_name(&name)) {
                weights.insert(name, value);
            }
        }
        parameters.assign(&weights).map_err(|error| at(folder, "cannot use the weights in", error))?;
        Self::from_parameters(config, parameters)
    }
}
// ANCHOR_END: save

/// Whether a file may hold this tensor although the model needs it not: transformers may store a tied head although it is the
/// embedding, and older versions stored the rotary frequencies, which follow from the configuration.
fn is_redundant(name: &str, config: &ModelConfig) -> bool {
    name == "lm_head.weight" && config.tie_embeddings || name.ends_with(".rotary_emb.inv_freq")
}

/// Reads `config.json` of a model folder.
///
/// # Errors
/// If it is missing, not JSON, or describes a model of another architecture.
pub fn read_config(folder: &Path) -> Result<ModelConfig> {
    let path = folder.join(CONFIG_FILE);
    let text = fs::read_to_string(&path).map_err(|error| at(&path, "cannot read", error))?;
    let json: LlamaJson = serde_json::from_str(&text).map_err(|error| at(&path, "cannot understand", error))?;
    json.to_config().map_err(|error| at(&path, "cannot use", error))
}

/// All tensors of a model folder under their own names, from one file or from those that the index lists.
fn read_weights(folder: &Path) -> Result<HashMap<String, Tensor>> {
    let index = folder.join(INDEX_FILE);
    if !index.exists() {
        return read_safetensors(&folder.join(WEIGHTS_FILE));
    }
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let text = fs::read_to_string(&index).map_err(|error| at(&index, "cannot read", error))?;
    let parsed: Index = serde_json::from_str(&text).map_err(|error| at(&index, "cannot understand", error))?;
    let files: std::collections::BTreeSet<&String> = parsed.weight_map.values().collect();
    let mut tensors = HashMap::new();
    for file in files {
        if Path::new(file).components().count() != 1 {
            return Err(at(&index, "refuses to leave the folder:", Error::msg(file)));
        }
        tensors.extend(read_safetensors(&folder.join(file))?);
    }
    Ok(tensors)
}

/// Writes a safetensors file under a temporary name, flushes it, and renames it.
///
/// # Errors
/// If the file cannot be written; the message names it.
pub fn write_safetensors(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<()> {
    // transformers wants to be told who wrote the file; "pt" says: row-major matrices, as PyTorch has them.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    replace_file(path, |temporary| {
        safetensors::serialize_to_file(
            tensors.iter().map(|(name, tensor)| (name.clone(), tensor)),
            Some(metadata),
            temporary,
        )
        .map_err(Error::wrap)
    })
}

/// Reads a safetensors file onto the CPU.
///
/// # Errors
/// If it is missing or damaged; the message names it.
pub fn read_safetensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    candle_core::safetensors::load(path, &Device::Cpu).map_err(|error| at(path, "cannot read", error))
}

// ANCHOR: replace_file
/// Lets `write` fill a temporary file beside `path`, flushes it to the disk and renames it to `path`.
///
/// # Errors
/// If any of that fails; `path` is then as it was.
pub fn replace_file(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".tmp-{}", std::process::id())); // Two processes never share one.
    let temporary = path.with_file_name(name);
    let written = write(&temporary)
        .and_then(|()| File::open(&temporary).and_then(|file| file.sync_all()).map_err(Error::wrap))
        .and_then(|()| fs::rename(&temporary, path).map_err(Error::wrap));
    written.map_err(|error| {
        // Best effort: the failure itself is what the user must hear of.
        let _ = fs::remove_file(&temporary);
        at(path, "cannot write", error)
    })
}
// ANCHOR_END: replace_file

/// An error that starts with what failed at which path.
pub fn at(path: &Path, what: &str, error: impl std::fmt::Display) -> Error {
    Error::msg(format!("{what} {}: {error}", path.display()))
}
