//! `config.json` of a GPT-2.

use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

use super::Family;
use crate::{Architecture, ModelConfig};

/// The fields that define a `GPT2LMHeadModel`, and those that are read in order to be refused. All others are ignored: dropout, for one, is for
/// training in their program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Gpt2Json {
    architectures: Vec<String>,
    model_type: String,
    vocab_size: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    /// Width within the feed-forward network; four times `n_embd` if absent.
    #[serde(default)]
    n_inner: Option<usize>,
    n_positions: usize,
    #[serde(default = "default_epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "default_activation")]
    activation_function: String,
    #[serde(default = "default_true")]
    tie_word_embeddings: bool,
    #[serde(default = "default_initializer_range")]
    initializer_range: f64,
    #[serde(default = "default_true")]
    scale_attn_weights: bool,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default)]
    add_cross_attention: bool,
    /// The first dropout is 0.1 in their program unless the file says otherwise; models are trained further with it.
    #[serde(default)]
    embd_pdrop: f64,
    #[serde(default)]
    attn_pdrop: f64,
    #[serde(default)]
    resid_pdrop: f64,
    #[serde(default)]
    bos_token_id: Option<u32>,
    #[serde(default)]
    eos_token_id: Option<serde_json::Value>,
}

fn default_epsilon() -> f64 {
    1e-5
}

fn default_activation() -> String {
    "gelu_new".to_string()
}

fn default_true() -> bool {
    true
}

fn default_initializer_range() -> f64 {
    0.02
}

impl Gpt2Json {
    pub(super) fn from_config(config: &ModelConfig, bos_token_id: Option<u32>, eos_token_id: Option<u32>) -> Self {
        let (class, model_type) = Family::Gpt2.names();
        Self {
            architectures: vec![class.to_string()],
            model_type: model_type.to_string(),
            vocab_size: config.vocab_size,
            n_embd: config.d_model,
            n_layer: config.n_layers,
            n_head: config.n_heads,
            n_inner: Some(config.d_ff),
            n_positions: config.max_seq_len,
            layer_norm_epsilon: config.norm_eps,
            activation_function: default_activation(),
            tie_word_embeddings: config.tie_embeddings,
            initializer_range: config.init_std,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            add_cross_attention: false,
            embd_pdrop: 0.0,
            attn_pdrop: 0.0,
            resid_pdrop: 0.0,
            bos_token_id,
            eos_token_id: eos_token_id.map(Into::into),
        }
    }

    /// Their configuration in our words.
    ///
    /// # Errors
    /// If the file describes something that [`Transformer`](crate::Transformer) is not, by the field's name and value.
    pub(super) fn to_config(&self) -> Result<ModelConfig> {
        if !["gelu_new", "gelu_pytorch_tanh"].contains(&self.activation_function.as_str()) {
            bail!(
                "activation_function {:?} is not supported; GPT-2's is \"gelu_new\", GELU by tanh",
                self.activation_function
            );
        }
        let refused = [
            ("scale_attn_weights", self.scale_attn_weights, true),
            ("scale_attn_by_inverse_layer_idx", self.scale_attn_by_inverse_layer_idx, false),
            ("add_cross_attention", self.add_cross_attention, false),
        ];
        if let Some((name, value, _)) = refused.into_iter().find(|(_, value, usual)| value != usual) {
            bail!("{name} {value} is not supported");
        }
        Ok(ModelConfig {
            vocab_size: self.vocab_size,
            d_model: self.n_embd,
            n_layers: self.n_layer,
            n_heads: self.n_head,
            n_kv_heads: self.n_head,
            d_ff: self.n_inner.unwrap_or(4 * self.n_embd),
            max_seq_len: self.n_positions,
            rope_theta: 10_000.0, // Not used.
            norm_eps: self.layer_norm_epsilon,
            tie_embeddings: self.tie_word_embeddings,
            init_std: self.initializer_range,
            architecture: Architecture::GPT2,
        })
    }
}
