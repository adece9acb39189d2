//! How far two tensors are apart, in the two measures that tolerances are stated in.
//!
//! Floating-point addition is not associative, so two correct implementations of one sum differ in their last bits.
//! Equality is the wrong question; "closer than rounding can explain" is the right one.

use candle_core::{DType, Result, Tensor, bail};

/// The distance between two tensors of one shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// max |a − b|; NaN if either holds a NaN.
    pub max_abs: f64,
    /// ‖a − b‖₂ / ‖b‖₂, with b as the reference; 0 if both are zero.
    pub relative_l2: f64,
}

// ANCHOR: difference
/// Compares `a` with the reference `b`, both converted to f64.
///
/// # Errors
/// If the shapes differ.
pub fn difference(a: &Tensor, b: &Tensor) -> Result<Difference> {
    if a.dims() != b.dims() {
        bail!("cannot compare shapes {:?} and {:?}", a.dims(), b.dims());
    }
    let a = a.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let b = b.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let (mut max_abs, mut squared, mut reference) = (0.0_f64, 0.0, 0.0);
    for (x, y) in a.iter().zip(&b) {
        let distance = (x - y).abs();
        max_abs = if distance > max_abs || distance.is_nan() { distance } else { max_abs };
        squared += distance * distance;
        reference += y * y;
    }
    let relative_l2 = if squared == 0.0 { 0.0 } else { (squared / reference).sqrt() };
    Ok(Difference { max_abs, relative_l2 })
}
// ANCHOR_END: difference

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn measures_both_distances_and_does_not_hide_nan() {
        let at = |values: [f64; 2]| Tensor::new(&values, &Device::Cpu).unwrap();
        let found = difference(&at([3.0, 4.5]), &at([3.0, 4.0])).unwrap();
        assert_eq!(found, Difference { max_abs: 0.5, relative_l2: 0.1 });
        assert!(difference(&at([f64::NAN, 4.0]), &at([3.0, 4.0])).unwrap().max_abs.is_nan());
        assert!(difference(&at([1.0, 2.0]), &Tensor::new(&[1.0], &Device::Cpu).unwrap()).is_err());
    }
}
