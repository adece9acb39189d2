//! Where a step stopped being finite.
//!
//! One number that is no number spoils all that is computed from it: a NaN in layer 3 arrives at the loss, and from there in every gradient. So the loss says
//! only *that* something happened. After a step has failed, the forward pass runs once more with a probe around the model's operations, which looks at what
//! each part of the model gives: the first that is not finite, though its input was, is the place. If all are finite, the fault began on the way back, and the
//! weight nearest to the loss whose gradient is not finite is the place. A step that succeeds pays nothing for this.

use std::fmt::{self, Display};
use std::sync::{Arc, Mutex, PoisonError};

use attention::KeyValueStore;
use candle_core::{DType, Device, Result, Tensor};
use transformer::model::parameter_shapes;
use transformer::{AttentionBranch, AttentionLayout, FeedForwardBranch, Ops, Transformer, Weight};

use crate::{Gradients, Task};

// ANCHOR: place
/// Says where a step whose loss or gradient was not finite went wrong. `batches` and `gradients` are the step's.
///
/// # Errors
/// If the forward pass fails.
pub fn place<T: Task>(
    task: &T,
    model: &Transformer,
    batches: &[T::Batch],
    loss: f64,
    gradients: &Gradients,
) -> Result<String> {
    let probe = Arc::new(Probe { inner: model.shared_ops(), seen: Mutex::default() });
    let watched = model.with_ops(probe.clone())?.for_inference()?;
    for (index, batch) in batches.iter().enumerate() {
        task.forward(&watched, batch)?;
        if let Some(fault) = probe.seen().fault.take() {
            return Ok(format!("{fault}, in micro-batch {} of {}", index + 1, batches.len()));
        }
    }
    if !loss.is_finite() {
        let is_blind = probe.seen().n_looks == 0;
        let words = if is_blind {
            "unknown, the task has no forward pass to watch"
        } else {
            "in the task's own loss, every activation is finite"
        };
        return Ok(words.to_string());
    }
    let fault = first_gradient(model, gradients)?;
    Ok(fault.unwrap_or_else(|| "every gradient is finite, the sum of their squares is not".to_string()))
}

/// The gradient that the backward pass reached first, of those that are not finite.
fn first_gradient(model: &Transformer, gradients: &Gradients) -> Result<Option<String>> {
    for (name, _) in parameter_shapes(model.config()).iter().rev() {
        if let Some(gradient) = gradients.get(name) {
            let count = Count::of(gradient)?;
            if count.is_bad() {
                return Ok(Some(format!("the gradient of {name}: {count}; every activation is finite")));
            }
        }
    }
    Ok(None)
}
// ANCHOR_END: place

// ANCHOR: probe
/// Any implementation of the operations, watched.
#[derive(Debug)]
struct Probe {
    inner: Arc<dyn Ops>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    n_looks: usize,
    fault: Option<String>,
}

impl Probe {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what `part` of the model made of `input` with `weights`, unless an earlier part was at fault, and passes it on.
    fn look(&self, part: impl Display, input: Option<&Tensor>, weights: &[&Weight], out: Tensor) -> Result<Tensor> {
        let mut seen = self.seen();
        seen.n_looks += 1;
        if seen.fault.is_some() {
            return Ok(out);
        }
        let count = Count::of(&out)?;
        if count.is_bad() {
            seen.fault = Some(format!("{part}: {count}{}", cause(input, weights)?));
        }
        Ok(out)
    }
}
// ANCHOR_END: probe

/// Why: a weight that is not finite itself, or else how large the input was.
fn cause(input: Option<&Tensor>, weights: &[&Weight]) -> Result<String> {
    for weight in weights {
        let count = Count::of(&weight.tensor)?;
        if count.is_bad() {
            return Ok(format!(" (of its weight {}, {} of {})", weight.name, count.not_finite, count.all));
        }
    }
    let Some(input) = input else { return Ok(String::new()) };
    let largest = numbers(input)?.into_iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    Ok(format!(" (its input was, with numbers up to {largest:.1e})"))
}

// ANCHOR: count
/// How many numbers of a tensor are not finite.
#[derive(Debug, Clone, Copy)]
struct Count {
    not_finite: usize,
    all: usize,
}

impl Count {
    fn of(tensor: &Tensor) -> Result<Self> {
        let numbers = numbers(tensor)?;
        Ok(Self { not_finite: numbers.iter().filter(|x| !x.is_finite()).count(), all: numbers.len() })
    }

    fn is_bad(self) -> bool {
        self.not_finite > 0
    }
}
// ANCHOR_END: count

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} of {} numbers are not finite", self.not_finite, self.all)
    }
}

/// On the CPU, whatever device and type they had: this happens once, and a GPU may have no f64.
fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// The branches run on `inner` as they always do; what the model calls itself is looked at.
impl Ops for Probe {
    fn embedding(&self, tokens: &Tensor, weight: &Weight) -> Result<Tensor> {
        self.look("embedding", None, &[weight], self.inner.embedding(tokens, weight)?)
    }

    fn linear(&self, x: &Tensor, weight: &Weight) -> Result<Tensor> {
        self.look(&weight.name, Some(x), &[weight], self.inner.linear(x, weight)?)
    }

    fn rms_norm(&self, x: &Tensor, weight: &Weight, eps: f64) -> Result<Tensor> {
        self.look(&weight.name, Some(x), &[weight], self.inner.rms_norm(x, weight, eps)?)
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let out = self.inner.attention(q, k, v, layout, store)?;
        self.look(format_args!("layers.{} attention", layout.layer), Some(q), &[], out)
    }

    fn swiglu(&self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        self.look("SwiGLU", Some(gate), &[], self.inner.swiglu(gate, up)?)
    }

    fn target_log_probs(&self, hidden: &Tensor, head: &Weight, targets: &Tensor) -> Result<Tensor> {
        let out = self.inner.target_log_probs(hidden, head, targets)?;
        self.look("log-probabilities of the targets", Some(hidden), &[head], out)
    }

    fn attention_branch(
        &self,
        x: &Tensor,
        branch: &AttentionBranch,
        eps: f64,
        layout: AttentionLayout,
        store: &mut dyn KeyValueStore,
    ) -> Result<Tensor> {
        let out = self.inner.attention_branch(x, branch, eps, layout, store)?;
        self.look(format_args!("layers.{} attention", layout.layer), Some(x), &branch.weights(), out)
    }

    fn feed_forward_branch(&self, x: &Tensor, branch: &FeedForwardBranch, eps: f64) -> Result<Tensor> {
        let norm = &branch.norm.gain.name;
        let layer = norm.strip_suffix(".mlp_norm").unwrap_or(norm);
        let out = self.inner.feed_forward_branch(x, branch, eps)?;
        self.look(format_args!("{layer} feed-forward"), Some(x), &branch.weights(), out)
    }
}
