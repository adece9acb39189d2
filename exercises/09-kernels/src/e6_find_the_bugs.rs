//! Exercise 09.6: find the bugs in a kernel.
//!
//! The code below is not a starter but a kernel that somebody wrote in a hurry. It should compute the
//! cross-entropy of a chunk of logits and turn the logits, in place, into their gradient:
//!
//! ```text
//! L    = ln(sum over j of exp(z_j))                      of a row z
//! loss = sum of L - z_target over the rows that count
//! dz_j = exp(z_j - L) - [j = target]                     and 0 in the rows that do not
//! ```
//!
//! It compiles, it is fast, a model trained with it may even learn something, and every test is red.
//! There are **four** faults. Each test shows the work of one or more of them; repair one at a time and
//! watch tests turn green. Ask of each line what the formula asks of it, and which sizes it was never
//! run on.
//!
//! Shapes: `logits` `(rows, vocab_size)` flat; `targets` and `counts` `(rows)`.
//!
//! Example: for the logits `[0, 0, 0, 0]` and any target the loss is `ln 4`, and the gradient is a
//! quarter everywhere but at the target, where it is minus three quarters.
//!
//! Book: `book/src/09-kernels.md`. Source: Hsu et al., arXiv 2410.10989, section 3.2.

/// Numbers that are summed side by side.
const LANES: usize = 4;

/// The sum of the losses of the rows that count; `logits` `(rows, vocab_size)` become their own gradient.
pub fn loss_and_gradient(logits: &mut [f64], vocab_size: usize, targets: &[usize], counts: &[bool]) -> f64 {
    let mut loss = 0.0;
    for ((row, &target), &counts) in logits.chunks_exact_mut(vocab_size).zip(targets).zip(counts) {
        if !counts {
            continue;
        }
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum_exp = sum_exp(row, max).ln();
        loss += log_sum_exp - row[target];
        for z in row.iter_mut() {
            *z = (*z - log_sum_exp).exp();
        }
        row[target] += 1.0;
    }
    loss
}

/// The sum of exp(z - shift), in lanes.
fn sum_exp(row: &[f64], shift: f64) -> f64 {
    let mut lanes = [0.0; LANES];
    for block in row.chunks_exact(LANES) {
        for i in 0..LANES {
            lanes[i] += (block[i] - shift).exp();
        }
    }
    lanes.iter().sum()
}
