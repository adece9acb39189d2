//! The chapter's experiment: attention as a lookup, the causal mask at work, why scores are scaled, what rotary positions do to
//! a dot product, and what grouped queries save.

use std::io::Write;

use candle_core::{DType, Device, Result, Tensor};
use tensors::{check_gradients, normal};

use crate::{Masking, Rope, attention_weights, causal_mask, scaled_dot_product_attention, softmax};

/// Prints the tour. Takes about a second.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    lookup(out)?;
    mask(out)?;
    scaling(out)?;
    rotary(out)?;
    grouped(out)?;
    gradients(out)?;
    Ok(())
}

// ANCHOR: lookup
fn lookup(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== a soft lookup ==")?;
    let keys = Tensor::new(&[[[[4f32, 0.0], [0.0, 4.0], [-4.0, 0.0]]]], &Device::Cpu)?; // (1, 1, 3, 2)
    let values = Tensor::new(&[[[[10f32], [20.0], [30.0]]]], &Device::Cpu)?; // (1, 1, 3, 1)
    for query in [[4f32, 0.0], [0.0, 4.0], [3.0, 3.0], [0.0, 0.0]] {
        let q = Tensor::new(&[[[query]]], &Device::Cpu)?; // (1, 1, 1, 2)
        let weights = attention_weights(&q, &keys, Masking::Full)?.flatten_all()?.to_vec1::<f32>()?;
        let answer = weights.iter().zip(values.flatten_all()?.to_vec1::<f32>()?).map(|(w, v)| w * v).sum::<f32>();
        writeln!(
            out,
            "query {query:>4?} weights {:.2} {:.2} {:.2} -> {answer:.2}",
            weights[0], weights[1], weights[2]
        )?;
    }
    Ok(())
}
// ANCHOR_END: lookup

fn mask(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== causal weights ==")?;
    let (seq_len, head_dim) = (5, 8);
    let q = normal(0, "q", (1, 1, seq_len, head_dim), 1.0, &Device::Cpu)?;
    let k = normal(0, "k", (1, 1, seq_len, head_dim), 1.0, &Device::Cpu)?;
    let weights = attention_weights(&q, &k, Masking::Causal)?.reshape((seq_len, seq_len))?.to_vec2::<f32>()?;
    for row in weights {
        writeln!(out, "{}", row.iter().map(|w| format!("{w:6.3}")).collect::<String>())?;
    }
    let mask = causal_mask(2, seq_len, &Device::Cpu)?.to_vec2::<f32>()?;
    writeln!(out, "mask of the last 2 of 5: {:?}", mask)?;
    Ok(())
}

// ANCHOR: scaling
fn scaling(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== why the scores are scaled ==")?;
    writeln!(out, "head_dim | std of q·k | largest weight unscaled | scaled")?;
    for head_dim in [4, 64, 1024] {
        let q = normal(0, "q", (256, head_dim), 1.0, &Device::Cpu)?;
        let k = normal(0, "k", (64, head_dim), 1.0, &Device::Cpu)?;
        let scores = q.matmul(&k.t()?)?; // (256, 64)
        let std = scores.sqr()?.mean_all()?.to_scalar::<f32>()?.sqrt();
        let peak = |s: &Tensor| softmax(s)?.max(1)?.mean_all()?.to_scalar::<f32>();
        let scaled = (&scores / (head_dim as f64).sqrt())?;
        writeln!(out, "{head_dim:>8} | {std:>10.1} | {:>23.2} | {:>6.2}", peak(&scores)?, peak(&scaled)?)?;
    }
    Ok(())
}
// ANCHOR_END: scaling

// ANCHOR: rotary
fn rotary(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== rotary: only the distance counts ==")?;
    let rope = Rope::new(8, 128, 10_000.0, &Device::Cpu)?;
    let q = normal(3, "q", (1, 1, 1, 8), 1.0, &Device::Cpu)?;
    let k = normal(3, "k", (1, 1, 1, 8), 1.0, &Device::Cpu)?;
    let score = |m: usize, n: usize| -> Result<f32> {
        (rope.rotate(&q, m)? * rope.rotate(&k, n)?)?.sum_all()?.to_scalar::<f32>()
    };
    for (m, n) in [(5, 2), (50, 47), (103, 100), (5, 4), (50, 49), (5, 5)] {
        writeln!(out, "query at {m:>3}, key at {n:>3}, distance {}: q·k = {:.4}", m - n, score(m, n)?)?;
    }
    Ok(())
}
// ANCHOR_END: rotary

fn grouped(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what grouped queries save ==")?;
    writeln!(out, "n_heads n_kv_heads | key-value bytes a token and layer, bf16")?;
    for (n_heads, n_kv_heads, head_dim) in [(32, 32, 128), (32, 8, 128), (32, 1, 128), (9, 3, 64)] {
        const BYTES_BF16: usize = 2;
        writeln!(out, "{n_heads:>7} {n_kv_heads:>10} | {}", 2 * n_kv_heads * head_dim * BYTES_BF16)?;
    }
    Ok(())
}

// ANCHOR: gradients
fn gradients(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== gradients ==")?;
    let draw =
        |name: &str, n_heads: usize| normal(5, name, (1, n_heads, 3, 4), 1.0, &Device::Cpu)?.to_dtype(DType::F64);
    let rope = Rope::new(4, 8, 10_000.0, &Device::Cpu)?;
    let check = check_gradients(&[draw("q", 4)?, draw("k", 2)?, draw("v", 2)?], 1e-5, |x| {
        let (q, k) = (rope.rotate(&x[0], 0)?, rope.rotate(&x[1], 0)?);
        scaled_dot_product_attention(&q, &k, &x[2], Masking::Causal)?.sqr()?.sum_all()
    })?;
    let verdict = if check.max_error < 1e-7 { "below 1e-7" } else { "TOO LARGE" };
    writeln!(out, "{} derivatives of q, k and v against finite differences: error {verdict}", check.n_compared)?;
    Ok(())
}
// ANCHOR_END: gradients
