//! Causal grouped-query attention as a custom op of `q`, `k` and `v`.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use std::sync::OnceLock;
use transformer::AttentionLayout;

use super::Fused;
use crate::attention::{self, Settings};
use crate::mask::Mask;
use crate::matrix::{Matrix, MatrixMut};
use crate::rope::Tables;
use crate::scratch::Buffer;
use crate::storage::{Reading, rotary_tables, slice, tensor};

// ANCHOR: setup
/// Sizes and rotary tables of one attention layer.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) shape: attention::Shape,
    cos: Tensor, // (seq_len, head_dim / 2)
    sin: Tensor,
    /// Of a sequence without padding.
    mask: Mask,
}

impl Setup {
    /// For queries of `width` numbers, the first of which stands at position `start`.
    pub(super) fn new(
        (batch, seq_len, width): (usize, usize, usize),
        layout: AttentionLayout,
        start: usize,
    ) -> Result<Self> {
        let AttentionLayout { n_heads, n_kv_heads, rope, window, .. } = layout;
        if n_kv_heads == 0 || !n_heads.is_multiple_of(n_kv_heads) || !width.is_multiple_of(n_heads) {
            bail!(
                "width {width} does not divide into {n_heads} heads, or these into groups for {n_kv_heads} key-value heads"
            );
        }
        let shape = attention::Shape { batch, seq_len, n_heads, n_kv_heads, head_dim: width / n_heads };
        let [cos, sin] = rotary_tables(rope, start..start + seq_len, shape.head_dim)?;
        let mask = window.map_or(Mask::CAUSAL, |window| Mask { window, ..Mask::CAUSAL });
        Ok(Self { shape, cos, sin, mask })
    }

    /// Runs `work` with what a kernel for a whole sequence must know.
    pub(super) fn with_settings<R>(&self, fused: &Fused, work: impl FnOnce(Settings<'_>) -> R) -> Result<R> {
        let (Fused { isa, precision, .. }, Self { shape, mask, .. }) = (fused, self);
        self.with_tables(|tables| {
            work(Settings { isa: *isa, precision: *precision, shape: *shape, tables, mask: *mask })
        })
    }

    /// Runs `work` with the rotary tables.
    pub(super) fn with_tables<R>(&self, work: impl FnOnce(Tables<'_>) -> R) -> Result<R> {
        let (cos, sin) = (Reading::of(&self.cos), Reading::of(&self.sin));
        Ok(work(Tables { cos: cos.slice()?, sin: sin.slice()? }))
    }

    /// Numbers of a packed row: queries, keys, values.
    pub(super) fn packed_width(&self) -> usize {
        self.shape.n_packed() * self.shape.head_dim
    }

    /// Where queries, keys and values begin and end in a packed row.
    pub(super) fn bands(&self) -> [std::ops::Range<usize>; 3] {
        let attention::Shape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let (q, kv) = (n_heads * head_dim, n_kv_heads * head_dim);
        [0..q, q..q + kv, q + kv..q + 2 * kv]
    }
}
// ANCHOR_END: setup

pub(super) struct Attention {
    fused: Fused,
    setup: Setup,
    /// Packed queries, keys and values, and log-sum-exp of the scores.
    saved: OnceLock<(Buffer, Buffer)>,
}

impl Attention {
    pub(super) fn new(fused: &Fused, q: &Tensor, layout: AttentionLayout) -> Result<Self> {
        Ok(Self { fused: fused.clone(), setup: Setup::new(q.dims3()?, layout, 0)?, saved: OnceLock::new() })
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let scratch = &self.fused.scratch;
        let shape = self.setup.shape;
        let mut qkv = scratch.take(shape.n_rows() * self.setup.packed_width());
        let parts = [slice(q, q_layout)?, slice(k, k_layout)?, slice(v, v_layout)?];
        for (part, band) in parts.into_iter().zip(self.setup.bands()) {
            if part.len() != shape.n_rows() * band.len() {
                bail!("{} numbers for {} rows of {}", part.len(), shape.n_rows(), band.len());
            }
            let part = Matrix::new(part, band.len());
            let mut packed = MatrixMut::new(&mut qkv, self.setup.packed_width());
            let mut packed = packed.columns_mut(band);
            (0..part.n_rows()).for_each(|row| packed.row_mut(row).copy_from_slice(part.row(row)));
        }
        let mut out = vec![0.0; shape.n_rows() * shape.n_heads * shape.head_dim];
        let mut log_sum_exp = scratch.take(shape.n_rows() * shape.n_heads);
        self.setup.with_settings(&self.fused, |settings| {
            attention::forward(settings, &qkv, &mut out, &mut log_sum_exp);
        })?;
        let _ = self.saved.set((qkv, log_sum_exp));
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some((qkv, log_sum_exp)) = self.saved.get() else { bail!("attention has run backward before forward") };
        let gradient = gradient.contiguous()?;
        let (out, gradient) = (Reading::of(out), Reading::of(&gradient));
        let (out, gradient) = (out.slice()?, gradient.slice()?);
        let mut d_qkv = self.fused.scratch.take(qkv.len());
        self.setup.with_settings(&self.fused, |settings| {
            let saved = attention::Saved { qkv, out, log_sum_exp };
            attention::backward(settings, saved, gradient, &mut d_qkv);
        })?;
        let packed = Matrix::new(&d_qkv, self.setup.packed_width());
        let [dq, dk, dv] = self.setup.bands().map(|band| {
            let band = packed.columns(band);
            (0..band.n_rows()).flat_map(|row| band.row(row).iter().copied()).collect::<Vec<f32>>()
        });
        Ok((Some(tensor(dq, q.shape())?), Some(tensor(dk, k.shape())?), Some(tensor(dv, v.shape())?)))
    }
}
