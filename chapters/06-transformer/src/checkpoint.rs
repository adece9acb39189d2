//! A model folder in Hugging Face's layout: `config.json` and `model.safetensors`, or several such files and their index, which transformers,
//! vLLM and llama.cpp's converter open.
//!
//! Files are written under a temporary name and renamed when they are complete and flushed, so that a killed process leaves either the
//! old file or the new one. Reading refuses what does not fit: weights that are missing, unknown or of another shape are named.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::Path;

use candle_core::{DType, Device, Error, Result, Tensor, bail};
use half::f16;
use tensors::Parameters;

use crate::fit::check_fit;
use crate::hugging_face::{Family, config_json, names, parse_config};
use crate::model::parameter_shapes;
use crate::safetensors_file::MappedWeights;
pub use crate::safetensors_file::{read_safetensors, write_safetensors};
use crate::{ModelConfig, Transformer};

/// The configuration's file.
pub const CONFIG_FILE: &str = "config.json";
/// The weights' file.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// The map from tensor to file of a model whose weights are split.
pub const INDEX_FILE: &str = "model.safetensors.index.json";
/// The most bytes in one file of weights; what is larger is split.
pub const MAX_FILE_BYTES: usize = 5_000_000_000;

// ANCHOR: save
/// How a model is written.
#[derive(Debug, Clone, Copy)]
pub struct Saving {
    /// The token that begins a text, for the configuration.
    pub bos_token_id: Option<u32>,
    /// The token that ends what the model says, for the configuration.
    pub eos_token_id: Option<u32>,
    /// The type of the stored numbers: f32, bf16 or f16.
    pub dtype: DType,
    /// The most bytes in one file.
    pub max_file_bytes: usize,
}

impl Transformer {
    /// Writes `config.json` and `model.safetensors` in f32 into `folder`, which is created.
    ///
    /// # Errors
    /// If the folder cannot be written, or no family has the model's parts.
    pub fn save(&self, folder: &Path, bos_token_id: Option<u32>, eos_token_id: Option<u32>) -> Result<()> {
        let saving = Saving { bos_token_id, eos_token_id, dtype: DType::F32, max_file_bytes: MAX_FILE_BYTES };
        self.save_as(folder, saving)
    }

    /// The same in any way.
    ///
    /// # Errors
    /// As [`Transformer::save`].
    pub fn save_as(&self, folder: &Path, saving: Saving) -> Result<()> {
        let Saving { bos_token_id, eos_token_id, dtype, max_file_bytes } = saving;
        let json = config_json(self.config(), bos_token_id, eos_token_id, dtype)?;
        let family = Family::of(self.config())?;
        let tensors = names::pack(family, self.parameters().tensors())?;
        let tensors = tensors.into_iter().map(|(name, tensor)| stored(name, &tensor, dtype)).collect::<Result<_>>()?;
        fs::create_dir_all(folder).map_err(|error| at(folder, "cannot create", error))?;
        write_weights(folder, tensors, max_file_bytes)?;
        replace_file(&folder.join(CONFIG_FILE), |path| fs::write(path, json.as_bytes()).map_err(Error::wrap))
    }

    /// Reads a model folder. The weights become f32, whatever they are in the file.
    ///
    /// # Errors
    /// If a file is missing or damaged, or describes another model than the weights; the message names the file.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let (family, config) = read_family(folder)?;
        let weights = map_weights(folder)?;
        let unusable = |error: Error| at(folder, "cannot use the weights in", error);
        check_fit(family, &config, &weights).map_err(unusable)?;
        let mut parameters = Parameters::default();
        for (name, _shape) in parameter_shapes(&config) {
            let (theirs, kept) = names::theirs(family, &name);
            let stored = weights.read(names::in_file(family, &theirs, &weights)).map_err(unusable)?;
            let value = names::unpack(kept, &stored)?.contiguous()?.to_device(device)?;
            parameters.insert(&name, &value)?;
        }
        Self::from_parameters(config, parameters)
    }
}
// ANCHOR_END: save

/// A weight as it is stored. f16 ends at 65,504; what lies beyond would come back infinite.
fn stored(name: String, tensor: &Tensor, dtype: DType) -> Result<(String, Tensor)> {
    if dtype == DType::F16 {
        let largest: f32 = tensor.abs()?.max_all()?.to_scalar()?;
        if f16::from_f32(largest).is_infinite() {
            bail!("{name}: {largest} cannot be stored as f16; choose bf16 or f32");
        }
    }
    Ok((name, tensor.to_dtype(dtype)?))
}

/// Reads `config.json` of a model folder.
///
/// # Errors
/// If it is missing, not JSON, or describes a model of another architecture.
pub fn read_config(folder: &Path) -> Result<ModelConfig> {
    read_family(folder).map(|(_, config)| config)
}

fn read_family(folder: &Path) -> Result<(Family, ModelConfig)> {
    let path = folder.join(CONFIG_FILE);
    let text = fs::read_to_string(&path).map_err(|error| at(&path, "cannot read", error))?;
    parse_config(&text).map_err(|error| at(&path, "cannot use", error))
}

// ANCHOR: split
/// Writes weights into one file, or into several and an index, and removes what an earlier model left in the folder: its index would lead to
/// the old weights, and its files would lie there unused.
fn write_weights(folder: &Path, tensors: HashMap<String, Tensor>, max_file_bytes: usize) -> Result<()> {
    let before = read_index(folder).ok().flatten().unwrap_or_default(); // A damaged one lists nothing and will be replaced.
    let n_bytes = |tensor: &Tensor| tensor.elem_count() * tensor.dtype().size_in_bytes();
    let total: usize = tensors.values().map(n_bytes).sum();
    let single = folder.join(WEIGHTS_FILE);
    let mut written = BTreeSet::new();
    if total <= max_file_bytes {
        write_safetensors(&single, &tensors)?;
        remove(&folder.join(INDEX_FILE))?;
    } else {
        let sorted: BTreeMap<String, Tensor> = tensors.into_iter().collect();
        let mut parts: Vec<HashMap<String, Tensor>> = vec![HashMap::new()];
        let mut filled = 0;
        for (name, tensor) in sorted {
            if filled > 0 && filled + n_bytes(&tensor) > max_file_bytes {
                parts.push(HashMap::new());
                filled = 0;
            }
            filled += n_bytes(&tensor);
            if let Some(part) = parts.last_mut() {
                part.insert(name, tensor);
            }
        }
        let mut weight_map = BTreeMap::new();
        for (number, part) in parts.iter().enumerate() {
            let file = format!("model-{:05}-of-{:05}.safetensors", number + 1, parts.len());
            write_safetensors(&folder.join(&file), part)?;
            weight_map.extend(part.keys().map(|name| (name.clone(), file.clone())));
            written.insert(file);
        }
        let index = serde_json::json!({"metadata": {"total_size": total}, "weight_map": weight_map}).to_string();
        replace_file(&folder.join(INDEX_FILE), |path| fs::write(path, index.as_bytes()).map_err(Error::wrap))?;
        remove(&single)?;
    }
    before.difference(&written).try_for_each(|file| remove(&folder.join(file)))
}
// ANCHOR_END: split

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at(path, "cannot remove", error)),
        _ => Ok(()),
    }
}

/// All tensors of a model folder under their own names, from one file or from those that the index lists.
fn map_weights(folder: &Path) -> Result<MappedWeights> {
    let mut weights = MappedWeights::default();
    match read_index(folder)? {
        None => weights.add(&folder.join(WEIGHTS_FILE))?,
        Some(files) => files.iter().try_for_each(|file| weights.add(&folder.join(file)))?,
    }
    Ok(weights)
}

/// The files that the index lists; `None` without an index.
fn read_index(folder: &Path) -> Result<Option<BTreeSet<String>>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index = folder.join(INDEX_FILE);
    if !index.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&index).map_err(|error| at(&index, "cannot read", error))?;
    let parsed: Index = serde_json::from_str(&text).map_err(|error| at(&index, "cannot understand", error))?;
    let files: BTreeSet<String> = parsed.weight_map.into_values().collect();
    match files.iter().find(|file| Path::new(file).components().count() != 1 || file.starts_with('.')) {
        Some(file) => Err(at(&index, "refuses to leave the folder:", file)),
        None => Ok(Some(files)),
    }
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
    // Who may read a file is what the system gives to new ones, whatever a library that writes it thinks.
    let permissions = File::create(&temporary).and_then(|file| file.metadata()).map(|data| data.permissions());
    let written = permissions
        .map_err(Error::wrap)
        .and_then(|permissions| write(&temporary).map(|()| permissions))
        .and_then(|permissions| fs::set_permissions(&temporary, permissions).map_err(Error::wrap))
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
