//! Tests of exercise 05.3. The literals come from `exercises/reference.py`.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use ex_attention::e3_scaled_scores::attention_scores;

fn tensor(values: &[f32], shape: (usize, usize, usize)) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

fn flat(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn assert_close(got: &[f32], want: &[f32], why: &str) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= 1e-5, "score {i} is {g}, expected {w}: {why}");
    }
}

/// Numbers of variance 1 without a pattern.
fn noise(n: usize, mut state: u64) -> Vec<f32> {
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    // Twelve uniform numbers have a sum of variance 1.
    (0..n).map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0).collect()
}

#[test]
fn known_values() {
    let q = tensor(&[1.0, 2.0, 3.0, 4.0, 0.5, -1.0, 2.0, 0.0], (1, 2, 4));
    let k = tensor(&[1.0, 1.0, 1.0, 1.0, 2.0, 0.0, -1.0, 3.0, 0.0, 1.0, 0.5, 0.5], (1, 3, 4));
    let scores = attention_scores(&q, &k, 2).unwrap();
    assert_eq!(scores.dims(), [1, 2, 2, 3], "(batch, n_heads, q_len, kv_len)");
    let first = [2.121_320_3, std::f32::consts::SQRT_2, std::f32::consts::SQRT_2];
    let want = [first, [-0.353_553_4, 0.707_106_77, -0.707_106_77]].concat();
    assert_close(&flat(&scores)[..6], &want, "head 0 has the channels 0 and 1");
    let want = [4.949_747_6, 6.363_961, 2.474_873_8, std::f32::consts::SQRT_2, -std::f32::consts::SQRT_2, 0.707_106_77];
    assert_close(&flat(&scores)[6..], &want, "head 1 has the channels 2 and 3");
}

#[test]
fn a_single_head_is_a_plain_product() {
    let q = tensor(&[1.0, 2.0, 3.0, 4.0], (1, 1, 4));
    let scores = attention_scores(&q, &q, 1).unwrap();
    assert_close(&flat(&scores), &[15.0], "30 / sqrt(4)");
}

#[test]
fn the_spread_does_not_depend_on_the_number_of_heads() {
    let q = tensor(&noise(64 * 64, 1), (1, 64, 64));
    let k = tensor(&noise(64 * 64, 2), (1, 64, 64));
    for n_heads in [1, 4, 16, 64] {
        let scores = flat(&attention_scores(&q, &k, n_heads).unwrap());
        let variance = scores.iter().map(|s| s * s).sum::<f32>() / scores.len() as f32;
        assert!((variance - 1.0).abs() < 0.15, "with {n_heads} heads the scores have variance {variance}, expected 1");
    }
}

#[test]
fn a_head_looks_at_its_own_channels() {
    let q = tensor(&noise(6, 3), (1, 1, 6));
    let mut k = noise(6, 4);
    let before = flat(&attention_scores(&q, &tensor(&k, (1, 1, 6)), 3).unwrap());
    k[4] += 1.0;
    let after = flat(&attention_scores(&q, &tensor(&k, (1, 1, 6)), 3).unwrap());
    assert_eq!(before[..2], after[..2], "channel 4 belongs to head 2 and to no other");
    assert!((before[2] - after[2]).abs() > 1e-4, "channel 4 belongs to head 2");
}

#[test]
fn sequences_of_a_batch_stay_apart() {
    let (q, k) = (noise(2 * 3 * 4, 5), noise(2 * 5 * 4, 6));
    let both = attention_scores(&tensor(&q, (2, 3, 4)), &tensor(&k, (2, 5, 4)), 2).unwrap();
    assert_eq!(both.dims(), [2, 2, 3, 5]);
    let second = attention_scores(&tensor(&q[12..], (1, 3, 4)), &tensor(&k[20..], (1, 5, 4)), 2).unwrap();
    assert_close(&flat(&both)[30..], &flat(&second), "the second sequence alone");
}

#[test]
fn heads_that_do_not_divide_are_an_error() {
    let q = tensor(&[0.0; 6], (1, 1, 6));
    let error = attention_scores(&q, &q, 4).expect_err("4 heads cannot share 6 channels").to_string();
    assert!(error.contains('4') && error.contains('6'), "name both numbers, not: {error}");
}
