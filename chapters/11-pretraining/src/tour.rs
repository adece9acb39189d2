//! The chapter's experiment: a small model walks down the stairs that need no network, uniform, unigram, bigram, and below them; and what
//! runs of other sizes would cost.

use std::io::Write;

use batches::{ShardConfig, ShardWriter, Shards};
use candle_core::Device;
use corpus::{World, WorldConfig};
use tokenizer::{END_OF_TEXT, Tokenizer, TrainConfig as TokenizerConfig};
use training::{AdamWConfig, Schedule, TrainConfig, Trainer};
use transformer::{Architecture, ModelConfig, Transformer, n_parameters};

use crate::{PretrainConfig, Pretraining, baselines, chinchilla_tokens, run_flops};

/// Prints the tour. Takes about ten seconds.
///
/// # Errors
/// If writing fails, or the temporary folder of its shards cannot be used.
pub fn tour(out: &mut dyn Write) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    stairs(out, folder.path())?;
    budgets(out)?;
    Ok(())
}

fn model_config(vocab_size: usize) -> ModelConfig {
    ModelConfig {
        vocab_size,
        d_model: 64,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 172,
        max_seq_len: 64,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.02,
    }
}

// ANCHOR: stairs
fn stairs(out: &mut dyn Write, folder: &std::path::Path) -> anyhow::Result<()> {
    writeln!(out, "== down the stairs ==")?;
    let world = World::generate(&WorldConfig { n_towns: 8, n_pages: 800, ..WorldConfig::default() })?;
    let texts = world.clean_texts();
    let (held_out, train) = texts.split_at(40);
    let tokenizer = Tokenizer::train(train, &TokenizerConfig::with_vocab_size(384))?;
    let shards = |name: &str, texts: &[String]| -> anyhow::Result<Shards> {
        let eot_id = tokenizer.id_of(END_OF_TEXT).unwrap_or(0);
        let config = ShardConfig { vocab_size: tokenizer.vocab_size(), eot_id, tokens_per_shard: 1 << 20 };
        let mut writer = ShardWriter::create(folder.join(name), config)?;
        for ids in tokenizer.encode_batch(texts) {
            writer.push_document(&ids)?;
        }
        writer.finish()?;
        Ok(Shards::open(folder.join(name))?)
    };
    let (train, validation) = (shards("train", train)?, shards("validation", held_out)?);
    let stairs = baselines(&train, &validation, 100_000)?;
    writeln!(out, "uniform guess {:.2}, unigram {:.2}, bigram {:.2}", stairs.uniform, stairs.unigram, stairs.bigram)?;

    let model = Transformer::new(model_config(tokenizer.vocab_size()), 0, &Device::Cpu)?;
    let schedule = Schedule { peak_lr: 4e-3, warmup_steps: 20, final_ratio: 0.1 };
    let config = PretrainConfig {
        batch_size: 16,
        seq_len: 64,
        val_batches: 20,
        train: TrainConfig {
            steps: 240,
            micro_batches: 1,
            schedule,
            optimizer: AdamWConfig::default(),
            clip_norm: 1.0,
            validate_every: 40,
            checkpoint_every: 0,
            keep_checkpoints: 1,
        },
    };
    let mut task = Pretraining::new(&model, train, validation, config.clone(), 0)?;
    let mut lines = Vec::new();
    Trainer::new(&model, config.train)?.run(&mut task, None, &mut |metrics| {
        if let Some(val_loss) = metrics.extras.get("val_loss") {
            lines.push((metrics.step, metrics.n_tokens, *val_loss));
        }
    })?;
    for (step, n_tokens, val_loss) in lines {
        let below = [("uniform", stairs.uniform), ("unigram", stairs.unigram), ("bigram", stairs.bigram)];
        let passed = below.iter().rev().find(|(_, height)| val_loss < *height).map_or("none", |(name, _)| name);
        writeln!(out, "step {step:>3}, {n_tokens:>6} tokens: validation loss {val_loss:.2}, below {passed}")?;
    }
    Ok(())
}
// ANCHOR_END: stairs

fn budgets(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "== what a run costs ==")?;
    writeln!(
        out,
        "{:<12} {:>10} {:>11} {:>10} {:>20}",
        "model", "parameters", "tokens, 20x", "FLOP", "days at 400 TFLOP/s"
    )?;
    let sizes = [
        ("this tour", model_config(384)),
        (
            "124 M",
            ModelConfig {
                d_model: 768,
                n_layers: 12,
                n_heads: 12,
                n_kv_heads: 12,
                d_ff: 2_048,
                vocab_size: 50_304,
                ..model_config(1)
            },
        ),
        (
            "1.5 B",
            ModelConfig {
                d_model: 1_600,
                n_layers: 48,
                n_heads: 25,
                n_kv_heads: 25,
                d_ff: 4_288,
                vocab_size: 50_304,
                ..model_config(1)
            },
        ),
        (
            "Llama-3-8B",
            ModelConfig {
                d_model: 4_096,
                n_layers: 32,
                n_heads: 32,
                n_kv_heads: 8,
                d_ff: 14_336,
                vocab_size: 128_256,
                tie_embeddings: false,
                ..model_config(1)
            },
        ),
    ];
    for (name, config) in &sizes {
        const SEQ_LEN: usize = 2_048;
        const FLOPS_PER_S: f64 = 400e12;
        const SECONDS_PER_DAY: f64 = 86_400.0;
        let tokens = chinchilla_tokens(config);
        let flops = run_flops(config, SEQ_LEN, tokens);
        writeln!(
            out,
            "{name:<12} {:>10.2e} {tokens:>11.2e} {flops:>10.2e} {:>20.4}",
            n_parameters(config) as f64,
            flops / FLOPS_PER_S / SECONDS_PER_DAY
        )?;
    }
    Ok(())
}
