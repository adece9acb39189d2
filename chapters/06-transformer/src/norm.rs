//! The norm in front of a branch: RMSNorm has a gain, LayerNorm a gain and a bias.

use candle_core::{Result, Tensor};

use crate::{Ops, Weight};

// ANCHOR: norm
/// The parameters of a norm.
#[derive(Debug, Clone)]
pub struct Norm {
    /// `(d)`.
    pub gain: Weight,
    /// `(d)`; with it the norm is a LayerNorm, without it an RMSNorm.
    pub bias: Option<Weight>,
}

impl Norm {
    /// Each vector of the last dimension of `x` `(batch, seq_len, d)`, normalised; shape as `x`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, ops: &(impl Ops + ?Sized), x: &Tensor, eps: f64) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => ops.layer_norm(x, &self.gain, bias, eps),
            None => ops.rms_norm(x, &self.gain, eps),
        }
    }
}
// ANCHOR_END: norm
