//! Launch of `rope.cu`.

use candle_core::Result;

use super::attention::AttentionShape;
use super::gpu::Gpu;
use super::machine::{Argument, Grid, Module};
use super::memory::{Element, View};

const THREADS: usize = 256;

/// Which way positions are turned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    /// As the forward pass does.
    Forward,
    /// Back: what a gradient needs.
    Back,
}

/// Turns the queries and keys of each packed row in place; `cos` and `sin` are `(seq_len, head_dim / 2)`.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn rotate(
    gpu: &Gpu,
    shape: AttentionShape,
    [cos, sin]: [View<'_>; 2],
    turn: Turn,
    packed: View<'_>,
) -> Result<()> {
    let AttentionShape { seq_len, n_heads, n_kv_heads, head_dim, .. } = shape;
    packed.must_be("packed rows", packed.element(), shape.n_rows() * shape.packed_width())?;
    cos.must_be("cos", Element::F32, seq_len * head_dim / 2)?;
    sin.must_be("sin", Element::F32, seq_len * head_dim / 2)?;
    let sign = match turn {
        Turn::Forward => 1.0,
        Turn::Back => -1.0,
    };
    let arguments = [
        packed.into(),
        cos.into(),
        sin.into(),
        shape.n_rows().into(),
        seq_len.into(),
        (n_heads + n_kv_heads).into(),
        head_dim.into(),
        shape.packed_width().into(),
        Argument::F32(sign),
    ];
    let kernel = Module { source: "rope", element: packed.element(), head_dim: None }.kernel("rope");
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(kernel, Grid::new(shape.n_rows(), THREADS), &arguments) }
}
