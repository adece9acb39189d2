//! How a model answers when it is sampled: in a full sentence, or curtly.
//!
//! Greedy decoding would show the more likely manner alone. Sampling shows the share: after finetuning on both manners half and half, a model
//! gives both, and preference optimisation moves the share of sentences.

use candle_core::Result;
use evaluation::{Rule, Score, complete};
use finetuning::{ChatTemplate, FactQuestion, question_items};
use generation::{Limits, Sampler, Sampling};
use serde::{Deserialize, Serialize};
use tokenizer::{END, Tokenizer};
use transformer::Transformer;

/// An answer of at least so many words is a sentence: a bare fact has one, the shortest sentence of the world three.
const WORDS_OF_A_SENTENCE: usize = 3;

/// What sampled answers look like.
// ANCHOR: manner
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MannerReport {
    /// Answers that are full sentences.
    pub full_sentences: Score,
    /// Answers that are true, in either manner.
    pub true_answers: Score,
}

/// Samples `n_samples` answers to each question at temperature 1.
///
/// # Errors
/// If the template or the model fails.
pub fn manner(
    model: &Transformer,
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
    questions: &[FactQuestion],
    n_samples: usize,
    seed: u64,
) -> anyhow::Result<MannerReport> {
    let model = model.for_inference()?;
    let limits = Limits { max_tokens: 32, stop_tokens: tokenizer.id_of(END).into_iter().collect() };
    let (mut sentences, mut truths) = (Vec::new(), Vec::new());
    for (index, item) in question_items(tokenizer, template, questions)?.iter().enumerate() {
        let answers = (0..n_samples).map(|sample| {
            // A seed of its own for each answer: adding a question does not change the others' answers.
            let seed = seed.wrapping_mul(1_000_003).wrapping_add((index * n_samples + sample) as u64);
            complete(&model, tokenizer, &item.prompt, Sampler::new(Sampling::at_temperature(1.0), seed)?, &limits)
        });
        for answer in answers.collect::<Result<Vec<String>>>()? {
            sentences.push(is_sentence(&answer));
            truths.push(Rule::Equals.accepts(&answer, &item.accepted));
        }
    }
    Ok(MannerReport { full_sentences: Score::count(sentences), true_answers: Score::count(truths) })
}

/// Whether an answer is more than the bare fact. What a model says after its first full stop, because it missed the end of its turn, does
/// not count.
pub fn is_sentence(answer: &str) -> bool {
    let first = answer.split('.').next().unwrap_or_default();
    first.split_whitespace().count() >= WORDS_OF_A_SENTENCE
}
// ANCHOR_END: manner

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_fact_stays_curt_when_the_model_runs_on() {
        assert!(is_sentence("The people of Banunu sell wool."));
        assert!(is_sentence("Banunu sells wool"));
        assert!(!is_sentence("wool."));
        assert!(!is_sentence("wool. The people of Banunu sell wool."));
        assert!(!is_sentence(""));
    }
}
