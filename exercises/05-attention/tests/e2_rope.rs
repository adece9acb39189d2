//! Tests of exercise 05.2. The literals come from `exercises/reference.py`.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use ex_attention::e2_rope::apply_rope;

const THETA: f64 = 10_000.0;

/// One head that stands at `position`.
fn turned(x: &[f32], position: usize) -> Vec<f32> {
    let x = Tensor::from_slice(x, (1, 1, 1, x.len()), &Device::Cpu).unwrap();
    let y = apply_rope(&x, position, THETA).unwrap();
    assert_eq!(y.dims(), x.dims(), "rotation keeps the shape");
    y.flatten_all().unwrap().to_vec1().unwrap()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[track_caller]
fn assert_close(got: &[f32], want: &[f32], tolerance: f32, why: &str) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance, "y[{i}] is {g}, expected {w}: {why}");
    }
}

#[test]
fn known_values() {
    let x = [1.0, 2.0, 3.0, 4.0];
    let why = "pairs are (x[0], x[2]) and (x[1], x[3]); angles are p and p / 100";
    assert_close(&turned(&x, 1), &[-1.984_110_6, 1.959_900_7, 2.462_378, 4.019_799_7], 1e-5, why);
    assert_close(&turned(&x, 2), &[-3.144_039_1, 1.919_605_3, -0.339_143_08, 4.039_197], 1e-5, why);
}

#[test]
fn a_quarter_turn_goes_from_the_first_half_to_the_second() {
    let y = turned(&[1.0, 0.0], 1);
    assert_close(&y, &[0.540_302_3, 0.841_471], 1e-6, "[1, 0] turns towards [0, 1], not [0, -1]");
}

#[test]
fn position_zero_stays() {
    let x = [0.3, -1.0, 2.0, 0.5, 0.1, 0.9];
    assert_close(&turned(&x, 0), &x, 1e-7, "the angle is 0 at position 0");
}

#[test]
fn length_is_kept() {
    let x = [0.3, -1.0, 2.0, 0.5, 0.1, 0.9, -0.7, 1.5];
    for position in [1, 17, 400] {
        let y = turned(&x, position);
        let (before, after) = (dot(&x, &x), dot(&y, &y));
        assert!((before - after).abs() < 1e-4, "squared length {before} became {after}: not a rotation");
    }
}

#[test]
fn dot_products_depend_on_distance_alone() {
    let q = [0.3, -1.0, 2.0, 0.5, 0.1, 0.9, -0.7, 1.5];
    let k = [1.1, 0.4, -0.2, 0.8, -1.3, 0.6, 0.2, -0.9];
    let near = dot(&turned(&q, 7), &turned(&k, 4));
    let far = dot(&turned(&q, 107), &turned(&k, 104));
    assert!((near - far).abs() < 1e-4, "positions 7 and 4 give {near}, 107 and 104 give {far}: both are 3 apart");
    let other = dot(&turned(&q, 7), &turned(&k, 1));
    assert!((near - other).abs() > 1e-2, "another distance must give another product, got {near} and {other}");
}

#[test]
fn start_continues_the_sequence() {
    let x = Tensor::arange(0f32, 48.0, &Device::Cpu).unwrap().reshape((1, 2, 6, 4)).unwrap();
    let whole = apply_rope(&x, 0, THETA).unwrap().narrow(2, 4, 2).unwrap();
    let tail = apply_rope(&x.narrow(2, 4, 2).unwrap(), 4, THETA).unwrap();
    let whole: Vec<f32> = whole.flatten_all().unwrap().to_vec1().unwrap();
    let tail: Vec<f32> = tail.flatten_all().unwrap().to_vec1().unwrap();
    assert_close(&tail, &whole, 1e-5, "tokens 4 and 5 alone, with start 4, equal those of the whole sequence");
}

#[test]
fn odd_head_dim_is_an_error() {
    let x = Tensor::from_slice(&[1f32, 2.0, 3.0], (1, 1, 1, 3), &Device::Cpu).unwrap();
    let error = apply_rope(&x, 0, THETA).expect_err("head_dim 3 must be refused").to_string();
    assert!(error.contains('3'), "name the head_dim, not: {error}");
}
