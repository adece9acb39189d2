//! What a training step takes of memory, and what to say when the device has not that much.
//!
//! A device says "out of memory" and no more. What the step needed is known from its sizes ([`TrainingMemory`]), and so is what each way down would need.

use anyhow::Error;
use kernels::activation_memory::Graph;
use kernels::training_memory::{StepSizes, TrainingMemory};
use transformer::ModelConfig;

/// Whether a device ran out of memory, here or below: CUDA's driver, cuBLAS and Metal say so in their own words.
pub fn is_out_of_memory(error: &Error) -> bool {
    error.chain().any(|cause| {
        let text = cause.to_string().to_lowercase();
        ["out_of_memory", "out of memory", "cublas_status_alloc_failed"].iter().any(|words| text.contains(words))
    })
}

/// The same error; if it is that the device ran out of memory, with what the step needs by count, and ways to need less.
pub fn explain(error: Error, model: &ModelConfig, step: &StepSizes) -> Error {
    if is_out_of_memory(&error) { error.context(advice(model, step)) } else { error }
}

fn advice(model: &ModelConfig, step: &StepSizes) -> String {
    let need = TrainingMemory::of(model, step);
    let parts: Vec<String> = need.parts().iter().map(|(name, bytes)| format!("{name} {}", gigabytes(*bytes))).collect();
    let ways: Vec<String> = ways_down(step)
        .into_iter()
        .map(|(words, step)| format!("{words}: {}", gigabytes(TrainingMemory::of(model, &step).total())))
        .collect();
    format!(
        "the device is out of memory; with batch_size {} and seq_len {} a step takes about {} GB, besides what the driver and other programs hold ({}). \
         Ways down, with what they take: {}",
        step.batch,
        step.seq_len,
        gigabytes(need.total()),
        parts.join(", "),
        ways.join("; ")
    )
}

/// Steps that need less, and what to change for them. All but the shorter sequences train as before.
fn ways_down(step: &StepSizes) -> Vec<(String, StepSizes)> {
    let mut ways = Vec::new();
    if step.batch > 1 {
        // As many sequences in a step, or more where the batch is odd.
        let batch = step.batch / 2;
        let micro_batches = (step.batch * step.micro_batches).div_ceil(batch);
        ways.push((
            format!("batch_size {batch} with micro_batches {micro_batches}"),
            StepSizes { batch, micro_batches, ..*step },
        ));
    }
    match step.graph {
        Graph::Recompute => {}
        // Only kernels can compute a block again.
        Graph::Stock => ways.push((
            "kernels (ops = \"fused\") where they run".to_string(),
            StepSizes { graph: Graph::Branches, ..*step },
        )),
        Graph::Primitives | Graph::Branches => {
            ways.push(("--recompute".to_string(), StepSizes { graph: Graph::Recompute, ..*step }));
        }
    }
    if step.seq_len > 1 {
        let seq_len = step.seq_len / 2;
        ways.push((format!("seq_len {seq_len}"), StepSizes { seq_len, ..*step }));
    }
    ways
}

/// In units of 10⁹ bytes.
pub fn gigabytes(bytes: usize) -> String {
    let gigabytes = bytes as f64 / 1e9;
    format!("{gigabytes:.*}", if gigabytes < 1.0 { 3 } else { 1 })
}

#[cfg(test)]
mod tests {
    use kernels::training_memory::Stored;

    use super::*;
    use crate::preset::RunConfig;

    fn small() -> (ModelConfig, StepSizes) {
        let config = RunConfig::preset("small").unwrap();
        let step =
            StepSizes { batch: 32, seq_len: 256, micro_batches: 2, graph: Graph::Branches, stored: Stored::OnCpu };
        (config.model, step)
    }

    #[test]
    fn a_device_without_memory_is_told_what_would_fit() {
        let (model, step) = small();
        let cuda =
            Error::msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")").context("stage pretrain failed");
        let message = format!("{:#}", explain(cuda, &model, &step));
        let total = |step: StepSizes| gigabytes(TrainingMemory::of(&model, &step).total());
        for expected in [
            format!("with batch_size 32 and seq_len 256 a step takes about {} GB", total(step)),
            format!("batch_size 16 with micro_batches 4: {}", total(StepSizes { batch: 16, micro_batches: 4, ..step })),
            format!("--recompute: {}", total(StepSizes { graph: Graph::Recompute, ..step })),
            format!("seq_len 128: {}", total(StepSizes { seq_len: 128, ..step })),
            "CUDA_ERROR_OUT_OF_MEMORY".to_string(),
        ] {
            assert!(message.contains(&expected), "{expected} is not in {message}");
        }
    }

    #[test]
    fn every_way_down_leads_down_and_keeps_the_sequences_of_a_step() {
        let (model, step) = small();
        for graph in Graph::ALL {
            for batch in [1, 3, 32] {
                let step = StepSizes { batch, graph, ..step };
                let ways = ways_down(&step);
                assert!(ways.len() + usize::from(batch == 1) + usize::from(graph == Graph::Recompute) == 3, "{ways:?}");
                for (words, way) in ways {
                    let total = |step: &StepSizes| TrainingMemory::of(&model, step).total();
                    assert!(total(&way) < total(&step), "{graph:?} {batch}: {words}");
                    assert!(way.batch * way.micro_batches >= step.batch * step.micro_batches, "{words}");
                }
            }
        }
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let (model, step) = small();
        for text in ["CUBLAS_STATUS_ALLOC_FAILED", "MTLCommandBuffer: Out of memory"] {
            assert!(is_out_of_memory(&Error::msg(text)), "{text}");
        }
        let other = explain(Error::msg("the disk is full"), &model, &step);
        assert_eq!(format!("{other:#}"), "the disk is full");
    }
}
