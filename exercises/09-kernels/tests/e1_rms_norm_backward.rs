//! Tests of exercise 09.1: the gradient against difference quotients. The literals come from `exercises/reference.py`.

use ex_kernels::e1_rms_norm_backward::rms_norm_backward;

const EPS: f64 = 1e-5;

/// Numbers between -1 and 1 without a pattern that a wrong index would repeat.
fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f64 / 1000.0 - 1.0).collect()
}

/// Sum of g y over one row: a loss whose gradient with respect to y is g.
fn loss(x: &[f64], weight: &[f64], g: &[f64], eps: f64) -> f64 {
    let r = (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64 + eps).sqrt().recip();
    x.iter().zip(weight).zip(g).map(|((x, w), g)| x * r * w * g).sum()
}

fn nudged(values: &[f64], i: usize, by: f64) -> Vec<f64> {
    let mut values = values.to_vec();
    values[i] += by;
    values
}

/// Gradient of x and of the weight, into zeros.
fn backward(x: &[f64], weight: &[f64], g: &[f64], eps: f64) -> (Vec<f64>, Vec<f64>) {
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; weight.len()]);
    rms_norm_backward(x, weight, g, eps, &mut dx, &mut dw);
    (dx, dw)
}

#[track_caller]
fn assert_close(got: f64, want: f64, why: &str) {
    assert!((got - want).abs() <= 1e-6 * (1.0 + want.abs()), "got {got}, expected {want}: {why}");
}

#[test]
fn one_row_from_the_formula() {
    let (dx, dw) = backward(&[1.0, -2.0, 3.0], &[1.0, 1.0, 1.0], &[0.5, -1.0, 2.0], EPS);
    let want = [-0.049_596_850, 0.099_193_700, 0.082_664_227];
    for i in 0..3 {
        assert_close(dx[i], want[i], &format!("dx[{i}]"));
    }
    let want = [0.231_454_777, 0.925_819_108, 2.777_457_323];
    for i in 0..3 {
        assert_close(dw[i], want[i], &format!("dw[{i}]"));
    }
}

#[test]
fn every_derivative_is_the_difference_quotient() {
    const H: f64 = 1e-6;
    for (rows, d) in [(1, 1), (2, 3), (3, 7), (4, 16), (5, 33)] {
        let (x, weight, g) = (numbers(rows * d, 1), numbers(d, 2), numbers(rows * d, 3));
        let (dx, dw) = backward(&x, &weight, &g, EPS);
        let mut want_dw = vec![0.0; d];
        for row in 0..rows {
            let (x, g) = (&x[row * d..][..d], &g[row * d..][..d]);
            for i in 0..d {
                let of_x = |by| loss(&nudged(x, i, by), &weight, g, EPS);
                let of_w = |by| loss(x, &nudged(&weight, i, by), g, EPS);
                let want = (of_x(H) - of_x(-H)) / (2.0 * H);
                assert_close(dx[row * d + i], want, &format!("dx of row {row}, element {i} of {d}"));
                want_dw[i] += (of_w(H) - of_w(-H)) / (2.0 * H);
            }
        }
        for i in 0..d {
            assert_close(dw[i], want_dw[i], &format!("dw[{i}] is a sum over all {rows} rows"));
        }
    }
}

#[test]
fn dx_stands_at_right_angles_to_x() {
    let (x, weight, g) = (numbers(24, 4), numbers(8, 5), numbers(24, 6));
    let (dx, _) = backward(&x, &weight, &g, 0.0);
    for (x, dx) in x.chunks(8).zip(dx.chunks(8)) {
        let dot: f64 = x.iter().zip(dx).map(|(x, dx)| x * dx).sum();
        assert!(dot.abs() < 1e-12, "scaling a row does not change its norm, but the gradient along it is {dot}");
        assert!(dx.iter().any(|dx| dx.abs() > 1e-3), "a gradient of zeros is at right angles to everything");
    }
}

#[test]
fn rows_do_not_touch_each_other() {
    let (x, weight, g) = (numbers(10, 1), numbers(5, 2), numbers(10, 3));
    let (both, _) = backward(&x, &weight, &g, EPS);
    let (second, _) = backward(&x[5..], &weight, &g[5..], EPS);
    assert_eq!(both[5..], second, "the second row alone has the same gradient");
}

#[test]
fn the_weights_gradient_adds_up() {
    let (x, weight, g) = (numbers(6, 1), numbers(3, 2), numbers(6, 3));
    let (_, once) = backward(&x, &weight, &g, EPS);
    let (mut dx, mut dw) = (vec![f64::NAN; 6], vec![10.0; 3]);
    rms_norm_backward(&x, &weight, &g, EPS, &mut dx, &mut dw);
    for i in 0..3 {
        assert_close(dw[i], 10.0 + once[i], "dw is added to, dx is replaced");
    }
    assert!(dx.iter().all(|dx| dx.is_finite()), "dx held NaN before, and must not be read");
}
