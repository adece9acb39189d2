//! Scores of models whose right answer is known.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use evaluation::{Item, Rule, bits_per_byte, score_completions};
use generation::Limits;
use tokenizer::{END_OF_TEXT, Tokenizer, TrainConfig};
use transformer::{Architecture, ModelConfig, Transformer};

const TEXT: &str = "one two three, one two three, one two three four";

fn tokenizer() -> Tokenizer {
    Tokenizer::train(&[TEXT], &TrainConfig::with_vocab_size(280)).unwrap()
}

fn model(vocab_size: usize, max_seq_len: usize, init_std: f64) -> Transformer {
    let config = ModelConfig {
        vocab_size,
        d_model: 16,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 2,
        d_ff: 16,
        max_seq_len,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std,
    };
    Transformer::new(config, 0, &Device::Cpu).unwrap().for_inference().unwrap()
}

#[test]
fn a_uniform_model_needs_log2_of_the_vocabulary_for_each_token() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size(), 64, 0.05);
    for (_, var) in model.parameters().iter() {
        var.set(&var.as_tensor().zeros_like().unwrap()).unwrap();
    }
    let score = bits_per_byte(&model, &tokenizer, &[TEXT, "four"]).unwrap();
    let n_tokens = tokenizer.encode(TEXT).len() + tokenizer.encode("four").len();
    assert_eq!((score.n_tokens, score.n_bytes), (n_tokens, TEXT.len() + 4));
    let expected = n_tokens as f64 * (tokenizer.vocab_size() as f64).log2() / score.n_bytes as f64;
    assert!((score.value() - expected).abs() < 1e-5, "{} against {expected}", score.value());
}

#[test]
fn padding_and_batching_change_nothing() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size(), 64, 0.3);
    let texts = [TEXT, "one", "two three four", "three, one"];
    let together = bits_per_byte(&model, &tokenizer, &texts).unwrap();
    let apart: f64 = texts.iter().map(|text| bits_per_byte(&model, &tokenizer, &[text]).unwrap().nats).sum();
    assert!((together.nats - apart).abs() < 1e-3, "{} against {apart}", together.nats);
    // The sum by hand: start token, then each token of the text.
    let ids = tokenizer.encode(TEXT);
    let start = tokenizer.id_of(END_OF_TEXT).unwrap();
    let inputs: Vec<u32> = std::iter::once(start).chain(ids[..ids.len() - 1].iter().copied()).collect();
    let tensor = |ids: &[u32]| Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu).unwrap();
    let by_hand = -model
        .target_log_probs(&tensor(&inputs), &tensor(&ids))
        .unwrap()
        .sum_all()
        .unwrap()
        .to_scalar::<f32>()
        .unwrap();
    let found = bits_per_byte(&model, &tokenizer, &[TEXT]).unwrap().nats;
    assert!((found - f64::from(by_hand)).abs() < 1e-3);
}

#[test]
fn nothing_to_score_is_an_error() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size(), 64, 0.05);
    assert!(bits_per_byte(&model, &tokenizer, &[""]).unwrap_err().to_string().contains("no text to score"));
    let limits = Limits { max_tokens: 3, stop_tokens: vec![] };
    assert!(score_completions(&model, &tokenizer, &[], Rule::Equals, &limits).is_err());
}

#[test]
fn what_the_model_says_is_what_is_scored() {
    let tokenizer = tokenizer();
    let model = model(tokenizer.vocab_size(), 64, 0.3);
    let limits = Limits { max_tokens: 4, stop_tokens: vec![] };
    let item = |accepted: &str| Item { prompt: tokenizer.encode("one two"), accepted: vec![accepted.to_string()] };
    let (score, said) = score_completions(&model, &tokenizer, &[item("never this")], Rule::Equals, &limits).unwrap();
    assert_eq!((score.n_right, score.n_total), (0, 1));
    let items = [item("never this"), item(&said[0].text)];
    assert_eq!(score_completions(&model, &tokenizer, &items, Rule::Equals, &limits).unwrap().0.n_right, 1);
}
