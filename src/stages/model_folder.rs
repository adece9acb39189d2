//! A model folder as others expect it: weights and configuration, tokenizer, generation settings, and a chat model's template.

use std::path::Path;

use ::tokenizer::{END, END_OF_TEXT, Tokenizer};
use anyhow::{Context, Result};
use candle_core::Device;
use finetuning::{ChatTemplate, chat};
use serde_json::{Value, json};
use transformer::Transformer;
use transformer::checkpoint::replace_file;

use crate::compute::ComputeConfig;
use crate::request::WrongRequest;

/// What a model was trained for, which decides what ends its texts and whether it has a chat template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// To continue text, up to the end-of-text token.
    Base,
    /// To answer, up to the end of its turn.
    Chat,
}

/// Writes all files of a model folder.
///
/// # Errors
/// If one cannot be written.
pub fn save(folder: &Path, model: &Transformer, tokenizer: &Tokenizer, kind: ModelKind) -> Result<()> {
    let eos = match kind {
        ModelKind::Base => END_OF_TEXT,
        ModelKind::Chat => END,
    };
    let id_of = |token: &str| tokenizer.id_of(token).with_context(|| format!("the tokenizer has no {token} token"));
    // A text begins where the one before it ended.
    let (bos_id, eos_id) = (id_of(END_OF_TEXT)?, id_of(eos)?);
    model.save(folder, Some(bos_id), Some(eos_id))?;
    tokenizer.save(folder.join("tokenizer.json"))?;
    let max_seq_len = model.config().max_seq_len;
    match kind {
        ModelKind::Base => write_json(
            &folder.join("tokenizer_config.json"),
            &json!({
                "tokenizer_class": "PreTrainedTokenizerFast",
                "model_max_length": max_seq_len,
                "eos_token": eos,
                "clean_up_tokenization_spaces": false,
            }),
        )?,
        ModelKind::Chat => ChatTemplate::new(chat::TEMPLATE)?.save(folder, eos, max_seq_len)?,
    }
    let generation = json!({ "bos_token_id": bos_id, "eos_token_id": eos_id, "do_sample": false });
    write_json(&folder.join("generation_config.json"), &generation)
}

pub(super) fn write_json(path: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_vec_pretty(value)?;
    replace_file(path, |temporary| std::fs::write(temporary, text).map_err(candle_core::Error::wrap))?;
    Ok(())
}

/// Refuses a folder that holds no model.
///
/// # Errors
/// If there is no configuration in it.
pub fn require(folder: &Path) -> Result<(), WrongRequest> {
    if folder.join("config.json").is_file() {
        return Ok(());
    }
    let message = format!("{} holds no model (no config.json); llm run makes one in runs/NAME/model", folder.display());
    Err(WrongRequest::new(message))
}

/// Reads the model and the tokenizer of a folder.
///
/// # Errors
/// If a file is missing, damaged, or does not fit the others.
pub fn load(folder: &Path, device: &Device) -> Result<(Transformer, Tokenizer)> {
    require(folder)?;
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

/// The model and the tokenizer of a folder for use without training: without a graph, and on the CPU on kernels.
///
/// # Errors
/// As [`load`].
pub fn load_for_inference(folder: &Path, device: &Device) -> Result<(Transformer, Tokenizer)> {
    let (model, tokenizer) = load(folder, device)?;
    let model = if device.is_cpu() { ComputeConfig::default().place(&model)? } else { model };
    Ok((model.for_inference()?, tokenizer))
}

#[cfg(test)]
mod tests {
    use ::tokenizer::TrainConfig;
    use transformer::ModelConfig;

    use super::*;

    fn folder_of(kind: ModelKind) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = Tokenizer::train(&["a few words"], &TrainConfig::with_vocab_size(260)).unwrap();
        let sizes: ModelConfig = serde_json::from_value(json!({
            "vocab_size": 260, "d_model": 8, "n_layers": 1, "n_heads": 2, "n_kv_heads": 2, "d_ff": 16, "max_seq_len": 32,
        }))
        .unwrap();
        let model = Transformer::new(sizes, 0, &Device::Cpu).unwrap();
        save(folder.path(), &model, &tokenizer, kind).unwrap();
        folder
    }

    fn json(folder: &tempfile::TempDir, file: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(folder.path().join(file)).unwrap()).unwrap()
    }

    #[test]
    fn a_chat_model_alone_has_a_chat_template() {
        let (base, chat) = (folder_of(ModelKind::Base), folder_of(ModelKind::Chat));
        assert!(ChatTemplate::load(chat.path()).is_ok());
        let message = ChatTemplate::load(base.path()).unwrap_err().to_string();
        assert!(message.contains("was not trained to chat"), "{message}");
        // Else the two files say the same things.
        let (mut base, mut chat) = (json(&base, "tokenizer_config.json"), json(&chat, "tokenizer_config.json"));
        assert_eq!((base["eos_token"].take(), chat["eos_token"].take()), (json!(END_OF_TEXT), json!(END)));
        for (name, value) in base.as_object().unwrap() {
            assert_eq!(chat.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn every_model_begins_with_the_end_of_text_and_ends_by_its_kind() {
        for (kind, end) in [(ModelKind::Base, END_OF_TEXT), (ModelKind::Chat, END)] {
            let folder = folder_of(kind);
            let tokenizer = Tokenizer::load(folder.path().join("tokenizer.json")).unwrap();
            for file in ["config.json", "generation_config.json"] {
                let json = json(&folder, file);
                assert_eq!(json["bos_token_id"], json!(tokenizer.id_of(END_OF_TEXT)), "{file}");
                assert_eq!(json["eos_token_id"], json!(tokenizer.id_of(end)), "{file}");
            }
        }
    }
}
