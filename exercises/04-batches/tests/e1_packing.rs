//! Tests of exercise 04.1.

use ex_batches::e1_packing::{Sequence, pack};

fn sequence(inputs: &[u32], targets: &[u32]) -> Sequence {
    Sequence { inputs: inputs.to_vec(), targets: targets.to_vec() }
}

fn stream(n_tokens: u32) -> Vec<u32> {
    (100..100 + n_tokens).collect()
}

#[test]
fn the_example() {
    let expected = [sequence(&[1, 2, 3], &[2, 3, 4]), sequence(&[4, 5, 6], &[5, 6, 7])];
    assert_eq!(pack(&[1, 2, 3, 4, 5, 6, 7, 8], 3), expected);
}

#[test]
fn a_target_is_the_token_that_follows() {
    for Sequence { inputs, targets } in pack(&stream(50), 7) {
        assert_eq!((inputs.len(), targets.len()), (7, 7));
        assert!(inputs.iter().zip(&targets).all(|(input, target)| input + 1 == *target), "{inputs:?} -> {targets:?}");
    }
}

#[test]
fn every_token_but_the_first_is_a_target_once() {
    for seq_len in 1..12 {
        let n_sequences = 5;
        let tokens = stream(n_sequences * seq_len + 1);
        let targets: Vec<u32> = pack(&tokens, seq_len as usize).into_iter().flat_map(|row| row.targets).collect();
        assert_eq!(targets, tokens[1..], "seq_len {seq_len}: one token in {} is never learned", seq_len + 1);
    }
}

#[test]
fn what_does_not_fill_a_sequence_is_dropped() {
    assert_eq!(pack(&stream(9), 4).len(), 2, "8 targets: two sequences of 4");
    assert_eq!(pack(&stream(8), 4).len(), 1, "7 targets: one sequence, 3 left over");
    assert_eq!(pack(&stream(12), 4).len(), 2, "11 targets: two sequences, 3 left over");
}

#[test]
fn too_little_gives_nothing() {
    assert_eq!(pack(&[], 3), []);
    assert_eq!(pack(&[1], 1), [], "one token has nothing to predict");
    assert_eq!(pack(&[1, 2, 3], 3), [], "three inputs need a fourth token for the last target");
    assert_eq!(pack(&[1, 2, 3], 0), []);
}
