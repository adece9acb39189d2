//! Text to words to ids and back.

use std::sync::LazyLock;

use fancy_regex::Regex;
use tokenizer::{Digits, Pattern, PreTokenizer, Tokenizer, TrainConfig};

/// Words are cut where the published patterns cut them, as a regex engine finds them.
pub fn words(bytes: &[u8]) {
    static REGEXES: LazyLock<Vec<(Pattern, Regex)>> =
        LazyLock::new(|| Pattern::ALL.map(|pattern| (pattern, Regex::new(pattern.regex()).unwrap())).into());
    let text = String::from_utf8_lossy(bytes);
    for (pattern, regex) in REGEXES.iter() {
        let ours: Vec<&str> = PreTokenizer { pattern: *pattern, digits: Digits::AsPattern }.words(&text).collect();
        // The engine gives up on texts that make it go back too often.
        let found: Result<Vec<_>, _> = regex.find_iter(&text).collect();
        let Ok(found) = found else { continue };
        assert_eq!(ours, found.iter().map(|found| found.as_str()).collect::<Vec<_>>(), "{pattern:?} on {text:?}");
    }
    for digits in [Digits::Singly, Digits::ByThree] {
        let words: Vec<&str> = PreTokenizer { digits, ..PreTokenizer::default() }.words(&text).collect();
        assert_eq!(words.concat(), text);
    }
}

/// Any text comes back; its ids are those of merging by definition; a cold cache gives what a warm one gives.
pub fn encode(bytes: &[u8]) {
    let tokenizer = &*TRAINED;
    let text = String::from_utf8_lossy(bytes);
    let ids = tokenizer.encode(&text);
    assert_eq!(tokenizer.decode(&ids), text);
    let by_definition: Vec<u32> =
        tokenizer.pretokenizer().words(&text).flat_map(|word| merged_by_definition(tokenizer, word)).collect();
    assert_eq!(ids, by_definition, "{text:?}");
    assert_eq!(tokenizer.encode(&text), ids);
    assert_eq!(tokenizer.decode_with_special(&tokenizer.encode_with_special(&text)), text);
}

/// Decoding ids one at a time gives what decoding all of them gives. Two bytes are an id; some are outside the table.
pub fn decode(bytes: &[u8]) {
    let tokenizer = &*TRAINED;
    let n_ids = tokenizer.vocab_size() as u32 + 3;
    let ids: Vec<u32> =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_le_bytes([pair[0], pair[1]])) % n_ids).collect();
    let mut stream = tokenizer.decode_stream();
    let mut pieces: Vec<String> = ids.iter().filter_map(|&id| stream.push(id)).collect();
    pieces.extend(stream.finish());
    assert_eq!(pieces.concat(), tokenizer.decode(&ids));
    let without_special: Vec<u32> = ids.iter().copied().filter(|&id| !tokenizer.is_special(id)).collect();
    assert_eq!(tokenizer.decode_with_special(&without_special), tokenizer.decode(&ids));
}

/// Small, but with merges of several lengths, some across bytes of one character.
static TRAINED: LazyLock<Tokenizer> = LazyLock::new(|| {
    let texts = [
        "the lamp and the lamplight, the lamps",
        "naïve façade, 東京と京都, привет 🦀🦀🦀",
        "aaaaaaaa ababab    x = 1;",
    ];
    Tokenizer::train(&texts, &TrainConfig { min_frequency: 1, ..TrainConfig::with_vocab_size(420) }).unwrap()
});

/// One word's ids as the rule says: again and again the pair of lowest rank, the leftmost of equals.
fn merged_by_definition(tokenizer: &Tokenizer, word: &str) -> Vec<u32> {
    let id_of = |bytes: &[u8]| {
        (0..tokenizer.vocab_size() as u32)
            .find(|&id| !tokenizer.is_special(id) && tokenizer.token_bytes(id) == Some(bytes))
            .unwrap()
    };
    let mut symbols: Vec<Vec<u8>> = word.bytes().map(|byte| vec![byte]).collect();
    for &(left, right) in tokenizer.merges() {
        let [left, right] = [left, right].map(|id| tokenizer.token_bytes(id).unwrap());
        let mut at = 0;
        while at + 1 < symbols.len() {
            if symbols[at] == left && symbols[at + 1] == right {
                let second = symbols.remove(at + 1);
                symbols[at].extend(second);
            }
            at += 1;
        }
    }
    symbols.iter().map(|bytes| id_of(bytes)).collect()
}
