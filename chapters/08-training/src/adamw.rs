//! AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101, algorithm 2; Adam: Kingma and Ba 2014, arXiv 1412.6980).
//!
//! With gradient $g_t$, learning rate $\eta$ and decay $\lambda$,
//! $$m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \qquad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2,$$
//! $$\theta_t = (1 - \eta\lambda)\,\theta_{t-1} - \eta\,\frac{m_t / (1-\beta_1^t)}{\sqrt{v_t / (1-\beta_2^t)} + \epsilon}.$$
//! The decay is decoupled: it multiplies the weight and never enters the moments. It applies to matrices alone. A norm's gain is a scale,
//! and the matrix behind it can make up for a change of it: its decay would limit little and only move the work into that matrix.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::{Result, Tensor, Var, bail};
use serde::{Deserialize, Serialize};
use tensors::Parameters;

use crate::optimizer_ops::{ReferenceOptimizer, Step, Update};
use crate::{Gradients, OptimizerOps};

// ANCHOR: adamw_config
/// The constants of AdamW.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Weight decay λ of matrices.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1 }
    }
}
// ANCHOR_END: adamw_config

// ANCHOR: adamw
/// The optimiser's state: two moments for each parameter, and how many steps it took.
#[derive(Debug, Clone)]
pub struct AdamW {
    config: AdamWConfig,
    ops: Arc<dyn OptimizerOps>,
    n_steps: usize,
    moments: BTreeMap<String, Moments>,
}

#[derive(Debug, Clone)]
struct Moments {
    first: Tensor,
    second: Tensor,
}

impl AdamW {
    /// A fresh optimiser on the reference operations: all moments are zero.
    ///
    /// # Errors
    /// If the device runs out of memory.
    pub fn new(config: AdamWConfig, parameters: &Parameters) -> Result<Self> {
        let zero =
            |var: &Var| -> Result<Moments> { Ok(Moments { first: var.zeros_like()?, second: var.zeros_like()? }) };
        let moments = parameters.iter().map(|(name, var)| Ok((name.to_string(), zero(var)?))).collect::<Result<_>>()?;
        Ok(Self { config, ops: Arc::new(ReferenceOptimizer), n_steps: 0, moments })
    }

    /// One step with learning rate `lr` on `scale` times the gradients (1/n of a mean, times the clip factor).
    ///
    /// # Errors
    /// If a parameter has no gradient.
    pub fn step(&mut self, parameters: &Parameters, gradients: &Gradients, lr: f64, scale: f64) -> Result<()> {
        self.n_steps += 1;
        let AdamWConfig { beta1, beta2, eps, weight_decay } = self.config;
        let step = Step {
            lr,
            beta1,
            beta2,
            eps,
            first_correction: 1.0 - beta1.powi(self.n_steps as i32),
            second_correction: 1.0 - beta2.powi(self.n_steps as i32),
            scale,
        };
        let mut updates = Vec::with_capacity(parameters.len());
        for ((name, var), (of_moments, moments)) in parameters.iter().zip(&mut self.moments) {
            let (Some(gradient), true) = (gradients.get(name), name == of_moments) else {
                bail!("parameter {name} has no gradient or no moments");
            };
            let is_matrix = var.rank() > 1;
            let decay = if is_matrix { weight_decay } else { 0.0 };
            updates.push(Update { var, gradient, first: &mut moments.first, second: &mut moments.second, decay });
        }
        self.ops.adamw(&step, &mut updates)
    }
}
// ANCHOR_END: adamw

impl AdamW {
    /// The same optimiser on other operations.
    pub fn with_ops(self, ops: Arc<dyn OptimizerOps>) -> Self {
        Self { ops, ..self }
    }

    /// The operations that it runs on.
    pub fn ops(&self) -> &dyn OptimizerOps {
        self.ops.as_ref()
    }

    /// Number of steps taken.
    pub fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// The moments under `first.<name>` and `second.<name>`, for a checkpoint.
    pub fn tensors(&self) -> HashMap<String, Tensor> {
        let named = self.moments.iter().flat_map(|(name, moments)| {
            [(format!("first.{name}"), moments.first.clone()), (format!("second.{name}"), moments.second.clone())]
        });
        named.collect()
    }

    /// Takes over the moments of a checkpoint that was written after `n_steps` steps.
    ///
    /// # Errors
    /// If a moment is missing or has another shape; nothing is changed then.
    pub fn restore(&mut self, n_steps: usize, tensors: &HashMap<String, Tensor>) -> Result<()> {
        let find = |key: String, like: &Tensor| match tensors.get(&key) {
            Some(tensor) if tensor.dims() == like.dims() => tensor.to_device(like.device()),
            Some(tensor) => bail!("{key} has shape {:?}, the model wants {:?}", tensor.dims(), like.dims()),
            None => bail!("{key} is missing"),
        };
        let restored = self.moments.iter().map(|(name, old)| {
            let first = find(format!("first.{name}"), &old.first)?;
            let second = find(format!("second.{name}"), &old.second)?;
            Ok((name.clone(), Moments { first, second }))
        });
        self.moments = restored.collect::<Result<_>>()?;
        self.n_steps = n_steps;
        Ok(())
    }
}
