//! Tests of exercise 05.4.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use ex_attention::e4_grouped_heads::expand_kv_heads;

/// Every number says its batch, head, position and channel: head 3 at position 2 of batch 1, channel 0 is 1320.
fn labelled(batch: usize, n_heads: usize, len: usize, head_dim: usize) -> Tensor {
    let mut values = Vec::new();
    for b in 0..batch {
        for h in 0..n_heads {
            for s in 0..len {
                values.extend((0..head_dim).map(|c| (1000 * b + 100 * h + 10 * s + c) as f32));
            }
        }
    }
    Tensor::from_vec(values, (batch, n_heads, len, head_dim), &Device::Cpu).unwrap()
}

/// The labels of the heads, of sequence `b`.
fn heads(x: &Tensor, b: usize) -> Vec<f32> {
    x.get(b).unwrap().narrow(1, 0, 1).unwrap().narrow(2, 0, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn neighbours_share_a_head() {
    let y = expand_kv_heads(&labelled(1, 2, 3, 4), 8).unwrap();
    assert_eq!(y.dims(), [1, 8, 3, 4], "(batch, n_heads, kv_len, head_dim)");
    assert_eq!(heads(&y, 0), [0.0, 0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 100.0], "A A A A B B B B");
}

#[test]
fn three_heads_for_nine_queries() {
    let y = expand_kv_heads(&labelled(1, 3, 2, 2), 9).unwrap();
    assert_eq!(heads(&y, 0), [0.0, 0.0, 0.0, 100.0, 100.0, 100.0, 200.0, 200.0, 200.0]);
}

#[test]
fn positions_and_channels_stay_where_they_are() {
    let (x, y) = (labelled(2, 2, 3, 4), expand_kv_heads(&labelled(2, 2, 3, 4), 4).unwrap());
    for query_head in 0..4 {
        let of = |x: &Tensor, head| x.narrow(1, head, 1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(
            of(&y, query_head),
            of(&x, query_head / 2),
            "query head {query_head} has key-value head {}",
            query_head / 2
        );
    }
}

#[test]
fn sequences_of_a_batch_stay_apart() {
    let y = expand_kv_heads(&labelled(3, 2, 1, 2), 4).unwrap();
    for b in 0..3 {
        let at = 1000.0 * b as f32;
        assert_eq!(heads(&y, b), [at, at, at + 100.0, at + 100.0], "sequence {b}");
    }
}

#[test]
fn as_many_heads_as_queries_change_nothing() {
    let x = labelled(2, 3, 2, 2);
    let all = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(all(&expand_kv_heads(&x, 3).unwrap()), all(&x), "groups of one");
}

#[test]
fn groups_of_different_sizes_are_an_error() {
    let error = expand_kv_heads(&labelled(1, 3, 1, 2), 8).expect_err("3 heads cannot serve 8 queries").to_string();
    assert!(error.contains('3') && error.contains('8'), "name both numbers, not: {error}");
}
