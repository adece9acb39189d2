//! Planted bug: one fault is left: rows that do not count.

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
        let log_sum_exp = max + sum_exp(row, max).ln();
        loss += log_sum_exp - row[target];
        for z in row.iter_mut() {
            *z = (*z - log_sum_exp).exp();
        }
        row[target] -= 1.0;
    }
    loss
}

/// The sum of exp(z - shift), in lanes.
fn sum_exp(row: &[f64], shift: f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let blocks = row.chunks_exact(LANES);
    let rest = blocks.remainder();
    for block in blocks {
        for i in 0..LANES {
            lanes[i] += (block[i] - shift).exp();
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|z| (z - shift).exp()).sum::<f64>()
}
