//! The whole model: embedding, blocks, final norm, head.
//!
//! Weights start as N(0, `init_std`²); the two matrices of a block that write to the residual stream start smaller by
//! $1/\sqrt{2\,n_{layers}}$ (Radford et al. 2019, GPT-2, section 2.3), so that the stream's variance does not grow with depth. Gains of
//! norms start at 1, biases at 0.

use std::collections::HashMap;
use std::sync::Arc;

use attention::{KeyValueStore, NoStore, Rope};
use candle_core::{DType, Device, Result, Tensor, bail};
use tensors::{Parameters, normal};

use crate::block::Block;
use crate::{AttentionLayout, FeedForwardKind, ModelConfig, Norm, NormKind, Ops, Positions, Reference, Weight};

// ANCHOR: transformer
/// A decoder-only transformer and its variables.
#[derive(Debug, Clone)]
pub struct Transformer {
    config: ModelConfig,
    parameters: Parameters,
    embedding: Weight,                  // (vocab_size, d_model)
    position_embedding: Option<Weight>, // (max_seq_len, d_model), if positions are learnt
    blocks: Vec<Block>,
    final_norm: Norm, // (d_model)
    head: Weight,     // (vocab_size, d_model); the embedding itself if tied
    rope: Option<Rope>,
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
                [width] if name.ends_with(".bias") => Tensor::zeros(*width, DType::F32, device)?,
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
        self.final_norm.forward(self.ops.as_ref(), &x, self.config.norm_eps)
    }

    /// The residual stream `(batch, seq_len, d_model)` after the last block, before the final norm.
    ///
    /// # Errors
    /// As [`Transformer::hidden`].
    pub fn residual(&self, tokens: &Tensor, store: &mut dyn KeyValueStore) -> Result<Tensor> {
        let (_batch, seq_len) = tokens.dims2()?;
        if store.len() + seq_len > self.config.max_seq_len {
            bail!("{} tokens exceed max_seq_len {}", store.len() + seq_len, self.config.max_seq_len);
        }
        let mut x = self.embed(tokens, store)?; // (batch, seq_len, d_model)
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, self.config.norm_eps, self.ops.as_ref(), self.layout(layer), store)?;
        }
        store.advance(seq_len);
        Ok(x)
    }

    /// The residual stream `(batch, seq_len, d_model)` before the first block: each token's vector, and its position's if positions are learnt.
    fn embed(&self, tokens: &Tensor, store: &dyn KeyValueStore) -> Result<Tensor> {
        let (_batch, seq_len) = tokens.dims2()?;
        if seq_len == 0 {
            bail!("the sequence is empty; the model needs at least one token");
        }
        let x = self.ops.embedding(tokens, &self.embedding)?;
        match &self.position_embedding {
            Some(weight) => x.broadcast_add(&self.ops.embedding(&positions(seq_len, store, x.device())?, weight)?),
            None => Ok(x),
        }
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

/// Positions `(1, seq_len)` of the next tokens, u32; `(batch, seq_len)` if there is padding, which does not count.
fn positions(seq_len: usize, store: &dyn KeyValueStore, device: &Device) -> Result<Tensor> {
    let (start, padding) = (store.len(), store.padding().unwrap_or(&[0]));
    let position = |n_padding: usize, at: usize| at.saturating_sub(n_padding) as u32;
    let positions: Vec<u32> =
        padding.iter().flat_map(|&n_padding| (start..start + seq_len).map(move |at| position(n_padding, at))).collect();
    Tensor::from_vec(positions, (padding.len(), seq_len), device)
}

impl Transformer {
    /// The residual stream `(batch, seq_len, d_model)` of `tokens` before the first block and after each: `n_layers + 1` tensors.
    ///
    /// # Errors
    /// As [`Transformer::hidden`].
    pub fn residual_by_layer(&self, tokens: &Tensor) -> Result<Vec<Tensor>> {
        let mut stream = vec![self.embed(tokens, &NoStore)?];
        for (layer, block) in self.blocks.iter().enumerate() {
            let x = &stream[layer];
            let next = block.forward(x, self.config.norm_eps, self.ops.as_ref(), self.layout(layer), &mut NoStore)?;
            stream.push(next);
        }
        Ok(stream)
    }

    /// Logits `(batch, seq_len, vocab_size)` that the final norm and the head make of a residual stream `(batch, seq_len, d_model)`: of the last block's,
    /// the model's own; of an earlier one, what the model would say if it stopped there.
    ///
    /// # Errors
    /// If the shape does not fit.
    pub fn read_out(&self, residual: &Tensor) -> Result<Tensor> {
        let hidden = self.final_norm.forward(self.ops.as_ref(), residual, self.config.norm_eps)?;
        self.ops.linear(&hidden, &self.head)
    }

    fn layout(&self, layer: usize) -> AttentionLayout<'_> {
        let ModelConfig { n_heads, n_kv_heads, architecture, .. } = self.config;
        let (rope, window) = (self.rope.as_ref(), architecture.sliding_window);
        AttentionLayout { layer, n_heads, n_kv_heads, rope, window }
    }

    /// The model of a valid configuration whose weights are `parameters`, on the reference operations.
    pub(crate) fn from_parameters(config: ModelConfig, parameters: Parameters) -> Result<Self> {
        let (_dtype, device) = parameters.placement();
        let rope = match config.rope_scaling() {
            Some(scaling) => {
                Some(Rope::scaled(config.head_dim(), config.max_seq_len, config.rope_theta, scaling, &device)?)
            }
            None => None,
        };
        Self::assemble(config, parameters, rope, Arc::new(Reference), |_name, var| Ok(var.as_tensor().clone()))
    }

    /// The same weights without a graph: for evaluation and generation, which need no gradients.
    ///
    /// It shares storage with `self`: training `self` further changes it too.
    ///
    /// # Errors
    /// Never in practice; assembling is fallible.
    pub fn for_inference(&self) -> Result<Self> {
        let (config, parameters, rope) = (self.config.clone(), self.parameters.clone(), self.rope.clone());
        Self::assemble(config, parameters, rope, self.ops.clone(), |_name, var| Ok(var.as_detached_tensor()))
    }

    /// A frozen copy with storage of its own: training `self` leaves it as it is.
    ///
    /// # Errors
    /// If the device runs out of memory.
    pub fn frozen_copy(&self) -> Result<Self> {
        let (config, parameters, rope) = (self.config.clone(), self.parameters.deep_clone()?, self.rope.clone());
        Self::assemble(config, parameters, rope, self.ops.clone(), |_name, var| Ok(var.as_detached_tensor()))
    }

    /// The same variables on other operations.
    ///
    /// # Errors
    /// Never in practice; assembling is fallible.
    pub fn with_ops(&self, ops: Arc<dyn Ops>) -> Result<Self> {
        let (config, parameters, rope) = (self.config.clone(), self.parameters.clone(), self.rope.clone());
        Self::assemble(config, parameters, rope, ops, |_name, var| Ok(var.as_tensor().clone()))
    }

    /// The model for evaluation and generation on operations that keep the weights called `kept` in a form of their own. In the model there stands in
    /// for each a tensor of its shape that takes no memory: a single NaN seen everywhere, so that an operation which reads it shows. Of the variables, those are left
    /// that are not kept, so no other model can be made of the result.
    ///
    /// # Errors
    /// Never in practice; assembling is fallible.
    pub fn with_kept_weights(&self, ops: Arc<dyn Ops>, kept: impl Fn(&str) -> bool) -> Result<Self> {
        let (config, parameters, rope) = (self.config.clone(), self.parameters.clone(), self.rope.clone());
        let nan = Tensor::full(f32::NAN, (), self.device())?;
        let model = Self::assemble(config, parameters, rope, ops, |name, var| match kept(name) {
            true => nan.broadcast_as(var.shape()),
            false => Ok(var.as_detached_tensor()),
        })?;
        Ok(Self { parameters: self.parameters.without(kept), ..model })
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

    /// Connects the variables: each weight is `view` of its name and variable.
    fn assemble(
        config: ModelConfig,
        parameters: Parameters,
        rope: Option<Rope>,
        ops: Arc<dyn Ops>,
        view: impl Fn(&str, &candle_core::Var) -> Result<Tensor>,
    ) -> Result<Self> {
        let weight = |name: &str| match parameters.get(name) {
            Some(var) => Ok(Weight { name: Arc::from(name), tensor: view(name, var)? }),
            None => bail!("the model has no parameter {name}"),
        };
        let embedding = weight("embedding")?;
        let position_embedding = match config.architecture.positions {
            Positions::Learned => Some(weight("position_embedding")?),
            Positions::Rotary(_) => None,
        };
        let head = if config.tie_embeddings { embedding.clone() } else { weight("head")? };
        let architecture = &config.architecture;
        let blocks =
            (0..config.n_layers).map(|layer| Block::new(layer, architecture, &weight)).collect::<Result<Vec<_>>>()?;
        let final_norm = Norm::find("final_norm", architecture.norm, &weight)?;
        Ok(Self { config, parameters, embedding, position_embedding, blocks, final_norm, head, rope, ops })
    }
}

// ANCHOR: shapes
/// Name and shape of every parameter.
pub fn parameter_shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let (d_model, d_ff, q_width, kv_width) = (config.d_model, config.d_ff, config.q_width(), config.kv_width());
    let architecture = &config.architecture;
    let (on_qkv, on_the_rest) = (architecture.biases.on_qkv(), architecture.biases.on_the_rest());
    let mut shapes = Shapes::default();
    shapes.add("embedding", &[config.vocab_size, d_model]);
    if architecture.positions == Positions::Learned {
        shapes.add("position_embedding", &[config.max_seq_len, d_model]);
    }
    for layer in 0..config.n_layers {
        shapes.prefix = format!("layers.{layer}.");
        shapes.add_norm("attention_norm", d_model, architecture.norm);
        shapes.add_linear("attention.q", q_width, d_model, on_qkv);
        shapes.add_linear("attention.k", kv_width, d_model, on_qkv);
        shapes.add_linear("attention.v", kv_width, d_model, on_qkv);
        shapes.add_linear("attention.o", d_model, q_width, on_the_rest);
        if architecture.qk_norm {
            shapes.add("attention.q_norm", &[config.head_dim()]);
            shapes.add("attention.k_norm", &[config.head_dim()]);
        }
        shapes.add_norm("mlp_norm", d_model, architecture.norm);
        if architecture.feed_forward == FeedForwardKind::SwiGlu {
            shapes.add_linear("mlp.gate", d_ff, d_model, on_the_rest);
        }
        shapes.add_linear("mlp.up", d_ff, d_model, on_the_rest);
        shapes.add_linear("mlp.down", d_model, d_ff, on_the_rest);
    }
    shapes.prefix.clear();
    shapes.add_norm("final_norm", d_model, architecture.norm);
    if !config.tie_embeddings {
        shapes.add("head", &[config.vocab_size, d_model]);
    }
    shapes.list
}
// ANCHOR_END: shapes

/// A list of names and shapes that grows.
#[derive(Default)]
struct Shapes {
    prefix: String,
    list: Vec<(String, Vec<usize>)>,
}

impl Shapes {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.list.push((format!("{}{name}", self.prefix), shape.to_vec()));
    }

    fn add_linear(&mut self, name: &str, d_out: usize, d_in: usize, has_bias: bool) {
        self.add(name, &[d_out, d_in]);
        if has_bias {
            self.add(&format!("{name}.bias"), &[d_out]);
        }
    }

    fn add_norm(&mut self, name: &str, width: usize, kind: NormKind) {
        self.add(name, &[width]);
        if kind == NormKind::LayerNorm {
            self.add(&format!("{name}.bias"), &[width]);
        }
    }
}
