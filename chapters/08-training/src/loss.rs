//! Cross-entropy: minus the log-probability that the model gives to what came next.
//!
//! Over the targets $t$ that count (all of them in pretraining, the answer's tokens in finetuning),
//! $$L = -\frac{1}{n} \sum_t \log p_\theta(x_t \mid x_{<t}).$$
//! A micro-batch returns the *sum* and $n$ apart. The mean over a step is the quotient of two totals, so that the gradient does not
//! depend on how a batch was cut into micro-batches. Averaging the means of micro-batches with different $n$ would weigh tokens unequally.

use batches::Batch;
use candle_core::{Result, Tensor};
use transformer::Transformer;

// ANCHOR: micro_loss
/// The loss of one micro-batch, summed over its targets.
#[derive(Debug, Clone)]
pub struct MicroLoss {
    /// The sum, a scalar with a graph.
    pub sum: Tensor,
    /// How many terms it has: what the mean divides by.
    pub n_targets: usize,
    /// Number of tokens that went through the model, for tokens per second.
    pub n_tokens: usize,
    /// Further means over this micro-batch's targets, worth showing (a margin, an accuracy).
    pub extras: Vec<(&'static str, f64)>,
}

/// Next-token cross-entropy of a batch, over the targets whose mask is 1, or over all if it has none.
///
/// # Errors
/// If the batch does not fit the model or no target counts.
pub fn next_token_loss(model: &Transformer, batch: &Batch) -> Result<MicroLoss> {
    let n_tokens = batch.targets.elem_count();
    let n_targets = match &batch.mask {
        None => n_tokens,
        Some(mask) => mask.sum_all()?.to_scalar::<f32>()? as usize,
    };
    if n_targets == 0 {
        candle_core::bail!("no target of this batch counts: its mask is zero everywhere");
    }
    let sum = model.next_token_loss(&batch.inputs, &batch.targets, batch.mask.as_ref())?;
    Ok(MicroLoss { sum, n_targets, n_tokens, extras: Vec::new() })
}
// ANCHOR_END: micro_loss
