//! `llm bench`: times that anyone can repeat.

use std::io::Write;
use std::path::PathBuf;

use crate::device::DeviceKind;
use ::tokenizer::{PreTokenizer, Tokenizer, TrainConfig};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use llm_from_scratch::bench::architectures::{Budget, Variant};
use llm_from_scratch::bench::decode::{DecodeWork, ModelShape};
use llm_from_scratch::bench::tokenizer::Vocabulary;
use llm_from_scratch::bench::train::{StepShape, Timing};
use llm_from_scratch::bench::{architectures, corpus, decode, ops, tokenizer, train};
use llm_from_scratch::compute::{ComputeConfig, OpsKind, PrecisionKind, Quantize};
use llm_from_scratch::request::WrongRequest;
use pretraining::median;

use super::numbers::whole;
use super::texts::read_texts;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  llm bench train --shape d_model=384,n_layers=6,n_heads=6,n_kv_heads=6,d_ff=1024,seq_len=256,batch=8,vocab_size=4096 --precision bf16\n  llm bench ops\n  llm bench decode --model runs/world/model\n  llm bench decode --shape smollm2-135m --quantize q8_0\n  llm bench corpus --documents 1000\n  llm bench tokenizer --corpus notes.txt --vocab-size 32768 --threads 1 --json"
)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A training step: median seconds, tokens per second, memory, share of the machine's peak
    Train(TrainArgs),
    /// Every operation: time and error on kernels and on the reference operations
    Ops(OpsArgs),
    /// Generation, one token at a time, beside the speed of memory
    Decode(DecodeArgs),
    /// Deduplication: signatures per second, and a whole job at 1, 10 and 100 times the documents
    Corpus(CorpusBenchArgs),
    /// From GPT-2's block to a Llama's, one part at a time: loss after the same tokens, over several seeds
    Architectures(ArchitecturesArgs),
    /// The tokenizer: training, encoding with an empty and a warm cache, decoding
    Tokenizer(TokenizerBenchArgs),
}

/// What all benchmarks need to know.
#[derive(Debug, Args)]
struct Machine {
    /// What the model computes on
    #[arg(long, value_enum, default_value_t)]
    ops: OpsKind,
    /// In which precision matrices are multiplied
    #[arg(long, value_enum, default_value_t)]
    precision: PrecisionKind,
    /// Threads [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct TrainArgs {
    /// Sizes of model and batch, as name=number pairs
    #[arg(long)]
    shape: StepShape,
    /// Steps that are timed, after two that are not
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// Compute activations again in the backward pass
    #[arg(long)]
    recompute: bool,
    /// Where the step is computed
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceKind,
    /// Time each of a GPU's kernels as well, which slows the step
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Debug, Args)]
struct OpsArgs {
    /// Repetitions of each operation
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: u16,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Debug, Args)]
struct DecodeArgs {
    /// A model folder
    #[arg(long, value_name = "DIR", conflicts_with = "shape", required_unless_present = "shape")]
    model: Option<PathBuf>,
    /// Random weights of a published model's sizes
    #[arg(long, value_enum)]
    shape: Option<ModelShape>,
    /// Texts side by side
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=512))]
    batch: u16,
    /// Tokens of each prompt
    #[arg(long, default_value_t = 1)]
    prompt_tokens: usize,
    /// Tokens of each text to generate
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// Hold the model's matrices in this type
    #[arg(long, value_enum, value_name = "TYPE")]
    quantize: Option<Quantize>,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Debug, Args)]
struct CorpusBenchArgs {
    /// Documents of the smallest size; the largest has 100 times as many, of 2 KB each, three times on disk
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..))]
    documents: u32,
    /// Threads [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  llm run --corpus rust-docs --name docs --until shards\n  llm bench architectures --shards runs/docs/shards --steps 400"
)]
struct ArchitecturesArgs {
    /// A run's shards: a folder with training/ and validation/
    #[arg(long, value_name = "DIR")]
    shards: PathBuf,
    /// Optimiser steps of every model
    #[arg(long, default_value_t = 400)]
    steps: usize,
    /// Sequences in a step
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Tokens in a sequence
    #[arg(long, default_value_t = 128)]
    seq_len: usize,
    /// How many times each model is trained
    #[arg(long, default_value_t = 3, value_parser = whole::<u64>)]
    seeds: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct TokenizerBenchArgs {
    /// A file or folder of text
    #[arg(long, value_name = "PATH")]
    corpus: PathBuf,
    /// A finished tokenizer; without it one is trained, and timed
    #[arg(long, value_name = "PATH")]
    tokenizer: Option<PathBuf>,
    /// Number of tokens to train
    #[arg(long, default_value_t = 32_768, conflicts_with = "tokenizer")]
    vocab_size: usize,
    /// How text is cut in training
    #[arg(long, default_value_t, conflicts_with = "tokenizer")]
    pretokenizer: PreTokenizer,
    /// Repetitions of everything
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    repetitions: u16,
    /// Threads [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Machine {
    fn compute(&self, recompute: bool) -> ComputeConfig {
        ComputeConfig { ops: self.ops, precision: self.precision, recompute }
    }

    /// Runs `work` on as many threads as were asked for.
    fn run<R: Send>(&self, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
        on_threads(self.threads, work)
    }
}

fn on_threads<R: Send>(threads: Option<u16>, work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    let threads = threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start threads")?;
    pool.install(work)
}

pub(crate) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<()> {
    match &args.what {
        What::Train(args) => run_train(args, out),
        What::Ops(args) => run_ops(args, out),
        What::Decode(args) => run_decode(args, out),
        What::Corpus(args) => run_corpus(args, out),
        What::Architectures(args) => run_architectures(args, out),
        What::Tokenizer(args) => run_tokenizer(args, out),
    }
}

fn run_train(args: &TrainArgs, out: &mut dyn Write) -> Result<()> {
    let compute = args.machine.compute(args.recompute);
    let device = args.device.open()?;
    let timing = if args.profile { Timing::Kernels } else { Timing::Steps };
    let found = args.machine.run(|| train::train(&args.shape, compute, &device, usize::from(args.steps), timing))?;
    if args.machine.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
        return Ok(());
    }
    let machine = match args.device {
        DeviceKind::Cpu => format!("{} threads ({})", found.threads, kernels::Isa::best()),
        _ => found.device.clone(),
    };
    writeln!(
        out,
        "{:.1} M parameters on {machine}, {:?} operations in {:?}",
        found.n_parameters as f64 / 1e6,
        compute.ops,
        compute.precision
    )?;
    writeln!(out, "step        {:.1} ms (median)", found.step_seconds * 1e3)?;
    writeln!(out, "tokens      {:.0} per second", found.tokens_per_s)?;
    write!(out, "arithmetic  {:.0} GFLOP/s", found.gflops)?;
    match found.mfu.zip(found.peak_gflops) {
        Some((mfu, peak)) => writeln!(out, ", {:.0}% of the {peak:.0} that a large product reaches", 100.0 * mfu)?,
        None => writeln!(out, " (this device's peak is not in our table)")?,
    }
    if let Some(megabytes) = found.peak_memory_mb {
        let counted = found.counted_mb.map_or(String::new(), |counted| format!(", {counted:.0} by count"));
        writeln!(out, "memory      {megabytes:.0} MB at most{counted}")?;
    }
    writeln!(out, "loss        {:.4} -> {:.4}", found.losses[0], found.losses[1])?;
    if let Some(profile) = found.profile {
        write!(out, "\n{profile}")?;
    }
    Ok(())
}

fn run_ops(args: &OpsArgs, out: &mut dyn Write) -> Result<()> {
    let precision = args.machine.precision;
    let found =
        args.machine.run(|| ops::ops(ops::OpSizes::default(), precision.into(), usize::from(args.repetitions)))?;
    if args.machine.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<16} {:>13} {:>9} {:>7} {:>12} {:>15}",
        "operation", "reference ms", "fused ms", "faster", "value error", "gradient error"
    )?;
    for op in found {
        writeln!(
            out,
            "{:<16} {:>13.2} {:>9.2} {:>6.1}x {:>12.1e} {:>15.1e}",
            op.name,
            op.reference_ms,
            op.fused_ms,
            op.reference_ms / op.fused_ms,
            op.value_error,
            op.gradient_error
        )?;
    }
    Ok(())
}

fn run_corpus(args: &CorpusBenchArgs, out: &mut dyn Write) -> Result<()> {
    let folder = std::env::temp_dir();
    let found = on_threads(args.threads, || corpus::corpus(u64::from(args.documents), &folder))?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
    } else {
        writeln!(out, "{found}")?;
    }
    Ok(())
}

fn run_architectures(args: &ArchitecturesArgs, out: &mut dyn Write) -> Result<()> {
    let budget = Budget { steps: args.steps, batch: args.batch, seq_len: args.seq_len, seeds: args.seeds };
    let progress = |variant: &Variant| {
        eprintln!("{}: {:.3}", variant.name, variant.mean());
        Ok(())
    };
    let found = architectures::ablate(&args.shards, budget, ComputeConfig::default(), &mut { progress })?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&found)?)?;
    } else {
        writeln!(out, "{found}")?;
    }
    Ok(())
}

fn run_decode(args: &DecodeArgs, out: &mut dyn Write) -> Result<()> {
    let compute = args.machine.compute(false);
    let DecodeArgs { prompt_tokens, tokens: n_tokens, quantize, .. } = *args;
    let work = DecodeWork { batch: args.batch.into(), prompt_tokens, n_tokens, quantize };
    let found = args.machine.run(|| match (&args.model, args.shape) {
        (Some(folder), _) => decode::decode_folder(folder, compute, work),
        (None, Some(shape)) => decode::decode_shape(shape, compute, work),
        (None, None) => Err(WrongRequest::new("give --model or --shape").into()),
    })?;
    if args.machine.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "{:.1} M parameters on {} threads ({}), {:?} operations",
        found.n_parameters as f64 / 1e6,
        found.threads,
        kernels::Isa::best(),
        compute.ops
    )?;
    let prompt_tokens = found.batch * found.prompt_tokens;
    writeln!(out, "prompts     {prompt_tokens} tokens at once, {:.1} per second", found.prompt_tokens_per_s)?;
    writeln!(
        out,
        "step        {:.2} ms (median) for {} token(s), {:.1} per second",
        found.token_ms, found.batch, found.tokens_per_s
    )?;
    let parts: Vec<String> = found.parts_ms.iter().map(|(part, ms)| format!("{part} {ms:.2}")).collect();
    writeln!(out, "of these    {} (means)", parts.join(", "))?;
    writeln!(
        out,
        "memory      {:.0} MB read a step, {:.1} GB/s; a copy reaches {:.1}",
        found.mb_per_token, found.gb_per_s, found.copy_gb_per_s
    )?;
    Ok(())
}

fn run_tokenizer(args: &TokenizerBenchArgs, out: &mut dyn Write) -> Result<()> {
    let texts = read_texts(&args.corpus)?;
    let vocabulary = match &args.tokenizer {
        Some(path) if path.exists() => Vocabulary::Given(Box::new(Tokenizer::open(path)?)),
        Some(path) => return Err(WrongRequest::new(format!("there is no tokenizer {}", path.display())).into()),
        None => {
            let config =
                TrainConfig { pretokenizer: args.pretokenizer, ..TrainConfig::with_vocab_size(args.vocab_size) };
            config.validate().map_err(|error| WrongRequest::new(error.to_string()))?;
            Vocabulary::Trained(config)
        }
    };
    let found = on_threads(args.threads, || tokenizer::tokenizer(&texts, vocabulary, usize::from(args.repetitions)))?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&found)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "{} bytes in {} documents, {} ids, {} tokens; {} threads",
        found.n_bytes, found.n_texts, found.vocab_size, found.n_tokens, found.threads
    )?;
    let rows = [
        ("training", &found.train_s),
        ("encoding", &found.encode_s),
        ("encoding again", &found.encode_again_s),
        ("decoding", &found.decode_s),
    ];
    for (name, times_s) in rows.into_iter() {
        let Some(median_s) = median(times_s) else { continue };
        writeln!(out, "{name:<16} {median_s:>8.3} s (median) {:>8.1} MB/s", found.n_bytes as f64 / 1e6 / median_s)?;
    }
    Ok(())
}
