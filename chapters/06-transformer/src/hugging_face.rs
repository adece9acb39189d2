//! `config.json` and the names of weights in Hugging Face's format: the one place where their words for our sizes appear.
//!
//! | family | their architecture | what differs from a Llama |
//! |---|---|---|
//! | GPT-2 | `GPT2LMHeadModel` | LayerNorm, learnt positions, GELU, biases; matrices transposed, queries, keys and values in one |
//! | Llama, SmolLM2 | `LlamaForCausalLM` | |
//! | Mistral | `MistralForCausalLM` | sliding window |
//! | Qwen2 | `Qwen2ForCausalLM` | biases on queries, keys and values |
//! | Qwen3 | `Qwen3ForCausalLM` | norms of queries and keys, a width of heads of its own |
//!
//! What a file asks for and we lack is refused by the field's name and value: to pass over it would be to run another model.

mod gpt2;
mod llama;
pub(crate) mod names;
#[cfg(test)]
mod tests;

use candle_core::{DType, Error, Result, bail};
use serde_json::Value;

use crate::{Architecture, Biases, ModelConfig};

// ANCHOR: family
/// The families whose files are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// GPT-2.
    Gpt2,
    /// Llama 1 to 3, and all that took its architecture: SmolLM2 and many others.
    Llama,
    /// Mistral.
    Mistral,
    /// Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen3.
    Qwen3,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gpt2, Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];

    /// Their name of the model's class, and of its type.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Gpt2 => ("GPT2LMHeadModel", "gpt2"),
            Self::Llama => ("LlamaForCausalLM", "llama"),
            Self::Mistral => ("MistralForCausalLM", "mistral"),
            Self::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
            Self::Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
        }
    }

    /// The family that a model belongs to.
    ///
    /// # Errors
    /// If its parts are a mixture that no family has.
    pub fn of(config: &ModelConfig) -> Result<Self> {
        let Architecture { positions, sliding_window, head_dim, .. } = config.architecture;
        // What any of the rotary families may set.
        let plain = Architecture { sliding_window: None, head_dim: None, ..config.architecture };
        let rotary = |family: Architecture| Architecture { positions, ..family };
        let is_rotary = config.rope_scaling().is_some();
        match plain {
            plain if plain == Architecture::GPT2 && sliding_window.is_none() && head_dim.is_none() => Ok(Self::Gpt2),
            plain if is_rotary && plain == rotary(Architecture::LLAMA) => {
                Ok(if sliding_window.is_some() { Self::Mistral } else { Self::Llama })
            }
            plain if is_rotary && plain == rotary(Architecture::QWEN2) && sliding_window.is_none() => Ok(Self::Qwen2),
            plain if is_rotary && plain == rotary(Architecture::QWEN3) && sliding_window.is_none() => Ok(Self::Qwen3),
            _ => bail!(
                "no family of Hugging Face's has these parts together: {}. GPT-2, Llama, Mistral, Qwen2 and Qwen3 can be written",
                serde_json::to_string(&config.architecture).map_err(Error::wrap)?
            ),
        }
    }
}
// ANCHOR_END: family

/// What `config.json` says, in our words, and the family that it names.
///
/// # Errors
/// If it is no JSON, names another architecture, or asks for something that [`Transformer`](crate::Transformer) is not.
pub(crate) fn parse_config(text: &str) -> Result<(Family, ModelConfig)> {
    let json: Value = serde_json::from_str(text).map_err(Error::wrap)?;
    let asked: Vec<&str> = json["architectures"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let model_type = json["model_type"].as_str();
    let family = Family::ALL.into_iter().find(|family| {
        let (class, name) = family.names();
        asked.contains(&class) || asked.is_empty() && model_type == Some(name)
    });
    let Some(family) = family else {
        let known: Vec<&str> = Family::ALL.iter().map(|family| family.names().0).collect();
        bail!("architectures {asked:?} is not supported; known are {}", known.join(", "));
    };
    if let Some(quantization) = json.get("quantization_config").filter(|value| !value.is_null()) {
        bail!("quantization_config {quantization} is not supported; weights are read as they are stored");
    }
    let config = match family {
        Family::Gpt2 => serde_json::from_value::<gpt2::Gpt2Json>(json).map_err(Error::wrap)?.to_config()?,
        _ => serde_json::from_value::<llama::LlamaJson>(json).map_err(Error::wrap)?.to_config(family)?,
    };
    config.validate()?;
    Ok((family, config))
}

/// Our configuration in their words. `bos_token_id` begins a text, `eos_token_id` ends what the model says.
///
/// # Errors
/// If no family has the model's parts.
pub(crate) fn config_json(
    config: &ModelConfig,
    bos_token_id: Option<u32>,
    eos_token_id: Option<u32>,
    dtype: DType,
) -> Result<String> {
    let family = Family::of(config)?;
    let json = match family {
        Family::Gpt2 => serde_json::to_value(gpt2::Gpt2Json::from_config(config, bos_token_id, eos_token_id)),
        _ => serde_json::to_value(llama::LlamaJson::from_config(family, config, bos_token_id, eos_token_id)),
    };
    let mut json = json.map_err(Error::wrap)?;
    json["torch_dtype"] = match dtype {
        DType::F32 => "float32".into(),
        DType::BF16 => "bfloat16".into(),
        DType::F16 => "float16".into(),
        other => bail!("weights are stored as f32, bf16 or f16, not {other:?}"),
    };
    serde_json::to_string_pretty(&json).map_err(Error::wrap)
}

/// Which layers a family gives biases.
fn biases(family: Family) -> Biases {
    match family {
        Family::Gpt2 => Biases::All,
        Family::Qwen2 => Biases::Qkv,
        Family::Llama | Family::Mistral | Family::Qwen3 => Biases::None,
    }
}
