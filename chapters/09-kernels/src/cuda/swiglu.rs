//! Launches of `swiglu.cu`.

use candle_core::Result;

use super::gpu::Gpu;
use super::machine::{Grid, Kernel, Module};
use super::memory::{Element, View};

const THREADS: usize = 256;

fn kernel(element: Element, name: &'static str) -> Kernel {
    Module { source: "swiglu", element, head_dim: None }.kernel(name)
}

/// `y` `(rows, d_ff)` = silu(gate) · up of `gate_up` `(rows, 2 · d_ff)`.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn forward(gpu: &Gpu, gate_up: View<'_>, d_ff: usize, y: View<'_>) -> Result<()> {
    let n_rows = y.len() / d_ff;
    gate_up.must_be("gate and up", y.element(), 2 * n_rows * d_ff)?;
    y.must_be("y", y.element(), n_rows * d_ff)?;
    let arguments = [gate_up.into(), y.into(), n_rows.into(), d_ff.into()];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(y.element(), "swiglu_forward"), Grid::new(n_rows, THREADS), &arguments) }
}

/// The gradients of gate and up, in their place, from `dy` `(rows, d_ff)`.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn backward_in_place(gpu: &Gpu, gate_up: View<'_>, d_ff: usize, dy: View<'_>) -> Result<()> {
    let n_rows = dy.len() / d_ff;
    gate_up.must_be("gate and up", dy.element(), 2 * n_rows * d_ff)?;
    dy.must_be("dy", dy.element(), n_rows * d_ff)?;
    let arguments = [gate_up.into(), dy.into(), gate_up.into(), n_rows.into(), d_ff.into()];
    // SAFETY: the kernel's arguments, of the checked lengths; it reads each number before it writes it.
    unsafe { gpu.launch(kernel(dy.element(), "swiglu_backward"), Grid::new(n_rows, THREADS), &arguments) }
}
