//! Planted bug: takes d_model for n_heads * head_dim.

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
    let c = config;
    let embedding = c.vocab_size * c.d_model;
    let q_and_output = 2 * c.d_model * c.d_model;
    let k_and_v = 2 * c.d_model * c.n_kv_heads * c.head_dim;
    let feed_forward = 3 * c.d_model * c.d_ff;
    let norms = 2 * c.d_model;
    let layers = c.n_layers * (q_and_output + k_and_v + feed_forward + norms);
    let head = if c.tie_embeddings { 0 } else { embedding };
    embedding + layers + c.d_model + head
}
