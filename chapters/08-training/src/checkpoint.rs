//! A checkpoint: a folder `step-N` with the model (in Hugging Face's layout), the optimiser's moments, and the state of the data.
//!
//! It is written as `step-N.tmp` and renamed when every file is complete: a process killed at any moment leaves the earlier
//! checkpoints and at most `.tmp` folders, which reading ignores. Resuming continues bit for bit: all that influences the next step is
//! in here (weights, moments, step, and what the loader will read next).

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Error, Result, bail};
use serde::{Deserialize, Serialize};
use transformer::checkpoint::{at, read_config, read_safetensors, replace_file, write_safetensors};
use transformer::{ModelConfig, Transformer};

use crate::{AdamW, TrainConfig};

const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STATE_FILE: &str = "trainer.json";

// ANCHOR: state
/// All that a run must know to go on, besides tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainerState {
    /// Steps taken.
    pub step: usize,
    /// Tokens through the model.
    pub n_tokens: usize,
    /// The run's settings: a run is resumed under the settings it began with.
    pub config: TrainConfig,
    /// What the task will read next, in its own words.
    pub task: serde_json::Value,
}
// ANCHOR_END: state

// ANCHOR: save
/// Writes `folder/step-N` in one piece and deletes older checkpoints beyond `keep`.
///
/// # Errors
/// If it cannot be written; earlier checkpoints are then untouched.
pub fn save(
    folder: &Path,
    state: &TrainerState,
    model: &Transformer,
    optimizer: &AdamW,
    keep: usize,
) -> Result<PathBuf> {
    let path = folder.join(format!("step-{:06}", state.step));
    let temporary = path.with_extension("tmp");
    remove_if_there(&temporary)?;
    model.save(&temporary, None, None)?;
    write_safetensors(&temporary.join(OPTIMIZER_FILE), &optimizer.tensors())?;
    let json = serde_json::to_string_pretty(state).map_err(Error::wrap)?;
    replace_file(&temporary.join(STATE_FILE), |file| fs::write(file, &json).map_err(Error::wrap))?;
    // A checkpoint of the same step steps aside and is deleted once the new one has its name.
    let replaced = path.with_extension("old.tmp");
    if path.exists() {
        remove_if_there(&replaced)?;
        fs::rename(&path, &replaced).map_err(|error| at(&path, "cannot replace", error))?;
    }
    fs::rename(&temporary, &path).map_err(|error| at(&path, "cannot write", error))?;
    remove_if_there(&replaced)?;
    let all = list(folder)?;
    for (_, old) in all.iter().take(all.len().saturating_sub(keep.max(1))) {
        remove_if_there(old)?;
    }
    Ok(path)
}

fn remove_if_there(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(|error| at(folder, "cannot remove", error))
}
// ANCHOR_END: save

/// The complete checkpoints of a folder, oldest first.
///
/// # Errors
/// If the folder exists and cannot be listed.
pub fn list(folder: &Path) -> Result<Vec<(usize, PathBuf)>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|error| at(folder, "cannot list", error))?;
    let mut found: Vec<(usize, PathBuf)> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter_map(|path| Some((path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()?, path)))
        .collect();
    found.sort();
    Ok(found)
}

// ANCHOR: load
/// Reads a checkpoint into `model` and `optimizer` and returns its state.
///
/// # Errors
/// If a file is missing or damaged, or the checkpoint belongs to another model or other settings; the message says which, and
/// the model is unchanged unless its own weights were the last to fail.
pub fn load(path: &Path, config: &TrainConfig, model: &Transformer, optimizer: &mut AdamW) -> Result<TrainerState> {
    let damaged = |error: Error| {
        let folder = path.display();
        Error::msg(format!("{error}; {folder} is damaged: delete this folder to resume from the one before"))
    };
    let state = read_state(path).map_err(damaged)?;
    refuse_other_settings(path, config, &state.config)?;
    refuse_other_model(path, model.config(), &read_config(path).map_err(damaged)?)?;
    let moments = read_safetensors(&path.join(OPTIMIZER_FILE)).map_err(damaged)?;
    let weights = Transformer::load(path, model.device()).map_err(damaged)?;
    optimizer.restore(state.step, &moments).map_err(damaged)?;
    model.assign(&weights.parameters().tensors().collect())?;
    Ok(state)
}
// ANCHOR_END: load

fn read_state(path: &Path) -> Result<TrainerState> {
    let file = path.join(STATE_FILE);
    let text = fs::read_to_string(&file).map_err(|error| at(&file, "cannot read", error))?;
    serde_json::from_str(&text).map_err(|error| at(&file, "cannot understand", error))
}

/// Names the first setting that differs.
fn refuse_other_settings(path: &Path, wanted: &TrainConfig, found: &TrainConfig) -> Result<()> {
    first_difference(path, "setting", serde_json::to_value(wanted), serde_json::to_value(found))
}

/// Names the first size that differs.
fn refuse_other_model(path: &Path, wanted: &ModelConfig, found: &ModelConfig) -> Result<()> {
    first_difference(path, "size", serde_json::to_value(wanted), serde_json::to_value(found))
}

fn first_difference(
    path: &Path,
    kind: &str,
    wanted: serde_json::Result<serde_json::Value>,
    found: serde_json::Result<serde_json::Value>,
) -> Result<()> {
    let (wanted, found) = (wanted.map_err(Error::wrap)?, found.map_err(Error::wrap)?);
    let Some(fields) = wanted.as_object() else { return Ok(()) };
    match fields.iter().find(|(name, value)| found.get(*name) != Some(value)) {
        None => Ok(()),
        Some((name, value)) => bail!(
            "{} has another {kind}: {name} is {} there and {value} here; resume with the settings it was written with, or start anew with --force",
            path.display(),
            found.get(name).unwrap_or(&serde_json::Value::Null)
        ),
    }
}
