//! Gradients by name: summed over micro-batches, and their global norm.
//!
//! Clipping by the global norm (Pascanu et al. 2012, arXiv 1211.5063, section 3.2) scales all gradients by one factor,
//! $\min(1, c / \lVert g \rVert_2)$, where the norm runs over every parameter together: the direction of the step stays.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, bail};
use tensors::Parameters;

use crate::OptimizerOps;

// ANCHOR: gradients
/// The gradient of each parameter, in the order of the names.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    sums: BTreeMap<String, Tensor>,
}

impl Gradients {
    /// The gradient of `loss` (a scalar) with respect to every parameter.
    ///
    /// # Errors
    /// If a parameter receives no gradient: a cut graph is never skipped in silence.
    pub fn of(loss: &Tensor, parameters: &Parameters) -> Result<Self> {
        let gradients = Self::of_graph(loss, parameters)?;
        gradients.check_coverage(parameters)?;
        Ok(gradients)
    }

    /// The gradients that candle's graph gives. Operations that sum gradients themselves hand them over in [`Gradients::extend`].
    ///
    /// # Errors
    /// If the backward pass fails.
    pub fn of_graph(loss: &Tensor, parameters: &Parameters) -> Result<Self> {
        let mut gradients = loss.backward()?;
        let found = parameters.iter().filter_map(|(name, var)| Some((name.to_string(), gradients.remove(var)?)));
        Ok(Self { sums: found.collect() })
    }

    /// Adds gradients that were summed elsewhere.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn extend(&mut self, sums: BTreeMap<String, Tensor>) -> Result<()> {
        self.add(Self { sums })
    }

    /// Refuses to go on without the gradient of any parameter.
    ///
    /// # Errors
    /// Names the first parameter that has none.
    pub fn check_coverage(&self, parameters: &Parameters) -> Result<()> {
        match parameters.iter().find(|(name, _)| !self.sums.contains_key(*name)) {
            Some((name, _)) => {
                bail!("parameter {name} receives no gradient: an op between it and the loss has no backward")
            }
            None => Ok(()),
        }
    }

    /// Adds the gradients of another loss.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn add(&mut self, other: Self) -> Result<()> {
        for (name, gradient) in other.sums {
            let sum = match self.sums.remove(&name) {
                None => gradient,
                Some(sum) => (sum + gradient)?,
            };
            self.sums.insert(name, sum);
        }
        Ok(())
    }

    /// ‖g‖₂ over all parameters together.
    ///
    /// # Errors
    /// Only if the device fails.
    pub fn global_norm(&self, ops: &dyn OptimizerOps) -> Result<f64> {
        let tensors: Vec<&Tensor> = self.sums.values().collect();
        Ok(ops.sum_of_squares(&tensors)?.sqrt())
    }

    /// The gradient of that parameter.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.sums.get(name)
    }
}
// ANCHOR_END: gradients

// ANCHOR: clip_factor
/// The factor that limits a gradient of norm `norm` to `max_norm`.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    if norm > max_norm { max_norm / norm } else { 1.0 }
}
// ANCHOR_END: clip_factor
