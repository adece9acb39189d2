//! What is seen inside a model is what the model computes.
#![allow(clippy::unwrap_used)]

use candle_core::{Device, Tensor};
use transformer::inspect::{attention_maps, logit_lens, neighbours};
use transformer::{Architecture, ModelConfig, Transformer};

fn model(architecture: Architecture) -> Transformer {
    let config = ModelConfig {
        vocab_size: 61,
        d_model: 24,
        n_layers: 3,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 40,
        max_seq_len: 16,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture,
        tie_embeddings: true,
        init_std: 0.3,
    };
    Transformer::new(config, 1, &Device::Cpu).unwrap()
}

fn tokens(n: u32) -> Tensor {
    Tensor::from_vec((0..n).map(|i| (i * 7 + 3) % 61).collect::<Vec<u32>>(), (1, n as usize), &Device::Cpu).unwrap()
}

#[test]
fn every_row_of_a_map_is_a_distribution_over_what_may_be_seen() {
    let windowed = Architecture { sliding_window: Some(3), ..Architecture::LLAMA };
    for architecture in [Architecture::LLAMA, Architecture::GPT2, windowed] {
        let maps = attention_maps(&model(architecture), &tokens(7)).unwrap();
        assert_eq!(maps.len(), 3);
        for map in maps {
            for head in map.to_vec3::<f32>().unwrap() {
                for (at, row) in head.iter().enumerate() {
                    assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                    for (key, weight) in row.iter().enumerate() {
                        let may_see = key <= at && architecture.sliding_window.is_none_or(|window| key + window > at);
                        assert_eq!(*weight > 0.0, may_see, "{architecture:?}, query {at}, key {key}");
                    }
                }
            }
        }
    }
    assert!(
        attention_maps(
            &model(Architecture::LLAMA),
            &Tensor::zeros((2, 3), candle_core::DType::U32, &Device::Cpu).unwrap()
        )
        .is_err()
    );
}

#[test]
fn maps_follow_the_weights_of_their_layer() {
    let model = model(Architecture::LLAMA);
    let before = attention_maps(&model, &tokens(6)).unwrap();
    for layer in 1..3 {
        let var = model.parameters().get(&format!("layers.{layer}.attention.q")).unwrap();
        var.set(&(var.as_tensor() * 0.0).unwrap()).unwrap();
    }
    let after = attention_maps(&model, &tokens(6)).unwrap();
    assert_eq!(tensors::difference(&after[0], &before[0]).unwrap().max_abs, 0.0, "the first layer is as it was");
    // Queries of zeros look at everything alike.
    let rows = after[1].to_vec3::<f32>().unwrap();
    for (at, row) in rows[0].iter().enumerate() {
        assert!(row[..=at].iter().all(|weight| (weight - 1.0 / (at + 1) as f32).abs() < 1e-6), "{row:?}");
    }
}

#[test]
fn the_last_row_of_the_lens_is_the_model_s_own_answer() {
    let model = model(Architecture::QWEN2);
    let lens = logit_lens(&model, &tokens(7)).unwrap();
    assert_eq!((lens.len(), lens[0].len()), (4, 7));
    let logits = model.logits(&tokens(7)).unwrap().squeeze(0).unwrap().to_vec2::<f32>().unwrap();
    for (guess, row) in lens[3].iter().zip(logits) {
        let total: f64 = row.iter().map(|logit| f64::from(*logit).exp()).sum();
        let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        assert_eq!(guess.token as usize, best);
        assert!((f64::from(guess.probability) - f64::from(row[best]).exp() / total).abs() < 1e-5);
    }
    // Before the first block, a tied head finds the token that was read.
    let read: Vec<u32> = tokens(7).flatten_all().unwrap().to_vec1().unwrap();
    let found: Vec<u32> = lens[0].iter().map(|guess| guess.token).collect();
    assert_eq!(found, read);
}

#[test]
fn the_nearest_neighbour_is_the_row_that_points_the_same_way() {
    let model = model(Architecture::LLAMA);
    let var = model.parameters().get("embedding").unwrap();
    let mut rows = var.as_tensor().to_vec2::<f32>().unwrap();
    rows[9] = rows[5].iter().map(|x| 3.0 * x).collect();
    var.set(&Tensor::new(rows, &Device::Cpu).unwrap()).unwrap();
    let near = neighbours(&model, 5, 4).unwrap();
    assert_eq!((near.len(), near[0].0), (4, 9));
    assert!((near[0].1 - 1.0).abs() < 1e-5 && near.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    assert!(near.iter().all(|(token, _)| *token != 5));
    assert!(neighbours(&model, 61, 4).unwrap_err().to_string().contains("token 61 is not below vocab_size 61"));
}
