//! Launches of attention's kernels: `flash_attention.cu` where it can, which is bfloat16 with heads of 64 or 128, else `attention.cu`.

use candle_core::{Result, bail};

use super::gpu::Gpu;
use super::machine::{Argument, Grid, Kernel, Module};
use super::memory::{Element, View};

// ANCHOR: shape
/// Sizes of an attention layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AttentionShape {
    pub(super) batch: usize,
    pub(super) seq_len: usize,
    pub(super) n_heads: usize,
    pub(super) n_kv_heads: usize,
    pub(super) head_dim: usize,
}

impl AttentionShape {
    pub(super) fn n_rows(self) -> usize {
        self.batch * self.seq_len
    }

    /// Numbers of a packed row: queries, keys, values.
    pub(super) fn packed_width(self) -> usize {
        (self.n_heads + 2 * self.n_kv_heads) * self.head_dim
    }

    /// Numbers of a row of the result.
    pub(super) fn width(self) -> usize {
        self.n_heads * self.head_dim
    }
}
// ANCHOR_END: shape

impl From<AttentionShape> for Argument {
    fn from(shape: AttentionShape) -> Self {
        let AttentionShape { batch, seq_len, n_heads, n_kv_heads, head_dim } = shape;
        let [batch, seq_len, n_heads, n_kv_heads, head_dim] =
            [batch, seq_len, n_heads, n_kv_heads, head_dim].map(|size| size as u32);
        Self::Words([batch, seq_len, n_heads, n_kv_heads, head_dim, 0, 0, 0, 0])
    }
}

/// What backward needs of forward.
pub(super) struct Saved<'a> {
    /// `(rows, packed width)`, rotated.
    pub(super) qkv: View<'a>,
    /// `(rows, width)`.
    pub(super) out: View<'a>,
    /// `(batch, n_heads, seq_len)`.
    pub(super) log_sum_exp: View<'a>,
}

impl Saved<'_> {
    fn check(&self, shape: AttentionShape) -> Result<()> {
        let element = self.qkv.element();
        self.qkv.must_be("queries, keys and values", element, shape.n_rows() * shape.packed_width())?;
        self.out.must_be("attended", element, shape.n_rows() * shape.width())?;
        self.log_sum_exp.must_be("log-sum-exp", Element::F32, shape.n_rows() * shape.n_heads)
    }
}

/// Fills `saved.out` and `saved.log_sum_exp` from `saved.qkv`.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn forward(gpu: &Gpu, shape: AttentionShape, saved: &Saved<'_>) -> Result<()> {
    saved.check(shape)?;
    let plan = Plan::of(shape, saved.qkv.element())?;
    let arguments = [saved.qkv.into(), saved.out.into(), saved.log_sum_exp.into(), shape.into()];
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(plan.kernel("attention_forward"), plan.grid(shape, Walk::Queries, plan.forward), &arguments) }
}

/// The gradient `d_qkv` of rotated queries and keys and of values, from the gradient `d_out` of the result.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn backward(
    gpu: &Gpu,
    shape: AttentionShape,
    saved: &Saved<'_>,
    d_out: View<'_>,
    d_qkv: View<'_>,
) -> Result<()> {
    saved.check(shape)?;
    let element = saved.qkv.element();
    d_out.must_be("d_out", element, saved.out.len())?;
    d_qkv.must_be("d_qkv", element, saved.qkv.len())?;
    let delta = gpu.buffer(Element::F32, saved.log_sum_exp.len())?;
    let of_rows = [saved.out.into(), d_out.into(), delta.view().into(), shape.into()];
    let plain = Module { source: "attention", element, head_dim: None };
    let grid = Grid::new((shape.n_rows() * shape.n_heads).div_ceil(DELTA_ROWS), DELTA_THREADS);
    // SAFETY: the kernel's arguments, of the checked lengths.
    unsafe { gpu.launch(plain.kernel("attention_delta"), grid, &of_rows)? };

    let plan = Plan::of(shape, element)?;
    let arguments =
        [saved.qkv.into(), d_out.into(), saved.log_sum_exp.into(), delta.view().into(), d_qkv.into(), shape.into()];
    let of_queries = plan.grid(shape, Walk::Queries, plan.backward_queries);
    let of_keys = plan.grid(shape, Walk::Keys, plan.backward_keys_values);
    // SAFETY: the kernels' arguments, of the checked lengths.
    unsafe {
        gpu.launch(plan.kernel("attention_backward_queries"), of_queries, &arguments)?;
        gpu.launch(plan.kernel("attention_backward_keys_values"), of_keys, &arguments)
    }
}

/// Rows of one head that a block of `attention_delta` takes: eight threads each.
const DELTA_ROWS: usize = 16;
const DELTA_THREADS: usize = 128;

/// Which kernels, and how they are launched.
struct Plan {
    module: Module,
    forward: Tile,
    backward_queries: Tile,
    backward_keys_values: Tile,
}

/// A block's share: rows of queries or of keys, threads, and bytes of shared memory.
#[derive(Debug, Clone, Copy)]
struct Tile {
    rows: usize,
    threads: usize,
    shared_bytes: usize,
}

/// What a grid counts along its first axis, and of what there are heads on its second.
enum Walk {
    Queries,
    Keys,
}

impl Plan {
    fn of(shape: AttentionShape, element: Element) -> Result<Self> {
        match (element, shape.head_dim) {
            (Element::Bf16, 64 | 128) => Ok(Self::flash(shape.head_dim)),
            (_, 1..=MAX_HEAD_DIM) => Ok(Self::plain(shape.head_dim, element)),
            (_, head_dim) => {
                bail!("head_dim {head_dim}: the CUDA kernels take up to {MAX_HEAD_DIM}; use --ops reference")
            }
        }
    }

    fn kernel(&self, name: &'static str) -> Kernel {
        self.module.kernel(name)
    }

    fn grid(&self, shape: AttentionShape, walk: Walk, tile: Tile) -> Grid {
        let heads = match walk {
            Walk::Queries => shape.n_heads,
            Walk::Keys => shape.n_kv_heads,
        };
        let Tile { rows, threads, shared_bytes } = tile;
        Grid { blocks: [shape.seq_len.div_ceil(rows), heads, shape.batch], threads, shared_bytes }
    }

    /// As `attention.cu` says at its top.
    fn plain(head_dim: usize, element: Element) -> Self {
        let rows = if head_dim > 128 { 16 } else { 32 };
        let width = head_dim.next_power_of_two().max(32);
        let tile = |kept_rows: usize| Tile {
            rows,
            threads: 128,
            shared_bytes: size_of::<f32>() * ((kept_rows + 64) * width + 32 * rows),
        };
        let module = Module { source: "attention", element, head_dim: None };
        let (forward, backward) = (tile(rows), tile(2 * rows));
        Self { module, forward, backward_queries: backward, backward_keys_values: backward }
    }

    /// As `flash_attention.cu` says at its top.
    fn flash(head_dim: usize) -> Self {
        let module = Module { source: "flash_attention", element: Element::Bf16, head_dim: Some(head_dim) };
        let tile = |rows: usize, shared_bytes: usize| Tile { rows, threads: 2 * rows, shared_bytes };
        let backward_rows = if head_dim == 64 { 64 } else { 128 };
        Self {
            module,
            forward: tile(128, 512 * head_dim),
            backward_queries: tile(backward_rows, 256 * head_dim),
            backward_keys_values: tile(backward_rows, (256 + 4 * backward_rows) * head_dim + 512),
        }
    }
}

/// The widest head of `attention.cu`.
const MAX_HEAD_DIM: usize = 256;
