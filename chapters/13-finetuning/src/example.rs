//! Conversations as training examples: the model reads everything and learns the assistant's part alone.
//!
//! The mask is 1 where the *target* belongs to what the assistant says, the closing `<|end|>` included, since a model must learn to stop.
//! Learning the questions too would spend capacity on predicting what users ask.

use anyhow::{Result, bail};
use batches::Batch;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tokenizer::Tokenizer;

use crate::chat::Ending;
use crate::{ChatTemplate, Message, Role};

/// One line of SFT data: `{"messages": [{"role", "content"}, ...]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The turns in order.
    pub messages: Vec<Message>,
}

impl Conversation {
    /// One question and its answer.
    pub fn of(question: &str, answer: &str) -> Self {
        Self { messages: vec![Message::user(question), Message::assistant(answer)] }
    }
}

/// A tokenised conversation.
// ANCHOR: example
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The whole conversation.
    pub tokens: Vec<u32>,
    /// For each token, whether the assistant says it.
    pub is_answer: Vec<bool>,
}

impl Example {
    /// Tokenises a conversation and marks what the assistant says.
    ///
    /// # Errors
    /// If the assistant says nothing, or the template rewrites earlier turns when later ones come (then no mask is right).
    pub fn new(conversation: &Conversation, template: &ChatTemplate, tokenizer: &Tokenizer) -> Result<Self> {
        let messages = &conversation.messages;
        let tokens = template.encode(tokenizer, messages, Ending::Complete)?;
        let mut is_answer = vec![false; tokens.len()];
        for (index, message) in messages.iter().enumerate().filter(|(_, message)| message.role == Role::Assistant) {
            let before = template.encode(tokenizer, &messages[..index], Ending::Prompt)?;
            let after = template.encode(tokenizer, &messages[..=index], Ending::Complete)?;
            if !after.starts_with(&before) || !tokens.starts_with(&after) {
                bail!("the chat template changes earlier turns when message {index} ({:?}) follows", message.content);
            }
            is_answer[before.len()..after.len()].fill(true);
        }
        if !is_answer.contains(&true) {
            bail!("a conversation of {} messages has nothing that the assistant says", messages.len());
        }
        Ok(Self { tokens, is_answer })
    }
}

/// A padded batch of examples with the mask of what counts.
///
/// Inputs and targets are `(batch, longest - 1)`; padding comes last and counts nowhere.
///
/// # Errors
/// If the device cannot hold it.
pub fn padded_batch(examples: &[&Example], device: &Device) -> candle_core::Result<Batch> {
    let seq_len = examples.iter().map(|example| example.tokens.len() - 1).max().unwrap_or(0);
    let (mut inputs, mut targets, mut mask) = (Vec::new(), Vec::new(), Vec::new());
    for Example { tokens, is_answer } in examples {
        let n_padding = seq_len + 1 - tokens.len();
        inputs.extend(tokens[..tokens.len() - 1].iter().copied().chain(std::iter::repeat_n(0, n_padding)));
        targets.extend(tokens[1..].iter().copied().chain(std::iter::repeat_n(0, n_padding)));
        let counts = is_answer[1..].iter().map(|&counts| if counts { 1f32 } else { 0.0 });
        mask.extend(counts.chain(std::iter::repeat_n(0.0, n_padding)));
    }
    let shape = (examples.len(), seq_len);
    Ok(Batch {
        inputs: Tensor::from_vec(inputs, shape, device)?,
        targets: Tensor::from_vec(targets, shape, device)?,
        mask: Some(Tensor::from_vec(mask, shape, device)?),
    })
}
// ANCHOR_END: example
