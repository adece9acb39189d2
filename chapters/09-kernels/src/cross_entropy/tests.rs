use super::*;
use crate::numbers::numbers;

/// (rows, vocab_size, d_model, rows in a chunk)
const SIZES: [[usize; 4]; 6] =
    [[0, 3, 2, 1], [1, 1, 1, 1], [3, 5, 7, 2], [9, 33, 16, 4], [7, 70, 9, 7], [11, 35, 19, 300]];

struct Case {
    x: Vec<f32>,
    weight: Vec<f32>,
    targets: Vec<u32>,
    /// The gradients of the log-probabilities: every third is 0.
    g: Vec<f32>,
    n_logits: usize,
    d_model: usize,
}

impl Case {
    fn new([rows, vocab_size, d_model, chunk_rows]: [usize; 4]) -> Self {
        let mut g = numbers(rows, 3, 1.0);
        g.iter_mut().step_by(3).for_each(|g| *g = 0.0);
        Self {
            x: numbers(rows * d_model, 1, 1.0),
            weight: numbers(vocab_size * d_model, 2, 1.0),
            targets: (0..rows).map(|i| (i * 31 % vocab_size) as u32).collect(),
            g,
            n_logits: chunk_rows * vocab_size,
            d_model,
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs { x: &self.x, weight: &self.weight, d_model: self.d_model, targets: &self.targets }
    }

    fn forward(&self, isa: Isa, precision: Precision) -> [Vec<f32>; 2] {
        let [mut logits, mut log_probs, mut log_sum_exp] =
            [self.n_logits, self.g.len(), self.g.len()].map(|n| vec![f32::NAN; n]);
        forward(isa, precision, self.inputs(), &mut logits, &mut log_probs, &mut log_sum_exp);
        [log_probs, log_sum_exp]
    }

    /// The gradients of x and weight.
    fn backward(&self, isa: Isa, precision: Precision, log_sum_exp: &[f32]) -> [Vec<f32>; 2] {
        let [mut logits, mut dx, mut dweight] =
            [self.n_logits, self.x.len(), self.weight.len()].map(|n| vec![f32::NAN; n]);
        let gradients = Gradients { dx: &mut dx, dweight: &mut dweight, write: Write::Replace };
        backward(isa, precision, self.inputs(), (log_sum_exp, &self.g), &mut logits, gradients);
        [dx, dweight]
    }

    /// The log-probabilities, then the gradients.
    fn both(&self, isa: Isa, precision: Precision) -> [Vec<f32>; 3] {
        let [mut logits, mut log_probs, mut dx, mut dweight] =
            [self.n_logits, self.g.len(), self.x.len(), self.weight.len()].map(|n| vec![f32::NAN; n]);
        let gradients = Gradients { dx: &mut dx, dweight: &mut dweight, write: Write::Replace };
        forward_and_backward(isa, precision, self.inputs(), &self.g, &mut logits, &mut log_probs, gradients);
        [log_probs, dx, dweight]
    }

    fn naive_log_probs(&self, x: &[f64], weight: &[f64]) -> Vec<f64> {
        let rows = x.chunks(self.d_model).zip(&self.targets);
        rows.map(|(x, &target)| {
            let dot = |w: &[f64]| x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
            let logits: Vec<f64> = weight.chunks(self.d_model).map(dot).collect();
            logits[target as usize] - logits.iter().map(|z| z.exp()).sum::<f64>().ln()
        })
        .collect()
    }

    /// Σ g log p: the loss whose gradients are asked for.
    fn naive_loss(&self, x: &[f64], weight: &[f64]) -> f64 {
        self.naive_log_probs(x, weight).iter().zip(&self.g).map(|(log_prob, &g)| log_prob * f64::from(g)).sum()
    }

    /// The gradients of x and weight by central differences, exact to 10⁻⁹ in f64.
    fn naive_gradients(&self) -> [Vec<f64>; 2] {
        const H: f64 = 1e-5;
        let (x, weight) = (wide(&self.x), wide(&self.weight));
        let slope = |f: &dyn Fn(f64) -> f64| (f(H) - f(-H)) / (2.0 * H);
        let nudged = |v: &[f64], j: usize, h: f64| {
            let mut v = v.to_vec();
            v[j] += h;
            v
        };
        let of_x = |j: usize| slope(&|h| self.naive_loss(&nudged(&x, j, h), &weight));
        let of_weight = |j: usize| slope(&|h| self.naive_loss(&x, &nudged(&weight, j, h)));
        [(0..x.len()).map(of_x).collect(), (0..weight.len()).map(of_weight).collect()]
    }
}

fn wide(v: &[f32]) -> Vec<f64> {
    v.iter().map(|&x| f64::from(x)).collect()
}

fn assert_close(got: &[f32], truth: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), truth.len());
    for (i, (&got, truth)) in got.iter().zip(truth).enumerate() {
        let difference = (f64::from(got) - truth).abs();
        assert!(difference <= tolerance * truth.abs().max(1.0), "{what} {i}: {got}, not {truth}");
    }
}

#[test]
fn values_and_gradients_are_those_of_the_formula() {
    for sizes in SIZES {
        let case = Case::new(sizes);
        let log_probs = case.naive_log_probs(&wide(&case.x), &wide(&case.weight));
        let [dx, dweight] = case.naive_gradients();
        for &isa in Isa::available() {
            // F32: sums of up to 70 numbers of order 1. Bf16: each factor of up to 19 products is off by up to 2⁻⁹.
            for (precision, tolerance) in [(Precision::F32, 2e-6), (Precision::Bf16, 3e-2)] {
                let what = format!("{isa} {precision:?} {sizes:?}");
                let [got, log_sum_exp] = case.forward(isa, precision);
                assert_close(&got, &log_probs, tolerance, &format!("{what} log-probability"));
                let [got_dx, got_dweight] = case.backward(isa, precision, &log_sum_exp);
                assert_close(&got_dx, &dx, tolerance, &format!("{what} dx"));
                assert_close(&got_dweight, &dweight, tolerance, &format!("{what} dweight"));
                assert_eq!(case.both(isa, precision), [got, got_dx, got_dweight], "{what} both at once");
            }
        }
    }
}

/// Also in products large enough that `gemm` shares them out.
#[test]
fn threads_do_not_change_a_bit() {
    for (sizes, precision) in [([40, 257, 65, 16], Precision::F32), ([150, 500, 96, 64], Precision::F32)] {
        let case = Case::new(sizes);
        let of = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| {
                let [log_probs, log_sum_exp] = case.forward(Isa::best(), precision);
                let [dx, dweight] = case.backward(Isa::best(), precision, &log_sum_exp);
                [log_probs, log_sum_exp, dx, dweight]
            })
        };
        assert_eq!(of(1), of(3));
    }
}

#[test]
fn adding_is_replacing_and_a_sum() {
    let case = Case::new([9, 33, 16, 4]);
    let [_, dx, alone] = case.both(Isa::best(), Precision::F32);
    let [mut logits, mut log_probs, mut dx_again] =
        [case.n_logits, case.g.len(), case.x.len()].map(|n| vec![f32::NAN; n]);
    let mut added = vec![1.0; alone.len()];
    let gradients = Gradients { dx: &mut dx_again, dweight: &mut added, write: Write::Add };
    forward_and_backward(Isa::best(), Precision::F32, case.inputs(), &case.g, &mut logits, &mut log_probs, gradients);
    assert_eq!(dx_again, dx);
    assert_close(&added, &alone.iter().map(|x| 1.0 + f64::from(*x)).collect::<Vec<_>>(), 1e-6, "dweight");
}

/// Whole chunks and rows of others: what the mask hides could be anything finite, even if its softmax is not a number.
#[test]
fn masked_rows_add_exactly_nothing() {
    let mut case = Case::new([9, 33, 16, 3]);
    case.g[3..6].fill(0.0); // a whole chunk
    let hidden: Vec<usize> = (0..9).filter(|&i| case.g[i] == 0.0).collect();
    let [_, dx, dweight] = case.both(Isa::best(), Precision::F32);
    for &i in &hidden {
        assert!(dx[i * 16..][..16].iter().all(|&x| x == 0.0));
        case.x[i * 16..][..16].fill(f32::MAX);
        case.targets[i] = 7;
    }
    let [log_probs, dx_again, dweight_again] = case.both(Isa::best(), Precision::F32);
    assert!((0..9).all(|i| log_probs[i].is_nan() == hidden.contains(&i)));
    assert_eq!((dx, dweight), (dx_again, dweight_again));
    case.g.fill(0.0);
    let [_, dx, dweight] = case.both(Isa::best(), Precision::F32);
    assert!(dx.iter().chain(&dweight).all(|&x| x == 0.0));
}

/// One logit of 200 000 would overflow every exponential; a probability of nearly 1 keeps its logarithm.
#[test]
fn large_logits_and_nan() {
    let inputs = Inputs { x: &[1.0], weight: &[2e5, 0.0, 2e5 - 20.0], d_model: 1, targets: &[0] };
    let (mut log_prob, mut log_sum_exp) = ([f32::NAN], [f32::NAN]);
    let mut go = |inputs: Inputs<'_>| {
        forward(Isa::best(), Precision::F32, inputs, &mut [f32::NAN; 3], &mut log_prob, &mut log_sum_exp);
        log_prob[0]
    };
    // ln(1 + e⁻²⁰) is 2·10⁻⁹, and 1 + e⁻²⁰ is 1 in f32.
    assert_eq!(go(inputs), 0.0);
    assert_eq!(go(Inputs { targets: &[1], ..inputs }), -2e5);
    assert_eq!(go(Inputs { targets: &[2], ..inputs }), -20.0);
    assert!(go(Inputs { x: &[f32::NAN], ..inputs }).is_nan());
    assert!(go(Inputs { weight: &[0.0, 1.0, f32::NAN], ..inputs }).is_nan());
}

#[test]
#[should_panic(expected = "target 3 in a vocabulary of 3")]
fn a_target_outside_the_vocabulary_is_refused() {
    let inputs = Inputs { x: &[1.0; 2], weight: &[0.0; 3], d_model: 1, targets: &[2, 3] };
    forward(Isa::PORTABLE, Precision::F32, inputs, &mut [0.0; 6], &mut [0.0; 2], &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "room for 2 logits, a row has 3")]
fn no_room_for_a_row_is_refused() {
    let inputs = Inputs { x: &[1.0], weight: &[0.0; 3], d_model: 1, targets: &[2] };
    forward(Isa::PORTABLE, Precision::F32, inputs, &mut [0.0; 2], &mut [0.0], &mut [0.0]);
}
