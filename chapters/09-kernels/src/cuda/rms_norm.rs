//! Launches of `rms_norm.cu`.

use candle_core::Result;

use super::gpu::Gpu;
use super::machine::{Argument, Grid, Kernel, Module};
use super::memory::{Element, View};

/// Numbers of a row that a thread keeps in registers; `rms_norm.cu` has the same.
const KEPT: usize = 16;
const MAX_THREADS: usize = 512;
const WARP: usize = 32;

/// A block takes a row at a time: the fewest warps whose registers hold it.
fn threads(d: usize) -> usize {
    d.div_ceil(KEPT).next_multiple_of(WARP).min(MAX_THREADS)
}

fn kernel(element: Element, name: &'static str) -> Kernel {
    Module { source: "rms_norm", element, head_dim: None }.kernel(name)
}

/// Norms each row of `x` `(rows, d)` into `y` `(rows, d)` and keeps 1/rms of each in `inverse_rms` `(rows)`; `weight` is `(d)`.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn forward(
    gpu: &Gpu,
    x: View<'_>,
    weight: View<'_>,
    eps: f32,
    y: View<'_>,
    inverse_rms: View<'_>,
) -> Result<()> {
    let (n_rows, d) = (inverse_rms.len(), weight.len());
    check([x, weight, inverse_rms], y, n_rows, d)?;
    let arguments =
        [x.into(), weight.into(), y.into(), inverse_rms.into(), n_rows.into(), d.into(), Argument::F32(eps)];
    let grid = Grid::new(n_rows, threads(d));
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(y.element(), "rms_norm_forward"), grid, &arguments) }
}

/// The norm once more, with 1/rms of each row from [`forward`].
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn apply(gpu: &Gpu, x: View<'_>, weight: View<'_>, inverse_rms: View<'_>, y: View<'_>) -> Result<()> {
    let (n_rows, d) = (inverse_rms.len(), weight.len());
    check([x, weight, inverse_rms], y, n_rows, d)?;
    let arguments = [x.into(), weight.into(), inverse_rms.into(), y.into(), n_rows.into(), d.into()];
    let grid = Grid::new(n_rows, threads(d));
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(y.element(), "rms_norm_apply"), grid, &arguments) }
}

/// What backward reads.
pub(super) struct Inputs<'a> {
    pub(super) x: View<'a>,
    pub(super) weight: View<'a>,
    pub(super) inverse_rms: View<'a>,
    /// The gradient of the normed rows.
    pub(super) dy: View<'a>,
}

/// `dx` = `residual` + the gradient through the norm; `dweight` `(d)` += its gradient.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn backward(
    gpu: &Gpu,
    inputs: &Inputs<'_>,
    residual: Option<View<'_>>,
    dx: View<'_>,
    dweight: Option<View<'_>>,
) -> Result<()> {
    let Inputs { x, weight, inverse_rms, dy } = *inputs;
    let (n_rows, d) = (inverse_rms.len(), weight.len());
    check([x, weight, inverse_rms], dy, n_rows, d)?;
    dx.must_be("dx", Element::F32, n_rows * d)?;
    residual.map_or(Ok(()), |residual| residual.must_be("residual", Element::F32, n_rows * d))?;
    let n_blocks = gpu.n_blocks(n_rows, threads(d));
    let partial = gpu.buffer(Element::F32, n_blocks * d)?;
    let arguments = [
        x.into(),
        weight.into(),
        inverse_rms.into(),
        dy.into(),
        residual.map_or(Argument::NULL, Argument::from),
        dx.into(),
        partial.view().into(),
        n_rows.into(),
        d.into(),
    ];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(dy.element(), "rms_norm_backward"), Grid::new(n_blocks, threads(d)), &arguments)? };
    dweight.map_or(Ok(()), |dweight| add_columns(gpu, partial.view(), dweight))
}

/// Threads of a block of `sum_columns`: 32 warps, each with a piece of the rows.
const SUM_THREADS: usize = 1024;

/// `sums` `(d)` += the sums of the columns of `rows`.
fn add_columns(gpu: &Gpu, rows: View<'_>, sums: View<'_>) -> Result<()> {
    let d = sums.len();
    sums.must_be("column sums", Element::F32, d)?;
    rows.must_be("rows", Element::F32, rows.len() / d * d)?;
    let arguments = [rows.into(), sums.into(), (rows.len() / d).into(), d.into(), Argument::I32(1)];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(Element::F32, "sum_columns"), Grid::new(d.div_ceil(WARP), SUM_THREADS), &arguments) }
}

fn check([x, weight, inverse_rms]: [View<'_>; 3], y: View<'_>, n_rows: usize, d: usize) -> Result<()> {
    x.must_be("x", Element::F32, n_rows * d)?;
    weight.must_be("weight", Element::F32, d)?;
    inverse_rms.must_be("inverse_rms", Element::F32, n_rows)?;
    y.must_be("y", y.element(), n_rows * d)
}
