//! The peak that is predicted is the peak that is measured, at the allocator.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use kernels::activation_memory::Graph;
use kernels::training_memory::{StepSizes, Stored, TrainingMemory};
use kernels::{Activations, Fused, Precision};
use peak_alloc::PeakAlloc;
use training::{AdamWConfig, MicroLoss, OptimizerOps, Schedule, Task, TrainConfig, Trainer};
use transformer::{Architecture, ModelConfig, NormKind, Ops, Positions, Transformer};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The same tokens again and again.
struct Fixed<'a> {
    model: &'a Transformer,
    batch: usize,
    seq_len: usize,
}

impl Task for Fixed<'_> {
    type Batch = ();

    fn next_batch(&mut self) -> Result<()> {
        Ok(())
    }

    fn loss(&self, _batch: &()) -> Result<MicroLoss> {
        let n_tokens = self.batch * self.seq_len;
        let ids: Vec<u32> = (0..n_tokens).map(|i| (i * 7919 % self.model.config().vocab_size) as u32).collect();
        let ids = Tensor::from_vec(ids, (self.batch, self.seq_len), &Device::Cpu)?;
        let sum = self.model.next_token_loss(&ids, &ids, None)?;
        Ok(MicroLoss { sum, n_targets: n_tokens, n_tokens, extras: Vec::new() })
    }

    fn validate(&mut self) -> Result<Vec<(String, f64)>> {
        Ok(Vec::new())
    }

    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _state: &serde_json::Value) -> Result<()> {
        Ok(())
    }
}

fn operations(stored: Stored, activations: Activations) -> (Arc<dyn Ops>, Arc<dyn OptimizerOps>) {
    match stored {
        #[cfg(feature = "twin")]
        Stored::OnGpu(precision) => {
            let twin = Arc::new(kernels::cuda::Cuda::twin(precision, activations, 0));
            (twin.clone(), twin)
        }
        _ => {
            let fused = Arc::new(Fused::new(Precision::F32, activations));
            (fused.clone(), fused)
        }
    }
}

/// The most bytes that two steps hold at once, beyond what the process held before.
fn measured(config: &ModelConfig, step: &StepSizes) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let model = Transformer::new(config.clone(), 0, &Device::Cpu).unwrap();
    let activations = if step.graph == Graph::Recompute { Activations::Recompute } else { Activations::Keep };
    let (ops, optimizer) = operations(step.stored, activations);
    let model = if step.graph == Graph::Stock { model } else { model.with_ops(ops).unwrap() };
    let settings = TrainConfig {
        steps: 2,
        micro_batches: step.micro_batches,
        schedule: Schedule { peak_lr: 1e-3, warmup_steps: 0, final_ratio: 1.0 },
        optimizer: AdamWConfig::default(),
        clip_norm: 1.0,
        validate_every: 0,
        checkpoint_every: 0,
        keep_checkpoints: 1,
    };
    let trainer = Trainer::new(&model, settings).unwrap();
    let mut trainer = if step.graph == Graph::Stock { trainer } else { trainer.with_optimizer_ops(optimizer) };
    let mut task = Fixed { model: &model, batch: step.batch, seq_len: step.seq_len };
    for _ in 0..2 {
        trainer.train_step(&mut task).unwrap();
    }
    ALLOCATOR.peak_usage() - before
}

fn sizes(d_model: usize, n_layers: usize, d_ff: usize, vocab_size: usize, tie_embeddings: bool) -> ModelConfig {
    ModelConfig {
        vocab_size,
        d_model,
        n_layers,
        n_heads: d_model / 32,
        n_kv_heads: d_model / 64,
        d_ff,
        max_seq_len: 128,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings,
        init_std: 0.02,
    }
}

fn assert_predicted(pool: &rayon::ThreadPool, config: &ModelConfig, step: &StepSizes, tolerance: f64) {
    let predicted = TrainingMemory::of(config, step);
    let found = pool.install(|| measured(config, step));
    let error = predicted.total() as f64 / found as f64 - 1.0;
    println!("{:?}, {:?}, batch {}: {:+.1}%", step.graph, step.stored, step.batch, 100.0 * error);
    assert!(error.abs() < tolerance, "{step:?}: {found} bytes, {:+.1}%: {predicted:?}", 100.0 * error);
}

/// Much in weights; much in activations; much in the head; much in the feed-forward networks. One test: it measures the whole process.
#[test]
fn the_peak_is_what_was_predicted() {
    // One micro-batch at a time, as on a GPU: with two threads the reference operations would take two.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for (config, batch, micro_batches) in [
        (sizes(256, 3, 688, 512, true), 1, 1),
        (sizes(128, 6, 344, 256, true), 8, 2),
        (sizes(128, 2, 256, 4096, false), 4, 1),
        (sizes(192, 2, 1536, 256, true), 2, 1),
    ] {
        for graph in [Graph::Stock, Graph::Branches, Graph::Recompute] {
            let step = StepSizes { batch, seq_len: 128, micro_batches, graph, stored: Stored::OnCpu };
            assert_predicted(&pool, &config, &step, 0.03);
        }
    }
    let families = [
        Architecture { head_dim: Some(16), sliding_window: Some(20), ..Architecture::LLAMA },
        Architecture { norm: NormKind::LayerNorm, ..Architecture::LLAMA },
        Architecture { positions: Positions::Learned, ..Architecture::LLAMA },
        Architecture::GPT2,
        Architecture::QWEN2,
        Architecture::QWEN3,
    ];
    for (architecture, config) in families
        .into_iter()
        .flat_map(|parts| [sizes(256, 3, 688, 512, true), sizes(96, 2, 768, 128, true)].map(|sizes| (parts, sizes)))
    {
        let config = ModelConfig { architecture, ..config };
        for graph in [Graph::Stock, Graph::Branches, Graph::Recompute] {
            let step = StepSizes { batch: 1, seq_len: 128, micro_batches: 1, graph, stored: Stored::OnCpu };
            assert_predicted(&pool, &config, &step, 0.03);
        }
    }
    // A GPU's operations on the twin, whose buffers and candle's tensors are all in this process.
    if cfg!(feature = "twin") {
        for (config, batch) in [(sizes(128, 2, 344, 128, true), 1), (sizes(64, 3, 172, 64, false), 4)] {
            for (graph, precision) in [
                (Graph::Branches, Precision::Bf16),
                (Graph::Recompute, Precision::Bf16),
                (Graph::Branches, Precision::F32),
            ] {
                let stored = Stored::OnGpu(precision);
                let step = StepSizes { batch, seq_len: 64, micro_batches: 1, graph, stored };
                assert_predicted(&pool, &config, &step, 0.05);
            }
        }
    }
}
