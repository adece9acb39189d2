//! What the kernels could not do, and why: said once, because a run on the reference operations gives the same numbers and only takes longer.
//!
//! A library does not print. It keeps a record, and calls whoever asked to be told.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Tensor};
use transformer::{AttentionLayout, Weight};

use crate::storage::is_supported;

// ANCHOR: fallbacks
/// The operations that were handed on, each with its reason, once.
#[derive(Clone, Default)]
pub struct Fallbacks {
    seen: Arc<Mutex<BTreeSet<String>>>,
    tell: Option<Arc<Listener>>,
}

type Listener = dyn Fn(&str) + Send + Sync;

impl Fallbacks {
    /// A record that also calls `tell` with each new entry.
    pub fn telling(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { seen: Arc::default(), tell: Some(Arc::new(tell)) }
    }

    /// What happened so far, such as `attention: F64 on the CPU; runs on reference operations, slower`.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Whether `operation` can work on these tensors; if not, that is recorded.
    pub(crate) fn supports(&self, operation: &str, tensors: &[&Tensor]) -> bool {
        let Some(tensor) = tensors.iter().find(|tensor| !is_supported(&[tensor])) else { return true };
        self.hand_on(operation, tensor);
        false
    }

    /// Records that `operation` goes to the reference operations, because of this tensor.
    pub(crate) fn hand_on(&self, operation: &str, tensor: &Tensor) {
        let place = match tensor.device() {
            Device::Cpu => "the CPU",
            Device::Cuda(_) => "a CUDA device",
            Device::Metal(_) => "a Metal device",
        };
        let strided = if tensor.is_contiguous() { "" } else { ", not contiguous," };
        let dtype = tensor.dtype();
        self.record(format!("{operation}: {dtype:?}{strided} on {place}; runs on reference operations, slower"));
    }

    /// Whether a weight is the result of other operations, whose gradient candle's graph would want to have; if so, that is recorded.
    pub(crate) fn has_derived(&self, operation: &str, weights: &[&Weight]) -> bool {
        let is_derived = weights.iter().any(|weight| weight.tensor.track_op() && !weight.tensor.is_variable());
        if is_derived {
            self.record(format!(
                "{operation}: a weight is the result of other operations; runs in smaller steps, slower"
            ));
        }
        is_derived
    }

    /// Whether the kernels know heads of queries of `width` numbers in all; if not, that is recorded.
    pub(crate) fn knows_heads(&self, layout: &AttentionLayout, width: usize) -> bool {
        let head_dim = width / layout.n_heads.max(1);
        let is_known = head_dim.is_multiple_of(2);
        if !is_known {
            self.record(format!("attention: head_dim {head_dim} is odd; runs on reference operations, slower"));
        }
        is_known
    }

    /// Records that a branch has parts that the kernels do not know.
    pub(crate) fn hand_on_parts(&self, branch: &str) {
        self.record(format!(
            "{branch}: its parts are not all a Llama's (RMSNorm, SwiGLU, no biases); runs in smaller steps, slower"
        ));
    }

    /// Records something that is not known yet.
    pub(crate) fn record(&self, entry: String) {
        let is_new = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.clone());
        if let (true, Some(tell)) = (is_new, &self.tell) {
            tell(&entry);
        }
    }
}
// ANCHOR_END: fallbacks

impl fmt::Debug for Fallbacks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Fallbacks").field("seen", &self.seen()).finish_non_exhaustive()
    }
}
