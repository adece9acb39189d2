//! The whole model: embedding, blocks, final norm, head.
//!
//! Weights start as N(0, `init_std`²); the two matrices of a block that write to the residual stream start smaller by
//! $1/\sqrt{2\,n_{layers}}$ (Radford et al. 2019, GPT-2, section 2.3), so that the stream's variance does not grow with depth. Gains of
//! norms start at 1.

use std::collections::HashMap;
use std::sync::Arc;

use attention::{KeyValueStore, NoStore, Rope};
use candle_core::{DType, Device, Result, Tensor, bail};
use tensors::{Parameters, normal};

use crate::block::Block;
use crate::{ModelConfig, Ops, Reference, Weight};

// ANCHOR: transformer
/// A decoder-only transformer and its variables.
#[derive(Debug, Clone)]
pub struct Transformer {
    config: ModelConfig,
    parameters: Parameters,
    embedding: Weight, // (vocab_size, d_model)
    blocks: Vec<Block>,
    final_norm: Weight, // (d_model)
    head: Weight,       // (vocab_size, d_model); the embedding itself if tied
    rope: Rope,
    ops: Arc<dyn Ops>,
}

impl Transformer {
    /// A model with random weights that depend on `seed` alone, f32, on the reference operations.
    ///
    /// # Errors
    /// If the configuration is not valid.
    pub fn new(config: ModelConfig, seed: u64, device: &Device) -> Result<Self> {
        config.validate()?;
        let mut parameters = Parameters::default();
        let residual_std = config.init_std / (2.0 * config.n_layers as f64).sqrt();
        for (name, shape) in parameter_shapes(&config) {
            let value = match shape.as_slice() {
                [width] => Tensor::ones(*width, DType::F32, device)?,
                _ if name.ends_with(".o") || name.ends_with(".down") => {
                    normal(seed, &name, shape, residual_std, device)?
                }
                _ => normal(seed, &name, shape, config.init_std, device)?,
            };
            parameters.insert(&name, &value)?;
        }
        Self::from_parameters(config, parameters)
    }

    /// Last hidden states `(batch, seq_len, d_model)` of `tokens` `(batch, seq_len)`, u32, which follow what `store` remembers.
    ///
    /// # Errors
    /// If there is no token, one is not in the vocabulary, or the positions exceed `max_seq_len`.
    pub fn hidden(&self, tokens: &Tensor, store: &mut dyn KeyValueStore) -> Result<Tensor> {
        let x = self.residual(tokens, store)?;
        self.ops.rms_norm(&x, &self.final_norm, self.config.rms_norm_eps)
    }

    /// The residual stream `(batch, seq_len, d_model)` after the last block, before the final norm.
    ///
    /// # Errors
    /// As [`Transformer::hidden`].
    pub fn residual(&self, tokens: &Tensor, store: &mut dyn KeyValueStore) -> Result<Tensor> {
        let (_batch, seq_len) = tokens.dims2()?;
        if seq_len == 0 {
            bail!("the sequence is empty; the model needs at least one token");
        }
        if store.len() + seq_len > self.config.max_seq_len {
            bail!("{} tokens exceed max_seq_len {}", store.len() + seq_len, self.config.max_seq_len);
        }
        let mut x = self.ops.embedding(tokens, &self.embedding)?; // (batch, seq_len, d_model)
        for block in &self.blocks {
            x = block.forward(&x, &self.config, self.ops.as_ref(), &self.rope, store)?;
        }
        store.advance(seq_len);
        Ok(x)
    }

    /// Logits `(batch, seq_len, vocab_size)` of `tokens` `(batch, seq_len)`.
    ///
    /// # Errors
    /// As [`Transformer::hidden`].
    pub fn logits(&self, tokens: &Tensor) -> Result<Tensor> {
        self.ops.linear(&self.hidden(tokens, &mut NoStore)?, &self.head)
    }

    /// Logits `(batch, vocab_size)` of the token after the last one: all that generation needs.
    ///
    /// # Errors
    /// As [`Transformer::hidden`].
    pub fn next_logits(&self, tokens: &Tensor, store: &mut dyn KeyValueStore) -> Result<Tensor> {
        let (_batch, seq_len) = tokens.dims2()?;
        let last = self.hidden(tokens, store)?.narrow(1, seq_len - 1, 1)?; // (batch, 1, d_model)
        self.ops.linear(&last, &self.head)?.squeeze(1)
    }

    /// Minus the log-probability of `targets` `(batch, seq_len)`, summed over those whose `mask` is 1, or over all: a scalar.
    ///
    /// # Errors
    /// As [`Transformer::hidden`].
    pub fn next_token_loss(&self, tokens: &Tensor, targets: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let hidden = self.hidden(tokens, &mut NoStore)?;
        self.ops.next_token_loss(&hidden, &self.head, targets, mask)
    }

    /// Log-probability `(batch, seq_len)` of `targets` `(batch, seq_len)`, each given the tokens up to its position.
    ///
    /// # Errors
    /// As [`Transformer::hidden`].
    pub fn target_log_probs(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor> {
        let hidden = self.hidden(tokens, &mut NoStore)?;
        self.ops.target_log_probs(&hidden, &self.head, targets)
    }
}
// ANCHOR_END: transformer

impl Transformer {
    /// The model of a valid configuration whose weights are `parameters`, on the reference operations.
    pub(crate) fn from_parameters(config: ModelConfig, parameters: Parameters) -> Result<Self> {
        let (_dtype, device) = parameters.placement();
        let rope = Rope::new(config.head_dim(), config.max_seq_len, config.rope_theta, &device)?;
        Self::assemble(config, parameters, rope, Arc::new(Reference), |var| var.as_tensor().clone())
    }

    /// The same weights without a graph: for evaluation and generation, which need no gradients.
    ///
    /// It shares storage with `self`: training `self` further changes it too.
    ///
    /// # Errors
    /// Never in practice; assembling is fallible.
    pub fn for_inference(&self) -> Result<Self> {
        let (config, parameters, rope) = (self.config.clone(), self.parameters.clone(), self.rope.clone());
        Self::assemble(config, parameters, rope, self.ops.clone(), |var| var.as_detached_tensor())
    }

    /// A frozen copy with storage of its own: training `self` leaves it as it is.
    ///
    /// # Errors
    /// If the device runs out of memory.
    pub fn frozen_copy(&self) -> Result<Self> {
        let (config, parameters, rope) = (self.config.clone(), self.parameters.deep_clone()?, self.rope.clone());
        Self::assemble(config, parameters, rope, self.ops.clone(), |var| var.as_detached_tensor())
    }

    /// The same variables on other operations.
    ///
    /// # Errors
    /// Never in practice; assembling is fallible.
    pub fn with_ops(&self, ops: Arc<dyn Ops>) -> Result<Self> {
        let (config, parameters, rope) = (self.config.clone(), self.parameters.clone(), self.rope.clone());
        Self::assemble(config, parameters, rope, ops, |var| var.as_tensor().clone())
    }

    /// The operations that the model runs on.
    pub fn ops(&self) -> &dyn Ops {
        self.ops.as_ref()
    }

    /// The same, to be shared with another model or to be wrapped.
    pub fn shared_ops(&self) -> Arc<dyn Ops> {
        self.ops.clone()
    }

    /// The embedding matrix `(vocab_size, d_model)`.
    pub fn embedding(&self) -> &Weight {
        &self.embedding
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The trainable variables.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Gives every weight a new value, by name, and tells the operations.
    ///
    /// # Errors
    /// As [`Parameters::assign`].
    pub fn assign(&self, values: &HashMap<String, Tensor>) -> Result<()> {
        self.parameters.assign(values)?;
        self.ops.weights_changed();
        Ok(())
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        self.embedding.tensor.device()
    }

    /// Connects the variables: each weight is `view` of the variable of its name.
    fn assemble(
        config: ModelConfig,
        parameters: Parameters,
        rope: Rope,
        ops: Arc<dyn Ops>,
        view: impl Fn(&candle_core::Var) -> Tensor,
    ) -> Result<Self> {
        let weight = |name: &str| match parameters.get(name) {
            Some(var) => Ok(Weight { name: Arc::from(name), tensor: view(var) }),
            None => bail!("the model has no parameter {name}"),
        };
        let embedding = weight("embedding")?;
        let head = if config.tie_embeddings { embedding.clone() } else { weight("head")? };
        let blocks = (0..config.n_layers).map(|layer| Block::new(layer, &weight)).collect::<Result<Vec<_>>>()?;
        let final_norm = weight("final_norm")?;
        Ok(Self { config, parameters, embedding, blocks, final_norm, head, rope, ops })
    }
}

// ANCHOR: shapes
/// Name and shape of every parameter.
pub fn parameter_shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let (d_model, d_ff, kv_width) = (config.d_model, config.d_ff, config.kv_width());
    let mut shapes = vec![("embedding".to_string(), vec![config.vocab_size, d_model])];
    for layer in 0..config.n_layers {
        let parts = [
            ("attention_norm", vec![d_model]),
            ("attention.q", vec![d_model, d_model]),
            ("attention.k", vec![kv_width, d_model]),
            ("attention.v", vec![kv_width, d_model]),
            ("attention.o", vec![d_model, d_model]),
            ("mlp_norm", vec![d_model]),
            ("mlp.gate", vec![d_ff, d_model]),
            ("mlp.up", vec![d_ff, d_model]),
            ("mlp.down", vec![d_model, d_ff]),
        ];
        shapes.extend(parts.map(|(part, shape)| (format!("layers.{layer}.{part}"), shape)));
    }
    shapes.push(("final_norm".to_string(), vec![d_model]));
    if !config.tie_embeddings {
        shapes.push(("head".to_string(), vec![config.vocab_size, d_model]));
    }
    shapes
}
// ANCHOR_END: shapes
