//! Initial weights that are the same in every run and in every order of creation.
//!
//! candle's CPU generator cannot be seeded, and a generator that all parameters share would give a weight another value
//! as soon as some other weight is added before it. Here every tensor has a stream of its own, chosen by the seed *and
//! the parameter's name*: ChaCha with 8 rounds (D. J. Bernstein, 2008) gives the bits, the Box–Muller transform
//! (1958) turns them into the normal distribution.

use candle_core::{Device, Result, Shape, Tensor};
use rand::RngCore;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

// ANCHOR: normal
/// A tensor of independent samples from the normal distribution N(0, `std`²).
///
/// The value depends on `seed`, `name` and the number of elements alone. Shape: `shape`; dtype f32.
///
/// # Errors
/// Only if the device cannot hold the tensor.
pub fn normal(seed: u64, name: &str, shape: impl Into<Shape>, std: f64, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(fnv1a(name));
    let mut values = Vec::with_capacity(shape.elem_count() + 1);
    while values.len() < shape.elem_count() {
        let (a, b) = box_muller(unit(&mut rng), unit(&mut rng));
        values.push((a * std) as f32);
        values.push((b * std) as f32);
    }
    values.truncate(shape.elem_count());
    Tensor::from_vec(values, shape, device)
}

/// Two independent standard normal numbers from two uniform ones in (0, 1].
fn box_muller(u: f64, v: f64) -> (f64, f64) {
    let radius = (-2.0 * u.ln()).sqrt();
    let angle = std::f64::consts::TAU * v;
    (radius * angle.cos(), radius * angle.sin())
}
// ANCHOR_END: normal

/// A uniform number in (0, 1], never 0, since its logarithm is taken.
fn unit(rng: &mut ChaCha8Rng) -> f64 {
    const TWO_POW_53: f64 = (1u64 << 53) as f64;
    ((rng.next_u64() >> 11) + 1) as f64 / TWO_POW_53
}

/// The 64-bit FNV-1a hash, which gives each name its stream.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_normal_distribution() {
        let x = normal(7, "w", (200, 500), 0.5, &Device::Cpu).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let n = x.len() as f64;
        let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let moment = |p: i32| x.iter().map(|&v| (f64::from(v) - mean).powi(p)).sum::<f64>() / n;
        let (variance, kurtosis) = (moment(2), moment(4) / moment(2).powi(2));
        // Four standard errors of each estimate at n = 100,000.
        assert!(mean.abs() < 4.0 * 0.5 / n.sqrt(), "mean {mean}");
        assert!((variance / 0.25 - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "variance {variance}");
        assert!((kurtosis - 3.0).abs() < 4.0 * (24.0 / n).sqrt(), "kurtosis {kurtosis}");
    }

    #[test]
    fn a_weight_depends_on_seed_and_name_alone() {
        let draw = |seed, name: &str| normal(seed, name, 4, 1.0, &Device::Cpu).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }
}
