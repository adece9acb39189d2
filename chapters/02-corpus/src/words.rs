//! What counts as a word when texts are compared.
//!
//! Deduplication and decontamination must not be fooled by case, punctuation or line breaks, so they see a text as
//! the sequence of its words: maximal runs of letters and digits, in lower case. `"The Doors, in Bakelo"` becomes
//! `the doors in bakelo`. Nothing is stemmed and nothing is dropped.
//!
//! [`words`] gives each word a string of its own. [`JoinedWords`] holds the same words in one string, which is many times
//! cheaper where a page is only hashed.

/// The words of `text`: runs of alphanumeric characters in lower case, in order.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The words of a text in one string, with a space between two words, and where each word ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JoinedWords {
    joined: String,
    /// Byte offset behind each word.
    ends: Vec<usize>,
}

impl JoinedWords {
    /// The words of `text`, the same as [`words`] gives.
    pub fn new(text: &str) -> Self {
        let mut words = Self { joined: String::with_capacity(text.len()), ends: Vec::with_capacity(text.len() / 6) };
        let mut rest = text;
        while !rest.is_empty() {
            let (word, is_ascii) = word_at_start(rest);
            if !word.is_empty() {
                words.push(word, is_ascii);
            }
            // What ended the word is no part of one.
            let end = rest[word.len()..].chars().next().map_or(0, char::len_utf8);
            rest = &rest[word.len() + end..];
        }
        words
    }

    /// All words, with a space between two.
    pub fn as_str(&self) -> &str {
        &self.joined
    }

    /// The number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All runs of `n` words, each as one string; a text of fewer words is one run, and no text is none.
    pub fn runs(&self, n: usize) -> impl Iterator<Item = &str> {
        let n = n.clamp(1, self.len().max(1));
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| end + 1));
        starts.zip(self.ends.iter().skip(n - 1)).map(|(start, &end)| &self.joined[start..end])
    }

    fn push(&mut self, word: &str, is_ascii: bool) {
        if !self.joined.is_empty() {
            self.joined.push(' ');
        }
        if is_ascii {
            let start = self.joined.len();
            self.joined.push_str(word);
            self.joined[start..].make_ascii_lowercase();
        } else {
            // By the whole word, since Σ has another small letter at a word's end.
            self.joined.push_str(&word.to_lowercase());
        }
        self.ends.push(self.joined.len());
    }
}

/// The letters and digits with which the text begins, and whether all are ASCII. Those, most of the text, are looked at byte
/// by byte; only what is not ASCII is decoded.
fn word_at_start(text: &str) -> (&str, bool) {
    let (mut at, mut is_ascii) = (0, true);
    loop {
        at += text.as_bytes()[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        match text[at..].chars().next() {
            Some(c) if !c.is_ascii() && c.is_alphanumeric() => {
                is_ascii = false;
                at += c.len_utf8();
            }
            _ => return (&text[..at], is_ascii),
        }
    }
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

    #[test]
    fn joined_words_are_the_same_words() {
        for text in
            ["", " - ", "one", "The doors, in ΣΑΣ: ½ İstanbul straße ß\n２３", "日本語 のテキスト", "a\u{301}b c"]
        {
            let (joined, separate) = (JoinedWords::new(text), words(text));
            assert_eq!(joined.as_str(), separate.join(" "), "{text}");
            assert_eq!(joined.len(), separate.len(), "{text}");
            for n in 1..5 {
                let runs: Vec<String> = match separate.len() {
                    0 => Vec::new(),
                    len => separate.windows(n.min(len)).map(|run| run.join(" ")).collect(),
                };
                assert_eq!(joined.runs(n).collect::<Vec<_>>(), runs, "{text} in runs of {n}");
            }
        }
    }
}
