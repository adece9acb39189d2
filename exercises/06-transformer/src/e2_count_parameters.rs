//! Exercise 06.2: how many parameters does a Llama have?
//!
//! "7B" follows from a few numbers in `config.json`. Write [`count_parameters`], in closed form.
//! A Llama has no biases; it consists of
//!
//! - the embedding, `vocab_size x d_model`;
//! - `n_layers` layers, each with
//!   - attention: the query and output projections between `d_model` and `n_heads * head_dim`, the
//!     key and value projections from `d_model` to `n_kv_heads * head_dim` (grouped-query
//!     attention: several heads share one key and value);
//!   - a SwiGLU feed-forward: three matrices (gate, up, down) between `d_model` and `d_ff`;
//!   - two RMSNorms of `d_model` weights;
//! - one last RMSNorm;
//! - the head, `d_model x vocab_size`, unless it is tied, that is, uses the embedding's own matrix.
//!
//! Rotary positions have no parameters. `n_heads * head_dim` need not be `d_model`.
//!
//! Example: Llama 2 7B (32000, 4096, 32 layers, 32 heads and 32 key-value heads of 128, d_ff 11008,
//! untied) has 6,738,415,616.
//!
//! Book: `book/src/06-transformer.md`. Sources: Touvron et al., arXiv 2302.13971,
//! section 2.2; Ainslie et al., arXiv 2305.13245 (grouped-query attention).

/// The sizes of a Llama-style model.
#[derive(Clone, Debug)]
pub struct Config {
    /// Number of tokens in the vocabulary.
    pub vocab_size: u64,
    /// Width of the residual stream.
    pub d_model: u64,
    /// Number of layers.
    pub n_layers: u64,
    /// Number of query heads.
    pub n_heads: u64,
    /// Number of key and value heads.
    pub n_kv_heads: u64,
    /// Width of one head.
    pub head_dim: u64,
    /// Width inside the feed-forward.
    pub d_ff: u64,
    /// Whether the head is the embedding's matrix.
    pub tie_embeddings: bool,
}

/// Number of trainable parameters.
pub fn count_parameters(config: &Config) -> u64 {
    todo!("count {config:?}")
}
