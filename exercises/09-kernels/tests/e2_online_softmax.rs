//! Tests of exercise 09.2. The literals come from `exercises/reference.py`.

use ex_kernels::e2_online_softmax::Running;

const HIDDEN: f64 = f64::NEG_INFINITY;

#[track_caller]
fn assert_close(got: f64, want: f64, why: &str) {
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "got {got}, expected {want}: {why}");
}

/// Pushes a row in blocks of `size` and repairs earlier weights as attention does.
fn weights_of(row: &[f64], size: usize) -> (Running, Vec<f64>) {
    let (mut running, mut weights) = (Running::EMPTY, Vec::<f64>::new());
    for block in row.chunks(size) {
        let mut block = block.to_vec();
        let factor = running.push(&mut block);
        weights.iter_mut().for_each(|weight| *weight *= factor);
        weights.extend(block);
    }
    (running, weights)
}

#[test]
fn the_example() {
    let mut running = Running::EMPTY;
    let mut block = [1.0, 3.0];
    assert_eq!(running.push(&mut block), 0.0, "before the first block there is nothing to repair");
    assert_close(block[0], 0.135_335_283, "exp(1 - 3)");
    assert_eq!(block[1], 1.0, "the largest score has weight 1");
    let mut block = [2.0];
    assert_eq!(running.push(&mut block), 1.0, "2 is no new maximum: what was before stays");
    assert_close(block[0], 0.367_879_441, "relative to the largest score so far, 3, not to that of the block");
    assert_eq!(running.max, 3.0);
    assert_close(running.sum, 1.503_214_724, "1 + exp(-2) + exp(-1)");
    assert_close(running.log_sum_exp(), 3.407_605_964, "the maximum plus the logarithm of the sum");
}

#[test]
fn blocks_of_any_size_give_the_softmax_of_the_row() {
    for rise in [-0.5, 0.0, 0.5] {
        let row: Vec<f64> = (0..23).map(|i| ((i * 37 + 11) % 29) as f64 / 4.0 + rise * i as f64).collect();
        let max = row.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = row.iter().map(|s| (s - max).exp()).sum();
        for size in [1, 2, 5, 22, 23, 100] {
            let (running, weights) = weights_of(&row, size);
            assert_close(running.log_sum_exp(), max + sum.ln(), &format!("blocks of {size}"));
            for (i, weight) in weights.iter().enumerate() {
                let want = (row[i] - max).exp() / sum;
                assert_close(weight / running.sum, want, &format!("weight {i} in blocks of {size}"));
            }
        }
    }
}

#[test]
fn a_new_maximum_repairs_what_was_summed() {
    let mut running = Running::EMPTY;
    running.push(&mut [0.0, 0.0]);
    let factor = running.push(&mut [2.0]);
    assert_close(factor, 0.135_335_283, "everything before is too large by exp(2)");
    assert_close(running.sum, 1.0 + 2.0 * factor, "the old sum of 2, repaired, and the new weight of 1");
}

#[test]
fn large_scores_do_not_overflow() {
    let (running, weights) = weights_of(&[1000.0, 2000.0, -3000.0, 2000.0], 1);
    assert_eq!((running.max, running.sum), (2000.0, 2.0));
    assert_eq!(weights, [0.0, 1.0, 0.0, 1.0]);
    assert_close(running.log_sum_exp(), 2000.0 + 2f64.ln(), "exp(2000) is infinite, its logarithm is not");
}

#[test]
fn masked_scores_weigh_nothing() {
    let (running, weights) = weights_of(&[HIDDEN, HIDDEN, 1.0, HIDDEN, 1.0, HIDDEN, HIDDEN], 2);
    assert_eq!(weights, [0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0], "no NaN from a block of masked scores");
    assert_eq!((running.max, running.sum), (1.0, 2.0));
    let mut running = Running::EMPTY;
    assert_eq!(running.push(&mut [HIDDEN; 3]), 1.0, "a masked block changes nothing, so its factor is 1");
    assert_eq!(running, Running::EMPTY);
}
