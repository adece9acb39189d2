//! Tests of exercise 09.3: against attention by its definition. The literals come from `exercises/reference.py`.

use ex_kernels::e3_blocked_attention::causal_attention;

fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f64 / 400.0 - 2.5).collect()
}

/// Output and log-sum-exp, into zeros.
fn run(q: &[f64], k: &[f64], v: &[f64], head_dim: usize, block: usize) -> (Vec<f64>, Vec<f64>) {
    let mut out = vec![0.0; q.len()];
    let log_sum_exp = causal_attention(q, k, v, head_dim, block, &mut out);
    (out, log_sum_exp)
}

/// One query after the other, with all its scores.
fn definition(q: &[f64], k: &[f64], v: &[f64], head_dim: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut out, mut log_sum_exp) = (vec![0.0; q.len()], Vec::new());
    for i in 0..q.len() / head_dim {
        let dot = |j: usize| (0..head_dim).map(|c| q[i * head_dim + c] * k[j * head_dim + c]).sum::<f64>();
        let scores: Vec<f64> = (0..=i).map(|j| dot(j) / (head_dim as f64).sqrt()).collect();
        let max = scores.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
        for (j, score) in scores.iter().enumerate() {
            for c in 0..head_dim {
                out[i * head_dim + c] += (score - max).exp() / sum * v[j * head_dim + c];
            }
        }
        log_sum_exp.push(max + sum.ln());
    }
    (out, log_sum_exp)
}

#[track_caller]
fn assert_close(got: &[f64], want: &[f64], why: &str) {
    assert_eq!(got.len(), want.len(), "{why}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= 1e-9 * w.abs().max(1.0), "number {i} is {g}, expected {w}: {why}");
    }
}

#[test]
fn three_tokens_by_hand() {
    // head_dim 1: scores are products.
    let (out, log_sum_exp) = run(&[1.0, 2.0, -1.0], &[1.0, 0.5, 3.0], &[10.0, 20.0, 30.0], 1, 2);
    assert_close(&out, &[10.0, 12.689_414_214, 16.894_227_182], "weights times values");
    assert_close(&log_sum_exp, &[1.0, 2.313_261_688, 0.023_909_056], "of the scores [1], [2, 1] and [-1, -0.5, -3]");
}

#[test]
fn every_size_and_block_is_the_definition() {
    for (seq_len, head_dim) in [(1, 1), (2, 3), (7, 4), (16, 2), (33, 5)] {
        let n = seq_len * head_dim;
        let (q, k, v) = (numbers(n, 1), numbers(n, 2), numbers(n, 3));
        let (want_out, want_log_sum_exp) = definition(&q, &k, &v, head_dim);
        for block in [1, 2, 3, 8, 16, 64] {
            let (out, log_sum_exp) = run(&q, &k, &v, head_dim, block);
            let why = format!("seq_len {seq_len}, head_dim {head_dim}, blocks of {block}");
            assert_close(&out, &want_out, &why);
            assert_close(&log_sum_exp, &want_log_sum_exp, &why);
        }
    }
}

#[test]
fn the_first_query_sees_one_key() {
    let (out, log_sum_exp) = run(&[3.0, 4.0], &[1.0, 2.0], &[7.0, -7.0], 2, 4);
    assert_close(&out, &[7.0, -7.0], "a weight of 1");
    assert_close(&log_sum_exp, &[11.0 / 2f64.sqrt()], "its only score, divided by the root of head_dim");
}

#[test]
fn later_blocks_are_not_read() {
    let (seq_len, head_dim, block) = (12, 2, 4);
    let n = seq_len * head_dim;
    let (q, mut k, mut v) = (numbers(n, 1), numbers(n, 2), numbers(n, 3));
    let (before, _) = run(&q, &k, &v, head_dim, block);
    k[8 * head_dim..].fill(f64::NAN);
    v[8 * head_dim..].fill(f64::NAN);
    let (after, _) = run(&q, &k, &v, head_dim, block);
    assert_eq!(before[..8 * head_dim], after[..8 * head_dim], "queries 0 to 7 end before the third block begins");
}

#[test]
fn the_future_changes_nothing() {
    let (seq_len, head_dim) = (10, 3);
    let n = seq_len * head_dim;
    let (q, mut k, mut v) = (numbers(n, 1), numbers(n, 2), numbers(n, 3));
    let (before, _) = run(&q, &k, &v, head_dim, 4);
    k[7 * head_dim..].iter_mut().for_each(|k| *k += 1.0);
    v[7 * head_dim..].iter_mut().for_each(|v| *v = -*v);
    let (after, _) = run(&q, &k, &v, head_dim, 4);
    assert_eq!(before[..7 * head_dim], after[..7 * head_dim], "query 6 shares a block with key 7 and must not see it");
    assert_ne!(before[7 * head_dim..], after[7 * head_dim..]);
}

#[test]
fn what_was_in_the_output_does_not_matter() {
    let (q, k, v) = (numbers(12, 1), numbers(12, 2), numbers(12, 3));
    let (want, _) = run(&q, &k, &v, 3, 2);
    let mut out = vec![f64::NAN; 12];
    causal_attention(&q, &k, &v, 3, 2, &mut out);
    assert_close(&out, &want, "the output held NaN before, and must not be read");
}

#[test]
fn scores_far_apart_do_not_overflow() {
    let (out, log_sum_exp) = run(&[1.0; 3], &[900.0, 1800.0, -900.0], &[1.0, 2.0, 3.0], 1, 1);
    assert_close(&out, &[1.0, 2.0, 2.0], "the largest score takes all");
    assert_close(&log_sum_exp, &[900.0, 1800.0, 1800.0], "relative to the largest score no exponential overflows");
}
