//! What counts as a word when texts are compared.
//!
//! Deduplication and decontamination must not be fooled by case, punctuation or line breaks, so they see a text as
//! the sequence of its words: maximal runs of letters and digits, in lower case. `"The Doors, in Bakelo"` becomes
//! `the doors in bakelo`. Nothing is stemmed and nothing is dropped.

/// The words of `text`: runs of alphanumeric characters in lower case, in order.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The 64-bit hash of a window of words; the separator keeps `ab c` and `a bc` apart.
pub(crate) fn hash_words(window: &[String]) -> u64 {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    for word in window {
        hasher.update(word.as_bytes());
        hasher.update(b" ");
    }
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_punctuation_and_layout_do_not_matter() {
        let expected = ["the", "doors", "in", "bakelo", "are", "red"];
        assert_eq!(words("The doors in Bakelo are red."), expected);
        assert_eq!(words("the DOORS,\n in  Bakelo: are \"red\""), expected);
    }

    #[test]
    fn word_borders_enter_the_hash() {
        assert_ne!(hash_words(&words("ab c")), hash_words(&words("a bc")));
    }
}
