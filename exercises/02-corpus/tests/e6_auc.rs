//! Tests of exercise 02.6: by hand, and against the definition by pairs.

use ex_corpus::e6_auc::auc;

#[track_caller]
fn is(scored: &[(f64, bool)], expected: f64, why: &str) {
    let area = auc(scored);
    assert!(area.is_some_and(|area| (area - expected).abs() < 1e-12), "{why}: {area:?} instead of {expected}");
}

/// The definition: all pairs, ties half.
fn by_pairs(scored: &[(f64, bool)]) -> f64 {
    let (mut wins, mut n_pairs) = (0.0, 0.0);
    for (positive, _) in scored.iter().filter(|(_, positive)| *positive) {
        for (negative, _) in scored.iter().filter(|(_, positive)| !*positive) {
            n_pairs += 1.0;
            wins += if positive > negative {
                1.0
            } else if positive == negative {
                0.5
            } else {
                0.0
            };
        }
    }
    wins / n_pairs
}

#[test]
fn by_hand() {
    is(&[(0.9, true), (0.8, true), (0.2, false), (0.1, false)], 1.0, "all in order");
    is(&[(0.1, true), (0.9, false)], 0.0, "all the wrong way round");
    is(&[(0.9, true), (0.5, false), (0.4, true), (0.1, false)], 0.75, "one of four pairs is wrong");
}

#[test]
fn ties_count_half() {
    is(&[(0.5, true), (0.5, false)], 0.5, "one pair, tied");
    is(&[(0.1, false), (0.5, true), (0.5, false), (0.9, true)], 0.875, "three pairs and a half");
}

#[test]
fn many_ties_in_any_order() {
    // A small generator, so that the same lists come every time.
    let mut state = 7u64;
    let mut draw = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for n in 2..60 {
        let mut scored: Vec<(f64, bool)> = (0..n).map(|_| (draw(5) as f64 - 2.0, draw(3) == 0)).collect();
        scored.push((0.0, true));
        scored.push((0.0, false));
        is(&scored, by_pairs(&scored), "as by pairs");
        scored.reverse();
        is(&scored, by_pairs(&scored), "the order of the list does not matter");
    }
}

#[test]
fn both_signs_of_zero_are_equal() {
    is(&[(0.0, true), (-0.0, false)], 0.5, "0.0 equals -0.0");
}

#[test]
fn nothing_to_compare() {
    assert_eq!(auc(&[]), None);
    assert_eq!(auc(&[(0.3, true), (0.4, true)]), None, "no negative page");
    assert_eq!(auc(&[(0.3, false)]), None, "no positive page");
    assert_eq!(auc(&[(f64::NAN, true), (0.4, false)]), None, "no number, no rank");
}
