//! Gradient coverage: after one backward pass, did every trainable variable receive a finite, non-zero gradient?
//!
//! A cut graph is silent. The loss still falls, since the layers above the cut still learn, and an optimiser that skips
//! variables without a gradient says nothing. Several of candle-nn 0.11's fused ops have no backward (`rms_norm`,
//! `layer_norm`, `softmax_last_dim`, `rope`, `sdpa`; candle issues #2168, #3011, #3568, #3569), so this check runs on
//! every model and every implementation of its operations.

use candle_core::{DType, Result, Tensor};

use crate::Parameters;

// ANCHOR: coverage_report
/// The variables that a backward pass left without a useful gradient, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// How many variables were looked at.
    pub n_parameters: usize,
    /// No gradient at all: the graph is cut between the variable and the loss.
    pub missing: Vec<String>,
    /// A gradient of zeros only.
    pub zero: Vec<String>,
    /// A gradient that contains NaN or an infinity.
    pub non_finite: Vec<String>,
}
// ANCHOR_END: coverage_report

impl Coverage {
    /// Whether every variable has a finite, non-zero gradient.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.zero.is_empty() && self.non_finite.is_empty()
    }
}

// ANCHOR: coverage
/// Runs `loss.backward()` and looks at the gradient of every parameter. `loss` is a scalar.
///
/// # Errors
/// If the backward pass itself fails.
pub fn gradient_coverage(loss: &Tensor, parameters: &Parameters) -> Result<Coverage> {
    let gradients = loss.backward()?;
    let mut coverage = Coverage { n_parameters: parameters.len(), ..Coverage::default() };
    for (name, var) in parameters.iter() {
        let Some(gradient) = gradients.get(var) else {
            coverage.missing.push(name.to_string());
            continue;
        };
        let total = gradient.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?;
        if !total.is_finite() {
            coverage.non_finite.push(name.to_string());
        } else if total == 0.0 {
            coverage.zero.push(name.to_string());
        }
    }
    Ok(coverage)
}
// ANCHOR_END: coverage

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// The coverage of `loss` of two variables, of which `sound` has an ordinary gradient.
    fn coverage_of(loss: impl Fn(&Tensor) -> Result<Tensor>) -> Coverage {
        let mut parameters = Parameters::default();
        let sound = parameters.insert("sound", &Tensor::new(&[1f32, 2.0], &Device::Cpu).unwrap()).unwrap();
        let suspect = parameters.insert("suspect", &Tensor::new(&[0f32, 3.0], &Device::Cpu).unwrap()).unwrap();
        let loss = (sound.sum_all().unwrap() + loss(&suspect).unwrap()).unwrap();
        gradient_coverage(&loss, &parameters).unwrap()
    }

    #[test]
    fn a_sound_gradient_is_complete() {
        assert!(coverage_of(|x| x.exp()?.sum_all()).is_complete());
    }

    #[test]
    fn each_kind_of_useless_gradient_is_named() {
        let suspect = vec!["suspect".to_string()];
        let expected = Coverage { n_parameters: 2, ..Coverage::default() };
        let cut = coverage_of(|x| x.detach().sum_all());
        assert_eq!(cut, Coverage { missing: suspect.clone(), ..expected.clone() });
        // By a tensor, as a mask does: by the number 0.0, candle cuts the graph, and the gradient is missing.
        let multiplied_by_zero = coverage_of(|x| x.mul(&x.zeros_like()?)?.sum_all());
        assert_eq!(multiplied_by_zero, Coverage { zero: suspect.clone(), ..expected.clone() });
        // The derivative of the logarithm at 0 is 1/0.
        let log_of_zero = coverage_of(|x| x.log()?.sum_all());
        assert_eq!(log_of_zero, Coverage { non_finite: suspect, ..expected });
    }
}
