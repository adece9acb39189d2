//! Launches of `adamw.cu`: all parameters of a model at once. A table on the device says where each one's numbers are, and a list of chunks gives
//! every block a piece of equal size, so that a norm of 768 gains and an embedding of 38 million numbers keep the device equally busy.

use candle_core::Result;
use training::optimizer_ops::Step;

use super::gpu::Gpu;
use super::machine::{Argument, Grid, Kernel, Module};
use super::memory::{Buffer, Element, View};

const THREADS: usize = 512;
/// Numbers that one block works on; `adamw.cu` has the same.
const CHUNK: usize = 65_536;

fn kernel(element: Element, name: &'static str) -> Kernel {
    Module { source: "adamw", element, head_dim: None }.kernel(name)
}

// ANCHOR: parameter
/// A parameter and all that changes with it, of equal lengths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter<'a> {
    pub(super) weight: View<'a>,
    pub(super) gradient: View<'a>,
    pub(super) first: View<'a>,
    pub(super) second: View<'a>,
    /// The weight once more, in the type that products work on.
    pub(super) copy: Option<View<'a>>,
    pub(super) decay: f32,
}

/// All parameters as kernels read them.
pub(super) struct Table {
    parameters: Buffer,
    chunks: Buffer,
    n_chunks: usize,
}

impl Table {
    /// # Errors
    /// If lengths differ within a parameter, or the device is out of memory.
    pub(super) fn new(gpu: &Gpu, parameters: &[Parameter<'_>]) -> Result<Self> {
        let (mut bytes, mut chunks) = (Vec::new(), Vec::new());
        for (number, parameter) in parameters.iter().enumerate() {
            let Parameter { weight, gradient, first, second, copy, decay } = parameter;
            let n = weight.len();
            for (name, view) in [("weight", weight), ("gradient", gradient), ("moment", first), ("moment", second)] {
                view.must_be(name, Element::F32, n)?;
            }
            copy.map_or(Ok(()), |copy| copy.must_be("copy", gpu.element(), n))?;
            let addresses = [weight, gradient, first, second].map(|view| view.address());
            let words = addresses.into_iter().chain([copy.map_or(0, View::address), n as u64]);
            bytes.extend(words.flat_map(u64::to_ne_bytes));
            bytes.extend(decay.to_ne_bytes());
            bytes.extend([0; 4]); // What C leaves free, so that the next one's addresses stand at multiples of eight.
            chunks.extend((0..n.div_ceil(CHUNK)).flat_map(|chunk| [number as u32, chunk as u32]));
        }
        let n_chunks = chunks.len() / 2;
        Ok(Self { parameters: gpu.upload_bytes(&bytes)?, chunks: gpu.upload_u32(&chunks)?, n_chunks })
    }
}
// ANCHOR_END: parameter

/// Σ x² over all gradients of a table, waiting for the device once.
///
/// # Errors
/// If the device fails.
pub(super) fn sum_of_squares(gpu: &Gpu, table: &Table) -> Result<f64> {
    if table.n_chunks == 0 {
        return Ok(0.0);
    }
    let (partial, sum) = (gpu.buffer(Element::F64, table.n_chunks)?, gpu.buffer(Element::F64, 1)?);
    let of_chunks = [table.parameters.view().into(), table.chunks.view().into(), partial.view().into()];
    let of_all = [partial.view().into(), sum.view().into(), table.n_chunks.into()];
    // SAFETY: the kernels' arguments; the table was checked when it was made.
    unsafe {
        gpu.launch(kernel(gpu.element(), "sum_of_squares"), Grid::new(table.n_chunks, THREADS), &of_chunks)?;
        gpu.launch(kernel(gpu.element(), "sum_partials"), Grid::new(1, THREADS), &of_all)?;
    }
    gpu.read_f64(sum.view())
}

/// One AdamW step of all parameters.
///
/// # Errors
/// If the device fails.
pub(super) fn step(gpu: &Gpu, step: &Step, table: &Table) -> Result<()> {
    let Step { lr, beta1, beta2, eps, first_correction, second_correction, scale } = *step;
    // 1 - beta is computed here, in f64: of an f32 beta near 1 little would be left.
    let constants = [lr, beta1, beta2, 1.0 - beta1, 1.0 - beta2, eps, first_correction, second_correction, scale];
    let constants = Argument::Words(constants.map(|constant| (constant as f32).to_bits()));
    let arguments = [table.parameters.view().into(), table.chunks.view().into(), constants];
    // SAFETY: the kernel's arguments; the table was checked when it was made.
    unsafe { gpu.launch(kernel(gpu.element(), "adamw"), Grid::new(table.n_chunks, THREADS), &arguments) }
}
