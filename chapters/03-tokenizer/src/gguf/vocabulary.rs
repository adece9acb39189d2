//! Our tokenizer as the pairs of a GGUF file: the way back.
//!
//! llama.cpp knows how to cut text by a name alone, so a tokenizer can only be written if its way has one.

use crate::{
    Digits, Pattern, PreTokenizer, Tokenizer,
    bytes_to_unicode::to_visible,
    gguf::{CONTROL, NORMAL, PREFIX, UNUSED, USER_DEFINED, Value},
    pipeline::{Normalizer, Pipeline},
};

// ANCHOR: to_gguf
impl Tokenizer {
    /// The pairs that describe this tokenizer to llama.cpp, with a text for each of `n_ids` ids: a model's table of embeddings
    /// may have more rows than there are tokens.
    ///
    /// # Errors
    /// If llama.cpp has no name for how text is cut, or begins and ends texts otherwise; the message names what.
    pub fn to_gguf(&self, n_ids: usize) -> Result<Vec<(String, Value)>, String> {
        let pipeline = self.pipeline();
        let pre = pre(pipeline)?;
        let begin = match (pipeline.template.before.as_slice(), pipeline.template.after.as_slice()) {
            ([], []) => None,
            ([begin], []) => Some(*begin),
            (before, after) => {
                return Err(format!(
                    "a GGUF file cannot put the tokens {before:?} before a text and {after:?} behind it"
                ));
            }
        };
        let written = |id: u32| match (self.added().by_id(id), self.token_bytes(id)) {
            (Some(token), _) => (token.content.clone(), if token.special { CONTROL } else { USER_DEFINED }),
            (None, Some(bytes)) => (to_visible(bytes), NORMAL),
            (None, None) => (format!("[PAD{id}]"), UNUSED),
        };
        let n_ids = u32::try_from(n_ids.max(self.vocab_size())).map_err(|error| error.to_string())?;
        let (texts, kinds) = (0..n_ids).map(written).unzip();
        let part = |id: u32| written(id).0;
        let merges = self.merges().iter().map(|&(left, right)| format!("{} {}", part(left), part(right)));
        let mut pairs = vec![
            ("model", Value::Text("gpt2".to_owned())),
            ("pre", Value::Text(pre.to_owned())),
            ("tokens", Value::Texts(texts)),
            ("token_type", Value::Integers(kinds)),
            ("merges", Value::Texts(merges.collect())),
            ("add_bos_token", Value::Flag(begin.is_some())),
            ("add_space_prefix", Value::Flag(false)),
        ];
        pairs.extend(begin.map(|id| ("bos_token_id", Value::Integer(id.into()))));
        pairs.extend(pipeline.unknown.map(|id| ("unknown_token_id", Value::Integer(id.into()))));
        Ok(pairs.into_iter().map(|(key, value)| (format!("{PREFIX}{key}"), value)).collect())
    }
}
// ANCHOR_END: to_gguf

/// llama.cpp's name for a way to cut text.
fn pre(pipeline: &Pipeline) -> Result<&'static str, String> {
    let PreTokenizer { digits, pattern } = pipeline.pretokenizer;
    match (pipeline.normalizer, digits, pattern, pipeline.whole_words_first) {
        (Normalizer::None, Digits::AsPattern, Pattern::Gpt2, false) => Ok("gpt-2"),
        (Normalizer::None, Digits::Singly, Pattern::Gpt2, false) => Ok("smollm"),
        (Normalizer::None, Digits::AsPattern, Pattern::Llama3, true) => Ok("llama-bpe"),
        (Normalizer::Nfc, Digits::AsPattern, Pattern::Qwen2, false) => Ok("qwen2"),
        (Normalizer::None, Digits::AsPattern, Pattern::O200k, false) => Ok("gpt-4o"),
        (normalizer, digits, pattern, whole_words_first) => Err(format!(
            "llama.cpp has no name for a tokenizer with normalizer {normalizer:?}, digits {digits:?}, pattern {pattern:?} and whole words first {whole_words_first}; GPT-2's, SmolLM2's, Llama 3's, Qwen2's and GPT-4o's have one"
        )),
    }
}
