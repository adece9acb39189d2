//! Exercise 03.5: update counts instead of recounting.
//!
//! Counting all pairs anew for each merge is what makes simple trainers slow. A merge of `(l, r)` into
//! `x` changes only the pairs around it:
//!
//! ```text
//! … p l r q …  →  … p x q …        (p, l) and (r, q) lose one, (p, x) and (x, q) gain one
//! ```
//!
//! Write [`merge_and_update`], which joins each `pair` in `word`, from the left and without overlap, into
//! `new_id`, and keeps `counts` right: afterwards it holds, for each pair of neighbours in the new word,
//! how often it occurs (times `n_times`), and may hold other pairs with a count of 0.
//!
//! Mind `l l l l`, where occurrences touch: the left neighbour of the second join is already `x`.
//!
//! Example: `[1, 2, 3]` occurs 500 times. With (1, 2) joined into 99 it becomes `[99, 3]`; (1, 2) and (2, 3) lose
//! 500, and (99, 3) gains 500.
//!
//! Book: `book/src/03-tokenizer.md`. Source: Sennrich et al., arXiv 1508.07909, and their `learn_bpe.py`.

use std::collections::HashMap;

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// Joins each `pair` in `word`, which occurs `n_times`, and corrects `counts`.
pub fn merge_and_update(word: &mut Vec<u32>, pair: Pair, new_id: u32, n_times: i64, counts: &mut HashMap<Pair, i64>) {
    todo!("join {pair:?} into {new_id} in {word:?} ({n_times} times) and correct {} counts", counts.len())
}
