//! Twenty training steps of every family equal PyTorch's: `tests/reference/training_trace.py` made the batches and the traces.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use candle_core::Device;
use llm_from_scratch::compute::{ComputeConfig, OpsKind};
use llm_from_scratch::trace::{TraceJob, TraceStep};
use transformer::Transformer;

fn reference() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/families")
}

fn theirs(folder: &Path) -> Vec<TraceStep> {
    let text = std::fs::read_to_string(folder.join("trace.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn twenty_steps_of_every_family_are_those_of_pytorch() {
    let job = TraceJob::read(&reference().join("trace_batches.json")).unwrap();
    let families = ["gpt2", "llama2", "llama3", "llama-linear", "smollm2", "qwen2", "qwen3", "mistral"];
    for family in families {
        let folder = reference().join(family);
        let expected = theirs(&folder);
        assert_eq!(expected.len(), 20);
        for ops in [OpsKind::Reference, OpsKind::Fused] {
            let model = Transformer::load(&folder, &Device::Cpu).unwrap();
            let found = job.run(&model, ComputeConfig { ops, ..ComputeConfig::default() }).unwrap();
            for (found, expected) in found.iter().zip(&expected) {
                let what = format!("{family}, {ops:?}, step {}: {found:?}, PyTorch {expected:?}", found.step);
                assert_eq!(found.step, expected.step, "{what}");
                assert!((found.loss - expected.loss).abs() < 1e-3, "{what}");
                assert!((found.grad_norm - expected.grad_norm).abs() < 1e-2 * expected.grad_norm, "{what}");
                assert!((found.lr - expected.lr).abs() < 1e-9, "{what}");
            }
            let learnt = expected[0].loss - found[19].loss;
            assert!(learnt > 0.5, "{family}: the loss fell by {learnt} only");
        }
    }
}
