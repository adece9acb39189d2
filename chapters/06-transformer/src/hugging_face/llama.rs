//! `config.json` of a Llama and of those that followed it: Mistral, Qwen2, Qwen3.

use attention::RopeScaling;
use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Family, biases};
use crate::{Architecture, ModelConfig, Positions};

/// The fields that define the model, and those that would change its result in a way that we do not implement: they are read in order to be
/// refused (see [`LlamaJson::to_config`]). All other fields are ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LlamaJson {
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    intermediate_size: usize,
    max_position_embeddings: usize,
    /// Where transformers kept it up to version 4, and where most tools look for it.
    rope_theta: Option<f64>,
    /// Where transformers 5 keeps it, with the scaling, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_parameters: Option<Value>,
    rms_norm_eps: f64,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default = "default_initializer_range")]
    initializer_range: f64,
    #[serde(default = "default_hidden_act")]
    hidden_act: String,
    /// Of all four layers of attention; Qwen2's biases are not said here.
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    head_dim: Option<usize>,
    #[serde(default)]
    rope_scaling: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sliding_window: Option<usize>,
    /// Qwen's: whether `sliding_window` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    use_sliding_window: Option<bool>,
    /// Transformers 5: what each layer sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_interleaved: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partial_rotary_factor: Option<f64>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<Value>,
}

fn default_initializer_range() -> f64 {
    0.02
}

fn default_hidden_act() -> String {
    "silu".to_string()
}

impl LlamaJson {
    pub(super) fn from_config(
        family: Family,
        config: &ModelConfig,
        bos_token_id: Option<u32>,
        eos_token_id: Option<u32>,
    ) -> Self {
        let (class, model_type) = family.names();
        let window = config.architecture.sliding_window;
        Self {
            architectures: vec![class.to_string()],
            model_type: model_type.to_string(),
            vocab_size: config.vocab_size,
            hidden_size: config.d_model,
            num_hidden_layers: config.n_layers,
            num_attention_heads: config.n_heads,
            num_key_value_heads: Some(config.n_kv_heads),
            intermediate_size: config.d_ff,
            max_position_embeddings: config.max_seq_len,
            rope_theta: Some(config.rope_theta),
            rope_parameters: None,
            rms_norm_eps: config.norm_eps,
            tie_word_embeddings: config.tie_embeddings,
            initializer_range: config.init_std,
            hidden_act: default_hidden_act(),
            attention_bias: false,
            mlp_bias: false,
            head_dim: Some(config.head_dim()),
            rope_scaling: config.rope_scaling().and_then(scaling_json),
            sliding_window: window,
            use_sliding_window: None,
            layer_types: None,
            rope_interleaved: None,
            partial_rotary_factor: None,
            bos_token_id,
            eos_token_id: eos_token_id.map(Into::into),
        }
    }

    /// Their configuration in our words.
    ///
    /// # Errors
    /// If the file describes something that [`Transformer`](crate::Transformer) is not, by the field's name and value.
    pub(super) fn to_config(&self, family: Family) -> Result<ModelConfig> {
        if self.hidden_act != "silu" {
            bail!("hidden_act {:?} is not supported; SwiGLU uses \"silu\"", self.hidden_act);
        }
        if self.attention_bias || self.mlp_bias {
            bail!(
                "attention_bias {} with mlp_bias {} is not supported; of these families only Qwen2 has biases, which it does not say",
                self.attention_bias,
                self.mlp_bias
            );
        }
        if self.rope_interleaved == Some(true) {
            bail!("rope_interleaved true is not supported; pairs are made of the halves of a head");
        }
        let rope = self.rope_parameters.as_ref().unwrap_or(&Value::Null);
        let partial = rope["partial_rotary_factor"].as_f64().or(self.partial_rotary_factor);
        if let Some(factor) = partial.filter(|factor| *factor != 1.0) {
            bail!("partial_rotary_factor {factor} is not supported; the whole head is rotated");
        }
        const HUGGING_FACE_DEFAULT_THETA: f64 = 10_000.0;
        let rope_theta = rope["rope_theta"].as_f64().or(self.rope_theta).unwrap_or(HUGGING_FACE_DEFAULT_THETA);
        // Version 5 puts the scaling beside the base, version 4 into a field of its own.
        let scaling = match &self.rope_scaling {
            Some(scaling) if !scaling.is_null() => scaling,
            _ => rope,
        };
        let n_kv_heads = self.num_key_value_heads.unwrap_or(self.num_attention_heads);
        let usual = self.hidden_size.checked_div(self.num_attention_heads);
        let architecture = Architecture {
            positions: Positions::Rotary(self.scaling(scaling)?),
            biases: biases(family),
            qk_norm: family == Family::Qwen3,
            sliding_window: self.window(family)?,
            head_dim: self.head_dim.filter(|head_dim| Some(*head_dim) != usual),
            ..Architecture::LLAMA
        };
        Ok(ModelConfig {
            vocab_size: self.vocab_size,
            d_model: self.hidden_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads,
            d_ff: self.intermediate_size,
            max_seq_len: self.max_position_embeddings,
            rope_theta,
            norm_eps: self.rms_norm_eps,
            tie_embeddings: self.tie_word_embeddings,
            init_std: self.initializer_range,
            architecture,
        })
    }

    /// How positions are scaled.
    fn scaling(&self, json: &Value) -> Result<RopeScaling> {
        // The older of two names for the field.
        let kind = json["rope_type"].as_str().or(json["type"].as_str());
        let number = |name: &str| match json[name].as_f64() {
            Some(number) => Ok(number),
            None => bail!("rope_scaling {json} has no number {name:?}"),
        };
        match kind {
            None if json["factor"].is_null() => Ok(RopeScaling::None),
            Some("default") => Ok(RopeScaling::None),
            Some("linear") => Ok(RopeScaling::Linear { factor: number("factor")? }),
            Some("llama3") => Ok(RopeScaling::Llama3 {
                factor: number("factor")?,
                low_freq_factor: number("low_freq_factor")?,
                high_freq_factor: number("high_freq_factor")?,
                original_max_seq_len: number("original_max_position_embeddings")? as usize,
            }),
            Some(kind) => {
                bail!("rope_type {kind:?} is not supported; known are \"default\", \"linear\" and \"llama3\"")
            }
            None => bail!("rope_scaling {json} does not say its rope_type"),
        }
    }

    /// How far back a query sees.
    fn window(&self, family: Family) -> Result<Option<usize>> {
        match family {
            Family::Mistral => Ok(self.sliding_window),
            // Qwen may give some layers a window and others none.
            _ if self.use_sliding_window == Some(true) => {
                bail!("use_sliding_window true is not supported; every layer of this model sees all positions")
            }
            _ if self.layer_types.iter().flatten().any(|kind| kind != "full_attention") => {
                bail!("layer_types {:?} is not supported; every layer sees all positions", self.layer_types)
            }
            _ => Ok(None),
        }
    }
}

/// A scaling in their words.
fn scaling_json(scaling: RopeScaling) -> Option<Value> {
    match scaling {
        RopeScaling::None => None,
        RopeScaling::Linear { factor } => Some(json!({"rope_type": "linear", "factor": factor})),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_seq_len } => Some(json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_max_seq_len,
        })),
    }
}
