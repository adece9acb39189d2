//! A completion in words or as JSON.

use std::io::Write;

use anyhow::Result;
use generation::{Completion, FinishReason, LogProbs};
use serde_json::{Value, json};
use tokenizer::Tokenizer;

/// One JSON object. `logprobs` is as in OpenAI's chat completions, with the tokens' ids beside.
pub(crate) fn json(prompt: Option<&str>, completion: &Completion, tokenizer: &Tokenizer) -> Value {
    let finish_reason = match completion.finish_reason {
        Some(FinishReason::Stop) => json!("stop"),
        Some(FinishReason::Length) => json!("length"),
        None => Value::Null,
    };
    let mut object = match prompt {
        Some(prompt) => json!({ "prompt": prompt }),
        None => json!({}),
    };
    object["text"] = json!(completion.text);
    object["n_tokens"] = json!(completion.tokens.len());
    object["finish_reason"] = finish_reason;
    if !completion.log_probs.is_empty() {
        let tokens = completion.tokens.iter().zip(&completion.log_probs);
        let content: Vec<Value> = tokens.map(|(id, log_probs)| with_alternatives(*id, log_probs, tokenizer)).collect();
        object["logprobs"] = json!({ "content": content });
    }
    object
}

fn with_alternatives(id: u32, log_probs: &LogProbs, tokenizer: &Tokenizer) -> Value {
    let mut object = token(id, log_probs.of_token, tokenizer);
    object["top_logprobs"] = log_probs.top.iter().map(|(id, log_prob)| token(*id, *log_prob, tokenizer)).collect();
    object
}

/// A token may be part of a character, so its bytes stand beside its text.
fn token(id: u32, log_prob: f64, tokenizer: &Tokenizer) -> Value {
    let text = tokenizer.text_inside(id);
    json!({ "token": text, "id": id, "bytes": tokenizer.token_bytes(id), "logprob": log_prob })
}

/// A line for each token: its log-probability, its text, and the alternatives.
pub(crate) fn table(completion: &Completion, tokenizer: &Tokenizer, out: &mut dyn Write) -> Result<()> {
    for (id, log_probs) in completion.tokens.iter().zip(&completion.log_probs) {
        let shown = |id: u32, log_prob: f64| format!("{log_prob:8.3} {:?}", tokenizer.text_inside(id));
        let others: Vec<String> = log_probs.top.iter().map(|(id, log_prob)| shown(*id, *log_prob)).collect();
        let line = [vec![shown(*id, log_probs.of_token)], others].concat().join(" |");
        writeln!(out, "{line}")?;
    }
    Ok(())
}
