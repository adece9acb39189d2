//! How well a run uses its device: the FLOP/s it reaches, and their share of what the device could do.
//!
//! $$\text{MFU} = \frac{\text{tokens per second} \cdot \text{FLOPs per token}}{\text{peak FLOP/s}}$$
//! *Model FLOPs utilisation* (Chowdhery et al. 2022, arXiv 2204.02311, appendix B). The FLOPs are those that the model needs, as chapter 6 counts them, and
//! not those that a program spends: who computes activations twice does not get a better number for it. Which peak a device has is not said here.

use transformer::{ModelConfig, flops_per_token};

// ANCHOR: utilisation
/// FLOPs of a token, and the peak that they are measured against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Utilisation {
    flops_per_token: f64,
    peak_flops_per_s: Option<f64>,
}

impl Utilisation {
    /// Of training `config` on sequences of `seq_len`, on a device of that peak in FLOP/s, if it is known.
    pub fn new(config: &ModelConfig, seq_len: usize, peak_flops_per_s: Option<f64>) -> Self {
        Self { flops_per_token: flops_per_token(config, seq_len), peak_flops_per_s }
    }

    /// FLOP/s that the model needs at that speed.
    pub fn flops_per_s(&self, tokens_per_s: f64) -> f64 {
        self.flops_per_token * tokens_per_s
    }

    /// Their share of the peak, or `None` if that is unknown.
    pub fn mfu(&self, tokens_per_s: f64) -> Option<f64> {
        self.peak_flops_per_s.map(|peak| self.flops_per_s(tokens_per_s) / peak)
    }
}
// ANCHOR_END: utilisation
