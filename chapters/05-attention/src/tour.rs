//! The chapter's experiment: attention as a lookup, the causal mask at work, windows and padding, why scores are scaled, what rotary positions
//! do to a dot product and how they are stretched, what grouped queries save, and a softmax behind which nothing learns.

use std::f64::consts::TAU;
use std::io::Write;

use candle_core::{DType, Device, Result, Tensor};
use tensors::{Parameters, check_gradients, gradient_coverage, normal};

use crate::{
    Masking, Rope, RopeScaling, attention_weights, causal_mask, scaled_dot_product_attention, softmax, visible_mask,
};

/// Prints the tour. Takes about a second.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    lookup(out)?;
    mask(out)?;
    restricted(out)?;
    scaling(out)?;
    rotary(out)?;
    stretched(out)?;
    grouped(out)?;
    gradients(out)?;
    silent_softmax(out)?;
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

// ANCHOR: restricted
fn restricted(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== a window, and padding ==")?;
    writeln!(out, "causal   window 3   2 of padding")?;
    let seen = |window, padding| -> Result<Vec<String>> {
        let mask = visible_mask(6, 6, window, padding, &Device::Cpu)?.reshape((6, 6))?.to_vec2::<f32>()?;
        let mark = |value: &f32| if *value == 0.0 { 'x' } else { '.' };
        Ok(mask.iter().map(|row| row.iter().map(mark).collect()).collect())
    };
    let (causal, window, padded) = (seen(None, None)?, seen(Some(3), None)?, seen(None, Some(&[2]))?);
    for row in 0..6 {
        writeln!(out, "{}   {}     {}", causal[row], window[row], padded[row])?;
    }
    Ok(())
}
// ANCHOR_END: restricted

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

// ANCHOR: stretched
fn stretched(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== rotary: a longer context ==")?;
    let (base, head_dim) = (500_000f64, 128);
    let llama3 =
        RopeScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_seq_len: 8192 };
    let linear = RopeScaling::Linear { factor: 8.0 };
    writeln!(out, "pair | tokens a turn | turns in 8,192 | slowed: linear  llama3")?;
    for pair in [0, 16, 28, 32, 35, 40, 63] {
        let frequency = base.powf(-2.0 * pair as f64 / head_dim as f64);
        let slowed = |scaling: RopeScaling| frequency / scaling.scaled(frequency);
        let per_turn = TAU / frequency;
        writeln!(
            out,
            "{pair:>4} | {per_turn:>13.0} | {:>14.2} | {:>14.2} {:>7.2}",
            8192.0 / per_turn,
            slowed(linear),
            slowed(llama3)
        )?;
    }
    Ok(())
}
// ANCHOR_END: stretched

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

// ANCHOR: silent_softmax
fn silent_softmax(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== a softmax behind which nothing learns ==")?;
    for name in ["candle_nn's", "this chapter's"] {
        let mut parameters = Parameters::default();
        let [q, k, v] = ["q", "k", "v"].map(|name| normal(6, name, (1, 2, 5, 4), 1.0, &Device::Cpu));
        let (q, k, v) = (parameters.insert("q", &q?)?, parameters.insert("k", &k?)?, parameters.insert("v", &v?)?);
        let scores = (q.matmul(&k.t()?)? / 2.0)?.broadcast_add(&causal_mask(5, 5, &Device::Cpu)?)?;
        let weights = match name {
            "candle_nn's" => candle_nn::ops::softmax_last_dim(&scores)?,
            _ => softmax(&scores)?,
        };
        let loss = weights.matmul(&v)?.sqr()?.sum_all()?;
        let missing = gradient_coverage(&loss, &parameters)?.missing;
        writeln!(out, "{name:<14} loss {:.4}, without a gradient: {missing:?}", loss.to_scalar::<f32>()?)?;
    }
    Ok(())
}
// ANCHOR_END: silent_softmax
