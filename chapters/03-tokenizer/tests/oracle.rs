//! The independent implementation to agree with: the `tokenizers` crate.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tokenizer::{PreTokenizer, SPECIAL_TOKENS, Tokenizer, TrainConfig, bytes_to_unicode::to_visible};
use tokenizers::{
    AddedToken, Model, PreTokenizerWrapper, Tokenizer as HfTokenizer, TokenizerImpl,
    models::bpe::{BPE, BpeTrainer},
    pre_tokenizers::byte_level::ByteLevel,
};

fn config(vocab_size: usize, min_frequency: u64) -> TrainConfig {
    TrainConfig { min_frequency, ..TrainConfig::with_vocab_size(vocab_size) }
}

/// What `tokenizers` learns from the same texts with the same settings.
fn hf_train(texts: &[String], config: &TrainConfig) -> HfTokenizer {
    let special: Vec<_> = config.special_tokens.iter().map(|text| AddedToken::from(text.clone(), true)).collect();
    let mut trainer = BpeTrainer::builder()
        .vocab_size(config.vocab_size)
        .min_frequency(config.min_frequency)
        .special_tokens(special.clone())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .show_progress(false)
        .build();
    let byte_level = ByteLevel::default().add_prefix_space(false);
    let pre_tokenizer = match config.pretokenizer == PreTokenizer::default() {
        true => PreTokenizerWrapper::ByteLevel(byte_level),
        false => stated_pre_tokenizer(config),
    };
    let mut hf: TokenizerImpl<
        BPE,
        tokenizers::NormalizerWrapper,
        PreTokenizerWrapper,
        tokenizers::PostProcessorWrapper,
        tokenizers::DecoderWrapper,
    > = TokenizerImpl::new(BPE::default());
    hf.with_pre_tokenizer(Some(pre_tokenizer));
    hf.with_decoder(Some(tokenizers::DecoderWrapper::ByteLevel(byte_level)));
    hf.train(&mut trainer, texts.iter()).unwrap();
    hf.to_string(false).unwrap().parse().unwrap()
}

/// The pipeline as our own file states it, which `published.rs` holds against the published ones.
fn stated_pre_tokenizer(config: &TrainConfig) -> PreTokenizerWrapper {
    let empty = Tokenizer::train(&["a"], &TrainConfig { vocab_size: 260, ..config.clone() }).unwrap();
    serde_json::from_value(saved(&empty)["pre_tokenizer"].clone()).unwrap()
}

fn saved(ours: &Tokenizer) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    ours.save(&path).unwrap();
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

fn hf_load(ours: &Tokenizer) -> HfTokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    ours.save(&path).unwrap();
    HfTokenizer::from_file(&path).unwrap()
}

fn hf_ids(hf: &HfTokenizer, text: &str) -> Vec<u32> {
    hf.encode_fast(text, false).unwrap().get_ids().to_vec()
}

/// `tokenizers` with special tokens in the text left as text.
fn hf_plain_ids(hf: &mut HfTokenizer, text: &str) -> Vec<u32> {
    hf.set_encode_special_tokens(true);
    let ids = hf_ids(hf, text);
    hf.set_encode_special_tokens(false);
    ids
}

fn assert_same_vocabulary(ours: &Tokenizer, hf: &HfTokenizer) {
    assert_eq!(ours.vocab_size(), hf.get_model().get_vocab_size());
    for id in 0..ours.vocab_size() as u32 {
        let bytes = ours.token_bytes(id).unwrap();
        let ours_written =
            if ours.is_special(id) { String::from_utf8(bytes.to_vec()).unwrap() } else { to_visible(bytes) };
        assert_eq!(Some(ours_written), hf.id_to_token(id), "id {id}");
    }
}

/// The whole `tokenizer.json`, as `tokenizers` would have written it.
fn assert_same_file(ours: &Tokenizer, hf: &HfTokenizer) {
    let theirs: serde_json::Value = serde_json::from_str(&hf.to_string(false).unwrap()).unwrap();
    let reread: serde_json::Value = serde_json::from_str(&hf_load(ours).to_string(false).unwrap()).unwrap();
    assert_eq!(reread["model"]["merges"], theirs["model"]["merges"]);
    assert_eq!(reread, theirs);
}

/// Sentences with skewed word frequencies, numbers, indentation and a few other scripts.
fn generated_text(n_lines: u32) -> Vec<String> {
    const WORDS: [&str; 24] = [
        "the",
        "lamp",
        "lamplight",
        "harbour",
        "of",
        "a",
        "stands",
        "standing",
        "understand",
        "market",
        "on",
        "Tuesdays",
        "don't",
        "we'll",
        "fn",
        "main()",
        "{",
        "}",
        "Übergröße",
        "東京",
        "привет",
        "🦀🦀",
        "--",
        "==>",
    ];
    let mut state = 7_u64;
    let mut draw = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut line = || -> String {
        let mut text = " ".repeat(draw(9) as usize);
        for _ in 0..3 + draw(12) {
            let skewed = draw(24).min(draw(24));
            text.push_str(WORDS[skewed as usize]);
            text.push_str([" ", " ", " ", ", ", "\n", "  "][draw(6) as usize]);
            if draw(7) == 0 {
                text.push_str(&draw(100_000).to_string());
            }
        }
        text
    };
    (0..n_lines).map(|_| line()).collect()
}

#[test]
fn learns_the_merges_that_tokenizers_learns() {
    let texts = generated_text(2000);
    for config in [config(300, 2), config(1000, 2), config(100_000, 2), config(100_000, 0)] {
        let ours = Tokenizer::train(&texts, &config).unwrap();
        let hf = hf_train(&texts, &config);
        assert_same_vocabulary(&ours, &hf);
        assert_same_file(&ours, &hf);
    }
}

#[test]
fn learns_the_same_merges_with_words_cut_in_any_way() {
    let texts = generated_text(300);
    for name in ["gpt2", "cl100k", "o200k", "llama3", "qwen2", "digits", "llama3+digits3"] {
        let config = TrainConfig { pretokenizer: name.parse().unwrap(), ..config(600, 2) };
        let ours = Tokenizer::train(&texts, &config).unwrap();
        let hf = hf_train(&texts, &config);
        assert_same_vocabulary(&ours, &hf);
        assert_same_file(&ours, &hf);
        for text in &texts {
            assert_eq!(ours.encode(text), hf_ids(&hf, text), "{name} {text:?}");
        }
    }
}

#[test]
fn gives_the_ids_that_tokenizers_gives() {
    let texts = generated_text(1000);
    let ours = Tokenizer::train(&texts, &config(700, 2)).unwrap();
    let mut hf = hf_load(&ours);
    for text in generated_text(3000).iter().chain([&texts.concat(), &"the".repeat(5000)]) {
        assert_eq!(ours.encode(text), hf_ids(&hf, text));
    }
    let template = "<|user|>the lamp<|end|>\n<|assistant|><|endoftext|><|en";
    assert_eq!(ours.encode_with_special(template), hf_ids(&hf, template));
    assert_eq!(ours.encode(template), hf_plain_ids(&mut hf, template));
    assert_ne!(ours.encode(template), ours.encode_with_special(template));
}

#[test]
fn special_tokens_that_contain_each_other_match_as_in_tokenizers() {
    let special_tokens = ["<a>", "<a><b>", "b", "<"].map(String::from);
    // "b" and "<" stand for bytes: refused. The others overlap: the longest wins.
    let with = |n: usize| TrainConfig { special_tokens: special_tokens[..n].to_vec(), ..config(270, 2) };
    assert!(Tokenizer::train(&["text"], &with(3)).unwrap_err().to_string().contains("\"b\" stands for a byte"));
    let ours = Tokenizer::train(&["text"], &with(2)).unwrap();
    let hf = hf_load(&ours);
    for text in ["<a><b>", "<a>b>", "x<a><a><b>", "<a><"] {
        assert_eq!(ours.encode_with_special(text), hf_ids(&hf, text), "{text}");
    }
}

proptest! {
    // A small alphabet makes ties, runs of one letter and overlaps likely; the last two texts make many.
    #[test]
    fn learns_as_tokenizers_on_adversarial_text(
        texts in prop::collection::vec("[ab]{1,24}|[a-c ]{0,80}|a{1,40}", 1..6),
        vocab_size in 260..400_usize,
        min_frequency in 0..4_u64,
    ) {
        prop_assume!(texts.iter().any(|text| !text.is_empty()));
        let config = config(vocab_size, min_frequency);
        let ours = Tokenizer::train(&texts, &config).unwrap();
        let hf = hf_train(&texts, &config);
        assert_same_vocabulary(&ours, &hf);
        assert_same_file(&ours, &hf);
        let hf = hf_load(&ours);
        for text in &texts {
            prop_assert_eq!(ours.encode(text), hf_ids(&hf, text));
        }
    }

    #[test]
    fn encodes_any_text_as_tokenizers(train in any_text(), text in any_text()) {
        prop_assume!(!train.is_empty());
        let ours = Tokenizer::train(&[&train, &text], &config(300, 0)).unwrap();
        let mut hf = hf_load(&ours);
        prop_assert_eq!(ours.encode_with_special(&text), hf_ids(&hf, &text));
        prop_assert_eq!(ours.encode(&text), hf_plain_ids(&mut hf, &text));
    }

    #[test]
    fn decodes_any_ids_as_tokenizers(ids in prop::collection::vec(0..300_u32, 0..40)) {
        let ours = Tokenizer::train(&generated_text(20), &config(300, 0)).unwrap();
        prop_assert_eq!(ours.vocab_size(), 300);
        let hf = hf_load(&ours);
        prop_assert_eq!(ours.decode(&ids), hf.decode(&ids, true).unwrap());
        prop_assert_eq!(ours.decode_with_special(&ids), hf.decode(&ids, false).unwrap());
    }
}

proptest! {
    // Each case trains twice.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn learns_as_tokenizers_on_any_characters(
        texts in prop::collection::vec(any_text(), 1..8),
        name in prop::sample::select(&["gpt2", "o200k", "llama3", "qwen2", "digits", "llama3+digits3"][..]),
    ) {
        let texts = [texts.clone(), texts].concat();
        prop_assume!(texts.iter().any(|text| !text.is_empty()));
        // Special tokens are plain text in training; without them, the two have nothing to differ in.
        let config = TrainConfig { pretokenizer: name.parse().unwrap(), special_tokens: Vec::new(), ..config(420, 2) };
        let ours = Tokenizer::train(&texts, &config).unwrap();
        let hf = hf_train(&texts, &config);
        assert_same_vocabulary(&ours, &hf);
        for text in &texts {
            prop_assert_eq!(ours.encode(text), hf_ids(&hf, text), "{} {:?}", name, text);
        }
    }
}

/// Any characters at all, mixed with the ones that the pattern treats specially and with special tokens.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[ \t\n\r\u{a0}\u{3000}]{1,4}",
        "[a-zA-Z]{1,6}",
        "[0-9]{1,4}",
        "'(s|t|re|ve|m|ll|d|x)",
        "[!-/]{1,3}",
        prop::sample::select(&SPECIAL_TOKENS[..]).prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}
