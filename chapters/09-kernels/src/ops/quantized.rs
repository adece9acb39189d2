//! The model's operations with quantised weights, for evaluation and generation.
//!
//! [`Quantized`] keeps the matrices in [`Blocks`] and hands everything else to the kernels below it. The model keeps nothing of them but their
//! shapes ([`Transformer::with_kept_weights`]), so a model takes the memory of its blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::attention::KeyValueStore;
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;
use transformer::gguf::{BlockType, Storage};
use transformer::{AttentionBranch, AttentionLayout, FeedForwardBranch, Ops, Transformer, Weight};

use super::Fused;
use super::embedding::checked_tokens;
use super::inference::Matrices;
use crate::cross_entropy::log_probs_of_chunk;
use crate::matmul::Write;
use crate::matrix::{Matrix, MatrixMut};
use crate::quantized::{Blocks, Product, multiply};
use crate::storage::{Reading, is_supported, tensor};
use crate::swiglu;

/// Rows of logits that are kept at a time.
const CHUNK_ROWS: usize = 64;

// ANCHOR: quantized
/// The operations of a model whose matrices are quantised.
#[derive(Debug, Clone)]
pub struct Quantized {
    fused: Fused,
    weights: Arc<BTreeMap<String, Blocks>>,
}

impl Quantized {
    /// Quantises what [`Storage::of`] says, as a GGUF file of that type would have it; the rest stays as it is.
    ///
    /// # Errors
    /// If the model is not f32 on the CPU, or its type cannot hold a number; the message names the weight.
    pub fn new(fused: Fused, model: &Transformer, storage: Storage) -> Result<Self> {
        let matrices: Vec<_> = model
            .parameters()
            .iter()
            .map(|(name, var)| (name, var, storage.of(name, var.dims())))
            .filter(|(.., kind)| matches!(kind, BlockType::Q8_0 | BlockType::Q4_0))
            .collect();
        let blocks = matrices.into_par_iter().map(|(name, var, kind)| {
            let (_d_out, d_in) = var.dims2()?;
            let reading = Reading::of(var);
            match reading.slice().and_then(|values| Blocks::new(kind, values, d_in)) {
                Ok(blocks) => Ok((name.to_string(), blocks)),
                Err(why) => bail!("{name}: {why}"),
            }
        });
        Ok(Self { fused, weights: Arc::new(blocks.collect::<Result<_>>()?) })
    }

    // ANCHOR_END: quantized

    /// A weight's blocks, if it is quantised.
    pub fn blocks(&self, name: &str) -> Option<&Blocks> {
        self.weights.get(name)
    }

    /// Whether a weight is quantised.
    pub fn keeps(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }
}

impl Matrices for Quantized {
    fn multiply<const N: usize>(
        &self,
        write: Write,
        x: Matrix<'_>,
        layers: [(&Weight, MatrixMut<'_>); N],
    ) -> Result<()> {
        let mut products = Vec::with_capacity(N);
        for (weight, out) in layers {
            match self.blocks(&weight.name) {
                Some(weight) => products.push(Product { weight, out }),
                None => self.fused.multiply(write, x, [(weight, out)])?,
            }
        }
        multiply(self.fused.isa, write, x, products);
        Ok(())
    }

    fn gated(&self, x: Matrix<'_>, gate: &Weight, up: &Weight, out: &mut [f32]) -> Result<()> {
        let d_ff = out.len() / x.n_rows();
        let mut of_up = self.fused.scratch.take(out.len());
        let mut of_gate = self.fused.scratch.take(out.len());
        let layers = [(gate, MatrixMut::new(&mut of_gate, d_ff)), (up, MatrixMut::new(&mut of_up, d_ff))];
        self.multiply(Write::Replace, x, layers)?;
        swiglu::forward_separate(self.fused.isa, &of_gate, &of_up, out);
        Ok(())
    }
}

impl Ops for Quantized {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        let Some(blocks) = self.blocks(&weight.name) else { return self.fused.embedding(tokens, weight) };
        let (batch, seq_len) = tokens.dims2()?;
        let (d_model, ids) = (blocks.d_in(), checked_tokens(tokens, blocks.d_out())?);
        let mut out = vec![0.0; ids.len() * d_model];
        for (out, id) in out.chunks_exact_mut(d_model).zip(ids) {
            blocks.rows(self.fused.isa, id as usize..id as usize + 1, out);
        }
        tensor(out, &(batch, seq_len, d_model).into())
    }

    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        let Some(blocks) = self.blocks(&weight.name) else { return self.fused.linear(x, weight) };
        let (batch, seq_len, d_in) = x.dims3()?;
        if d_in != blocks.d_in() {
            bail!("{} is ({}, {}) and cannot be applied to width {d_in}", weight.name, blocks.d_out(), blocks.d_in());
        }
        let x = x.contiguous()?;
        let mut y = vec![0.0; batch * seq_len * blocks.d_out()];
        let out = MatrixMut::new(&mut y, blocks.d_out());
        let x = Reading::of(&x);
        multiply(self.fused.isa, Write::Replace, Matrix::new(x.slice()?, d_in), [Product { weight: blocks, out }]);
        tensor(y, &(batch, seq_len, blocks.d_out()).into())
    }

    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        self.fused.rms_norm(x, weight, eps)
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        self.fused.attention(q, k, v, layout, store)
    }

    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        self.fused.swiglu(gate, up)
    }

    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        let Some(blocks) = self.blocks(&head.name) else {
            return self.fused.target_log_probs(hidden, head, targets);
        };
        let (vocab_size, d_model) = (blocks.d_out(), blocks.d_in());
        let ids = checked_tokens(targets, vocab_size)?;
        if hidden.elem_count() != ids.len() * d_model {
            bail!("hidden states {:?} do not fit targets {:?} and width {d_model}", hidden.dims(), targets.dims());
        }
        let hidden = hidden.contiguous()?;
        let hidden = Reading::of(&hidden);
        let rows = hidden.slice()?.chunks(CHUNK_ROWS * d_model);
        let (mut log_probs, mut log_sum_exp) = (vec![0.0; ids.len()], [0.0; CHUNK_ROWS]);
        let mut logits = self.fused.scratch.take(CHUNK_ROWS.min(ids.len()) * vocab_size);
        for ((rows, ids), log_probs) in rows.zip(ids.chunks(CHUNK_ROWS)).zip(log_probs.chunks_mut(CHUNK_ROWS)) {
            let logits = &mut logits[..ids.len() * vocab_size];
            let out = MatrixMut::new(logits, vocab_size);
            multiply(self.fused.isa, Write::Replace, Matrix::new(rows, d_model), [Product { weight: blocks, out }]);
            log_probs_of_chunk(self.fused.isa, logits, ids, log_probs, &mut log_sum_exp[..ids.len()]);
        }
        tensor(log_probs, targets.shape())
    }

    fn attention_branch(
        &self,
        x: &Tensor,
        branch: &AttentionBranch,
        eps: f64,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        match branch.as_llama() {
            Some(llama)
                if store.remembers()
                    && self.fused.fallbacks.knows_heads(&layout, llama.q.tensor.dim(0)?)
                    && is_supported(&[x]) =>
            {
                self.fused.remembering_branch(self, x, &llama, eps, layout, store)
            }
            _ => branch.compose(self, x, eps, layout, store),
        }
    }

    fn feed_forward_branch(&self, x: &Tensor, branch: &FeedForwardBranch, eps: f64) -> Result<Tensor> {
        match branch.as_llama() {
            Some(llama) if is_supported(&[x]) => self.fused.inference_feed_forward(self, x, &llama, eps),
            _ => branch.compose(self, x, eps),
        }
    }
}
