//! Launches of `cross_entropy.cu`.

use candle_core::Result;

use super::gpu::Gpu;
use super::machine::{Grid, Kernel, Module};
use super::memory::{Element, View};

const THREADS: usize = 512;

fn kernel(element: Element, name: &'static str) -> Kernel {
    Module { source: "cross_entropy", element, head_dim: None }.kernel(name)
}

/// The log-probability of each row's target and the log of the sum of exponentials, both `(rows)`, from `logits` `(rows, vocab_size)`.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn forward(
    gpu: &Gpu,
    logits: View<'_>,
    targets: View<'_>,
    log_probs: View<'_>,
    log_sum_exp: View<'_>,
) -> Result<()> {
    let n_rows = targets.len();
    let vocab_size = check(logits, targets, log_probs)?;
    log_sum_exp.must_be("log-sum-exp", Element::F32, n_rows)?;
    let arguments = [logits.into(), targets.into(), log_probs.into(), log_sum_exp.into(), vocab_size.into()];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(logits.element(), "cross_entropy_forward"), Grid::new(n_rows, THREADS), &arguments) }
}

/// The gradient of the logits, in their place, from that of the log-probabilities.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn backward_in_place(
    gpu: &Gpu,
    logits: View<'_>,
    targets: View<'_>,
    log_sum_exp: View<'_>,
    d_log_probs: View<'_>,
) -> Result<()> {
    let n_rows = targets.len();
    let vocab_size = check(logits, targets, d_log_probs)?;
    log_sum_exp.must_be("log-sum-exp", Element::F32, n_rows)?;
    let arguments = [logits.into(), targets.into(), log_sum_exp.into(), d_log_probs.into(), vocab_size.into()];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(logits.element(), "cross_entropy_backward"), Grid::new(n_rows, THREADS), &arguments) }
}

/// Both at once, when the gradient of the log-probabilities is known before them.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn forward_and_backward_in_place(
    gpu: &Gpu,
    logits: View<'_>,
    targets: View<'_>,
    d_log_probs: View<'_>,
    log_probs: View<'_>,
) -> Result<()> {
    let n_rows = targets.len();
    let vocab_size = check(logits, targets, log_probs)?;
    d_log_probs.must_be("d_log_probs", Element::F32, n_rows)?;
    let arguments = [logits.into(), targets.into(), d_log_probs.into(), log_probs.into(), vocab_size.into()];
    let kernel = kernel(logits.element(), "cross_entropy_forward_backward");
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel, Grid::new(n_rows, THREADS), &arguments) }
}

/// `out` `(1)` = the sum of `values` · `weights`, in a fixed order.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn weighted_sum(gpu: &Gpu, values: View<'_>, weights: View<'_>, out: View<'_>) -> Result<()> {
    values.must_be("values", Element::F32, weights.len())?;
    weights.must_be("weights", Element::F32, values.len())?;
    out.must_be("sum", Element::F32, 1)?;
    let arguments = [values.into(), weights.into(), out.into(), values.len().into()];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(Element::F32, "weighted_sum"), Grid::new(1, THREADS), &arguments) }
}

/// The vocabulary's size.
fn check(logits: View<'_>, targets: View<'_>, log_probs: View<'_>) -> Result<usize> {
    let n_rows = targets.len();
    let vocab_size = logits.len() / n_rows.max(1);
    logits.must_be("logits", logits.element(), n_rows * vocab_size)?;
    targets.must_be("targets", Element::U32, n_rows)?;
    log_probs.must_be("log-probabilities", Element::F32, n_rows)?;
    Ok(vocab_size)
}
