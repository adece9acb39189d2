//! The chapter's experiment: one text under two tokenizers, what a score is worth, and how two scores are compared.

use std::io::Write;

use candle_core::Device;
use tokenizer::{Tokenizer, TrainConfig};
use transformer::{Architecture, ModelConfig, Transformer};

use crate::{Rule, Score, bits_per_byte};

/// Prints the tour. Takes a second or two.
///
/// # Errors
/// If writing fails.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    two_tokenizers(out)?;
    intervals(out)?;
    seeds(out)?;
    rules(out)?;
    Ok(())
}

const TEXT: &str = "The market in Tovi is on Monday. Tovi sells honey. The doors in Tovi are blue. \
    On Monday the market opens in Tovi, and the people of Tovi sell honey behind blue doors.";

// ANCHOR: two_tokenizers
fn two_tokenizers(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== one text, two tokenizers ==")?;
    writeln!(out, "vocabulary | tokens | loss a token | bits a byte")?;
    for vocab_size in [260, 300] {
        let tokenizer = Tokenizer::train(&[TEXT], &TrainConfig::with_vocab_size(vocab_size))?;
        let config = ModelConfig {
            vocab_size: tokenizer.vocab_size(),
            d_model: 32,
            n_layers: 2,
            n_heads: 4,
            n_kv_heads: 4,
            d_ff: 64,
            max_seq_len: 256,
            rope_theta: 10_000.0,
            norm_eps: 1e-5,
            architecture: Architecture::LLAMA,
            tie_embeddings: true,
            init_std: 0.02,
        };
        let model = Transformer::new(config, 0, &Device::Cpu)?.for_inference()?;
        let score = bits_per_byte(&model, &tokenizer, &[TEXT])?;
        writeln!(
            out,
            "{:>10} | {:>6} | {:>12.2} | {:>11.2}",
            tokenizer.vocab_size(),
            score.n_tokens,
            score.loss_per_token(),
            score.value()
        )?;
    }
    Ok(())
}
// ANCHOR_END: two_tokenizers

fn intervals(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what a score is worth ==")?;
    for (n_right, n_total) in [(6, 8), (60, 80), (600, 800), (0, 80), (80, 80)] {
        writeln!(out, "{}", Score { n_right, n_total })?;
    }
    Ok(())
}

// ANCHOR: seeds
fn seeds(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== are two models different? ==")?;
    let (a, b) = (Score { n_right: 56, n_total: 80 }, Score { n_right: 61, n_total: 80 });
    writeln!(out, "A {a}")?;
    writeln!(out, "B {b}")?;
    // Standard error of the difference of two independent shares.
    let variance = |score: &Score| score.share() * (1.0 - score.share()) / score.n_total as f64;
    let z = (b.share() - a.share()) / (variance(&a) + variance(&b)).sqrt();
    let verdict = if z.abs() > 1.96 { "a difference" } else { "could be chance" };
    writeln!(out, "difference {:.1} points, {z:.2} standard errors: {verdict}", 100.0 * (b.share() - a.share()))?;
    Ok(())
}
// ANCHOR_END: seeds

fn rules(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what counts as right ==")?;
    let accepted = ["blue.".to_string(), "The doors in Tovi are blue.".to_string()];
    for text in ["blue.", "The doors in Tovi are blue.", "blue", "Blue.", "The doors in Tovi are blue. And red."] {
        let verdict = |rule: Rule| if rule.accepts(text, &accepted) { "right" } else { "wrong" };
        writeln!(
            out,
            "{:<38} exact match {} | begins with {}",
            format!("{text:?}"),
            verdict(Rule::Equals),
            verdict(Rule::BeginsWith)
        )?;
    }
    Ok(())
}
