//! `config.json` of a Llama in Hugging Face's format: the one place where their names for our sizes appear.

use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::ModelConfig;

/// The fields of `config.json` that define a `LlamaForCausalLM`, and those that would change its result in a way that we do not
/// implement: they are read in order to be refused (see [`LlamaJson::to_config`]). All other fields are ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LlamaJson {
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
    /// Where transformers 5 keeps it, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_parameters: Option<RopeParameters>,
    rms_norm_eps: f64,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default = "default_initializer_range")]
    initializer_range: f64,
    #[serde(default = "default_hidden_act")]
    hidden_act: String,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    head_dim: Option<usize>,
    #[serde(default)]
    rope_scaling: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_interleaved: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partial_rotary_factor: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantization_config: Option<serde_json::Value>,
    torch_dtype: Option<String>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<serde_json::Value>,
}

/// Rotary positions in the words of transformers 5.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RopeParameters {
    rope_theta: Option<f64>,
    #[serde(default = "default_rope_type")]
    rope_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partial_rotary_factor: Option<f64>,
}

fn default_rope_type() -> String {
    "default".to_string()
}

fn default_initializer_range() -> f64 {
    0.02
}

fn default_hidden_act() -> String {
    "silu".to_string()
}

impl LlamaJson {
    /// Our configuration in their words. `bos_token_id` begins a text, `eos_token_id` ends what the model says.
    pub(crate) fn from_config(config: &ModelConfig, bos_token_id: Option<u32>, eos_token_id: Option<u32>) -> Self {
        Self {
            architectures: vec!["LlamaForCausalLM".to_string()],
            model_type: "llama".to_string(),
            vocab_size: config.vocab_size,
            hidden_size: config.d_model,
            num_hidden_layers: config.n_layers,
            num_attention_heads: config.n_heads,
            num_key_value_heads: Some(config.n_kv_heads),
            intermediate_size: config.d_ff,
            max_position_embeddings: config.max_seq_len,
            rope_theta: Some(config.rope_theta),
            rope_parameters: None,
            rms_norm_eps: config.rms_norm_eps,
            tie_word_embeddings: config.tie_embeddings,
            initializer_range: config.init_std,
            hidden_act: default_hidden_act(),
            attention_bias: false,
            mlp_bias: false,
            head_dim: Some(config.head_dim()),
            rope_scaling: None,
            rope_interleaved: None,
            partial_rotary_factor: None,
            quantization_config: None,
            torch_dtype: Some("float32".to_string()),
            bos_token_id,
            eos_token_id: eos_token_id.map(Into::into),
        }
    }

    /// Their configuration in our words.
    ///
    /// # Errors
    /// If the file describes something that [`Transformer`](crate::Transformer) is not, by the field's name and value.
    pub(crate) fn to_config(&self) -> Result<ModelConfig> {
        if self.architectures.iter().all(|name| name != "LlamaForCausalLM") {
            bail!("architectures {:?} is not supported; this model is a LlamaForCausalLM", self.architectures);
        }
        if self.hidden_act != "silu" {
            bail!("hidden_act {:?} is not supported; SwiGLU uses \"silu\"", self.hidden_act);
        }
        if self.attention_bias || self.mlp_bias {
            bail!("attention_bias or mlp_bias is set; this model has no biases");
        }
        if let Some(scaling) = self.rope_scaling.as_ref().filter(|value| !value.is_null()) {
            bail!("rope_scaling {scaling} is not supported");
        }
        let rope = self.rope_parameters.as_ref();
        if let Some(rope) = rope.filter(|rope| rope.rope_type != "default") {
            bail!("rope_type {:?} is not supported; positions are rotated without scaling", rope.rope_type);
        }
        if self.rope_interleaved == Some(true) {
            bail!("rope_interleaved true is not supported; pairs are made of the halves of a head");
        }
        let partial = rope.and_then(|rope| rope.partial_rotary_factor).or(self.partial_rotary_factor);
        if let Some(factor) = partial.filter(|factor| *factor != 1.0) {
            bail!("partial_rotary_factor {factor} is not supported; the whole head is rotated");
        }
        if let Some(quantization) = self.quantization_config.as_ref().filter(|value| !value.is_null()) {
            bail!("quantization_config {quantization} is not supported; weights are read as they are stored");
        }
        const HUGGING_FACE_DEFAULT_THETA: f64 = 10_000.0;
        let rope_theta =
            rope.and_then(|rope| rope.rope_theta).or(self.rope_theta).unwrap_or(HUGGING_FACE_DEFAULT_THETA);
        let config = ModelConfig {
            vocab_size: self.vocab_size,
            d_model: self.hidden_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            d_ff: self.intermediate_size,
            max_seq_len: self.max_position_embeddings,
            rope_theta,
            rms_norm_eps: self.rms_norm_eps,
            tie_embeddings: self.tie_word_embeddings,
            init_std: self.initializer_range,
        };
        config.validate()?;
        if self.head_dim.is_some_and(|head_dim| head_dim != config.head_dim()) {
            bail!("head_dim {:?} is not d_model / n_heads = {}", self.head_dim, config.head_dim());
        }
        Ok(config)
    }
}

// ANCHOR: names
/// Hugging Face's name of one of our parameters.
pub(crate) fn hugging_face_name(name: &str) -> String {
    const PARTS: [(&str, &str); 9] = [
        ("attention_norm", "input_layernorm"),
        ("attention.q", "self_attn.q_proj"),
        ("attention.k", "self_attn.k_proj"),
        ("attention.v", "self_attn.v_proj"),
        ("attention.o", "self_attn.o_proj"),
        ("mlp_norm", "post_attention_layernorm"),
        ("mlp.gate", "mlp.gate_proj"),
        ("mlp.up", "mlp.up_proj"),
        ("mlp.down", "mlp.down_proj"),
    ];
    match name {
        "embedding" => return "model.embed_tokens.weight".to_string(),
        "final_norm" => return "model.norm.weight".to_string(),
        "head" => return "lm_head.weight".to_string(),
        _ => {}
    }
    let theirs = name.strip_prefix("layers.").and_then(|rest| rest.split_once('.')).and_then(|(layer, part)| {
        let (_, theirs) = PARTS.iter().find(|(ours, _)| *ours == part)?;
        Some(format!("model.layers.{layer}.{theirs}.weight"))
    });
    theirs.unwrap_or_else(|| name.to_string())
}
// ANCHOR_END: names
