//! The embedding as a custom op of its weight: rows by token, and a scatter of gradients back.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use transformer::Weight;

use super::Fused;
use crate::embedding;
use crate::matmul::Write;
use crate::storage::{Reading, slice};

pub(super) struct Embedding {
    fused: Fused,
    weight: Weight,
    tokens: Vec<u32>,
    batch: usize,
    seq_len: usize,
}

impl Embedding {
    pub(super) fn new(fused: &Fused, tokens: &Tensor, weight: &Weight) -> Result<Self> {
        let (batch, seq_len) = tokens.dims2()?;
        let (vocab_size, _d_model) = weight.tensor.dims2()?;
        let tokens = checked_tokens(tokens, vocab_size)?;
        Ok(Self { fused: fused.clone(), weight: weight.clone(), tokens, batch, seq_len })
    }
}

/// The ids of a tensor of tokens.
///
/// # Errors
/// If one is not below `vocab_size`.
pub(super) fn checked_tokens(tokens: &Tensor, vocab_size: usize) -> Result<Vec<u32>> {
    let tokens = tokens.flatten_all()?.to_vec1::<u32>()?;
    match tokens.iter().find(|&&token| token as usize >= vocab_size) {
        Some(token) => bail!("token {token} is not in the vocabulary of {vocab_size}"),
        None => Ok(tokens),
    }
}

impl CustomOp1 for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_vocab_size, d_model) = layout.shape().dims2()?;
        let mut out = vec![0.0; self.tokens.len() * d_model];
        embedding::forward(slice(storage, layout)?, d_model, &self.tokens, &mut out);
        Ok((CpuStorage::F32(out), (self.batch, self.seq_len, d_model).into()))
    }

    fn bwd(&self, weight: &Tensor, _out: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (_vocab_size, d_model) = weight.dims2()?;
        let gradient = gradient.contiguous()?;
        let gradient_read = Reading::of(&gradient);
        let gradient = gradient_read.slice()?;
        self.fused.gradients.accumulate(&self.weight, |dweight, write| {
            if write == Write::Replace {
                dweight.fill(0.0);
            }
            embedding::backward(self.fused.isa, gradient, d_model, &self.tokens, dweight);
        })?;
        Ok(None)
    }
}
