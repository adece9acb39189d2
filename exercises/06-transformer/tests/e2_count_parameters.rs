//! Tests of exercise 06.2. The counts are those of the published checkpoints;
//! `exercises/reference.py` has them too.

use ex_transformer::e2_count_parameters::{Config, count_parameters};

fn llama_2_7b() -> Config {
    Config {
        vocab_size: 32_000,
        d_model: 4096,
        n_layers: 32,
        n_heads: 32,
        n_kv_heads: 32,
        head_dim: 128,
        d_ff: 11_008,
        tie_embeddings: false,
    }
}

#[test]
fn llama_2_7b_has_as_many_as_published() {
    assert_eq!(count_parameters(&llama_2_7b()), 6_738_415_616, "no grouping, head not tied");
}

#[test]
fn llama_3_8b_groups_its_queries() {
    let config = Config { vocab_size: 128_256, n_kv_heads: 8, d_ff: 14_336, ..llama_2_7b() };
    assert_eq!(count_parameters(&config), 8_030_261_248, "keys and values have 8 heads, queries 32");
}

#[test]
fn tinyllama_has_as_many_as_published() {
    let config = Config { d_model: 2048, n_layers: 22, n_kv_heads: 4, head_dim: 64, d_ff: 5632, ..llama_2_7b() };
    assert_eq!(count_parameters(&config), 1_100_048_384, "4 key-value heads of 64");
}

#[test]
fn smollm2_ties_its_head() {
    let config = Config {
        vocab_size: 49_152,
        d_model: 576,
        n_layers: 30,
        n_heads: 9,
        n_kv_heads: 3,
        head_dim: 64,
        d_ff: 1536,
        tie_embeddings: true,
    };
    assert_eq!(count_parameters(&config), 134_515_008, "a tied head is counted once");
}

#[test]
fn heads_need_not_fill_d_model() {
    let config = Config {
        vocab_size: 10,
        d_model: 8,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        head_dim: 16,
        d_ff: 4,
        tie_embeddings: true,
    };
    assert_eq!(count_parameters(&config), 968, "projections go to n_heads * head_dim, here 32, not to d_model");
}

#[test]
fn tying_saves_one_embedding() {
    let untied = llama_2_7b();
    let tied = Config { tie_embeddings: true, ..untied.clone() };
    assert_eq!(count_parameters(&untied) - count_parameters(&tied), 32_000 * 4096);
}

#[test]
fn an_empty_stack_is_embedding_norm_and_head() {
    let config = Config { n_layers: 0, ..llama_2_7b() };
    assert_eq!(count_parameters(&config), 2 * 32_000 * 4096 + 4096, "the last RMSNorm remains");
}
