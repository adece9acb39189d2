use super::*;

/// A layer and its input: small odd sizes, whole and broken blocks of queries, and more than one block of keys.
const SHAPES: [(usize, usize, usize, usize, usize); 9] = [
    // batch, seq_len, n_heads, n_kv_heads, head_dim
    (1, 1, 1, 1, 2),
    (3, 1, 3, 1, 6),
    (1, 17, 3, 1, 6),
    (3, 17, 2, 2, 20),
    (2, 100, 6, 2, 64),
    (1, 64, 1, 1, 128),
    (1, 65, 2, 1, 6),
    (1, KEY_BLOCK, 1, 1, 2),
    (1, KEY_BLOCK + QUERY_BLOCK + 5, 3, 1, 4),
];

/// All keys; a window of a key, of less than a block of queries, of more than a block of keys; padding, without and with a window.
const MASKS: [Mask; 6] = [
    Mask::CAUSAL,
    Mask { window: 1, n_padding: 0 },
    Mask { window: 30, n_padding: 0 },
    Mask { window: KEY_BLOCK + 7, n_padding: 0 },
    Mask { window: usize::MAX, n_padding: 13 },
    Mask { window: 70, n_padding: QUERY_BLOCK + 2 },
];

fn cases() -> impl Iterator<Item = Case> {
    SHAPES.into_iter().flat_map(|shape| MASKS.map(|mask| Case { mask, ..Case::new(shape) }))
}

struct Case {
    shape: Shape,
    cos: Vec<f32>,
    sin: Vec<f32>,
    qkv: Vec<f32>,
    d_out: Vec<f32>,
    mask: Mask,
}

/// Numbers of mean 0 and variance 1/3.
fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

impl Case {
    fn new((batch, seq_len, n_heads, n_kv_heads, head_dim): (usize, usize, usize, usize, usize)) -> Self {
        let shape = Shape { batch, seq_len, n_heads, n_kv_heads, head_dim };
        let half = head_dim / 2;
        let angle = |i: usize| (i / half) as f64 * 100_f64.powf(-2.0 * (i % half) as f64 / head_dim as f64);
        Self {
            shape,
            cos: (0..seq_len * half).map(|i| angle(i).cos() as f32).collect(),
            sin: (0..seq_len * half).map(|i| angle(i).sin() as f32).collect(),
            // Twice the noise, for weights that are far from uniform.
            qkv: noise(shape.n_rows() * shape.n_packed() * head_dim, 1).iter().map(|x| 2.0 * x).collect(),
            d_out: noise(shape.n_rows() * n_heads * head_dim, 2),
            mask: Mask::CAUSAL,
        }
    }

    fn settings(&self, isa: Isa, precision: Precision) -> Settings<'_> {
        let tables = Tables { cos: &self.cos, sin: &self.sin };
        Settings { isa, precision, shape: self.shape, tables, mask: self.mask }
    }

    /// Output, log-sum-exp and gradient into memory that held NaN.
    fn run(&self, isa: Isa, precision: Precision) -> [Vec<f32>; 3] {
        let mut out = vec![f32::NAN; self.d_out.len()];
        let mut log_sum_exp = vec![f32::NAN; self.shape.n_rows() * self.shape.n_heads];
        let mut d_qkv = vec![f32::NAN; self.qkv.len()];
        forward(self.settings(isa, precision), &self.qkv, &mut out, &mut log_sum_exp);
        let saved = Saved { qkv: &self.qkv, out: &out, log_sum_exp: &log_sum_exp };
        backward(self.settings(isa, precision), saved, &self.d_out, &mut d_qkv);
        [out, log_sum_exp, d_qkv]
    }

    /// Where head number `head` of a packed row begins.
    fn packed_at(&self, row: usize, head: usize) -> usize {
        (row * self.shape.n_packed() + head) * self.shape.head_dim
    }

    /// One head's numbers rotated by a position, or back for `direction` −1.
    fn rotated(&self, x: &[f64], position: usize, direction: f64) -> Vec<f64> {
        let half = self.shape.head_dim / 2;
        let mut y = vec![0.0; 2 * half];
        for i in 0..half {
            let cos = f64::from(self.cos[position * half + i]);
            let sin = f64::from(self.sin[position * half + i]) * direction;
            y[i] = x[i] * cos - x[half + i] * sin;
            y[half + i] = x[half + i] * cos + x[i] * sin;
        }
        y
    }

    /// Attention by its definition in f64: output, log-sum-exp and gradient of `qkv`, one query after the other.
    fn naive(&self, qkv: &[f64]) -> [Vec<f64>; 3] {
        let Shape { batch, seq_len, n_heads, n_kv_heads, head_dim } = self.shape;
        let scale = 1.0 / (head_dim as f64).sqrt();
        let head = |row: usize, head: usize| &qkv[self.packed_at(row, head)..][..head_dim];
        let mut out = vec![0.0; self.d_out.len()];
        let mut log_sum_exp = vec![0.0; self.shape.n_rows() * n_heads];
        let mut d_qkv = vec![0.0; qkv.len()];
        for (b, h) in (0..batch).flat_map(|b| (0..n_heads).map(move |h| (b, h))) {
            let (k, v) = (n_heads + h / self.shape.group(), n_heads + n_kv_heads + h / self.shape.group());
            let keys: Vec<_> = (0..seq_len).map(|j| self.rotated(head(b * seq_len + j, k), j, 1.0)).collect();
            for i in 0..seq_len {
                let row = b * seq_len + i;
                let query = self.rotated(head(row, h), i, 1.0);
                let seen = self.mask.keys(i);
                let scores: Vec<f64> = keys[seen.clone()].iter().map(|key| scale * dot(&query, key)).collect();
                let max = scores.iter().copied().fold(f64::MIN, f64::max);
                let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                let lse = max + sum.ln();
                log_sum_exp[(b * n_heads + h) * seq_len + i] = lse;
                let d_out: Vec<f64> =
                    (self.d_out[(row * n_heads + h) * head_dim..][..head_dim].iter()).map(|x| f64::from(*x)).collect();
                let p: Vec<f64> = scores.iter().map(|s| (s - lse).exp()).collect();
                let d_p: Vec<f64> = seen.clone().map(|j| dot(&d_out, head(b * seq_len + j, v))).collect();
                let delta = dot(&p, &d_p);
                let mut d_query = vec![0.0; head_dim];
                for (j, (p, d_p)) in seen.zip(p.into_iter().zip(d_p)) {
                    let at = b * seq_len + j;
                    add(p, head(at, v), &mut out[(row * n_heads + h) * head_dim..][..head_dim]);
                    add(p, &d_out, &mut d_qkv[self.packed_at(at, v)..][..head_dim]);
                    let d_score = scale * p * (d_p - delta);
                    add(d_score, &keys[j], &mut d_query);
                    let d_key = self.rotated(&query, j, -1.0);
                    add(d_score, &d_key, &mut d_qkv[self.packed_at(at, k)..][..head_dim]);
                }
                let d_query = self.rotated(&d_query, i, -1.0);
                add(1.0, &d_query, &mut d_qkv[self.packed_at(row, h)..][..head_dim]);
            }
        }
        [out, log_sum_exp, d_qkv]
    }

    fn naive_of_input(&self) -> [Vec<f64>; 3] {
        self.naive(&self.qkv.iter().map(|x| f64::from(*x)).collect::<Vec<_>>())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(factor: f64, x: &[f64], y: &mut [f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}

/// The largest difference, as a part of the largest true value. A NaN is a difference of infinity.
fn error(values: &[f32], truth: &[f64]) -> f64 {
    assert_eq!(values.len(), truth.len());
    if values.iter().any(|x| x.is_nan()) {
        return f64::INFINITY;
    }
    let size = truth.iter().fold(1e-3, |max: f64, x| max.max(x.abs()));
    values.iter().zip(truth).map(|(x, y)| (f64::from(*x) - y).abs() / size).fold(0.0, f64::max)
}

#[test]
fn the_naive_gradient_is_that_of_finite_differences() {
    for (shape, mask) in [
        ((1, 4, 3, 1, 6), Mask::CAUSAL),
        ((2, 5, 2, 2, 2), Mask { window: 2, n_padding: 0 }),
        ((1, 5, 1, 1, 2), Mask { window: 4, n_padding: 2 }),
    ] {
        let case = Case { mask, ..Case::new(shape) };
        let qkv: Vec<f64> = case.qkv.iter().map(|x| f64::from(*x)).collect();
        let [_, _, gradient] = case.naive(&qkv);
        let d_out: Vec<f64> = case.d_out.iter().map(|x| f64::from(*x)).collect();
        let loss = |i: usize, step: f64| {
            let mut moved = qkv.clone();
            moved[i] += step;
            dot(&case.naive(&moved)[0], &d_out)
        };
        for (i, gradient) in gradient.iter().enumerate() {
            // A step h leaves an error of h² and one of 10⁻¹⁶ / h.
            let difference = (loss(i, 1e-5) - loss(i, -1e-5)) / 2e-5;
            assert!((difference - gradient).abs() < 1e-8, "{shape:?} {i}: {difference} {gradient}");
        }
    }
}

#[test]
fn every_size_at_every_level() {
    // One thread, so that tasks find the memory that other tasks have used.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for case in cases() {
        let truth = case.naive_of_input();
        for &isa in Isa::available() {
            let found = pool.install(|| case.run(isa, Precision::F32));
            // A score is a sum of products up to some tens, so its rounding is 10⁻⁶, and that of its weight as much.
            let errors: Vec<f64> = found.iter().zip(&truth).map(|(x, y)| error(x, y)).collect();
            assert!(errors.iter().all(|e| *e < 3e-6), "{isa} {:?} {:?}: {errors:?}", case.shape, case.mask);
        }
    }
}

#[test]
fn bf16_is_as_exact_as_its_mantissa() {
    for case in cases() {
        let truth = case.naive_of_input();
        for &isa in Isa::available() {
            let found = case.run(isa, Precision::Bf16);
            // Factors are rounded by up to 2⁻⁹: scores of a few units move by some hundredths, and so do weights.
            let errors: Vec<f64> = found.iter().zip(&truth).map(|(x, y)| error(x, y)).collect();
            assert!(errors.iter().all(|e| *e < 0.02), "{isa} {:?} {:?}: {errors:?}", case.shape, case.mask);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let case = Case::new((2, 100, 6, 2, 20));
    let run = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| case.run(Isa::best(), Precision::F32))
            .map(|x| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn the_future_changes_nothing() {
    let mut case = Case::new((1, 100, 3, 1, 6));
    let [before, ..] = case.run(Isa::best(), Precision::F32);
    let first_changed = 70;
    let at = case.packed_at(first_changed, 0);
    case.qkv[at..].iter_mut().for_each(|x| *x = 50.0 - *x);
    // A gradient from the tokens before alone reaches no later token.
    let width = case.shape.n_heads * case.shape.head_dim;
    case.d_out[first_changed * width..].fill(0.0);
    let [after, _, d_qkv] = case.run(Isa::best(), Precision::F32);
    assert_eq!(before[..first_changed * width], after[..first_changed * width]);
    assert_ne!(before[first_changed * width..], after[first_changed * width..]);
    assert!(d_qkv[at..].iter().all(|d| *d == 0.0));
}

#[test]
fn nan_reaches_what_depends_on_it() {
    let (seq_len, position) = (70, 40);
    for &isa in Isa::available() {
        // Heads of a packed row: two query heads, a key head, a value head.
        for head in 0..4 {
            let mut case = Case::new((1, seq_len, 2, 1, 6));
            let at = case.packed_at(position, head);
            case.qkv[at] = f32::NAN;
            let [out, ..] = case.run(isa, Precision::F32);
            let is_nan = |row: usize, head: usize| out[(row * 2 + head) * 6].is_nan();
            for row in 0..seq_len {
                for query_head in 0..2 {
                    match head {
                        0 | 1 => assert_eq!(is_nan(row, query_head), row == position && query_head == head),
                        2 => assert_eq!(is_nan(row, query_head), row >= position),
                        _ => assert!(is_nan(row, query_head) || row < position),
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "rotary tables")]
fn tables_of_another_length_are_refused() {
    let mut case = Case::new((1, 3, 1, 1, 2));
    case.cos.push(1.0);
    case.run(Isa::PORTABLE, Precision::F32);
}

#[test]
#[should_panic(expected = "output")]
fn an_output_of_another_length_is_refused() {
    let mut case = Case::new((1, 3, 1, 1, 2));
    case.d_out.pop();
    case.run(Isa::PORTABLE, Precision::F32);
}
