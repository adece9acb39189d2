//! Models of others: in from a folder or a GGUF file, out as either.
//!
//! What goes with the weights goes along: the tokenizer, the tokens that begin and end a text, the chat template.

use std::fs;
use std::path::Path;

use ::tokenizer::Tokenizer;
use ::tokenizer::gguf::Value as Pair;
use anyhow::{Context, Result};
use candle_core::{DType, Device};
use serde_json::{Value, json};
use transformer::checkpoint::{MAX_FILE_BYTES, Saving};
use transformer::gguf::Storage;
use transformer::{GgufFile, Transformer};

use super::model_folder::{self, write_json};
use crate::request::WrongRequest;

const BOS: &str = "tokenizer.ggml.bos_token_id";
const EOS: &str = "tokenizer.ggml.eos_token_id";
const TOKENIZER_FILE: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
/// Where newer versions of transformers keep the template.
const TEMPLATE_FILE: &str = "chat_template.jinja";
const CHAT_TEMPLATE: &str = "tokenizer.chat_template";

/// A model with all that belongs to it.
#[derive(Debug)]
pub struct Package {
    /// The model.
    pub model: Transformer,
    /// Its tokenizer; a folder of weights alone has none.
    pub tokenizer: Option<Tokenizer>,
    /// The token that begins a text.
    pub bos_id: Option<u32>,
    /// The token that ends what the model says.
    pub eos_id: Option<u32>,
    /// How messages become text, if the model was trained to chat.
    pub chat_template: Option<String>,
}

// ANCHOR: open
impl Package {
    /// Reads a model folder or a GGUF file.
    ///
    /// # Errors
    /// If there is neither, or it is damaged or of a kind that we do not have.
    pub fn open(source: &Path) -> Result<Self> {
        if source.is_dir() {
            return Self::from_folder(source);
        }
        if source.is_file() {
            return Self::from_gguf(source);
        }
        Err(WrongRequest::new(format!("there is no folder or file {}", source.display())).into())
    }

    fn from_folder(folder: &Path) -> Result<Self> {
        model_folder::require(folder)?;
        let (model, tokenizer) = if folder.join(TOKENIZER_FILE).is_file() {
            let (model, tokenizer) = model_folder::load(folder, &Device::Cpu)?;
            (model, Some(tokenizer))
        } else {
            (Transformer::load(folder, &Device::Cpu)?, None)
        };
        let config = read_json(&folder.join(TOKENIZER_CONFIG))?;
        let id_of = |key: &str| {
            // A token is its text, or an object that holds the text.
            let text = config[key].as_str().or(config[key]["content"].as_str());
            tokenizer.as_ref()?.id_of(text?)
        };
        let separate = fs::read_to_string(folder.join(TEMPLATE_FILE)).ok();
        let chat_template = config["chat_template"].as_str().map(str::to_owned).or(separate);
        let generation = read_json(&folder.join("generation_config.json"))?;
        let or_generation =
            |id: Option<u32>, key: &str| id.or_else(|| generation[key].as_u64().and_then(|id| u32::try_from(id).ok()));
        let (bos_id, eos_id) =
            (or_generation(id_of("bos_token"), "bos_token_id"), or_generation(id_of("eos_token"), "eos_token_id"));
        Ok(Self { model, tokenizer, bos_id, eos_id, chat_template })
    }

    fn from_gguf(path: &Path) -> Result<Self> {
        let file = GgufFile::open(path)?;
        let model = Transformer::load_gguf(&file, &Device::Cpu)?;
        let tokenizer = Tokenizer::from_gguf(file.metadata().clone(), path)?;
        let id = |key: &str| match file.metadata().get(key) {
            Some(Pair::Integer(id)) => u32::try_from(*id).ok(),
            _ => None,
        };
        let chat_template = match file.metadata().get(CHAT_TEMPLATE) {
            Some(Pair::Text(template)) => Some(template.clone()),
            _ => None,
        };
        Ok(Self { model, tokenizer: Some(tokenizer), bos_id: id(BOS), eos_id: id(EOS), chat_template })
    }
}
// ANCHOR_END: open

// ANCHOR: save
impl Package {
    /// Writes a model folder; its numbers are f32, bf16 or f16.
    ///
    /// # Errors
    /// If a file cannot be written, or the model is of no family.
    pub fn save_folder(&self, folder: &Path, dtype: DType) -> Result<()> {
        let Self { model, tokenizer, bos_id, eos_id, chat_template } = self;
        let (bos_token_id, eos_token_id) = (*bos_id, *eos_id);
        model.save_as(folder, Saving { bos_token_id, eos_token_id, dtype, max_file_bytes: MAX_FILE_BYTES })?;
        let generation = json!({ "bos_token_id": bos_token_id, "eos_token_id": eos_token_id, "do_sample": false });
        write_json(&folder.join("generation_config.json"), &generation)?;
        // What an earlier model left in the folder would speak for this one.
        for file in [TOKENIZER_FILE, TOKENIZER_CONFIG, TEMPLATE_FILE] {
            match fs::remove_file(folder.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot replace {}", folder.join(file).display()));
                }
                _ => {}
            }
        }
        let Some(tokenizer) = tokenizer else { return Ok(()) };
        tokenizer.save(folder.join(TOKENIZER_FILE))?;
        let token = |id: Option<u32>| id.and_then(|id| tokenizer.token_of(id));
        let mut config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": model.config().max_seq_len,
            "bos_token": token(bos_token_id),
            "eos_token": token(eos_token_id),
            "clean_up_tokenization_spaces": false,
        });
        if let Some(template) = chat_template {
            config["chat_template"] = template.clone().into();
        }
        write_json(&folder.join(TOKENIZER_CONFIG), &config)
    }

    /// Writes a GGUF file.
    ///
    /// # Errors
    /// If it cannot be written, or llama.cpp could not use the tokenizer.
    pub fn save_gguf(&self, path: &Path, storage: Storage) -> Result<()> {
        let message = "the model folder has no tokenizer.json, and a GGUF file without a tokenizer is of no use to llama.cpp; copy the model's own into the folder, or export with --hf";
        let tokenizer = self.tokenizer.as_ref().ok_or_else(|| WrongRequest::new(message))?;
        let mut pairs = tokenizer.to_gguf(self.model.config().vocab_size).map_err(WrongRequest::new)?;
        for (key, id) in [(BOS, self.bos_id), (EOS, self.eos_id)] {
            if let Some(id) = id.filter(|_| pairs.iter().all(|(other, _)| other != key)) {
                pairs.push((key.to_string(), Pair::Integer(id.into())));
            }
        }
        pairs.extend(self.chat_template.iter().map(|text| (CHAT_TEMPLATE.to_string(), Pair::Text(text.clone()))));
        Ok(self.model.save_gguf(path, storage, pairs)?)
    }
}
// ANCHOR_END: save

/// A JSON file; nothing, if it is not there.
fn read_json(path: &Path) -> Result<Value> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("cannot understand {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Value::Null),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
