//! The embedding as an operation of its weight: rows by token, and the sorted sum of gradients back.

use candle_core::{Result, Shape, Tensor};
use transformer::Weight;

use super::super::device_op::DeviceOp;
use super::super::memory::View;
use super::super::{embedding, tensors};
use super::{Cuda, checked_tokens};

pub(super) struct Embedding {
    cuda: Cuda,
    weight: Weight,
    tokens: Tensor,
    on_host: Vec<u32>,
    d: usize,
}

impl Embedding {
    pub(super) fn new(cuda: &Cuda, tokens: &Tensor, weight: &Weight) -> Result<Self> {
        let (vocab_size, d) = weight.tensor.dims2()?;
        let (_batch, _seq_len) = tokens.dims2()?;
        let tokens = tokens.contiguous()?;
        let on_host = checked_tokens(&cuda.gpu, &tokens, vocab_size)?;
        Ok(Self { cuda: cuda.clone(), weight: weight.clone(), tokens, on_host, d })
    }
}

impl DeviceOp for Embedding {
    const NAME: &'static str = "embedding";

    fn output_shape(&self, _weight: &Shape) -> Result<Shape> {
        let (batch, seq_len) = self.tokens.dims2()?;
        Ok((batch, seq_len, self.d).into())
    }

    fn forward(&self, weight: View<'_>, out: View<'_>) -> Result<()> {
        embedding::forward(&self.cuda.gpu, weight, tensors::view(&self.tokens)?, self.d, out)
    }

    fn backward(&self, _weight: View<'_>, gradient: View<'_>, _dx: View<'_>) -> Result<()> {
        self.cuda.add_weight_gradient(&self.weight, |dweight| match dweight {
            Some(dweight) => embedding::backward(&self.cuda.gpu, gradient, &self.on_host, self.d, dweight),
            None => Ok(()),
        })
    }

    fn has_input_gradient(&self) -> bool {
        false
    }
}
