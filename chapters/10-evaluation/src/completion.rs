//! Does the model say the fact? A prompt is continued greedily and the text compared with accepted answers.
//!
//! *Cloze*: a sentence of the training text, stopped before the fact ("The market in Tovi is on"); right if the continuation begins
//! with it. It shows what pretraining has stored. *Exact match*: a question in the chat format; right if the whole answer is one of the
//! accepted ones, no more and no less. It shows that the knowledge can be asked for.

use candle_core::{Result, bail};
use generation::{Limits, Sampler, Sampling, generate};
use serde::{Deserialize, Serialize};
use tokenizer::Tokenizer;
use transformer::Transformer;

use crate::Score;

/// One question with the answers that count as right.
// ANCHOR: completion
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The tokens to continue.
    pub prompt: Vec<u32>,
    /// Any of these is right.
    pub accepted: Vec<String>,
}

/// When a continuation counts as right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It begins with an accepted answer, which ends there or at something that is no letter or digit.
    BeginsWith,
    /// It is an accepted answer.
    Equals,
}

/// What the model said to an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The continuation without surrounding white space.
    pub text: String,
    /// Whether it was right.
    pub is_right: bool,
}

impl Rule {
    /// Applies the rule to a continuation.
    pub fn accepts(self, text: &str, accepted: &[String]) -> bool {
        accepted.iter().any(|answer| match self {
            Self::Equals => text == answer,
            Self::BeginsWith => {
                text.strip_prefix(answer.as_str()).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            }
        })
    }
}

/// Continues one prompt. Special tokens are not part of the text.
///
/// # Errors
/// If the prompt is empty or too long, or the model fails.
pub fn complete(
    model: &Transformer,
    tokenizer: &Tokenizer,
    prompt: &[u32],
    sampler: Sampler,
    limits: &Limits,
) -> Result<String> {
    let ids = generate(model, prompt, sampler, limits.clone())?;
    Ok(tokenizer.decode(&ids).trim().to_string())
}

/// Continues every item greedily and counts what is right.
///
/// # Errors
/// If there is no item, or the model fails.
pub fn score_completions(
    model: &Transformer,
    tokenizer: &Tokenizer,
    items: &[Item],
    rule: Rule,
    limits: &Limits,
) -> Result<(Score, Vec<Completion>)> {
    if items.is_empty() {
        bail!("no item to score");
    }
    let mut completions = Vec::with_capacity(items.len());
    for item in items {
        let text = complete(model, tokenizer, &item.prompt, Sampler::new(Sampling::Greedy, 0)?, limits)?;
        let is_right = rule.accepts(&text, &item.accepted);
        completions.push(Completion { text, is_right });
    }
    Ok((Score::count(completions.iter().map(|completion| completion.is_right)), completions))
}
// ANCHOR_END: completion

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_what_they_mean() {
        let accepted = ["red".to_string(), "The doors are red.".to_string()];
        let begins = |text| Rule::BeginsWith.accepts(text, &accepted);
        assert!(begins("red") && begins("red. And more") && begins("The doors are red."));
        assert!(!begins("redder") && !begins("red5") && !begins(" red") && !begins("") && !begins("The doors"));
        let equals = |text| Rule::Equals.accepts(text, &accepted);
        assert!(
            equals("red") && equals("The doors are red.") && !equals("red.") && !equals("The doors are red. Or blue")
        );
    }
}
