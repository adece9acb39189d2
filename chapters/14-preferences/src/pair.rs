//! Preference data: one prompt, an answer that is preferred and one that is not.

use finetuning::{FactQuestion, Message};
use serde::{Deserialize, Serialize};

/// One line of preference data, in TRL's conversational format: `{"prompt": [...], "chosen": [...], "rejected": [...]}`.
// ANCHOR: pair
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreferencePair {
    /// The conversation so far, ending with the user.
    pub prompt: Vec<Message>,
    /// The better continuation.
    pub chosen: Vec<Message>,
    /// The worse one.
    pub rejected: Vec<Message>,
}

impl PreferencePair {
    /// One question with two answers.
    pub fn of(question: &str, chosen: &str, rejected: &str) -> Self {
        Self {
            prompt: vec![Message::user(question)],
            chosen: vec![Message::assistant(chosen)],
            rejected: vec![Message::assistant(rejected)],
        }
    }
}

/// Of two true answers the full sentence is chosen and the curt one rejected.
pub fn manner_pairs(questions: &[FactQuestion]) -> Vec<PreferencePair> {
    questions.iter().map(|q| PreferencePair::of(&q.question, &q.full, &q.curt)).collect()
}
// ANCHOR_END: pair
