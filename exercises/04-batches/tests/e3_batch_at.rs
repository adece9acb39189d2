//! Tests of exercise 04.3.

use ex_batches::e3_batch_at::{batch_at, epoch_order};

fn batches(n_sequences: u32, batch_size: usize, numbers: std::ops::Range<u64>) -> Vec<Vec<u32>> {
    numbers.map(|k| batch_at(n_sequences, batch_size, 7, k).unwrap_or_default()).collect()
}

#[test]
fn the_example() {
    assert_eq!(batch_at(10, 4, 7, 5).as_deref(), Some(&epoch_order(10, 7, 2)[4..8]));
}

#[test]
fn an_epoch_visits_every_sequence_once() {
    let mut seen: Vec<u32> = batches(24, 4, 0..6).concat();
    seen.sort_unstable();
    assert_eq!(seen, Vec::from_iter(0..24));
}

#[test]
fn an_epoch_that_does_not_divide_repeats_nothing() {
    for epoch in 0..20 {
        let mut seen: Vec<u32> = batches(11, 4, 2 * epoch..2 * epoch + 2).concat();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 8, "epoch {epoch}: 11 sequences make two batches of 4, without repetition");
    }
}

#[test]
fn each_epoch_has_its_own_order() {
    let first = batches(24, 4, 0..6);
    let second = batches(24, 4, 6..12);
    assert_ne!(first, second, "the same order in every epoch puts the same sequences into one batch for ever");
    assert_eq!(first.concat(), epoch_order(24, 7, 0));
    assert_eq!(second.concat(), epoch_order(24, 7, 1));
}

#[test]
fn every_sequence_is_read_in_the_long_run() {
    let mut seen: Vec<u32> = batches(11, 4, 0..60).concat();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 11, "what one epoch leaves over another one reads");
}

#[test]
fn a_resumed_run_reads_on() {
    let whole = batches(13, 3, 0..40);
    for stop in 0..40 {
        let resumed = [batches(13, 3, 0..stop), batches(13, 3, stop..40)].concat();
        assert_eq!(resumed, whole);
    }
}

#[test]
fn the_seed_decides() {
    assert_ne!(batch_at(50, 10, 1, 0), batch_at(50, 10, 2, 0));
}

#[test]
fn too_little_is_none() {
    assert_eq!(batch_at(3, 4, 7, 0), None);
    assert_eq!(batch_at(0, 1, 7, 0), None);
    assert_eq!(batch_at(3, 0, 7, 0), None);
}
