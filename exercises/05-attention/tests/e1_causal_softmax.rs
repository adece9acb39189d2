//! Tests of exercise 05.1. The literals come from `exercises/reference.py`.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use ex_attention::e1_causal_softmax::{causal_attention_weights, causal_mask};

const HIDDEN: f32 = f32::NEG_INFINITY;

fn mask(q_len: usize, kv_len: usize) -> Vec<Vec<f32>> {
    causal_mask(q_len, kv_len, &Device::Cpu).unwrap().to_vec2().unwrap()
}

/// Weights of one batch and one head; `rows[i][j]` is the score of query i on key j.
fn weights(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let scores = Tensor::new(rows.to_vec(), &Device::Cpu).unwrap();
    let scores = scores.unsqueeze(0).unwrap().unsqueeze(0).unwrap(); // (1, 1, q_len, kv_len)
    let weights = causal_attention_weights(&scores).unwrap();
    assert_eq!(weights.dims(), scores.dims(), "the weights have the shape of the scores");
    weights.squeeze(0).unwrap().squeeze(0).unwrap().to_vec2().unwrap()
}

#[track_caller]
fn assert_close(got: &[Vec<f32>], want: &[Vec<f32>], why: &str) {
    for (i, (g, w)) in got.iter().flatten().zip(want.iter().flatten()).enumerate() {
        assert!((g - w).abs() <= 1e-6, "entry {i} of {got:?} is {g}, expected {w}: {why}");
    }
}

#[test]
fn mask_of_a_whole_sequence() {
    let want = [[0.0, HIDDEN, HIDDEN], [0.0, 0.0, HIDDEN], [0.0, 0.0, 0.0]];
    assert_eq!(mask(3, 3), want, "a token sees itself and what is on its left");
}

#[test]
fn mask_with_cached_keys() {
    assert_eq!(
        mask(2, 4),
        [[0.0, 0.0, 0.0, HIDDEN], [0.0; 4]],
        "the queries are the last positions: query 0 of 2 stands at position 2 of 4"
    );
    assert_eq!(mask(1, 5), [[0.0; 5]], "the newest token sees everything");
}

#[test]
fn more_queries_than_keys_is_an_error() {
    let error = causal_mask(3, 2, &Device::Cpu).expect_err("3 queries on 2 keys must be refused").to_string();
    assert!(error.contains('3') && error.contains('2'), "name both numbers, not: {error}");
}

#[test]
fn known_values() {
    let scores = [vec![0.5, 9.0, 9.0], vec![1.0, -1.0, 9.0], vec![0.2, 0.4, 0.6]];
    let want = [vec![1.0, 0.0, 0.0], vec![0.880_797, 0.119_202_9, 0.0], vec![0.269_307_5, 0.328_932_9, 0.401_759_6]];
    assert_close(&weights(&scores), &want, "softmax over the visible keys of each row");
}

#[test]
fn each_row_sums_to_one() {
    let scores: Vec<Vec<f32>> = (0..6).map(|i| (0..8).map(|j| ((i * 5 + j * 3) % 7) as f32).collect()).collect();
    for (i, row) in weights(&scores).iter().enumerate() {
        let sum: f32 = row.iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "row {i} sums to {sum}: mask before the softmax, not after it");
    }
}

#[test]
fn the_future_changes_nothing() {
    let mut scores = vec![vec![0.1, 0.2, 0.3, 0.4]; 4];
    let before = weights(&scores);
    for (i, row) in scores.iter_mut().enumerate() {
        row[i + 1..].fill(50.0);
    }
    assert_eq!(weights(&scores), before, "scores of later keys must not matter, not even in the sum");
}

#[test]
fn large_scores_stay_finite() {
    let got = weights(&[vec![1000.0, 0.0], vec![1000.0, 1000.0]]);
    assert_close(&got, &[vec![1.0, 0.0], vec![0.5, 0.5]], "subtract the row's maximum before exp");
}

#[test]
fn batches_and_heads_share_the_mask() {
    let scores = Tensor::zeros((2, 3, 4, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
    let weights = causal_attention_weights(&scores).unwrap();
    let rows: Vec<Vec<f32>> = weights.reshape((24, 4)).unwrap().to_vec2().unwrap();
    for (k, row) in rows.iter().enumerate() {
        let n_visible = k % 4 + 1;
        let share = 1.0 / n_visible as f32;
        let want: Vec<f32> = (0..4).map(|j| if j < n_visible { share } else { 0.0 }).collect();
        assert_close(std::slice::from_ref(row), &[want], "equal scores share the weight equally");
    }
}
