//! Tests of exercise 07.2. All numbers are exact in f32.

use ex_generation::e2_penalties::{Penalties, penalise};

fn penalised(logits: &[f32], prompt: &[u32], answer: &[u32], [repetition, presence, frequency]: [f32; 3]) -> Vec<f32> {
    let mut logits = logits.to_vec();
    penalise(&mut logits, prompt, answer, Penalties { repetition, presence, frequency });
    logits
}

#[test]
fn the_example_of_the_statement() {
    assert_eq!(penalised(&[2.0, -2.0, 1.0], &[0], &[1, 1], [2.0, 0.5, 0.25]), [1.0, -5.0, 1.0]);
}

#[test]
fn negative_logits_fall_too() {
    let got = penalised(&[4.0, -4.0, 0.0], &[0, 1, 2], &[], [2.0, 0.0, 0.0]);
    assert_eq!(got, [2.0, -8.0, 0.0], "divide a positive logit, multiply a negative one");
    let got = penalised(&[4.0, -4.0], &[0, 1], &[], [0.5, 0.0, 0.0]);
    assert_eq!(got, [8.0, -2.0], "below 1 it encourages");
}

#[test]
fn repetition_counts_a_token_once() {
    let got = penalised(&[8.0, 8.0], &[0, 0, 0], &[0, 0], [2.0, 0.0, 0.0]);
    assert_eq!(got, [4.0, 8.0], "five times in the text, one division");
}

#[test]
fn presence_and_frequency_look_at_the_answer_alone() {
    let got = penalised(&[1.0; 4], &[0, 0, 1], &[1, 2, 2, 2], [1.0, 0.5, 0.0]);
    assert_eq!(got, [1.0, 0.5, 0.5, 1.0], "presence: the same for one time and for three");
    let got = penalised(&[1.0; 4], &[0, 0, 1], &[1, 2, 2, 2], [1.0, 0.0, 0.25]);
    assert_eq!(got, [1.0, 0.75, 0.25, 1.0], "frequency: for each time in the answer");
}

#[test]
fn repetition_comes_first() {
    let got = penalised(&[1.0], &[], &[0], [2.0, 2.0, 0.0]);
    assert_eq!(got, [-1.5], "1 / 2 - 2; the other order would give (1 - 2) * 2");
}

#[test]
fn nothing_asked_nothing_changed() {
    let logits = [1.5, -0.25, f32::NEG_INFINITY, 0.0];
    assert_eq!(penalised(&logits, &[0, 1, 2, 3], &[0, 1], [1.0, 0.0, 0.0]), logits);
    assert_eq!(penalised(&logits, &[], &[], [3.0, 1.0, 1.0]), logits, "an empty text has no repetition");
}

#[test]
fn tokens_without_a_logit_are_passed_over() {
    assert_eq!(penalised(&[2.0, 2.0], &[1, 99], &[50], [2.0, 1.0, 1.0]), [2.0, 1.0]);
}
