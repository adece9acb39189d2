//! Planted bug: integers are cut and not rounded.

/// 32 numbers in 4 bits each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// `d`.
    pub scale: f32,
    /// Two integers a byte.
    pub packed: [u8; 16],
}

/// The block of 32 numbers.
pub fn quantize(values: &[f32; 32]) -> Block {
    let largest = values.iter().fold(0.0_f32, |max, &x| if x.abs() > max.abs() { x } else { max });
    let scale = largest / -8.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    // A conversion to an integer cuts the fraction off.
    let q = |x: f32| ((x * inverse + 8.0) as u8).min(15);
    Block { scale, packed: std::array::from_fn(|i| q(values[i]) | q(values[i + 16]) << 4) }
}

/// The product of a row with `x`, which has 32 numbers for each block.
pub fn dot(row: &[Block], x: &[f32]) -> f32 {
    let of_block = |(block, x): (&Block, &[f32])| {
        let step = |q: u8| f32::from(q) - 8.0;
        let numbers = block.packed.iter().enumerate();
        let sum: f32 = numbers.map(|(i, byte)| step(byte & 0x0F) * x[i] + step(byte >> 4) * x[i + 16]).sum();
        block.scale * sum
    };
    row.iter().zip(x.chunks_exact(32)).map(of_block).sum()
}
