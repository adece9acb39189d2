//! What runs when a model generates: halves of a block that remember keys and values and keep nothing for a backward pass.
//!
//! With a row or a few, a product reads the weights at the speed of memory ([`matvec`](crate::matvec)), and what is left to save is the time between products: one
//! region of threads for queries, keys and values, one for gate, up and SwiGLU, buffers that are used again.

use ::attention::KeyValueStore;
use candle_core::{Result, Tensor, bail};
use transformer::{AttentionLayout, LlamaAttention, LlamaFeedForward, Weight};

use super::Fused;
use super::attention::Setup;
use super::attention_branch::checked_setup;
use crate::cached_attention::{self, Cache, CachedShape};
use crate::mask::Mask;
use crate::matmul::Write;
use crate::matrix::{Matrix, MatrixMut};
use crate::matvec::{MAX_ROWS, Product, matvec, swiglu_matvec};
use crate::rms_norm;
use crate::rope::rotate;
use crate::scratch::Buffer;
use crate::storage::{Reading, is_supported, tensor};

/// Products with a model's matrices, in whatever form they are held.
pub(super) trait Matrices {
    /// Several layers of one input `x` `(rows, d_in)`, each = or += `x` · `weight`ᵀ `(rows, d_out)`.
    fn multiply<const N: usize>(
        &self,
        write: Write,
        x: Matrix<'_>,
        layers: [(&Weight, MatrixMut<'_>); N],
    ) -> Result<()>;

    /// `out` `(rows, d_ff)` = silu(`x` · `gate`ᵀ) · (`x` · `up`ᵀ), for at most [`MAX_ROWS`] rows if in f32.
    fn gated(&self, x: Matrix<'_>, gate: &Weight, up: &Weight, out: &mut [f32]) -> Result<()>;
}

impl Matrices for Fused {
    /// One region of threads for all layers if `x` has few rows.
    fn multiply<const N: usize>(
        &self,
        write: Write,
        x: Matrix<'_>,
        layers: [(&Weight, MatrixMut<'_>); N],
    ) -> Result<()> {
        let readings = layers.each_ref().map(|(weight, _)| Reading::of(&weight.tensor));
        let outs = layers.map(|(_, out)| out);
        if !(1..=MAX_ROWS).contains(&x.n_rows()) {
            for (reading, out) in readings.iter().zip(outs) {
                self.project(x, reading.slice()?, write, out);
            }
            return Ok(());
        }
        let weights = readings.iter().map(Reading::slice).collect::<Result<Vec<_>>>()?;
        matvec(self.isa, write, x, weights.into_iter().zip(outs).map(|(weight, out)| Product { weight, out }));
        Ok(())
    }

    fn gated(&self, x: Matrix<'_>, gate: &Weight, up: &Weight, out: &mut [f32]) -> Result<()> {
        let d_ff = out.len() / x.n_rows();
        let (gate, up) = (Reading::of(&gate.tensor), Reading::of(&up.tensor));
        swiglu_matvec(self.isa, x, gate.slice()?, up.slice()?, MatrixMut::new(out, d_ff));
        Ok(())
    }
}

// ANCHOR: attention
impl Fused {
    /// [`AttentionBranch::compose`](transformer::AttentionBranch::compose) with a store that remembers.
    pub(super) fn remembering_branch(
        &self,
        matrices: &impl Matrices,
        x: &Tensor,
        branch: &LlamaAttention,
        eps: f64,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let setup = checked_setup(branch, x, layout, store.len())?;
        let (x, d_model) = (x.contiguous()?, branch.norm.tensor.elem_count());
        let reading = Reading::of(&x);
        let rows = reading.slice()?;
        let normed = self.normed(rows, &branch.norm, eps)?;
        let normed = Matrix::new(&normed, d_model);
        let [mut q, mut k, mut v] = setup.bands().map(|band| self.scratch.take(normed.n_rows() * band.len()));
        let (q_width, kv_width) = (setup.bands()[0].len(), setup.bands()[1].len());
        let layers = [
            (&branch.q, MatrixMut::new(&mut q, q_width)),
            (&branch.k, MatrixMut::new(&mut k, kv_width)),
            (&branch.v, MatrixMut::new(&mut v, kv_width)),
        ];
        matrices.multiply(Write::Replace, normed, layers)?;
        let mut attended = self.scratch.take(q.len());
        self.attend(&setup, [&q, &k, &v], layout, store, &mut attended)?;
        let mut y = rows.to_vec();
        let layer = (&branch.o, MatrixMut::new(&mut y, d_model));
        matrices.multiply(Write::Add, Matrix::new(&attended, q_width), [layer])?;
        tensor(y, x.shape())
    }

    /// [`Ops::attention`](transformer::Ops::attention) with a store that remembers.
    pub(super) fn remembering_attention(
        &self,
        qkv: [&Tensor; 3],
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let setup = Setup::new(qkv[0].dims3()?, layout, store.len())?;
        for (x, band) in qkv.iter().zip(setup.bands()) {
            if x.dims() != [setup.shape.batch, setup.shape.seq_len, band.len()] {
                bail!("{:?} cannot be queries, keys or values of {:?}", x.shape(), setup.shape);
            }
        }
        let [q, k, v] = [qkv[0].contiguous()?, qkv[1].contiguous()?, qkv[2].contiguous()?];
        let readings = [Reading::of(&q), Reading::of(&k), Reading::of(&v)];
        let mut out = vec![0.0; q.elem_count()];
        let slices = [readings[0].slice()?, readings[1].slice()?, readings[2].slice()?];
        self.attend(&setup, slices, layout, store, &mut out)?;
        tensor(out, q.shape())
    }

    /// Attention of new tokens to themselves and to all that `store` remembers; queries, keys and values and `out` have a row for each new token.
    pub(super) fn attend(
        &self,
        setup: &Setup,
        qkv: [&[f32]; 3],
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
        out: &mut [f32],
    ) -> Result<()> {
        let crate::attention::Shape { batch, seq_len, n_heads, n_kv_heads, head_dim } = setup.shape;
        let [q, k, v] = qkv;
        let scale = 1.0 / (head_dim as f32).sqrt();
        let mut queries = self.scratch.take(q.len()); // (batch, n_heads, seq_len, head_dim)
        self.rotate_heads(setup, q, n_heads, scale, &mut queries)?;
        let (mut keys, mut values) = (vec![0.0; k.len()], vec![0.0; v.len()]); // (batch, n_kv_heads, seq_len, head_dim)
        self.rotate_heads(setup, k, n_kv_heads, 1.0, &mut keys)?;
        for (i, head) in values.chunks_exact_mut(seq_len * head_dim).enumerate() {
            let from = head_window(v, setup, n_kv_heads, i);
            (0..seq_len).for_each(|row| head[row * head_dim..][..head_dim].copy_from_slice(from.row(row)));
        }
        let new = (batch, n_kv_heads, seq_len, head_dim).into();
        let (keys, values) = store.append(layout.layer, tensor(keys, &new)?, tensor(values, &new)?)?;
        let (keys, values) = (with_whole_heads(keys)?, with_whole_heads(values)?);
        let (_batch, _n_kv_heads, kv_len, _head_dim) = keys.dims4()?;
        let head_stride = keys.stride()[1];
        if keys.dims() != [batch, n_kv_heads, kv_len, head_dim]
            || values.dims() != keys.dims()
            || values.stride() != keys.stride()
            || kv_len < seq_len
        {
            bail!("a store gave keys {:?} and values {:?} for {:?}", keys.shape(), values.shape(), setup.shape);
        }
        let shape = CachedShape { batch, q_len: seq_len, kv_len, n_heads, n_kv_heads, head_dim };
        let (keys, values) = (Reading::of(&keys), Reading::of(&values));
        let masks = &Mask::of_sequences(layout.window, store, batch);
        let cache = Cache { keys: keys.slice_to_end()?, values: values.slice_to_end()?, head_stride, masks };
        cached_attention::forward(self.isa, self.precision, shape, &queries, cache, out);
        Ok(())
    }

    fn rotate_heads(&self, setup: &Setup, x: &[f32], n_heads: usize, scale: f32, rotated: &mut [f32]) -> Result<()> {
        let size = setup.shape.seq_len * setup.shape.head_dim;
        setup.with_tables(|tables| {
            for (i, rotated) in rotated.chunks_exact_mut(size).enumerate() {
                rotate(self.isa, head_window(x, setup, n_heads, i), tables, scale, rotated);
            }
        })
    }
}
// ANCHOR_END: attention

/// Head number `i`, counted through all sequences, of rows that have `n_heads`.
fn head_window<'a>(x: &'a [f32], setup: &Setup, n_heads: usize, i: usize) -> Matrix<'a> {
    crate::packed::window(x, setup.shape, n_heads, i / n_heads, i % n_heads)
}

/// The tensor itself if its heads are contiguous and equally far apart, as those of a longer buffer are; otherwise a copy.
fn with_whole_heads(x: Tensor) -> Result<Tensor> {
    let is_usable = match (x.dims(), x.stride()) {
        (&[_, n_heads, _, head_dim], &[of_sequence, of_head, of_row, 1]) => {
            of_row == head_dim && of_sequence == n_heads * of_head && is_supported(&[&x])
        }
        _ => false,
    };
    if is_usable { Ok(x) } else { x.contiguous() }
}

// ANCHOR: feed_forward
impl Fused {
    /// [`FeedForwardBranch::compose`](transformer::FeedForwardBranch::compose), for at most [`MAX_ROWS`] rows if in f32.
    pub(super) fn inference_feed_forward(
        &self,
        matrices: &impl Matrices,
        x: &Tensor,
        branch: &LlamaFeedForward,
        eps: f64,
    ) -> Result<Tensor> {
        let LlamaFeedForward { norm, gate, up, down } = branch;
        let (d_ff, d_model) = gate.tensor.dims2()?;
        let fits = up.tensor.dims() == [d_ff, d_model]
            && down.tensor.dims() == [d_model, d_ff]
            && norm.tensor.dims() == [d_model]
            && x.dims().last() == Some(&d_model);
        if !fits {
            bail!("the weights around {} do not fit a stream of shape {:?}", gate.name, x.dims());
        }
        let x = x.contiguous()?;
        let reading = Reading::of(&x);
        let rows = reading.slice()?;
        let normed = self.normed(rows, norm, eps)?;
        let normed = Matrix::new(&normed, d_model);
        let mut inner = self.scratch.take(normed.n_rows() * d_ff);
        matrices.gated(normed, gate, up, &mut inner)?;
        let mut y = rows.to_vec();
        matrices.multiply(Write::Add, Matrix::new(&inner, d_ff), [(down, MatrixMut::new(&mut y, d_model))])?;
        tensor(y, x.shape())
    }
}
// ANCHOR_END: feed_forward

impl Fused {
    fn normed(&self, x: &[f32], norm: &Weight, eps: f64) -> Result<Buffer> {
        let norm = Reading::of(&norm.tensor);
        let norm = norm.slice()?;
        let (mut normed, mut inverse_rms) = (self.scratch.take(x.len()), self.scratch.take(x.len() / norm.len()));
        rms_norm::forward(self.isa, x, norm, eps as f32, &mut normed, &mut inverse_rms);
        Ok(normed)
    }
}
