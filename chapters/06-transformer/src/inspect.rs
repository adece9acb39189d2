//! A look inside: what attention looks at, what the stream says after each block, which tokens lie near each other.
//!
//! *Attention maps* are the weights of softmax, row by row. The *logit lens* (nostalgebraist 2020) reads the residual stream after each block as if it
//! were the last: final norm, head, softmax. It works because every block adds to the same stream, and it shows at which depth an answer appears.
//! *Neighbours* of a token are the rows of the embedding matrix that point in the most similar direction.

use std::sync::{Arc, Mutex, PoisonError};

use attention::{KeyValueStore, Masking, NoStore, attention_weights, split_heads};
use candle_core::{DType, Result, Tensor, bail};

use crate::{AttentionLayout, Ops, Reference, Transformer, Weight};

// ANCHOR: maps
/// The reference operations, which also keep what attention looked at.
#[derive(Debug, Default)]
struct Watching {
    maps: Mutex<Vec<Tensor>>,
}

/// Attention weights of every layer, each `(n_heads, seq_len, seq_len)`: row `i` is what position `i` looked at. `tokens` is `(1, seq_len)`.
///
/// # Errors
/// If there is more than one sequence, or the model cannot take it.
pub fn attention_maps(model: &Transformer, tokens: &Tensor) -> Result<Vec<Tensor>> {
    let (batch, _seq_len) = tokens.dims2()?;
    if batch != 1 {
        bail!("attention maps are of one sequence, not of {batch}");
    }
    let watching = Arc::new(Watching::default());
    model.with_ops(watching.clone())?.for_inference()?.hidden(tokens, &mut NoStore)?;
    let maps = std::mem::take(&mut *watching.maps.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(maps)
}

/// What each query of `q` `(1, seq_len, n_heads · head_dim)` looks at: `(n_heads, seq_len, seq_len)`.
fn map(q: &Tensor, k: &Tensor, layout: AttentionLayout) -> Result<Tensor> {
    let (mut q, mut k) = (split_heads(q, layout.n_heads)?, split_heads(k, layout.n_kv_heads)?);
    if let Some(rope) = layout.rope {
        (q, k) = (rope.rotate(&q, 0)?, rope.rotate(&k, 0)?);
    }
    let masking = match layout.window {
        None => Masking::Causal,
        window => Masking::Restricted { window, padding: None },
    };
    attention_weights(&q, &k, masking)?.squeeze(0)
}
// ANCHOR_END: maps

impl Ops for Watching {
    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner).push(map(q, k, layout)?);
        Reference.attention(q, k, v, layout, store)
    }

    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        Reference.embedding(tokens, weight)
    }

    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        Reference.linear(x, weight)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        Reference.rms_norm(x, weight, eps)
    }

    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        Reference.swiglu(gate, up)
    }

    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        Reference.target_log_probs(hidden, head, targets)
    }
}

// ANCHOR: lens
/// A token and how likely it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// The token's id.
    pub token: u32,
    /// Its probability.
    pub probability: f32,
}

/// The likeliest next token at every position, read from the stream before the first block and after each: `n_layers + 1` rows of `seq_len`.
/// `tokens` is `(1, seq_len)`.
///
/// # Errors
/// If there is more than one sequence, or the model cannot take it.
pub fn logit_lens(model: &Transformer, tokens: &Tensor) -> Result<Vec<Vec<Guess>>> {
    let model = model.for_inference()?;
    let stream = model.residual_by_layer(tokens)?;
    stream.iter().map(|residual| guesses(&model.read_out(residual)?.squeeze(0)?)).collect()
}

/// The likeliest token of every row of `logits` `(seq_len, vocab_size)`.
fn guesses(logits: &Tensor) -> Result<Vec<Guess>> {
    let probabilities = attention::softmax(&logits.to_dtype(DType::F32)?)?.to_vec2::<f32>()?;
    let best = |row: Vec<f32>| {
        let (token, probability) = row.into_iter().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
        Guess { token: token as u32, probability }
    };
    Ok(probabilities.into_iter().map(best).collect())
}
// ANCHOR_END: lens

// ANCHOR: neighbours
/// The `n` tokens whose embeddings point most in the direction of a token's, itself left out, each with the cosine; the nearest first.
///
/// # Errors
/// If the token is not in the vocabulary.
pub fn neighbours(model: &Transformer, token: u32, n: usize) -> Result<Vec<(u32, f32)>> {
    let table = model.embedding().tensor.detach(); // (vocab_size, d_model)
    let (vocab_size, _d_model) = table.dims2()?;
    if token as usize >= vocab_size {
        bail!("token {token} is not below vocab_size {vocab_size}");
    }
    let lengths = (table.sqr()?.sum_keepdim(1)?.sqrt()? + 1e-12)?;
    let unit = table.broadcast_div(&lengths)?;
    let direction = unit.narrow(0, token as usize, 1)?.t()?; // (d_model, 1)
    let cosines = unit.matmul(&direction)?.squeeze(1)?.to_vec1::<f32>()?;
    let mut near: Vec<(u32, f32)> = (0..).zip(cosines).filter(|(other, _)| *other != token).collect();
    near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    near.truncate(n);
    Ok(near)
}
// ANCHOR_END: neighbours
