//! Gradients of weights, summed where they stay: the device's counterpart of [`GradientStore`](crate::gradient_store::GradientStore). Matrices whose
//! copies stand one below the other have their gradients so too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Result, Tensor, bail};
use transformer::Weight;

use super::memory::View;
use super::tensors;

// ANCHOR: gradients
/// A gradient for each stack of weights, by the first one's name.
#[derive(Debug, Clone, Default)]
pub(super) struct Gradients {
    stacks: Arc<Mutex<HashMap<Arc<str>, Stack>>>,
}

#[derive(Debug)]
struct Stack {
    sum: Tensor, // all numbers of all its weights
    names: Vec<Arc<str>>,
    shapes: Vec<Vec<usize>>,
    /// Whether the next gradient begins a new sum.
    is_fresh: bool,
}

impl Stack {
    fn new(weights: &[&Weight]) -> Result<Self> {
        let Some(first) = weights.first() else { bail!("a stack of no weights") };
        let len: usize = weights.iter().map(|weight| weight.tensor.elem_count()).sum();
        let sum = Tensor::zeros(len, DType::F32, first.tensor.device())?;
        let names = weights.iter().map(|weight| weight.name.clone()).collect();
        Ok(Self { sum, names, shapes: shapes(weights), is_fresh: true })
    }

    /// Each weight's part, in its shape.
    fn parts(&self) -> Result<Vec<(String, Tensor)>> {
        let mut start = 0;
        let named = self.names.iter().zip(&self.shapes);
        named
            .map(|(name, shape)| {
                let len = shape.iter().product();
                let part = self.sum.narrow(0, start, len)?.reshape(shape.as_slice())?;
                start += len;
                Ok((name.to_string(), part))
            })
            .collect()
    }
}

fn shapes(weights: &[&Weight]) -> Vec<Vec<usize>> {
    weights.iter().map(|weight| weight.tensor.dims().to_vec()).collect()
}

impl Gradients {
    /// Lets `add` add to the sums of `weights`, one below the other, if they are trained; begins at zero after [`take`](Self::take).
    ///
    /// # Errors
    /// Those of `add`, or if the device fails.
    pub(super) fn accumulate(
        &self,
        weights: &[&Weight],
        add: impl FnOnce(View<'_>, Begin) -> Result<()>,
    ) -> Result<()> {
        let Some(first) = weights.first().filter(|weight| weight.tensor.is_variable()) else { return Ok(()) };
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        if stacks.get(&first.name).is_none_or(|stack| stack.shapes != shapes(weights)) {
            stacks.insert(first.name.clone(), Stack::new(weights)?);
        }
        let Some(stack) = stacks.get_mut(&first.name) else { return Ok(()) };
        let begin = if std::mem::take(&mut stack.is_fresh) { Begin::New } else { Begin::Continue };
        add(tensors::place(&stack.sum)?, begin)
    }

    /// The sums since the last call. They stay in place: the next gradient overwrites them.
    ///
    /// # Errors
    /// Never in practice; taking parts is fallible.
    pub(super) fn take(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = BTreeMap::new();
        for stack in stacks.values_mut().filter(|stack| !stack.is_fresh) {
            stack.is_fresh = true;
            taken.extend(stack.parts()?);
        }
        Ok(taken)
    }
}

/// What a sum is before a gradient is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// Nothing yet: what stands in memory is old.
    New,
    /// What was added so far.
    Continue,
}
// ANCHOR_END: gradients
