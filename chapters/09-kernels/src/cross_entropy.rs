//! The output head and the log-probability of each target in one operation, chunk by chunk: the full matrix of logits never exists.
//!
//! For a position with hidden state $x$ and target $t$ the logits are $z = W x$, and
//! $$\log p_t = z_t - \log \sum_j e^{z_j}, \qquad
//!   \frac{\partial L}{\partial z_j} = g\,\bigl([j = t] - e^{z_j} / \textstyle\sum_i e^{z_i}\bigr),$$
//! where $g$ is the gradient of the loss with respect to $\log p_t$; then $\partial L / \partial x = W^\top\, \partial L / \partial z$, and
//! $\partial L / \partial W$ is the sum of $(\partial L / \partial z)\, x^\top$ over all positions. The cross-entropy is the mean of $-\log p_t$.
//!
//! A batch of 16,384 positions and a vocabulary of 32,768 has 2 GiB of logits, and as much of their gradient. Nobody needs them at once: some rows
//! of logits are computed, reduced to a number each, turned in place into their gradient, multiplied into those of $x$ and $W$, and overwritten by the next.
//! Where the gradients $g$ are known only after the forward pass, the backward pass computes the logits again; where they are known before, as in training
//! with the mean, [`forward_and_backward`] saves this product (Liger Kernel, Hsu et al. 2024, arXiv 2410.10989, does so on a GPU).
//!
//! A mask is a $g$ of 0. Such a row adds exactly nothing, and a chunk of such rows is not multiplied.

use std::ops::Range;

use rayon::prelude::*;

use crate::Isa;
use crate::isa::{Arithmetic, per_isa};
use crate::lanes::{LANES, exp, max, sum_lanes};
use crate::matmul::{Precision, Threads, Write, matmul};
use crate::matrix::{Matrix, MatrixMut};

/// A good number of rows in a chunk. Each chunk reads the whole head and reads and writes its gradient, so that half as many rows make the products
/// up to a tenth slower; twice as many gain little, and their logits take twice the memory.
pub const CHUNK_ROWS: usize = 512;

/// Rows of logits that one task works on.
const ROWS_PER_TASK: usize = 4;

// ANCHOR: inputs
/// What the log-probabilities are computed from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Hidden states `(rows, d_model)`.
    pub x: &'a [f32],
    /// The head's matrix `(vocab_size, d_model)`.
    pub weight: &'a [f32],
    /// Length of a hidden state.
    pub d_model: usize,
    /// The token that should follow, for each row `(rows)`; a masked row has one too.
    pub targets: &'a [u32],
}

/// Where gradients go.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// That of the hidden states `(rows, d_model)`, which is replaced.
    pub dx: &'a mut [f32],
    /// That of the head `(vocab_size, d_model)`.
    pub dweight: &'a mut [f32],
    /// Whether `dweight` is replaced or added to.
    pub write: Write,
}
// ANCHOR_END: inputs

// ANCHOR: forward
/// Writes the log-probability of each target to `log_probs` `(rows)` and the log-sum-exp of each row's logits to `log_sum_exp` `(rows)`.
///
/// `logits` is room for a chunk, `(CHUNK_ROWS, vocab_size)` or any other number of rows, which decides the order of sums and so their last bits;
/// what is in it does not matter.
///
/// # Panics
/// If the lengths do not fit, or a target lies outside the vocabulary.
pub fn forward(
    isa: Isa,
    precision: Precision,
    inputs: Inputs<'_>,
    logits: &mut [f32],
    log_probs: &mut [f32],
    log_sum_exp: &mut [f32],
) {
    let head = Head::new(isa, precision, inputs, [log_probs.len(), log_sum_exp.len()]);
    for rows in head.chunks(logits.len()) {
        let logits = head.logits(rows.clone(), logits);
        head.log_probs(rows.clone(), logits, &mut log_probs[rows.clone()], &mut log_sum_exp[rows]);
    }
}
// ANCHOR_END: forward

// ANCHOR: backward
/// Computes the gradients from the `log_sum_exp` of [`forward`] and the gradient of each log-probability, `d_log_probs`, both `(rows)`.
///
/// `logits` is room for a chunk, as in [`forward`].
///
/// # Panics
/// If the lengths do not fit, or a target lies outside the vocabulary.
pub fn backward(
    isa: Isa,
    precision: Precision,
    inputs: Inputs<'_>,
    (log_sum_exp, d_log_probs): (&[f32], &[f32]),
    logits: &mut [f32],
    gradients: Gradients<'_>,
) {
    let head = Head::new(isa, precision, inputs, [log_sum_exp.len(), d_log_probs.len()]);
    let mut sums = head.sums(gradients);
    for rows in head.chunks(logits.len()) {
        let d_log_probs = &d_log_probs[rows.clone()];
        if is_masked(d_log_probs) {
            sums.skip(rows);
            continue;
        }
        let logits = head.logits(rows.clone(), logits);
        sums.add(rows.clone(), logits, &log_sum_exp[rows], d_log_probs);
    }
    sums.finish();
}
// ANCHOR_END: backward

// ANCHOR: forward_and_backward
/// Both at once, for gradients of the log-probabilities that are known beforehand: `d_log_probs` `(rows)`, −1/rows of the mean cross-entropy.
///
/// `logits` is room for a chunk, as in [`forward`].
///
/// # Panics
/// If the lengths do not fit, or a target lies outside the vocabulary.
pub fn forward_and_backward(
    isa: Isa,
    precision: Precision,
    inputs: Inputs<'_>,
    d_log_probs: &[f32],
    logits: &mut [f32],
    log_probs: &mut [f32],
    gradients: Gradients<'_>,
) {
    let head = Head::new(isa, precision, inputs, [log_probs.len(), d_log_probs.len()]);
    let mut sums = head.sums(gradients);
    let mut log_sum_exp = vec![0.0; inputs.targets.len()];
    for rows in head.chunks(logits.len()) {
        let logits = head.logits(rows.clone(), logits);
        let log_sum_exp = &mut log_sum_exp[rows.clone()];
        head.log_probs(rows.clone(), logits, &mut log_probs[rows.clone()], log_sum_exp);
        let d_log_probs = &d_log_probs[rows.clone()];
        if is_masked(d_log_probs) {
            sums.skip(rows);
        } else {
            sums.add(rows, logits, log_sum_exp, d_log_probs);
        }
    }
    sums.finish();
}
// ANCHOR_END: forward_and_backward

fn is_masked(d_log_probs: &[f32]) -> bool {
    d_log_probs.iter().all(|&g| g == 0.0)
}

// ANCHOR: head
/// The head at work: inputs that were checked, and how to multiply.
#[derive(Debug, Clone, Copy)]
struct Head<'a> {
    isa: Isa,
    precision: Precision,
    inputs: Inputs<'a>,
    vocab_size: usize,
}

impl<'a> Head<'a> {
    /// `lengths` are those of slices with a number for each row.
    fn new(isa: Isa, precision: Precision, inputs: Inputs<'a>, lengths: [usize; 2]) -> Self {
        let Inputs { x, weight, d_model, targets } = inputs;
        assert!(lengths == [targets.len(); 2], "{lengths:?} numbers for {} targets", targets.len());
        assert!(
            d_model > 0 && weight.len().is_multiple_of(d_model),
            "a head of {} numbers, rows of {d_model}",
            weight.len()
        );
        assert_eq!(x.len(), targets.len() * d_model, "hidden states of {} targets, rows of {d_model}", targets.len());
        let vocab_size = weight.len() / d_model;
        if let Some(target) = targets.iter().find(|&&target| target as usize >= vocab_size) {
            panic!("target {target} in a vocabulary of {vocab_size}");
        }
        Self { isa, precision, inputs, vocab_size }
    }

    /// The chunks of rows whose logits have room in `n_logits` numbers.
    fn chunks(&self, n_logits: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let n_rows = self.inputs.targets.len();
        let chunk_rows = n_logits / self.vocab_size.max(1);
        assert!(chunk_rows > 0 || n_rows == 0, "room for {n_logits} logits, a row has {}", self.vocab_size);
        (0..n_rows).step_by(chunk_rows.max(1)).map(move |start| start..n_rows.min(start + chunk_rows))
    }

    fn multiply(&self, write: Write, a: Matrix<'_>, b: Matrix<'_>, out: MatrixMut<'_>) {
        matmul(self.isa, self.precision, Threads::All, write, a, b, out);
    }

    fn x(&self, rows: Range<usize>) -> Matrix<'a> {
        Matrix::new(self.inputs.x, self.inputs.d_model).rows(rows)
    }

    fn weight(&self) -> Matrix<'a> {
        Matrix::new(self.inputs.weight, self.inputs.d_model)
    }

    /// z = W x of some rows, in the first part of `room`.
    fn logits<'l>(&self, rows: Range<usize>, room: &'l mut [f32]) -> &'l mut [f32] {
        let logits = &mut room[..rows.len() * self.vocab_size]; // (rows, vocab_size)
        let out = MatrixMut::new(logits, self.vocab_size);
        self.multiply(Write::Replace, self.x(rows), self.weight().transposed(), out);
        logits
    }

    fn log_probs(&self, rows: Range<usize>, logits: &[f32], log_probs: &mut [f32], log_sum_exp: &mut [f32]) {
        log_probs_of_chunk(self.isa, logits, &self.inputs.targets[rows], log_probs, log_sum_exp);
    }
}
// ANCHOR_END: head

/// What [`forward`] writes, for the rows whose `logits` `(rows, vocab_size)` these are.
pub(crate) fn log_probs_of_chunk(
    isa: Isa,
    logits: &[f32],
    targets: &[u32],
    log_probs: &mut [f32],
    log_sum_exp: &mut [f32],
) {
    let vocab_size = logits.len() / targets.len().max(1);
    logits
        .par_chunks(ROWS_PER_TASK * vocab_size.max(1))
        .zip(targets.par_chunks(ROWS_PER_TASK))
        .zip(log_probs.par_chunks_mut(ROWS_PER_TASK).zip(log_sum_exp.par_chunks_mut(ROWS_PER_TASK)))
        .for_each(|((logits, targets), (log_probs, log_sum_exp))| {
            log_probs_of_rows(isa, logits, targets, log_probs, log_sum_exp);
        });
}

// ANCHOR: sums
/// Gradients while chunk after chunk comes in.
struct Sums<'a> {
    head: Head<'a>,
    gradients: Gradients<'a>,
}

impl<'a> Head<'a> {
    fn sums(self, gradients: Gradients<'a>) -> Sums<'a> {
        let Inputs { x, weight, .. } = self.inputs;
        assert_eq!((gradients.dx.len(), gradients.dweight.len()), (x.len(), weight.len()), "gradients of x and weight");
        Sums { head: self, gradients }
    }
}

impl Sums<'_> {
    /// The gradients of some rows, whose `logits` become their own gradient.
    fn add(&mut self, rows: Range<usize>, logits: &mut [f32], log_sum_exp: &[f32], d_log_probs: &[f32]) {
        let Head { isa, inputs: Inputs { d_model, targets, .. }, vocab_size, .. } = self.head;
        logits
            .par_chunks_mut(ROWS_PER_TASK * vocab_size)
            .zip(targets[rows.clone()].par_chunks(ROWS_PER_TASK))
            .zip(log_sum_exp.par_chunks(ROWS_PER_TASK).zip(d_log_probs.par_chunks(ROWS_PER_TASK)))
            .for_each(|((logits, targets), (log_sum_exp, d_log_probs))| {
                d_logits_of_rows(isa, logits, targets, log_sum_exp, d_log_probs);
            });
        let d_logits = Matrix::new(logits, vocab_size);
        let dx = &mut self.gradients.dx[rows.start * d_model..rows.end * d_model];
        self.head.multiply(Write::Replace, d_logits, self.head.weight(), MatrixMut::new(dx, d_model));
        let dweight = MatrixMut::new(self.gradients.dweight, d_model);
        self.head.multiply(self.gradients.write, d_logits.transposed(), self.head.x(rows), dweight);
        self.gradients.write = Write::Add;
    }

    /// The gradients of some rows that are masked.
    fn skip(&mut self, rows: Range<usize>) {
        let d_model = self.head.inputs.d_model;
        self.gradients.dx[rows.start * d_model..rows.end * d_model].fill(0.0);
    }

    fn finish(self) {
        // Still to be replaced: there was no row, or a mask over all of them.
        if self.gradients.write == Write::Replace {
            self.gradients.dweight.fill(0.0);
        }
    }
}
// ANCHOR_END: sums

// ANCHOR: rows
per_isa! {
    fn log_probs_of_rows<A>(logits: &[f32], targets: &[u32], log_probs: &mut [f32], log_sum_exp: &mut [f32]) {
        let rows = logits.chunks_exact(logits.len() / targets.len()).zip(targets);
        for ((logits, &target), (log_prob, log_sum_exp)) in rows.zip(log_probs.iter_mut().zip(log_sum_exp)) {
            // Relative to the largest logit no exponential overflows, and the sum is at least 1.
            let max = max(logits);
            let log_sum = sum_exp::<A>(logits, max).ln();
            *log_sum_exp = max + log_sum;
            *log_prob = (logits[target as usize] - max) - log_sum;
        }
    }
}

per_isa! {
    fn d_logits_of_rows<A>(logits: &mut [f32], targets: &[u32], log_sum_exp: &[f32], d_log_probs: &[f32]) {
        let rows = logits.chunks_exact_mut(logits.len() / targets.len()).zip(targets);
        for ((logits, &target), (&log_sum_exp, &g)) in rows.zip(log_sum_exp.iter().zip(d_log_probs)) {
            if g == 0.0 {
                logits.fill(0.0);
                continue;
            }
            for z in logits.iter_mut() {
                *z = -g * exp::<A>(*z - log_sum_exp);
            }
            logits[target as usize] += g;
        }
    }
}

/// Σ exp(zᵢ − shift).
#[inline(always)]
fn sum_exp<A: Arithmetic>(z: &[f32], shift: f32) -> f32 {
    let (blocks, rest) = z.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for block in blocks {
        for i in 0..LANES {
            lanes[i] += exp::<A>(block[i] - shift);
        }
    }
    sum_lanes(lanes) + rest.iter().map(|z| exp::<A>(z - shift)).sum::<f32>()
}
// ANCHOR_END: rows

#[cfg(test)]
mod tests;
