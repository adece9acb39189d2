//! Tests of exercise 09.7. The literals follow from the rule in the exercise's header, by hand.

use ex_kernels::e7_four_bits::{Block, dot, quantize};

/// Zeros but for some numbers.
fn block_of(some: &[(usize, f32)]) -> [f32; 32] {
    let mut values = [0.0; 32];
    some.iter().for_each(|&(i, x)| values[i] = x);
    values
}

/// Number `i` of a block, by a product with a vector that is 1 there and 0 elsewhere.
fn number(block: Block, i: usize) -> f32 {
    dot(&[block], &block_of(&[(i, 1.0)]))
}

#[test]
fn the_example() {
    let block = quantize(&block_of(&[(0, -8.0), (1, 3.0), (16, 7.0)]));
    assert_eq!(block.scale, 1.0, "-8 is the largest: -8 / -8");
    assert_eq!(block.packed[0], 0xF0, "0 for number 0 below, 15 for number 16 above");
    assert_eq!(block.packed[1], 0x8B, "11 for number 1 below, 8 for the zero that is number 17 above");
    assert_eq!(block.packed[2..], [0x88; 14], "zeros are 8");
}

#[test]
fn the_largest_number_comes_back_exactly_whatever_its_sign() {
    for largest in [-3.0_f32, 3.0, 0.25, -1e-3, 1000.0] {
        for i in [0, 15, 16, 31] {
            let block = quantize(&block_of(&[(i, largest), ((i + 1) % 32, largest / 2.0)]));
            assert_eq!(number(block, i), largest, "{largest} at {i}");
            assert_eq!(number(block, (i + 1) % 32), largest / 2.0, "half of {largest} is four steps");
        }
    }
}

#[test]
fn what_lies_between_two_steps_goes_to_the_nearer() {
    let block = quantize(&block_of(&[(0, -8.0), (3, 2.25), (4, 2.75), (20, -2.25), (21, -2.75)]));
    for (i, step) in [(3, 2.0), (4, 3.0), (20, -2.0), (21, -3.0)] {
        assert_eq!(number(block, i), step, "number {i}");
    }
}

#[test]
fn there_is_no_eighth_step_on_the_other_side() {
    let block = quantize(&block_of(&[(0, -8.0), (5, 7.9), (9, 8.0)]));
    assert_eq!((number(block, 5), number(block, 9)), (7.0, 7.0), "15 is the last integer");
    assert_eq!(number(block, 25), 0.0, "number 9 shares its byte with number 25, which is 0");
    assert_eq!(number(block, 0), -8.0, "of -8 and 8 the first is the largest");
}

#[test]
fn a_block_of_zeros_is_zeros() {
    let block = quantize(&[0.0; 32]);
    assert_eq!(block.packed, [0x88; 16], "0 / 0 is not a number, and no integer either");
    assert_eq!(dot(&[block], &[5.0; 32]), 0.0);
}

#[test]
fn a_product_is_that_of_the_numbers() {
    let scales = [0.5_f32, -2.0, 0.125];
    let row = scales.map(|scale| {
        let packed = std::array::from_fn(|i| (i * 37 + 11) as u8);
        Block { scale, packed }
    });
    let x: Vec<f32> = (0..96).map(|i| ((i * 29 + 7) % 17) as f32 - 8.0).collect();
    let mut want = 0.0;
    for (b, block) in row.iter().enumerate() {
        for i in 0..32 {
            let byte = block.packed[i % 16];
            let q = if i < 16 { byte & 0x0F } else { byte >> 4 };
            want += block.scale * (f32::from(q) - 8.0) * x[32 * b + i];
        }
    }
    // Small integers and powers of two: every sum is exact.
    assert_eq!(dot(&row, &x), want);
    assert_eq!(dot(&[], &[]), 0.0, "a row of no blocks");
}
