//! Token ids as a user writes them: `41 72`, `41,72` or `[41, 72]`, as an argument or on standard input.

use llm_from_scratch::request::WrongRequest;

/// The ids of a text, all of them below `vocab_size`.
///
/// # Errors
/// If there is something else in it, or an id that the vocabulary does not have; the message names it and the bound.
pub(super) fn parse_ids(text: &str, vocab_size: usize) -> Result<Vec<u32>, WrongRequest> {
    let trimmed = text.trim();
    if trimmed.starts_with('[') {
        let numbers: Vec<serde_json::Number> = serde_json::from_str(trimmed)
            .map_err(|error| WrongRequest::new(format!("the ids are no JSON array of numbers: {error}")))?;
        return numbers.iter().map(|number| parse_id(&number.to_string(), vocab_size)).collect();
    }
    let words = trimmed.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    words.map(|word| parse_id(word, vocab_size)).collect()
}

fn parse_id(word: &str, vocab_size: usize) -> Result<u32, WrongRequest> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WrongRequest::new(format!(
            "{word:?} is no token id; give numbers such as 41,72, as llm tokenizer encode --json prints them"
        )));
    }
    let last = vocab_size.saturating_sub(1);
    word.parse().ok().filter(|id| (*id as usize) < vocab_size).ok_or_else(|| {
        WrongRequest::new(format!(
            "token id {word} is not in the vocabulary, whose ids go from 0 to {last}; were these ids made with another tokenizer?"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_ids_is_read() {
        for text in ["41 7", "41,7", " [41, 7]\n", "41,\n7 ,", "[41,7]"] {
            assert_eq!(parse_ids(text, 42).unwrap(), [41, 7], "{text:?}");
        }
        assert!(parse_ids(" \n", 42).unwrap().is_empty() && parse_ids("[]", 42).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_id_is_named_with_the_bound() {
        for (text, words) in [
            ("1,-2", "token id -2 is not in the vocabulary, whose ids go from 0 to 41"),
            ("42", "token id 42 is not in"),
            ("99999999999", "token id 99999999999 is not in"),
            ("[1, -2]", "token id -2 is not in"),
            ("[1, 99999999999999999999]", "is no"),
            ("[1.5]", "\"1.5\" is no token id"),
            ("1 two", "\"two\" is no token id; give numbers such as 41,72"),
            ("-", "\"-\" is no token id"),
            ("[1,", "no JSON array of numbers"),
            ("[\"1\"]", "no JSON array of numbers"),
        ] {
            let message = parse_ids(text, 42).unwrap_err().to_string();
            assert!(message.contains(words), "{text:?}: {message}");
        }
    }
}
