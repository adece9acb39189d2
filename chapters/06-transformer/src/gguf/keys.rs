//! A model's configuration as pairs of a GGUF header: `general.architecture`, and keys that begin with what it says.
//!
//! Refused, by name and value, is every key of the architecture that we do not know, unless it is 0 or false: to pass over it would be to run
//! another model.

use std::collections::BTreeMap;

use attention::RopeScaling;
use candle_core::{Result, bail};
use tokenizer::gguf::Value;

use super::{GgufFile, Storage, rope_factors};
use crate::hugging_face::{Family, biases};
use crate::{Architecture, FeedForwardKind, ModelConfig, NormKind, Positions};

/// The family's name in the format. Mistral is a `llama` there, with a window if it has one, which llama.cpp does not look at.
pub(super) fn architecture(family: Family) -> &'static str {
    match family {
        Family::Gpt2 => "gpt2",
        Family::Llama | Family::Mistral => "llama",
        Family::Qwen2 => "qwen2",
        Family::Qwen3 => "qwen3",
    }
}

// ANCHOR: to_pairs
/// The pairs that describe a model.
pub(super) fn to_pairs(family: Family, config: &ModelConfig, storage: Storage) -> Vec<(String, Value)> {
    let name = architecture(family);
    let count = |n: usize| Value::Integer(n as i64);
    let mut pairs = vec![
        ("general.architecture".to_string(), Value::Text(name.to_string())),
        ("general.type".to_string(), Value::Text("model".to_string())),
        ("general.file_type".to_string(), Value::Integer(storage.file_type().into())),
    ];
    if matches!(storage, Storage::Q8_0 | Storage::Q4_0) {
        const QUANTIZATION_VERSION: i64 = 2; // Of the blocks' layout.
        pairs.push(("general.quantization_version".to_string(), Value::Integer(QUANTIZATION_VERSION)));
    }
    let mut put = |key: &str, value: Value| pairs.push((format!("{name}.{key}"), value));
    put("block_count", count(config.n_layers));
    put("context_length", count(config.max_seq_len));
    put("embedding_length", count(config.d_model));
    put("feed_forward_length", count(config.d_ff));
    put("attention.head_count", count(config.n_heads));
    put("attention.head_count_kv", count(config.n_kv_heads));
    put("vocab_size", count(config.vocab_size));
    let Some(scaling) = config.rope_scaling() else {
        put("attention.layer_norm_epsilon", Value::Number(config.norm_eps));
        return pairs;
    };
    put("attention.layer_norm_rms_epsilon", Value::Number(config.norm_eps));
    put("attention.key_length", count(config.head_dim()));
    put("attention.value_length", count(config.head_dim()));
    put("rope.dimension_count", count(config.head_dim()));
    put("rope.freq_base", Value::Number(config.rope_theta));
    match scaling {
        RopeScaling::None => {}
        RopeScaling::Linear { factor } => {
            put("rope.scaling.type", Value::Text("linear".to_string()));
            put("rope.scaling.factor", Value::Number(factor));
        }
        RopeScaling::Llama3 { original_max_seq_len, .. } => {
            put("rope.scaling.original_context_length", count(original_max_seq_len));
        }
    }
    if let Some(window) = config.architecture.sliding_window {
        put("attention.sliding_window", count(window));
    }
    pairs
}
// ANCHOR_END: to_pairs

/// Keys that are read, or that say nothing about what the model computes.
const KNOWN: [&str; 18] = [
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "vocab_size",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.key_length",
    "attention.value_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "attention.sliding_window",
];

// ANCHOR: from_pairs
/// The family and the configuration that a file describes.
///
/// # Errors
/// If it is of an architecture that we do not have, lacks a value, or asks for something that [`Transformer`](crate::Transformer) is not.
pub(super) fn from_file(file: &GgufFile) -> Result<(Family, ModelConfig)> {
    let metadata = file.metadata();
    let Some(Value::Text(name)) = metadata.get("general.architecture") else {
        bail!("general.architecture is missing")
    };
    let keys = Keys { metadata, name };
    let Some(family) = Family::ALL.into_iter().find(|family| architecture(*family) == name) else {
        bail!("general.architecture {name:?} is not supported; known are gpt2, llama, qwen2 and qwen3");
    };
    keys.refuse_unknown()?;
    let Some([vocab_size, _]) = file.shape("token_embd.weight") else {
        bail!("token_embd.weight is missing, or no matrix")
    };
    let (d_model, n_heads) = (keys.count("embedding_length")?, keys.count("attention.head_count")?);
    let is_gpt2 = family == Family::Gpt2;
    let usual = d_model.checked_div(n_heads).unwrap_or(0);
    let head_dim = keys.optional_count("attention.key_length")?.unwrap_or(usual);
    for key in ["attention.value_length", "rope.dimension_count"] {
        if let Some(other) = keys.optional_count(key)?.filter(|other| !is_gpt2 && *other != head_dim) {
            bail!("{name}.{key} {other} is not supported; heads have {head_dim} numbers, and all are rotated");
        }
    }
    const DEFAULT_THETA: f64 = 10_000.0;
    let rope_theta = keys.optional_number("rope.freq_base")?.unwrap_or(DEFAULT_THETA);
    let positions =
        if is_gpt2 { Positions::Learned } else { Positions::Rotary(scaling(file, &keys, rope_theta, head_dim)?) };
    let config = ModelConfig {
        vocab_size: *vocab_size,
        d_model,
        n_layers: keys.count("block_count")?,
        n_heads,
        n_kv_heads: keys.optional_count("attention.head_count_kv")?.unwrap_or(n_heads),
        d_ff: keys.count("feed_forward_length")?,
        max_seq_len: keys.count("context_length")?,
        rope_theta,
        norm_eps: keys.number(if is_gpt2 {
            "attention.layer_norm_epsilon"
        } else {
            "attention.layer_norm_rms_epsilon"
        })?,
        tie_embeddings: file.shape("output.weight").is_none(),
        init_std: 0.02, // The format does not say it.
        architecture: Architecture {
            norm: if is_gpt2 { NormKind::LayerNorm } else { NormKind::RmsNorm },
            positions,
            feed_forward: if is_gpt2 { FeedForwardKind::Gelu } else { FeedForwardKind::SwiGlu },
            biases: biases(family),
            qk_norm: family == Family::Qwen3,
            sliding_window: keys.optional_count("attention.sliding_window")?.filter(|window| *window > 0),
            head_dim: Some(head_dim).filter(|head_dim| *head_dim != usual),
        },
    };
    config.validate()?;
    // A window on another family is a mixture that no family has.
    Ok((Family::of(&config)?, config))
}
// ANCHOR_END: from_pairs

/// How rotary positions are scaled.
fn scaling(file: &GgufFile, keys: &Keys, rope_theta: f64, head_dim: usize) -> Result<RopeScaling> {
    if file.shape("rope_freqs.weight").is_some() {
        let divisors = file.read("rope_freqs.weight")?.flatten_all()?.to_vec1::<f32>()?;
        let original = keys.optional_count("rope.scaling.original_context_length")?;
        return rope_factors::scaling(&divisors, rope_theta, head_dim, original);
    }
    match keys.get("rope.scaling.type") {
        None => Ok(RopeScaling::None),
        Some(Value::Text(kind)) if kind == "none" => Ok(RopeScaling::None),
        Some(Value::Text(kind)) if kind == "linear" => {
            Ok(RopeScaling::Linear { factor: keys.number("rope.scaling.factor")? })
        }
        Some(other) => bail!("rope.scaling.type {other:?} is not supported; known are none and linear"),
    }
}

/// The pairs of one architecture.
struct Keys<'a> {
    metadata: &'a BTreeMap<String, Value>,
    name: &'a str,
}

impl Keys<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(&format!("{}.{key}", self.name))
    }

    fn count(&self, key: &str) -> Result<usize> {
        match self.optional_count(key)? {
            Some(count) => Ok(count),
            None => bail!("{}.{key} is missing", self.name),
        }
    }

    /// A count that is the same in all layers.
    fn optional_count(&self, key: &str) -> Result<Option<usize>> {
        // What is longer, wider or deeper than this is no model but a damaged file.
        const MOST: i64 = 1 << 31;
        match self.get(key) {
            None => Ok(None),
            Some(Value::Integer(count)) if (0..MOST).contains(count) => Ok(Some(*count as usize)),
            Some(other) => bail!("{}.{key} {other:?} is not supported; it must be one count for all layers", self.name),
        }
    }

    fn number(&self, key: &str) -> Result<f64> {
        match self.optional_number(key)? {
            Some(number) => Ok(number),
            None => bail!("{}.{key} is missing", self.name),
        }
    }

    fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            // 1e-5 is no f32: what was meant is the shortest decimal that rounds to the same one.
            Some(Value::Number(number)) => {
                (*number as f32).to_string().parse().map(Some).map_err(candle_core::Error::wrap)
            }
            Some(other) => bail!("{}.{key} {other:?} is no number", self.name),
        }
    }

    fn refuse_unknown(&self) -> Result<()> {
        let is_off = |value: &Value| match value {
            Value::Flag(flag) => !flag,
            Value::Integer(integer) => *integer == 0,
            Value::Number(number) => *number == 0.0,
            _ => false,
        };
        for (key, value) in self.metadata {
            let Some(own) = key.strip_prefix(self.name).and_then(|key| key.strip_prefix('.')) else { continue };
            if !KNOWN.contains(&own) && !is_off(value) {
                bail!("{key} {value:?} is not supported");
            }
        }
        Ok(())
    }
}
