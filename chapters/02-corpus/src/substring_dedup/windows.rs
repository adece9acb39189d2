//! Which windows of $N$ bytes occurred before: neighbours in the suffix array.
//!
//! All occurrences of one window are a run of the suffix array, since suffixes that begin alike are sorted next to each
//! other. Two neighbours belong to one run if their longest common prefix is $N$ or more. Kasai et al. (2001) compute all
//! these prefixes in linear time, with four more bytes of memory a byte of text (exercise 9 does). Here one threshold is
//! asked for, so comparing $N$ bytes of each pair of neighbours answers it in place.

use std::ops::Range;

use libsais::{LibsaisError, SuffixArrayConstruction};

use super::SEPARATOR;

/// A set of positions, one bit a byte of text.
pub(super) struct Starts(Vec<u64>);

impl Starts {
    fn insert(&mut self, position: usize) {
        self.0[position / 64] |= 1 << (position % 64);
    }

    /// The positions in a range, in rising order.
    pub fn within(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        let words = range.start / 64..range.end.div_ceil(64);
        let bits = words.flat_map(|at| {
            let mut word = self.0[at];
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
                word &= word - 1;
                Some(64 * at + bit)
            })
        });
        bits.filter(move |position| range.contains(position))
    }
}

// ANCHOR: repeated_windows
/// The windows of `n` bytes of which an equal one ends at their start or before. None holds a separator.
pub(super) fn repeated_windows(text: &[u8], n: usize) -> Result<Starts, LibsaisError> {
    let suffixes = suffix_array(text)?;
    let window = |&suffix: &i32| text[suffix as usize..].get(..n);
    let mut starts = Starts(vec![0; text.len().div_ceil(64)]);
    for equal in suffixes.chunk_by(|a, b| window(a).is_some() && window(a) == window(b)) {
        let Some(first) = equal.iter().min().map(|&first| first as usize) else { continue };
        let is_within_a_text = equal.len() > 1 && !text[first..first + n].contains(&SEPARATOR);
        let later = equal.iter().map(|&start| start as usize).filter(|&start| start >= first + n);
        if is_within_a_text {
            later.for_each(|start| starts.insert(start));
        }
    }
    Ok(starts)
}
// ANCHOR_END: repeated_windows

/// The positions of `text`, sorted by the suffixes that begin there.
fn suffix_array(text: &[u8]) -> Result<Vec<i32>, LibsaisError> {
    Ok(SuffixArrayConstruction::for_text(text).in_owned_buffer32().single_threaded().run()?.into_vec())
}
