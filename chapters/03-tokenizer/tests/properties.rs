//! What must hold for every text and every vocabulary, whatever anyone else's implementation says.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use proptest::prelude::*;
use tokenizer::{
    SPECIAL_TOKENS, Stop, Tokenizer, TokenizerError, TrainConfig, bytes_to_unicode::bytes_in_id_order, pretokenize,
    probes::PROBES, recount, report,
};

const TEXTS: [&str; 3] = [
    "the lamp in the harbour of the town, the lamplight on the water",
    "the harbour master lights the lamp at 19:45 and 1945 lamps burn",
    "Größe, größer, am größten — 東京の東 🦀🦀🦀",
];

fn trained(vocab_size: usize) -> Tokenizer {
    Tokenizer::train(&TEXTS, &TrainConfig::with_vocab_size(vocab_size)).unwrap()
}

proptest! {
    #[test]
    fn decoding_an_encoding_gives_the_text(text in any::<String>()) {
        let tokenizer = trained(290);
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
    }

    #[test]
    fn user_text_never_encodes_to_a_special_token(
        texts in prop::collection::vec(prop::sample::select(&["<|end|>", "<|", "end", "|>", " ", "x"][..]), 1..20)
    ) {
        let text = texts.concat();
        let tokenizer = Tokenizer::train(&[&text, &text], &TrainConfig::with_vocab_size(400)).unwrap();
        prop_assert!(tokenizer.encode(&text).iter().all(|&id| !tokenizer.is_special(id)));
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
    }

    #[test]
    fn the_pieces_of_a_stream_join_to_the_decoded_whole(ids in prop::collection::vec(0..310_u32, 0..60)) {
        let tokenizer = trained(300);
        let mut stream = tokenizer.decode_stream();
        let mut text: String = ids.iter().filter_map(|&id| stream.push(id)).collect();
        text.extend(stream.finish());
        prop_assert_eq!(text, tokenizer.decode(&ids));
    }

    #[test]
    fn a_stream_never_splits_a_character(text in "\\PC{0,30}") {
        let tokenizer = trained(270);
        let mut stream = tokenizer.decode_stream();
        for id in tokenizer.encode(&text) {
            if let Some(piece) = stream.push(id) {
                prop_assert!(text.contains(&piece), "{piece:?}");
            }
        }
        prop_assert_eq!(stream.finish(), None);
    }

    #[test]
    fn updated_counts_make_the_merges_that_recounting_makes(
        texts in prop::collection::vec("[a-d ]{1,60}", 1..5),
        min_frequency in 1..4_u64,
    ) {
        let vocab_size = 300;
        let config = TrainConfig { min_frequency, ..TrainConfig::with_vocab_size(vocab_size) };
        let (tokenizer, summary) = Tokenizer::train_with_summary(&texts, &config).unwrap();
        let n_base = 256 + SPECIAL_TOKENS.len() as u32;
        let slow = recount::merges_by_recounting(words_as_ids(&texts), n_base, vocab_size as u32 - n_base, min_frequency);
        prop_assert_eq!(tokenizer.merges(), &slow[..]);
        prop_assert_eq!(summary.stop == Stop::Full, summary.vocab_size == vocab_size);
    }
}

fn words_as_ids(texts: &[String]) -> Vec<(Vec<u32>, u64)> {
    let order = bytes_in_id_order();
    let id_of = |byte| (SPECIAL_TOKENS.len() + order.iter().position(|&b| b == byte).unwrap()) as u32;
    let mut counts = HashMap::<&str, u64>::new();
    for word in texts.iter().flat_map(|text| pretokenize(text)) {
        *counts.entry(word).or_default() += 1;
    }
    counts.into_iter().map(|(word, n_times)| (word.bytes().map(id_of).collect(), n_times)).collect()
}

#[test]
fn the_order_of_texts_and_the_number_of_threads_change_nothing() {
    let config = TrainConfig::with_vocab_size(320);
    let forward = Tokenizer::train(&TEXTS, &config).unwrap();
    let mut reversed = TEXTS;
    reversed.reverse();
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let other = one_thread.install(|| Tokenizer::train(&reversed, &config).unwrap());
    assert_eq!(forward.merges(), other.merges());
    assert_eq!(forward.encode_batch(&TEXTS), TEXTS.map(|text| other.encode(text)));
}

#[test]
fn a_warm_cache_gives_what_a_cold_one_gives() {
    let warm = trained(300);
    warm.encode(&TEXTS.concat());
    for text in TEXTS {
        assert_eq!(warm.encode(text), warm.clone().encode(text));
    }
}

// How much work that is, is counted in `src/merge.rs`.
#[test]
fn a_megabyte_without_a_space_comes_back() {
    let text = "lamplight".repeat(120_000);
    let tokenizer = trained(300);
    assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
}

#[test]
fn ids_begin_with_the_special_tokens_and_then_the_bytes() {
    let tokenizer = trained(280);
    for (text, id) in SPECIAL_TOKENS.into_iter().zip(0..) {
        assert_eq!((tokenizer.id_of(text), tokenizer.token_of(id).as_deref()), (Some(id), Some(text)));
    }
    assert_eq!(tokenizer.id_of("!"), Some(4));
    assert_eq!(tokenizer.id_of("no such token"), None);
    assert_eq!(tokenizer.token_of(280), None);
    let byte = bytes_in_id_order().iter().position(|&byte| byte == 0xE2).unwrap() as u32 + 4;
    assert_eq!(tokenizer.token_of(byte).as_deref(), Some("\\xE2"));
    assert_eq!(tokenizer.decode(&[280]), "\u{FFFD}");
}

#[test]
fn no_merge_spells_a_special_token() {
    let special_tokens = vec!["lamp".to_owned(), "ĠoilĠ".to_owned()];
    let config = TrainConfig { special_tokens, ..TrainConfig::with_vocab_size(300) };
    let tokenizer = Tokenizer::train(&["lamp lamp lamp lamps oil"; 3], &config).unwrap();
    let ordinary = (2..tokenizer.vocab_size() as u32).map(|id| tokenizer.token_of(id).unwrap());
    assert!(ordinary.into_iter().all(|token| token != "lamp"));
    assert_eq!(tokenizer.id_of("lamp"), Some(0));
    assert!(tokenizer.id_of(" lamp").is_some(), "other merges go on");
    assert!(tokenizer.encode("lamp").len() > 1);
    assert_eq!(tokenizer.encode_with_special("lamp"), [0]);
}

#[test]
fn training_says_when_the_text_is_too_small() {
    let config = TrainConfig::with_vocab_size(5000);
    let (tokenizer, summary) = Tokenizer::train_with_summary(&["aaaa bbbb aaaa"], &config).unwrap();
    assert_eq!(summary.stop, Stop::NoMorePairs);
    assert!(tokenizer.vocab_size() < 270);
    let said = summary.to_string();
    assert!(said.contains("5000 were asked for") && said.contains("occurs 2 times"), "{said}");
}

#[test]
fn wrong_requests_are_refused_with_their_numbers() {
    let train = |vocab_size, special: &[&str], texts: &[&str]| {
        let special_tokens = special.iter().map(|&text| text.to_owned()).collect();
        let config = TrainConfig { special_tokens, ..TrainConfig::with_vocab_size(vocab_size) };
        Tokenizer::train(texts, &config).map(|_| ()).unwrap_err()
    };
    let error = train(259, &SPECIAL_TOKENS, &["x"]);
    assert!(matches!(error, TokenizerError::VocabTooSmall { minimum: 260, .. }));
    assert!(error.to_string().contains("259") && error.to_string().contains("choose 260 or more"), "{error}");
    let error = train(1 << 32, &[], &["x"]).to_string();
    assert!(
        error.contains("vocab_size 4294967296 is too large") && error.contains("choose 4294967295 or less"),
        "{error}"
    );
    TrainConfig::with_vocab_size(4_294_967_295).validate().unwrap();
    assert!(matches!(train(300, &[], &["", ""]), TokenizerError::EmptyCorpus { n_texts: 2 }));
    assert!(matches!(train(300, &[], &[]), TokenizerError::EmptyCorpus { n_texts: 0 }));
    for (special, said) in [(&[""][..], "is empty"), (&["<x>", "<x>"], "twice"), (&["Ġ"], "stands for a byte")] {
        let error = train(300, special, &["x"]).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn the_first_ids_of_a_vocabulary_are_a_smaller_vocabulary() {
    let whole = trained(320);
    let n_ids = whole.vocab_size();
    for vocab_size in [260, 270, 290, n_ids] {
        let (smaller, expected) = (whole.with_first_ids(vocab_size).unwrap(), trained(vocab_size));
        assert_eq!(smaller.merges(), expected.merges());
        assert_eq!(smaller.encode_batch(&TEXTS), expected.encode_batch(&TEXTS));
    }
    assert!(whole.with_first_ids(100).is_none(), "without all bytes it would not spell every text");
    let lengths = report::length_by_vocab_size(&whole, &TEXTS);
    assert_eq!(lengths.len(), 1, "half of it has no room for the bytes");
    let ids = |tokenizer: &Tokenizer| TEXTS.iter().map(|text| tokenizer.encode(text).len() as u64).sum::<u64>();
    assert_eq!(lengths[0], (n_ids, ids(&whole)));
}

#[test]
fn a_comparison_counts_tokens_by_kind() {
    let tokenizer = trained(300);
    let comparison = report::compare("ours", &tokenizer, &TEXTS, 64);
    assert_eq!(comparison.n_embedding_parameters, tokenizer.vocab_size() as u64 * 64);
    assert_eq!(comparison.corpus, Some(report(&tokenizer, &TEXTS)));
    for (kind, probe) in comparison.kinds.iter().zip(PROBES) {
        assert_eq!((kind.kind, kind.n_tokens), (probe.kind, tokenizer.encode(probe.text).len()));
        assert_eq!(tokenizer.decode(&tokenizer.encode(probe.text)), probe.text);
    }
    assert_eq!(report::compare::<&str>("ours", &tokenizer, &[], 64).corpus, None);
}

#[test]
fn a_report_counts_what_the_encoder_made() {
    let tokenizer = trained(300);
    let report = report(&tokenizer, &TEXTS);
    let n_bytes: usize = TEXTS.iter().map(|text| text.len()).sum();
    let ids: Vec<u32> = TEXTS.iter().flat_map(|text| tokenizer.encode(text)).collect();
    assert_eq!((report.n_bytes, report.n_tokens), (n_bytes as u64, ids.len() as u64));
    assert!(report.unused.iter().all(|id| !ids.contains(id)));
    let n_used = ids.iter().collect::<std::collections::HashSet<_>>().len();
    assert_eq!(report.unused.len() + n_used + SPECIAL_TOKENS.len(), tokenizer.vocab_size());
    let longest = tokenizer.id_of(&report.longest[0]).unwrap();
    assert!(ids.contains(&longest));
}
