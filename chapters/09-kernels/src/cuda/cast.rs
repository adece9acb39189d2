//! Launches of `cast.cu`.

use candle_core::Result;

use super::gpu::Gpu;
use super::machine::{Argument, Grid, Kernel, Module};
use super::memory::{Buffer, Element, View};

const THREADS: usize = 256;
/// What a thread takes at once, in f32: 16 bytes.
const NUMBERS_PER_THREAD: usize = 4;

fn kernel(element: Element, name: &'static str) -> Kernel {
    Module { source: "cast", element, head_dim: None }.kernel(name)
}

fn grid(gpu: &Gpu, n: usize) -> Grid {
    Grid::new(gpu.n_blocks(n.div_ceil(THREADS * NUMBERS_PER_THREAD), THREADS), THREADS)
}

/// `y` = `x`, rounded to the element of `y`.
///
/// # Errors
/// If the lengths do not fit, or the device fails.
pub(super) fn from_f32(gpu: &Gpu, x: View<'_>, y: View<'_>) -> Result<()> {
    x.must_be("x", Element::F32, y.len())?;
    let arguments = [x.into(), y.into(), Argument::U64(y.len() as u64)];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(y.element(), "from_f32"), grid(gpu, y.len()), &arguments) }
}

/// `x` in the type that products work on.
///
/// # Errors
/// If the device fails.
pub(super) fn to_activations(gpu: &Gpu, x: View<'_>) -> Result<Buffer> {
    let y = gpu.activations(x.len())?;
    from_f32(gpu, x, y.view())?;
    Ok(y)
}

/// `out` = `factor` · `x`; `factor` is one number, on the device.
///
/// # Errors
/// If the lengths do not fit, or the device fails.
pub(super) fn scale(gpu: &Gpu, x: View<'_>, factor: View<'_>, out: View<'_>) -> Result<()> {
    launch_scaled(gpu, "scale", x, factor, out)
}

/// `sum` += `factor` · `x`; `factor` is one number, on the device.
///
/// # Errors
/// If the lengths do not fit, or the device fails.
pub(super) fn add_scaled(gpu: &Gpu, x: View<'_>, factor: View<'_>, sum: View<'_>) -> Result<()> {
    launch_scaled(gpu, "add_scaled", x, factor, sum)
}

fn launch_scaled(gpu: &Gpu, name: &'static str, x: View<'_>, factor: View<'_>, out: View<'_>) -> Result<()> {
    x.must_be("x", Element::F32, out.len())?;
    out.must_be("out", Element::F32, x.len())?;
    factor.must_be("factor", Element::F32, 1)?;
    let arguments = [x.into(), factor.into(), out.into(), Argument::U64(x.len() as u64)];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel(Element::F32, name), grid(gpu, x.len()), &arguments) }
}
