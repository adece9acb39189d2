//! Texts of different lengths side by side become what each becomes alone, in every family of models.
#![allow(clippy::unwrap_used)]

use attention::{KeyValueStore, NoStore, RopeScaling};
use candle_core::{DType, Device, Tensor};
use generation::{
    BatchGenerator, Cuts, Event, FinishReason, KvCache, Limits, LogProbs, Outcome, Penalties, Request, Sampler,
    Sampling, generate,
};
use tensors::difference;
use transformer::{Architecture, ModelConfig, Positions, Transformer};

const CPU: Device = Device::Cpu;
const MAX_SEQ_LEN: usize = 24;

fn architectures() -> Vec<(&'static str, Architecture)> {
    let scaling =
        RopeScaling::Llama3 { factor: 4.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_max_seq_len: 8 };
    vec![
        ("Llama", Architecture::LLAMA),
        ("Llama 3.1", Architecture { positions: Positions::Rotary(scaling), ..Architecture::LLAMA }),
        ("Mistral", Architecture { sliding_window: Some(5), ..Architecture::LLAMA }),
        ("GPT-2", Architecture::GPT2),
        ("Qwen2", Architecture::QWEN2),
        ("Qwen3", Architecture { head_dim: Some(10), ..Architecture::QWEN3 }),
    ]
}

fn model(architecture: Architecture) -> Transformer {
    let config = ModelConfig {
        vocab_size: 61,
        d_model: 24,
        n_layers: 3,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 40,
        max_seq_len: MAX_SEQ_LEN,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture,
        tie_embeddings: true,
        init_std: 0.2,
    };
    let model = Transformer::new(config, 1, &CPU).unwrap();
    // Gains of 1 and biases of 0 would hide a part that is left out.
    for (index, (_, var)) in model.parameters().iter().enumerate() {
        let noise = tensors::normal(7, &format!("noise {index}"), var.dims().to_vec(), 0.1, &CPU).unwrap();
        var.set(&(var.as_tensor() + noise).unwrap()).unwrap();
    }
    model.for_inference().unwrap()
}

fn prompt(n: u32, salt: u32) -> Vec<u32> {
    (0..n).map(|i| (i * i * 17 + 5 * i + salt) % 61).collect()
}

fn tensor(ids: &[u32]) -> Tensor {
    Tensor::from_slice(ids, (1, ids.len()), &CPU).unwrap()
}

fn limits(max_tokens: usize) -> Limits {
    Limits { max_tokens, stop_tokens: vec![] }
}

fn greedy() -> Sampler {
    Sampler::new(Sampling::Greedy, 0).unwrap()
}

/// All that becomes of some requests: tokens and why they ended.
fn run(mut batch: BatchGenerator) -> Vec<(Vec<u32>, Vec<LogProbs>, Option<FinishReason>)> {
    let mut texts = Vec::new();
    loop {
        let events = batch.step().unwrap();
        if events.is_empty() {
            return texts;
        }
        for Event { text, outcome } in events {
            if texts.len() <= text {
                texts.resize(text + 1, (vec![], vec![], None));
            }
            let (tokens, all_log_probs, end) = &mut texts[text];
            assert_eq!(*end, None, "text {text} goes on after its end");
            match outcome {
                Outcome::Token { id, log_probs } => {
                    tokens.push(id);
                    all_log_probs.extend(log_probs);
                }
                Outcome::End(reason) => *end = Some(reason),
            }
        }
    }
}

#[test]
fn prefill_and_decode_equal_the_whole_pass_in_every_family() {
    for (name, architecture) in architectures() {
        let model = model(architecture);
        let ids = prompt(20, 0);
        for cuts in [vec![20], vec![1; 20], vec![7, 1, 1, 8, 3], vec![19, 1]] {
            let mut cache = KvCache::new(&model, 1, 20).unwrap();
            let mut start = 0;
            for n in cuts {
                let cached = model.next_logits(&tensor(&ids[start..start + n]), &mut cache).unwrap();
                start += n;
                let whole = model.next_logits(&tensor(&ids[..start]), &mut NoStore).unwrap();
                let apart = difference(&cached, &whole).unwrap();
                assert!(apart.max_abs < 1e-5, "{name}, {start} tokens: {apart:?}");
            }
        }
    }
}

#[test]
fn logits_of_padded_texts_are_those_of_each_alone() {
    const LENGTHS: [usize; 4] = [3, 9, 1, 6];
    const N_DECODED: usize = 6;
    for (name, architecture) in architectures() {
        let model = model(architecture);
        let texts: Vec<Vec<u32>> =
            LENGTHS.iter().zip(0..).map(|(n, salt)| prompt((n + N_DECODED) as u32, 3 * salt)).collect();
        let padding: Vec<usize> = LENGTHS.iter().map(|n| 9 - n).collect();
        let mut cache = KvCache::with_padding(&model, padding.clone(), 9 + N_DECODED).unwrap();
        assert_eq!(cache.padding(), Some(padding.as_slice()));
        for step in 0..=N_DECODED {
            let columns = if step == 0 { 0..9 } else { 8 + step..9 + step };
            // Whatever stands in the padding makes no difference.
            let rows = texts.iter().zip(&padding).flat_map(|(text, n_padding)| {
                columns.clone().map(move |column| column.checked_sub(*n_padding).map_or(60, |at| text[at]))
            });
            let rows = Tensor::from_vec(rows.collect::<Vec<u32>>(), (4, columns.len()), &CPU).unwrap();
            let logits = model.next_logits(&rows, &mut cache).unwrap(); // (4, vocab_size)
            assert_eq!(logits.dtype(), DType::F32);
            for (row, (text, n)) in texts.iter().zip(LENGTHS).enumerate() {
                let alone = model.next_logits(&tensor(&text[..n + step]), &mut NoStore).unwrap();
                let apart = difference(&logits.narrow(0, row, 1).unwrap(), &alone).unwrap();
                assert!(apart.max_abs < 1e-5, "{name}, row {row}, step {step}: {apart:?}");
            }
        }
    }
}

#[test]
fn each_text_becomes_what_it_becomes_alone() {
    for (name, architecture) in architectures() {
        let model = model(architecture);
        let random = Sampling::Random { temperature: 1.3, cuts: Cuts { top_k: Some(20), top_p: 0.9, min_p: 0.01 } };
        let penalties = Penalties { repetition: 1.3, presence: 0.2, frequency: 0.1 };
        let sampler = |seed| Sampler::new(random, seed).unwrap().with_penalties(penalties).unwrap();
        // Different lengths, samplers and limits; the third fills the model's positions long before the second would.
        let requests = [
            Request { prompt: prompt(4, 0), sampler: greedy(), limits: limits(3) },
            Request { prompt: prompt(2, 1), sampler: sampler(5), limits: limits(99) },
            Request { prompt: prompt(20, 2), sampler: greedy(), limits: limits(99) },
            Request { prompt: prompt(9, 3), sampler: sampler(6), limits: limits(12) },
            Request { prompt: prompt(1, 4), sampler: sampler(5), limits: limits(0) },
            Request { prompt: prompt(7, 5), sampler: sampler(8), limits: limits(99) },
        ];
        let together = run(BatchGenerator::new(&model, requests.to_vec()).unwrap());
        for (number, (request, (tokens, _, end))) in requests.iter().zip(&together).enumerate() {
            let Request { prompt, sampler, limits } = request.clone();
            let alone = generate(&model, &prompt, sampler, limits).unwrap();
            assert_eq!(*tokens, alone, "{name}, text {number}");
            assert_eq!(*end, Some(FinishReason::Length));
        }
        let n_tokens: Vec<usize> = together.iter().map(|(tokens, ..)| tokens.len()).collect();
        assert_eq!(n_tokens, [3, 23, 5, 12, 0, 18]);
    }
}

#[test]
fn a_text_that_stops_leaves_the_others_as_they_are() {
    let model = model(Architecture::LLAMA);
    let prompts = [prompt(4, 0), prompt(2, 1), prompt(9, 2)];
    let alone: Vec<Vec<u32>> =
        prompts.iter().map(|prompt| generate(&model, prompt, greedy(), limits(10)).unwrap()).collect();
    let requests = |stop_tokens: [Vec<u32>; 3]| {
        let requests = prompts.iter().zip(stop_tokens).map(|(prompt, stop_tokens)| Request {
            prompt: prompt.clone(),
            sampler: greedy(),
            limits: Limits { max_tokens: 10, stop_tokens },
        });
        BatchGenerator::new(&model, requests.collect()).unwrap()
    };
    // The second text stops in the middle, by a token that is not part of it.
    let stop = alone[1][4];
    let n_before = alone[1].iter().position(|token| *token == stop).unwrap();
    let found = run(requests([vec![], vec![stop], vec![]]));
    assert_eq!(found[0].0, alone[0]);
    assert_eq!(found[1].0, alone[1][..n_before]);
    assert_eq!(found[2].0, alone[2]);
    let ends: Vec<_> = found.iter().map(|(.., end)| end.unwrap()).collect();
    assert_eq!(ends, [FinishReason::Length, FinishReason::Stop, FinishReason::Length]);
    // A reader who has seen enough of the first.
    let mut batch = requests([vec![], vec![], vec![]]);
    assert_eq!(batch.step().unwrap().len(), 3);
    batch.stop(0).unwrap();
    for (first, second) in alone[1].iter().zip(&alone[2]).skip(1) {
        let events = batch.step().unwrap();
        let tokens: Vec<(usize, u32)> = events
            .iter()
            .filter_map(|event| match event.outcome {
                Outcome::Token { id, .. } => Some((event.text, id)),
                Outcome::End(_) => None,
            })
            .collect();
        assert_eq!(tokens, [(1, *first), (2, *second)]);
    }
    batch.stop(1).unwrap();
    batch.stop(2).unwrap();
    assert!(batch.step().unwrap().is_empty());
}

#[test]
fn log_probs_are_of_the_model_before_the_sampler() {
    let model = model(Architecture::LLAMA);
    let hot = Sampling::Random { temperature: 3.0, cuts: Cuts { top_k: Some(30), ..Cuts::NONE } };
    let penalties = Penalties { repetition: 2.0, ..Penalties::NONE };
    let sampler = Sampler::new(hot, 3).unwrap().with_penalties(penalties).unwrap();
    let requests = [(6, 0), (3, 1)].map(|(n, salt)| Request {
        prompt: prompt(n, salt),
        sampler: sampler.clone(),
        limits: limits(8),
    });
    let found = run(BatchGenerator::new(&model, requests.to_vec()).unwrap().with_log_probs(4));
    for (request, (tokens, log_probs, _)) in requests.iter().zip(found) {
        assert!(tokens.len() == 8 && log_probs.len() == 8);
        let text = [request.prompt.as_slice(), &tokens].concat();
        // Chapter 6's own log-probabilities of the whole text.
        let (inputs, targets) = (tensor(&text[..text.len() - 1]), tensor(&text[1..]));
        let expected = model.target_log_probs(&inputs, &targets).unwrap().flatten_all().unwrap();
        let expected = expected.to_vec1::<f32>().unwrap();
        for (at, LogProbs { of_token, top }) in log_probs.iter().enumerate() {
            let expected = f64::from(expected[request.prompt.len() - 1 + at]);
            assert!((of_token - expected).abs() < 1e-4, "token {at}: {of_token} against {expected}");
            assert!(top.len() == 4 && top.is_sorted_by(|a, b| a.1 >= b.1));
            assert!(top.iter().all(|(id, log_prob)| *id != tokens[at] || log_prob == of_token));
        }
    }
}

#[test]
fn the_repetition_penalty_counts_the_prompt_and_presence_does_not() {
    let model = model(Architecture::LLAMA);
    let repetition = Penalties { repetition: 9.0, ..Penalties::NONE };
    let of_the_answer = Penalties { presence: 2.0, frequency: 2.0, ..Penalties::NONE };
    let mut n_changed = 0;
    for salt in 0..20 {
        let text = prompt(12, salt);
        let logits = model.next_logits(&tensor(&text), &mut NoStore).unwrap().squeeze(0).unwrap();
        let mut logits = logits.to_vec1::<f32>().unwrap();
        let best = |z: &[f32]| (0..z.len()).max_by(|a, b| z[*a].total_cmp(&z[*b])).unwrap() as u32;
        let chosen = |penalties| {
            let sampler = greedy().with_penalties(penalties).unwrap();
            generate(&model, &text, sampler, limits(1)).unwrap()[0]
        };
        let unpenalised = best(&logits);
        assert_eq!(chosen(of_the_answer), unpenalised, "there is no answer yet");
        for (_, z) in logits.iter_mut().enumerate().filter(|(token, _)| text.contains(&(*token as u32))) {
            *z = if *z < 0.0 { *z * 9.0 } else { *z / 9.0 };
        }
        assert_eq!(chosen(repetition), best(&logits));
        n_changed += usize::from(best(&logits) != unpenalised);
    }
    assert!(n_changed > 0, "no prompt has the token that would come next");
}

#[test]
fn a_cache_keeps_the_sequences_that_it_is_told_to() {
    let model = model(Architecture::LLAMA);
    let mut cache = KvCache::with_padding(&model, vec![0, 2, 1], 8).unwrap();
    let n_bytes = cache.n_bytes();
    let rows = Tensor::from_vec(prompt(12, 0), (3, 4), &CPU).unwrap();
    model.next_logits(&rows, &mut cache).unwrap();
    assert!(cache.keep_sequences(&[3]).unwrap_err().to_string().contains("no sequence 3 among the cache's 3"));
    assert!(cache.keep_sequences(&[]).unwrap_err().to_string().contains("at least one sequence"));
    cache.keep_sequences(&[2, 0]).unwrap();
    assert_eq!((cache.n_padding(), cache.len(), cache.n_bytes()), (&[1, 0][..], 4, n_bytes / 3 * 2));
    let next = Tensor::from_vec(vec![5u32, 6], (2, 1), &CPU).unwrap();
    let logits = model.next_logits(&next, &mut cache).unwrap();
    let ids = prompt(12, 0);
    for (row, text) in [[&ids[9..12], &[5]].concat(), [&ids[..4], &[6]].concat()].iter().enumerate() {
        let alone = model.next_logits(&tensor(text), &mut NoStore).unwrap();
        assert!(difference(&logits.narrow(0, row, 1).unwrap(), &alone).unwrap().max_abs < 1e-5);
    }
    // Without padding the store says so, and attention takes its fast way.
    cache.keep_sequences(&[1]).unwrap();
    assert_eq!(cache.padding(), None);
}

#[test]
fn requests_that_cannot_be_met_are_refused() {
    let model = model(Architecture::LLAMA);
    let error = |prompts: &[Vec<u32>]| {
        let requests =
            prompts.iter().map(|prompt| Request { prompt: prompt.clone(), sampler: greedy(), limits: limits(1) });
        BatchGenerator::new(&model, requests.collect()).unwrap_err().to_string()
    };
    assert!(error(&[]).contains("at least one sequence"));
    assert!(error(&[prompt(3, 0), vec![]]).contains("the prompt has no token"));
    assert!(error(&[prompt(3, 0), prompt(24, 0)]).contains("24 tokens leave no room within max_seq_len 24"));
    let mut cache = KvCache::with_padding(&model, vec![0, 3], 4).unwrap();
    model.next_logits(&Tensor::zeros((2, 4), DType::U32, &CPU).unwrap(), &mut cache).unwrap();
    let error = model.next_logits(&Tensor::zeros((2, 1), DType::U32, &CPU).unwrap(), &mut cache).unwrap_err();
    assert!(error.to_string().contains("5 tokens exceed the cache's capacity of 4"));
}
