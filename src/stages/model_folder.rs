//! A model folder as others expect it: weights and configuration, tokenizer, chat template, generation settings.

use std::path::Path;

use ::tokenizer::{END, END_OF_TEXT, Tokenizer};
use anyhow::{Context, Result};
use candle_core::Device;
use finetuning::{ChatTemplate, chat};
use serde_json::json;
use transformer::Transformer;
use transformer::checkpoint::replace_file;

/// What ends a text of this model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A base model: the end-of-text token.
    Text,
    /// A chat model: the end of a turn.
    Turn,
}

/// Writes all files of a model folder.
///
/// # Errors
/// If one cannot be written.
pub fn save(folder: &Path, model: &Transformer, tokenizer: &Tokenizer, ending: Ending) -> Result<()> {
    let eos = match ending {
        Ending::Text => END_OF_TEXT,
        Ending::Turn => END,
    };
    let eos_id = tokenizer.id_of(eos).with_context(|| format!("the tokenizer has no {eos} token"))?;
    model.save(folder, Some(eos_id))?;
    tokenizer.save(folder.join("tokenizer.json"))?;
    ChatTemplate::new(chat::TEMPLATE)?.save(folder, eos, model.config().max_seq_len)?;
    let generation = json!({ "bos_token_id": eos_id, "eos_token_id": eos_id, "do_sample": false });
    let text = serde_json::to_vec_pretty(&generation)?;
    replace_file(&folder.join("generation_config.json"), |path| {
        std::fs::write(path, text).map_err(candle_core::Error::wrap)
    })?;
    Ok(())
}

/// Reads the model and the tokenizer of a folder.
///
/// # Errors
/// If a file is missing, damaged, or does not fit the others.
pub fn load(folder: &Path, device: &Device) -> Result<(Transformer, Tokenizer)> {
    if !folder.join("config.json").is_file() {
        let message =
            format!("{} holds no model (no config.json); llm run makes one in runs/NAME/model", folder.display());
        return Err(crate::request::WrongRequest::new(message).into());
    }
    let model = Transformer::load(folder, device)?;
    let tokenizer = Tokenizer::load(folder.join("tokenizer.json"))?;
    if tokenizer.vocab_size() > model.config().vocab_size {
        anyhow::bail!(
            "tokenizer.json of {} has {} tokens, the model only {}: they do not belong together",
            folder.display(),
            tokenizer.vocab_size(),
            model.config().vocab_size
        );
    }
    Ok((model, tokenizer))
}
