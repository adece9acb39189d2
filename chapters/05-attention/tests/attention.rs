//! Attention against an independent implementation in plain loops, and its properties.
#![allow(clippy::unwrap_used)]

use attention::{Masking, Rope, attention_weights, merge_heads, scaled_dot_product_attention, softmax, split_heads};
use candle_core::{DType, Device, Tensor};
use tensors::{check_gradients, difference, normal};

const CPU: Device = Device::Cpu;

/// Grouped-query causal attention as four loops over plain arrays: slow, and too simple to share a fault with the tensor version.
fn naive(q: &[f32], k: &[f32], v: &[f32], heads: (usize, usize), lens: (usize, usize), head_dim: usize) -> Vec<f32> {
    let ((n_heads, n_kv_heads), (q_len, kv_len)) = (heads, lens);
    let mut out = Vec::new();
    for head in 0..n_heads {
        let kv_head = head * n_kv_heads / n_heads;
        for query in 0..q_len {
            let visible = kv_len - q_len + query + 1;
            let q_row = &q[(head * q_len + query) * head_dim..][..head_dim];
            let row = |x: &[f32], key: usize| x[(kv_head * kv_len + key) * head_dim..][..head_dim].to_vec();
            let exp: Vec<f64> = (0..visible)
                .map(|key| q_row.iter().zip(row(k, key)).map(|(a, b)| f64::from(a * b)).sum::<f64>())
                .map(|score| (score / (head_dim as f64).sqrt()).exp())
                .collect();
            let total: f64 = exp.iter().sum();
            out.extend(
                (0..head_dim)
                    .map(|i| (0..visible).map(|key| exp[key] / total * f64::from(row(v, key)[i])).sum::<f64>() as f32),
            );
        }
    }
    out
}

#[test]
fn equals_four_plain_loops() {
    for (n_heads, n_kv_heads, q_len, kv_len) in [(1, 1, 1, 1), (4, 4, 5, 5), (6, 2, 3, 7), (3, 1, 1, 9), (8, 4, 16, 16)]
    {
        let head_dim = 6;
        let draw =
            |name: &str, heads: usize, len: usize| normal(1, name, (1, heads, len, head_dim), 1.0, &CPU).unwrap();
        let (q, k, v) = (draw("q", n_heads, q_len), draw("k", n_kv_heads, kv_len), draw("v", n_kv_heads, kv_len));
        let flat = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let expected = naive(&flat(&q), &flat(&k), &flat(&v), (n_heads, n_kv_heads), (q_len, kv_len), head_dim);
        let found = scaled_dot_product_attention(&q, &k, &v, Masking::Causal).unwrap();
        let expected = Tensor::from_vec(expected, found.shape(), &CPU).unwrap();
        let apart = difference(&found, &expected).unwrap();
        assert!(apart.max_abs < 1e-5, "{n_heads}/{n_kv_heads} heads, {q_len} of {kv_len}: {apart:?}");
    }
}

#[test]
fn a_later_token_cannot_change_an_earlier_output() {
    let draw = |name: &str| normal(2, name, (2, 4, 8, 6), 1.0, &CPU).unwrap();
    let (q, k, v) = (draw("q"), draw("k"), draw("v"));
    let before = scaled_dot_product_attention(&q, &k, &v, Masking::Causal).unwrap();
    let changed = |x: &Tensor| {
        Tensor::cat(&[x.narrow(2, 0, 5).unwrap(), (x.narrow(2, 5, 3).unwrap() * 9.0).unwrap()], 2).unwrap()
    };
    let after = scaled_dot_product_attention(&changed(&q), &changed(&k), &changed(&v), Masking::Causal).unwrap();
    let part = |x: &Tensor, from: usize, n: usize| x.narrow(2, from, n).unwrap();
    assert_eq!(difference(&part(&after, 0, 5), &part(&before, 0, 5)).unwrap().max_abs, 0.0);
    assert!(difference(&part(&after, 5, 3), &part(&before, 5, 3)).unwrap().max_abs > 0.1);
}

#[test]
fn weights_sum_to_one_and_survive_large_scores() {
    let q = normal(3, "q", (1, 2, 4, 8), 1e4, &CPU).unwrap();
    let weights = attention_weights(&q, &q, Masking::Causal).unwrap();
    for sum in weights.sum(3).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap() {
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }
}

#[test]
fn softmax_has_the_right_gradient() {
    let x = normal(4, "x", (3, 5), 2.0, &CPU).unwrap().to_dtype(DType::F64).unwrap();
    let weight = normal(4, "w", (3, 5), 1.0, &CPU).unwrap().to_dtype(DType::F64).unwrap();
    let check = check_gradients(&[x], 1e-5, |x| softmax(&x[0])?.mul(&weight)?.sum_all()).unwrap();
    assert!(check.max_error < 1e-8, "{check:?}");
}

#[test]
fn candle_nn_s_fused_softmax_cuts_the_graph_and_ours_does_not() {
    let scores = candle_core::Var::from_tensor(&normal(4, "x", (3, 5), 2.0, &CPU).unwrap()).unwrap();
    let gradient = |weights: Tensor| {
        let loss = weights.sqr().unwrap().sum_all().unwrap();
        loss.backward().unwrap().get(&scores).cloned()
    };
    let (theirs, ours) = (candle_nn::ops::softmax_last_dim(&scores).unwrap(), softmax(&scores).unwrap());
    assert!(difference(&theirs, &ours).unwrap().max_abs < 1e-6, "the values are the same");
    assert!(gradient(theirs).is_none(), "candle-nn's softmax has a backward now: the chapter must be told");
    assert!(gradient(ours).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap() > 1e-3);
}

#[test]
fn a_window_and_padding_are_what_attention_on_fewer_keys_gives() {
    let draw = |name: &str, n_heads: usize| normal(7, name, (2, n_heads, 6, 4), 1.0, &CPU).unwrap();
    let (q, k, v) = (draw("q", 4), draw("k", 2), draw("v", 2));
    let one = |x: &Tensor, from: usize, n: usize| x.narrow(2, from, n).unwrap();
    let masking = Masking::Restricted { window: Some(3), padding: None };
    let found = scaled_dot_product_attention(&q, &k, &v, masking).unwrap();
    for at in 0..6 {
        let from = (at + 1usize).saturating_sub(3);
        let (k, v) = (one(&k, from, at + 1 - from), one(&v, from, at + 1 - from));
        let expected = scaled_dot_product_attention(&one(&q, at, 1), &k, &v, Masking::Full).unwrap();
        assert!(difference(&one(&found, at, 1), &expected).unwrap().max_abs < 1e-6, "position {at}");
    }
    // The second sequence has two positions of padding: the rest is as if they were not there.
    let masking = Masking::Restricted { window: None, padding: Some(&[0, 2]) };
    let found = scaled_dot_product_attention(&q, &k, &v, masking).unwrap();
    for (sequence, n_padding) in [(0, 0), (1, 2)] {
        let of = |x: &Tensor| one(&x.narrow(0, sequence, 1).unwrap(), n_padding, 6 - n_padding).contiguous().unwrap();
        let expected = scaled_dot_product_attention(&of(&q), &of(&k), &of(&v), Masking::Causal).unwrap();
        assert!(difference(&of(&found), &expected).unwrap().max_abs < 1e-6, "sequence {sequence}");
    }
    let sum = found.sum_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(sum.is_finite(), "padding itself is no NaN");
}

#[test]
fn attention_has_the_right_gradient() {
    let draw = |name: &str, n_heads: usize| {
        normal(5, name, (1, n_heads, 3, 4), 1.0, &CPU).unwrap().to_dtype(DType::F64).unwrap()
    };
    let rope = Rope::new(4, 8, 10_000.0, &CPU).unwrap();
    let check = check_gradients(&[draw("q", 4), draw("k", 2), draw("v", 2)], 1e-5, |x| {
        let (q, k) = (rope.rotate(&x[0], 1)?, rope.rotate(&x[1], 1)?);
        scaled_dot_product_attention(&q, &k, &x[2], Masking::Causal)?.sqr()?.sum_all()
    })
    .unwrap();
    assert!(check.max_error < 1e-7, "{check:?}");
}

#[test]
fn rotation_keeps_lengths_and_only_distance_counts() {
    let rope = Rope::new(16, 300, 10_000.0, &CPU).unwrap();
    let draw = |name: &str| normal(6, name, (1, 1, 1, 16), 1.0, &CPU).unwrap();
    let (q, k) = (draw("q"), draw("k"));
    let dot = |a: &Tensor, b: &Tensor| (a * b).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
    let score = |m, n| dot(&rope.rotate(&q, m).unwrap(), &rope.rotate(&k, n).unwrap());
    let rotated = rope.rotate(&q, 123).unwrap();
    assert!((dot(&rotated, &rotated) - dot(&q, &q)).abs() < 1e-4);
    assert!((score(7, 3) - score(204, 200)).abs() < 1e-4);
    assert!((score(7, 3) - score(7, 4)).abs() > 1e-3, "another distance gives another score");
    // Position 1 rotates the first pair (elements 0 and 8) by exactly one radian.
    let x = q.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let y = rope.rotate(&q, 1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert!((y[0] - (x[0] * 1f32.cos() - x[8] * 1f32.sin())).abs() < 1e-6);
    assert!((y[8] - (x[0] * 1f32.sin() + x[8] * 1f32.cos())).abs() < 1e-6);
    // And the second pair (elements 1 and 9) by base^(-2/head_dim).
    let angle = 10_000f64.powf(-2.0 / 16.0) as f32;
    assert!((y[1] - (x[1] * angle.cos() - x[9] * angle.sin())).abs() < 1e-6);
    assert!((y[9] - (x[1] * angle.sin() + x[9] * angle.cos())).abs() < 1e-6);
}

#[test]
fn merging_heads_undoes_splitting_them() {
    let x = normal(7, "x", (2, 3, 24), 1.0, &CPU).unwrap();
    let split = split_heads(&x, 4).unwrap();
    assert_eq!(split.dims(), [2, 4, 3, 6]);
    assert_eq!(difference(&merge_heads(&split).unwrap(), &x).unwrap().max_abs, 0.0);
    assert!(split_heads(&x, 5).unwrap_err().to_string().contains("n_heads 5 does not divide the width 24"));
}

#[test]
fn positions_beyond_the_table_are_refused() {
    let rope = Rope::new(4, 8, 10_000.0, &CPU).unwrap();
    let x = normal(8, "x", (1, 1, 3, 4), 1.0, &CPU).unwrap();
    assert!(rope.rotate(&x, 6).unwrap_err().to_string().contains("position 8 is beyond max_seq_len 8"));
    assert!(Rope::new(5, 8, 10_000.0, &CPU).is_err());
}

#[test]
fn heads_of_another_width_than_the_table_are_refused() {
    for table in [2, 8] {
        let rope = Rope::new(table, 8, 10_000.0, &CPU).unwrap();
        for head_dim in [4, table + 1] {
            let x = normal(9, "x", (1, 1, 3, head_dim), 1.0, &CPU).unwrap();
            let error = rope.rotate(&x, 0).unwrap_err().to_string();
            assert!(error.contains(&format!("head_dim {head_dim} is not the {table}")), "{error}");
        }
    }
}

#[test]
fn a_row_without_any_score_has_no_softmax() {
    let inf = f32::NEG_INFINITY;
    let rows = softmax(&Tensor::new(&[[inf, inf], [0.0, inf]], &CPU).unwrap()).unwrap().to_vec2::<f32>().unwrap();
    assert!(rows[0].iter().all(|p| p.is_nan()) && rows[1] == [1.0, 0.0], "{rows:?}");
}
