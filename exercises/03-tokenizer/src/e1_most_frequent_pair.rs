//! Exercise 03.1: which pair does BPE training merge next?
//!
//! The corpus is a list of distinct words, each a sequence of token ids with the number of times
//! the word occurs. The next merge is the pair of neighbouring ids that occurs most often in the
//! corpus. Write [`most_frequent_pair`]:
//!
//! - a pair in a word that occurs 7 times counts 7 times; a pair that stands twice in a word counts
//!   twice;
//! - in `[5, 5, 5]` the pair `(5, 5)` stands at two places, and both count;
//! - pairs do not reach from one word into the next;
//! - of pairs with equal counts the smallest wins, compared by first id, then by second. That is
//!   the rule of the Hugging Face trainer (`tokenizers`, `models/bpe/trainer.rs`, the order
//!   of `Merge`). With another rule the vocabulary differs from theirs after the first tie. Never let
//!   the order of a `HashMap` decide: it differs from run to run.
//!
//! Returns the pair and its count, or `None` if no word has two ids.
//!
//! Example: `[1, 2, 3]` 10 times and `[2, 3]` 5 times: `(2, 3)` occurs 15 times, `(1, 2)` 10 times.
//!
//! Book: `book/src/03-tokenizer.md`. Source: Sennrich et al., arXiv 1508.07909, section 3.2.

/// Two neighbouring token ids.
pub type Pair = (u32, u32);

/// The pair to merge next and how often it occurs, of `words` with their counts.
pub fn most_frequent_pair(words: &[(Vec<u32>, u64)]) -> Option<(Pair, u64)> {
    todo!("count the pairs of {} words", words.len())
}
