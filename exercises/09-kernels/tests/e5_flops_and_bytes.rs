//! Tests of exercise 09.5. The literals come from `exercises/reference.py`.

use ex_kernels::e5_flops_and_bytes::{
    Cost, Sizes, attention, block, is_memory_bound, least_seconds, linear, rms_norm, swiglu,
};

/// A CPU: 3 TFLOP/s, 100 GB/s; the ridge lies at 30 FLOPs per byte.
const PEAK: f64 = 3e12;
const BANDWIDTH: f64 = 1e11;

const SIZES: Sizes = Sizes { batch: 8, seq_len: 256, d_model: 384, n_heads: 6, d_ff: 1024 };

#[track_caller]
fn assert_cost(got: Cost, flops: u64, bytes: u64, why: &str) {
    assert_eq!(got.flops, flops, "FLOPs: {why}");
    assert_eq!(got.bytes, bytes, "bytes: {why}");
}

#[test]
fn a_linear_layer() {
    assert_cost(linear(1, 1000, 1000), 2_000_000, 4_008_000, "one row reads the whole weight");
    assert_cost(linear(2048, 384, 1024), 1_610_612_736, 13_107_200, "a matrix product");
    assert_cost(linear(3, 5, 7), 210, 4 * (15 + 35 + 21), "all three matrices count");
}

#[test]
fn attention_in_blocks() {
    assert_cost(attention(&SIZES), 404_226_048, 12_582_912, "half of the square of scores, and none of it in memory");
    let one = Sizes { batch: 1, seq_len: 1, d_model: 8, n_heads: 2, d_ff: 1 };
    assert_cost(attention(&one), 32, 128, "one token sees itself: one pair a head");
    let long = Sizes { seq_len: 512, ..SIZES };
    assert_eq!(
        attention(&long).bytes,
        2 * attention(&SIZES).bytes,
        "bytes grow with the sequence, not with its square"
    );
}

#[test]
fn elementwise_operations() {
    assert_cost(rms_norm(2048, 384), 3_145_728, 6_292_992, "read, write, and one weight for all rows");
    assert_cost(swiglu(2048, 1024), 10_485_760, 25_165_824, "two in, one out");
}

#[test]
fn a_whole_block() {
    assert_cost(block(&SIZES), 7_670_333_440, 136_055_808, "nothing forgotten, nothing twice");
    let tiny = Sizes { batch: 1, seq_len: 1, d_model: 1, n_heads: 1, d_ff: 1 };
    assert_cost(block(&tiny), 33, 160, "each operation of the list once");
}

#[test]
fn the_larger_quotient_is_the_time() {
    let square = Cost { flops: 6_000_000_000_000, bytes: 100_000_000_000 };
    assert!((least_seconds(square, PEAK, BANDWIDTH) - 2.0).abs() < 1e-12, "2 s of arithmetic, 1 s of memory");
    let copy = Cost { flops: 0, bytes: 300_000_000_000 };
    assert!((least_seconds(copy, PEAK, BANDWIDTH) - 3.0).abs() < 1e-12, "a copy takes the memory's time");
}

#[test]
fn sides_of_the_ridge() {
    for (cost, expected, why) in [
        (Cost { flops: 29, bytes: 1 }, true, "29 FLOPs per byte are below a ridge of 30"),
        (Cost { flops: 31, bytes: 1 }, false, "31 are above it"),
        (Cost { flops: 1, bytes: 4 }, true, "an addition per number is far below"),
    ] {
        assert_eq!(is_memory_bound(cost, PEAK, BANDWIDTH), expected, "{why}");
    }
}
