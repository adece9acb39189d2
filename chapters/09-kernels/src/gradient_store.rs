//! Gradients of weights, summed where they stay.
//!
//! candle's backward makes a tensor of zeros for each weight, adds the gradient to it, and throws both away after the step. Weights are the same
//! ones in every step, so their gradients can have a place of their own: the product that computes a gradient writes, or adds, right there.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, bail};
use transformer::Weight;

use crate::matmul::Write;

// ANCHOR: store
/// A gradient for each weight, by name.
#[derive(Debug, Clone, Default)]
pub struct GradientStore {
    sums: Arc<Mutex<HashMap<Arc<str>, Sum>>>,
}

#[derive(Debug)]
struct Sum {
    gradient: Tensor,
    /// Whether the next gradient begins a new sum.
    is_fresh: bool,
}

impl GradientStore {
    /// Lets `write` put the gradient of `weight` in place, or add to what is there.
    ///
    /// # Errors
    /// If the weight is not f32 on the CPU.
    pub fn accumulate(&self, weight: &Weight, write: impl FnOnce(&mut [f32], Write)) -> Result<()> {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = match sums.entry(weight.name.clone()) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Sum { gradient: weight.tensor.zeros_like()?.detach(), is_fresh: true })
            }
        };
        if sum.gradient.dims() != weight.tensor.dims() {
            *sum = Sum { gradient: weight.tensor.zeros_like()?.detach(), is_fresh: true };
        }
        let how = if sum.is_fresh { Write::Replace } else { Write::Add };
        sum.is_fresh = false;
        sum.gradient.inplace_op1(&InPlace(Mutex::new(Some(|values: &mut [f32]| write(values, how)))))
    }

    /// The sums since the last call. They stay in place: the next gradient overwrites them.
    pub fn take(&self) -> BTreeMap<String, Tensor> {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let used = sums.iter_mut().filter(|(_, sum)| !sum.is_fresh);
        used.map(|(name, sum)| {
            sum.is_fresh = true;
            (name.to_string(), sum.gradient.clone())
        })
        .collect()
    }
}
// ANCHOR_END: store

/// A closure on a tensor's numbers, as candle wants to have it.
struct InPlace<F>(Mutex<Option<F>>);

impl<F: FnOnce(&mut [f32])> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "in-place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("a gradient must be contiguous f32");
        };
        if let Some(write) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            write(&mut values[start..end]);
        }
        Ok(())
    }
}

/// Lets `write` change the numbers of a tensor where they are.
///
/// # Errors
/// If it is not contiguous f32 on the CPU.
pub(crate) fn write_in_place(tensor: &Tensor, write: impl FnOnce(&mut [f32])) -> Result<()> {
    tensor.inplace_op1(&InPlace(Mutex::new(Some(write))))
}
