//! The embedding: rows of a table for tokens, and the sum of their gradients on the way back.
//!
//! Forward copies row $t_i$ of the table for the token $t_i$ at position $i$. The gradient of a row is the sum over all places of its token,
//! $$\frac{\partial L}{\partial W_t} = \sum_{i:\, t_i = t} g_i.$$
//! Several threads must not add to one row at the same time, and the order of a sum decides its last bits. So the positions are first sorted by token
//! (a counting sort, which keeps the order of equal ones); then each row of the table belongs to one task, which adds in the order of the positions.

use rayon::prelude::*;

use crate::Isa;
use crate::isa::per_isa;

/// Tokens that one task looks up.
const TOKENS_PER_TASK: usize = 64;
/// Rows of the table that one task sums.
const TABLE_ROWS_PER_TASK: usize = 16;

// ANCHOR: forward
/// Writes the row of `weight` `(vocab_size, d)` for each of `tokens` `(rows)` to `out` `(rows, d)`.
///
/// # Panics
/// If the lengths do not fit, or a token lies outside the vocabulary.
pub fn forward(weight: &[f32], d: usize, tokens: &[u32], out: &mut [f32]) {
    check(weight, d, tokens, out.len());
    out.par_chunks_mut(TOKENS_PER_TASK * d).zip(tokens.par_chunks(TOKENS_PER_TASK)).for_each(|(out, tokens)| {
        for (out, &token) in out.chunks_exact_mut(d).zip(tokens) {
            out.copy_from_slice(&weight[token as usize * d..][..d]);
        }
    });
}
// ANCHOR_END: forward

// ANCHOR: backward
/// Adds each row of `gradient` `(rows, d)` to the row of `dweight` `(vocab_size, d)` for its token.
///
/// # Panics
/// If the lengths do not fit, or a token lies outside the vocabulary.
pub fn backward(isa: Isa, gradient: &[f32], d: usize, tokens: &[u32], dweight: &mut [f32]) {
    check(dweight, d, tokens, gradient.len());
    let places = Places::new(tokens, dweight.len() / d);
    let tasks = dweight.par_chunks_mut(TABLE_ROWS_PER_TASK * d).enumerate();
    // The frequent tokens stand together at the start of a vocabulary: threads share them only if no task is joined to the next.
    tasks.with_max_len(1).for_each(|(task, sums)| {
        for (token, sum) in (task * TABLE_ROWS_PER_TASK..).zip(sums.chunks_exact_mut(d)) {
            add_rows(isa, gradient, places.of(token), sum);
        }
    });
}

per_isa! {
    fn add_rows<A>(gradient: &[f32], positions: &[u32], sum: &mut [f32]) {
        let d = sum.len();
        for &i in positions {
            for (sum, g) in sum.iter_mut().zip(&gradient[i as usize * d..][..d]) {
                *sum += g;
            }
        }
    }
}

/// At which positions each token stands.
struct Places {
    /// Positions in the order of their tokens; those of one token ascend.
    sorted: Vec<u32>,
    /// Where in `sorted` each token begins, and where the last one ends.
    starts: Vec<u32>,
}

impl Places {
    fn new(tokens: &[u32], vocab_size: usize) -> Self {
        // Counts stand one entry late, so that their running sum says where a token begins.
        let mut starts = vec![0; vocab_size + 1];
        for &token in tokens {
            starts[token as usize + 1] += 1;
        }
        for token in 0..vocab_size {
            starts[token + 1] += starts[token];
        }
        let mut next = starts.clone();
        let mut sorted = vec![0; tokens.len()];
        for (i, &token) in (0..).zip(tokens) {
            sorted[next[token as usize] as usize] = i;
            next[token as usize] += 1;
        }
        Self { sorted, starts }
    }

    fn of(&self, token: usize) -> &[u32] {
        &self.sorted[self.starts[token] as usize..self.starts[token + 1] as usize]
    }
}
// ANCHOR_END: backward

fn check(weight: &[f32], d: usize, tokens: &[u32], n_numbers: usize) {
    assert!(d > 0 && weight.len().is_multiple_of(d), "a table of {} numbers in rows of {d}", weight.len());
    assert_eq!(n_numbers, tokens.len() * d, "{} rows of {d}", tokens.len());
    assert!(u32::try_from(tokens.len()).is_ok(), "{} tokens are more than 2³²", tokens.len());
    let vocab_size = weight.len() / d;
    if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocab_size) {
        panic!("token {token} in a vocabulary of {vocab_size}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::numbers;

    /// (rows, vocab_size, d)
    const SIZES: [(usize, usize, usize); 6] =
        [(0, 3, 5), (1, 1, 1), (7, 3, 33), (65, 300, 7), (200, 17, 64), (130, 1000, 19)];

    /// Some often, some never.
    fn tokens(n: usize, vocab_size: usize) -> Vec<u32> {
        (0..n)
            .map(|i| (i * i % (i % 5 + 3) % vocab_size + i % 2 * (vocab_size / 2)) as u32 % vocab_size as u32)
            .collect()
    }

    #[test]
    fn forward_copies_rows() {
        for (rows, vocab_size, d) in SIZES {
            let (weight, tokens) = (numbers(vocab_size * d, 1, 1.0), tokens(rows, vocab_size));
            let mut out = vec![f32::NAN; rows * d];
            forward(&weight, d, &tokens, &mut out);
            for (i, &token) in tokens.iter().enumerate() {
                assert_eq!(out[i * d..][..d], weight[token as usize * d..][..d], "({rows}, {vocab_size}, {d}) {i}");
            }
        }
    }

    /// One number after the other in the order of the positions: to the bit, because additions have no other order.
    #[test]
    fn backward_sums_in_the_order_of_the_positions() {
        for (rows, vocab_size, d) in SIZES {
            let (gradient, tokens) = (numbers(rows * d, 1, 1.0), tokens(rows, vocab_size));
            let before = numbers(vocab_size * d, 1, 1.0);
            let mut truth = before.clone();
            for (i, &token) in tokens.iter().enumerate() {
                for j in 0..d {
                    truth[token as usize * d + j] += gradient[i * d + j];
                }
            }
            for &isa in Isa::available() {
                for n_threads in [1, 3] {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
                    let mut dweight = before.clone();
                    pool.install(|| backward(isa, &gradient, d, &tokens, &mut dweight));
                    assert_eq!(dweight, truth, "{isa} ({rows}, {vocab_size}, {d}) {n_threads} threads");
                }
            }
        }
    }

    /// ⟨forward(W), g⟩ = ⟨W, backward(g)⟩: the map is linear, so this is its gradient. Small integers make both sums exact.
    #[test]
    fn backward_is_the_transpose_of_forward() {
        let (rows, vocab_size, d) = (50, 11, 6);
        let whole = |n: usize, m: usize| -> Vec<f32> { (0..n).map(|i| (i * m % 13) as f32 - 6.0).collect() };
        let (weight, gradient, tokens) = (whole(vocab_size * d, 5), whole(rows * d, 7), tokens(rows, vocab_size));
        let (mut out, mut dweight) = (vec![f32::NAN; rows * d], vec![0.0; vocab_size * d]);
        forward(&weight, d, &tokens, &mut out);
        backward(Isa::best(), &gradient, d, &tokens, &mut dweight);
        let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        assert_eq!(dot(&out, &gradient), dot(&weight, &dweight));
    }

    #[test]
    fn nan_stays_in_the_row_of_its_token() {
        let mut dweight = [0.0; 6];
        backward(Isa::best(), &[1.0, f32::NAN, 2.0, 3.0], 2, &[1, 2], &mut dweight);
        assert!(dweight[3].is_nan());
        assert_eq!((dweight[2], &dweight[4..]), (1.0, &[2.0, 3.0][..]));
    }

    #[test]
    #[should_panic(expected = "token 3 in a vocabulary of 3")]
    fn a_token_outside_the_vocabulary_is_refused_forward() {
        forward(&[0.0; 6], 2, &[0, 3], &mut [0.0; 4]);
    }

    #[test]
    #[should_panic(expected = "token 9 in a vocabulary of 3")]
    fn a_token_outside_the_vocabulary_is_refused_backward() {
        backward(Isa::PORTABLE, &[0.0; 4], 2, &[9, 0], &mut [0.0; 6]);
    }
}
