//! The choices in which decoder-only transformers differ. All families of this book are one model: an embedding, blocks of attention and a network
//! for each position, a final norm, a head. What fills these places is a value of [`Architecture`], and any mixture of values is a model, which
//! is how one choice at a time can be tried.

use attention::RopeScaling;
use serde::{Deserialize, Serialize};

// ANCHOR: architecture
/// What the parts of a transformer are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Architecture {
    /// What brings a vector of the stream to unit size before a branch reads it.
    pub norm: NormKind,
    /// How the model knows where a token stands.
    pub positions: Positions,
    /// The network for each position.
    pub feed_forward: FeedForwardKind,
    /// Which linear layers add a constant vector.
    pub biases: Biases,
    /// Whether each head of queries and keys goes through an RMSNorm (Henry et al. 2020, arXiv 2010.04245; Qwen3).
    pub qk_norm: bool,
    /// How many positions back a query sees, itself counted; all, if absent (Mistral: Jiang et al. 2023, arXiv 2310.06825).
    pub sliding_window: Option<usize>,
    /// Width of a head, where it is not `d_model / n_heads`.
    pub head_dim: Option<usize>,
}

/// How a vector of the stream is brought to unit size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Divided by its root mean square, times a gain (Zhang and Sennrich 2019, arXiv 1910.07467).
    #[default]
    RmsNorm,
    /// Mean subtracted, divided by the standard deviation, times a gain, plus a bias (Ba et al. 2016, arXiv 1607.06450).
    LayerNorm,
}

/// How a token's position enters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Positions {
    /// Queries and keys are rotated.
    Rotary(RopeScaling),
    /// A learnt vector for each position is added to the embedding.
    Learned,
}

/// The network for each position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedForwardKind {
    /// Three matrices: down(silu(gate) · up) (Shazeer 2020, arXiv 2002.05202).
    #[default]
    SwiGlu,
    /// Two matrices: down(gelu(up)), with GELU's approximation by tanh (Hendrycks and Gimpel 2016, arXiv 1606.08415).
    Gelu,
}

/// Which linear layers have a bias. The head never has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Biases {
    /// None.
    #[default]
    None,
    /// Those that make queries, keys and values.
    Qkv,
    /// All in the blocks.
    All,
}

impl Architecture {
    /// Llama 1, 2 and 3, SmolLM2, and Mistral without a window.
    pub const LLAMA: Self = Self {
        norm: NormKind::RmsNorm,
        positions: Positions::Rotary(RopeScaling::None),
        feed_forward: FeedForwardKind::SwiGlu,
        biases: Biases::None,
        qk_norm: false,
        sliding_window: None,
        head_dim: None,
    };
    /// GPT-2.
    pub const GPT2: Self = Self {
        norm: NormKind::LayerNorm,
        positions: Positions::Learned,
        feed_forward: FeedForwardKind::Gelu,
        biases: Biases::All,
        ..Self::LLAMA
    };
    /// Qwen2 and Qwen2.5.
    pub const QWEN2: Self = Self { biases: Biases::Qkv, ..Self::LLAMA };
    /// Qwen3.
    pub const QWEN3: Self = Self { qk_norm: true, ..Self::LLAMA };
}
// ANCHOR_END: architecture

impl Default for Architecture {
    fn default() -> Self {
        Self::LLAMA
    }
}

impl Default for Positions {
    fn default() -> Self {
        Self::Rotary(RopeScaling::None)
    }
}

impl Biases {
    /// Whether the layers of queries, keys and values have one.
    pub fn on_qkv(self) -> bool {
        self != Self::None
    }

    /// Whether every other layer of a block has one.
    pub fn on_the_rest(self) -> bool {
        self == Self::All
    }
}
