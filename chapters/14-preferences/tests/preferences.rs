//! DPO against PyTorch, and the promises of the task: the reference stays, every parameter learns, what does not fit is counted.
#![allow(clippy::unwrap_used)]

use std::fs;

use candle_core::{Device, Tensor, Var};
use finetuning::chat::{Ending, TEMPLATE};
use finetuning::laboratory::settings;
use finetuning::{ChatTemplate, Conversation, Example};
use preferences::dpo::answer_log_probs;
use preferences::{DpoConfig, PreferencePair, PreferenceTuning, dpo_losses};
use tensors::{difference, gradient_coverage};
use tokenizer::{Tokenizer, TrainConfig};
use training::{Task, Trainer};
use transformer::{Architecture, ModelConfig, Transformer};

const CPU: Device = Device::Cpu;

/// Reads `tests/reference/dpo.json`, which `dpo.py` made with PyTorch.
fn reference() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/dpo.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn assert_close(what: &str, found: &Tensor, expected: &serde_json::Value) {
    let found = found.to_vec1::<f32>().unwrap();
    for (row, (found, expected)) in found.iter().zip(numbers(expected)).enumerate() {
        let tolerance = 1e-6 + 1e-5 * expected.abs();
        assert!((found - expected).abs() <= tolerance, "{what}, row {row}: {found}, PyTorch {expected}");
    }
}

#[test]
fn loss_rewards_and_gradients_equal_pytorch() {
    let reference = reference();
    let rows: Vec<Vec<f32>> = serde_json::from_value(reference["rows"].clone()).unwrap();
    let column = |index: usize| Var::new(rows.iter().map(|row| row[index]).collect::<Vec<_>>(), &CPU).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let (chosen, rejected) = (column(0), column(1));
        let beta = case["beta"].as_f64().unwrap();
        let found = dpo_losses(&chosen, &rejected, &column(2), &column(3), beta).unwrap();
        assert_close("loss", &found.losses, &case["losses"]);
        assert_close("chosen reward", &found.chosen_rewards, &case["chosen_rewards"]);
        assert_close("rejected reward", &found.rejected_rewards, &case["rejected_rewards"]);
        let gradients = found.losses.sum_all().unwrap().backward().unwrap();
        assert_close("gradient of chosen", gradients.get(&chosen).unwrap(), &case["chosen_gradients"]);
        assert_close("gradient of rejected", gradients.get(&rejected).unwrap(), &case["rejected_gradients"]);
    }
}

#[test]
fn extreme_margins_are_finite() {
    let zero = Tensor::new(&[0f32], &CPU).unwrap();
    for margin in [-1e6f32, -1e3, 1e3, 1e6] {
        let chosen = Var::new(&[margin], &CPU).unwrap();
        let losses = dpo_losses(&chosen, &zero, &zero, &zero, 1.0).unwrap().losses;
        let loss = losses.to_vec1::<f32>().unwrap()[0];
        assert!((loss - (-margin).max(0.0)).abs() < 1e-6 * margin.abs(), "margin {margin}: loss {loss}");
        let gradient = losses.backward().unwrap().get(&chosen).unwrap().to_vec1::<f32>().unwrap()[0];
        assert_eq!(gradient, if margin < 0.0 { -1.0 } else { 0.0 }, "margin {margin}");
    }
}

const TEXT: &str = "What does Tovi sell? Tovi sells honey. What does Kelo sell? Kelo sells salt. I don't know.";

struct Bench {
    tokenizer: Tokenizer,
    template: ChatTemplate,
    model: Transformer,
}

fn bench() -> Bench {
    let tokenizer = Tokenizer::train(&[TEXT], &TrainConfig::with_vocab_size(290)).unwrap();
    let config = ModelConfig {
        vocab_size: tokenizer.vocab_size(),
        d_model: 16,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 24,
        max_seq_len: 48,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.1,
    };
    let model = Transformer::new(config, 1, &CPU).unwrap();
    Bench { tokenizer, template: ChatTemplate::new(TEMPLATE).unwrap(), model }
}

fn pairs() -> Vec<PreferencePair> {
    vec![
        PreferencePair::of("What does Tovi sell?", "Tovi sells honey.", "honey."),
        PreferencePair::of("What does Kelo sell?", "Kelo sells salt.", "salt."),
    ]
}

fn config(beta: f64) -> DpoConfig {
    DpoConfig { batch_size: 2, beta, nll_weight: 0.0, train: settings(8, 1e-2) }
}

fn task<'a>(bench: &'a Bench, reference: &Transformer, pairs: &[PreferencePair]) -> PreferenceTuning<'a> {
    let Bench { tokenizer, template, model } = bench;
    PreferenceTuning::new(model, reference, tokenizer, template, pairs, &config(0.1), 0).unwrap()
}

#[test]
fn an_answers_log_probability_is_the_sum_over_its_own_tokens() {
    let Bench { tokenizer, template, model } = bench();
    let (question, answer) = ("What does Tovi sell?", "honey.");
    let example = Example::new(&Conversation::of(question, answer), &template, &tokenizer).unwrap();
    // Another, longer example in the batch brings padding, which must not count.
    let longer = Example::new(&Conversation::of(question, TEXT), &template, &tokenizer);
    let batch = [&example, &longer.unwrap()];
    let found = answer_log_probs(&model, &batch[..1]).unwrap().to_vec1::<f32>().unwrap()[0];
    // By hand: log-softmax of the whole conversation's logits, read at the answer's tokens and at the closing one.
    let prompt = template.encode(&tokenizer, &[finetuning::Message::user(question)], Ending::Prompt).unwrap();
    let said: Vec<u32> =
        tokenizer.encode(&format!(" {answer}")).into_iter().chain(tokenizer.id_of(tokenizer::END)).collect();
    let all = [prompt.clone(), said.clone()].concat();
    let tokens = Tensor::from_slice(&all, (1, all.len()), &CPU).unwrap();
    let logits = model.logits(&tokens).unwrap().to_vec3::<f32>().unwrap().remove(0);
    let mut by_hand = 0.0;
    for (offset, &token) in said.iter().enumerate() {
        let row = &logits[prompt.len() + offset - 1];
        let log_sum: f64 = row.iter().map(|&z| f64::from(z).exp()).sum::<f64>().ln();
        by_hand += f64::from(row[token as usize]) - log_sum;
    }
    assert!((f64::from(found) - by_hand).abs() < 1e-3, "{found} against {by_hand}");
}

#[test]
fn padding_does_not_count() {
    let Bench { tokenizer, template, model } = bench();
    let example = |answer| Example::new(&Conversation::of("What?", answer), &template, &tokenizer).unwrap();
    let (short, long) = (example("honey."), example("Tovi sells honey and salt."));
    let alone = answer_log_probs(&model, &[&short]).unwrap().to_vec1::<f32>().unwrap()[0];
    let together = answer_log_probs(&model, &[&short, &long]).unwrap().to_vec1::<f32>().unwrap();
    assert!((alone - together[0]).abs() < 1e-4, "{alone} against {together:?}");
    assert!((together[0] - together[1]).abs() > 1.0);
}

#[test]
fn the_first_loss_is_that_of_equal_models() {
    let bench = bench();
    let loss = task(&bench, &bench.model.frozen_copy().unwrap(), &pairs()).next_loss().unwrap();
    let mean = loss.sum.to_scalar::<f32>().unwrap() / loss.n_targets as f32;
    assert!((f64::from(mean) - std::f64::consts::LN_2).abs() < 1e-6, "{mean}");
    let margin = loss.extras.iter().find(|(name, _)| *name == "margin").unwrap().1;
    assert_eq!((loss.n_targets, margin), (2, 0.0));
}

#[test]
fn every_parameter_gets_a_gradient_through_the_loss() {
    let bench = bench();
    let loss = task(&bench, &bench.model.frozen_copy().unwrap(), &pairs()).next_loss().unwrap();
    let coverage = gradient_coverage(&loss.sum, bench.model.parameters()).unwrap();
    assert!(coverage.is_complete(), "{coverage:?}");
}

#[test]
fn training_separates_the_answers_and_leaves_the_reference_alone() {
    let bench = bench();
    let reference = bench.model.frozen_copy().unwrap();
    let before: Vec<_> = reference.parameters().tensors().map(|(_, t)| t.copy().unwrap()).collect();
    let mut task = task(&bench, &reference, &pairs());
    let mut last = None;
    let train = config(0.1).train;
    Trainer::new(&bench.model, train).unwrap().run(&mut task, None, &mut |m| last = Some(m.clone())).unwrap();
    let last = last.unwrap();
    assert!(last.extras["margin"] > 0.1 && last.extras["accuracy"] == 1.0, "{last:?}");
    let gap = last.extras["margin"] - (last.extras["chosen_reward"] - last.extras["rejected_reward"]);
    assert!(gap.abs() < 1e-5, "the margin is the difference of the rewards");
    for ((name, after), before) in reference.parameters().tensors().zip(&before) {
        assert_eq!(difference(&after, before).unwrap().max_abs, 0.0, "{name} of the reference moved");
    }
    let moved = bench.model.parameters().tensors().zip(&before);
    assert!(moved.map(|((_, now), was)| difference(&now, was).unwrap().max_abs).fold(0.0, f64::max) > 1e-3);
}

#[test]
fn a_walk_over_pairs_goes_on_where_it_was() {
    let bench = bench();
    let reference = bench.model.frozen_copy().unwrap();
    let many: Vec<PreferencePair> = (0..5)
        .map(|i| PreferencePair::of(&format!("What does {i} sell?"), &format!("{i} sells salt."), "salt."))
        .collect();
    let sum = |task: &mut PreferenceTuning| task.next_loss().unwrap().extras;
    // Of a model that is not the reference, so that every pair has a loss of its own.
    let other = Bench { model: Transformer::new(bench.model.config().clone(), 2, &CPU).unwrap(), ..bench };
    let mut first = task(&other, &reference, &many);
    let _ = (sum(&mut first), sum(&mut first));
    let state = first.state();
    let next = sum(&mut first);
    let mut second = task(&other, &reference, &many);
    assert_ne!(sum(&mut second), next);
    second.restore(&state).unwrap();
    assert_eq!(sum(&mut second), next);
    let error = task(&other, &reference, &many[..4]).restore(&state).unwrap_err().to_string();
    assert!(error.contains("over 5 examples"), "{error}");
}

#[test]
fn pairs_that_do_not_fit_are_counted_and_wrong_settings_refused() {
    let bench = bench();
    let reference = bench.model.frozen_copy().unwrap();
    let long = PreferencePair::of("What does Tovi sell?", &"honey ".repeat(60), "honey.");
    let one_long = [pairs(), vec![long.clone()]].concat();
    assert_eq!(task(&bench, &reference, &one_long).n_too_long(), 1);
    assert_eq!(task(&bench, &reference, &pairs()).n_too_long(), 0);
    let refused = |pairs: &[PreferencePair], config: &DpoConfig| {
        let Bench { tokenizer, template, model } = &bench;
        let task = PreferenceTuning::new(model, &reference, tokenizer, template, pairs, config, 0);
        format!("{:#}", task.unwrap_err())
    };
    let error = refused(&[long], &config(0.1));
    assert!(error.contains("1 of 1 pairs exceed 49 tokens"), "{error}");
    for beta in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        assert!(refused(&pairs(), &config(beta)).contains(&format!("beta {beta} must be")), "{beta}");
    }
    for nll_weight in [-1.0, f64::NAN, f64::INFINITY] {
        let error = refused(&pairs(), &DpoConfig { nll_weight, ..config(0.1) });
        assert!(error.contains(&format!("nll_weight {nll_weight} must be")), "{error}");
    }
    assert!(refused(&pairs(), &DpoConfig { batch_size: 0, ..config(0.1) }).contains("batch_size 0"));
    assert!(refused(&pairs(), &DpoConfig { train: settings(0, 1e-2), ..config(0.1) }).contains("steps 0"));
    let silent = PreferencePair { chosen: vec![], ..pairs()[0].clone() };
    assert!(refused(&[silent], &config(0.1)).contains("pair 0"));
}

#[test]
fn the_anchor_adds_the_chosen_answers_cross_entropy_a_token() {
    let bench = bench();
    let reference = bench.model.frozen_copy().unwrap();
    let Bench { tokenizer, template, model } = &bench;
    let loss = |nll_weight: f64| {
        let config = DpoConfig { nll_weight, ..config(0.1) };
        let task = PreferenceTuning::new(model, &reference, tokenizer, template, &pairs(), &config, 0);
        task.unwrap().next_loss().unwrap().sum.to_scalar::<f32>().unwrap()
    };
    let per_token = |pair: &PreferencePair| {
        let messages = [pair.prompt.as_slice(), &pair.chosen].concat();
        let example = Example::new(&Conversation { messages }, template, tokenizer).unwrap();
        let log_prob = answer_log_probs(model, &[&example]).unwrap().to_vec1::<f32>().unwrap()[0];
        -log_prob / example.is_answer.iter().filter(|is_answer| **is_answer).count() as f32
    };
    let expected = 0.5 * pairs().iter().map(per_token).sum::<f32>();
    let found = loss(0.5) - loss(0.0);
    assert!((found - expected).abs() < 1e-4, "{found} against {expected}");
}

#[test]
fn a_reference_that_cannot_be_compared_with_is_refused_before_training() {
    let bench = bench();
    let reference = bench.model.frozen_copy().unwrap();
    let (_, norm) = reference.parameters().iter().find(|(name, _)| *name == "final_norm").unwrap();
    norm.set(&(norm.as_tensor() * f64::NAN).unwrap()).unwrap();
    let Bench { tokenizer, template, model } = &bench;
    let task = PreferenceTuning::new(model, &reference, tokenizer, template, &pairs(), &config(0.1), 0);
    let error = task.unwrap_err().to_string();
    assert!(error.contains("the reference's log-probabilities of a pair are NaN and NaN"), "{error}");
}

#[test]
fn trl_lines_are_read() {
    let line = r#"{"prompt": [{"role": "user", "content": "What does Tovi sell?"}],
        "chosen": [{"role": "assistant", "content": "Tovi sells honey."}],
        "rejected": [{"role": "assistant", "content": "honey."}]}"#;
    assert_eq!(serde_json::from_str::<PreferencePair>(line).unwrap(), pairs()[0]);
}
