//! Weights in the type that products work on.
//!
//! The optimiser keeps weights in f32; products of bfloat16 want bfloat16. Copies are made once and then written by the optimiser's own launch.
//! Matrices that are applied to the same rows (queries, keys and values; gate and up) stand one below the other, so that one product serves all.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{Result, TensorId};
use transformer::Weight;

use super::cast;
use super::gpu::Gpu;
use super::memory::{Buffer, View};
use super::tensors;

// ANCHOR: copies
/// Copies by the weights' identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Copies {
    stacks: Arc<Mutex<HashMap<TensorId, Stack>>>,
}

/// Where a weight's copy is: some numbers of a buffer that it shares with its neighbours.
#[derive(Debug, Clone)]
struct Stack {
    buffer: Arc<Buffer>,
    range: Range<usize>,
}

impl Copies {
    fn stacks(&self) -> MutexGuard<'_, HashMap<TensorId, Stack>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The matrices one below the other. Those of variables are kept. Others are made anew each time: a model for inference shares its numbers with
    /// variables that training changes, and nobody would tell.
    ///
    /// # Errors
    /// If one is not f32 on the device, or the device fails.
    pub(super) fn stacked(&self, gpu: &Gpu, weights: &[&Weight]) -> Result<Arc<Buffer>> {
        let mut stacks = self.stacks();
        let first = weights.first().and_then(|weight| stacks.get(&weight.tensor.id()));
        if let Some(stack) = first {
            return Ok(stack.buffer.clone());
        }
        let buffer = Arc::new(gpu.activations(weights.iter().map(|weight| weight.tensor.elem_count()).sum())?);
        let mut start = 0;
        for weight in weights {
            let range = start..start + weight.tensor.elem_count();
            cast::from_f32(gpu, tensors::view(&weight.tensor)?, buffer.view().part(range.clone())?)?;
            start = range.end;
            if weight.tensor.is_variable() {
                stacks.insert(weight.tensor.id(), Stack { buffer: buffer.clone(), range });
            }
        }
        Ok(buffer)
    }

    /// Lets `write` have the copies of these tensors, where there are any.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn with_all<R>(
        &self,
        ids: &[TensorId],
        write: impl FnOnce(&[Option<View<'_>>]) -> Result<R>,
    ) -> Result<R> {
        let stacks = self.stacks();
        let views = ids
            .iter()
            .map(|id| stacks.get(id).map(|stack| stack.buffer.view().part(stack.range.clone())).transpose())
            .collect::<Result<Vec<_>>>()?;
        write(&views)
    }

    /// Throws all away: the weights are no longer what was copied.
    pub(super) fn clear(&self) {
        self.stacks().clear();
    }
}
// ANCHOR_END: copies
