//! A model folder as others expect it: weights and configuration, tokenizer, generation settings, and a chat model's template.

use std::path::Path;
use std::sync::Arc;

use ::tokenizer::{END, END_OF_TEXT, Tokenizer};
use anyhow::{Context, Result};
use candle_core::Device;
use finetuning::{ChatTemplate, chat};
use serde_json::{Value, json};
use transformer::Transformer;
use transformer::checkpoint::replace_file;

use crate::compute::{ComputeConfig, Quantize};
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
    let name = folder.display();
    let message = if folder.is_file() {
        format!("{name} is a file; a model is a folder here: llm import {name} --out DIR makes one of a GGUF file")
    } else if folder.is_dir() {
        format!("{name} holds no model (no config.json); llm run makes one in runs/NAME/model")
    } else {
        format!("there is no folder {name}, so it holds no model; llm run makes one in runs/NAME/model")
    };
    Err(WrongRequest::new(message))
}

/// Reads the model and the tokenizer of a folder.
///
/// # Errors
/// If a file is missing, damaged, or does not fit the others.
pub fn load(folder: &Path, device: &Device) -> Result<(Transformer, Tokenizer)> {
    require(folder)?;
    let file = folder.join("tokenizer.json");
    if !file.is_file() {
        let message =
            format!("{} has no tokenizer.json; copy there the one that the model was trained with", folder.display());
        return Err(WrongRequest::new(message).into());
    }
    let model = Transformer::load(folder, device)?;
    let tokenizer = Tokenizer::load(file)?;
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

/// The tokens that end what a folder's model says, by its `generation_config.json` or `config.json`: one or a list; none, if they do not say.
///
/// # Errors
/// If a file cannot be understood.
pub fn end_tokens(folder: &Path) -> Result<Vec<u32>> {
    for file in ["generation_config.json", "config.json"] {
        let path = folder.join(file);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let json: Value =
            serde_json::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?;
        let one_or_many = &json["eos_token_id"];
        let ids: Vec<u32> = one_or_many
            .as_array()
            .map_or(std::slice::from_ref(one_or_many), Vec::as_slice)
            .iter()
            .filter_map(|id| u32::try_from(id.as_u64()?).ok())
            .collect();
        if !ids.is_empty() {
            return Ok(ids);
        }
    }
    Ok(Vec::new())
}

/// The model and the tokenizer of a folder for use without training: without a graph, on the CPU on kernels, and there with matrices in another type if
/// one is asked for.
///
/// # Errors
/// As [`load`], and if the matrices cannot be held in that type or are not on the CPU.
pub fn load_for_inference(
    folder: &Path,
    device: &Device,
    quantize: Option<Quantize>,
) -> Result<(Transformer, Tokenizer)> {
    if quantize.is_some() && !device.is_cpu() {
        return Err(WrongRequest::new("--quantize is for --device cpu; leave one of them out").into());
    }
    let (model, tokenizer) = load(folder, device)?;
    let compute = ComputeConfig::default();
    let model = match quantize {
        Some(quantize) => {
            let ops = compute.quantize(&model, quantize).context("cannot quantise the model; leave --quantize out")?;
            model.with_kept_weights(Arc::new(ops.clone()), |name| ops.keeps(name))?
        }
        None if device.is_cpu() => compute.place(&model)?.for_inference()?,
        None => model.for_inference()?,
    };
    Ok((model, tokenizer))
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
    fn end_tokens_are_one_or_a_list_of_either_file() {
        let folder = folder_of(ModelKind::Chat);
        let end = Tokenizer::load(folder.path().join("tokenizer.json")).unwrap().id_of(END).unwrap();
        assert_eq!(end_tokens(folder.path()).unwrap(), [end]);
        let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
        write("generation_config.json", "{\"eos_token_id\": [2, 7]}");
        assert_eq!(end_tokens(folder.path()).unwrap(), [2, 7]);
        write("generation_config.json", "{\"eos_token_id\": null}");
        assert_eq!(end_tokens(folder.path()).unwrap(), [end], "config.json says it");
        write("config.json", "{}");
        assert!(end_tokens(folder.path()).unwrap().is_empty());
        write("config.json", "{");
        assert!(end_tokens(folder.path()).unwrap_err().to_string().contains("config.json"));
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
