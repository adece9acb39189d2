//! Our tokenizer as the pairs of a GGUF file: the way back.
//!
//! llama.cpp knows how to cut text by a name alone, so a tokenizer of bytes can only be written if its way has one. One of characters has no cuts, but must
//! join what its scores say ([`scores`](super::scores)). llama.cpp also has one rule alone for the space in front, the older one: in a file of
//! Mistral's, text behind a special token begins with a space there and here, which its `tokenizer.json` does not give it.

use crate::{
    Digits, Pattern, PreTokenizer, Tokenizer,
    gguf::{BYTE, CONTROL, NORMAL, PREFIX, UNKNOWN, UNUSED, USER_DEFINED, Value, is_joined, scores::scores_of_merges},
    pipeline::{Normalizer, Pipeline, Symbols},
    spaces::Prefix,
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
        let begin = match (pipeline.template.before.as_slice(), pipeline.template.after.as_slice()) {
            ([], []) => None,
            ([begin], []) => Some(*begin),
            (before, after) => {
                return Err(format!(
                    "a GGUF file cannot put the tokens {before:?} before a text and {after:?} behind it"
                ));
            }
        };
        let n_ids = u32::try_from(n_ids.max(self.vocab_size())).map_err(|error| error.to_string())?;
        let (texts, kinds): (Vec<String>, Vec<i64>) = (0..n_ids).map(|id| self.gguf_token(id)).unzip();
        let mut pairs = match &pipeline.symbols {
            Symbols::Bytes => {
                let merges =
                    self.merges().iter().map(|&(left, right)| [left, right].map(|id| self.written(id)).join(" "));
                let merges = merges.collect();
                vec![
                    ("model", Value::Text("gpt2".to_owned())),
                    ("pre", Value::Text(pre(pipeline)?.to_owned())),
                    ("merges", Value::Texts(merges)),
                    ("add_space_prefix", Value::Flag(false)),
                ]
            }
            Symbols::Characters(characters) => {
                let scores = scores_of_merges(self, &texts, |id| is_joined(kinds[id as usize]))?;
                vec![
                    ("model", Value::Text("llama".to_owned())),
                    ("pre", Value::Text("default".to_owned())),
                    ("scores", Value::Numbers(scores)),
                    ("add_space_prefix", Value::Flag(characters.spaces.prefix != Prefix::Nowhere)),
                ]
            }
        };
        pairs.extend([
            ("tokens", Value::Texts(texts)),
            ("token_type", Value::Integers(kinds)),
            ("add_bos_token", Value::Flag(begin.is_some())),
        ]);
        pairs.extend(begin.map(|id| ("bos_token_id", Value::Integer(id.into()))));
        pairs.extend(pipeline.unknown.map(|id| ("unknown_token_id", Value::Integer(id.into()))));
        Ok(pairs.into_iter().map(|(key, value)| (format!("{PREFIX}{key}"), value)).collect())
    }

    /// A token's text and kind.
    fn gguf_token(&self, id: u32) -> (String, i64) {
        let is_bytes = matches!(self.pipeline().symbols, Symbols::Bytes);
        let kind = match (self.added().by_id(id), self.token_bytes(id)) {
            (Some(_), _) if !is_bytes && self.pipeline().unknown == Some(id) => UNKNOWN,
            (Some(token), _) if token.special => CONTROL,
            (Some(_), _) => USER_DEFINED,
            (None, Some(&[byte])) if !is_bytes && self.id_of_byte(byte) == Some(id) => BYTE,
            (None, Some(_)) => NORMAL,
            (None, None) => return (format!("[PAD{id}]"), UNUSED),
        };
        (self.written(id), kind)
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
