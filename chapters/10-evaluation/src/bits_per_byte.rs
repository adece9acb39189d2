//! Bits per byte: how many bits a model needs for a byte of text it has not seen.
//!
//! $$\text{bpb} = \frac{1}{\ln 2} \cdot \frac{-\sum_t \log p(x_t \mid x_{<t})}{\text{bytes of the text}}.$$
//! Loss per token compares models only if they share a tokenizer: longer tokens are harder, and there are fewer of them. Bytes are the
//! same for everyone. The number is also the size that the text would have, compressed with the model (Shannon 1948; Delétang et
//! al. 2023, arXiv 2309.10668).

use candle_core::{Result, Tensor, bail};
use serde::{Deserialize, Serialize};
use tokenizer::{END_OF_TEXT, Tokenizer};
use transformer::Transformer;

/// The sums that the measure is made of.
// ANCHOR: bits_per_byte
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct BitsPerByte {
    /// −Σ log p over all tokens, natural logarithm.
    pub nats: f64,
    /// Bytes of the texts.
    pub n_bytes: usize,
    /// Tokens of the texts.
    pub n_tokens: usize,
}

impl BitsPerByte {
    /// Bits for each byte.
    pub fn value(&self) -> f64 {
        self.nats / std::f64::consts::LN_2 / self.n_bytes.max(1) as f64
    }

    /// Mean loss of a token in nats.
    pub fn loss_per_token(&self) -> f64 {
        self.nats / self.n_tokens.max(1) as f64
    }
}

/// Scores `texts`, each on its own, started by the end-of-text token as in training.
///
/// A text longer than the model's longest sequence is cut into windows; the first token of a window is predicted from the last of the one
/// before alone, which costs a little and is the same for every model of that length.
///
/// # Errors
/// If there is no text, or the tokenizer lacks the end-of-text token.
pub fn bits_per_byte(model: &Transformer, tokenizer: &Tokenizer, texts: &[&str]) -> Result<BitsPerByte> {
    let Some(start) = tokenizer.id_of(END_OF_TEXT) else { bail!("the tokenizer has no {END_OF_TEXT} token") };
    let n_bytes: usize = texts.iter().map(|text| text.len()).sum();
    if n_bytes == 0 {
        bail!("no text to score: {} documents of 0 bytes", texts.len());
    }
    let mut windows: Vec<Vec<u32>> = Vec::new();
    for ids in tokenizer.encode_batch(texts) {
        let stream: Vec<u32> = std::iter::once(start).chain(ids).collect();
        windows.extend(windows_of(&stream, model.config().max_seq_len));
    }
    // Windows of like length share a batch, so that little is spent on padding.
    windows.sort_by_key(Vec::len);
    let mut total = BitsPerByte { n_bytes, ..BitsPerByte::default() };
    const WINDOWS_PER_BATCH: usize = 16;
    for batch in windows.chunks(WINDOWS_PER_BATCH) {
        total.nats += negative_log_likelihood(model, batch)?;
        total.n_tokens += batch.iter().map(|window| window.len() - 1).sum::<usize>();
    }
    Ok(total)
}
// ANCHOR_END: bits_per_byte

/// Windows of at most `max_len + 1` tokens in which every token but the stream's first is a target exactly once.
fn windows_of(stream: &[u32], max_len: usize) -> Vec<Vec<u32>> {
    let n_targets = stream.len() - 1;
    (0..n_targets).step_by(max_len).map(|start| stream[start..=(start + max_len).min(n_targets)].to_vec()).collect()
}

/// −Σ log p of all targets of some windows, padded to the longest.
fn negative_log_likelihood(model: &Transformer, windows: &[Vec<u32>]) -> Result<f64> {
    let longest = windows.iter().map(|window| window.len() - 1).max().unwrap_or(0);
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for window in windows {
        let padding = std::iter::repeat_n(0, longest + 1 - window.len());
        inputs.extend(window[..window.len() - 1].iter().copied().chain(padding.clone()));
        targets.extend(window[1..].iter().copied().chain(padding));
    }
    let shape = (windows.len(), longest);
    let inputs = Tensor::from_vec(inputs, shape, model.device())?;
    let targets = Tensor::from_vec(targets, shape, model.device())?;
    let log_probs = model.target_log_probs(&inputs, &targets)?.to_vec2::<f32>()?; // (batch, seq_len)
    // Padding comes after the real targets, which causality keeps it from touching.
    let real = windows.iter().zip(&log_probs).flat_map(|(window, row)| &row[..window.len() - 1]);
    Ok(-real.map(|&log_prob| f64::from(log_prob)).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_is_a_target_once() {
        let stream: Vec<u32> = (0..23).collect();
        for max_len in [1, 2, 5, 22, 23, 100] {
            let windows = windows_of(&stream, max_len);
            let targets: Vec<u32> = windows.iter().flat_map(|window| window[1..].to_vec()).collect();
            assert_eq!(targets, (1..23).collect::<Vec<u32>>(), "max_len {max_len}");
            assert!(windows.iter().all(|window| window.len() <= max_len + 1));
        }
    }
}
