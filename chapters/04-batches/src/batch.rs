//! What a training step takes: inputs, targets, and which targets count.
//!
//! | field | shape | dtype |
//! |---|---|---|
//! | `inputs` | (batch, seq_len) | u32 |
//! | `targets` | (batch, seq_len) | u32, the inputs moved by one |
//! | `mask` | (batch, seq_len) or none | f32, 1 where the target counts |
//!
//! Pretraining counts every target and has no mask. Finetuning (chapter 13) counts the answer alone.

use candle_core::{Device, Result, Tensor};

// ANCHOR: batch
/// One batch, on a device.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Token ids, (batch, seq_len) u32.
    pub inputs: Tensor,
    /// The token after each input, (batch, seq_len) u32.
    pub targets: Tensor,
    /// 1 where the target counts and 0 where it does not, (batch, seq_len) f32; `None` if all count.
    pub mask: Option<Tensor>,
}

impl Batch {
    /// Cuts rows of `seq_len + 1` ids, (batch × (seq_len + 1),), into inputs and targets.
    ///
    /// # Errors
    /// When `ids` is not a whole number of rows, or the device has no room.
    pub fn from_rows(ids: &[u32], seq_len: usize, device: &Device) -> Result<Self> {
        if ids.is_empty() || !ids.len().is_multiple_of(seq_len + 1) {
            candle_core::bail!("{} ids are not whole rows of seq_len + 1 = {}", ids.len(), seq_len + 1);
        }
        let rows = Tensor::from_slice(ids, (ids.len() / (seq_len + 1), seq_len + 1), device)?; // (batch, seq_len + 1)
        let inputs = rows.narrow(1, 0, seq_len)?.contiguous()?; // (batch, seq_len)
        let targets = rows.narrow(1, 1, seq_len)?.contiguous()?; // (batch, seq_len)
        Ok(Self { inputs, targets, mask: None })
    }

    /// Targets that count.
    ///
    /// # Errors
    /// When the mask cannot be read from its device.
    pub fn n_targets(&self) -> Result<usize> {
        match &self.mask {
            None => Ok(self.targets.elem_count()),
            Some(mask) => Ok(mask.sum_all()?.to_scalar::<f32>()? as usize),
        }
    }
}
// ANCHOR_END: batch
