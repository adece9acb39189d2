//! Tests of exercise 06.4. The literals come from `exercises/reference.py`.

use ex_transformer::e4_gelu::{gelu_tanh, gelu_tanh_slope};

#[track_caller]
fn assert_close(got: f64, want: f64, tolerance: f64, why: &str) {
    assert!((got - want).abs() <= tolerance, "{got}, expected {want}: {why}");
}

#[test]
fn known_values() {
    for (x, want) in
        [(-3.0, -0.003637392), (-1.0, -0.158808009), (0.5, 0.345714010), (1.0, 0.841191991), (2.0, 1.954597694)]
    {
        assert_close(gelu_tanh(x), want, 1e-8, &format!("gelu({x})"));
    }
}

#[test]
fn it_is_the_approximation_and_not_the_exact_function() {
    let exact = [(1.0, 0.841344746), (2.0, 1.954499736), (-1.0, -0.158655254)];
    for (x, exact) in exact {
        let apart = (gelu_tanh(x) - exact).abs();
        assert!(apart > 5e-5, "gelu({x}) is {apart} from the exact GELU; GPT-2 has the one with tanh");
        assert!(apart < 5e-4, "gelu({x}) is {apart} from the exact GELU, too far for an approximation");
    }
}

#[test]
fn far_from_zero_it_is_x_or_nothing() {
    for x in [8.0, 50.0, 1e6, 1e100] {
        assert_close(gelu_tanh(x), x, x * 1e-12, "a large x passes");
        assert_close(gelu_tanh(-x), 0.0, 1e-9, "a very negative x is stopped");
        assert!(gelu_tanh_slope(8.0) > 0.999 && gelu_tanh_slope(-8.0).abs() < 1e-3);
    }
    assert_close(gelu_tanh(0.0), 0.0, 0.0, "and 0 stays");
}

#[test]
fn both_signs_add_up() {
    // tanh is odd, so gelu(x) - gelu(-x) is x.
    for x in [0.1, 0.7, 1.3, 2.9] {
        assert_close(gelu_tanh(x) - gelu_tanh(-x), x, 1e-12, "gelu(x) - gelu(-x) is x");
    }
}

#[test]
fn the_slope_is_that_of_the_function() {
    let step = 1e-5;
    for i in -40..=40 {
        let x = f64::from(i) / 10.0;
        let want = (gelu_tanh(x + step) - gelu_tanh(x - step)) / (2.0 * step);
        assert_close(gelu_tanh_slope(x), want, 1e-8, &format!("the slope at {x} by finite differences"));
    }
}
