//! Gradients of weights, summed where they stay.
//!
//! candle's backward makes a tensor of zeros for each weight, adds the gradient to it, and throws both away after the step. Weights are the same
//! ones in every step, so their gradients can have a place of their own: the product that computes a gradient writes, or adds, right there.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor, bail};
use transformer::Weight;

use crate::matmul::Write;

// ANCHOR: store
/// A gradient for each weight, by name.
#[derive(Debug, Clone, Default)]
pub struct GradientStore {
    stacks: Arc<Mutex<HashMap<Arc<str>, Stack>>>,
}

/// Gradients of weights that stand one below the other, so that one product computes all of them. A weight alone is a stack of one.
#[derive(Debug)]
struct Stack {
    sum: Tensor, // all numbers of all its weights
    /// Each weight's part of the sum, by name, in its shape.
    parts: Vec<(String, Tensor)>,
    /// Whether the next gradient begins a new sum.
    is_fresh: bool,
}

impl Stack {
    fn new(weights: &[&Weight]) -> Result<Self> {
        let Some(first) = weights.first() else { bail!("a stack of no weights") };
        let len: usize = weights.iter().map(|weight| weight.tensor.elem_count()).sum();
        let sum = Tensor::zeros(len, first.tensor.dtype(), first.tensor.device())?;
        let mut start = 0;
        let part = |weight: &&Weight| {
            let len = weight.tensor.elem_count();
            let part = sum.narrow(0, start, len)?.reshape(weight.tensor.shape())?;
            start += len;
            Ok((weight.name.to_string(), part))
        };
        let parts = weights.iter().map(part).collect::<Result<Vec<_>>>()?;
        Ok(Self { sum, parts, is_fresh: true })
    }

    fn fits(&self, weights: &[&Weight]) -> bool {
        let shapes = self.parts.iter().map(|(_, part)| part.dims());
        shapes.eq(weights.iter().map(|weight| weight.tensor.dims()))
    }
}

impl GradientStore {
    /// Lets `write` put the gradient of `weight` in place, or add to what is there, if it is trained.
    ///
    /// # Errors
    /// If the weight is not f32 on the CPU.
    pub fn accumulate(&self, weight: &Weight, write: impl FnOnce(&mut [f32], Write)) -> Result<()> {
        self.accumulate_stack(&[weight], |sum, how| write_in_place(sum, |values| write(values, how)))
    }

    /// The same for weights one below the other, on any device: `write` has all their numbers as one tensor.
    ///
    /// # Errors
    /// Those of `write`, or if the device fails.
    pub fn accumulate_stack(
        &self,
        weights: &[&Weight],
        write: impl FnOnce(&Tensor, Write) -> Result<()>,
    ) -> Result<()> {
        let Some(first) = weights.first().filter(|weight| weight.tensor.is_variable()) else { return Ok(()) };
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        let stack = match stacks.entry(first.name.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Stack::new(weights)?),
        };
        if !stack.fits(weights) {
            *stack = Stack::new(weights)?;
        }
        let how = if std::mem::take(&mut stack.is_fresh) { Write::Replace } else { Write::Add };
        write(&stack.sum, how)
    }

    /// The sums since the last call. They stay in place: the next gradient overwrites them.
    pub fn take(&self) -> BTreeMap<String, Tensor> {
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        let used = stacks.values_mut().filter(|stack| !stack.is_fresh);
        used.flat_map(|stack| {
            stack.is_fresh = true;
            stack.parts.clone()
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
