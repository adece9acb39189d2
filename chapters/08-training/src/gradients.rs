//! Gradients by name: summed over micro-batches, and their global norm.
//!
//! Clipping by the global norm (Pascanu et al. 2012, arXiv 1211.5063, section 3.2) scales all gradients by one factor,
//! $\min(1, c / \lVert g \rVert_2)$, where the norm runs over every parameter together: the direction of the step stays.

use std::collections::BTreeMap;

use candle_core::{DType, Result, Tensor, bail};
use tensors::Parameters;

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
        let mut gradients = loss.backward()?;
        let mut sums = BTreeMap::new();
        for (name, var) in parameters.iter() {
            let Some(gradient) = gradients.remove(var) else {
                bail!("parameter {name} receives no gradient: an op between it and the loss has no backward");
            };
            sums.insert(name.to_string(), gradient);
        }
        Ok(Self { sums })
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
    pub fn global_norm(&self) -> Result<f64> {
        let squares =
            self.sums.values().map(|g| g.sqr()?.sum_all()?.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
        // One transfer for all sums: on a GPU each transfer waits for the device.
        let squares = Tensor::stack(&squares, 0)?.to_vec1::<f32>()?;
        Ok(squares.iter().map(|&square| f64::from(square)).sum::<f64>().sqrt())
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
