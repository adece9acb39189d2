//! What of a prompt fits: a model reads so many tokens and no more, those of its answer among them.

use llm_from_scratch::request::WrongRequest;

/// What becomes of a prompt that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// It is refused.
    Refuse,
    /// Its beginning is left out.
    Truncate,
}

impl Overflow {
    pub(crate) fn new(truncate: bool) -> Self {
        if truncate { Self::Truncate } else { Self::Refuse }
    }
}

/// The tokens that a model may read of a prompt if there is to be room for an answer: for `max_tokens`, or a quarter of all where they ask for more.
pub(crate) fn longest_prompt(max_seq_len: usize, max_tokens: usize) -> usize {
    max_seq_len - max_tokens.min(max_seq_len / 4).max(1).min(max_seq_len)
}

/// The prompt, or its end. Its first `n_kept` tokens, such as one that begins every text, always stay.
///
/// # Errors
/// If it leaves no room for a token, and is not to be cut.
pub(crate) fn fit(
    prompt: Vec<u32>,
    n_kept: usize,
    max_seq_len: usize,
    max_tokens: usize,
    overflow: Overflow,
) -> Result<Vec<u32>, WrongRequest> {
    let longest = longest_prompt(max_seq_len, max_tokens);
    match overflow {
        Overflow::Refuse if prompt.len() >= max_seq_len => Err(WrongRequest::new(format!(
            "the prompt has {} tokens and leaves no room in the {max_seq_len} that the model reads; it may have {} at most: give a shorter one, or --truncate to keep its end",
            prompt.len(),
            max_seq_len - 1
        ))),
        Overflow::Truncate if prompt.len() > longest => {
            let n_kept = n_kept.min(longest);
            let (begin, rest) = prompt.split_at(n_kept);
            Ok([begin, &rest[rest.len() - (longest - n_kept)..]].concat())
        }
        _ => Ok(prompt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_that_is_too_long_is_refused_or_loses_its_beginning() {
        let prompt = |n: u32| (0..n).collect::<Vec<u32>>();
        for overflow in [Overflow::Refuse, Overflow::Truncate] {
            assert_eq!(fit(prompt(12), 0, 16, 4, overflow).unwrap(), prompt(12));
        }
        // It fits, if with a short answer: nothing is cut unasked.
        assert_eq!(fit(prompt(15), 0, 16, 4, Overflow::Refuse).unwrap(), prompt(15));
        let message = fit(prompt(16), 0, 16, 4, Overflow::Refuse).unwrap_err().to_string();
        assert!(message.contains("has 16 tokens") && message.contains("may have 15 at most"), "{message}");
        assert!(message.contains("--truncate"), "{message}");
        assert_eq!(fit(prompt(40), 0, 16, 4, Overflow::Truncate).unwrap(), (28..40).collect::<Vec<u32>>());
        assert_eq!(fit(prompt(40), 0, 16, 1, Overflow::Truncate).unwrap(), (25..40).collect::<Vec<u32>>());
        // Asked for more than there is, three quarters stay.
        assert_eq!(fit(prompt(40), 0, 16, 999, Overflow::Truncate).unwrap(), (28..40).collect::<Vec<u32>>());
        let with_first = [vec![0], (29..40).collect()].concat();
        assert_eq!(fit(prompt(40), 1, 16, 4, Overflow::Truncate).unwrap(), with_first);
    }

    #[test]
    fn the_smallest_model_still_reads_a_token() {
        assert_eq!(longest_prompt(2, 64), 1);
        assert_eq!(longest_prompt(1, 64), 0);
        assert_eq!(fit(vec![7, 8, 9], 0, 2, 64, Overflow::Truncate).unwrap(), [9]);
    }
}
