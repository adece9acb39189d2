//! A linear layer: $y = W x + b$, with or without $b$.

use candle_core::{Result, Tensor};

use crate::{Ops, Weight};

// ANCHOR: linear
/// The parameters of a linear layer.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `(d_out, d_in)`.
    pub weight: Weight,
    /// `(d_out)`.
    pub bias: Option<Weight>,
}

impl Linear {
    /// `x` `(batch, seq_len, d_in)` → `(batch, seq_len, d_out)`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, ops: &(impl Ops + ?Sized), x: &Tensor) -> Result<Tensor> {
        let y = ops.linear(x, &self.weight)?;
        match &self.bias {
            Some(bias) => ops.add_bias(&y, bias),
            None => Ok(y),
        }
    }
}
// ANCHOR_END: linear
