//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864, section 3.2), in the half-split layout of Llama.
//!
//! Pair element $i$ of a head with element $i + d/2$ and rotate the pair by the angle $m\,\theta_i$ at position $m$, where
//! $\theta_i = \text{base}^{-2i/d}$:
//! $$\begin{pmatrix} x'_i \\ x'_{i+d/2} \end{pmatrix} =
//!   \begin{pmatrix} \cos m\theta_i & -\sin m\theta_i \\ \sin m\theta_i & \cos m\theta_i \end{pmatrix}
//!   \begin{pmatrix} x_i \\ x_{i+d/2} \end{pmatrix}.$$
//! A rotation keeps lengths, and the product of a query at $m$ with a key at $n$ depends on $m - n$ alone.

use candle_core::{D, Device, Result, Tensor, bail};

// ANCHOR: rope
/// Cosines and sines of every position up to a maximum, each of shape `(max_seq_len, head_dim / 2)`, f32.
#[derive(Debug, Clone)]
pub struct Rope {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Tables for `max_seq_len` positions. `base` is Llama's `rope_theta`.
    ///
    /// # Errors
    /// If `head_dim` is odd: the rotation works on pairs.
    pub fn new(head_dim: usize, max_seq_len: usize, base: f64, device: &Device) -> Result<Self> {
        if !head_dim.is_multiple_of(2) {
            bail!("head_dim {head_dim} is odd; rotary positions rotate pairs");
        }
        let half = head_dim / 2;
        let angle = |i: usize| {
            let frequency = base.powf(-2.0 * (i % half) as f64 / head_dim as f64);
            (i / half) as f64 * frequency
        };
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f32> = (0..max_seq_len * half).map(|i| f(angle(i)) as f32).collect();
            Tensor::from_vec(values, (max_seq_len, half), device)
        };
        Ok(Self { cos: table(f64::cos)?, sin: table(f64::sin)? })
    }

    /// Rotates `x` `(batch, n_heads, seq_len, head_dim)`, whose first token stands at position `start`.
    ///
    /// # Errors
    /// If the positions reach beyond the table, or `head_dim` is not the table's.
    pub fn rotate(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        let (_batch, _n_heads, seq_len, head_dim) = x.dims4()?;
        let (max_seq_len, half) = self.cos.dims2()?;
        if start + seq_len > max_seq_len {
            bail!("position {} is beyond max_seq_len {max_seq_len}", start + seq_len - 1);
        }
        if head_dim != 2 * half {
            bail!("head_dim {head_dim} is not the {} that the rotary tables were made for", 2 * half);
        }
        let cos = self.cos.narrow(0, start, seq_len)?.to_dtype(x.dtype())?; // (seq_len, head_dim / 2)
        let sin = self.sin.narrow(0, start, seq_len)?.to_dtype(x.dtype())?;
        let first = x.narrow(D::Minus1, 0, half)?; // (batch, n_heads, seq_len, head_dim / 2)
        let second = x.narrow(D::Minus1, half, half)?;
        let rotated_first = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
        let rotated_second = (first.broadcast_mul(&sin)? + second.broadcast_mul(&cos)?)?;
        Tensor::cat(&[rotated_first, rotated_second], D::Minus1)
    }
}
// ANCHOR_END: rope

impl Rope {
    /// Cosines and sines, each `(max_seq_len, head_dim / 2)`.
    pub fn tables(&self) -> (&Tensor, &Tensor) {
        (&self.cos, &self.sin)
    }
}
