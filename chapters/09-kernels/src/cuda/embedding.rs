//! Launches of `embedding.cu`. The gradient of a token's row is the sum over the positions where the token stands; adding them with atomics would
//! give another rounding each time. The host sorts positions by token instead, and each block adds up its piece of the sorted list.

use candle_core::Result;

use super::gpu::Gpu;
use super::machine::{Argument, Grid, Kernel, Module};
use super::memory::{Element, View};

const THREADS: usize = 256;

fn kernel(name: &'static str) -> Kernel {
    Module { source: "embedding", element: Element::F32, head_dim: None }.kernel(name)
}

/// `out` `(n_tokens, d)` = the rows of `weight` `(vocab_size, d)` that `tokens` name. Tokens are checked by the caller.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn forward(gpu: &Gpu, weight: View<'_>, tokens: View<'_>, d: usize, out: View<'_>) -> Result<()> {
    weight.must_be("weight", Element::F32, weight.len() / d * d)?;
    tokens.must_be("tokens", Element::U32, tokens.len())?;
    out.must_be("rows", Element::F32, tokens.len() * d)?;
    let arguments = [weight.into(), tokens.into(), out.into(), tokens.len().into(), d.into()];
    // SAFETY: the kernel's arguments, of the checked lengths; the ids are below the vocabulary's size.
    unsafe { gpu.launch(kernel("embedding_forward"), Grid::new(tokens.len(), THREADS), &arguments) }
}

// ANCHOR: backward
/// Adds the rows of `gradient` `(n_tokens, d)` to the rows of `dweight` `(vocab_size, d)` that `tokens` name.
///
/// # Errors
/// If lengths or elements do not fit, or the device fails.
pub(super) fn backward(gpu: &Gpu, gradient: View<'_>, tokens: &[u32], d: usize, dweight: View<'_>) -> Result<()> {
    gradient.must_be("gradient", Element::F32, tokens.len() * d)?;
    dweight.must_be("dweight", Element::F32, dweight.len() / d * d)?;
    let Segments { order, pieces, totals } = Segments::of(tokens);
    let order = gpu.upload_u32(&order)?;
    let partial = gpu.buffer(Element::F32, pieces.len() * d)?;
    gpu.zero(partial.view())?;
    add_rows(gpu, gradient, Some(order.view()), &pieces, d, partial.view())?;
    add_rows(gpu, partial.view(), None, &totals, d, dweight)
}
// ANCHOR_END: backward

fn add_rows(
    gpu: &Gpu,
    rows: View<'_>,
    order: Option<View<'_>>,
    segments: &[[u32; 3]],
    d: usize,
    out: View<'_>,
) -> Result<()> {
    let segments_on_device = gpu.upload_u32(segments.as_flattened())?;
    let order = order.map_or(Argument::NULL, Argument::from);
    let arguments = [rows.into(), order, segments_on_device.view().into(), out.into(), d.into()];
    // SAFETY: the kernel's arguments; segments and order name rows that exist, by construction and the caller's check of tokens.
    unsafe { gpu.launch(kernel("sum_rows_by_segment"), Grid::new(segments.len(), THREADS), &arguments) }
}

// ANCHOR: segments
/// Positions in order of their tokens, cut into pieces that one block can add up.
#[derive(Debug, PartialEq, Eq)]
struct Segments {
    /// Positions, sorted by token, then by position.
    order: Vec<u32>,
    /// (number of the piece, begin, end) within `order`.
    pieces: Vec<[u32; 3]>,
    /// (token, first piece, behind the last piece).
    totals: Vec<[u32; 3]>,
}

impl Segments {
    /// A frequent token may stand in a sixth of all positions: one block would still add when all others have finished.
    const MAX_LEN: usize = 32;

    fn of(tokens: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..tokens.len() as u32).collect();
        order.sort_unstable_by_key(|&position| (tokens[position as usize], position));
        let (mut pieces, mut totals) = (Vec::new(), Vec::new());
        let mut start = 0;
        for of_token in order.chunk_by(|&a, &b| tokens[a as usize] == tokens[b as usize]) {
            let first_piece = pieces.len() as u32;
            for piece in of_token.chunks(Self::MAX_LEN) {
                let end = start + piece.len() as u32;
                pieces.push([pieces.len() as u32, start, end]);
                start = end;
            }
            totals.push([tokens[of_token[0] as usize], first_piece, pieces.len() as u32]);
        }
        Self { order, pieces, totals }
    }
}
// ANCHOR_END: segments

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_sorted_positions_in_pieces() {
        let mut tokens = vec![7; Segments::MAX_LEN + 1];
        tokens.insert(1, 3);
        let Segments { order, pieces, totals } = Segments::of(&tokens);
        let sevens: Vec<u32> = (0..tokens.len() as u32).filter(|&position| position != 1).collect();
        assert_eq!(order[0], 1);
        assert_eq!(order[1..], sevens);
        let end = order.len() as u32;
        assert_eq!(pieces, [[0, 0, 1], [1, 1, end - 1], [2, end - 1, end]]);
        assert_eq!(totals, [[3, 0, 1], [7, 1, 3]]);
    }

    #[test]
    fn no_tokens_make_no_segments() {
        assert_eq!(Segments::of(&[]), Segments { order: vec![], pieces: vec![], totals: vec![] });
    }
}
